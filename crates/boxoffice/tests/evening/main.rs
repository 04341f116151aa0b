//! The box office as venues use it, on both engines: an evening with its people, tickets and
//! palms.

#![expect(clippy::unwrap_used, reason = "a step that fails fails its test")]

mod admission;
mod arming;
mod console;
mod devices;
mod links;
mod night;
mod oracle;
mod palm_entry;
mod sign_in;
