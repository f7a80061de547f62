//! The listeners that speak TLS themselves: what they refuse, what they ask for, and their own certificate.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use ostiary::config::Config;
use ostiary::model::client::ClientAuthMethod;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{
    Authority, ClientCert, TestApp, TestClient, byte_sequence, encode, eventually, free_port, server_certificate,
    tls_client,
};

/// A server with both listeners, and its own certificate.
struct Served {
    app: TestApp,
    bind: u16,
    mtls_bind: u16,
    folder: TempDir,
    authority: Authority,
}

async fn served() -> (Served, CertificateDer<'static>) {
    served_with(|_| {}).await
}

async fn served_with(change: impl FnOnce(&mut Config)) -> (Served, CertificateDer<'static>) {
    let folder = tempfile::tempdir().expect("a folder");
    let certificate = server_certificate(folder.path());
    let (bind, mtls_bind, authority) = (free_port(), free_port(), Authority::new());
    let app = TestApp::with_config(|config| {
        config.tls.bind = Some(([127, 0, 0, 1], bind).into());
        config.tls.mtls_bind = Some(([127, 0, 0, 1], mtls_bind).into());
        config.tls.certificate_file = Some(folder.path().join("tls.pem"));
        config.tls.private_key_file = Some(folder.path().join("tls.key"));
        config.mtls.client_ca_file = Some(authority.file());
        change(config);
        assert!(!ostiary::config::validate(config).iter().any(|problem| problem.key.contains("tls")));
    })
    .await;
    (Served { app, bind, mtls_bind, folder, authority }, certificate)
}

fn connect(port: u16) -> std::io::Result<TcpStream> {
    let socket = TcpStream::connect(("127.0.0.1", port))?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    Ok(socket)
}

/// A token request of `client` over TLS: the status and the body.
async fn token(
    port: u16,
    config: Arc<ClientConfig>,
    client: &TestClient,
    header: &str,
) -> std::io::Result<(u16, Value)> {
    let form = encode(&[("grant_type", "client_credentials"), ("client_id", &client.id)]);
    let request = format!(
        "POST /token HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{header}\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    let asked = tokio::task::spawn_blocking(move || {
        let connection = ClientConnection::new(config, "localhost".try_into().expect("a name")).expect("TLS");
        let mut stream = StreamOwned::new(connection, connect(port)?);
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let body = answer.split_once("\r\n\r\n").expect("a body").1;
        Ok((status, serde_json::from_str(body).expect("JSON")))
    });
    asked.await.expect("it ran")
}

/// The same once the listener is there.
pub async fn first_token(port: u16, config: &Arc<ClientConfig>, client: &TestClient) -> (u16, Value) {
    eventually("an answer over TLS", || async { token(port, Arc::clone(config), client, "").await.ok() }).await
}

async fn shop(app: &TestApp) -> TestClient {
    app.machine_client_with(|settings| {
        settings.token_endpoint_auth_method = ClientAuthMethod::TlsClientAuth;
        settings.tls_client_auth_subject_dn = Some("CN=shop,O=Example".into());
        settings.tls_client_certificate_bound_access_tokens = true;
    })
    .await
}

#[tokio::test]
async fn a_certificate_of_the_handshake_is_the_clients_in_both_versions_of_tls() {
    let (served, server) = served().await;
    let client = shop(&served.app).await;
    let own = served.authority.issue(|_| {});
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let (status, body) = first_token(served.mtls_bind, &tls_client(&server, Some(&own), version), &client).await;
        assert_eq!(status, 200, "{body}");
        let claims = crate::harness::jwt::read(body["access_token"].as_str().unwrap()).claims;
        assert_eq!(claims["cnf"], json!({"x5t#S256": own.thumbprint()}));
        // Any certificate gets through the handshake, and none too; neither is this client.
        let stranger = ClientCert::self_signed(|_| {});
        for shown in [Some(&stranger), None] {
            let (status, body) = first_token(served.mtls_bind, &tls_client(&server, shown, version), &client).await;
            assert_eq!((status, &body["error"]), (400, &json!("invalid_client")));
        }
    }
}

#[tokio::test]
async fn the_listener_for_everybody_asks_for_no_certificate_and_believes_no_header() {
    let (served, server) = served().await;
    let client = shop(&served.app).await;
    let own = served.authority.issue(|_| {});
    let tls = tls_client(&server, Some(&own), &rustls::version::TLS13);
    let (status, body) = first_token(served.bind, &tls, &client).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_client")));
    let header = format!("Client-Cert: {}\r\n", byte_sequence(&own.der));
    for port in [served.bind, served.mtls_bind] {
        let tls = tls_client(&server, None, &rustls::version::TLS13);
        let (status, _) = token(port, tls, &client, &header).await.expect("an answer");
        assert_eq!(status, 400);
    }
}

/// A proxy that is trusted with addresses and speaks TLS to us shows its own certificate, whoever asks through it.
#[tokio::test]
async fn the_certificate_of_a_trusted_proxy_is_no_clients() {
    let (served, server) =
        served_with(|config| config.server.trusted_proxy_cidrs = vec!["127.0.0.0/8".parse().unwrap()]).await;
    let client = shop(&served.app).await;
    let own = served.authority.issue(|_| {});
    let tls = tls_client(&server, Some(&own), &rustls::version::TLS13);
    let (status, body) = first_token(served.mtls_bind, &tls, &client).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_client")));
}

/// A hello with one version and these suites, without extensions but for curves and signatures; the alert that it is
/// answered with.
async fn alert_for(port: u16, version: [u8; 2], suites: &'static [[u8; 2]]) -> Option<u8> {
    let asked = tokio::task::spawn_blocking(move || {
        let groups = [0, 10, 0, 4, 0, 2, 0, 23];
        let signatures = [0, 13, 0, 8, 0, 6, 4, 3, 8, 4, 4, 1];
        let extensions = [&groups[..], &signatures].concat();
        let mut hello = [&version[..], &[7; 32], &[0]].concat();
        hello.extend(u16::try_from(suites.len() * 2).expect("few").to_be_bytes());
        hello.extend(suites.concat());
        hello.extend([1, 0]);
        hello.extend(u16::try_from(extensions.len()).expect("short").to_be_bytes());
        hello.extend(extensions);
        let length = u16::try_from(hello.len()).expect("short");
        let mut message = vec![1, 0];
        message.extend(length.to_be_bytes());
        message.extend(hello);
        let mut record = vec![22, 3, 1];
        record.extend((length + 4).to_be_bytes());
        record.extend(message);
        let mut socket = connect(port).expect("a connection");
        socket.write_all(&record).expect("it is sent");
        let mut answer = [0; 7];
        socket.read_exact(&mut answer).expect("an answer");
        (answer[0] == 21).then_some(answer[6])
    });
    asked.await.expect("it ran")
}

#[tokio::test]
async fn old_versions_and_suites_are_refused() {
    const PROTOCOL_VERSION: u8 = 70;
    const HANDSHAKE_FAILURE: u8 = 40;
    // ECDHE with ECDSA: AES-128-GCM; AES-128-CBC; RSA key exchange with AES-128-GCM; DHE with AES-128-GCM.
    const GOOD: [u8; 2] = [0xc0, 0x2b];
    const OLD: [[u8; 2]; 3] = [[0xc0, 0x09], [0x00, 0x9c], [0x00, 0x9e]];
    let (served, server) = served().await;
    let client = shop(&served.app).await;
    for port in [served.bind, served.mtls_bind] {
        first_token(port, &tls_client(&server, None, &rustls::version::TLS13), &client).await;
        assert_eq!(alert_for(port, [3, 3], &[GOOD]).await, None, "this is how a good one goes on");
        for version in [[3, 1], [3, 2]] {
            let alert = alert_for(port, version, &[GOOD, OLD[0]]).await;
            assert!([Some(PROTOCOL_VERSION), Some(HANDSHAKE_FAILURE)].contains(&alert), "{version:?}: {alert:?}");
        }
        assert_eq!(alert_for(port, [3, 3], &OLD).await, Some(HANDSHAKE_FAILURE));
    }
}

#[tokio::test]
async fn a_changed_certificate_is_taken_up_without_a_restart() {
    let (served, before) = served().await;
    let client = shop(&served.app).await;
    let tls = |server: &CertificateDer<'static>| tls_client(server, None, &rustls::version::TLS13);
    first_token(served.bind, &tls(&before), &client).await;
    let after = server_certificate(served.folder.path());
    first_token(served.bind, &tls(&after), &client).await;
    assert!(token(served.bind, tls(&before), &client, "").await.is_err());
}

#[tokio::test]
async fn a_peer_that_says_nothing_after_the_handshake_is_hung_up_on() {
    let (served, server) = served_with(|config| {
        config.server.header_read_timeout = Duration::from_secs(2);
        config.server.idle_timeout = Duration::from_secs(600);
    })
    .await;
    let client = shop(&served.app).await;
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let tls = tls_client(&server, None, version);
        first_token(served.bind, &tls, &client).await;
        let port = served.bind;
        let ended = tokio::task::spawn_blocking(move || {
            let mut connection = ClientConnection::new(tls, "localhost".try_into().expect("a name")).expect("TLS");
            let mut socket = connect(port).expect("a connection");
            connection.complete_io(&mut socket).expect("the handshake is good");
            StreamOwned::new(connection, socket).read(&mut [0; 1])
        });
        // A read that times out here would mean that the server still waits.
        let kind = ended.await.expect("it ran").map_err(|error| error.kind());
        assert!(matches!(kind, Ok(0) | Err(ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset)), "{kind:?}");
    }
}
