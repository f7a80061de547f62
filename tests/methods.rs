//! The methods of every path there is: any other is 405 and told what is allowed (RFC 9110 section 15.5.6).

use std::collections::BTreeMap;

use http::Method;
use ostiary::admin::{self, console};
use ostiary::config::{Installation, RegistrationMode};

use crate::contract::routes;
use crate::harness::TestApp;

/// The paths that routers name one by one. Those of the admin API and of the console come from their tables.
const NAMED: [(&str, &[&str]); 44] = [
    ("/", &["GET", "HEAD"]),
    ("/.well-known/oauth-authorization-server", &["GET", "HEAD"]),
    ("/.well-known/oauth-protected-resource", &["GET", "HEAD"]),
    ("/.well-known/oauth-protected-resource/{*path}", &["GET", "HEAD"]),
    ("/.well-known/openid-configuration", &["GET", "HEAD"]),
    ("/account/applications", &["GET", "POST"]),
    ("/account/consents", &["GET", "HEAD", "POST"]),
    ("/account/password", &["GET", "POST"]),
    ("/account/requests", &["GET", "POST"]),
    ("/account/requests/done", &["GET"]),
    ("/admin/docs", &["GET", "HEAD"]),
    ("/admin/openapi.json", &["GET", "HEAD"]),
    ("/assets/{file}", &["GET", "HEAD"]),
    ("/auth/login", &["POST"]),
    ("/auth/session", &["GET", "HEAD"]),
    ("/authorize", &["GET", "POST"]),
    ("/authorize/consent", &["GET"]),
    ("/authorize/decision", &["POST"]),
    ("/authorize/resume", &["GET"]),
    ("/backchannel_authentication", &["POST"]),
    ("/client-logo", &["GET", "HEAD"]),
    ("/consent", &["GET", "POST"]),
    ("/demo/callback", &["GET"]),
    ("/demo/refresh", &["POST"]),
    ("/demo/sign-in", &["POST"]),
    ("/demo/sign-out", &["POST"]),
    ("/device", &["GET", "POST"]),
    ("/device/done", &["GET"]),
    ("/device_authorization", &["POST"]),
    ("/health", &["GET", "HEAD"]),
    ("/introspect", &["POST"]),
    ("/jwks.json", &["GET", "HEAD"]),
    ("/logged-out", &["GET"]),
    ("/login", &["GET", "POST"]),
    ("/logout", &["GET", "POST"]),
    ("/par", &["POST"]),
    ("/ready", &["GET", "HEAD"]),
    ("/register", &["POST"]),
    ("/register/{client_id}", &["DELETE", "GET", "HEAD", "PUT"]),
    ("/resource", &["GET", "HEAD"]),
    ("/revoke", &["POST"]),
    ("/select-account", &["GET", "POST"]),
    ("/token", &["POST"]),
    ("/userinfo", &["GET", "HEAD", "POST"]),
];

/// The paths of the admin API and of the console.
fn of_the_tables() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut paths: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for rule in admin::rules().into_iter().chain(console::rules()) {
        let methods = paths.entry(rule.path).or_default();
        match rule.method {
            Method::GET => methods.extend(["GET", "HEAD"]),
            Method::POST => methods.push("POST"),
            Method::PUT => methods.push("PUT"),
            Method::PATCH => methods.push("PATCH"),
            Method::DELETE => methods.push("DELETE"),
            other => panic!("{other} of {} is not known here", rule.path),
        }
        methods.sort_unstable();
    }
    paths
}

async fn assert_no_other(app: &TestApp, path: &str, allowed: &[&str]) {
    let segments = path.split('/').map(|part| if part.starts_with('{') { "x" } else { part });
    let path = segments.collect::<Vec<_>>().join("/");
    for method in [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        if !allowed.contains(&method.as_str()) {
            app.request(method, &path).send().await.assert_method_not_allowed(allowed);
        }
    }
}

#[tokio::test]
async fn a_wrong_method_is_405_with_allow() {
    let app = TestApp::with_config(|config| {
        config.installation = Installation::Dev;
        config.registration.mode = RegistrationMode::Open;
    });
    let app = app.await;
    for (path, allowed) in NAMED {
        assert_no_other(&app, path, allowed).await;
    }
}

#[tokio::test]
async fn a_wrong_method_at_the_admin_api_or_the_console_is_405_with_allow() {
    let app = TestApp::start().await;
    let paths = of_the_tables();
    assert!(paths.len() > 40, "{paths:?}");
    for (path, allowed) in paths {
        assert_no_other(&app, path, &allowed).await;
    }
}

#[tokio::test]
async fn the_paths_of_the_demo_are_there_in_development_only() {
    let app = TestApp::start().await;
    for (path, allowed) in NAMED.into_iter().filter(|(path, _)| *path == "/" || path.starts_with("/demo/")) {
        let method = allowed.first().unwrap().parse().unwrap();
        let answer = app.request(method, path).send().await;
        answer.assert_error(404, "invalid_request", "there is nothing at this path");
    }
}

#[test]
fn no_path_is_forgotten_here() {
    let mut routes = routes();
    // Of what is not there, every method is refused in the same way.
    routes.retain(|path| path != "/admin/{*nothing}");
    routes.sort_unstable();
    assert_eq!(NAMED.map(|(path, _)| path).to_vec(), routes);
}
