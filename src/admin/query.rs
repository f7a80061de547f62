//! Parameters in the query: each at most once and with a value, none that the endpoint does not know.

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::http::problem::Problem;
use crate::protocol::form::{self, Form};

/// The parameters of an endpoint; its type has `deny_unknown_fields`.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        // Left out like an absent one, it would make a filter that lets everything through.
        if query
            .split('&')
            .any(|pair| !pair.is_empty() && pair.split_once('=').is_none_or(|(_, value)| value.is_empty()))
        {
            return Err(Problem::invalid_parameter("a parameter has no value"));
        }
        let form = Form::parse(query.as_bytes())?;
        if let Some((name, _)) = form.iter().find(|(name, _)| form.has_repeated(name)) {
            return Err(Problem::invalid_parameter(format!("the parameter {name:?} is repeated")));
        }
        let encoded = form::encode(form.iter());
        serde_urlencoded::from_str(&encoded).map(Self).map_err(|error| Problem::invalid_parameter(error.to_string()))
    }
}
