//! How an authorization response travels: as a redirect, or as a form that the browser posts.

use axum::response::Response;

use super::browser::{Browser, Csp};
use super::hand_over::hand_over;
use super::pages::form_post::form_post;
use crate::flow::authorization_response::AuthorizationResponse;
use crate::protocol::authorization_response::{Delivery, deliver};

/// Sends it.
pub fn send(browser: &Browser, response: AuthorizationResponse) -> Response {
    let AuthorizationResponse { redirect_uri, response_mode, parameters, is_own, ui_locales } = response;
    match deliver(&redirect_uri, response_mode, parameters) {
        // It stays here, so no other site's policy has a say.
        Delivery::Redirect(location) if is_own => browser.redirect(&location),
        Delivery::Redirect(location) => hand_over(browser, &location, &ui_locales),
        Delivery::FormPost { action, fields } => {
            let page = form_post(&browser.site(&ui_locales), &action, &fields);
            browser.page(http::StatusCode::OK, page, &Csp::posting_to(&action).with_script())
        }
    }
}
