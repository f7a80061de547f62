//! How an authorization response travels: as a redirect, or as a form that the browser posts.

use axum::response::Response;

use super::browser::{Browser, Csp};
use super::pages::form_post::form_post;
use crate::flow::authorization_request::AuthorizationResponse;
use crate::protocol::authorization_response::{Delivery, deliver};

/// Sends it.
pub fn send(browser: &Browser, response: AuthorizationResponse) -> Response {
    match deliver(&response.redirect_uri, response.response_mode, response.parameters) {
        Delivery::Redirect(location) => browser.redirect(&location),
        Delivery::FormPost { action, fields } => {
            let page = form_post(&browser.site(&[]), &action, &fields);
            browser.page(http::StatusCode::OK, page, &Csp::returning_to(&action).with_script())
        }
    }
}
