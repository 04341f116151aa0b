//! A charge's next state made durable: with its history, its transfers, and whoever is told of it.

use handfast_model::{ChargeId, Timestamp};
use handfast_store::{Tx, params};

use crate::charge::{Charge, Goal};
use crate::error::TillError;
use crate::ledger::{self, TransferState};
use crate::notification;
use crate::state::{ChargeEvent, ChargeState};

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
    if changed == 0 {
        // Whoever read the charge without its lock was overtaken.
        tx.run_again();
    }
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
