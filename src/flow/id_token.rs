//! ID tokens (OpenID Connect Core sections 2 and 3.1.3.6).

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

use super::issue;
use super::signatures::Reserved;
use super::subject;
use crate::app::App;
use crate::model::client::Client;
use crate::model::family::Grant;
use crate::model::id::{ClientId, Sid, SubjectId};
use crate::protocol::claims::ClaimsRequest;
use crate::protocol::claims::release::release_id_token;
use crate::protocol::error::OAuthError;
use crate::protocol::jwt;
use crate::storage::StoreError;

#[derive(Serialize)]
struct IdTokenClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
    auth_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    acr: &'a str,
    amr: &'a [String],
    sid: String,
    at_hash: String,
    /// Only what the `claims` parameter asked for: scope claims belong to userinfo in the code flow (section 5.4).
    #[serde(flatten)]
    requested: Map<String, Value>,
}

/// What an ID token speaks of.
pub struct About<'a> {
    /// What the person allowed.
    pub grant: &'a Grant,
    /// What the client calls the person and the session.
    pub named: (&'a SubjectId, Sid),
    /// When it is issued.
    pub issued_at: DateTime<Utc>,
    /// What the client will recognise its request by.
    pub nonce: Option<&'a str>,
    /// What it tells of the person, see [`requested_claims`].
    pub told: Map<String, Value>,
}

/// An ID token beside `access_token`, signed with the client's algorithm, and encrypted if it wants that.
pub(super) async fn issue(
    app: &App,
    client: &Client,
    About { grant, named: (sub, sid), issued_at, nonce, told }: About<'_>,
    access_token: &str,
    reserved: &mut Reserved,
) -> Result<String, OAuthError> {
    let alg = client.settings.id_token_signed_response_alg;
    let claims = IdTokenClaims {
        iss: app.issuer(),
        sub: sub.as_str(),
        aud: client.id.as_str(),
        iat: issued_at.timestamp(),
        exp: (issued_at + issue::lifetimes(app, client).id_token).timestamp(),
        auth_time: grant.authentication.auth_time.timestamp(),
        nonce,
        acr: &grant.authentication.acr,
        amr: &grant.authentication.amr,
        sid: sid.to_string(),
        at_hash: jwt::at_hash(alg, access_token),
        requested: told,
    };
    reserved.id_token(alg, &claims).await
}

/// What the `claims` parameter of the grant asks for in the ID token, of what is known of the person.
pub async fn requested_claims(app: &App, grant: &Grant) -> Result<Map<String, Value>, OAuthError> {
    let request = claims_request(grant);
    if request.id_token.is_empty() {
        return Ok(Map::new());
    }
    let person = app.identity.find_person(&grant.subject).await?;
    Ok(person.map(|person| release_id_token(&request, &person.claims)).unwrap_or_default())
}

/// The `claims` parameter of a grant; one that asks for nothing when there was none.
pub fn claims_request(grant: &Grant) -> ClaimsRequest {
    grant.claims.clone().and_then(|claims| claims.try_into().ok()).unwrap_or_default()
}

/// What an `id_token_hint` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdTokenHint {
    /// The client it was made for.
    pub client_id: ClientId,
    /// Whom it speaks of, as the client calls them.
    pub subject: SubjectId,
    /// The session it was made in.
    pub sid: Sid,
}

/// Reads an `id_token_hint`. An expired one is still good (RP-Initiated Logout section 2): the signature and the issuer
/// are what count.
pub async fn verify_hint(app: &App, token: &str, now: DateTime<Utc>) -> Result<Option<IdTokenHint>, StoreError> {
    let Some(hint) = read_hint(app, token) else { return Ok(None) };
    // A client that is gone has nobody's session any more.
    let sid = match app.registry.find_client(&hint.client_id, now).await? {
        Some(client) => subject::session_meant_by(app, &client, hint.sid)?,
        None => hint.sid,
    };
    Ok(Some(IdTokenHint { sid, ..hint }))
}

/// What it says in the words of its client.
fn read_hint(app: &App, token: &str) -> Option<IdTokenHint> {
    let verified = app.keys.current().verify_jwt(token, &["JWT"])?;
    let text = |name: &str| verified.claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(app.issuer()) {
        return None;
    }
    // A signed userinfo answer has an issuer, an audience and a subject too, but no end: it is no ID token.
    verified.claims.get("exp")?;
    Some(IdTokenHint {
        client_id: ClientId::new(text("aud")?),
        subject: SubjectId::new(text("sub")?),
        // Only ID tokens have it: a signed userinfo answer, of the same type and for the same client, is no hint.
        sid: Sid(uuid::Uuid::try_parse(text("sid")?).ok()?),
    })
}
