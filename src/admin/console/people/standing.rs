//! `/console/people/{subject}/standing` and `/delete`: whether somebody may sign in, and whether there is such a person.

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use super::access::ask;
use super::{PEOPLE, path_of};
use crate::admin::console::table::Pages;
use crate::admin::console::visit::Visit;
use crate::admin::json::FromObject;
use crate::admin::path::Path;
use crate::admin::users::document::{UserChange, changeable};
use crate::admin::users::{self, find, find_at};
use crate::app::App;
use crate::http::problem::Problem;
use crate::model::admin_scope::AdminArea;
use crate::model::id::SubjectId;

const STANDING: &str = "/console/people/{subject}/standing";
const DELETE: &str = "/console/people/{subject}/delete";

/// The pages of this file.
pub(super) fn pages(pages: Pages) -> Pages {
    let full = AdminArea::Users.full();
    pages.form(STANDING, full, get_standing, post_standing).form(DELETE, full, get_delete, post_delete)
}

async fn get_standing(
    State(app): State<App>,
    visit: Visit,
    Path(subject): Path<SubjectId>,
) -> Result<Response, Problem> {
    let record = find(&app, &subject).await?;
    let mut page = ask(&app, &visit, &record).await?;
    page.hidden = vec![("revision", record.revision.to_string()), ("enabled", (!record.enabled).to_string())];
    let consequences: &[&str] = if record.enabled {
        page.title = "Disable this person?".to_owned();
        page.button = "Disable";
        page.is_dangerous = true;
        &[
            "They cannot sign in any more, and their sessions end in every browser.",
            "Every token that they gave an application ends at once.",
            "They can be enabled again, with the same password. What ended does not come back.",
        ]
    } else {
        page.title = "Enable this person?".to_owned();
        page.button = "Enable";
        &["They may sign in again, with the password that they had."]
    };
    page.consequences = consequences.iter().map(|sentence| (*sentence).to_owned()).collect();
    Ok(page.ask(&visit))
}

async fn post_standing(
    State(app): State<App>,
    visit: Visit,
    Path(subject): Path<SubjectId>,
) -> Result<Response, Problem> {
    let before = find_at(&app, &subject, visit.expected()?).await?;
    let enabled = visit.typed("enabled")? == "true";
    let mut wanted = changeable(&before);
    wanted.insert("enabled".to_owned(), json!(enabled));
    let wanted = UserChange::from_object(wanted).map_err(Problem::invalid_body)?;
    users::change(&app, &visit.caller, (&before, &wanted), visit.now).await?;
    let said = if enabled { "The person is enabled." } else { "The person is disabled." };
    visit.go_on(&app, &path_of(&subject), said).await
}

async fn get_delete(State(app): State<App>, visit: Visit, Path(subject): Path<SubjectId>) -> Result<Response, Problem> {
    let record = find(&app, &subject).await?;
    let mut page = ask(&app, &visit, &record).await?;
    page.title = "Delete this person for good?".to_owned();
    page.button = "Delete for good";
    page.is_dangerous = true;
    page.hidden = vec![("revision", record.revision.to_string())];
    let consequences = [
        "They cannot sign in any more. Their sessions, and every token that they gave an application, end at once.",
        "What is known of them is gone. It cannot be undone, and their identifier is never given again.",
        "Applications keep what they have of them, and are told only that the sessions ended.",
    ];
    page.consequences = consequences.map(str::to_owned).into();
    Ok(page.ask(&visit))
}

async fn post_delete(
    State(app): State<App>,
    visit: Visit,
    Path(subject): Path<SubjectId>,
) -> Result<Response, Problem> {
    let before = find_at(&app, &subject, visit.expected()?).await?;
    users::delete(&app, &visit.caller, &before, visit.now).await?;
    visit.go_on(&app, PEOPLE, format!("{} is deleted.", before.username)).await
}
