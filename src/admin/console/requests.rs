//! `/console/requests`: people ask for clients, an administrator decides.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::editor::Editor;
use super::field::{Choice, Field, Group, Kind};
use super::frame::Room;
use super::link::{Link, Names};
use super::listing::{self, Listing, below};
use super::record::{RecordPage, Tool, fact};
use super::sheet::{Cell, Filter, SheetPage};
use super::table::Pages;
use super::time;
use super::visit::Visit;
use crate::admin::access_requests::document::{Approval, Refusal};
use crate::admin::access_requests::{approve, find, list, refuse};
use crate::admin::json::FromObject;
use crate::admin::page::Span;
use crate::admin::path::Path;
use crate::app::App;
use crate::http::problem::Problem;
use crate::model::admin_scope::AdminArea;
use crate::model::client::ClientSettings;
use crate::storage::postgres::access_request::{AccessRequest, AccessRequestStatus};
use crate::storage::registry::Catalog;

const REQUESTS: &str = "/console/requests";

/// The pages of this file.
pub(super) fn pages(pages: Pages) -> Pages {
    let (read, full) = (AdminArea::Clients.read(), AdminArea::Clients.full());
    pages
        .page(REQUESTS, read, get)
        .page("/console/requests/{request_id}", read, get_one)
        .form("/console/requests/{request_id}/approve", full, get_approve, post_approve)
        .form("/console/requests/{request_id}/refuse", full, get_refuse, post_refuse)
}

async fn get(State(app): State<App>, visit: Visit) -> Result<Response, Problem> {
    let asked = visit.asked("status")?.unwrap_or("open");
    let status = AccessRequestStatus::ALL.into_iter().find(|status| status.as_str() == asked);
    let page = list(&app, status, &Span::read(Some(listing::LIMIT), visit.asked("cursor")?)?).await?;
    let mut names = Names::new(&app, visit.now);
    let mut rows = Vec::new();
    for request in &page.items {
        rows.push(vec![
            Cell::of(Link::to(path_of(request.id), name_of(&request.settings))),
            Cell::of(names.person(&request.subject).await?),
            Cell::text(time::day(request.created_at)).wide(),
            Cell::badge(state_of(request.status)),
        ]);
    }
    let choices = AccessRequestStatus::ALL.map(|status| (status.as_str(), state_of(status).0));
    let choices = choices.into_iter().chain([("all", "all")]).collect();
    let page = SheetPage {
        frame: visit.frame(&app, Room::Requests).await?,
        title: "Requests",
        lede: "Applications that people ask for on their account page.",
        new: None,
        path: REQUESTS,
        filters: vec![Filter::choice("status", "State", Some(asked), choices)],
        id: "requests",
        caption: "Requests for applications, the newest first",
        columns: vec![("Application", false), ("Asked by", false), ("Asked", true), ("State", false)],
        rows,
        none: "There is no such request.",
        listing: Listing::new(&visit, &["status"], page.next.as_deref())?,
    };
    Ok(visit.page(&page))
}

async fn get_one(State(app): State<App>, visit: Visit, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    let request = find(&app, id).await?;
    let tools = if request.status == AccessRequestStatus::Open {
        let path = path_of(id);
        vec![
            Tool::new("request-approve", format!("{path}/approve"), "Approve"),
            Tool::new("request-refuse", format!("{path}/refuse"), "Refuse").dangerous(),
        ]
    } else {
        Vec::new()
    };
    let page = RecordPage {
        frame: visit.frame(&app, Room::Requests).await?,
        title: name_of(&request.settings),
        back: (REQUESTS, "Requests"),
        lede: lede(request.status).to_owned(),
        badge: state_of(request.status),
        tools,
        facts: facts(&mut Names::new(&app, visit.now), &request).await?,
        lists: Vec::new(),
    };
    Ok(visit.page(&page))
}

async fn facts(names: &mut Names<'_>, request: &AccessRequest) -> Result<Vec<(&'static str, Vec<Link>)>, Problem> {
    let settings = &request.settings;
    let lines = |text: &str| text.lines().map(Link::plain).collect::<Vec<_>>();
    let mut facts = vec![
        ("Asked by", vec![names.person(&request.subject).await?]),
        ("What for", lines(&request.reason)),
        fact("Asked", time::words(request.created_at)),
        ("Redirect URIs", settings.redirect_uris.iter().map(Link::plain).collect()),
        fact("Scopes", settings.scopes.join(" ")),
        fact("Authenticates with", settings.token_endpoint_auth_method.as_str()),
    ];
    if let Some(client_id) = &request.client_id {
        facts.push(("Client", vec![names.client(client_id).await?]));
    }
    facts.extend(request.decided_at.map(|at| fact("Decided", time::words(at))));
    if let Some(principal) = &request.decided_by {
        facts.push(("Decided by", vec![decider(names, principal).await?]));
    }
    facts.extend(request.note.as_deref().map(|note| ("Note", lines(note))));
    facts.extend(request.delivered_at.map(|at| fact("Credentials fetched", time::words(at))));
    Ok(facts)
}

/// Who decided, of what is remembered of them.
async fn decider(names: &mut Names<'_>, principal: &str) -> Result<Link, Problem> {
    match principal.split_once(':') {
        Some(("person", subject)) => names.person(&crate::model::id::SubjectId::new(subject)).await,
        Some(("client", id)) => names.client(&crate::model::id::ClientId::new(id)).await,
        _ => Ok(Link::plain(principal)),
    }
}

async fn get_approve(State(app): State<App>, visit: Visit, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    let request = find(&app, id).await?;
    let document = json!({ "settings": serde_json::to_value(&request.settings)? });
    let catalog = app.registry.catalog(visit.now).await?;
    approval(&request, &catalog).show(&app, &visit, &document, None).await
}

async fn post_approve(State(app): State<App>, visit: Visit, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    let request = find(&app, id).await?;
    let editor = approval(&request, app.registry.catalog(visit.now).await?.as_ref());
    let typed = editor.typed(&visit)?;
    let approved = match Approval::from_object(typed.clone()).map_err(Problem::invalid_body) {
        Ok(wanted) => approve(&app, &visit.caller, (id, None, wanted), visit.now).await,
        Err(problem) => Err(problem),
    };
    match approved {
        Ok(_) => visit.go_on(&app, &path_of(id), "The client is registered.").await,
        Err(problem) => editor.refuse(&app, &visit, (typed, problem), None).await,
    }
}

fn approval(request: &AccessRequest, catalog: &Catalog) -> Editor {
    let several = |choices| Kind::Several(choices);
    let scopes = catalog.scopes.iter().map(Choice::scope).collect();
    let resources = catalog.resources.iter().map(Choice::resource).collect();
    let uris = "One on each line. An answer goes to none but these, compared character by character.";
    let id = "Letters, digits and -._~ or an https address. Left empty, one is made up. It stays for good.";
    let consent = Kind::Choice(vec![
        Choice::new("remembered", "Ask once, and remember"),
        Choice::new("always", "Ask every time"),
        Choice::new("first_party", "Never ask: it is our own application"),
    ]);
    Editor {
        room: Room::Requests,
        title: "Approve a request".to_owned(),
        lede: "This registers the client. Its secret is for the person who asked alone: they fetch it once on their account \
               page.",
        back: (path_of(request.id), name_of(&request.settings)),
        button: "Approve",
        hidden: Vec::new(),
        groups: vec![
            Group {
                title: "The client",
                hint: "",
                fields: vec![
                    Field::new("client_id", "Identifier", id, Kind::Line),
                    Field::new("settings/client_name", "Name", "What people see.", Kind::Texts),
                    Field::new("settings/redirect_uris", "Redirect URIs", uris, Kind::Lines),
                    Field::new("settings/consent", "Consent", "", consent),
                ],
            },
            Group {
                title: "What it may ask for",
                hint: "",
                fields: vec![
                    Field::new("settings/scopes", "Scopes", "", several(scopes)),
                    Field::new(
                        "settings/resources",
                        "Resources",
                        "None: every resource that is not restricted.",
                        several(resources),
                    ),
                ],
            },
            Group { title: "To the person", hint: "", fields: vec![note()] },
        ],
    }
}

async fn get_refuse(State(app): State<App>, visit: Visit, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    refusal(&find(&app, id).await?).show(&app, &visit, &Value::Object(Map::new()), None).await
}

async fn post_refuse(State(app): State<App>, visit: Visit, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    let editor = refusal(&find(&app, id).await?);
    let typed = editor.typed(&visit)?;
    let refused = match Refusal::from_object(typed.clone()).map_err(Problem::invalid_body) {
        Ok(wanted) => refuse(&app, &visit.caller, (id, None, &wanted), visit.now).await,
        Err(problem) => Err(problem),
    };
    match refused {
        Ok(_) => visit.go_on(&app, &path_of(id), "The request is refused.").await,
        Err(problem) => editor.refuse(&app, &visit, (typed, problem), None).await,
    }
}

fn refusal(request: &AccessRequest) -> Editor {
    Editor {
        room: Room::Requests,
        title: "Refuse a request".to_owned(),
        lede: "There will be no such client. The person may ask again.",
        back: (path_of(request.id), name_of(&request.settings)),
        button: "Refuse",
        hidden: Vec::new(),
        groups: vec![Group { title: "", hint: "", fields: vec![note()] }],
    }
}

fn note() -> Field {
    Field::new("note", "Note", "They read it on their account page.", Kind::Paragraph)
}

fn path_of(id: Uuid) -> String {
    below(REQUESTS, &id.to_string())
}

fn name_of(settings: &ClientSettings) -> String {
    let name = settings.client_name.get("en").or_else(|| settings.client_name.values().next());
    name.cloned().unwrap_or_else(|| "An application".to_owned())
}

fn lede(status: AccessRequestStatus) -> &'static str {
    match status {
        AccessRequestStatus::Approved => "The credentials wait for the person on their account page.",
        AccessRequestStatus::Delivered => "The person has the credentials.",
        AccessRequestStatus::Open | AccessRequestStatus::Refused => "",
    }
}

fn state_of(status: AccessRequestStatus) -> (&'static str, &'static str) {
    match status {
        AccessRequestStatus::Open => ("open", "good"),
        AccessRequestStatus::Approved => ("approved", "good"),
        AccessRequestStatus::Refused => ("refused", "off"),
        AccessRequestStatus::Delivered => ("delivered", "off"),
    }
}
