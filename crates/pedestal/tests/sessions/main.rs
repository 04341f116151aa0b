//! Whole sessions, played against a scripted palm engine and a scripted hub, with time passed in.

mod counter;
mod enrol;
mod lane;
mod privacy;
mod random;
mod script;
