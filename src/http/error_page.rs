//! How an error is told to a person: as a page. And how one is told that no handler answers, a path that is not there or a
//! body that is too large: as a page to browsers, as JSON to everybody else.

use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT_LANGUAGE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::accept;
use super::browser::{self, Csp, REQUEST_ID};
use super::oauth_error::{FailureCode, log_failure};
use super::pages;
use super::pages::error::{ErrorKind, ErrorPage};
use super::pages::locale::Locale;
use super::pages::view::{Link, Site};
use crate::config::Config;
use crate::protocol::error::OAuthError;

/// The page of an error.
pub(super) fn send(
    site: &Site,
    support_id: &str,
    error: &OAuthError,
    kind: ErrorKind,
    back: Option<&Link>,
) -> Response {
    log_failure(error);
    let code = error.code().as_str();
    let page = ErrorPage { site, kind, code, description: error.detail(), support_id, back };
    let status = match error.status() {
        // A page has no WWW-Authenticate to go with a 401 (RFC 9110 section 15.5.2).
        401 => StatusCode::BAD_REQUEST,
        status => StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
    };
    let mut response = browser::page(status, pages::html(&page), &Csp::default());
    if let Some(wait) = error.retry_after() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    }
    response.extensions_mut().insert(FailureCode(code));
    response
}

/// Answers a request with those headers, in the form that its sender can read. No cookie goes with it.
pub fn answer(config: &Config, headers: &HeaderMap, error: OAuthError) -> Response {
    if !wants_page(headers) {
        return error.into_response();
    }
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let default_locale = Locale::from_tag(&config.pages.default_locale).unwrap_or_default();
    let site = Site::new(Locale::negotiate([], text(&ACCEPT_LANGUAGE), default_locale), &config.server.issuer);
    let support_id = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).unwrap_or_default();
    send(&site, support_id, &error, ErrorKind::of(&error), None)
}

/// RFC 9110 section 12.5.1. Only browsers name `text/html`; `*/*` is what programs send that do not care.
fn wants_page(headers: &HeaderMap) -> bool {
    let weight = |media_type| accept::named(headers, media_type).unwrap_or_default();
    let html = weight("text/html");
    html > 0 && html >= weight("application/json")
}

#[cfg(test)]
mod tests {
    use http::header::{ACCEPT, CONTENT_TYPE, SET_COOKIE};

    use super::*;

    fn accepting(accept: &str) -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT, HeaderValue::from_str(accept).unwrap())])
    }

    #[test]
    fn only_who_names_html_gets_a_page() {
        for accept in [
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "Text/HTML; q=0.5",
            "application/json;q=0.4, text/html;level=1;q=0.7",
        ] {
            assert!(wants_page(&accepting(accept)), "{accept}");
        }
        for accept in ["*/*", "", "text/*", "application/json", "application/json, text/html;q=0.9", "text/html;q=0"] {
            assert!(!wants_page(&accepting(accept)), "{accept}");
        }
        assert!(!wants_page(&HeaderMap::new()));
    }

    #[test]
    fn a_page_is_in_the_browsers_language_and_brings_no_cookie() {
        let error = || OAuthError::invalid_request("there is nothing at this path").with_status(404);
        let mut headers = accepting("text/html");
        headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static("de"));
        let page = answer(&Config::default(), &headers, error());
        assert_eq!(page.status(), StatusCode::NOT_FOUND);
        assert_eq!(page.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
        assert!(!page.headers().contains_key(SET_COOKIE));
        let json = answer(&Config::default(), &HeaderMap::new(), error());
        assert_eq!(
            (json.status(), &json.headers()[CONTENT_TYPE]),
            (page.status(), &HeaderValue::from_static("application/json"))
        );
    }
}
