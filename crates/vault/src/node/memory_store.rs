//! A node's disk in memory, that outlives the node and fails on demand: for tests and simulations.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::operation::Certified;
use super::store::{
    Batch, Budget, BudgetUse, NodeStore, NodeStoreError, Renewal, RowBytes, Stored, Undecided,
};

/// What goes wrong with a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Every write fails, and changes nothing.
    Full,
    /// The machine stops at the write after so many: with it on disk, or without it.
    Stop {
        /// Writes before it.
        after: u32,
        /// Whether the last write is found on disk afterwards.
        stored: bool,
    },
    /// The machine has stopped: nothing can be done until [`MemoryDisk::restart`].
    Stopped,
}

#[derive(Debug, Default)]
struct Contents {
    operations: BTreeMap<u64, Certified>,
    undecided: Option<Undecided>,
    rows: BTreeMap<u64, RowBytes>,
    budgets: BTreeMap<Budget, BudgetUse>,
    fault: Fault,
    writes: u64,
}

/// The disk; clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk(Arc<Mutex<Contents>>);

impl MemoryDisk {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store of a node that runs on it.
    #[must_use]
    pub fn store(&self) -> MemoryStore {
        MemoryStore(self.clone())
    }

    /// What goes wrong from now on.
    pub fn set_fault(&self, fault: Fault) {
        self.contents().fault = fault;
    }

    /// Whether the machine stopped at a write.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.contents().fault == Fault::Stopped
    }

    /// The machine starts again, with what is on disk.
    pub fn restart(&self) {
        self.contents().fault = Fault::None;
    }

    /// Writes so far.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.contents().writes
    }

    /// The certified operations.
    #[must_use]
    pub fn operations(&self) -> Vec<Certified> {
        self.contents().operations.values().cloned().collect()
    }

    /// Whether an operation is undecided.
    #[must_use]
    pub fn has_undecided(&self) -> bool {
        self.contents().undecided.is_some()
    }

    /// Slots that have a row.
    #[must_use]
    pub fn slots(&self) -> Vec<u64> {
        self.contents().rows.keys().copied().collect()
    }

    /// Loses everything, as a disk that was replaced.
    pub fn lose_everything(&self) {
        *self.contents() = Contents::default();
    }

    /// A copy as it is now: a backup.
    #[must_use]
    pub fn backup(&self) -> Self {
        let contents = self.contents();
        Self(Arc::new(Mutex::new(Contents {
            operations: contents.operations.clone(),
            undecided: contents.undecided.clone(),
            rows: contents.rows.clone(),
            budgets: contents.budgets.clone(),
            fault: Fault::None,
            writes: 0,
        })))
    }
}

/// A node's access to a [`MemoryDisk`].
#[derive(Debug)]
pub struct MemoryStore(MemoryDisk);

impl MemoryStore {
    fn working(&self) -> Result<MutexGuard<'_, Contents>, NodeStoreError> {
        let contents = self.0.contents();
        if contents.fault == Fault::Stopped {
            return Err(NodeStoreError::Failed("the machine has stopped".to_owned()));
        }
        Ok(contents)
    }

    /// The contents to write to, and whether the machine stops then; an error where it is not written.
    fn writing(&self) -> Result<(MutexGuard<'_, Contents>, bool), NodeStoreError> {
        let mut contents = self.working()?;
        contents.writes += 1;
        let failed = |why: &str| Err(NodeStoreError::Failed(why.to_owned()));
        match contents.fault {
            Fault::None => Ok((contents, false)),
            Fault::Full => failed("no space is left"),
            Fault::Stop { after: 0, stored: true } => Ok((contents, true)),
            Fault::Stop { after: 0, stored: false } | Fault::Stopped => {
                contents.fault = Fault::Stopped;
                failed("the machine stops")
            }
            Fault::Stop { after, stored } => {
                contents.fault = Fault::Stop { after: after - 1, stored };
                Ok((contents, false))
            }
        }
    }
}

impl Contents {
    fn apply(&mut self, batch: Batch) {
        if let Some(undecided) = batch.undecided {
            self.undecided = undecided;
        }
        for certified in batch.append {
            self.operations.insert(certified.operation.number, certified);
        }
        self.rows.extend(batch.put);
        for slot in batch.destroy {
            self.rows.remove(&slot);
        }
        self.budgets.extend(batch.budgets.into_iter().map(|used| (used.budget, used)));
    }

    fn finish(&mut self, stops: bool) -> Result<(), NodeStoreError> {
        if stops {
            self.fault = Fault::Stopped;
            return Err(NodeStoreError::Failed("the machine stops".to_owned()));
        }
        Ok(())
    }
}

impl NodeStore for MemoryStore {
    fn load(&mut self) -> Result<Stored, NodeStoreError> {
        let contents = self.working()?;
        let budgets = contents.budgets.values().copied().collect();
        Ok(Stored { undecided: contents.undecided.clone(), budgets })
    }

    fn operations(
        &mut self,
        from: u64,
        each: &mut dyn FnMut(Certified) -> bool,
    ) -> Result<(), NodeStoreError> {
        let contents = self.working()?;
        for certified in contents.operations.range(from..).map(|(_, certified)| certified) {
            if !each(certified.clone()) {
                break;
            }
        }
        Ok(())
    }

    fn rows(&mut self, each: &mut dyn FnMut(u64, &[u8])) -> Result<(), NodeStoreError> {
        let contents = self.working()?;
        contents.rows.iter().for_each(|(slot, bytes)| each(*slot, bytes));
        Ok(())
    }

    fn slots(&mut self) -> Result<Vec<u64>, NodeStoreError> {
        Ok(self.working()?.rows.keys().copied().collect())
    }

    fn row(&mut self, slot: u64) -> Result<Option<RowBytes>, NodeStoreError> {
        Ok(self.working()?.rows.get(&slot).cloned())
    }

    fn commit(&mut self, batch: Batch) -> Result<(), NodeStoreError> {
        let (mut contents, stops) = self.writing()?;
        contents.apply(batch);
        contents.finish(stops)
    }

    fn renew(&mut self, batch: Batch, renewal: &mut dyn Renewal) -> Result<(), NodeStoreError> {
        let (mut contents, stops) = self.writing()?;
        renewal.restart();
        let rows =
            contents.rows.iter().map(|(slot, bytes)| Ok((*slot, renewal.row(*slot, bytes)?)));
        let rows = rows.collect::<Result<_, NodeStoreError>>()?;
        contents.rows = rows;
        contents.apply(batch);
        contents.finish(stops)
    }
}
