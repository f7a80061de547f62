//! OpenID Connect.

use serde::{Deserialize, Serialize};

use crate::model::profile::Profile;

/// What the server says of itself in OpenID Connect terms.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OidcConfig {
    /// The authentication context classes that a password reaches; the first is the `acr` of ID tokens.
    pub acr_values: Vec<String>,
    /// What every client is held to at least, whatever it registered.
    pub profile: Profile,
    /// Whether a request object may be fetched from an address that its client registered (`request_uri`).
    pub request_uri: bool,
    /// The audience of access tokens when the client asked for no resource; absent: the issuer.
    pub default_resource: Option<String>,
    /// Whether there is a protected resource to try tokens at, `/resource`; `ostiary dev` has it in any case.
    pub sample_resource: bool,
}

impl Default for OidcConfig {
    fn default() -> Self {
        Self {
            acr_values: vec!["urn:ostiary:acr:pwd".into()],
            profile: Profile::Oauth2,
            request_uri: false,
            default_resource: None,
            sample_resource: false,
        }
    }
}
