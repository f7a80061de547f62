//! `/console/clients/{client_id}/standing` and `/delete`: whether a client may do anything, and whether there is one.

use axum::extract::State;
use axum::response::Response;
use serde_json::Value;

use super::{CLIENTS, name_of, path_of};
use crate::admin::PATH as ADMIN_API;
use crate::admin::clients::{self, document::admin_scopes};
use crate::admin::console::confirmation::Confirmation;
use crate::admin::console::frame::Room;
use crate::admin::console::table::Pages;
use crate::admin::console::visit::Visit;
use crate::admin::json::MergePatch;
use crate::admin::path::Path;
use crate::app::App;
use crate::http::problem::Problem;
use crate::model::admin_scope::AdminArea;
use crate::model::id::{ClientId, ResourceUri};
use crate::storage::postgres::client_record::ClientRecord;

const STANDING: &str = "/console/clients/{client_id}/standing";
const DELETE: &str = "/console/clients/{client_id}/delete";

/// The pages of this file.
pub(super) fn pages(pages: Pages) -> Pages {
    let full = AdminArea::Clients.full();
    pages.form(STANDING, full, get_standing, post_standing).form(DELETE, full, get_delete, post_delete)
}

async fn get_standing(State(app): State<App>, visit: Visit, Path(id): Path<ClientId>) -> Result<Response, Problem> {
    let record = clients::find(&app, &id).await?;
    let mut page = ask(&app, &visit, &record).await?;
    page.hidden.push(("enabled", (!record.enabled).to_string()));
    if record.enabled {
        page.title = "Disable this client?".to_owned();
        page.button = "Disable";
        page.is_dangerous = true;
        page.consequences.insert(
            0,
            "Nobody can sign in with it, and it gets no tokens. What it has is refused here at once.".to_owned(),
        );
        page.consequences.push("It can be enabled again, and is then as it was.".to_owned());
    } else {
        page.title = "Enable this client?".to_owned();
        page.button = "Enable";
        page.consequences.insert(0, "It may again do everything that its settings allow.".to_owned());
    }
    Ok(page.ask(&visit))
}

async fn post_standing(State(app): State<App>, visit: Visit, Path(id): Path<ClientId>) -> Result<Response, Problem> {
    let enabled = visit.typed("enabled")? == "true";
    let patch = MergePatch::new([("enabled".to_owned(), Value::Bool(enabled))].into_iter().collect());
    clients::change(&app, &visit.caller, &id, (visit.expected()?, patch), visit.now).await?;
    let said = if enabled { "The client is enabled." } else { "The client is disabled." };
    visit.go_on(&app, &path_of(&id), said).await
}

async fn get_delete(State(app): State<App>, visit: Visit, Path(id): Path<ClientId>) -> Result<Response, Problem> {
    let record = clients::find(&app, &id).await?;
    let mut page = ask(&app, &visit, &record).await?;
    page.title = "Delete this client for good?".to_owned();
    page.button = "Delete for good";
    page.is_dangerous = true;
    let always = [
        "Nobody can sign in with it any more, and its tokens and secrets end at once.",
        "Its settings are gone. This cannot be undone, and its identifier is never given again.",
    ];
    page.consequences.splice(0..0, always.map(str::to_owned));
    Ok(page.ask(&visit))
}

async fn post_delete(State(app): State<App>, visit: Visit, Path(id): Path<ClientId>) -> Result<Response, Problem> {
    clients::delete(&app, &visit.caller, &id, visit.expected()?, visit.now).await?;
    visit.go_on(&app, CLIENTS, format!("The client {id} is deleted.")).await
}

/// A question about a client, with what is particular about it.
async fn ask(app: &App, visit: &Visit, record: &ClientRecord) -> Result<Confirmation, Problem> {
    let administers = !admin_scopes(&record.settings, &ResourceUri::new(app.url(ADMIN_API))).is_empty();
    let particular = administers
        .then(|| "It has rights at the admin API: programs that administer this server may depend on it.".to_owned());
    Ok(Confirmation {
        frame: visit.frame(app, Room::Clients).await?,
        title: String::new(),
        subject: name_of(&record.settings, &record.id),
        consequences: particular.into_iter().collect(),
        groups: Vec::new(),
        action: visit.path.clone(),
        hidden: vec![("revision", record.revision.to_string())],
        button: "",
        is_dangerous: false,
        back: path_of(&record.id),
    })
}
