//! `/client-logo`: a client's logo, fetched by us and kept for a while, so that signing in somewhere tells the application's
//! host nothing about who looks at the page, and the page loads nothing from elsewhere.

use std::time::{Duration, Instant};

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderName, StatusCode};
use moka::Expiry;
use moka::future::Cache;

use crate::app::App;
use crate::config::OutboundPurpose;
use crate::http::form::OAuthQuery;
use crate::http::pages::locale::Locale;
use crate::http::pages::view::ClientView;
use crate::model::id::ClientId;
use crate::protocol::error::OAuthError;

/// At most 256 logos of at most 64 KiB, each fetched once in ten minutes however often it is asked for.
const MOST: u64 = 256;
const KEPT: Duration = Duration::from_secs(600);

/// What could not be had is tried again sooner: it may have been the network.
const ABSENT: Duration = Duration::from_secs(60);

/// The logos fetched of late, by address; `None` for one that could not be had.
#[derive(Clone)]
pub struct Logos(Cache<String, Fetched>);

type Fetched = Option<(&'static str, Bytes)>;

struct AbsentSooner;

impl Expiry<String, Fetched> for AbsentSooner {
    fn expire_after_create(&self, _: &String, fetched: &Fetched, _: Instant) -> Option<Duration> {
        Some(if fetched.is_some() { KEPT } else { ABSENT })
    }
}

/// The layer that keeps them.
pub fn cache() -> Extension<Logos> {
    Extension(Logos(Cache::builder().max_capacity(MOST).expire_after(AbsentSooner).build()))
}

/// The logo of the client that the query names.
pub async fn get(
    State(app): State<App>,
    Extension(Logos(logos)): Extension<Logos>,
    OAuthQuery(form): OAuthQuery,
) -> Result<Response, OAuthError> {
    let client_id = form.required("client_id", "the parameter client_id is missing")?;
    let Some(client) = app.registry.find_client(&ClientId::new(client_id), app.clock.now()).await? else {
        return Ok((StatusCode::NOT_FOUND, lasting(ABSENT)).into_response());
    };
    let fetched = match &client.settings.logo_uri {
        Some(uri) => logos.get_with_by_ref(uri, fetch(&app, uri)).await,
        None => None,
    };
    Ok(match fetched {
        Some((content_type, bytes)) => (lasting(KEPT), [(CONTENT_TYPE, content_type)], bytes).into_response(),
        // A browser shows it all the same, where it would show that something is broken.
        None => {
            let initial = ClientView::of(&client, Locale::default()).initial;
            (StatusCode::NOT_FOUND, lasting(ABSENT), [(CONTENT_TYPE, "image/svg+xml")], tile(&initial)).into_response()
        }
    })
}

fn lasting(time: Duration) -> [(HeaderName, String); 2] {
    let policy = "default-src 'none'; sandbox".to_owned();
    [(CACHE_CONTROL, format!("public, max-age={}", time.as_secs())), (CONTENT_SECURITY_POLICY, policy)]
}

/// What pages show of a client without a logo, as a picture. `initial` is a letter or a digit.
fn tile(initial: &str) -> String {
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 44 44"><rect width="44" height="44" fill="#e6efec"/><text x="22" y="29" text-anchor="middle" font-family="Georgia, serif" font-size="20" font-weight="600" fill="#17605a">{initial}</text></svg>"##
    )
}

async fn fetch(app: &App, uri: &str) -> Fetched {
    match app.fetch.get_bytes(OutboundPurpose::ClientLogo, uri, "image/png, image/webp, image/jpeg, image/gif").await {
        Ok((_, bytes)) => image_type(&bytes).map(|content_type| (content_type, bytes)),
        Err(error) => {
            tracing::info!(%error, "a client's logo could not be fetched");
            None
        }
    }
}

/// The media types that are served, by what the bytes begin with: the sender's word for it is not taken.
fn image_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        // The four bytes in between are a length; sounds and films begin with RIFF too.
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pictures_are_served() {
        assert_eq!(image_type(b"\x89PNG\r\n\x1a\n...."), Some("image/png"));
        assert_eq!(image_type(b"\xff\xd8\xff\xe0"), Some("image/jpeg"));
        assert_eq!(image_type(b"<svg onload=alert(1)>"), None);
        assert_eq!(image_type(b"<!doctype html>"), None);
        assert_eq!(image_type(b"GIF89a...."), Some("image/gif"));
        assert_eq!(image_type(b"GIF8 is no version"), None);
        assert_eq!(image_type(b"RIFF....WEBPVP8 "), Some("image/webp"));
        assert_eq!(image_type(b"RIFF....WAVEfmt "), None);
        assert_eq!(image_type(b""), None);
    }

    #[test]
    fn what_could_not_be_had_is_tried_again_sooner() {
        let kept = |fetched: Fetched| AbsentSooner.expire_after_create(&String::new(), &fetched, Instant::now());
        assert_eq!(kept(Some(("image/png", Bytes::new()))), Some(KEPT));
        assert_eq!(kept(None), Some(ABSENT));
    }
}
