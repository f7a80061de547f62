//! Certificates of clients (RFC 8705).

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where certificates of clients come from, and who may vouch for them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MtlsConfig {
    /// How the proxies of `server.trusted_proxy_cidrs` pass on the certificate of a client.
    pub header: ClientCertificateHeader,
    /// A PEM file of the authorities that vouch for clients with `tls_client_auth`; absent: nobody does.
    pub client_ca_file: Option<PathBuf>,
    /// Where clients reach this server if they show a certificate; absent: at the issuer.
    pub alias_base_url: Option<String>,
}

/// The header in which a trusted proxy passes on the certificate of the connection that it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientCertificateHeader {
    /// None is believed.
    #[default]
    None,
    /// `Client-Cert` and `Client-Cert-Chain` (RFC 9440).
    ClientCert,
    /// `X-SSL-Client-Cert`, with what nginx has as `$ssl_client_escaped_cert`.
    Nginx,
    /// `X-Forwarded-Client-Cert` of Envoy.
    Envoy,
    /// `X-Forwarded-Tls-Client-Cert` of Traefik.
    Traefik,
}

impl MtlsConfig {
    /// The address of `path` (with its leading slash) for clients that show a certificate, if there is another than at the
    /// issuer.
    pub fn alias(&self, path: &str) -> Option<String> {
        let base = self.alias_base_url.as_deref()?.trim_end_matches('/');
        Some(format!("{base}{path}"))
    }
}
