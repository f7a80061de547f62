//! `private_key_jwt`: an assertion signed with a key that the client registered (RFC 7521 section 4.2, RFC 7523 sections 2.2
//! and 3, OpenID Connect Core section 9, FAPI 2.0 Security Profile section 5.3.2.1).
//!
//! What an assertion says is read before its signature is verified, to learn who is said to speak; [`check`] judges it
//! afterwards. Whether it was used before is for whoever has a store.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};

use super::OAuthError;
use crate::model::id::ClientId;
use crate::model::lifetimes::CLOCK_TOLERANCE;
use crate::protocol::jwt::{UnverifiedJwt, numeric_date};

/// RFC 7523 section 2.2.
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How long an assertion may live: it is remembered for that long, and whoever steals it can use it where it was not used yet.
pub const LONGEST_LIFE: TimeDelta = TimeDelta::minutes(5);

/// The longest `jti`.
const LONGEST_JTI: usize = 256;

/// Which audiences an assertion may name (RFC 7523 section 3 rule 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AudienceRule {
    /// One string, the issuer (FAPI 2.0 Security Profile section 5.3.2.1): an assertion for another server is then of no use
    /// here, whatever that one's endpoints are called.
    IssuerAlone(String),
    /// The issuer or endpoints of ours, and nobody else's.
    AnyOf(Vec<String>),
}

/// What makes an assertion the one it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    /// Its identifier, unique for the client.
    pub jti: String,
    /// When it was made, as far as it says; else the earliest moment that it can be of.
    pub issued_at: DateTime<Utc>,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// Who is said to speak: `sub`, which is the client (RFC 7523 section 3 rule 2.B).
pub(super) fn client_id(jwt: &UnverifiedJwt<'_>) -> Option<ClientId> {
    jwt.claims.get("sub")?.as_str().filter(|sub| !sub.is_empty()).map(ClientId::new)
}

/// Judges what a genuine assertion says (RFC 7523 section 3).
pub fn check(
    claims: &Map<String, Value>,
    client_id: &ClientId,
    audience: &AudienceRule,
    now: DateTime<Utc>,
) -> Result<Assertion, OAuthError> {
    let is_client = |name: &str| claims.get(name).and_then(Value::as_str) == Some(client_id.as_str());
    if !is_client("iss") || !is_client("sub") {
        return Err(OAuthError::invalid_client("the iss and the sub of the client assertion must be the client"));
    }
    if !audience.admits(claims.get("aud")) {
        return Err(OAuthError::invalid_client("the aud of the client assertion is not this server"));
    }
    let expires_at =
        time(claims, "exp")?.ok_or_else(|| OAuthError::invalid_client("the client assertion has no exp"))?;
    if expires_at + CLOCK_TOLERANCE <= now {
        return Err(OAuthError::invalid_client("the client assertion has expired"));
    }
    if expires_at > now + LONGEST_LIFE + CLOCK_TOLERANCE {
        return Err(OAuthError::invalid_client("the client assertion lives longer than 5 minutes"));
    }
    let issued_at = time(claims, "iat")?;
    let begins = [issued_at, time(claims, "nbf")?];
    if begins.into_iter().flatten().any(|time| time > now + CLOCK_TOLERANCE) {
        return Err(OAuthError::invalid_client("the client assertion is of the future"));
    }
    let jti = claims.get("jti").and_then(Value::as_str).filter(|jti| !jti.is_empty() && jti.len() <= LONGEST_JTI);
    let jti = jti.ok_or_else(|| OAuthError::invalid_client("the client assertion has no jti, or a very long one"))?;
    Ok(Assertion {
        jti: jti.to_owned(),
        issued_at: issued_at.unwrap_or(expires_at - LONGEST_LIFE - CLOCK_TOLERANCE),
        expires_at,
    })
}

impl AudienceRule {
    fn admits(&self, aud: Option<&Value>) -> bool {
        match (self, aud) {
            (Self::IssuerAlone(issuer), Some(Value::String(aud))) => aud == issuer,
            (Self::AnyOf(ours), Some(Value::String(aud))) => ours.contains(aud),
            (Self::AnyOf(ours), Some(Value::Array(many))) => {
                !many.is_empty() && many.iter().all(|aud| ours.iter().any(|own| aud == own))
            }
            _ => false,
        }
    }
}

fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<DateTime<Utc>>, OAuthError> {
    let malformed = |_| OAuthError::invalid_client("a time in the client assertion is not a number of seconds");
    numeric_date(claims, name).map_err(malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(NOW, 0).unwrap()
    }

    fn issuer() -> AudienceRule {
        AudienceRule::IssuerAlone("https://as.example".into())
    }

    fn endpoints() -> AudienceRule {
        AudienceRule::AnyOf(vec!["https://as.example".into(), "https://as.example/token".into()])
    }

    fn judged(change: Value, rule: &AudienceRule) -> Result<Assertion, &'static str> {
        let mut claims =
            json!({"iss": "c", "sub": "c", "aud": "https://as.example", "jti": "j", "exp": NOW + 60, "iat": NOW});
        for (name, value) in change.as_object().unwrap() {
            match value {
                Value::Null => claims.as_object_mut().unwrap().remove(name),
                value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
            };
        }
        check(claims.as_object().unwrap(), &ClientId::new("c"), rule, now()).map_err(|error| error.description())
    }

    #[test]
    fn a_good_one_says_what_it_is() {
        let assertion = judged(json!({}), &issuer()).unwrap();
        assert_eq!(assertion.jti, "j");
        assert_eq!((assertion.issued_at, assertion.expires_at), (now(), now() + TimeDelta::seconds(60)));
        let without_iat = judged(json!({"iat": null}), &issuer()).unwrap();
        assert!(without_iat.issued_at < now() - TimeDelta::minutes(4));
    }

    #[test]
    fn rfc_7523_section_3_each_rule_refuses() {
        let refused = |change: Value, what: &str| {
            let description = judged(change.clone(), &issuer()).unwrap_err();
            assert!(description.contains(what), "{change}: {description}");
        };
        refused(json!({"iss": "other"}), "iss");
        refused(json!({"iss": null}), "iss");
        refused(json!({"sub": "other"}), "sub");
        refused(json!({"aud": null}), "aud");
        refused(json!({"exp": null}), "no exp");
        refused(json!({"exp": "60"}), "number");
        refused(json!({"exp": 1e300}), "number");
        refused(json!({"exp": NOW - 300}), "expired");
        refused(json!({"exp": NOW + 3600}), "5 minutes");
        refused(json!({"iat": NOW + 61}), "future");
        refused(json!({"nbf": NOW + 61}), "future");
        refused(json!({"nbf": []}), "number");
        refused(json!({"jti": null}), "jti");
        refused(json!({"jti": ""}), "jti");
        refused(json!({"jti": "j".repeat(257)}), "jti");
    }

    #[test]
    fn fapi_2_clocks_that_are_ten_seconds_ahead_are_accepted() {
        for name in ["iat", "nbf"] {
            assert!(judged(json!({ name: NOW + 10 }), &issuer()).is_ok());
        }
        assert!(judged(json!({"exp": NOW + 60, "iat": NOW as f64 + 0.5}), &issuer()).is_ok());
    }

    #[test]
    fn the_audience_is_the_issuer_alone_where_the_profile_says_so() {
        let both = json!({"aud": ["https://as.example", "https://as.example/token"]});
        for aud in [json!({"aud": ["https://as.example"]}), json!({"aud": "https://as.example/token"}), both.clone()] {
            assert!(judged(aud, &issuer()).is_err());
        }
        assert!(judged(both, &endpoints()).is_ok());
        assert!(judged(json!({"aud": "https://as.example/token"}), &endpoints()).is_ok());
        for aud in
            [json!([]), json!(["https://as.example", "https://rs.example"]), json!("https://as.example/"), json!([1])]
        {
            assert!(judged(json!({ "aud": aud }), &endpoints()).is_err(), "{aud}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_is_bounded_in_time(exp in NOW - 1000..NOW + 1000, iat in NOW - 1000..NOW + 1000) {
            if let Ok(assertion) = judged(json!({"exp": exp, "iat": iat}), &issuer()) {
                prop_assert!(assertion.expires_at > now() - CLOCK_TOLERANCE);
                prop_assert!(assertion.expires_at <= now() + LONGEST_LIFE + CLOCK_TOLERANCE);
                prop_assert!(assertion.issued_at <= now() + CLOCK_TOLERANCE);
            }
        }
    }
}
