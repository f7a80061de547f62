//! The body of a request: client metadata as JSON (RFC 7591 section 3.1).

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value};

use crate::app::App;
use crate::protocol::error::OAuthError;
use crate::protocol::strict_json;

const JSON: &str = "application/json";

/// The members of the body. Members that are there twice are refused, at any depth: who checks a document and who uses it must
/// see the same.
pub(super) async fn read(app: &App, request: Request) -> Result<Map<String, Value>, OAuthError> {
    let mut types = request.headers().get_all(CONTENT_TYPE).iter();
    let (Some(media_type), None) = (types.next(), types.next()) else { return Err(wrong_type()) };
    let essence = media_type.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case(JSON) {
        return Err(wrong_type());
    }
    let bytes = Bytes::from_request(request, app).await.map_err(|rejection| match rejection.status() {
        status @ StatusCode::PAYLOAD_TOO_LARGE => {
            OAuthError::invalid_client_metadata("the request body is too large").with_status(status.as_u16())
        }
        _ => OAuthError::invalid_client_metadata("the request body could not be read"),
    })?;
    match strict_json::parse(&bytes) {
        // Postgres would answer NUL with an error instead of a refusal.
        Ok(value) if strict_json::has_nul(&value) => {
            Err(OAuthError::invalid_client_metadata("no text may contain U+0000"))
        }
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(OAuthError::invalid_client_metadata("the body must be a JSON object")),
        Err(_) => Err(OAuthError::invalid_client_metadata("the body must be JSON in which no member is there twice")),
    }
}

fn wrong_type() -> OAuthError {
    OAuthError::invalid_client_metadata("the content type must be application/json")
}
