//! `/authorize`: what succeeds. Refusals are in `authorize_refusals.rs`, `prompt` and `max_age` in `authorize_prompt.rs`.

use std::collections::BTreeMap;

use ostiary::config::AcrValue;
use ostiary::model::client::{ApplicationType, ConsentPolicy, GrantType};
use ostiary::model::profile::Profile;
use ostiary::model::session::AuthenticationMethod;
use serde_json::json;

use crate::harness::{ADMIN_API, Authorization, MAIL_API, PHOTOS_API, TestApp, jwt};

/// The names of an answer's parameters.
fn names(answer: &BTreeMap<String, String>) -> Vec<&str> {
    answer.keys().map(String::as_str).collect()
}

/// Bits per character of a text, as the conformance suite estimates them.
fn shannon_bits(text: &str) -> f64 {
    let mut counts = BTreeMap::new();
    for c in text.chars() {
        *counts.entry(c).or_insert(0_u32) += 1;
    }
    let length = f64::from(u32::try_from(text.len()).unwrap());
    counts.values().map(|&count| f64::from(count) / length).map(|p| -p * p.log2()).sum::<f64>() * length
}

#[tokio::test]
async fn success_has_exactly_code_state_and_iss() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let request = Authorization::of(&client);
    let answer = app.browser().authorize(&request, &alice).await.returned_to(&client.redirect_uri);
    assert_eq!(names(&answer), ["code", "iss", "state"]);
    assert_eq!(answer["state"], request.value("state"));
    assert_eq!(answer["iss"], app.issuer());
}

#[tokio::test]
async fn post_with_a_form_is_answered_like_get() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let mut browser = app.browser();
    let request = Authorization::of(&client);
    let login = browser.post_from_elsewhere("/authorize", &request.parameters()).await;
    let answer = browser.log_in(&login, &alice).await.returned_to(&client.redirect_uri);
    assert_eq!(names(&answer), ["code", "iss", "state"]);
    assert_eq!(answer["state"], request.value("state"));
}

#[tokio::test]
async fn a_cross_site_post_finds_the_session_although_its_cookie_stays_at_home() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let mut browser = app.browser();
    browser.authorize(&Authorization::of(&client), &alice).await;
    let request = Authorization::of(&client).with("prompt", "none");
    let page = browser.post_from_elsewhere("/authorize", &request.parameters()).await;
    assert_eq!(names(&page.returned_to(&client.redirect_uri)), ["code", "iss", "state"]);
}

#[tokio::test]
async fn the_code_is_long_and_random_enough() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let mut browser = app.browser();
    let first = app.code(&mut browser, &Authorization::of(&client), &alice).await;
    let second = app.code(&mut browser, &Authorization::of(&client), &alice).await;
    assert_ne!(first, second);
    for code in [first, second] {
        assert!(code.len() * 6 >= 128, "{code}");
        assert!(shannon_bits(&code) > 96.0, "{code}");
        assert!(code.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)), "{code}");
    }
}

/// 128 characters, among them all that need care on their way.
fn long_state() -> String {
    let special = "a-._~!$'()*+,;:@/?%20&=#\"<>\\ \u{e4}\u{20ac}";
    let state = format!("{special}{}", "x".repeat(128 - special.chars().count()));
    assert_eq!(state.chars().count(), 128);
    state
}

#[tokio::test]
async fn state_of_128_characters_returns_byte_for_byte() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let state = long_state();
    let request = Authorization::of(&client).with("state", &state);
    let answer = app.browser().authorize(&request, &alice).await.returned_to(&client.redirect_uri);
    assert_eq!(names(&answer), ["code", "iss", "state"]);
    assert_eq!(answer["state"], state);
}

#[tokio::test]
async fn state_of_128_characters_returns_byte_for_byte_on_errors_too() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    let state = long_state();
    let request = Authorization::of(&client).with("state", &state);
    for (name, value, error) in [
        ("prompt", "none", "login_required"),
        ("response_type", "token", "unsupported_response_type"),
        ("request", "e30", "invalid_request_object"),
    ] {
        let page = app.browser().open(&request.clone().with(name, value).path()).await;
        let answer = page.returned_error(&client.redirect_uri);
        assert_eq!((answer["error"].as_str(), &answer["state"]), (error, &state), "{name}");
    }
    // Also where a person refuses, after pages.
    let mut browser = app.browser();
    let login = browser.open(&request.path()).await;
    let answer = browser.submit(&login, "login-cancel", &[]).await.returned_error(&client.redirect_uri);
    assert_eq!((answer["error"].as_str(), &answer["state"]), ("access_denied", &state));
}

#[tokio::test]
async fn state_and_nonce_of_certification_length_are_accepted() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let (state, nonce) = ("s".repeat(1000), "n".repeat(384));
    let request = Authorization::of(&client).with("state", &state).with("nonce", &nonce);
    let tokens = app.tokens_in(&mut app.browser(), &client, &request, &alice).await;
    assert_eq!(tokens.id_claims(&app).await["nonce"], nonce);
}

#[tokio::test]
async fn state_is_absent_when_it_was_not_sent() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let mut browser = app.browser();
    for request in [Authorization::of(&client).without("state"), Authorization::of(&client).with("state", "")] {
        let answer = browser.authorize(&request, &alice).await.returned_to(&client.redirect_uri);
        assert_eq!(names(&answer), ["code", "iss"]);
    }
    let request = Authorization::of(&client).without("state").without("response_type");
    let answer = browser.open(&request.path()).await.returned_error(&client.redirect_uri);
    assert_eq!(names(&answer), ["error", "iss"]);
}

/// Signs in with that parameter, in a browser without a cookie, and asserts that nothing comes of it but the usual.
async fn tolerated(name: &str, values: &[&str]) {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    for value in values {
        let request = Authorization::of(&client).with(name, value);
        let mut browser = app.browser();
        let login = browser.open(&request.path()).await;
        login.assert_login();
        let answer = browser.log_in(&login, &alice).await.returned_to(&client.redirect_uri);
        assert_eq!(names(&answer), ["code", "iss", "state"], "{name}={value}");
        let tokens = app.token(&client, &app.redemption(&request, &answer["code"])).await.json();
        assert_eq!(jwt::verify(&app, tokens["id_token"].as_str().unwrap()).await.claims["sub"], alice.sub());
    }
}

#[tokio::test]
async fn display_page_and_popup_are_tolerated() {
    tolerated("display", &["page", "popup", "touch", "wap", "unheard-of"]).await;
}

#[tokio::test]
async fn ui_locales_se_is_tolerated() {
    tolerated("ui_locales", &["se", "se-SE fr de_DE \u{e4}"]).await;
}

#[tokio::test]
async fn claims_locales_se_is_tolerated() {
    tolerated("claims_locales", &["se", "se-SE fr de_DE \u{e4}"]).await;
}

#[tokio::test]
async fn login_hint_buffy_is_tolerated() {
    tolerated("login_hint", &["buffy@host", "\u{e4}\"'<>"]).await;
}

#[tokio::test]
async fn an_unknown_parameter_is_ignored() {
    tolerated("extra", &["foobar"]).await;
    tolerated("audience", &["https://example.com"]).await;
}

#[tokio::test]
async fn the_order_of_parameters_and_of_scopes_does_not_matter() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let request = Authorization::of(&client).with("scope", "profile email openid").reversed();
    let tokens = app.tokens_in(&mut app.browser(), &client, &request, &alice).await;
    assert_eq!(tokens.body["scope"], "profile email openid");
    assert_eq!(tokens.id_claims(&app).await["sub"], alice.sub());
}

#[tokio::test]
async fn login_hint_fills_in_the_username() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    let request = Authorization::of(&client).with("login_hint", "alice\"><script>");
    let page = app.browser().open(&request.path()).await;
    page.assert_login();
    assert_eq!(page.attribute("username", "value").as_deref(), Some("alice\"><script>"));
}

#[tokio::test]
async fn a_query_of_the_redirect_uri_is_kept_and_appended_to() {
    let app = TestApp::start().await;
    let registered = "https://web.example/callback?dummy1=lorem&dummy2=ipsum%20dolor";
    let client = app.web_client_with(|settings| settings.redirect_uris = vec![registered.into()]).await;
    let alice = app.alice().await;
    let request = Authorization::of(&client);
    let page = app.browser().authorize(&request, &alice).await;
    assert!(page.url.as_str().starts_with(&format!("{registered}&code=")), "{}", page.url);
    let page = app.browser().open(&request.without("response_type").path()).await;
    assert!(page.url.as_str().starts_with(&format!("{registered}&error=invalid_request&")), "{}", page.url);
}

#[tokio::test]
async fn response_mode_fragment_answers_in_the_fragment() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let request = Authorization::of(&client).with("response_mode", "fragment");
    let page = app.browser().authorize(&request, &alice).await;
    let (address, fragment) = page.url.as_str().split_once('#').expect("a fragment");
    assert_eq!(address, client.redirect_uri);
    let answer = crate::harness::parameters(fragment);
    assert_eq!(names(&answer), ["code", "iss", "state"]);
    assert_eq!(answer["state"], request.value("state"));
    assert_eq!(answer["iss"], app.issuer());
}

#[tokio::test]
async fn response_mode_form_post_answers_with_a_form_that_needs_no_script() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let state = "\"><script>alert(1)</script>&amp;";
    let request = Authorization::of(&client).with("response_mode", "form_post").with("state", state);
    let mut browser = app.browser();
    let login = browser.open(&request.path()).await;
    let page = browser.log_in(&login, &alice).await;
    assert_eq!(page.answer.status, 200);
    page.assert_page_headers();
    let form = page.form("form-post-submit");
    assert_eq!((form.method.as_str(), form.action.as_str()), ("post", client.redirect_uri.as_str()));
    let mut fields: Vec<&str> = form.fields.iter().map(|(name, _)| name.as_str()).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["code", "iss", "state"]);
    assert_eq!(form.value("state"), state);
    assert_eq!(form.value("iss"), app.issuer());
    assert!(page.form_may_lead_to(&form.action), "{:?}", page.policy());
    let answer = app.token(&client, &app.redemption(&request, form.value("code"))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn response_mode_form_post_carries_errors_too() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    let request = Authorization::of(&client).with("response_mode", "form_post").with("prompt", "none");
    let page = app.browser().open(&request.path()).await;
    let form = page.form("form-post-submit");
    let mut fields: Vec<&str> = form.fields.iter().map(|(name, _)| name.as_str()).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["error", "error_description", "iss", "state"]);
    assert_eq!(form.value("error"), "login_required");
}

#[tokio::test]
async fn a_native_client_may_use_any_loopback_port() {
    let app = TestApp::start().await;
    let client = app
        .public_client_with(|settings| {
            settings.application_type = ApplicationType::Native;
            settings.redirect_uris = vec!["http://127.0.0.1/callback".into(), "http://[::1]:80/callback".into()];
        })
        .await;
    let alice = app.alice().await;
    let mut browser = app.browser();
    for uri in ["http://127.0.0.1:51004/callback", "http://127.0.0.1/callback", "http://[::1]:61023/callback"] {
        let request = Authorization::of(&client).with("redirect_uri", uri);
        let code = app.code(&mut browser, &request, &alice).await;
        assert_eq!(app.token(&client, &app.redemption(&request, &code)).await.status, 200, "{uri}");
    }
}

#[tokio::test]
async fn a_code_for_one_loopback_port_is_not_good_for_another() {
    let app = TestApp::start().await;
    let client = app
        .public_client_with(|settings| {
            settings.application_type = ApplicationType::Native;
            settings.redirect_uris = vec!["http://127.0.0.1/callback".into()];
        })
        .await;
    let alice = app.alice().await;
    let request = Authorization::of(&client).with("redirect_uri", "http://127.0.0.1:50001/callback");
    let code = app.code(&mut app.browser(), &request, &alice).await;
    let elsewhere = request.clone().with("redirect_uri", "http://127.0.0.1:50002/callback");
    app.token(&client, &app.redemption(&elsewhere, &code)).await.assert_error(
        400,
        "invalid_grant",
        "the redirect_uri is not the one that the code was sent to",
    );
}

#[tokio::test]
async fn without_openid_a_single_redirect_uri_may_be_left_out() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let request = Authorization::of(&client).with("scope", "photos.read");
    let short = request.clone().without("redirect_uri");
    let mut browser = app.browser();
    let login = browser.open(&short.path()).await;
    let mut answer = browser.log_in(&login, &alice).await.returned_to(&client.redirect_uri);
    let code = answer.remove("code").unwrap();
    let form = [("grant_type", "authorization_code"), ("code", &code), ("code_verifier", &request.verifier)];
    let tokens = app.token(&client, &form).await.json();
    assert_eq!(tokens["scope"], "photos.read");
    assert_eq!(tokens.get("id_token"), None, "no ID token without openid");
}

#[tokio::test]
async fn a_redirect_uri_that_was_left_out_need_not_be_in_the_token_request() {
    let app = TestApp::start().await;
    let client = app.web_client_with(|settings| settings.pkce_required = false).await;
    let alice = app.alice().await;
    let request = Authorization::of(&client).with("scope", "photos.read").without_pkce().without("redirect_uri");
    let why = "the redirect_uri is not the one that the code was sent to";
    for (sent, is_good) in
        [(None, true), (Some(client.redirect_uri.as_str()), true), (Some("https://x.example/"), false)]
    {
        let page = app.browser().authorize(&request, &alice).await;
        let code = page.returned_to(&client.redirect_uri).remove("code").unwrap();
        let mut form = vec![("grant_type", "authorization_code"), ("code", code.as_str())];
        form.extend(sent.map(|uri| ("redirect_uri", uri)));
        let answer = app.token(&client, &form).await;
        if is_good {
            assert_eq!(answer.json()["scope"], "photos.read", "{sent:?}");
        } else {
            answer.assert_error(400, "invalid_grant", why);
        }
    }
}

#[tokio::test]
async fn pkce_and_nonce_are_optional_for_certification_clients() {
    let app = TestApp::start().await;
    let client = app.web_client_with(|settings| settings.pkce_required = false).await;
    let alice = app.alice().await;
    let request = Authorization::of(&client).without_pkce().without("nonce");
    let code = app.code(&mut app.browser(), &request, &alice).await;
    let form = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", client.redirect_uri.as_str())];
    let tokens = app.token(&client, &form).await.json();
    let claims = jwt::verify(&app, tokens["id_token"].as_str().unwrap()).await.claims;
    assert_eq!(claims.get("nonce"), None);
}

#[tokio::test]
async fn acr_values_return_as_the_acr_that_was_asked_for() {
    let app = TestApp::with_config(|config| {
        let class = |acr: &str| AcrValue { acr: acr.into(), methods: vec![AuthenticationMethod::Pwd] };
        config.oidc.acr_values = vec![class("urn:example:bronze"), class("urn:example:silver")];
    })
    .await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    for (asked, acr) in [
        ("urn:example:silver", "urn:example:silver"),
        ("urn:example:gold urn:example:silver", "urn:example:silver"),
        ("urn:example:gold", "urn:example:bronze"),
    ] {
        let request = Authorization::of(&client).with("acr_values", asked);
        let tokens = app.tokens_in(&mut app.browser(), &client, &request, &alice).await;
        assert_eq!(tokens.id_claims(&app).await["acr"], acr, "{asked}");
        assert_eq!(tokens.access_claims(&app).await["acr"], acr, "{asked}");
    }
}

#[tokio::test]
async fn an_essential_acr_that_is_reached_returns() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let claims = json!({ "id_token": { "acr": { "essential": true, "values": ["urn:ostiary:acr:pwd"] } } });
    let request = Authorization::of(&client).with("claims", &claims.to_string());
    let tokens = app.tokens_in(&mut app.browser(), &client, &request, &alice).await;
    assert_eq!(tokens.id_claims(&app).await["acr"], "urn:ostiary:acr:pwd");
}

#[tokio::test]
async fn resources_become_the_audience_and_limit_the_scopes() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let scope = "openid photos.read mail.read";
    for (resources, aud, granted) in [
        (vec![], json!(app.issuer()), "openid photos.read mail.read"),
        (vec![PHOTOS_API], json!(PHOTOS_API), "openid photos.read"),
        (vec![MAIL_API, PHOTOS_API], json!([MAIL_API, PHOTOS_API]), "openid photos.read mail.read"),
    ] {
        let request = Authorization::of(&client).with("scope", scope);
        let request = resources.iter().fold(request, |request, resource| request.and("resource", resource));
        let tokens = app.tokens_in(&mut app.browser(), &client, &request, &alice).await;
        let claims = tokens.access_claims(&app).await;
        assert_eq!(claims["aud"], aud, "{resources:?}");
        assert_eq!(claims["scope"], granted, "{resources:?}");
        assert_eq!(tokens.body["scope"], granted, "{resources:?}");
    }
}

#[tokio::test]
async fn a_restricted_resource_is_for_clients_that_were_given_it() {
    let app = TestApp::start().await;
    let client = app
        .web_client_with(|settings| {
            settings.resources = vec![serde_json::from_value(json!(ADMIN_API)).unwrap()];
            settings.scopes.push("admin.write".into());
        })
        .await;
    let alice = app.alice().await;
    let request = Authorization::of(&client).with("scope", "openid admin.write").with("resource", ADMIN_API);
    let tokens = app.tokens_in(&mut app.browser(), &client, &request, &alice).await;
    assert_eq!(tokens.access_claims(&app).await["aud"], ADMIN_API);
}

#[tokio::test]
async fn unknown_scopes_are_ignored_for_openid_clients() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let tokens = app.tokens(&client, &alice, "openid unheard.of profile").await;
    assert_eq!(tokens.body["scope"], "openid profile");
}

#[tokio::test]
async fn offline_access_is_ignored_where_no_refresh_token_could_be_given() {
    let app = TestApp::start().await;
    let client = app.web_client_with(|settings| settings.grant_types = vec![GrantType::AuthorizationCode]).await;
    let alice = app.alice().await;
    let tokens = app.tokens(&client, &alice, "openid offline_access").await;
    assert_eq!(tokens.body["scope"], "openid");
    assert_eq!(tokens.body.get("refresh_token"), None);
}

#[tokio::test]
async fn consent_is_asked_once_and_remembered() {
    let app = TestApp::start().await;
    let client = app.web_client_with(|settings| settings.consent = ConsentPolicy::Remembered).await;
    let alice = app.alice().await;
    let mut browser = app.browser();
    let login = browser.open(&Authorization::of(&client).with("scope", "openid profile").path()).await;
    let consent = browser.log_in(&login, &alice).await;
    consent.assert_consent();
    browser.submit(&consent, "consent-allow", &[]).await.returned_code(&client.redirect_uri);

    let again = Authorization::of(&client).with("scope", "openid profile");
    browser.open(&again.path()).await.returned_code(&client.redirect_uri);
    // In another browser too, and for less; for more it is asked again.
    let mut other = app.browser();
    let login = other.open(&Authorization::of(&client).path()).await;
    other.log_in(&login, &alice).await.returned_code(&client.redirect_uri);
    other.open(&Authorization::of(&client).with("scope", "openid email").path()).await.assert_consent();
}

#[tokio::test]
async fn consent_is_asked_every_time_if_the_client_is_to() {
    let app = TestApp::start().await;
    let client = app.web_client_with(|settings| settings.consent = ConsentPolicy::Always).await;
    let alice = app.alice().await;
    let mut browser = app.browser();
    browser.authorize(&Authorization::of(&client), &alice).await.returned_code(&client.redirect_uri);
    browser.open(&Authorization::of(&client).path()).await.assert_consent();
}

#[tokio::test]
async fn a_claim_asked_for_by_name_is_consented_to_like_its_scope() {
    let app = TestApp::start().await;
    let client = app.web_client_with(|settings| settings.consent = ConsentPolicy::Remembered).await;
    let alice = app.alice().await;
    let mut browser = app.browser();
    browser.authorize(&Authorization::of(&client), &alice).await;
    let claims = json!({ "userinfo": { "email": null } }).to_string();
    let page = browser.open(&Authorization::of(&client).with("claims", &claims).path()).await;
    page.assert_consent();
    assert!(page.visible_text().contains("See your e-mail address"), "{}", page.visible_text());
}

#[tokio::test]
async fn the_oauth2_profile_needs_no_openid() {
    let app = TestApp::start().await;
    let client = app.public_client_with(|settings| settings.profile = Profile::Oauth2).await;
    let alice = app.alice().await;
    let request = Authorization::of(&client).with("scope", "photos.read").without("nonce");
    let tokens = app.tokens_in(&mut app.browser(), &client, &request, &alice).await;
    assert_eq!(tokens.body["scope"], "photos.read");
    assert_eq!(tokens.body.get("id_token"), None);
}

#[tokio::test]
async fn asking_with_head_begins_and_answers_nothing() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let request = Authorization::of(&client);
    let mut browser = app.browser();
    for signed_in in [false, true] {
        if signed_in {
            app.code(&mut browser, &request, &alice).await;
        }
        let answer = browser.head(&request.path()).await;
        answer.assert_method_not_allowed(&["GET", "POST"]);
        assert_eq!((answer.header("location"), answer.header("set-cookie")), (None, None), "{answer:?}");
    }
}
