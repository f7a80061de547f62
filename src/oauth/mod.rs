//! The endpoints that OAuth and OpenID Connect clients call: one module each, handlers named after the method.

// `/authorize`
pub mod authorize;
// `/backchannel_authentication`
pub mod backchannel_authentication;
// What those have in common who are answered later.
mod decoupled;
// `/device_authorization`
pub mod device_authorization;
// `/.well-known/openid-configuration` and `/.well-known/oauth-authorization-server`
pub mod discovery;
// `/introspect`
pub mod introspection;
// `/jwks.json`
pub mod jwks;
// `/logout`
pub mod logout;
// `/par`
pub mod par;
// Where each endpoint is.
pub mod paths;
// `/register`
pub mod registration;
// `/revoke`
pub mod revocation;
// `/resource`
pub mod protected_resource;
pub mod sample_resource;
// `/token`
pub mod token;
// `/userinfo`
pub mod userinfo;
