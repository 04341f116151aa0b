//! Charges as registers see them: asked for, shown, cancelled, expired, read.

use handfast_model::{
    ChargeId, Currency, DeviceId, Duration, Money, PaymentMethodId, ShopId, Timestamp, TransferId,
    WalletId,
};
use handfast_store::{FromRow, Row, StoreError, Tx, params};

use crate::Till;
use crate::error::{Thing, TillError};
use crate::gateway::{PaymentName, StoredCredential};
use crate::ledger::{self, TransferState};
use crate::line::{self, ChargeLine};
use crate::notification;
use crate::shop::{next_number, register, register_of_pedestal, shop};
use crate::state::{ChargeEvent, ChargeState};
use crate::text::{Description, Nonce, PayKey, ReceiptKey};

/// How long a charge waits for a hand: long enough to look up from a purse, short enough that the
/// next person does not pay for the one before.
pub const ANSWER_TIME: Duration = Duration::from_secs(60);
/// The most for one charge, in minor units (a million dollars, a hundred million yen): above it, an
/// amount at a counter is a slip of the finger.
pub const CHARGE_MINOR_MAX: i64 = 100_000_000;
/// How long a hold is kept for the register to capture: a night at a bar, with room. Gateways keep
/// theirs for about seven days.
pub const HOLD_TIME: Duration = Duration::from_hours(24);
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
        /// Hold it until the register captures.
        Hold = "hold",
    }
}

handfast_store::text_enum! {
    /// How a charge came to be.
    pub enum Origin {
        /// A register asked for it, and a hand or a phone answered.
        Counter = "counter",
        /// A signed-in person paid an order.
        Order = "order",
        /// Goods that were handed over while the gateway did not answer, charged afterwards.
        Replay = "replay",
    }
}

handfast_store::text_enum! {
    /// What was asked for beside the palm.
    pub enum Factor {
        /// Nothing.
        None = "none",
        /// A PIN, or the phone in its place; not given yet.
        Wanted = "wanted",
        /// The PIN was right.
        Pin = "pin",
        /// The phone, signed in, confirmed it.
        Phone = "phone",
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
        /// The gateway did not answer, and the shop takes the risk: the goods may go.
        AcceptedOffline = "accepted_offline",
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
    /// What the palm pays: what was asked for less a discount; of a hold that was captured in part,
    /// what was captured.
    pub amount: Money,
    /// What the register asked for: the sale and the tip, without what was paid in cash.
    pub asked: Money,
    /// Of it, tip.
    pub tip: Money,
    /// Beside it, paid in cash: the shop's own, never in the ledger.
    pub cash: Money,
    /// Tax in the whole sale, where the register sent lines.
    pub tax: Money,
    /// What a discount took off, paid to the shop by its promotion.
    pub discount: Money,
    /// The discount's name.
    pub discount_name: Option<String>,
    /// Whether the register captures later, in whole or in part.
    pub held: bool,
    /// Until when it may.
    pub hold_until: Option<Timestamp>,
    /// What was asked for beside the palm.
    pub factor: Factor,
    /// The age that had to be shown.
    pub age_asked: Option<i64>,
    /// The charge that this one is the late tip of.
    pub tip_of: Option<ChargeId>,
    /// What is in dispute, or was lost in one.
    pub disputed: Money,
    /// How it came to be.
    pub origin: Origin,
    /// Whether the goods went while the gateway did not answer.
    pub accepted_offline: bool,
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
    pub(crate) discount_transfer: Option<TransferId>,
    /// What the register captures of a hold, once it said so.
    pub(crate) capture_amount: Option<i64>,
    /// Opens it on a phone.
    pub(crate) pay_key: Option<PayKey>,
    /// Until when a second factor is waited for.
    pub(crate) factor_until: Option<Timestamp>,
    /// The gateway's own name of the payment.
    pub(crate) gateway_payment: Option<String>,
    /// The process that asks the gateway.
    pub(crate) sender: Option<String>,
    /// Whether some system of the shop is told of its charges.
    pub(crate) is_told: bool,
    pub(crate) day: i64,
    /// How many states it went through.
    pub(crate) steps: i64,
}

impl Charge {
    /// What to show for it at `now`: an overdue charge is expired even before it is marked so, and
    /// a paid one that all went back is refunded.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> ChargeStatus {
        match self.state {
            ChargeState::Captured if self.refunded == self.amount => ChargeStatus::Refunded,
            ChargeState::Captured => ChargeStatus::Captured,
            _ if self.accepted_offline => ChargeStatus::AcceptedOffline,
            ChargeState::Requested if self.is_overdue(now) => ChargeStatus::Expired,
            ChargeState::Requested => ChargeStatus::Requested,
            ChargeState::Identified => ChargeStatus::Identified,
            ChargeState::Authorising => ChargeStatus::Authorising,
            ChargeState::Authorised => ChargeStatus::Authorised,
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

    /// What opens it on a phone, as the pedestal's QR shows it.
    #[must_use]
    pub fn pay_key(&self) -> Option<&PayKey> {
        self.pay_key.as_ref()
    }

    /// The payment's names at the gateway.
    pub(crate) fn payment_name(&self) -> PaymentName {
        PaymentName { reference: self.id.to_string(), prepared: self.gateway_payment.clone() }
    }

    /// Of the credit that is reserved, what is taken.
    pub(crate) fn credit_to_take(&self) -> i64 {
        self.capture_amount.map_or(self.credit_part.minor, |all| all.min(self.credit_part.minor))
    }

    /// Of what the gateway holds, what is taken. Credit goes first, as it did when it was reserved.
    pub(crate) fn card_to_take(&self) -> i64 {
        self.capture_amount
            .map_or(self.card_part.minor, |all| (all - self.credit_part.minor).max(0))
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
            asked: money("asked")?,
            tip: money("tip")?,
            cash: money("cash")?,
            tax: money("tax")?,
            discount: money("discount")?,
            discount_name: row.get_optional("discount_name")?,
            held: row.get("held")?,
            hold_until: row.get_optional("hold_until")?,
            factor: row.get("factor")?,
            age_asked: row.get_optional("age_asked")?,
            tip_of: row.get_optional("tip_of")?,
            disputed: money("disputed")?,
            origin: row.get("origin")?,
            accepted_offline: row.get("accepted_offline")?,
            discount_transfer: row.get_optional("discount_transfer")?,
            capture_amount: row.get_optional("capture_amount")?,
            pay_key: row.get_optional("pay_key")?,
            factor_until: row.get_optional("factor_until")?,
            gateway_payment: row.get_optional("gateway_payment")?,
            sender: row.get_optional("sender")?,
            is_told: row.get("is_told")?,
            day: row.get("day")?,
            steps: row.get("steps")?,
        })
    }
}

/// A statement that reads whole charges: the rest after `FROM`.
macro_rules! select_charges {
    ($rest:literal) => {
        concat!(
            "SELECT c.*, s.name AS shop_name, EXISTS (SELECT 1 FROM till_webhook_endpoints e \
             WHERE e.shop_id = c.shop_id AND e.removed_at IS NULL) AS is_told \
             FROM till_charges c JOIN till_shops s ON s.shop_id = c.shop_id ",
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
            .transaction("charge.request", |tx| {
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

    /// The register takes back a charge that is not captured yet. Where a hand answered it, the
    /// gateway is told to let go of what it may hold; the charge that comes back says what became
    /// of it. A repeat is harmless.
    ///
    /// # Errors
    /// [`TillError::TooLateToCancel`] where it is paid or declined, [`TillError::NotFound`].
    pub async fn cancel_charge(&self, device: DeviceId, id: ChargeId) -> Result<Charge, TillError> {
        let now = self.now();
        let charge = self
            .store
            .transaction("charge.cancel", |tx| {
                Box::pin(async move {
                    let charge = charge_at_shop(tx, device, id).await?;
                    take_back(tx, charge, "given_up_by_register", now).await
                })
            })
            .await?;
        self.let_go_after_cancel(charge).await
    }

    /// The person at the pedestal steps back from a charge that their hand answered and that is
    /// not captured yet. One that waits for a hand stays with its register.
    ///
    /// # Errors
    /// As [`Till::cancel_charge`].
    pub async fn step_back(&self, pedestal: DeviceId, id: ChargeId) -> Result<Charge, TillError> {
        let now = self.now();
        let charge = self
            .store
            .transaction("charge.step_back", |tx| {
                Box::pin(async move {
                    let register = register_of_pedestal(tx, pedestal).await?;
                    let charge = by_id(tx, id).await?;
                    if charge.register != register.device {
                        return Err(TillError::NotFound(Thing::Charge));
                    }
                    if charge.state == ChargeState::Requested {
                        return Ok(charge);
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
            .transaction("charge.expire", |tx| {
                Box::pin(async move {
                    let due: Vec<Charge> = tx
                        .fetch_all(
                            select_charges!(
                                "WHERE (c.state = 'requested' AND c.expires_at <= $1) \
                                 OR (c.state = 'identified' AND c.factor_until <= $1) LIMIT $2"
                            ),
                            params![now, OVERDUE_BATCH],
                        )
                        .await?;
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
        state @ (ChargeState::Captured | ChargeState::Declined) => {
            Err(TillError::TooLateToCancel { state })
        }
    }
}

/// Makes events durable: the state, the steps of the history, and the transfers with it.
pub(crate) async fn step(
    tx: &mut Tx<'_>,
    mut charge: Charge,
    events: &[ChargeEvent],
    reason: Option<&str>,
    now: Timestamp,
) -> Result<Charge, TillError> {
    let before = charge.state;
    let mut states = Vec::with_capacity(events.len());
    for &event in events {
        charge.state = charge.state.after(event)?;
        states.push(charge.state);
    }
    remember_steps(tx, charge.id, charge.steps, &states, now).await?;
    charge.steps += i64::try_from(states.len()).unwrap_or(i64::MAX);
    charge.closed_at = charge.state.is_final().then_some(now);
    if let Some(reason) = reason {
        charge.reason = Some(reason.to_owned());
    }
    match charge.state {
        ChargeState::Captured => capture_parts(tx, &mut charge, now).await?,
        ChargeState::Declined | ChargeState::Voided => {
            void_parts(tx, &charge, TransferState::Voided, now).await?;
        }
        ChargeState::Expired => void_parts(tx, &charge, TransferState::Expired, now).await?,
        ChargeState::Requested
        | ChargeState::Identified
        | ChargeState::Authorising
        | ChargeState::Authorised
        | ChargeState::Unknown
        | ChargeState::Cancelled => {}
    }
    save(tx, &charge, before).await?;
    if let Some(kind) = notification::kind_of(charge.state).filter(|_| charge.is_told) {
        notification::enqueue(tx, &charge, kind, now).await?;
    }
    Ok(charge)
}

/// Writes what a step can change.
async fn save(tx: &mut Tx<'_>, charge: &Charge, before: ChargeState) -> Result<(), TillError> {
    let changed = tx
        .execute(
            "UPDATE till_charges SET state = $1, closed_at = $2, reason = $3, steps = $4, \
             amount = $5, credit_part = $6, card_part = $7, tip = $8, \
             network_transaction_id = $9, mail_owed = $10 \
             WHERE charge_id = $11 AND state = $12",
            params![
                charge.state,
                charge.closed_at,
                charge.reason,
                charge.steps,
                charge.amount.minor,
                charge.credit_part.minor,
                charge.card_part.minor,
                charge.tip.minor,
                charge.network_transaction_id,
                // Whoever paid is told so, by [`Till::mails_owed`].
                charge.state == ChargeState::Captured,
                charge.id,
                before,
            ],
        )
        .await?;
    // The charge was read in this same serializable transaction.
    assert_eq!(changed, 1, "a charge moves on from the state it was read in");
    Ok(())
}

/// Posts what is taken; what a capture in part leaves goes back with it.
async fn capture_parts(
    tx: &mut Tx<'_>,
    charge: &mut Charge,
    now: Timestamp,
) -> Result<(), TillError> {
    let (credit, card) = (charge.credit_to_take(), charge.card_to_take());
    for (transfer, part) in [(charge.credit_transfer, credit), (charge.card_transfer, card)] {
        match transfer {
            Some(transfer) if part > 0 => ledger::post(tx, transfer, part, now).await?,
            Some(transfer) => ledger::void(tx, transfer, TransferState::Voided, now).await?,
            None => {}
        }
    }
    if let Some(transfer) = charge.discount_transfer {
        ledger::post(tx, transfer, charge.discount.minor, now).await?;
    }
    charge.credit_part.minor = credit;
    charge.card_part.minor = card;
    charge.amount.minor = credit + card;
    charge.tip.minor = charge.tip.minor.min(charge.amount.minor);
    Ok(())
}

async fn void_parts(
    tx: &mut Tx<'_>,
    charge: &Charge,
    state: TransferState,
    now: Timestamp,
) -> Result<(), TillError> {
    let parts = [charge.credit_transfer, charge.card_transfer, charge.discount_transfer];
    for transfer in parts.into_iter().flatten() {
        ledger::void(tx, transfer, state, now).await?;
    }
    Ok(())
}

/// The steps that follow on `before` others. Two at once are the common case of a hand that a gateway
/// is asked about: one statement, for each is a wait.
async fn remember_steps(
    tx: &mut Tx<'_>,
    id: ChargeId,
    before: i64,
    states: &[ChargeState],
    now: Timestamp,
) -> Result<(), TillError> {
    if let [first, second] = states {
        tx.execute(
            "INSERT INTO till_charge_steps (charge_id, step, state, at) \
             VALUES ($1, $2, $3, $5), ($1, $2 + 1, $4, $5)",
            params![id, before + 1, first, second, now],
        )
        .await?;
        return Ok(());
    }
    for (step, &state) in (before + 1..).zip(states) {
        remember_step(tx, id, step, state, now).await?;
    }
    Ok(())
}

pub(crate) async fn remember_step(
    tx: &mut Tx<'_>,
    id: ChargeId,
    number: i64,
    state: ChargeState,
    now: Timestamp,
) -> Result<(), TillError> {
    tx.execute(
        "INSERT INTO till_charge_steps (charge_id, step, state, at) VALUES ($1, $2, $3, $4)",
        params![id, number, state, now],
    )
    .await?;
    Ok(())
}

pub(crate) async fn set_goal(
    tx: &mut Tx<'_>,
    mut charge: Charge,
    goal: Goal,
    reason: &str,
) -> Result<Charge, TillError> {
    tx.execute(
        "UPDATE till_charges SET goal = $1, reason = $2 WHERE charge_id = $3",
        params![goal, reason, charge.id],
    )
    .await?;
    charge.goal = goal;
    charge.reason = Some(reason.to_owned());
    Ok(charge)
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

pub(crate) async fn by_nonce(
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

/// The charge that this request asked for before, and the one that waits at its register.
async fn earlier_and_waiting(
    tx: &mut Tx<'_>,
    request: &ChargeRequest,
) -> Result<(Option<Charge>, Option<Charge>), TillError> {
    let found: Vec<Charge> = tx
        .fetch_all(
            select_charges!("WHERE c.register_id = $1 AND (c.nonce = $2 OR c.state = 'requested')"),
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
