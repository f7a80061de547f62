//! What is encrypted to a client (OpenID Connect Registration section 2, JARM section 3, RFC 9701 section 6).

use serde_json::Value;

use super::{PRIVATE_MEMBERS, Violation};
use crate::model::client::ClientSettings;
use crate::model::encryption_alg::{ContentEncryption, EncryptionAlg};

/// The members of a key that allow it to be encrypted to (RFC 7517 section 4.3).
const OPERATIONS: [&str; 4] = ["encrypt", "wrapKey", "deriveKey", "deriveBits"];

/// What of `settings` asks for an encryption that cannot be.
pub(super) fn encryption_violations(settings: &ClientSettings) -> Vec<Violation> {
    let kinds: [(&str, Option<EncryptionAlg>, Option<ContentEncryption>); 4] = [
        ("id_token", settings.id_token_encrypted_response_alg, settings.id_token_encrypted_response_enc),
        ("userinfo", settings.userinfo_encrypted_response_alg, settings.userinfo_encrypted_response_enc),
        ("authorization", settings.authorization_encrypted_response_alg, settings.authorization_encrypted_response_enc),
        ("introspection", settings.introspection_encrypted_response_alg, settings.introspection_encrypted_response_enc),
    ];
    let mut found = Vec::new();
    for (kind, alg, enc) in kinds {
        match alg {
            None if enc.is_some() => {
                let what = format!("it needs {kind}_encrypted_response_alg: that says how the key is sent");
                found.push((format!("/{kind}_encrypted_response_enc"), what));
            }
            None => {}
            Some(alg) => {
                let what = missing_key(settings, alg).map(|what| (format!("/{kind}_encrypted_response_alg"), what));
                found.extend(what);
            }
        }
    }
    found.extend(request_object_violation(settings));
    found
}

/// What is encrypted to the server: for that it has keys on P-256.
fn request_object_violation(settings: &ClientSettings) -> Option<Violation> {
    match settings.request_object_encryption_alg {
        None if settings.request_object_encryption_enc.is_some() => {
            let what = "it needs request_object_encryption_alg: that says how the key is sent";
            Some(("/request_object_encryption_enc".to_owned(), what.to_owned()))
        }
        None | Some(EncryptionAlg::EcdhEs) => None,
        Some(_) => {
            let what = "it must be ECDH-ES: the server has no other keys that requests are encrypted to";
            Some(("/request_object_encryption_alg".to_owned(), what.to_owned()))
        }
    }
}

/// What is missing to encrypt to this client; keys at an address are found when they are used.
fn missing_key(settings: &ClientSettings, alg: EncryptionAlg) -> Option<String> {
    let Some(jwks) = &settings.jwks else {
        let what = "it needs jwks or jwks_uri: without a key nothing can be encrypted";
        return settings.jwks_uri.is_none().then(|| what.to_owned());
    };
    let keys = jwks.get("keys").and_then(Value::as_array).into_iter().flatten();
    let kind = if alg.is_rsa() { "an RSA key" } else { "a key on P-256" };
    let what = || format!("jwks has no key for it: {kind} with use enc or alg {}", alg.as_str());
    (!keys.into_iter().any(|jwk| is_key_for_encryption(jwk, alg))).then(what)
}

/// Whether a key says that it is for encryption with `alg`. One that says nothing is none: it signs (OpenID Connect Core section
/// 10.2 asks for `use` where there are keys for both).
pub fn is_key_for_encryption(jwk: &Value, alg: EncryptionAlg) -> bool {
    let Some(members) = jwk.as_object() else { return false };
    let says = |name: &str, expected: &str| members.get(name).map(|value| value == expected);
    let (is_enc, is_alg) = (says("use", "enc"), says("alg", alg.as_str()));
    if is_enc == Some(false) || is_alg == Some(false) || (is_enc.is_none() && is_alg.is_none()) {
        return false;
    }
    let operations = members.get("key_ops").and_then(Value::as_array);
    let is_allowed = operations.is_none_or(|ops| ops.iter().any(|op| OPERATIONS.iter().any(|allowed| op == allowed)));
    let is_kind = if alg.is_rsa() {
        says("kty", "RSA") == Some(true)
    } else {
        says("kty", "EC") == Some(true) && says("crv", "P-256") == Some(true)
    };
    is_allowed && is_kind && !PRIVATE_MEMBERS.iter().any(|name| members.contains_key(*name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(change: impl FnOnce(&mut ClientSettings)) -> Vec<String> {
        let mut settings = ClientSettings::default();
        change(&mut settings);
        encryption_violations(&settings).into_iter().map(|(pointer, _)| pointer).collect()
    }

    #[test]
    fn an_enc_needs_an_alg_and_an_alg_needs_a_key() {
        let enc = Some(ContentEncryption::A256Gcm);
        assert_eq!(found(|s| s.id_token_encrypted_response_enc = enc), ["/id_token_encrypted_response_enc"]);
        let alg = Some(EncryptionAlg::RsaOaep256);
        assert_eq!(found(|s| s.authorization_encrypted_response_alg = alg), ["/authorization_encrypted_response_alg"]);
        let jwks_uri = Some("https://client.example/jwks".to_owned());
        let is_fine = found(|s| (s.jwks_uri, s.userinfo_encrypted_response_alg) = (jwks_uri, alg));
        assert!(is_fine.is_empty(), "{is_fine:?}");
        for (key, is_good) in [
            (json!({"kty": "RSA", "use": "enc", "n": "AA", "e": "AQAB"}), true),
            (json!({"kty": "RSA", "alg": "RSA-OAEP-256", "n": "AA", "e": "AQAB"}), true),
            (json!({"kty": "RSA", "n": "AA", "e": "AQAB"}), false),
            (json!({"kty": "RSA", "use": "sig", "n": "AA", "e": "AQAB"}), false),
            (json!({"kty": "EC", "crv": "P-256", "use": "enc", "x": "AA", "y": "AA"}), false),
        ] {
            let jwks = Some(json!({"keys": [key]}));
            let found = found(|s| (s.jwks, s.introspection_encrypted_response_alg) = (jwks, alg));
            assert_eq!(found.is_empty(), is_good, "{key} {found:?}");
        }
    }
}
