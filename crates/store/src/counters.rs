//! How often each named transaction was tried, retried and failed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What happened to the transactions of one name since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransactionCount {
    /// Times the work was begun, retries included.
    pub attempts: u64,
    /// Times a conflict led to another attempt.
    pub retries: u64,
    /// Transactions that committed.
    pub commits: u64,
    /// Transactions that ended in an error: the caller's own, the database's, or too many conflicts.
    pub failures: u64,
}

/// A snapshot of all counts, by transaction name.
pub type Counters = BTreeMap<&'static str, TransactionCount>;

/// The live counts, shared by the clones of a store.
#[derive(Clone, Debug, Default)]
pub(crate) struct LiveCounters(Arc<Mutex<Counters>>);

impl LiveCounters {
    /// Changes the counts of `name`.
    pub(crate) fn count(&self, name: &'static str, change: impl FnOnce(&mut TransactionCount)) {
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(counters.entry(name).or_default());
    }

    pub(crate) fn snapshot(&self) -> Counters {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
