//! Pairwise identifiers (OpenID Connect Core section 8.1): what the clients of one sector call a person and a session, so that
//! the clients of two sectors cannot find out that they speak of the same.
//!
//! Everything follows from one random salt, which is made once and never changes: not with the signing keys, not with the master
//! key, not with the process. Its row is sealed with the master key, so that whoever reads the database learns nothing of it.
//!
//! A subject is the HMAC of the sector and the person's own identifier: it cannot be taken back, and need not be, because whoever
//! is asked about one knows whom to compare with. A session's identifier is that of the session under a permutation of the
//! sector: a client that shows an ID token once more names the session by it.

use aws_lc_rs::cipher::{AES_256, DecryptingKey, DecryptionContext, EncryptingKey, UnboundCipherKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::master_key::{MasterKeys, Purpose};
use crate::model::id::{Sid, SubjectId};
use crate::random;
use crate::storage::StoreError;
use crate::storage::postgres::Postgres;

/// Where the salt lies; it opens only there.
const AAD: &[u8] = b"installation.pairwise_salt";

/// From which every pairwise identifier is made. It has no `Debug`: it is a secret.
#[derive(Clone)]
pub struct PairwiseSalt(hmac::Key);

/// Why there is no salt to use.
#[derive(Debug, thiserror::Error)]
pub enum PairwiseError {
    /// Postgres does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There was one, because clients have pairwise identifiers, and it is gone.
    #[error("clients have pairwise subject identifiers, but the salt that those are made of is not in the database")]
    Lost,
    /// The key of that id sealed it, and is missing or another one.
    #[error(
        "the salt of pairwise subject identifiers cannot be opened: it was sealed with the master key of the id {0}"
    )]
    Unreadable(u8),
}

impl PairwiseError {
    /// What to do about it.
    pub fn mend(&self) -> &'static str {
        match self {
            Self::Store(_) => "see that Postgres answers and may be written",
            Self::Lost => {
                "restore the column pairwise_salt of the table installation from a backup: with another salt every one of \
                 these clients would take its people for strangers"
            }
            Self::Unreadable(_) => "give that master key too, behind the current one: another one does not open it",
        }
    }
}

impl PairwiseSalt {
    /// The salt of this installation, made if there is none yet. Under an older master key it is sealed anew, so that nothing
    /// needs that key any more.
    pub async fn open(postgres: &Postgres, keys: &MasterKeys) -> Result<Self, PairwiseError> {
        let kept = match postgres.find_pairwise_salt().await? {
            Some(kept) => kept,
            None => {
                let fresh = Zeroizing::new(random::bytes::<32>());
                let sealed = seal(keys, fresh.as_slice())?;
                postgres.keep_pairwise_salt(&sealed).await?.ok_or(PairwiseError::Lost)?
            }
        };
        let sealed_with = kept.first().copied().unwrap_or_default();
        let unreadable = || PairwiseError::Unreadable(sealed_with);
        let salt = keys.open(Purpose::PairwiseSalt, AAD, &kept).ok_or_else(unreadable)?;
        if sealed_with != keys.current() {
            postgres.reseal_pairwise_salt(&kept, &seal(keys, &salt)?).await?;
        }
        Ok(Self::new(&salt))
    }

    fn new(salt: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, salt))
    }

    /// What the clients of `sector` call the person or the other subject `name`: 45 ASCII characters, which no client identifier
    /// can be.
    pub fn subject(&self, sector: &str, name: &str) -> SubjectId {
        let mac = self.derive(b"subject", &[sector, name]);
        SubjectId::new(format!("{}{}", SubjectId::PREFIX, URL_SAFE_NO_PAD.encode(mac.as_ref())))
    }

    /// What the clients of `sector` call the session `sid`.
    pub fn seal_sid(&self, sector: &str, sid: Sid) -> Result<Sid, StoreError> {
        let mut block = *sid.0.as_bytes();
        let sealed = self.sid_key(sector).and_then(EncryptingKey::ecb).and_then(|key| {
            key.encrypt(&mut block)?;
            Ok(Sid(Uuid::from_bytes(block)))
        });
        sealed.map_err(|_| StoreError::corrupt("the cryptographic library seals no session identifier"))
    }

    /// The session that the clients of `sector` call `sid`.
    pub fn open_sid(&self, sector: &str, sid: Sid) -> Result<Sid, StoreError> {
        let mut block = *sid.0.as_bytes();
        let opened = self.sid_key(sector).and_then(DecryptingKey::ecb).and_then(|key| {
            key.decrypt(&mut block, DecryptionContext::None)?;
            Ok(Sid(Uuid::from_bytes(block)))
        });
        opened.map_err(|_| StoreError::corrupt("the cryptographic library opens no session identifier"))
    }

    /// A block cipher over one block, which a session identifier just is, is a permutation of all of them: nothing is longer, and
    /// there is no mode whose rules could be broken.
    fn sid_key(&self, sector: &str) -> Result<UnboundCipherKey, Unspecified> {
        UnboundCipherKey::new(&AES_256, self.derive(b"sid", &[sector]).as_ref())
    }

    /// Each part with its length before it, so that no two lists of parts are the same text.
    fn derive(&self, label: &[u8], parts: &[&str]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        for part in std::iter::once(label).chain(parts.iter().map(|part| part.as_bytes())) {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        context.sign()
    }
}

fn seal(keys: &MasterKeys, salt: &[u8]) -> Result<Vec<u8>, StoreError> {
    keys.seal(Purpose::PairwiseSalt, AAD, salt).map_err(StoreError::corrupt)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn salt(byte: u8) -> PairwiseSalt {
        PairwiseSalt::new(&[byte; 32])
    }

    #[test]
    fn section_8_1_a_subject_follows_from_the_salt_the_sector_and_the_person() {
        let one = salt(1).subject("a.example", "u.alice");
        assert_eq!(salt(1).subject("a.example", "u.alice"), one);
        for other in [
            salt(2).subject("a.example", "u.alice"),
            salt(1).subject("b.example", "u.alice"),
            salt(1).subject("a.example", "u.bob"),
            salt(1).subject("a.exampleu", ".alice"),
        ] {
            assert_ne!(other, one);
        }
        let text = one.as_str();
        assert!(text.starts_with(SubjectId::PREFIX) && text.len() == 45 && text.is_ascii(), "{text}");
    }

    /// It is what applications keep their people under: whatever is changed here, this stays.
    #[test]
    fn a_subject_stays_the_same_from_version_to_version() {
        let subject = salt(7).subject("app.example", "u.alice");
        assert_eq!(subject.as_str(), "u.nw5-e2SaoBqfpHu4ZKi6sk_jkMODNxKN14gHfnrb2CA");
    }

    #[test]
    fn a_session_has_another_name_in_each_sector_and_is_found_by_it() {
        let (salt, sid) = (salt(1), Sid(Uuid::from_u128(7)));
        let (a, b) = (salt.seal_sid("a.example", sid).unwrap(), salt.seal_sid("b.example", sid).unwrap());
        assert!(a != b && a != sid && b != sid);
        assert_eq!(salt.open_sid("a.example", a).unwrap(), sid);
        assert_ne!(salt.open_sid("b.example", a).unwrap(), sid);
    }
}
