//! What an attempt still misses, by the rules of OpenID Connect Core section 3.1.2.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::{ConsentQuestion, Next, Steps};
use crate::app::App;
use crate::flow::authorization_request::AuthorizationRequest;
use crate::flow::subject;
use crate::identity::backend::Person;
use crate::model::authorization_details::type_of;
use crate::model::client::{Client, ConsentPolicy};
use crate::model::registration::RegisteredThrough;
use crate::model::session::Session;
use crate::protocol::claims::release::scopes_behind;
use crate::protocol::client_document::DocumentUrl;
use crate::protocol::error::OAuthError;
use crate::protocol::prompt::Prompt;
use crate::storage::StoreError;
use crate::storage::postgres::session::Standing;

/// What `prompt=none` is answered when a page would be needed (OpenID Connect Core section 3.1.2.6).
pub(super) fn refused_page(request: &AuthorizationRequest, next: &Next) -> Option<OAuthError> {
    let error = match next {
        Next::Login { .. } => OAuthError::login_required("the user must sign in"),
        Next::SelectAccount(_) => OAuthError::account_selection_required("the user must choose an account"),
        Next::Consent(_) => OAuthError::consent_required("the user must allow the request"),
        Next::Ready(_) => return None,
    };
    request.has_prompt(Prompt::None).then_some(error)
}

/// OpenID Connect Core section 3.1.2.2: when somebody else is signed in than the client means. It means whom it calls so, and how
/// its sector calls others cannot be turned back.
pub(super) fn wrong_person(
    app: &App,
    request: &AuthorizationRequest,
    client: &Client,
    session: &Session,
) -> Result<Option<Next>, StoreError> {
    let Some(required) = &request.required_subject else { return Ok(None) };
    let is_meant = subject::seen_by(app, client, &session.subject)? == *required;
    Ok((!is_meant).then(|| Next::Login { reauthenticate: Some(required.clone()) }))
}

/// OpenID Connect Core section 3.1.2.3: when a live session is still not enough.
pub(super) fn missing_sign_in(
    request: &AuthorizationRequest,
    steps: &Steps,
    session: &Session,
    now: DateTime<Utc>,
) -> Option<Next> {
    let fresh = steps.signed_in.is_some_and(|(sid, at)| sid == session.sid && at == session.authentication.auth_time);
    let age = now - session.authentication.auth_time;
    let is_too_old = request.max_age.is_some_and(|max_age| age > TimeDelta::seconds(max_age.into()));
    // max_age=0 means what prompt=login means (OpenID Connect Core section 3.1.2.1).
    let is_forced = request.has_prompt(Prompt::Login) || request.max_age == Some(0);
    let again = (is_forced || is_too_old) && !fresh;
    again.then(|| Next::Login { reauthenticate: Some(session.subject.clone()) })
}

pub(super) fn requires_consent(
    request: &AuthorizationRequest,
    client: &Client,
    steps: &Steps,
    standing: &Standing,
) -> bool {
    // Only while nothing was taken back: an answered attempt would give another code after that.
    if steps.consented.as_ref() == Some(&standing.session.subject)
        && steps.consented_generation == Some(standing.code_generation)
    {
        return false;
    }
    let is_covered = standing.consent.as_ref().is_some_and(|consent| {
        consent_scopes(request).iter().all(|scope| consent.scopes.contains(scope))
            && request.resources.iter().all(|resource| consent.resources.contains(resource))
    });
    request.has_prompt(Prompt::Consent)
        || match client.settings.consent {
            ConsentPolicy::FirstParty => false,
            ConsentPolicy::Always => true,
            // RFC 9396 section 11: who allowed one payment did not allow the next.
            ConsentPolicy::Remembered => !is_covered || !request.authorization_details.is_empty(),
        }
}

/// What the person is asked to allow: the scopes, and those under which the claims asked for by name would fall, so that
/// nothing is told unannounced.
pub(super) fn consent_scopes(request: &AuthorizationRequest) -> Vec<String> {
    let mut scopes = request.scopes.clone();
    for scope in request.claims.iter().flat_map(scopes_behind) {
        if !scopes.iter().any(|asked| asked == scope) {
            scopes.push(scope.to_owned());
        }
    }
    scopes
}

pub(super) async fn question(
    app: &App,
    request: &AuthorizationRequest,
    client: Arc<Client>,
    person: Person,
    now: DateTime<Utc>,
) -> Result<ConsentQuestion, StoreError> {
    let catalog = app.registry.catalog(now).await?;
    let named = |name: &&String| name.as_str() != "openid" && name.as_str() != "offline_access";
    let asked = consent_scopes(request);
    let scopes = asked.iter().filter(named).filter_map(|name| catalog.find_scope(name).cloned()).collect();
    let resources = request.resources.iter().filter_map(|uri| catalog.find_resource(uri).cloned()).collect();
    let mut details = Vec::new();
    for detail in &request.authorization_details {
        // A type that was taken away meanwhile gives nothing that could be allowed.
        if let Some(known) = catalog.find_authorization_details_type(type_of(detail)) {
            details.push((detail.clone(), known.clone()));
        }
    }
    let (named_by, registered_itself) = match client.registered_through {
        None => (None, false),
        Some(RegisteredThrough::Open | RegisteredThrough::InitialAccessToken) => (None, true),
        Some(RegisteredThrough::ClientMetadataDocument) => {
            (DocumentUrl::parse(client.id.as_str()).map(|url| url.place()), false)
        }
    };
    let is_offline = request.scopes.iter().any(|scope| scope == "offline_access");
    Ok(ConsentQuestion { client, named_by, registered_itself, person, scopes, resources, details, is_offline })
}
