//! What was typed into a form that came too late: its sender has to sign in first. It waits in the state store, bound to the
//! browser, until they come back to the page of the form.

use chrono::{DateTime, Utc};

use super::visit::Visit;
use crate::app::App;
use crate::http::browser::Browser;
use crate::http::problem::Problem;
use crate::http::remark;
use crate::protocol::form::{self, Form};

/// Passwords are typed again.
const SECRET: &str = "password";

/// Keeps a form for the page at `path`.
pub(super) async fn keep(
    app: &App,
    browser: &Browser,
    path: &str,
    form: &Form,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let typed = form.iter().filter(|(name, _)| *name != "csrf" && !name.contains(SECRET));
    Ok(remark::keep(app, browser, &about(path), &form::encode(typed), now).await?)
}

/// The form that was kept for the page that is asked for.
pub(super) async fn take(app: &App, visit: &Visit) -> Result<Option<Form>, Problem> {
    let kept: Option<String> = remark::take(app, &visit.browser, &about(&visit.path), visit.now).await?;
    Ok(kept.map(|typed| Form::parse(typed.as_bytes())).transpose()?)
}

fn about(path: &str) -> String {
    format!("draft:{path}")
}
