//! `/introspect` (RFC 7662): what a token means, told to those whom it concerns; as JSON, or as a JWT (RFC 9701).
//!
//! `username` (section 2.2) is told where the token has the scope `profile`: then it is what userinfo says under that scope as
//! `preferred_username`, to whoever holds the token. It comes with the family, in the same statement, and only then is the
//! people backend asked at all. A refresh token tells none: only its own client may ask about it, and that has userinfo.

// As a JWT.
mod signed;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use http::HeaderMap;
use serde::Serialize;
use serde_json::Value;

use super::paths;
use crate::app::App;
use crate::flow::access_token::{AccessTokenClaims, Audience};
use crate::flow::bearer::Principal;
use crate::flow::{authorization_details, bearer, client, subject};
use crate::http::client_certificate::ClientCertificate;
use crate::http::form::OAuthForm;
use crate::http::headers::no_store;
use crate::identity::backend::Person;
use crate::keys::token::PlainRefreshToken;
use crate::model::authorization_details::AuthorizationDetail;
use crate::model::client::Client;
use crate::model::id::ResourceUri;
use crate::model::lineage::Lineage;
use crate::protocol::error::{Challenge, ErrorCode, OAuthError};

/// The scope under which a person's name is told (OpenID Connect Core section 5.4).
const PROFILE: &str = "profile";

/// Section 2.2. An inactive token tells nothing else.
#[derive(Debug, Default, Serialize)]
struct Introspection {
    active: bool,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    claims: Option<AccessTokenClaims>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<Value>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    refresh: Option<RefreshTokenFacts>,
}

#[derive(Debug, Serialize)]
struct RefreshTokenFacts {
    iss: String,
    sub: String,
    client_id: String,
    scope: String,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<Audience>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authorization_details: Vec<AuthorizationDetail>,
}

/// An introspection request.
pub async fn post(
    State(app): State<App>,
    certificate: ClientCertificate,
    headers: HeaderMap,
    OAuthForm(form): OAuthForm,
) -> Result<Response, OAuthError> {
    let now = app.clock.now();
    form.refuse_repeats()?;
    let caller =
        client::authenticate(&app, &[paths::INTROSPECT, paths::TOKEN], (&headers, certificate.as_ref()), &form, now)
            .await
            .map_err(unauthorized)?;
    // Section 2.1: the endpoint must not be open to token scanning.
    if caller.is_public() {
        return Err(unauthorized(OAuthError::invalid_client("a public client may not introspect tokens")));
    }
    let token = form.required("token", "the parameter token is missing")?;
    let is_signed = signed::is_wanted(&caller, &headers)?;
    let answer = match AccessTokenClaims::decode(&app, token, now) {
        Some(claims) => access_token(&app, &caller, claims, now).await?,
        None => refresh_token(&app, &caller, token, now).await?,
    };
    let answer = answer.unwrap_or_default();
    if !is_signed {
        return Ok((no_store(), Json(answer)).into_response());
    }
    let claims = match answer.claims {
        Some(claims) => Some(signed::narrowed(&app, &caller, claims, now).await?),
        None => None,
    };
    signed::send(&app, &caller, &Introspection { claims, ..answer }, now).await
}

/// Section 2.3: credentials that are not valid are a 401 here, whichever way they came; RFC 9110 section 15.5.2 then wants a
/// challenge.
fn unauthorized(error: OAuthError) -> OAuthError {
    if error.code() == ErrorCode::InvalidClient { error.with_challenge(Challenge::Basic) } else { error }
}

async fn access_token(
    app: &App,
    caller: &Client,
    claims: AccessTokenClaims,
    now: DateTime<Utc>,
) -> Result<Option<Introspection>, OAuthError> {
    // Section 4: a token says nothing to a resource server that it was not made for.
    let concerns = claims.client_id == caller.id.as_str()
        || caller.settings.serves.iter().any(|resource| claims.aud.contains(resource.as_str()));
    if !concerns {
        return Ok(None);
    }
    let Some((principal, username)) = standing(app, &claims, now).await? else { return Ok(None) };
    let mut claims = as_told_to(app, caller, (claims, &principal), now).await?;
    let token_type = Some(claims.scheme().as_str());
    // What it came of is for this server alone.
    claims.lineage = Lineage::default();
    let introspection = Introspection { active: true, username, token_type, ..Introspection::default() };
    Ok(Some(Introspection { claims: Some(claims), ..introspection }))
}

/// On whose behalf the token is used, and their name where it is told. `None`: it does not stand.
async fn standing(
    app: &App,
    claims: &AccessTokenClaims,
    now: DateTime<Utc>,
) -> Result<Option<(Principal, Option<Value>)>, OAuthError> {
    let Some(family) = claims.family().filter(|_| claims.has_scope(PROFILE)) else {
        return Ok(bearer::find_principal(app, claims, now).await?.map(|principal| (principal, None)));
    };
    Ok(match app.identity.find_family_and_person(family, &claims.dependencies(), now).await? {
        Some((family, person)) if family.is_alive => {
            Some((Principal::Person(family.grant.subject), person.and_then(username)))
        }
        _ => None,
    })
}

/// What a token says to a resource server: of people by the names that it has for them itself (OpenID Connect Core section 8), and
/// to one of several no more than what means something there (RFC 9396 section 9.2), and not where else the token is good (RFC 7662
/// section 5): the person's relation to the others is none of its business.
async fn as_told_to(
    app: &App,
    caller: &Client,
    (claims, principal): (AccessTokenClaims, &Principal),
    now: DateTime<Utc>,
) -> Result<AccessTokenClaims, OAuthError> {
    if claims.client_id == caller.id.as_str() {
        return Ok(claims);
    }
    let mut claims = subject::claims_seen_by(app, caller, (claims, principal), now).await?;
    if matches!(claims.aud, Audience::Many(_)) {
        let served = caller.settings.serves.iter().filter(|resource| claims.aud.contains(resource.as_str()));
        let served: Vec<ResourceUri> = served.cloned().collect();
        claims.authorization_details =
            authorization_details::at(app, claims.authorization_details, &served, now).await?;
        claims = signed::narrowed(app, caller, claims, now).await?;
    }
    Ok(claims)
}

fn username(mut person: Person) -> Option<Value> {
    person.claims.remove("preferred_username")
}

async fn refresh_token(
    app: &App,
    caller: &Client,
    token: &str,
    now: DateTime<Utc>,
) -> Result<Option<Introspection>, OAuthError> {
    let Some(presented) = PlainRefreshToken::parse(&app.master_keys, token) else {
        return Ok(None);
    };
    let Some(family) = app.postgres.find_family(presented.id(), None, now).await? else {
        return Ok(None);
    };
    let Some(idle_expires_at) = family.idle_expires_at else {
        return Ok(None);
    };
    let ends = idle_expires_at.min(family.expires_at);
    let grant = &family.grant;
    let is_current = family.is_alive && family.seq == presented.seq() && ends > now;
    if !is_current || grant.client_id != caller.id {
        return Ok(None);
    }
    let refresh = RefreshTokenFacts {
        iss: app.issuer().to_owned(),
        sub: subject::seen_by(app, caller, &grant.subject)?.to_string(),
        client_id: grant.client_id.to_string(),
        scope: grant.scopes.join(" "),
        exp: ends.timestamp(),
        aud: (!grant.resources.is_empty())
            .then(|| Audience::from(grant.resources.iter().map(ToString::to_string).collect::<Vec<_>>())),
        authorization_details: grant.authorization_details.clone(),
    };
    Ok(Some(Introspection { active: true, refresh: Some(refresh), ..Introspection::default() }))
}
