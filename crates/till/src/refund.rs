//! Refunds: money back to where it came from, credit to credit and card to card, at most once.

use handfast_model::{
    ChargeId, Currency, DeviceId, LedgerAccountId, Money, RefundId, Timestamp, TransferId,
};
use handfast_store::{FromRow, Row, StoreError, Tx, params};

use crate::Till;
use crate::charge::{Charge, by_id, charge_at_shop, charge_at_shop_locked};
use crate::credit;
use crate::error::{Thing, TillError};
use crate::gateway::{GatewayError, PaymentName, RefundRequest, RefundStatus, Refusal};
use crate::ledger::{self, LedgerAccountKind, NewTransfer, Purpose, TransferState};
use crate::notification::{self, Kind};
use crate::settle::same_amount;
use crate::state::ChargeState;
use crate::text::Nonce;

/// How many open refunds one round looks into, so that a round ends.
const ROUND_MAX: i64 = 500;
/// The states of the index `till_refunds_unfinished` come first, named as it names them: without
/// them SQLite reads every refund.
pub(crate) const UNFINISHED: &str = "SELECT refund_id FROM till_refunds \
    WHERE state IN ('asking', 'unknown') \
    AND (state = 'unknown' OR created_at <= $1) ORDER BY refund_id LIMIT $2";

handfast_store::text_enum! {
    /// Where a refund stands.
    pub enum RefundState {
        /// The gateway is being asked.
        Asking = "asking",
        /// The gateway did not answer: it is asked about it.
        Unknown = "unknown",
        /// The money is back.
        Done = "done",
        /// The gateway refused; nothing went back.
        Refused = "refused",
    }
}

impl RefundState {
    /// Whether nothing can happen to the refund any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Asking | Self::Unknown => false,
            Self::Done | Self::Refused => true,
        }
    }
}

/// A refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Its id.
    pub id: RefundId,
    /// The charge it is of.
    pub charge: ChargeId,
    /// Where it stands.
    pub state: RefundState,
    /// Why it was refused.
    pub reason: Option<String>,
    /// What goes back as credit.
    pub credit_part: Money,
    /// What goes back through the gateway.
    pub card_part: Money,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it ended.
    pub closed_at: Option<Timestamp>,
    pub(crate) credit_transfer: Option<TransferId>,
    pub(crate) card_transfer: Option<TransferId>,
    gateway_payment: Option<String>,
}

impl Refund {
    fn payment_name(&self) -> PaymentName {
        PaymentName { reference: self.charge.to_string(), prepared: self.gateway_payment.clone() }
    }
}

impl FromRow for Refund {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let currency: Currency = row.get("currency")?;
        let money = |column| row.get(column).map(|minor| Money::new(minor, currency));
        Ok(Self {
            id: row.get("refund_id")?,
            charge: row.get("charge_id")?,
            state: row.get("state")?,
            reason: row.get_optional("reason")?,
            credit_part: money("credit_part")?,
            card_part: money("card_part")?,
            created_at: row.get("created_at")?,
            closed_at: row.get_optional("closed_at")?,
            credit_transfer: row.get_optional("credit_transfer")?,
            card_transfer: row.get_optional("card_transfer")?,
            gateway_payment: row.get_optional("gateway_payment")?,
        })
    }
}

/// What a register asks for.
#[derive(Clone, Debug)]
pub struct RefundOrder {
    /// The register; any of the charge's shop.
    pub register: DeviceId,
    /// The charge.
    pub charge: ChargeId,
    /// Makes a repeat the same request.
    pub nonce: Nonce,
    /// How much, in minor units; all that is left where it is not said.
    pub minor: Option<i64>,
}

impl RefundOrder {
    /// Everything that is left.
    #[must_use]
    pub const fn all(register: DeviceId, charge: ChargeId, nonce: Nonce) -> Self {
        Self { register, charge, nonce, minor: None }
    }
}

/// Ids made before the transaction, so that a repeat of it uses the same.
struct RefundIds {
    refund: RefundId,
    credit_transfer: TransferId,
    card_transfer: TransferId,
    discount_transfer: TransferId,
    shop_account: LedgerAccountId,
    gateway_account: LedgerAccountId,
}

/// How a refund ends.
#[derive(Clone, Copy)]
enum Ending {
    Done,
    Refused(&'static str),
}

impl Till {
    /// Gives back a charge, or a part of it: to the card first, for that is the person's own money,
    /// then to the credit. The same nonce gives the same refund, whatever became of it.
    ///
    /// # Errors
    /// [`TillError::AmountNotPositive`], [`TillError::OverRefund`], [`TillError::NotRefundable`], [`TillError::RefundedAlready`], [`TillError::NonceReused`],
    /// [`TillError::NotFound`], [`TillError::Store`].
    pub async fn refund_charge(&self, order: &RefundOrder) -> Result<Refund, TillError> {
        let ids = RefundIds {
            refund: RefundId::new(&*self.clock, &*self.random),
            credit_transfer: self.fresh_transfer(),
            card_transfer: self.fresh_transfer(),
            discount_transfer: self.fresh_transfer(),
            shop_account: self.fresh_ledger_account(),
            gateway_account: self.fresh_ledger_account(),
        };
        let (ids, now) = (&ids, self.now());
        let refund = self
            .store
            .transaction("refund.begin", |tx| Box::pin(begin(tx, order, ids, now)))
            .await?;
        // An earlier refund of this nonce is at the gateway already; ours is to be sent.
        if refund.id == ids.refund && !refund.state.is_final() {
            return Box::pin(self.send_refund(&refund)).await;
        }
        Ok(refund)
    }

    /// The refunds of a charge, oldest first, seen from a register of its shop.
    ///
    /// # Errors
    /// [`TillError::NotFound`] where there is no such charge at that shop.
    pub async fn refunds(
        &self,
        device: DeviceId,
        charge: ChargeId,
    ) -> Result<Vec<Refund>, TillError> {
        self.store
            .read("refund.list", |tx| {
                Box::pin(async move {
                    charge_at_shop(tx, device, charge).await?;
                    Ok(tx
                        .fetch_all(
                            "SELECT r.*, c.currency, c.gateway_payment FROM till_refunds r \
                             JOIN till_charges c ON c.charge_id = r.charge_id \
                             WHERE r.charge_id = $1 ORDER BY r.refund_id",
                            params![charge],
                        )
                        .await?)
                })
            })
            .await
    }

    /// Finds out about one refund by asking the gateway. One that never arrived there is sent again
    /// under the same name, which the gateway carries out once.
    pub(crate) async fn resolve_refund(&self, id: RefundId) -> Result<Refund, TillError> {
        let refund = self.store.read("refund.read", |tx| Box::pin(refund_by_id(tx, id))).await?;
        if refund.state.is_final() {
            return Ok(refund);
        }
        let (reference, payment) = (refund.id.to_string(), refund.payment_name());
        match self.gateway.lookup_refund(&reference, &payment).await {
            Ok(RefundStatus::Done { amount }) => {
                same_amount(amount, refund.card_part)?;
                self.end_refund(id, Ending::Done).await
            }
            Ok(RefundStatus::NotFound) => self.send_refund(&refund).await,
            Err(error) => {
                tracing::warn!(%error, "the gateway does not tell about a refund");
                self.refund_unknown(id).await
            }
        }
    }

    /// Refunds without an end: the unknown ones, and those sent before `sent_before`.
    pub(crate) async fn unfinished_refunds(
        &self,
        sent_before: Timestamp,
    ) -> Result<Vec<RefundId>, TillError> {
        let refunds: Vec<(RefundId,)> = self
            .store
            .read("refund.unfinished", |tx| {
                Box::pin(
                    async move { tx.fetch_all(UNFINISHED, params![sent_before, ROUND_MAX]).await },
                )
            })
            .await
            .map_err(TillError::Store)?;
        Ok(refunds.into_iter().map(|(id,)| id).collect())
    }

    async fn send_refund(&self, refund: &Refund) -> Result<Refund, TillError> {
        let request = RefundRequest {
            idempotency_key: format!("{}:refund", refund.id),
            reference: refund.id.to_string(),
            payment: refund.payment_name(),
            amount: refund.card_part,
        };
        match self.gateway.refund(&request).await {
            Ok(()) => self.end_refund(refund.id, Ending::Done).await,
            Err(GatewayError::Refused(Refusal::ReferenceTaken | Refusal::KeyReused))
            | Err(GatewayError::NoAnswer) => self.refund_unknown(refund.id).await,
            Err(GatewayError::Refused(refusal)) => {
                tracing::warn!(%refusal, "the gateway refused a refund");
                self.end_refund(refund.id, Ending::Refused("refused_by_gateway")).await
            }
        }
    }

    async fn end_refund(&self, id: RefundId, ending: Ending) -> Result<Refund, TillError> {
        let now = self.now();
        self.store
            .transaction("refund.end", |tx| {
                Box::pin(async move {
                    let refund = refund_by_id(tx, id).await?;
                    if refund.state.is_final() {
                        return Ok(refund);
                    }
                    end(tx, &refund, ending, now).await
                })
            })
            .await
    }

    async fn refund_unknown(&self, id: RefundId) -> Result<Refund, TillError> {
        self.store
            .transaction("refund.unknown", |tx| {
                Box::pin(async move {
                    tx.execute(
                        "UPDATE till_refunds SET state = 'unknown' \
                         WHERE refund_id = $1 AND state = 'asking'",
                        params![id],
                    )
                    .await?;
                    refund_by_id(tx, id).await
                })
            })
            .await
    }
}

async fn begin(
    tx: &mut Tx<'_>,
    order: &RefundOrder,
    ids: &RefundIds,
    now: Timestamp,
) -> Result<Refund, TillError> {
    let charge = charge_at_shop_locked(tx, order.register, order.charge).await?;
    if let Some(earlier) = by_nonce(tx, order).await? {
        let all = earlier.credit_part.minor + earlier.card_part.minor;
        let same = earlier.charge == order.charge && order.minor.is_none_or(|minor| minor == all);
        return if same { Ok(earlier) } else { Err(TillError::NonceReused) };
    }
    if charge.state != ChargeState::Captured {
        return Err(TillError::NotRefundable { state: charge.state });
    }
    let (credit_part, card_part) = parts_to_give_back(&charge, order.minor)?;
    tx.execute(
        "UPDATE till_charges SET credit_refunding = credit_refunding + $1, \
         card_refunding = card_refunding + $2 WHERE charge_id = $3",
        params![credit_part, card_part, charge.id],
    )
    .await?;
    reserve_parts(tx, &charge, (credit_part, card_part), ids, now).await?;
    give_discount_back(tx, &charge, credit_part + card_part, ids, now).await?;
    tx.execute(
        "INSERT INTO till_refunds (refund_id, charge_id, register_id, nonce, state, credit_part, \
         card_part, credit_transfer, card_transfer, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        params![
            ids.refund,
            charge.id,
            order.register,
            order.nonce.as_str(),
            RefundState::Asking,
            credit_part,
            card_part,
            (credit_part > 0).then_some(ids.credit_transfer),
            (card_part > 0).then_some(ids.card_transfer),
            now,
        ],
    )
    .await?;
    let refund = refund_by_id(tx, ids.refund).await?;
    if card_part == 0 { end(tx, &refund, Ending::Done, now).await } else { Ok(refund) }
}

/// How much goes back as credit and to the card.
fn parts_to_give_back(charge: &Charge, minor: Option<i64>) -> Result<(i64, i64), TillError> {
    let credit_left = charge.credit_part.minor - charge.credit_refunding;
    // What a dispute took back already is not given back twice.
    let card_left = charge.card_part.minor - charge.card_refunding - charge.disputed.minor;
    let (card_left, left_minor) = (card_left.max(0), credit_left + card_left.max(0));
    if left_minor == 0 {
        return Err(TillError::RefundedAlready);
    }
    let wanted = minor.unwrap_or(left_minor);
    if wanted <= 0 {
        return Err(TillError::AmountNotPositive);
    }
    if wanted > left_minor {
        return Err(TillError::OverRefund { left_minor });
    }
    let card = wanted.min(card_left);
    Ok((wanted - card, card))
}

/// With the last of a charge its discount goes back to where it came from. It is the house's own
/// transfer and needs no gateway.
async fn give_discount_back(
    tx: &mut Tx<'_>,
    charge: &Charge,
    minor: i64,
    ids: &RefundIds,
    now: Timestamp,
) -> Result<(), TillError> {
    let before = charge.credit_refunding + charge.card_refunding;
    if charge.discount.minor == 0 || before + minor < charge.amount.minor {
        return Ok(());
    }
    let Some(name) = &charge.discount_name else { return Ok(()) };
    let (currency, kind) = (charge.amount.currency, LedgerAccountKind::Promotion);
    let at = (charge.shop, charge.register);
    let debit = ledger::shop_account(tx, ids.shop_account, at, currency, now).await?;
    let credit = ledger::find_account(tx, kind, name, currency).await?;
    let credit = credit.ok_or(TillError::Corrupt { column: "till_charges.discount_name" })?;
    let back = NewTransfer {
        id: ids.discount_transfer,
        debit,
        credit,
        amount: charge.discount,
        purpose: Purpose::RefundDiscount,
        subject: ids.refund.to_string(),
    };
    // Once: a refund that the gateway refuses later leaves the discount where it is now, and the
    // next try finds it gone.
    let earlier: Option<(i64,)> = tx
        .fetch_optional(
            "SELECT r.created_at FROM till_transfers t JOIN till_refunds r \
             ON r.refund_id = t.subject WHERE r.charge_id = $1 AND t.purpose = $2",
            params![charge.id, Purpose::RefundDiscount],
        )
        .await?;
    if earlier.is_some() { Ok(()) } else { ledger::record(tx, &back, now).await }
}

async fn reserve_parts(
    tx: &mut Tx<'_>,
    charge: &Charge,
    (credit_part, card_part): (i64, i64),
    ids: &RefundIds,
    now: Timestamp,
) -> Result<(), TillError> {
    let currency = charge.amount.currency;
    let at = (charge.shop, charge.register);
    let shop = ledger::shop_account(tx, ids.shop_account, at, currency, now).await?;
    let transfer = |id, credit, minor, purpose| NewTransfer {
        id,
        debit: shop,
        credit,
        amount: Money::new(minor, currency),
        purpose,
        subject: ids.refund.to_string(),
    };
    if credit_part > 0 {
        let wallet =
            charge.wallet.ok_or(TillError::Corrupt { column: "till_charges.wallet_id" })?;
        let credit = credit::wallet_account(tx, wallet, currency).await?;
        let part = transfer(ids.credit_transfer, credit, credit_part, Purpose::RefundCredit);
        ledger::reserve_new(tx, &part, now).await?;
    }
    if card_part > 0 {
        let (fresh, register) = (ids.gateway_account, charge.register);
        let credit = ledger::gateway_account(tx, fresh, register, currency, now).await?;
        let part = transfer(ids.card_transfer, credit, card_part, Purpose::RefundCard);
        ledger::reserve_new(tx, &part, now).await?;
    }
    Ok(())
}

/// Makes the end of a refund durable, with its transfers and what the charge says of it.
async fn end(
    tx: &mut Tx<'_>,
    refund: &Refund,
    ending: Ending,
    now: Timestamp,
) -> Result<Refund, TillError> {
    let (credit, card) = (refund.credit_part.minor, refund.card_part.minor);
    let (state, reason) = match ending {
        Ending::Done => (RefundState::Done, None),
        Ending::Refused(reason) => (RefundState::Refused, Some(reason)),
    };
    tx.execute(
        "UPDATE till_refunds SET state = $1, reason = $2, closed_at = $3, mail_owed = $4 \
         WHERE refund_id = $5",
        params![state, reason, now, state == RefundState::Done, refund.id],
    )
    .await?;
    let transfers = [(refund.credit_transfer, credit), (refund.card_transfer, card)];
    for (transfer, part) in transfers {
        let Some(transfer) = transfer else { continue };
        match ending {
            Ending::Done => ledger::post(tx, transfer, part, now).await?,
            Ending::Refused(_) => {
                ledger::void(tx, transfer, TransferState::Voided, now).await?;
            }
        }
    }
    match ending {
        Ending::Done => {
            tx.execute(
                "UPDATE till_charges SET refunded = refunded + $1, refunded_at = $2 \
                 WHERE charge_id = $3",
                params![credit + card, now, refund.charge],
            )
            .await?;
        }
        Ending::Refused(_) => {
            tx.execute(
                "UPDATE till_charges SET credit_refunding = credit_refunding - $1, \
                 card_refunding = card_refunding - $2 WHERE charge_id = $3",
                params![credit, card, refund.charge],
            )
            .await?;
        }
    }
    let charge = by_id(tx, refund.charge).await?;
    assert!(charge.refunded.minor <= charge.amount.minor, "no more back than was paid");
    if matches!(ending, Ending::Done) {
        notification::enqueue(tx, &charge, Kind::ChargeRefunded, now).await?;
    }
    refund_by_id(tx, refund.id).await
}

async fn refund_by_id(tx: &mut Tx<'_>, id: RefundId) -> Result<Refund, TillError> {
    tx.fetch_optional(
        "SELECT r.*, c.currency, c.gateway_payment FROM till_refunds r \
         JOIN till_charges c ON c.charge_id = r.charge_id WHERE r.refund_id = $1",
        params![id],
    )
    .await?
    .ok_or(TillError::NotFound(Thing::Charge))
}

async fn by_nonce(tx: &mut Tx<'_>, order: &RefundOrder) -> Result<Option<Refund>, TillError> {
    Ok(tx
        .fetch_optional(
            "SELECT r.*, c.currency, c.gateway_payment FROM till_refunds r \
             JOIN till_charges c ON c.charge_id = r.charge_id \
             WHERE r.register_id = $1 AND r.nonce = $2",
            params![order.register, order.nonce.as_str()],
        )
        .await?)
}
