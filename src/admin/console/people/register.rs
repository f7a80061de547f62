//! `/console/new/person`: somebody new, with a password or with a link with which they choose one.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::access::tell;
use super::{PEOPLE, claims, edit, path_of};
use crate::admin::console::editor::Editor;
use crate::admin::console::field::{Field, Group, Kind};
use crate::admin::console::frame::Room;
use crate::admin::console::table::Pages;
use crate::admin::console::visit::Visit;
use crate::admin::json::{FromObject, MergePatch};
use crate::admin::users;
use crate::admin::users::document::NewUser;
use crate::app::App;
use crate::http::problem::Problem;
use crate::model::admin_scope::AdminArea;
use crate::model::id::SubjectId;

/// Not below the list, where it would be the address of a person of that name.
pub(super) const NEW: &str = "/console/new/person";

/// The pages of this file.
pub(super) fn pages(pages: Pages) -> Pages {
    pages.form(NEW, AdminArea::Users.full(), get, post)
}

async fn get(State(app): State<App>, visit: Visit) -> Result<Response, Problem> {
    editor(Visit::new_key()).show(&app, &visit, &json!({}), None).await
}

async fn post(State(app): State<App>, visit: Visit) -> Result<Response, Problem> {
    let editor = editor(visit.typed("key")?.to_owned());
    let typed = editor.typed(&visit)?;
    // Over nothing, so that what was left empty is absent.
    let object = MergePatch::new(claims::patch(&typed, &Map::new())?).apply(Map::new());
    let new = editor.check_secret(&visit).and_then(|()| NewUser::from_object(object).map_err(Problem::invalid_body));
    let made = match new {
        Ok(new) => users::create(&app, &visit.caller, (new, visit.key(&app)?), visit.now).await,
        Err(problem) => Err(problem),
    };
    let made: Value = match made {
        Ok(created) => created.read()?,
        Err(problem) => return editor.refuse(&app, &visit, (typed, problem), None).await,
    };
    let text = |name: &str| made.get(name).and_then(Value::as_str).unwrap_or_default();
    let path = path_of(&SubjectId::new(text("subject")));
    match made.get("invitation") {
        None => visit.go_on(&app, &path, "The person is registered, and can sign in.").await,
        Some(link) => tell(&app, &visit, ("The person is invited", text("username"), link), path).await,
    }
}

fn editor(key: String) -> Editor {
    let hint = "Left empty, you get a link with which they choose one themselves: nobody else knows it then.";
    let mut fields = vec![edit::username()];
    fields.extend(claims::first());
    fields.push(Field::new("password", "Password", hint, Kind::Secret));
    fields.push(edit::administrator());
    Editor {
        room: Room::People,
        title: "Register a person".to_owned(),
        lede: "Everything else that is known of them can be added afterwards.",
        back: (PEOPLE.to_owned(), "People".to_owned()),
        button: "Register",
        hidden: vec![("key", key)],
        groups: vec![Group { title: "", hint: "", fields }],
    }
}
