//! What a client says of itself when it registers, and what it is told of its registration (RFC 7591 sections 2 and 3.2.1,
//! OpenID Connect Registration section 2).
//!
//! The server decides over everything that is not client metadata there: what else a document says is ignored (RFC 7591 section
//! 2). Grants and scopes that a client cannot have are left out, and the answer shows it; anything else that cannot be as it was
//! asked is refused.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::client_metadata::{self, Violation};
use super::error::OAuthError;
use crate::model::catalog::Localized;
use crate::model::client::{ClientAuthMethod, ClientSettings, GrantType, SubjectType};
use crate::model::profile::Profile;

/// What a client may have.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The grants.
    pub grant_types: Vec<GrantType>,
    /// The ways to authenticate.
    pub methods: Vec<ClientAuthMethod>,
    /// The scopes; all of them, unless it asks for fewer.
    pub scopes: Vec<String>,
    /// What it may call people; the first, unless it asks for another.
    pub subject_types: Vec<SubjectType>,
    /// What it is held to at least, whatever is registered for it.
    pub profile: Profile,
    /// Whether its pages may be on hosts that none of its redirect URIs has.
    pub has_pages_elsewhere: bool,
}

/// The members that are called the same here and there, and mean the same.
const MEMBERS: [&str; 52] = [
    "application_type",
    "client_uri",
    "logo_uri",
    "policy_uri",
    "tos_uri",
    "contacts",
    "software_id",
    "software_version",
    "redirect_uris",
    "post_logout_redirect_uris",
    "subject_type",
    "sector_identifier_uri",
    "token_endpoint_auth_method",
    "token_endpoint_auth_signing_alg",
    "tls_client_auth_subject_dn",
    "tls_client_auth_san_dns",
    "tls_client_auth_san_uri",
    "tls_client_auth_san_ip",
    "tls_client_auth_san_email",
    "tls_client_certificate_bound_access_tokens",
    "jwks",
    "jwks_uri",
    "require_pushed_authorization_requests",
    "require_signed_request_object",
    "request_object_signing_alg",
    "request_object_encryption_alg",
    "request_object_encryption_enc",
    "request_uris",
    "dpop_bound_access_tokens",
    "id_token_signed_response_alg",
    "id_token_encrypted_response_alg",
    "id_token_encrypted_response_enc",
    "authorization_signed_response_alg",
    "authorization_encrypted_response_alg",
    "authorization_encrypted_response_enc",
    "userinfo_signed_response_alg",
    "userinfo_encrypted_response_alg",
    "userinfo_encrypted_response_enc",
    "introspection_signed_response_alg",
    "introspection_encrypted_response_alg",
    "introspection_encrypted_response_enc",
    "default_max_age",
    "require_auth_time",
    "default_acr_values",
    "initiate_login_uri",
    "backchannel_logout_uri",
    "backchannel_logout_session_required",
    "frontchannel_logout_uri",
    "frontchannel_logout_session_required",
    "backchannel_token_delivery_mode",
    "backchannel_client_notification_endpoint",
    "grant_types",
];

/// How many violations a refusal tells: more help nobody, and the answer must not be longer than the request.
const MOST_TOLD: usize = 10;

/// The one response type (RFC 6749 section 4.1.1).
const CODE: &str = "code";

const CLIENT_NAME: &str = "client_name";

/// The settings of a client that registers `metadata`. What is not metadata is as in `base`; what is left out has its default
/// (RFC 7592 section 2.2).
pub fn settings(
    metadata: &Map<String, Value>,
    base: &ClientSettings,
    limits: &Limits,
) -> Result<ClientSettings, OAuthError> {
    let mut violations = Vec::new();
    let grant_types = grant_types(metadata, limits, &mut violations);
    let client_name = client_name(metadata, &mut violations);
    let scopes = scopes(metadata, limits, &mut violations);
    let mut object = object(base)?;
    let defaults = self::object(&ClientSettings::default())?;
    for name in MEMBERS {
        let value = present(metadata, name).or_else(|| defaults.get(name)).cloned();
        object.insert(name.to_owned(), value.unwrap_or(Value::Null));
    }
    // Read by itself: names that are unknown here are no error there.
    object.insert("grant_types".to_owned(), Value::Array(Vec::new()));
    let mut settings = match read(Value::Object(object)) {
        Ok(settings) => settings,
        Err(violation) => {
            violations.push(violation);
            return Err(refusal(&violations));
        }
    };
    settings.grant_types = grant_types;
    settings.client_name = client_name;
    settings.scopes = scopes;
    match limits.subject_types.first() {
        Some(first) if present(metadata, "subject_type").is_none() => settings.subject_type = *first,
        _ if limits.subject_types.contains(&settings.subject_type) => {}
        _ => {
            let what = "clients that register themselves may not call people like that";
            violations.push(("/subject_type".to_owned(), what.to_owned()));
        }
    }
    let profile = settings.profile.max(limits.profile);
    // RFC 9700 section 2.1.1, FAPI 2.0 Security Profile section 5.3.2.2.
    settings.pkce_required |= settings.token_endpoint_auth_method == ClientAuthMethod::None || profile.is_fapi2();
    if !limits.methods.contains(&settings.token_endpoint_auth_method) {
        let what = "clients that register themselves may not authenticate like that";
        violations.push(("/token_endpoint_auth_method".to_owned(), what.to_owned()));
    }
    violations.extend(client_metadata::violations_under(&settings, profile));
    violations.extend(client_metadata::text_violations(&settings));
    if !limits.has_pages_elsewhere {
        violations.extend(client_metadata::page_violations(&settings));
    }
    if violations.is_empty() { Ok(settings) } else { Err(refusal(&violations)) }
}

/// The metadata of a client as they are in force.
pub fn metadata(settings: &ClientSettings) -> Result<Map<String, Value>, OAuthError> {
    let mut object = object(settings)?;
    let is_said = |value: &Value| !value.is_null() && value.as_array().is_none_or(|array| !array.is_empty());
    let members = MEMBERS.into_iter().filter_map(|name| Some((name.to_owned(), object.remove(name)?)));
    let mut metadata: Map<String, Value> = members.filter(|(_, value)| is_said(value)).collect();
    for (tag, name) in &settings.client_name {
        let member = if tag == "en" { CLIENT_NAME.to_owned() } else { format!("{CLIENT_NAME}#{tag}") };
        metadata.insert(member, name.as_str().into());
    }
    let has_code = settings.grant_types.contains(&GrantType::AuthorizationCode);
    let response_types: Vec<Value> = has_code.then(|| CODE.into()).into_iter().collect();
    metadata.insert("response_types".to_owned(), response_types.into());
    metadata.insert("scope".to_owned(), settings.scopes.join(" ").into());
    Ok(metadata)
}

/// RFC 7591 section 3.2.2. The violations are in our own words.
pub fn refusal(violations: &[Violation]) -> OAuthError {
    let is_redirect_uri = |(pointer, _): &Violation| pointer.starts_with("/redirect_uris");
    let error = if violations.iter().any(is_redirect_uri) {
        OAuthError::invalid_redirect_uri("a redirect URI cannot be registered")
    } else {
        OAuthError::invalid_client_metadata("the client metadata cannot be registered")
    };
    let mut told: Vec<_> =
        violations.iter().take(MOST_TOLD).map(|(pointer, what)| format!("{pointer}: {what}")).collect();
    if let Some(more) = violations.len().checked_sub(MOST_TOLD).filter(|more| *more > 0) {
        told.push(format!("and {more} more"));
    }
    error.with_detail(&told.join("; "))
}

/// What is said of a member; a null says nothing (RFC 7592 section 2.2).
fn present<'a>(metadata: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    metadata.get(name).filter(|value| !value.is_null())
}

fn object(settings: &ClientSettings) -> Result<Map<String, Value>, OAuthError> {
    match serde_json::to_value(settings) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(OAuthError::server_error("the server could not complete the request")),
        Err(error) => Err(OAuthError::server_error("the server could not complete the request").with_source(error)),
    }
}

/// What serde says of a value would tell the value.
fn read(value: Value) -> Result<ClientSettings, Violation> {
    let mut track = serde_path_to_error::Track::new();
    let read = ClientSettings::deserialize(serde_path_to_error::Deserializer::new(value, &mut track));
    read.map_err(|_| {
        let path = track.path().to_string();
        let member = path.split(['.', '[']).next().unwrap_or_default();
        (format!("/{member}"), "it has a value that this server cannot read or does not support".to_owned())
    })
}

fn texts(metadata: &Map<String, Value>, name: &str, violations: &mut Vec<Violation>) -> Option<Vec<String>> {
    let value = present(metadata, name)?;
    let texts: Option<Vec<String>> =
        value.as_array().and_then(|array| array.iter().map(|text| text.as_str().map(str::to_owned)).collect());
    if texts.is_none() {
        violations.push((format!("/{name}"), "it must be an array of texts".to_owned()));
    }
    texts
}

/// RFC 7591 section 2.1: grants and response types go together.
fn grant_types(metadata: &Map<String, Value>, limits: &Limits, violations: &mut Vec<Violation>) -> Vec<GrantType> {
    let asked = texts(metadata, "grant_types", violations);
    let asked = asked.unwrap_or_else(|| vec![GrantType::AuthorizationCode.as_str().to_owned()]);
    let mut grants: Vec<GrantType> = Vec::new();
    for grant in asked.iter().filter_map(|name| GrantType::from_name(name)) {
        if limits.grant_types.contains(&grant) && !grants.contains(&grant) {
            grants.push(grant);
        }
    }
    if grants.is_empty() {
        violations.push(("/grant_types".to_owned(), "none of them can be registered".to_owned()));
    }
    if let Some(types) = texts(metadata, "response_types", violations) {
        let has_code = types.iter().any(|one| one == CODE);
        if !types.is_empty() && !has_code {
            violations.push(("/response_types".to_owned(), "the one response type is code".to_owned()));
        } else if has_code != grants.contains(&GrantType::AuthorizationCode) {
            let what = "code goes together with the grant authorization_code";
            violations.push(("/response_types".to_owned(), what.to_owned()));
        }
    }
    grants
}

/// RFC 7591 section 2.2: `client_name#de`. What has no language is taken for English.
fn client_name(metadata: &Map<String, Value>, violations: &mut Vec<Violation>) -> Localized {
    let mut names = Localized::new();
    for (member, value) in metadata.iter().filter(|(_, value)| !value.is_null()) {
        let tag = match member.strip_prefix(CLIENT_NAME) {
            Some("") => "en",
            Some(rest) if rest.starts_with('#') => rest.trim_start_matches('#'),
            Some(_) | None => continue,
        };
        match value.as_str() {
            Some(name) if tag != "en" || member == CLIENT_NAME => {
                names.insert(tag.to_owned(), name.to_owned());
            }
            Some(name) => {
                names.entry("en".to_owned()).or_insert_with(|| name.to_owned());
            }
            None => violations.push((format!("/{CLIENT_NAME}"), "it must be a text".to_owned())),
        }
    }
    if let Some(first) = names.values().next().cloned() {
        names.entry("en".to_owned()).or_insert(first);
    }
    names
}

fn scopes(metadata: &Map<String, Value>, limits: &Limits, violations: &mut Vec<Violation>) -> Vec<String> {
    let Some(value) = present(metadata, "scope") else { return limits.scopes.clone() };
    let Some(asked) = value.as_str() else {
        violations.push(("/scope".to_owned(), "it must be a text".to_owned()));
        return Vec::new();
    };
    let mut scopes: Vec<String> = Vec::new();
    for name in asked.split(' ') {
        if limits.scopes.iter().any(|one| one == name) && !scopes.iter().any(|one| one == name) {
            scopes.push(name.to_owned());
        }
    }
    if scopes.is_empty() && !asked.trim().is_empty() {
        violations.push(("/scope".to_owned(), "none of them can be registered".to_owned()));
    }
    scopes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn registered(metadata: Value) -> Result<ClientSettings, String> {
        let limits = Limits {
            grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
            methods: vec![ClientAuthMethod::ClientSecretBasic, ClientAuthMethod::None],
            scopes: vec!["openid".into(), "email".into()],
            subject_types: SubjectType::ALL.into(),
            profile: Profile::Oauth2,
            has_pages_elsewhere: false,
        };
        let mut object = json!({"redirect_uris": ["https://a.example/callback"]}).as_object().unwrap().clone();
        object.extend(metadata.as_object().unwrap().clone());
        let base = ClientSettings { pkce_required: false, ..ClientSettings::default() };
        settings(&object, &base, &limits).map_err(|error| format!("{}: {}", error.code().as_str(), error.detail()))
    }

    #[test]
    fn what_is_left_out_has_the_default_of_rfc_7591_section_2() {
        let settings = registered(json!({})).unwrap();
        assert_eq!(settings.grant_types, [GrantType::AuthorizationCode]);
        assert_eq!(settings.token_endpoint_auth_method, ClientAuthMethod::ClientSecretBasic);
        assert_eq!(settings.scopes, ["openid", "email"]);
        assert_eq!(metadata(&settings).unwrap()["response_types"], json!(["code"]));
    }

    #[test]
    fn what_the_server_decides_cannot_be_registered() {
        let asked = json!({
            "consent": "first_party", "profile": "oauth2", "pkce_required": false, "serves": ["https://a.example/"],
            "resources": ["https://a.example/"], "lifetimes": {"access_token": 5}, "unknown": {"deep": [1]},
            "token_endpoint_auth_method": "none",
        });
        let settings = registered(asked).unwrap();
        let expected = ClientSettings {
            redirect_uris: vec!["https://a.example/callback".into()],
            token_endpoint_auth_method: ClientAuthMethod::None,
            scopes: vec!["openid".into(), "email".into()],
            ..ClientSettings::default()
        };
        assert_eq!(settings, expected);
    }

    #[test]
    fn grants_and_scopes_that_cannot_be_had_are_left_out() {
        let asked = json!({
            "grant_types": ["implicit", "authorization_code", "client_credentials", "refresh_token"],
            "response_types": ["code", "id_token"], "scope": "email admin:clients email",
        });
        let settings = registered(asked).unwrap();
        assert_eq!(settings.grant_types, [GrantType::AuthorizationCode, GrantType::RefreshToken]);
        assert_eq!(settings.scopes, ["email"]);
        assert_eq!(metadata(&settings).unwrap()["scope"], "email");
    }

    #[test]
    fn names_in_several_languages_are_kept_and_told() {
        let settings = registered(json!({"client_name": "Album", "client_name#de": "Fotoalbum"})).unwrap();
        assert_eq!((settings.client_name["en"].as_str(), settings.client_name["de"].as_str()), ("Album", "Fotoalbum"));
        let told = metadata(&settings).unwrap();
        assert_eq!((&told["client_name"], &told["client_name#de"]), (&json!("Album"), &json!("Fotoalbum")));
        assert_eq!(registered(json!({"client_name#de": "Fotoalbum"})).unwrap().client_name["en"], "Fotoalbum");
    }

    #[test]
    fn a_refusal_is_short_however_much_is_wrong() {
        let uris: Vec<String> = (0..5000).map(|n| format!("https://a.example/#{n}")).collect();
        let refused = registered(json!({ "redirect_uris": uris })).unwrap_err();
        assert!(refused.len() < 1100 && refused.ends_with("; and 4991 more"), "{refused}");
    }

    #[test]
    fn each_refusal_names_the_member_and_never_its_value() {
        let table = [
            (json!({"redirect_uris": ["https://a.example/#secret"]}), "invalid_redirect_uri: /redirect_uris/0: "),
            (json!({"redirect_uris": []}), "invalid_redirect_uri: /redirect_uris: "),
            (json!({"redirect_uris": "secret"}), "invalid_redirect_uri: /redirect_uris: "),
            (json!({"grant_types": "secret"}), "invalid_client_metadata: /grant_types: "),
            (json!({"grant_types": ["client_credentials"]}), "invalid_client_metadata: /grant_types: "),
            (json!({"response_types": ["token"]}), "invalid_client_metadata: /response_types: "),
            (json!({"response_types": []}), "invalid_client_metadata: /response_types: "),
            (json!({"token_endpoint_auth_method": "secret"}), "invalid_client_metadata: /token_endpoint_auth_method: "),
            (
                json!({"token_endpoint_auth_method": "private_key_jwt"}),
                "invalid_client_metadata: /token_endpoint_auth_",
            ),
            (json!({"id_token_signed_response_alg": "none"}), "invalid_client_metadata: /id_token_signed_response_alg"),
            (json!({"id_token_encrypted_response_alg": "RSA1_5"}), "invalid_client_metadata: /id_token_encrypted_"),
            (json!({"subject_type": "ephemeral"}), "invalid_client_metadata: /subject_type: "),
            (
                json!({"initiate_login_uri": "http://a.example/secret"}),
                "invalid_client_metadata: /initiate_login_uri: ",
            ),
            (json!({"scope": "admin:clients"}), "invalid_client_metadata: /scope: "),
            (json!({"client_name": 5}), "invalid_client_metadata: /client_name: "),
            (json!({"contacts": ["a\nb"]}), "invalid_client_metadata: /contacts/0: "),
            (json!({"client_name#de": "secret#\u{200b}"}), "invalid_client_metadata: /client_name: "),
            (json!({"logo_uri": "https://secret.example/"}), "invalid_client_metadata: /logo_uri: "),
        ];
        for (asked, expected) in table {
            let refused = registered(asked.clone()).expect_err(&asked.to_string());
            assert!(refused.starts_with(expected) && !refused.contains("secret#"), "{asked}: {refused}");
        }
    }
}
