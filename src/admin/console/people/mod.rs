//! `/console/people`: the people whom this server keeps.

// Passwords, invitations, signing out.
mod access;
// Claims as fields.
mod claims;
// One person.
mod detail;
// Changing one.
mod edit;
// A new one.
mod register;
// Enabling, disabling and deleting one.
mod standing;

use axum::extract::State;
use axum::response::Response;

use super::frame::Room;
use super::link::Link;
use super::listing::{self, Listing, below};
use super::sheet::{Cell, Filter, SheetPage};
use super::table::Pages;
use super::time;
use super::visit::Visit;
use crate::admin::page::Span;
use crate::admin::users;
use crate::admin::users::document::UserDocument;
use crate::app::App;
use crate::http::problem::Problem;
use crate::model::admin_scope::AdminArea;
use crate::model::id::SubjectId;

const PEOPLE: &str = "/console/people";

/// The pages of this folder.
pub(super) fn pages(pages: Pages) -> Pages {
    let pages = pages.page(PEOPLE, AdminArea::Users.read(), get);
    let pages = pages.with(register::pages).with(detail::pages).with(edit::pages);
    pages.with(access::pages).with(standing::pages)
}

async fn get(State(app): State<App>, visit: Visit) -> Result<Response, Problem> {
    let search = visit.asked("search")?;
    let span = Span::read(Some(listing::LIMIT), visit.asked("cursor")?)?;
    let page = users::list(&app, search, &span).await?;
    let page = SheetPage {
        frame: visit.frame(&app, Room::People).await?,
        title: "People",
        lede: "",
        new: Some(("person-new", register::NEW, "Register a person")),
        path: PEOPLE,
        filters: vec![Filter::text("search", "Username, name or email", search)],
        id: "people",
        caption: "People, by username",
        columns: vec![("Username", false), ("Name", true), ("Email", true), ("State", false)],
        none: if search.is_some() { "Nobody has this in their names or address." } else { "There is nobody yet." },
        listing: Listing::new(&visit, &["search"], page.next.as_deref())?,
        rows: page.items.iter().map(row).collect(),
    };
    Ok(visit.page(&page))
}

fn row(person: &UserDocument) -> Vec<Cell> {
    let claim = |name: &str| person.claims.get(name).and_then(|claim| claim.as_str()).unwrap_or_default().to_owned();
    let state = state_of(person.enabled, person.has_password, person.is_administrator);
    vec![
        Cell::of(Link::to(path_of(&person.subject), &person.username)),
        Cell::text(claim("name")).wide(),
        Cell::text(claim("email")).wide(),
        Cell::badge(state),
    ]
}

/// The page of a person.
fn path_of(subject: &SubjectId) -> String {
    below(PEOPLE, subject.as_str())
}

/// How somebody stands, and the class of that.
fn state_of(enabled: bool, has_password: bool, is_administrator: bool) -> (&'static str, &'static str) {
    match (enabled, has_password, is_administrator) {
        (false, _, _) => ("disabled", "off"),
        (true, false, _) => ("invited", "off"),
        (true, true, true) => ("administrator", "good"),
        (true, true, false) => ("enabled", "good"),
    }
}

/// When somebody was registered and changed, for their page.
fn times(person: &UserDocument) -> [(&'static str, Vec<Link>); 2] {
    [("Registered", person.created_at), ("Last changed", person.updated_at)]
        .map(|(name, at)| (name, vec![Link::plain(time::words(at))]))
}
