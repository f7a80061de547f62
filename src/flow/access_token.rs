//! Access tokens: RFC 9068 JWTs, or the same claims sealed.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::app::App;
use crate::keys::keyset::ReservedSignatures;
use crate::keys::token::OpaqueAccessToken;
use crate::model::authorization_details::AuthorizationDetail;
use crate::model::client::{AccessTokenFormat, Client};
use crate::model::id::{ClientId, FamilyId};
use crate::model::lifetimes::CLOCK_TOLERANCE;
use crate::model::lineage::{Lineage, family_of};
use crate::protocol::bearer::TokenScheme;
use crate::protocol::error::OAuthError;
use crate::protocol::mtls::Certificate;
use crate::protocol::token_exchange::Actor;
use crate::random;

/// The `typ` of a JWT access token (RFC 9068 section 2.1).
const TYP: &str = "at+jwt";

/// What the `jti` of a token without a family begins with. No family's does: this and digits are no UUID.
const MACHINE: &str = "c";

/// One or several audiences: a single one is written as a plain string (RFC 7519 section 4.1.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// A single one.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Audience {
    /// Whether `audience` is one of them.
    pub fn contains(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Many(many) => many.iter().any(|one| one == audience),
        }
    }
}

impl From<Vec<String>> for Audience {
    fn from(mut many: Vec<String>) -> Self {
        match (many.len(), many.pop()) {
            (1, Some(one)) => Self::One(one),
            (_, last) => Self::Many(many.into_iter().chain(last).collect()),
        }
    }
}

/// The claims of an access token (RFC 9068 section 2.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessTokenClaims {
    /// The issuer.
    pub iss: String,
    /// The person, or the client itself when there is none.
    pub sub: String,
    /// Who may accept it.
    pub aud: Audience,
    /// Who may present it.
    pub client_id: String,
    /// What it allows, separated by spaces; left out when that is nothing (RFC 6749 section 3.3: a list has a name).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// What it allows in particular (RFC 9396 section 9.1).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorization_details: Vec<AuthorizationDetail>,
    /// `<family>.<n>`; without a family `c<generation of the client>.<random id>`.
    pub jti: String,
    /// When it was issued, seconds since the epoch.
    pub iat: i64,
    /// When it begins: before it is issued, for resource servers whose clock is behind.
    pub nbf: i64,
    /// When it ends.
    pub exp: i64,
    /// When the person signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// How strongly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// By which methods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amr: Option<Vec<String>>,
    /// What whoever presents it must have (RFC 7800 section 3.1); absent: it is a bearer token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
    /// Who acts for the subject (RFC 8693 section 4.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Actor>,
    /// Who may act for the subject (RFC 8693 section 4.4). This server writes none of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_act: Option<Map<String, Value>>,
    /// What it came of, if it was exchanged: a claim of this server's own.
    #[serde(default, skip_serializing_if = "Lineage::is_empty")]
    pub lineage: Lineage,
}

/// What a token is bound to. A way that this version does not know makes the token unreadable, not a bearer token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// The thumbprint of a key (RFC 9449 section 6.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jkt: Option<String>,
    /// The thumbprint of a certificate (RFC 8705 section 3.1).
    #[serde(default, rename = "x5t#S256", skip_serializing_if = "Option::is_none")]
    pub x5t: Option<String>,
}

/// What a token is to be bound to: neither, one or both.
#[derive(Clone, Copy, Debug, Default)]
pub struct Binding<'a> {
    /// The thumbprint of the key that the client proved to have.
    pub jkt: Option<&'a str>,
    /// The thumbprint of the certificate that the client showed.
    pub x5t: Option<&'a str>,
}

impl AccessTokenClaims {
    /// The claims that every access token has.
    pub fn new(app: &App, client: &Client, jti: String, issued_at: DateTime<Utc>, expires_at: DateTime<Utc>) -> Self {
        Self {
            iss: app.issuer().to_owned(),
            sub: client.id.to_string(),
            aud: Audience::Many(Vec::new()),
            client_id: client.id.to_string(),
            scope: String::new(),
            authorization_details: Vec::new(),
            jti,
            iat: issued_at.timestamp(),
            nbf: (issued_at - CLOCK_TOLERANCE).timestamp(),
            exp: expires_at.timestamp(),
            auth_time: None,
            acr: None,
            amr: None,
            cnf: None,
            act: None,
            may_act: None,
            lineage: Lineage::default(),
        }
    }

    /// The `jti` of the `n`th token of a family.
    pub fn jti_of(family: FamilyId, n: i32) -> String {
        format!("{family}.{n}")
    }

    /// The `jti` of a further token of a family whose refresh token stays the same, so that there is no number for it.
    pub fn another_jti_of(family: FamilyId) -> String {
        format!("{family}.{}", random::id())
    }

    /// The `jti` of a token without a family: the client's generation, which a later one ends, and a random id.
    pub fn machine_jti(client: &Client) -> String {
        format!("{MACHINE}{}.{}", client.generation, random::id())
    }

    /// The generation of the client that a token without a family was made under; 0 in those of earlier versions.
    pub fn client_generation(&self) -> i64 {
        let prefix = self.jti.split_once('.').and_then(|(prefix, _)| prefix.strip_prefix(MACHINE));
        prefix.and_then(|digits| digits.parse().ok()).unwrap_or_default()
    }

    /// The family the token belongs to; a machine's token has none.
    pub fn family(&self) -> Option<FamilyId> {
        family_of(&self.jti)
    }

    /// Whether it came of another token (RFC 8693).
    pub fn is_exchanged(&self) -> bool {
        !self.lineage.is_empty()
    }

    /// Everything whose end is its end: itself, with its family; the client that a machine's token was issued to; and what it
    /// came of.
    pub fn dependencies(&self) -> Lineage {
        let own = Lineage::of(self.jti.as_str());
        let clients = match self.family() {
            Some(_) => Vec::new(),
            None => vec![(ClientId::new(self.client_id.as_str()), self.client_generation())],
        };
        Lineage { clients, ..own }.and(self.lineage.clone())
    }

    /// The same for whoever has the key and the certificate of these thumbprints alone.
    pub fn bound_to(self, Binding { jkt, x5t }: Binding<'_>) -> Self {
        let cnf = Confirmation { jkt: jkt.map(ToOwned::to_owned), x5t: x5t.map(ToOwned::to_owned) };
        Self { cnf: (jkt.is_some() || x5t.is_some()).then_some(cnf), ..self }
    }

    /// The thumbprint of the key that it is bound to.
    pub fn jkt(&self) -> Option<&str> {
        self.cnf.as_ref()?.jkt.as_deref()
    }

    /// Whether whoever showed `certificate` may use it, as far as that matters (RFC 8705 section 3).
    pub fn is_in_hands_of(&self, certificate: Option<&Certificate>) -> bool {
        let bound = self.cnf.as_ref().and_then(|cnf| cnf.x5t.as_deref());
        bound.is_none_or(|x5t| certificate.is_some_and(|shown| shown.thumbprint() == x5t))
    }

    /// How it is presented, which is also its type (RFC 9449 section 5).
    pub fn scheme(&self) -> TokenScheme {
        if self.jkt().is_some() { TokenScheme::Dpop } else { TokenScheme::Bearer }
    }

    /// Whether it allows `scope`.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scope.split(' ').any(|granted| granted == scope)
    }

    /// The token in the client's format.
    pub async fn encode(
        &self,
        app: &App,
        client: &Client,
        signatures: &mut ReservedSignatures,
    ) -> Result<String, OAuthError> {
        match client.settings.access_token_format {
            AccessTokenFormat::Jwt => {
                let alg = client.settings.access_token_signed_response_alg;
                Ok(signatures.sign_jwt(alg, TYP, self).await?)
            }
            AccessTokenFormat::Opaque => {
                let failed = "the token could not be sealed";
                let claims = serde_json::to_vec(self).map_err(|e| OAuthError::server_error(failed).with_source(e))?;
                OpaqueAccessToken::seal(&app.master_keys, &claims)
                    .map_err(|error| OAuthError::server_error(failed).with_source(error))
            }
        }
    }

    /// The claims of a token that we made and whose time is not over; `None` for anything else.
    pub fn decode(app: &App, token: &str, now: DateTime<Utc>) -> Option<Self> {
        let claims: Self = if token.contains('.') {
            let verified = app.keys.current().verify_repeated_jwt(token, TYP, now)?;
            Self::deserialize(&verified.claims).ok()?
        } else {
            serde_json::from_slice(&OpaqueAccessToken::open(&app.master_keys, token)?).ok()?
        };
        let is_current = claims.exp > now.timestamp() && claims.nbf <= (now + CLOCK_TOLERANCE).timestamp();
        (claims.iss == app.issuer() && is_current).then_some(claims)
    }
}
