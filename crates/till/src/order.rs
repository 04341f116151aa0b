//! Charges that need no counter: an order that a signed-in person pays, and the replay of what was
//! handed over offline. They take no register's one open place and wait for no hand.

use handfast_model::{AccountId, ChargeId, DeviceId, Money, ShopId, Timestamp};
use handfast_store::{StoreError, Tx, params};

use crate::Till;
use crate::charge::{CHARGE_MINOR_MAX, Charge, Goal, Origin, by_id, by_nonce};
use crate::charge_step::remember_step;
use crate::error::TillError;
use crate::hover::{
    Decision, PayOutcome, PlanIds, Planning, Presence, TurnedAway, outcome_of, plan,
};
use crate::shop::{next_number, register, shop};
use crate::state::ChargeState;
use crate::text::{Description, Nonce, PayKey, ReceiptKey};
use crate::wallet::{WalletRow, find_wallet};

/// An order of a signed-in person, to be paid at once by what their wallet holds.
#[derive(Clone, Debug)]
pub struct OrderPayment {
    /// The register that online orders are booked at; one for all orders of a shop is enough.
    pub register: DeviceId,
    /// Who pays.
    pub account: AccountId,
    /// How much, in the shop's currency.
    pub amount: Money,
    /// What for.
    pub description: Description,
    /// The order: a repeat with the same one never pays again. After a decline the next try is
    /// another request and needs another nonce.
    pub nonce: Nonce,
}

/// Ids made before the transaction, so that a repeat of it uses the same.
pub(crate) struct DirectIds {
    pub charge: ChargeId,
    pub receipt: ReceiptKey,
    pub pay: PayKey,
    pub plan: PlanIds,
}

impl DirectIds {
    pub(crate) fn new(till: &Till) -> Self {
        Self {
            charge: ChargeId::new(&*till.clock, &*till.random),
            receipt: ReceiptKey::new(&*till.random),
            pay: PayKey::new(&*till.random),
            plan: PlanIds::new(till),
        }
    }
}

/// A charge without a counter.
pub(crate) struct Direct<'a> {
    pub register: DeviceId,
    pub amount: Money,
    pub description: &'a str,
    pub nonce: &'a str,
    pub origin: Origin,
    pub presence: Presence,
}

/// Why nothing began. The transaction is rolled back, so that the same nonce can be used once the
/// person has a way to pay.
pub(crate) enum NotBegun {
    Away(TurnedAway),
    Failed(TillError),
}

impl From<StoreError> for NotBegun {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<TillError> for NotBegun {
    fn from(error: TillError) -> Self {
        Self::Failed(error)
    }
}

impl Till {
    /// A signed-in person pays an order: credit first, the rest by their default payment method.
    /// Being signed in is the second factor. The same order gives the same outcome, however often
    /// and however concurrently it is sent; it is paid once.
    ///
    /// [`PayOutcome::TurnedAway`] with [`TurnedAway::NoWallet`] or [`TurnedAway::NoPaymentMethod`]
    /// leaves nothing behind: lead the person through [`Till::begin_setup`] and send it again.
    /// [`TurnedAway::Cancelled`] says that the nonce was closed ([`Till::close_order`]).
    ///
    /// # Errors
    /// [`TillError::AmountNotPositive`], [`TillError::AmountTooLarge`],
    /// [`TillError::WrongCurrency`], [`TillError::NonceReused`], [`TillError::NotFound`] where the
    /// device is no register.
    pub async fn pay_order(&self, order: &OrderPayment) -> Result<PayOutcome, TillError> {
        if order.amount.minor <= 0 {
            return Err(TillError::AmountNotPositive);
        }
        if order.amount.minor > CHARGE_MINOR_MAX {
            return Err(TillError::AmountTooLarge { limit_minor: CHARGE_MINOR_MAX });
        }
        let (ids, instance, now) = (&DirectIds::new(self), &*self.instance, self.now());
        let begun = self
            .store
            .transaction("charge.order", |tx| Box::pin(begin_order(tx, order, ids, instance, now)))
            .await;
        match begun {
            Ok(decision) => self.carry_out(decision).await,
            Err(NotBegun::Away(why)) => Ok(PayOutcome::TurnedAway(why)),
            Err(NotBegun::Failed(error)) => Err(error),
        }
    }

    /// What became of an order: its charge, or none where none was begun under that nonce.
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn order_charge(
        &self,
        register: DeviceId,
        nonce: &Nonce,
    ) -> Result<Option<Charge>, TillError> {
        self.store.read("charge.of_order", |tx| Box::pin(by_nonce(tx, register, nonce))).await
    }

    /// Makes sure that nothing begins under this nonce any more, however late somebody sends it:
    /// from then on [`Till::pay_order`] turns it away as cancelled. Where something began before,
    /// its charge comes back, and nothing changes.
    ///
    /// # Errors
    /// [`TillError::NotFound`] where the device is no register, [`TillError::Store`].
    pub async fn close_order(
        &self,
        device: DeviceId,
        nonce: &Nonce,
    ) -> Result<Option<Charge>, TillError> {
        let now = self.now();
        self.store
            .transaction("charge.close_order", |tx| {
                Box::pin(async move {
                    if let Some(charge) = by_nonce(tx, device, nonce).await? {
                        return Ok(Some(charge));
                    }
                    register(tx, device).await?;
                    tx.execute(
                        "INSERT INTO till_closed_orders (register_id, nonce, closed_at) \
                         VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                        params![device, nonce.as_str(), now],
                    )
                    .await?;
                    Ok(None)
                })
            })
            .await
    }
}

async fn is_closed(tx: &mut Tx<'_>, order: &OrderPayment) -> Result<bool, StoreError> {
    let closed: Option<(Timestamp,)> = tx
        .fetch_optional(
            "SELECT closed_at FROM till_closed_orders WHERE register_id = $1 AND nonce = $2",
            params![order.register, order.nonce.as_str()],
        )
        .await?;
    Ok(closed.is_some())
}

async fn begin_order(
    tx: &mut Tx<'_>,
    order: &OrderPayment,
    ids: &DirectIds,
    instance: &str,
    now: Timestamp,
) -> Result<Decision, NotBegun> {
    let wallet = find_wallet(tx, order.account).await?;
    if let Some(earlier) = by_nonce(tx, order.register, &order.nonce).await? {
        let same = earlier.asked == order.amount
            && earlier.origin == Origin::Order
            && earlier.wallet == wallet.as_ref().map(|wallet| wallet.id);
        return if same {
            Ok(Decision::Answered(Box::new(outcome_of(earlier, now))))
        } else {
            Err(TillError::NonceReused.into())
        };
    }
    if is_closed(tx, order).await? {
        return Err(NotBegun::Away(TurnedAway::Cancelled));
    }
    let wallet = wallet.ok_or(NotBegun::Away(TurnedAway::NoWallet))?;
    let direct = Direct {
        register: order.register,
        amount: order.amount,
        description: order.description.as_str(),
        nonce: order.nonce.as_str(),
        origin: Origin::Order,
        presence: Presence::Phone,
    };
    begin(tx, &direct, &wallet, Planning { ids: &ids.plan, instance, now }, ids).await
}

/// Makes the charge and its plan, in one step.
pub(crate) async fn begin(
    tx: &mut Tx<'_>,
    direct: &Direct<'_>,
    wallet: &WalletRow,
    planning: Planning<'_>,
    ids: &DirectIds,
) -> Result<Decision, NotBegun> {
    if wallet.frozen {
        return Err(NotBegun::Away(TurnedAway::WalletFrozen));
    }
    let at = register(tx, direct.register).await?;
    let charge = insert(tx, direct, at.shop, ids, planning.now).await?;
    match plan(tx, direct.presence, charge, wallet, planning).await? {
        Decision::Answered(outcome) => match *outcome {
            PayOutcome::TurnedAway(why) => Err(NotBegun::Away(why)),
            outcome => Ok(Decision::Answered(Box::new(outcome))),
        },
        asking => Ok(asking),
    }
}

async fn insert(
    tx: &mut Tx<'_>,
    direct: &Direct<'_>,
    at: ShopId,
    ids: &DirectIds,
    now: Timestamp,
) -> Result<Charge, TillError> {
    let at = shop(tx, at).await?;
    if at.currency != direct.amount.currency {
        let (expected, got) = (at.currency, direct.amount.currency);
        return Err(TillError::WrongCurrency { expected, got });
    }
    let (day, number) = next_number(tx, &at, now).await?;
    tx.execute(
        "INSERT INTO till_charges (charge_id, shop_id, register_id, nonce, day, number, amount, \
         currency, description, state, goal, receipt_key, created_at, expires_at, credit_part, \
         card_part, credit_refunding, card_refunding, refunded, asked, pay_key, origin, steps) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, 0, 0, 0, 0, 0, $7, \
         $14, $15, 1)",
        params![
            ids.charge,
            at.id,
            direct.register,
            direct.nonce,
            day,
            number,
            direct.amount.minor,
            direct.amount.currency,
            direct.description,
            ChargeState::Identified,
            Goal::Capture,
            ids.receipt,
            now,
            ids.pay,
            direct.origin,
        ],
    )
    .await?;
    remember_step(tx, ids.charge, 1, ChargeState::Identified, now).await?;
    by_id(tx, ids.charge).await
}
