//! Authorization codes (RFC 6749 section 4.1.2): made here, kept in the state store until their time is over.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::authorization_request::AuthorizationRequest;
use super::issue::lifetimes;
use crate::app::App;
use crate::config::OidcConfig;
use crate::keys::token::PlainCode;
use crate::model::client::{Client, GrantType};
use crate::model::family::Grant;
use crate::model::id::FamilyId;
use crate::model::session::{Authentication, Session};
use crate::random;
use crate::storage::StoreError;
use crate::storage::state::{self, Kind, StateKey};

/// What the state store keeps of a code, until the code's time is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CodeRecord {
    /// What the code stands for.
    pub grant: Grant,
    /// The number of the subject's codes that it was made under; a later one ends it. Absent from the records of a version
    /// that did not know.
    #[serde(default)]
    pub code_generation: Option<i64>,
    /// SHA-256 of the code's secret.
    pub hash: [u8; 32],
    /// Where the code was sent.
    pub redirect_uri: String,
    /// Whether the request left that to the registration: then the token request need not repeat it. Absent from the
    /// records of a version that did not know.
    #[serde(default)]
    pub is_redirect_uri_implied: bool,
    /// For the ID token.
    pub nonce: Option<String>,
    /// What the verifier must match (RFC 7636).
    pub code_challenge: Option<String>,
    /// The thumbprint of the key that must redeem it (RFC 9449 section 10). Absent from the records of a version that did not
    /// know.
    #[serde(default)]
    pub dpop_jkt: Option<String>,
    /// When the code ends.
    pub expires_at: DateTime<Utc>,
}

/// What a record knows of the code itself.
pub struct CodeSecret {
    /// The grant that the code is of.
    pub grant_type: GrantType,
    /// SHA-256 of the code's secret.
    pub hash: [u8; 32],
    /// When the code ends.
    pub expires_at: DateTime<Utc>,
}

impl CodeRecord {
    /// What a code stands for that a person allowed in `session`, when their codes had the number `code_generation`.
    pub fn of(
        app: &App,
        request: &AuthorizationRequest,
        client: &Client,
        (session, code_generation): (&Session, i64),
        CodeSecret { grant_type, hash, expires_at }: CodeSecret,
    ) -> Result<Self, StoreError> {
        let acr = satisfied_acr(&app.config.oidc, &request.acr_values, &session.authentication);
        Ok(Self {
            grant: Grant {
                grant_type,
                client_id: client.id.clone(),
                client_generation: client.generation,
                subject: session.subject.clone(),
                generation: session.generation,
                sid: session.sid,
                scopes: request.scopes.clone(),
                resources: request.resources.clone(),
                authorization_details: request.authorization_details.clone(),
                claims: request.claims.as_ref().map(serde_json::to_value).transpose().map_err(StoreError::corrupt)?,
                authentication: Authentication { acr, ..session.authentication.clone() },
            },
            code_generation: Some(code_generation),
            hash,
            redirect_uri: request.redirect_uri.clone(),
            is_redirect_uri_implied: request.is_redirect_uri_implied,
            nonce: request.nonce.clone(),
            code_challenge: request.code_challenge.clone(),
            dpop_jkt: request.dpop_jkt.clone(),
            expires_at,
        })
    }
}

/// Makes a code and puts its record where any instance finds it.
pub async fn authorization_code(
    app: &App,
    request: &AuthorizationRequest,
    client: &Client,
    (session, code_generation): (&Session, i64),
    now: DateTime<Utc>,
) -> Result<String, StoreError> {
    let id = FamilyId(new_family_id(now));
    let code = PlainCode::new(&app.master_keys, id);
    let expires_at = now + lifetimes(app, client).authorization_code;
    let secret = CodeSecret { grant_type: GrantType::AuthorizationCode, hash: code.hash(), expires_at };
    let record = CodeRecord::of(app, request, client, (session, code_generation), secret)?;
    state::put_json(app.state.as_ref(), &code_key(id), &record, expires_at, now).await?;
    Ok(code.encode())
}

/// The record of a code, while its time lasts. It is read, not taken: single use lies in the statement that redeems.
pub async fn find_code(app: &App, id: FamilyId, now: DateTime<Utc>) -> Result<Option<CodeRecord>, StoreError> {
    state::get_json(app.state.as_ref(), &code_key(id), now).await
}

/// The first class asked for that the sign-in satisfies, else the one it reached (OpenID Connect Core section 5.5.1.1:
/// `acr_values` are voluntary).
fn satisfied_acr(oidc: &OidcConfig, requested: &[String], authentication: &Authentication) -> String {
    let is_reached = |acr: &&String| oidc.reached_by(&authentication.amr).any(|reached| reached == acr.as_str());
    requested.iter().find(is_reached).unwrap_or(&authentication.acr).clone()
}

/// Family ids begin with their time, so that new rows lie together; the other 74 bits are random.
pub(super) fn new_family_id(now: DateTime<Utc>) -> uuid::Uuid {
    let millis = u64::try_from(now.timestamp_millis()).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(millis, &random::bytes()).into_uuid()
}

fn code_key(id: FamilyId) -> StateKey {
    StateKey::new(Kind::Code, id)
}
