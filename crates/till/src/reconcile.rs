//! The books against the gateway's report: every difference by name.

use std::collections::BTreeMap;

use handfast_model::{ChargeId, Timestamp};
use handfast_store::params;

use crate::Till;
use crate::charge::{Charge, select_charges};
use crate::error::TillError;
use crate::gateway::ReportLine;
use crate::state::ChargeState;

/// What came of a reconciliation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconciliation {
    /// Charges of the time that went to the gateway.
    pub charges: usize,
    /// Payments that the gateway reports.
    pub payments: usize,
    /// Charges without an end yet: these cannot be compared.
    pub open: usize,
    /// Everything that is not the same on both sides.
    pub mismatches: Vec<Mismatch>,
}

/// One thing that is not the same on both sides. Amounts in minor units, ours first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// Paid here, unknown there.
    MissingAtGateway {
        /// The charge.
        charge: ChargeId,
    },
    /// Known there, not here.
    UnknownHere {
        /// The gateway's reference.
        reference: String,
    },
    /// Another amount was taken. A late capture shows as `ours: 0`.
    Captured {
        /// The charge.
        charge: ChargeId,
        /// What the books say.
        ours: i64,
        /// What the gateway says.
        theirs: i64,
    },
    /// Another amount was given back.
    Refunded {
        /// The charge.
        charge: ChargeId,
        /// What the books say.
        ours: i64,
        /// What the gateway says.
        theirs: i64,
    },
    /// The gateway still holds money for a charge that has ended.
    StillHeld {
        /// The charge.
        charge: ChargeId,
        /// How much.
        minor: i64,
    },
}

impl Mismatch {
    /// A short stable name, for reports.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::MissingAtGateway { .. } => "missing_at_gateway",
            Self::UnknownHere { .. } => "unknown_here",
            Self::Captured { .. } => "captured_differs",
            Self::Refunded { .. } => "refunded_differs",
            Self::StillHeld { .. } => "still_held",
        }
    }
}

impl Till {
    /// Compares the books with the gateway's report, for payments made from `from` until before
    /// `until`. Reads only; a late capture that it finds is sent back by the next notice, or by
    /// [`Till::return_late_capture_of`].
    ///
    /// # Errors
    /// [`TillError::Gateway`], [`TillError::Store`].
    pub async fn reconcile(
        &self,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Reconciliation, TillError> {
        let report = self.gateway.payments_made(from, until).await?;
        // A day wider: a payment near an edge has its charge's time on the other side of it.
        let edge = handfast_model::Duration::from_days(1);
        let (charges, late) = self
            .store
            .read("reconcile.charges", |tx| {
                Box::pin(async move {
                    let charges: Vec<Charge> = tx
                        .fetch_all(
                            select_charges!(
                                "WHERE c.answered_at >= $1 AND c.answered_at < $2 \
                                 AND c.payment_method_id IS NOT NULL ORDER BY c.charge_id"
                            ),
                            params![from - edge, until + edge],
                        )
                        .await?;
                    let late: Vec<(ChargeId, i64)> = tx
                        .fetch_all(
                            "SELECT charge_id, amount FROM till_late_captures \
                             WHERE state = 'returned'",
                            params![],
                        )
                        .await?;
                    Ok::<_, TillError>((charges, late))
                })
            })
            .await?;
        Ok(compare(&charges, &late.into_iter().collect(), &report, (from, until)))
    }

    /// Sends the money of a charge back that the gateway captured after it was let go; false where
    /// it did not.
    ///
    /// # Errors
    /// [`TillError::NotFound`], [`TillError::Gateway`], [`TillError::Store`].
    pub async fn return_late_capture_of(&self, id: ChargeId) -> Result<bool, TillError> {
        let read = self.store.read("reconcile.charge", |tx| {
            Box::pin(async move { crate::charge::by_id(tx, id).await })
        });
        let charge = read.await?;
        if charge.state == ChargeState::Captured || !charge.state.is_final() {
            return Ok(false);
        }
        self.check_for_late_capture(&charge).await
    }
}

fn compare(
    charges: &[Charge],
    late: &BTreeMap<ChargeId, i64>,
    report: &[ReportLine],
    (from, until): (Timestamp, Timestamp),
) -> Reconciliation {
    let mut theirs: BTreeMap<&str, &ReportLine> =
        report.iter().map(|line| (line.reference.as_str(), line)).collect();
    let mut mismatches = Vec::new();
    let (mut open, mut counted) = (0, 0);
    for charge in charges {
        let inside = charge.answered_at.is_some_and(|at| from <= at && at < until);
        counted += usize::from(inside);
        let line = theirs.remove(charge.id.to_string().as_str());
        if !charge.state.is_final() {
            open += usize::from(inside);
            continue;
        }
        compare_one(charge, late.get(&charge.id).copied(), line, inside, &mut mismatches);
    }
    let unknown = theirs
        .into_keys()
        .map(|reference| Mismatch::UnknownHere { reference: reference.to_owned() });
    mismatches.extend(unknown);
    Reconciliation { charges: counted, payments: report.len(), open, mismatches }
}

fn compare_one(
    charge: &Charge,
    late: Option<i64>,
    line: Option<&ReportLine>,
    inside: bool,
    mismatches: &mut Vec<Mismatch>,
) {
    let id = charge.id;
    let paid = charge.state == ChargeState::Captured && charge.card_part.minor > 0;
    let taken = if paid { charge.card_part.minor } else { late.unwrap_or(0) };
    let Some(line) = line else {
        if inside && paid {
            mismatches.push(Mismatch::MissingAtGateway { charge: id });
        }
        return;
    };
    if line.captured.minor != taken {
        let theirs = line.captured.minor;
        mismatches.push(Mismatch::Captured { charge: id, ours: taken, theirs });
    }
    // The card's share of what went back: credit goes back without the gateway.
    let back = match late {
        Some(minor) => minor,
        None => charge.card_refunding,
    };
    if line.refunded.minor != back {
        let theirs = line.refunded.minor;
        mismatches.push(Mismatch::Refunded { charge: id, ours: back, theirs });
    }
    if line.held.minor != 0 {
        mismatches.push(Mismatch::StillHeld { charge: id, minor: line.held.minor });
    }
}
