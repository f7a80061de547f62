//! Who calls, and what they may do (the rules of who may become an administrator).
//!
//! - A machine's token is one without a person behind it, and says so by how it was made, never by its `sub`.
//! - A person's token counts as long as the person is an administrator and signed in not too long ago.
//! - A token that came of another is nobody's: whoever administers, signs in (or has the secret) for it.
//! - A token for the admin API has no other audience: another API that it was meant for too could use it here.
//! - A client's rights are what it may ask for now: what was taken from it ends at once.

use axum::extract::FromRequestParts;
use chrono::{DateTime, Utc};
use http::HeaderMap;
use http::request::Parts;

use super::PATH;
use crate::app::App;
use crate::flow::access_token::Audience;
use crate::flow::bearer::{self, PossessedToken};
use crate::flow::session;
use crate::http::browser::Browser;
use crate::http::csrf;
use crate::http::problem::{Problem, ProblemType};
use crate::identity::backend::Person;
use crate::model::admin_scope::AdminScopes;
use crate::model::audit::{Actor, AuditEvent, AuditRecord, Origin};
use crate::model::id::{ClientId, ResourceUri, SubjectId};
use crate::storage::postgres::Postgres;

/// The header that carries the CSRF token of a console.
const CSRF_HEADER: &str = "x-csrf-token";

/// Somebody who was let through.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// Who it is.
    pub(super) actor: Actor,
    /// What they may do.
    pub(super) scopes: AdminScopes,
    /// Where they are.
    pub(super) origin: Origin,
}

impl Caller {
    /// What is remembered of who did something.
    pub(super) fn principal(&self) -> String {
        format!("{}:{}", self.actor.kind(), self.actor.id().unwrap_or_default())
    }

    /// The store, whose next change is recorded as what the caller did.
    pub(super) fn recording(&self, app: &App, event: AuditEvent, now: DateTime<Utc>) -> Postgres {
        app.postgres.recording(self.record(event, now))
    }

    /// What the caller did, as it is recorded.
    pub(super) fn record(&self, event: AuditEvent, now: DateTime<Utc>) -> AuditRecord {
        AuditRecord { event, actor: self.actor.clone(), origin: self.origin.clone(), happened_at: now }
    }

    /// The holder of an access token.
    pub(super) async fn of_token(
        app: &App,
        token: PossessedToken,
        origin: Origin,
        now: DateTime<Utc>,
    ) -> Result<Self, Problem> {
        let claims = &token.claims;
        let resource = app.url(PATH);
        if claims.aud != Audience::One(resource.clone()) {
            return Err(Problem::unauthenticated(true).with_detail("the access token is not for the admin API alone"));
        }
        if claims.is_exchanged() {
            return Err(Problem::unauthenticated(true).with_detail("the access token came of an exchange"));
        }
        let client_id = ClientId::new(claims.client_id.as_str());
        let client = app.registry.find_client(&client_id, now).await?.filter(|client| client.enabled);
        let client = client.ok_or_else(|| Problem::unauthenticated(true))?;
        if !client.settings.resources.contains(&ResourceUri::new(resource)) {
            return Err(Problem::unauthenticated(true).with_detail("the admin API was taken from the client"));
        }
        let given = AdminScopes::among(client.settings.scopes.iter().map(String::as_str));
        let scopes = AdminScopes::among(claims.scope.split(' ')).within(&given);
        if claims.family().is_none() {
            bearer::verify_standing(app, &token, now).await?;
            return Ok(Self { actor: Actor::Client(client_id), scopes, origin });
        }
        let bearer = bearer::verify_person(app, token, now).await?;
        if !bearer.person.is_administrator {
            return Err(not_an_administrator());
        }
        check_age(app, bearer.family.grant.authentication.auth_time, now)?;
        Ok(Self { actor: Actor::Person(bearer.family.grant.subject), scopes, origin })
    }

    /// The administrator who is signed in at a browser.
    pub(super) async fn of_session(
        app: &App,
        browser: &Browser,
        headers: &HeaderMap,
        is_safe: bool,
        now: DateTime<Utc>,
    ) -> Result<Self, Problem> {
        let (caller, _) = Self::in_person(app, browser, now).await?;
        let token = headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok());
        if !is_safe && (csrf::is_foreign(app, headers) || !csrf::verify(app, &browser.id, token)) {
            return Err(Problem::new(ProblemType::Csrf));
        }
        Ok(caller)
    }

    /// The same, whatever the request is: whoever calls this looks after the CSRF token.
    pub(super) async fn in_person(app: &App, browser: &Browser, now: DateTime<Utc>) -> Result<(Self, Person), Problem> {
        let signed_in = browser.session.signed_in(now).await?.ok_or_else(|| Problem::unauthenticated(false))?;
        let standing = session::find_used(app, &signed_in, now).await?;
        let standing = standing.ok_or_else(|| Problem::unauthenticated(false))?;
        let person = app.identity.find_person(&signed_in.subject).await?;
        let person = person.filter(|person| person.is_administrator).ok_or_else(not_an_administrator)?;
        check_age(app, standing.session.authentication.auth_time, now)?;
        let (actor, scopes) = (Actor::Person(signed_in.subject), AdminScopes::all());
        Ok((Self { actor, scopes, origin: browser.origin() }, person))
    }

    /// Refuses to let somebody who holds less than an administrator in person touch what is an administrator's. Whoever is made
    /// one a moment later is touched as the person that they were: nobody gains a right by that.
    pub(super) async fn check_may_touch(&self, app: &App, subject: &SubjectId) -> Result<(), Problem> {
        let person = app.identity.find_person(subject).await?;
        if !person.is_some_and(|person| person.is_administrator) || self.scopes.cover(&AdminScopes::all()) {
            return Ok(());
        }
        let detail = "it is an administrator's: only a caller with every admin scope may do this";
        Err(Problem::new(ProblemType::Forbidden).with_detail(detail))
    }

    /// Refuses to let `wanted` be given, taken or used by somebody who does not hold it.
    pub(super) fn check_covers(&self, wanted: &AdminScopes) -> Result<(), Problem> {
        if self.scopes.cover(wanted) {
            return Ok(());
        }
        Err(Problem::new(ProblemType::Forbidden).with_detail("it has admin scopes that the caller does not hold"))
    }
}

fn not_an_administrator() -> Problem {
    Problem::new(ProblemType::Forbidden).with_detail("the person is not an administrator")
}

fn check_age(app: &App, auth_time: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), Problem> {
    let max_age = app.config.admin.max_auth_age;
    if now - auth_time > max_age {
        return Err(Problem::insufficient_user_authentication(max_age.num_seconds()));
    }
    Ok(())
}

/// [`super::admit`] left it there.
impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::unauthenticated(false))
    }
}
