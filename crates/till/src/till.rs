//! The till itself: its database, its gateway, its clock and randomness.

use std::sync::Arc;

use handfast_model::{Clock, LedgerAccountId, Random, Timestamp, TransferId};
use handfast_store::Store;

use crate::error::TillError;
use crate::gateway::Gateway;
use crate::schema::MIGRATIONS;
use crate::text::unguessable;

/// Wallets, charges, refunds, credit and the ledger behind them. Clones share everything.
///
/// Every method may be given up half way (its future dropped, the process killed) without harm:
/// what it was about to ask the gateway is recorded before, and [`Till::recover`] at the next
/// start, or [`Till::resolve_due`] meanwhile, finds out what became of it.
#[derive(Clone)]
pub struct Till {
    pub(crate) store: Store,
    pub(crate) gateway: Arc<dyn Gateway>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    /// This process among those that serve the same database.
    pub(crate) instance: Arc<str>,
}

impl Till {
    /// Opens the till on its own database, bringing the tables to their version. Call
    /// [`Till::recover`] before the first request is served.
    ///
    /// # Errors
    /// [`TillError::Store`], for example where a newer program wrote the database.
    pub async fn open(
        store: Store,
        gateway: Arc<dyn Gateway>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, TillError> {
        store.migrate(&MIGRATIONS).await?;
        let instance = unguessable(&*random).into();
        let till = Self { store, gateway, clock, random, instance };
        till.renew_lease().await?;
        Ok(till)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn fresh_transfer(&self) -> TransferId {
        TransferId::new(&*self.clock, &*self.random)
    }

    pub(crate) fn fresh_ledger_account(&self) -> LedgerAccountId {
        LedgerAccountId::new(&*self.clock, &*self.random)
    }
}
