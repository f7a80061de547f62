//! The public key of a client, and what is encrypted to it.

use josekit::jwe::{self, ECDH_ES, ECDH_ES_A128KW, ECDH_ES_A256KW, JweEncrypter, JweHeader, RSA_OAEP, RSA_OAEP_256};
use josekit::jwk::Jwk;
use serde_json::Value;

use crate::keys::jwk::PublicJwk;
use crate::keys::public_key;
use crate::model::encryption_alg::{ContentEncryption, EncryptionAlg};
use crate::protocol::client_metadata::is_key_for_encryption;

/// A key that something can be encrypted to, with one algorithm.
pub struct Recipient {
    alg: EncryptionAlg,
    encrypter: Box<dyn JweEncrypter>,
}

/// The cryptographic library refused.
#[derive(Debug, thiserror::Error)]
#[error("the cryptographic library refused to encrypt")]
pub struct EncryptionError(#[source] josekit::JoseError);

impl Recipient {
    /// The key for `alg` in a JSON Web Key; `None` if it is none.
    pub fn from_jwk(alg: EncryptionAlg, jwk: &Value) -> Option<Self> {
        if !is_key_for_encryption(jwk, alg) {
            return None;
        }
        let public = if alg.is_rsa() { public_key::read_rsa(jwk) } else { public_key::read_p256(jwk) };
        let kid = jwk.get("kid").and_then(Value::as_str);
        Some(Self { alg, encrypter: encrypter(alg, &rebuilt(&public.ok()?, kid)?).ok()? })
    }

    /// What it is for.
    pub fn alg(&self) -> EncryptionAlg {
        self.alg
    }

    /// `content` in the compact form (RFC 7516 section 7.1), under a header with these `cty` and `typ` (sections 4.1.11 and
    /// 4.1.12) if they are given.
    pub fn encrypt(
        &self,
        enc: ContentEncryption,
        content: &[u8],
        (cty, typ): (Option<&str>, Option<&str>),
    ) -> Result<String, EncryptionError> {
        let mut header = JweHeader::new();
        header.set_content_encryption(enc.as_str());
        if let Some(cty) = cty {
            header.set_content_type(cty);
        }
        if let Some(typ) = typ {
            header.set_token_type(typ);
        }
        jwe::serialize_compact(content, &header, self.encrypter.as_ref()).map_err(EncryptionError)
    }
}

/// The members that were read, and no other that somebody wrote.
fn rebuilt(public: &PublicJwk, kid: Option<&str>) -> Option<Jwk> {
    let Value::Object(members) = serde_json::to_value(public).ok()? else { return None };
    let mut jwk = Jwk::from_map(members).ok()?;
    if let Some(kid) = kid {
        jwk.set_key_id(kid);
    }
    Some(jwk)
}

fn encrypter(alg: EncryptionAlg, jwk: &Jwk) -> Result<Box<dyn JweEncrypter>, josekit::JoseError> {
    Ok(match alg {
        EncryptionAlg::RsaOaep256 => Box::new(RSA_OAEP_256.encrypter_from_jwk(jwk)?),
        EncryptionAlg::RsaOaep => Box::new(RSA_OAEP.encrypter_from_jwk(jwk)?),
        EncryptionAlg::EcdhEs => Box::new(ECDH_ES.encrypter_from_jwk(jwk)?),
        EncryptionAlg::EcdhEsA128Kw => Box::new(ECDH_ES_A128KW.encrypter_from_jwk(jwk)?),
        EncryptionAlg::EcdhEsA256Kw => Box::new(ECDH_ES_A256KW.encrypter_from_jwk(jwk)?),
    })
}

#[cfg(test)]
mod tests;
