//! Charges as registers see them: asked for, shown, cancelled, expired, read.

use handfast_model::{
    ChargeId, Currency, DeviceId, Duration, Money, PaymentMethodId, ShopId, Timestamp, TransferId,
    WalletId,
};
use handfast_store::{FromRow, Row, StoreError, Tx, params};

use crate::Till;
use crate::error::{Thing, TillError};
use crate::gateway::StoredCredential;
use crate::ledger::{self, TransferState};
use crate::shop::{next_number, register, register_of_pedestal, shop};
use crate::state::{ChargeEvent, ChargeState};
use crate::text::{Description, Nonce, ReceiptKey};

/// How long a charge waits for a hand: long enough to look up from a purse, short enough that the
/// next person does not pay for the one before.
pub const ANSWER_TIME: Duration = Duration::from_secs(60);
/// The most for one charge, in minor units (a million dollars, a hundred million yen): above it, an
/// amount at a counter is a slip of the finger.
pub const CHARGE_MINOR_MAX: i64 = 100_000_000;
/// How many charges a register's page lists.
pub const LATEST_MAX: i64 = 20;
/// How many overdue charges one transaction closes, so that none runs long.
const OVERDUE_BATCH: i64 = 100;

const _: () = assert!(CHARGE_MINOR_MAX <= ledger::TRANSFER_MINOR_MAX);

handfast_store::text_enum! {
    /// What is being done about a charge whose outcome is open.
    pub(crate) enum Goal {
        /// Take the money.
        Capture = "capture",
        /// Let it go.
        Void = "void",
    }
}

handfast_store::text_enum! {
    /// A charge as people see it: its state, and whether its money went back.
    pub enum ChargeStatus {
        /// Waits for a hand.
        Requested = "requested",
        /// A hand was recognised.
        Identified = "identified",
        /// The gateway is being asked.
        Authorising = "authorising",
        /// The gateway holds the money.
        Authorised = "authorised",
        /// Paid.
        Captured = "captured",
        /// Given up after the hand; nothing taken.
        Voided = "voided",
        /// Nobody answered in time.
        Expired = "expired",
        /// Taken back by the register.
        Cancelled = "cancelled",
        /// The gateway said no.
        Declined = "declined",
        /// Not known yet; being found out.
        Unknown = "unknown",
        /// Paid, and all of it given back.
        Refunded = "refunded",
    }
}

/// A charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Its id.
    pub id: ChargeId,
    /// Its shop.
    pub shop: ShopId,
    /// The shop's name.
    pub shop_name: String,
    /// The register that asked for it.
    pub register: DeviceId,
    /// Short, for people: counts up from 1 on each of the shop's days.
    pub number: i64,
    /// What is asked for.
    pub amount: Money,
    /// What for.
    pub description: String,
    /// Where it stands.
    pub state: ChargeState,
    /// Why it was declined or voided, as a short code.
    pub reason: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Until when a hand may answer it.
    pub expires_at: Timestamp,
    /// When a hand answered it.
    pub answered_at: Option<Timestamp>,
    /// When its last state was reached.
    pub closed_at: Option<Timestamp>,
    /// The pedestal at which it was answered.
    pub pedestal: Option<DeviceId>,
    /// Who pays.
    pub wallet: Option<WalletId>,
    /// The part that credit pays, once a hand answered.
    pub credit_part: Money,
    /// The part that the gateway pays, once a hand answered.
    pub card_part: Money,
    /// How the stored credential was used.
    pub stored_credential: Option<StoredCredential>,
    /// The card network's id of the payment.
    pub network_transaction_id: Option<String>,
    /// What went back.
    pub refunded: Money,
    /// When the last of it went back.
    pub refunded_at: Option<Timestamp>,
    /// Opens its receipt.
    pub(crate) receipt_key: ReceiptKey,
    pub(crate) goal: Goal,
    pub(crate) nonce: String,
    pub(crate) payment_method: Option<PaymentMethodId>,
    pub(crate) credit_transfer: Option<TransferId>,
    pub(crate) card_transfer: Option<TransferId>,
    /// Reserved for refunds, done or under way.
    pub(crate) credit_refunding: i64,
    pub(crate) card_refunding: i64,
}

impl Charge {
    /// What to show for it at `now`: an overdue charge is expired even before it is marked so, and
    /// a paid one that all went back is refunded.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> ChargeStatus {
        match self.state {
            ChargeState::Requested if self.is_overdue(now) => ChargeStatus::Expired,
            ChargeState::Requested => ChargeStatus::Requested,
            ChargeState::Identified => ChargeStatus::Identified,
            ChargeState::Authorising => ChargeStatus::Authorising,
            ChargeState::Authorised => ChargeStatus::Authorised,
            ChargeState::Captured if self.refunded == self.amount => ChargeStatus::Refunded,
            ChargeState::Captured => ChargeStatus::Captured,
            ChargeState::Voided => ChargeStatus::Voided,
            ChargeState::Expired => ChargeStatus::Expired,
            ChargeState::Cancelled => ChargeStatus::Cancelled,
            ChargeState::Declined => ChargeStatus::Declined,
            ChargeState::Unknown => ChargeStatus::Unknown,
        }
    }

    /// Whether its time for a hand is over.
    #[must_use]
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.state == ChargeState::Requested && now >= self.expires_at
    }

    /// The credit it used, if it was answered and used any.
    #[must_use]
    pub fn credit_used(&self) -> Option<Money> {
        (self.credit_part.minor > 0).then_some(self.credit_part)
    }

    /// The key of its receipt: there is one once it was paid.
    #[must_use]
    pub fn receipt(&self) -> Option<&ReceiptKey> {
        (self.state == ChargeState::Captured).then_some(&self.receipt_key)
    }

    /// Whether a refund is under way and not done.
    #[must_use]
    pub fn refund_under_way(&self) -> bool {
        self.credit_refunding + self.card_refunding > self.refunded.minor
    }

    /// The till's name for the payment at the gateway.
    pub(crate) fn gateway_reference(&self) -> String {
        self.id.to_string()
    }
}

impl FromRow for Charge {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let currency: Currency = row.get("currency")?;
        let money = |column| row.get(column).map(|minor| Money::new(minor, currency));
        Ok(Self {
            id: row.get("charge_id")?,
            shop: row.get("shop_id")?,
            shop_name: row.get("shop_name")?,
            register: row.get("register_id")?,
            number: row.get("number")?,
            amount: money("amount")?,
            description: row.get("description")?,
            state: row.get("state")?,
            reason: row.get_optional("reason")?,
            created_at: row.get("created_at")?,
            expires_at: row.get("expires_at")?,
            answered_at: row.get_optional("answered_at")?,
            closed_at: row.get_optional("closed_at")?,
            pedestal: row.get_optional("pedestal_id")?,
            wallet: row.get_optional("wallet_id")?,
            credit_part: money("credit_part")?,
            card_part: money("card_part")?,
            stored_credential: row.get_optional("stored_credential")?,
            network_transaction_id: row.get_optional("network_transaction_id")?,
            refunded: money("refunded")?,
            refunded_at: row.get_optional("refunded_at")?,
            receipt_key: row.get("receipt_key")?,
            goal: row.get("goal")?,
            nonce: row.get("nonce")?,
            payment_method: row.get_optional("payment_method_id")?,
            credit_transfer: row.get_optional("credit_transfer")?,
            card_transfer: row.get_optional("card_transfer")?,
            credit_refunding: row.get("credit_refunding")?,
            card_refunding: row.get("card_refunding")?,
        })
    }
}

/// A statement that reads whole charges: the rest after `FROM`.
macro_rules! select_charges {
    ($rest:literal) => {
        concat!(
            "SELECT c.*, s.name AS shop_name FROM till_charges c \
             JOIN till_shops s ON s.shop_id = c.shop_id ",
            $rest
        )
    };
}
pub(crate) use select_charges;

/// What a register asks for.
#[derive(Clone, Debug)]
pub struct ChargeRequest {
    /// The register.
    pub register: DeviceId,
    /// How much, in the shop's currency.
    pub amount: Money,
    /// What for.
    pub description: Description,
    /// Makes a repeat the same request.
    pub nonce: Nonce,
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
}

/// Ids made before the transaction, so that a repeat of it uses the same.
struct ChargeIds {
    charge: ChargeId,
    receipt: ReceiptKey,
}

impl Till {
    /// A register asks for an amount. The same nonce with the same request gives the same charge.
    ///
    /// # Errors
    /// [`TillError::AmountNotPositive`], [`TillError::AmountTooLarge`],
    /// [`TillError::WrongCurrency`], [`TillError::NonceReused`], [`TillError::RegisterBusy`] where
    /// an earlier charge still waits, [`TillError::NotFound`] where the device is no register.
    pub async fn request_charge(&self, request: &ChargeRequest) -> Result<Charge, TillError> {
        if request.amount.minor <= 0 {
            return Err(TillError::AmountNotPositive);
        }
        if request.amount.minor > CHARGE_MINOR_MAX {
            return Err(TillError::AmountTooLarge { limit_minor: CHARGE_MINOR_MAX });
        }
        let ids = ChargeIds {
            charge: ChargeId::new(&*self.clock, &*self.random),
            receipt: ReceiptKey::new(&*self.random),
        };
        let (ids, now) = (&ids, self.now());
        self.store
            .transaction("charge.request", |tx| Box::pin(request_charge(tx, request, ids, now)))
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
                    }))
                })
            })
            .await
    }

    /// A charge of the register's shop.
    ///
    /// # Errors
    /// [`TillError::NotFound`] where there is none such at that shop.
    pub async fn charge(&self, device: DeviceId, id: ChargeId) -> Result<Charge, TillError> {
        self.store.read("charge.read", |tx| Box::pin(charge_at_shop(tx, device, id))).await
    }

    /// The register's latest charges, newest first.
    ///
    /// # Errors
    /// [`TillError::NotFound`] where the device is no register.
    pub async fn latest_charges(&self, device: DeviceId) -> Result<Vec<Charge>, TillError> {
        self.store
            .read("charge.latest", |tx| {
                Box::pin(async move {
                    register(tx, device).await?;
                    Ok(tx
                        .fetch_all(
                            select_charges!(
                                "WHERE c.register_id = $1 ORDER BY c.charge_id DESC LIMIT $2"
                            ),
                            params![device, LATEST_MAX],
                        )
                        .await?)
                })
            })
            .await
    }

    /// Every state the charge went through, oldest first: for disputes and tests.
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn charge_history(
        &self,
        id: ChargeId,
    ) -> Result<Vec<(ChargeState, Timestamp)>, TillError> {
        self.store
            .read("charge.history", |tx| {
                Box::pin(async move {
                    Ok(tx
                        .fetch_all(
                            "SELECT state, at FROM till_charge_steps WHERE charge_id = $1 \
                             ORDER BY step",
                            params![id],
                        )
                        .await?)
                })
            })
            .await
    }

    /// The register takes back a charge that no hand has answered, or gives up one whose outcome
    /// is unknown: then the gateway is told to let go of what it may hold, and the charge that
    /// comes back says what became of it. A repeat is harmless.
    ///
    /// # Errors
    /// [`TillError::TooLateToCancel`] where a hand was recognised, [`TillError::NotFound`].
    pub async fn cancel_charge(&self, device: DeviceId, id: ChargeId) -> Result<Charge, TillError> {
        let now = self.now();
        let charge = self
            .store
            .transaction("charge.cancel", |tx| Box::pin(cancel(tx, device, id, now)))
            .await?;
        if charge.state == ChargeState::Unknown {
            return Box::pin(self.resolve(id)).await;
        }
        Ok(charge)
    }

    /// Marks charges whose time for a hand is over; how many. Call it every few seconds (an overdue
    /// charge takes no hand whether or not this ran).
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn expire_due(&self) -> Result<usize, TillError> {
        let now = self.now();
        self.store
            .transaction("charge.expire", |tx| {
                Box::pin(async move {
                    let due: Vec<Charge> = tx
                        .fetch_all(
                            select_charges!(
                                "WHERE c.state = 'requested' AND c.expires_at <= $1 LIMIT $2"
                            ),
                            params![now, OVERDUE_BATCH],
                        )
                        .await?;
                    for charge in &due {
                        step(tx, charge, ChargeEvent::TimeUp, None, now).await?;
                    }
                    Ok(due.len())
                })
            })
            .await
    }
}

async fn request_charge(
    tx: &mut Tx<'_>,
    request: &ChargeRequest,
    ids: &ChargeIds,
    now: Timestamp,
) -> Result<Charge, TillError> {
    let at = register(tx, request.register).await?;
    if let Some(earlier) = by_nonce(tx, request.register, &request.nonce).await? {
        let same =
            earlier.amount == request.amount && earlier.description == request.description.as_str();
        return if same { Ok(earlier) } else { Err(TillError::NonceReused) };
    }
    let shop = shop(tx, at.shop).await?;
    if shop.currency != request.amount.currency {
        let (expected, got) = (shop.currency, request.amount.currency);
        return Err(TillError::WrongCurrency { expected, got });
    }
    if let Some(waiting) = waiting_at(tx, request.register).await? {
        if !waiting.is_overdue(now) {
            return Err(TillError::RegisterBusy { number: waiting.number });
        }
        step(tx, &waiting, ChargeEvent::TimeUp, None, now).await?;
    }
    let (day, number) = next_number(tx, &shop, now).await?;
    tx.execute(
        "INSERT INTO till_charges (charge_id, shop_id, register_id, nonce, day, number, amount, \
         currency, description, state, goal, receipt_key, created_at, expires_at, credit_part, \
         card_part, credit_refunding, card_refunding, refunded) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 0, 0, 0, 0, 0)",
        params![
            ids.charge,
            shop.id,
            request.register,
            request.nonce.as_str(),
            day,
            number,
            request.amount.minor,
            request.amount.currency,
            request.description.as_str(),
            ChargeState::Requested,
            Goal::Capture,
            ids.receipt,
            now,
            now + ANSWER_TIME,
        ],
    )
    .await?;
    remember_step(tx, ids.charge, ChargeState::Requested, now).await?;
    by_id(tx, ids.charge).await
}

async fn cancel(
    tx: &mut Tx<'_>,
    device: DeviceId,
    id: ChargeId,
    now: Timestamp,
) -> Result<Charge, TillError> {
    let charge = charge_at_shop(tx, device, id).await?;
    match charge.state {
        ChargeState::Requested if charge.is_overdue(now) => {
            step(tx, &charge, ChargeEvent::TimeUp, None, now).await
        }
        ChargeState::Requested => step(tx, &charge, ChargeEvent::Cancelled, None, now).await,
        ChargeState::Unknown => {
            set_goal(tx, id, Goal::Void, "given_up_by_register").await?;
            by_id(tx, id).await
        }
        ChargeState::Cancelled | ChargeState::Expired | ChargeState::Voided => Ok(charge),
        state @ (ChargeState::Identified
        | ChargeState::Authorising
        | ChargeState::Authorised
        | ChargeState::Captured
        | ChargeState::Declined) => Err(TillError::TooLateToCancel { state }),
    }
}

/// Makes one event durable: the state, the step in the history, and the transfers with it.
pub(crate) async fn step(
    tx: &mut Tx<'_>,
    charge: &Charge,
    event: ChargeEvent,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<Charge, TillError> {
    let state = charge.state.after(event)?;
    let closed_at = state.is_final().then_some(now);
    let changed = tx
        .execute(
            "UPDATE till_charges SET state = $1, closed_at = $2, reason = COALESCE($3, reason) \
             WHERE charge_id = $4 AND state = $5",
            params![state, closed_at, reason, charge.id, charge.state],
        )
        .await?;
    // The charge was read in this same serializable transaction.
    assert_eq!(changed, 1, "a charge moves on from the state it was read in");
    remember_step(tx, charge.id, state, now).await?;
    match state {
        ChargeState::Captured => post_parts(tx, charge, now).await?,
        ChargeState::Declined | ChargeState::Voided => void_parts(tx, charge, now).await?,
        ChargeState::Requested
        | ChargeState::Identified
        | ChargeState::Authorising
        | ChargeState::Authorised
        | ChargeState::Unknown
        | ChargeState::Expired
        | ChargeState::Cancelled => {}
    }
    by_id(tx, charge.id).await
}

async fn post_parts(tx: &mut Tx<'_>, charge: &Charge, now: Timestamp) -> Result<(), TillError> {
    if let Some(transfer) = charge.credit_transfer {
        ledger::post(tx, transfer, charge.credit_part.minor, now).await?;
    }
    if let Some(transfer) = charge.card_transfer {
        ledger::post(tx, transfer, charge.card_part.minor, now).await?;
    }
    Ok(())
}

async fn void_parts(tx: &mut Tx<'_>, charge: &Charge, now: Timestamp) -> Result<(), TillError> {
    let parts = [charge.credit_transfer, charge.card_transfer];
    for transfer in parts.into_iter().flatten() {
        ledger::void(tx, transfer, TransferState::Voided, now).await?;
    }
    Ok(())
}

async fn remember_step(
    tx: &mut Tx<'_>,
    id: ChargeId,
    state: ChargeState,
    now: Timestamp,
) -> Result<(), TillError> {
    tx.execute(
        "INSERT INTO till_charge_steps (charge_id, step, state, at) \
         SELECT $1, COUNT(*) + 1, $2, $3 FROM till_charge_steps WHERE charge_id = $1",
        params![id, state, now],
    )
    .await?;
    Ok(())
}

pub(crate) async fn set_goal(
    tx: &mut Tx<'_>,
    id: ChargeId,
    goal: Goal,
    reason: &str,
) -> Result<(), TillError> {
    tx.execute(
        "UPDATE till_charges SET goal = $1, reason = $2 WHERE charge_id = $3",
        params![goal, reason, id],
    )
    .await?;
    Ok(())
}

pub(crate) async fn by_id(tx: &mut Tx<'_>, id: ChargeId) -> Result<Charge, TillError> {
    tx.fetch_optional(select_charges!("WHERE c.charge_id = $1"), params![id])
        .await?
        .ok_or(TillError::NotFound(Thing::Charge))
}

/// A charge, seen from a register of the same shop.
pub(crate) async fn charge_at_shop(
    tx: &mut Tx<'_>,
    device: DeviceId,
    id: ChargeId,
) -> Result<Charge, TillError> {
    let at = register(tx, device).await?;
    let charge = by_id(tx, id).await?;
    if charge.shop == at.shop { Ok(charge) } else { Err(TillError::NotFound(Thing::Charge)) }
}

async fn by_nonce(
    tx: &mut Tx<'_>,
    device: DeviceId,
    nonce: &Nonce,
) -> Result<Option<Charge>, TillError> {
    Ok(tx
        .fetch_optional(
            select_charges!("WHERE c.register_id = $1 AND c.nonce = $2"),
            params![device, nonce.as_str()],
        )
        .await?)
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
