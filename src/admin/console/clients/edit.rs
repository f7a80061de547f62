//! `/console/clients/{client_id}/edit`: the settings of a client.

use axum::extract::State;
use axum::response::Response;
use serde_json::Value;

use super::{name_of, path_of, settings};
use crate::admin::clients;
use crate::admin::clients::document::changeable;
use crate::admin::console::editor::Editor;
use crate::admin::console::frame::Room;
use crate::admin::console::table::Pages;
use crate::admin::console::visit::Visit;
use crate::admin::json::MergePatch;
use crate::admin::path::Path;
use crate::app::App;
use crate::http::problem::Problem;
use crate::model::admin_scope::AdminArea;
use crate::model::id::ClientId;
use crate::storage::postgres::client_record::ClientRecord;

const EDIT: &str = "/console/clients/{client_id}/edit";

/// The pages of this file.
pub(super) fn pages(pages: Pages) -> Pages {
    pages.form(EDIT, AdminArea::Clients.full(), get, post)
}

async fn get(State(app): State<App>, visit: Visit, Path(id): Path<ClientId>) -> Result<Response, Problem> {
    let record = clients::find(&app, &id).await?;
    let document = Value::Object(changeable(&record)?);
    editor(&app, &visit, &record).await?.show(&app, &visit, &document, Some(record.revision)).await
}

async fn post(State(app): State<App>, visit: Visit, Path(id): Path<ClientId>) -> Result<Response, Problem> {
    let record = clients::find(&app, &id).await?;
    let editor = editor(&app, &visit, &record).await?;
    let (typed, expected) = (editor.typed(&visit)?, visit.expected()?);
    let change = (expected, MergePatch::new(typed.clone()));
    match clients::change(&app, &visit.caller, &id, change, visit.now).await {
        Ok(_) => visit.go_on(&app, &path_of(&id), "The settings were saved.").await,
        Err(problem) => {
            let now = clients::find(&app, &id).await?;
            let now = (Value::Object(changeable(&now)?), now.revision);
            editor.refuse(&app, &visit, (typed, problem), Some(now)).await
        }
    }
}

async fn editor(app: &App, visit: &Visit, record: &ClientRecord) -> Result<Editor, Problem> {
    let catalog = app.registry.catalog(visit.now).await?;
    let name = name_of(&record.settings, &record.id);
    Ok(Editor {
        room: Room::Clients,
        title: "Settings of a client".to_owned(),
        lede: "",
        back: (path_of(&record.id), name),
        button: "Save",
        hidden: Vec::new(),
        groups: settings::groups(&catalog),
    })
}
