//! From a plan that is durable to an end that is known: authorise, capture, void, and finding out
//! what became of it where no answer came. An authorise is sent once a charge, ever; everything
//! after a lost answer begins with a lookup.

use handfast_model::{ChargeId, Duration, Money, RefundId, Timestamp};
use handfast_store::{Tx, params};

use crate::Till;
use crate::charge::{Charge, Goal, by_id, select_charges, set_goal, step};
use crate::error::TillError;
use crate::gateway::{
    Authorisation, AuthoriseRequest, CaptureRequest, GatewayError, PaymentStatus, Refusal, Voided,
};
use crate::state::{ChargeEvent, ChargeState};

/// How long a request of this process may be at the gateway before somebody else may look into its
/// charge. Connectors say "no answer" sooner.
pub const IN_FLIGHT_MAX: Duration = Duration::from_secs(30);
/// How long a payment that the gateway does not know may still be on its way to it. Afterwards it
/// is voided under its reference, so that it cannot arrive later.
pub const ARRIVES_WITHIN: Duration = Duration::from_secs(60);
/// Until how long after the hand a charge is still captured: the person stands at the counter and
/// the register waits. Later they have paid in another way, and the money is let go instead.
pub const CAPTURE_WITHIN: Duration = Duration::from_minutes(5);
/// How many open charges one round looks into, so that a round ends.
const ROUND_MAX: i64 = 500;

const _: () = assert!(IN_FLIGHT_MAX.as_micros() <= ARRIVES_WITHIN.as_micros());
const _: () = assert!(ARRIVES_WITHIN.as_micros() < CAPTURE_WITHIN.as_micros());

/// What a round of finding out did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// Charges that were looked into.
    pub charges: usize,
    /// Of these, charges that still have no end.
    pub charges_open: usize,
    /// Refunds that were looked into.
    pub refunds: usize,
    /// Of these, refunds that still have no end.
    pub refunds_open: usize,
    /// Charges whose time for a hand was over.
    pub expired: usize,
}

/// What is known while a charge is looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sender {
    /// The process that sent the authorise may still be waiting for its answer.
    MayBeAlive,
    /// It is gone: nothing of it is under way but what the network still carries.
    IsGone,
}

impl Till {
    /// Finds out about everything that a process which died left open. Call it at start, before
    /// the first request, while no other process serves the same database. Where more is open than one
    /// round takes, [`Till::resolve_due`] goes on with it.
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn recover(&self) -> Result<Resolved, TillError> {
        let expired = self.expire_due().await?;
        let charges = self.unfinished(Timestamp::MAX).await?;
        let refunds = self.unfinished_refunds(Timestamp::MAX).await?;
        let resolved = self.look_into(&charges, &refunds, Sender::IsGone).await?;
        Ok(Resolved { expired, ..resolved })
    }

    /// Finds out about charges and refunds whose outcome is unknown, or whose request was given up
    /// half way; expires what is due. Call it every second or two.
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn resolve_due(&self) -> Result<Resolved, TillError> {
        let expired = self.expire_due().await?;
        let stale = self.now() - IN_FLIGHT_MAX;
        let charges = self.unfinished(stale).await?;
        let refunds = self.unfinished_refunds(stale).await?;
        let resolved = self.look_into(&charges, &refunds, Sender::MayBeAlive).await?;
        Ok(Resolved { expired, ..resolved })
    }

    /// Finds out about one charge by asking the gateway, and brings it on its way to an end.
    ///
    /// # Errors
    /// [`TillError::NotFound`], [`TillError::GatewayDiffers`], [`TillError::Store`].
    pub async fn resolve(&self, id: ChargeId) -> Result<Charge, TillError> {
        self.resolve_as(id, Sender::MayBeAlive).await
    }

    async fn look_into(
        &self,
        charges: &[ChargeId],
        refunds: &[RefundId],
        sender: Sender,
    ) -> Result<Resolved, TillError> {
        let mut resolved =
            Resolved { charges: charges.len(), refunds: refunds.len(), ..Resolved::default() };
        for &id in charges {
            match self.resolve_as(id, sender).await {
                Ok(charge) => resolved.charges_open += usize::from(!charge.state.is_final()),
                Err(TillError::GatewayDiffers) => {
                    // One charge that people must look at does not hold up the others.
                    tracing::error!("a charge's amount differs at the gateway");
                    resolved.charges_open += 1;
                }
                Err(error) => return Err(error),
            }
        }
        for &id in refunds {
            match self.resolve_refund(id).await {
                Ok(refund) => resolved.refunds_open += usize::from(!refund.state.is_final()),
                Err(TillError::GatewayDiffers) => {
                    tracing::error!("a refund's amount differs at the gateway");
                    resolved.refunds_open += 1;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(resolved)
    }

    /// Sends the one authorise of a charge, and captures what it holds.
    pub(crate) async fn authorise(
        &self,
        request: &AuthoriseRequest,
        charge: Charge,
    ) -> Result<Charge, TillError> {
        match self.gateway.authorise(request).await {
            Ok(Authorisation::Approved { network_transaction_id }) => {
                let charge = self.approved(charge.id, network_transaction_id.as_deref()).await?;
                if charge.state == ChargeState::Authorised {
                    self.capture(charge).await
                } else {
                    Ok(charge)
                }
            }
            Ok(Authorisation::Declined { reason }) => {
                self.happened(charge.id, ChargeEvent::Refused, Some(&reason)).await
            }
            // Then it arrived before in some other way: ask, do not guess.
            Err(GatewayError::Refused(Refusal::ReferenceTaken | Refusal::KeyReused))
            | Err(GatewayError::NoAnswer) => {
                self.happened(charge.id, ChargeEvent::NoAnswer, None).await
            }
            Err(GatewayError::Refused(refusal)) => {
                tracing::warn!(%refusal, "the gateway refused an authorise");
                let reason = Some("refused_by_gateway");
                self.happened(charge.id, ChargeEvent::Refused, reason).await
            }
        }
    }

    async fn capture(&self, charge: Charge) -> Result<Charge, TillError> {
        let request = CaptureRequest {
            idempotency_key: format!("{}:capture", charge.id),
            reference: charge.gateway_reference(),
            amount: charge.card_part,
        };
        match self.gateway.capture(&request).await {
            Ok(()) => self.happened(charge.id, ChargeEvent::Captured, None).await,
            Err(error) => {
                // Also where it was refused: the lookup tells whether it is captured or voided.
                tracing::warn!(%error, "no clear answer to a charge capture");
                self.happened(charge.id, ChargeEvent::NoAnswer, None).await
            }
        }
    }

    async fn void(&self, charge: Charge) -> Result<Charge, TillError> {
        match self.gateway.void(&charge.gateway_reference()).await {
            Ok(Voided::Done) => self.happened(charge.id, ChargeEvent::LetGo, None).await,
            Ok(Voided::AlreadyCaptured) => {
                self.happened(charge.id, ChargeEvent::Captured, None).await
            }
            Err(error) => {
                tracing::warn!(%error, "no clear answer to a void");
                self.happened(charge.id, ChargeEvent::NoAnswer, None).await
            }
        }
    }

    async fn resolve_as(&self, id: ChargeId, sender: Sender) -> Result<Charge, TillError> {
        let now = self.now();
        let charge =
            self.store.transaction("charge.resolve", |tx| Box::pin(set_out(tx, id, now))).await?;
        match charge.state {
            ChargeState::Authorising | ChargeState::Authorised | ChargeState::Unknown => {}
            ChargeState::Identified => {
                return self.happened(id, ChargeEvent::LetGo, Some("interrupted")).await;
            }
            _ => return Ok(charge),
        }
        let status = match self.gateway.lookup(&charge.gateway_reference()).await {
            Ok(status) => status,
            Err(GatewayError::Refused(Refusal::UnknownPayment)) => PaymentStatus::NotFound,
            Err(error) => {
                tracing::warn!(%error, "the gateway does not tell about a payment");
                return self.happened(id, ChargeEvent::NoAnswer, None).await;
            }
        };
        Box::pin(self.follow(charge, status, sender, now)).await
    }

    /// What the gateway's word means for a charge.
    async fn follow(
        &self,
        charge: Charge,
        status: PaymentStatus,
        sender: Sender,
        now: Timestamp,
    ) -> Result<Charge, TillError> {
        match (status, charge.goal) {
            (PaymentStatus::Captured { amount }, _) if amount == charge.card_part => {
                self.happened(charge.id, ChargeEvent::Captured, None).await
            }
            (PaymentStatus::Captured { .. }, _) => Err(TillError::GatewayDiffers),
            (PaymentStatus::Voided, _) => self.happened(charge.id, ChargeEvent::LetGo, None).await,
            (PaymentStatus::Declined { reason }, _) => {
                self.happened(charge.id, ChargeEvent::Refused, Some(&reason)).await
            }
            (PaymentStatus::Authorised { network_transaction_id }, Goal::Capture) => {
                let charge = self.approved(charge.id, network_transaction_id.as_deref()).await?;
                match charge.state {
                    ChargeState::Authorised => self.capture(charge).await,
                    _ => Ok(charge),
                }
            }
            (PaymentStatus::NotFound, Goal::Capture) if never_arrives(&charge, sender, now) => {
                let id = charge.id;
                self.give_up(id, "never_arrived").await?;
                self.void(charge).await
            }
            (PaymentStatus::NotFound | PaymentStatus::Pending, Goal::Capture) => {
                self.happened(charge.id, ChargeEvent::NoAnswer, None).await
            }
            (
                PaymentStatus::NotFound | PaymentStatus::Pending | PaymentStatus::Authorised { .. },
                Goal::Void,
            ) => self.void(charge).await,
        }
    }

    async fn give_up(&self, id: ChargeId, reason: &'static str) -> Result<(), TillError> {
        self.store
            .transaction("charge.give_up", |tx| {
                Box::pin(async move { set_goal(tx, id, Goal::Void, reason).await })
            })
            .await
    }

    /// Makes an approval durable, and the network's id with it.
    async fn approved(
        &self,
        id: ChargeId,
        network_transaction_id: Option<&str>,
    ) -> Result<Charge, TillError> {
        let now = self.now();
        self.store
            .transaction("charge.approved", |tx| {
                Box::pin(async move {
                    let charge = happened(tx, id, ChargeEvent::Approved, None, now).await?;
                    remember_network_id(tx, &charge, network_transaction_id).await?;
                    by_id(tx, id).await
                })
            })
            .await
    }

    /// Makes an event durable. Where somebody else brought the charge further meanwhile, the event
    /// is old news: the charge comes back as it stands.
    async fn happened(
        &self,
        id: ChargeId,
        event: ChargeEvent,
        reason: Option<&str>,
    ) -> Result<Charge, TillError> {
        let now = self.now();
        self.store
            .transaction("charge.settle", |tx| {
                Box::pin(async move { happened(tx, id, event, reason, now).await })
            })
            .await
    }

    /// Charges with a hand and without an end: the unknown ones, and those whose request was sent
    /// before `sent_before`.
    async fn unfinished(&self, sent_before: Timestamp) -> Result<Vec<ChargeId>, TillError> {
        let charges: Vec<Charge> = self
            .store
            .read("charge.unfinished", |tx| {
                Box::pin(async move {
                    tx.fetch_all(
                        select_charges!(
                            "WHERE c.state = 'unknown' \
                             OR (c.state IN ('identified', 'authorising', 'authorised') \
                             AND c.answered_at <= $1) ORDER BY c.charge_id LIMIT $2"
                        ),
                        params![sent_before, ROUND_MAX],
                    )
                    .await
                })
            })
            .await
            .map_err(TillError::Store)?;
        Ok(charges.into_iter().map(|charge| charge.id).collect())
    }
}

async fn happened(
    tx: &mut Tx<'_>,
    id: ChargeId,
    event: ChargeEvent,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<Charge, TillError> {
    let charge = by_id(tx, id).await?;
    match charge.state.after(event) {
        Ok(_) => step(tx, &charge, event, reason, now).await,
        Err(_) => Ok(charge),
    }
}

/// Reads a charge for a look into it; one that is too old to be captured is to be let go from now.
async fn set_out(tx: &mut Tx<'_>, id: ChargeId, now: Timestamp) -> Result<Charge, TillError> {
    let charge = by_id(tx, id).await?;
    let too_old = charge.answered_at.is_some_and(|at| now - at > CAPTURE_WITHIN);
    if charge.state.is_final() || charge.goal == Goal::Void || !too_old {
        return Ok(charge);
    }
    set_goal(tx, id, Goal::Void, "too_late").await?;
    by_id(tx, id).await
}

/// Whether a payment that the gateway does not know will not arrive any more.
fn never_arrives(charge: &Charge, sender: Sender, now: Timestamp) -> bool {
    let old = charge.answered_at.is_some_and(|at| now - at > ARRIVES_WITHIN);
    sender == Sender::IsGone || old
}

/// Keeps the network's id with the charge, and with the payment method if it is its first.
async fn remember_network_id(
    tx: &mut Tx<'_>,
    charge: &Charge,
    network_transaction_id: Option<&str>,
) -> Result<(), TillError> {
    let Some(network_id) = network_transaction_id else { return Ok(()) };
    tx.execute(
        "UPDATE till_charges SET network_transaction_id = $1 WHERE charge_id = $2",
        params![network_id, charge.id],
    )
    .await?;
    tx.execute(
        "UPDATE till_payment_methods SET network_transaction_id = $1 \
         WHERE payment_method_id = $2 AND network_transaction_id IS NULL",
        params![network_id, charge.payment_method],
    )
    .await?;
    Ok(())
}

/// What the gateway says it took or gave, in the words of the charge.
pub(crate) fn same_amount(told: Money, asked: Money) -> Result<(), TillError> {
    if told == asked { Ok(()) } else { Err(TillError::GatewayDiffers) }
}
