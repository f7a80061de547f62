//! Bad input, each with its exact answer.

use serde_json::Value;
use url::Url;

use crate::harness::{Answer, Page, RawAnswer, TestApp};

const ENCODING: &str = "a parameter is not properly encoded";
const CONTENT_TYPE: &str = "the content type must be application/x-www-form-urlencoded";
const FORM: &str = "application/x-www-form-urlencoded";
const TOO_LARGE: &str = "the request body is too large";
/// Where nothing but a form will do.
const CLIENT_ENDPOINTS: [&str; 3] = ["/token", "/introspect", "/revoke"];
/// Where a form is read.
const FORM_ENDPOINTS: [&str; 4] = ["/token", "/introspect", "/revoke", "/userinfo"];
/// Where the form of a page is read, or the request of an application that came through a browser.
const PAGES: [&str; 8] = [
    "/authorize",
    "/logout",
    "/login",
    "/consent",
    "/select-account",
    "/account/consents",
    "/account/applications",
    "/account/password",
];

async fn send(app: &TestApp, path: &str, content_type: &str, body: &str) -> Answer {
    app.post(path).body(content_type, body).send().await
}

#[track_caller]
fn assert_raw_error(answer: &RawAnswer, status: u16, code: &str, description: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(answer.head.contains("\r\ncontent-type: application/json\r\n"), "{answer:?}");
    let body: Value = serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{answer:?}"));
    assert_eq!(body, serde_json::json!({ "error": code, "error_description": description }));
}

/// What the HTTP library answers to what it does not read as a request of ours: nothing but the status.
#[track_caller]
fn assert_refused_unread(answer: &RawAnswer, status: &str) {
    let mut lines = answer.head.split("\r\n");
    assert_eq!(lines.next(), Some(format!("HTTP/1.1 {status}").as_str()), "{answer:?}");
    let (dates, mut rest): (Vec<_>, Vec<_>) = lines.partition(|line| line.starts_with("date: "));
    rest.sort_unstable();
    assert_eq!((dates.len(), rest), (1, vec!["connection: close", "content-length: 0"]), "{answer:?}");
    assert_eq!(answer.body, "", "{answer:?}");
}

/// Asserts that a person is shown that error in the place of a page.
#[track_caller]
fn assert_page(app: &TestApp, path: &str, answer: Answer, status: u16, description: &str) {
    let url = Url::parse(app.issuer()).unwrap().join(path).unwrap();
    Page { url, answer, has_left: false }.assert_error(path, status, "invalid_request", description);
}

/// The head of a POST whose body comes in chunks, so that its length is not known.
fn chunked(path: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: {FORM}\r\n\
         transfer-encoding: chunked\r\n\r\n{:x}\r\n",
        body.len()
    );
    [head.as_bytes(), body, b"\r\n0\r\n\r\n"].concat()
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
    for path in CLIENT_ENDPOINTS {
        for body in ["token=a&token=a", "x=1&x=2", "grant_type=a&gr%61nt_type=b", "client_id=a&client_id=a"] {
            let answer = send(&app, path, FORM, body).await;
            answer.assert_error(400, "invalid_request", "repeated parameter");
        }
    }
    let answer = send(&app, "/userinfo", FORM, "access_token=a&access%5Ftoken=a").await;
    answer.assert_bearer_error(400, "invalid_request", "repeated parameter");
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
    for path in CLIENT_ENDPOINTS {
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
async fn a_token_in_anything_but_a_form_is_not_looked_at() {
    let app = TestApp::start().await;
    for (content_type, body) in [
        ("application/json", "{\"access_token\":\"a\"}"),
        ("text/plain", "access_token=a"),
        ("application/x-www-form-urlencoded-not", "access_token=a"),
        ("", "access_token=a"),
    ] {
        let answer = send(&app, "/userinfo", content_type, body).await;
        // RFC 6750 section 3.1: who shows nothing is told nothing but how.
        assert_eq!((answer.status, answer.body.as_str()), (401, ""), "{answer:?}");
        let how = "Bearer realm=\"ostiary\", DPoP realm=\"ostiary\", algs=\"PS256 ES256 EdDSA\"";
        assert_eq!(answer.header("www-authenticate"), Some(how), "{answer:?}");
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
    let large = format!("grant_type={}", "x".repeat(1 << 20));
    for path in FORM_ENDPOINTS {
        send(&app, path, FORM, &large).await.assert_error(413, "invalid_request", TOO_LARGE);
        // Without a Content-Length, the reading stops.
        assert_raw_error(&app.raw(&chunked(path, large.as_bytes())).await, 413, "invalid_request", TOO_LARGE);
    }
    for path in PAGES {
        send(&app, path, FORM, &large).await.assert_error(413, "invalid_request", TOO_LARGE);
        let call = app.post(path).header("accept", "text/html").body(FORM, &large);
        assert_page(&app, path, call.send().await, 413, TOO_LARGE);
    }
    for path in PAGES {
        let answer = app.raw(&chunked(path, large.as_bytes())).await;
        assert_eq!(answer.status, 413, "{path} {answer:?}");
        assert!(answer.body.contains("id=\"error-page\"") && answer.body.contains(TOO_LARGE), "{path} {answer:?}");
    }
    assert_eq!(app.get("/health").send().await.status, 200, "and life goes on");
}

#[tokio::test]
async fn a_script_may_read_that_its_body_was_too_large() {
    let app =
        TestApp::with_config(|config| config.server.cors_allowed_origins = vec!["https://spa.example".into()]).await;
    let large = format!("grant_type={}", "x".repeat(1 << 20));
    let answer = app.post("/token").header("origin", "https://spa.example").body(FORM, &large).send().await;
    answer.assert_error(413, "invalid_request", TOO_LARGE);
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
        assert_refused_unread(&app.raw(request.as_bytes()).await, "431 Request Header Fields Too Large");
    }
    let many: String = (0..2000).map(|index| format!("x-{index}: y\r\n")).collect();
    let answer = app.raw(format!("GET /health HTTP/1.1\r\nhost: localhost\r\n{many}\r\n").as_bytes()).await;
    assert_refused_unread(&answer, "431 Request Header Fields Too Large");
    // The line of the request is part of what is too large: 414 is for one that could be read.
    let path = format!("GET /authorize?state={large} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    assert_refused_unread(&app.raw(path.as_bytes()).await, "431 Request Header Fields Too Large");
    assert_eq!(app.get("/health").send().await.status, 200);
}

#[tokio::test]
async fn bytes_that_are_no_http_are_400() {
    let app = TestApp::start().await;
    for request in
        [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and more bytes of a TLS hello\r\n\r\n"[..], b"GET\r\n\r\n"]
    {
        assert_refused_unread(&app.raw(request).await, "400 Bad Request");
    }
    let answer = app.raw(b"GET /health HTTP/1.1\r\nhost: localhost\r\nx-nul: a\0b\r\n\r\n").await;
    assert_refused_unread(&answer, "400 Bad Request");
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
    for path in PAGES {
        for body in ["csrf=%zz", "client_id=%", "csrf=%00", "state=a\0", "state=%ff", "%ED%A0%80=x"] {
            assert_page(&app, path, send(&app, path, FORM, body).await, 400, ENCODING);
        }
        for (content_type, body) in [("application/json", "{}"), ("text/plain", "state=x"), ("", "state=x")] {
            assert_page(&app, path, send(&app, path, content_type, body).await, 400, CONTENT_TYPE);
        }
        let answer = app.raw(&post(path, b"state=\xff\xfe")).await;
        assert_eq!(answer.status, 400, "{path} {answer:?}");
        assert!(answer.body.contains("id=\"error-page\"") && answer.body.contains(ENCODING), "{path} {answer:?}");
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
