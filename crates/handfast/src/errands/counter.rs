//! At the counter: a palm pays exactly the charge that was on the screen.

use std::sync::atomic::Ordering;

use handfast_model::{ChargeId, GalleryId};
use handfast_pedestal::{Answer, EnteredPin, OpenCharge, Reason, ReceiptUrl};
use handfast_till::{
    Charge, ChargeState, ChargeStatus, Hover, PayOutcome, Pin, TillError, TurnedAway,
};
use handfast_vault::dealer::Presentation;

use super::recognition::Search;
use super::{Desk, Refused, fault};
use crate::http::till::receipts::page_of;

impl Desk {
    /// Searches the shop's gallery, then lets the till charge whoever was found. A search takes a
    /// moment: a switch that was turned or a device that was revoked meanwhile still counts.
    pub(super) async fn pay(
        &self,
        shown: &OpenCharge,
        presentation: Presentation,
    ) -> Result<Answer, Refused> {
        let open = self.hub.till.open_charge_for_pedestal(self.device.id).await;
        let open = open.map_err(|error| fault(&error))?.ok_or(Refused(Reason::ChargeExpired))?;
        let same = open.id == shown.charge_id && open.amount == shown.brief.amount;
        if !same {
            return Err(Refused(Reason::ChargeCancelled));
        }
        self.allow_biometrics().await?;
        let galleries = [GalleryId::from(open.shop)];
        let token = self.recognise(Search::Payment(open.shop), &galleries, presentation).await?;
        self.allow_biometrics().await?;
        if self.is_shut_out().await || self.gone.load(Ordering::Relaxed) {
            return Err(Refused(Reason::ChargeCancelled));
        }
        let hover =
            Hover { pedestal: self.device.id, charge: open.id, token, session: self.session };
        let outcome = self.hub.till.pay(&hover).await.map_err(|error| fault(&error))?;
        answer_to(outcome)
    }

    /// The PIN for a charge that a hand answered.
    pub(super) async fn enter_pin(
        &self,
        charge: ChargeId,
        pin: &EnteredPin,
    ) -> Result<Answer, Refused> {
        let pin = Pin::parse(pin.expose()).map_err(|error| fault(&error))?;
        let outcome = self.hub.till.enter_pin(self.device.id, charge, &pin).await;
        answer_to(outcome.map_err(|error| fault(&error))?)
    }

    /// What became of a charge that this pedestal showed.
    pub(super) async fn outcome(&self, charge: ChargeId) -> Result<Answer, Refused> {
        let outcome = self.hub.till.outcome_at(self.device.id, charge).await;
        match outcome.map_err(|error| fault(&error))? {
            PayOutcome::InProgress(_) => Ok(Answer::StillPaying),
            outcome => answer_to(outcome),
        }
    }

    /// The customer steps back; what was taken before the hub heard of it stays taken.
    pub(super) async fn step_back(&self, charge: ChargeId) -> Result<Answer, Refused> {
        match self.hub.till.step_back(self.device.id, self.session, charge).await {
            Ok(_) | Err(TillError::TooLateToCancel { .. }) => self.outcome(charge).await,
            Err(error) => Err(fault(&error)),
        }
    }
}

fn answer_to(outcome: PayOutcome) -> Result<Answer, Refused> {
    match outcome {
        PayOutcome::Paid(charge)
        | PayOutcome::Held(charge)
        | PayOutcome::AcceptedOffline(charge) => Ok(paid(&charge)),
        PayOutcome::SecondFactor(wanted) => Ok(Answer::FactorWanted {
            tries_left: wanted.tries_left.map(|left| u32::try_from(left).unwrap_or(0)),
            until: wanted.until,
        }),
        PayOutcome::Declined(_) => Err(Refused(Reason::PaymentDeclined)),
        PayOutcome::Unknown(_) | PayOutcome::InProgress(_) => Err(Refused(Reason::PaymentUnknown)),
        PayOutcome::TurnedAway(turned) => Err(Refused(reason_for(turned))),
    }
}

fn paid(charge: &Charge) -> Answer {
    Answer::Paid {
        number: charge.number.unsigned_abs(),
        amount: charge.amount,
        credit_used: charge.credit_used(),
        receipt_url: charge.receipt().map(|key| ReceiptUrl::new(page_of(key))),
        held: charge.state == ChargeState::Authorised,
        discount: (charge.discount.minor > 0).then_some(charge.discount),
    }
}

fn reason_for(turned: TurnedAway) -> Reason {
    match turned {
        TurnedAway::NoWallet | TurnedAway::PalmPayOff | TurnedAway::NoPaymentMethod => {
            Reason::NoWallet
        }
        TurnedAway::WalletFrozen => Reason::WalletFrozen,
        TurnedAway::AgeNotKnown => Reason::AgeNotKnown,
        TurnedAway::Expired => Reason::ChargeExpired,
        TurnedAway::Cancelled | TurnedAway::SteppedBack => Reason::ChargeCancelled,
        TurnedAway::Over(status) => match status {
            ChargeStatus::Expired => Reason::ChargeExpired,
            ChargeStatus::Declined => Reason::PaymentDeclined,
            ChargeStatus::Unknown => Reason::PaymentUnknown,
            _ => Reason::ChargeCancelled,
        },
    }
}
