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
}

impl TlsPeer {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let (calls, answer) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(None)));
        let peer = Self { port, calls: Arc::clone(&calls), answer: Arc::clone(&answer) };
        let config = server_config();
        std::thread::spawn(move || {
            // Those that are never answered.
            let mut silent = Vec::new();
            for socket in listener.incoming() {
                calls.fetch_add(1, Ordering::SeqCst);
                let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
                let mut stream = StreamOwned::new(connection, socket.expect("a socket"));
                let has_asked = stream.read(&mut [0; 4096]).is_ok();
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

    /// Lets a server believe this one, and call it for `purpose`.
    pub fn is_trusted_by(&self, config: &mut OutboundConfig, purpose: OutboundPurpose) {
        config.extra_ca_file = Some(fixture("ca.pem"));
        config.allow.push(OutboundException {
            purpose,
            host: "localhost".to_owned(),
            port: self.port,
            network: "127.0.0.0/8".parse().expect("a network"),
            allow_http: false,
        });
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
