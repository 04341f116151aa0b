//! Money: registers, receipts, wallets, and the test gateway's hosted page.

use handfast_till::TillError;

use super::problem::{Problem, sentence};

pub(super) mod charges;
pub(crate) mod receipts;
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
            | TillError::Text(_) => Self::malformed(detail),
            TillError::NonceReused
            | TillError::RegisterBusy { .. }
            | TillError::PairedAlready
            | TillError::RegisterTaken
            | TillError::TooLateToCancel { .. }
            | TillError::NotRefundable { .. }
            | TillError::RefundedAlready
            | TillError::SetupNotFinished
            | TillError::TokenTaken
            | TillError::WrongState(_) => Self::conflict(detail),
            TillError::Gateway(_) => Self::unavailable(detail),
            _ => Self::from_failure(&error),
        }
    }
}
