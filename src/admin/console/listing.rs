//! Links to the pages of a list, and to what is in it. A cursor leads forwards only, as in the API; the way back is the browser's.

use super::visit::Visit;
pub(super) use crate::admin::path::below;
use crate::http::problem::Problem;
use crate::protocol::form;

/// So many things are on a page.
pub(super) const LIMIT: u16 = 25;

/// The way to the next page, and to the first.
pub(super) struct Listing {
    /// The first page, if this is another.
    pub(super) first: Option<String>,
    /// The next page.
    pub(super) next: Option<String>,
}

impl Listing {
    /// For the list that is shown, whose query keeps the parameters `kept`.
    pub(super) fn new(visit: &Visit, kept: &[&str], next: Option<&str>) -> Result<Self, Problem> {
        let mut query = Vec::new();
        for name in kept {
            if let Some(value) = visit.asked(name)? {
                query.push((*name, value));
            }
        }
        let address = |query: &[(&str, &str)]| match form::encode(query.iter().copied()) {
            query if query.is_empty() => visit.path.clone(),
            query => format!("{}?{query}", visit.path),
        };
        let first = visit.asked("cursor")?.map(|_| address(&query));
        let next = next.map(|cursor| address(&[query.as_slice(), &[("cursor", cursor)]].concat()));
        Ok(Self { first, next })
    }
}
