//! What is said to the program of an external key and what it answers: one JSON object on one line each.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::failure::Reason;
use crate::model::signing_alg::SigningAlg;

const VERSION: u32 = 1;

/// The longest word of a program that is told.
const LONGEST_WORD: usize = 200;

#[derive(Serialize)]
struct SigningRequest<'a> {
    version: u32,
    kid: &'a str,
    alg: &'static str,
    key_ref: &'a str,
    signing_input: &'a str,
}

#[derive(Serialize)]
struct JwkRequest<'a> {
    version: u32,
    alg: &'static str,
    key_ref: &'a str,
    wanted: &'static str,
}

/// Members that are not known are for a later version.
#[derive(Deserialize)]
struct Answer {
    signature: Option<String>,
    jwk: Option<Value>,
    error: Option<String>,
}

/// The line that asks for a signature of `signing_input` (RFC 7515 section 5.1).
pub(super) fn signing_request(kid: &str, alg: SigningAlg, key_ref: &str, signing_input: &str) -> Option<Vec<u8>> {
    line(&SigningRequest { version: VERSION, kid, alg: alg.as_str(), key_ref, signing_input })
}

/// The line that asks for the public key.
pub(super) fn jwk_request(alg: SigningAlg, key_ref: &str) -> Option<Vec<u8>> {
    line(&JwkRequest { version: VERSION, alg: alg.as_str(), key_ref, wanted: "public_jwk" })
}

/// The signature in an answer, in the form of RFC 7518 section 3: for ES256 `R || S`, never DER.
pub(super) fn read_signature(alg: SigningAlg, answer: &[u8]) -> Result<Vec<u8>, Reason> {
    let text = read(answer)?.signature.ok_or(Reason::NotAnAnswer)?;
    let signature = URL_SAFE_NO_PAD.decode(text).map_err(|_| Reason::NotAnAnswer)?;
    let expected = match alg {
        SigningAlg::ES256 | SigningAlg::EdDSA => Some(64),
        // As long as the modulus, which whoever verifies knows.
        SigningAlg::RS256 | SigningAlg::PS256 => None,
    };
    match expected {
        Some(expected) if signature.len() != expected => Err(Reason::WrongLength { found: signature.len(), expected }),
        _ => Ok(signature),
    }
}

/// The public key in an answer.
pub(super) fn read_jwk(answer: &[u8]) -> Result<Value, Reason> {
    read(answer)?.jwk.ok_or(Reason::NotAnAnswer)
}

fn read(answer: &[u8]) -> Result<Answer, Reason> {
    let answer: Answer = serde_json::from_slice(answer).map_err(|_| Reason::NotAnAnswer)?;
    match answer.error {
        Some(word) => Err(Reason::Refused(word.chars().take(LONGEST_WORD).collect())),
        None => Ok(answer),
    }
}

fn line(request: &impl Serialize) -> Option<Vec<u8>> {
    let mut line = serde_json::to_vec(request).ok()?;
    line.push(b'\n');
    Some(line)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_is_one_line_with_all_that_a_program_needs() {
        let line = signing_request("k", SigningAlg::ES256, "alias/\nkey", "head.body").unwrap();
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        let said: Value = serde_json::from_slice(&line).unwrap();
        let expected = json!({
            "version": 1, "kid": "k", "alg": "ES256", "key_ref": "alias/\nkey", "signing_input": "head.body",
        });
        assert_eq!(said, expected);
        let said: Value = serde_json::from_slice(&jwk_request(SigningAlg::RS256, "r").unwrap()).unwrap();
        assert_eq!(said, json!({ "version": 1, "alg": "RS256", "key_ref": "r", "wanted": "public_jwk" }));
    }

    #[test]
    fn only_a_signature_in_the_form_of_jws_is_taken() {
        let answer = |bytes: &[u8]| json!({ "signature": URL_SAFE_NO_PAD.encode(bytes) }).to_string();
        let read = |alg, answer: &str| read_signature(alg, answer.as_bytes());
        assert_eq!(read(SigningAlg::ES256, &answer(&[7; 64])), Ok(vec![7; 64]));
        assert_eq!(read(SigningAlg::RS256, &answer(&[7; 256])), Ok(vec![7; 256]));
        let der = Reason::WrongLength { found: 71, expected: 64 };
        assert_eq!(read(SigningAlg::ES256, &answer(&[0x30; 71])), Err(der));
        for garbage in ["", "x", "[]", "{}", r#"{"signature":7}"#, r#"{"signature":"AA=="}"#, r#"{"signature":"A+/A"}"#]
        {
            assert_eq!(read(SigningAlg::RS256, garbage), Err(Reason::NotAnAnswer), "{garbage}");
        }
        let refused = read(SigningAlg::RS256, r#"{"signature":"AA","error":"no session"}"#);
        assert_eq!(refused, Err(Reason::Refused("no session".to_owned())));
    }

    proptest! {
        #[test]
        fn whatever_a_program_says_is_read_or_refused(answer in prop::collection::vec(any::<u8>(), 0..200)) {
            read_signature(SigningAlg::ES256, &answer).ok();
            read_jwk(&answer).ok();
        }
    }
}
