//! Certificates of clients, and an authority that vouches for some of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use ostiary::protocol::mtls::Certificate;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A certificate authority of a test's own.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: TempDir,
}

/// A client's certificate and its key.
pub struct ClientCert {
    pub der: Vec<u8>,
    pub key: KeyPair,
}

impl Authority {
    pub fn new() -> Self {
        Self::made("Authority", None)
    }

    fn made(name: &str, by: Option<&Issuer<'static, KeyPair>>) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("a key");
        let own = match by {
            Some(by) => params.signed_by(&key, by),
            None => params.self_signed(&key),
        };
        let own = own.expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("ca.pem"), own.pem()).expect("a file");
        Self { issuer: Issuer::new(params, key), folder }
    }

    /// Its own certificate, as operators give it to the server.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Another authority, that this one vouches for.
    pub fn issue_authority(&self) -> Self {
        Self::made("Between", Some(&self.issuer))
    }

    /// Its own certificate.
    pub fn der(&self) -> Vec<u8> {
        CertificateDer::from_pem_file(self.file()).expect("a certificate").to_vec()
    }

    /// A certificate for a client.
    pub fn issue(&self, change: impl FnOnce(&mut CertificateParams)) -> ClientCert {
        let key = KeyPair::generate().expect("a key");
        let certificate = params(change).signed_by(&key, &self.issuer).expect("a certificate");
        ClientCert { der: certificate.der().to_vec(), key }
    }
}

impl ClientCert {
    /// One that somebody else made, with its key, both as PEM files.
    pub fn from_pem(certificate: &str, key: &str) -> Self {
        let der = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("a certificate").to_vec();
        Self { der, key: KeyPair::from_pem(key).expect("a key") }
    }

    /// A certificate that nobody else signed.
    pub fn self_signed(change: impl FnOnce(&mut CertificateParams)) -> Self {
        let key = KeyPair::generate().expect("a key");
        let certificate = params(change).self_signed(&key).expect("a certificate");
        Self { der: certificate.der().to_vec(), key }
    }

    /// Another certificate for the same key.
    pub fn again(&self, change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        params(change).self_signed(&self.key).expect("a certificate").der().to_vec()
    }

    /// As a byte sequence (RFC 9440 section 2.1).
    pub fn header(&self) -> String {
        byte_sequence(&self.der)
    }

    pub fn pem(&self) -> String {
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(&self.der))
    }

    /// Its key, as a client registers it.
    pub fn jwk(&self) -> Value {
        let (x, y) = self.key.public_key_raw()[1..].split_at(32);
        json!({"kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y)})
    }

    pub fn thumbprint(&self) -> String {
        Certificate::parse(vec![self.der.clone()]).expect("a certificate").thumbprint()
    }
}

/// Writes a new certificate of a server on `localhost` and its key to `tls.pem` and `tls.key`; answers it as whoever believes it
/// needs it.
pub fn server_certificate(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    std::fs::write(folder.join("tls.key"), made.signing_key.serialize_pem()).expect("a file");
    std::fs::write(folder.join("tls.pem"), made.cert.pem()).expect("a file");
    made.cert.der().clone()
}

/// A client that believes `server` alone, speaks that version of TLS and shows a certificate if it has one.
pub fn tls_client(
    server: &CertificateDer<'static>,
    shown: Option<&ClientCert>,
    version: &'static SupportedProtocolVersion,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(server.clone()).expect("a certificate");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .expect("TLS")
        .with_root_certificates(roots);
    Arc::new(match shown {
        None => config.with_no_client_auth(),
        Some(shown) => {
            let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(shown.key.serialize_der()));
            config.with_client_auth_cert(vec![CertificateDer::from(shown.der.clone())], key).expect("a key")
        }
    })
}

pub fn byte_sequence(der: &[u8]) -> String {
    format!(":{}:", STANDARD.encode(der))
}

/// `CN=shop,O=Example`, valid for centuries, for clients.
fn params(change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Example");
    params.distinguished_name.push(DnType::CommonName, "shop");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    change(&mut params);
    params
}

/// The end of a certificate's time.
pub fn ends_at(params: &mut CertificateParams, time: DateTime<Utc>) {
    let time = time::OffsetDateTime::from_unix_timestamp(time.timestamp()).expect("a time");
    params.not_after = time;
}
