//! Bad input, each with its exact answer.

use http::Method;
use serde_json::Value;

use crate::harness::{Answer, RawAnswer, TestApp};

const ENCODING: &str = "a parameter is not properly encoded";
const CONTENT_TYPE: &str = "the content type must be application/x-www-form-urlencoded";
const FORM: &str = "application/x-www-form-urlencoded";
const FORM_ENDPOINTS: [&str; 3] = ["/token", "/introspect", "/revoke"];

async fn send(app: &TestApp, path: &str, content_type: &str, body: &str) -> Answer {
    app.post(path).body(content_type, body).send().await
}

#[track_caller]
fn assert_raw_error(answer: &RawAnswer, status: u16, code: &str, description: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    let body: Value = serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{answer:?}"));
    assert_eq!(body, serde_json::json!({ "error": code, "error_description": description }));
}

/// A POST with a body of raw bytes.
fn post(path: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: {FORM}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[tokio::test]
async fn malformed_percent_encoding_is_400_invalid_request() {
    let app = TestApp::start().await;
    for path in FORM_ENDPOINTS {
        for body in ["grant_type=%", "grant_type=%4", "grant_type=%zz", "%=x", "a=b&c=%e"] {
            send(&app, path, FORM, body).await.assert_error(400, "invalid_request", ENCODING);
        }
    }
}

#[tokio::test]
async fn nul_bytes_are_400_invalid_request() {
    let app = TestApp::start().await;
    for path in FORM_ENDPOINTS {
        for body in ["grant_type=a%00b", "client_id=%00", "%00=x", "token=x\0"] {
            send(&app, path, FORM, body).await.assert_error(400, "invalid_request", ENCODING);
        }
    }
}

#[tokio::test]
async fn invalid_utf8_is_400_invalid_request() {
    let app = TestApp::start().await;
    for path in FORM_ENDPOINTS {
        for body in ["grant_type=%ff", "client_id=%C3%28", "token=%ED%A0%80"] {
            send(&app, path, FORM, body).await.assert_error(400, "invalid_request", ENCODING);
        }
        let answer = app.raw(&post(path, b"grant_type=\xff\xfe")).await;
        assert_raw_error(&answer, 400, "invalid_request", ENCODING);
    }
}

#[tokio::test]
async fn repeated_parameters_are_400_invalid_request() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    for path in FORM_ENDPOINTS {
        for body in ["token=a&token=a", "x=1&x=2", "grant_type=a&gr%61nt_type=b", "client_id=a&client_id=a"] {
            let answer = send(&app, path, FORM, body).await;
            answer.assert_error(400, "invalid_request", "repeated parameter");
        }
    }
    let form = [("grant_type", "refresh_token"), ("refresh_token", "a"), ("refresh_token", "b")];
    app.token(&client, &form).await.assert_error(400, "invalid_request", "repeated parameter");
}

#[tokio::test]
async fn too_many_parameters_are_400_invalid_request() {
    let app = TestApp::start().await;
    let many: Vec<String> = (0..129).map(|index| format!("p{index}=x")).collect();
    send(&app, "/token", FORM, &many.join("&")).await.assert_error(400, "invalid_request", "too many parameters");
}

#[tokio::test]
async fn json_or_anything_else_where_a_form_belongs_is_400_invalid_request() {
    let app = TestApp::start().await;
    for path in FORM_ENDPOINTS {
        for (content_type, body) in [
            ("application/json", "{\"grant_type\":\"client_credentials\"}"),
            ("multipart/form-data; boundary=x", "--x--"),
            ("text/plain", "grant_type=client_credentials"),
            ("application/x-www-form-urlencoded-not", "a=b"),
            ("", "a=b"),
        ] {
            send(&app, path, content_type, body).await.assert_error(400, "invalid_request", CONTENT_TYPE);
        }
        app.post(path).send().await.assert_error(400, "invalid_request", CONTENT_TYPE);
    }
}

#[tokio::test]
async fn the_content_type_may_have_parameters_and_any_case() {
    let app = TestApp::start().await;
    let client = app.machine_client().await;
    for content_type in ["application/x-www-form-urlencoded; charset=UTF-8", "Application/X-WWW-Form-URLencoded;a=b"] {
        let call = app.post("/token").header("authorization", &client.basic());
        assert_eq!(call.body(content_type, "grant_type=client_credentials").send().await.status, 200, "{content_type}");
    }
}

#[tokio::test]
async fn an_empty_value_counts_as_missing() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    for form in [&[("grant_type", "")][..], &[]] {
        let answer = app.token(&client, form).await;
        answer.assert_error(400, "invalid_request", "the parameter grant_type is missing");
    }
}

#[tokio::test]
async fn a_body_of_1_megabyte_is_413() {
    let app = TestApp::start().await;
    let description = "the request body is too large";
    let large = format!("grant_type={}", "x".repeat(1 << 20));
    for path in FORM_ENDPOINTS {
        send(&app, path, FORM, &large).await.assert_error(413, "invalid_request", description);
    }
    // Without a Content-Length, the reading stops.
    let mut chunked = format!(
        "POST /token HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: {FORM}\r\n\
         transfer-encoding: chunked\r\n\r\n100000\r\n"
    )
    .into_bytes();
    chunked.extend(std::iter::repeat_n(b'x', 1 << 20));
    chunked.extend(b"\r\n0\r\n\r\n");
    assert_raw_error(&app.raw(&chunked).await, 413, "invalid_request", description);
    let page = app.post("/login").body(FORM, &large).send().await;
    assert_eq!(page.status, 413, "{page:?}");
    assert_eq!(app.get("/health").send().await.status, 200, "and life goes on");
}

#[tokio::test]
async fn a_script_may_read_that_its_body_was_too_large() {
    let app =
        TestApp::with_config(|config| config.server.cors_allowed_origins = vec!["https://spa.example".into()]).await;
    let large = format!("grant_type={}", "x".repeat(1 << 20));
    let answer = app.post("/token").header("origin", "https://spa.example").body(FORM, &large).send().await;
    answer.assert_error(413, "invalid_request", "the request body is too large");
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://spa.example"), "{answer:?}");
    let answer = app.post("/token").header("origin", "https://evil.example").body(FORM, &large).send().await;
    assert_eq!(answer.header("access-control-allow-origin"), None, "{answer:?}");
}

#[tokio::test]
async fn headers_of_1_megabyte_are_431() {
    let app = TestApp::start().await;
    let large = "x".repeat(1 << 20);
    for request in [
        format!("GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx-large: {large}\r\n\r\n"),
        format!("GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncookie: a={large}\r\n\r\n"),
    ] {
        let answer = app.raw(request.as_bytes()).await;
        assert_eq!(answer.status, 431, "{answer:?}");
    }
    let many: String = (0..2000).map(|index| format!("x-{index}: y\r\n")).collect();
    let answer = app.raw(format!("GET /health HTTP/1.1\r\nhost: localhost\r\n{many}\r\n").as_bytes()).await;
    assert_eq!(answer.status, 431, "{answer:?}");
    let path = format!("GET /authorize?state={large} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let answer = app.raw(path.as_bytes()).await;
    assert!(matches!(answer.status, 414 | 431), "{answer:?}");
    assert_eq!(app.get("/health").send().await.status, 200);
}

#[tokio::test]
async fn bytes_that_are_no_http_are_400() {
    let app = TestApp::start().await;
    for request in
        [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and more bytes of a TLS hello\r\n\r\n"[..], b"GET\r\n\r\n"]
    {
        let answer = app.raw(request).await;
        assert_eq!(answer.status, 400, "{answer:?}");
    }
    let answer = app.raw(b"GET /health HTTP/1.1\r\nhost: localhost\r\nx-nul: a\0b\r\n\r\n").await;
    assert_eq!(answer.status, 400, "{answer:?}");
}

#[tokio::test]
async fn a_wrong_method_is_405_with_allow() {
    let app = TestApp::start().await;
    for (path, allowed) in [
        ("/authorize", &["GET", "POST"][..]),
        ("/authorize/resume", &["GET"]),
        ("/token", &["POST"]),
        ("/introspect", &["POST"]),
        ("/revoke", &["POST"]),
        ("/userinfo", &["GET", "HEAD", "POST"]),
        ("/jwks.json", &["GET", "HEAD"]),
        ("/.well-known/openid-configuration", &["GET", "HEAD"]),
        ("/.well-known/oauth-authorization-server", &["GET", "HEAD"]),
        ("/logout", &["GET", "POST"]),
        ("/logged-out", &["GET"]),
        ("/login", &["GET", "POST"]),
        ("/consent", &["GET", "POST"]),
        ("/select-account", &["GET", "POST"]),
        ("/account/consents", &["GET", "HEAD", "POST"]),
        ("/account/applications", &["GET", "POST"]),
        ("/account/password", &["GET", "POST"]),
        ("/client-logo", &["GET", "HEAD"]),
        ("/assets/x", &["GET", "HEAD"]),
        ("/auth/login", &["POST"]),
        ("/auth/session", &["GET", "HEAD"]),
        ("/authorize/consent", &["GET"]),
        ("/authorize/decision", &["POST"]),
        ("/health", &["GET", "HEAD"]),
        ("/ready", &["GET", "HEAD"]),
    ] {
        let mut wrong = vec![Method::PUT, Method::DELETE, Method::PATCH];
        if !allowed.contains(&"POST") {
            wrong.push(Method::POST);
        }
        if !allowed.contains(&"GET") {
            wrong.push(Method::GET);
        }
        if !allowed.contains(&"HEAD") {
            wrong.push(Method::HEAD);
        }
        for method in wrong {
            app.request(method.clone(), path).send().await.assert_method_not_allowed(allowed);
        }
    }
}

#[tokio::test]
async fn an_unknown_path_is_404() {
    let app = TestApp::start().await;
    for path in ["/nothing", "/token/", "/Token", "/.well-known/nothing", "/authorize/", "//token"] {
        let answer = app.get(path).send().await;
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
    }
    // With no browser asking, there is no page of ours to show, and none of somebody else's either.
    app.get("/nothing").send().await.assert_error(404, "invalid_request", "there is nothing at this path");
    let answer = app.get("/nothing?x=<script>").send().await;
    assert!(!answer.body.contains("<script>"), "{answer:?}");
}

#[tokio::test]
async fn a_browser_is_shown_a_page_whatever_it_did_wrong() {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    browser.speak("de");
    let page = browser.open("/nothing").await;
    page.assert_error("/nothing", 404, "invalid_request", "there is nothing at this path");
    assert!(page.visible_text().contains("Hier ist nichts"), "{}", page.visible_text());
    page.assert_page_headers();
    assert_eq!(page.answer.header("set-cookie"), None);
    let support_id = page.answer.header("x-request-id").unwrap();
    assert!(page.visible_text().contains(support_id), "{}", page.visible_text());
    let page = browser.open("/token").await;
    assert!(page.has("error-page"), "{page:?}");
    page.answer.assert_method_not_allowed(&["POST"]);
    let large = "x".repeat(1 << 20);
    let answer = app.post("/login").header("accept", "text/html").form(&[("username", &large)]).send().await;
    assert_eq!(answer.status, 413, "{answer:?}");
    assert!(answer.body.contains("id=\"error-page\""), "{answer:?}");
}

#[tokio::test]
async fn every_answer_keeps_out_of_frames_and_content_sniffing() {
    let app = TestApp::start().await;
    for path in ["/health", "/jwks.json", "/.well-known/openid-configuration", "/nothing", "/userinfo", "/logout"] {
        let answer = app.get(path).send().await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        let csp = answer.header("content-security-policy").unwrap_or_default();
        assert!(csp.contains("frame-ancestors 'none'"), "{path}: {csp}");
    }
}

#[tokio::test]
async fn forms_of_pages_that_cannot_be_read_are_error_pages() {
    let app = TestApp::start().await;
    for path in ["/login", "/consent", "/select-account", "/account/consents", "/logout"] {
        for (content_type, body) in [(FORM, "csrf=%zz"), ("application/json", "{}"), (FORM, "csrf=%00")] {
            let answer = send(&app, path, content_type, body).await;
            assert_eq!(answer.status, 400, "{path}: {answer:?}");
            assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{path}: {answer:?}");
            assert!(answer.body.contains("id=\"error-page\""), "{path}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn health_and_ready_tell_who_is_there() {
    let app = TestApp::start().await;
    let answer = app.get("/health").send().await;
    answer.assert_not_stored();
    assert_eq!(answer.json(), serde_json::json!({ "status": "ok" }));
    let ready = serde_json::json!({ "status": "ready", "postgres": "ok", "state": "ok", "keys": "ok" });
    assert_eq!(app.get("/ready").send().await.json(), ready);
}

#[tokio::test]
async fn forwarded_headers_are_not_believed_from_just_anyone() {
    let app = TestApp::start().await;
    for name in ["x-forwarded-host", "x-forwarded-proto", "forwarded", "x-original-url", "x-forwarded-prefix"] {
        let answer = app.get("/.well-known/openid-configuration").header(name, "evil.example").send().await;
        assert_eq!(answer.json()["issuer"], app.issuer(), "{name}");
    }
    let answer = app
        .raw(b"GET /.well-known/openid-configuration HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n")
        .await;
    assert!(!answer.body.contains("evil.example") && answer.body.contains(app.issuer()), "{answer:?}");
}
