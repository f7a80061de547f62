//! `/console/initial-access-tokens`: tokens with which clients register themselves (RFC 7591 section 3).

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::confirmation::Confirmation;
use super::editor::Editor;
use super::field::{Choice, Field, Group, Kind};
use super::frame::Room;
use super::link::Link;
use super::listing::{self, Listing, below};
use super::secret::SecretPage;
use super::sheet::{Cell, SheetPage};
use super::table::Pages;
use super::time;
use super::visit::Visit;
use crate::admin::initial_access_tokens::{ListQuery, TokenDocument, TokenInput, issue, list_tokens, revoke};
use crate::admin::json::{FromObject, MergePatch};
use crate::admin::path::Path;
use crate::app::App;
use crate::flow::registration;
use crate::http::problem::Problem;
use crate::model::admin_scope::AdminArea;

const TOKENS: &str = "/console/initial-access-tokens";
const NEW: &str = "/console/new/initial-access-token";

const DAY: u32 = 24 * 60 * 60;

/// The pages of this file.
pub(super) fn pages(pages: Pages) -> Pages {
    let (read, full) = (AdminArea::Clients.read(), AdminArea::Clients.full());
    pages.page(TOKENS, read, get).form(NEW, full, get_new, post_new).form(
        "/console/initial-access-tokens/{token_id}/end",
        full,
        get_end,
        post_end,
    )
}

async fn get(State(app): State<App>, visit: Visit) -> Result<Response, Problem> {
    let query = ListQuery { limit: Some(listing::LIMIT), cursor: visit.asked("cursor")?.map(str::to_owned) };
    let page = list_tokens(&app, &query).await?;
    let rows = page.items.iter().map(|token| row(token, visit.now)).collect();
    let page = SheetPage {
        frame: visit.frame(&app, Room::InitialAccessTokens).await?,
        title: "Initial access tokens",
        lede: "With one of these an application registers itself. Where registration is open or off they change nothing.",
        new: Some(("initial-access-token-new", NEW, "New token")),
        path: TOKENS,
        filters: Vec::new(),
        id: "initial-access-tokens",
        caption: "Initial access tokens",
        columns: vec![("What for", false), ("State", false), ("Clients", false), ("Until (UTC)", false), ("", false)],
        rows,
        none: "There is none.",
        listing: Listing::new(&visit, &[], page.next.as_deref())?,
    };
    Ok(visit.page(&page))
}

fn row(token: &TokenDocument, now: DateTime<Utc>) -> Vec<Cell> {
    let is_used_up = token.max_uses.is_some_and(|most| token.uses >= most);
    let state = match token.revoked_at {
        Some(_) => ("ended", "off"),
        None if token.expires_at <= now => ("expired", "off"),
        None if is_used_up => ("used up", "off"),
        None => ("good", "good"),
    };
    let uses = match token.max_uses {
        Some(most) => format!("{} of {most}", token.uses),
        None => token.uses.to_string(),
    };
    let note = if token.note.is_empty() { token.id.to_string() } else { token.note.clone() };
    let end = match state {
        ("good", _) => Link::to(format!("{}/end", below(TOKENS, &token.id.to_string())), "End"),
        _ => Link::plain(""),
    };
    vec![
        Cell::text(note),
        Cell::badge(state),
        Cell::text(uses),
        Cell::text(time::minute(token.expires_at)),
        Cell::of(end),
    ]
}

fn editor() -> Editor {
    let lifetimes = [(DAY, "A day"), (7 * DAY, "A week"), (30 * DAY, "30 days"), (365 * DAY, "A year")];
    let lifetimes = lifetimes.map(|(seconds, words)| Choice::new(seconds.to_string(), words)).into();
    let scopes = "One on each line. Empty: those that the configuration gives to clients that register themselves.";
    let grants = "One on each line, such as authorization_code. Empty: those of the configuration.";
    Editor {
        room: Room::InitialAccessTokens,
        title: "New initial access token".to_owned(),
        lede: "",
        back: (TOKENS.to_owned(), "Initial access tokens".to_owned()),
        button: "Make the token",
        hidden: vec![("key", Visit::new_key())],
        groups: vec![
            Group {
                title: "",
                hint: "",
                fields: vec![
                    Field::new("note", "What for", "For whoever reads the list.", Kind::Line),
                    Field::new("max_uses", "How many clients", "Empty: any number.", Kind::Number),
                    Field::new("expires_in", "Good for", "", Kind::Choice(lifetimes)),
                ],
            },
            Group {
                title: "What its clients may have",
                hint: "In place of what the configuration says.",
                fields: vec![
                    Field::new("policy/scopes", "Scopes", scopes, Kind::Lines),
                    Field::new("policy/grant_types", "Grants", grants, Kind::Lines),
                ],
            },
        ],
    }
}

async fn get_new(State(app): State<App>, visit: Visit) -> Result<Response, Problem> {
    editor().show(&app, &visit, &json!({"expires_in": (7 * DAY).to_string()}), None).await
}

async fn post_new(State(app): State<App>, visit: Visit) -> Result<Response, Problem> {
    let editor = editor();
    let typed = editor.typed(&visit)?;
    // Over nothing, so that what was left empty is absent and has its default.
    let object = said(MergePatch::new(typed.clone()).apply(Map::new()));
    let made = match TokenInput::from_object(object).map_err(Problem::invalid_body) {
        Ok(input) => issue(&app, &visit.caller, (input, visit.key(&app)?), visit.now).await,
        Err(problem) => Err(problem),
    };
    let made: Value = match made {
        Ok(created) => created.read()?,
        Err(problem) => return editor.refuse(&app, &visit, (typed, problem), None).await,
    };
    let text = |name: &str| made.get(name).and_then(Value::as_str).map(str::to_owned);
    let page = SecretPage {
        frame: visit.frame(&app, Room::InitialAccessTokens).await?,
        title: "The token is made".to_owned(),
        note: "It is shown this once. Give it to whoever registers the application; it cannot be looked up later.",
        facts: vec![("registration_endpoint", app.url(registration::ENDPOINT))],
        secret: text("initial_access_token").map(|token| ("initial_access_token", token)),
        go_on: TOKENS.to_owned(),
    };
    Ok(visit.page(&page))
}

/// What the form says in the words of the API: a number where it has a chosen word, and nothing of a policy where a field
/// is empty (there an empty list would allow nothing).
fn said(mut object: Map<String, Value>) -> Map<String, Value> {
    let chosen = object.get("expires_in").and_then(Value::as_str).and_then(|text| text.parse::<u32>().ok());
    if let Some(seconds) = chosen {
        object.insert("expires_in".to_owned(), seconds.into());
    }
    if let Some(policy) = object.get_mut("policy").and_then(Value::as_object_mut) {
        policy.retain(|_, listed| listed.as_array().is_none_or(|listed| !listed.is_empty()));
    }
    object
}

async fn get_end(State(app): State<App>, visit: Visit, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    if !app.postgres.has_initial_access_token(id).await? {
        return Err(Problem::not_found());
    }
    let page = Confirmation {
        frame: visit.frame(&app, Room::InitialAccessTokens).await?,
        title: "End this token?".to_owned(),
        subject: id.to_string(),
        consequences: vec![
            "Nobody can register an application with it any more.".to_owned(),
            "Applications that were registered with it stay.".to_owned(),
        ],
        groups: Vec::new(),
        action: visit.path.clone(),
        hidden: Vec::new(),
        button: "End the token",
        is_dangerous: true,
        back: TOKENS.to_owned(),
    };
    Ok(page.ask(&visit))
}

async fn post_end(State(app): State<App>, visit: Visit, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    revoke(&app, &visit.caller, id, visit.now).await?;
    visit.go_on(&app, TOKENS, "The token is ended.").await
}
