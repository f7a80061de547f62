//! The response to a refresh token (RFC 6749 section 6).
//!
//! It is rotated, but for the clients of FAPI 2.0: those are confidential, so that nobody else can use it, and a rotation would
//! only be one more way to lose it (FAPI 2.0 Security Profile section 5.3.2.1).

use chrono::{DateTime, Utc};

use super::{Holder, Issued, TokenResponse, lifetimes, note_reuse};
use crate::app::App;
use crate::flow::access_token::AccessTokenClaims;
use crate::flow::client::profile;
use crate::flow::reach::{AskedFor, Reach};
use crate::flow::signatures::Reserved;
use crate::flow::{audience, authorization_details, signatures};
use crate::keys::token::PlainRefreshToken;
use crate::model::audit::AuditEventKind;
use crate::model::family::Grant;
use crate::protocol::error::OAuthError;
use crate::random;
use crate::storage::postgres::family::rotate::{Kept, Presented, RotateOutcome, Rotated, Rotation};

/// Rotates a refresh token and makes what it gives.
pub(super) async fn rotate(
    app: &App,
    holder: Holder<'_>,
    presented: &PlainRefreshToken,
    asked: &AskedFor,
    now: DateTime<Utc>,
) -> Result<TokenResponse, OAuthError> {
    let client = holder.client;
    let mut reserved = signatures::reserve_for_person(app, client, now).await?;
    let lifetimes = lifetimes(app, client);
    // Before the statement that uses the token up: what may be had is part of its condition.
    let allowed_resources = audience::allowed(app, client, now).await?;
    let allowed_types = authorization_details::allowed_types(app, client, now).await?;
    let row = Presented {
        id: presented.id(),
        seq: presented.seq(),
        hash: presented.hash(),
        client_id: &client.id,
        scopes: &asked.scopes,
        resources: &asked.resources,
        allowed_scopes: &client.settings.scopes,
        allowed_resources: &allowed_resources,
        details: &asked.details,
        allowed_types: &allowed_types,
        jkt: holder.binding.jkt,
        x5t: holder.binding.x5t,
        grace: lifetimes.refresh_grace,
        idle_expires_at: now + lifetimes.refresh_idle,
    };
    let answer = Answer { app, holder, presented, asked, now };
    if profile(app, client).is_fapi2() && !client.is_public() {
        let outcome = app.postgres.keep_refresh_token(&row, now).await?;
        return answer.respond(outcome, &mut reserved).await;
    }
    let (salt, key_id) = (random::bytes(), app.master_keys.current());
    let successor = presented.successor(&app.master_keys, key_id, &salt).ok_or_else(no_key)?;
    let rotation = Rotation {
        presented: row,
        binds_successor: holder.binds_refresh_token(),
        salt,
        key_id,
        successor_hash: successor.hash(),
    };
    let early =
        if reserved.may_fail() { sign_before_rotation(&answer, &successor, &mut reserved).await? } else { None };
    match (app.postgres.rotate_refresh_token(&rotation, now).await?, early) {
        (RotateOutcome::Rotated(rotated), Some(early)) if early.is_for(&rotated) => {
            let noted = (presented.id(), &early.grant, early.response.scope.as_str());
            holder.note_of_grant(app, AuditEventKind::TokensRefreshed, noted, now);
            Ok(early.response)
        }
        (outcome, _) => answer.respond(outcome, &mut reserved).await,
    }
}

fn no_key() -> OAuthError {
    OAuthError::server_error("the key that made the refresh token is missing")
}

/// What is answered once the row has been asked.
struct Answer<'a> {
    app: &'a App,
    holder: Holder<'a>,
    presented: &'a PlainRefreshToken,
    asked: &'a AskedFor,
    now: DateTime<Utc>,
}

impl Answer<'_> {
    async fn respond(&self, outcome: RotateOutcome, reserved: &mut Reserved) -> Result<TokenResponse, OAuthError> {
        let Self { app, holder, presented, asked, now } = *self;
        let id = presented.id();
        match outcome {
            RotateOutcome::Rotated(rotated) | RotateOutcome::Repeated(rotated) => {
                // Recomputed from what the row says: a racer gets the successor that the winner wrote.
                let successor = presented.successor(&app.master_keys, rotated.key_id, &rotated.salt);
                let successor = successor.ok_or_else(no_key)?;
                let Rotated { grant, seq, rotated_at, expires_at, .. } = rotated;
                // The grant is only known now, and that it leaves something was part of the statement. Should a store go away in
                // this very moment, that is an answer that was lost: the same token may be sent again, see the grace of its
                // client.
                let reach = Reach::of(app, holder.client, &grant, asked, now).await?;
                let jti = AccessTokenClaims::jti_of(id, seq);
                let issued =
                    Issued { holder, jti, grant: &grant, issued_at: rotated_at, family_expires_at: expires_at, now };
                let response = issued.respond(app, reserved, reach, Some(&successor), None).await?;
                holder.note_of_grant(app, AuditEventKind::TokensRefreshed, (id, &grant, &response.scope), now);
                Ok(response)
            }
            RotateOutcome::Kept(Kept { grant, expires_at }) => {
                let reach = Reach::of(app, holder.client, &grant, asked, now).await?;
                let jti = AccessTokenClaims::another_jti_of(id);
                let issued = Issued { holder, jti, grant: &grant, issued_at: now, family_expires_at: expires_at, now };
                let response = issued.respond(app, reserved, reach, Some(presented), None).await?;
                holder.note_of_grant(app, AuditEventKind::TokensRefreshed, (id, &grant, &response.scope), now);
                Ok(response)
            }
            outcome => {
                if matches!(outcome, RotateOutcome::Replayed) {
                    note_reuse(app, holder.client, (AuditEventKind::RefreshTokenReused, id), holder.origin, now);
                }
                Err(refusal(&outcome))
            }
        }
    }
}

/// A response that was signed before the rotation that allows it.
struct EarlyResponse {
    response: TokenResponse,
    grant: Grant,
    seq: i32,
    expires_at: DateTime<Utc>,
}

impl EarlyResponse {
    fn is_for(&self, rotated: &Rotated) -> bool {
        (self.seq, self.expires_at, &self.grant) == (rotated.seq, rotated.expires_at, &rotated.grant)
    }
}

/// The response to a token that looks as if it could be rotated. `None`: it does not, and the rotation will say why.
async fn sign_before_rotation(
    answer: &Answer<'_>,
    successor: &PlainRefreshToken,
    reserved: &mut Reserved,
) -> Result<Option<EarlyResponse>, OAuthError> {
    let Answer { app, holder, presented, asked, now } = *answer;
    let id = presented.id();
    let Some(family) = app.postgres.find_family(id, None, now).await? else { return Ok(None) };
    if !family.is_alive || family.seq != presented.seq() || family.grant.client_id != holder.client.id {
        return Ok(None);
    }
    let (grant, seq, expires_at) = (family.grant, presented.seq() + 1, family.expires_at);
    let jti = AccessTokenClaims::jti_of(id, seq);
    let issued = Issued { holder, jti, grant: &grant, issued_at: now, family_expires_at: expires_at, now };
    let reach = Reach::of(app, holder.client, &grant, asked, now).await?;
    let response = issued.respond(app, reserved, reach, Some(successor), None).await?;
    Ok(Some(EarlyResponse { response, grant, seq, expires_at }))
}

fn refusal(outcome: &RotateOutcome) -> OAuthError {
    match outcome {
        RotateOutcome::Rotated(_) | RotateOutcome::Repeated(_) | RotateOutcome::Kept(_) => {
            OAuthError::server_error("the server could not complete the request")
        }
        RotateOutcome::Replayed => OAuthError::invalid_grant("the refresh token was used before"),
        RotateOutcome::FromTheFuture => {
            tracing::error!("a genuine refresh token is newer than its family: the database may have lost writes");
            OAuthError::invalid_grant("the refresh token is not valid")
        }
        RotateOutcome::Ended | RotateOutcome::WrongClient => {
            OAuthError::invalid_grant("the refresh token is not valid")
        }
        RotateOutcome::WrongKey => {
            OAuthError::invalid_grant("the refresh token is bound to another key or certificate")
        }
        RotateOutcome::DetailsNotGranted => {
            OAuthError::invalid_authorization_details("authorization_details were asked for that were not granted")
        }
        RotateOutcome::DetailsTaken => {
            OAuthError::invalid_authorization_details("the client may not have the authorization_details any more")
        }
        RotateOutcome::ScopeNotGranted => OAuthError::invalid_scope("a scope was asked for that was not granted"),
        RotateOutcome::ScopeTaken => OAuthError::invalid_scope("the client may not have the scope any more"),
        RotateOutcome::ResourceTaken => OAuthError::invalid_target("the client may not have the resource any more"),
        RotateOutcome::ResourceNotGranted => {
            OAuthError::invalid_target("a resource was asked for that was not granted")
        }
    }
}
