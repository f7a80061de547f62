//! What people see of a logout.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::http::browser::{Browser, Csp};
use crate::http::pages;
use crate::http::pages::logout::{LoggedOutPage, LogoutQuestionPage};
use crate::http::pages::view::{Link, PersonView, return_host};
use crate::http::{continuation, csrf, remark};
use crate::model::id::ClientId;
use crate::model::session::SignedIn;
use crate::oauth::paths;
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;
use crate::protocol::locale;

/// What the question repeats of the request, so that the answer is checked like the request was.
const REPEATED: [&str; 5] = ["id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales"];

/// How a logout ended: what the page says, or waits in the state store until the browser comes for it.
#[derive(Default, Serialize, Deserialize)]
pub struct End {
    /// The clients' front-channel addresses, loaded in frames.
    pub frames: Vec<String>,
    /// Where it goes on.
    pub go_on: Option<String>,
    /// The languages that were asked for, in order of preference.
    pub ui_locales: Vec<String>,
}

/// `/logged-out`: how things are, whatever led here.
pub async fn get(State(app): State<App>, browser: Browser) -> Response {
    continuation::or_error_page(&browser, async {
        let now = app.clock.now();
        let end: End = remark::take(&app, &browser, paths::LOGGED_OUT, now).await?.unwrap_or_default();
        let is_kept = end.frames.is_empty() && browser.session.signed_in(now).await?.is_some();
        Ok(logged_out(&browser, &end, is_kept))
    })
    .await
}

/// Sends the browser to `/logged-out`: an answer to a form that is a page would be asked for anew by the back button.
pub async fn show(app: &App, browser: &Browser, end: &End, now: DateTime<Utc>) -> Result<Response, OAuthError> {
    remark::keep(app, browser, paths::LOGGED_OUT, end, now).await?;
    Ok(browser.redirect(&app.url(paths::LOGGED_OUT)))
}

/// Asks whether to sign out. Without `signed_in` the question is about a session that this browser does not have: whose it
/// is is not for whoever looks at the page to know.
pub async fn question(
    app: &App,
    browser: &Browser,
    form: &Form,
    signed_in: Option<&SignedIn>,
    now: DateTime<Utc>,
) -> Result<Response, OAuthError> {
    let site = browser.site(&ui_locales(form));
    let client = match form.one("client_id")? {
        Some(id) => app.registry.find_client(&ClientId::new(id), now).await?,
        None => None,
    };
    let person = match signed_in {
        Some(signed_in) => app.identity.find_person(&signed_in.subject).await?,
        None => None,
    };
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

/// Says that the person is signed out; loads the clients' front-channel addresses, then goes on. Or that nothing was
/// changed.
pub fn logged_out(browser: &Browser, end: &End, is_kept: bool) -> Response {
    let csp = Csp::framing(&end.frames);
    // The script is what goes on by itself.
    let csp = if end.go_on.is_some() { csp.with_script() } else { csp };
    let go_on = end.go_on.as_ref().map(|url| Link { url: url.clone(), name: return_host(url) });
    let site = browser.site(&end.ui_locales);
    let page = LoggedOutPage { site: &site, is_kept, frames: &end.frames, go_on: go_on.as_ref() };
    browser.page(StatusCode::OK, pages::html(&page), &csp)
}

/// The languages that a logout request asks for.
pub fn ui_locales(form: &Form) -> Vec<String> {
    locale::parse(form.one("ui_locales").ok().flatten())
}
