//! Goods that went while the gateway was silent are paid for at most once, wherever a process dies
//! and however long another one that serves the same database stands still.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use handfast_model::{Clock, Currency, Duration, ManualClock, SeededRandom, Timestamp};
use handfast_store::{Store, StoreError, params, test_on_both_engines};
use handfast_till::test_gateway::{Fault, Instrument, Operation};
use handfast_till::{Charge, ChargeState, OfflineFloor, PayOutcome, Replayed, Till, TillError};

use tokio::task::JoinHandle;

use crate::counter::{Counter, Fan};
use crate::crashes::Watched;

/// What goes unpaid at first.
const MINOR: i64 = 1_500;
/// Looks at the clock of the process that stands still: enough for every place where it does.
const LOOKS: u64 = 12;
/// Requests to the gateway, twice each, after which a process may die: more than a replay has.
const DEATHS: u64 = 12;

async fn accepted(at: &Counter, fan: &Fan) -> Charge {
    let floor = Some(OfflineFloor { charge_max: 2_000, sum_max: 5_000 });
    at.till.set_offline_floor(at.shop, floor).await.unwrap();
    let charge = at.charge(MINOR).await;
    at.gateway.inject(Operation::Authorise, Fault::RequestLost);
    let PayOutcome::AcceptedOffline(charge) = at.pay(&charge, fan).await else { panic!() };
    at.clock.advance(Duration::from_secs(61));
    at.till.resolve_due().await.unwrap();
    charge
}

async fn pays_with_a_good_card(at: &Counter, fan: &Fan) {
    at.link_method(fan.account, Instrument::AlwaysApproves).await;
    let wallet = at.till.wallet(fan.account).await.unwrap().unwrap();
    let good = wallet.payment_methods.last().unwrap().id;
    at.till.set_default_payment_method(fan.account, good).await.unwrap();
}

/// Rounds until nothing is left to do, and what the gateway took by then.
async fn taken_in_the_end(at: &Counter) -> i64 {
    for _ in 0..4 {
        for _ in 0..3 {
            at.clock.advance(Duration::from_secs(61));
            at.till.resolve_due().await.unwrap();
            at.till.replay_offline_due().await.unwrap();
        }
        at.clock.advance(Duration::from_hours(73));
    }
    let audit = at.till.audit().await.unwrap();
    assert!(audit.is_clean(), "{audit:?}");
    let report = at.gateway.report().await.unwrap();
    report.iter().map(|line| line.captured.minor - line.refunded.minor).sum()
}

/// A clock at which a thread stands still when it looks for the n-th time, until it is let go.
struct StandsStill {
    clock: Arc<ManualClock>,
    looks_left: AtomicU64,
    state: Mutex<(bool, bool)>,
    changed: Condvar,
}

impl StandsStill {
    fn at_look(clock: Arc<ManualClock>, looks: u64) -> Arc<Self> {
        let looks_left = AtomicU64::new(looks);
        Arc::new(Self { clock, looks_left, state: Mutex::default(), changed: Condvar::new() })
    }

    /// Waits until somebody stands still here, or its work is done.
    fn wait(&self) {
        let mut state = self.state.lock().unwrap();
        while !state.0 {
            state = self.changed.wait(state).unwrap();
        }
    }

    fn arrived(&self) {
        self.state.lock().unwrap().0 = true;
        self.changed.notify_all();
    }

    fn let_go(&self) {
        self.state.lock().unwrap().1 = true;
        self.changed.notify_all();
    }
}

impl Clock for StandsStill {
    fn now(&self) -> Timestamp {
        if self.looks_left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.arrived();
            let mut state = self.state.lock().unwrap();
            while !state.1 {
                state = self.changed.wait(state).unwrap();
            }
        }
        self.clock.now()
    }
}

/// Lets `slow` go on with its replays until it looks at the clock for the n-th time, or is done.
async fn stands_still(
    slow: Till,
    still: &Arc<StandsStill>,
    look: u64,
) -> JoinHandle<Result<Replayed, TillError>> {
    still.looks_left.store(look, Ordering::Relaxed);
    let (handle, gone_on) = (tokio::runtime::Handle::current(), still.clone());
    let working = tokio::task::spawn_blocking(move || {
        let done = handle.block_on(slow.replay_offline_due());
        gone_on.arrived();
        done
    });
    let waiting = still.clone();
    tokio::task::spawn_blocking(move || waiting.wait()).await.unwrap();
    working
}

/// One process stands still at its n-th look at the clock, which it never does inside a transaction,
/// while another one goes on until the second replay is paid.
async fn another_process_stands_still(store: Store, look: u64) {
    let at = Counter::open(store.clone()).await;
    let fan = at.fan_without_credit(Instrument::AlwaysDeclines).await;
    accepted(&at, &fan).await;
    // The first replay is declined; that it was is about to be noticed.
    at.till.replay_offline_due().await.unwrap();
    at.clock.advance(Duration::from_secs(3));

    let still = StandsStill::at_look(at.clock.clone(), u64::MAX);
    let random = Arc::new(SeededRandom::new(look));
    let slow = Till::open(store, at.gateway.clone(), still.clone(), random).await.unwrap();
    let working = stands_still(slow, &still, look).await;
    at.till.replay_offline_due().await.unwrap();
    pays_with_a_good_card(&at, &fan).await;
    at.clock.advance(Duration::from_hours(25));
    at.till.replay_offline_due().await.unwrap();
    still.let_go();
    working.await.unwrap().unwrap();
    assert_eq!(taken_in_the_end(&at).await, MINOR, "look {look}");
    let sums = at.till.offline_sums(at.shop).await.unwrap();
    assert_eq!((sums.open, sums.paid, sums.lost), ((0, 0), (1, MINOR), (0, 0)), "look {look}");
}

/// A process stands still at its n-th look at the clock; meanwhile the wallet is frozen.
/// Whether a replay had begun by then.
async fn frozen_while_it_stands_still(store: Store, look: u64) -> bool {
    let at = Counter::open(store.clone()).await;
    let fan = at.fan_without_credit(Instrument::AlwaysApproves).await;
    let charge = accepted(&at, &fan).await;
    let still = StandsStill::at_look(at.clock.clone(), u64::MAX);
    let random = Arc::new(SeededRandom::new(look));
    let slow = Till::open(store.clone(), at.gateway.clone(), still.clone(), random).await.unwrap();
    let working = stands_still(slow, &still, look).await;
    let id = charge.id;
    let begun: Result<(i64,), StoreError> = store
        .read("begun", |tx| {
            Box::pin(async move {
                let sql = "SELECT COUNT(replay) FROM till_offline WHERE charge_id = $1";
                tx.fetch_one(sql, params![id]).await
            })
        })
        .await;
    let begun = begun.unwrap().0 > 0;
    at.till.set_frozen(fan.account, true).await.unwrap();
    still.let_go();
    working.await.unwrap().unwrap();
    let taken = taken_in_the_end(&at).await;
    assert_eq!(taken, if begun { MINOR } else { 0 }, "look {look}");
    begun
}

async fn dies_at(store: Store, point: u64, instrument: Instrument) -> bool {
    let mut watched = None;
    let mut at = Counter::open_with(store.clone(), Currency::Usd, point, |inner| {
        watched.insert(Arc::new(Watched::new(inner))).clone()
    })
    .await;
    let gateway = watched.unwrap();
    let fan = at.fan_without_credit(instrument).await;
    accepted(&at, &fan).await;
    *gateway.dies_in.lock().unwrap() = Some(point);
    let died = tokio::select! {
        biased;
        done = Box::pin(at.till.replay_offline_due()) => done.map(|_| false).unwrap(),
        () = gateway.died.notified() => true,
    };
    *gateway.dies_in.lock().unwrap() = None;
    let (clock, random) = (at.clock.clone(), at.random.clone());
    at.till = Till::open(store, gateway, clock, random).await.unwrap();
    at.till.recover().await.unwrap();
    let taken = taken_in_the_end(&at).await;
    let sums = at.till.offline_sums(at.shop).await.unwrap();
    let context = format!("dies at {point}: {sums:?}");
    let counted = sums.paid.1 + sums.lost.1;
    assert_eq!((taken, counted, sums.open), (sums.paid.1, MINOR, (0, 0)), "{context}");
    if instrument == Instrument::AlwaysApproves {
        assert_eq!(taken, MINOR, "{context}");
    }
    died
}

#[test]
fn a_process_that_stands_still_anywhere_doubles_nothing() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for look in 1..=LOOKS {
            let store = Store::connect("sqlite::memory:").await.unwrap();
            Box::pin(another_process_stands_still(store, look)).await;
        }
    });
}

#[test]
fn nobody_pays_from_a_wallet_that_was_frozen_before_the_replay_began() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut begun = Vec::new();
        for look in 1..=LOOKS {
            let store = Store::connect("sqlite::memory:").await.unwrap();
            begun.push(Box::pin(frozen_while_it_stands_still(store, look)).await);
        }
        assert!(begun.contains(&true) && begun.contains(&false), "{begun:?}");
    });
}

test_on_both_engines! {
    async fn a_process_that_dies_in_a_replay_doubles_nothing(store: Store) {
        // A database of their own for each death, but for the last, which is on disk.
        let mut deaths = 0;
        for point in 0..DEATHS {
            for instrument in [Instrument::AlwaysApproves, Instrument::AlwaysDeclines] {
                let memory = Store::connect("sqlite::memory:").await.unwrap();
                deaths += u64::from(Box::pin(dies_at(memory, point, instrument)).await);
            }
        }
        assert!(deaths >= 4, "only {deaths} deaths");
        Box::pin(dies_at(store, 1, Instrument::AlwaysApproves)).await;
    }

    async fn goods_that_come_back_before_they_are_charged_for_cost_nothing(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::AlwaysApproves).await;
        let charge = accepted(&at, &fan).await;
        let back = at.till.cancel_charge(at.register, charge.id).await.unwrap();
        assert!(!back.accepted_offline);
        let again = at.till.cancel_charge(at.register, charge.id).await.unwrap();
        assert_eq!(again.state, back.state);
        assert_eq!(taken_in_the_end(&at).await, 0);
        let sums = at.till.offline_sums(at.shop).await.unwrap();
        assert_eq!([sums.open, sums.paid, sums.lost], [(0, 0); 3]);
    }

    async fn goods_that_come_back_after_their_first_payment_was_declined_cost_nothing(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::AlwaysDeclines).await;
        let floor = Some(OfflineFloor { charge_max: 2_000, sum_max: 5_000 });
        at.till.set_offline_floor(at.shop, floor).await.unwrap();
        let charge = at.charge(MINOR).await;
        at.gateway.inject(Operation::Authorise, Fault::AnswerLost);
        let PayOutcome::AcceptedOffline(charge) = at.pay(&charge, &fan).await else { panic!() };
        at.till.resolve_due().await.unwrap();
        assert_eq!(at.read(&charge).await.state, ChargeState::Declined);
        for _ in 0..2 {
            let back = at.till.cancel_charge(at.register, charge.id).await.unwrap();
            assert_eq!((back.state, back.accepted_offline), (ChargeState::Declined, false));
        }
        pays_with_a_good_card(&at, &fan).await;
        assert_eq!(taken_in_the_end(&at).await, 0);
        let sums = at.till.offline_sums(at.shop).await.unwrap();
        assert_eq!([sums.open, sums.paid, sums.lost], [(0, 0); 3]);
    }

    async fn goods_that_are_charged_for_do_not_come_back_unnoticed(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::AlwaysApproves).await;
        let charge = accepted(&at, &fan).await;
        at.till.replay_offline_due().await.unwrap();
        let late = at.till.cancel_charge(at.register, charge.id).await;
        assert!(matches!(late, Err(TillError::TooLateToCancel { .. })), "{late:?}");
        assert_eq!(taken_in_the_end(&at).await, MINOR);
    }
}
