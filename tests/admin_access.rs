//! Who may call the admin API: every endpoint of its table with every scope, and with everybody who has none.

use chrono::TimeDelta;
use http::Method;
use ostiary::admin::{Access, Rule, rules};
use ostiary::model::admin_scope::{AdminScope, AdminScopes};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::json;

use crate::harness::{Admin, Answer, TestApp};

/// The path with something in place of its parameters that no row has.
fn path_of(rule: &Rule) -> String {
    let segments = rule
        .path
        .split('/')
        .map(|part| if part.starts_with('{') { "00000000-0000-4000-8000-000000000000" } else { part });
    segments.collect::<Vec<_>>().join("/")
}

/// A call that is let through or not, and changes nothing: its body is nothing that the endpoint takes.
async fn try_rule(admin: &Admin<'_>, rule: &Rule) -> Answer {
    admin.call(rule.method.clone(), &path_of(rule)).header("content-type", "text/plain").send().await
}

/// Whether the gate let the call through, whatever the endpoint said then.
fn is_let_through(answer: &Answer) -> bool {
    !matches!(answer.status, 401 | 403)
}

#[tokio::test]
async fn every_endpoint_lets_through_exactly_who_holds_its_scope() {
    let app = TestApp::start().await;
    for scope in AdminScope::all() {
        let name = scope.name();
        let held = AdminScopes::among([name.as_str()]);
        let admin = app.admin(&[&name]).await;
        for rule in rules() {
            let Access::Scope(needed) = rule.access;
            let answer = try_rule(&admin, &rule).await;
            let expected = held.allow(needed);
            assert_eq!(is_let_through(&answer), expected, "{name} at {} {}: {answer:?}", rule.method, rule.path);
            if !expected {
                let challenge =
                    format!(r#"Bearer realm="ostiary-admin", error="insufficient_scope", scope="{}""#, needed.name());
                answer.problem(403, "insufficient-scope");
                assert_eq!(answer.header("www-authenticate"), Some(challenge.as_str()));
            }
        }
    }
}

#[tokio::test]
async fn no_endpoint_lets_through_who_shows_nothing() {
    let app = TestApp::start().await;
    for rule in rules() {
        let answer = app.request(rule.method.clone(), &path_of(&rule)).send().await;
        answer.problem(401, "unauthenticated");
        assert_eq!(answer.header("www-authenticate"), Some(r#"Bearer realm="ostiary-admin""#));
        let answer = app.request(rule.method.clone(), &path_of(&rule)).bearer("not.a.token").send().await;
        answer.problem(401, "unauthenticated");
        let challenge = r#"Bearer realm="ostiary-admin", error="invalid_token""#;
        assert_eq!(answer.header("www-authenticate"), Some(challenge));
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
    for rule in rules() {
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
    for rule in rules() {
        let answer = try_rule(&token, &rule).await;
        assert!(is_let_through(&answer), "{} {}: {answer:?}", rule.method, rule.path);
        let call = app.fetch(&browser, rule.method.clone(), &path_of(&rule)).header("x-csrf-token", &csrf);
        let answer = call.header("content-type", "text/plain").send().await;
        assert!(is_let_through(&answer), "{} {}: {answer:?}", rule.method, rule.path);
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
