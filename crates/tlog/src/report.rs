//! What happened month by month, counted from public leaves alone: anybody who has the log comes to
//! the same numbers.

use std::collections::BTreeMap;
use std::fmt;

use handfast_model::Timestamp;

use crate::leaf::{Biometrics, DeletionCause, DemandOutcome, Leaf, Statement};

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// A month of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    /// The year.
    pub year: i64,
    /// 1 to 12.
    pub month: u8,
}

impl Month {
    /// The month of a moment. Days to civil dates as in H. Hinnant's `civil_from_days`.
    #[must_use]
    pub const fn of(at: Timestamp) -> Self {
        let days = at.as_micros().div_euclid(MICROS_PER_DAY) + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
        Self { year, month: month as u8 }
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
            Statement::BiometricsSwitched { .. }
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
        };
        assert_eq!(months[0].1, &expected);
    }
}
