//! The listeners that speak TLS themselves: TLS 1.3, and 1.2 with ECDHE and AEAD suites alone.
//!
//! One of them asks each client for a certificate, does without one, and takes any (RFC 8705 section 2.2: who signed it may say
//! nothing): that the client has its key is proven here, whose it is is judged where the client authenticates. The server's own
//! certificate is read again when its files change; connections that are open keep theirs.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, NoClientAuth, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use crate::clock::Clock;
use crate::config::{ConfigError, ConfigErrors, TlsConfig};
use crate::protocol::mtls::Certificate;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The listeners of `config`, and the certificate that they show.
pub struct TlsListeners {
    /// Each with what makes TLS of a connection.
    pub listeners: Vec<(TcpListener, TlsAcceptor)>,
    certificate: Option<Arc<OwnCertificate>>,
}

impl TlsListeners {
    /// Reads the certificate and listens.
    pub async fn open(config: &TlsConfig, now: DateTime<Utc>) -> anyhow::Result<Self> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let own = OwnCertificate::load(config, &provider, now).map_err(|error| ConfigErrors(vec![error]))?;
        let Some(own) = own.map(Arc::new) else { return Ok(Self { listeners: Vec::new(), certificate: None }) };
        let any: Arc<dyn ClientCertVerifier> = Arc::new(AnyCertificate(Arc::clone(&provider)));
        let places = [
            ("tls.bind", config.bind, Arc::new(NoClientAuth) as Arc<dyn ClientCertVerifier>),
            ("tls.mtls_bind", config.mtls_bind, any),
        ];
        let mut listeners = Vec::new();
        for (key, bind, verifier) in places {
            let Some(bind) = bind else { continue };
            let listener = TcpListener::bind(bind).await.with_context(|| {
                format!("{key}: {bind} cannot be listened on\n      mend: free it, or set another one")
            })?;
            listeners.push((listener, acceptor(&provider, verifier, Arc::clone(&own))?));
        }
        Ok(Self { listeners, certificate: Some(own) })
    }

    /// Reads the certificate again whenever its files change, until the server stops.
    pub async fn keep_current(certificate: Arc<OwnCertificate>, clock: Clock, stopped: impl Future<Output = ()>) {
        let look = async {
            let mut last_refused = None;
            loop {
                sleep(LOOK_EVERY).await;
                certificate.reload(&mut last_refused, clock.now());
            }
        };
        tokio::select! {
            () = look => {}
            () = stopped => {}
        }
    }

    /// What has to be kept current.
    pub fn certificate(&self) -> Option<Arc<OwnCertificate>> {
        self.certificate.clone()
    }
}

fn acceptor(
    provider: &Arc<CryptoProvider>,
    verifier: Arc<dyn ClientCertVerifier>,
    own: Arc<OwnCertificate>,
) -> anyhow::Result<TlsAcceptor> {
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(own);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// What is wrong with the files of `config`; the server is not to start with a certificate that no client would take.
pub fn check(config: &TlsConfig, now: DateTime<Utc>) -> Result<(), ConfigError> {
    OwnCertificate::load(config, &Arc::new(rustls::crypto::aws_lc_rs::default_provider()), now).map(drop)
}

/// The server's own certificate, as its files were last good.
pub struct OwnCertificate {
    certificate_file: PathBuf,
    private_key_file: PathBuf,
    provider: Arc<CryptoProvider>,
    current: ArcSwap<Loaded>,
}

/// When the file of the certificate and that of the key were changed.
type ChangedAt = [Option<SystemTime>; 2];

struct Loaded {
    key: Arc<CertifiedKey>,
    changed_at: ChangedAt,
}

impl OwnCertificate {
    /// The certificate that `config` names; `None` if the server speaks TLS nowhere.
    fn load(
        config: &TlsConfig,
        provider: &Arc<CryptoProvider>,
        now: DateTime<Utc>,
    ) -> Result<Option<Self>, ConfigError> {
        let files = (config.certificate_file.clone(), config.private_key_file.clone(), config.is_used());
        let (Some(certificate_file), Some(private_key_file), true) = files else { return Ok(None) };
        let changed_at = [&certificate_file, &private_key_file].map(changed_at);
        let key = Arc::new(read(&certificate_file, &private_key_file, provider, now)?);
        let current = ArcSwap::from_pointee(Loaded { key, changed_at });
        Ok(Some(Self { certificate_file, private_key_file, provider: Arc::clone(provider), current }))
    }

    /// Files that do not belong together are on their way to be changed: the old certificate stays until they do. They are
    /// tried again each time, and complained of once.
    fn reload(&self, last_refused: &mut Option<ChangedAt>, now: DateTime<Utc>) {
        let found = [&self.certificate_file, &self.private_key_file].map(changed_at);
        if found == self.current.load().changed_at {
            return;
        }
        match read(&self.certificate_file, &self.private_key_file, &self.provider, now) {
            Ok(key) => {
                tracing::info!("the certificate of the TLS listeners was read again");
                self.current.store(Arc::new(Loaded { key: Arc::new(key), changed_at: found }));
            }
            Err(error) if last_refused.replace(found) != Some(found) => tracing::warn!(
                key = error.key,
                problem = error.problem,
                "the changed certificate cannot be used, the one before stays"
            ),
            Err(_) => {}
        }
    }
}

fn changed_at(file: &PathBuf) -> Option<SystemTime> {
    std::fs::metadata(file).and_then(|found| found.modified()).ok()
}

fn read(
    certificate_file: &PathBuf,
    private_key_file: &PathBuf,
    provider: &CryptoProvider,
    now: DateTime<Utc>,
) -> Result<CertifiedKey, ConfigError> {
    let of_certificate = |problem: String, mend| ConfigError::new("tls.certificate_file", problem, mend);
    let name_a_certificate = "name a PEM file of the server's certificate, which this user may read";
    let chain = CertificateDer::pem_file_iter(certificate_file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| of_certificate(format!("cannot be read: {error}"), name_a_certificate))?;
    let key = PrivateKeyDer::from_pem_file(private_key_file).map_err(|error| {
        let mend = "name a PEM file of the key of the certificate, which this user may read";
        ConfigError::new("tls.private_key_file", format!("cannot be read: {error}"), mend)
    })?;
    let own = chain.first().and_then(|own| Certificate::parse(vec![own.to_vec()]));
    let own = own.ok_or_else(|| of_certificate("has no certificate".to_owned(), name_a_certificate))?;
    if !own.is_current(now) {
        let problem = "begins with a certificate that is out of its time: no client would take it".to_owned();
        return Err(of_certificate(problem, "renew it, or set the clock of this machine"));
    }
    CertifiedKey::from_der(chain, key, provider).map_err(|error| {
        let problem = format!("is not for the key in tls.private_key_file, or cannot be used: {error}");
        of_certificate(problem, "name the two files that were made together, the server's own certificate first")
    })
}

impl ResolvesServerCert for OwnCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.load().key))
    }
}

impl fmt::Debug for OwnCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnCertificate").field("certificate_file", &self.certificate_file).finish_non_exhaustive()
    }
}

/// Takes any certificate whose key the client has.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, CertifiedKey, KeyPair};
    use tempfile::TempDir;

    use super::*;

    /// Files that are changed in different seconds, and a server's certificate in them.
    struct Files {
        folder: TempDir,
        changes: u64,
    }

    impl Files {
        fn new() -> Self {
            Self { folder: tempfile::tempdir().unwrap(), changes: 0 }
        }

        fn config(&self) -> TlsConfig {
            TlsConfig {
                bind: Some(([127, 0, 0, 1], 0).into()),
                certificate_file: Some(self.folder.path().join("tls.pem")),
                private_key_file: Some(self.folder.path().join("tls.key")),
                ..TlsConfig::default()
            }
        }

        fn write(&mut self, name: &str, text: &str) {
            self.changes += 1;
            let file = self.folder.path().join(name);
            std::fs::write(&file, text).unwrap();
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(self.changes);
            std::fs::File::options().write(true).open(file).unwrap().set_modified(time).unwrap();
        }
    }

    fn made() -> CertifiedKey<KeyPair> {
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap()
    }

    fn now() -> DateTime<Utc> {
        "2026-01-01T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn files_that_do_not_fit_each_other_leave_the_certificate_before_in_place() {
        let mut files = Files::new();
        let (first, second) = (made(), made());
        files.write("tls.pem", &first.cert.pem());
        files.write("tls.key", &first.signing_key.serialize_pem());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let own = OwnCertificate::load(&files.config(), &provider, now()).unwrap().unwrap();
        let mut refused = None;
        let mut shown_after_reload = |is_refused: bool| {
            let before = refused;
            own.reload(&mut refused, now());
            assert_eq!(refused != before, is_refused);
            own.current.load().key.end_entity_cert().unwrap().to_vec()
        };
        for wrong in ["", &second.cert.pem()] {
            files.write("tls.pem", wrong);
            assert_eq!(shown_after_reload(true), first.cert.der().to_vec());
            assert_eq!(shown_after_reload(false), first.cert.der().to_vec());
        }
        files.write("tls.key", &second.signing_key.serialize_pem());
        assert_eq!(shown_after_reload(false), second.cert.der().to_vec());
        std::fs::remove_file(files.folder.path().join("tls.pem")).unwrap();
        assert_eq!(shown_after_reload(true), second.cert.der().to_vec());
    }

    #[test]
    fn each_wrong_file_is_named_with_its_mend() {
        let mut files = Files::new();
        let (good, other) = (made(), made());
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2025, 12, 31);
        let ended = params.self_signed(&good.signing_key).unwrap().pem();
        let (cert, key) = (good.cert.pem(), good.signing_key.serialize_pem());
        let other_key = other.signing_key.serialize_pem();
        let no_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (certificate, key, wrong) in [
            (cert.as_str(), key.as_str(), None),
            ("", &key, Some(("tls.certificate_file", "has no certificate"))),
            (no_der, &key, Some(("tls.certificate_file", "has no certificate"))),
            ("-----BEGIN CERTIFICATE-----\n!", &key, Some(("tls.certificate_file", "cannot be read: "))),
            (&cert, "", Some(("tls.private_key_file", "cannot be read: "))),
            (&cert, &cert, Some(("tls.private_key_file", "cannot be read: "))),
            (&cert, &other_key, Some(("tls.certificate_file", "is not for the key in tls.private_key_file"))),
            (&ended, &key, Some(("tls.certificate_file", "begins with a certificate that is out of its time"))),
        ] {
            files.write("tls.pem", certificate);
            files.write("tls.key", key);
            let found = check(&files.config(), now()).err();
            match (&found, wrong) {
                (None, None) => {}
                (Some(found), Some((key, problem))) => {
                    assert!(found.key == key && found.problem.starts_with(problem), "{found:?}");
                    assert!(!found.mend.is_empty());
                }
                _ => panic!("{found:?} {wrong:?}"),
            }
        }
        for name in ["tls.pem", "tls.key"] {
            let files = Files::new();
            let mut config = files.config();
            if name == "tls.key" {
                std::fs::write(files.folder.path().join("tls.pem"), &cert).unwrap();
            }
            assert!(check(&config, now()).unwrap_err().problem.starts_with("cannot be read: "), "{name}");
            // Without a listener nothing is looked at.
            config.bind = None;
            assert_eq!(check(&config, now()), Ok(()));
        }
    }
}
