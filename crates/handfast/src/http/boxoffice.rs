//! Tickets, palm links, admission, the console.

use handfast_boxoffice::{BoxOfficeError, LinkRefusal};

use super::problem::{Problem, sentence, sentence_of};

pub(super) mod admissions;
pub(super) mod console;
pub(super) mod device;
pub(super) mod devices;
pub(super) mod figures;
pub(super) mod lane;
pub(super) mod link_decisions;
pub(super) mod links;
pub(super) mod orders;
pub(crate) mod own_lane;
pub(crate) mod setup;
pub(super) mod supervision;
pub(super) mod tickets;
pub(super) mod transfers;
pub(super) mod uses;
pub(super) mod window;

impl From<BoxOfficeError> for Problem {
    fn from(error: BoxOfficeError) -> Self {
        let detail = match &error {
            BoxOfficeError::Link(refusal) => sentence_of(refusal.sentence()),
            error => sentence(error),
        };
        match &error {
            BoxOfficeError::Unknown(_) => Self::not_found(detail),
            BoxOfficeError::Link(LinkRefusal::UnknownCode) => Self::not_found(detail),
            BoxOfficeError::MailKey | BoxOfficeError::Provisioning => Self::expired(detail),
            BoxOfficeError::ApiKey => Self::unauthenticated(detail),
            BoxOfficeError::Text { .. }
            | BoxOfficeError::Email
            | BoxOfficeError::EventTimes
            | BoxOfficeError::OrderSize { .. }
            | BoxOfficeError::Nonce { .. }
            | BoxOfficeError::People
            | BoxOfficeError::AntiPassback { .. }
            | BoxOfficeError::Answer { .. }
            | BoxOfficeError::Terms { .. }
            | BoxOfficeError::Csv { .. }
            | BoxOfficeError::Print
            | BoxOfficeError::SearchText { .. }
            | BoxOfficeError::Code(_)
            | BoxOfficeError::Price { .. }
            | BoxOfficeError::OrderTooDear { .. }
            | BoxOfficeError::Age { .. }
            | BoxOfficeError::Palms => Self::malformed(detail),
            BoxOfficeError::EmailTaken
            | BoxOfficeError::Mismatch
            | BoxOfficeError::NonceReused
            | BoxOfficeError::TooLate
            | BoxOfficeError::SecondPerson
            | BoxOfficeError::CopyVersion
            | BoxOfficeError::Link(_)
            | BoxOfficeError::PalmLinked
            | BoxOfficeError::LinkEnded
            | BoxOfficeError::SoldOut { .. }
            | BoxOfficeError::SaleOver
            | BoxOfficeError::HoldOver
            | BoxOfficeError::PaidAlready
            | BoxOfficeError::PaymentUnderWay
            | BoxOfficeError::Holds { .. }
            | BoxOfficeError::TicketUsed
            | BoxOfficeError::TicketLinked
            | BoxOfficeError::NotTransferable
            | BoxOfficeError::SalesCurrency { .. }
            | BoxOfficeError::NoSalesDesk
            | BoxOfficeError::NotPaid
            | BoxOfficeError::Offers { .. }
            | BoxOfficeError::NotRotating
            | BoxOfficeError::Approval(_)
            | BoxOfficeError::Scope => Self::conflict(detail),
            BoxOfficeError::Stopped => Self::unavailable(detail),
            BoxOfficeError::Store(_) => Self::from_failure(&error),
        }
    }
}
