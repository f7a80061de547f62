//! The certificates of `outbound.extra_ca_file`, and what each is believed for.
//!
//! An authority is believed for whatever it signed. A server's own certificate is believed for the names that are in it, and
//! for nothing that was signed with its key: who lists the certificate of one server does not let it speak for all others.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use super::FetchConfigError;
use crate::config::OutboundException;

/// Believes what an authority signed, and the listed certificates themselves.
#[derive(Debug)]
pub(super) struct ListedOrSigned {
    /// Absent if there is no authority at all.
    authorities: Option<Arc<WebPkiServerVerifier>>,
    listed: Vec<Listed>,
    /// A certificate that names nobody is believed for the hosts of these alone.
    exceptions: Vec<OutboundException>,
    provider: Arc<CryptoProvider>,
}

/// A certificate, and how it is judged as if it were the only one in the world.
#[derive(Debug)]
struct Listed {
    certificate: CertificateDer<'static>,
    itself: Arc<WebPkiServerVerifier>,
}

impl ListedOrSigned {
    /// Believes the authorities among `listed` beside those of the machine, and the others for themselves.
    pub(super) fn new(
        mut roots: RootCertStore,
        listed: Vec<CertificateDer<'static>>,
        exceptions: &[OutboundException],
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, FetchConfigError> {
        let mut own = Vec::new();
        for certificate in listed {
            let mut alone = RootCertStore::empty();
            alone.add(certificate.clone()).map_err(|error| FetchConfigError::ExtraCa(error.into()))?;
            if is_authority(&certificate, exceptions)? {
                roots.add(certificate.clone()).map_err(|error| FetchConfigError::ExtraCa(error.into()))?;
            }
            own.push(Listed { certificate, itself: verifier(alone, &provider)? });
        }
        let authorities = if roots.is_empty() { None } else { Some(verifier(roots, &provider)?) };
        Ok(Self { authorities, listed: own, exceptions: exceptions.to_vec(), provider })
    }

    /// Whether it is for that host. The common name is no name of a host (RFC 9525 section 2): a certificate with nothing else is
    /// for whom the operator made an exception.
    fn names(&self, certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> Result<bool, rustls::Error> {
        match verify_server_name(&ParsedCertificate::try_from(certificate)?, name) {
            Ok(()) => Ok(true),
            Err(rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. })) => {
                Ok(presented.is_empty()
                    && self.exceptions.iter().any(|exception| exception.is_for_host(&name.to_str())))
            }
            Err(_) => Ok(false),
        }
    }
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
        let signed = match &self.authorities {
            Some(authorities) => authorities.verify_server_cert(certificate, intermediates, name, ocsp_response, now),
            None => Err(CertificateError::UnknownIssuer.into()),
        };
        let Some(listed) = self.listed.iter().find(|listed| listed.certificate == *certificate) else { return signed };
        if signed.is_ok() {
            return signed;
        }
        match listed.itself.verify_server_cert(certificate, &[], name, ocsp_response, now) {
            // What has no name of its own there, such as an authority in the place of a server, which is looked at after the
            // dates; a name that is missing, after everything else.
            Err(
                refusal @ rustls::Error::InvalidCertificate(
                    CertificateError::Other(_) | CertificateError::NotValidForNameContext { .. },
                ),
            ) => {
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
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn verifier(
    roots: RootCertStore,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, FetchConfigError> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| FetchConfigError::ExtraCa(error.into()))
}

/// Whether it signs others (RFC 5280 section 4.2.1.9). Many programs write into the certificate of every server that it is an
/// authority, so that is not enough: one with the name of a host is that host's. One without any name is a host's if it is
/// called like one of the exceptions and is not said to sign certificates.
fn is_authority(certificate: &CertificateDer<'_>, exceptions: &[OutboundException]) -> Result<bool, FetchConfigError> {
    let (_, certificate) =
        X509Certificate::from_der(certificate).map_err(|error| FetchConfigError::ExtraCa(error.into()))?;
    let broken = |error: x509_parser::error::X509Error| FetchConfigError::ExtraCa(error.into());
    let is_ca = certificate.basic_constraints().map_err(broken)?.is_some_and(|constraints| constraints.value.ca);
    let names = certificate.subject_alternative_name().map_err(broken)?;
    let is_host = |name: &GeneralName<'_>| matches!(name, GeneralName::DNSName(_) | GeneralName::IPAddress(_));
    let has_host = names.is_some_and(|names| names.value.general_names.iter().any(is_host));
    let usage = certificate.key_usage().map_err(broken)?.map(|usage| usage.value.key_cert_sign());
    let is_called_like_host = || {
        let mut names = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
        names.any(|name| exceptions.iter().any(|exception| exception.is_for_host(name)))
    };
    Ok(is_ca && !has_host && usage.unwrap_or_else(|| !is_called_like_host()))
}
