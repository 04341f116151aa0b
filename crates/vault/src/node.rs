//! A node of the vault: one of three that together match palms which none of them holds.
//!
//! [`Node`] is a state machine. It takes bytes and gives bytes; sockets, threads and clocks are
//! the transport's. It writes to its disk through a [`NodeStore`], and opens and seals through
//! [`Seals`].
//!
//! The driver calls [`Node::handle`] from one thread, with everything that arrives, in the order of
//! arrival on each connection; with [`Input::Tick`] at least every quarter of a second; and with
//! [`Input::Work`], between other inputs, as long as the last call returned [`Effect::Work`].
//!
//! # The list
//! Everything that changes the common state is an [`Operation`], numbered by node A and chained by
//! hashes. A node stores an operation and what it brings, then signs it; three signatures are its
//! certificate, which commits. A node that will not store it (shares that do not fit, a full
//! gallery, a check that is outdated) signs that it gives it up, and the others follow: an
//! operation is committed at all three or at none. Until a node that is away has spoken the
//! operation stays undecided, and at most one is. A node that missed operations, having been
//! restored from a backup, follows its peers' certified list before it serves, deletions included;
//! rows that it lacks then are given back by the two others ([`Request::Rebuild`]).
//!
//! # Searches
//! A search names gallery, operation and head hash; a node that has another list, or whose rows
//! have changed since, refuses it as stale. Rows of a gallery stand in the order of the operations
//! that armed them; within a company's enrolment gallery that is the order of slots, but for palms
//! that were disarmed and armed again. What was armed after the search's operation is left out,
//! what was disarmed or has ended is masked. A search goes on while palms are disarmed or deleted: it
//! has the rows as they were at its operation, and its copy of a deleted share is overwritten at its
//! end. A gallery is compared in chunks of about 64k
//! comparisons, four at a time, each with keys of its own; searches of the same rows share one pass
//! over them.
//!
//! # Clocks
//! A challenge lives for a minute by the clock of the node that drew it, budgets run by each node's
//! own clock, and no node takes another's word for what is fresh. The end of an arming must be the
//! same moment at all three, or their shares would not fit together: it is compared with node A's
//! clock, which the others accept within a minute of their own and refuse beyond.
//!
//! # What is not claimed
//! - A node that deviates can change results, force or suppress a match, and stop the service. It
//!   cannot commit an operation, or give one up that the others committed.
//! - An enrolment stores the last vector of its duplicate check and no other, and the nodes open that
//!   check among themselves before they store it. So a front enrols nobody without a check, with
//!   somebody else's, or with one that found somebody. What the check says is as good as what was
//!   dealt: keyed hashes show that the two holders of a component were dealt the same, not that a
//!   vector is short or a palm, and the score of a long one wraps.
//! - Token, audit and check keys follow from the pairs' secrets and a party's name: closing a
//!   gallery destroys none. A list keeps pseudonymous slots and when they were armed, also of
//!   deleted palms.
//! - Budgets ration searches; they do not bound what many devices learn together.

mod auditing;
mod budget;
mod chain;
mod challenges;
#[cfg(test)]
mod change_refusal_tests;
mod codec;
#[cfg(test)]
mod codec_tests;
#[cfg(test)]
mod history;
mod lengths;
mod loading;
mod machine;
mod memory_store;
mod message;
#[cfg(test)]
mod message_refusal_tests;
mod names;
mod operation;
#[cfg(test)]
mod oracle_tests;
mod places;
mod plan;
mod rebuild;
mod refusal;
#[cfg(test)]
mod refusal_testing;
mod renewal;
mod request;
mod roster;
mod seals;
mod search;
#[cfg(test)]
mod search_refusal_tests;
mod side_rows;
#[cfg(test)]
mod simulator;
#[cfg(test)]
mod simulator_tests;
mod sqlite_store;
mod store;
#[cfg(test)]
mod store_tests;
#[cfg(test)]
mod strict_tests;
#[cfg(test)]
mod testing;
mod windows;

pub use chain::ENROLMENT_PURPOSE;
pub use codec::CodecError;
pub use machine::{Effect, Input, Node, NodeError};
pub use memory_store::{Fault, MemoryDisk, MemoryStore};
pub use message::{PEER_FRAME_MAX, PEER_VERSION};
pub use names::{DeviceName, GalleryName, Hash, Head, OperationName, QueryName, RelyingName};
pub use operation::{
    Certificate, Certified, Change, Enrolment, GalleryPurpose, GallerySpec, OPERATION_VERSION,
    Operation, Policy, SLOTS_PER_CHANGE_MAX, Verdict, Vote,
};
pub use refusal::{Reason, Refusal, Refusals};
pub use request::{
    AuditRequest, Committed, Found, NodeStatus, REQUEST_MAX, REQUEST_VERSION, Reply, Request,
    SealedShares, Search, Sought,
};
pub use seals::{NodeKeys, PartBinding, Seals};
pub use sqlite_store::SqliteStore;
pub use store::{
    Batch, Budget, BudgetUse, NodeStore, NodeStoreError, Renewal, RowBytes, Seeds, Stored,
    Undecided,
};
