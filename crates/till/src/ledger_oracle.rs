//! The ledger against a slow, obvious one: a list of transfers whose balances are summed anew for
//! every question.
//!
//! Goal: any order of reserving, posting, voiding and repeating leaves both with the same balances
//! and gives the same answers. A failure: they differ, the sum of a currency is not zero, or an
//! account that may not be negative is. Not a failure: a refusal that both agree on. Nothing here is
//! nondeterministic: the seed is in every message.

use std::sync::Arc;

use handfast_model::{
    Clock, Currency, LedgerAccountId, ManualClock, Money, Random, SeededRandom, Timestamp,
    TransferId,
};
use handfast_store::Store;

use crate::Till;
use crate::error::{LedgerError, TillError};
use crate::ledger::{
    self, LedgerAccountKind, NewTransfer, Purpose, TRANSFER_MINOR_MAX, TransferState,
};
use crate::test_gateway::{TestGateway, TestGatewayOptions};

const SEEDS: u64 = 40;
const OPERATIONS: usize = 60;

struct Oracle {
    accounts: Vec<(LedgerAccountId, LedgerAccountKind, Currency)>,
    rows: Vec<(NewTransfer, TransferState, i64)>,
}

impl Oracle {
    fn sums(&self, account: LedgerAccountId) -> (i64, i64) {
        let mut balance = 0;
        let mut reserved = 0;
        for (transfer, state, posted) in &self.rows {
            let moved = if *state == TransferState::Posted { *posted } else { 0 };
            if transfer.debit == account {
                balance -= moved;
                if *state == TransferState::Pending {
                    reserved += transfer.amount.minor;
                }
            }
            if transfer.credit == account {
                balance += moved;
            }
        }
        (balance, reserved)
    }

    fn account(&self, id: LedgerAccountId) -> (LedgerAccountKind, Currency) {
        let (_, kind, currency) = self.accounts.iter().find(|(a, _, _)| *a == id).unwrap();
        (*kind, *currency)
    }

    fn reserve(&mut self, transfer: &NewTransfer) -> Result<(), LedgerError> {
        if transfer.amount.minor <= 0 {
            return Err(LedgerError::NotPositive);
        }
        if transfer.amount.minor > TRANSFER_MINOR_MAX {
            return Err(LedgerError::TooLarge { limit_minor: TRANSFER_MINOR_MAX });
        }
        if transfer.debit == transfer.credit {
            return Err(LedgerError::SameAccount);
        }
        if let Some((earlier, _, _)) = self.rows.iter().find(|(t, _, _)| t.id == transfer.id) {
            return if earlier == transfer { Ok(()) } else { Err(LedgerError::IdReused) };
        }
        let (kind, currency) = self.account(transfer.debit);
        if currency != transfer.amount.currency {
            return Err(LedgerError::UnknownAccount);
        }
        let (balance, reserved) = self.sums(transfer.debit);
        if !kind.may_be_negative() && balance - reserved < transfer.amount.minor {
            return Err(LedgerError::InsufficientFunds);
        }
        if self.account(transfer.credit).1 != transfer.amount.currency {
            return Err(LedgerError::UnknownAccount);
        }
        self.rows.push((transfer.clone(), TransferState::Pending, 0));
        Ok(())
    }

    fn post(&mut self, id: TransferId, amount: i64) -> Result<(), LedgerError> {
        let (transfer, state, posted) = self.rows.iter_mut().find(|(t, _, _)| t.id == id).unwrap();
        match state {
            TransferState::Posted if *posted == amount => return Ok(()),
            TransferState::Pending => {}
            _ => return Err(LedgerError::Closed),
        }
        if amount <= 0 {
            return Err(LedgerError::NotPositive);
        }
        if amount > transfer.amount.minor {
            return Err(LedgerError::OverPost);
        }
        (*state, *posted) = (TransferState::Posted, amount);
        Ok(())
    }

    fn void(&mut self, id: TransferId, to: TransferState) -> Result<(), LedgerError> {
        let (_, state, _) = self.rows.iter_mut().find(|(t, _, _)| t.id == id).unwrap();
        match *state {
            TransferState::Pending => *state = to,
            closed if closed == to => {}
            _ => return Err(LedgerError::Closed),
        }
        Ok(())
    }
}

struct World {
    till: Till,
    clock: Arc<ManualClock>,
    random: Arc<SeededRandom>,
    oracle: Oracle,
}

impl World {
    async fn open(store: Store, seed: u64) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_790_000_000_000_000)));
        let random = Arc::new(SeededRandom::new(seed));
        let memory = Store::connect("sqlite::memory:").await.unwrap();
        let options = TestGatewayOptions {
            merchant: String::new(),
            page_base: String::new(),
            currencies: Vec::new(),
        };
        let gateway =
            TestGateway::open(memory, clock.clone(), random.clone(), options).await.unwrap();
        let till =
            Till::open(store, Arc::new(gateway), clock.clone(), random.clone()).await.unwrap();
        let oracle = Oracle { accounts: Vec::new(), rows: Vec::new() };
        let mut world = Self { till, clock, random, oracle };
        world.add_accounts(seed).await;
        world
    }

    async fn add_accounts(&mut self, seed: u64) {
        let now = self.clock.now();
        for currency in [Currency::Usd, Currency::Jpy] {
            for &kind in LedgerAccountKind::ALL {
                let (fresh, owner) = (self.till.fresh_ledger_account(), format!("owner {seed}"));
                let owner = &owner;
                let id = self
                    .till
                    .store
                    .transaction("test.account", |tx| {
                        Box::pin(ledger::account(tx, fresh, kind, owner, currency, now))
                    })
                    .await
                    .unwrap();
                self.oracle.accounts.push((id, kind, currency));
            }
        }
    }

    fn below(&self, bound: usize) -> usize {
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes);
        usize::try_from(u64::from_le_bytes(bytes) % bound as u64).unwrap()
    }

    fn any_transfer(&self) -> NewTransfer {
        // Now and then an earlier id comes again, with the same content or with other.
        if !self.oracle.rows.is_empty() && self.below(8) == 0 {
            let mut transfer = self.oracle.rows[self.below(self.oracle.rows.len())].0.clone();
            if self.below(2) == 0 {
                transfer.amount.minor += 1;
            }
            return transfer;
        }
        let account = || self.oracle.accounts[self.below(self.oracle.accounts.len())];
        let (debit, _, currency) = account();
        let (credit, ..) = account();
        let minor = match self.below(12) {
            0 => 0,
            1 => -5,
            2 => i64::MAX,
            3 => TRANSFER_MINOR_MAX,
            other => 1 + other as i64 * 7,
        };
        NewTransfer {
            id: self.till.fresh_transfer(),
            debit,
            credit,
            amount: Money::new(minor, currency),
            purpose: Purpose::CreditEnd,
            subject: "a test".to_owned(),
        }
    }

    async fn operate(&mut self) -> (Result<(), TillError>, Result<(), LedgerError>) {
        let now = self.clock.now();
        let store = &self.till.store;
        if self.oracle.rows.is_empty() || self.below(2) == 0 {
            let transfer = self.any_transfer();
            let asked = &transfer;
            let done = store
                .transaction("test.reserve", |tx| Box::pin(ledger::reserve(tx, asked, now)))
                .await;
            return (done, self.oracle.reserve(&transfer));
        }
        let (transfer, ..) = &self.oracle.rows[self.below(self.oracle.rows.len())];
        let (id, reserved) = (transfer.id, transfer.amount.minor);
        if self.below(3) == 0 {
            let to = [TransferState::Voided, TransferState::Expired][self.below(2)];
            let done =
                store.transaction("test.void", |tx| Box::pin(ledger::void(tx, id, to, now))).await;
            return (done, self.oracle.void(id, to));
        }
        let amount = [reserved, reserved, reserved / 2, reserved + 1][self.below(4)];
        let done =
            store.transaction("test.post", |tx| Box::pin(ledger::post(tx, id, amount, now))).await;
        (done, self.oracle.post(id, amount))
    }

    async fn compare(&self, seed: u64) {
        let audit = self.till.audit().await.unwrap();
        assert!(audit.is_clean(), "seed {seed}: {:?}", audit.differences);
        for balance in self.till.balances().await.unwrap() {
            let (wanted, reserved) = self.oracle.sums(balance.account);
            let got = (balance.balance.minor, balance.going_out.minor);
            assert_eq!(got, (wanted, reserved), "seed {seed}: {:?}", balance.kind);
        }
    }
}

async fn history(store: Store, seed: u64) {
    let mut world = World::open(store, seed).await;
    for number in 0..OPERATIONS {
        let (ledger, oracle) = world.operate().await;
        match (&ledger, &oracle) {
            (Ok(()), Ok(())) => {}
            (Err(TillError::Ledger(got)), Err(wanted)) if got == wanted => {}
            _ => panic!("seed {seed}, operation {number}: {ledger:?}, oracle {oracle:?}"),
        }
    }
    world.compare(seed).await;
}

#[test]
fn the_ledger_agrees_with_the_oracle() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for seed in 0..SEEDS {
            history(Store::connect("sqlite::memory:").await.unwrap(), seed).await;
        }
    });
}

handfast_store::test_on_both_engines! {
    async fn one_history_agrees_on_disk(store: Store) {
        history(store, 4_711).await;
    }

    async fn the_database_itself_refuses_a_balance_below_zero(store: Store) {
        let world = World::open(store, 1).await;
        let wallet = world.oracle.accounts.iter().find(|(_, kind, _)| !kind.may_be_negative());
        let id = wallet.unwrap().0;
        let forced: Result<u64, handfast_store::StoreError> = world
            .till
            .store
            .transaction("test.force", |tx| {
                Box::pin(async move {
                    tx.execute(
                        "UPDATE till_ledger_accounts SET debits_posted = 1 \
                         WHERE ledger_account_id = $1",
                        handfast_store::params![id],
                    )
                    .await
                })
            })
            .await;
        assert!(forced.is_err(), "the CHECK must hold without the guarded statement");
        assert!(world.till.audit().await.unwrap().is_clean());
    }

    async fn the_audit_finds_what_other_hands_changed(store: Store) {
        let world = World::open(store, 2).await;
        let id = world.oracle.accounts.iter().find(|(_, kind, _)| kind.may_be_negative()).unwrap().0;
        world
            .till
            .store
            .transaction("test.tamper", |tx| {
                Box::pin(async move {
                    tx.execute(
                        "UPDATE till_ledger_accounts SET credits_posted = 7 \
                         WHERE ledger_account_id = $1",
                        handfast_store::params![id],
                    )
                    .await
                })
            })
            .await
            .map_err(|error: handfast_store::StoreError| error)
            .unwrap();
        let audit = world.till.audit().await.unwrap();
        assert_eq!(audit.differences.len(), 1);
        assert!(!audit.is_clean());
    }
}
