//! `/console/clients/{client_id}/secrets`: a new secret while the old one goes on, and the end of one.

use axum::extract::State;
use axum::response::Response;
use serde_json::Value;
use uuid::Uuid;

use super::{name_of, path_of};
use crate::admin::clients;
use crate::admin::clients::secrets::{self, DEFAULT_OVERLAP, Rotation};
use crate::admin::console::confirmation::Confirmation;
use crate::admin::console::field::{Choice, Field, Group, Kind, view};
use crate::admin::console::frame::Room;
use crate::admin::console::secret::SecretPage;
use crate::admin::console::table::Pages;
use crate::admin::console::visit::Visit;
use crate::admin::path::Path;
use crate::app::App;
use crate::http::problem::Problem;
use crate::model::admin_scope::AdminArea;
use crate::model::id::ClientId;

const SECRETS: &str = "/console/clients/{client_id}/secrets";
const SECRET: &str = "/console/clients/{client_id}/secrets/{secret_id}";

/// The pages of this file.
pub(super) fn pages(pages: Pages) -> Pages {
    let full = AdminArea::Clients.full();
    pages.form(SECRETS, full, get, post).form(SECRET, full, get_delete, post_delete)
}

/// What is asked of a rotation.
fn groups() -> Vec<Group> {
    let hour = 60 * 60;
    let overlaps = [
        (DEFAULT_OVERLAP, "For a day more"),
        (hour, "For an hour more"),
        (7 * 24 * hour, "For a week more"),
        (0, "Not at all: it ends now"),
    ];
    let choices = overlaps.map(|(seconds, label)| Choice::new(seconds.to_string(), label)).into();
    let hint = "Give the application the new secret in that time.";
    let fields =
        vec![Field::new("overlap_seconds", "How long the present secret goes on", hint, Kind::Choice(choices))];
    vec![Group { title: "", hint: "", fields }]
}

async fn get(State(app): State<App>, visit: Visit, Path(id): Path<ClientId>) -> Result<Response, Problem> {
    let record = clients::find(&app, &id).await?;
    let page = Confirmation {
        frame: visit.frame(&app, Room::Clients).await?,
        title: "Make a new secret?".to_owned(),
        subject: name_of(&record.settings, &record.id),
        consequences: vec![
            "The new secret works at once, and is shown once.".to_owned(),
            "Of those that it has, the newest goes on for as long as you choose. Older ones end now.".to_owned(),
        ],
        groups: view::views(&groups(), &Value::Null, None, &[]),
        action: visit.path.clone(),
        hidden: vec![("revision", record.revision.to_string()), ("key", Visit::new_key())],
        button: "Make a new secret",
        is_dangerous: false,
        back: path_of(&id),
    };
    Ok(page.ask(&visit))
}

async fn post(State(app): State<App>, visit: Visit, Path(id): Path<ClientId>) -> Result<Response, Problem> {
    let overlap = visit.typed("overlap_seconds")?.parse();
    let overlap_seconds = overlap.map_err(|_| Problem::invalid_parameter("the overlap is no number of seconds"))?;
    let rotation = Rotation::new(overlap_seconds).map_err(Problem::invalid_body)?;
    let wanted = (visit.expected()?, rotation, visit.key(&app)?);
    let made: Value = secrets::rotate(&app, &visit.caller, &id, wanted, visit.now).await?.read()?;
    let secret = made.get("client_secret").and_then(Value::as_str).map(|secret| ("client_secret", secret.to_owned()));
    let page = SecretPage {
        frame: visit.frame(&app, Room::Clients).await?,
        title: "The new secret".to_owned(),
        note: "It is shown this once. Put it where the application finds it; it cannot be looked up later.",
        facts: vec![("client_id", id.as_str().to_owned())],
        secret,
        go_on: path_of(&id),
    };
    Ok(visit.page(&page))
}

async fn get_delete(
    State(app): State<App>,
    visit: Visit,
    Path((id, secret)): Path<(ClientId, Uuid)>,
) -> Result<Response, Problem> {
    let record = clients::find(&app, &id).await?;
    let own = record.secrets.iter().find(|own| own.id == secret).ok_or_else(Problem::not_found)?;
    let is_live = |expires_at: Option<chrono::DateTime<chrono::Utc>>| expires_at.is_none_or(|at| at > visit.now);
    let others = record.secrets.iter().filter(|other| other.id != secret && is_live(other.expires_at)).count();
    let mut consequences = vec!["Whoever still uses this secret is refused at once.".to_owned()];
    if !is_live(own.expires_at) {
        consequences = vec!["It has ended already: nothing changes for anybody.".to_owned()];
    } else if others == 0 {
        consequences
            .push("It is the only one that works: the application can do nothing until it has another.".to_owned());
    }
    let page = Confirmation {
        frame: visit.frame(&app, Room::Clients).await?,
        title: "Delete this secret?".to_owned(),
        subject: name_of(&record.settings, &record.id),
        consequences,
        groups: Vec::new(),
        action: visit.path.clone(),
        hidden: vec![("revision", record.revision.to_string())],
        button: "Delete the secret",
        is_dangerous: true,
        back: path_of(&id),
    };
    Ok(page.ask(&visit))
}

async fn post_delete(
    State(app): State<App>,
    visit: Visit,
    Path((id, secret)): Path<(ClientId, Uuid)>,
) -> Result<Response, Problem> {
    secrets::delete(&app, &visit.caller, (&id, secret), visit.expected()?, visit.now).await?;
    visit.go_on(&app, &path_of(&id), "The secret is deleted.").await
}
