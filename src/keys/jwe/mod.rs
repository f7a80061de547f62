//! JSON Web Encryption (RFC 7516), by a library over OpenSSL that is named here and nowhere else.
//!
//! What the library sees was read and judged by us before: a key as the members that make it what it is, an algorithm out of a
//! list of our own.

// To us.
mod decrypter;
// To a client.
mod recipient;

pub use self::decrypter::{Decrypter, MAX_LENGTH, UnopenedJwe};
pub use self::recipient::{EncryptionError, Recipient};
