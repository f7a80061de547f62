//! Token exchange (RFC 8693): what a request says, and who acts for whom.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::OAuthError;
use super::form::Form;

/// The parameters that may be sent more than once (section 2.1).
pub const REPEATABLE: [&str; 2] = ["resource", "audience"];

/// The most actors that one token names.
pub const MAX_ACTORS: usize = 4;

/// A token type identifier (section 3), of those that this server takes and gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenType {
    /// An access token of this server, whatever its form.
    AccessToken,
    /// An access token of this server that is a JWT.
    Jwt,
}

impl TokenType {
    const ALL: [Self; 2] = [Self::AccessToken, Self::Jwt];

    /// The registered name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => "urn:ietf:params:oauth:token-type:access_token",
            Self::Jwt => "urn:ietf:params:oauth:token-type:jwt",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|token_type| token_type.as_str() == name)
    }
}

/// A token that was sent, not verified. It has no `Debug`: it is a secret.
#[derive(Clone, Copy)]
pub struct SentToken<'a> {
    /// The token.
    pub token: &'a str,
    /// What it is said to be.
    pub token_type: TokenType,
}

impl SentToken<'_> {
    /// Whether it may be what it is said to be: a JWT has dots, an opaque token has none.
    pub fn is_plausible(&self) -> bool {
        match self.token_type {
            TokenType::AccessToken => true,
            TokenType::Jwt => self.token.contains('.'),
        }
    }
}

/// What a request says of tokens (section 2.1).
#[derive(Clone, Copy)]
pub struct ExchangeRequest<'a> {
    /// On behalf of whom.
    pub subject: SentToken<'a>,
    /// Who acts; absent: the client that asks.
    pub actor: Option<SentToken<'a>>,
    /// What is wanted.
    pub requested: TokenType,
}

impl<'a> ExchangeRequest<'a> {
    /// Reads the parameters.
    pub fn read(form: &'a Form) -> Result<Self, OAuthError> {
        let token = form.required("subject_token", "the parameter subject_token is missing")?;
        let token_type = form.required("subject_token_type", "the parameter subject_token_type is missing")?;
        let unsupported = || OAuthError::invalid_request("the subject_token_type is not supported");
        let subject = SentToken { token, token_type: TokenType::from_name(token_type).ok_or_else(unsupported)? };
        let requested = match form.one("requested_token_type")? {
            None => TokenType::AccessToken,
            Some(name) => TokenType::from_name(name)
                .ok_or_else(|| OAuthError::invalid_request("the requested_token_type is not supported"))?,
        };
        Ok(Self { subject, actor: actor(form)?, requested })
    }
}

/// Section 2.1: the type is there if the token is, and must not be there if it is not.
fn actor(form: &Form) -> Result<Option<SentToken<'_>>, OAuthError> {
    match (form.one("actor_token")?, form.one("actor_token_type")?) {
        (None, None) => Ok(None),
        (Some(token), Some(name)) => match TokenType::from_name(name) {
            Some(token_type) => Ok(Some(SentToken { token, token_type })),
            None => Err(OAuthError::invalid_request("the actor_token_type is not supported")),
        },
        (Some(_), None) => Err(OAuthError::invalid_request("the parameter actor_token_type is missing")),
        (None, Some(_)) => Err(OAuthError::invalid_request("there is an actor_token_type without an actor_token")),
    }
}

/// Who acts, and for whom they act in turn (section 4.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// A person, or a client.
    pub sub: String,
    /// Who acted before. It is for the record: nothing may be decided by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Box<Actor>>,
}

impl Actor {
    /// `sub`, who acts after those `before`. `None`: they would be too many.
    pub fn after(before: Option<&Self>, sub: &str) -> Option<Self> {
        let actor = Self { sub: sub.to_owned(), act: before.cloned().map(Box::new) };
        (actor.chain().count() <= MAX_ACTORS).then_some(actor)
    }

    fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |actor| actor.act.as_deref())
    }
}

/// Whether `actor`, known to `issuer`, is the one who may act (section 4.4). What else is said of them cannot be compared here, so
/// that nobody is the one.
pub fn may_act(allowed: &Map<String, Value>, actor: &str, issuer: &str) -> bool {
    let is_said = |(name, value): (&String, &Value)| match name.as_str() {
        "sub" => value == actor,
        "iss" => value == issuer,
        _ => false,
    };
    allowed.contains_key("sub") && allowed.iter().all(is_said)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";

    fn read(parameters: &[(&str, &str)]) -> Result<(bool, bool, TokenType), &'static str> {
        let form = Form::of(parameters.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect());
        let read = |request: ExchangeRequest<'_>| {
            (request.subject.is_plausible(), request.actor.is_some_and(|actor| actor.is_plausible()), request.requested)
        };
        ExchangeRequest::read(&form).map(read).map_err(|error| error.description())
    }

    #[test]
    fn section_2_1_what_is_required_optional_and_forbidden() {
        let jwt = TokenType::Jwt.as_str();
        let subject = [("subject_token", "a"), ("subject_token_type", TYPE)];
        let with = |more: &[(&'static str, &'static str)]| read(&[subject.as_slice(), more].concat());
        assert_eq!(with(&[]), Ok((true, false, TokenType::AccessToken)));
        assert_eq!(with(&[("requested_token_type", jwt)]), Ok((true, false, TokenType::Jwt)));
        assert_eq!(with(&[("actor_token", "b"), ("actor_token_type", TYPE)]), Ok((true, true, TokenType::AccessToken)));
        assert_eq!(
            read(&[("subject_token", "a"), ("subject_token_type", jwt)]),
            Ok((false, false, TokenType::AccessToken))
        );
        assert_eq!(with(&[("actor_token", "b")]), Err("the parameter actor_token_type is missing"));
        assert_eq!(with(&[("actor_token_type", TYPE)]), Err("there is an actor_token_type without an actor_token"));
        assert_eq!(read(&subject[1..]), Err("the parameter subject_token is missing"));
        assert_eq!(read(&subject[..1]), Err("the parameter subject_token_type is missing"));
    }

    #[test]
    fn section_4_1_actors_are_nested_and_not_without_end() {
        let mut actor = Actor::after(None, "one").unwrap();
        for sub in ["two", "three", "four"] {
            actor = Actor::after(Some(&actor), sub).unwrap();
        }
        let nested = json!({"sub": "four", "act": {"sub": "three", "act": {"sub": "two", "act": {"sub": "one"}}}});
        assert_eq!(serde_json::to_value(&actor).unwrap(), nested);
        assert_eq!(Actor::after(Some(&actor), "five"), None);
    }

    #[test]
    fn section_4_4_only_who_is_named_may_act() {
        let may = |allowed: Value| may_act(allowed.as_object().unwrap(), "shop", "https://issuer.example");
        assert!(may(json!({"sub": "shop"})) && may(json!({"sub": "shop", "iss": "https://issuer.example"})));
        for other in [
            json!({}),
            json!({"sub": "other"}),
            json!({"iss": "https://issuer.example"}),
            json!({"sub": "shop", "iss": "https://other.example"}),
            json!({"sub": "shop", "email": "shop@example.com"}),
            json!({"sub": ["shop"]}),
        ] {
            assert!(!may(other.clone()), "{other}");
        }
    }
}
