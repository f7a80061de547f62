//! What a token of a grant is good for, looked up before anything is written: whatever may fail, fails while nothing has been
//! used up.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::access_token::Audience;
use super::{audience, authorization_details, id_token, subject};
use crate::app::App;
use crate::model::authorization_details::AuthorizationDetail;
use crate::model::client::Client;
use crate::model::family::Grant;
use crate::model::id::{ResourceUri, Sid, SubjectId};
use crate::protocol::authorization_details::is_covered;
use crate::protocol::error::OAuthError;

/// What a client asks for of what it was granted.
#[derive(Clone, Debug, Default)]
pub struct AskedFor {
    /// The scopes; empty: all that were granted.
    pub scopes: Vec<String>,
    /// The resources; empty: all that were granted.
    pub resources: Vec<ResourceUri>,
    /// The authorization details (RFC 9396); empty: all that were granted.
    pub details: Vec<AuthorizationDetail>,
}

/// What a token of a grant is good for today: what was granted, less what was taken from the client since.
pub(super) struct Reach {
    /// What the client calls the person.
    pub(super) sub: SubjectId,
    /// What it calls the session.
    pub(super) sid: Sid,
    /// Where it is good.
    pub(super) aud: Audience,
    /// The `scope` of the access token: what means something at its audience.
    pub(super) scope: String,
    /// The `authorization_details` of the access token: what means something at its audience.
    pub(super) authorization_details: Vec<AuthorizationDetail>,
    /// What the ID token, if there is to be one, tells of the person.
    pub(super) told: Option<Map<String, Value>>,
}

impl Reach {
    /// Narrowed to what is asked for, if anything is.
    pub(super) async fn of(
        app: &App,
        client: &Client,
        grant: &Grant,
        asked: &AskedFor,
        now: DateTime<Utc>,
    ) -> Result<Self, OAuthError> {
        let AskedFor { scopes, resources, details } = asked;
        let scopes = if scopes.is_empty() { &grant.scopes } else { scopes };
        let scopes = still_allowed(client, scopes)?;
        let resources = if resources.is_empty() { &grant.resources } else { resources };
        let resources = audience::still_allowed(app, client, resources, now).await?;
        let aud = audience::of(app, &resources, now).await?;
        let scope = audience::scopes_at(app, &scopes, &resources, now).await?.join(" ");
        // As they were granted, however the client spells them today.
        let is_asked =
            |granted: &&AuthorizationDetail| details.is_empty() || is_covered(std::slice::from_ref(*granted), details);
        let details: Vec<_> = grant.authorization_details.iter().filter(is_asked).cloned().collect();
        let left = authorization_details::still_allowed(app, client, &details, now).await?;
        // They limit what the scopes are good for: without any of them the scopes alone would be more than what was granted.
        if left.is_empty() && (grant.scopes.is_empty() || !grant.authorization_details.is_empty()) {
            return Err(OAuthError::invalid_authorization_details(
                "the client may not have the authorization_details any more",
            ));
        }
        let authorization_details = authorization_details::at(app, left, &resources, now).await?;
        let told = if scopes.iter().any(|scope| scope == "openid") {
            Some(id_token::requested_claims(app, grant).await?)
        } else {
            None
        };
        let sub = subject::seen_by(app, client, &grant.subject)?;
        let sid = subject::session_seen_by(app, client, grant.sid)?;
        Ok(Self { sub, sid, aud, scope, authorization_details, told })
    }
}

/// Those of the granted `scopes` that the client may still have: what was taken from it since ends with its next token.
fn still_allowed(client: &Client, scopes: &[String]) -> Result<Vec<String>, OAuthError> {
    if scopes.is_empty() {
        return Ok(Vec::new());
    }
    let left: Vec<String> = scopes.iter().filter(|scope| client.settings.scopes.contains(scope)).cloned().collect();
    if left.is_empty() {
        Err(OAuthError::invalid_scope("the client may not have the scope any more"))
    } else {
        Ok(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::client::ClientSettings;
    use crate::model::id::ClientId;

    #[test]
    fn a_scope_taken_from_the_client_ends_with_its_next_token() {
        let settings = ClientSettings { scopes: vec!["openid".into(), "a".into()], ..ClientSettings::default() };
        let client = Client {
            id: ClientId::new("c"),
            enabled: true,
            settings,
            secrets: Vec::new(),
            generation: 0,
            registered_through: None,
        };
        let left = |scopes: &[&str]| {
            let scopes: Vec<String> = scopes.iter().copied().map(ToOwned::to_owned).collect();
            still_allowed(&client, &scopes).map_err(|error| error.code())
        };
        assert_eq!(left(&["openid", "a"]).unwrap(), ["openid", "a"]);
        assert_eq!(left(&["a", "b"]).unwrap(), ["a"]);
        assert_eq!(left(&["b"]), Err(crate::protocol::error::ErrorCode::InvalidScope));
    }
}
