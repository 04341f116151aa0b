//! Charges from the register's side: asked for, shown at the pedestal, taken back, overdue.

use handfast_model::{ChargeId, DeviceId, Duration, Money, ShopId, Timestamp};
use handfast_store::{Tx, params};

use crate::Till;
use crate::charge::{
    CHARGE_MINOR_MAX, Charge, Goal, by_id, by_id_locked, charge_at_shop_locked, select_charges,
};
use crate::charge_step::{remember_step, set_goal, step};
use crate::error::{Thing, TillError};
use crate::line::{self, ChargeLine};
use crate::offline;
use crate::shop::{next_number, register, register_of_pedestal, shop};
use crate::state::{ChargeEvent, ChargeState};
use crate::step_back::{self, PedestalSession};
use crate::text::{Description, Nonce, PayKey, ReceiptKey};

/// How long a charge waits for a hand: long enough to look up from a purse, short enough that the
/// next person does not pay for the one before.
pub const ANSWER_TIME: Duration = Duration::from_secs(60);
/// How many overdue charges one transaction closes, so that none runs long.
const OVERDUE_BATCH: i64 = 100;
/// In an order, so that two who do this at once wait for each other. The states of the index
/// `till_charges_unfinished` are named as it names them: without them SQLite reads every charge.
pub(crate) const OVERDUE: &str = select_charges!(
    "WHERE c.state IN ('requested', 'identified', 'authorising', 'authorised', 'unknown') \
     AND ((c.state = 'requested' AND c.expires_at <= $1) \
     OR (c.state = 'identified' AND c.factor_until <= $1)) ORDER BY c.charge_id LIMIT $2"
);

/// What a register asks for.
#[derive(Clone, Debug)]
pub struct ChargeRequest {
    /// The register.
    pub register: DeviceId,
    /// The sale, tip not included, in the shop's currency.
    pub amount: Money,
    /// What for.
    pub description: Description,
    /// Makes a repeat the same request.
    pub nonce: Nonce,
    /// What is sold, where the register says it; adds up to `amount`.
    pub lines: Vec<ChargeLine>,
    /// On top of the sale, in minor units.
    pub tip_minor: i64,
    /// Of sale and tip, what is paid in cash, in minor units.
    pub cash_minor: i64,
    /// Only hold the money: the register captures later, in whole or in part.
    pub hold: bool,
    /// An age in years that the buyer must be known to have.
    pub age: Option<u8>,
}

impl ChargeRequest {
    /// A plain sale.
    #[must_use]
    pub const fn new(
        register: DeviceId,
        amount: Money,
        description: Description,
        nonce: Nonce,
    ) -> Self {
        Self {
            register,
            amount,
            description,
            nonce,
            lines: Vec::new(),
            tip_minor: 0,
            cash_minor: 0,
            hold: false,
            age: None,
        }
    }

    /// What the palm is asked for, once the parts fit each other.
    fn asked(&self) -> Result<Money, TillError> {
        let currency = self.amount.currency;
        if self.amount.minor <= 0 || self.tip_minor < 0 || self.cash_minor < 0 {
            return Err(TillError::AmountNotPositive);
        }
        let limit_minor = CHARGE_MINOR_MAX;
        if [self.amount.minor, self.tip_minor, self.cash_minor].iter().any(|m| *m > limit_minor) {
            return Err(TillError::AmountTooLarge { limit_minor });
        }
        let total = self.amount.minor + self.tip_minor;
        let asked = Money::new(total - self.cash_minor, currency);
        if asked.minor <= 0 {
            return Err(TillError::CashCoversAll);
        }
        if asked.minor > limit_minor {
            return Err(TillError::AmountTooLarge { limit_minor });
        }
        Ok(asked)
    }
}

/// What a pedestal shows before the hover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenCharge {
    /// The charge a hand would answer.
    pub id: ChargeId,
    /// Its number, the same as the register shows.
    pub number: i64,
    /// Who asks.
    pub shop_name: String,
    /// The shop as relying party: in its gallery the palm is searched.
    pub shop: ShopId,
    /// How much.
    pub amount: Money,
    /// What for.
    pub description: String,
    /// Until when a hand may answer.
    pub expires_at: Timestamp,
    /// What opens it on a phone.
    pub pay_key: Option<PayKey>,
}

/// Ids made before the transaction, so that a repeat of it uses the same.
struct ChargeIds {
    charge: ChargeId,
    receipt: ReceiptKey,
    pay: PayKey,
}

impl Till {
    /// A register asks for an amount. The same nonce with the same request gives the same charge.
    ///
    /// # Errors
    /// [`TillError::AmountNotPositive`], [`TillError::AmountTooLarge`],
    /// [`TillError::CashCoversAll`], [`TillError::LinesDiffer`], [`TillError::WrongCurrency`],
    /// [`TillError::NonceReused`], [`TillError::RegisterBusy`] where an earlier charge still waits,
    /// [`TillError::NotFound`] where the device is no register.
    pub async fn request_charge(&self, request: &ChargeRequest) -> Result<Charge, TillError> {
        let asked = request.asked()?;
        let ids = ChargeIds {
            charge: ChargeId::new(&*self.clock, &*self.random),
            receipt: ReceiptKey::new(&*self.random),
            pay: PayKey::new(&*self.random),
        };
        let (ids, now) = (&ids, self.now());
        self.store
            .row_locked("charge.request", |tx| {
                Box::pin(request_charge(tx, request, asked, ids, now))
            })
            .await
    }

    /// The charge that a pedestal shows now, if its register has one that waits for a hand.
    ///
    /// # Errors
    /// [`TillError::NotFound`] where the pedestal is not paired.
    pub async fn open_charge_for_pedestal(
        &self,
        pedestal: DeviceId,
    ) -> Result<Option<OpenCharge>, TillError> {
        let now = self.now();
        self.store
            .read("charge.open", |tx| {
                Box::pin(async move {
                    let register = register_of_pedestal(tx, pedestal).await?;
                    let open = waiting_at(tx, register.device).await?;
                    Ok(open.filter(|charge| !charge.is_overdue(now)).map(|charge| OpenCharge {
                        id: charge.id,
                        number: charge.number,
                        shop_name: charge.shop_name,
                        shop: charge.shop,
                        amount: charge.amount,
                        description: charge.description,
                        expires_at: charge.expires_at,
                        pay_key: charge.pay_key,
                    }))
                })
            })
            .await
    }

    /// The register takes back a charge that is not captured yet. Where a hand answered it, the
    /// gateway is told to let go of what it may hold; the charge that comes back says what became
    /// of it. A repeat is harmless.
    ///
    /// # Errors
    /// [`TillError::TooLateToCancel`] where it is paid, declined, or taken offline and charged for
    /// again by now, [`TillError::NotFound`].
    pub async fn cancel_charge(&self, device: DeviceId, id: ChargeId) -> Result<Charge, TillError> {
        let now = self.now();
        let charge = self
            .store
            .row_locked("charge.cancel", |tx| {
                Box::pin(async move {
                    let charge = charge_at_shop_locked(tx, device, id).await?;
                    // Goods that went offline come back over the counter.
                    let charge = offline::forget(tx, charge).await?;
                    take_back(tx, charge, "given_up_by_register", now).await
                })
            })
            .await?;
        self.let_go_after_cancel(charge).await
    }

    /// The person at the pedestal steps back from a charge that is not captured yet. One that
    /// waits for a hand stays with its register; a hand of this session that is still searched
    /// pays it no more.
    ///
    /// # Errors
    /// As [`Till::cancel_charge`].
    pub async fn step_back(
        &self,
        pedestal: DeviceId,
        session: PedestalSession,
        id: ChargeId,
    ) -> Result<Charge, TillError> {
        let now = self.now();
        let charge = self
            .store
            .row_locked("charge.step_back", |tx| {
                Box::pin(async move {
                    let register = register_of_pedestal(tx, pedestal).await?;
                    // A hover that is under way holds it: it pays first, or never.
                    let charge = by_id_locked(tx, id).await?;
                    if charge.register != register.device {
                        return Err(TillError::NotFound(Thing::Charge));
                    }
                    if charge.state == ChargeState::Requested {
                        step_back::remember(tx, session, id, now).await?;
                        return Ok(charge);
                    }
                    if charge.accepted_offline {
                        // Whoever has the goods does not step back from them.
                        return Err(TillError::TooLateToCancel { state: charge.state });
                    }
                    take_back(tx, charge, "given_up_by_person", now).await
                })
            })
            .await?;
        self.let_go_after_cancel(charge).await
    }

    /// A request that is under way sees the new goal when it is answered; what nobody waits for is
    /// let go now.
    async fn let_go_after_cancel(&self, charge: Charge) -> Result<Charge, TillError> {
        let held = charge.state == ChargeState::Authorised && charge.held;
        if charge.goal == Goal::Void && (held || charge.state == ChargeState::Unknown) {
            return Box::pin(self.resolve(charge.id)).await;
        }
        Ok(charge)
    }

    /// Marks charges whose time for a hand, or for a second factor, is over; how many. Call it
    /// every few seconds (an overdue charge takes no hand whether or not this ran).
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn expire_due(&self) -> Result<usize, TillError> {
        let now = self.now();
        self.store
            .row_locked("charge.expire", |tx| {
                Box::pin(async move {
                    let due: Vec<Charge> =
                        tx.fetch_locked(OVERDUE, "c", params![now, OVERDUE_BATCH]).await?;
                    let all = due.len();
                    for charge in due {
                        let (event, reason) = match charge.state {
                            ChargeState::Identified => (ChargeEvent::LetGo, "no_second_factor"),
                            _ => (ChargeEvent::TimeUp, "not_answered"),
                        };
                        step(tx, charge, &[event], Some(reason), now).await?;
                    }
                    Ok(all)
                })
            })
            .await
    }
}

async fn request_charge(
    tx: &mut Tx<'_>,
    request: &ChargeRequest,
    asked: Money,
    ids: &ChargeIds,
    now: Timestamp,
) -> Result<Charge, TillError> {
    let at = register(tx, request.register).await?;
    let (earlier, waiting) = earlier_and_waiting(tx, request).await?;
    if let Some(earlier) = earlier {
        let same = earlier.asked == asked
            // The tip is in what was asked for; a capture in part may have lowered it since.
            && earlier.cash.minor == request.cash_minor
            && earlier.held == request.hold
            && earlier.description == request.description.as_str();
        return if same { Ok(earlier) } else { Err(TillError::NonceReused) };
    }
    let shop = shop(tx, at.shop).await?;
    if shop.currency != request.amount.currency {
        let (expected, got) = (shop.currency, request.amount.currency);
        return Err(TillError::WrongCurrency { expected, got });
    }
    let tax = line::tax_of(&request.lines, request.amount, shop.tax_included)?;
    if let Some(waiting) = waiting {
        if !waiting.is_overdue(now) {
            return Err(TillError::RegisterBusy { number: waiting.number });
        }
        step(tx, waiting, &[ChargeEvent::TimeUp], Some("not_answered"), now).await?;
    }
    let (day, number) = next_number(tx, &shop, now).await?;
    tx.execute(
        "INSERT INTO till_charges (charge_id, shop_id, register_id, nonce, day, number, amount, \
         currency, description, state, goal, receipt_key, created_at, expires_at, credit_part, \
         card_part, credit_refunding, card_refunding, refunded, asked, tip, cash, tax, held, \
         age_asked, pay_key, steps) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 0, 0, 0, 0, 0, \
         $7, $15, $16, $17, $18, $19, $20, 1)",
        params![
            ids.charge,
            shop.id,
            request.register,
            request.nonce.as_str(),
            day,
            number,
            asked.minor,
            asked.currency,
            request.description.as_str(),
            ChargeState::Requested,
            if request.hold { Goal::Hold } else { Goal::Capture },
            ids.receipt,
            now,
            now + ANSWER_TIME,
            request.tip_minor,
            request.cash_minor,
            tax,
            request.hold,
            request.age.map(i64::from),
            ids.pay,
        ],
    )
    .await?;
    line::keep(tx, ids.charge, &request.lines).await?;
    remember_step(tx, ids.charge, 1, ChargeState::Requested, now).await?;
    by_id(tx, ids.charge).await
}

/// Cancels what waits for a hand, lets go of what waits for a second factor, and turns the goal of
/// what is at the gateway.
async fn take_back(
    tx: &mut Tx<'_>,
    charge: Charge,
    reason: &'static str,
    now: Timestamp,
) -> Result<Charge, TillError> {
    match charge.state {
        ChargeState::Requested if charge.is_overdue(now) => {
            step(tx, charge, &[ChargeEvent::TimeUp], Some("not_answered"), now).await
        }
        ChargeState::Requested => step(tx, charge, &[ChargeEvent::Cancelled], None, now).await,
        ChargeState::Identified => step(tx, charge, &[ChargeEvent::LetGo], Some(reason), now).await,
        ChargeState::Unknown | ChargeState::Authorising | ChargeState::Authorised => {
            // A capture that the register asked for is not turned any more.
            if charge.state == ChargeState::Authorised && charge.capture_amount.is_some() {
                return Ok(charge);
            }
            set_goal(tx, charge, Goal::Void, reason).await
        }
        ChargeState::Cancelled | ChargeState::Expired | ChargeState::Voided => Ok(charge),
        // Given up before: nothing was taken, and nothing will be.
        ChargeState::Declined if charge.goal == Goal::Void => Ok(charge),
        state @ (ChargeState::Captured | ChargeState::Declined) => {
            Err(TillError::TooLateToCancel { state })
        }
    }
}

/// The charge that this request asked for before, and the one that waits at its register: one
/// statement, for each is a wait, and each side of its OR has a unique index of its own, which both
/// engines use for it (SQLite's plan says MULTI-INDEX OR).
async fn earlier_and_waiting(
    tx: &mut Tx<'_>,
    request: &ChargeRequest,
) -> Result<(Option<Charge>, Option<Charge>), TillError> {
    let found: Vec<Charge> = tx
        .fetch_locked(
            select_charges!("WHERE c.register_id = $1 AND (c.nonce = $2 OR c.state = 'requested')"),
            "c",
            params![request.register, request.nonce.as_str()],
        )
        .await?;
    let earlier = found.iter().find(|charge| charge.nonce == request.nonce.as_str()).cloned();
    let waiting = found.into_iter().find(|charge| charge.state == ChargeState::Requested);
    Ok((earlier, waiting))
}

/// The register's charge that waits for a hand; the database allows one.
async fn waiting_at(tx: &mut Tx<'_>, device: DeviceId) -> Result<Option<Charge>, TillError> {
    Ok(tx
        .fetch_optional(
            select_charges!("WHERE c.register_id = $1 AND c.state = 'requested'"),
            params![device],
        )
        .await?)
}
