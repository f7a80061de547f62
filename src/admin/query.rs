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
        parse(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn parse<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    // Left out like an absent one, it would make a filter that lets everything through.
    if query.split('&').any(|pair| !pair.is_empty() && pair.split_once('=').is_none_or(|(_, value)| value.is_empty())) {
        return Err(Problem::invalid_parameter("a parameter has no value"));
    }
    let form = Form::parse(query.as_bytes())?;
    if let Some((name, _)) = form.iter().find(|(name, _)| form.has_repeated(name)) {
        return Err(Problem::invalid_parameter(format!("the parameter {name:?} is repeated")));
    }
    let encoded = form::encode(form.iter());
    serde_urlencoded::from_str(&encoded).map_err(|error| Problem::invalid_parameter(error.to_string()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct List {
        limit: Option<u16>,
        cursor: Option<String>,
    }

    fn read(query: &str) -> Option<List> {
        parse(query).ok()
    }

    #[test]
    fn what_is_unknown_repeated_or_empty_is_refused() {
        assert_eq!(read(""), Some(List::default()));
        assert_eq!(read("limit=7&cursor=a%20b"), Some(List { limit: Some(7), cursor: Some("a b".into()) }));
        for query in [
            "limit=7&limit=7",
            "limit=7&li%6dit=8",
            "limit=",
            "limit",
            "limits=1",
            "limit=-1",
            "cursor=%00",
            "cursor=%ff",
        ] {
            assert_eq!(read(query), None, "{query}");
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(limit: Option<u16>, cursor in prop::option::of("[^\0]{1,12}")) {
            let digits = limit.map(|limit| limit.to_string());
            let pairs = [("limit", digits.as_deref()), ("cursor", cursor.as_deref())];
            let query = form::encode(pairs.into_iter().filter_map(|(name, value)| Some((name, value?))));
            prop_assert_eq!(read(&query), Some(List { limit, cursor }));
        }

        #[test]
        fn each_parameter_that_was_sent_is_known_and_there_once(query in "((limit|cursor|other|l%69mit)(=[0-9a+%&]{0,3})?&?){0,4}") {
            if let Some(list) = read(&query) {
                let names: Vec<String> = url::form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name.into_owned()).collect();
                let count = |wanted: &str| names.iter().filter(|name| *name == wanted).count();
                prop_assert_eq!(names.len(), count("limit") + count("cursor"));
                prop_assert_eq!(count("limit"), usize::from(list.limit.is_some()));
                prop_assert_eq!(count("cursor"), usize::from(list.cursor.is_some()));
            }
        }
    }
}
