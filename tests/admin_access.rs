//! Who may call the admin API: every endpoint of its table with every scope, and with everybody who has none.

use chrono::TimeDelta;
use http::Method;
use ostiary::admin::{Access, Rule, rules};
use ostiary::model::admin_scope::AdminScope;
use ostiary::model::id::ResourceUri;
use ostiary::model::signing_alg::SigningAlg;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::harness::{Admin, Answer, Authorization, PHOTOS_API, Receiver, TestApp, jwt, parameters};

/// The path with something in place of its parameters that no row has.
fn path_of(rule: &Rule) -> String {
    let segments = rule
        .path
        .split('/')
        .map(|part| if part.starts_with('{') { "00000000-0000-4000-8000-000000000000" } else { part });
    segments.collect::<Vec<_>>().join("/")
}

/// What may be asked of the API: every method of every path, and HEAD where GET is.
fn questions() -> Vec<(Method, Rule)> {
    let heads = rules().into_iter().filter(|rule| rule.method == Method::GET).map(|rule| (Method::HEAD, rule));
    rules().into_iter().map(|rule| (rule.method.clone(), rule)).chain(heads).collect()
}

/// A call that is let through or not, and changes nothing: its body is nothing that the endpoint takes.
async fn ask(admin: &Admin<'_>, method: &Method, rule: &Rule) -> Answer {
    admin.call(method.clone(), &path_of(rule)).header("content-type", "text/plain").send().await
}

async fn try_rule(admin: &Admin<'_>, rule: &Rule) -> Answer {
    ask(admin, &rule.method, rule).await
}

/// Whether the gate let the call through, whatever the endpoint said then.
fn is_let_through(answer: &Answer) -> bool {
    !matches!(answer.status, 401 | 403)
}

/// The scope that a call needs, from nothing but the words of its path and its method: who looks reads, who does anything else
/// needs the area in full. A first word that is not here has no rule yet.
fn needed_for(method: &Method, path: &str) -> String {
    let first = path.strip_prefix("/admin/").and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let area = match first {
        "clients"
        | "resources"
        | "scopes"
        | "authorization-details-types"
        | "initial-access-tokens"
        | "access-requests" => "clients",
        "users" => "users",
        "consents" | "tokens" => "grants",
        "sessions" => "sessions",
        "keys" | "key-rehearsal" => "keys",
        "audit-events" => "audit",
        other => panic!("nobody has said who may call /admin/{other}"),
    };
    let only_looks = *method == Method::GET || *method == Method::HEAD;
    if only_looks { format!("admin:{area}:read") } else { format!("admin:{area}") }
}

/// Whether a scope is enough where another is needed: the same one, or the area in full.
fn suffices(held: &str, needed: &str) -> bool {
    held == needed || needed.strip_suffix(":read") == Some(held)
}

const EVERY_SCOPE: [&str; 12] = [
    "admin:clients:read",
    "admin:clients",
    "admin:users:read",
    "admin:users",
    "admin:grants:read",
    "admin:grants",
    "admin:sessions:read",
    "admin:sessions",
    "admin:keys:read",
    "admin:keys",
    "admin:audit:read",
    "admin:audit",
];

/// Asks everything with a token of one scope.
async fn assert_reaches_what_its_scope_says(admin: &Admin<'_>, held: &str) {
    for (method, rule) in questions() {
        let needed = needed_for(&method, rule.path);
        let answer = ask(admin, &method, &rule).await;
        let expected = suffices(held, &needed);
        assert_eq!(is_let_through(&answer), expected, "{held} at {method} {}: {answer:?}", rule.path);
        if !expected {
            let challenge = format!(r#"Bearer realm="ostiary-admin", error="insufficient_scope", scope="{needed}""#);
            assert_eq!(answer.header("www-authenticate"), Some(challenge.as_str()));
            assert_eq!(answer.status, 403, "{answer:?}");
            if method != Method::HEAD {
                answer.problem(403, "insufficient-scope");
            }
        }
    }
}

#[tokio::test]
async fn every_endpoint_lets_through_exactly_who_holds_its_scope() {
    let app = TestApp::start().await;
    for held in EVERY_SCOPE {
        assert_reaches_what_its_scope_says(&app.admin(&[held]).await, held).await;
    }
    let known: Vec<String> = AdminScope::all().map(AdminScope::name).collect();
    assert_eq!(known, EVERY_SCOPE, "a scope is not asked with");
}

#[tokio::test]
async fn a_token_that_an_administrator_gave_reaches_no_further_than_its_scope() {
    let app = TestApp::start().await;
    let root = app.administrator().await;
    for held in EVERY_SCOPE {
        assert_reaches_what_its_scope_says(&app.admin_in_person(&root, &[held]).await, held).await;
    }
}

#[tokio::test]
async fn no_endpoint_lets_through_who_shows_nothing() {
    let app = TestApp::start().await;
    for (method, rule) in questions() {
        let answer = app.request(method.clone(), &path_of(&rule)).send().await;
        assert_eq!(answer.header("www-authenticate"), Some(r#"Bearer realm="ostiary-admin""#));
        assert_eq!(answer.status, 401, "{method} {}", rule.path);
        if method == Method::HEAD {
            continue;
        }
        answer.problem(401, "unauthenticated");
        let answer = app.request(rule.method.clone(), &path_of(&rule)).bearer("not.a.token").send().await;
        answer.problem(401, "unauthenticated");
        let challenge = r#"Bearer realm="ostiary-admin", error="invalid_token""#;
        assert_eq!(answer.header("www-authenticate"), Some(challenge));
    }
    // RFC 6750 section 3.1: another scheme is no token, and what cannot be read is one.
    for (authorization, code) in
        [("Basic eDp5", ""), ("Bearer a b", r#", error="invalid_token""#), ("Bearer", r#", error="invalid_token""#)]
    {
        let answer = app.get("/admin/clients").header("authorization", authorization).send().await;
        answer.problem(401, "unauthenticated");
        let challenge = format!(r#"Bearer realm="ostiary-admin"{code}"#);
        assert_eq!(answer.header("www-authenticate"), Some(challenge.as_str()), "{authorization}");
    }
}

#[tokio::test]
async fn no_endpoint_lets_through_a_person_who_is_no_administrator() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    let every: Vec<String> = AdminScope::all().map(AdminScope::name).collect();
    let every: Vec<&str> = every.iter().map(String::as_str).collect();
    let token = app.admin_in_person(&alice, &every).await;
    let (browser, csrf) = app.signed_in(&alice).await;
    for (method, rule) in questions() {
        if method == Method::HEAD {
            assert_eq!(ask(&token, &method, &rule).await.status, 403, "{}", rule.path);
            let call = app.fetch(&browser, method, &path_of(&rule));
            assert_eq!(call.send().await.status, 403, "{}", rule.path);
            continue;
        }
        try_rule(&token, &rule).await.problem(403, "forbidden");
        let call = app.fetch(&browser, rule.method.clone(), &path_of(&rule)).header("x-csrf-token", &csrf);
        call.send().await.problem(403, "forbidden");
    }
}

#[tokio::test]
async fn every_endpoint_lets_an_administrator_through_by_token_and_by_session() {
    let app = TestApp::start().await;
    let root = app.administrator().await;
    let every: Vec<String> = AdminScope::all().map(AdminScope::name).collect();
    let every: Vec<&str> = every.iter().map(String::as_str).collect();
    let token = app.admin_in_person(&root, &every).await;
    let (browser, csrf) = app.signed_in(&root).await;
    for (method, rule) in questions() {
        let answer = ask(&token, &method, &rule).await;
        assert!(is_let_through(&answer), "{method} {}: {answer:?}", rule.path);
        let call = app.fetch(&browser, method.clone(), &path_of(&rule)).header("x-csrf-token", &csrf);
        let answer = call.header("content-type", "text/plain").send().await;
        assert!(is_let_through(&answer), "{method} {}: {answer:?}", rule.path);
    }
}

#[tokio::test]
async fn a_session_changes_nothing_without_its_csrf_token() {
    let app = TestApp::start().await;
    let root = app.administrator().await;
    let (browser, csrf) = app.signed_in(&root).await;
    for rule in rules().into_iter().filter(|rule| rule.method != Method::GET) {
        let call = || app.fetch(&browser, rule.method.clone(), &path_of(&rule));
        call().send().await.problem(403, "csrf");
        call().header("x-csrf-token", "AAAA").send().await.problem(403, "csrf");
        let elsewhere = app.request(rule.method.clone(), &path_of(&rule)).header("cookie", &browser.cookie_header());
        let elsewhere = elsewhere.header("origin", "https://elsewhere.example").header("x-csrf-token", &csrf);
        elsewhere.send().await.problem(403, "csrf");
    }
}

#[tokio::test]
async fn a_cookie_and_a_token_together_are_refused() {
    let app = TestApp::start().await;
    let root = app.administrator().await;
    let (browser, _) = app.signed_in(&root).await;
    let admin = app.admin(&["admin:clients:read"]).await;
    let call = app.fetch(&browser, Method::GET, "/admin/clients").bearer(&admin.token);
    call.send().await.problem(400, "two-credentials");
}

#[tokio::test]
async fn an_administrator_signs_in_again_after_an_hour() {
    let app = TestApp::with_config(|config| config.tokens.access_token = TimeDelta::hours(2)).await;
    let root = app.administrator().await;
    let token = app.admin_in_person(&root, &["admin:clients:read"]).await;
    let (browser, _) = app.signed_in(&root).await;
    app.pass(TimeDelta::minutes(60));
    let session = |path| app.fetch(&browser, Method::GET, path).send();
    session("/admin/clients").await.document(200);
    app.pass_seconds(1);
    for answer in [session("/admin/clients").await, token.get("/admin/clients").await] {
        answer.problem(401, "insufficient-user-authentication");
        let challenge = r#"Bearer realm="ostiary-admin", error="insufficient_user_authentication", max_age="3600""#;
        assert_eq!(answer.header("www-authenticate"), Some(challenge));
    }
}

#[tokio::test]
async fn a_token_for_another_audience_is_refused() {
    let app = TestApp::start().await;
    let admin = app.admin_client(&["admin:clients:read"]).await;
    let form = [("grant_type", "client_credentials"), ("scope", "admin:clients:read")];
    let token = app.token(&admin, &form).await.json()["access_token"].as_str().unwrap().to_owned();
    app.get("/admin/clients").bearer(&token).send().await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn what_is_taken_from_a_client_ends_at_once() {
    let app = TestApp::start().await;
    let client = app.admin_client(&["admin:clients:read"]).await;
    let resource = app.admin_resource();
    let form = [("grant_type", "client_credentials"), ("resource", resource.as_str())];
    let token = app.token(&client, &form).await.json()["access_token"].as_str().unwrap().to_owned();
    let ask = || app.get("/admin/clients").bearer(&token).send();
    ask().await.document(200);
    app.change_client(&client, |client| client.settings.scopes = vec!["admin:users".into()]).await;
    ask().await.problem(403, "insufficient-scope");
    app.change_client(&client, |client| {
        client.settings.scopes = vec!["admin:clients".into()];
        client.settings.resources = Vec::new();
    })
    .await;
    ask().await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_path_that_is_not_there_and_a_method_that_is_not_allowed_are_problems() {
    let app = TestApp::start().await;
    app.get("/admin/nothing").send().await.problem(404, "not-found");
    let answer = app.request(Method::PUT, "/admin/clients").send().await;
    answer.problem(405, "method-not-allowed");
    answer.assert_method_not_allowed(&["GET", "HEAD", "POST"]);
}

#[tokio::test]
async fn the_description_names_every_endpoint_and_its_scope() {
    let app = TestApp::start().await;
    let description = app.get("/admin/openapi.json").send().await;
    let etag = description.header("etag").unwrap().to_owned();
    let description = description.json();
    assert_eq!(description["openapi"], "3.1.0");
    let mut described = 0;
    for rule in rules() {
        let operation = &description["paths"][rule.path][rule.method.as_str().to_ascii_lowercase()];
        let Access::Scope(scope) = rule.access;
        assert_eq!(operation["security"], json!([{"token": [scope.name()]}]), "{} {}", rule.method, rule.path);
        described += 1;
    }
    let paths = description["paths"].as_object().unwrap().values();
    let operations: usize = paths.map(|item| item.as_object().unwrap().len()).sum();
    assert_eq!(operations, described);
    let again = app.get("/admin/openapi.json").header("if-none-match", &etag).send().await;
    assert_eq!((again.status, again.body.as_str()), (304, ""));
}

#[tokio::test]
async fn what_no_identifier_can_be_is_an_identifier_of_nothing() {
    let app = TestApp::start().await;
    let every: Vec<String> = AdminScope::all().map(AdminScope::name).collect();
    let admin = app.admin(&every.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut runner = TestRunner::deterministic();
    let byte = prop_oneof![any::<u8>(), prop::sample::select(&b"\0%/.\x80\xff"[..])];
    let segment = prop::collection::vec(byte, 1..16);
    let rules: Vec<Rule> =
        rules().into_iter().filter(|rule| rule.method == Method::GET && rule.path.contains('{')).collect();
    assert!(rules.len() >= 5, "{}", rules.len());
    for rule in rules {
        for _ in 0..16 {
            let bytes = segment.new_tree(&mut runner).expect("bytes").current();
            let written = percent_encode(&bytes, NON_ALPHANUMERIC).to_string();
            let parts = rule.path.split('/').map(|part| if part.starts_with('{') { &written } else { part });
            admin.get(&parts.collect::<Vec<_>>().join("/")).await.problem(404, "not-found");
        }
    }
}

#[tokio::test]
async fn what_our_keys_signed_for_something_else_is_no_token_here() {
    let app = TestApp::start().await;
    let root = app.administrator().await;
    let admin = app.admin_in_person(&root, &["admin:clients:read"]).await;
    let claims = jwt::read(&admin.token).claims;
    let keys = app.app.keys.current();
    let ask = async |typ: &str, claims: &Value| {
        let token = keys.sign_jwt(SigningAlg::ES256, typ, claims).await.expect("a signature");
        app.get("/admin/clients").bearer(&token).send().await
    };
    // As it was given: below, nothing but what is said is wrong with it.
    ask("at+jwt", &claims).await.document(200);
    for typ in ["JWT", "jwt", "", "logout+jwt", "oauth-authz-req+jwt", "token-introspection+jwt", "dpop+jwt"] {
        ask(typ, &claims).await.problem(401, "unauthenticated");
    }
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        claims
    };
    for aud in [
        json!([app.admin_resource(), PHOTOS_API]),
        json!([PHOTOS_API, app.admin_resource()]),
        json!([app.admin_resource(), app.admin_resource()]),
        json!([]),
        json!(format!("{}/", app.admin_resource())),
        json!(app.issuer()),
    ] {
        ask("at+jwt", &with("aud", aud)).await.problem(401, "unauthenticated");
    }
    ask("at+jwt", &with("iss", json!("https://elsewhere.example"))).await.problem(401, "unauthenticated");
    ask("at+jwt", &with("client_id", json!("nobody"))).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn an_id_token_and_a_logout_token_open_nothing() {
    let mut receiver = Receiver::start().await;
    let exception = receiver.exception();
    let app = TestApp::with_config(|config| config.outbound.allow.push(exception)).await;
    let root = app.administrator().await;
    let client = app
        .web_client_with(|settings| {
            settings.resources = vec![ResourceUri::new(app.admin_resource())];
            settings.scopes = ["openid", "admin:clients:read"].map(str::to_owned).into();
            settings.backchannel_logout_uri = Some(receiver.url("/logout"));
        })
        .await;
    let request = Authorization::of(&client).with("scope", "openid admin:clients:read");
    let tokens =
        app.tokens_in(&mut app.browser(), &client, &request.and("resource", &app.admin_resource()), &root).await;
    let ask = async |token: &str| app.get("/admin/clients").bearer(token).send().await;
    ask(tokens.access()).await.document(200);
    ask(tokens.id()).await.problem(401, "unauthenticated");
    let sign_out = format!("/admin/users/{}/sign-out", root.sub());
    assert!(app.admin_of_everything().await.post(&sign_out, &json!({})).await.status < 300);
    let token = parameters(&receiver.next().await.body)["logout_token"].clone();
    assert_eq!(jwt::verify(&app, &token).await.header["typ"], "logout+jwt");
    ask(&token).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_token_and_a_session_end_with_the_office() {
    let app = TestApp::start().await;
    let (root, _other) = (app.administrator().await, app.administrator_called("other").await);
    let token = app.admin_in_person(&root, &["admin:clients:read"]).await;
    let (browser, _) = app.signed_in(&root).await;
    let session = || app.fetch(&browser, Method::GET, "/admin/clients").send();
    let everything = app.admin_of_everything().await;
    let path = format!("/admin/users/{}", root.sub());
    for (is_administrator, status) in [(true, 200), (false, 403), (true, 200)] {
        everything.patch(&path, &json!({"is_administrator": is_administrator})).await.document(200);
        for answer in [token.get("/admin/clients").await, session().await] {
            assert_eq!(answer.status, status, "{is_administrator}: {answer:?}");
            if status == 403 {
                answer.problem(403, "forbidden");
            }
        }
    }
}
