//! Who is signed in at this browser: tower-sessions records over the state store, found by a cookie.
//!
//! - The cookie holds a random id; the store knows only its hash. What lies there are the facts of the sign-in, and our own
//!   `expires_at`, judged by our own clock, ends it.
//! - A sign-in gets a new id: the new record is put before the old one is deleted, so that a failure between the two signs
//!   nobody out.
//! - A store that does not answer is a [`StoreError`]: it is never mistaken for a browser where nobody is signed in.
//!
//! The layer is ours and not that of tower-sessions, which renews an id by deleting first, takes cookies away without the
//! attributes that a `__Host-` name needs, and takes away the cookie of any request whose record it does not find: also the
//! new one of a sign-in that happened in another tab meanwhile.

mod records;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::{FromFnLayer, Next, from_fn_with_state};
use axum::response::Response;
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use http::header::SET_COOKIE;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use tower_sessions::session::Id;
use tower_sessions::{Expiry, Session, SessionStore};

use self::records::{Records, offset, store_error};
use super::cookies::CookieName;
use crate::app::App;
use crate::model::session::SignedIn;
use crate::storage::StoreError;

/// The name of the one value in a record.
const SIGNED_IN: &str = "signed_in";

/// Puts a [`BrowserSession`] into each request and its cookie, if it changed, into the answer.
pub type SessionLayer = FromFnLayer<Keep, Sessions, (State<Sessions>, Request)>;

type Keep = fn(State<Sessions>, Request, Next) -> BoxFuture<'static, Response>;

/// The layer that [`BrowserSession`] needs around every route where it is used.
pub fn layer(app: &App) -> SessionLayer {
    from_fn_with_state(Sessions::of(app), keep as Keep)
}

fn keep(State(sessions): State<Sessions>, mut request: Request, next: Next) -> BoxFuture<'static, Response> {
    Box::pin(async move {
        let session = sessions.open(request.headers());
        request.extensions_mut().insert(session.clone());
        let mut response = next.run(request).await;
        // Also with an error: the record has changed, whatever became of the rest of the request.
        if let Some(cookie) = session.current().cookie.take() {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    })
}

/// Where sessions are kept.
#[derive(Clone, Debug)]
pub struct Sessions {
    records: Arc<Records>,
    is_secure: bool,
}

impl Sessions {
    fn of(app: &App) -> Self {
        let records = Records::new(Arc::clone(&app.state), app.clock.clone());
        Self { records: Arc::new(records), is_secure: app.config.server.has_secure_cookies() }
    }

    fn open(&self, headers: &HeaderMap) -> BrowserSession {
        let id = CookieName::Session.find(headers, self.is_secure).and_then(|value| value.parse::<Id>().ok());
        let session = Session::new(id, Arc::clone(&self.records), None);
        BrowserSession { sessions: self.clone(), current: Arc::new(Mutex::new(Current { session, cookie: None })) }
    }
}

/// The session of the browser that sent a request. Taken as a handler's argument it never refuses.
#[derive(Clone)]
pub struct BrowserSession {
    sessions: Sessions,
    current: Arc<Mutex<Current>>,
}

struct Current {
    session: Session,
    cookie: Option<HeaderValue>,
}

impl BrowserSession {
    /// Who is signed in, if anybody is.
    pub async fn signed_in(&self, now: DateTime<Utc>) -> Result<Option<SignedIn>, StoreError> {
        let session = self.session();
        if session.id().is_none() {
            return Ok(None);
        }
        let signed_in: Option<SignedIn> = session.get(SIGNED_IN).await.map_err(store_error)?;
        Ok(signed_in.filter(|signed_in| signed_in.expires_at > now))
    }

    /// Whether the request came with a session cookie, of whatever worth.
    pub fn has_cookie(&self) -> bool {
        self.session().id().is_some()
    }

    /// Signs a person in, in place of whoever was. To be called anew at every step up and every change of account.
    pub async fn sign_in(&self, signed_in: &SignedIn) -> Result<(), StoreError> {
        let old = self.session().id();
        let expiry = Expiry::AtDateTime(offset(signed_in.expires_at)?);
        let new = Session::new(None, Arc::clone(&self.sessions.records), Some(expiry));
        new.insert(SIGNED_IN, signed_in).await.map_err(store_error)?;
        new.save().await.map_err(store_error)?;
        if let Some(old) = old {
            self.delete(&old).await?;
        }
        let cookie = new.id().and_then(|id| CookieName::Session.set(&id.to_string(), None, self.sessions.is_secure));
        *self.current() = Current { session: new, cookie };
        Ok(())
    }

    /// Signs out here: the record is gone for good, and then the cookie.
    pub async fn clear(&self) -> Result<(), StoreError> {
        if let Some(old) = self.session().id() {
            self.delete(&old).await?;
        }
        let session = Session::new(None, Arc::clone(&self.sessions.records), None);
        *self.current() = Current { session, cookie: CookieName::Session.remove(self.sessions.is_secure) };
        Ok(())
    }

    async fn delete(&self, id: &Id) -> Result<(), StoreError> {
        self.sessions.records.delete(id).await.map_err(|error| store_error(error.into()))
    }

    fn session(&self) -> Session {
        self.current().session.clone()
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The id in it is what the cookie holds.
impl fmt::Debug for BrowserSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BrowserSession(..)")
    }
}

impl FromRequestParts<App> for BrowserSession {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(match parts.extensions.get::<Self>() {
            Some(session) => session.clone(),
            None => {
                tracing::error!("a route that uses the session is outside its layer: its cookie will not be sent");
                Sessions::of(app).open(&parts.headers)
            }
        })
    }
}
