//! Galleries, enrol, identify, verify, delete.
