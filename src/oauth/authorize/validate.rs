//! Is the rest of the request well-formed and allowed? Errors go to the client, by redirect.

use chrono::{DateTime, Utc};

use super::request::Trusted;
use crate::app::App;
use crate::flow::authorization_request::AuthorizationRequest;
use crate::flow::client::profile;
use crate::flow::{audience, authorization_details, id_token};
use crate::model::client::{Client, GrantType};
use crate::model::id::SubjectId;
use crate::model::profile::Profile;
use crate::protocol::claims::ClaimsRequest;
use crate::protocol::display::Display;
use crate::protocol::dpop;
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;
use crate::protocol::prompt;
use crate::protocol::response_mode::ResponseMode;
use crate::protocol::{locale, pkce, resource, scope};

/// The longest `state` or `nonce` that is carried along, in bytes.
const LONGEST_ECHO: usize = 2048;

/// Checks everything that [`super::request::trust`] did not.
pub async fn validate(
    app: &App,
    trusted: Trusted,
    form: &Form,
    now: DateTime<Utc>,
) -> Result<AuthorizationRequest, OAuthError> {
    form.refuse_repeats()?;
    let Trusted { client, to, has_redirect_uri } = trusted;
    if form.has("registration") {
        // OpenID Connect Core section 7.2.1: it has a code of its own.
        return Err(OAuthError::registration_not_supported("the registration parameter is not supported"));
    }
    response_type(form)?;
    if !client.has_grant(GrantType::AuthorizationCode) {
        return Err(OAuthError::unauthorized_client("the client may not use the authorization code grant"));
    }
    ResponseMode::parse(form.one("response_mode")?)?;
    let authorization_details = authorization_details::requested(app, &client, form, now).await?;
    let scopes = scopes(app, &client, form, !authorization_details.is_empty(), now).await?;
    let resources = resource::parse_all(form.all("resource"))?;
    audience::check(app, &client, &resources, now).await?;
    let claims = claims(form)?;
    let required_subject = required_subject(app, &client, form, claims.as_ref(), now).await?;
    let acr_values = acr_values(app, &client, form, claims.as_ref())?;
    Ok(AuthorizationRequest {
        client_id: client.id.clone(),
        code_challenge: code_challenge(app, &client, form)?,
        dpop_jkt: form.one("dpop_jkt")?.map(dpop::parse_jkt).transpose()?.map(ToOwned::to_owned),
        state: echoed(to.state.as_deref())?,
        nonce: echoed(form.one("nonce")?)?,
        prompts: prompt::parse(form.one("prompt")?)?,
        max_age: max_age(&client, form)?,
        login_hint: form.one("login_hint")?.filter(|hint| hint.len() <= 256).map(ToOwned::to_owned),
        display: Display::parse(form.one("display")?),
        ui_locales: locale::parse(form.one("ui_locales")?),
        redirect_uri: to.redirect_uri,
        is_redirect_uri_implied: !has_redirect_uri,
        response_mode: to.response_mode,
        required_subject,
        acr_values,
        scopes,
        resources,
        authorization_details,
        claims,
        pushed_as: None,
        device: None,
        backchannel: None,
        binding_message: None,
    })
}

/// What is asked of the person by name, and in which languages whatever is told of them.
fn claims(form: &Form) -> Result<Option<ClaimsRequest>, OAuthError> {
    let claims = form.one("claims")?.map(ClaimsRequest::parse).transpose()?;
    let locales = locale::parse(form.one("claims_locales")?);
    if claims.is_none() && locales.is_empty() {
        return Ok(None);
    }
    Ok(Some(ClaimsRequest { locales, ..claims.unwrap_or_default() }))
}

fn response_type(form: &Form) -> Result<(), OAuthError> {
    match form.one("response_type")? {
        Some("code") => Ok(()),
        Some(_) => Err(OAuthError::unsupported_response_type("the response_type must be code")),
        None => Err(OAuthError::invalid_request("the parameter response_type is missing")),
    }
}

/// The scopes that are asked for, if the client may have them. Some must be, unless something else is asked for.
pub async fn scopes(
    app: &App,
    client: &Client,
    form: &Form,
    may_be_none: bool,
    now: DateTime<Utc>,
) -> Result<Vec<String>, OAuthError> {
    let mut scopes = form.one("scope")?.map(scope::parse).transpose()?.unwrap_or_default();
    let catalog = app.registry.catalog(now).await?;
    if client.settings.profile == Profile::Oidc {
        // OpenID Connect Core section 3.1.2.1: scope values that are not understood should be ignored.
        scopes.retain(|scope| catalog.find_scope(scope).is_some());
    }
    // OpenID Connect Core section 11: offline access is ignored where no refresh token could be given.
    if !client.has_grant(GrantType::RefreshToken) {
        scopes.retain(|scope| scope != "offline_access");
    }
    if scopes.is_empty() && !may_be_none {
        return Err(OAuthError::invalid_scope("no known scope was asked for"));
    }
    if scopes.iter().all(|scope| client.settings.scopes.contains(scope)) {
        Ok(scopes)
    } else {
        Err(OAuthError::invalid_scope("a scope was asked for that this client may not have"))
    }
}

/// RFC 7636 section 4.4.1, RFC 9700 section 2.1.1.
fn code_challenge(app: &App, client: &Client, form: &Form) -> Result<Option<String>, OAuthError> {
    let challenge = pkce::parse_challenge(form.one("code_challenge")?, form.one("code_challenge_method")?)?;
    let is_required = client.settings.pkce_required || client.is_public() || profile(app, client).is_fapi2();
    if challenge.is_none() && is_required {
        return Err(OAuthError::invalid_request("the parameter code_challenge is missing: PKCE is required"));
    }
    Ok(challenge)
}

fn echoed(value: Option<&str>) -> Result<Option<String>, OAuthError> {
    match value {
        Some(text) if text.len() > LONGEST_ECHO => {
            Err(OAuthError::invalid_request("state and nonce may have at most 2048 bytes"))
        }
        other => Ok(other.map(ToOwned::to_owned)),
    }
}

fn max_age(client: &Client, form: &Form) -> Result<Option<u32>, OAuthError> {
    match form.one("max_age")? {
        Some(text) if text.bytes().all(|b| b.is_ascii_digit()) => {
            // More seconds than fit are more than anyone's session lasts.
            Ok(Some(text.parse().unwrap_or(u32::MAX)))
        }
        Some(_) => Err(OAuthError::invalid_request("max_age must be a number of seconds")),
        None => Ok(client.settings.default_max_age),
    }
}

/// Who must be signed in: `id_token_hint` (section 3.1.2.1) or a `sub` with a value in `claims` (section 5.5.1), each by the
/// name that the client has for them.
async fn required_subject(
    app: &App,
    client: &Client,
    form: &Form,
    claims: Option<&ClaimsRequest>,
    now: DateTime<Utc>,
) -> Result<Option<SubjectId>, OAuthError> {
    let claimed = claims.and_then(ClaimsRequest::required_subject).map(SubjectId::new);
    let Some(token) = form.one("id_token_hint")? else {
        return Ok(claimed);
    };
    let hint = id_token::verify_hint(app, token, now)
        .await?
        .filter(|hint| hint.client_id == client.id)
        .ok_or_else(|| OAuthError::invalid_request("the id_token_hint is not an ID token of this client"))?;
    if claimed.is_some_and(|claimed| claimed != hint.subject) {
        // Whoever signs in would be the wrong one for the other.
        return Err(OAuthError::invalid_request("the id_token_hint and claims name different subjects"));
    }
    Ok(Some(hint.subject))
}

/// The classes asked for, in order of preference; an essential one that cannot be reached fails the request (OpenID Connect
/// Core section 5.5.1.1).
fn acr_values(
    app: &App,
    client: &Client,
    form: &Form,
    claims: Option<&ClaimsRequest>,
) -> Result<Vec<String>, OAuthError> {
    if let Some(claims) = claims {
        if !app.config.oidc.acr_names().any(|acr| claims.accepts_acr(acr)) {
            return Err(OAuthError::unmet_authentication_requirements("the essential acr cannot be reached"));
        }
        let wanted = reachable(app, claims.acr_values());
        if !wanted.is_empty() {
            return Ok(wanted);
        }
    }
    Ok(match form.one("acr_values")? {
        Some(text) => reachable(app, text.split(' ')),
        None => client.settings.default_acr_values.clone(),
    })
}

/// Only what can be reached is kept, or a request could make its record as long as it liked.
pub fn reachable<'a>(app: &App, wanted: impl Iterator<Item = &'a str>) -> Vec<String> {
    let oidc = &app.config.oidc;
    wanted
        .filter(|wanted| oidc.acr_names().any(|acr| acr == *wanted))
        .take(oidc.acr_values.len())
        .map(ToOwned::to_owned)
        .collect()
}
