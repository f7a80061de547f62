//! What people see of a logout.

use axum::response::Response;
use chrono::{DateTime, Utc};
use http::StatusCode;

use crate::app::App;
use crate::http::browser::{Browser, Csp};
use crate::http::csrf;
use crate::http::pages::logout::{LoggedOutPage, LogoutQuestionPage};
use crate::http::pages::view::{Link, PersonView, return_host};
use crate::http::pages::{self, view::Site};
use crate::model::id::ClientId;
use crate::model::session::SignedIn;
use crate::oauth::paths;
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;
use crate::protocol::locale;

/// What the question repeats of the request, so that the answer is checked like the request was.
const REPEATED: [&str; 5] = ["id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales"];

/// Asks whether to sign out.
pub async fn question(
    app: &App,
    browser: &Browser,
    form: &Form,
    signed_in: &SignedIn,
    now: DateTime<Utc>,
) -> Result<Response, OAuthError> {
    let site = site(browser, form);
    let client = match form.one("client_id")? {
        Some(id) => app.registry.find_client(&ClientId::new(id), now).await?,
        None => None,
    };
    let person = app.identity.find_person(&signed_in.subject).await?;
    let person = person.map(|person| PersonView::new(&person.display_name, &person.username));
    let mut fields = Vec::new();
    for name in REPEATED {
        fields.extend(form.one(name)?.map(|value| (name, value.to_owned())));
    }
    let page = LogoutQuestionPage {
        site: &site,
        action: paths::LOGOUT,
        csrf: &csrf::token(app, &browser.id),
        client_name: client.as_ref().map(|client| client.display_name(site.locale.tag())),
        person: person.as_ref(),
        fields: &fields,
    };
    let csp = form.one("post_logout_redirect_uri")?.map(Csp::returning_to).unwrap_or_default();
    Ok(browser.page(StatusCode::OK, pages::html(&page), &csp))
}

/// Says that the person is signed out; loads the clients' front-channel addresses, then goes on.
pub fn logged_out(browser: &Browser, form: &Form, frames: &[String], go_on: Option<&str>) -> Response {
    let csp = Csp::framing(frames);
    // The script is what goes on by itself.
    let csp = if go_on.is_some() { csp.with_script() } else { csp };
    let go_on = go_on.map(|url| Link { url: url.to_owned(), name: return_host(url) });
    let page = LoggedOutPage { site: &site(browser, form), is_kept: false, frames, go_on: go_on.as_ref() };
    browser.page(StatusCode::OK, pages::html(&page), &csp)
}

/// Says that nothing was changed.
pub fn still_signed_in(browser: &Browser, form: &Form) -> Response {
    let page = LoggedOutPage { site: &site(browser, form), is_kept: true, frames: &[], go_on: None };
    browser.page(StatusCode::OK, pages::html(&page), &Csp::default())
}

fn site(browser: &Browser, form: &Form) -> Site {
    browser.site(&locale::parse(form.one("ui_locales").ok().flatten()))
}
