//! What a register does to a charge after the hand: capturing a hold in whole or in part, and a
//! late tip.

use handfast_model::{ChargeId, DeviceId, Duration, Money, Timestamp};
use handfast_store::{Tx, params};

use crate::Till;
use crate::charge::{
    CHARGE_MINOR_MAX, Charge, ChargeStatus, Factor, Goal, by_id, by_nonce, charge_at_shop_locked,
};
use crate::charge_step::step;
use crate::error::TillError;
use crate::gateway::StoredCredential;
use crate::hover::{Decision, PayOutcome, PlanIds, authorise_request};
use crate::ledger::{self, NewTransfer, Purpose};
use crate::shop::{next_number, shop};
use crate::state::{ChargeEvent, ChargeState};
use crate::text::{Nonce, PayKey, ReceiptKey};
use crate::wallet::paying_method;

/// How long after a payment a tip can still be added: the paper slip is typed in after closing.
pub const LATE_TIP_WITHIN: Duration = Duration::from_hours(24);
/// The most of a late tip, in percent of the charge: the person is not there to see it.
pub const LATE_TIP_PERCENT_MAX: i64 = 50;

/// A tip that is added after the person left.
#[derive(Clone, Debug)]
pub struct LateTip {
    /// The register; any of the charge's shop.
    pub register: DeviceId,
    /// The charge it belongs to.
    pub charge: ChargeId,
    /// How much, in minor units of the charge's currency.
    pub minor: i64,
    /// Makes a repeat the same request.
    pub nonce: Nonce,
}

impl Till {
    /// Captures a hold, in whole or (`minor`) in part; the rest is let go. A repeat of the same is
    /// harmless.
    ///
    /// # Errors
    /// [`TillError::NotHeld`], [`TillError::OverCapture`], [`TillError::AmountNotPositive`],
    /// [`TillError::NotFound`].
    pub async fn capture_charge(
        &self,
        device: DeviceId,
        id: ChargeId,
        minor: Option<i64>,
    ) -> Result<Charge, TillError> {
        let now = self.now();
        let charge = self
            .store
            .transaction("charge.capture", |tx| Box::pin(begin_capture(tx, device, id, minor, now)))
            .await?;
        if charge.state == ChargeState::Authorised && charge.goal == Goal::Capture {
            return Box::pin(self.capture(charge)).await;
        }
        Ok(charge)
    }

    /// Adds a tip to a paid charge after the person left: a charge of its own, sent as
    /// merchant-initiated, at most once a charge and at most half of it.
    ///
    /// # Errors
    /// [`TillError::TipRefused`], [`TillError::NonceReused`], [`TillError::NotFound`].
    pub async fn add_late_tip(&self, tip: &LateTip) -> Result<PayOutcome, TillError> {
        let ids = TipIds {
            charge: ChargeId::new(&*self.clock, &*self.random),
            receipt: ReceiptKey::new(&*self.random),
            pay: PayKey::new(&*self.random),
            plan: PlanIds::new(self),
        };
        let (ids, instance, now) = (&ids, &*self.instance, self.now());
        let decision = self
            .store
            .transaction("charge.tip", |tx| Box::pin(begin_tip(tx, tip, ids, instance, now)))
            .await?;
        self.carry_out(decision).await
    }
}

/// Ids made before the transaction, so that a repeat of it uses the same.
struct TipIds {
    charge: ChargeId,
    receipt: ReceiptKey,
    pay: PayKey,
    plan: PlanIds,
}

async fn begin_capture(
    tx: &mut Tx<'_>,
    device: DeviceId,
    id: ChargeId,
    minor: Option<i64>,
    now: Timestamp,
) -> Result<Charge, TillError> {
    let mut charge = charge_at_shop_locked(tx, device, id).await?;
    let wanted = minor.unwrap_or(charge.amount.minor);
    if wanted <= 0 {
        return Err(TillError::AmountNotPositive);
    }
    if charge.capture_amount == Some(wanted) {
        return Ok(charge);
    }
    let waits = charge.state == ChargeState::Authorised
        && charge.goal == Goal::Hold
        && charge.capture_amount.is_none()
        && charge.hold_until.is_none_or(|until| now < until);
    if !waits {
        return Err(TillError::NotHeld { state: charge.state });
    }
    if wanted > charge.amount.minor {
        return Err(TillError::OverCapture { held_minor: charge.amount.minor });
    }
    tx.execute(
        "UPDATE till_charges SET goal = $1, capture_amount = $2 WHERE charge_id = $3",
        params![Goal::Capture, wanted, charge.id],
    )
    .await?;
    (charge.goal, charge.capture_amount) = (Goal::Capture, Some(wanted));
    Ok(charge)
}

async fn begin_tip(
    tx: &mut Tx<'_>,
    tip: &LateTip,
    ids: &TipIds,
    instance: &str,
    now: Timestamp,
) -> Result<Decision, TillError> {
    let charge = charge_at_shop_locked(tx, tip.register, tip.charge).await?;
    if let Some(earlier) = by_nonce(tx, tip.register, &tip.nonce).await? {
        let same = earlier.tip_of == Some(charge.id) && earlier.asked.minor == tip.minor;
        let outcome = crate::hover::outcome_of(earlier, now);
        return if same {
            Ok(Decision::Answered(Box::new(outcome)))
        } else {
            Err(TillError::NonceReused)
        };
    }
    check_tip(tx, tip, &charge, now).await?;
    let Some(wallet) = charge.wallet else { return Err(TillError::TipRefused("nobody paid it")) };
    let method = paying_method(tx, wallet).await?;
    let no_method = TillError::TipRefused("the person has no payment method any more");
    let mut method = method.ok_or(no_method)?;
    // The charge itself is the transaction that this one follows.
    method.network_transaction_id =
        charge.network_transaction_id.clone().or(method.network_transaction_id);
    reserve(tx, tip, &charge, ids, now).await?;
    insert_tip(tx, tip, &charge, &method.id, ids, instance, now).await?;
    let tip_charge = by_id(tx, ids.charge).await?;
    let tip_charge = step(tx, tip_charge, &[ChargeEvent::AskingGateway], None, now).await?;
    let request = authorise_request(&tip_charge, method);
    Ok(Decision::Ask(Box::new(request), Box::new(tip_charge)))
}

async fn check_tip(
    tx: &mut Tx<'_>,
    tip: &LateTip,
    charge: &Charge,
    now: Timestamp,
) -> Result<(), TillError> {
    if tip.minor <= 0 {
        return Err(TillError::AmountNotPositive);
    }
    if charge.status(now) != ChargeStatus::Captured || charge.tip_of.is_some() {
        return Err(TillError::TipRefused("it is not paid, or was given back"));
    }
    if charge.closed_at.is_none_or(|at| now - at > LATE_TIP_WITHIN) {
        return Err(TillError::TipRefused("it was paid more than 24 hours ago"));
    }
    let most = charge.amount.minor * LATE_TIP_PERCENT_MAX / 100;
    if tip.minor > most.min(CHARGE_MINOR_MAX) {
        return Err(TillError::TipRefused("it is more than half of the charge"));
    }
    let earlier: Option<(ChargeId,)> = tx
        .fetch_optional("SELECT charge_id FROM till_charges WHERE tip_of = $1", params![charge.id])
        .await?;
    match earlier {
        Some(_) => Err(TillError::TipRefused("it has a late tip already")),
        None => Ok(()),
    }
}

async fn insert_tip(
    tx: &mut Tx<'_>,
    tip: &LateTip,
    charge: &Charge,
    method: &handfast_model::PaymentMethodId,
    ids: &TipIds,
    instance: &str,
    now: Timestamp,
) -> Result<(), TillError> {
    let at = shop(tx, charge.shop).await?;
    let (day, number) = next_number(tx, &at, now).await?;
    tx.execute(
        "INSERT INTO till_charges (charge_id, shop_id, register_id, nonce, day, number, amount, \
         currency, description, state, goal, receipt_key, created_at, expires_at, answered_at, \
         wallet_id, payment_method_id, credit_part, card_part, card_transfer, stored_credential, \
         credit_refunding, card_refunding, refunded, asked, tip, pay_key, factor, sender, tip_of, \
         steps) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, $13, $14, \
         $15, 0, $7, $16, $17, 0, 0, 0, $7, $7, $18, $19, $20, $21, 1)",
        params![
            ids.charge,
            charge.shop,
            tip.register,
            tip.nonce.as_str(),
            day,
            number,
            tip.minor,
            charge.amount.currency,
            charge.description,
            ChargeState::Identified,
            Goal::Capture,
            ids.receipt,
            now,
            charge.wallet,
            method,
            ids.plan.card_transfer,
            StoredCredential::MerchantInitiated,
            ids.pay,
            Factor::None,
            instance,
            charge.id,
        ],
    )
    .await?;
    tx.execute(
        "INSERT INTO till_charge_steps (charge_id, step, state, at) VALUES ($1, 1, $2, $3)",
        params![ids.charge, ChargeState::Identified, now],
    )
    .await?;
    Ok(())
}

async fn reserve(
    tx: &mut Tx<'_>,
    tip: &LateTip,
    charge: &Charge,
    ids: &TipIds,
    now: Timestamp,
) -> Result<(), TillError> {
    let (currency, at) = (charge.amount.currency, (charge.shop, tip.register));
    let credit = ledger::shop_account(tx, ids.plan.shop_account, at, currency, now).await?;
    let fresh = ids.plan.gateway_account;
    let debit = ledger::gateway_account(tx, fresh, tip.register, currency, now).await?;
    let transfer = NewTransfer {
        id: ids.plan.card_transfer,
        debit,
        credit,
        amount: Money::new(tip.minor, currency),
        purpose: Purpose::ChargeCard,
        subject: ids.charge.to_string(),
    };
    ledger::reserve_new(tx, &transfer, now).await
}
