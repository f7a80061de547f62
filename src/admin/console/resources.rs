//! `/console/resources`: APIs that accept our tokens (RFC 8707).

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::confirmation::Confirmation;
use super::editor::Editor;
use super::field::{Choice, Field, Group, Kind};
use super::frame::{Frame, Room};
use super::listing::{self, Listing, below};
use super::record::{RecordPage, Tool, fact, lines};
use super::table::Pages;
use super::time;
use super::visit::Visit;
use crate::admin::catalog::ListQuery;
use crate::admin::catalog::RESERVED;
use crate::admin::catalog::resources;
use crate::admin::catalog::resources::document::{ResourceDocument, ResourceInput};
use crate::admin::json::{FromObject, MergePatch};
use crate::admin::path::Path;
use crate::app::App;
use crate::http::problem::Problem;
use crate::model::admin_scope::AdminArea;
use crate::model::id::ResourceUri;
use crate::storage::registry::Catalog;

const RESOURCES: &str = "/console/resources";

/// The pages of this file.
pub(super) fn pages(pages: Pages) -> Pages {
    let (read, full) = (AdminArea::Clients.read(), AdminArea::Clients.full());
    pages
        .page(RESOURCES, read, get)
        .page("/console/resources/{uri}", read, get_one)
        .form("/console/new/resource", full, get_new, post_new)
        .form("/console/resources/{uri}/edit", full, get_edit, post_edit)
        .form("/console/resources/{uri}/delete", full, get_delete, post_delete)
}

#[derive(Template)]
#[template(path = "console/resources.html", config = "src/http/pages/askama.toml")]
struct ResourcesPage {
    frame: Frame,
    /// Each with its page.
    resources: Vec<(String, ResourceDocument)>,
    listing: Listing,
}

async fn get(State(app): State<App>, visit: Visit) -> Result<Response, Problem> {
    let query = ListQuery { limit: Some(listing::LIMIT), cursor: visit.asked("cursor")?.map(str::to_owned) };
    let page = resources::list_resources(&app, &query).await?;
    let listing = Listing::new(&visit, &[], page.next.as_deref())?;
    let resources = page.items.into_iter().map(|resource| (path_of(&resource.uri), resource)).collect();
    Ok(visit.page(&ResourcesPage { frame: visit.frame(&app, Room::Resources).await?, resources, listing }))
}

fn path_of(uri: &ResourceUri) -> String {
    below(RESOURCES, uri.as_str())
}

fn name_of(resource: &ResourceDocument) -> String {
    resource.name.get("en").cloned().unwrap_or_else(|| resource.uri.as_str().to_owned())
}

async fn get_one(State(app): State<App>, visit: Visit, Path(uri): Path<ResourceUri>) -> Result<Response, Problem> {
    let resource = resources::find_resource(&app, &uri).await?;
    let path = path_of(&uri);
    let tools = if resource.built_in {
        Vec::new()
    } else {
        vec![
            Tool::new("edit", format!("{path}/edit"), "Change"),
            Tool::new("delete", format!("{path}/delete"), "Delete").dangerous(),
        ]
    };
    let page = RecordPage {
        frame: visit.frame(&app, Room::Resources).await?,
        title: name_of(&resource),
        back: (RESOURCES, "Resources"),
        lede: if resource.built_in { "It is part of the server and stays as it is.".to_owned() } else { String::new() },
        badge: if resource.restricted { ("restricted", "off") } else { ("for every client", "good") },
        tools,
        facts: vec![
            fact("Identifier", uri.as_str()),
            lines("On the consent page", resource.name.iter().map(|(tag, text)| format!("{text} ({tag})"))),
            lines("Scopes", resource.scopes),
            lines("Registered", resource.created_at.map(time::words)),
            lines("Last changed", resource.updated_at.map(time::words)),
        ],
        lists: Vec::new(),
    };
    Ok(visit.page(&page))
}

fn editor(is_new: bool, title: &str, back: (String, String), catalog: &Catalog) -> Editor {
    let mut fields = Vec::new();
    if is_new {
        let hint = "An absolute URI without a fragment: what applications send as resource, and what tokens have as aud. It \
                    stays for good.";
        fields.push(Field::new("uri", "Identifier", hint, Kind::Line));
    }
    let own = catalog.scopes.iter().filter(|scope| !scope.name.starts_with(RESERVED)).map(Choice::scope).collect();
    fields.extend([
        Field::new("name", "Name", "What the consent page calls it; in English at least.", Kind::Texts),
        Field::new(
            "scopes",
            "Scopes",
            "Those that mean something there. Its tokens carry no others.",
            Kind::Several(own),
        ),
        Field::new(
            "restricted",
            "Restricted",
            "Only clients that were given it by name may ask for it, and nobody gets it without asking.",
            Kind::Switch,
        ),
    ]);
    Editor {
        room: Room::Resources,
        title: title.to_owned(),
        lede: "",
        back,
        button: if is_new { "Register" } else { "Save" },
        hidden: if is_new { vec![("key", Visit::new_key())] } else { Vec::new() },
        groups: vec![Group { title: "", hint: "", fields }],
    }
}

async fn new_editor(app: &App, visit: &Visit) -> Result<Editor, Problem> {
    let catalog = app.registry.catalog(visit.now).await?;
    Ok(editor(true, "New resource", (RESOURCES.to_owned(), "Resources".to_owned()), &catalog))
}

async fn get_new(State(app): State<App>, visit: Visit) -> Result<Response, Problem> {
    new_editor(&app, &visit).await?.show(&app, &visit, &Value::Null, None).await
}

async fn post_new(State(app): State<App>, visit: Visit) -> Result<Response, Problem> {
    let editor = new_editor(&app, &visit).await?;
    let typed = editor.typed(&visit)?;
    // What was left empty is judged too, rather than missed.
    let object = MergePatch::new(typed.clone()).apply(empty());
    let uri = ResourceUri::new(object.get("uri").and_then(Value::as_str).unwrap_or_default());
    let made = match ResourceInput::from_object(object).map_err(Problem::invalid_body) {
        Ok(input) => resources::register_resource(&app, &visit.caller, input, visit.key(&app)?, visit.now).await,
        Err(problem) => Err(problem),
    };
    match made {
        Ok(_) => visit.go_on(&app, &path_of(&uri), "The resource is registered.").await,
        Err(problem) => editor.refuse(&app, &visit, (typed, problem), None).await,
    }
}

/// A resource of which nothing is said.
fn empty() -> Map<String, Value> {
    [("uri".to_owned(), json!("")), ("name".to_owned(), json!({}))].into_iter().collect()
}

async fn edit(app: &App, visit: &Visit, resource: &ResourceDocument) -> Result<Editor, Problem> {
    let catalog = app.registry.catalog(visit.now).await?;
    Ok(editor(false, "Change a resource", (path_of(&resource.uri), name_of(resource)), &catalog))
}

async fn get_edit(State(app): State<App>, visit: Visit, Path(uri): Path<ResourceUri>) -> Result<Response, Problem> {
    let resource = resources::find_resource(&app, &uri).await?;
    let editor = edit(&app, &visit, &resource).await?;
    editor.show(&app, &visit, &serde_json::to_value(&resource)?, resource.revision).await
}

async fn post_edit(State(app): State<App>, visit: Visit, Path(uri): Path<ResourceUri>) -> Result<Response, Problem> {
    let resource = resources::find_resource(&app, &uri).await?;
    let editor = edit(&app, &visit, &resource).await?;
    let typed = editor.typed(&visit)?;
    let patch = MergePatch::new(typed.clone());
    match resources::change_resource(&app, &visit.caller, &uri, (visit.expected()?, patch), visit.now).await {
        Ok(_) => visit.go_on(&app, &path_of(&uri), "The resource was saved.").await,
        Err(problem) => {
            let resource = resources::find_resource(&app, &uri).await?;
            let now = (serde_json::to_value(&resource)?, resource.revision.unwrap_or_default());
            editor.refuse(&app, &visit, (typed, problem), Some(now)).await
        }
    }
}

async fn get_delete(State(app): State<App>, visit: Visit, Path(uri): Path<ResourceUri>) -> Result<Response, Problem> {
    let resource = resources::find_resource(&app, &uri).await?;
    let page = Confirmation {
        frame: visit.frame(&app, Room::Resources).await?,
        title: "Delete this resource for good?".to_owned(),
        subject: name_of(&resource),
        consequences: vec![
            "No application gets tokens for it any more.".to_owned(),
            "It cannot be undone, and the identifier is never given again.".to_owned(),
            "While a client names it, or while it is the default audience, nothing is deleted.".to_owned(),
        ],
        groups: Vec::new(),
        action: visit.path.clone(),
        hidden: vec![("revision", resource.revision.unwrap_or_default().to_string())],
        button: "Delete for good",
        is_dangerous: true,
        back: path_of(&uri),
    };
    Ok(page.ask(&visit))
}

async fn post_delete(State(app): State<App>, visit: Visit, Path(uri): Path<ResourceUri>) -> Result<Response, Problem> {
    resources::remove_resource(&app, &visit.caller, &uri, visit.expected()?, visit.now).await?;
    visit.go_on(&app, RESOURCES, format!("The resource {uri} is deleted.")).await
}
