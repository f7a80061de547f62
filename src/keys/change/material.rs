//! Making keys.

use chrono::{DateTime, Utc};

use super::{ChangeError, Kind};
use crate::keys::lifecycle::{KeyRing, REQUIRED_ALGS};
use crate::keys::private_key::{PrivateKey, RsaBits};
use crate::keys::problem::{KeysetError, Problem};
use crate::keys::store::{KeyStore, KeyStoreError};
use crate::model::signing_alg::SigningAlg;
use crate::model::signing_key::{KeyEntry, KeyPurpose};

/// Private keys that are new, by kid.
pub(super) type Added = Vec<(String, PrivateKey)>;

/// One active key for tokens for each required algorithm and each of `algs`. Blocks: RSA keys take their time.
pub(in crate::keys) fn first_keys(
    algs: &[SigningAlg],
    bits: RsaBits,
    now: DateTime<Utc>,
) -> Result<(KeyRing, Added), Problem> {
    let (mut ring, mut added) = (KeyRing::default(), Vec::new());
    for alg in SigningAlg::ALL.into_iter().filter(|alg| REQUIRED_ALGS.contains(alg) || algs.contains(alg)) {
        let (entry, key) = make_key((alg.into(), KeyPurpose::Tokens), bits, now)?;
        added.push((entry.kid.clone(), key));
        ring.begin(entry, now).map_err(|refusal| refusal.problem())?;
    }
    Ok((ring, added))
}

/// Another one for a kid that would look like an option on a command line: one in 64 does.
pub(super) fn make_key(kind: Kind, bits: RsaBits, now: DateTime<Utc>) -> Result<(KeyEntry, PrivateKey), Problem> {
    loop {
        let key = PrivateKey::generate(kind.0, bits)
            .ok_or_else(|| Problem::new("nothing was changed: the key could not be made", "report this as a defect"))?;
        let entry = entry_of(&key, kind, now)?;
        if !entry.kid.starts_with('-') {
            return Ok((entry, key));
        }
    }
}

pub(super) fn entry_of(key: &PrivateKey, (alg, purpose): Kind, now: DateTime<Utc>) -> Result<KeyEntry, Problem> {
    let jwk = key
        .public_jwk()
        .ok_or_else(|| Problem::new("nothing was changed: the key has no public half", "report this as a defect"))?;
    Ok(KeyEntry::prepublished(jwk.thumbprint(), alg, purpose, now))
}

pub(super) fn unusable_store(store: &dyn KeyStore, problem: Problem) -> KeyStoreError {
    KeysetError::one(&store.place(), problem).into()
}

/// An RSA key takes a second or two, too long for a thread that serves requests.
pub(super) async fn blocking<T: Send + 'static>(
    store: &dyn KeyStore,
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, ChangeError> {
    let made = tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Problem::new("nothing was changed: making the key was interrupted", "try again"));
    made.flatten().map_err(|problem| ChangeError::Store(unusable_store(store, problem)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kid_that_we_make_never_looks_like_an_option() {
        let kids = (0..400).map(|_| {
            make_key((SigningAlg::EdDSA.into(), KeyPurpose::Tokens), RsaBits::default(), DateTime::UNIX_EPOCH)
                .unwrap()
                .0
                .kid
        });
        // Without the rule the chance of none is one in five hundred.
        assert_eq!(kids.filter(|kid| kid.starts_with('-')).count(), 0);
    }
}
