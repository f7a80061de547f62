//! What a page has to say after a form was sent.
//!
//! A form is answered with a redirect to a page, never with a page that has something to say: going back to that, the
//! browser would ask whether to send the form again. What is to be said waits in the state store meanwhile, bound to the
//! browser, and is said once: an address tells nothing, and tells everybody who opens it the same.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::browser::Browser;
use crate::app::App;
use crate::model::id::SubjectId;
use crate::storage::StoreError;
use crate::storage::state::{self, Kind, StateKey};

/// As long as a redirect may take. Later it would be a surprise.
const LIFETIME: TimeDelta = TimeDelta::minutes(5);

/// Keeps a remark for the page `about` in that browser, in place of one that was not said.
pub async fn keep<T: Serialize + Sync>(
    app: &App,
    browser: &Browser,
    about: &str,
    remark: &T,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    state::put_json(app.state.as_ref(), &key(browser, about), remark, now + LIFETIME, now).await
}

/// Keeps a remark for the page `about` of that person, whatever browsers they have: one for each person at most.
pub async fn keep_for<T: Serialize + Sync>(
    app: &App,
    subject: &SubjectId,
    about: &str,
    remark: &T,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    state::put_json(app.state.as_ref(), &key_of(subject, about), remark, now + LIFETIME, now).await
}

/// The remark for the page `about` of that person: there for the first who asks.
pub async fn take_for<T: DeserializeOwned>(
    app: &App,
    subject: &SubjectId,
    about: &str,
    now: DateTime<Utc>,
) -> Result<Option<T>, StoreError> {
    state::take_json(app.state.as_ref(), &key_of(subject, about), now).await
}

/// The remark for the page `about` in that browser: there for the first who asks.
pub async fn take<T: DeserializeOwned>(
    app: &App,
    browser: &Browser,
    about: &str,
    now: DateTime<Utc>,
) -> Result<Option<T>, StoreError> {
    state::take_json(app.state.as_ref(), &key(browser, about), now).await
}

fn key(browser: &Browser, about: &str) -> StateKey {
    StateKey::new(Kind::Remark, format_args!("{}:{about}", browser.id.hash()))
}

fn key_of(subject: &SubjectId, about: &str) -> StateKey {
    StateKey::new(Kind::Remark, format_args!("{}:{about}", subject.as_str()))
}
