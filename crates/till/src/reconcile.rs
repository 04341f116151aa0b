//! The books against the gateway's report: every difference by name.

use std::collections::BTreeMap;

use handfast_model::{ChargeId, Currency, Money, ShopId, Timestamp};
use handfast_store::params;

use crate::Till;
use crate::charge::{Charge, select_charges};
use crate::error::TillError;
use crate::gateway::ReportLine;
use crate::state::ChargeState;

/// The columns of a report as a file, in this order; a first line that names them is left out.
const COLUMNS: [&str; 5] = ["reference", "currency", "captured", "refunded", "held"];
/// The most lines of a report: a busy month, and far less than memory.
const REPORT_LINES_MAX: usize = 1_000_000;

/// Why a report was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// A line is not what it should be.
    #[error(
        "line {line} of the report is no \"reference,currency,captured,refunded,held\" with amounts \
         in minor units; correct it and send the report again"
    )]
    Line {
        /// The line, from 1.
        line: usize,
    },
    /// There are too many.
    #[error("the report has more than {limit} lines; send it in parts")]
    TooLong {
        /// The most.
        limit: usize,
    },
}

/// Reads a gateway's report from a file: one payment a line, amounts in minor units.
///
/// # Errors
/// [`ReportError`], which names the line.
pub fn read_report(text: &str) -> Result<Vec<ReportLine>, ReportError> {
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let cells: Vec<&str> =
            line.split([',', ';']).map(|cell| cell.trim().trim_matches('"')).collect();
        let is_header = index == 0 && cells == COLUMNS;
        if is_header || line.trim().is_empty() {
            continue;
        }
        if lines.len() == REPORT_LINES_MAX {
            return Err(ReportError::TooLong { limit: REPORT_LINES_MAX });
        }
        lines.push(line_of(&cells).ok_or(ReportError::Line { line: index + 1 })?);
    }
    Ok(lines)
}

fn line_of(cells: &[&str]) -> Option<ReportLine> {
    let &[reference, currency, captured, refunded, held] = cells else { return None };
    let currency: Currency = currency.to_uppercase().parse().ok()?;
    let money = |text: &str| {
        let minor = text.parse::<i64>().ok().filter(|minor| *minor >= 0)?;
        Some(Money::new(minor, currency))
    };
    Some(ReportLine {
        reference: Some(reference).filter(|text| !text.is_empty())?.to_owned(),
        captured: money(captured)?,
        refunded: money(refunded)?,
        held: money(held)?,
    })
}

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
        self.reconcile_with(&report, None, from, until).await
    }

    /// As [`Till::reconcile`], with a report that came in another way, and, where `of` says so, for
    /// the charges of these shops alone.
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn reconcile_with(
        &self,
        report: &[ReportLine],
        of: Option<&[ShopId]>,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Reconciliation, TillError> {
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
        Ok(compare(&charges, &late.into_iter().collect(), report, of, (from, until)))
    }

    /// The gateway's own report, to compare with.
    ///
    /// # Errors
    /// [`TillError::Gateway`].
    pub async fn gateway_report(
        &self,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<ReportLine>, TillError> {
        Ok(self.gateway.payments_made(from, until).await?)
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
    of: Option<&[ShopId]>,
    (from, until): (Timestamp, Timestamp),
) -> Reconciliation {
    let mut theirs: BTreeMap<&str, &ReportLine> =
        report.iter().map(|line| (line.reference.as_str(), line)).collect();
    let mut mismatches = Vec::new();
    let (mut open, mut counted, mut payments) = (0, 0, 0);
    for charge in charges {
        let inside = charge.answered_at.is_some_and(|at| from <= at && at < until);
        let line = theirs.remove(charge.id.to_string().as_str());
        if of.is_some_and(|shops| !shops.contains(&charge.shop)) {
            continue;
        }
        counted += usize::from(inside);
        payments += usize::from(line.is_some());
        if !charge.state.is_final() {
            open += usize::from(inside);
            continue;
        }
        compare_one(charge, late.get(&charge.id).copied(), line, inside, &mut mismatches);
    }
    let theirs_count = theirs.len();
    let unknown = theirs
        .into_keys()
        .map(|reference| Mismatch::UnknownHere { reference: reference.to_owned() });
    payments += theirs_count;
    mismatches.extend(unknown);
    Reconciliation { charges: counted, payments, open, mismatches }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_with_or_without_its_first_line() {
        let plain = "chg_1,usd,1250,0,0\n\nchg_2,USD,0,0,300\r\n";
        let lines = read_report(plain).unwrap();
        assert_eq!(lines.len(), 2);
        assert_eq!((lines[0].captured.minor, lines[1].held.minor), (1_250, 300));
        let named = format!("reference,currency,captured,refunded,held\n{plain}");
        assert_eq!(read_report(&named).unwrap(), lines);
        assert_eq!(read_report("").unwrap(), []);
    }

    #[test]
    fn what_is_no_report_is_named_by_its_line() {
        for bad in [
            "chg_1,usd,12.50,0,0",
            "chg_1,usd,-1,0,0",
            "chg_1,xxx,1,0,0",
            ",usd,1,0,0",
            "chg_1,usd,1,0",
            "<html>",
            "chg_1,usd,99999999999999999999,0,0",
        ] {
            let text = format!("chg_0,usd,1,0,0\n{bad}\n");
            assert_eq!(read_report(&text), Err(ReportError::Line { line: 2 }), "{bad}");
        }
    }
}
