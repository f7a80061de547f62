//! `/console/audit`: what was done, by whom, and from where.

use axum::extract::State;
use axum::response::Response;

use super::frame::Room;
use super::link::{Link, Names, find_subject};
use super::listing::{self, Listing};
use super::sheet::{Cell, Filter, SheetPage};
use super::table::Pages;
use super::time;
use super::visit::Visit;
use crate::admin::audit::{EventDocument, ListQuery, list_events};
use crate::app::App;
use crate::http::problem::Problem;
use crate::model::admin_scope::AdminArea;
use crate::model::audit::{Actor, AuditEventKind};
use crate::model::id::ClientId;

const AUDIT: &str = "/console/audit";

/// The page of this file.
pub(super) fn pages(pages: Pages) -> Pages {
    pages.page(AUDIT, AdminArea::Audit.read(), get)
}

async fn get(State(app): State<App>, visit: Visit) -> Result<Response, Problem> {
    let (person, client, event) = (visit.asked("person")?, visit.asked("client")?, visit.asked("event")?);
    let by = visit.asked("by")?;
    let (subject, none) = find_subject(&app, person, "There is no such record.").await?;
    let query = ListQuery {
        limit: Some(listing::LIMIT),
        cursor: visit.asked("cursor")?.map(str::to_owned),
        event: event.and_then(AuditEventKind::from_name),
        actor: by.map(str::to_owned),
        client_id: client.map(ClientId::new),
        subject,
    };
    let page = list_events(&app, &query).await?;
    let mut names = Names::new(&app, visit.now);
    let mut rows = Vec::new();
    for event in &page.items {
        rows.push(row(&mut names, event).await?);
    }
    let kinds = AuditEventKind::ALL.iter().map(|kind| (kind.as_str(), kind.words()));
    let page = SheetPage {
        frame: visit.frame(&app, Room::Audit).await?,
        title: "Audit",
        lede: "What people, clients, administrators and the server did. A record stays when what it tells of is deleted.",
        new: None,
        path: AUDIT,
        filters: vec![
            Filter::choice("event", "What was done", event, [("", "Anything")].into_iter().chain(kinds).collect()),
            Filter::text("person", "To whom: username or identifier", person),
            Filter::text("client", "To which client", client),
            Filter::text("by", "By whom: identifier of a person or a client", by),
        ],
        id: "audit",
        caption: "What was done, the newest first",
        columns: vec![("What", false), ("To", false), ("By", false), ("When (UTC)", false), ("Address", true)],
        rows,
        none,
        listing: Listing::new(&visit, &["event", "person", "client", "by"], page.next.as_deref())?,
    };
    Ok(visit.page(&page))
}

async fn row(names: &mut Names<'_>, event: &EventDocument) -> Result<Vec<Cell>, Problem> {
    let address = event.ip.map(|ip| ip.to_string()).unwrap_or_default();
    Ok(vec![
        Cell::text(event.event.words()),
        Cell::of(affected(names, event).await?),
        Cell::of(by(names, &event.actor).await?),
        Cell::text(time::minute(event.happened_at)),
        Cell::text(address).wide(),
    ])
}

/// Who or what it was done to: the person before the client, both before a bare identifier.
async fn affected(names: &mut Names<'_>, event: &EventDocument) -> Result<Link, Problem> {
    match (&event.subject, &event.client_id, &event.object) {
        (Some(subject), _, _) => names.person(subject).await,
        (None, Some(client_id), _) => names.client(client_id).await,
        (None, None, object) => Ok(Link::plain(object.clone().unwrap_or_default())),
    }
}

async fn by(names: &mut Names<'_>, actor: &Actor) -> Result<Link, Problem> {
    match actor {
        Actor::Client(id) => names.client(id).await,
        Actor::Person(id) => names.person(id).await,
        Actor::Operator => Ok(Link::plain("an operator, by a command")),
        Actor::Server => Ok(Link::plain("the server")),
        Actor::Stranger => Ok(Link::plain("somebody who was not signed in")),
    }
}
