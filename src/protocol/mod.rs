//! The RFCs as functions: no I/O, no clock, no framework.

// The `authorization_details` parameter (RFC 9396).
pub mod authorization_details;
// The `Authorization` header (RFC 9110 section 11.6.2).
pub mod authorization_header;
// How an authorization response travels: query, fragment or form.
pub mod authorization_response;
// The parameters of backchannel authentication requests.
pub mod backchannel_authentication;
// How a bearer token is presented (RFC 6750 section 2).
pub mod bearer;
// The `claims` parameter and what each scope releases (OpenID Connect Core section 5).
pub mod claims;
// How a client proves who it is, one file per method.
pub mod client_auth;
// Clients that are named by an address.
pub mod client_document;
// The `display` parameter (OpenID Connect Core section 3.1.2.1).
pub mod display;
// Whether what a client registers holds together (RFC 7591 section 2).
pub mod client_metadata;
// Proofs of possession (RFC 9449).
pub mod dpop;
// One error type for every OAuth endpoint.
pub mod error;
// Form bodies and query strings.
pub mod form;
// JSON Web Tokens, taken apart.
pub mod jwt;
// Language tags (BCP 47).
pub mod locale;
// Certificates of clients (RFC 8705).
pub mod mtls;
// Proof key for code exchange (RFC 7636).
pub mod pkce;
// Texts that are what they look like.
pub mod plain_text;
// The `prompt` parameter (OpenID Connect Core section 3.1.2.1).
pub mod prompt;
// Which redirect URIs may be registered and which match.
pub mod redirect_uri;
// What is inside of a request object (RFC 9101).
pub mod request_object;
// What a client says of itself when it registers (RFC 7591 section 2).
pub mod registration;
// Resource indicators (RFC 8707).
pub mod resource;
// The `response_mode` parameter.
pub mod response_mode;
// Scope lists (RFC 6749 section 3.3).
pub mod scope;
// Which clients call people by the same pairwise identifier.
pub mod sector;
// JSON without repeated members.
pub mod strict_json;
// Token exchange (RFC 8693).
pub mod token_exchange;
// Absolute URIs (RFC 3986 section 4.3).
pub mod uri;
// The code that a person types to connect a device.
pub mod user_code;
