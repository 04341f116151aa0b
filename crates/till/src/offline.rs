//! The offline floor: up to which amount a shop lets goods go while the gateway does not answer, per
//! charge and in sum. Off until somebody sets it. What was let go is charged afterwards, as
//! merchant-initiated, and what stays unpaid is counted as the shop's loss: the till never asks the
//! gateway twice for one payment, so the first one is found out (and let go) before it is replayed.

use handfast_model::{ChargeId, Currency, Duration, Money, ShopId, Timestamp};
use handfast_store::{Tx, params};

use crate::Till;
use crate::charge::{Charge, Goal, Origin, by_id, by_id_locked};
use crate::error::TillError;
use crate::hover::{Decision, Planning, Presence};
use crate::order::{Direct, DirectIds, NotBegun, begin};
use crate::shop::shop;
use crate::state::ChargeState;
use crate::wallet::WalletRow;

/// Pauses after a replay that was declined: a card that is short today has money after payday.
/// Schemes allow more tries; three are enough to know.
const REPLAY_AFTER: [Duration; 3] =
    [Duration::ZERO, Duration::from_hours(24), Duration::from_hours(72)];
/// How many are looked after in one round, so that a round ends.
const ROUND_MAX: i64 = 50;
pub(crate) const DUE: &str = "SELECT charge_id FROM till_offline WHERE state = 'open' \
    AND next_at <= $1 ORDER BY next_at LIMIT $2";
/// Until when an open one is looked at again, while its charge has no end.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Up to where a shop takes the risk, in minor units of its currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfflineFloor {
    /// The most of one charge.
    pub charge_max: i64,
    /// The most of all charges that wait for their money at a time.
    pub sum_max: i64,
}

/// What the floor did so far at a shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfflineSums {
    /// The floor; none where it is off.
    pub floor: Option<OfflineFloor>,
    /// The shop's currency, of every sum here.
    pub currency: Currency,
    /// Charges that wait for their money, and how much that is.
    pub open: (i64, i64),
    /// Charges that were paid after all.
    pub paid: (i64, i64),
    /// Charges that never will be: the shop's loss.
    pub lost: (i64, i64),
}

/// What a round of replays did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Charges whose money arrived.
    pub paid: usize,
    /// Charges that were given up.
    pub lost: usize,
}

/// What is to be done about one charge that was let go offline.
enum Next {
    Paid,
    Wait,
    /// The next replay is due now.
    Replay,
    /// Nothing: the goods came back meanwhile, or another process brought it to its end.
    Over,
    /// The latest replay came to nothing.
    Failed(ChargeId),
}

impl Till {
    /// Sets a shop's offline floor, or turns it off (`None`).
    ///
    /// # Errors
    /// [`TillError::LimitOutOfRange`] unless 0 < `charge_max` <= `sum_max` <=
    /// [`crate::CHARGE_MINOR_MAX`]; [`TillError::NotFound`] for an unknown shop.
    pub async fn set_offline_floor(
        &self,
        at: ShopId,
        floor: Option<OfflineFloor>,
    ) -> Result<(), TillError> {
        let max_minor = crate::CHARGE_MINOR_MAX;
        let fits = |floor: OfflineFloor| {
            0 < floor.charge_max && floor.charge_max <= floor.sum_max && floor.sum_max <= max_minor
        };
        if floor.is_some_and(|floor| !fits(floor)) {
            return Err(TillError::LimitOutOfRange { max_minor });
        }
        let now = self.now();
        self.store
            .transaction("offline.set_floor", |tx| {
                Box::pin(async move {
                    shop(tx, at).await?;
                    tx.execute("DELETE FROM till_offline_floors WHERE shop_id = $1", params![at])
                        .await?;
                    let Some(OfflineFloor { charge_max, sum_max }) = floor else { return Ok(()) };
                    tx.execute(
                        "INSERT INTO till_offline_floors (shop_id, charge_max, sum_max, set_at) \
                         VALUES ($1, $2, $3, $4)",
                        params![at, charge_max, sum_max, now],
                    )
                    .await?;
                    Ok(())
                })
            })
            .await
    }

    /// What the floor did at a shop, with its losses.
    ///
    /// # Errors
    /// [`TillError::NotFound`] for an unknown shop.
    pub async fn offline_sums(&self, at: ShopId) -> Result<OfflineSums, TillError> {
        self.store.read("offline.sums", |tx| Box::pin(sums(tx, at))).await
    }

    /// Takes the shop's risk for a charge whose answer is missing, where its floor covers it.
    pub(crate) async fn accept_offline(&self, charge: Charge) -> Result<Charge, TillError> {
        // Nobody waits at a counter for these, a discount may be over at the replay, and a hold
        // hands nothing over.
        let fits = charge.origin == Origin::Counter
            && charge.tip_of.is_none()
            && charge.discount.minor == 0
            && !charge.held;
        if !fits {
            return Ok(charge);
        }
        let (id, now) = (charge.id, self.now());
        self.store.transaction("offline.accept", |tx| Box::pin(accept(tx, id, now))).await
    }

    /// Brings what was let go offline to its end: paid after all, charged again as
    /// merchant-initiated, or counted as lost. Call it every second or two.
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn replay_offline_due(&self) -> Result<Replayed, TillError> {
        let now = self.now();
        let due: Vec<(ChargeId,)> = self
            .store
            .read("offline.due", |tx| {
                Box::pin(async move { tx.fetch_all(DUE, params![now, ROUND_MAX]).await })
            })
            .await
            .map_err(TillError::Store)?;
        let mut replayed = Replayed::default();
        for (id,) in due {
            self.bring_on(id, &mut replayed).await?;
        }
        Ok(replayed)
    }

    async fn bring_on(&self, id: ChargeId, replayed: &mut Replayed) -> Result<(), TillError> {
        let now = self.now();
        let next = self.store.read("offline.next", |tx| Box::pin(next(tx, id))).await?;
        match next {
            Next::Paid => {
                replayed.paid += usize::from(self.offline_paid(id).await?);
                Ok(())
            }
            Next::Wait => self.look_again(id, now + LOOK_AGAIN).await,
            Next::Failed(replay) => self.replay_failed(id, Some(replay), replayed).await,
            Next::Over => Ok(()),
            Next::Replay => {
                let (ids, instance) = (&DirectIds::new(self), &*self.instance);
                let begun = self
                    .store
                    .transaction("offline.replay", |tx| {
                        Box::pin(begin_replay(tx, id, ids, instance, now))
                    })
                    .await;
                match begun {
                    Ok(Some(decision)) => self.carry_out(decision).await.map(drop),
                    // Another process was quicker.
                    Ok(None) => Ok(()),
                    Err(NotBegun::Away(_)) => self.replay_failed(id, None, replayed).await,
                    Err(NotBegun::Failed(error)) => Err(error),
                }
            }
        }
    }

    async fn look_again(&self, id: ChargeId, at: Timestamp) -> Result<(), TillError> {
        self.store
            .transaction("offline.wait", |tx| {
                Box::pin(async move {
                    tx.execute(
                        // Never earlier: another process may have set a pause meanwhile.
                        "UPDATE till_offline SET next_at = $1 \
                         WHERE charge_id = $2 AND next_at < $1",
                        params![at, id],
                    )
                    .await?;
                    Ok(())
                })
            })
            .await
    }

    /// Another try later, or the loss. `replay` is the one that was seen to fail, none where none
    /// could begin: where another process went on meanwhile, what was seen is old news, and
    /// forgetting *its* replay would charge the person twice.
    async fn replay_failed(
        &self,
        id: ChargeId,
        replay: Option<ChargeId>,
        replayed: &mut Replayed,
    ) -> Result<(), TillError> {
        let now = self.now();
        let lost = self
            .store
            .transaction("offline.failed", |tx| Box::pin(count_failure(tx, id, replay, now)))
            .await?;
        if lost {
            tracing::warn!("goods that were let go offline stay unpaid");
            replayed.lost += 1;
        }
        Ok(())
    }

    async fn offline_paid(&self, id: ChargeId) -> Result<bool, TillError> {
        let now = self.now();
        let changed = self
            .store
            .transaction("offline.paid", |tx| {
                Box::pin(async move {
                    let sql = "UPDATE till_offline SET state = 'paid', closed_at = $1 \
                               WHERE charge_id = $2 AND state = 'open'";
                    Ok::<_, TillError>(tx.execute(sql, params![now, id]).await?)
                })
            })
            .await?;
        Ok(changed > 0)
    }
}

/// Counts one failure of a replay, once: whether the goods count as lost with it.
async fn count_failure(
    tx: &mut Tx<'_>,
    id: ChargeId,
    replay: Option<ChargeId>,
    now: Timestamp,
) -> Result<bool, TillError> {
    let row: Option<(i64, Option<ChargeId>, Timestamp)> = tx
        .fetch_locked_optional(
            "SELECT o.attempts, o.replay, o.next_at FROM till_offline o \
             WHERE o.charge_id = $1 AND o.state = 'open'",
            "o",
            params![id],
        )
        .await?;
    let Some((attempts, latest, next_at)) = row else { return Ok(false) };
    // Where none began there is no id to know it by; then the next try's time says whether somebody
    // counted this one.
    if latest != replay || (replay.is_none() && next_at > now) {
        return Ok(false);
    }
    let attempts = attempts + 1;
    let pause = usize::try_from(attempts).ok().and_then(|n| REPLAY_AFTER.get(n));
    let (state, next_at, closed_at) = match pause {
        Some(&pause) => ("open", now + pause, None),
        None => ("lost", next_at, Some(now)),
    };
    tx.execute(
        "UPDATE till_offline SET attempts = $1, replay = NULL, state = $2, next_at = $3, \
         closed_at = $4 WHERE charge_id = $5",
        params![attempts, state, next_at, closed_at, id],
    )
    .await?;
    Ok(state == "lost")
}

async fn accept(tx: &mut Tx<'_>, id: ChargeId, now: Timestamp) -> Result<Charge, TillError> {
    let mut charge = by_id_locked(tx, id).await?;
    if charge.state != ChargeState::Unknown || charge.goal != Goal::Capture {
        return Ok(charge);
    }
    let OfflineSums { floor, open, .. } = sums(tx, charge.shop).await?;
    let amount = charge.amount.minor;
    let covered =
        floor.is_some_and(|floor| amount <= floor.charge_max && amount <= floor.sum_max - open.1);
    if !covered || charge.accepted_offline {
        return Ok(charge);
    }
    tx.execute(
        "INSERT INTO till_offline (charge_id, shop_id, amount, state, attempts, next_at, \
         accepted_at) VALUES ($1, $2, $3, 'open', 0, $4, $4)",
        params![charge.id, charge.shop, amount, now],
    )
    .await?;
    tx.execute(
        "UPDATE till_charges SET accepted_offline = TRUE WHERE charge_id = $1",
        params![charge.id],
    )
    .await?;
    charge.accepted_offline = true;
    Ok(charge)
}

/// Forgets that goods went unpaid: they came back before they were charged for again.
pub(crate) async fn forget(tx: &mut Tx<'_>, mut charge: Charge) -> Result<Charge, TillError> {
    if !charge.accepted_offline || charge.state == ChargeState::Captured {
        return Ok(charge);
    }
    let forgotten = tx
        .execute(
            "DELETE FROM till_offline WHERE charge_id = $1 AND state = 'open' AND replay IS NULL",
            params![charge.id],
        )
        .await?;
    if forgotten == 0 {
        return Err(TillError::TooLateToCancel { state: charge.state });
    }
    tx.execute(
        "UPDATE till_charges SET accepted_offline = FALSE, goal = $1 WHERE charge_id = $2",
        params![Goal::Void, charge.id],
    )
    .await?;
    (charge.accepted_offline, charge.goal) = (false, Goal::Void);
    Ok(charge)
}

async fn sums(tx: &mut Tx<'_>, at: ShopId) -> Result<OfflineSums, TillError> {
    let currency = shop(tx, at).await?.currency;
    let floor: Option<(i64, i64)> = tx
        .fetch_optional(
            "SELECT charge_max, sum_max FROM till_offline_floors WHERE shop_id = $1",
            params![at],
        )
        .await?;
    let rows: Vec<(String, i64, i64)> = tx
        .fetch_all(
            "SELECT state, COUNT(*), CAST(COALESCE(SUM(amount), 0) AS BIGINT) \
             FROM till_offline WHERE shop_id = $1 GROUP BY state",
            params![at],
        )
        .await?;
    let of = |state: &str| {
        let row = rows.iter().find(|(name, ..)| name == state);
        row.map_or((0, 0), |&(_, count, sum)| (count, sum))
    };
    Ok(OfflineSums {
        floor: floor.map(|(charge_max, sum_max)| OfflineFloor { charge_max, sum_max }),
        currency,
        open: of("open"),
        paid: of("paid"),
        lost: of("lost"),
    })
}

async fn next(tx: &mut Tx<'_>, id: ChargeId) -> Result<Next, TillError> {
    let charge = by_id(tx, id).await?;
    if charge.state == ChargeState::Captured {
        return Ok(Next::Paid);
    }
    if !charge.state.is_final() {
        return Ok(Next::Wait);
    }
    let open: Option<(Option<ChargeId>,)> = tx
        .fetch_optional(
            "SELECT replay FROM till_offline WHERE charge_id = $1 AND state = 'open'",
            params![id],
        )
        .await?;
    let Some((replay,)) = open else { return Ok(Next::Over) };
    if let Some(replay) = replay {
        let replay = by_id(tx, replay).await?;
        return Ok(match replay.state {
            ChargeState::Captured => Next::Paid,
            state if state.is_final() => Next::Failed(replay.id),
            _ => Next::Wait,
        });
    }
    Ok(Next::Replay)
}

async fn begin_replay(
    tx: &mut Tx<'_>,
    id: ChargeId,
    ids: &DirectIds,
    instance: &str,
    now: Timestamp,
) -> Result<Option<Decision>, NotBegun> {
    let charge = by_id_locked(tx, id).await?;
    let claimed: Option<(i64,)> = tx
        .fetch_locked_optional(
            "SELECT o.attempts FROM till_offline o \
             WHERE o.charge_id = $1 AND o.state = 'open' AND o.replay IS NULL",
            "o",
            params![id],
        )
        .await?;
    let Some((attempt,)) = claimed else { return Ok(None) };
    // Read here: whoever froze it before this transaction froze this payment too.
    let wallet: Option<WalletRow> = tx
        .fetch_locked_optional(
            "SELECT w.* FROM till_wallets w WHERE w.wallet_id = $1",
            "w",
            params![charge.wallet],
        )
        .await?;
    let wallet = wallet.ok_or(TillError::Corrupt { column: "till_charges.wallet_id" })?;
    let nonce = format!("replay:{}:{attempt}", charge.id);
    let direct = Direct {
        register: charge.register,
        amount: Money::new(charge.amount.minor, charge.amount.currency),
        description: &charge.description,
        nonce: &nonce,
        origin: Origin::Replay,
        presence: Presence::Nobody,
    };
    let decision =
        begin(tx, &direct, &wallet, Planning { ids: &ids.plan, instance, now }, ids).await?;
    tx.execute(
        "UPDATE till_offline SET replay = $1 WHERE charge_id = $2",
        params![ids.charge, charge.id],
    )
    .await?;
    Ok(Some(decision))
}
