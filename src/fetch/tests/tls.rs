use std::io::{Read, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{ProtocolVersion, SupportedProtocolVersion};

use super::*;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/fetch/fixtures").join(name)
}

/// A TLS server on a thread, which tells in which version each call was made.
struct TlsPeer {
    port: u16,
    versions: mpsc::Receiver<Option<ProtocolVersion>>,
}

impl TlsPeer {
    /// With one of the fixtures as its certificate; all have the same key.
    fn start(certificate: &str, versions: &[&'static SupportedProtocolVersion]) -> Self {
        let certificate = CertificateDer::from_pem_file(fixture(certificate)).unwrap();
        let key = PrivateKeyDer::from_pem_file(fixture("peer.key")).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let config = Arc::new(config);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (told, versions) = mpsc::channel();
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let connection = rustls::ServerConnection::new(config.clone()).unwrap();
                let mut stream = rustls::StreamOwned::new(connection, socket.unwrap());
                // A caller that does not believe the certificate hangs up here.
                if stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {
                    let _ = told.send(stream.conn.protocol_version());
                    let _ = stream.write_all(&ok(b"over TLS")).and_then(|()| stream.flush());
                }
            }
        });
        Self { port, versions }
    }

    /// Calls it by that name, with `listed` as the file of authorities. Exceptions are for `peer.test` and `other.test`.
    async fn call(&self, name: &str, listed: Option<&str>) -> Result<(String, Bytes), FetchError> {
        self.call_excepted(name, listed, ["peer.test", "other.test"]).await
    }

    async fn call_excepted(
        &self,
        name: &str,
        listed: Option<&str>,
        exceptions: [&str; 2],
    ) -> Result<(String, Bytes), FetchError> {
        let allow = exceptions
            .map(|host| OutboundException { allow_http: false, ..exception(LOGO, host, self.port, "127.0.0.0/8") });
        let config = OutboundConfig { extra_ca_file: listed.map(fixture), allow: allow.to_vec() };
        let ip = IpAddr::from([127, 0, 0, 1]);
        let names = Names::Fixed(vec![("peer.test", ip), ("other.test", ip)]);
        let fetch = Fetch::with_names(&config, names, TIMEOUT).unwrap();
        get(&fetch, &format!("https://{name}:{}/", self.port)).await
    }
}

#[track_caller]
fn assert_disbelieved(answer: &Result<(String, Bytes), FetchError>, why: &str) {
    assert!(matches!(answer, Err(FetchError::Failed(_))), "{why}: {answer:?}");
}

#[tokio::test]
async fn a_peer_over_tls_must_show_a_certificate_for_its_name_from_an_authority_that_is_believed() {
    let peer = TlsPeer::start("peer.pem", &[&TLS13, &TLS12]);
    assert_eq!(peer.call("peer.test", Some("ca.pem")).await.unwrap().1, "over TLS");
    assert_disbelieved(&peer.call("other.test", Some("ca.pem")).await, "another name");
    assert_disbelieved(&peer.call("peer.test", None).await, "another authority");
}

#[tokio::test]
async fn tls_1_3_is_spoken_with_whoever_can_and_1_2_with_the_others() {
    for (offered, spoken) in [
        (&[&TLS13, &TLS12][..], ProtocolVersion::TLSv1_3),
        (&[&TLS13], ProtocolVersion::TLSv1_3),
        (&[&TLS12], ProtocolVersion::TLSv1_2),
    ] {
        for certificate in ["peer.pem", "self-signed.pem"] {
            let peer = TlsPeer::start(certificate, offered);
            let listed = if certificate == "peer.pem" { "ca.pem" } else { certificate };
            assert_eq!(peer.call("peer.test", Some(listed)).await.unwrap().1, "over TLS", "{spoken:?}");
            assert_eq!(peer.versions.recv().unwrap(), Some(spoken), "{certificate}");
        }
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_else_signed_is_believed_if_it_is_listed_and_for_its_names() {
    let peer = TlsPeer::start("self-signed.pem", &[&TLS13]);
    assert_eq!(peer.call("peer.test", Some("self-signed.pem")).await.unwrap().1, "over TLS");
    assert_disbelieved(&peer.call("other.test", Some("self-signed.pem")).await, "another name");
    assert_disbelieved(
        &peer.call("peer.test", Some("self-signed-nameless.pem")).await,
        "another certificate is listed",
    );
    assert_disbelieved(&peer.call("peer.test", Some("ca.pem")).await, "an authority that did not sign it");
    assert_disbelieved(&peer.call("peer.test", None).await, "nothing is listed");
}

#[tokio::test]
async fn the_certificate_of_one_server_signs_for_no_other() {
    for (listed, signed) in [
        ("self-signed.pem", "signed-by-self-signed.pem"),
        ("self-signed-leaf.pem", "signed-by-leaf.pem"),
        ("self-signed-nameless.pem", "signed-by-nameless.pem"),
    ] {
        let itself = TlsPeer::start(listed, &[&TLS13]);
        assert_eq!(itself.call("peer.test", Some(listed)).await.unwrap().1, "over TLS", "{listed}");
        let other = TlsPeer::start(signed, &[&TLS13]);
        assert_disbelieved(&other.call("other.test", Some(listed)).await, signed);
    }
}

#[tokio::test]
async fn an_authority_without_key_usage_is_one() {
    let peer = TlsPeer::start("signed-by-plain.pem", &[&TLS13]);
    assert_eq!(peer.call("peer.test", Some("ca-plain.pem")).await.unwrap().1, "over TLS");
    assert_disbelieved(&peer.call("other.test", Some("ca-plain.pem")).await, "another name");
}

#[tokio::test]
async fn a_listed_certificate_without_a_name_is_for_the_hosts_of_the_exceptions() {
    let peer = TlsPeer::start("self-signed-nameless.pem", &[&TLS13]);
    for (name, exceptions) in [
        ("peer.test", ["peer.test", "other.test"]),
        ("other.test", ["peer.test", "other.test"]),
        ("other.test", ["Peer.Test", "OTHER.test"]),
    ] {
        let answer = peer.call_excepted(name, Some("self-signed-nameless.pem"), exceptions).await;
        assert_eq!(answer.unwrap().1, "over TLS", "{name} {exceptions:?}");
    }
    assert_disbelieved(&peer.call("peer.test", Some("ca.pem")).await, "it is not listed");
    // To any other host, whatever address it has, nothing without a name is believed.
    let listed = crate::fetch::tls::client(&OutboundConfig {
        extra_ca_file: Some(fixture("self-signed-nameless.pem")),
        allow: vec![],
    });
    let listed = Arc::new(listed.unwrap());
    let name = rustls::pki_types::ServerName::try_from("elsewhere.test").unwrap();
    let connection = rustls::ClientConnection::new(listed, name).unwrap();
    let socket = std::net::TcpStream::connect(("127.0.0.1", peer.port)).unwrap();
    let refused = rustls::StreamOwned::new(connection, socket).read(&mut [0; 1]).unwrap_err();
    assert!(refused.to_string().contains("certificate"), "{refused}");
}

#[tokio::test]
async fn a_listed_certificate_ends_with_its_time() {
    let peer = TlsPeer::start("self-signed-expired.pem", &[&TLS13]);
    assert_disbelieved(&peer.call("peer.test", Some("self-signed-expired.pem")).await, "its time is over");
}

#[test]
fn a_file_of_authorities_without_certificates_is_an_error() {
    for name in ["Cargo.toml", "no-such-file.pem"] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let config = OutboundConfig { extra_ca_file: Some(file), allow: vec![] };
        assert!(matches!(Fetch::new(&config), Err(FetchConfigError::ExtraCa(_))), "{name}");
    }
}
