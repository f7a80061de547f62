//! The `claims` parameter (OpenID Connect Core section 5.5): single claims that a client asks for.
//!
//! What is released for it, and for each scope, is in [`release`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::OAuthError;
use super::jwt::parse_object;
use super::strict_json::has_nul;

// Which claims of a person are told, and where.
pub mod release;
// What may be said of a person.
pub mod standard;

/// A longer parameter is refused.
const MAX_BYTES: usize = 8 * 1024;

/// Parameter, member, claim, `values`, and one more for a value that is itself an object.
const MAX_DEPTH: usize = 5;

/// More claims in one member are refused.
const MAX_CLAIMS: usize = 100;

/// What is asked, by place. Members that we do not know were left out (section 5.5).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub struct ClaimsRequest {
    /// From the userinfo endpoint.
    pub userinfo: BTreeMap<String, ClaimRequest>,
    /// In the ID token.
    pub id_token: BTreeMap<String, ClaimRequest>,
    /// The languages of `claims_locales` (section 3.1.2.1), in order of preference. They are no part of the parameter, but are
    /// kept with it, because they too say what is told of a person.
    pub locales: Vec<String>,
}

/// How one claim is asked for (section 5.5.1). The default asks for it without more words: `null`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClaimRequest {
    /// Whether the client cannot do what the person wants without it.
    pub essential: bool,
    /// The value it should have.
    pub value: Option<Value>,
    /// The values of which it should have one, in order of preference; empty: any.
    pub values: Vec<Value>,
}

impl ClaimsRequest {
    /// Reads the parameter.
    pub fn parse(text: &str) -> Result<Self, OAuthError> {
        if text.len() > MAX_BYTES {
            return Err(OAuthError::invalid_request("claims is too long"));
        }
        let object = Value::Object(parse_object(text.as_bytes()).ok_or_else(malformed)?);
        // JSON can spell NUL, and Postgres cannot keep it.
        if !is_within(&object, MAX_DEPTH) || has_nul(&object) {
            return Err(malformed());
        }
        Ok(Self { locales: Vec::new(), ..object.try_into()? })
    }

    /// The subject that must sign in (section 3.1.2.2): an answer about anybody else would be a wrong one.
    pub fn required_subject(&self) -> Option<&str> {
        self.id_token.get("sub")?.value.as_ref()?.as_str()
    }

    /// The authentication context classes asked for in the ID token, in order of preference, like `acr_values`.
    pub fn acr_values(&self) -> impl Iterator<Item = &str> {
        self.id_token.get("acr").into_iter().flat_map(ClaimRequest::wanted).filter_map(Value::as_str)
    }

    /// Whether a sign-in of this class may be answered. Section 5.5.1.1: an essential `acr` that is not reached is a failed
    /// sign-in; any other is only a wish.
    pub fn accepts_acr(&self, acr: &str) -> bool {
        self.id_token.get("acr").is_none_or(|request| !request.essential || request.accepts(&acr.into()))
    }
}

impl ClaimRequest {
    /// Whether a claim with this value is what was asked for.
    fn accepts(&self, value: &Value) -> bool {
        let mut wanted = self.wanted().peekable();
        wanted.peek().is_none() || wanted.any(|wanted| wanted == value)
    }

    fn wanted(&self) -> impl Iterator<Item = &Value> {
        self.value.iter().chain(&self.values)
    }
}

impl TryFrom<Value> for ClaimsRequest {
    type Error = OAuthError;

    fn try_from(value: Value) -> Result<Self, OAuthError> {
        let Value::Object(mut members) = value else {
            return Err(malformed());
        };
        Ok(Self {
            userinfo: read_member(members.remove("userinfo"))?,
            id_token: read_member(members.remove("id_token"))?,
            locales: members
                .remove("locales")
                .and_then(|locales| serde_json::from_value(locales).ok())
                .unwrap_or_default(),
        })
    }
}

impl From<ClaimsRequest> for Value {
    fn from(request: ClaimsRequest) -> Self {
        let members = [("userinfo", request.userinfo), ("id_token", request.id_token)];
        let present = members.into_iter().filter(|(_, claims)| !claims.is_empty());
        let write = |claims: BTreeMap<String, ClaimRequest>| {
            Value::Object(claims.into_iter().map(|(name, request)| (name, request.into())).collect())
        };
        let mut members: Map<String, Self> = present.map(|(name, claims)| (name.to_owned(), write(claims))).collect();
        if !request.locales.is_empty() {
            members.insert("locales".to_owned(), request.locales.into());
        }
        Self::Object(members)
    }
}

impl From<ClaimRequest> for Value {
    fn from(request: ClaimRequest) -> Self {
        let members = [
            ("essential", request.essential.then_some(Self::Bool(true))),
            ("value", request.value),
            ("values", (!request.values.is_empty()).then_some(Self::Array(request.values))),
        ];
        let members: Map<String, Self> =
            members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        if members.is_empty() { Self::Null } else { Self::Object(members) }
    }
}

fn read_member(member: Option<Value>) -> Result<BTreeMap<String, ClaimRequest>, OAuthError> {
    match member {
        None | Some(Value::Null) => Ok(BTreeMap::new()),
        Some(Value::Object(claims)) if claims.len() > MAX_CLAIMS => {
            Err(OAuthError::invalid_request("claims asks for too many claims"))
        }
        Some(Value::Object(claims)) => {
            claims.into_iter().map(|(name, request)| Ok((name, read_claim(request)?))).collect()
        }
        Some(_) => Err(malformed()),
    }
}

fn read_claim(request: Value) -> Result<ClaimRequest, OAuthError> {
    let mut members = match request {
        Value::Null => return Ok(ClaimRequest::default()),
        Value::Object(members) => members,
        _ => return Err(malformed()),
    };
    let essential = match members.remove("essential") {
        None => false,
        Some(Value::Bool(essential)) => essential,
        Some(_) => return Err(malformed()),
    };
    let values = match members.remove("values") {
        None => Vec::new(),
        Some(Value::Array(values)) => values,
        Some(_) => return Err(malformed()),
    };
    let value = members.remove("value").filter(|value| !value.is_null());
    Ok(ClaimRequest { essential, value, values })
}

/// Whether arrays and objects lie at most `depth` deep in it. The reader before has a bound of its own, so this ends.
fn is_within(value: &Value, depth: usize) -> bool {
    match value {
        Value::Array(items) => depth > 0 && items.iter().all(|item| is_within(item, depth - 1)),
        Value::Object(members) => depth > 0 && members.values().all(|member| is_within(member, depth - 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

fn malformed() -> OAuthError {
    OAuthError::invalid_request("claims is malformed")
}

#[cfg(test)]
mod tests;
