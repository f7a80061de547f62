//! The keys of somebody else, as they come from an address that a client registered.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ostiary::keys::jwk_set::{JwkSet, Verdict};
use ostiary::model::signing_alg::SigningAlg;

fuzz_target!(|data: &[u8]| {
    let Some(set) = JwkSet::parse(data) else { return };
    assert!(set.published().len() <= 32);
    assert!(
        !set.is_empty() || set.published().is_empty() || SigningAlg::ALL.into_iter().all(|alg| knows_none(&set, alg))
    );
    for alg in SigningAlg::ALL {
        for kid in [None, Some("a"), Some("")] {
            for signature in [&[][..], &[0; 64], &[1; 256]] {
                let verdict = set.verify(alg, kid, b"message", signature);
                assert_ne!(verdict, Verdict::Valid, "nobody signed this");
            }
        }
    }
});

fn knows_none(set: &JwkSet, alg: SigningAlg) -> bool {
    set.verify(alg, None, b"message", &[0; 64]) == Verdict::UnknownKey
}
