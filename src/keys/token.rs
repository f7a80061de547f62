//! Authorization codes, device codes, identifiers of backchannel authentication requests, refresh tokens and opaque access tokens as they travel: one base64url string each, without dots.
//!
//! Code: `kind | key id | family id (16) | secret (32) | tag (16)`. Refresh token: the same with a sequence number (4, big
//! endian) after the family id. A device code is a code of a kind of its own, and so is an `auth_req_id`. The tag is an HMAC of everything before it, cut to 128 bits: a forged or mistyped token is
//! refused without a look-up. Only the SHA-256 of the secret is stored (RFC 6749 section 10.3 and 10.10: guessing must not
//! be feasible; 256 random bits are not guessed).
//!
//! The successor of a refresh token is computed, not stored: see [`PlainRefreshToken::successor`].

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::master_key::{MasterKeys, Purpose, SealError};
use crate::model::id::FamilyId;
use crate::random;

const CODE: u8 = 1;
const REFRESH: u8 = 2;
const ACCESS: u8 = 3;
const DEVICE_CODE: u8 = 4;
const AUTH_REQ_ID: u8 = 5;

const TAG_LENGTH: usize = 16;
const CODE_LENGTH: usize = 1 + 1 + 16 + 32 + TAG_LENGTH;
const REFRESH_LENGTH: usize = CODE_LENGTH + 4;
const ACCESS_AAD: &[u8] = b"access_token";
const MAX_ACCESS_TEXT: usize = 16 * 1024;

type Secret = Zeroizing<[u8; 32]>;

/// An authorization code (RFC 6749 section 4.1.2), a device code (RFC 8628 section 3.2) or an `auth_req_id` (OpenID Connect CIBA
/// section 7.3), in the clear.
pub struct PlainCode {
    kind: u8,
    key_id: u8,
    id: FamilyId,
    secret: Secret,
    tag: [u8; TAG_LENGTH],
}

/// A refresh token (RFC 6749 section 1.5), in the clear.
pub struct PlainRefreshToken {
    key_id: u8,
    id: FamilyId,
    seq: i32,
    secret: Secret,
    tag: [u8; TAG_LENGTH],
}

/// An access token that says nothing to anybody but us: its claims, sealed.
pub struct OpaqueAccessToken;

impl PlainCode {
    /// A fresh code for the family that it will begin.
    pub fn new(keys: &MasterKeys, id: FamilyId) -> Self {
        Self::of_kind(CODE, keys, id)
    }

    /// The same for a device.
    pub fn new_for_device(keys: &MasterKeys, id: FamilyId) -> Self {
        Self::of_kind(DEVICE_CODE, keys, id)
    }

    /// The same for a backchannel authentication request.
    pub fn new_for_backchannel(keys: &MasterKeys, id: FamilyId) -> Self {
        Self::of_kind(AUTH_REQ_ID, keys, id)
    }

    fn of_kind(kind: u8, keys: &MasterKeys, id: FamilyId) -> Self {
        let secret = Zeroizing::new(random::bytes());
        let tag = cut(keys.mac(Purpose::TokenTag, &code_body(kind, keys.current(), id, &secret)));
        Self { kind, key_id: keys.current(), id, secret, tag }
    }

    /// The code as it is sent.
    pub fn encode(&self) -> String {
        encode(code_body(self.kind, self.key_id, self.id, &self.secret), &self.tag)
    }

    /// The authorization code that `text` is, if its tag is ours.
    pub fn parse(keys: &MasterKeys, text: &str) -> Option<Self> {
        Self::parse_kind(CODE, keys, text)
    }

    /// The device code that `text` is, if its tag is ours.
    pub fn parse_for_device(keys: &MasterKeys, text: &str) -> Option<Self> {
        Self::parse_kind(DEVICE_CODE, keys, text)
    }

    /// The `auth_req_id` that `text` is, if its tag is ours.
    pub fn parse_for_backchannel(keys: &MasterKeys, text: &str) -> Option<Self> {
        Self::parse_kind(AUTH_REQ_ID, keys, text)
    }

    fn parse_kind(kind: u8, keys: &MasterKeys, text: &str) -> Option<Self> {
        let (bytes, tag) = decode::<CODE_LENGTH>(keys, kind, text)?;
        let (key_id, id, rest) = split_head(&bytes)?;
        let (secret, _) = rest.split_first_chunk::<32>()?;
        Some(Self { kind, key_id, id, secret: Zeroizing::new(*secret), tag })
    }

    /// The family that it begins.
    pub fn id(&self) -> FamilyId {
        self.id
    }

    /// What is stored of its secret.
    pub fn hash(&self) -> [u8; 32] {
        sha256(self.secret.as_slice())
    }
}

impl PlainRefreshToken {
    /// The first refresh token of a family.
    pub fn first(keys: &MasterKeys, id: FamilyId) -> Self {
        let secret = Zeroizing::new(random::bytes());
        let tag = cut(keys.mac(Purpose::TokenTag, &refresh_body(keys.current(), id, 0, &secret)));
        Self { key_id: keys.current(), id, seq: 0, secret, tag }
    }

    /// The token that follows this one, from the key id and salt that the rotation wrote to the family row.
    ///
    /// Whoever holds this token, on any node, at any time, computes the same successor: parallel and repeated requests get
    /// the same answer, and nothing is lost if the first answer was. `None`: the key is gone, or the sequence is at its end.
    pub fn successor(&self, keys: &MasterKeys, key_id: u8, salt: &[u8; 32]) -> Option<Self> {
        let seq = self.seq.checked_add(1)?;
        let mut input = Zeroizing::new(Vec::with_capacity(16 + 4 + 32 + 32));
        input.extend_from_slice(self.id.0.as_bytes());
        input.extend_from_slice(&seq.to_be_bytes());
        input.extend_from_slice(self.secret.as_slice());
        input.extend_from_slice(salt);
        let secret = Zeroizing::new(keys.mac_with(key_id, Purpose::Successor, &input)?);
        let tag = cut(keys.mac_with(key_id, Purpose::TokenTag, &refresh_body(key_id, self.id, seq, &secret))?);
        Some(Self { key_id, id: self.id, seq, secret, tag })
    }

    /// The token as it is sent.
    pub fn encode(&self) -> String {
        encode(refresh_body(self.key_id, self.id, self.seq, &self.secret), &self.tag)
    }

    /// The refresh token that `text` is, if its tag is ours.
    pub fn parse(keys: &MasterKeys, text: &str) -> Option<Self> {
        let (bytes, tag) = decode::<REFRESH_LENGTH>(keys, REFRESH, text)?;
        let (key_id, id, rest) = split_head(&bytes)?;
        let (seq, rest) = rest.split_first_chunk::<4>()?;
        let (secret, _) = rest.split_first_chunk::<32>()?;
        Some(Self { key_id, id, seq: i32::from_be_bytes(*seq), secret: Zeroizing::new(*secret), tag })
    }

    /// Its family.
    pub fn id(&self) -> FamilyId {
        self.id
    }

    /// How many rotations came before it.
    pub fn seq(&self) -> i32 {
        self.seq
    }

    /// What is stored of its secret.
    pub fn hash(&self) -> [u8; 32] {
        sha256(self.secret.as_slice())
    }
}

impl OpaqueAccessToken {
    /// Seals the claims of a token, already written as JSON.
    pub fn seal(keys: &MasterKeys, claims: &[u8]) -> Result<String, SealError> {
        let mut token = vec![ACCESS];
        token.append(&mut keys.seal(Purpose::AccessToken, ACCESS_AAD, claims)?);
        Ok(URL_SAFE_NO_PAD.encode(token))
    }

    /// The claims of a token that was sealed here. Whether they still hold, and whether the issuer in them is this one, is
    /// for the caller to say.
    pub fn open(keys: &MasterKeys, text: &str) -> Option<Zeroizing<Vec<u8>>> {
        if text.len() > MAX_ACCESS_TEXT {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        keys.open(Purpose::AccessToken, ACCESS_AAD, bytes.strip_prefix(&[ACCESS])?)
    }
}

fn code_body(kind: u8, key_id: u8, id: FamilyId, secret: &Secret) -> Zeroizing<Vec<u8>> {
    let mut body = Zeroizing::new(Vec::with_capacity(CODE_LENGTH));
    body.extend_from_slice(&[kind, key_id]);
    body.extend_from_slice(id.0.as_bytes());
    body.extend_from_slice(secret.as_slice());
    body
}

fn refresh_body(key_id: u8, id: FamilyId, seq: i32, secret: &Secret) -> Zeroizing<Vec<u8>> {
    let mut body = Zeroizing::new(Vec::with_capacity(REFRESH_LENGTH));
    body.extend_from_slice(&[REFRESH, key_id]);
    body.extend_from_slice(id.0.as_bytes());
    body.extend_from_slice(&seq.to_be_bytes());
    body.extend_from_slice(secret.as_slice());
    body
}

fn encode(mut body: Zeroizing<Vec<u8>>, tag: &[u8; TAG_LENGTH]) -> String {
    body.extend_from_slice(tag);
    URL_SAFE_NO_PAD.encode(body.as_slice())
}

/// What lies before the tag, and the tag, once that is known to be ours.
fn decode<const LENGTH: usize>(
    keys: &MasterKeys,
    kind: u8,
    text: &str,
) -> Option<(Zeroizing<Vec<u8>>, [u8; TAG_LENGTH])> {
    if Some(text.len()) != base64::encoded_len(LENGTH, false) {
        return None;
    }
    // Strict: no padding, no other alphabet, no stray bits, so that a token has exactly one spelling.
    let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
    let (body, presented) = bytes.split_last_chunk::<TAG_LENGTH>()?;
    let [found_kind, key_id, ..] = body else { return None };
    if *found_kind != kind {
        return None;
    }
    let expected = cut(keys.mac_with(*key_id, Purpose::TokenTag, body)?);
    bool::from(expected.ct_eq(presented)).then(|| (Zeroizing::new(body.to_vec()), *presented))
}

fn split_head(body: &[u8]) -> Option<(u8, FamilyId, &[u8])> {
    let ([_, key_id], rest) = body.split_first_chunk::<2>()?;
    let (id, rest) = rest.split_first_chunk::<16>()?;
    Some((*key_id, FamilyId(Uuid::from_bytes(*id)), rest))
}

fn cut(mac: [u8; 32]) -> [u8; TAG_LENGTH] {
    let mut tag = [0_u8; TAG_LENGTH];
    tag.iter_mut().zip(mac).for_each(|(to, from)| *to = from);
    tag
}

fn sha256(data: &[u8]) -> [u8; 32] {
    let mut out = [0_u8; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, data).as_ref());
    out
}

#[cfg(test)]
mod tests;
