//! The certificate authorities that are believed about clients (RFC 8705 section 2.1): those of `mtls.client_ca_file`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use crate::protocol::mtls::Certificate;

/// Why the authorities cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClientAuthoritiesError {
    /// The file.
    #[error("it has no readable PEM certificates")]
    File(#[source] rustls::pki_types::pem::Error),
    /// A certificate in it.
    #[error("a certificate in it is none of an authority")]
    Certificate(#[source] rustls::Error),
    /// All of them together.
    #[error("its certificates cannot be used")]
    Unusable(#[source] rustls::server::VerifierBuilderError),
}

/// Who may vouch for clients; nobody by default.
#[derive(Debug, Default)]
pub struct ClientAuthorities(Option<Arc<dyn ClientCertVerifier>>);

impl ClientAuthorities {
    /// Those in a PEM file.
    pub fn load(file: Option<&Path>) -> Result<Self, ClientAuthoritiesError> {
        let Some(file) = file else { return Ok(Self::default()) };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(file).map_err(ClientAuthoritiesError::File)? {
            let certificate = certificate.map_err(ClientAuthoritiesError::File)?;
            roots.add(certificate).map_err(ClientAuthoritiesError::Certificate)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
        Ok(Self(Some(verifier.map_err(ClientAuthoritiesError::Unusable)?)))
    }

    /// Whether one of them issued the certificate, for a client, and it is in its time.
    pub fn has_issued(&self, certificate: &Certificate, now: DateTime<Utc>) -> bool {
        let Some(verifier) = &self.0 else { return false };
        let Ok(seconds) = u64::try_from(now.timestamp()) else { return false };
        let chain: Vec<_> = certificate.chain().iter().map(|der| CertificateDer::from(der.as_slice())).collect();
        let own = CertificateDer::from(certificate.der());
        let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        verifier.verify_client_cert(&own, &chain, now).is_ok()
    }
}
