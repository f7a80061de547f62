//! Lists in pages: each page says where the next one begins, in a text that means nothing to the caller.

use axum::Json;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::http::problem::Problem;
use crate::protocol::strict_json;

/// So many things are on a page, unless the caller wants another number.
const DEFAULT_LIMIT: u16 = 50;

/// The most things on a page.
pub(super) const MAX_LIMIT: u16 = 200;

/// One page of a list.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "{T}Page")]
pub(super) struct Page<T> {
    /// What is on it.
    pub(super) items: Vec<T>,
    /// What to send as `cursor` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
}

/// Where a page begins, and how much is on it.
pub(super) struct Span<Key> {
    /// The key of the last thing on the page before.
    pub(super) after: Option<Key>,
    limit: u16,
}

impl<Key: Serialize + DeserializeOwned> Span<Key> {
    /// Reads the parameters `limit` and `cursor`.
    pub(super) fn read(limit: Option<u16>, cursor: Option<&str>) -> Result<Self, Problem> {
        let limit = limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(Problem::invalid_parameter(format!("limit must be between 1 and {MAX_LIMIT}")));
        }
        let after = cursor.map(decode).transpose()?;
        Ok(Self { after, limit })
    }

    /// How many to read: one more than the page holds, to learn whether there is another page.
    pub(super) fn to_read(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// The page, of what was read.
    pub(super) fn page<Item, View>(
        &self,
        mut read: Vec<Item>,
        key: impl Fn(&Item) -> Key,
        view: impl FnMut(Item) -> View,
    ) -> Result<Page<View>, Problem> {
        let has_more = read.len() > usize::from(self.limit);
        read.truncate(self.limit.into());
        let last = read.last().filter(|_| has_more).map(key);
        let next = last.map(|key| serde_json::to_vec(&key).map(|json| URL_SAFE_NO_PAD.encode(json))).transpose()?;
        Ok(Page { items: read.into_iter().map(view).collect(), next })
    }
}

impl<T: Serialize> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

fn decode<Key: DeserializeOwned>(cursor: &str) -> Result<Key, Problem> {
    let json = URL_SAFE_NO_PAD.decode(cursor).ok();
    json.and_then(|json| strict_json::parse(&json).ok())
        .filter(|json| !strict_json::has_nul(json))
        .and_then(|json| serde_json::from_value(json).ok())
        .ok_or_else(|| Problem::invalid_parameter("cursor must be the `next` of the page before"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_page_says_where_the_next_one_begins_and_the_last_one_does_not() {
        let first = Span::<String>::read(Some(2), None).unwrap();
        assert_eq!(first.to_read(), 3);
        let three: Vec<String> = ["a", "b", "c"].map(String::from).into();
        let page = first.page(three, Clone::clone, |item| item).unwrap();
        assert_eq!(page.items, ["a", "b"]);
        let second = Span::<String>::read(Some(2), page.next.as_deref()).unwrap();
        assert_eq!(second.after.as_deref(), Some("b"));
        let page = second.page(vec!["c".to_owned()], Clone::clone, |item| item).unwrap();
        assert!(page.next.is_none());
    }

    #[test]
    fn strange_limits_and_cursors_are_refused() {
        for limit in [0, MAX_LIMIT + 1] {
            assert!(Span::<String>::read(Some(limit), None).is_err(), "{limit}");
        }
        for cursor in ["", "!", "e30", "AAAA"] {
            assert!(Span::<String>::read(None, Some(cursor)).is_err(), "{cursor}");
        }
    }

    type Key = (i64, String);

    proptest! {
        #[test]
        fn the_next_page_begins_behind_the_last_thing_of_this_one(
            keys in prop::collection::vec((any::<i64>(), "[^\0]{0,12}"), 1..8),
            limit in 1..8_u16,
        ) {
            let page = Span::<Key>::read(Some(limit), None).unwrap().page(keys.clone(), Clone::clone, |item| item).unwrap();
            let (here, more) = keys.split_at(keys.len().min(limit.into()));
            prop_assert_eq!(&page.items, here);
            prop_assert_eq!(page.next.is_some(), !more.is_empty());
            if let Some(next) = page.next {
                prop_assert!(next.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)), "{}", next);
                let span = Span::<Key>::read(Some(limit), Some(&next)).unwrap();
                prop_assert_eq!(span.after.as_ref(), here.last());
            }
        }

        #[test]
        fn a_cursor_is_taken_if_it_is_a_key_and_has_no_nul(number in any::<i64>(), text in "[a\0\"\\\\]{0,4}", cursor in "[A-Za-z0-9_=-]{0,16}") {
            let json = serde_json::to_vec(&(number, &text)).unwrap();
            let read = Span::<Key>::read(None, Some(&URL_SAFE_NO_PAD.encode(json)));
            prop_assert_eq!(read.ok().and_then(|span| span.after), (!text.contains('\0')).then_some((number, text)));
            if let Ok(span) = Span::<Key>::read(None, Some(&cursor)) {
                let json = URL_SAFE_NO_PAD.decode(&cursor).unwrap();
                prop_assert_eq!(serde_json::from_slice::<Key>(&json).ok(), span.after);
            }
        }

        #[test]
        fn a_limit_is_taken_within_its_bounds(limit: u16) {
            prop_assert_eq!(Span::<Key>::read(Some(limit), None).is_ok(), limit != 0 && limit <= MAX_LIMIT);
        }
    }
}
