//! Challenges: what makes a capture fresh by the node's own clock, and a search the only one of its name.

use std::collections::{HashMap, VecDeque};

use handfast_model::{Duration, Random, Timestamp};

use super::names::Hash;

/// From a capture's beginning to its search.
const LIFE: Duration = Duration::from_secs(60);
/// Challenges given out at once: a thousand devices that fetch ahead; then the oldest are dropped.
const MAX: usize = 1 << 14;

/// What a challenge was used for, hashed: all that a search seeks, or an operation's name.
type Use = Hash;

#[derive(Debug, Default)]
pub(crate) struct Challenges {
    open: HashMap<[u8; 16], Open>,
    order: VecDeque<[u8; 16]>,
}

/// A challenge that was given out and not spent.
#[derive(Debug)]
struct Open {
    since: Timestamp,
    used: Option<Use>,
    /// Whether what it was taken for was taken from its budgets.
    paid: bool,
}

impl Challenges {
    pub(crate) fn draw(&mut self, random: &dyn Random, now: Timestamp) -> [u8; 16] {
        while self.order.len() >= MAX {
            self.drop_oldest();
        }
        let mut challenge = [0; 16];
        random.fill(&mut challenge);
        self.open.insert(challenge, Open { since: now, used: None, paid: false });
        self.order.push_back(challenge);
        challenge
    }

    /// Takes a challenge for one use; the very same use may take it again, while it lives and until it
    /// is spent.
    pub(crate) fn take(&mut self, challenge: &[u8; 16], by: Use, now: Timestamp) -> bool {
        match self.open.get_mut(challenge) {
            Some(open) if lives(open.since, now) => *open.used.get_or_insert(by) == by,
            _ => false,
        }
    }

    /// Whether what it was taken for was taken from its budgets.
    pub(crate) fn is_paid(&self, challenge: &[u8; 16]) -> bool {
        self.open.get(challenge).is_some_and(|open| open.paid)
    }

    /// What it was taken for was taken from its budgets, for all attempts.
    pub(crate) fn pay(&mut self, challenge: &[u8; 16]) {
        if let Some(open) = self.open.get_mut(challenge) {
            open.paid = true;
        }
    }

    /// What it was taken for is done: nothing takes it again.
    pub(crate) fn spend(&mut self, challenge: &[u8; 16]) {
        self.open.remove(challenge);
    }

    pub(crate) fn forget_old(&mut self, now: Timestamp) {
        let is_old = |challenges: &Self| {
            let oldest = challenges.order.front()?;
            Some(challenges.open.get(oldest).is_none_or(|open| !lives(open.since, now)))
        };
        while is_old(self) == Some(true) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(oldest) = self.order.pop_front() {
            self.open.remove(&oldest);
        }
    }
}

/// A clock that was set back ends challenges, as one that goes on does.
fn lives(since: Timestamp, now: Timestamp) -> bool {
    since <= now && now < since + LIFE
}

#[cfg(test)]
mod tests {
    use handfast_model::SeededRandom;

    use super::*;

    #[test]
    fn a_challenge_serves_one_use_for_a_minute() {
        let (random, now) = (SeededRandom::new(1), Timestamp::from_micros(5));
        let mut challenges = Challenges::default();
        let challenge = challenges.draw(&random, now);
        let (one, other) = (Hash([1; 32]), Hash([2; 32]));
        assert!(challenges.take(&challenge, one, now));
        assert!(challenges.take(&challenge, one, now), "a retry");
        assert!(!challenges.take(&challenge, other, now), "a replay");
        assert!(!challenges.take(&challenge, one, now + LIFE));
        assert!(!challenges.take(&challenge, one, now - Duration::from_secs(1)));
        assert!(!challenges.take(&[9; 16], one, now), "never given out");
        let spent = challenges.draw(&random, now);
        assert!(challenges.take(&spent, one, now) && !challenges.is_paid(&spent));
        challenges.pay(&spent);
        assert!(challenges.take(&spent, one, now) && challenges.is_paid(&spent));
        assert!(!challenges.is_paid(&challenge), "each for itself");
        challenges.spend(&spent);
        assert!(!challenges.take(&spent, one, now), "what is done is not done again");
        assert!(!challenges.is_paid(&spent));
        challenges.forget_old(now + LIFE);
        assert!(challenges.open.is_empty() && challenges.order.is_empty());
        for _ in 0..MAX + 5 {
            challenges.draw(&random, now);
        }
        assert_eq!(challenges.open.len(), MAX);
    }
}
