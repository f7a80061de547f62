//! `/admin/consents` and `/admin/tokens`: what people allowed clients, and what came of it.
//!
//! What is an administrator's is taken only by callers that hold every admin scope, and what belongs to a client with admin
//! scopes only by callers that hold those: otherwise a machine for the help desk could lock the operators out.

// What people allowed for later requests too.
pub(in crate::admin) mod consents;
// Ending what was issued to a subject or a client.
pub(in crate::admin) mod revocation;
// What was issued.
pub(in crate::admin) mod tokens;

use super::endpoint::Endpoints;

/// The endpoints of this folder.
pub(super) fn endpoints(endpoints: Endpoints) -> Endpoints {
    endpoints.with(consents::endpoints).with(tokens::endpoints).with(revocation::endpoints)
}
