//! Logout that a client asks for.

// What people see of a logout.
pub mod pages;
// `/logout` (OpenID Connect RP-Initiated Logout).
pub mod rp_initiated;
