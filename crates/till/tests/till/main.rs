//! The till from outside, on both engines: one binary, a file a subject.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests may panic and tell their counts"
)]

mod beyond;
mod charging;
mod counter;
mod crashes;
mod crediting;
mod factors;
mod gateway;
mod news;
mod parts;
mod refunding;
mod replays;
