use std::path::Path;
use std::sync::LazyLock;

use chrono::TimeDelta;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::keys::change;
use crate::keys::lifecycle::Insistence;
use crate::keys::store::directory::{KeyDirectory, generate_initial};
use crate::keys::tests::{
    entries, entry, key_directory, open_directory, policy, private_folder, rules, signers, start, write_entries,
};
use crate::model::signing_key::{KeyEntry, KeyState};

async fn open(directory: &Path) -> Arc<Keyset> {
    open_directory(directory).await.current()
}

async fn sign(keyset: &Keyset, alg: SigningAlg, typ: &str) -> String {
    keyset.sign_jwt(alg, typ, &json!({ "iss": "https://op.example", "n": 1 })).await.unwrap()
}

fn set_state(keys: &mut [KeyEntry], alg: SigningAlg, state: KeyState) {
    let key = keys.iter_mut().find(|key| key.alg == alg).unwrap();
    key.state = state;
    key.superseded_at = (state >= KeyState::Grace).then(start);
    key.retire_at = key.superseded_at;
    key.retired_at = (state >= KeyState::Retired).then(start);
}

#[tokio::test]
async fn what_we_sign_we_verify() {
    let directory = key_directory();
    let keyset = open(directory.path()).await;
    assert_eq!(keyset.algs(), SigningAlg::ALL);
    for alg in SigningAlg::ALL {
        let token = sign(&keyset, alg, "at+jwt").await;
        let jwt = UnverifiedJwt::parse(&token).ok().unwrap();
        assert_eq!(jwt.header.alg, alg.as_str());
        assert_eq!(jwt.header.typ.as_deref(), Some("at+jwt"));
        assert_eq!(jwt.header.kid.as_deref(), keyset.active_kid(alg));

        let verified = keyset.verify_jwt(&token, &["JWT", "application/at+JWT"]).unwrap();
        assert_eq!(Value::Object(verified.claims), json!({ "iss": "https://op.example", "n": 1 }));
        assert_eq!(verified.typ, "application/at+JWT");
    }
}

#[tokio::test]
async fn rfc_8725_section_3_11_another_type_is_refused() {
    let directory = key_directory();
    let keyset = open(directory.path()).await;
    let token = sign(&keyset, SigningAlg::ES256, "JWT").await;
    assert!(keyset.verify_jwt(&token, &["at+jwt", "logout+jwt"]).is_none());
    assert!(keyset.verify_jwt(&token, &[]).is_none());
}

#[tokio::test]
async fn rfc_8725_section_3_1_the_key_decides_the_algorithm() {
    let directory = key_directory();
    let keyset = open(directory.path()).await;
    for (one, other) in [(SigningAlg::RS256, SigningAlg::PS256), (SigningAlg::ES256, SigningAlg::EdDSA)] {
        let token = sign(&keyset, one, "JWT").await;
        let (_, rest) = token.split_once('.').unwrap();
        for (alg, kid) in [(other.as_str(), one), (one.as_str(), other), ("HS256", one), ("none", one)] {
            let header = json!({ "alg": alg, "typ": "JWT", "kid": keyset.active_kid(kid) }).to_string();
            let forged = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header));
            assert!(keyset.verify_jwt(&forged, &["JWT"]).is_none(), "{alg}");
        }
    }
}

#[tokio::test]
async fn another_servers_tokens_are_refused() {
    let directory = key_directory();
    let keyset = open(directory.path()).await;
    let other = private_folder();
    generate_initial(other.path(), &[], Default::default(), start()).unwrap();
    let token = sign(&*open(other.path()).await, SigningAlg::ES256, "JWT").await;
    assert!(keyset.verify_jwt(&token, &["JWT"]).is_none());
    // Nor with our kid written over theirs.
    let (_, rest) = token.split_once('.').unwrap();
    let header = json!({ "alg": "ES256", "typ": "JWT", "kid": keyset.active_kid(SigningAlg::ES256) }).to_string();
    assert!(keyset.verify_jwt(&format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header)), &["JWT"]).is_none());
}

#[tokio::test]
async fn grace_still_verifies_and_retired_does_not() {
    let directory = key_directory();
    let token = sign(&*open(directory.path()).await, SigningAlg::EdDSA, "JWT").await;
    let kid = entry(directory.path(), SigningAlg::EdDSA).kid;
    let is_listed = |keyset: &Keyset| std::str::from_utf8(&keyset.jwks().body).unwrap().contains(&kid);
    let mut keys = entries(directory.path());

    set_state(&mut keys, SigningAlg::EdDSA, KeyState::Grace);
    write_entries(directory.path(), &keys);
    let keyset = open(directory.path()).await;
    assert!(keyset.verify_jwt(&token, &["JWT"]).is_some() && is_listed(&keyset));
    assert_eq!(keyset.algs(), [SigningAlg::RS256, SigningAlg::PS256, SigningAlg::ES256]);
    let refused = keyset.sign_jwt(SigningAlg::EdDSA, "JWT", &json!({})).await.unwrap_err();
    assert!(matches!(refused, SigningError::NoKey(SigningAlg::EdDSA)));

    set_state(&mut keys, SigningAlg::EdDSA, KeyState::Retired);
    write_entries(directory.path(), &keys);
    // The file of a retired key may be gone.
    std::fs::remove_file(directory.path().join(entry(directory.path(), SigningAlg::EdDSA).file.unwrap())).unwrap();
    let keyset = open(directory.path()).await;
    assert!(keyset.verify_jwt(&token, &["JWT"]).is_none() && !is_listed(&keyset));
}

#[tokio::test]
async fn rfc_7517_section_5_the_published_set_is_public() {
    let directory = key_directory();
    let keyset = open(directory.path()).await;
    let jwks: Value = serde_json::from_slice(&keyset.jwks().body).unwrap();
    let keys = jwks["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 4);
    for key in keys {
        let key = key.as_object().unwrap();
        for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            assert!(!key.contains_key(private), "{private}");
        }
        assert_eq!(key["use"], "sig");
        let alg = SigningAlg::from_name(key["alg"].as_str().unwrap()).unwrap();
        assert_eq!(key["kid"], entry(directory.path(), alg).kid);
    }
    let etag = &keyset.jwks().etag;
    assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() == 45);
    assert_eq!(open(directory.path()).await.jwks(), keyset.jwks());
}

#[tokio::test]
async fn an_outage_of_the_pool_is_not_the_clients_fault() {
    let error = OAuthError::from(SigningError::Busy);
    assert_eq!((error.status(), error.code().as_str()), (503, "temporarily_unavailable"));
    assert_eq!(OAuthError::from(SigningError::NoKey(SigningAlg::PS256)).status(), 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_signatures_at_once_all_come_out() {
    let directory = key_directory();
    let keys = open_directory(directory.path()).await;
    let tasks: Vec<_> = (0..100)
        .map(|n| {
            let keyset = keys.current();
            tokio::spawn(async move {
                let token = keyset.sign_jwt(SigningAlg::RS256, "JWT", &json!({ "n": n })).await.unwrap();
                keyset.verify_jwt(&token, &["JWT"]).unwrap().claims["n"] == n
            })
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap());
    }
}

#[tokio::test]
async fn a_purpose_without_a_key_of_its_own_signs_with_that_for_tokens() {
    let directory = key_directory();
    let (alg, logout) = (SigningAlg::ES256, KeyPurpose::Logout);
    let kid_of = |token: String| UnverifiedJwt::parse(&token).ok().unwrap().header.kid.unwrap();
    let sign_out =
        async |keyset: &Keyset| kid_of(keyset.sign_jwt_for(logout, alg, "logout+jwt", &json!({})).await.unwrap());
    let keyset = open(directory.path()).await;
    assert_eq!(Some(sign_out(&keyset).await.as_str()), keyset.active_kid(alg));

    let store = KeyDirectory::new(directory.path());
    let own = change::prepublish(&store, &[(alg.into(), logout)], None, start()).await.unwrap().remove(0).kid;
    change::activate(&store, &own, &rules(&policy(), Insistence::Force, &signers()), start()).await.unwrap();
    let keyset = open(directory.path()).await;
    assert_eq!(sign_out(&keyset).await, own);
    assert_eq!(keyset.active_kid(alg), Some(entry(directory.path(), alg).kid.as_str()));
    assert_eq!(kid_of(sign(&keyset, alg, "JWT").await), entry(directory.path(), alg).kid);
}

/// A key set, and a token of each of its algorithms.
type Signed = (Arc<Keyset>, Vec<(SigningAlg, String)>);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_flipped_bit_is_refused(alg in prop::sample::select(SigningAlg::ALL.to_vec()), bit in any::<prop::sample::Index>()) {
        static TOKENS: LazyLock<Signed> = LazyLock::new(|| {
            let directory = key_directory();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let keyset = runtime.block_on(open(directory.path()));
            let tokens = SigningAlg::ALL.map(|alg| (alg, runtime.block_on(sign(&keyset, alg, "JWT")))).to_vec();
            (keyset, tokens)
        });
        let (keyset, tokens) = &*TOKENS;
        let (_, token) = tokens.iter().find(|(of, _)| *of == alg).unwrap();
        prop_assert!(keyset.verify_jwt(token, &["JWT"]).is_some());
        let mut bytes = token.clone().into_bytes();
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(flipped) = String::from_utf8(bytes) {
            prop_assert!(keyset.verify_jwt(&flipped, &["JWT"]).is_none());
        }
    }
}

#[tokio::test]
async fn a_repeated_token_is_verified_once_for_each_state_of_the_keys() {
    let directory = key_directory();
    let keys = open_directory(directory.path()).await;
    let claims = json!({ "sub": "u.1", "exp": (start() + TimeDelta::minutes(10)).timestamp() });
    let token = keys.current().sign_jwt(SigningAlg::ES256, "at+jwt", &claims).await.unwrap();
    let ask = |typ| keys.current().verify_repeated_jwt(&token, typ, start());
    let verifications = || keys.current().keys.iter().map(|key| key.verifier.verifications()).sum::<usize>();
    for _ in 0..3 {
        assert_eq!(Value::Object(ask("at+jwt").unwrap().claims.clone()), claims);
    }
    assert!(ask("logout+jwt").is_none(), "of another type it is nothing");
    assert_eq!(verifications(), 1);

    // The key is taken away, and with it what it signed.
    let (store, kid) = (KeyDirectory::new(directory.path()), entry(directory.path(), SigningAlg::ES256).kid);
    change::revoke(&store, &kid, "it was seen", None, start()).await.unwrap();
    assert!(keys.reload_if_changed().await.unwrap());
    assert!(ask("at+jwt").is_none());
}
