//! Which claims of a person are told (OpenID Connect Core sections 5.3.2, 5.4 and 5.5).
//!
//! Guarantees: only what was asked for, by scope or by name; never a claim that is the server's to set; never `null` and
//! never empty.

use std::collections::BTreeMap;
use std::iter::successors;

use serde_json::{Map, Value};

use super::{ClaimRequest, ClaimsRequest};

/// The scopes that ask for claims, with the claims of each (section 5.4), in the order in which discovery lists them.
pub const SCOPES: [(&str, &[&str]); 4] = [
    (
        "profile",
        &[
            "name",
            "given_name",
            "family_name",
            "middle_name",
            "nickname",
            "preferred_username",
            "profile",
            "picture",
            "website",
            "gender",
            "birthdate",
            "zoneinfo",
            "locale",
            "updated_at",
        ],
    ),
    ("email", &["email", "email_verified"]),
    ("phone", &["phone_number", "phone_number_verified"]),
    ("address", &["address"]),
];

/// Claims that the server makes: taken from a person's data they would forge a token (RFC 7519 section 4.1, OpenID Connect
/// Core section 2, RFC 9068 section 2.2, RFC 7800, RFC 8693).
const SERVER_CLAIMS: [&str; 27] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "auth_time",
    "nonce",
    "acr",
    "amr",
    "azp",
    "at_hash",
    "c_hash",
    "s_hash",
    "sid",
    "events",
    "scope",
    "client_id",
    "cnf",
    "act",
    "may_act",
    "active",
    "token_type",
    "username",
    "typ",
    "authorization_details",
];

/// The claims that a scope releases; none for a scope of another kind.
pub fn claims_of(scope: &str) -> &'static [&'static str] {
    SCOPES.iter().find(|(name, _)| *name == scope).map_or(&[], |(_, claims)| claims)
}

/// The scopes under which the claims asked for by name would fall: what a consent page has to add to the scopes asked for,
/// so that nothing is told unannounced.
pub fn scopes_behind(request: &ClaimsRequest) -> Vec<&'static str> {
    let is_asked =
        |claim: &str| request.userinfo.keys().chain(request.id_token.keys()).any(|name| untagged(name) == claim);
    SCOPES.iter().filter(|(_, claims)| claims.iter().any(|claim| is_asked(claim))).map(|(scope, _)| *scope).collect()
}

/// What the userinfo endpoint tells besides `sub`: the claims of the scopes granted and those asked for by name.
pub fn release_userinfo(scopes: &[String], request: &ClaimsRequest, person: &Map<String, Value>) -> Map<String, Value> {
    let of_scopes = scopes.iter().flat_map(|scope| claims_of(scope));
    let of_scopes =
        of_scopes.flat_map(|name| [one(name, person), translated(name, &request.locales, person)]).flatten();
    let mut released: Map<String, Value> = of_scopes.collect();
    released.extend(asked(&request.userinfo, &request.locales, person));
    released
}

/// What an ID token tells of the person besides `sub`: only what was asked for by name. A scope alone puts nothing there,
/// because the client has an access token and can ask userinfo (section 5.4).
pub fn release_id_token(request: &ClaimsRequest, person: &Map<String, Value>) -> Map<String, Value> {
    asked(&request.id_token, &request.locales, person).collect()
}

/// The claims asked for by name. One that was asked for with a value and has another is kept back.
///
/// A name with a language (section 5.2), such as `name#ja-Kana-JP`, is answered under that name, else without the language.
fn asked<'a>(
    requested: &'a BTreeMap<String, ClaimRequest>,
    locales: &'a [String],
    person: &'a Map<String, Value>,
) -> impl Iterator<Item = (String, Value)> + 'a {
    let answer = move |(name, request): (&'a String, &ClaimRequest)| {
        let found = if person.contains_key(name) { name } else { untagged(name) };
        let is_accepted = person.get(found).is_some_and(|value| request.accepts(value));
        if is_accepted { [one(found, person), translated(name, locales, person)] } else { [None, None] }
    };
    requested.iter().flat_map(answer).flatten()
}

fn one(name: &str, person: &Map<String, Value>) -> Option<(String, Value)> {
    told(name, person.get(name)?)
}

/// The same claim in the first of the languages in which it is known: beside the one without a language, which is what a client
/// reads that does not look for more. RFC 4647 section 3.4: `de-AT` is content with `de`.
fn translated(name: &str, locales: &[String], person: &Map<String, Value>) -> Option<(String, Value)> {
    let ranges = locales.iter().flat_map(|tag| successors(Some(tag.as_str()), |tag| Some(tag.rsplit_once('-')?.0)));
    let is_in = |range: &str, known: &str| {
        known.split_once('#').is_some_and(|(base, tag)| base == name && tag.eq_ignore_ascii_case(range))
    };
    let found = ranges.into_iter().find_map(|range| person.keys().find(|known| is_in(range, known)))?;
    one(found, person)
}

fn untagged(name: &str) -> &str {
    name.split_once('#').map_or(name, |(name, _)| name)
}

fn told(name: &str, value: &Value) -> Option<(String, Value)> {
    if SERVER_CLAIMS.contains(&untagged(name)) {
        return None;
    }
    Some((name.to_owned(), without_empty(value)?))
}

/// Section 5.3.2: a claim that has no value is left out; it must not be there as `null` or as an empty text.
fn without_empty(value: &Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::String(text) => (!text.is_empty()).then(|| value.clone()),
        Value::Array(items) => {
            let items: Vec<Value> = items.iter().filter_map(without_empty).collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        Value::Object(members) => {
            let full = |(name, value): (&String, &Value)| Some((name.clone(), without_empty(value)?));
            let members: Map<String, Value> = members.iter().filter_map(full).collect();
            (!members.is_empty()).then_some(Value::Object(members))
        }
        Value::Bool(_) | Value::Number(_) => Some(value.clone()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn person() -> Map<String, Value> {
        let Value::Object(person) = json!({
            "name": "Ada Example", "name#de": "Ada Beispiel", "given_name": "Ada", "nickname": "", "gender": null,
            "updated_at": 1_700_000_000, "email": "ada@example.com", "email_verified": false,
            "phone_number": "+49 30 1234567", "phone_number_verified": true,
            "address": {"locality": "Berlin", "region": "", "country": null},
            "groups": ["a", ""], "sub": "forged", "iss": "https://evil.example", "aud#x": "forged"
        }) else {
            unreachable!()
        };
        person
    }

    fn userinfo(scopes: &[&str], request: Value) -> Value {
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        release_userinfo(&scopes, &request.try_into().unwrap(), &person()).into()
    }

    fn id_token(request: Value) -> Value {
        release_id_token(&request.try_into().unwrap(), &person()).into()
    }

    #[test]
    fn each_scope_releases_its_claims_and_nothing_more() {
        assert_eq!(userinfo(&["openid", "offline_access"], json!({})), json!({}));
        assert_eq!(
            userinfo(&["openid", "profile"], json!({})),
            json!({"name": "Ada Example", "given_name": "Ada", "updated_at": 1_700_000_000})
        );
        assert_eq!(
            userinfo(&["email", "phone"], json!({})),
            json!({
                "email": "ada@example.com", "email_verified": false,
                "phone_number": "+49 30 1234567", "phone_number_verified": true
            })
        );
    }

    #[test]
    fn a_claim_without_a_value_must_be_left_out() {
        assert_eq!(userinfo(&["address"], json!({})), json!({"address": {"locality": "Berlin"}}));
        let asked = json!({"userinfo": {"nickname": {"essential": true}, "gender": null, "groups": null}});
        assert_eq!(userinfo(&[], asked), json!({"groups": ["a"]}));
    }

    #[test]
    fn a_claim_asked_for_by_name_needs_no_scope() {
        let asked = json!({"userinfo": {"name": {"essential": true}}});
        assert_eq!(userinfo(&["openid"], asked.clone()), json!({"name": "Ada Example"}));
        assert_eq!(id_token(asked), json!({}));
    }

    #[test]
    fn an_id_token_carries_only_what_was_asked_for_by_name() {
        assert_eq!(id_token(json!({})), json!({}));
        assert_eq!(id_token(json!({"id_token": {"email": null}})), json!({"email": "ada@example.com"}));
    }

    #[test]
    fn a_claim_of_the_server_is_never_taken_from_the_person() {
        let asked = json!({"iss": null, "sub": null, "aud": null, "aud#x": null, "acr": {"essential": true}});
        assert_eq!(id_token(json!({ "id_token": asked })), json!({}));
        assert_eq!(userinfo(&["profile"], json!({ "userinfo": asked }))["iss"], Value::Null);
    }

    #[test]
    fn a_claim_asked_for_with_another_value_is_kept_back() {
        let asked = |request: Value| id_token(json!({"id_token": {"email": request}}));
        assert_eq!(asked(json!({"value": "eve@example.com"})), json!({}));
        assert_eq!(
            asked(json!({"values": ["eve@example.com", "ada@example.com"]})),
            json!({"email": "ada@example.com"})
        );
    }

    #[test]
    fn a_language_is_answered_if_there_is_one() {
        let asked = json!({"id_token": {"name#de": null, "given_name#ja-Kana-JP": null}});
        assert_eq!(id_token(asked), json!({"name#de": "Ada Beispiel", "given_name": "Ada"}));
    }

    #[test]
    fn what_is_known_in_a_language_that_is_wanted_is_told_in_it_too() {
        let plain = json!({"name": "Ada Example", "given_name": "Ada", "updated_at": 1_700_000_000});
        let both = {
            let mut both = plain.clone();
            both["name#de"] = "Ada Beispiel".into();
            both
        };
        for (locales, expected) in [
            (json!(["de"]), &both),
            (json!(["fr", "DE-at-1996"]), &both),
            (json!(["fr"]), &plain),
            (json!(["d"]), &plain),
            (json!([]), &plain),
        ] {
            assert_eq!(&userinfo(&["profile"], json!({ "locales": locales })), expected, "{locales}");
        }
        let email = json!({"email": "ada@example.com", "email_verified": false});
        assert_eq!(userinfo(&["email"], json!({"locales": ["de"]})), email, "and of nothing else");
        let id_token = |request: Value| Value::Object(release_id_token(&request.try_into().unwrap(), &person()));
        let asked = json!({"id_token": {"name": null, "email": null}, "locales": ["de"]});
        let expected = json!({"name": "Ada Example", "name#de": "Ada Beispiel", "email": "ada@example.com"});
        assert_eq!(id_token(asked), expected);
        let other = json!({"id_token": {"name": {"value": "Somebody"}}, "locales": ["de"]});
        assert_eq!(id_token(other), json!({}), "it is kept back in every language");
    }

    #[test]
    fn claims_asked_for_by_name_fall_under_scopes() {
        let request = json!({"userinfo": {"name#de": null}, "id_token": {"phone_number": null, "groups": null}});
        assert_eq!(scopes_behind(&request.try_into().unwrap()), ["profile", "phone"]);
    }

    proptest! {
        #[test]
        fn nothing_is_released_that_was_not_asked_for(
            scopes in prop::collection::vec(prop::sample::select(vec!["openid", "profile", "email", "phone", "address"]), 0..4),
            names in prop::collection::vec(prop::sample::select(person().keys().cloned().collect::<Vec<_>>()), 0..4),
        ) {
            let asked: Map<String, Value> = names.iter().map(|name| (name.clone(), Value::Null)).collect();
            let released = userinfo(&scopes, json!({ "userinfo": asked }));
            for (name, value) in released.as_object().unwrap() {
                let by_scope = scopes.iter().any(|scope| claims_of(scope).contains(&name.as_str()));
                prop_assert!(by_scope || names.contains(name));
                prop_assert!(!SERVER_CLAIMS.contains(&name.as_str()));
                let text = value.to_string();
                prop_assert!(!text.contains("null") && !text.contains("\"\""));
            }
        }
    }
}
