//! `/console/consents` and `/console/tokens`: what people allowed applications, and what came of it.

// What people allowed for later requests too.
pub(super) mod consents;
// Ending many tokens at once.
mod revocation;
// What was issued.
pub(super) mod tokens;

use super::sheet::Filter;
use super::table::Pages;
use super::visit::Visit;
use crate::http::problem::Problem;

/// The pages of this folder.
pub(super) fn pages(pages: Pages) -> Pages {
    pages.with(consents::pages).with(tokens::pages).with(revocation::pages)
}

/// Both lists are narrowed by whose it is and which client has it.
fn filters(visit: &Visit) -> Result<Vec<Filter>, Problem> {
    Ok(vec![
        Filter::text("person", "Username or identifier", visit.asked("person")?),
        Filter::text("client", "Client identifier", visit.asked("client")?),
    ])
}
