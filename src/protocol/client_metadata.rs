//! Whether what a client registers holds together (RFC 7591 section 2, OpenID Connect Registration section 2, RP-Initiated,
//! Back-Channel and Front-Channel Logout).
//!
//! Whether scopes and resources are registered is for the caller, who has the catalog.

// What is encrypted to it.
mod encryption;
// What a profile asks.
mod profile;
// What it calls people.
mod sector;
// What it may not say of itself if nobody here has checked it.
mod stranger;

use std::collections::BTreeSet;

use chrono::TimeDelta;
use serde_json::Value;
use url::Url;

use self::encryption::encryption_violations;
pub use self::encryption::is_key_for_encryption;
pub use self::profile::{profile_violations, weak_algs};
use self::sector::sector_violation;
pub use self::stranger::{page_violations, text_violations};
use super::authorization_details::is_type;
use super::locale;
use super::mtls;
use super::redirect_uri;
use super::resource;
use super::scope;
use crate::model::catalog::Localized;
use crate::model::client::{ApplicationType, ClientAuthMethod, ClientSettings, GrantType, TokenDeliveryMode};
use crate::model::lifetimes::{ClientLifetimes, Lifetimes};
use crate::model::profile::Profile;

/// The most addresses in one list.
const MAX_URIS: usize = 100;

/// The most scopes of one client: more than an organisation has APIs, and few enough for a page that lists them.
const MAX_SCOPES: usize = 1000;

/// The most keys in one set.
const MAX_KEYS: usize = 20;

/// The members of a key that are nobody else's business (RFC 7518 section 6, RFC 8037 section 2).
pub const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The most ways to reach whoever runs a client.
const MAX_CONTACTS: usize = 20;

/// The longest text that people are shown.
const MAX_TEXT: usize = 200;

/// Something that is wrong: where, as a JSON pointer (RFC 6901) into the settings, and what.
pub type Violation = (String, String);

/// Everything that is wrong with the settings of a client.
pub fn violations(settings: &ClientSettings) -> Vec<Violation> {
    violations_under(settings, settings.profile)
}

/// The same for a client that is held to `profile`.
pub fn violations_under(settings: &ClientSettings, profile: Profile) -> Vec<Violation> {
    let mut found = Found(Vec::new());
    found.localized("/client_name", &settings.client_name);
    found.grants(settings);
    found.keys(settings);
    found.certificate(settings);
    found.redirect_uris(settings);
    found.pages(settings);
    found.words(settings);
    found.logout(settings);
    found.backchannel_authentication(settings);
    found.scopes_and_resources(settings);
    found.token_exchange(settings);
    found.lifetimes(settings.lifetimes);
    found.0.extend(sector_violation(settings));
    found.0.extend(encryption_violations(settings));
    found.0.extend(profile_violations(settings, profile));
    found.0
}

/// What is wrong with a text in several languages.
pub fn localized_violations(pointer: &str, texts: &Localized) -> Vec<Violation> {
    let mut found = Found(Vec::new());
    found.localized(pointer, texts);
    found.0
}

struct Found(Vec<Violation>);

impl Found {
    fn add(&mut self, pointer: impl Into<String>, what: impl Into<String>) {
        self.0.push((pointer.into(), what.into()));
    }

    fn localized(&mut self, pointer: &str, texts: &Localized) {
        if !texts.is_empty() && !texts.contains_key("en") {
            self.add(pointer, "a text must be there in English (en)");
        }
        for (tag, text) in texts {
            if !locale::is_tag(tag) {
                self.add(pointer, "a member must be a language tag such as en or de-AT (BCP 47)");
            }
            if text.trim().is_empty() || text.chars().count() > MAX_TEXT || text.chars().any(char::is_control) {
                self.add(pointer, format!("a text must have 1 to {MAX_TEXT} characters on one line"));
            }
        }
    }

    fn grants(&mut self, settings: &ClientSettings) {
        let has = |grant| settings.grant_types.contains(&grant);
        let is_public = settings.token_endpoint_auth_method == ClientAuthMethod::None;
        if settings.grant_types.iter().collect::<std::collections::HashSet<_>>().len() != settings.grant_types.len() {
            self.add("/grant_types", "a grant type is there twice");
        }
        let gives_them = [GrantType::AuthorizationCode, GrantType::DeviceCode, GrantType::Ciba];
        if has(GrantType::RefreshToken) && !gives_them.into_iter().any(has) {
            let what = "refresh_token needs authorization_code, device_code or ciba: nothing else gives refresh tokens";
            self.add("/grant_types", what);
        }
        // RFC 6749 section 4.4.
        if has(GrantType::ClientCredentials) && is_public {
            self.add("/grant_types", "client_credentials needs a client that can authenticate");
        }
        if has(GrantType::TokenExchange) && is_public {
            self.add("/grant_types", "token exchange needs a client that can authenticate");
        }
        if has(GrantType::AuthorizationCode) && settings.redirect_uris.is_empty() {
            self.add("/redirect_uris", "authorization_code needs a redirect URI");
        }
        if is_public && !settings.pkce_required {
            self.add("/pkce_required", "a public client cannot do without PKCE (RFC 9700 section 2.1.1)");
        }
    }

    /// RFC 7591 section 2, `jwks` and `jwks_uri`.
    fn keys(&mut self, settings: &ClientSettings) {
        if let Some(jwks) = &settings.jwks {
            self.jwks(jwks);
            if settings.jwks_uri.is_some() {
                self.add("/jwks_uri", "there must not be both jwks and jwks_uri");
            }
        }
        if let Some(uri) = &settings.jwks_uri
            && redirect_uri::validate_for_registration(uri, ApplicationType::Web).is_err()
        {
            self.add("/jwks_uri", "it must be an absolute https URI without a fragment");
        }
        self.list("/request_uris", &settings.request_uris, MAX_URIS);
        for (index, uri) in settings.request_uris.iter().enumerate() {
            // OpenID Connect Registration section 2: the hash of the object may stand as the fragment.
            let address = uri.split_once('#').map_or(uri.as_str(), |(address, _)| address);
            if redirect_uri::validate_for_registration(address, ApplicationType::Web).is_err() {
                self.add(format!("/request_uris/{index}"), "it must be an absolute https URI");
            }
        }
        let has_keys = settings.jwks.is_some() || settings.jwks_uri.is_some();
        if settings.require_signed_request_object && !has_keys {
            self.add("/require_signed_request_object", "it needs jwks or jwks_uri: without a key nobody can sign");
        }
        let method = settings.token_endpoint_auth_method;
        let has_own_keys =
            matches!(method, ClientAuthMethod::PrivateKeyJwt | ClientAuthMethod::SelfSignedTlsClientAuth);
        if has_own_keys && !has_keys {
            let what = format!("{} needs jwks or jwks_uri: without a key nobody can be recognised", method.as_str());
            self.add("/token_endpoint_auth_method", what);
        }
    }

    /// RFC 8705 section 2.1.2: one name, and the others absent.
    fn certificate(&mut self, settings: &ClientSettings) {
        let names = mtls::registered_names(settings);
        let is_named = settings.token_endpoint_auth_method == ClientAuthMethod::TlsClientAuth;
        if is_named && names.is_empty() {
            let what = "tls_client_auth needs one of the members tls_client_auth_subject_dn, tls_client_auth_san_dns, \
                        tls_client_auth_san_uri, tls_client_auth_san_ip and tls_client_auth_san_email";
            self.add("/token_endpoint_auth_method", what);
        }
        for (index, name) in names.into_iter().enumerate() {
            if !is_named {
                self.add(name.pointer(), "it is for clients with tls_client_auth alone");
            } else if index > 0 {
                self.add(name.pointer(), "one name of the certificate may be registered, there is another");
            } else if !name.is_readable() {
                self.add(name.pointer(), name.expected_form());
            }
        }
    }

    /// RFC 7517 section 5. Whether a key is of use for something is found when it is used: others are passed over.
    fn jwks(&mut self, jwks: &Value) {
        let Some(keys) = jwks.get("keys").and_then(Value::as_array) else {
            return self.add("/jwks", "it must be a JWK Set: an object with the array keys");
        };
        if keys.is_empty() || keys.len() > MAX_KEYS {
            self.add("/jwks/keys", format!("there must be 1 to {MAX_KEYS} keys"));
        }
        for (index, key) in keys.iter().enumerate() {
            let pointer = format!("/jwks/keys/{index}");
            if !key.get("kty").is_some_and(Value::is_string) {
                self.add(pointer, "it must be a JWK: an object with the member kty");
            } else if PRIVATE_MEMBERS.iter().any(|name| key.get(*name).is_some()) {
                self.add(pointer, "it holds a private or a secret key: register the public members alone");
            }
        }
    }

    fn redirect_uris(&mut self, settings: &ClientSettings) {
        let lists = [
            ("/redirect_uris", &settings.redirect_uris),
            ("/post_logout_redirect_uris", &settings.post_logout_redirect_uris),
        ];
        for (pointer, uris) in lists {
            self.list(pointer, uris, MAX_URIS);
            for (index, uri) in uris.iter().enumerate() {
                if let Err(error) = redirect_uri::validate_for_registration(uri, settings.application_type) {
                    self.add(format!("{pointer}/{index}"), error.to_string());
                }
            }
        }
    }

    fn list(&mut self, pointer: &str, values: &[String], most: usize) {
        if values.len() > most {
            self.add(pointer, format!("there may be {most} at most"));
        }
        if values.iter().collect::<BTreeSet<_>>().len() != values.len() {
            self.add(pointer, "one is there twice");
        }
    }

    fn pages(&mut self, settings: &ClientSettings) {
        let pages = [
            ("/client_uri", &settings.client_uri),
            ("/logo_uri", &settings.logo_uri),
            ("/policy_uri", &settings.policy_uri),
            ("/tos_uri", &settings.tos_uri),
            // OpenID Connect Registration section 2: it must be https.
            ("/initiate_login_uri", &settings.initiate_login_uri),
        ];
        for (pointer, uri) in pages {
            if let Some(uri) = uri
                && redirect_uri::validate_for_registration(uri, ApplicationType::Web).is_err()
            {
                self.add(pointer, "it must be an absolute https URI without a fragment");
            }
        }
    }

    /// What the specifications say nothing more of.
    fn words(&mut self, settings: &ClientSettings) {
        self.list("/contacts", &settings.contacts, MAX_CONTACTS);
        let contacts = settings.contacts.iter().enumerate();
        let texts = contacts.map(|(index, contact)| (format!("/contacts/{index}"), contact));
        let software = [("/software_id", &settings.software_id), ("/software_version", &settings.software_version)];
        let software = software.into_iter().filter_map(|(at, text)| Some((at.to_owned(), text.as_ref()?)));
        for (pointer, text) in texts.chain(software) {
            if text.trim().is_empty() || text.chars().count() > MAX_TEXT || text.chars().any(char::is_control) {
                self.add(pointer, format!("a text must have 1 to {MAX_TEXT} characters on one line"));
            }
        }
    }

    fn logout(&mut self, settings: &ClientSettings) {
        let uris = [
            ("/backchannel_logout_uri", &settings.backchannel_logout_uri),
            ("/frontchannel_logout_uri", &settings.frontchannel_logout_uri),
        ];
        for (pointer, uri) in uris {
            let Some(uri) = uri else { continue };
            if let Err(error) = redirect_uri::validate_for_registration(uri, ApplicationType::Web) {
                let what = error.to_string().replace("a redirect URI", "it");
                self.add(pointer, what);
            }
        }
        // Front-Channel Logout section 2: it gets `iss` and `sid`, which are for the client's own origin alone.
        if let Some(uri) = &settings.frontchannel_logout_uri {
            let origin = |uri: &str| Url::parse(uri).ok().map(|url| url.origin());
            let is_own = settings.redirect_uris.iter().any(|redirect| origin(redirect) == origin(uri));
            if !is_own {
                self.add("/frontchannel_logout_uri", "it must have the origin of one of the redirect URIs");
            }
        }
    }

    /// OpenID Connect CIBA section 4.
    fn backchannel_authentication(&mut self, settings: &ClientSettings) {
        let endpoint = settings.backchannel_client_notification_endpoint.as_deref();
        if endpoint.is_some_and(|uri| redirect_uri::validate_for_registration(uri, ApplicationType::Web).is_err()) {
            let what = "it must be an absolute https URI without a fragment";
            self.add("/backchannel_client_notification_endpoint", what);
        }
        let mode = settings.backchannel_token_delivery_mode;
        if mode == Some(TokenDeliveryMode::Ping) && endpoint.is_none() {
            let what = "the mode ping needs an address at which the client is told";
            self.add("/backchannel_client_notification_endpoint", what);
        }
        if !settings.grant_types.contains(&GrantType::Ciba) {
            return;
        }
        if mode.is_none() {
            self.add("/backchannel_token_delivery_mode", "the CIBA grant needs it: poll or ping");
        }
        if settings.token_endpoint_auth_method == ClientAuthMethod::None {
            self.add("/grant_types", "the CIBA grant needs a client that can authenticate");
        }
    }

    fn scopes_and_resources(&mut self, settings: &ClientSettings) {
        self.list("/scopes", &settings.scopes, MAX_SCOPES);
        for (index, name) in settings.scopes.iter().enumerate() {
            if !scope::parse(name).is_ok_and(|parsed| parsed == [name.as_str()]) {
                self.add(format!("/scopes/{index}"), "it is not a scope (RFC 6749 section 3.3)");
            }
        }
        self.list("/authorization_details_types", &settings.authorization_details_types, MAX_SCOPES);
        for (index, name) in settings.authorization_details_types.iter().enumerate() {
            if !is_type(name) {
                self.add(format!("/authorization_details_types/{index}"), "it is not a type of authorization details");
            }
        }
        let lists = [
            ("/resources", &settings.resources),
            ("/serves", &settings.serves),
            ("/token_exchange/resources", &settings.token_exchange.resources),
        ];
        for (pointer, uris) in lists {
            for (index, uri) in uris.iter().enumerate() {
                if resource::parse(uri.as_str()).is_err() {
                    self.add(format!("{pointer}/{index}"), "it must be an absolute URI without a fragment");
                }
            }
        }
    }

    /// RFC 8693: what is given must be of use, and nothing that the client may not ask for anyway.
    fn token_exchange(&mut self, settings: &ClientSettings) {
        let policy = &settings.token_exchange;
        for (index, uri) in policy.resources.iter().enumerate() {
            if !settings.resources.is_empty() && !settings.resources.contains(uri) {
                let what = "it must be among the resources that the client may ask for";
                self.add(format!("/token_exchange/resources/{index}"), what);
            }
        }
        if !settings.grant_types.contains(&GrantType::TokenExchange) {
            return;
        }
        if policy.resources.is_empty() {
            self.add("/token_exchange/resources", "token exchange needs a resource to get tokens for");
        }
        if !policy.delegation && !policy.impersonation {
            self.add("/token_exchange/delegation", "token exchange needs delegation, impersonation or both");
        }
    }

    /// The bounds are those of the server's own settings: a token that lives for years is no token, and a grace of hours is
    /// time for a thief.
    fn lifetimes(&mut self, own: ClientLifetimes) {
        let positive = [
            ("/lifetimes/access_token", own.access_token),
            ("/lifetimes/id_token", own.id_token),
            ("/lifetimes/authorization_code", own.authorization_code),
            ("/lifetimes/refresh_idle", own.refresh_idle),
            ("/lifetimes/refresh_absolute", own.refresh_absolute),
        ];
        for (pointer, _) in positive.into_iter().filter(|(_, seconds)| *seconds == Some(0)) {
            self.add(pointer, "it must be a second at least");
        }
        let most = [
            ("/lifetimes/access_token", own.access_token, TimeDelta::days(1)),
            ("/lifetimes/id_token", own.id_token, TimeDelta::days(1)),
            ("/lifetimes/authorization_code", own.authorization_code, Lifetimes::LONGEST_CODE),
            ("/lifetimes/refresh_idle", own.refresh_idle, TimeDelta::days(3650)),
            ("/lifetimes/refresh_absolute", own.refresh_absolute, TimeDelta::days(3650)),
            ("/lifetimes/refresh_grace", own.refresh_grace, TimeDelta::minutes(5)),
        ];
        for (pointer, own, most) in most {
            let most = most.num_seconds();
            if own.is_some_and(|seconds| i64::from(seconds) > most) {
                self.add(pointer, format!("it may be {most} seconds at most"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::model::id::ResourceUri;

    fn pointers(change: impl FnOnce(&mut ClientSettings)) -> Vec<String> {
        let mut settings =
            ClientSettings { redirect_uris: vec!["https://a.example/callback".into()], ..ClientSettings::default() };
        change(&mut settings);
        violations(&settings).into_iter().map(|(pointer, _)| pointer).collect()
    }

    #[test]
    fn good_settings_have_no_violations() {
        assert!(pointers(|_| {}).is_empty());
        let television = pointers(|s| {
            s.grant_types = vec![GrantType::DeviceCode, GrantType::RefreshToken];
            s.redirect_uris.clear();
        });
        assert!(television.is_empty());
        let machine = pointers(|s| {
            s.grant_types = vec![GrantType::ClientCredentials];
            s.redirect_uris.clear();
        });
        assert!(machine.is_empty());
    }

    #[test]
    fn rfc_8705_section_2_1_2_exactly_one_name_of_the_certificate() {
        let named = |change: fn(&mut ClientSettings)| {
            pointers(|s| {
                s.token_endpoint_auth_method = ClientAuthMethod::TlsClientAuth;
                change(s);
            })
        };
        assert_eq!(named(|_| {}), ["/token_endpoint_auth_method"]);
        assert!(named(|s| s.tls_client_auth_subject_dn = Some("CN=a,O=B".into())).is_empty());
        assert!(named(|s| s.tls_client_auth_san_dns = Some("a.example".into())).is_empty());
        assert!(named(|s| s.tls_client_auth_san_uri = Some("spiffe://a.example/b".into())).is_empty());
        assert!(named(|s| s.tls_client_auth_san_ip = Some("2001:db8::1".into())).is_empty());
        assert!(named(|s| s.tls_client_auth_san_email = Some("a@a.example".into())).is_empty());
        let both = |s: &mut ClientSettings| {
            s.tls_client_auth_san_dns = Some("a.example".into());
            s.tls_client_auth_san_ip = Some("192.0.2.1".into());
        };
        assert_eq!(named(both), ["/tls_client_auth_san_ip"]);
        assert_eq!(named(|s| s.tls_client_auth_subject_dn = Some("nobody".into())), ["/tls_client_auth_subject_dn"]);
        assert_eq!(named(|s| s.tls_client_auth_san_ip = Some("a.example".into())), ["/tls_client_auth_san_ip"]);
        assert_eq!(named(|s| s.tls_client_auth_san_dns = Some(String::new())), ["/tls_client_auth_san_dns"]);
        assert_eq!(pointers(|s| s.tls_client_auth_san_dns = Some("a.example".into())), ["/tls_client_auth_san_dns"]);
    }

    #[test]
    fn each_rule_is_told_with_its_pointer() {
        assert_eq!(pointers(|s| s.redirect_uris.clear()), ["/redirect_uris"]);
        assert_eq!(pointers(|s| s.redirect_uris.push("http://a.example/".into())), ["/redirect_uris/1"]);
        assert_eq!(pointers(|s| s.grant_types = vec![GrantType::RefreshToken]), ["/grant_types"]);
        assert_eq!(pointers(|s| s.grant_types.push(GrantType::AuthorizationCode)), ["/grant_types"]);
        assert_eq!(
            pointers(|s| {
                s.token_endpoint_auth_method = ClientAuthMethod::None;
                s.grant_types.push(GrantType::ClientCredentials);
                s.pkce_required = false;
            }),
            ["/grant_types", "/pkce_required"]
        );
        assert_eq!(pointers(|s| s.require_signed_request_object = true), ["/require_signed_request_object"]);
        let objects = ["https://a.example/r.jwt#hash".to_owned(), "http://a.example/".to_owned()];
        assert_eq!(pointers(|s| s.request_uris = objects.into()), ["/request_uris/1"]);
        let signs = |s: &mut ClientSettings| s.token_endpoint_auth_method = ClientAuthMethod::PrivateKeyJwt;
        assert_eq!(pointers(signs), ["/token_endpoint_auth_method"]);
        assert_eq!(pointers(|s| s.jwks_uri = Some("http://a.example/keys".into())), ["/jwks_uri"]);
        let self_signed =
            |s: &mut ClientSettings| s.token_endpoint_auth_method = ClientAuthMethod::SelfSignedTlsClientAuth;
        assert_eq!(pointers(self_signed), ["/token_endpoint_auth_method"]);
        let jwks = |jwks: Value| pointers(|s| s.jwks = Some(jwks));
        assert!(jwks(json!({"keys": [{"kty": "EC"}]})).is_empty());
        assert_eq!(jwks(json!([])), ["/jwks"]);
        assert_eq!(jwks(json!({"keys": []})), ["/jwks/keys"]);
        assert_eq!(
            jwks(json!({"keys": [{"kty": "EC"}, {"kty": "oct", "k": "AA"}, 1]})),
            ["/jwks/keys/1", "/jwks/keys/2"]
        );
        let both = |s: &mut ClientSettings| {
            s.jwks = Some(json!({"keys": [{"kty": "EC"}]}));
            s.jwks_uri = Some("https://a.example/keys".into());
            s.token_endpoint_auth_method = ClientAuthMethod::PrivateKeyJwt;
        };
        assert_eq!(pointers(both), ["/jwks_uri"]);
        assert_eq!(pointers(|s| s.client_name = [("de".into(), "Laden".into())].into()), ["/client_name"]);
        assert_eq!(pointers(|s| s.client_name = [("en".into(), " ".into())].into()), ["/client_name"]);
        assert_eq!(pointers(|s| s.logo_uri = Some("javascript:alert(1)".into())), ["/logo_uri"]);
        let exchanges = |change: fn(&mut ClientSettings)| {
            pointers(|s| {
                s.grant_types.push(GrantType::TokenExchange);
                s.token_exchange.resources = vec![ResourceUri::new("https://api.example/")];
                change(s);
            })
        };
        assert!(exchanges(|_| {}).is_empty());
        assert_eq!(exchanges(|s| s.token_exchange.resources.clear()), ["/token_exchange/resources"]);
        assert_eq!(exchanges(|s| s.token_exchange.delegation = false), ["/token_exchange/delegation"]);
        assert_eq!(exchanges(|s| s.token_endpoint_auth_method = ClientAuthMethod::None), ["/grant_types"]);
        let elsewhere = |s: &mut ClientSettings| s.resources = vec![ResourceUri::new("https://other.example/")];
        assert_eq!(exchanges(elsewhere), ["/token_exchange/resources/0"]);
        let relative = |s: &mut ClientSettings| s.token_exchange.resources = vec![ResourceUri::new("api")];
        assert_eq!(exchanges(relative), ["/token_exchange/resources/0"]);
        let other_origin = |s: &mut ClientSettings| s.frontchannel_logout_uri = Some("https://b.example/out".into());
        assert_eq!(pointers(other_origin), ["/frontchannel_logout_uri"]);
        assert_eq!(
            pointers(|s| s.backchannel_logout_uri = Some("ftp://b.example".into())),
            ["/backchannel_logout_uri"]
        );
        assert_eq!(pointers(|s| s.scopes.push("two words".into())), ["/scopes/3"]);
        assert_eq!(pointers(|s| s.scopes.push("openid".into())), ["/scopes"]);
        assert_eq!(pointers(|s| s.lifetimes.authorization_code = Some(61)), ["/lifetimes/authorization_code"]);
        assert_eq!(pointers(|s| s.lifetimes.access_token = Some(0)), ["/lifetimes/access_token"]);
        let too_long = |s: &mut ClientSettings| {
            let lifetimes = &mut s.lifetimes;
            (lifetimes.access_token, lifetimes.id_token) = (Some(86_401), Some(u32::MAX));
            (lifetimes.refresh_absolute, lifetimes.refresh_grace) = (Some(u32::MAX), Some(301));
        };
        let all = ["access_token", "id_token", "refresh_absolute", "refresh_grace"];
        assert_eq!(pointers(too_long), all.map(|name| format!("/lifetimes/{name}")));
    }

    #[test]
    fn a_client_of_people_who_are_elsewhere_says_how_it_learns_of_decisions() {
        let ciba = |change: fn(&mut ClientSettings)| {
            pointers(|s| {
                s.grant_types.push(GrantType::Ciba);
                s.backchannel_token_delivery_mode = Some(TokenDeliveryMode::Poll);
                change(s);
            })
        };
        assert!(ciba(|_| {}).is_empty());
        assert_eq!(ciba(|s| s.backchannel_token_delivery_mode = None), ["/backchannel_token_delivery_mode"]);
        assert_eq!(ciba(|s| s.token_endpoint_auth_method = ClientAuthMethod::None), ["/grant_types"]);
        let deaf = ciba(|s| s.backchannel_token_delivery_mode = Some(TokenDeliveryMode::Ping));
        assert_eq!(deaf, ["/backchannel_client_notification_endpoint"]);
        let plain = ciba(|s| s.backchannel_client_notification_endpoint = Some("http://a.example/".into()));
        assert_eq!(plain, ["/backchannel_client_notification_endpoint"]);
    }

    /// Addresses, good and nearly so.
    fn any_uri() -> impl Strategy<Value = String> {
        prop_oneof![
            "https://[a-z]{1,3}\\.example(:[0-9]{1,4})?(/[a-z%2#?=&@]{0,6})?",
            "(https?|ftp|javascript|com\\.a|HTTPS):/{0,3}[a-z@.#\\[\\]: \\\\]{0,8}",
            "http://(localhost|127\\.0\\.0\\.1|\\[::1\\])(:[0-9]{1,5})?/?",
            ".{0,12}",
        ]
    }

    fn any_settings() -> impl Strategy<Value = ClientSettings> {
        let uris = || prop::collection::vec(any_uri(), 0..4);
        let names = prop::collection::btree_map("(en|de-AT|[a-z1-9_-]{0,10})", "[a-z \\n]{0,8}", 0..3);
        let grants = prop::collection::vec(prop::sample::select(&GrantType::ALL[..]), 0..4);
        let lists = (uris(), uris(), prop::collection::vec("[a-z \"\\\\\u{e4}]{0,5}", 0..4), uris());
        let single = prop::collection::vec(prop::option::of(any_uri()), 6);
        let kinds = (any::<bool>(), any::<bool>(), any::<bool>(), prop::option::of(any::<u32>()));
        (names, grants, lists, single, kinds).prop_map(|(client_name, grant_types, lists, single, kinds)| {
            let (redirect_uris, post_logout_redirect_uris, scopes, resources) = lists;
            let (is_native, is_public, pkce_required, seconds) = kinds;
            ClientSettings {
                application_type: if is_native { ApplicationType::Native } else { ApplicationType::Web },
                token_endpoint_auth_method: if is_public {
                    ClientAuthMethod::None
                } else {
                    ClientAuthMethod::ClientSecretBasic
                },
                client_name,
                grant_types,
                redirect_uris,
                post_logout_redirect_uris,
                scopes,
                resources: resources.into_iter().map(ResourceUri::new).collect(),
                client_uri: single[0].clone(),
                logo_uri: single[1].clone(),
                policy_uri: single[2].clone(),
                tos_uri: single[3].clone(),
                backchannel_logout_uri: single[4].clone(),
                frontchannel_logout_uri: single[5].clone(),
                pkce_required,
                lifetimes: ClientLifetimes { access_token: seconds, ..ClientLifetimes::default() },
                ..ClientSettings::default()
            }
        })
    }

    /// Whether a browser may be sent there with something that is nobody else's business.
    fn is_safe(uri: &str, application_type: ApplicationType) -> bool {
        let Ok(url) = Url::parse(uri) else { return false };
        let is_plain =
            uri.bytes().all(|byte| (0x21..0x7f).contains(&byte)) && !uri.contains(['#', '\\', '"', '<', '>']);
        let is_open = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        let host = url.host_str().unwrap_or_default();
        let goes_there = match url.scheme() {
            "https" => !host.is_empty(),
            "http" => ["localhost", "127.0.0.1", "[::1]"].contains(&host),
            scheme => application_type == ApplicationType::Native && scheme.contains('.'),
        };
        is_plain && is_open && goes_there
    }

    proptest! {
        #[test]
        fn each_violation_points_into_the_settings(settings in any_settings()) {
            let document = serde_json::to_value(&settings).unwrap();
            for (pointer, what) in violations(&settings) {
                prop_assert!(document.pointer(&pointer).is_some(), "{} {}", pointer, what);
                prop_assert!(!what.is_empty());
            }
        }

        #[test]
        fn nothing_is_accepted_that_is_no_address(settings in any_settings()) {
            let found: Vec<String> = violations(&settings).into_iter().map(|(pointer, _)| pointer).collect();
            let document = serde_json::to_value(&settings).unwrap();
            let web = ["client_uri", "logo_uri", "policy_uri", "tos_uri", "backchannel_logout_uri", "frontchannel_logout_uri"];
            let web = web.map(|name| (format!("/{name}"), ApplicationType::Web));
            let own = [("/redirect_uris", &settings.redirect_uris), ("/post_logout_redirect_uris", &settings.post_logout_redirect_uris)];
            let own = own.into_iter().flat_map(|(list, uris)| (0..uris.len()).map(move |index| format!("{list}/{index}")));
            let own = own.map(|pointer| (pointer, settings.application_type));
            for (pointer, kind) in web.into_iter().chain(own) {
                if let Some(Value::String(uri)) = document.pointer(&pointer) {
                    prop_assert!(found.contains(&pointer) || is_safe(uri, kind), "{} {:?}", pointer, uri);
                }
            }
        }

        #[test]
        fn good_addresses_are_accepted(host in "[a-z]{1,8}\\.example", path in "(/[a-z0-9._~-]{0,6}){0,3}", query in "([?][a-z]=[a-z0-9]{0,4})?") {
            let uri = format!("https://{host}{path}{query}");
            prop_assert!(pointers(|s| s.redirect_uris = vec![uri.clone()]).is_empty(), "{}", uri);
        }

        #[test]
        fn a_text_is_accepted_on_one_line_under_a_language(tag in "(en|de|zh-Hant-TW|[a-z0-9_ -]{0,12})", text in "[a-z\\n\\t ]{0,5}") {
            let texts = Localized::from([("en".to_owned(), "x".to_owned()), (tag.clone(), text.clone())]);
            let is_tag = tag.starts_with(|c: char| c.is_ascii_lowercase())
                && tag.split('-').all(|part| (1..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric()));
            let is_text = !text.trim().is_empty() && !text.contains(['\n', '\t']);
            prop_assert_eq!(localized_violations("/x", &texts).is_empty(), is_tag && is_text, "{:?}", texts);
        }
    }
}
