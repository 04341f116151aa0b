//! The matcher that compares in clear, on all cores: the first form of the vault's heart, and the
//! oracle for any other.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use handfast_model::{GalleryId, PairwiseToken, Timestamp};
use handfast_palm::{Reference, Side};
use rayon::prelude::*;

use crate::kernel::{WideProbes, best_scores};
use crate::matcher::{Armed, Identification, Matcher, Query, Verification};
use crate::resident::{ResidentReferences, Row};
use crate::{SlotId, Thresholds};

/// Rows that one task compares: enough that handing tasks out costs nothing, few enough that all
/// cores end together.
const ROWS_PER_TASK: usize = 64;

/// Compares palms in clear, in this process's memory.
#[derive(Debug, Default)]
pub struct PlainMatcher {
    /// A search holds this for reading to its end, so that a palm whose erasure has returned is in
    /// no search.
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    references: ResidentReferences,
    sides: HashMap<SlotId, Side>,
    galleries: HashMap<GalleryId, Gallery>,
}

#[derive(Debug)]
struct Gallery {
    thresholds: Thresholds,
    armed: HashMap<SlotId, Armed>,
}

impl PlainMatcher {
    /// A matcher that holds nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    // A panic in another thread leaves no half-made state: every change below is one insertion or
    // removal after another, and a search takes only what all maps agree on.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Matcher for PlainMatcher {
    fn hold(&self, slot: SlotId, side: Side, reference: &Reference) {
        let mut state = self.write();
        state.references.hold(slot, reference);
        state.sides.insert(slot, side);
    }

    fn erase(&self, slots: &[SlotId]) {
        let mut state = self.write();
        for slot in slots {
            state.references.erase(*slot);
            state.sides.remove(slot);
            for gallery in state.galleries.values_mut() {
                gallery.armed.remove(slot);
            }
        }
    }

    fn open_gallery(&self, gallery: GalleryId, thresholds: Thresholds) {
        let empty = Gallery { thresholds, armed: HashMap::new() };
        self.write().galleries.entry(gallery).or_insert(empty);
    }

    fn close_gallery(&self, gallery: GalleryId) {
        self.write().galleries.remove(&gallery);
    }

    fn arm(&self, gallery: GalleryId, armed: Armed) {
        if let Some(gallery) = self.write().galleries.get_mut(&gallery) {
            gallery.armed.insert(armed.slot, armed);
        }
    }

    fn disarm(&self, gallery: GalleryId, slots: &[SlotId]) {
        if let Some(gallery) = self.write().galleries.get_mut(&gallery) {
            for slot in slots {
                gallery.armed.remove(slot);
            }
        }
    }

    fn armed(&self, gallery: GalleryId, now: Timestamp) -> usize {
        let state = self.read();
        let Some(gallery) = state.galleries.get(&gallery) else { return 0 };
        gallery.armed.values().filter(|armed| armed.until > now).count()
    }

    fn identify(&self, query: Query<'_>) -> Identification {
        let state = self.read();
        match state.found(&query).as_slice() {
            [] => Identification::NoMatch,
            [token] => Identification::Match(*token),
            _ => Identification::Ambiguous,
        }
    }

    fn contains(&self, query: Query<'_>) -> bool {
        !self.read().found(&query).is_empty()
    }

    fn slot_of(&self, gallery: GalleryId, token: PairwiseToken) -> Option<SlotId> {
        let state = self.read();
        let armed = state.galleries.get(&gallery)?.armed.values();
        armed.into_iter().find(|armed| armed.token == token).map(|armed| armed.slot)
    }

    fn verify(&self, query: Query<'_>, token: PairwiseToken) -> Verification {
        let state = self.read();
        let Some(gallery) = state.galleries.get(&query.gallery) else {
            return Verification::NotArmed;
        };
        let candidate =
            state.candidates(gallery, &query).into_iter().find(|(_, armed)| *armed == token);
        let Some((row, _)) = candidate else { return Verification::NotArmed };
        let scores = best_scores(&[state.references.values(row)], &WideProbes::new(query.probes));
        if scores.iter().any(|&score| score >= gallery.thresholds.verify) {
            Verification::Match
        } else {
            Verification::NoMatch
        }
    }
}

impl State {
    /// The tokens of all armed palms that are like the one looked for.
    fn found(&self, query: &Query<'_>) -> Vec<PairwiseToken> {
        let Some(gallery) = self.galleries.get(&query.gallery) else { return Vec::new() };
        let probes = WideProbes::new(query.probes);
        let found_in = |candidates: &[(Row, PairwiseToken)]| {
            let rows: Vec<&[i8]> =
                candidates.iter().map(|(row, _)| self.references.values(*row)).collect();
            let scores = best_scores(&rows, &probes);
            let like = |&(&score, _): &(&i32, _)| score >= gallery.thresholds.identify;
            scores.iter().zip(candidates).filter(like).map(|(_, found)| found.1).collect::<Vec<_>>()
        };
        self.candidates(gallery, query).par_chunks(ROWS_PER_TASK).flat_map_iter(found_in).collect()
    }

    /// The armed palms that are compared, in the order of memory.
    fn candidates(&self, gallery: &Gallery, query: &Query<'_>) -> Vec<(Row, PairwiseToken)> {
        let searched = |armed: &&Armed| {
            armed.until > query.now && self.sides.get(&armed.slot) == Some(&query.side)
        };
        let mut candidates: Vec<(Row, PairwiseToken)> = gallery
            .armed
            .values()
            .filter(searched)
            .filter_map(|armed| Some((self.references.row(armed.slot)?, armed.token)))
            .collect();
        candidates.sort_unstable_by_key(|(row, _)| *row);
        candidates
    }
}

#[cfg(test)]
mod tests {
    use handfast_model::SeededRandom;
    use handfast_palm::{Probe, score};

    use super::*;
    use crate::testing::{probe_of, random_probe, random_reference};

    const NOW: Timestamp = Timestamp::from_micros(1_000);
    const LATER: Timestamp = Timestamp::from_micros(1_001);
    const THRESHOLDS: Thresholds = Thresholds { identify: 7_000, verify: 5_000 };

    fn gallery() -> GalleryId {
        let clock = handfast_model::ManualClock::at(NOW);
        GalleryId::new(&clock, &SeededRandom::new(1))
    }

    fn slot(number: u64) -> SlotId {
        SlotId::new(number as i64).unwrap()
    }

    fn token(number: u64) -> PairwiseToken {
        PairwiseToken::from_bytes(u128::from(number).to_be_bytes())
    }

    /// Palms 1 to `palms`, all left ones, armed until later.
    fn filled(palms: u64) -> PlainMatcher {
        let matcher = PlainMatcher::new();
        matcher.open_gallery(gallery(), THRESHOLDS);
        for number in 1..=palms {
            matcher.hold(slot(number), Side::Left, &random_reference(number));
            let armed = Armed { slot: slot(number), token: token(number), until: LATER };
            matcher.arm(gallery(), armed);
        }
        matcher
    }

    fn query(probes: &[Probe]) -> Query<'_> {
        Query { gallery: gallery(), side: Side::Left, probes, now: NOW }
    }

    /// Every armed palm one by one, with the engine's own comparison.
    fn slow(palms: u64, probes: &[Probe], threshold: i32) -> Identification {
        let like = |number: &u64| {
            let reference = random_reference(*number);
            probes.iter().any(|probe| score(&reference, probe) >= threshold)
        };
        let found: Vec<u64> = (1..=palms).filter(like).collect();
        match found.as_slice() {
            [] => Identification::NoMatch,
            [number] => Identification::Match(token(*number)),
            _ => Identification::Ambiguous,
        }
    }

    #[test]
    fn agrees_with_the_slow_comparison_at_the_threshold_and_its_neighbours() {
        let palms = 150; // more than two tasks
        let probes = [probe_of(&random_reference(97)), random_probe(5)];
        let best = score(&random_reference(97), &probes[0]);
        // Scores of strangers lie far below; 1,000 is amid them, so that several are found.
        for threshold in [best - 1, best, best + 1, 1_000] {
            let matcher = filled(palms);
            matcher.close_gallery(gallery());
            let thresholds = Thresholds { identify: threshold, verify: threshold };
            matcher.open_gallery(gallery(), thresholds);
            for number in 1..=palms {
                let armed = Armed { slot: slot(number), token: token(number), until: LATER };
                matcher.arm(gallery(), armed);
            }
            for probes in [&probes[..1], &probes[1..], &probes[..]] {
                let expected = slow(palms, probes, threshold);
                assert_eq!(matcher.identify(query(probes)), expected, "{threshold}");
                let found = expected != Identification::NoMatch;
                assert_eq!(matcher.contains(query(probes)), found);
            }
        }
    }

    #[test]
    fn only_armed_unexpired_palms_of_the_same_hand_are_found() {
        let matcher = filled(5);
        let probes = [probe_of(&random_reference(3))];
        let found = Identification::Match(token(3));
        assert_eq!(matcher.identify(query(&probes)), found);
        let other_hand = Query { side: Side::Right, ..query(&probes) };
        assert_eq!(matcher.identify(other_hand), Identification::NoMatch);
        let at_the_end = Query { now: LATER, ..query(&probes) };
        assert_eq!(matcher.identify(at_the_end), Identification::NoMatch);
        assert_eq!((matcher.armed(gallery(), NOW), matcher.armed(gallery(), LATER)), (5, 0));
        matcher.disarm(gallery(), &[slot(3)]);
        assert_eq!(matcher.identify(query(&probes)), Identification::NoMatch);
        matcher.arm(gallery(), Armed { slot: slot(3), token: token(3), until: LATER });
        assert_eq!(matcher.identify(query(&probes)), found);
        matcher.close_gallery(gallery());
        assert_eq!(matcher.identify(query(&probes)), Identification::NoMatch);
    }

    #[test]
    fn two_palms_that_are_alike_are_ambiguous() {
        let matcher = filled(5);
        matcher.hold(slot(6), Side::Left, &random_reference(3));
        matcher.arm(gallery(), Armed { slot: slot(6), token: token(6), until: LATER });
        let probes = [probe_of(&random_reference(3))];
        assert_eq!(matcher.identify(query(&probes)), Identification::Ambiguous);
        // Frames of two people in one presentation are no match either.
        let mixed = [probe_of(&random_reference(1)), probe_of(&random_reference(2))];
        assert_eq!(matcher.identify(query(&mixed)), Identification::Ambiguous);
    }

    #[test]
    fn one_palm_is_verified_by_its_token() {
        let matcher = filled(5);
        let own = [probe_of(&random_reference(2))];
        assert_eq!(matcher.verify(query(&own), token(2)), Verification::Match);
        assert_eq!(matcher.verify(query(&own), token(3)), Verification::NoMatch);
        assert_eq!(matcher.verify(query(&own), token(9)), Verification::NotArmed);
        let late = Query { now: LATER, ..query(&own) };
        assert_eq!(matcher.verify(late, token(2)), Verification::NotArmed);
        matcher.close_gallery(gallery());
        assert_eq!(matcher.verify(query(&own), token(2)), Verification::NotArmed);
    }

    #[test]
    fn an_erased_palm_is_in_no_gallery() {
        let matcher = filled(5);
        matcher.erase(&[slot(2), slot(4)]);
        assert_eq!(matcher.armed(gallery(), NOW), 3);
        for number in 1..=5 {
            let probes = [probe_of(&random_reference(number))];
            let found = matcher.contains(query(&probes));
            assert_eq!(found, number % 2 == 1, "palm {number}");
        }
        // Armed by mistake afterwards, it is still not there.
        matcher.arm(gallery(), Armed { slot: slot(2), token: token(2), until: LATER });
        assert!(!matcher.contains(query(&[probe_of(&random_reference(2))])));
    }
}
