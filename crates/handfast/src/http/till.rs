//! Money: registers, receipts, wallets, and the test gateway's hosted page.

use handfast_till::{TillError, TurnedAway};

use super::problem::{Problem, sentence};

pub(super) mod alarms;
pub(super) mod charges;
pub(crate) mod day;
pub(super) mod deliveries;
pub(super) mod gateway;
pub(super) mod offline;
pub(super) mod phone;
pub(crate) mod receipts;
pub(super) mod shops;
pub(super) mod test_gateway;
pub(super) mod wallet;

impl From<TillError> for Problem {
    fn from(error: TillError) -> Self {
        let detail = sentence(&error);
        match &error {
            TillError::NotFound(_) => Self::not_found(detail),
            TillError::AmountNotPositive
            | TillError::AmountTooLarge { .. }
            | TillError::WrongCurrency { .. }
            | TillError::Money(_)
            | TillError::CashCoversAll
            | TillError::LinesDiffer { .. }
            | TillError::LineOutOfRange { .. }
            | TillError::TooManyLines { .. }
            | TillError::PinUnfit
            | TillError::LimitOutOfRange { .. }
            | TillError::WebhookAddress
            | TillError::Notice(_)
            | TillError::Text(_) => Self::malformed(detail),
            TillError::NonceReused
            | TillError::RegisterBusy { .. }
            | TillError::PairedAlready
            | TillError::RegisterTaken
            | TillError::TooLateToCancel { .. }
            | TillError::NotRefundable { .. }
            | TillError::OverRefund { .. }
            | TillError::NotHeld { .. }
            | TillError::OverCapture { .. }
            | TillError::TipRefused(_)
            | TillError::LoyaltyTaken
            | TillError::WalletFrozen
            | TillError::PinWrong { .. }
            | TillError::RefundedAlready
            | TillError::SetupNotFinished
            | TillError::TokenTaken
            | TillError::WrongState(_) => Self::conflict(detail),
            TillError::Gateway(_) => Self::unavailable(detail),
            _ => Self::from_failure(&error),
        }
    }
}

/// Why a wallet cannot pay, in the pedestal's words, which the pages have in every language.
pub(crate) fn reason_of(why: TurnedAway) -> &'static str {
    match why {
        TurnedAway::NoWallet | TurnedAway::PalmPayOff | TurnedAway::NoPaymentMethod => "no_wallet",
        TurnedAway::WalletFrozen => "wallet_frozen",
        TurnedAway::AgeNotKnown => "age_not_known",
        TurnedAway::Expired => "charge_expired",
        TurnedAway::Cancelled | TurnedAway::SteppedBack | TurnedAway::Over(_) => "charge_cancelled",
    }
}
