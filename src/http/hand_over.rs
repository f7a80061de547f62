//! How a browser is sent to another site.
//!
//! Chromium applies the `form-action` of a page to every redirect that follows its form, also to those that the other site
//! answers with: a client whose redirect URI sends the browser on to a third origin would be cut off. So the answer to a
//! form of ours is a page that goes on by itself, without a script: what follows it is no part of the form any more, and the
//! pages with forms need to allow nobody but us.

use axum::response::Response;
use http::StatusCode;

use super::browser::{Browser, Csp, is_web_address};
use super::pages::{self, hand_over::HandOverPage, view::return_host};

/// Sends the browser to `location`, an address that a client registered. `ui_locales` are the languages of the request.
pub fn hand_over(browser: &Browser, location: &str, ui_locales: &[String]) -> Response {
    // An application of its own is no origin that could send the browser on, and may open only on a redirect.
    if !browser.is_answering_form() || !is_web_address(location) {
        return browser.redirect(location);
    }
    let page = HandOverPage { site: &browser.site(ui_locales), location, returns_to: &return_host(location) };
    browser.page(StatusCode::OK, pages::html(&page), &Csp::default())
}
