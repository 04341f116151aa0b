//! A node of the vault: one of three that together match palms which none of them holds.
//!
//! [`Node`] is a state machine. It takes bytes and gives bytes; sockets, threads and clocks are
//! the transport's. It writes to its disk through a [`NodeStore`], and opens and seals through
//! [`Seals`].
//!
//! The driver calls [`Node::handle`] from one thread, with everything that arrives, in the order of
//! arrival on each connection; with [`Input::Tick`] at least every quarter of a second; and with
//! [`Input::Work`], between other inputs, as long as the last call returned [`Effect::Work`].

mod budget;
mod chain;
mod challenges;
mod codec;
#[cfg(test)]
mod history;
mod loading;
mod machine;
mod memory_store;
mod message;
mod names;
mod operation;
mod places;
mod plan;
mod rebuild;
mod refusal;
mod renewal;
mod request;
mod roster;
mod seals;
mod search;
mod side_rows;
#[cfg(test)]
mod simulator;
#[cfg(test)]
mod simulator_tests;
mod sqlite_store;
mod store;
#[cfg(test)]
mod testing;

pub use chain::ENROLMENT_PURPOSE;
pub use codec::CodecError;
pub use machine::{Effect, Input, Node, NodeError};
pub use memory_store::{Fault, MemoryDisk, MemoryStore};
pub use message::{PEER_FRAME_MAX, PEER_VERSION};
pub use names::{
    DeviceName, GalleryName, Hash, Head, OperationName, QueryName, RelyingName,
};
pub use operation::{
    Certificate, Certified, Change, Enrolment, GalleryPurpose, GallerySpec, OPERATION_VERSION,
    Operation, Policy, SLOTS_PER_CHANGE_MAX, Verdict, Vote,
};
pub use refusal::{Reason, Refusal, Refusals};
pub use request::{
    Committed, Found, NodeStatus, REQUEST_MAX, REQUEST_VERSION, Reply, Request, Search,
    SealedShares, Sought,
};
pub use seals::{NodeKeys, PartBinding, Seals};
pub use sqlite_store::SqliteStore;
pub use store::{
    Batch, Budget, BudgetUse, NodeStore, NodeStoreError, Renewal, RowBytes, Seeds, Stored, Undecided,
};
