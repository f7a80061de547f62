//! `/console/details-types`: what clients may ask for in particular (RFC 9396).

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
use crate::admin::catalog::authorization_details_types as types;
use crate::admin::catalog::authorization_details_types::document::{
    AuthorizationDetailsTypeDocument, AuthorizationDetailsTypeInput,
};
use crate::admin::json::{FromObject, MergePatch};
use crate::admin::path::Path;
use crate::app::App;
use crate::http::problem::Problem;
use crate::model::admin_scope::AdminArea;
use crate::model::catalog::Localized;

const TYPES: &str = "/console/details-types";

/// The pages of this file.
pub(super) fn pages(pages: Pages) -> Pages {
    let (read, full) = (AdminArea::Clients.read(), AdminArea::Clients.full());
    pages
        .page(TYPES, read, get)
        .page("/console/details-types/{type}", read, get_one)
        .form("/console/new/details-type", full, get_new, post_new)
        .form("/console/details-types/{type}/edit", full, get_edit, post_edit)
        .form("/console/details-types/{type}/delete", full, get_delete, post_delete)
}

#[derive(Template)]
#[template(path = "console/details_types.html", config = "src/http/pages/askama.toml")]
struct TypesPage {
    frame: Frame,
    /// Each with its page.
    types: Vec<(String, AuthorizationDetailsTypeDocument)>,
    listing: Listing,
}

async fn get(State(app): State<App>, visit: Visit) -> Result<Response, Problem> {
    let query = ListQuery { limit: Some(listing::LIMIT), cursor: visit.asked("cursor")?.map(str::to_owned) };
    let page = types::list_types(&app, &query).await?;
    let listing = Listing::new(&visit, &[], page.next.as_deref())?;
    let types = page.items.into_iter().map(|known| (below(TYPES, &known.value.name_of_type), known)).collect();
    Ok(visit.page(&TypesPage { frame: visit.frame(&app, Room::DetailsTypes).await?, types, listing }))
}

fn name_of(known: &AuthorizationDetailsTypeDocument) -> String {
    known.value.name.get("en").unwrap_or(&known.value.name_of_type).clone()
}

fn by_language(texts: &Localized) -> impl Iterator<Item = String> {
    texts.iter().map(|(tag, text)| format!("{text} ({tag})"))
}

async fn get_one(State(app): State<App>, visit: Visit, Path(name): Path<String>) -> Result<Response, Problem> {
    let known = types::find_type(&app, &name).await?;
    let path = below(TYPES, &name);
    let resources = match known.value.resources.as_slice() {
        [] => vec!["every resource".to_owned()],
        named => named.iter().map(|uri| uri.as_str().to_owned()).collect(),
    };
    let sentences: Vec<_> = match known.value.sentence.is_empty() {
        true => vec!["none: the members of what is asked for are listed".to_owned()],
        false => by_language(&known.value.sentence).collect(),
    };
    let page = RecordPage {
        frame: visit.frame(&app, Room::DetailsTypes).await?,
        title: name_of(&known),
        back: (TYPES, "Authorization details"),
        lede: String::new(),
        badge: ("for clients that were given it", "good"),
        tools: vec![
            Tool::new("edit", format!("{path}/edit"), "Change"),
            Tool::new("delete", format!("{path}/delete"), "Delete").dangerous(),
        ],
        facts: vec![
            fact("Identifier", &known.value.name_of_type),
            lines("On the consent page", by_language(&known.value.name)),
            lines("What it says there", sentences),
            lines("Means something at", resources),
            lines("Schema", serde_json::to_string_pretty(&known.value.schema)?.lines()),
            fact("Registered", time::words(known.created_at)),
            fact("Last changed", time::words(known.updated_at)),
        ],
        lists: Vec::new(),
    };
    Ok(visit.page(&page))
}

async fn editor(
    app: &App,
    visit: &Visit,
    before: Option<&AuthorizationDetailsTypeDocument>,
) -> Result<Editor, Problem> {
    let catalog = app.registry.catalog(visit.now).await?;
    let mut fields = Vec::new();
    if before.is_none() {
        let hint = "Visible ASCII characters without quotes, such as a URI: the member type of what applications send. It stays \
                    for good.";
        fields.push(Field::new("type", "Identifier", hint, Kind::Line));
    }
    fields.extend([
        Field::new("name", "Name", "What the consent page calls it; in English at least.", Kind::Texts),
        Field::new(
            "sentence",
            "Sentence",
            "What the consent page says of what is asked for, with members of it in braces, such as: Pay {amount} to \
             {creditorName}. Empty: the members are listed.",
            Kind::Texts,
        ),
        Field::new(
            "schema",
            "Schema",
            "A JSON Schema of an object, with additionalProperties set to false: what it may say, besides its type.",
            Kind::Json,
        ),
        Field::new(
            "resources",
            "Resources",
            "Where it means something. None: at every one.",
            Kind::Several(catalog.resources.iter().map(Choice::resource).collect()),
        ),
    ]);
    let (title, back, button) = match before {
        None => {
            ("New type of authorization details", (TYPES.to_owned(), "Authorization details".to_owned()), "Register")
        }
        Some(known) => {
            let back = (below(TYPES, &known.value.name_of_type), name_of(known));
            ("Change a type of authorization details", back, "Save")
        }
    };
    Ok(Editor {
        room: Room::DetailsTypes,
        title: title.to_owned(),
        lede: "",
        back,
        button,
        hidden: if before.is_none() { vec![("key", Visit::new_key())] } else { Vec::new() },
        groups: vec![Group { title: "", hint: "", fields }],
    })
}

async fn get_new(State(app): State<App>, visit: Visit) -> Result<Response, Problem> {
    let start = json!({ "schema": { "type": "object", "additionalProperties": false, "properties": {} } });
    editor(&app, &visit, None).await?.show(&app, &visit, &start, None).await
}

async fn post_new(State(app): State<App>, visit: Visit) -> Result<Response, Problem> {
    let editor = editor(&app, &visit, None).await?;
    let typed = editor.typed(&visit)?;
    // What was left empty is judged too, rather than missed.
    let object = MergePatch::new(typed.clone()).apply(empty());
    let path = below(TYPES, object.get("type").and_then(Value::as_str).unwrap_or_default());
    let made = match AuthorizationDetailsTypeInput::from_object(object).map_err(Problem::invalid_body) {
        Ok(input) => types::register_type(&app, &visit.caller, input, visit.key(&app)?, visit.now).await,
        Err(problem) => Err(problem),
    };
    match made {
        Ok(_) => visit.go_on(&app, &path, "The type is registered.").await,
        Err(problem) => editor.refuse(&app, &visit, (typed, problem), None).await,
    }
}

/// A type of which nothing is said.
fn empty() -> Map<String, Value> {
    let members = [("type", json!("")), ("schema", json!({})), ("name", json!({}))];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

async fn get_edit(State(app): State<App>, visit: Visit, Path(name): Path<String>) -> Result<Response, Problem> {
    let known = types::find_type(&app, &name).await?;
    let editor = editor(&app, &visit, Some(&known)).await?;
    editor.show(&app, &visit, &serde_json::to_value(&known.value)?, Some(known.revision)).await
}

async fn post_edit(State(app): State<App>, visit: Visit, Path(name): Path<String>) -> Result<Response, Problem> {
    let known = types::find_type(&app, &name).await?;
    let editor = editor(&app, &visit, Some(&known)).await?;
    let typed = editor.typed(&visit)?;
    // The schema was typed whole.
    let patch = MergePatch::new(typed.clone()).replacing("schema", &known.value.schema);
    match types::change_type(&app, &visit.caller, &name, (visit.expected()?, patch), visit.now).await {
        Ok(_) => visit.go_on(&app, &below(TYPES, &name), "The type was saved.").await,
        Err(problem) => {
            let known = types::find_type(&app, &name).await?;
            let now = (serde_json::to_value(&known.value)?, known.revision);
            editor.refuse(&app, &visit, (typed, problem), Some(now)).await
        }
    }
}

async fn get_delete(State(app): State<App>, visit: Visit, Path(name): Path<String>) -> Result<Response, Problem> {
    let known = types::find_type(&app, &name).await?;
    let page = Confirmation {
        frame: visit.frame(&app, Room::DetailsTypes).await?,
        title: "Delete this type for good?".to_owned(),
        subject: name_of(&known),
        consequences: vec![
            "No application may ask for details of it any more.".to_owned(),
            "It cannot be undone, and the identifier is never given again.".to_owned(),
            "While a client names it, nothing is deleted.".to_owned(),
        ],
        groups: Vec::new(),
        action: visit.path.clone(),
        hidden: vec![("revision", known.revision.to_string())],
        button: "Delete for good",
        is_dangerous: true,
        back: below(TYPES, &name),
    };
    Ok(page.ask(&visit))
}

async fn post_delete(State(app): State<App>, visit: Visit, Path(name): Path<String>) -> Result<Response, Problem> {
    types::remove_type(&app, &visit.caller, &name, visit.expected()?, visit.now).await?;
    visit.go_on(&app, TYPES, format!("The type {name} is deleted.")).await
}
