//! Three nodes against the matcher that compares in clear: the same templates, the same thresholds,
//! the same answers.

use std::collections::HashMap;

use handfast_model::{Duration, GalleryId, PairwiseToken, RelyingParty, SeededRandom, VenueId};
use handfast_palm::{LENGTH, PROBE_VECTORS, Probe, Side};

use super::history::{EVENTS, History, Kind, Opened, Outcome};
use super::simulator::Weather;
use super::testing::POLICY;
use super::{Change, GalleryName, Sought};
use crate::testing::{probe_of, random_reference};
use crate::{
    Armed, Identification, Matcher as _, PlainMatcher, Query, SlotId, ThresholdPolicy, Thresholds,
    Verification,
};

fn wide(numbers: &[i8]) -> Vec<i16> {
    numbers.iter().map(|&number| i16::from(number)).collect()
}

fn shown(seed: u64) -> Probe {
    probe_of(&random_reference(seed))
}

/// The engine's own templates.
fn real() -> Kind {
    let thresholds = ThresholdPolicy::ENTRY.thresholds();
    let policy = super::Policy {
        identify: u16::try_from(thresholds.identify).unwrap(),
        verify: u16::try_from(thresholds.verify).unwrap(),
        vectors_max: PROBE_VECTORS as u16 + 1,
        ..POLICY
    };
    Kind {
        dimension: LENGTH,
        palm: |seed| wide(random_reference(seed).vector()),
        probe: |seed| shown(seed).vectors().flat_map(wide).collect(),
        policy,
    }
}

struct Plain {
    matcher: PlainMatcher,
    galleries: HashMap<GalleryName, GalleryId>,
}

impl Plain {
    fn new(history: &History, thresholds: Thresholds) -> Self {
        let clock = handfast_model::ManualClock::at(history.simulator.now);
        let matcher = PlainMatcher::new();
        let mut galleries = HashMap::new();
        for (at, name) in EVENTS.into_iter().enumerate() {
            let gallery = GalleryId::new(&clock, &SeededRandom::new(at as u64));
            matcher.open_gallery(gallery, thresholds);
            galleries.insert(name, gallery);
        }
        let party = RelyingParty::Venue(VenueId::new(&clock, &SeededRandom::new(9)));
        assert_ne!(super::RelyingName::from(party).0, [0; 16]);
        Self { matcher, galleries }
    }

    fn same(
        &self,
        history: &History,
        opened: &Opened,
        (gallery, side, sought): (GalleryName, Side, Sought),
        seed: u64,
    ) {
        let probes = [shown(seed)];
        let now = history.simulator.now;
        let query = Query { gallery: self.galleries[&gallery], side, probes: &probes, now };
        let token = PairwiseToken::from_bytes(opened.value);
        if let Sought::Slot(slot) = sought {
            let of_slot = PairwiseToken::from_bytes(history.tokens[&(gallery, slot)]);
            let expected = match self.matcher.verify(query, of_slot) {
                Verification::Match => of_slot,
                _ => PairwiseToken::from_bytes([0; 16]),
            };
            assert!(token == expected, "1:1 differs");
            return;
        }
        match self.matcher.identify(query) {
            Identification::NoMatch => assert_eq!(opened.value, [0; 16]),
            Identification::Match(expected) => assert!(token == expected, "another token"),
            Identification::Ambiguous => {
                assert_ne!(opened.value, [0; 16]);
                assert!(!history.tokens.values().any(|known| *known == opened.value));
            }
        }
    }
}

fn slot_id(slot: u64) -> SlotId {
    SlotId::new(slot.cast_signed()).unwrap()
}

fn compare(seed: u64, steps: usize) -> u64 {
    let kind = real();
    let fair = Weather { delay: 1_000, ..Weather::default() };
    let mut history = History::of(kind, seed, fair);
    let thresholds = ThresholdPolicy::ENTRY.thresholds();
    let plain = Plain::new(&history, thresholds);
    for _ in 0..steps {
        let until = history.simulator.now + Duration::from_hours(3);
        let person = history.simulator.below(6);
        let side = [Side::Left, Side::Right][history.simulator.below(2) as usize];
        let (gallery, consent) = (history.an_event(), [0; 16]);
        match (history.simulator.below(8), history.a_slot()) {
            (0 | 1, _) | (_, None) => {
                let palm = 2 * person + u64::from(side == Side::Right);
                if let Outcome::Committed(committed) = history.enrol(&[(side, palm)], until) {
                    let slot = slot_id(committed.first_slot);
                    plain.matcher.hold(slot, side, &random_reference(palm));
                }
            }
            (2 | 3, Some((slot, side))) => {
                history.must(Change::Arm { gallery, slot, until, consent });
                let opened = history.look(gallery, side, Sought::Delivery(slot), 0).unwrap();
                let token = PairwiseToken::from_bytes(opened.value);
                let armed = Armed { slot: slot_id(slot), token, until };
                plain.matcher.arm(plain.galleries[&gallery], armed);
            }
            (4, Some((slot, _))) if person == 0 => {
                history.must(Change::Delete { slots: vec![slot] });
                plain.matcher.erase(&[slot_id(slot)]);
            }
            (4, Some((slot, _))) => {
                history.must(Change::Disarm { gallery, slots: vec![slot] });
                plain.matcher.disarm(plain.galleries[&gallery], &[slot_id(slot)]);
            }
            (5, Some((slot, side))) if history.armed(u64::MAX, gallery).contains_key(&slot) => {
                let palm = 2 * person + u64::from(side == Side::Right);
                let sought = Sought::Slot(slot);
                let opened = history.look(gallery, side, sought, palm).unwrap();
                plain.same(&history, &opened, (gallery, side, sought), palm);
            }
            (5, _) => history.simulator.pass(Duration::from_minutes(45)),
            _ => {
                let palm = 2 * person + u64::from(side == Side::Right);
                let opened = history.look(gallery, side, Sought::Anyone, palm).unwrap();
                plain.same(&history, &opened, (gallery, side, Sought::Anyone), palm);
            }
        }
    }
    history.matches
}

#[test]
fn three_nodes_answer_what_one_answers_in_clear() {
    let matches: u64 = (0..4).map(|seed| compare(seed, 60)).sum();
    assert!(matches > 20, "{matches} matches");
}

#[test]
#[ignore = "long: make soak"]
fn three_nodes_answer_what_one_answers_in_clear_for_long() {
    let matches: u64 = (100..150).map(|seed| compare(seed, 200)).sum();
    println!("{matches} matches");
}
