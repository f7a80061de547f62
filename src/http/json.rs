//! Extractor of JSON objects from the body of a request.

use std::fmt;
use std::marker::PhantomData;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Request};
use http::StatusCode;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};

use crate::protocol::error::OAuthError;

/// The JSON object in the body of a request. Answers 415 to another content type, 413 to a body over the limit and 400
/// `invalid_request` to anything that is not an object with the members of `T`. Members that `T` does not have are ignored.
#[derive(Clone, Debug)]
pub struct OAuthJson<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for OAuthJson<T> {
    type Rejection = OAuthError;

    async fn from_request(request: Request, state: &S) -> Result<Self, OAuthError> {
        match Json::<Object<T>>::from_request(request, state).await {
            Ok(Json(Object(value))) => Ok(Self(value)),
            Err(rejection) => Err(unreadable(&rejection)),
        }
    }
}

fn unreadable(rejection: &JsonRejection) -> OAuthError {
    match rejection.status() {
        status @ StatusCode::PAYLOAD_TOO_LARGE => {
            OAuthError::invalid_request("the request body is too large").with_status(status.as_u16())
        }
        status @ StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            OAuthError::invalid_request("the content type must be application/json").with_status(status.as_u16())
        }
        _ => OAuthError::invalid_request("the body must be a JSON object with the members of this endpoint"),
    }
}

/// An object and nothing else: serde would also fill the fields of `T` from an array, by their order.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData)).map(Self)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}
