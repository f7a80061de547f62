//! `/console/clients`: registered clients.

// One client.
mod detail;
// Changing one.
mod edit;
// What is encrypted to it, as fields.
mod encryption;
// A new one.
mod register;
// Secrets.
mod secrets;
// The settings as fields.
mod settings;
// Enabling, disabling and deleting one.
mod standing;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::frame::{Frame, Room};
use super::listing::{self, Listing, below};
use super::table::Pages;
use super::time;
use super::visit::Visit;
use crate::admin::clients::document::ClientDocument;
use crate::admin::clients::{self, ListQuery};
use crate::app::App;
use crate::http::problem::Problem;
use crate::model::admin_scope::AdminArea;
use crate::model::client::{ApplicationType, ClientAuthMethod, ClientSettings, GrantType};
use crate::model::id::ClientId;

const CLIENTS: &str = "/console/clients";

/// The pages of this folder.
pub(super) fn pages(pages: Pages) -> Pages {
    let pages = pages.page(CLIENTS, AdminArea::Clients.read(), get);
    let pages = pages.with(register::pages).with(detail::pages).with(edit::pages);
    pages.with(secrets::pages).with(standing::pages)
}

#[derive(Template)]
#[template(path = "console/clients.html", config = "src/http/pages/askama.toml")]
struct ClientsPage {
    frame: Frame,
    search: String,
    clients: Vec<Row>,
    listing: Listing,
}

/// A client in the list.
struct Row {
    id: String,
    name: String,
    path: String,
    kind: &'static str,
    enabled: bool,
    changed: String,
}

async fn get(State(app): State<App>, visit: Visit) -> Result<Response, Problem> {
    let search = visit.asked("search")?.map(str::to_owned);
    let query = ListQuery {
        limit: Some(listing::LIMIT),
        cursor: visit.asked("cursor")?.map(str::to_owned),
        search: search.clone(),
    };
    let page = clients::list(&app, &query).await?;
    let listing = Listing::new(&visit, &["search"], page.next.as_deref())?;
    let frame = visit.frame(&app, Room::Clients).await?;
    let clients = page.items.iter().map(Row::of).collect();
    Ok(visit.page(&ClientsPage { frame, search: search.unwrap_or_default(), clients, listing }))
}

impl Row {
    fn of(client: &ClientDocument) -> Self {
        let id = client.client_id.as_str();
        Self {
            id: id.to_owned(),
            name: name_of(&client.settings, &client.client_id),
            path: path_of(&client.client_id),
            kind: kind_of(&client.settings),
            enabled: client.enabled,
            changed: time::day(client.updated_at),
        }
    }
}

/// The page of a client.
fn path_of(id: &ClientId) -> String {
    below(CLIENTS, id.as_str())
}

/// What people know a client by.
fn name_of(settings: &ClientSettings, id: &ClientId) -> String {
    settings.client_name.get("en").cloned().unwrap_or_else(|| id.as_str().to_owned())
}

/// What a client is, in few words.
fn kind_of(settings: &ClientSettings) -> &'static str {
    let is_public = settings.token_endpoint_auth_method == ClientAuthMethod::None;
    match (settings.application_type, is_public) {
        _ if settings.grant_types.contains(&GrantType::DeviceCode)
            && !settings.grant_types.contains(&GrantType::AuthorizationCode) =>
        {
            "Device"
        }
        _ if settings.grant_types.contains(&GrantType::Ciba)
            && !settings.grant_types.contains(&GrantType::AuthorizationCode) =>
        {
            "Asks elsewhere"
        }
        _ if !settings.grant_types.contains(&GrantType::AuthorizationCode) => "Machine",
        (ApplicationType::Native, _) => "Native app",
        (ApplicationType::Web, true) => "Browser app",
        (ApplicationType::Web, false) => "Web application",
    }
}
