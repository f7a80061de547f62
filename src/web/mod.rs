//! The pages people see: signing in, consent, their account; and the same steps as JSON for a frontend of one's own.
//!
//! Handlers read a form, call the functions of [`flow`](crate::flow), and render a page or let
//! [`continuation`](crate::http::continuation) send the browser on. What a page looks like is in
//! [`http::pages`](crate::http::pages).

// The applications a person allowed.
mod account;
// The applications a person asks to register.
mod applications;
// The stylesheet, the mark, the script.
mod assets;
// The attempt that a page belongs to.
mod attempt;
// A client's logo, fetched and served by us.
mod client_logo;
// What may be allowed.
mod consent;
// What became of the request of somebody who waits elsewhere.
mod decided;
// The demo application of the development mode.
pub mod demo;
// Connecting a device.
mod device;
// The same steps as JSON.
mod frontend;
// Signing in.
mod login;
// Choosing a password.
mod password;
// What applications ask of a person who is elsewhere.
mod requests;
// Choosing an account.
mod select_account;
// A username and a password, for the page and for JSON.
mod sign_in;

use axum::Router;
use axum::routing::{get, post};

use crate::app::App;
use crate::http::cors;
use crate::http::method::{self, without_head};

/// Every page, and the endpoints of a frontend of one's own. A GET of an attempt may complete it, so there is no HEAD.
pub fn routes(app: &App) -> Router<App> {
    let frontend = Router::new()
        .route("/auth/login", post(frontend::login))
        .route("/auth/session", get(frontend::session))
        .route("/authorize/consent", without_head(get(frontend::consent), "GET"))
        .route("/authorize/decision", post(frontend::decision))
        // Before the layer, which has to see the preflight: its method is none of the above.
        .method_not_allowed_fallback(method::not_allowed)
        .layer(cors::for_frontend(&app.config.server));
    Router::new()
        .route("/login", without_head(get(login::get).post(login::post), "GET,POST"))
        .route("/consent", without_head(get(consent::get).post(consent::post), "GET,POST"))
        .route("/select-account", without_head(get(select_account::get).post(select_account::post), "GET,POST"))
        .route("/device", without_head(get(device::get).post(device::post), "GET,POST"))
        .route("/device/done", without_head(get(decided::get), "GET"))
        .route("/account/requests", without_head(get(requests::get).post(requests::post), "GET,POST"))
        .route("/account/requests/done", without_head(get(decided::get), "GET"))
        .route("/account/consents", get(account::get).post(account::post))
        .route("/account/applications", without_head(get(applications::get).post(applications::post), "GET,POST"))
        .route("/account/password", without_head(get(password::get).post(password::post), "GET,POST"))
        .route("/client-logo", get(client_logo::get).layer(client_logo::cache()))
        .route("/assets/{file}", get(assets::get))
        .merge(frontend)
}
