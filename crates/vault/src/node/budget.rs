//! How often a device, a gallery, a slot may be asked. Whoever chooses probes and sees outcomes
//! learns about templates a little with every search, so that searches are rationed at every node.

use std::collections::HashMap;

use handfast_model::{Duration, Timestamp};

use super::refusal::{Reason, Refusal};
use super::store::{Budget, BudgetUse};

/// The time that a budget is for.
const PERIOD: Duration = Duration::from_hours(1);
/// Uses are noted on disk before they happen, so many at once: one write in so many searches. A
/// restart takes those that did not happen for used.
const NOTED_AT_ONCE: u32 = 64;
/// Budgets in memory; full ones of the last hour count, others are forgotten first.
const BUDGETS_MAX: usize = 1 << 20;

#[derive(Clone, Copy, Debug)]
struct Use {
    since: Timestamp,
    used: u32,
    /// Uses that the disk knows of.
    noted: u32,
}

/// All budgets in use.
#[derive(Debug, Default)]
pub(crate) struct Budgets(HashMap<Budget, Use>);

impl Budgets {
    pub(crate) fn new(stored: Vec<BudgetUse>) -> Self {
        let uses = stored
            .into_iter()
            .map(|BudgetUse { budget, since, used }| (budget, Use { since, used, noted: used }));
        Self(uses.collect())
    }

    /// Whether one more use fits every one of these limits, and what is to be noted on disk before
    /// it happens. Nothing is counted yet.
    pub(crate) fn check(
        &mut self,
        limits: &[(Budget, u32)],
        now: Timestamp,
    ) -> Result<Vec<BudgetUse>, Refusal> {
        if self.0.len() + limits.len() > BUDGETS_MAX {
            self.0.retain(|_, used| now < used.since + PERIOD);
        }
        let mut notes = Vec::new();
        for &(budget, limit) in limits {
            let Use { since, used, noted } = self.current(budget, now);
            if used >= limit {
                let reason = match budget {
                    Budget::Device(..) => Reason::DeviceBudget,
                    Budget::Gallery(_) => Reason::GalleryBudget,
                    Budget::Slot(..) => Reason::SlotBudget,
                };
                return Err(reason.with((since + PERIOD).as_micros().unsigned_abs()));
            }
            if used >= noted {
                let more = NOTED_AT_ONCE.min(limit / 8).max(1);
                let used = used.saturating_add(more).min(limit);
                notes.push(BudgetUse { budget, since, used });
            }
        }
        Ok(notes)
    }

    /// Counts a use that was checked, once its notes are on disk.
    pub(crate) fn count(&mut self, limits: &[(Budget, u32)], notes: &[BudgetUse], now: Timestamp) {
        for &(budget, _) in limits {
            let mut current = self.current(budget, now);
            current.used += 1;
            if let Some(note) = notes.iter().find(|note| note.budget == budget) {
                current.noted = note.used;
            }
            self.0.insert(budget, current);
        }
    }

    /// The use in the period of now. A clock that was set back does not begin a new one.
    fn current(&self, budget: Budget, now: Timestamp) -> Use {
        match self.0.get(&budget) {
            Some(current) if now < current.since + PERIOD => *current,
            _ => Use { since: now, used: 0, noted: 0 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::{DeviceName, GalleryName};

    #[test]
    fn a_budget_ends_and_comes_back_and_survives_a_restart() {
        let start = Timestamp::from_micros(1_000_000);
        let budget = Budget::Device(GalleryName([1; 16]), DeviceName([2; 16]));
        let limits = [(budget, 100), (Budget::Gallery(GalleryName([1; 16])), 1_000)];
        let mut budgets = Budgets::default();
        let mut disk = HashMap::new();
        for _ in 0..100 {
            let notes = budgets.check(&limits, start).unwrap();
            disk.extend(notes.iter().map(|note| (note.budget, *note)));
            assert!(disk.contains_key(&budget), "noted before it happens");
            budgets.count(&limits, &notes, start);
        }
        let refused = budgets.check(&limits, start).unwrap_err();
        assert_eq!(refused.reason, Reason::DeviceBudget);
        assert_eq!(refused.detail, (start + PERIOD).as_micros().unsigned_abs());
        let mut restarted = Budgets::new(disk.into_values().collect());
        assert_eq!(restarted.check(&limits, start).unwrap_err().reason, Reason::DeviceBudget);
        assert!(restarted.check(&limits, start + PERIOD).is_ok());
        assert!(restarted.check(&limits, start - PERIOD).is_err(), "set back is no new hour");
    }
}
