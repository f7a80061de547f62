//! What a profile asks of a registration (FAPI 2.0 Security Profile section 5.3.2, Message Signing section 5.3).

use super::Violation;
use crate::model::client::{ClientSettings, GrantType};
use crate::model::profile::Profile;
use crate::model::signing_alg::SigningAlg;

/// What of `settings` breaks `profile`, with the switch that does.
pub fn profile_violations(settings: &ClientSettings, profile: Profile) -> Vec<Violation> {
    if !profile.is_fapi2() {
        return Vec::new();
    }
    let breaks = |pointer: &str, what: &str| (pointer.to_owned(), format!("{} {what}", profile.as_str()));
    let mut found = Vec::new();
    if !settings.token_endpoint_auth_method.proves_key() {
        found.push(breaks("/token_endpoint_auth_method", "needs a client that signs or shows a certificate"));
    }
    if !settings.dpop_bound_access_tokens && !settings.tls_client_certificate_bound_access_tokens {
        found.push(breaks("/dpop_bound_access_tokens", "needs access tokens that are bound to a key or a certificate"));
    }
    if !settings.pkce_required {
        found.push(breaks("/pkce_required", "needs PKCE"));
    }
    if profile.requires_signed_requests() && settings.grant_types.contains(&GrantType::DeviceCode) {
        found.push(breaks("/grant_types", "needs signed requests, which a device authorization request never is"));
    }
    let needs_key = profile.requires_signed_requests() && settings.grant_types.contains(&GrantType::AuthorizationCode);
    if needs_key && settings.jwks.is_none() && settings.jwks_uri.is_none() {
        found.push(breaks("/jwks", "needs signed requests, and without jwks or jwks_uri nobody can sign"));
    }
    if profile.requires_signed_requests() && settings.grant_types.contains(&GrantType::Ciba) {
        found.push(breaks(
            "/grant_types",
            "needs signed requests, which backchannel authentication requests are not here",
        ));
    }
    found.extend(weak_algs(settings, profile).map(|pointer| breaks(pointer, "allows PS256, ES256 and EdDSA")));
    found
}

/// The algorithms that `profile` does not allow, by the switch that chooses each.
pub fn weak_algs(settings: &ClientSettings, profile: Profile) -> impl Iterator<Item = &'static str> {
    let algs: [(&str, Option<SigningAlg>); 7] = [
        ("/access_token_signed_response_alg", Some(settings.access_token_signed_response_alg)),
        ("/id_token_signed_response_alg", Some(settings.id_token_signed_response_alg)),
        ("/authorization_signed_response_alg", Some(settings.authorization_signed_response_alg)),
        ("/userinfo_signed_response_alg", settings.userinfo_signed_response_alg),
        ("/introspection_signed_response_alg", settings.introspection_signed_response_alg),
        ("/token_endpoint_auth_signing_alg", settings.token_endpoint_auth_signing_alg),
        ("/request_object_signing_alg", settings.request_object_signing_alg),
    ];
    let is_weak = move |alg: Option<SigningAlg>| alg.is_some_and(|alg| !profile.allows_alg(alg));
    algs.into_iter().filter(move |(_, alg)| is_weak(*alg)).map(|(pointer, _)| pointer)
}
