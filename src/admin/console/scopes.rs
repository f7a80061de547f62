//! `/console/scopes`: what tokens may allow, and what the consent page says of it.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::confirmation::Confirmation;
use super::editor::Editor;
use super::field::{Field, Group, Kind};
use super::frame::{Frame, Room};
use super::listing::{self, Listing, below};
use super::record::{RecordPage, Tool, lines};
use super::table::Pages;
use super::time;
use super::visit::Visit;
use crate::admin::catalog::ListQuery;
use crate::admin::catalog::scopes;
use crate::admin::catalog::scopes::document::{ScopeDocument, ScopeInput};
use crate::admin::json::{FromObject, MergePatch};
use crate::admin::path::Path;
use crate::app::App;
use crate::http::problem::Problem;
use crate::model::admin_scope::AdminArea;

const SCOPES: &str = "/console/scopes";

/// The pages of this file.
pub(super) fn pages(pages: Pages) -> Pages {
    let (read, full) = (AdminArea::Clients.read(), AdminArea::Clients.full());
    pages
        .page(SCOPES, read, get)
        .page("/console/scopes/{name}", read, get_one)
        .form("/console/new/scope", full, get_new, post_new)
        .form("/console/scopes/{name}/edit", full, get_edit, post_edit)
        .form("/console/scopes/{name}/delete", full, get_delete, post_delete)
}

#[derive(Template)]
#[template(path = "console/scopes.html", config = "src/http/pages/askama.toml")]
struct ScopesPage {
    frame: Frame,
    /// Each with its page.
    scopes: Vec<(String, ScopeDocument)>,
    listing: Listing,
}

async fn get(State(app): State<App>, visit: Visit) -> Result<Response, Problem> {
    let query = ListQuery { limit: Some(listing::LIMIT), cursor: visit.asked("cursor")?.map(str::to_owned) };
    let page = scopes::list_scopes(&app, &query).await?;
    let listing = Listing::new(&visit, &[], page.next.as_deref())?;
    let scopes = page.items.into_iter().map(|scope| (below(SCOPES, &scope.name), scope)).collect();
    Ok(visit.page(&ScopesPage { frame: visit.frame(&app, Room::Scopes).await?, scopes, listing }))
}

async fn get_one(State(app): State<App>, visit: Visit, Path(name): Path<String>) -> Result<Response, Problem> {
    let scope = scopes::find_scope(&app, &name).await?;
    let path = below(SCOPES, &name);
    let tools = if scope.built_in {
        Vec::new()
    } else {
        vec![
            Tool::new("edit", format!("{path}/edit"), "Change"),
            Tool::new("delete", format!("{path}/delete"), "Delete").dangerous(),
        ]
    };
    let page = RecordPage {
        frame: visit.frame(&app, Room::Scopes).await?,
        title: name,
        back: (SCOPES, "Scopes"),
        lede: if scope.built_in { "It is part of the server and stays as it is.".to_owned() } else { String::new() },
        badge: if scope.published { ("published", "good") } else { ("not published", "off") },
        tools,
        facts: vec![
            lines("On the consent page", scope.description.iter().map(|(tag, text)| format!("{text} ({tag})"))),
            lines("Registered", scope.created_at.map(time::words)),
            lines("Last changed", scope.updated_at.map(time::words)),
        ],
        lists: Vec::new(),
    };
    Ok(visit.page(&page))
}

fn editor(is_new: bool, title: &str, back: (String, String)) -> Editor {
    let mut fields = Vec::new();
    if is_new {
        let hint = "What applications ask for. Visible ASCII characters without \" and \\; it stays for good.";
        fields.push(Field::new("name", "Name", hint, Kind::Line));
    }
    let hint = "What the consent page says that it allows; in English at least.";
    fields.push(Field::new("description", "Sentence", hint, Kind::Texts));
    fields.push(Field::new(
        "published",
        "Listed in discovery",
        "So that everybody can see that there is one.",
        Kind::Switch,
    ));
    Editor {
        room: Room::Scopes,
        title: title.to_owned(),
        lede: "",
        back,
        button: if is_new { "Register" } else { "Save" },
        hidden: if is_new { vec![("key", Visit::new_key())] } else { Vec::new() },
        groups: vec![Group { title: "", hint: "", fields }],
    }
}

fn new_editor() -> Editor {
    editor(true, "New scope", (SCOPES.to_owned(), "Scopes".to_owned()))
}

async fn get_new(State(app): State<App>, visit: Visit) -> Result<Response, Problem> {
    new_editor().show(&app, &visit, &json!({"published": true}), None).await
}

async fn post_new(State(app): State<App>, visit: Visit) -> Result<Response, Problem> {
    let editor = new_editor();
    let typed = editor.typed(&visit)?;
    // What was left empty is judged too, rather than missed.
    let object = MergePatch::new(typed.clone()).apply(empty());
    let name = object.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let made = match ScopeInput::from_object(object).map_err(Problem::invalid_body) {
        Ok(input) => scopes::register_scope(&app, &visit.caller, input, visit.key(&app)?, visit.now).await,
        Err(problem) => Err(problem),
    };
    match made {
        Ok(_) => visit.go_on(&app, &below(SCOPES, &name), "The scope is registered.").await,
        Err(problem) => editor.refuse(&app, &visit, (typed, problem), None).await,
    }
}

/// A scope of which nothing is said.
fn empty() -> Map<String, Value> {
    [("name".to_owned(), json!("")), ("description".to_owned(), json!({}))].into_iter().collect()
}

fn edit(name: &str) -> Editor {
    editor(false, "Change a scope", (below(SCOPES, name), name.to_owned()))
}

async fn get_edit(State(app): State<App>, visit: Visit, Path(name): Path<String>) -> Result<Response, Problem> {
    let scope = scopes::find_scope(&app, &name).await?;
    edit(&name).show(&app, &visit, &serde_json::to_value(&scope)?, scope.revision).await
}

async fn post_edit(State(app): State<App>, visit: Visit, Path(name): Path<String>) -> Result<Response, Problem> {
    let editor = edit(&name);
    let typed = editor.typed(&visit)?;
    let patch = MergePatch::new(typed.clone());
    match scopes::change_scope(&app, &visit.caller, &name, (visit.expected()?, patch), visit.now).await {
        Ok(_) => visit.go_on(&app, &below(SCOPES, &name), "The scope was saved.").await,
        Err(problem) => {
            let scope = scopes::find_scope(&app, &name).await?;
            let now = (serde_json::to_value(&scope)?, scope.revision.unwrap_or_default());
            editor.refuse(&app, &visit, (typed, problem), Some(now)).await
        }
    }
}

async fn get_delete(State(app): State<App>, visit: Visit, Path(name): Path<String>) -> Result<Response, Problem> {
    let scope = scopes::find_scope(&app, &name).await?;
    let page = Confirmation {
        frame: visit.frame(&app, Room::Scopes).await?,
        title: "Delete this scope for good?".to_owned(),
        subject: name.clone(),
        consequences: vec![
            "No application can ask for it, and it is left out of what was allowed before.".to_owned(),
            "It cannot be undone, and the name is never given again.".to_owned(),
            "While a client or a resource names it, nothing is deleted.".to_owned(),
        ],
        groups: Vec::new(),
        action: visit.path.clone(),
        hidden: vec![("revision", scope.revision.unwrap_or_default().to_string())],
        button: "Delete for good",
        is_dangerous: true,
        back: below(SCOPES, &name),
    };
    Ok(page.ask(&visit))
}

async fn post_delete(State(app): State<App>, visit: Visit, Path(name): Path<String>) -> Result<Response, Problem> {
    scopes::remove_scope(&app, &visit.caller, &name, visit.expected()?, visit.now).await?;
    visit.go_on(&app, SCOPES, format!("The scope {name} is deleted.")).await
}
