//! Certificates of clients, and an authority that vouches for some of them.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use ostiary::protocol::mtls::Certificate;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
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
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("a key");
        let own = params.self_signed(&key).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("ca.pem"), own.pem()).expect("a file");
        Self { issuer: Issuer::new(params, key), folder }
    }

    /// Its own certificate, as operators give it to the server.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A certificate for a client.
    pub fn issue(&self, change: impl FnOnce(&mut CertificateParams)) -> ClientCert {
        let key = KeyPair::generate().expect("a key");
        let certificate = params(change).signed_by(&key, &self.issuer).expect("a certificate");
        ClientCert { der: certificate.der().to_vec(), key }
    }
}

impl ClientCert {
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
