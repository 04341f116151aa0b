//! Who comes when, with what. The same seed is the same crowd.

use handfast_model::{Random, SeededRandom};

/// Doors open so many minutes before the start.
pub(super) const DOORS_MINUTES: f64 = 90.0;
/// Most arrive around so many minutes after the doors.
const PEAK_MINUTE: f64 = 55.0;
/// A dead phone, a bag that is looked for: so much longer.
const TROUBLE_SECONDS: f64 = 20.0;

/// What is played.
pub(super) struct Plan {
    pub people: usize,
    pub palm_lanes: usize,
    pub agent_lanes: usize,
    pub walk: f64,
    pub palm_capture: f64,
    pub code_capture: f64,
}

/// Somebody who steps up to a lane.
#[derive(Clone, Debug)]
pub(super) struct Person {
    /// Seconds after the doors.
    pub arrives: f64,
    /// Which ticket they show; a stranger's code is nobody's.
    pub ticket: Option<usize>,
    /// Whether a palm of theirs is linked.
    pub palm: bool,
    /// Longer than others, in seconds.
    pub trouble: f64,
}

/// The evening's people, in the order they arrive.
pub(super) struct Crowd(pub Vec<Person>);

impl Crowd {
    /// Families arrive together; half of the people linked a palm; two in a hundred have a dead phone,
    /// one in a hundred tickets was copied to somebody else, and one in two hundred people is a
    /// stranger.
    pub fn gather(plan: &Plan, seed: u64) -> Self {
        let random = SeededRandom::new(seed);
        let mut people = Vec::with_capacity(plan.people + plan.people / 50);
        let mut ticket = 0;
        while ticket < plan.people {
            let family = [1, 1, 2, 2, 2, 3, 4, 4, 5][below(&random, 9)].min(plan.people - ticket);
            let arrives = arrival(&random);
            let palm = below(&random, 2) == 0;
            for _ in 0..family {
                let trouble = if below(&random, 50) == 0 { TROUBLE_SECONDS } else { 0.0 };
                people.push(Person { arrives, ticket: Some(ticket), palm, trouble });
                if below(&random, 100) == 0 {
                    let arrives = arrival(&random);
                    people.push(Person {
                        arrives,
                        ticket: Some(ticket),
                        palm: false,
                        trouble: 0.0,
                    });
                }
                if below(&random, 200) == 0 {
                    people.push(Person { arrives, ticket: None, palm: false, trouble: 0.0 });
                }
                ticket += 1;
            }
        }
        people.sort_by(|a, b| a.arrives.total_cmp(&b.arrives));
        Self(people)
    }
}

/// Seconds after the doors: two dice around the peak, none before the doors or after the start.
fn arrival(random: &SeededRandom) -> f64 {
    let dice = below(random, 4_000) as f64 + below(random, 4_000) as f64;
    let minute = PEAK_MINUTE + (dice / 4_000.0 - 1.0) * 40.0;
    minute.clamp(0.0, DOORS_MINUTES) * 60.0
}

pub(super) fn below(random: &SeededRandom, bound: u64) -> usize {
    let mut bytes = [0; 8];
    random.fill(&mut bytes);
    usize::try_from(u64::from_le_bytes(bytes) % bound).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan {
        people: 2_000,
        palm_lanes: 1,
        agent_lanes: 2,
        walk: 2.0,
        palm_capture: 1.0,
        code_capture: 1.0,
    };

    #[test]
    fn every_ticket_comes_and_some_come_twice() {
        let crowd = Crowd::gather(&PLAN, 7).0;
        let mut shown = vec![0; PLAN.people];
        crowd.iter().filter_map(|person| person.ticket).for_each(|ticket| shown[ticket] += 1);
        assert!(shown.iter().all(|count| (1..=2).contains(count)));
        assert!(shown.contains(&2) && crowd.iter().any(|person| person.ticket.is_none()));
        assert!(crowd.windows(2).all(|pair| pair[0].arrives <= pair[1].arrives));
        assert!(crowd.last().unwrap().arrives <= DOORS_MINUTES * 60.0);
    }

    #[test]
    fn the_same_seed_is_the_same_crowd() {
        let times =
            |seed| Crowd::gather(&PLAN, seed).0.iter().map(|p| p.arrives).collect::<Vec<_>>();
        assert_eq!(times(3), times(3));
        assert_ne!(times(3), times(4));
    }
}
