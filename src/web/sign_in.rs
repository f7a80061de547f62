//! Signing in at a browser, the same for the page and for the JSON endpoint.

use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderValue};
use secrecy::SecretString;

use crate::app::App;
use crate::flow::device;
use crate::flow::sign_in::{self, SignIn};
use crate::http::browser::Browser;
use crate::http::cookies::CookieName;
use crate::http::pages::login::LoginProblem;
use crate::model::session::SignedIn;
use crate::storage::StoreError;

/// What became of it.
pub enum Signed {
    /// The browser has a session, under a new identifier.
    In {
        /// The session.
        signed_in: Box<SignedIn>,
        /// Lets the browser be known here from now on.
        cookie: Option<HeaderValue>,
    },
    /// Nothing changed.
    Refused(LoginProblem),
}

/// Tries a username and a password.
pub async fn sign_in(
    app: &App,
    browser: &Browser,
    (username, password): (&str, &str),
    headers: &HeaderMap,
    now: DateTime<Utc>,
) -> Result<Signed, StoreError> {
    let is_secure = app.config.server.has_secure_cookies();
    let present = browser.session.signed_in(now).await?;
    let attempt = sign_in::Attempt {
        username,
        password: &SecretString::from(password),
        network: &browser.network,
        device: CookieName::Device.find(headers, is_secure),
        origin: &browser.origin(),
        present: present.as_ref(),
    };
    let done = match sign_in::sign_in(app, attempt, now).await? {
        SignIn::Done(done) => done,
        SignIn::Refused => return Ok(Signed::Refused(LoginProblem::Refused)),
        SignIn::Throttled { retry_after } => return Ok(Signed::Refused(LoginProblem::Throttled(retry_after))),
        SignIn::Busy => return Ok(Signed::Refused(LoginProblem::Busy)),
    };
    browser.session.sign_in(&done.signed_in).await?;
    let cookie = done.device_cookie.and_then(|value| CookieName::Device.set(&value, Some(device::LIFETIME), is_secure));
    Ok(Signed::In { signed_in: Box::new(done.signed_in), cookie })
}
