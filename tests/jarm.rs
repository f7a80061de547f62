//! Signed authorization responses (JARM).

use ostiary::model::client::ConsentPolicy;
use ostiary::model::signing_alg::SigningAlg;
use serde_json::Value;

use crate::harness::{Authorization, Page, TestApp, TestClient, jwt, parameters};

/// The claims of the one parameter with which the browser left, verified.
async fn response(app: &TestApp, page: &Page, client: &TestClient) -> Value {
    let answer = page.returned_to(&client.redirect_uri);
    assert_eq!(answer.keys().collect::<Vec<_>>(), ["response"], "nothing beside it");
    verified(app, &answer["response"], client).await
}

async fn verified(app: &TestApp, response: &str, client: &TestClient) -> Value {
    let jwt = jwt::verify(app, response).await;
    assert!(jwt.header.get("kid").is_some());
    assert_eq!((&jwt.claims["iss"], &jwt.claims["aud"]), (&app.issuer().into(), &client.id.as_str().into()));
    let left = jwt.claims["exp"].as_i64().unwrap() - app.now().timestamp();
    assert!((10..=600).contains(&left), "{left}");
    jwt.claims
}

fn names(claims: &Value) -> Vec<&str> {
    let mut names: Vec<_> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_code_is_inside_of_a_jwt_signed_as_the_client_registered() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    for alg in SigningAlg::ALL {
        let client = app.web_client_with(|settings| settings.authorization_signed_response_alg = alg).await;
        for mode in ["jwt", "query.jwt"] {
            let request = Authorization::of(&client).with("response_mode", mode);
            let page = app.browser().authorize(&request, &alice).await;
            let claims = response(&app, &page, &client).await;
            assert_eq!(names(&claims), ["aud", "code", "exp", "iat", "iss", "state"]);
            assert_eq!(claims["state"], request.value("state"));
            let header = jwt::read(&page.returned_to(&client.redirect_uri)["response"]).header;
            assert_eq!(header["alg"], alg.as_str());
            let code = claims["code"].as_str().unwrap();
            assert_eq!(app.token(&client, &app.redemption(&request, code)).await.status, 200);
        }
    }
}

#[tokio::test]
async fn errors_are_signed_too_wherever_they_are_found() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    let client = app.web_client_with(|settings| settings.consent = ConsentPolicy::Always).await;
    let request = Authorization::of(&client).with("response_mode", "jwt");
    let mut browser = app.browser();
    let page = browser.open(&request.path()).await;
    let consent = browser.log_in(&page, &alice).await;
    let denied = browser.submit(&consent, "consent-deny", &[]).await;
    for (page, error) in [
        (denied, "access_denied"),
        (app.browser().open(&request.clone().with("response_type", "token").path()).await, "unsupported_response_type"),
        (app.browser().open(&request.clone().with("prompt", "none").path()).await, "login_required"),
    ] {
        let claims = response(&app, &page, &client).await;
        assert_eq!(names(&claims), ["aud", "error", "error_description", "exp", "iat", "iss", "state"]);
        assert_eq!((&claims["error"], &claims["state"]), (&error.into(), &request.value("state").into()));
    }
}

#[tokio::test]
async fn fragment_jwt_and_form_post_jwt_carry_it_in_their_own_way() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let request = Authorization::of(&client).with("response_mode", "fragment.jwt");
    let page = app.browser().authorize(&request, &alice).await;
    assert_eq!(page.url.query(), None);
    let answer = parameters(page.url.fragment().unwrap());
    let claims = verified(&app, &answer["response"], &client).await;
    assert_eq!((answer.len(), claims["state"].as_str()), (1, Some(request.value("state"))));
    let request = Authorization::of(&client).with("response_mode", "form_post.jwt");
    let mut browser = app.browser();
    let page = browser.open(&request.path()).await;
    let page = browser.log_in(&page, &alice).await;
    let form = page.form("form-post-submit");
    assert_eq!(form.action.as_str(), client.redirect_uri);
    let claims = verified(&app, form.value("response"), &client).await;
    assert_eq!(claims["state"], request.value("state"));
    for outside in ["code", "state", "iss"] {
        assert!(!page.answer.body.contains(&format!("name=\"{outside}\"")), "{outside}");
    }
}

#[tokio::test]
async fn a_response_that_cannot_be_signed_is_a_page() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    let client = app.web_client_with(|settings| settings.authorization_signed_response_alg = SigningAlg::RS256).await;
    let request = Authorization::of(&client).with("response_mode", "jwt");
    let mut browser = app.browser();
    browser.authorize(&request, &alice).await;
    let queue = app.fill_rsa_queue();
    for path in [request.path(), request.clone().with("response_type", "token").path()] {
        let page = browser.open(&path).await;
        assert!(!page.has_left, "{page:?}");
        page.assert_error("/authorize", 503, "temporarily_unavailable", "the server is busy, try again shortly");
    }
    drop(queue);
    response(&app, &browser.open(&request.path()).await, &client).await;
}
