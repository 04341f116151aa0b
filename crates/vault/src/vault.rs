//! The vault itself: what it is made of, and the rules every change follows.
//!
//! One change at a time: whoever enrols, arms or deletes holds [`Inner::changes`]. A change writes
//! files first, the database then, memory last, so that what is answered is durable. It runs in a
//! task of its own to its end even where its caller goes away: a browser that disconnects in the
//! middle of a deletion does not stop the deletion.

use std::fmt;
use std::fs::File;
use std::future::Future;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use handfast_model::{Clock, CompanyId, PairwiseToken, Random, RelyingParty};
use handfast_store::Store;
use tokio::task::{JoinError, spawn_blocking};

use crate::directory::Directory;
use crate::pairwise::PairwiseKey;
use crate::row_key_file::{RowKeyFile, VaultId};
use crate::sealing::{Place, SealingKey};
use crate::split::NodeState;
use crate::{Matcher, VaultError, records};

/// A vault that is open. Clones are the same vault.
#[derive(Clone)]
pub struct PlainVault(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) node_key: Arc<SealingKey>,
    pub(crate) vault: VaultId,
    pub(crate) matcher: Arc<dyn Matcher>,
    pub(crate) directory: RwLock<Directory>,
    pub(crate) row_keys: Arc<Mutex<RowKeyFile>>,
    /// Held by whoever changes anything.
    pub(crate) changes: tokio::sync::Mutex<SlotNumbers>,
    #[cfg(test)]
    pub(crate) at_step: Mutex<Option<StepHook>>,
    /// Keeps other processes out while it is open.
    pub(crate) _alone: File,
}

#[cfg(test)]
pub(crate) type StepHook = Box<dyn Fn(Step) + Send>;

/// Hands out slot numbers, ascending.
#[derive(Debug)]
pub(crate) struct SlotNumbers {
    pub(crate) next: i64,
}

/// Moments of a change between which a crash must do no harm; tests look at the disk at each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    KeysWritten,
    RowsCommitted,
    DeletionMarked,
    PalmsForgotten,
    KeysDestroyed,
    RowsDeleted,
    LogTruncated,
}

/// How full a vault is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultStatus {
    /// Palms stored.
    pub palms: usize,
    /// Galleries that are open, those for duplicate checks included.
    pub open_galleries: usize,
    /// The three nodes; none where one machine matches in clear.
    pub nodes: Option<[NodeState; 3]>,
}

impl PlainVault {
    /// How full the vault is.
    #[must_use]
    pub fn status(&self) -> VaultStatus {
        let directory = self.0.directory();
        VaultStatus {
            palms: directory.palms(),
            open_galleries: directory.galleries.open(),
            nodes: None,
        }
    }

    /// What a company knows its palms by, in no order: to find those that the company forgot.
    #[must_use]
    pub fn palms(&self, company: CompanyId) -> Vec<PairwiseToken> {
        self.0.directory().palms_of(company)
    }

    /// Closes the vault after the change in progress. Other clones answer errors from then on.
    pub async fn close(self) {
        let _last_change = self.0.changes.lock().await;
        self.0.store.close().await;
    }

    /// Runs a change to its end, whether or not the caller waits for it.
    pub(crate) async fn to_the_end<T, F>(
        &self,
        change: impl FnOnce(Arc<Inner>) -> F,
    ) -> Result<T, VaultError>
    where
        F: Future<Output = Result<T, VaultError>> + Send + 'static,
        T: Send + 'static,
    {
        tokio::spawn(change(self.0.clone())).await.unwrap_or_else(|error| Err(ended(error)))
    }
}

impl Inner {
    // A panic elsewhere leaves the directory whole: its changes are single insertions.
    pub(crate) fn directory(&self) -> RwLockReadGuard<'_, Directory> {
        self.directory.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn directory_mut(&self) -> RwLockWriteGuard<'_, Directory> {
        self.directory.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works on the row key file, where waiting for the disk blocks no other task.
    pub(crate) async fn with_row_keys<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut RowKeyFile) -> Result<T, VaultError> + Send + 'static,
    ) -> Result<T, VaultError> {
        let row_keys = self.row_keys.clone();
        blocking(move || work(&mut row_keys.lock().unwrap_or_else(PoisonError::into_inner))).await?
    }

    /// Works on the matcher, where waiting for searches or computing one blocks no other task.
    pub(crate) async fn with_matcher<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Matcher) -> T + Send + 'static,
    ) -> Result<T, VaultError> {
        let matcher = self.matcher.clone();
        blocking(move || work(&*matcher)).await
    }

    /// Makes sure that `party` has a key. The caller holds [`Inner::changes`].
    pub(crate) async fn ensure_party(&self, party: RelyingParty) -> Result<(), VaultError> {
        if self.directory().knows_party(party) {
            return Ok(());
        }
        let key = PairwiseKey::generate(&*self.random);
        let place = party_place(self.vault, party);
        let sealed = &self.node_key.seal(&place, key.expose(), &*self.random);
        self.store
            .transaction("vault.add_party", |tx| {
                Box::pin(async move { records::insert_party(tx, party, sealed).await })
            })
            .await?;
        self.directory_mut().add_party(party, key);
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn reached(&self, step: Step) {
        if let Some(hook) = &*self.at_step.lock().unwrap() {
            hook(step);
        }
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "tests look at the disk here")]
    pub(crate) fn reached(&self, _: Step) {}
}

/// Where a relying party's sealed key belongs.
pub(crate) fn party_place(vault: VaultId, party: RelyingParty) -> Place {
    let row = [vault.as_bytes(), party.to_string().as_bytes()].concat();
    Place { table: "relying_party", row, column: "sealed_key", version: 1 }
}

/// Runs work that computes or waits for the disk outside the threads that serve requests.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, VaultError> {
    spawn_blocking(work).await.map_err(ended)
}

/// A task that did not end by itself: its panic goes on here, else the program is stopping.
fn ended(error: JoinError) -> VaultError {
    match error.try_into_panic() {
        Ok(panic) => resume_unwind(panic),
        Err(_) => VaultError::Stopping,
    }
}

impl fmt::Debug for PlainVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlainVault").field("status", &self.status()).finish()
    }
}
