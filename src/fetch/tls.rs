//! Whom we believe over TLS: the machine's certificate authorities and those of `outbound.extra_ca_file`.

use std::error::Error;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

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
    let machine = rustls_native_certs::load_native_certs();
    if machine.certs.is_empty() {
        tracing::warn!(
            errors = machine.errors.len(),
            "this machine has no certificate authorities: outbound https fails"
        );
    }
    roots.add_parsable_certificates(machine.certs);
    for certificate in extra_ca(config)? {
        roots.add(certificate).map_err(|error| FetchConfigError::ExtraCa(error.into()))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(FetchConfigError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
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
