//! Secrets in settings: read as text, written as a placeholder, so that printing a configuration cannot leak one.

const PLACEHOLDER: &str = "(secret, not shown)";

/// A secret that must be set; an empty text stands for an unset one.
pub mod required {
    use secrecy::{ExposeSecret, SecretString};
    use serde::{Deserialize, Deserializer, Serializer};

    /// Reads the text.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
        String::deserialize(deserializer).map(SecretString::from)
    }

    /// Writes the placeholder.
    pub fn serialize<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if secret.expose_secret().is_empty() { "" } else { super::PLACEHOLDER })
    }
}

/// A secret that may be absent.
pub mod optional {
    use secrecy::SecretString;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Reads the text.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
        Ok(Option::<String>::deserialize(deserializer)?.map(SecretString::from))
    }

    /// Writes the placeholder.
    pub fn serialize<S: Serializer>(secret: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
        match secret {
            Some(_) => serializer.serialize_some(super::PLACEHOLDER),
            None => serializer.serialize_none(),
        }
    }
}
