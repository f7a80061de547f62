//! OpenID Connect.

use serde::{Deserialize, Serialize};

use crate::model::profile::Profile;
use crate::model::session::AuthenticationMethod;

/// What the server says of itself in OpenID Connect terms.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OidcConfig {
    /// The authentication context classes, the one to tell when none was asked for first.
    pub acr_values: Vec<AcrValue>,
    /// What every client is held to at least, whatever it registered.
    pub profile: Profile,
    /// Whether a request object may be fetched from an address that its client registered (`request_uri`).
    pub request_uri: bool,
    /// The audience of access tokens when the client asked for no resource; absent: the issuer.
    pub default_resource: Option<String>,
    /// Whether there is a protected resource to try tokens at, `/resource`; `ostiary dev` has it in any case.
    pub sample_resource: bool,
}

/// An authentication context class (OpenID Connect Core section 2), and what it means here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcrValue {
    /// Its name, as clients ask for it and ID tokens say it.
    pub acr: String,
    /// Whoever signed in by all of these reached it.
    pub methods: Vec<AuthenticationMethod>,
}

impl OidcConfig {
    /// The names of the classes, in their order.
    pub fn acr_names(&self) -> impl Iterator<Item = &str> {
        self.acr_values.iter().map(|class| class.acr.as_str())
    }

    /// The classes that a sign-in by the methods `amr` reached, in their order.
    pub fn reached_by<'a>(&'a self, amr: &'a [String]) -> impl Iterator<Item = &'a str> {
        let is_reached =
            |class: &&AcrValue| class.methods.iter().all(|method| amr.iter().any(|used| used == method.as_str()));
        self.acr_values.iter().filter(is_reached).map(|class| class.acr.as_str())
    }
}

impl Default for OidcConfig {
    fn default() -> Self {
        Self {
            acr_values: vec![AcrValue { acr: "urn:ostiary:acr:pwd".into(), methods: vec![AuthenticationMethod::Pwd] }],
            profile: Profile::Oauth2,
            request_uri: false,
            default_resource: None,
            sample_resource: false,
        }
    }
}
