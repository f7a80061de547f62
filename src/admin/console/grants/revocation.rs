//! `/console/people/{subject}/tokens` and `/console/clients/{client_id}/tokens`: ending every token of somebody, and
//! everything that was issued to a client.

use axum::extract::State;
use axum::response::Response;

use super::tokens::{TOKENS, list_of};
use crate::admin::clients;
use crate::admin::console::confirmation::Confirmation;
use crate::admin::console::frame::Room;
use crate::admin::console::link::Names;
use crate::admin::console::listing::below;
use crate::admin::console::table::Pages;
use crate::admin::console::visit::Visit;
use crate::admin::grants::revocation::{Revocation, revoke_tokens};
use crate::admin::path::Path;
use crate::app::App;
use crate::http::problem::Problem;
use crate::model::admin_scope::AdminArea;
use crate::model::id::{ClientId, SubjectId};

const OF_PERSON: &str = "/console/people/{subject}/tokens";
const OF_CLIENT: &str = "/console/clients/{client_id}/tokens";

/// The pages of this file.
pub(super) fn pages(pages: Pages) -> Pages {
    let full = AdminArea::Grants.full();
    pages.form(OF_PERSON, full, get_of_person, post_of_person).form(OF_CLIENT, full, get_of_client, post_of_client)
}

async fn get_of_person(
    State(app): State<App>,
    visit: Visit,
    Path(subject): Path<SubjectId>,
) -> Result<Response, Problem> {
    let person = Names::new(&app, visit.now).person(&subject).await?;
    let back = person.path.unwrap_or_else(|| list_of(&subject));
    let mut page = question(&app, &visit, person.text, back).await?;
    page.title = "Revoke every token of this person?".to_owned();
    page.consequences = vec![
        "Every application that they signed in with loses its tokens, also those for while they are away.".to_owned(),
        "Their sessions go on: an application may get new tokens as long as they are signed in. End the sessions first if \
         it must not."
            .to_owned(),
    ];
    Ok(page.ask(&visit))
}

async fn post_of_person(
    State(app): State<App>,
    visit: Visit,
    Path(subject): Path<SubjectId>,
) -> Result<Response, Problem> {
    let what = Revocation::Subject { subject: subject.clone() };
    let said = match revoke_tokens(&app, &visit.caller, what, visit.now).await?.families.unwrap_or_default() {
        0 => "There was nothing to revoke.".to_owned(),
        1 => "The tokens of one sign-in are revoked.".to_owned(),
        count => format!("The tokens of {count} sign-ins are revoked."),
    };
    let person = Names::new(&app, visit.now).person(&subject).await?;
    visit.go_on(&app, &person.path.unwrap_or_else(|| TOKENS.to_owned()), said).await
}

async fn get_of_client(State(app): State<App>, visit: Visit, Path(id): Path<ClientId>) -> Result<Response, Problem> {
    clients::find(&app, &id).await?;
    let client = Names::new(&app, visit.now).client(&id).await?;
    let mut page = question(&app, &visit, client.text, client_path(&id)).await?;
    page.title = "Revoke every token of this client?".to_owned();
    page.consequences = vec![
        "Every code, refresh token and access token that it got until now ends, those that it got for itself included."
            .to_owned(),
        "People who are in the middle of signing in with it have to begin again.".to_owned(),
        "Its settings and secrets stay, and so does what people allowed it: it may get new tokens.".to_owned(),
    ];
    Ok(page.ask(&visit))
}

async fn post_of_client(State(app): State<App>, visit: Visit, Path(id): Path<ClientId>) -> Result<Response, Problem> {
    let what = Revocation::Client { client_id: id.clone() };
    revoke_tokens(&app, &visit.caller, what, visit.now).await?;
    visit.go_on(&app, &client_path(&id), "Every token of the client is revoked.").await
}

/// A question about tokens.
async fn question(app: &App, visit: &Visit, subject: String, back: String) -> Result<Confirmation, Problem> {
    Ok(Confirmation {
        frame: visit.frame(app, Room::Tokens).await?,
        title: String::new(),
        subject,
        consequences: Vec::new(),
        groups: Vec::new(),
        action: visit.path.clone(),
        hidden: Vec::new(),
        button: "Revoke every token",
        is_dangerous: true,
        back,
    })
}

fn client_path(id: &ClientId) -> String {
    below("/console/clients", id.as_str())
}
