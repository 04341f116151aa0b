//! What the gateway tells by itself: webhooks, each handled once however often it comes. What they
//! say of money is looked up at the gateway before it is believed; disputes, which cannot be looked
//! up everywhere, are believed because they are signed.

use handfast_model::{ChargeId, LedgerAccountId, Money, Timestamp, TransferId};
use handfast_store::{FromRow, Row, StoreError, Tx, params};

use crate::Till;
use crate::charge::{Charge, by_id};
use crate::error::{Thing, TillError};
use crate::gateway::{
    DisputeNotice, DisputeStage, GatewayError, NoticeAbout, PaymentStatus, RefundRequest,
    RefundStatus, Refusal,
};
use crate::ledger::{self, LedgerAccountKind, NewTransfer, Purpose, TransferState};
use crate::notification::{self, Kind};
use crate::state::ChargeState;

/// Whose money in suspense is: the house's, of which there is one a till.
const HOUSE: &str = "house";
/// How many late captures one round returns, so that a round ends.
const ROUND_MAX: i64 = 50;

/// What was done with a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// It was new and was handled.
    Handled,
    /// It came before; nothing was done again.
    Duplicate,
    /// It concerns nothing here.
    NotOurs,
}

/// A dispute as the books have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispute {
    /// The gateway's id.
    pub dispute: String,
    /// The charge.
    pub charge: ChargeId,
    /// How much.
    pub amount_minor: i64,
    /// Where it stands.
    pub stage: DisputeStage,
    /// Why, as the gateway's short code.
    pub reason: String,
    /// Until when evidence is taken.
    pub respond_by: Option<Timestamp>,
    transfer: TransferId,
}

impl FromRow for Dispute {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            dispute: row.get("dispute")?,
            charge: row.get("charge_id")?,
            amount_minor: row.get("amount")?,
            stage: row.get("state")?,
            reason: row.get("reason")?,
            respond_by: row.get_optional("respond_by")?,
            transfer: row.get("transfer_id")?,
        })
    }
}

/// Ids made before the transaction, so that a repeat of it uses the same.
struct NewsIds {
    transfer: TransferId,
    back: TransferId,
    shop_account: LedgerAccountId,
    gateway_account: LedgerAccountId,
    suspense: LedgerAccountId,
}

impl Till {
    /// Takes a webhook of the gateway: checks its signature and handles it once.
    ///
    /// # Errors
    /// [`TillError::Notice`] where it is not believed; [`TillError::Store`] and
    /// [`TillError::Gateway`] where it could not be handled: the gateway sends it again.
    pub async fn receive_notice(
        &self,
        signature: &str,
        body: &[u8],
    ) -> Result<Received, TillError> {
        let now = self.now();
        let notice = self.gateway.read_notice(signature, body, now)?;
        let event = &notice.event;
        let handled = self
            .store
            .transaction("notice.receive", |tx| Box::pin(receive(tx, event, now)))
            .await?;
        if handled {
            return Ok(Received::Duplicate);
        }
        let received = match &notice.about {
            NoticeAbout::Payment(reference) => self.heard_of_payment(reference).await?,
            NoticeAbout::Dispute(dispute) => self.heard_of_dispute(dispute).await?,
            NoticeAbout::Other => Received::NotOurs,
        };
        let now = self.now();
        self.store
            .transaction("notice.handled", |tx| {
                Box::pin(async move {
                    tx.execute(
                        "UPDATE till_gateway_events SET handled_at = $1 WHERE event_id = $2",
                        params![now, event],
                    )
                    .await?;
                    Ok::<_, TillError>(())
                })
            })
            .await?;
        Ok(received)
    }

    /// The disputes of a charge, oldest first.
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn disputes(&self, charge: ChargeId) -> Result<Vec<Dispute>, TillError> {
        self.store
            .read("dispute.list", |tx| {
                Box::pin(async move {
                    Ok(tx
                        .fetch_all(
                            "SELECT * FROM till_disputes WHERE charge_id = $1 ORDER BY opened_at",
                            params![charge],
                        )
                        .await?)
                })
            })
            .await
    }

    /// Something changed about a payment: an open charge is looked into, a closed one is checked
    /// for money that came after we let go.
    async fn heard_of_payment(&self, reference: &str) -> Result<Received, TillError> {
        let Ok(id) = reference.parse::<ChargeId>() else { return Ok(Received::NotOurs) };
        let found = self.store.read("notice.charge", |tx| Box::pin(by_id(tx, id))).await;
        let charge = match found {
            Ok(charge) => charge,
            Err(TillError::NotFound(_)) => return Ok(Received::NotOurs),
            Err(error) => return Err(error),
        };
        if !charge.state.is_final() {
            // A live sender takes its own answer; what is unknown is found out now.
            if charge.state == ChargeState::Unknown {
                Box::pin(self.resolve(id)).await?;
            }
            return Ok(Received::Handled);
        }
        if charge.state != ChargeState::Captured {
            self.check_for_late_capture(&charge).await?;
        }
        Ok(Received::Handled)
    }

    /// Whether the gateway took money for a charge that ended without; then it goes back.
    pub(crate) async fn check_for_late_capture(&self, charge: &Charge) -> Result<bool, TillError> {
        match self.gateway.lookup(&charge.payment_name()).await {
            Ok(PaymentStatus::Captured { amount }) => {
                let ids = &self.news_ids();
                let (id, now) = (charge.id, self.now());
                tracing::error!("a charge was captured after it was let go; it is sent back");
                self.store
                    .transaction("late_capture.note", |tx| {
                        Box::pin(note_late_capture(tx, id, amount, ids, now))
                    })
                    .await?;
                self.return_late_captures().await?;
                Ok(true)
            }
            Ok(_) | Err(GatewayError::Refused(Refusal::UnknownPayment)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends money back that was captured after we let go, until the gateway says it is done; how
    /// many are not back yet.
    pub(crate) async fn return_late_captures(&self) -> Result<usize, TillError> {
        let open: Vec<(ChargeId,)> = self
            .store
            .read("late_capture.open", |tx| {
                Box::pin(async move {
                    tx.fetch_all(
                        "SELECT charge_id FROM till_late_captures WHERE state = 'found' LIMIT $1",
                        params![ROUND_MAX],
                    )
                    .await
                })
            })
            .await
            .map_err(TillError::Store)?;
        let mut left = 0;
        for (id,) in open {
            left += usize::from(!self.return_late_capture(id).await?);
        }
        Ok(left)
    }

    /// Whether the money is back.
    async fn return_late_capture(&self, id: ChargeId) -> Result<bool, TillError> {
        let (charge, amount) = self
            .store
            .read("late_capture.read", |tx| {
                Box::pin(async move {
                    let charge = by_id(tx, id).await?;
                    let (amount,): (i64,) = tx
                        .fetch_one(
                            "SELECT amount FROM till_late_captures WHERE charge_id = $1",
                            params![id],
                        )
                        .await?;
                    Ok::<_, TillError>((charge, amount))
                })
            })
            .await?;
        let request = RefundRequest {
            idempotency_key: format!("{id}:late"),
            reference: format!("{id}:late"),
            payment: charge.payment_name(),
            amount: Money::new(amount, charge.amount.currency),
        };
        let is_back = match self.gateway.lookup_refund(&request.reference, &request.payment).await {
            Ok(RefundStatus::Done { .. }) => true,
            Ok(RefundStatus::NotFound) => self.gateway.refund(&request).await.is_ok(),
            Err(_) => false,
        };
        if !is_back {
            return Ok(false);
        }
        let now = self.now();
        self.store
            .transaction("late_capture.returned", |tx| {
                Box::pin(async move {
                    let row: Option<(TransferId,)> = tx
                        .fetch_optional(
                            "UPDATE till_late_captures SET state = 'returned', returned_at = $1 \
                             WHERE charge_id = $2 AND state = 'found' RETURNING return_transfer",
                            params![now, id],
                        )
                        .await?;
                    match row {
                        Some((transfer,)) => ledger::post(tx, transfer, amount, now).await,
                        None => Ok(()),
                    }
                })
            })
            .await?;
        Ok(true)
    }

    async fn heard_of_dispute(&self, notice: &DisputeNotice) -> Result<Received, TillError> {
        let Some(id) = self.charge_named(&notice.payment).await? else {
            return Ok(Received::NotOurs);
        };
        let (ids, now) = (&self.news_ids(), self.now());
        let done = self
            .store
            .transaction("dispute.hear", |tx| Box::pin(hear_dispute(tx, id, notice, ids, now)))
            .await;
        match done {
            Ok(()) => Ok(Received::Handled),
            Err(TillError::NotFound(Thing::Charge)) => Ok(Received::NotOurs),
            Err(error) => Err(error),
        }
    }

    /// The charge behind what a gateway names: our own reference, or its own name of the payment,
    /// which is all that Stripe's disputes carry.
    async fn charge_named(&self, payment: &str) -> Result<Option<ChargeId>, TillError> {
        if let Ok(id) = payment.parse::<ChargeId>() {
            return Ok(Some(id));
        }
        let found: Option<(ChargeId,)> = self
            .store
            .read("notice.by_payment", |tx| {
                Box::pin(async move {
                    tx.fetch_optional(
                        "SELECT charge_id FROM till_charges WHERE gateway_payment = $1",
                        params![payment],
                    )
                    .await
                })
            })
            .await
            .map_err(TillError::Store)?;
        Ok(found.map(|(id,)| id))
    }

    fn news_ids(&self) -> NewsIds {
        NewsIds {
            transfer: self.fresh_transfer(),
            back: self.fresh_transfer(),
            shop_account: self.fresh_ledger_account(),
            gateway_account: self.fresh_ledger_account(),
            suspense: self.fresh_ledger_account(),
        }
    }
}

/// Whether the event was handled before; it is noted otherwise.
async fn receive(tx: &mut Tx<'_>, event: &str, now: Timestamp) -> Result<bool, TillError> {
    tx.execute(
        "INSERT INTO till_gateway_events (event_id, received_at) VALUES ($1, $2) \
         ON CONFLICT DO NOTHING",
        params![event, now],
    )
    .await?;
    let handled: Option<(String,)> = tx
        .fetch_optional(
            "SELECT event_id FROM till_gateway_events \
             WHERE event_id = $1 AND handled_at IS NOT NULL",
            params![event],
        )
        .await?;
    Ok(handled.is_some())
}

async fn note_late_capture(
    tx: &mut Tx<'_>,
    id: ChargeId,
    amount: Money,
    ids: &NewsIds,
    now: Timestamp,
) -> Result<(), TillError> {
    let charge = by_id(tx, id).await?;
    let earlier: Option<(ChargeId,)> = tx
        .fetch_optional(
            "SELECT charge_id FROM till_late_captures WHERE charge_id = $1",
            params![id],
        )
        .await?;
    if earlier.is_some() || charge.state == ChargeState::Captured || !charge.state.is_final() {
        return Ok(());
    }
    let (currency, kind) = (amount.currency, LedgerAccountKind::Suspense);
    let fresh = ids.gateway_account;
    let gateway = ledger::gateway_account(tx, fresh, charge.register, currency, now).await?;
    let suspense = ledger::account(tx, ids.suspense, kind, HOUSE, currency, now).await?;
    let transfer = |id, debit, credit, purpose| NewTransfer {
        id,
        debit,
        credit,
        amount,
        purpose,
        subject: charge.id.to_string(),
    };
    let found = transfer(ids.transfer, gateway, suspense, Purpose::LateCapture);
    ledger::record(tx, &found, now).await?;
    let back = transfer(ids.back, suspense, gateway, Purpose::LateReturn);
    ledger::reserve_new(tx, &back, now).await?;
    tx.execute(
        "INSERT INTO till_late_captures (charge_id, amount, state, return_transfer, found_at) \
         VALUES ($1, $2, 'found', $3, $4)",
        params![id, amount.minor, ids.back, now],
    )
    .await?;
    Ok(())
}

async fn hear_dispute(
    tx: &mut Tx<'_>,
    id: ChargeId,
    notice: &DisputeNotice,
    ids: &NewsIds,
    now: Timestamp,
) -> Result<(), TillError> {
    let charge = by_id(tx, id).await?;
    if notice.amount.currency != charge.amount.currency || notice.amount.minor <= 0 {
        return Err(TillError::GatewayDiffers);
    }
    let known: Option<Dispute> = tx
        .fetch_optional("SELECT * FROM till_disputes WHERE dispute = $1", params![notice.dispute])
        .await?;
    let dispute = match known {
        Some(dispute) => dispute,
        // Also where the end is heard of first: notices come in any order.
        None => open_dispute(tx, &charge, notice, ids, now).await?,
    };
    if notice.stage == DisputeStage::Open || dispute.stage != DisputeStage::Open {
        return Ok(());
    }
    let won = notice.stage == DisputeStage::Won;
    if won {
        ledger::void(tx, dispute.transfer, TransferState::Voided, now).await?;
    } else {
        ledger::post(tx, dispute.transfer, dispute.amount_minor, now).await?;
    }
    tx.execute(
        "UPDATE till_disputes SET state = $1, closed_at = $2 WHERE dispute = $3",
        params![notice.stage, now, notice.dispute],
    )
    .await?;
    tx.execute(
        "UPDATE till_charges SET disputed = disputed - $1 WHERE charge_id = $2",
        params![if won { dispute.amount_minor } else { 0 }, id],
    )
    .await?;
    notification::enqueue(tx, &charge, Kind::DisputeClosed, now).await
}

/// The gateway withholds the money: it is reserved against what the shop is owed.
async fn open_dispute(
    tx: &mut Tx<'_>,
    charge: &Charge,
    notice: &DisputeNotice,
    ids: &NewsIds,
    now: Timestamp,
) -> Result<Dispute, TillError> {
    let (currency, at) = (charge.amount.currency, (charge.shop, charge.register));
    let debit = ledger::shop_account(tx, ids.shop_account, at, currency, now).await?;
    let fresh = ids.gateway_account;
    let credit = ledger::gateway_account(tx, fresh, charge.register, currency, now).await?;
    let transfer = NewTransfer {
        id: ids.transfer,
        debit,
        credit,
        amount: notice.amount,
        purpose: Purpose::Dispute,
        subject: charge.id.to_string(),
    };
    ledger::reserve_new(tx, &transfer, now).await?;
    tx.execute(
        "INSERT INTO till_disputes (dispute, charge_id, amount, state, reason, respond_by, \
         opened_at, transfer_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![
            notice.dispute,
            charge.id,
            notice.amount.minor,
            DisputeStage::Open,
            notice.reason,
            notice.respond_by,
            now,
            ids.transfer,
        ],
    )
    .await?;
    tx.execute(
        "UPDATE till_charges SET disputed = disputed + $1 WHERE charge_id = $2",
        params![notice.amount.minor, charge.id],
    )
    .await?;
    notification::enqueue(tx, charge, Kind::DisputeOpened, now).await?;
    Ok(tx
        .fetch_one("SELECT * FROM till_disputes WHERE dispute = $1", params![notice.dispute])
        .await?)
}
