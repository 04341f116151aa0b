//! What exists in demo mode alone: opening stations without provisioning, everybody's mail.

pub(super) mod evening;
pub(super) mod mailbox;
pub(super) mod nodes;
