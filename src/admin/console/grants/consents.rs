//! `/console/consents`: what people allowed applications until further notice, and taking it back.

use axum::extract::State;
use axum::response::Response;

use super::filters;
use crate::admin::console::confirmation::Confirmation;
use crate::admin::console::frame::Room;
use crate::admin::console::link::{Link, Names, find_subject};
use crate::admin::console::listing::{self, Listing, below};
use crate::admin::console::record::ShortList;
use crate::admin::console::sheet::{Cell, SheetPage};
use crate::admin::console::table::Pages;
use crate::admin::console::time;
use crate::admin::console::visit::Visit;
use crate::admin::grants::consents::{ConsentDocument, ListQuery, list_consents, withdraw_consent};
use crate::admin::path::Path;
use crate::app::App;
use crate::http::problem::Problem;
use crate::model::admin_scope::AdminArea;
use crate::model::id::{ClientId, SubjectId};
use crate::protocol::form;

const CONSENTS: &str = "/console/consents";
const CONSENT: &str = "/console/consents/{subject}/{client_id}";

/// The pages of this file.
pub(super) fn pages(pages: Pages) -> Pages {
    let (read, full) = (AdminArea::Grants.read(), AdminArea::Grants.full());
    pages.page(CONSENTS, read, get).form(CONSENT, full, get_withdraw, post_withdraw)
}

async fn get(State(app): State<App>, visit: Visit) -> Result<Response, Problem> {
    let (subject, none) = find_subject(&app, visit.asked("person")?, "There is no such consent.").await?;
    let query = ListQuery {
        limit: Some(listing::LIMIT),
        cursor: visit.asked("cursor")?.map(str::to_owned),
        subject,
        client_id: visit.asked("client")?.map(ClientId::new),
    };
    let page = list_consents(&app, &query, visit.now).await?;
    let mut names = Names::new(&app, visit.now);
    let mut rows = Vec::new();
    for consent in &page.items {
        rows.push(vec![
            Cell::of(names.person(&consent.subject).await?),
            Cell::of(names.client(&consent.client_id).await?),
            Cell::text(consent.scopes.join(" ")).wide(),
            Cell::text(time::day(consent.granted_at)).wide(),
            Cell::of(Link::to(path_of(consent), "Withdraw")),
        ]);
    }
    let page = SheetPage {
        frame: visit.frame(&app, Room::Consents).await?,
        title: "Consents",
        lede: "What people allowed applications for later requests too.",
        new: None,
        path: CONSENTS,
        filters: filters(&visit)?,
        id: "consents",
        caption: "Consents, by person and application",
        columns: vec![("Person", false), ("Application", false), ("Scopes", true), ("Given", true), ("Action", false)],
        rows,
        none,
        listing: Listing::new(&visit, &["person", "client"], page.next.as_deref())?,
    };
    Ok(visit.page(&page))
}

async fn get_withdraw(
    State(app): State<App>,
    visit: Visit,
    Path((subject, client_id)): Path<(SubjectId, ClientId)>,
) -> Result<Response, Problem> {
    let query =
        ListQuery { limit: Some(1), cursor: None, subject: Some(subject.clone()), client_id: Some(client_id.clone()) };
    let consent = list_consents(&app, &query, visit.now).await?.items.pop().ok_or_else(Problem::not_found)?;
    let mut names = Names::new(&app, visit.now);
    let (person, client) = (names.person(&subject).await?, names.client(&client_id).await?);
    let page = Confirmation {
        frame: visit.frame(&app, Room::Consents).await?,
        title: "Withdraw this consent?".to_owned(),
        subject: person.text.clone(),
        consequences: vec![
            format!("Every token that {} gave {} ends at once.", person.text, client.text),
            format!("They allowed it: {}.", consent.scopes.join(", ")),
            "They are asked again when they next sign in with it.".to_owned(),
        ],
        groups: Vec::new(),
        action: visit.path.clone(),
        hidden: Vec::new(),
        button: "Withdraw the consent",
        is_dangerous: true,
        back: person.path.unwrap_or_else(|| list_of(&subject)),
    };
    Ok(page.ask(&visit))
}

async fn post_withdraw(
    State(app): State<App>,
    visit: Visit,
    Path((subject, client_id)): Path<(SubjectId, ClientId)>,
) -> Result<Response, Problem> {
    withdraw_consent(&app, &visit.caller, (&subject, &client_id), visit.now).await?;
    visit.go_on(&app, &list_of(&subject), "The consent is withdrawn.").await
}

/// The first few consents of somebody.
pub(in crate::admin::console) async fn of_person(
    app: &App,
    visit: &Visit,
    subject: &SubjectId,
    few: u16,
) -> Result<ShortList, Problem> {
    let query = ListQuery { limit: Some(few), cursor: None, subject: Some(subject.clone()), client_id: None };
    let page = list_consents(app, &query, visit.now).await?;
    let names = Names::new(app, visit.now);
    let mut items = Vec::new();
    for consent in &page.items {
        let client = names.client(&consent.client_id).await?;
        items.push((Link::to(path_of(consent), client.text), consent.scopes.join(" ")));
    }
    Ok(ShortList {
        id: "person-consents",
        title: "Consents",
        items,
        none: "They allowed no application anything for later.",
        all: Some(list_of(subject)),
        tools: Vec::new(),
    })
}

/// Where a consent is withdrawn.
fn path_of(consent: &ConsentDocument) -> String {
    below(&below(CONSENTS, consent.subject.as_str()), consent.client_id.as_str())
}

fn list_of(subject: &SubjectId) -> String {
    format!("{CONSENTS}?{}", form::encode([("person", subject.as_str())]))
}
