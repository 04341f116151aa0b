//! The log as others meet it: through crashes, under an editor, before a witness, and read by
//! programs that other people wrote.

mod common;
mod crash;
mod others;
mod sim_disk;
mod tamper;
mod witness;
