//! Request objects (RFC 9101, OpenID Connect Core section 6, FAPI 2.0 Message Signing section 5.3): an authorization request
//! as a signed JWT, of which nothing outside counts.
//!
//! Whether the client's key signed it is for whoever has the keys; what is inside is judged and turned into parameters here.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};

use super::error::OAuthError;
use super::form::Form;
use super::jwt::JwtHeader;
use super::strict_json::has_nul;
use crate::model::id::ClientId;
use crate::model::lifetimes::CLOCK_TOLERANCE;

/// RFC 9101 section 10.8.
const TYP: &str = "oauth-authz-req+jwt";

/// FAPI 2.0 Message Signing section 5.3.1: how old one may be, and how long it may live.
const LONGEST_LIFE: TimeDelta = TimeDelta::minutes(60);

/// What is about the object and not about the request.
const ABOUT_ITSELF: [&str; 7] = ["iss", "aud", "exp", "nbf", "iat", "jti", "sub"];

/// What a request object is held to.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// Who must have made it.
    pub client_id: &'a ClientId,
    /// Whom it must be for.
    pub issuer: &'a str,
    /// Whether it must say when it begins and ends, who made it and whom it is for (FAPI 2.0 Message Signing).
    pub is_strict: bool,
    /// The time.
    pub now: DateTime<Utc>,
}

/// Whether a JWT with that header can be a request object: of no stated type, or of the right one. `JWT` is what libraries
/// write that do not ask.
pub fn is_typed_right(header: &JwtHeader) -> bool {
    header.typ.is_none() || header.is_typ(TYP) || header.is_typ("JWT")
}

/// The parameters inside of a genuine request object.
pub fn read(claims: &Map<String, Value>, rules: Rules<'_>) -> Result<Form, OAuthError> {
    check(claims, rules)?;
    let mut parameters = Vec::new();
    for (name, value) in claims {
        if !ABOUT_ITSELF.contains(&name.as_str()) {
            add(&mut parameters, name, value)?;
        }
    }
    Ok(Form::of(parameters))
}

fn check(claims: &Map<String, Value>, rules: Rules<'_>) -> Result<(), OAuthError> {
    // RFC 9101 section 4.
    if claims.contains_key("request") || claims.contains_key("request_uri") {
        return Err(invalid("a request object must not contain request or request_uri"));
    }
    // Section 5: inside and outside are the same client.
    let client = rules.client_id.as_str();
    if claims.get("client_id").is_some_and(|inside| inside != client) {
        return Err(invalid("the client_id of the request object is another one"));
    }
    // Section 10.8: else it could be taken for a client assertion, or one for it.
    if claims.get("sub").is_some_and(|sub| sub == client) {
        return Err(invalid("the sub of the request object must not be the client"));
    }
    match claims.get("iss") {
        Some(iss) if iss == client => {}
        None if !rules.is_strict => {}
        _ => return Err(invalid("the iss of the request object is not the client")),
    }
    match claims.get("aud") {
        Some(Value::String(aud)) if aud == rules.issuer => {}
        Some(Value::Array(many)) if many.iter().any(|aud| aud == rules.issuer) => {}
        None if !rules.is_strict => {}
        _ => return Err(invalid("the aud of the request object is not this server")),
    }
    check_times(claims, rules)
}

fn check_times(claims: &Map<String, Value>, rules: Rules<'_>) -> Result<(), OAuthError> {
    let (now, exp, nbf) = (rules.now, time(claims, "exp")?, time(claims, "nbf")?);
    if exp.is_some_and(|exp| exp + CLOCK_TOLERANCE <= now) {
        return Err(invalid("the request object has expired"));
    }
    let begins = [nbf, time(claims, "iat")?];
    if begins.into_iter().flatten().any(|begins| begins > now + CLOCK_TOLERANCE) {
        return Err(invalid("the request object is of the future"));
    }
    if !rules.is_strict {
        return Ok(());
    }
    let exp = exp.ok_or_else(|| invalid("the request object has no exp"))?;
    let nbf = nbf.ok_or_else(|| invalid("the request object has no nbf"))?;
    if now - nbf > LONGEST_LIFE + CLOCK_TOLERANCE {
        return Err(invalid("the nbf of the request object is more than 60 minutes ago"));
    }
    if exp - nbf > LONGEST_LIFE || exp - now > LONGEST_LIFE + CLOCK_TOLERANCE {
        return Err(invalid("the request object lives longer than 60 minutes"));
    }
    Ok(())
}

fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<DateTime<Utc>>, OAuthError> {
    super::jwt::numeric_date(claims, name)
        .map_err(|_| invalid("a time in the request object is not a number of seconds"))
}

/// RFC 9101 section 4: strings and numbers are what they would be as parameters, JSON stays JSON, and what may be repeated is
/// an array.
fn add(parameters: &mut Vec<(String, String)>, name: &str, value: &Value) -> Result<(), OAuthError> {
    if has_nul(value) || name.contains('\0') {
        return Err(invalid("the request object contains U+0000"));
    }
    let text = match value {
        Value::Null => return Ok(()),
        Value::String(text) => text.clone(),
        Value::Array(many) if name == "resource" => {
            return many.iter().try_for_each(|one| match one {
                Value::String(_) => add(parameters, name, one),
                _ => Err(invalid("a resource in the request object is not a string")),
            });
        }
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    };
    if !text.is_empty() {
        parameters.push((name.to_owned(), text));
    }
    Ok(())
}

fn invalid(description: &'static str) -> OAuthError {
    OAuthError::invalid_request_object(description)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn strict(client_id: &ClientId) -> Rules<'_> {
        let now = DateTime::from_timestamp(NOW, 0).unwrap();
        Rules { client_id, issuer: "https://as.example", is_strict: true, now }
    }

    fn object(change: &Value) -> Map<String, Value> {
        let mut claims = json!({
            "iss": "c", "aud": "https://as.example", "nbf": NOW, "exp": NOW + 60, "client_id": "c", "response_type": "code",
        });
        for (name, value) in change.as_object().unwrap() {
            match value {
                Value::Null => claims.as_object_mut().unwrap().remove(name),
                value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
            };
        }
        claims.as_object().unwrap().clone()
    }

    #[test]
    fn parameters_are_read_and_nothing_else() {
        let client = ClientId::new("c");
        let claims = object(&json!({
            "state": "a b", "max_age": 10, "claims": {"userinfo": {"name": null}}, "resource": ["https://a", "https://b"],
            "nonce": "", "iat": NOW, "jti": "x", "aud": ["https://other.example", "https://as.example"],
        }));
        let form = read(&claims, strict(&client)).unwrap();
        let one = |name| form.one(name).unwrap();
        assert_eq!((one("state"), one("max_age"), one("nonce")), (Some("a b"), Some("10"), None));
        assert_eq!(one("claims"), Some(r#"{"userinfo":{"name":null}}"#));
        assert_eq!(form.all("resource").collect::<Vec<_>>(), ["https://a", "https://b"]);
        assert_eq!((one("client_id"), one("response_type")), (Some("c"), Some("code")));
        assert!(ABOUT_ITSELF.iter().all(|name| !form.has(name)));
    }

    #[test]
    fn each_rule_refuses_with_invalid_request_object() {
        let client = ClientId::new("c");
        for change in [
            json!({"request": "a.b.c"}),
            json!({"request_uri": "https://c.example/"}),
            json!({"client_id": "other"}),
            json!({"client_id": ["c"]}),
            json!({"iss": "other"}),
            json!({"iss": null}),
            json!({"sub": "c"}),
            json!({"aud": null}),
            json!({"aud": "https://other.example"}),
            json!({"aud": ["https://other.example"]}),
            json!({"exp": null}),
            json!({"nbf": null}),
            json!({"exp": NOW - 60}),
            json!({"exp": "soon"}),
            json!({"exp": NOW + 3700}),
            json!({"nbf": NOW - 3700}),
            json!({"nbf": NOW + 61}),
            json!({"iat": NOW + 61}),
            json!({"state": "a\0b"}),
            json!({"resource": [1]}),
        ] {
            let refused = read(&object(&change), strict(&client));
            assert_eq!(refused.unwrap_err().code().as_str(), "invalid_request_object", "{change}");
        }
        assert!(read(&object(&json!({"nbf": NOW + 8})), strict(&client)).is_ok(), "a clock that is ahead");
    }

    #[test]
    fn without_the_profile_an_object_need_not_say_when_and_for_whom() {
        let client = ClientId::new("c");
        let lenient = Rules { is_strict: false, ..strict(&client) };
        let bare = json!({"iss": null, "aud": null, "exp": null, "nbf": null});
        assert!(read(&object(&bare), lenient).is_ok());
        for change in [json!({"aud": "https://other.example"}), json!({"exp": NOW - 60}), json!({"iss": "other"})] {
            assert!(read(&object(&change), lenient).is_err(), "what it says must hold: {change}");
        }
    }

    #[test]
    fn the_type_may_be_left_out_and_its_case_does_not_matter() {
        let header = |typ: Option<&str>| JwtHeader {
            alg: "ES256".into(),
            kid: None,
            typ: typ.map(ToOwned::to_owned),
            jwk: None,
        };
        for typ in
            [None, Some("oauth-authz-req+jwt"), Some("OAuth-Authz-REQ+jwt"), Some("application/oauth-authz-req+JWT")]
        {
            assert!(is_typed_right(&header(typ)), "{typ:?}");
        }
        for typ in ["at+jwt", "dpop+jwt", "logout+jwt", ""] {
            assert!(!is_typed_right(&header(Some(typ))), "{typ}");
        }
    }

    proptest! {
        #[test]
        fn texts_come_out_as_they_went_in(name in "[a-z_]{1,12}", value in "[^\\x00]{1,40}") {
            prop_assume!(!ABOUT_ITSELF.contains(&name.as_str()) && !["client_id", "request", "request_uri"].contains(&name.as_str()));
            let client = ClientId::new("c");
            let form = read(&object(&json!({ name.clone(): value.clone() })), strict(&client)).unwrap();
            prop_assert_eq!(form.one(&name).unwrap(), Some(value.as_str()));
        }
    }
}
