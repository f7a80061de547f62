//! What is kept of the tokens with which clients register and manage themselves (RFC 7591 section 1.2): both are 256 random
//! bits, which are not guessed.

use aws_lc_rs::digest::{Context, SHA256};

use crate::model::id::ClientId;

/// What is kept of an initial access token.
pub fn hash_initial_access_token(token: &str) -> [u8; 32] {
    digest(&[b"initial access token", token.as_bytes()])
}

/// What is kept of a registration access token. It covers the client, so that a row copied to another client is worthless
/// there.
pub fn hash_registration_access_token(client: &ClientId, token: &str) -> [u8; 32] {
    digest(&[b"registration access token", client.as_str().as_bytes(), token.as_bytes()])
}

fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        // With its length, so that no two lists of parts are the same text.
        context.update(&part.len().to_be_bytes());
        context.update(part);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}
