//! Sets of rules that a client is held to. The server may hold everybody to more than they registered: the stricter one of the
//! two counts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::signing_alg::SigningAlg;

/// The rules a client is held to, from the loosest to the strictest; single switches of its settings tighten them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// OAuth 2.1.
    Oauth2,
    /// OpenID Connect Core on top of it.
    #[default]
    Oidc,
    /// FAPI 2.0 Security Profile.
    Fapi2Security,
    /// FAPI 2.0 Message Signing on top of it.
    Fapi2MessageSigning,
}

impl Profile {
    /// Every profile, from the loosest to the strictest.
    pub const ALL: [Self; 4] = [Self::Oauth2, Self::Oidc, Self::Fapi2Security, Self::Fapi2MessageSigning];

    /// The name that settings use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Oauth2 => "oauth2",
            Self::Oidc => "oidc",
            Self::Fapi2Security => "fapi2-security",
            Self::Fapi2MessageSigning => "fapi2-message-signing",
        }
    }

    /// Whether it is one of FAPI 2.0: confidential clients that sign or show a certificate, requests that are pushed, tokens
    /// that are bound to a key, assertions for the issuer alone (Security Profile section 5.3.2).
    pub fn is_fapi2(self) -> bool {
        self >= Self::Fapi2Security
    }

    /// Whether an authorization request must be a signed request object (Message Signing section 5.3.1).
    pub fn requires_signed_requests(self) -> bool {
        self >= Self::Fapi2MessageSigning
    }

    /// What a JWT is signed with if nothing was registered: RS256 (OpenID Connect Registration section 2, RFC 9701 section 6),
    /// and where that is not allowed the other one that every server has a key for.
    pub fn default_alg(self) -> SigningAlg {
        if self.allows_alg(SigningAlg::RS256) { SigningAlg::RS256 } else { SigningAlg::ES256 }
    }

    /// Whether JWTs may be signed like that, by the client or for it (Security Profile section 5.4.1).
    pub fn allows_alg(self, alg: SigningAlg) -> bool {
        match alg {
            SigningAlg::PS256 | SigningAlg::ES256 | SigningAlg::EdDSA => true,
            SigningAlg::RS256 => !self.is_fapi2(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_stricter_than_the_one_before() {
        assert!(Profile::ALL.is_sorted());
        for profile in Profile::ALL {
            assert_eq!(serde_json::to_value(profile).unwrap(), profile.as_str());
        }
        assert_eq!(Profile::ALL.map(Profile::is_fapi2), [false, false, true, true]);
        assert_eq!(Profile::ALL.map(Profile::requires_signed_requests), [false, false, false, true]);
        assert_eq!(Profile::ALL.map(|profile| profile.allows_alg(SigningAlg::RS256)), [true, true, false, false]);
        assert!(Profile::ALL.into_iter().all(|profile| profile.allows_alg(profile.default_alg())));
        assert_eq!(Profile::Oidc.default_alg(), SigningAlg::RS256);
    }
}
