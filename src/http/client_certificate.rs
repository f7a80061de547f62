//! The certificate that a client showed when it connected (RFC 8705 section 2): to this server itself, or to a proxy in front
//! that passes it on in a header.
//!
//! A header is read only if the peer of the connection is a trusted proxy: from anybody else it is as if it were not there.
//! Such a proxy must remove what clients send under that name. What is sent twice or cannot be read is refused, because
//! nobody can say then whose certificate it is.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use http::HeaderMap;
use http::request::Parts;

use crate::app::App;
use crate::config::ClientCertificateHeader;
use crate::protocol::error::OAuthError;
use crate::protocol::mtls::{Certificate, header};

/// The client's certificate, if it showed one. That it has the key was proven in the handshake; nothing else is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate(pub Option<Certificate>);

/// What a client showed in the handshake with this server itself, its own certificate first, each in DER.
#[derive(Clone, Debug)]
pub struct ShownInHandshake(pub Arc<Vec<Vec<u8>>>);

impl ClientCertificate {
    /// The certificate.
    pub fn as_ref(&self) -> Option<&Certificate> {
        self.0.as_ref()
    }

    fn passed_on(headers: &HeaderMap, form: ClientCertificateHeader) -> Result<Self, OAuthError> {
        let value = |name: &str| one(headers, name);
        let shown = match form {
            ClientCertificateHeader::None => None,
            ClientCertificateHeader::ClientCert => {
                let chain = headers.get_all("client-cert-chain").iter();
                let chain: Result<Vec<_>, _> = chain.map(|line| line.to_str().map_err(|_| unreadable())).collect();
                let chain = chain?;
                value("client-cert")?.map(|certificate| header::client_cert(certificate, &chain))
            }
            ClientCertificateHeader::Nginx => value("x-ssl-client-cert")?.map(header::nginx),
            ClientCertificateHeader::Envoy => value("x-forwarded-client-cert")?.map(header::envoy),
            ClientCertificateHeader::Traefik => value("x-forwarded-tls-client-cert")?.map(header::traefik),
        };
        let Some(shown) = shown else { return Ok(Self(None)) };
        shown.and_then(Certificate::parse).map(|certificate| Self(Some(certificate))).ok_or_else(unreadable)
    }
}

/// The value of a header that may be there once; an empty one says that no certificate was shown.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, OAuthError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(OAuthError::invalid_request("the header of the client certificate is there more than once"));
    }
    let value = value.to_str().map_err(|_| unreadable())?;
    Ok(Some(value).filter(|value| !value.is_empty()))
}

fn unreadable() -> OAuthError {
    OAuthError::invalid_request("the client certificate cannot be read")
}

impl FromRequestParts<App> for ClientCertificate {
    type Rejection = OAuthError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, OAuthError> {
        let trusted = &app.config.server.trusted_proxy_cidrs;
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
        let is_trusted = peer.is_some_and(|peer| trusted.iter().any(|network| network.contains(&peer)));
        let header = app.config.mtls.header;
        // A proxy may show a certificate of its own to us: it is nobody's who asks through it.
        if is_trusted {
            return Self::passed_on(&parts.headers, header);
        }
        match parts.extensions.get::<ShownInHandshake>() {
            None => Ok(Self(None)),
            Some(ShownInHandshake(shown)) => {
                Certificate::parse(shown.to_vec()).map(|shown| Self(Some(shown))).ok_or_else(unreadable)
            }
        }
    }
}
