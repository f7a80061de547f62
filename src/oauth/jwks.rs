//! `/jwks.json` (RFC 7517 section 5): the public keys, as bytes that were made when the keys last changed.
//!
//! Anybody may have them. So that a rotation can be planned it is noted who fetched them last: a client that is configured with
//! `/jwks.json?client_id=<its id>` by that name, which nobody proves, others by a part of their network and their program.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::HeaderMap;
use http::header::USER_AGENT;

use crate::app::App;
use crate::http::client_ip::ClientIp;
use crate::http::document;
use crate::keys::lifecycle::RotationPolicy;
use crate::model::id::ClientId;
use crate::model::jwks_fetch::Fetcher;

const LONGEST_CLIENT_ID: usize = 512;
const LONGEST_AGENT: usize = 40;

/// The key set.
pub async fn get(State(app): State<App>, ip: ClientIp, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    app.keys.fetches().note(fetcher(query.as_deref(), ip, &headers), &ip.part(), app.clock.now());
    let keyset = app.keys.current();
    let jwks = keyset.jwks();
    let max_age = RotationPolicy::cache_lifetime(app.config.keys.rotation.prepublish);
    document::send(&headers, &jwks.body, &jwks.etag, max_age)
}

fn fetcher(query: Option<&str>, ip: ClientIp, headers: &HeaderMap) -> Fetcher {
    let mut pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    match pairs.find(|(name, _)| name == "client_id") {
        // Postgres takes no NUL.
        Some((_, id)) if !id.is_empty() && id.len() <= LONGEST_CLIENT_ID && !id.contains('\0') => {
            Fetcher::Client(ClientId::new(id.into_owned()))
        }
        Some(_) | None => Fetcher::Unnamed { network: ip.part(), agent: agent(headers) },
    }
}

/// The product (RFC 9110 section 10.1.5) without its version: what a stranger writes there ends up before an operator's eyes.
fn agent(headers: &HeaderMap) -> String {
    let text = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_word = |c: &char| c.is_ascii_alphanumeric() || "-_.".contains(*c);
    let product: String = text.chars().take_while(is_word).take(LONGEST_AGENT).collect();
    if product.is_empty() { "unknown".to_owned() } else { product }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_fetches_is_known_as_well_as_he_says() {
        let ip = |text: &str| ClientIp(text.parse().unwrap());
        let agent = |text: &str| HeaderMap::from_iter([(USER_AGENT, text.parse().unwrap())]);
        let named = |query| fetcher(Some(query), ip("10.1.2.3"), &HeaderMap::new());
        assert_eq!(
            named("x=1&client_id=https%3A%2F%2Fa.example%2F"),
            Fetcher::Client(ClientId::new("https://a.example/"))
        );
        let unnamed = |network: &str, agent: &str| Fetcher::Unnamed { network: network.into(), agent: agent.into() };
        for query in ["client_id=", "client_id=%00", "Client_id=a", &format!("client_id={}", "a".repeat(513))] {
            assert_eq!(named(query), unnamed("10.1.2.0/24", "unknown"), "{query}");
        }
        let others = [("python-requests/2.31 (x)", "python-requests"), ("\u{1b}[31m", "unknown"), ("Java", "Java")];
        for (text, product) in others {
            let headers = HeaderMap::from_iter(
                [(USER_AGENT, http::HeaderValue::from_bytes(text.as_bytes()).ok())]
                    .into_iter()
                    .filter_map(|(name, value)| Some((name, value?))),
            );
            assert_eq!(fetcher(None, ip("2001:db8:1:2::3"), &headers), unnamed("2001:db8:1::/48", product));
        }
        assert_eq!(fetcher(None, ip("10.1.2.3"), &agent(&"a".repeat(99))), unnamed("10.1.2.0/24", &"a".repeat(40)));
    }
}
