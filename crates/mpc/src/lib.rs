//! Sharing and comparison between three parties.

mod adder;
mod bits;
mod dealing;
mod kernel;
mod keys;
mod keystream;
mod message;
mod party;
pub mod ring;
mod role;
mod rows;
mod selection;
mod shape;

#[cfg(test)]
mod comparison_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod view_tests;

pub use dealing::{
    CheckKey, DIMENSION_MAX, DealingError, Dealt, FORMAT_VERSION, ShareSet, VECTORS_MAX,
};
pub use keys::{
    ATTEMPTS_MAX, KeyError, OwnNonce, PROTOCOL_VERSION, PairMaster, PairMasters, PeerNonces,
    QueryContext, QueryKeys,
};
pub use message::{Message, MessageError, Step};
pub use party::{Awaited, Parameters, Party, PartyError, Turn};
pub use role::Role;
pub use rows::{ProbeWeights, Rows, RowsError, local_products, local_products_together};
pub use selection::{Purpose, ResultPart, Selection, TOKEN, TokenKey, is_no_match, open};
pub use shape::{COMPARISONS_MAX, Shape, ShapeError, THRESHOLD_MAX, Threshold};
