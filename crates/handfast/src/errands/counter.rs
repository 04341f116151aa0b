//! At the counter: a palm pays exactly the charge that was on the screen.

use handfast_model::GalleryId;
use handfast_pedestal::{Answer, OpenCharge, Reason, ReceiptUrl};
use handfast_till::{Charge, ChargeStatus, Hover, PayOutcome, TurnedAway};
use handfast_vault::dealer::Presentation;

use super::recognition::Search;
use super::{Desk, Refused, fault};
use crate::http::till::receipts::page_of;

impl Desk {
    /// Searches the shop's gallery, then lets the till charge whoever was found.
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
        let galleries = [GalleryId::from(open.shop)];
        let token = self.recognise(Search::Payment(open.shop), &galleries, presentation).await?;
        let hover = Hover { pedestal: self.device.id, charge: open.id, token };
        let outcome = self.hub.till.pay(&hover).await.map_err(|error| fault(&error))?;
        answer_to(outcome)
    }
}

fn answer_to(outcome: PayOutcome) -> Result<Answer, Refused> {
    match outcome {
        PayOutcome::Paid(charge) => Ok(paid(&charge)),
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
    }
}

fn reason_for(turned: TurnedAway) -> Reason {
    match turned {
        TurnedAway::NoWallet | TurnedAway::PalmPayOff | TurnedAway::NoPaymentMethod => {
            Reason::NoWallet
        }
        TurnedAway::WalletFrozen => Reason::PaymentDeclined,
        TurnedAway::Expired => Reason::ChargeExpired,
        TurnedAway::Cancelled => Reason::ChargeCancelled,
        TurnedAway::Over(status) => match status {
            ChargeStatus::Expired => Reason::ChargeExpired,
            ChargeStatus::Declined => Reason::PaymentDeclined,
            ChargeStatus::Unknown => Reason::PaymentUnknown,
            _ => Reason::ChargeCancelled,
        },
    }
}
