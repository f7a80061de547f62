//! What was typed into a form that came too late: its sender has to sign in first. It waits in the state store, bound to the
//! browser and to them, until they come back to the page of the form. Only an administrator's does: nobody else has a form here.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::visit::Visit;
use crate::app::App;
use crate::http::browser::Browser;
use crate::http::problem::Problem;
use crate::http::remark;
use crate::model::audit::Actor;
use crate::protocol::form::{self, Form};

/// Passwords are typed again.
const SECRET: &str = "password";

/// What is kept is no longer than this, so that it costs little.
const LONGEST: usize = 32 * 1024;

/// One for each person: what was typed later takes the place of what was typed before.
const ABOUT: &str = "draft";

#[derive(Deserialize, Serialize)]
struct Draft {
    /// Where it was typed, as the hash of the browser's cookie: a session that ended elsewhere fills in no form here.
    browser: String,
    path: String,
    typed: String,
    /// Whether a password was typed that is not kept.
    #[serde(default)]
    lacks_secret: bool,
}

/// What was typed before.
pub(super) struct Kept {
    /// The form, without its passwords.
    pub(super) form: Form,
    /// Whether it had one.
    pub(super) lacks_secret: bool,
}

/// Keeps a form for the page at `path`, of an administrator who was signed in: others could fill the store with them.
pub(super) async fn keep(
    app: &App,
    browser: &Browser,
    path: &str,
    form: &Form,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let Some(signed_in) = browser.session.signed_in(now).await? else { return Ok(()) };
    let person = app.identity.find_person(&signed_in.subject).await?;
    if !person.is_some_and(|person| person.is_administrator) {
        return Ok(());
    }
    let typed = form::encode(form.iter().filter(|(name, _)| *name != "csrf" && !name.contains(SECRET)));
    if typed.len() > LONGEST {
        return Ok(());
    }
    let lacks_secret = form.iter().any(|(name, _)| name.contains(SECRET));
    let draft = Draft { browser: browser.id.hash(), path: path.to_owned(), typed, lacks_secret };
    Ok(remark::keep_for(app, &signed_in.subject, ABOUT, &draft, now).await?)
}

/// The form that this person sent for the page that is asked for.
pub(super) async fn take(app: &App, visit: &Visit) -> Result<Option<Kept>, Problem> {
    let Actor::Person(subject) = &visit.caller.actor else { return Ok(None) };
    let kept: Option<Draft> = remark::take_for(app, subject, ABOUT, visit.now).await?;
    let own = kept.filter(|draft| draft.path == visit.path && draft.browser == visit.browser.id.hash());
    let Some(Draft { typed, lacks_secret, .. }) = own else { return Ok(None) };
    Ok(Some(Kept { form: Form::parse_ticked(typed.as_bytes())?, lacks_secret }))
}
