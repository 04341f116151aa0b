//! The transparency log, for everybody; its receipts, for whom they are about.

pub(super) mod approvals;
pub(super) mod audit;
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
            TrustError::Log(error) => {
                Self::from_failure(&error);
                Self::unavailable(
                    "The transparency log does not answer, so nothing that must be logged is done. Try again later.",
                )
            }
            error => Self::from_failure(&error),
        }
    }
}
