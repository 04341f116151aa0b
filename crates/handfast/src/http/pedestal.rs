//! The pedestal page's way in.

pub(super) mod link;
