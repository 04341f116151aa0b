//! What happened month by month, counted from public leaves alone: anybody who has the log comes to
//! the same numbers.

use std::collections::BTreeMap;
use std::fmt;

use handfast_model::Timestamp;
use time::OffsetDateTime;

use crate::leaf::Leaf;
use crate::statement::Statement;
use crate::vocabulary::{Biometrics, DeletionCause, DemandOutcome, Step};

const MICROS_PER_SECOND: i64 = 1_000_000;

/// A month of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    /// The year.
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
}

impl Month {
    /// The last month of the calendar: leaves of a broken clock are counted there.
    const LAST: Self = Self { year: 9_999, month: 12 };

    /// The month of a moment.
    #[must_use]
    pub fn of(at: Timestamp) -> Self {
        let seconds = at.as_micros().div_euclid(MICROS_PER_SECOND);
        OffsetDateTime::from_unix_timestamp(seconds)
            .map_or(Self::LAST, |time| Self { year: time.year(), month: time.month().into() })
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// What one month's leaves say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MonthCounts {
    /// Palms enrolled.
    pub enrolled: u64,
    /// Galleries searched.
    pub searches: u64,
    /// Palms deleted, by cause.
    pub deleted: BTreeMap<DeletionCause, u64>,
    /// Authorities' demands, by what became of them.
    pub demands: BTreeMap<DemandOutcome, u64>,
    /// People whom answered demands were about.
    pub people_handed_over: u64,
    /// How often staff read personal data.
    pub staff_reads: u64,
    /// Events at which palms were forbidden.
    pub forbidden_events: u64,
    /// Rules that changed.
    pub rules_changed: u64,
    /// What touched many people and two of the staff decided.
    pub wide_acts: u64,
}

/// Months, each with its counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransparencyReport(BTreeMap<Month, MonthCounts>);

impl TransparencyReport {
    /// Counts one more leaf.
    pub fn add(&mut self, leaf: &Leaf) {
        let counts = self.0.entry(Month::of(leaf.at())).or_default();
        match leaf.statement() {
            Statement::Enrol { palms, .. } => counts.enrolled += u64::from(*palms),
            Statement::Identify { .. } => counts.searches += 1,
            Statement::Delete { cause, palms } => {
                *counts.deleted.entry(*cause).or_default() += u64::from(*palms);
            }
            Statement::LegalDemand { outcome, people, .. } => {
                *counts.demands.entry(*outcome).or_default() += 1;
                if *outcome == DemandOutcome::Answered {
                    counts.people_handed_over += u64::from(*people);
                }
            }
            Statement::StaffAccess { .. } => counts.staff_reads += 1,
            Statement::BiometricsSwitched { to: Biometrics::Forbidden, .. } => {
                counts.forbidden_events += 1;
            }
            Statement::PolicyChange { .. } => counts.rules_changed += 1,
            Statement::FourEyes { step: Step::Approved, .. } => counts.wide_acts += 1,
            Statement::FourEyes { .. }
            | Statement::BiometricsSwitched { .. }
            | Statement::Arm { .. }
            | Statement::Disarm { .. }
            | Statement::Refresh { .. }
            | Statement::SoftwareVersion { .. } => {}
        }
    }

    /// The months that have leaves, the oldest first.
    pub fn months(&self) -> impl Iterator<Item = (Month, &MonthCounts)> {
        self.0.iter().map(|(month, counts)| (*month, counts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leaf::tests::one_of_each;

    fn month(micros: i64) -> String {
        Month::of(Timestamp::from_micros(micros)).to_string()
    }

    #[test]
    fn moments_fall_into_their_months() {
        let second = 1_000_000;
        assert_eq!(month(0), "1970-01");
        assert_eq!(month(-1), "1969-12");
        assert_eq!(month(951_782_399 * second), "2000-02", "the last second of 28 February");
        assert_eq!(month(951_868_800 * second), "2000-03", "after the leap day");
        assert_eq!(month(1_790_000_000 * second), "2026-09");
        assert_eq!(month(1_798_761_599 * second), "2026-12");
        assert_eq!(month(1_798_761_600 * second), "2027-01");
        assert_eq!(month(i64::MAX), "9999-12", "beyond the calendar");
    }

    #[test]
    fn each_kind_is_counted_once_in_its_month() {
        let mut report = TransparencyReport::default();
        one_of_each().iter().for_each(|leaf| report.add(leaf));
        let months: Vec<_> = report.months().collect();
        assert_eq!(months.len(), 1);
        let expected = MonthCounts {
            enrolled: 2,
            searches: 1,
            deleted: BTreeMap::from([(DeletionCause::Person, 2)]),
            demands: BTreeMap::from([(DemandOutcome::Refused, 1)]),
            people_handed_over: 0,
            staff_reads: 1,
            forbidden_events: 1,
            rules_changed: 1,
            wide_acts: 1,
        };
        assert_eq!(months[0].1, &expected);
    }
}
