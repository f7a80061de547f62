//! What several edges share: an authorization attempt and its steps, who calls, who presents a token, issuing, logout.

// Asking for a client.
pub mod access_request;
// Access tokens: their claims and their two formats.
pub mod access_token;
// Seals over audit records.
pub mod audit_seal;
// Where a token may be used.
pub mod audience;
// What is asked for, and left, in particular (RFC 9396).
pub mod authorization_details;
// What a client asked for at the authorization endpoint.
pub mod authorization_request;
// What a client is answered through the browser.
pub mod authorization_response;
// Requests of clients whose person is elsewhere.
pub mod backchannel_authentication;
// Who presents an access token.
pub mod bearer;
// Which client calls.
pub mod client;
// Clients that are named by an address.
pub mod client_document;
// The public keys of clients.
pub mod client_keys;
// Authorization codes.
pub mod code;
// Requests that are made in one place and decided in another.
pub mod decoupled;
// The browsers that signed in to an account before.
pub mod device;
// Device codes: a device asks, a person decides in a browser.
pub mod device_code;
// Proofs of possession.
pub mod dpop;
// What is encrypted to a client.
pub mod encryption;
// The tokens that are exchanged.
pub mod exchange;
// ID tokens.
pub mod id_token;
// One authorization attempt and its steps.
pub mod interaction;
// The only place that makes tokens.
pub mod issue;
// Ending a session and telling the clients.
pub mod logout;
// Choosing a password.
pub mod password;
// Authorization requests that were pushed.
pub mod pushed_request;
// The tokens with which clients register and manage themselves.
pub mod registration;
// What a token of a grant is good for.
pub mod reach;
// Authorization requests in signed objects.
pub mod request_object;
// What may be used once.
pub mod replay;
// What is at the `sector_identifier_uri` of a client.
pub mod sector;
// Whether a sign-in still stands.
pub mod session;
// What a token response needs, reserved beforehand.
mod signatures;
// Signing in with a username and a password.
pub mod sign_in;
// What a client calls people and sessions.
pub mod subject;
// Limits on password attempts.
pub mod throttle;
