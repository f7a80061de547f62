//! What a client assertion says whose signature was found good. The input is its claims.

#![no_main]

use chrono::DateTime;
use libfuzzer_sys::fuzz_target;
use ostiary::model::id::ClientId;
use ostiary::model::lifetimes::CLOCK_TOLERANCE;
use ostiary::protocol::client_auth::private_key_jwt::{AudienceRule, LONGEST_LIFE, check};
use ostiary::protocol::jwt::parse_object;

const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "https://as.example";

fuzz_target!(|data: &[u8]| {
    let Some(claims) = parse_object(data) else { return };
    let client_id = ClientId::new("c");
    let now = DateTime::from_timestamp(NOW, 0).expect("a time");
    let alone = check(&claims, &client_id, &AudienceRule::IssuerAlone(ISSUER.to_owned()), now);
    let any = AudienceRule::AnyOf(vec![ISSUER.to_owned(), format!("{ISSUER}/token")]);
    let Ok(assertion) = check(&claims, &client_id, &any, now) else {
        assert!(alone.is_err(), "the issuer alone is stricter");
        return;
    };
    assert!(!assertion.jti.is_empty() && assertion.jti.len() <= 256);
    assert!(
        assertion.expires_at > now - CLOCK_TOLERANCE && assertion.expires_at <= now + LONGEST_LIFE + CLOCK_TOLERANCE
    );
    assert!(assertion.issued_at <= now + CLOCK_TOLERANCE);
    assert_eq!((claims["iss"].as_str(), claims["sub"].as_str()), (Some("c"), Some("c")));
    if let Ok(alone) = alone {
        assert_eq!(claims["aud"], ISSUER);
        assert_eq!(alone, assertion);
    }
});
