//! What a key of ours is used with: it signs, or it is encrypted to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::signing_alg::SigningAlg;

/// The algorithm of a key of ours, by its registered JOSE name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum KeyAlg {
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// Ed25519 (RFC 8037).
    EdDSA,
    /// ECDH with an ephemeral key, on P-256 (RFC 7518 section 4.6). A key that is encrypted to, never one that signs.
    #[serde(rename = "ECDH-ES")]
    EcdhEs,
}

impl KeyAlg {
    /// Every algorithm, those that sign first.
    pub const ALL: [Self; 5] = [Self::RS256, Self::PS256, Self::ES256, Self::EdDSA, Self::EcdhEs];

    /// The registered name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EcdhEs => "ECDH-ES",
            Self::ES256 => SigningAlg::ES256.as_str(),
            Self::RS256 => SigningAlg::RS256.as_str(),
            Self::PS256 => SigningAlg::PS256.as_str(),
            Self::EdDSA => SigningAlg::EdDSA.as_str(),
        }
    }

    /// The algorithm with that registered name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|alg| alg.as_str() == name)
    }

    /// What it signs with; `None`: it is encrypted to.
    pub fn signing(self) -> Option<SigningAlg> {
        match self {
            Self::ES256 => Some(SigningAlg::ES256),
            Self::RS256 => Some(SigningAlg::RS256),
            Self::PS256 => Some(SigningAlg::PS256),
            Self::EdDSA => Some(SigningAlg::EdDSA),
            Self::EcdhEs => None,
        }
    }

    /// The `use` of its keys (RFC 7517 section 4.2).
    pub fn usage(self) -> &'static str {
        if self.signing().is_some() { "sig" } else { "enc" }
    }
}

impl From<SigningAlg> for KeyAlg {
    fn from(alg: SigningAlg) -> Self {
        match alg {
            SigningAlg::ES256 => Self::ES256,
            SigningAlg::RS256 => Self::RS256,
            SigningAlg::PS256 => Self::PS256,
            SigningAlg::EdDSA => Self::EdDSA,
        }
    }
}

impl PartialEq<SigningAlg> for KeyAlg {
    fn eq(&self, other: &SigningAlg) -> bool {
        *self == Self::from(*other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_the_registered_ones_and_all_but_one_sign() {
        for alg in KeyAlg::ALL {
            assert_eq!(serde_json::to_value(alg).unwrap(), alg.as_str());
            assert_eq!(KeyAlg::from_name(alg.as_str()), Some(alg));
            assert_eq!(alg.signing().map(KeyAlg::from), (alg != KeyAlg::EcdhEs).then_some(alg));
        }
        assert_eq!(KeyAlg::ALL.into_iter().filter_map(KeyAlg::signing).collect::<Vec<_>>(), SigningAlg::ALL);
    }
}
