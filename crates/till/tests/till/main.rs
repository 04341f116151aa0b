//! The till from outside, on both engines: one binary, a file a subject.

mod charging;
mod counter;
mod crashes;
mod crediting;
mod gateway;
mod refunding;
