//! OAuth 2.0 Form Post Response Mode: a page whose form carries the authorization response to the client.

use askama::Template;

use super::view::{Site, return_host};

/// Sends an authorization response by POST: by itself where scripts run, by its button where not.
#[derive(Clone, Copy, Template)]
#[template(path = "form_post.html", config = "src/http/pages/askama.toml")]
pub struct FormPostPage<'a> {
    site: &'a Site,
    redirect_uri: &'a str,
    parameters: &'a [(&'static str, String)],
    returns_to: &'a str,
}

/// The page as HTML.
pub fn form_post(site: &Site, redirect_uri: &str, parameters: &[(&'static str, String)]) -> String {
    let returns_to = return_host(redirect_uri);
    super::html(&FormPostPage { site, redirect_uri, parameters, returns_to: &returns_to })
}
