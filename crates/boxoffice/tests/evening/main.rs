//! The box office as venues use it, on both engines: an evening with its people, tickets and
//! palms.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a step that fails fails its test, and long runs tell what they tried"
)]

mod admission;
mod arming;
mod check_in_lists;
mod codes;
mod console;
mod csv;
mod devices;
mod groups;
mod guardians;
mod links;
mod night;
mod oracle;
mod palm_entry;
mod partitions;
mod selling;
mod sign_in;
