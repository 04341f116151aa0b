//! What is shown of the crate from outside: shards, and that stored data cannot be linked.
#![expect(clippy::unwrap_used, reason = "a test stops at anything unexpected")]

mod common;
mod shards;
mod unlinkability;
