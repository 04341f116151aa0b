//! At the counter: a palm pays exactly the charge that was on the screen.

use handfast_model::{GalleryId, PairwiseToken};
use handfast_pedestal::{Answer, OpenCharge, Reason, ReceiptUrl};
use handfast_till::{Charge, ChargeStatus, Hover, PayOutcome, TurnedAway};
use handfast_vault::dealer::Presentation;
use handfast_vault::{Identification, PalmIdentification};

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
        let token = self.recognise(&[GalleryId::from(open.shop)], presentation).await?;
        let hover = Hover { pedestal: self.device.id, charge: open.id, token };
        let outcome = self.hub.till.pay(&hover).await.map_err(|error| fault(&error))?;
        answer_to(outcome)
    }

    /// The one person whom the presented palm names in galleries of one relying party.
    pub(super) async fn recognise(
        &self,
        galleries: &[GalleryId],
        presentation: Presentation,
    ) -> Result<PairwiseToken, Refused> {
        let found = self.hub.vault.identify_in(galleries, presentation).await.map_err(|error| {
            tracing::warn!(%error, "the vault could not search");
            Refused(Reason::VaultUnavailable)
        })?;
        only_one(&found)
    }
}

/// One person or nobody: two different answers name nobody. A relying party knows a palm by the
/// same token in all its galleries.
fn only_one(found: &[PalmIdentification]) -> Result<PairwiseToken, Refused> {
    let mut one = None;
    for palm in found {
        match palm.identification {
            Identification::NoMatch => {}
            Identification::Match(token) if one.is_none_or(|known| known == token) => {
                one = Some(token);
            }
            Identification::Match(_) | Identification::Ambiguous => {
                return Err(Refused(Reason::Ambiguous));
            }
        }
    }
    one.ok_or(Refused(Reason::NotRecognised))
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

#[cfg(test)]
mod tests {
    use handfast_palm::Side;

    use super::*;

    fn found(identifications: &[Identification]) -> Result<PairwiseToken, Reason> {
        let palms = identifications
            .iter()
            .map(|&identification| PalmIdentification { side: Side::Left, identification });
        only_one(&palms.collect::<Vec<_>>()).map_err(|Refused(reason)| reason)
    }

    #[test]
    fn two_galleries_name_one_person_or_nobody() {
        let (ana, ben) = (PairwiseToken::from_bytes([1; 16]), PairwiseToken::from_bytes([2; 16]));
        let (ana_found, ben_found) = (Identification::Match(ana), Identification::Match(ben));
        assert_eq!(found(&[Identification::NoMatch, ana_found]), Ok(ana));
        assert_eq!(found(&[ana_found, ana_found]), Ok(ana));
        assert_eq!(found(&[ana_found, ben_found]), Err(Reason::Ambiguous));
        assert_eq!(found(&[ana_found, Identification::Ambiguous]), Err(Reason::Ambiguous));
        assert_eq!(found(&[Identification::NoMatch]), Err(Reason::NotRecognised));
        assert_eq!(found(&[]), Err(Reason::NotRecognised));
    }
}
