//! The token exchange grant (RFC 8693): a service that was sent a token gets one for the next service, narrower and no longer.
//!
//! 1. The parameters, and what the policy of the client says of them.
//! 2. Where the new token is to be good: only at what the policy names.
//! 3. The tokens that were sent: genuine, standing, and this client's to use.
//! 4. Who acts; what the new token may do, which is never more than the subject's.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::app::App;
use crate::flow::access_token::AccessTokenClaims;
use crate::flow::audience;
use crate::flow::exchange::{self, Exchange, Parties, Possession};
use crate::flow::issue::Issuance;
use crate::model::client::{AccessTokenFormat, Client};
use crate::model::id::{ClientId, ResourceUri};
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;
use crate::protocol::resource::{self, MAX_RESOURCES};
use crate::protocol::scope;
use crate::protocol::token_exchange::{Actor, ExchangeRequest, TokenType, may_act};

/// Verifies the tokens and what is asked for them. `possession` is what the client proved to have.
pub async fn decide(
    app: &App,
    client: Arc<Client>,
    form: &Form,
    possession: Possession<'_>,
    now: DateTime<Utc>,
) -> Result<Issuance, OAuthError> {
    // Whoever has no secret could be anybody who got hold of a token.
    if client.is_public() {
        return Err(OAuthError::unauthorized_client("a public client may not use this grant_type"));
    }
    let request = ExchangeRequest::read(form)?;
    if form.has("authorization_details") {
        return Err(OAuthError::invalid_authorization_details("authorization_details are not exchanged"));
    }
    let is_opaque = client.settings.access_token_format == AccessTokenFormat::Opaque;
    if request.requested == TokenType::Jwt && is_opaque {
        return Err(OAuthError::invalid_request("the client gets opaque tokens, and no JWT"));
    }
    let names_actor = names_actor(&client, &request)?;
    let resources = targets(app, &client, form, now).await?;
    let parties = exchange::verify(app, &client, &request, possession, now).await?;
    let act = actor(app, &client, &parties, names_actor)?;
    let scopes = scopes(app, &client, form, (&parties.subject, &resources), now).await?;
    let issued_token_type = request.requested;
    Ok(Issuance::Exchange(Box::new(Exchange { client, parties, act, scopes, resources, issued_token_type })))
}

/// Whether the new token is to name who acts. Whoever may do both says so by the token of an actor.
fn names_actor(client: &Client, request: &ExchangeRequest<'_>) -> Result<bool, OAuthError> {
    let policy = &client.settings.token_exchange;
    match (policy.delegation, policy.impersonation) {
        (true, is_free) => Ok(request.actor.is_some() || !is_free),
        (false, true) if request.actor.is_none() => Ok(false),
        (false, _) => Err(OAuthError::unauthorized_client("the client may not act for a subject by name")),
    }
}

/// Every `resource` and `audience` (section 2.1). An audience is a registered resource, or a client, which stands for the resources
/// that it is. None asked for: the only one that there is.
async fn targets(app: &App, client: &Client, form: &Form, now: DateTime<Utc>) -> Result<Vec<ResourceUri>, OAuthError> {
    let too_many = || OAuthError::invalid_target("too many resources");
    let allowed = &client.settings.token_exchange.resources;
    let mut wanted = resource::parse_all(form.all("resource"))?;
    if form.all("audience").count() > MAX_RESOURCES {
        return Err(too_many());
    }
    for name in form.all("audience") {
        wanted.extend(named(app, name, now).await?);
    }
    let mut resources: Vec<ResourceUri> = Vec::new();
    for uri in wanted {
        if !resources.contains(&uri) {
            resources.push(uri);
        }
    }
    match (resources.as_slice(), allowed.as_slice()) {
        ([], [only]) => resources.push(only.clone()),
        ([], _) => return Err(OAuthError::invalid_target("the parameter resource or audience is missing")),
        _ => {}
    }
    if resources.len() > MAX_RESOURCES {
        return Err(too_many());
    }
    audience::check(app, client, &resources, now).await?;
    let is_built_in = |uri: &ResourceUri| app.registry.built_in().find_resource(uri).is_some();
    if resources.iter().any(|uri| !allowed.contains(uri) || is_built_in(uri)) {
        return Err(OAuthError::invalid_target("the client may not exchange tokens for that resource or audience"));
    }
    Ok(resources)
}

async fn named(app: &App, name: &str, now: DateTime<Utc>) -> Result<Vec<ResourceUri>, OAuthError> {
    let uri = ResourceUri::new(name);
    if app.registry.catalog(now).await?.find_resource(&uri).is_some() {
        return Ok(vec![uri]);
    }
    let service = app.registry.find_client(&ClientId::new(name), now).await?;
    let service = service.filter(|service| service.enabled && !service.settings.serves.is_empty());
    let unknown = || OAuthError::invalid_target("the resource is unknown, or not for this client");
    service.map(|service| service.settings.serves.clone()).ok_or_else(unknown)
}

/// Who acts, after those who did before (section 4.1). Whoever may leave themselves out takes nobody else out.
fn actor(app: &App, client: &Client, parties: &Parties, names_actor: bool) -> Result<Option<Actor>, OAuthError> {
    let Parties { subject, actor } = parties;
    if subject.family().is_none() && !client.settings.token_exchange.client_subjects {
        return Err(OAuthError::invalid_request("the subject_token is of a client that acts for itself"));
    }
    let sub = actor.as_ref().map_or(client.id.as_str(), |actor| actor.sub.as_str());
    // Section 4.4.
    if subject.may_act.as_ref().is_some_and(|allowed| !may_act(allowed, sub, app.issuer())) {
        return Err(OAuthError::invalid_request("the subject_token names another who may act"));
    }
    if !names_actor {
        return Ok(subject.act.clone());
    }
    let too_many = || OAuthError::invalid_request("the subject_token came of too many exchanges");
    Actor::after(subject.act.as_ref(), sub).map(Some).ok_or_else(too_many)
}

/// What the new token may do: nothing that the subject's may not, and nothing that the client may not.
async fn scopes(
    app: &App,
    client: &Client,
    form: &Form,
    (subject, resources): (&AccessTokenClaims, &[ResourceUri]),
    now: DateTime<Utc>,
) -> Result<Vec<String>, OAuthError> {
    // Without a refresh token there is nothing to keep while somebody is away.
    let may_have = |scope: &String| {
        subject.has_scope(scope)
            && client.settings.scopes.contains(scope)
            && scope != "offline_access"
            && app.registry.built_in().find_scope(scope).is_none()
    };
    let asked = form.one("scope")?.map(scope::parse).transpose()?.filter(|scopes| !scopes.is_empty());
    let scopes: Vec<String> = match asked {
        Some(asked) if asked.iter().all(may_have) => asked,
        Some(_) => {
            let what = "a scope was asked for that the subject_token does not have, or that this client may not have";
            return Err(OAuthError::invalid_scope(what));
        }
        None => subject.scope.split(' ').map(ToOwned::to_owned).filter(may_have).collect(),
    };
    let scopes = audience::scopes_at(app, &scopes, resources, now).await?;
    if scopes.is_empty() {
        return Err(OAuthError::invalid_scope("no scope of the subject_token means anything at the resource"));
    }
    Ok(scopes)
}
