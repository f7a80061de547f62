//! `/client-logo`: a client's logo, fetched over TLS from wherever the client keeps it.

use ostiary::config::OutboundPurpose;

use crate::harness::{Answer, TestApp, TestClient, TlsPeer, encode};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and so on";
const WEBP: &[u8] = b"RIFF\x24\0\0\0WEBPVP8 and so on";
const SVG: &[u8] = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";

async fn server(peer: &TlsPeer) -> TestApp {
    TestApp::with_config(|config| peer.is_trusted_by(&mut config.outbound, OutboundPurpose::ClientLogo)).await
}

async fn client(app: &TestApp, logo_uri: &str) -> TestClient {
    app.web_client_with(|settings| settings.logo_uri = Some(logo_uri.to_owned())).await
}

async fn logo(app: &TestApp, client: &TestClient) -> (u16, Vec<u8>, reqwest::header::HeaderMap) {
    let address = format!("{}/client-logo?{}", app.base, encode(&[("client_id", &client.id)]));
    let answer = crate::harness::http_client().get(address).send().await.expect("the server answers");
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    (status, answer.bytes().await.expect("a body").to_vec(), headers)
}

/// Nothing of what the peer sent is passed on; the client's initial stands in.
#[track_caller]
fn assert_stands_in((status, body, headers): &(u16, Vec<u8>, reqwest::header::HeaderMap)) {
    let body = String::from_utf8(body.clone()).expect("a text");
    assert_eq!(*status, 404, "{body}");
    assert_eq!(headers["content-type"], "image/svg+xml");
    assert_eq!(headers["content-security-policy"], "default-src 'none'; sandbox");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers["cache-control"], "public, max-age=60");
    assert!(body.contains(">P</text>") && !body.contains("script"), "{body}");
}

#[tokio::test]
async fn a_picture_is_served_as_what_it_is_and_fetched_once() {
    let peer = TlsPeer::start();
    let app = server(&peer).await;
    for (count, (bytes, content_type)) in [(PNG, "image/png"), (WEBP, "image/webp")].into_iter().enumerate() {
        // The sender's word for it is not taken.
        peer.serve("text/html", bytes);
        let client = client(&app, &peer.url(&format!("/logo-{count}"))).await;
        for _ in 0..2 {
            let (status, body, headers) = logo(&app, &client).await;
            assert_eq!((status, body.as_slice()), (200, bytes));
            assert_eq!(headers["content-type"], content_type);
            assert_eq!(headers["x-content-type-options"], "nosniff");
            assert_eq!(headers["content-security-policy"], "default-src 'none'; sandbox");
            assert_eq!(headers["cache-control"], "public, max-age=600");
            assert!(!headers.contains_key("set-cookie"));
        }
        assert_eq!(peer.calls(), count + 1);
    }
}

#[tokio::test]
async fn what_is_no_picture_is_not_passed_on() {
    let peer = TlsPeer::start();
    let app = server(&peer).await;
    let bad: [(&str, &[u8]); 6] = [
        ("image/svg+xml", SVG),
        ("image/png", SVG),
        ("image/png", b"<!doctype html><script>alert(1)</script>"),
        ("image/webp", b"RIFF\x24\0\0\0WAVEfmt and so on"),
        ("image/gif", b"GIF8, the story"),
        ("image/png", b""),
    ];
    for (count, (content_type, bytes)) in bad.into_iter().enumerate() {
        peer.serve(content_type, bytes);
        let client = client(&app, &peer.url(&format!("/bad-{count}"))).await;
        assert_stands_in(&logo(&app, &client).await);
        assert_eq!(peer.calls(), count + 1);
    }
}

#[tokio::test]
async fn what_is_too_large_or_elsewhere_is_not_fetched() {
    let (peer, elsewhere) = (TlsPeer::start(), TlsPeer::start());
    let app = server(&peer).await;
    elsewhere.serve("image/png", PNG);
    peer.serve("image/png", &[PNG, &[0; 64 * 1024]].concat());
    assert_stands_in(&logo(&app, &client(&app, &peer.url("/large")).await).await);
    for status in [301, 302, 307] {
        let location = elsewhere.url("/logo");
        let head = format!("HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        peer.answer(head.into_bytes());
        assert_stands_in(&logo(&app, &client(&app, &peer.url(&format!("/{status}"))).await).await);
    }
    assert_eq!(peer.calls(), 4);
    // Private addresses without an exception, a name of theirs too.
    let private = [elsewhere.url("/logo"), elsewhere.url("/logo").replace("localhost", "127.0.0.1")];
    for uri in
        private.iter().map(String::as_str).chain(["https://10.0.0.1/", "https://169.254.169.254/", "https://[::1]/"])
    {
        assert_stands_in(&logo(&app, &client(&app, uri).await).await);
    }
    assert_eq!(elsewhere.calls(), 0);
}

#[tokio::test]
async fn a_peer_that_never_answers_is_left_and_keeps_nobody_else_waiting() {
    let (peer, picture) = (TlsPeer::start(), TlsPeer::start());
    let app = TestApp::with_config(|config| {
        peer.is_trusted_by(&mut config.outbound, OutboundPurpose::ClientLogo);
        picture.is_trusted_by(&mut config.outbound, OutboundPurpose::ClientLogo);
    })
    .await;
    picture.serve("image/png", PNG);
    let (slow, quick) = (client(&app, &peer.url("/slow")).await, client(&app, &picture.url("/quick")).await);
    let begun = std::time::Instant::now();
    let waiting = async { (logo(&app, &slow).await, begun.elapsed()) };
    let at_once = async { (logo(&app, &quick).await.0, begun.elapsed()) };
    let ((left, after), (status, at_once)) = tokio::join!(waiting, at_once);
    assert_eq!(status, 200);
    assert!(at_once < after, "{at_once:?} is before {after:?}");
    assert_stands_in(&left);
    assert!(after.as_secs() < 15, "{after:?}");
}

#[tokio::test]
async fn without_a_logo_there_is_nothing() {
    let app = TestApp::start().await;
    let plain = app.web_client().await;
    assert_stands_in(&logo(&app, &plain).await);
    let unknown: Answer = app.get("/client-logo?client_id=nobody").send().await;
    assert_eq!((unknown.status, unknown.body.as_str()), (404, ""));
    let unnamed = app.get("/client-logo").send().await;
    unnamed.assert_error(400, "invalid_request", "the parameter client_id is missing");
}
