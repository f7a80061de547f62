//! `/console/people/{subject}/edit`: what is known of a person, their username, and whether they administer the server.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value};

use super::{claims, path_of};
use crate::admin::console::editor::Editor;
use crate::admin::console::field::{Field, Group, Kind};
use crate::admin::console::frame::Room;
use crate::admin::console::table::Pages;
use crate::admin::console::visit::Visit;
use crate::admin::json::{FromObject, MergePatch};
use crate::admin::path::Path;
use crate::admin::users::document::{UserChange, changeable};
use crate::admin::users::{change, find, find_at};
use crate::app::App;
use crate::http::problem::Problem;
use crate::model::admin_scope::AdminArea;
use crate::model::id::SubjectId;
use crate::storage::postgres::person_record::PersonRecord;

const EDIT: &str = "/console/people/{subject}/edit";

/// The pages of this file.
pub(super) fn pages(pages: Pages) -> Pages {
    pages.form(EDIT, AdminArea::Users.full(), get, post)
}

async fn get(State(app): State<App>, visit: Visit, Path(subject): Path<SubjectId>) -> Result<Response, Problem> {
    let record = find(&app, &subject).await?;
    let document = claims::document(&record)?;
    editor(&record).show(&app, &visit, &document, Some(record.revision)).await
}

async fn post(State(app): State<App>, visit: Visit, Path(subject): Path<SubjectId>) -> Result<Response, Problem> {
    let editor = editor(&find(&app, &subject).await?);
    let typed = editor.typed(&visit)?;
    match save(&app, &visit, &subject, &typed).await {
        Ok(_) => visit.go_on(&app, &path_of(&subject), "What you changed was saved.").await,
        Err(problem) => {
            let now = find(&app, &subject).await?;
            let now = (claims::document(&now)?, now.revision);
            editor.refuse(&app, &visit, (typed, problem), Some(now)).await
        }
    }
}

async fn save(
    app: &App,
    visit: &Visit,
    subject: &SubjectId,
    typed: &Map<String, Value>,
) -> Result<PersonRecord, Problem> {
    let before = find_at(app, subject, visit.expected()?).await?;
    let patched = MergePatch::new(claims::patch(typed, &before.claims)?).apply(changeable(&before));
    let user = UserChange::from_object(patched).map_err(Problem::invalid_body)?;
    change(app, &visit.caller, (&before, &user), visit.now).await
}

fn editor(record: &PersonRecord) -> Editor {
    let own = Group { title: "Account", hint: "", fields: vec![username(), administrator()] };
    Editor {
        room: Room::People,
        title: "Change a person".to_owned(),
        lede: "What is left empty is not known of them, and no application is told it.",
        back: (path_of(&record.subject), record.username.clone()),
        button: "Save",
        hidden: Vec::new(),
        groups: [own].into_iter().chain(claims::groups()).collect(),
    }
}

/// The name they sign in with.
pub(super) fn username() -> Field {
    Field::new("username", "Username", "They sign in with it. Capital and small letters are the same.", Kind::Line)
}

/// Whether they administer the server.
pub(super) fn administrator() -> Field {
    let hint = "They may do everything here, and give that to others.";
    Field::new("is_administrator", "Administers this server", hint, Kind::Switch)
}
