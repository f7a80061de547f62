//! Names of people and clients, and where their pages are. Lists hold identifiers; people know each other by names.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::listing::below;
use crate::admin::page::{MAX_LIMIT, Span};
use crate::admin::users;
use crate::app::App;
use crate::http::problem::Problem;
use crate::model::id::{ClientId, SubjectId};

/// A text, and where it leads.
#[derive(Clone)]
pub(super) struct Link {
    /// The text.
    pub(super) text: String,
    /// The address; absent: nowhere.
    pub(super) path: Option<String>,
}

/// The names on one page: each is looked up once, and a page has few.
pub(super) struct Names<'a> {
    app: &'a App,
    now: DateTime<Utc>,
    people: BTreeMap<SubjectId, Link>,
}

impl Link {
    /// A text that leads nowhere.
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), path: None }
    }

    /// A text that leads to `path`.
    pub(super) fn to(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { text: text.into(), path: Some(path.into()) }
    }
}

impl<'a> Names<'a> {
    pub(super) fn new(app: &'a App, now: DateTime<Utc>) -> Self {
        Self { app, now, people: BTreeMap::new() }
    }

    /// Somebody. Without a name, which they have where this server keeps its people, they are their identifier.
    pub(super) async fn person(&mut self, subject: &SubjectId) -> Result<Link, Problem> {
        if let Some(link) = self.people.get(subject) {
            return Ok(link.clone());
        }
        let found = match self.app.people {
            Some(_) => self.app.postgres.find_person_record(subject).await?,
            None => None,
        };
        let link = found.map_or_else(
            || Link::plain(subject.as_str()),
            |person| Link::to(below("/console/people", subject.as_str()), person.username),
        );
        self.people.insert(subject.clone(), link.clone());
        Ok(link)
    }

    /// A client; one that was deleted is its identifier.
    pub(super) async fn client(&self, id: &ClientId) -> Result<Link, Problem> {
        let Some(client) = self.app.registry.find_client(id, self.now).await? else {
            return Ok(Link::plain(id.as_str()));
        };
        let name = client.settings.client_name.get("en").map_or(id.as_str(), String::as_str);
        Ok(Link::to(below("/console/clients", id.as_str()), name))
    }
}

/// Whom a search means: a username, or an identifier.
pub(super) async fn find_subject(app: &App, typed: &str) -> Result<SubjectId, Problem> {
    let is_identifier = typed.starts_with(SubjectId::PREFIX) || app.people.is_none();
    if !is_identifier {
        let found = users::list(app, Some(typed.trim()), &Span::read(Some(MAX_LIMIT), None)?).await?;
        let is_meant = |username: &str| username.to_lowercase() == typed.trim().to_lowercase();
        if let Some(person) = found.items.into_iter().find(|person| is_meant(&person.username)) {
            return Ok(person.subject);
        }
    }
    // An identifier that nobody has finds nothing.
    Ok(SubjectId::new(typed.trim()))
}
