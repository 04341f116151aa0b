//! One capture session as a state machine.
