//! Somebody else's server over TLS, which answers whatever a test wants.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ostiary::config::{OutboundConfig, OutboundException, OutboundPurpose};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Listens on a free port of `localhost`; each connection is one request.
pub struct TlsPeer {
    port: u16,
    calls: Arc<AtomicUsize>,
    answer: Arc<Mutex<Option<Vec<u8>>>>,
    last_request: Arc<Mutex<String>>,
}

impl TlsPeer {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let (calls, answer) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(None)));
        let last_request = Arc::new(Mutex::new(String::new()));
        let peer = Self {
            port,
            calls: Arc::clone(&calls),
            answer: Arc::clone(&answer),
            last_request: Arc::clone(&last_request),
        };
        let config = server_config();
        std::thread::spawn(move || {
            // Those that are never answered.
            let mut silent = Vec::new();
            for socket in listener.incoming() {
                calls.fetch_add(1, Ordering::SeqCst);
                let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
                let mut stream = StreamOwned::new(connection, socket.expect("a socket"));
                let request = read_request(&mut stream);
                let has_asked = request.is_some();
                if let Some(request) = request {
                    *last_request.lock().expect("a lock") = request;
                }
                match answer.lock().expect("a lock").clone() {
                    // A caller that has heard enough hangs up.
                    Some(bytes) if has_asked => {
                        stream.write_all(&bytes).and_then(|()| stream.flush()).ok();
                    }
                    _ => silent.push(stream),
                }
            }
        });
        peer
    }

    /// What it answers from now on, head and body.
    pub fn answer(&self, bytes: Vec<u8>) {
        *self.answer.lock().expect("a lock") = Some(bytes);
    }

    /// Answers with that JSON document from now on; `more` is lines of the head, each with its end.
    pub fn serve_json(&self, more: &str, document: &serde_json::Value) {
        let body = document.to_string();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{more}Content-Length: {}\r\n\r\n",
            body.len()
        );
        self.answer([head.as_bytes(), body.as_bytes()].concat());
    }

    /// Answers with that status and nothing else from now on.
    pub fn refuse(&self, status: u16) {
        self.answer(format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n").into_bytes());
    }

    /// Answers with that body from now on.
    pub fn serve(&self, content_type: &str, body: &[u8]) {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n", body.len());
        self.answer([head.as_bytes(), body].concat());
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    /// How often it was called.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// The last request, head and body.
    pub fn last_request(&self) -> String {
        self.last_request.lock().expect("a lock").clone()
    }

    /// Lets a server believe this one, and call it for `purpose`.
    pub fn is_trusted_by(&self, config: &mut OutboundConfig, purpose: OutboundPurpose) {
        config.extra_ca_file = Some(fixture("ca.pem"));
        self.may_be_called_by(config, purpose);
    }

    /// Lets a server call this one for `purpose`, whether or not it believes it.
    pub fn may_be_called_by(&self, config: &mut OutboundConfig, purpose: OutboundPurpose) {
        config.allow.push(OutboundException {
            purpose,
            host: "localhost".to_owned(),
            port: self.port,
            network: "127.0.0.0/8".parse().expect("a network"),
            allow_http: false,
        });
    }
}

/// A whole request; `None` if the caller hangs up before, because it does not believe us.
fn read_request(stream: &mut impl Read) -> Option<String> {
    let mut read = Vec::new();
    loop {
        let mut part = [0; 4096];
        let count = stream.read(&mut part).ok().filter(|count| *count > 0)?;
        read.extend_from_slice(part.get(..count)?);
        let text = String::from_utf8_lossy(&read);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let lower = head.to_ascii_lowercase();
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        if body.len() >= length.unwrap_or(0) {
            return Some(text.into_owned());
        }
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/harness/fixtures").join(name)
}

fn server_config() -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_file(fixture("localhost.pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(fixture("localhost.key")).expect("a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key);
    Arc::new(config.expect("the certificate fits the key"))
}
