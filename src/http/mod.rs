//! What the edges share about HTTP.

// Which of our media types a caller wants.
pub mod accept;
// How an authorization response is sent.
pub mod authorization_response;
// The browser that asks for a page.
pub mod browser;
// The certificate that a client showed.
pub mod client_certificate;
// The address that a request comes from.
pub mod client_ip;
// How an authorization attempt goes on.
pub mod continuation;
// Our cookies, and the one that tells browsers apart.
pub mod cookies;
// Which scripts may call us.
pub mod cors;
// Whether a form is one of ours.
pub mod csrf;
// Public documents with an entity tag.
pub mod document;
// How an error is told to a person, and to whom no handler answers.
pub mod error_page;
// Form bodies and query strings.
pub mod form;
// How a browser is sent to another site.
pub mod hand_over;
// What every answer says about caching, framing and sniffing.
pub mod headers;
// JSON bodies.
pub mod json;
// The answers to a path that is not there and to a method that a path does not have.
pub mod method;
// How an OAuth error is sent.
pub mod oauth_error;
// The pages people see, as pure functions.
pub mod pages;
// How the admin API says what went wrong (RFC 9457).
pub mod problem;
// What a page has to say after a form was sent.
pub mod remark;
// Where a sign-in leads that no application asked for.
pub mod return_to;
// Who is signed in at a browser.
pub mod session;
// How much a caller wants something.
mod weight;
