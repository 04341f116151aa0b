//! How long people wait at a gate, as far as its verdicts tell.
//!
//! Nobody counts who stands in a queue: a gate sees people once it is their turn. What its verdicts
//! tell is whether it works as fast as it can. While it does, a queue stands, and whoever is let in
//! came after it began to: that long they have waited at most, however long the queue is. So the
//! answer is a bound, or that nothing is known; never a guess at how many stand there.

use std::collections::{BTreeMap, BTreeSet};

use handfast_model::{DeviceId, GateId};

/// Minutes of the past that are looked at: doors open 90 minutes before, and a peak is shorter. A gate
/// that was full all the time says no more about its beginning.
pub(crate) const WINDOW_MINUTES: i64 = 120;
/// People are counted over so many minutes, and a gate without a verdict for so long was closed: what
/// happens after it begins anew.
const COUNTED_MINUTES: i64 = 10;
/// A gate without a verdict in so many whole minutes stands still: its devices fail, its lanes have no
/// connection, or nobody comes. The verdicts do not say which, nor whether a queue stands meanwhile.
const STILL_MINUTES: i64 = 2;
/// A device without a verdict for so long takes nobody.
const IDLE_MINUTES: i64 = 5;
/// What a device does in a minute without a pause, at least: a verdict takes seconds, and whoever is
/// slower than 15 seconds has pauses.
const VERDICTS_MIN: u64 = 4;
/// Of what its working devices do at their best, so much is done in two minutes of a gate at which a
/// queue stands: people differ, families stop, and a best minute is a lucky one.
const FULL_PERCENT: u64 = 60;

/// The minute in which devices stop or begin again counts in part, and every minute is judged with the
/// one before: so far beside a standstill a gate may look free that is full.
const BLURRED_MINUTES: i64 = 2;

/// The minute that goes on, and the one in which a queue began: half of it may have been without one.
const UNSEEN_MINUTES: u64 = 2;

/// The first minute that is looked at: each is judged with the one before.
pub(crate) const fn first_minute(now: i64) -> i64 {
    now - WINDOW_MINUTES - 1
}

/// What one device decided within one minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeviceMinute {
    /// Which device: people pass it one after another.
    pub device: DeviceId,
    /// The minute's number since the epoch.
    pub minute: i64,
    /// How many verdicts about entries, refusals included: they take time as well.
    pub verdicts: u64,
    /// How many people of the event were let in.
    pub people: u64,
}

/// The wait at a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// No verdict in two whole minutes, or none of free minutes since such a standstill, or full for
    /// longer than is looked back.
    Unknown,
    /// Its devices have pauses: hardly anybody waits.
    Hardly,
    /// A queue stands, and nobody who is let in now has waited longer.
    AtMost {
        /// Whole minutes.
        minutes: u64,
    },
}

/// A gate as it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateWait {
    /// The gate.
    pub gate_id: GateId,
    /// What people call it.
    pub name: String,
    /// How long people wait there.
    pub wait: Wait,
    /// People of the event let in within the last ten whole minutes.
    pub people: u64,
    /// Devices that decided something within the last five whole minutes.
    pub devices: u64,
}

/// What a gate's devices did, minute by minute.
pub(crate) struct GateWork {
    minutes: Vec<DeviceMinute>,
    by_minute: BTreeMap<i64, Done>,
    /// The minute that is going on; it is not counted yet.
    now: i64,
}

impl GateWork {
    pub(crate) fn new(mut minutes: Vec<DeviceMinute>, now: i64) -> Self {
        minutes.retain(|one| (first_minute(now)..now).contains(&one.minute));
        let mut bests: BTreeMap<DeviceId, u64> = BTreeMap::new();
        for one in &minutes {
            let best = bests.entry(one.device).or_insert(VERDICTS_MIN);
            *best = one.verdicts.max(*best);
        }
        let mut by_minute: BTreeMap<i64, Done> = BTreeMap::new();
        for one in &minutes {
            let done = by_minute.entry(one.minute).or_default();
            done.verdicts += one.verdicts;
            done.best += bests.get(&one.device).copied().unwrap_or(VERDICTS_MIN);
        }
        Self { minutes, by_minute, now }
    }

    pub(crate) fn wait(&self) -> Wait {
        if self.since(STILL_MINUTES).next().is_none() {
            return Wait::Unknown;
        }
        match self.full_minutes() {
            None => Wait::Unknown,
            Some(0) if self.stopped_in_a_queue() => Wait::Unknown,
            Some(0) => Wait::Hardly,
            Some(full) => Wait::AtMost { minutes: full.unsigned_abs() + UNSEEN_MINUTES },
        }
    }

    /// People let in within the last ten whole minutes.
    pub(crate) fn people(&self) -> u64 {
        self.since(COUNTED_MINUTES).map(|one| one.people).sum()
    }

    /// Devices that take people now.
    pub(crate) fn devices(&self) -> u64 {
        let working: BTreeSet<DeviceId> = self.since(IDLE_MINUTES).map(|one| one.device).collect();
        working.len() as u64
    }

    fn since(&self, minutes: i64) -> impl Iterator<Item = &DeviceMinute> {
        self.minutes.iter().filter(move |one| one.minute >= self.now - minutes)
    }

    /// For how many minutes, up to the last whole one, the gate has worked as fast as it can, with the
    /// standstills in between, through which a queue may have stood; `None` where nobody knows.
    fn full_minutes(&self) -> Option<i64> {
        let begun = self.now - WINDOW_MINUTES;
        let mut newest = self.now - 1;
        loop {
            let last = (begun..=newest).rev().find(|minute| !self.is_full(*minute))?;
            match self.standstill_beside(last) {
                None => return Some(self.now - 1 - last),
                // Nothing tells what was before it from what came after.
                Some(_) if last == newest => return None,
                Some(stopped) => newest = stopped - 1,
            }
        }
    }

    /// Whether nothing was decided in the last minute, and before the one in which the gate stopped it
    /// was full: a standstill that has begun, not a pause.
    fn stopped_in_a_queue(&self) -> bool {
        let last = self.now - 1;
        !self.by_minute.contains_key(&last) && self.is_full(last - BLURRED_MINUTES)
    }

    /// The minute in which the gate came to stand still, where a minute is too near to tell whether it
    /// was free then.
    fn standstill_beside(&self, minute: i64) -> Option<i64> {
        let is_still = |minute: &i64| !self.by_minute.contains_key(minute);
        let end = (minute - BLURRED_MINUTES..=minute).rev().find(is_still)?;
        let (stopped, _) = self.by_minute.range(..end).next_back()?;
        (STILL_MINUTES..COUNTED_MINUTES).contains(&(end - stopped)).then_some(*stopped)
    }

    /// Whether it was so in a minute and the one before. A device that decided nothing in a minute
    /// does not count in it: it may have dropped out, while the queue stands on at the others.
    fn is_full(&self, minute: i64) -> bool {
        let both = self.by_minute.range(minute - 1..=minute);
        let (done, best) =
            both.fold((0, 0), |(done, best), (_, one)| (done + one.verdicts, best + one.best));
        best > 0 && done * 100 >= best * FULL_PERCENT
    }
}

/// What a gate did in a minute.
#[derive(Default)]
struct Done {
    verdicts: u64,
    /// What the devices that decided something in it do in their best minutes.
    best: u64,
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 29_000_000;

    fn device(number: u32) -> DeviceId {
        format!("dev_{number:026}").parse().unwrap()
    }

    /// A device that decides so much a minute, `ago` minutes ago, each time one person.
    fn work(device: u32, ago: std::ops::Range<i64>, verdicts: u64) -> Vec<DeviceMinute> {
        let device = self::device(device);
        let minute = |ago| DeviceMinute { device, minute: NOW - ago, verdicts, people: verdicts };
        ago.map(minute).collect()
    }

    fn wait(minutes: Vec<DeviceMinute>) -> Wait {
        GateWork::new(minutes, NOW).wait()
    }

    #[test]
    fn nothing_is_known_of_a_gate_that_is_silent_or_was_never_seen_free() {
        assert_eq!(wait(Vec::new()), Wait::Unknown);
        assert_eq!(wait(work(1, 11..30, 9)), Wait::Unknown);
        // What goes on now is no whole minute, and what the clock does not know yet is none at all.
        assert_eq!(wait(work(1, -3..1, 9)), Wait::Unknown);
        assert_eq!(wait(work(1, 1..200, 9)), Wait::Unknown);
    }

    #[test]
    fn hardly_anybody_waits_where_devices_have_pauses() {
        let peak = work(1, 20..40, 10);
        assert_eq!(wait([peak, work(1, 1..20, 3)].concat()), Wait::Hardly);
        // One verdict a minute is no queue, however long it goes on.
        assert_eq!(wait(work(1, 1..60, 1)), Wait::Hardly);
    }

    #[test]
    fn a_gate_that_stands_still_has_no_figure() {
        let rush = work(1, 3..20, 9);
        assert_eq!(wait(rush.clone()), Wait::Unknown);
        // One minute without a verdict is a pause.
        assert_ne!(wait([rush.clone(), work(1, 2..3, 9)].concat()), Wait::Unknown);
        // Where it began again a moment ago, it has none yet.
        let rush = work(1, 4..20, 9);
        assert_eq!(wait([rush, work(1, 1..2, 2)].concat()), Wait::Unknown);
        // It stopped in the midst of the minute before the last.
        assert_eq!(wait([work(1, 3..20, 9), work(1, 2..3, 1)].concat()), Wait::Unknown);
        // Nor where it was quiet before: it is not told from a queue that nobody serves.
        assert_eq!(wait([work(1, 4..20, 1), work(1, 1..2, 1)].concat()), Wait::Unknown);
    }

    #[test]
    fn a_queue_stands_through_a_standstill() {
        let rush = [work(1, 30..60, 2), work(1, 9..30, 9)].concat();
        // It stopped and began again in the midst of a minute.
        let still = [rush, work(1, 8..9, 1), work(1, 4..5, 1)].concat();
        assert_eq!(wait([still.clone(), work(1, 1..4, 9)].concat()), Wait::AtMost { minutes: 31 });
        // Since then it was seen with pauses: the queue is gone.
        assert_eq!(wait([still, work(1, 1..4, 3)].concat()), Wait::Hardly);
        // It had pauses before it stood still: whoever waits came after it stopped.
        let quiet = [work(1, 9..60, 3), work(1, 1..5, 9)].concat();
        assert_eq!(wait(quiet), Wait::AtMost { minutes: 11 });
        // A gate that was closed begins anew.
        let closed = [work(1, 20..60, 9), work(1, 1..5, 9)].concat();
        assert_eq!(wait(closed), Wait::AtMost { minutes: 6 });
    }

    #[test]
    fn nobody_waits_longer_than_the_gate_has_been_full() {
        let quiet = work(1, 13..60, 2);
        let minutes = [quiet, work(1, 1..13, 9), work(2, 1..13, 8)].concat();
        // Two devices decide in the first minute and one in the last quiet one: together they are full.
        assert_eq!(wait(minutes), Wait::AtMost { minutes: 14 });
    }

    #[test]
    fn a_device_that_is_switched_off_does_not_make_a_gate_look_free() {
        let minutes = [work(1, 1..60, 9), work(2, 20..60, 9), work(3, 50..60, 2)].concat();
        let gate = GateWork::new(minutes, NOW);
        assert_eq!((gate.devices(), gate.people()), (1, 90));
        assert!(matches!(gate.wait(), Wait::AtMost { minutes: 59.. }), "{:?}", gate.wait());
        // In the middle of a minute, a moment ago.
        let minutes = [work(1, 1..60, 9), work(2, 3..60, 9), work(2, 2..3, 1)].concat();
        assert!(matches!(wait(minutes), Wait::AtMost { minutes: 59.. }));
    }

    proptest! {
        /// A queue of which everything is known: nobody in it has waited longer than is said.
        #[test]
        fn the_bound_holds(
            arrivals in prop::collection::vec(0_u64..30, 60),
            devices in 1_u32..4,
            speed in 6_u64..12,
            // The last of several devices stops, with so many verdicts in its last minute.
            (stops, rest) in (0..60_i64, 0_u64..6),
            // All of them stand still for a while, and do so much in the minutes beside it.
            (still, still_minutes, beside) in (0..60_i64, prop_oneof![Just(0), 2..9_i64], 0_u64..6),
        ) {
            let first = NOW - i64::try_from(arrivals.len()).unwrap();
            let (mut queue, mut minutes) = (VecDeque::new(), Vec::new());
            for (minute, came) in (first..NOW).zip(arrivals) {
                queue.extend((0..came).map(|_| minute));
                for device in 0..devices {
                    let since = minute - first - still;
                    let may = match (minute - first).cmp(&stops) {
                        _ if still_minutes > 0 && (0..still_minutes).contains(&since) => 0,
                        _ if still_minutes > 0 && (since == -1 || since == still_minutes) => beside,
                        _ if device == 0 || device + 1 < devices => speed,
                        Ordering::Less => speed,
                        Ordering::Equal => rest,
                        Ordering::Greater => 0,
                    };
                    let verdicts = may.min(u64::try_from(queue.len()).unwrap());
                    queue.drain(..usize::try_from(verdicts).unwrap());
                    if verdicts > 0 {
                        let device = self::device(device);
                        minutes.push(DeviceMinute { device, minute, verdicts, people: verdicts });
                    }
                }
            }
            // A gate that was closed begins anew: who stood before it then is not seen.
            let (begun, ended) = (first + still, first + still + still_minutes);
            let before = minutes.iter().map(|one| one.minute).filter(|minute| *minute < begun).max();
            let after = minutes.iter().map(|one| one.minute).filter(|minute| *minute >= ended).min();
            let closed = after.unwrap_or(NOW) - before.unwrap_or(i64::MIN / 2) > COUNTED_MINUTES;
            prop_assume!(still_minutes == 0 || !closed);
            let seen: BTreeSet<i64> = minutes.iter().map(|one| one.minute).collect();
            let next = seen.iter().skip(1).copied().chain([NOW]);
            let stood_still = seen.iter().zip(next).any(|(one, next)| next - one > STILL_MINUTES - 1);
            // A minute without a verdict may be a pause or the first of a standstill.
            let unseen = UNSEEN_MINUTES + u64::from(!seen.contains(&(NOW - 1)));
            let longest = queue.front().map_or(0, |since| (NOW - since).unsigned_abs());
            match wait(minutes) {
                Wait::AtMost { minutes } => prop_assert!(longest <= minutes, "{longest} > {minutes}"),
                Wait::Hardly => prop_assert!(longest <= unseen, "{longest} was not seen"),
                Wait::Unknown => prop_assert!(longest == 0 || stood_still),
            }
        }
    }
}
