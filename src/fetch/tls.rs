//! Whom we believe over TLS: the machine's certificate authorities and those of `outbound.extra_ca_file`.
//!
//! A server on a private network often shows a certificate that nobody else signed. The usual check refuses it as a server's,
//! whoever lists it, because it says of itself that it is an authority. Listed in the file to the byte it is believed here, for
//! the names that are in it and while its time lasts; the handshake proves that the server has its key.

use std::error::Error;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::config::OutboundConfig;

/// Why the client could not be made.
#[derive(Debug, thiserror::Error)]
pub enum FetchConfigError {
    /// The file of further certificate authorities.
    #[error("outbound.extra_ca_file has no readable PEM certificates")]
    ExtraCa(#[source] Box<dyn Error + Send + Sync>),
    /// TLS itself.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

pub(super) fn client(config: &OutboundConfig) -> Result<ClientConfig, FetchConfigError> {
    let mut roots = RootCertStore::empty();
    let listed = extra_ca(config)?;
    let machine = rustls_native_certs::load_native_certs();
    if machine.certs.is_empty() {
        tracing::warn!(
            errors = machine.errors.len(),
            "this machine has no certificate authorities: outbound https fails"
        );
    }
    roots.add_parsable_certificates(machine.certs);
    for certificate in &listed {
        roots.add(certificate.clone()).map_err(|error| FetchConfigError::ExtraCa(error.into()))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(FetchConfigError::Tls)?
        .with_root_certificates(roots.clone())
        .with_no_client_auth();
    if !listed.is_empty() {
        let authorities = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| FetchConfigError::ExtraCa(error.into()))?;
        let hosts = config.allow.iter().map(|exception| exception.host.clone()).collect();
        tls.dangerous().set_certificate_verifier(Arc::new(ListedOrSigned { authorities, listed, hosts }));
    }
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(tls)
}

/// Believes what an authority signed, and the listed certificates themselves.
#[derive(Debug)]
struct ListedOrSigned {
    authorities: Arc<WebPkiServerVerifier>,
    listed: Vec<CertificateDer<'static>>,
    /// Those of the exceptions: a certificate that names nobody is believed for them alone.
    hosts: Vec<String>,
}

impl ServerCertVerifier for ListedOrSigned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let judged = self.authorities.verify_server_cert(certificate, intermediates, name, ocsp_response, now);
        match judged {
            // What has no name of its own there, such as an authority in the place of a server, which is looked at after the
            // dates; a name that is missing, after everything else.
            Err(
                refusal @ rustls::Error::InvalidCertificate(
                    CertificateError::Other(_) | CertificateError::NotValidForNameContext { .. },
                ),
            ) if self.listed.contains(certificate) => {
                if self.names(certificate, name)? {
                    Ok(ServerCertVerified::assertion())
                } else {
                    Err(refusal)
                }
            }
            judged => judged,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.authorities.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.authorities.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}

impl ListedOrSigned {
    /// Whether it is for that host. The common name is no name of a host (RFC 9525 section 2): a certificate with nothing else is
    /// for whom the operator made an exception.
    fn names(&self, certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> Result<bool, rustls::Error> {
        match verify_server_name(&ParsedCertificate::try_from(certificate)?, name) {
            Ok(()) => Ok(true),
            Err(rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. })) => {
                Ok(presented.is_empty() && self.hosts.iter().any(|host| host.as_str() == name.to_str()))
            }
            Err(_) => Ok(false),
        }
    }
}

fn extra_ca(config: &OutboundConfig) -> Result<Vec<CertificateDer<'static>>, FetchConfigError> {
    let Some(path) = &config.extra_ca_file else {
        return Ok(Vec::new());
    };
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    match certificates {
        Ok(certificates) if certificates.is_empty() => {
            Err(FetchConfigError::ExtraCa("the file holds no certificate".into()))
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(FetchConfigError::ExtraCa(error.into())),
    }
}
