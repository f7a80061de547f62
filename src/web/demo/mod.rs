//! The demo application of the development mode: a real relying party that happens to live in the same process.
//!
//! It knows the issuer and its own client id, nothing else: everything it does goes over HTTP through the discovery
//! document, as any application would do it (OpenID Connect Core section 3.1).
//!
//! 1. `POST /demo/sign-in` remembers a state, a nonce and a code verifier, and sends the browser to the issuer.
//! 2. `GET /demo/callback` exchanges the code, verifies the ID token, asks userinfo.
//! 3. `/` shows all of it; `POST /demo/refresh` and `POST /demo/sign-out` go on from there.

// Verifying an ID token.
mod id_token;
// The two pages.
mod page;
// What an application says to an issuer.
mod relying_party;
// Who is signed in to the application.
mod visits;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use axum_extra::extract::CookieJar;
use http::{HeaderMap, StatusCode};

use self::relying_party::{Failure, RelyingParty};
use self::visits::{Pending, SignedIn, Visit, Visits};
use crate::app::App;
use crate::http::browser::{Browser, Csp};
use crate::http::form::OAuthQuery;
use crate::http::method::without_head;
use crate::http::{continuation, csrf, pages};
use crate::protocol::error::OAuthError;

/// The pages of the application, with its own memory of who is signed in.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/", get(home))
        .route("/demo/sign-in", post(sign_in))
        .route("/demo/callback", without_head(get(callback), "GET"))
        .route("/demo/refresh", post(refresh))
        .route("/demo/sign-out", post(sign_out))
        .layer(Extension(Visits::new()))
}

async fn home(Extension(visits): Extension<Visits>, jar: CookieJar, browser: Browser) -> Response {
    let visit = visits.find(&jar).await;
    let html = page::home(&browser.site(&[]), visit.as_ref().and_then(|visit| visit.signed_in.as_ref()));
    browser.page(StatusCode::OK, html, &Csp::default())
}

async fn sign_in(
    State(app): State<App>,
    Extension(visits): Extension<Visits>,
    jar: CookieJar,
    browser: Browser,
    headers: HeaderMap,
) -> Response {
    if csrf::is_foreign(&app, &headers) {
        return continuation::forged(&browser);
    }
    let begun = async {
        let pending = Pending::new();
        let location = RelyingParty::discover(app.issuer()).await?.authorization_url(&pending)?;
        let mut visit = visits.find(&jar).await.unwrap_or_default();
        visit.remember(pending);
        Ok((visits.keep(jar, visit).await, browser.redirect(&location)).into_response())
    };
    begun.await.unwrap_or_else(|failure| failed(&browser, &failure))
}

async fn callback(
    State(app): State<App>,
    Extension(visits): Extension<Visits>,
    jar: CookieJar,
    browser: Browser,
    query: Result<OAuthQuery, OAuthError>,
) -> Response {
    let finished = async {
        let OAuthQuery(query) = query.map_err(|error| Failure::new(error.description()))?;
        let one = |name| query.one(name).map_err(|error| Failure::new(error.description()));
        let mut visit = visits.find(&jar).await.unwrap_or_default();
        let Some(pending) = one("state")?.and_then(|state| visit.take(state)) else {
            // The second of two clicks, or the back button: the sign-in is complete.
            return match visit.signed_in {
                Some(_) => Ok(browser.redirect(&app.url("/"))),
                None => Err(Failure::new("The state is not one that this application sent.")),
            };
        };
        // RFC 9207 section 2.4: compared before anything else of the answer is used.
        if one("iss")? != Some(app.issuer()) {
            return Err(Failure::new("The answer names another issuer (iss)."));
        }
        if let Some(error) = one("error")? {
            let description = one("error_description")?.unwrap_or_default();
            return Err(Failure::new(format!("{error}: {description}")));
        }
        let code = one("code")?.ok_or_else(|| Failure::new("The answer has neither a code nor an error."))?;
        let issuer = RelyingParty::discover(app.issuer()).await?;
        visit.signed_in = Some(issuer.complete(code, &pending, app.clock.now()).await?);
        Ok((visits.renew(jar, visit).await, browser.redirect(&app.url("/"))).into_response())
    };
    finished.await.unwrap_or_else(|failure| failed(&browser, &failure))
}

async fn refresh(
    State(app): State<App>,
    Extension(visits): Extension<Visits>,
    jar: CookieJar,
    browser: Browser,
    headers: HeaderMap,
) -> Response {
    if csrf::is_foreign(&app, &headers) {
        return continuation::forged(&browser);
    }
    let Some(Visit { signed_in: Some(mut visitor), .. }) = visits.find(&jar).await else {
        return browser.redirect(&app.url("/"));
    };
    let refreshed = match RelyingParty::discover(app.issuer()).await {
        Ok(issuer) => issuer.refresh(&mut visitor, app.clock.now()).await,
        Err(failure) => Err(failure),
    };
    let (visit, answer) = match refreshed {
        Ok(()) => (Visit::of(visitor), browser.redirect(&app.url("/"))),
        // The person signed out elsewhere, or took the consent back.
        Err(failure) if failure.is_invalid_grant() => (Visit::default(), not_renewed(&browser, &failure, true)),
        Err(failure) => (Visit::of(visitor), not_renewed(&browser, &failure, false)),
    };
    (visits.keep(jar, visit).await, answer).into_response()
}

async fn sign_out(
    State(app): State<App>,
    Extension(visits): Extension<Visits>,
    jar: CookieJar,
    browser: Browser,
    headers: HeaderMap,
) -> Response {
    if csrf::is_foreign(&app, &headers) {
        return continuation::forged(&browser);
    }
    let visit = visits.find(&jar).await.unwrap_or_default();
    let jar = visits.forget(jar).await;
    let location = match &visit.signed_in {
        Some(SignedIn { id_token, .. }) => {
            RelyingParty::discover(app.issuer()).await.and_then(|issuer| issuer.end_session_url(&id_token.raw))
        }
        None => Ok(app.url("/")),
    };
    match location {
        Ok(location) => (jar, browser.redirect(&location)).into_response(),
        Err(failure) => (jar, failed(&browser, &failure)).into_response(),
    }
}

fn failed(browser: &Browser, failure: &Failure) -> Response {
    let m = &browser.site(&[]).m.demo;
    explain(browser, failure, (m.failed_title, m.failed))
}

fn not_renewed(browser: &Browser, failure: &Failure, is_over: bool) -> Response {
    let m = &browser.site(&[]).m.demo;
    explain(browser, failure, (m.not_renewed_title, if is_over { m.is_over } else { m.is_kept }))
}

fn explain(browser: &Browser, failure: &Failure, (title, explanation): (&str, &str)) -> Response {
    let page = page::FailedPage { site: &browser.site(&[]), title, explanation, failure: &failure.to_string() };
    browser.page(StatusCode::BAD_REQUEST, pages::html(&page), &Csp::default())
}
