//! What a client may say of its keys and of its certificate (RFC 7591 section 2, RFC 8705 section 2.1.2).

use serde_json::Value;

use super::{Found, MAX_URIS, PRIVATE_MEMBERS};
use crate::model::client::{ApplicationType, ClientAuthMethod, ClientSettings};
use crate::protocol::{mtls, redirect_uri};

/// The most keys in one set.
const MAX_KEYS: usize = 20;

impl Found {
    /// RFC 7591 section 2, `jwks` and `jwks_uri`.
    pub(super) fn keys(&mut self, settings: &ClientSettings) {
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
    pub(super) fn certificate(&mut self, settings: &ClientSettings) {
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
}
