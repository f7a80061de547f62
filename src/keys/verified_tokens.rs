//! Tokens whose signature was found good a short while ago: an API asks about the same one again and again.
//!
//! It belongs to one state of the keys and goes with it, so a key that is taken away takes its tokens with it. Nothing but
//! the signature is remembered: whether a token was revoked is asked of Postgres each time.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, Utc};
use moka::sync::Cache;
use serde_json::Value;
use std::sync::Arc;

use crate::protocol::jwt::VerifiedClaims;

/// Only tokens of ours get in, which a client has to ask for one by one: about 8 MiB of usual ones.
const MOST: u64 = 4096;

/// What is told of people is not kept in memory for longer than it is likely to be asked for.
const KEPT: Duration = Duration::from_secs(300);

/// The hash of a token; the token itself is a secret, and longer.
type Key = [u8; 32];

/// The claims of the tokens seen of late.
pub(super) struct VerifiedTokens(Cache<Key, Arc<VerifiedClaims>>);

impl VerifiedTokens {
    /// None yet.
    pub(super) fn new() -> Self {
        Self(Cache::builder().max_capacity(MOST).time_to_live(KEPT).build())
    }

    /// The claims of `token`, as `verify` found them now or before. Only what ends, and has not ended, is remembered.
    pub(super) fn find_or_verify(
        &self,
        token: &str,
        now: DateTime<Utc>,
        verify: impl FnOnce() -> Option<VerifiedClaims>,
    ) -> Option<Arc<VerifiedClaims>> {
        let Ok(key) = Key::try_from(digest(&SHA256, token.as_bytes()).as_ref()) else {
            return verify().map(Arc::new);
        };
        if let Some(known) = self.0.get(&key) {
            if is_current(&known, now) {
                return Some(known);
            }
            self.0.invalidate(&key);
        }
        let verified = Arc::new(verify()?);
        if is_current(&verified, now) {
            self.0.insert(key, Arc::clone(&verified));
        }
        Some(verified)
    }
}

fn is_current(verified: &VerifiedClaims, now: DateTime<Utc>) -> bool {
    verified.claims.get("exp").and_then(Value::as_i64).is_some_and(|exp| exp > now.timestamp())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use chrono::TimeDelta;
    use serde_json::{Map, json};

    use super::*;
    use crate::keys::tests::start;

    struct Counted {
        tokens: VerifiedTokens,
        verifications: Cell<u32>,
    }

    impl Counted {
        fn new() -> Self {
            Self { tokens: VerifiedTokens::new(), verifications: Cell::new(0) }
        }

        fn ask(&self, token: &str, claims: Option<&Value>, now: DateTime<Utc>) -> Option<Map<String, Value>> {
            let verify = || {
                self.verifications.set(self.verifications.get() + 1);
                let claims = claims?.as_object().cloned().unwrap_or_default();
                Some(VerifiedClaims { claims, typ: "at+jwt".to_owned() })
            };
            self.tokens.find_or_verify(token, now, verify).map(|verified| verified.claims.clone())
        }
    }

    #[test]
    fn a_token_is_verified_once_until_it_ends() {
        let counted = Counted::new();
        let claims = json!({ "sub": "u.1", "exp": (start() + TimeDelta::minutes(10)).timestamp() });
        for minutes in 0..10 {
            let found = counted.ask("one", Some(&claims), start() + TimeDelta::minutes(minutes)).unwrap();
            assert_eq!(found["sub"], "u.1");
        }
        assert_eq!(counted.verifications.get(), 1);
        for _ in 0..2 {
            counted.ask("one", Some(&claims), start() + TimeDelta::minutes(10)).unwrap();
        }
        assert_eq!(counted.verifications.get(), 3, "nothing is remembered beyond its end");
    }

    #[test]
    fn every_token_is_verified_for_itself() {
        let counted = Counted::new();
        let exp = (start() + TimeDelta::minutes(10)).timestamp();
        assert_eq!(counted.ask("one", Some(&json!({ "sub": "u.1", "exp": exp })), start()).unwrap()["sub"], "u.1");
        assert_eq!(counted.ask("two", Some(&json!({ "sub": "u.2", "exp": exp })), start()).unwrap()["sub"], "u.2");
        assert_eq!(counted.ask("one", None, start()).unwrap()["sub"], "u.1");
        assert_eq!(counted.verifications.get(), 2);
    }

    #[test]
    fn what_is_refused_or_never_ends_is_not_remembered() {
        let counted = Counted::new();
        for _ in 0..2 {
            assert!(counted.ask("forged", None, start()).is_none());
            assert!(counted.ask("endless", Some(&json!({ "sub": "u.1" })), start()).is_some());
        }
        assert_eq!(counted.verifications.get(), 4);
    }
}
