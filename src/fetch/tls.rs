//! Whom we believe over TLS: the machine's certificate authorities and those of `outbound.extra_ca_file`.
//!
//! A server on a private network often shows a certificate that nobody else signed. The usual check refuses it as a server's,
//! whoever lists it, because it says of itself that it is an authority. Listed in the file to the byte it is believed here, for
//! the names that are in it and while its time lasts; the handshake proves that the server has its key. It is believed for
//! nothing else: what is signed with its key is worth nothing.

// What a listed certificate is believed for.
mod listed;

use std::error::Error;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use self::listed::ListedOrSigned;
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
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(FetchConfigError::Tls)?
        .with_root_certificates(roots.clone())
        .with_no_client_auth();
    if !listed.is_empty() {
        let verifier = ListedOrSigned::new(roots, listed, &config.allow, provider)?;
        tls.dangerous().set_certificate_verifier(Arc::new(verifier));
    }
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(tls)
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
