//! `/client-logo`: a client's logo, fetched by us and kept for a while, so that signing in somewhere tells the application's
//! host nothing about who looks at the page, and the page loads nothing from elsewhere.

use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use moka::future::Cache;

use crate::app::App;
use crate::config::OutboundPurpose;
use crate::http::form::OAuthQuery;
use crate::model::id::ClientId;
use crate::protocol::error::OAuthError;

/// The media types that are served, by what the bytes begin with: the sender's word for it is not taken.
const TYPES: [(&str, &[u8]); 4] = [
    ("image/png", b"\x89PNG\r\n\x1a\n"),
    ("image/jpeg", b"\xff\xd8\xff"),
    ("image/gif", b"GIF8"),
    ("image/webp", b"RIFF"),
];

/// At most 256 logos of at most 64 KiB, each fetched once in ten minutes however often it is asked for.
const MOST: u64 = 256;
const KEPT: Duration = Duration::from_secs(600);

/// The logos fetched of late, by address; `None` for one that could not be had.
#[derive(Clone)]
pub struct Logos(Cache<String, Option<(&'static str, Bytes)>>);

/// The layer that keeps them.
pub fn cache() -> Extension<Logos> {
    Extension(Logos(Cache::builder().max_capacity(MOST).time_to_live(KEPT).build()))
}

/// The logo of the client that the query names.
pub async fn get(
    State(app): State<App>,
    Extension(Logos(logos)): Extension<Logos>,
    OAuthQuery(form): OAuthQuery,
) -> Result<Response, OAuthError> {
    let client_id = form.required("client_id", "the parameter client_id is missing")?;
    let client = app.registry.find_client(&ClientId::new(client_id), app.clock.now()).await?;
    let Some(uri) = client.and_then(|client| client.settings.logo_uri.clone()) else {
        return Ok(missing());
    };
    match logos.get_with_by_ref(&uri, fetch(&app, &uri)).await {
        Some((content_type, bytes)) => {
            let headers = [
                (CONTENT_TYPE, content_type),
                (CACHE_CONTROL, "public, max-age=600"),
                (CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
            ];
            Ok((headers, bytes).into_response())
        }
        None => Ok(missing()),
    }
}

async fn fetch(app: &App, uri: &str) -> Option<(&'static str, Bytes)> {
    match app.fetch.get_bytes(OutboundPurpose::ClientLogo, uri, "image/png, image/webp, image/jpeg, image/gif").await {
        Ok((_, bytes)) => image_type(&bytes).map(|content_type| (content_type, bytes)),
        Err(error) => {
            tracing::info!(%error, "a client's logo could not be fetched");
            None
        }
    }
}

fn image_type(bytes: &[u8]) -> Option<&'static str> {
    TYPES.into_iter().find(|(_, magic)| bytes.starts_with(magic)).map(|(content_type, _)| content_type)
}

fn missing() -> Response {
    (StatusCode::NOT_FOUND, [(CACHE_CONTROL, "public, max-age=60")]).into_response()
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
        assert_eq!(image_type(b""), None);
    }
}
