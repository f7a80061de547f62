//! The only place that makes tokens.
//!
//! A grant verifies and returns an [`Issuance`]; [`tokens`] reserves the signatures, makes the decision durable with one
//! statement and only then signs, so no token is ever released for a change that was not committed. Signatures that may fail
//! all the same, because a program outside makes them, are made first: a code or a refresh token is not spent for nothing.

// The response to a token exchange.
mod exchange;
// What is recorded of tokens.
mod note;
// The response to a refresh token.
mod rotate;

use chrono::{DateTime, Utc};
use serde::Serialize;
use std::sync::Arc;

use self::exchange::exchange;
pub use self::note::note_reuse;
use self::note::{detail, note_tokens};
use self::rotate::rotate;
use super::access_token::{AccessTokenClaims, Binding};
use super::code::CodeRecord;
use super::exchange::Exchange;
use super::reach::{AskedFor, Reach};
use super::signatures::Reserved;
use super::{audience, id_token, signatures};
use crate::app::App;
use crate::keys::token::PlainRefreshToken;
use crate::model::audit::{AuditEvent, AuditEventKind, Origin};
use crate::model::authorization_details::AuthorizationDetail;
use crate::model::client::{Client, GrantType};
use crate::model::family::Grant;
use crate::model::id::{ExchangeId, FamilyId};
use crate::model::lifetimes::Lifetimes;
use crate::protocol::error::OAuthError;
use crate::random;
use crate::storage::postgres::family::redeem::{NewRefresh, RedeemOutcome, Redemption};

/// What a grant decided: verified, but neither written nor signed.
pub enum Issuance {
    /// A code is redeemed.
    Redemption {
        /// By this client.
        client: Arc<Client>,
        /// The code.
        id: FamilyId,
        /// Its record.
        record: Box<CodeRecord>,
        /// What is asked for now, a part of what was granted.
        asked: AskedFor,
    },
    /// A refresh token is rotated, or kept.
    Rotation {
        /// By this client.
        client: Arc<Client>,
        /// The token.
        presented: PlainRefreshToken,
        /// What is asked for now.
        asked: AskedFor,
    },
    /// A client acts for itself.
    Machine {
        /// The client.
        client: Arc<Client>,
        /// What it gets, and where.
        granted: AskedFor,
    },
    /// A client exchanges a token for another.
    Exchange(Box<Exchange>),
}

/// A successful token response (RFC 6749 section 5.1, OpenID Connect Core section 3.1.3.3). Has no `Debug`: it is secrets.
#[derive(Serialize)]
pub struct TokenResponse {
    access_token: String,
    /// RFC 8693 section 2.2.1: only in the answer to an exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_token_type: Option<&'static str>,
    token_type: &'static str,
    expires_in: i64,
    /// RFC 6749 section 3.3: a list without a name is none.
    #[serde(skip_serializing_if = "String::is_empty")]
    scope: String,
    /// As granted (RFC 9396 section 7).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authorization_details: Vec<AuthorizationDetail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
}

/// Reserves the signatures, makes the decision durable, then signs. `binding` is what the access token is bound to, and the
/// refresh token of a public client (RFC 9449 section 5, RFC 8705 section 4).
pub async fn tokens(
    app: &App,
    issuance: Issuance,
    binding: Binding<'_>,
    origin: &Origin,
    now: DateTime<Utc>,
) -> Result<TokenResponse, OAuthError> {
    match issuance {
        Issuance::Redemption { client, id, record, asked } => {
            let holder = Holder { client: &client, binding, origin };
            redeem(app, holder, id, *record, &asked, now).await
        }
        Issuance::Rotation { client, presented, asked } => {
            rotate(app, Holder { client: &client, binding, origin }, &presented, &asked, now).await
        }
        Issuance::Machine { client, granted } => {
            machine(app, Holder { client: &client, binding, origin }, granted, now).await
        }
        Issuance::Exchange(decided) => exchange(app, *decided, binding, origin, now).await,
    }
}

/// Who gets tokens.
#[derive(Clone, Copy)]
struct Holder<'a> {
    client: &'a Arc<Client>,
    /// What access tokens are bound to.
    binding: Binding<'a>,
    /// Where it asked from, for the record.
    origin: &'a Origin,
}

impl Holder<'_> {
    /// Notes what happened to the tokens of a grant.
    fn note_of_grant(
        &self,
        app: &App,
        kind: AuditEventKind,
        (id, grant, scope): (FamilyId, &Grant, &str),
        now: DateTime<Utc>,
    ) {
        let event = AuditEvent::new(kind).to_subject(&grant.subject).to_object(id);
        note_tokens(app, self.client, event.with_detail(detail(grant.grant_type, scope)), self.origin, now);
    }

    /// Whether refresh tokens are bound to the same. Those of a confidential client are bound to the client, which may take a
    /// new key or certificate.
    fn binds_refresh_token(&self) -> bool {
        self.client.is_public()
    }
}

async fn redeem(
    app: &App,
    holder: Holder<'_>,
    id: FamilyId,
    record: CodeRecord,
    asked: &AskedFor,
    now: DateTime<Utc>,
) -> Result<TokenResponse, OAuthError> {
    let client = holder.client;
    let mut reserved = signatures::reserve_for_person(app, client, now).await?;
    let lifetimes = lifetimes(app, client);
    let refresh = client.has_grant(GrantType::RefreshToken).then(|| PlainRefreshToken::first(&app.master_keys, id));
    let expires_at = now + if refresh.is_some() { lifetimes.refresh_absolute } else { lifetimes.access_token };
    let redemption = Redemption {
        id,
        exchange_id: ExchangeId(uuid::Builder::from_random_bytes(random::bytes()).into_uuid()),
        grant: &record.grant,
        code_generation: record.code_generation,
        code_hash: record.hash,
        code_challenge: record.code_challenge.as_deref(),
        refresh: refresh.as_ref().map(|token| NewRefresh {
            hash: token.hash(),
            idle_expires_at: expires_at.min(now + lifetimes.refresh_idle),
        }),
        bound_jkt: holder.binding.jkt.filter(|_| refresh.is_some() && holder.binds_refresh_token()),
        bound_x5t: holder.binding.x5t.filter(|_| refresh.is_some() && holder.binds_refresh_token()),
        expires_at,
    };
    let jti = AccessTokenClaims::jti_of(id, 0);
    let issued = Issued { holder, jti, grant: &record.grant, issued_at: now, family_expires_at: expires_at, now };
    let nonce = record.nonce.as_deref();
    // Whatever may fail comes before the statement that uses the code up; a replay is one all the same.
    let prepared = match issued.prepare(app, &mut reserved, asked, refresh.as_ref(), nonce).await {
        Ok(prepared) => prepared,
        Err(error) => {
            let challenge = record.code_challenge.as_deref();
            if app.postgres.revoke_replayed_code(id, &client.id, &record.hash, challenge, now).await? {
                note_reuse(app, client, (AuditEventKind::CodeReused, id), holder.origin, now);
            }
            return Err(error);
        }
    };
    match app.postgres.redeem_code(&redemption, now).await? {
        RedeemOutcome::Won => {}
        RedeemOutcome::Replayed => {
            note_reuse(app, client, (AuditEventKind::CodeReused, id), holder.origin, now);
            return Err(OAuthError::invalid_grant("the code was used before"));
        }
        RedeemOutcome::SubjectGone | RedeemOutcome::SessionEnded => {
            return Err(OAuthError::invalid_grant("the sign-in that gave the code has ended"));
        }
        RedeemOutcome::ClientDisabled => return Err(OAuthError::unauthorized_client("the client is disabled")),
        RedeemOutcome::Revoked => return Err(OAuthError::invalid_grant("the code has been revoked")),
    }
    let response = match prepared {
        Prepared::Signed(response) => response,
        Prepared::Unsigned(reach) => issued.respond(app, &mut reserved, reach, refresh.as_ref(), nonce).await?,
    };
    holder.note_of_grant(app, AuditEventKind::TokensIssued, (id, &record.grant, &response.scope), now);
    Ok(response)
}

async fn machine(
    app: &App,
    Holder { client, binding, origin }: Holder<'_>,
    granted: AskedFor,
    now: DateTime<Utc>,
) -> Result<TokenResponse, OAuthError> {
    let expires_at = now + lifetimes(app, client).access_token;
    let mut claims = AccessTokenClaims::new(app, client, AccessTokenClaims::machine_jti(client), now, expires_at);
    claims.aud = audience::of(app, &granted.resources, now).await?;
    claims.scope = granted.scopes.join(" ");
    claims.authorization_details = granted.details;
    let claims = claims.bound_to(binding);
    let mut signatures = signatures::reserve_for_machine(app, client)?;
    let access_token = claims.encode(app, client, &mut signatures).await?;
    let event = AuditEvent::new(AuditEventKind::TokensIssued).to_object(&claims.jti);
    let event = event.with_detail(detail(GrantType::ClientCredentials, &claims.scope));
    note_tokens(app, client, event, origin, now);
    Ok(TokenResponse {
        access_token,
        issued_token_type: None,
        token_type: claims.scheme().as_str(),
        expires_in: expires_in(claims.exp, now),
        scope: claims.scope,
        authorization_details: claims.authorization_details,
        refresh_token: None,
        id_token: None,
    })
}

/// A durable fact from which tokens may be signed.
struct Issued<'a> {
    holder: Holder<'a>,
    /// Which token of which family.
    jti: String,
    grant: &'a Grant,
    issued_at: DateTime<Utc>,
    family_expires_at: DateTime<Utc>,
    /// When the answer is sent: later than `issued_at` if it was given before.
    now: DateTime<Utc>,
}

/// A response as far as it is made before the fact is durable.
enum Prepared {
    /// A program outside has signed, or it is encrypted: that may fail.
    Signed(TokenResponse),
    /// Our own keys will sign, which cannot fail any more.
    Unsigned(Reach),
}

impl Issued<'_> {
    async fn prepare(
        &self,
        app: &App,
        reserved: &mut Reserved,
        asked: &AskedFor,
        refresh: Option<&PlainRefreshToken>,
        nonce: Option<&str>,
    ) -> Result<Prepared, OAuthError> {
        let reach = Reach::of(app, self.holder.client, self.grant, asked, self.now).await?;
        if !reserved.may_fail() {
            return Ok(Prepared::Unsigned(reach));
        }
        self.respond(app, reserved, reach, refresh, nonce).await.map(Prepared::Signed)
    }

    async fn respond(
        &self,
        app: &App,
        reserved: &mut Reserved,
        reach: Reach,
        refresh: Option<&PlainRefreshToken>,
        nonce: Option<&str>,
    ) -> Result<TokenResponse, OAuthError> {
        let Holder { client, binding, .. } = self.holder;
        let lifetime = lifetimes(app, client).access_token;
        let expires_at = (self.issued_at + lifetime).min(self.family_expires_at);
        let mut claims = AccessTokenClaims::new(app, client, self.jti.clone(), self.issued_at, expires_at);
        claims.sub = reach.sub.to_string();
        claims.aud = reach.aud;
        claims.scope = reach.scope;
        claims.authorization_details = reach.authorization_details;
        claims.auth_time = Some(self.grant.authentication.auth_time.timestamp());
        claims.acr = Some(self.grant.authentication.acr.clone());
        claims.amr = Some(self.grant.authentication.amr.clone());
        let claims = claims.bound_to(binding);
        let access_token = claims.encode(app, client, &mut reserved.signatures).await?;
        let id_token = match reach.told {
            Some(told) => {
                let named = (&reach.sub, reach.sid);
                let about = id_token::About { grant: self.grant, named, issued_at: self.issued_at, nonce, told };
                Some(id_token::issue(app, client, about, &access_token, reserved).await?)
            }
            None => None,
        };
        Ok(TokenResponse {
            access_token,
            issued_token_type: None,
            token_type: claims.scheme().as_str(),
            expires_in: expires_in(claims.exp, self.now),
            scope: claims.scope,
            authorization_details: claims.authorization_details,
            refresh_token: refresh.map(PlainRefreshToken::encode),
            id_token,
        })
    }
}

/// RFC 6749 section 5.1: seconds from the time of the answer, not of the token.
fn expires_in(exp: i64, now: DateTime<Utc>) -> i64 {
    exp.saturating_sub(now.timestamp()).max(0)
}

/// The server's lifetimes with the client's own over them.
pub fn lifetimes(app: &App, client: &Client) -> Lifetimes {
    app.config.tokens.lifetimes().of(client)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn expires_in_counts_from_the_answer() {
        let issued_at = DateTime::from_timestamp(1_800_000_000, 900_000_000).unwrap();
        let exp = (issued_at + TimeDelta::seconds(600)).timestamp();
        assert_eq!(expires_in(exp, issued_at), 600);
        assert_eq!(expires_in(exp, issued_at + TimeDelta::seconds(9)), 591);
        assert_eq!(expires_in(exp, issued_at + TimeDelta::seconds(700)), 0);
    }
}
