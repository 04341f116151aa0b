//! From a plan that is durable to an end that is known: authorise, capture, void, and finding out
//! what became of it where no answer came. An authorise is sent once a charge, ever; everything
//! after a lost answer begins with a lookup.

use handfast_model::{ChargeId, Duration, Money, RefundId, Timestamp};
use handfast_store::{Tx, params};

use crate::Till;
use crate::charge::{Charge, Goal, by_id, by_id_locked};
use crate::charge_step::{set_goal, step};
use crate::error::TillError;
use crate::gateway::{
    Authorisation, AuthoriseRequest, CaptureRequest, GatewayError, PaymentStatus, Refusal,
    StoredCredential, Voided,
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
/// Why a hold is let go whose time is over.
const HOLD_OVER: &str = "hold_over";
/// How many open charges one round looks into, so that a round ends.
const ROUND_MAX: i64 = 500;
/// The states of the index `till_charges_unfinished` come first, named as it names them: without
/// them SQLite reads every charge.
pub(crate) const UNFINISHED: &str = "SELECT charge_id FROM till_charges \
    WHERE state IN ('requested', 'identified', 'authorising', 'authorised', 'unknown') \
    AND (state = 'unknown' \
    OR (state IN ('authorising', 'authorised') AND (goal <> 'hold' OR state = 'authorising') \
    AND (answered_at <= $1 OR sender IS NULL OR sender NOT IN \
    (SELECT instance_id FROM till_instances WHERE lease_until > $2))) \
    OR (state = 'authorised' AND goal = 'hold' AND hold_until <= $2)) \
    ORDER BY charge_id LIMIT $3";

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
    /// Payments that the gateway captured after it was told to let go, and that are not back yet.
    pub late_captures_open: usize,
}

/// Whether the process that asked the gateway may still wait for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sender {
    MayBeAlive,
    /// Nothing of it is under way but what the network still carries.
    IsGone,
}

impl Till {
    /// Finds out about everything that a process which died left open. Call it at start. Other
    /// processes may serve the same database meanwhile: what one of them, whose [lease](crate::LEASE)
    /// runs, is still asking is left to it. Where more is open than one round takes,
    /// [`Till::resolve_due`] goes on with it.
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn recover(&self) -> Result<Resolved, TillError> {
        self.resolve_due().await
    }

    /// Finds out about charges and refunds whose outcome is unknown, or whose request was given up
    /// half way; expires what is due; sends late captures back. Renews this process's lease. Call it
    /// every second or two.
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn resolve_due(&self) -> Result<Resolved, TillError> {
        self.renew_lease().await?;
        let expired = self.expire_due().await?;
        let now = self.now();
        let charges = self.unfinished(now).await?;
        let refunds = self.unfinished_refunds(now - IN_FLIGHT_MAX).await?;
        let resolved = self.look_into(&charges, &refunds).await?;
        let late_captures_open = self.return_late_captures().await?;
        Ok(Resolved { expired, late_captures_open, ..resolved })
    }

    /// Finds out about one charge by asking the gateway, and brings it on its way to an end.
    ///
    /// # Errors
    /// [`TillError::NotFound`], [`TillError::GatewayDiffers`], [`TillError::Store`].
    pub async fn resolve(&self, id: ChargeId) -> Result<Charge, TillError> {
        let now = self.now();
        let (charge, sender) =
            self.store.row_locked("charge.resolve", |tx| Box::pin(set_out(tx, id, now))).await?;
        match charge.state {
            ChargeState::Authorising | ChargeState::Authorised | ChargeState::Unknown => {}
            _ => return Ok(charge),
        }
        if charge.payment_method.is_none() {
            // Credit alone: the gateway knows nothing of it.
            return self.settle_credit(charge).await;
        }
        let status = match self.gateway.lookup(&charge.payment_name()).await {
            Ok(status) => status,
            Err(GatewayError::Refused(Refusal::UnknownPayment)) => PaymentStatus::NotFound,
            Err(error) => {
                tracing::warn!(%error, "the gateway does not tell about a payment");
                return self.happened(id, ChargeEvent::NoAnswer, None).await;
            }
        };
        Box::pin(self.follow(charge, status, sender, now)).await
    }

    async fn look_into(
        &self,
        charges: &[ChargeId],
        refunds: &[RefundId],
    ) -> Result<Resolved, TillError> {
        let mut resolved =
            Resolved { charges: charges.len(), refunds: refunds.len(), ..Resolved::default() };
        for &id in charges {
            match self.resolve(id).await {
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
        mut request: AuthoriseRequest,
        charge: Charge,
    ) -> Result<Charge, TillError> {
        if self.gateway.prepares() {
            match self.prepare(&mut request, &charge).await? {
                Some(Stopped::With(charge)) => return Ok(*charge),
                None => {}
            }
        }
        match self.gateway.authorise(&request).await {
            Ok(Authorisation::Approved { network_transaction_id }) => {
                let charge = self.approved(charge.id, network_transaction_id.as_deref()).await?;
                self.go_on(charge).await
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

    /// Lets the gateway make the payment without money, and keeps its name before money may move.
    async fn prepare(
        &self,
        request: &mut AuthoriseRequest,
        charge: &Charge,
    ) -> Result<Option<Stopped>, TillError> {
        let id = charge.id;
        let name = match self.gateway.prepare(request).await {
            Ok(name) => name,
            Err(GatewayError::NoAnswer) => {
                let charge = self.happened(id, ChargeEvent::NoAnswer, None).await?;
                return Ok(Some(Stopped::With(Box::new(charge))));
            }
            Err(GatewayError::Refused(refusal)) => {
                tracing::warn!(%refusal, "the gateway refused to prepare a payment");
                let reason = Some("refused_by_gateway");
                let charge = self.happened(id, ChargeEvent::Refused, reason).await?;
                return Ok(Some(Stopped::With(Box::new(charge))));
            }
        };
        let kept = name.as_deref();
        let charge = self
            .store
            .row_locked("charge.prepared", |tx| {
                Box::pin(async move {
                    tx.execute(
                        "UPDATE till_charges SET gateway_payment = $1 \
                         WHERE charge_id = $2 AND state = 'authorising' AND goal <> 'void'",
                        params![kept, id],
                    )
                    .await?;
                    by_id(tx, id).await
                })
            })
            .await?;
        if charge.state == ChargeState::Authorising && charge.goal != Goal::Void {
            request.payment.prepared = name;
            return Ok(None);
        }
        // It was given up meanwhile: nothing is confirmed, and nothing will be.
        let charge = if charge.state.is_final() {
            charge
        } else {
            self.happened(id, ChargeEvent::NoAnswer, None).await?
        };
        Ok(Some(Stopped::With(Box::new(charge))))
    }

    /// From an approval to where the charge's goal leads.
    async fn go_on(&self, charge: Charge) -> Result<Charge, TillError> {
        match (charge.state, charge.goal) {
            (ChargeState::Authorised, Goal::Capture) => self.capture(charge).await,
            (ChargeState::Authorised, Goal::Void) => self.void(charge).await,
            _ => Ok(charge),
        }
    }

    /// Takes what is to be taken of a charge that is held.
    pub(crate) async fn capture(&self, charge: Charge) -> Result<Charge, TillError> {
        let taken = charge.card_to_take();
        if charge.payment_method.is_none() {
            return self.settle_credit(charge).await;
        }
        if taken == 0 {
            // Credit pays all of what is captured: the gateway's hold is let go.
            return match self.gateway.void(&charge.payment_name()).await {
                Ok(Voided::Done) => self.happened(charge.id, ChargeEvent::Captured, None).await,
                Ok(Voided::AlreadyCaptured) => Err(TillError::GatewayDiffers),
                Err(_) => self.happened(charge.id, ChargeEvent::NoAnswer, None).await,
            };
        }
        let request = CaptureRequest {
            idempotency_key: format!("{}:capture", charge.id),
            payment: charge.payment_name(),
            amount: Money::new(taken, charge.card_part.currency),
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

    /// A charge that credit holds alone.
    async fn settle_credit(&self, charge: Charge) -> Result<Charge, TillError> {
        let event = match charge.goal {
            Goal::Capture => ChargeEvent::Captured,
            Goal::Void => let_go_event(&charge),
            Goal::Hold => return Ok(charge),
        };
        self.happened(charge.id, event, None).await
    }

    async fn void(&self, charge: Charge) -> Result<Charge, TillError> {
        if charge.gateway_payment.is_none() && self.gateway.prepares() {
            // The gateway has no payment that could move.
            return self.happened(charge.id, let_go_event(&charge), None).await;
        }
        match self.gateway.void(&charge.payment_name()).await {
            Ok(Voided::Done) => self.happened(charge.id, let_go_event(&charge), None).await,
            Ok(Voided::AlreadyCaptured) => {
                self.happened(charge.id, ChargeEvent::Captured, None).await
            }
            Err(error) => {
                tracing::warn!(%error, "no clear answer to a void");
                self.happened(charge.id, ChargeEvent::NoAnswer, None).await
            }
        }
    }

    /// What the gateway's word means for a charge.
    async fn follow(
        &self,
        charge: Charge,
        status: PaymentStatus,
        sender: Sender,
        now: Timestamp,
    ) -> Result<Charge, TillError> {
        let (id, taken) = (charge.id, charge.card_to_take());
        match (status, charge.goal) {
            (PaymentStatus::Captured { amount }, _)
                if taken > 0 && amount == Money::new(taken, charge.card_part.currency) =>
            {
                self.happened(id, ChargeEvent::Captured, None).await
            }
            (PaymentStatus::Captured { .. }, _) => Err(TillError::GatewayDiffers),
            (PaymentStatus::Voided, Goal::Capture) if taken == 0 => {
                self.happened(id, ChargeEvent::Captured, None).await
            }
            (PaymentStatus::Voided, _) => self.happened(id, let_go_event(&charge), None).await,
            (PaymentStatus::Declined { reason }, _) => {
                self.happened(id, ChargeEvent::Refused, Some(&reason)).await
            }
            (PaymentStatus::Authorised { network_transaction_id }, Goal::Capture | Goal::Hold) => {
                let charge = self.approved(id, network_transaction_id.as_deref()).await?;
                self.go_on(charge).await
            }
            (PaymentStatus::NotFound, Goal::Capture | Goal::Hold)
                if self.never_arrives(&charge, sender, now) =>
            {
                let charge = self.give_up(id, "never_arrived").await?;
                self.void(charge).await
            }
            (PaymentStatus::NotFound | PaymentStatus::Pending, Goal::Capture | Goal::Hold) => {
                self.happened(id, ChargeEvent::NoAnswer, None).await
            }
            (
                PaymentStatus::NotFound | PaymentStatus::Pending | PaymentStatus::Authorised { .. },
                Goal::Void,
            ) => self.void(charge).await,
        }
    }

    /// Whether a payment that the gateway does not know will not arrive any more.
    fn never_arrives(&self, charge: &Charge, sender: Sender, now: Timestamp) -> bool {
        let old = charge.answered_at.is_some_and(|at| now - at > ARRIVES_WITHIN);
        let unnamed = self.gateway.prepares() && charge.gateway_payment.is_none();
        old || (sender == Sender::IsGone && (unnamed || !self.gateway.prepares()))
    }

    async fn give_up(&self, id: ChargeId, reason: &'static str) -> Result<Charge, TillError> {
        self.store
            .row_locked("charge.give_up", |tx| {
                Box::pin(async move {
                    let charge = by_id_locked(tx, id).await?;
                    if charge.state.is_final() {
                        return Ok(charge);
                    }
                    set_goal(tx, charge, Goal::Void, reason).await
                })
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
            .row_locked("charge.approved", |tx| {
                Box::pin(async move {
                    let mut charge = by_id_locked(tx, id).await?;
                    if charge.state.after(ChargeEvent::Approved).is_err() {
                        return Ok(charge);
                    }
                    keep_network_id(tx, &mut charge, network_transaction_id).await?;
                    step(tx, charge, &[ChargeEvent::Approved], None, now).await
                })
            })
            .await
    }

    /// Makes an event durable. Where somebody else brought the charge further meanwhile, the event
    /// is old news: the charge comes back as it stands.
    pub(crate) async fn happened(
        &self,
        id: ChargeId,
        event: ChargeEvent,
        reason: Option<&str>,
    ) -> Result<Charge, TillError> {
        let now = self.now();
        self.store
            .row_locked("charge.settle", |tx| {
                Box::pin(async move { happened(tx, id, event, reason, now).await })
            })
            .await
    }

    /// Charges with a hand and without an end that nobody else looks after: the unknown ones, those
    /// whose sender is gone or silent for long, and holds whose time is over.
    async fn unfinished(&self, now: Timestamp) -> Result<Vec<ChargeId>, TillError> {
        let charges: Vec<(ChargeId,)> = self
            .store
            .read("charge.unfinished", |tx| {
                Box::pin(async move {
                    tx.fetch_all(UNFINISHED, params![now - IN_FLIGHT_MAX, now, ROUND_MAX]).await
                })
            })
            .await
            .map_err(TillError::Store)?;
        Ok(charges.into_iter().map(|(id,)| id).collect())
    }
}

/// A preparation that ended the charge's way, or left it to be found out.
enum Stopped {
    With(Box<Charge>),
}

/// A hold whose time is over expires; anything else is voided.
fn let_go_event(charge: &Charge) -> ChargeEvent {
    let held_too_long = charge.reason.as_deref() == Some(HOLD_OVER);
    let state = charge.state;
    if held_too_long && matches!(state, ChargeState::Authorised | ChargeState::Unknown) {
        ChargeEvent::TimeUp
    } else {
        ChargeEvent::LetGo
    }
}

async fn happened(
    tx: &mut Tx<'_>,
    id: ChargeId,
    event: ChargeEvent,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<Charge, TillError> {
    let charge = by_id_locked(tx, id).await?;
    match charge.state.after(event) {
        Ok(_) => step(tx, charge, &[event], reason, now).await,
        Err(_) => Ok(charge),
    }
}

/// Reads a charge for a look into it; one that is too old to be captured is to be let go from now.
async fn set_out(
    tx: &mut Tx<'_>,
    id: ChargeId,
    now: Timestamp,
) -> Result<(Charge, Sender), TillError> {
    let charge = by_id_locked(tx, id).await?;
    let alive: Option<(String,)> = tx
        .fetch_optional(
            "SELECT instance_id FROM till_instances WHERE instance_id = $1 AND lease_until > $2",
            params![charge.sender, now],
        )
        .await?;
    let sender = if alive.is_some() { Sender::MayBeAlive } else { Sender::IsGone };
    if charge.state.is_final() || charge.goal == Goal::Void {
        return Ok((charge, sender));
    }
    // What the register captured of a hold is wanted however long ago the hand was, and so is what
    // was handed over offline.
    let wanted = charge.capture_amount.is_some() || charge.accepted_offline;
    let over = match (charge.state, charge.hold_until) {
        (ChargeState::Authorised, Some(until)) if charge.held => {
            (now >= until && !wanted).then_some(HOLD_OVER)
        }
        _ => {
            let old = charge.answered_at.is_some_and(|at| now - at > CAPTURE_WITHIN);
            (old && !wanted).then_some("too_late")
        }
    };
    match over {
        Some(reason) => Ok((set_goal(tx, charge, Goal::Void, reason).await?, sender)),
        None => Ok((charge, sender)),
    }
}

/// Keeps the network's id with the charge, and with the payment method if it is its first.
async fn keep_network_id(
    tx: &mut Tx<'_>,
    charge: &mut Charge,
    network_transaction_id: Option<&str>,
) -> Result<(), TillError> {
    let Some(network_id) = network_transaction_id else { return Ok(()) };
    charge.network_transaction_id = Some(network_id.to_owned());
    if charge.stored_credential == Some(StoredCredential::CustomerPresentFirst) {
        tx.execute(
            "UPDATE till_payment_methods SET network_transaction_id = $1 \
             WHERE payment_method_id = $2 AND network_transaction_id IS NULL",
            params![network_id, charge.payment_method],
        )
        .await?;
    }
    Ok(())
}

/// What the gateway says it took or gave, in the words of the charge.
pub(crate) fn same_amount(told: Money, asked: Money) -> Result<(), TillError> {
    if told == asked { Ok(()) } else { Err(TillError::GatewayDiffers) }
}
