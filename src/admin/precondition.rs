//! Entity tags and `If-Match` (RFC 9110 sections 8.8.3 and 13.1.1), so that nobody undoes a change that they did not see.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::header::{ETAG, IF_MATCH};
use http::request::Parts;
use http::{HeaderName, HeaderValue};

use crate::app::App;
use crate::http::problem::{Problem, ProblemType};
use crate::storage::postgres::client_record::Change;

/// The state of a thing that a change is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// Whatever it is: `If-Match: *`.
    Any,
    /// This revision.
    Revision(i64),
}

impl Expected {
    /// The revision, if it has to be a certain one.
    pub(super) fn revision(self) -> Option<i64> {
        match self {
            Self::Any => None,
            Self::Revision(revision) => Some(revision),
        }
    }

    /// The revision that a change is for, if that is the one that was found.
    pub(super) fn check(self, found: i64) -> Result<i64, Problem> {
        let is_expected = self.revision().is_none_or(|expected| expected == found);
        if is_expected { Ok(found) } else { Err(Problem::new(ProblemType::PreconditionFailed)) }
    }
}

/// Whether a change was made. It was for the revision that was read a moment ago, so with `If-Match: *` too another change
/// may have come in between.
pub(super) fn changed(outcome: Change) -> Result<(), Problem> {
    match outcome {
        Change::Changed(_) => Ok(()),
        Change::Stale => Err(Problem::new(ProblemType::PreconditionFailed)),
        Change::Absent => Err(Problem::not_found()),
    }
}

/// The `ETag` of a revision.
pub(super) fn etag(revision: i64) -> [(HeaderName, HeaderValue); 1] {
    let text = format!("\"{revision}\"");
    // Digits and a sign: a header can hold them.
    [(ETAG, HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("\"0\"")))]
}

fn parse(value: &str) -> Option<Expected> {
    let value = value.trim();
    if value == "*" {
        return Some(Expected::Any);
    }
    let tag = value.strip_prefix('"')?.strip_suffix('"').filter(|tag| !tag.contains('"'))?;
    // A tag that we never gave matches nothing (section 13.1.1): no row has a revision below one. Tags are compared byte by
    // byte, so another way to write the number is another tag.
    let given = tag.parse().ok().filter(|revision: &i64| *revision > 0 && revision.to_string() == tag);
    Some(Expected::Revision(given.unwrap_or(0)))
}

impl FromRequestParts<App> for Expected {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(IF_MATCH).iter();
        let (value, rest) = (values.next(), values.next());
        let value = value.ok_or_else(|| {
            Problem::new(ProblemType::PreconditionRequired)
                .with_detail("send the ETag that you read in If-Match, or * to change whatever is there")
        })?;
        let parsed = value.to_str().ok().and_then(parse).filter(|_| rest.is_none());
        parsed.ok_or_else(|| Problem::invalid_parameter("If-Match must be one entity tag or *"))
    }
}

/// For a change that can be made unseen: a caller that says what it saw is heeded all the same (RFC 9110 section 13.1.1).
impl OptionalFromRequestParts<App> for Expected {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Option<Self>, Problem> {
        if !parts.headers.contains_key(IF_MATCH) {
            return Ok(None);
        }
        <Self as FromRequestParts<App>>::from_request_parts(parts, app).await.map(Some)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_tag_that_we_never_gave_matches_no_revision() {
        assert_eq!(parse("\"7\""), Some(Expected::Revision(7)));
        assert_eq!(parse(" * "), Some(Expected::Any));
        for strange in ["\"x\"", "\"-1\"", "\"\""] {
            assert_eq!(parse(strange), Some(Expected::Revision(0)), "{strange}");
        }
        for malformed in ["", "7", "W/\"7\"", "\"7", "\"", "\"7\", \"8\""] {
            assert_eq!(parse(malformed), None, "{malformed}");
        }
    }

    proptest! {
        #[test]
        fn a_tag_that_was_given_names_its_revision(revision in 1..=i64::MAX) {
            let [(_, value)] = etag(revision);
            prop_assert_eq!(parse(value.to_str().unwrap()), Some(Expected::Revision(revision)));
        }

        #[test]
        fn no_other_text_names_a_revision(text in "\"?[+ 0-9\"*W/,]{0,6}\"?") {
            let tag = text.trim();
            match parse(&text) {
                None => prop_assert!(tag != "*" && !(tag.len() >= 2 && tag.matches('"').count() == 2 && tag.starts_with('"') && tag.ends_with('"'))),
                Some(Expected::Any) => prop_assert_eq!(tag, "*"),
                Some(Expected::Revision(0)) => prop_assert!(tag.starts_with('"') && tag.matches('"').count() == 2, "{}", text),
                Some(Expected::Revision(revision)) => prop_assert_eq!(tag, format!("\"{revision}\"")),
            }
        }
    }
}
