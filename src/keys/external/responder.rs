//! The other side: answers requests for signatures with a key of ours. So a server can sign with a key that only another
//! account can read, and whoever writes a program for a KMS has something to compare it with.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::keys::private_key::PrivateKey;
use crate::keys::signer::Signer;
use crate::model::signing_alg::SigningAlg;

/// Both kinds of request; what else there is belongs to programs that have more than one key.
#[derive(Deserialize)]
struct Request {
    version: u64,
    alg: String,
    signing_input: Option<String>,
    wanted: Option<String>,
}

/// The answer to one request, by the key in `pem` (PKCS#8). One that cannot be answered gets an `error`.
pub fn respond(pem: &str, request: &[u8]) -> Value {
    answer(pem, request).unwrap_or_else(|error| json!({ "error": error }))
}

fn answer(pem: &str, request: &[u8]) -> Result<Value, &'static str> {
    let request: Request = serde_json::from_slice(request).map_err(|_| "the request cannot be read")?;
    if request.version != 1 {
        return Err("the request has another version");
    }
    let alg = SigningAlg::from_name(&request.alg).ok_or("the algorithm is not known")?;
    let key = PrivateKey::from_pem(alg, pem).map_err(|_| "the key cannot be used with that algorithm")?;
    let refused = "the cryptographic library refused";
    match (request.signing_input, request.wanted.as_deref()) {
        (Some(input), None) => {
            let signature =
                Signer::new(alg, &key).and_then(|signer| signer.sign(input.as_bytes()).ok()).ok_or(refused)?;
            Ok(json!({ "signature": URL_SAFE_NO_PAD.encode(signature) }))
        }
        (None, Some("public_jwk")) => Ok(json!({ "jwk": key.public_jwk().ok_or(refused)? })),
        (None | Some(_), _) => Err("nothing is wanted that is known"),
    }
}
