//! The console: what the admin API can do, on pages, for an administrator at a browser. Without a script.
//!
//! 1. [`gate`] lets nobody in but administrators who signed in a while ago at most, by the rule of the API itself, and no
//!    form without its CSRF token. Whoever has to sign in is sent to do so and comes back.
//! 2. A page asks the operations that the API calls too, and shows what they answer. What they refuse is shown beside the
//!    form, or as a page.
//! 3. A form that changed something is answered with a redirect to a page, and a [`remark`](crate::http::remark) there.
//!    Secrets are the exception: they are told in the answer to the form, and nowhere else.
//!
//! The table of [`pages`] is the only way to add a page. The pages are in English, as the API is.

// What was done.
mod audit;
// Registered clients.
mod clients;
// A question before something that cannot be taken back.
mod confirmation;
// What was typed before a sign-in.
mod draft;
// A form to make or change something.
mod editor;
// Fields of forms, and what is wrong with them.
mod field;
// What every page shows.
mod frame;
// Who is let in.
mod gate;
// Signing keys.
mod keys;
// Consents and tokens.
mod grants;
// Names of people and clients, and where their pages are.
mod link;
// Links to the pages of a list.
mod listing;
// The first page.
mod overview;
// Registered resources.
mod resources;
// Registered types of authorization details.
mod details_types;
// Tokens with which clients register themselves.
mod initial_access_tokens;
// Registered scopes.
mod scopes;
// People.
mod people;
// One thing, with links to what belongs to it.
mod record;
// Clients that people ask for.
mod requests;
// A secret, told once.
mod secret;
// Sign-ins.
mod sessions;
// A list as a table.
mod sheet;
// The pages as a table.
mod table;
// Times in words.
mod time;
// Who asks for a page, and what they typed.
mod visit;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;

use self::table::Pages;
use super::admit::Gate;
use super::endpoint::Rule;
use crate::app::App;
use crate::http::session;

/// Where the console stands below the issuer.
const PATH: &str = "/console";

/// Every page.
fn pages() -> Pages {
    let pages = Pages::default().with(overview::pages).with(clients::pages);
    let pages = pages.with(requests::pages).with(people::pages).with(sessions::pages).with(grants::pages);
    pages
        .with(scopes::pages)
        .with(resources::pages)
        .with(details_types::pages)
        .with(initial_access_tokens::pages)
        .with(keys::pages)
        .with(audit::pages)
}

/// Who may see and send what: the table as data.
pub fn rules() -> Vec<Rule> {
    pages().into_parts().1
}

/// The routes of the console.
pub fn routes(app: &App) -> Router<App> {
    let (router, rules) = pages().into_parts();
    let gate = Gate { app: app.clone(), rules: Arc::new(rules) };
    router.route_layer(from_fn_with_state(gate, gate::admit)).layer(session::layer(app))
}
