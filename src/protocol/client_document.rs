//! Client ID metadata documents (draft-ietf-oauth-client-id-metadata-document): a client whose identifier is an https address,
//! at which it says who it is.
//!
//! Nobody registered it and nobody knows it: that it is the one who has that address is all that is certain. What it says of
//! itself is client metadata as in RFC 7591, and read by [`super::registration`]; here is what is particular.

use serde_json::{Map, Value};
use url::Url;

use super::client_metadata::Violation;
use super::redirect_uri;
use super::strict_json;
use super::uri::AbsoluteUri;
use crate::model::client::{ApplicationType, ClientAuthMethod, ClientSettings, GrantType};

/// The grants that such clients may have: those in which a person is asked.
pub const GRANTS: [GrantType; 3] = [GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::DeviceCode];

/// The ways in which they may authenticate: there is nowhere to agree on a secret (section 4.1).
pub const METHODS: [ClientAuthMethod; 2] = [ClientAuthMethod::None, ClientAuthMethod::PrivateKeyJwt];

/// The longest document, in bytes. The draft thinks of 5 KiB; keys and names in many languages need more.
pub const LONGEST: usize = 16 * 1024;

/// What a document may say. Everything else is ignored (RFC 7591 section 2): addresses that a stranger would have this server
/// call of its own accord are not among it.
const MEMBERS: [&str; 36] = [
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
    "token_endpoint_auth_method",
    "token_endpoint_auth_signing_alg",
    "jwks",
    "jwks_uri",
    "grant_types",
    "response_types",
    "scope",
    "subject_type",
    "require_pushed_authorization_requests",
    "require_signed_request_object",
    "request_object_signing_alg",
    "request_object_encryption_alg",
    "request_object_encryption_enc",
    "dpop_bound_access_tokens",
    "id_token_signed_response_alg",
    "id_token_encrypted_response_alg",
    "id_token_encrypted_response_enc",
    "userinfo_signed_response_alg",
    "userinfo_encrypted_response_alg",
    "userinfo_encrypted_response_enc",
    "authorization_signed_response_alg",
    "authorization_encrypted_response_alg",
    "authorization_encrypted_response_enc",
    "introspection_signed_response_alg",
    "introspection_encrypted_response_alg",
    "introspection_encrypted_response_enc",
];

/// What nobody can have who is named by an address (section 4.1), and what would be a promise of somebody else (RFC 7591
/// section 2.3).
const REFUSED: [(&str, &str); 3] = [
    ("client_secret", "it has a client_secret, which everybody could read"),
    ("client_secret_expires_at", "it has client_secret_expires_at, and such clients have no secret"),
    ("software_statement", "it has a software_statement, which is not supported there"),
];

/// An identifier that is the address of a document (section 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentUrl {
    url: Url,
    host: String,
}

impl DocumentUrl {
    /// Reads an identifier; `None` if it is of another kind: not https, with user information, a fragment or dot segments, for
    /// an address in place of a name, or written in another way than it is called. What is compared, what is called and what
    /// people are shown are thus the same.
    pub fn parse(client_id: &str) -> Option<Self> {
        let parts = AbsoluteUri::parse(client_id).filter(|parts| parts.scheme == "https")?;
        let path = parts.tail.split('?').next().unwrap_or_default();
        let is_dots = |segment: &str| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
        if parts.authority?.contains('@') || !path.starts_with('/') || path.split('/').any(is_dots) {
            return None;
        }
        let url = Url::parse(client_id).ok().filter(|url| url.as_str() == client_id)?;
        let host = url.domain()?.to_owned();
        Some(Self { url, host })
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// The name of its host, without the port.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The host as people are shown it: with the port, if that is not the usual one.
    pub fn place(&self) -> String {
        self.url.port().map_or_else(|| self.host.clone(), |port| format!("{}:{port}", self.host))
    }

    /// The metadata in the document that was found there, for [`super::registration::settings`]; else what is wrong with it.
    pub fn metadata(&self, document: &[u8]) -> Result<Map<String, Value>, &'static str> {
        let value = strict_json::parse(document).map_err(|_| "it is not JSON in which no member is there twice")?;
        if strict_json::has_nul(&value) {
            return Err("a text in it has U+0000");
        }
        let Value::Object(said) = value else { return Err("it is not a JSON object") };
        // Section 4.1: simple string comparison. Without it, whoever lets others upload would vouch for them.
        if said.get("client_id").and_then(Value::as_str) != Some(self.as_str()) {
            return Err("its client_id is not its own address");
        }
        if let Some((_, what)) = REFUSED.into_iter().find(|(name, _)| said.contains_key(*name)) {
            return Err(what);
        }
        let is_known = |name: &str| MEMBERS.contains(&name) || name.split('#').next() == Some("client_name");
        let mut metadata: Map<String, Value> =
            said.into_iter().filter(|(name, value)| is_known(name) && !value.is_null()).collect();
        // The default of RFC 7591 is a secret, which there is none of.
        metadata.entry("token_endpoint_auth_method").or_insert_with(|| ClientAuthMethod::None.as_str().into());
        if !metadata.contains_key("application_type") && has_loopback(&metadata) {
            metadata.insert("application_type".to_owned(), "native".into());
        }
        self.keep_home(&mut metadata);
        Ok(metadata)
    }

    /// Pages link to a client's home by the name of its host, which people take for who it is: it has to be the one that is
    /// certain (section 6).
    fn keep_home(&self, metadata: &mut Map<String, Value>) {
        let home = metadata.get("client_uri").and_then(Value::as_str).and_then(|uri| Url::parse(uri).ok());
        if home.is_none_or(|home| home.origin() != self.url.origin()) {
            let origin = format!("{}/", self.url.origin().ascii_serialization());
            metadata.insert("client_uri".to_owned(), origin.into());
        }
    }
}

/// A program on somebody's machine listens on whatever port it gets (RFC 8252 section 7.3), and few say that they are one.
fn has_loopback(metadata: &Map<String, Value>) -> bool {
    let uris = metadata.get("redirect_uris").and_then(Value::as_array).into_iter().flatten();
    uris.filter_map(Value::as_str).any(redirect_uri::is_loopback)
}

/// What is wrong with the settings of such a client beyond what is wrong with anybody's. Whoever likes can claim a scheme of
/// somebody else's application, so answers go to https or to the machine itself.
pub fn violations(settings: &ClientSettings) -> Vec<Violation> {
    let web = ApplicationType::Web;
    let is_wrong = |uri: &String| redirect_uri::validate_for_registration(uri, web).is_err();
    let wrong = settings.redirect_uris.iter().enumerate().filter(|(_, uri)| is_wrong(uri));
    let what = "a client that is named by an address has https or loopback redirect URIs";
    wrong.map(|(index, _)| (format!("/redirect_uris/{index}"), what.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const ID: &str = "https://agent.example/client.json";

    fn metadata(more: Value) -> Result<Map<String, Value>, &'static str> {
        let mut document = json!({"client_id": ID, "redirect_uris": ["https://agent.example/callback"]});
        document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        DocumentUrl::parse(ID).unwrap().metadata(document.to_string().as_bytes())
    }

    #[test]
    fn section_3_which_identifiers_are_addresses() {
        for id in [
            ID,
            "https://agent.example/",
            "https://agent.example:8443/a/b.json",
            "https://agent.example/a?b=c",
            "https://xn--bcher-kva.example/.well-known/client",
            "https://localhost:1234/client",
        ] {
            assert_eq!(DocumentUrl::parse(id).map(|url| url.as_str().to_owned()).as_deref(), Some(id));
        }
        for id in [
            "web",
            "http://agent.example/client",
            "HTTPS://agent.example/client",
            "https://agent.example",
            "https://agent.example?a",
            "https://Agent.example/client",
            "https://agent.example:443/client",
            "https://me@agent.example/client",
            "https://me:x@agent.example/client",
            "https://agent.example/client#me",
            "https://agent.example/a/../client",
            "https://agent.example/./client",
            "https://agent.example/%2e%2E/client",
            "https://192.0.2.1/client",
            "https://[2001:db8::1]/client",
            "https://b\u{fc}cher.example/client",
            "https:///client",
            "",
        ] {
            assert_eq!(DocumentUrl::parse(id), None, "{id}");
        }
        let url = DocumentUrl::parse("https://agent.example:8443/a").unwrap();
        assert_eq!((url.host(), url.place().as_str()), ("agent.example", "agent.example:8443"));
        assert_eq!(DocumentUrl::parse(ID).unwrap().place(), "agent.example");
    }

    #[test]
    fn section_4_1_a_document_is_for_its_own_address_and_has_no_secret() {
        assert!(metadata(json!({})).is_ok());
        for id in [json!("https://agent.example/client"), json!(null), json!(7), json!("https://other.example/")] {
            assert_eq!(metadata(json!({"client_id": id})), Err("its client_id is not its own address"));
        }
        for name in ["client_secret", "client_secret_expires_at", "software_statement"] {
            assert!(metadata(json!({name: "x"})).is_err_and(|what| what.contains(name)), "{name}");
        }
        let url = DocumentUrl::parse(ID).unwrap();
        for document in ["", "[]", "7", "{\"client_id\": \"a\", \"client_id\": \"a\"}", "{\"client_id\": \"a\\u0000\"}"]
        {
            assert!(url.metadata(document.as_bytes()).is_err(), "{document}");
        }
    }

    #[test]
    fn what_it_may_say_is_kept_and_the_rest_is_left_out() {
        let said = json!({
            "client_name": "Agent", "client_name#de": "Agentin", "backchannel_logout_uri": "https://victim.example/",
            "request_uris": ["https://victim.example/"], "tls_client_auth_san_dns": "agent.example", "tos_uri": null,
        });
        let found = metadata(said).unwrap();
        let names: Vec<&str> = found.keys().map(String::as_str).collect();
        let expected = ["client_name", "client_name#de", "client_uri", "redirect_uris", "token_endpoint_auth_method"];
        assert!(names.iter().all(|name| expected.contains(name)) && names.len() == expected.len(), "{names:?}");
        assert_eq!(found["token_endpoint_auth_method"], "none");
    }

    #[test]
    fn the_home_is_at_the_host_that_is_certain() {
        let home = |uri: Value| metadata(json!({"client_uri": uri})).unwrap()["client_uri"].clone();
        assert_eq!(home(json!("https://agent.example/about")), "https://agent.example/about");
        for other in [json!("https://bank.example/"), json!("http://agent.example/"), json!("x"), json!(7), json!(null)]
        {
            assert_eq!(home(other), "https://agent.example/");
        }
    }

    #[test]
    fn who_returns_to_the_machine_itself_is_native_unless_it_says_otherwise() {
        let kind = |more| metadata(more).unwrap().get("application_type").cloned();
        assert_eq!(kind(json!({})), None);
        let local = ["https://agent.example/callback", "http://127.0.0.1/callback"];
        assert_eq!(kind(json!({"redirect_uris": local})), Some(json!("native")));
        assert_eq!(kind(json!({"redirect_uris": local, "application_type": "web"})), Some(json!("web")));
    }

    #[test]
    fn answers_go_to_https_or_to_the_machine_itself() {
        let uris = ["https://a.example/cb", "http://localhost:1/cb", "com.example.app:/cb", "http://a.example/cb"];
        let settings = ClientSettings { redirect_uris: uris.map(str::to_owned).into(), ..ClientSettings::default() };
        let pointers: Vec<String> = violations(&settings).into_iter().map(|(pointer, _)| pointer).collect();
        assert_eq!(pointers, ["/redirect_uris/2", "/redirect_uris/3"]);
    }

    proptest! {
        #[test]
        fn never_panics(id in any::<String>(), document in any::<Vec<u8>>()) {
            if let Some(url) = DocumentUrl::parse(&id) {
                let _ = url.metadata(&document);
            }
        }

        #[test]
        fn what_is_called_is_what_was_said(id in "https://[a-zA-Z0-9.:@%-]{1,12}(/[a-z0-9.%#?]{0,4}){0,3}") {
            if let Some(url) = DocumentUrl::parse(&id) {
                let called = Url::parse(&id).unwrap();
                prop_assert_eq!(called.as_str(), id.as_str());
                prop_assert!(!url.host().is_empty() && !id.contains('#') && !id.contains('@'));
            }
        }
    }
}
