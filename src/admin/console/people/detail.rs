//! `/console/people/{subject}`: one person, and what they have.

use axum::extract::State;
use axum::response::Response;
use serde_json::Value;

use super::{PEOPLE, claims, path_of, state_of, times};
use crate::admin::console::frame::Room;
use crate::admin::console::grants::{consents, tokens};
use crate::admin::console::link::Link;
use crate::admin::console::record::{RecordPage, ShortList, Tool, fact};
use crate::admin::console::sessions;
use crate::admin::console::table::Pages;
use crate::admin::console::visit::Visit;
use crate::admin::path::Path;
use crate::admin::users;
use crate::admin::users::document::UserDocument;
use crate::app::App;
use crate::http::problem::Problem;
use crate::model::admin_scope::AdminArea;
use crate::model::id::SubjectId;

const PERSON: &str = "/console/people/{subject}";

/// So many of each thing that they have are named.
const FEW: u16 = 5;

/// The pages of this file.
pub(super) fn pages(pages: Pages) -> Pages {
    pages.page(PERSON, AdminArea::Users.read(), get)
}

async fn get(State(app): State<App>, visit: Visit, Path(subject): Path<SubjectId>) -> Result<Response, Problem> {
    let person = UserDocument::new(users::find(&app, &subject).await?);
    let lede = match (person.enabled, person.has_password) {
        (false, _) => "They cannot sign in.",
        (true, false) => "They have no password yet. Make a link with which they choose one.",
        (true, true) => "",
    };
    let page = RecordPage {
        frame: visit.frame(&app, Room::People).await?,
        back: (PEOPLE, "People"),
        lede: lede.to_owned(),
        badge: state_of(person.enabled, person.has_password, person.is_administrator),
        tools: tools(&person),
        lists: lists(&app, &visit, &person).await?,
        facts: facts(&person),
        title: person.username,
    };
    Ok(visit.page(&page))
}

fn tools(person: &UserDocument) -> Vec<Tool> {
    let path = path_of(&person.subject);
    let (standing, word) = if person.enabled { ("person-disable", "Disable") } else { ("person-enable", "Enable") };
    let link = if person.has_password { "Make a link for a new password" } else { "Make an invitation" };
    vec![
        Tool::new("person-edit", format!("{path}/edit"), "Change"),
        Tool::new("person-password", format!("{path}/password"), "Set a password"),
        Tool::new("person-link", format!("{path}/password-link"), link),
        Tool::new("person-sign-out", format!("{path}/sign-out"), "Sign out everywhere"),
        Tool::new(standing, format!("{path}/standing"), word),
        Tool::new("person-delete", format!("{path}/delete"), "Delete").dangerous(),
    ]
}

fn facts(person: &UserDocument) -> Vec<(&'static str, Vec<Link>)> {
    let said = claims::in_words(&Value::Object(person.claims.clone()));
    let word = |is_so: bool| if is_so { "yes" } else { "no" };
    let own = [
        fact("Identifier", person.subject.as_str()),
        fact("Administrator", word(person.is_administrator)),
        fact("Password", if person.has_password { "they have one" } else { "none yet" }),
    ];
    own.into_iter().chain(said).chain(times(person)).collect()
}

async fn lists(app: &App, visit: &Visit, person: &UserDocument) -> Result<Vec<ShortList>, Problem> {
    let (subject, path) = (&person.subject, path_of(&person.subject));
    let mut sessions = sessions::of_person(app, visit, subject, FEW).await?;
    sessions.tools.push(Tool::new("sessions-end", format!("{path}/sessions"), "End all of them").dangerous());
    let mut tokens = tokens::of_person(app, visit, subject, FEW).await?;
    tokens.tools.push(Tool::new("tokens-revoke", format!("{path}/tokens"), "Revoke all of them").dangerous());
    Ok(vec![sessions, consents::of_person(app, visit, subject, FEW).await?, tokens])
}
