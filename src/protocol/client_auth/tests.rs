use std::cell::Cell;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::model::client::{ClientSecret, ClientSettings};
use crate::protocol::error::ErrorCode;
use crate::protocol::form::encode;

fn collect(headers: &[&str], body: &str) -> Result<Presented, OAuthError> {
    let form = Form::parse(body.as_bytes()).unwrap();
    Presented::collect(headers.iter().map(|header| header.as_bytes()), &form)
}

fn basic(credentials: &str) -> String {
    format!("Basic {}", STANDARD.encode(credentials))
}

fn secret(presented: &Presented) -> Option<&str> {
    use secrecy::ExposeSecret;
    match &presented.credential {
        Credential::None => None,
        Credential::Basic(secret) | Credential::Post(secret) => Some(secret.expose_secret()),
        Credential::Assertion(assertion) => Some(assertion),
    }
}

#[track_caller]
fn refused(headers: &[&str], body: &str, code: ErrorCode, challenge: Challenge) {
    let error = collect(headers, body).unwrap_err();
    assert_eq!((error.code(), error.challenge()), (code, challenge), "{headers:?} {body}");
}

#[test]
fn the_examples_of_rfc_6749_section_2_3_1() {
    let presented = collect(&["Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3"], "").unwrap();
    assert_eq!(presented.client_id.as_str(), "s6BhdRkqt3");
    assert_eq!(secret(&presented), Some("7Fjfp0ZBr1KtDRbnfVdmIw"));
    assert_eq!(presented.method(ClientAuthMethod::ClientSecretBasic), ClientAuthMethod::ClientSecretBasic);

    let presented = collect(&[], "client_id=s6BhdRkqt3&client_secret=7Fjfp0ZBr1KtDRbnfVdmIw").unwrap();
    assert_eq!(presented.client_id.as_str(), "s6BhdRkqt3");
    assert_eq!(secret(&presented), Some("7Fjfp0ZBr1KtDRbnfVdmIw"));
    assert_eq!(presented.method(ClientAuthMethod::ClientSecretPost), ClientAuthMethod::ClientSecretPost);
}

#[test]
fn a_client_id_alone_is_a_public_client() {
    for body in ["client_id=spa", "client_id=spa&client_secret="] {
        let presented = collect(&[], body).unwrap();
        assert_eq!(
            (presented.client_id.as_str(), presented.method(ClientAuthMethod::None)),
            ("spa", ClientAuthMethod::None)
        );
    }
}

#[test]
fn both_halves_of_basic_are_form_decoded() {
    let presented = collect(&[&basic("https%3A%2F%2Fc.example:a+b%25%3A:c")], "").unwrap();
    assert_eq!(presented.client_id.as_str(), "https://c.example");
    assert_eq!(secret(&presented), Some("a b%::c"));
}

#[test]
fn the_body_may_repeat_the_client_id_of_the_header_but_not_contradict_it() {
    assert!(collect(&[&basic("a:b")], "client_id=a").is_ok());
    refused(&[&basic("a:b")], "client_id=c", ErrorCode::InvalidClient, Challenge::Basic);
}

#[test]
fn a_client_must_not_use_more_than_one_method() {
    let both = "client_id=a&client_secret=b";
    refused(&[&basic("a:b")], both, ErrorCode::InvalidRequest, Challenge::None);
    refused(&[&basic("a:b"), &basic("a:b")], "", ErrorCode::InvalidRequest, Challenge::None);
    refused(&[&basic("a:b")], "client_assertion=x", ErrorCode::InvalidRequest, Challenge::None);
    refused(&[], &format!("{both}&client_assertion_type=x"), ErrorCode::InvalidRequest, Challenge::None);
    refused(&[], "client_id=a&client_id=a", ErrorCode::InvalidRequest, Challenge::None);
    refused(&[], "client_id=a&client_secret=b&client_secret=c", ErrorCode::InvalidRequest, Challenge::None);
}

#[test]
fn a_method_that_is_not_offered_is_refused() {
    refused(&["Bearer abc"], "client_id=a", ErrorCode::InvalidClient, Challenge::Basic);
    refused(&[], "client_id=a&client_assertion=x", ErrorCode::InvalidClient, Challenge::None);
}

#[test]
fn a_request_without_a_client_is_refused() {
    refused(&[], "", ErrorCode::InvalidClient, Challenge::None);
    refused(&[], "client_id=", ErrorCode::InvalidClient, Challenge::None);
    refused(&[], "client_secret=b", ErrorCode::InvalidClient, Challenge::None);
}

#[test]
fn malformed_basic_credentials_are_refused_with_a_challenge() {
    for header in ["Basic", "Basic !!!", "Basic YQ", &basic("a"), &basic(":b"), &basic("a%2:b"), &basic("a:%ff")] {
        refused(&[header], "", ErrorCode::InvalidClient, Challenge::Basic);
    }
    refused(&[&format!("Basic {}", STANDARD.encode(b"a:\xff"))], "", ErrorCode::InvalidClient, Challenge::Basic);
}

#[test]
fn debug_shows_no_secret() {
    assert!(!format!("{:?}", collect(&[&basic("a:hunter2")], "").unwrap()).contains("hunter2"));
}

const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// Stands in for the HMAC: key 9 is gone.
fn mac(key_id: Option<u8>, client_id: &ClientId, secret: &str) -> Option<[u8; 32]> {
    if key_id == Some(9) {
        return None;
    }
    let mut mac = [key_id.unwrap_or(2); 32];
    for (place, byte) in mac.iter_mut().zip(client_id.as_str().bytes().chain(secret.bytes())) {
        *place ^= byte;
    }
    Some(mac)
}

fn client(method: ClientAuthMethod, secrets: &[(&str, u8, Option<i64>)]) -> Client {
    let id = ClientId::new("c");
    let secrets = secrets.iter().map(|(secret, key_id, expires_in)| ClientSecret {
        id: Uuid::nil(),
        mac: mac(Some(*key_id), &id, secret).unwrap_or_default(),
        key_id: *key_id,
        expires_at: expires_in.map(|seconds| NOW + TimeDelta::seconds(seconds)),
    });
    let settings = ClientSettings { token_endpoint_auth_method: method, ..ClientSettings::default() };
    Client {
        id: id.clone(),
        enabled: true,
        settings,
        secrets: secrets.collect(),
        generation: 0,
        registered_through: None,
    }
}

fn verified(headers: &[&str], body: &str, client: Option<&Client>) -> bool {
    let presented = collect(headers, body).unwrap();
    let outcome = verify(&presented, client, Proven::default(), mac, NOW);
    if let Err(error) = &outcome {
        assert_eq!(error.code(), ErrorCode::InvalidClient);
        assert_eq!(error.description(), "client authentication failed");
        assert_eq!(error.challenge() == Challenge::Basic, !headers.is_empty());
    }
    outcome.is_ok()
}

const POST: &str = "client_id=c&client_secret=one";

#[test]
fn the_registered_method_with_the_right_secret_is_accepted() {
    let by_basic = client(ClientAuthMethod::ClientSecretBasic, &[("one", 1, None)]);
    assert!(verified(&[&basic("c:one")], "", Some(&by_basic)));
    assert!(!verified(&[&basic("c:two")], "", Some(&by_basic)));
    let by_post = client(ClientAuthMethod::ClientSecretPost, &[("one", 1, None)]);
    assert!(verified(&[], POST, Some(&by_post)));
    let public = client(ClientAuthMethod::None, &[]);
    assert!(verified(&[], "client_id=c", Some(&public)));
}

#[test]
fn another_method_than_the_registered_one_is_refused() {
    let by_basic = client(ClientAuthMethod::ClientSecretBasic, &[("one", 1, None)]);
    assert!(!verified(&[], POST, Some(&by_basic)));
    assert!(!verified(&[], "client_id=c", Some(&by_basic)));
    let by_post = client(ClientAuthMethod::ClientSecretPost, &[("one", 1, None)]);
    assert!(!verified(&[&basic("c:one")], "", Some(&by_post)));
    let public = client(ClientAuthMethod::None, &[("one", 1, None)]);
    assert!(!verified(&[], POST, Some(&public)));
    assert!(!verified(&[&basic("c:")], "", Some(&public)));
}

#[test]
fn a_certificate_proves_who_registered_one_and_nobody_else() {
    let both = [false, true].map(|by_certificate| Proven { by_assertion: false, by_certificate });
    let verified = |method, secrets: &[_], body: &str, proven| {
        verify(&collect(&[], body).unwrap(), Some(&client(method, secrets)), proven, mac, NOW).is_ok()
    };
    for method in [ClientAuthMethod::TlsClientAuth, ClientAuthMethod::SelfSignedTlsClientAuth] {
        assert_eq!(both.map(|proven| verified(method, &[], "client_id=c", proven)), [false, true]);
        // A secret beside it is another mechanism than the registered one.
        assert_eq!(both.map(|proven| verified(method, &[("one", 1, None)], POST, proven)), [false, false]);
    }
    let secret = [("one", 1, None)];
    let post = ClientAuthMethod::ClientSecretPost;
    assert_eq!(both.map(|proven| verified(post, &secret, "client_id=c", proven)), [false, false]);
    assert_eq!(both.map(|proven| verified(post, &secret, POST, proven)), [true, true]);
    assert_eq!(both.map(|proven| verified(ClientAuthMethod::None, &[], "client_id=c", proven)), [true, true]);
}

#[test]
fn an_unknown_or_disabled_client_is_refused_like_a_wrong_secret() {
    for body in [POST, "client_id=c"] {
        assert!(!verified(&[], body, None));
    }
    let mut disabled = client(ClientAuthMethod::ClientSecretPost, &[("one", 1, None)]);
    disabled.enabled = false;
    assert!(!verified(&[], POST, Some(&disabled)));
}

#[test]
fn either_of_two_secrets_is_accepted_until_it_expires() {
    let rotating = client(ClientAuthMethod::ClientSecretPost, &[("old", 1, Some(1)), ("one", 2, None)]);
    assert!(verified(&[], POST, Some(&rotating)));
    assert!(verified(&[], "client_id=c&client_secret=old", Some(&rotating)));
    let expired = client(ClientAuthMethod::ClientSecretPost, &[("one", 1, Some(0)), ("new", 1, None)]);
    assert!(!verified(&[], POST, Some(&expired)));
    assert!(verified(&[], "client_id=c&client_secret=new", Some(&expired)));
}

#[test]
fn a_secret_whose_key_is_gone_is_refused() {
    // The MAC on record is all zeros, as is what stands in for the one that cannot be made.
    assert!(!verified(&[], POST, Some(&client(ClientAuthMethod::ClientSecretPost, &[("one", 9, None)]))));
}

#[test]
fn every_refusal_costs_the_same_work() {
    let work = |client: Option<&Client>| {
        let count = Cell::new(0);
        let counted = |key_id: Option<u8>, id: &ClientId, secret: &str| {
            count.set(count.get() + 1);
            mac(key_id, id, secret)
        };
        let _ = verify(&collect(&[], POST).unwrap(), client, Proven::default(), counted, NOW);
        count.get()
    };
    let post = ClientAuthMethod::ClientSecretPost;
    assert_eq!(work(None), 2);
    assert_eq!(work(Some(&client(post, &[]))), 2);
    assert_eq!(work(Some(&client(post, &[("one", 1, None)]))), 2);
    assert_eq!(work(Some(&client(post, &[("two", 1, None), ("one", 1, Some(0)), ("six", 1, None)]))), 2);
    assert_eq!(work(Some(&client(ClientAuthMethod::None, &[]))), 2);
}

proptest! {
    #[test]
    fn never_panics(header in any::<Vec<u8>>(), decoded in any::<Vec<u8>>()) {
        let _ = Presented::collect([header.as_slice()], &Form::default());
        let encoded = format!("Basic {}", STANDARD.encode(&decoded));
        let _ = Presented::collect([encoded.as_bytes()], &Form::default());
    }

    #[test]
    fn header_and_body_carry_the_same_credentials(id in "[^\\x00]{1,20}", word in "[^\\x00]{1,20}") {
        let body = encode([("client_id", id.as_str()), ("client_secret", word.as_str())]);
        let in_body = collect(&[], &body).unwrap();
        let joined = body.replace("client_id=", "").replace("&client_secret=", ":");
        let in_header = collect(&[&basic(&joined)], "").unwrap();
        for presented in [&in_body, &in_header] {
            prop_assert_eq!(presented.client_id.as_str(), &id);
            prop_assert_eq!(secret(presented), Some(word.as_str()));
        }
    }
}
