//! Signing in and out.

pub(super) mod session;
pub(super) mod sign_in;
