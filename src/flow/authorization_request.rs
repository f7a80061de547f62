//! What a client asked for at the authorization endpoint, validated, and what it is answered.

use serde::{Deserialize, Serialize};

use super::decoupled::Waiter;
use crate::model::authorization_details::AuthorizationDetail;
use crate::model::id::{ClientId, FamilyId, ResourceUri, SubjectId};
use crate::protocol::claims::ClaimsRequest;
use crate::protocol::display::Display;
use crate::protocol::prompt::Prompt;
use crate::protocol::response_mode::ResponseMode;

/// An authorization request (RFC 6749 section 4.1.1, OpenID Connect Core section 3.1.2.1) after every check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// Who asks.
    pub client_id: ClientId,
    /// Where the answer goes, byte for byte as it was sent.
    pub redirect_uri: String,
    /// Whether the request left that to the registration (RFC 6749 section 3.1.2.3). Absent from the records of a version
    /// that did not know.
    #[serde(default)]
    pub is_redirect_uri_implied: bool,
    /// How the answer is sent.
    pub response_mode: ResponseMode,
    /// Returned as it came.
    pub state: Option<String>,
    /// Put into the ID token as it came.
    pub nonce: Option<String>,
    /// What is asked for, in the order asked.
    pub scopes: Vec<String>,
    /// Where it is to be used (RFC 8707).
    pub resources: Vec<ResourceUri>,
    /// What is asked for in particular (RFC 9396). Absent from the records of a version that did not know.
    #[serde(default)]
    pub authorization_details: Vec<AuthorizationDetail>,
    /// What the person must be asked.
    pub prompts: Vec<Prompt>,
    /// Seconds after which a sign-in is too old.
    pub max_age: Option<u32>,
    /// Who is probably signing in.
    pub login_hint: Option<String>,
    /// Who must be signed in, as the client calls them: the `sub` of the `id_token_hint`, or of the `claims` parameter.
    pub required_subject: Option<SubjectId>,
    /// The authentication context classes asked for, in order of preference.
    pub acr_values: Vec<String>,
    /// What room the client makes for our pages. Absent from the records of a version that did not look.
    #[serde(default)]
    pub display: Display,
    /// The languages asked for, in order of preference.
    pub ui_locales: Vec<String>,
    /// The `claims` parameter, with the languages of `claims_locales`.
    pub claims: Option<ClaimsRequest>,
    /// The S256 code challenge (RFC 7636).
    pub code_challenge: Option<String>,
    /// The identifier that it was pushed under (RFC 9126), if it was. Absent from the records of a version that did not know.
    #[serde(default)]
    pub pushed_as: Option<String>,
    /// The thumbprint of the key that the code is bound to (RFC 9449 section 10). Absent from the records of a version that did
    /// not know.
    #[serde(default)]
    pub dpop_jkt: Option<String>,
    /// The device that asks (RFC 8628), and is answered instead of a redirect URI. Absent from the records of a version that did
    /// not know.
    #[serde(default)]
    pub device: Option<FamilyId>,
    /// The same for a client whose person is elsewhere (OpenID Connect CIBA).
    #[serde(default)]
    pub backchannel: Option<FamilyId>,
    /// What the person compares with what such a client shows (OpenID Connect CIBA section 7.1).
    #[serde(default)]
    pub binding_message: Option<String>,
}

impl AuthorizationRequest {
    /// Whether the person must be asked that.
    pub fn has_prompt(&self, prompt: Prompt) -> bool {
        self.prompts.contains(&prompt)
    }

    /// Whether it is an OpenID Connect request.
    pub fn is_openid(&self) -> bool {
        self.scopes.iter().any(|scope| scope == "openid")
    }

    /// Who waits for the decision elsewhere, rather than at the redirect URI.
    pub fn waiter(&self) -> Option<Waiter> {
        self.device.map(Waiter::Device).or(self.backchannel.map(Waiter::Backchannel))
    }

    /// Where its answer goes.
    pub fn return_address(&self) -> ReturnAddress {
        ReturnAddress {
            client_id: self.client_id.clone(),
            redirect_uri: self.redirect_uri.clone(),
            response_mode: self.response_mode,
            state: self.state.clone(),
            ui_locales: self.ui_locales.clone(),
            is_decoupled: self.waiter().is_some(),
        }
    }
}

/// Where an authorization response goes: known as soon as the redirect URI is trusted, before the rest is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnAddress {
    /// Whose it is.
    pub client_id: ClientId,
    /// The verified redirect URI.
    pub redirect_uri: String,
    /// How the answer is sent.
    pub response_mode: ResponseMode,
    /// Returned as it came.
    pub state: Option<String>,
    /// The languages that the request asks for.
    pub ui_locales: Vec<String>,
    /// Whether somebody waits elsewhere instead: then there is nobody at the redirect URI to tell of an error.
    pub is_decoupled: bool,
}
