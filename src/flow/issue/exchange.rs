//! The response to a token exchange (RFC 8693 section 2.2).
//!
//! Nothing is written: the token names all that it came of, and each of that is asked about whenever the token is. So it ends
//! with any of them, and there is no moment between a look and a write in which a revocation could be missed.

use chrono::{DateTime, Utc};

use super::{TokenResponse, detail, expires_in, lifetimes, note_tokens};
use crate::app::App;
use crate::flow::access_token::{AccessTokenClaims, Binding};
use crate::flow::exchange::{Exchange, Parties};
use crate::flow::{audience, signatures};
use crate::model::audit::{AuditEvent, AuditEventKind, Origin};
use crate::model::client::GrantType;
use crate::protocol::error::OAuthError;

/// Makes the token. It never lives longer than what it comes of.
pub(super) async fn exchange(
    app: &App,
    exchange: Exchange,
    binding: Binding<'_>,
    origin: &Origin,
    now: DateTime<Utc>,
) -> Result<TokenResponse, OAuthError> {
    let Exchange { client, parties, act, scopes, resources, issued_token_type } = exchange;
    let client = client.as_ref();
    let too_long = || OAuthError::invalid_request("the subject_token came of too many exchanges");
    let lineage = parties.lineage(client).ok_or_else(too_long)?;
    let exp = parties.exp();
    let Parties { subject, .. } = parties;
    // It belongs to the family of the person's grant: what ends that ends this.
    let jti = match subject.family() {
        Some(family) => AccessTokenClaims::another_jti_of(family),
        None => AccessTokenClaims::machine_jti(client),
    };
    let own = AccessTokenClaims::new(app, client, jti, now, now + lifetimes(app, client).access_token);
    let claims = AccessTokenClaims {
        sub: subject.sub,
        aud: audience::of(app, &resources, now).await?,
        scope: scopes.join(" "),
        exp: own.exp.min(exp),
        auth_time: subject.auth_time,
        acr: subject.acr,
        amr: subject.amr,
        act,
        may_act: subject.may_act,
        lineage,
        ..own
    };
    let claims = claims.bound_to(binding);
    let mut signatures = signatures::reserve_for_machine(app, client)?;
    let access_token = claims.encode(app, client, &mut signatures).await?;
    let event = AuditEvent::new(AuditEventKind::TokensIssued).to_object(&claims.jti);
    let event = event.with_detail(detail(GrantType::TokenExchange, &claims.scope));
    note_tokens(app, client, event, origin, now);
    Ok(TokenResponse {
        authorization_details: Vec::new(),
        access_token,
        issued_token_type: Some(issued_token_type.as_str()),
        token_type: claims.scheme().as_str(),
        expires_in: expires_in(claims.exp, now),
        scope: claims.scope,
        refresh_token: None,
        id_token: None,
    })
}
