//! The tokens that are exchanged (RFC 8693 section 2.1): ours, standing, and in the hands of somebody whom they concern.
//!
//! A client may use a token that was issued to it, or for a resource that it is: nobody else's, however genuine. Else a service
//! that got hold of a token for another one could have it exchanged for more (a confused deputy).

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::future::try_join;

use super::access_token::AccessTokenClaims;
use super::{bearer, subject};
use crate::app::App;
use crate::model::client::Client;
use crate::model::id::ResourceUri;
use crate::model::lineage::Lineage;
use crate::protocol::error::OAuthError;
use crate::protocol::mtls::Certificate;
use crate::protocol::token_exchange::{Actor, ExchangeRequest, SentToken, TokenType};

/// The most tokens that one came of.
const MAX_TOKENS: usize = 8;

/// What a client proved to have, for tokens that are bound to it.
#[derive(Clone, Copy)]
pub struct Possession<'a> {
    /// The thumbprint of its key.
    pub jkt: Option<&'a str>,
    /// Its certificate.
    pub certificate: Option<&'a Certificate>,
}

/// The tokens of a request, verified. They name people as the client that exchanges them does.
pub struct Parties {
    /// On whose behalf.
    pub subject: AccessTokenClaims,
    /// Who acts, if a token says so.
    pub actor: Option<AccessTokenClaims>,
}

/// An exchange that was decided.
pub struct Exchange {
    /// Who gets the token.
    pub client: Arc<Client>,
    /// What it comes of.
    pub parties: Parties,
    /// Who acts.
    pub act: Option<Actor>,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Where.
    pub resources: Vec<ResourceUri>,
    /// What it is called.
    pub issued_token_type: TokenType,
}

impl Parties {
    /// Everything whose end is the end of a token that `client` gets for them. `None`: it came of too many.
    pub fn lineage(&self, client: &Client) -> Option<Lineage> {
        let actor = self.actor.as_ref().map(AccessTokenClaims::dependencies).unwrap_or_default();
        let client = Lineage { tokens: Vec::new(), clients: vec![(client.id.clone(), client.generation)] };
        let lineage = self.subject.dependencies().and(actor).and(client);
        (lineage.tokens.len() <= MAX_TOKENS).then_some(lineage)
    }

    /// When the first of them ends, seconds since the epoch.
    pub fn exp(&self) -> i64 {
        self.actor.iter().map(|actor| actor.exp).fold(self.subject.exp, i64::min)
    }
}

/// Verifies the tokens of a request. Section 2.2.2: whatever is wrong with them is an `invalid_request`.
pub async fn verify(
    app: &App,
    client: &Client,
    request: &ExchangeRequest<'_>,
    possession: Possession<'_>,
    now: DateTime<Utc>,
) -> Result<Parties, OAuthError> {
    let invalid_subject =
        || OAuthError::invalid_request("the subject_token is invalid, expired, revoked or not for this client");
    let invalid_actor =
        || OAuthError::invalid_request("the actor_token is invalid, expired, revoked or not for this client");
    let subject = decode(app, client, request.subject, now).ok_or_else(invalid_subject)?;
    if !subject.authorization_details.is_empty() {
        return Err(OAuthError::invalid_request(
            "the subject_token has authorization_details, which are not exchanged",
        ));
    }
    check_possession(client, &subject, possession)?;
    let actor = request.actor.map(|sent| decode(app, client, sent, now).ok_or_else(invalid_actor)).transpose()?;
    if let Some(actor) = &actor {
        check_possession(client, actor, possession)?;
        // Who acts is whoever signed in or has the secret, not somebody on their behalf.
        if actor.is_exchanged() {
            return Err(OAuthError::invalid_request("the actor_token came of an exchange itself"));
        }
    }
    let of_actor = async {
        match &actor {
            Some(actor) => bearer::find_principal(app, actor, now).await,
            None => Ok(None),
        }
    };
    let (of_subject, of_actor) = try_join(bearer::find_principal(app, &subject, now), of_actor).await?;
    let of_subject = of_subject.ok_or_else(invalid_subject)?;
    // Whom the client is told of from here on, it is told of by the names of its own sector.
    let subject = subject::claims_seen_by(app, client, (subject, &of_subject), now).await?;
    let actor = match (actor, of_actor) {
        (None, _) => None,
        (Some(_), None) => return Err(invalid_actor()),
        (Some(actor), Some(of_actor)) => Some(subject::claims_seen_by(app, client, (actor, &of_actor), now).await?),
    };
    Ok(Parties { subject, actor })
}

/// What a token says that is ours and concerns `client`.
fn decode(app: &App, client: &Client, sent: SentToken<'_>, now: DateTime<Utc>) -> Option<AccessTokenClaims> {
    let claims = sent.is_plausible().then(|| AccessTokenClaims::decode(app, sent.token, now)).flatten()?;
    let is_administrative =
        app.registry.built_in().resources.iter().any(|resource| claims.aud.contains(resource.uri.as_str()));
    let concerns = claims.client_id == client.id.as_str() || is_for(client, &claims);
    (concerns && !is_administrative).then_some(claims)
}

/// Whether a token was made for a resource that `client` is.
fn is_for(client: &Client, claims: &AccessTokenClaims) -> bool {
    client.settings.serves.iter().any(|resource| claims.aud.contains(resource.as_str()))
}

/// A resource was shown the proof by whoever sent it the token, and has no such key itself. Whoever the token was issued to
/// has it, and proves it here as anywhere: a stolen token is of no use here either.
fn check_possession(
    client: &Client,
    claims: &AccessTokenClaims,
    Possession { jkt, certificate }: Possession<'_>,
) -> Result<(), OAuthError> {
    let has_key = claims.jkt().is_none_or(|bound| jkt == Some(bound));
    if is_for(client, claims) || (has_key && claims.is_in_hands_of(certificate)) {
        return Ok(());
    }
    Err(OAuthError::invalid_request("a token is bound to a key or a certificate that the client did not prove to have"))
}
