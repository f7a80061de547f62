//! Names of people and clients, and where their pages are. Lists hold identifiers; people know each other by names.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::listing::below;
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

/// Whom a search means that was typed, if one was: a username, or an identifier. With it what is said of an empty list.
pub(super) async fn find_subject(
    app: &App,
    typed: Option<&str>,
    none: &'static str,
) -> Result<(Option<SubjectId>, &'static str), Problem> {
    let Some(typed) = typed.map(str::trim) else { return Ok((None, none)) };
    let identifier = SubjectId::new(typed);
    if app.people.is_none() || app.postgres.find_person_record(&identifier).await?.is_some() {
        return Ok((Some(identifier), none));
    }
    if let Some(subject) = app.postgres.find_subject_named(typed).await? {
        return Ok((Some(subject), none));
    }
    // What looks like an identifier may be that of somebody who was deleted. Anything else finds nothing, and it is said why.
    let none = if typed.starts_with(SubjectId::PREFIX) { none } else { "Nobody has that name." };
    Ok((Some(identifier), none))
}
