//! `/console/tokens`: token families, one for each code that was redeemed, and revoking one.

use axum::extract::State;
use axum::response::Response;
use uuid::Uuid;

use super::filters;
use crate::admin::console::confirmation::Confirmation;
use crate::admin::console::frame::Room;
use crate::admin::console::link::{Link, Names, find_subject};
use crate::admin::console::listing::{self, Listing};
use crate::admin::console::record::{RecordPage, ShortList, Tool, fact};
use crate::admin::console::sheet::{Cell, SheetPage};
use crate::admin::console::table::Pages;
use crate::admin::console::time;
use crate::admin::console::visit::Visit;
use crate::admin::grants::tokens::{FamilyDocument, ListQuery, find_family, list_families, revoke_family};
use crate::admin::path::Path;
use crate::app::App;
use crate::http::problem::Problem;
use crate::model::admin_scope::AdminArea;
use crate::model::id::{ClientId, FamilyId, Sid, SubjectId};
use crate::protocol::form;

pub(super) const TOKENS: &str = "/console/tokens";

/// The pages of this file.
pub(super) fn pages(pages: Pages) -> Pages {
    let (read, full) = (AdminArea::Grants.read(), AdminArea::Grants.full());
    pages.page(TOKENS, read, get).page("/console/tokens/{family}", read, get_one).form(
        "/console/tokens/{family}/revoke",
        full,
        get_revoke,
        post_revoke,
    )
}

async fn get(State(app): State<App>, visit: Visit) -> Result<Response, Problem> {
    let (query, none) = query(&app, &visit).await?;
    let page = list_families(&app, &query, visit.now).await?;
    let mut names = Names::new(&app, visit.now);
    let mut rows = Vec::new();
    for family in &page.items {
        rows.push(vec![
            Cell::of(Link::to(path_of(family.id), time::day(family.created_at))),
            Cell::of(names.person(&family.subject).await?),
            Cell::of(names.client(&family.client_id).await?),
            Cell::badge(state_of(family)),
        ]);
    }
    let page = SheetPage {
        frame: visit.frame(&app, Room::Tokens).await?,
        title: "Tokens",
        lede: "Each line is what came of one sign-in with an application: its refresh token and every access token. Tokens that \
               a client got for itself are not among them.",
        new: None,
        path: TOKENS,
        filters: filters(&visit)?,
        id: "tokens",
        caption: "Token families, the newest first",
        columns: vec![("Began", false), ("Person", false), ("Application", false), ("State", false)],
        rows,
        none,
        listing: Listing::new(&visit, &["person", "client", "session"], page.next.as_deref())?,
    };
    Ok(visit.page(&page))
}

/// What is asked for, and what is said if there is nothing.
async fn query(app: &App, visit: &Visit) -> Result<(ListQuery, &'static str), Problem> {
    let (subject, none) = find_subject(app, visit.asked("person")?, "There are no such tokens.").await?;
    let sid = visit.asked("session")?.map(Uuid::try_parse).transpose();
    let sid = sid.map_err(|_| Problem::invalid_parameter("session must be the identifier of a session"))?;
    let query = ListQuery {
        limit: Some(listing::LIMIT),
        cursor: visit.asked("cursor")?.map(str::to_owned),
        subject,
        client_id: visit.asked("client")?.map(ClientId::new),
        sid: sid.map(Sid),
    };
    Ok((query, none))
}

async fn get_one(State(app): State<App>, visit: Visit, Path(id): Path<FamilyId>) -> Result<Response, Problem> {
    let family = find_family(&app, id, visit.now).await?;
    let tools = if family.revoked_at.is_none() {
        vec![Tool::new("token-revoke", format!("{}/revoke", path_of(id)), "Revoke").dangerous()]
    } else {
        Vec::new()
    };
    let page = RecordPage {
        frame: visit.frame(&app, Room::Tokens).await?,
        title: "Tokens of one sign-in".to_owned(),
        back: (TOKENS, "Tokens"),
        lede: String::new(),
        badge: state_of(&family),
        tools,
        facts: facts(&mut Names::new(&app, visit.now), &family).await?,
        lists: Vec::new(),
    };
    Ok(visit.page(&page))
}

async fn facts(names: &mut Names<'_>, family: &FamilyDocument) -> Result<Vec<(&'static str, Vec<Link>)>, Problem> {
    let session = Link::to(format!("/console/sessions/{}", family.sid), family.sid.to_string());
    let reason = family.revoke_reason.as_deref().map_or_else(String::new, |reason| format!(" ({reason})"));
    let at = |name, at: Option<chrono::DateTime<chrono::Utc>>| at.map(|at| fact(name, time::words(at)));
    let facts = [
        Some(("Person", vec![names.person(&family.subject).await?])),
        Some(("Application", vec![names.client(&family.client_id).await?])),
        Some(("Session", vec![session])),
        Some(fact("Identifier", family.id.to_string())),
        Some(fact("Scopes", family.scopes.join(" "))),
        Some(("Resources", family.resources.iter().map(|uri| Link::plain(uri.as_str())).collect())),
        at("Signed in", Some(family.auth_time)),
        at("Began", Some(family.created_at)),
        Some(fact(
            "Refreshed",
            if family.rotations == 1 { "once".to_owned() } else { format!("{} times", family.rotations) },
        )),
        at("Last refreshed", family.rotated_at),
        at("Ends if it is not refreshed", family.idle_expires_at),
        at("Ends in any case", Some(family.expires_at)),
        family.revoked_at.map(|at| fact("Revoked", format!("{}{reason}", time::words(at)))),
    ];
    Ok(facts.into_iter().flatten().collect())
}

async fn get_revoke(State(app): State<App>, visit: Visit, Path(id): Path<FamilyId>) -> Result<Response, Problem> {
    let family = find_family(&app, id, visit.now).await?;
    let mut names = Names::new(&app, visit.now);
    let (person, client) = (names.person(&family.subject).await?, names.client(&family.client_id).await?);
    let page = Confirmation {
        frame: visit.frame(&app, Room::Tokens).await?,
        title: "Revoke these tokens?".to_owned(),
        subject: format!("Tokens of {} for {}", person.text, client.text),
        consequences: vec![
            "The refresh token ends, and so do its access tokens wherever they are checked here.".to_owned(),
            "An API that checks access tokens by itself takes those of now until they expire.".to_owned(),
            "The session goes on, and so does what the person allowed: the application may get new tokens.".to_owned(),
        ],
        groups: Vec::new(),
        action: visit.path.clone(),
        hidden: Vec::new(),
        button: "Revoke",
        is_dangerous: true,
        back: path_of(id),
    };
    Ok(page.ask(&visit))
}

async fn post_revoke(State(app): State<App>, visit: Visit, Path(id): Path<FamilyId>) -> Result<Response, Problem> {
    let is_new = revoke_family(&app, &visit.caller, id, visit.now).await?;
    let said = if is_new { "The tokens are revoked." } else { "They were revoked before." };
    visit.go_on(&app, &path_of(id), said).await
}

/// The first few token families of somebody.
pub(in crate::admin::console) async fn of_person(
    app: &App,
    visit: &Visit,
    subject: &SubjectId,
    few: u16,
) -> Result<ShortList, Problem> {
    let query =
        ListQuery { limit: Some(few), cursor: None, subject: Some(subject.clone()), client_id: None, sid: None };
    let page = list_families(app, &query, visit.now).await?;
    let names = Names::new(app, visit.now);
    let mut items = Vec::new();
    for family in &page.items {
        let client = names.client(&family.client_id).await?;
        let words = format!("{}, since {}", state_of(family).0, time::words(family.created_at));
        items.push((Link::to(path_of(family.id), client.text), words));
    }
    Ok(ShortList {
        id: "person-tokens",
        title: "Tokens",
        items,
        none: "No application got tokens from them.",
        all: Some(list_of(subject)),
        tools: Vec::new(),
    })
}

fn path_of(id: FamilyId) -> String {
    format!("{TOKENS}/{id}")
}

/// The tokens of somebody.
pub(super) fn list_of(subject: &SubjectId) -> String {
    format!("{TOKENS}?{}", form::encode([("person", subject.as_str())]))
}

fn state_of(family: &FamilyDocument) -> (&'static str, &'static str) {
    match (family.alive, family.revoked_at) {
        (true, _) => ("alive", "good"),
        (false, Some(_)) => ("revoked", "off"),
        (false, None) => ("over", "off"),
    }
}
