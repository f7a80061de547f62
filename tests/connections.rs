//! How many connections may be open, and what ends one that nothing is asked on.

use std::time::Duration;

use ostiary::config::{ClientIpHeaderMode, Config};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{TestApp, eventually};

const REQUEST: &[u8] = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";

async fn connect(app: &TestApp) -> TcpStream {
    TcpStream::connect(app.base.trim_start_matches("http://")).await.expect("the server listens")
}

/// Whether the answer to a request on this connection is there; `None` if the connection was closed.
async fn is_answered(stream: &mut TcpStream, patience: Duration) -> Option<bool> {
    let mut answer = [0; 15];
    match tokio::time::timeout(patience, stream.read_exact(&mut answer)).await {
        Ok(Ok(_)) => Some(&answer == b"HTTP/1.1 200 OK"),
        Ok(Err(_)) => None,
        Err(_) => Some(false),
    }
}

/// A connection on which a request was answered, and which stays open.
async fn held(app: &TestApp) -> TcpStream {
    let mut stream = connect(app).await;
    stream.write_all(REQUEST).await.expect("it is sent");
    assert_eq!(is_answered(&mut stream, Duration::from_secs(20)).await, Some(true));
    stream
}

/// Whether a new connection is hung up on without an answer.
async fn is_refused(app: &TestApp) -> bool {
    let mut stream = connect(app).await;
    // It may be closed before or after this arrives.
    stream.write_all(REQUEST).await.ok();
    is_answered(&mut stream, Duration::from_secs(20)).await.is_none()
}

#[tokio::test]
async fn an_address_that_has_too_many_is_hung_up_on() {
    let app = TestApp::with_config(|config| config.server.max_connections_per_address = 2).await;
    let (first, _second) = (held(&app).await, held(&app).await);
    assert!(is_refused(&app).await);
    drop(first);
    eventually("there is room again", || async { (!is_refused(&app).await).then_some(()) }).await;
}

#[tokio::test]
async fn a_trusted_proxy_may_have_more() {
    let app = TestApp::with_config(|config| {
        config.server.max_connections_per_address = 1;
        config.server.trusted_proxy_cidrs = vec!["127.0.0.0/8".parse().unwrap()];
        config.server.client_ip_header_mode = ClientIpHeaderMode::XForwardedFor;
    })
    .await;
    let _many = (held(&app).await, held(&app).await, held(&app).await);
}

#[tokio::test]
async fn beyond_the_total_a_connection_waits_and_is_not_refused() {
    let app = TestApp::with_config(|config| config.server.max_connections = 2).await;
    let (first, _second) = (held(&app).await, held(&app).await);
    let mut third = connect(&app).await;
    third.write_all(REQUEST).await.unwrap();
    assert_eq!(is_answered(&mut third, Duration::from_millis(300)).await, Some(false), "it waits");
    drop(first);
    assert_eq!(is_answered(&mut third, Duration::from_secs(20)).await, Some(true));
}

/// An HTTP/2 client (RFC 9113) that asks for nothing and answers everything that keeps a connection alive.
async fn is_told_to_go(change: impl FnOnce(&mut Config)) {
    const FRAME_SETTINGS: u8 = 4;
    const FRAME_PING: u8 = 6;
    const FRAME_GOAWAY: u8 = 7;
    const ACK: u8 = 1;
    let app = TestApp::with_config(change).await;
    let mut stream = connect(&app).await;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    stream.write_all(&[0, 0, 0, FRAME_SETTINGS, 0, 0, 0, 0, 0]).await.unwrap();
    let mut has_goaway = false;
    let conversation = async {
        let mut head = [0; 9];
        while stream.read_exact(&mut head).await.is_ok() {
            let [_, high, low, kind, flags, ..] = head;
            let mut payload = vec![0; usize::from(u16::from_be_bytes([high, low]))];
            stream.read_exact(&mut payload).await.unwrap();
            has_goaway |= kind == FRAME_GOAWAY;
            let answer: &[u8] = match kind {
                FRAME_SETTINGS if flags & ACK == 0 => &[],
                FRAME_PING if flags & ACK == 0 => &payload,
                _ => continue,
            };
            let mut frame = vec![0, 0, u8::try_from(answer.len()).unwrap(), kind, ACK, 0, 0, 0, 0];
            frame.extend(answer);
            stream.write_all(&frame).await.ok();
        }
    };
    tokio::time::timeout(Duration::from_secs(20), conversation).await.expect("the server ends the connection");
    assert!(has_goaway, "RFC 9113 section 6.8: the client is told");
}

#[tokio::test]
async fn a_connection_without_requests_ends_although_it_answers_pings() {
    is_told_to_go(|config| config.server.idle_timeout = Duration::from_millis(200)).await;
}

#[tokio::test]
async fn no_connection_lives_for_ever() {
    is_told_to_go(|config| config.server.max_connection_age = Duration::from_millis(200)).await;
}

#[tokio::test]
async fn a_request_is_answered_however_old_its_connection_becomes() {
    let app = TestApp::with_config(|config| {
        config.server.idle_timeout = Duration::from_millis(100);
        config.server.max_connection_age = Duration::from_millis(100);
    })
    .await;
    let mut stream = connect(&app).await;
    let head = b"POST /introspect HTTP/1.1\r\nhost: localhost\r\ncontent-length: 7\r\nexpect: 100-continue\r\n\
                 content-type: application/x-www-form-urlencoded\r\n\r\n";
    stream.write_all(head).await.unwrap();
    stream.read_exact(&mut [0; 25]).await.unwrap();
    // Both timers of the connection, which no injected clock moves, run out while the body is on its way.
    tokio::time::sleep(Duration::from_millis(300)).await;
    stream.write_all(b"token=x").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("\"error\":"), "{answer}");
}
