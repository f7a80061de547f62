//! TLS of this server's own, for installations without a proxy in front.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where the server speaks TLS itself, beside `server.bind`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// The address and port for everybody; absent: none.
    pub bind: Option<SocketAddr>,
    /// The address and port for clients that show a certificate; absent: none. Another than `bind`: a browser would ask the
    /// person for a certificate.
    pub mtls_bind: Option<SocketAddr>,
    /// A PEM file of the server's certificate and those between it and an authority. Read again when it changes.
    pub certificate_file: Option<PathBuf>,
    /// A PEM file of its private key.
    pub private_key_file: Option<PathBuf>,
}

impl TlsConfig {
    /// Whether the server speaks TLS anywhere.
    pub fn is_used(&self) -> bool {
        self.bind.is_some() || self.mtls_bind.is_some()
    }
}
