// Whom it believes, and how it speaks with them.
mod tls;

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

const LOGOUT: OutboundPurpose = OutboundPurpose::BackchannelLogout;
const LOGO: OutboundPurpose = OutboundPurpose::ClientLogo;

/// A loopback server that answers every request with `answer(path)` and remembers what it was sent.
pub(crate) struct Peer {
    pub(crate) port: u16,
    calls: Arc<AtomicUsize>,
    last: Arc<std::sync::Mutex<String>>,
}

impl Peer {
    pub(crate) async fn start(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = Self { port: listener.local_addr().unwrap().port(), calls: Arc::default(), last: Arc::default() };
        let (calls, last) = (peer.calls.clone(), peer.last.clone());
        tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                calls.fetch_add(1, Ordering::SeqCst);
                let mut request = Vec::new();
                while !is_whole(&request) {
                    if socket.read_buf(&mut request).await.unwrap_or(0) == 0 {
                        break;
                    }
                }
                let request = String::from_utf8_lossy(&request).into_owned();
                let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
                *last.lock().unwrap() = request;
                // The other side hangs up early when the answer is too long.
                let _ = socket.write_all(&answer(&path)).await;
            }
        });
        peer
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// The last request, head and body.
    pub(crate) fn last(&self) -> String {
        self.last.lock().unwrap().clone()
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
    body.len() >= length
}

fn ok(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

pub(crate) fn exception(purpose: OutboundPurpose, host: &str, port: u16, network: &str) -> OutboundException {
    OutboundException { purpose, host: host.into(), port, network: network.parse().unwrap(), allow_http: true }
}

fn fetch(allow: Vec<OutboundException>) -> Fetch {
    fetch_with_names(allow, vec![])
}

fn fetch_with_names(allow: Vec<OutboundException>, names: Vec<(&'static str, &str)>) -> Fetch {
    let names = names.into_iter().map(|(name, ip)| (name, ip.parse().unwrap())).collect();
    let config = OutboundConfig { allow, ..OutboundConfig::default() };
    Fetch::with_names(&config, Names::Fixed(names), Duration::from_secs(2)).unwrap()
}

async fn get(fetch: &Fetch, url: &str) -> Result<(String, Bytes), FetchError> {
    fetch.get_bytes(LOGO, url, "image/png").await
}

#[tokio::test]
async fn an_exception_admits_one_purpose_host_port_and_network() {
    let peer = Peer::start(|_| ok(b"logo")).await;
    let url = peer.url("/logo.png");
    let answer = get(&fetch(vec![exception(LOGO, "127.0.0.1", peer.port, "127.0.0.0/8")]), &url).await.unwrap();
    assert_eq!(answer, ("image/png".to_owned(), Bytes::from_static(b"logo")));

    for (why, wrong) in [
        ("purpose", exception(LOGOUT, "127.0.0.1", peer.port, "127.0.0.0/8")),
        ("host", exception(LOGO, "localhost", peer.port, "127.0.0.0/8")),
        ("port", exception(LOGO, "127.0.0.1", peer.port ^ 1, "127.0.0.0/8")),
        ("network", exception(LOGO, "127.0.0.1", peer.port, "10.0.0.0/8")),
        ("http", OutboundException { allow_http: false, ..exception(LOGO, "127.0.0.1", peer.port, "127.0.0.0/8") }),
    ] {
        assert!(matches!(get(&fetch(vec![wrong]), &url).await, Err(FetchError::Refused(_))), "{why}");
    }
    assert_eq!(peer.calls(), 1);
}

#[tokio::test]
async fn only_https_without_user_information_is_called() {
    let names = vec![("peer.test", "93.184.216.34")];
    let fetch = fetch_with_names(vec![], names);
    for url in [
        "http://peer.test/",
        "http://93.184.216.34/",
        "ftp://peer.test/",
        "file:///etc/passwd",
        "data:,x",
        "https://user@peer.test/",
        "https://:secret@peer.test/",
        "//peer.test/",
        "peer.test",
        "",
    ] {
        assert!(matches!(get(&fetch, url).await, Err(FetchError::Refused(_))), "{url}");
    }
}

#[tokio::test]
async fn addresses_that_are_not_public_are_not_dialled_however_they_are_written() {
    let peer = Peer::start(|_| ok(b"")).await;
    let fetch = fetch(vec![]);
    for host in ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"] {
        let url = format!("https://{host}:{}/", peer.port);
        assert!(matches!(get(&fetch, &url).await, Err(FetchError::Refused(_))), "{url}");
    }
    assert_eq!(peer.calls(), 0);
}

#[tokio::test]
async fn names_that_resolve_to_addresses_that_are_not_public_are_not_dialled() {
    let peer = Peer::start(|_| ok(b"")).await;
    for ip in ["127.0.0.1", "10.1.2.3", "169.254.169.254", "100.64.0.1", "::1", "fd00::1", "::ffff:127.0.0.1"] {
        let fetch = fetch_with_names(vec![], vec![("inside.test", ip)]);
        let url = format!("https://inside.test:{}/", peer.port);
        assert!(matches!(get(&fetch, &url).await, Err(FetchError::Refused(_))), "{ip}");
    }
    let system = Fetch::new(&OutboundConfig::default()).unwrap();
    let url = format!("https://localhost:{}/", peer.port);
    assert!(matches!(get(&system, &url).await, Err(FetchError::Refused(_))));
    assert_eq!(peer.calls(), 0);
}

#[tokio::test]
async fn only_the_addresses_that_were_judged_are_dialled() {
    let peer = Peer::start(|_| ok(b"reached")).await;
    // The name exists only here: a second look-up while connecting would fail. Its first address is not admitted, and
    // dialling it would time out.
    let allow = vec![exception(LOGO, "peer.test", peer.port, "127.0.0.0/8")];
    let fetch = fetch_with_names(allow, vec![("peer.test", "10.255.255.1"), ("peer.test", "::ffff:127.0.0.1")]);
    let (_, body) = get(&fetch, &format!("http://PEER.test:{}/", peer.port)).await.unwrap();
    assert_eq!(body, "reached");
}

#[tokio::test]
async fn plain_http_never_goes_to_a_public_address() {
    let fetch =
        fetch_with_names(vec![exception(LOGO, "peer.test", 80, "127.0.0.0/8")], vec![("peer.test", "93.184.216.34")]);
    assert!(matches!(get(&fetch, "http://peer.test/").await, Err(FetchError::Refused(_))));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let inside = Peer::start(|_| ok(b"secret")).await;
    let location = inside.url("/secret");
    let peer = Peer::start(move |path| {
        let status = path.trim_start_matches('/');
        format!("HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n").into_bytes()
    })
    .await;
    let fetch = fetch(
        [&peer, &inside]
            .into_iter()
            .flat_map(|peer| [LOGO, LOGOUT].map(|purpose| exception(purpose, "127.0.0.1", peer.port, "127.0.0.0/8")))
            .collect(),
    );
    for status in [301, 302, 303, 307, 308] {
        let url = peer.url(&format!("/{status}"));
        assert!(matches!(get(&fetch, &url).await, Err(FetchError::Status(found)) if found == status));
        assert_eq!(fetch.post_form(LOGOUT, &url, &[("logout_token", "x")]).await.unwrap(), status);
    }
    assert_eq!(inside.calls(), 0);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_whether_or_not_its_length_is_told() {
    let peer = Peer::start(|path| match path {
        "/longest" => ok(&vec![b'x'; BODY_LIMIT]),
        "/told" => ok(&vec![b'x'; BODY_LIMIT + 1]),
        _ => {
            let chunk = format!("{:x}\r\n{}\r\n", BODY_LIMIT, "x".repeat(BODY_LIMIT));
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n", chunk.repeat(40)).into_bytes()
        }
    })
    .await;
    let fetch = fetch(vec![exception(LOGO, "127.0.0.1", peer.port, "127.0.0.0/8")]);
    assert_eq!(get(&fetch, &peer.url("/longest")).await.unwrap().1.len(), BODY_LIMIT);
    assert!(matches!(get(&fetch, &peer.url("/told")).await, Err(FetchError::TooLong)));
    assert!(matches!(get(&fetch, &peer.url("/untold")).await, Err(FetchError::TooLong)));
}

#[tokio::test]
async fn a_peer_that_never_answers_or_never_ends_is_left_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut open = Vec::new();
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            // The second caller gets a head and half a body.
            if !open.is_empty() {
                socket.read_buf(&mut Vec::new()).await.unwrap();
                socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf").await.unwrap();
            }
            open.push(socket);
        }
    });
    let config =
        OutboundConfig { allow: vec![exception(LOGO, "127.0.0.1", port, "127.0.0.0/8")], ..OutboundConfig::default() };
    let fetch = Fetch::with_names(&config, Names::System, Duration::from_millis(200)).unwrap();
    for _ in 0..2 {
        let answer = get(&fetch, &format!("http://127.0.0.1:{port}/")).await;
        assert!(matches!(answer, Err(FetchError::TimedOut)));
    }
}

#[tokio::test]
async fn a_form_is_encoded_and_its_status_told() {
    let peer = Peer::start(|_| b"HTTP/1.1 400 Bad Request\r\nContent-Length: 4\r\n\r\noops".to_vec()).await;
    let fetch = fetch(vec![exception(LOGOUT, "127.0.0.1", peer.port, "127.0.0.0/8")]);
    let status = fetch.post_form(LOGOUT, &peer.url("/out?a=b"), &[("logout_token", "a.b+c&d")]).await.unwrap();
    assert_eq!(status, 400);
    let request = peer.last().to_lowercase();
    assert!(request.starts_with("post /out?a=b http/1.1\r\n"), "{request}");
    assert!(request.contains("content-type: application/x-www-form-urlencoded\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\nlogout_token=a.b%2bc%26d"), "{request}");
}

#[tokio::test]
async fn an_error_repeats_neither_the_answer_nor_the_address() {
    let peer = Peer::start(|_| b"HTTP/1.1 500 hunter2\r\nContent-Length: 7\r\n\r\nhunter2".to_vec()).await;
    let garbage = Peer::start(|_| b"hunter2 hunter2 hunter2\r\n\r\n".to_vec()).await;
    let allow = [&peer, &garbage].map(|peer| exception(LOGO, "127.0.0.1", peer.port, "127.0.0.0/8")).to_vec();
    let fetch = fetch(allow);
    for peer in [peer, garbage] {
        let error = get(&fetch, &peer.url("/?token=hunter2")).await.unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}
