//! Identifiers: each its own type, so that one cannot be taken for another.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// A client identifier (RFC 6749 section 2.2); it may be a URL. Never begins with [`SubjectId::PREFIX`].
    ClientId
}
text_id! {
    /// A subject: the `sub` of a person, or what the clients of one sector call them; at most 255 ASCII characters (OpenID Connect
    /// Core section 2).
    SubjectId
}
text_id! {
    /// A resource indicator (RFC 8707): an absolute URI without a fragment.
    ResourceUri
}

impl SubjectId {
    /// What every subject begins with and no client id may, so that the `sub` of a machine token (its client id) is never
    /// mistaken for a person (RFC 9068 section 5).
    pub const PREFIX: &str = "u.";
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_id! {
    /// A session identifier: the `sid` claim (OpenID Connect Back-Channel Logout section 2.1).
    Sid
}
uuid_id! {
    /// A token family: the identifier of the code that began it, and the first part of every `jti` of it.
    FamilyId
}
uuid_id! {
    /// One attempt to redeem a code; a driver that repeats the statement repeats this id, a second redemption has another.
    ExchangeId
}
