//! Where each endpoint is: the router and the discovery document read the same names.

use crate::flow::registration;

/// RFC 6749 section 3.1.
pub const AUTHORIZE: &str = "/authorize";
/// Where an attempt that a cross-site POST began goes on.
pub const AUTHORIZE_RESUME: &str = "/authorize/resume";
/// RFC 9126 section 2.
pub const PAR: &str = "/par";
/// RFC 8628 section 3.1.
pub const DEVICE_AUTHORIZATION: &str = "/device_authorization";
/// OpenID Connect CIBA section 7.
pub const BACKCHANNEL_AUTHENTICATION: &str = "/backchannel_authentication";
/// RFC 6749 section 3.2.
pub const TOKEN: &str = "/token";
/// RFC 7591 section 3.
pub const REGISTER: &str = registration::ENDPOINT;
/// RFC 7592 section 2.
pub const REGISTRATION: &str = "/register/{client_id}";
/// OpenID Connect Core section 5.3.
pub const USERINFO: &str = "/userinfo";
/// A protected resource to try tokens at.
pub const RESOURCE: &str = "/resource";
/// RFC 7662 section 2.
pub const INTROSPECT: &str = "/introspect";
/// RFC 7009 section 2.
pub const REVOKE: &str = "/revoke";
/// RFC 7517 section 5.
pub const JWKS: &str = "/jwks.json";
/// OpenID Connect RP-Initiated Logout section 2.
pub const LOGOUT: &str = "/logout";
/// Where a logout ends that has nowhere to go on to.
pub const LOGGED_OUT: &str = "/logged-out";
/// OpenID Connect Discovery section 4.
pub const OPENID_CONFIGURATION: &str = "/.well-known/openid-configuration";
/// RFC 9728 section 3.1; the path of a resource of this origin follows.
pub const OAUTH_PROTECTED_RESOURCE: &str = "/.well-known/oauth-protected-resource";
/// The same with that path.
pub const OAUTH_PROTECTED_RESOURCE_AT: &str = "/.well-known/oauth-protected-resource/{*path}";
/// RFC 8414 section 3.
pub const OAUTH_AUTHORIZATION_SERVER: &str = "/.well-known/oauth-authorization-server";
