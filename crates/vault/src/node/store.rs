//! What a node keeps on disk: the list of operations with their certificates, its undecided vote,
//! its rows, and how much of each budget is used.

use handfast_model::Timestamp;
use thiserror::Error;
use zeroize::Zeroizing;

use super::names::{DeviceName, GalleryName};
use super::operation::{Certified, Operation, Vote};

/// Why the store did not do it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NodeStoreError {
    /// The disk is full or broken, or the file is not what it should be.
    #[error(
        "the node's store failed: {0}; free space or repair the disk, the node goes on by itself"
    )]
    Failed(String),
    /// What is stored does not fit together.
    #[error("the node's store is damaged: {0}; rebuild the node from the two others")]
    Damaged(String),
}

/// A row as it is stored: the slot's share, [`handfast_mpc::Rows::stored`] of each of its rows.
pub type RowBytes = Zeroizing<Vec<u8>>;

/// Three nodes' seeds.
pub type Seeds = Box<Zeroizing<[[u8; 32]; 3]>>;

/// An operation that is not decided, and what this node said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecided {
    /// The operation.
    pub operation: Operation,
    /// The node's word, signed; of a renewal of shares it comes after the node's own seed.
    pub vote: Option<Vote>,
    /// The seeds of a renewal of shares, of A, B, C, zeros where one is not known yet: secret, and
    /// erased with this.
    pub seeds: Option<Seeds>,
}

/// How much of a budget is used within its hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetUse {
    /// Whose.
    pub budget: Budget,
    /// When its hour began.
    pub since: Timestamp,
    /// Uses that are allowed to have happened.
    pub used: u32,
}

/// Whose budget it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Budget {
    /// A device's in a gallery.
    Device(GalleryName, DeviceName),
    /// A gallery's.
    Gallery(GalleryName),
    /// A slot's in a gallery.
    Slot(GalleryName, u64),
}

/// Changes that are stored together: all of them or none. Storing a batch again does no harm.
#[derive(Debug, Default)]
pub struct Batch {
    /// What replaces the undecided operation; `Some(None)` where it was decided.
    pub undecided: Option<Option<Undecided>>,
    /// Certified operations to append, in order.
    pub append: Vec<Certified>,
    /// Rows to store; a slot's row replaces an older one.
    pub put: Vec<(u64, RowBytes)>,
    /// Slots whose rows and row keys are destroyed. When the batch is stored they are gone.
    pub destroy: Vec<u64>,
    /// Budgets to note.
    pub budgets: Vec<BudgetUse>,
}

/// What is stored beside rows.
#[derive(Debug, Default)]
pub struct Stored {
    /// The operation that is not decided.
    pub undecided: Option<Undecided>,
    /// Budgets in use.
    pub budgets: Vec<BudgetUse>,
}

/// Gives every row its new shares, in the order in which the store hands them over: ascending.
pub trait Renewal {
    /// From the first row on (again).
    fn restart(&mut self);

    /// The next row's new bytes.
    ///
    /// # Errors
    /// Where the bytes are no row of that slot.
    fn row(&mut self, slot: u64, bytes: &[u8]) -> Result<RowBytes, NodeStoreError>;
}

/// A node's disk. Calls return when what they wrote is durable; what fails has changed nothing,
/// except that a batch whose commit was cut off by a crash may be found stored afterwards.
pub trait NodeStore: Send {
    /// What is stored beside operations and rows.
    ///
    /// # Errors
    /// Failures of disk and database.
    fn load(&mut self) -> Result<Stored, NodeStoreError>;

    /// Calls `each` with every certified operation from number `from` on, ascending, until it says
    /// `false`.
    ///
    /// # Errors
    /// Failures of disk and database.
    fn operations(
        &mut self,
        from: u64,
        each: &mut dyn FnMut(Certified) -> bool,
    ) -> Result<(), NodeStoreError>;

    /// Calls `each` with every row, slots ascending: the way to read all of them fast.
    ///
    /// # Errors
    /// Failures of disk and database.
    fn rows(&mut self, each: &mut dyn FnMut(u64, &[u8])) -> Result<(), NodeStoreError>;

    /// Slots that have a row, ascending.
    ///
    /// # Errors
    /// Failures of disk and database.
    fn slots(&mut self) -> Result<Vec<u64>, NodeStoreError>;

    /// One slot's row; `None` where there is none.
    ///
    /// # Errors
    /// Failures of disk and database.
    fn row(&mut self, slot: u64) -> Result<Option<RowBytes>, NodeStoreError>;

    /// Stores a batch.
    ///
    /// # Errors
    /// Failures of disk and database; nothing of the batch is stored then.
    fn commit(&mut self, batch: Batch) -> Result<(), NodeStoreError>;

    /// Stores a batch and renews every row with it.
    ///
    /// # Errors
    /// As [`NodeStore::commit`].
    fn renew(&mut self, batch: Batch, renewal: &mut dyn Renewal) -> Result<(), NodeStoreError>;
}
