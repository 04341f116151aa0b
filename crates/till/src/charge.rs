//! What a charge is, and reading it. How it is asked for is in `charge_request`, how it moves on in
//! `charge_step`.

use handfast_model::{
    ChargeId, Currency, DeviceId, Duration, Money, PaymentMethodId, ShopId, Timestamp, TransferId,
    WalletId,
};
use handfast_store::{FromRow, Row, StoreError, Tx, params};

use crate::Till;
use crate::error::{Thing, TillError};
use crate::gateway::{PaymentName, StoredCredential};
use crate::ledger;
use crate::shop::register;
use crate::state::ChargeState;
use crate::text::{Nonce, PayKey, ReceiptKey};

/// The most for one charge, in minor units (a million dollars, a hundred million yen): above it, an
/// amount at a counter is a slip of the finger.
pub const CHARGE_MINOR_MAX: i64 = 100_000_000;
/// How long a hold is kept for the register to capture: a night at a bar, with room. Gateways keep
/// theirs for about seven days.
pub const HOLD_TIME: Duration = Duration::from_hours(24);
/// How many charges a register's page lists.
pub const LATEST_MAX: i64 = 20;

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

impl Till {
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
}

pub(crate) async fn by_id(tx: &mut Tx<'_>, id: ChargeId) -> Result<Charge, TillError> {
    tx.fetch_optional(select_charges!("WHERE c.charge_id = $1"), params![id])
        .await?
        .ok_or(TillError::NotFound(Thing::Charge))
}

/// As [`by_id`], and nobody else moves the charge on until the transaction ends: what every
/// transaction reads first that decides about one charge. Wallets are locked after charges.
pub(crate) async fn by_id_locked(tx: &mut Tx<'_>, id: ChargeId) -> Result<Charge, TillError> {
    let sql = select_charges!("WHERE c.charge_id = $1");
    let found = tx.fetch_locked_optional(sql, "c", params![id]).await?;
    found.ok_or(TillError::NotFound(Thing::Charge))
}

/// A charge, seen from a register of the same shop.
pub(crate) async fn charge_at_shop(
    tx: &mut Tx<'_>,
    device: DeviceId,
    id: ChargeId,
) -> Result<Charge, TillError> {
    let at = register(tx, device).await?;
    of_shop(by_id(tx, id).await?, at.shop)
}

/// As [`charge_at_shop`], locked as [`by_id_locked`].
pub(crate) async fn charge_at_shop_locked(
    tx: &mut Tx<'_>,
    device: DeviceId,
    id: ChargeId,
) -> Result<Charge, TillError> {
    let at = register(tx, device).await?;
    of_shop(by_id_locked(tx, id).await?, at.shop)
}

fn of_shop(charge: Charge, shop: ShopId) -> Result<Charge, TillError> {
    if charge.shop == shop { Ok(charge) } else { Err(TillError::NotFound(Thing::Charge)) }
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
