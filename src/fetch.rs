//! The one outbound HTTP client: whatever address a client registered, it cannot be turned against the inside.
//!
//! 1. Only https; no user info; no redirects; no proxies from the environment; no retries.
//! 2. The name is resolved here and every address is judged by `address`; only the addresses that passed are
//!    dialled, so a name that changes its mind between the check and the call gains nothing.
//! 3. An exception of the configuration, for one purpose, host, port and network, admits an address that is not public, and
//!    where it says so plain http.
//! 4. An answer is at most [`BODY_LIMIT`] long and comes within [`TIMEOUT`]. Nothing of it is ever repeated in an error.

mod address;
mod target;
mod tls;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Client, Request, Response, StatusCode, redirect, retry};
use rustls::ClientConfig;
use url::Url;

use self::target::{Names, Target};
pub use self::tls::FetchConfigError;
use crate::config::{OutboundConfig, OutboundException, OutboundPurpose};

/// The longest body that is read.
pub const BODY_LIMIT: usize = 64 * 1024;

/// How long a call may take, from the resolution of the name to the end of the body.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// Why a call failed. None of them holds anything that the other side sent.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Not an address that is called at all.
    #[error("the address is refused: {0}")]
    Refused(&'static str),
    /// The name is unknown.
    #[error("the name cannot be resolved")]
    Unresolved(#[source] io::Error),
    /// It took too long.
    #[error("there was no answer in time")]
    TimedOut,
    /// Connecting, TLS or HTTP failed.
    #[error("the call failed")]
    Failed(#[source] reqwest::Error),
    /// Another status than a success; a redirect is one too.
    #[error("the answer has the status {0}")]
    Status(u16),
    /// The body is longer than what is asked for may be, at most [`BODY_LIMIT`].
    #[error("the answer is too long")]
    TooLong,
}

/// What is at an address.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Its media type, as the sender calls it.
    pub media_type: String,
    /// How long it may be kept (RFC 9111 section 5.2.2), if the sender says so.
    pub cache_control: Option<String>,
    /// The bytes.
    pub body: Bytes,
}

/// Outbound HTTP.
#[derive(Clone)]
pub struct Fetch(Arc<Inner>);

struct Inner {
    tls: ClientConfig,
    allow: Vec<OutboundException>,
    names: Names,
    timeout: Duration,
}

impl Fetch {
    /// A client that believes the machine's certificate authorities and those of `outbound.extra_ca_file`.
    pub fn new(config: &OutboundConfig) -> Result<Self, FetchConfigError> {
        Self::with_names(config, Names::System, TIMEOUT)
    }

    fn with_names(config: &OutboundConfig, names: Names, timeout: Duration) -> Result<Self, FetchConfigError> {
        Ok(Self(Arc::new(Inner { tls: tls::client(config)?, allow: config.allow.clone(), names, timeout })))
    }

    /// Posts a form; the status of the answer, whatever it is. The body is not read.
    pub async fn post_form(
        &self,
        purpose: OutboundPurpose,
        url: &str,
        form: &[(&str, &str)],
    ) -> Result<u16, FetchError> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let call = async {
            let (client, url) = self.prepare(purpose, url).await?;
            let request = client
                .post(url)
                .header(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
                .body(body)
                .build()
                .map_err(failed)?;
            Ok(send(&client, request).await?.status().as_u16())
        };
        self.in_time(call).await
    }

    /// Posts JSON, with a bearer token (RFC 6750 section 2.1) if there is one; the status of the answer, whatever it is. The body is
    /// not read.
    pub async fn post_json(
        &self,
        purpose: OutboundPurpose,
        url: &str,
        bearer: Option<&str>,
        body: &serde_json::Value,
    ) -> Result<u16, FetchError> {
        let call = async {
            let (client, url) = self.prepare(purpose, url).await?;
            let json = HeaderValue::from_static("application/json");
            let request = client.post(url).header(CONTENT_TYPE, json).body(body.to_string());
            // Marked as sensitive by reqwest: no log shows it.
            let request = match bearer {
                Some(token) => request.bearer_auth(token),
                None => request,
            };
            Ok(send(&client, request.build().map_err(failed)?).await?.status().as_u16())
        };
        self.in_time(call).await
    }

    /// Gets a body and its media type.
    pub async fn get_bytes(
        &self,
        purpose: OutboundPurpose,
        url: &str,
        accept: &'static str,
    ) -> Result<(String, Bytes), FetchError> {
        let (_, fetched) = self.get(purpose, url, accept, BODY_LIMIT).await?;
        Ok((fetched.media_type, fetched.body))
    }

    /// Gets what is of `longest` bytes at most, and with 200 and no other status of success.
    pub async fn get_document(
        &self,
        purpose: OutboundPurpose,
        url: &str,
        accept: &'static str,
        longest: usize,
    ) -> Result<Fetched, FetchError> {
        match self.get(purpose, url, accept, longest.min(BODY_LIMIT)).await? {
            (StatusCode::OK, fetched) => Ok(fetched),
            (status, _) => Err(FetchError::Status(status.as_u16())),
        }
    }

    async fn get(
        &self,
        purpose: OutboundPurpose,
        url: &str,
        accept: &'static str,
        longest: usize,
    ) -> Result<(StatusCode, Fetched), FetchError> {
        let call = async {
            let (client, url) = self.prepare(purpose, url).await?;
            let request = client.get(url).header(ACCEPT, HeaderValue::from_static(accept)).build().map_err(failed)?;
            let response = send(&client, request).await?;
            let status = response.status();
            if !status.is_success() {
                return Err(FetchError::Status(status.as_u16()));
            }
            let header = |name: HeaderName| {
                let value = response.headers().get(name).and_then(|value| value.to_str().ok());
                value.map(ToOwned::to_owned)
            };
            let (media_type, cache_control) = (header(CONTENT_TYPE).unwrap_or_default(), header(CACHE_CONTROL));
            Ok((status, Fetched { media_type, cache_control, body: read(response, longest).await? }))
        };
        self.in_time(call).await
    }

    /// Judges the address and makes a client that can reach nothing else. Each call has its own, so that no connection that
    /// was opened for one purpose is reused for another.
    async fn prepare(&self, purpose: OutboundPurpose, url: &str) -> Result<(Client, Url), FetchError> {
        let target = Target::parse(url)?;
        let found = self.0.names.resolve(&target).await.map_err(FetchError::Unresolved)?;
        let exceptions: Vec<&OutboundException> =
            self.0.allow.iter().filter(|exception| target.is_meant_by(exception, purpose)).collect();
        let addresses: Vec<SocketAddr> = found
            .into_iter()
            .map(|ip| ip.to_canonical())
            .filter(|ip| target.admits(*ip, &exceptions))
            .map(|ip| SocketAddr::new(ip, target.port))
            .collect();
        if addresses.is_empty() {
            return Err(FetchError::Refused("it is not public and no exception of outbound.allow admits it"));
        }
        Ok((self.client(addresses)?, target.url))
    }

    /// One limit around everything: reqwest's own begins only after the name was resolved.
    async fn in_time<T>(&self, call: impl Future<Output = Result<T, FetchError>>) -> Result<T, FetchError> {
        tokio::time::timeout(self.0.timeout, call).await.unwrap_or(Err(FetchError::TimedOut))
    }

    fn client(&self, addresses: Vec<SocketAddr>) -> Result<Client, FetchError> {
        Client::builder()
            .tls_backend_preconfigured(self.0.tls.clone())
            .dns_resolver(Checked(addresses))
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy()
            .referer(false)
            .http1_only()
            .pool_max_idle_per_host(0)
            .user_agent("ostiary")
            .build()
            .map_err(failed)
    }
}

/// Answers every name with the addresses that were judged. (An address written as such is never looked up: the one in the
/// URL is the one that was judged.)
struct Checked(Vec<SocketAddr>);

impl Resolve for Checked {
    fn resolve(&self, _name: Name) -> Resolving {
        let addresses: Addrs = Box::new(self.0.clone().into_iter());
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

async fn send(client: &Client, request: Request) -> Result<Response, FetchError> {
    client.execute(request).await.map_err(failed)
}

async fn read(mut response: Response, longest: usize) -> Result<Bytes, FetchError> {
    let mut body = BytesMut::new();
    while let Some(part) = response.chunk().await.map_err(failed)? {
        if body.len() + part.len() > longest {
            return Err(FetchError::TooLong);
        }
        body.extend_from_slice(&part);
    }
    Ok(body.freeze())
}

fn failed(error: reqwest::Error) -> FetchError {
    // The URL may hold what a client would not like to see in a log.
    FetchError::Failed(error.without_url())
}

impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetch").field("allow", &self.0.allow).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests;
