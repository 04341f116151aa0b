//! The transparency log, for everybody; its receipts, for whom they are about.

pub(crate) mod approvals;
pub(crate) mod audit;
pub(super) mod guardians;
pub(super) mod log_files;
pub(super) mod receipts;
pub(crate) mod report;

use handfast_tlog::LogError;
use handfast_trust::TrustError;

use super::problem::Problem;

impl From<TrustError> for Problem {
    fn from(error: TrustError) -> Self {
        match error {
            TrustError::NoSuchReceipt { .. } => {
                Self::not_found("There is no such receipt of yours; see the list of your receipts.")
            }
            TrustError::Log(LogError::NotYet { .. }) => Self::conflict(
                "This receipt is promised and not proven yet; ask again in some seconds.",
            ),
            error
            @ (TrustError::Log(_) | TrustError::NotCosigned { .. } | TrustError::Stopping) => {
                Self::from_failure(&error);
                Self::unavailable(
                    "The transparency log does not answer. What waits for its leaf is not done; look again before you repeat it.",
                )
            }
            error => Self::from_failure(&error),
        }
    }
}
