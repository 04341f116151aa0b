//! The log as others meet it: through crashes, under an editor, before a witness, and read by
//! programs that other people wrote.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::single_range_in_vec_init,
    reason = "tests may panic, tell why they skip, and take lists of one range"
)]

mod common;
mod crash;
mod others;
mod sim_disk;
mod tamper;
mod witness;
