//! What a key derived from the master key is for; a key of one purpose is worthless for another.

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

/// What a derived key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// What is stored of client secrets.
    ClientSecret,
    /// The tags of authorization codes and refresh tokens.
    TokenTag,
    /// The secrets of rotated refresh tokens.
    Successor,
    /// Opaque access tokens.
    AccessToken,
    /// CSRF tokens.
    Csrf,
    /// The mark of a browser that signed in before.
    Device,
    /// Any other cookie.
    Cookie,
    /// What the admin API keeps to hand out once more or once at all.
    Admin,
    /// Private signing keys in the database.
    SigningKey,
    /// The nonces that proofs of possession must have.
    DpopNonce,
    /// Under what the codes that people type for a device are kept.
    UserCode,
    /// The salt of pairwise identifiers.
    PairwiseSalt,
    /// Seals over audit records.
    AuditSeal,
    /// What a client is told with when its request was decided.
    BackchannelNotification,
}

impl Purpose {
    /// What goes into the derivation: never changed, and never used for anything else.
    fn label(self) -> &'static [u8] {
        match self {
            Self::ClientSecret => b"client secret",
            Self::TokenTag => b"token tag",
            Self::Successor => b"refresh token successor",
            Self::AccessToken => b"opaque access token",
            Self::Csrf => b"csrf token",
            Self::Device => b"device cookie",
            Self::Cookie => b"cookie",
            Self::Admin => b"admin",
            Self::SigningKey => b"signing key",
            Self::DpopNonce => b"dpop nonce",
            Self::UserCode => b"user code",
            Self::PairwiseSalt => b"pairwise salt",
            Self::AuditSeal => b"audit seal",
            Self::BackchannelNotification => b"backchannel notification",
        }
    }
}

/// The keys that one version of the master key gives.
pub(super) struct VersionKeys {
    client_secret: PurposeKeys,
    token_tag: PurposeKeys,
    successor: PurposeKeys,
    access_token: PurposeKeys,
    csrf: PurposeKeys,
    device: PurposeKeys,
    cookie: PurposeKeys,
    admin: PurposeKeys,
    signing_key: PurposeKeys,
    dpop_nonce: PurposeKeys,
    user_code: PurposeKeys,
    pairwise_salt: PurposeKeys,
    audit_seal: PurposeKeys,
    backchannel_notification: PurposeKeys,
}

impl VersionKeys {
    pub(super) fn derive(root: &[u8; 32]) -> Result<Self, Unspecified> {
        let prk = Salt::new(HKDF_SHA256, b"ostiary master key 1").extract(root);
        Ok(Self {
            client_secret: PurposeKeys::derive(&prk, Purpose::ClientSecret)?,
            token_tag: PurposeKeys::derive(&prk, Purpose::TokenTag)?,
            successor: PurposeKeys::derive(&prk, Purpose::Successor)?,
            access_token: PurposeKeys::derive(&prk, Purpose::AccessToken)?,
            csrf: PurposeKeys::derive(&prk, Purpose::Csrf)?,
            device: PurposeKeys::derive(&prk, Purpose::Device)?,
            cookie: PurposeKeys::derive(&prk, Purpose::Cookie)?,
            admin: PurposeKeys::derive(&prk, Purpose::Admin)?,
            signing_key: PurposeKeys::derive(&prk, Purpose::SigningKey)?,
            dpop_nonce: PurposeKeys::derive(&prk, Purpose::DpopNonce)?,
            user_code: PurposeKeys::derive(&prk, Purpose::UserCode)?,
            pairwise_salt: PurposeKeys::derive(&prk, Purpose::PairwiseSalt)?,
            audit_seal: PurposeKeys::derive(&prk, Purpose::AuditSeal)?,
            backchannel_notification: PurposeKeys::derive(&prk, Purpose::BackchannelNotification)?,
        })
    }

    pub(super) fn of(&self, purpose: Purpose) -> &PurposeKeys {
        match purpose {
            Purpose::ClientSecret => &self.client_secret,
            Purpose::TokenTag => &self.token_tag,
            Purpose::Successor => &self.successor,
            Purpose::AccessToken => &self.access_token,
            Purpose::Csrf => &self.csrf,
            Purpose::Device => &self.device,
            Purpose::Cookie => &self.cookie,
            Purpose::Admin => &self.admin,
            Purpose::SigningKey => &self.signing_key,
            Purpose::DpopNonce => &self.dpop_nonce,
            Purpose::UserCode => &self.user_code,
            Purpose::PairwiseSalt => &self.pairwise_salt,
            Purpose::AuditSeal => &self.audit_seal,
            Purpose::BackchannelNotification => &self.backchannel_notification,
        }
    }
}

/// One key to authenticate with and one to derive sealing keys from, so that no key does both.
pub(super) struct PurposeKeys {
    mac: hmac::Key,
    seal: hmac::Key,
}

impl PurposeKeys {
    fn derive(prk: &Prk, purpose: Purpose) -> Result<Self, Unspecified> {
        Ok(Self {
            mac: derive_key(prk, &[b"mac: ", purpose.label()])?,
            seal: derive_key(prk, &[b"seal: ", purpose.label()])?,
        })
    }

    pub(super) fn mac(&self, data: &[u8]) -> [u8; 32] {
        to_array(hmac::sign(&self.mac, data))
    }

    pub(super) fn verify(&self, data: &[u8], presented: &[u8]) -> bool {
        hmac::verify(&self.mac, data, presented).is_ok()
    }

    pub(super) fn sealing_key(&self, salt: &[u8]) -> [u8; 32] {
        to_array(hmac::sign(&self.seal, salt))
    }
}

fn derive_key(prk: &Prk, info: &[&[u8]]) -> Result<hmac::Key, Unspecified> {
    let mut key = Zeroizing::new([0_u8; 32]);
    prk.expand(info, HKDF_SHA256)?.fill(key.as_mut_slice())?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()))
}

fn to_array(tag: hmac::Tag) -> [u8; 32] {
    let mut out = [0_u8; 32];
    // An HMAC-SHA256 is 32 bytes long: that is the algorithm both keys are made with.
    out.copy_from_slice(tag.as_ref());
    out
}
