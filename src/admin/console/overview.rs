//! `/console`: what is here, and what waits for somebody.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::frame::{Frame, Room};
use super::table::Pages;
use super::time;
use super::visit::Visit;
use crate::admin::keys;
use crate::app::App;
use crate::http::problem::Problem;
use crate::model::admin_scope::AdminArea;
use crate::storage::postgres::overview::Overview;

/// The pages of this file.
pub(super) fn pages(pages: Pages) -> Pages {
    pages.page(super::PATH, AdminArea::Clients.read(), get)
}

#[derive(Template)]
#[template(path = "console/overview.html", config = "src/http/pages/askama.toml")]
struct OverviewPage {
    frame: Frame,
    counts: Vec<Count>,
    open_requests: i64,
    /// What happens next to the keys.
    step: Option<String>,
}

/// How many things there are of a kind.
struct Count {
    number: String,
    name: &'static str,
    /// Where they are.
    path: &'static str,
    id: &'static str,
}

async fn get(State(app): State<App>, visit: Visit) -> Result<Response, Problem> {
    let counted = app.postgres.count_overview(visit.now).await?;
    let catalog = app.registry.catalog(visit.now).await?;
    let timeline = keys::status(&app, visit.now).await?.timeline;
    let step = timeline.first().map(|step| {
        let (alg, purpose) = (step.alg.as_str(), step.purpose.as_str());
        format!("{} for {alg} ({purpose}) on {}", super::keys::happening(step), time::words(step.at))
    });
    let count = |id, number, name, path| Count { number, name, path, id };
    let mut counts = vec![count("count-clients", bounded(counted.clients), "clients", Room::Clients.path())];
    if app.people.is_some() {
        counts.push(count("count-people", bounded(counted.people), "people", Room::People.path()));
    }
    counts.push(count("count-sessions", bounded(counted.sessions), "sessions", Room::Sessions.path()));
    counts.push(count("count-scopes", catalog.scopes.len().to_string(), "scopes", Room::Scopes.path()));
    counts.push(count("count-resources", catalog.resources.len().to_string(), "resources", Room::Resources.path()));
    let types = catalog.authorization_details_types.len().to_string();
    counts.push(count("count-details-types", types, "types of details", Room::DetailsTypes.path()));
    let frame = visit.frame(&app, Room::Overview).await?;
    Ok(visit.page(&OverviewPage { frame, counts, open_requests: counted.open_requests, step }))
}

fn bounded(number: i64) -> String {
    if number > Overview::MOST { format!("over {}", Overview::MOST) } else { number.to_string() }
}
