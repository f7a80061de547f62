//! What was typed into a form that came too late: its sender has to sign in first. It waits in the state store, bound to the
//! browser and to them, until they come back to the page of the form.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::visit::Visit;
use crate::app::App;
use crate::http::browser::Browser;
use crate::http::problem::Problem;
use crate::http::remark;
use crate::model::audit::Actor;
use crate::model::id::SubjectId;
use crate::protocol::form::{self, Form};

/// Passwords are typed again.
const SECRET: &str = "password";

/// What is kept is no longer than this, so that it costs little.
const LONGEST: usize = 32 * 1024;

/// One for each browser: what was typed later takes the place of what was typed before.
const ABOUT: &str = "draft";

#[derive(Deserialize, Serialize)]
struct Draft {
    /// Who typed it. Nobody else who signs in at the same browser sees it, or sends it as their own.
    subject: SubjectId,
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

/// Keeps a form for the page at `path`, of somebody who was signed in: whoever never was could fill the store with them.
pub(super) async fn keep(
    app: &App,
    browser: &Browser,
    path: &str,
    form: &Form,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let Some(signed_in) = browser.session.signed_in(now).await? else { return Ok(()) };
    let typed = form::encode(form.iter().filter(|(name, _)| *name != "csrf" && !name.contains(SECRET)));
    if typed.len() > LONGEST {
        return Ok(());
    }
    let lacks_secret = form.iter().any(|(name, _)| name.contains(SECRET));
    let draft = Draft { subject: signed_in.subject, path: path.to_owned(), typed, lacks_secret };
    Ok(remark::keep(app, browser, ABOUT, &draft, now).await?)
}

/// The form that this person sent for the page that is asked for.
pub(super) async fn take(app: &App, visit: &Visit) -> Result<Option<Kept>, Problem> {
    let kept: Option<Draft> = remark::take(app, &visit.browser, ABOUT, visit.now).await?;
    let own =
        kept.filter(|draft| draft.path == visit.path && visit.caller.actor == Actor::Person(draft.subject.clone()));
    let Some(Draft { typed, lacks_secret, .. }) = own else { return Ok(None) };
    Ok(Some(Kept { form: Form::parse_ticked(typed.as_bytes())?, lacks_secret }))
}
