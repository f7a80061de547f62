//! Sessions, consents and tokens at the console.

use serde_json::json;

use crate::harness::{Authorization, TestApp, TestPerson};

async fn sid_of(app: &TestApp, person: &TestPerson) -> String {
    let client = app.web_client().await;
    let claims = app.tokens(&client, person, "openid").await.id_claims(app).await;
    claims["sid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn sessions_are_listed_by_person_and_ended() {
    let app = TestApp::start().await;
    let mut browser = app.console().await;
    let (alice, bob) = (app.alice().await, app.bob().await);
    let (first, _) = (sid_of(&app, &alice).await, sid_of(&app, &bob).await);
    app.pass_seconds(1);
    let second = sid_of(&app, &alice).await;
    let list = browser.open("/console/sessions").await;
    list.assert_shown("/console/sessions", &["sessions", "person", "state"]);
    assert_eq!(list.texts("#sessions tbody tr").len(), 4);
    for typed in ["Alice", alice.sub()] {
        let found = browser.submit(&list, "search-submit", &[("person", typed)]).await;
        let paths = [&second, &first].map(|sid| format!("/console/sessions/{sid}"));
        assert_eq!(found.attributes("#sessions tbody th a", "href"), paths);
    }
    let none = browser.submit(&list, "search-submit", &[("person", "nobody")]).await;
    none.assert_shown("/console/sessions", &["none"]);
    assert_eq!(none.text("none"), "Nobody has that name.");
    let path = format!("/console/sessions/{first}");
    let page = browser.open(&path).await;
    page.assert_shown(&path, &["session-clients", "session-clients-all", "session-end"]);
    assert_eq!(page.text("state"), "alive");
    let question = browser.click(&page, "session-end").await;
    assert!(question.visible_text().contains("One application used it"), "{question:?}");
    let page = browser.submit(&question, "confirm", &[]).await;
    page.assert_done(&path, "The session has ended.");
    assert!(page.text("state") == "ended" && !page.has("session-end"), "{page:?}");
    assert!(page.visible_text().contains("(administrator)"), "{page:?}");
    let alive = browser.open(&format!("/console/sessions?person={}", alice.sub())).await;
    assert_eq!(alive.texts("#sessions tbody tr").len(), 1);
    let all = browser.open(&format!("/console/sessions?state=all&person={}", alice.sub())).await;
    assert_eq!(all.texts("#sessions tbody tr").len(), 2);
    // All of a person.
    let person = format!("/console/people/{}", alice.sub());
    let page = browser.open(&person).await;
    let question = browser.click(&page, "sessions-end").await;
    browser.submit(&question, "confirm", &[]).await.assert_done(&person, "One session has ended.");
    browser.submit(&question, "confirm", &[]).await.assert_done(&person, "There was no session to end.");
    browser.open("/console/sessions/nothing").await.assert_refused(404);
    browser.open("/console/sessions/00000000-0000-4000-8000-000000000000").await.assert_refused(404);
}

#[tokio::test]
async fn tokens_are_listed_and_revoked() {
    let app = TestApp::start().await;
    let mut browser = app.console().await;
    let (alice, client) = (app.alice().await, app.web_client().await);
    let first = app.tokens(&client, &alice, "openid offline_access").await;
    app.pass_seconds(1);
    let second = app.tokens(&client, &alice, "openid offline_access").await;
    let third = app.tokens(&client, &alice, "openid offline_access").await;
    let list = browser.open(&format!("/console/tokens?person=alice&client={}", client.id)).await;
    let paths = list.attributes("#tokens tbody th a", "href");
    assert_eq!(paths.len(), 3, "{list:?}");
    let page = browser.open(&paths[2]).await;
    page.assert_shown(&paths[2], &["token-revoke"]);
    let question = browser.click(&page, "token-revoke").await;
    let page = browser.submit(&question, "confirm", &[]).await;
    page.assert_done(&paths[2], "The tokens are revoked.");
    assert!(page.text("state") == "revoked" && !page.has("token-revoke"), "{page:?}");
    browser.submit(&question, "confirm", &[]).await.assert_done(&paths[2], "They were revoked before.");
    app.assert_family_is_over(&client, &first).await;
    app.assert_family_stands(&client, &second).await;
    // Of a person.
    let person = format!("/console/people/{}", alice.sub());
    let page = browser.open(&person).await;
    let question = browser.click(&page, "tokens-revoke").await;
    let done = browser.submit(&question, "confirm", &[]).await;
    done.assert_done(&person, "The tokens of 2 sign-ins are revoked.");
    app.assert_family_is_over(&client, &third).await;
    // Of a client.
    let fresh = app.tokens(&client, &alice, "openid offline_access").await;
    let question = browser.open(&format!("/console/clients/{}/tokens", client.id)).await;
    let done = browser.submit(&question, "confirm", &[]).await;
    done.assert_done(&format!("/console/clients/{}", client.id), "Every token of the client is revoked.");
    app.assert_family_is_over(&client, &fresh).await;
    browser.open("/console/tokens?session=x").await.assert_refused(400);
    browser.open("/console/tokens/nothing").await.assert_refused(404);
    browser.open("/console/clients/nothing/tokens").await.assert_refused(404);
}

#[tokio::test]
async fn a_consent_is_withdrawn_with_its_tokens() {
    let app = TestApp::start().await;
    let mut browser = app.console().await;
    let alice = app.alice().await;
    let client =
        app.web_client_with(|settings| settings.consent = ostiary::model::client::ConsentPolicy::Remembered).await;
    let mut hers = app.browser();
    let request = Authorization::of(&client);
    let page = hers.authorize(&request, &alice).await;
    if page.has("consent-allow") {
        hers.submit(&page, "consent-allow", &[]).await;
    }
    let list = browser.open("/console/consents?person=alice").await;
    list.assert_shown("/console/consents", &["consents"]);
    let path = format!("/console/consents/{}/{}", alice.sub(), client.id);
    assert_eq!(list.attributes("#consents td:last-child a", "href"), [path.as_str()]);
    let page = browser.open(&format!("/console/people/{}", alice.sub())).await;
    assert_eq!(page.attributes("#person-consents a", "href"), [path.as_str()]);
    let question = browser.open(&path).await;
    question.assert_shown(&path, &["consequences", "confirm"]);
    let done = browser.submit(&question, "confirm", &[]).await;
    done.assert_done("/console/consents", "The consent is withdrawn.");
    done.assert_shown("/console/consents", &["none"]);
    browser.open(&path).await.assert_refused(404);
    browser.submit(&question, "confirm", &[]).await.assert_refused(404);
}

#[tokio::test]
async fn a_person_is_found_by_the_exact_name_whatever_it_looks_like_and_however_many_are_like_it() {
    let app = TestApp::start().await;
    let admin = app.admin_of_everything().await;
    let register = async |username: &str| {
        let made = admin.post("/admin/users", &json!({ "username": username })).await.document(201);
        made["subject"].as_str().unwrap().to_owned()
    };
    // More than a page of the API, and all of them before her in its order.
    for number in 0..201 {
        register(&format!("a{number:03}.zoe")).await;
    }
    let (zoe, odd) = (register("zoe").await, register("u.nusual").await);
    let mut browser = app.console().await;
    for (typed, subject) in [("zoe", &zoe), (" ZOE ", &zoe), ("u.nusual", &odd), (odd.as_str(), &odd)] {
        let list = browser.open("/console/audit").await;
        let found = browser.submit(&list, "search-submit", &[("person", typed)]).await;
        let people = found.attributes("#audit tbody td a", "href");
        assert!(people.contains(&format!("/console/people/{subject}")), "{typed}: {found:?}");
        assert_eq!(found.texts("#audit tbody tr").len(), 1, "{typed}: {found:?}");
    }
    // Part of a name is not a name. What looks like an identifier may be one.
    for (typed, said) in [("zo", "Nobody has that name."), ("u.nobody", "There is no such record.")] {
        let list = browser.open("/console/audit").await;
        let none = browser.submit(&list, "search-submit", &[("person", typed)]).await;
        assert_eq!(none.text("none"), said, "{typed}");
    }
}
