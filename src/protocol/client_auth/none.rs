//! Public clients (RFC 6749 section 2.1): they say who they are and prove nothing.

use crate::model::client::Client;

/// Whether the client is one that cannot prove anything.
pub(super) fn verify(client: Option<&Client>) -> bool {
    client.is_some_and(Client::is_public)
}
