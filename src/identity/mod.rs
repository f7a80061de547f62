//! The people: who they are and how they prove it.

// What a people backend must do.
pub mod backend;
// People in this server's own Postgres.
pub mod local;
