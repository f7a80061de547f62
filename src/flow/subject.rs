//! What a client calls people and sessions (OpenID Connect Core section 8): by their own identifiers, or by those of its sector.
//!
//! Whatever a client is told of a person goes through here: ID tokens, access tokens, userinfo, introspection and logout tokens.
//! What is stored, audited and administered is the person's own identifier always. Nothing is looked up.

use chrono::{DateTime, Utc};

use super::access_token::AccessTokenClaims;
use super::bearer::Principal;
use crate::app::App;
use crate::model::client::{Client, SubjectType};
use crate::model::id::{ClientId, Sid, SubjectId};
use crate::protocol::sector::sector;
use crate::protocol::token_exchange::Actor;
use crate::storage::StoreError;

/// The sector of those who may know neither the person nor the sector that a name is from. No host is empty.
const NOWHERE: &str = "";

/// What `client` calls the person `subject`.
pub fn seen_by(app: &App, client: &Client, subject: &SubjectId) -> Result<SubjectId, StoreError> {
    let sector = pairwise_sector(client)?;
    Ok(sector.map_or_else(|| subject.clone(), |sector| app.pairwise.subject(&sector, subject.as_str())))
}

/// What `client` calls the session `sid`: two clients could compare that as well.
pub fn session_seen_by(app: &App, client: &Client, sid: Sid) -> Result<Sid, StoreError> {
    match pairwise_sector(client)? {
        Some(sector) => app.pairwise.seal_sid(&sector, sid),
        None => Ok(sid),
    }
}

/// The session that `client` calls `sid`.
pub fn session_meant_by(app: &App, client: &Client, sid: Sid) -> Result<Sid, StoreError> {
    match pairwise_sector(client)? {
        Some(sector) => app.pairwise.open_sid(&sector, sid),
        None => Ok(sid),
    }
}

/// What an access token says, as `client` is told of it, to which it was not issued: `principal` is on whose behalf it is used.
pub async fn claims_seen_by(
    app: &App,
    client: &Client,
    (claims, principal): (AccessTokenClaims, &Principal),
    now: DateTime<Utc>,
) -> Result<AccessTokenClaims, StoreError> {
    let sub = match principal {
        Principal::Person(subject) => seen_by(app, client, subject)?.as_str().to_owned(),
        Principal::Machine => claims.sub,
    };
    let holder = ClientId::new(claims.client_id.as_str());
    let act = match claims.act {
        Some(act) => Some(actors_seen_by(app, (&holder, client), act, now).await?),
        None => None,
    };
    Ok(AccessTokenClaims { sub, act, ..claims })
}

/// Those who acted before (RFC 8693 section 4.1), named in a token of the client `from`, as `to` is told of them. People are known by
/// the name that `from` has for them: another sector gets a name that is made of that one, so that it says nothing elsewhere.
async fn actors_seen_by(
    app: &App,
    (from, to): (&ClientId, &Client),
    actor: Actor,
    now: DateTime<Utc>,
) -> Result<Actor, StoreError> {
    if *from == to.id || !names_people(&actor) {
        return Ok(actor);
    }
    let from = app.registry.find_client(from, now).await?;
    let to = pairwise_sector(to)?;
    // A client that is gone had whatever sector it had.
    let is_same = match from {
        Some(from) => pairwise_sector(&from)? == to,
        None => false,
    };
    Ok(if is_same { actor } else { renamed(app, to.as_deref().unwrap_or(NOWHERE), actor) })
}

fn names_people(actor: &Actor) -> bool {
    is_person(&actor.sub) || actor.act.as_deref().is_some_and(names_people)
}

fn is_person(sub: &str) -> bool {
    sub.starts_with(SubjectId::PREFIX)
}

fn renamed(app: &App, sector: &str, Actor { sub, act }: Actor) -> Actor {
    let sub = if is_person(&sub) { app.pairwise.subject(sector, &sub).as_str().to_owned() } else { sub };
    Actor { sub, act: act.map(|before| Box::new(renamed(app, sector, *before))) }
}

/// `None`: the client calls people by their own identifiers. One that must not, and has no sector, is told of nobody.
fn pairwise_sector(client: &Client) -> Result<Option<String>, StoreError> {
    match client.settings.subject_type {
        SubjectType::Public => Ok(None),
        SubjectType::Pairwise => match sector(&client.settings) {
            Some(sector) => Ok(Some(sector)),
            None => Err(StoreError::corrupt("the client has pairwise subjects and no sector")),
        },
    }
}
