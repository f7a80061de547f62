//! Whether what a client registers holds together (RFC 7591 section 2, OpenID Connect Registration section 2, RP-Initiated,
//! Back-Channel and Front-Channel Logout).
//!
//! Whether scopes and resources are registered is for the caller, who has the catalog.

// What is encrypted to it.
mod encryption;
// Keys, and names of certificates.
mod keys;
// What a profile asks.
mod profile;
// What it calls people.
mod sector;
// What it may not say of itself if nobody here has checked it.
mod stranger;

use std::collections::BTreeSet;

use chrono::TimeDelta;
use url::Url;

use self::encryption::encryption_violations;
pub use self::encryption::is_key_for_encryption;
pub use self::profile::{profile_violations, weak_algs};
use self::sector::sector_violation;
pub use self::stranger::{page_violations, text_violations};
use super::authorization_details::is_type;
use super::locale;
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
mod tests;
