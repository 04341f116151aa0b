//! Where dark and light palms part: the same visits of the darkest and the lightest of ninety drawn
//! people, before one camera, over one ground after the other.
//! `cargo run --release -p handfast-palm-eval --example fairness_grounds`

#![expect(clippy::print_stdout, reason = "a tool prints")]

use handfast_palm::{Sample, Side, acquire, probe, reference, score, threshold};
use handfast_palm_synth::{Camera, Ground, Held, Identity};
use rayon::prelude::*;

const PEOPLE: std::ops::RangeInclusive<u64> = 1..=90;
const GROUP: usize = 14;
const VISITS: std::ops::RangeInclusive<u64> = 1..=4;
const SIZE: (u32, u32) = (1_280, 720);
/// The gallery and the FPIR of an entrance.
const ENTRANCE: (usize, f64) = (10_000, 1e-3);

struct Seen {
    scores: Vec<i32>,
    refused: usize,
    other_side: usize,
}

fn look(person: u64, camera: &Camera) -> Seen {
    let hand = Identity::from_seed(person).hand(Side::Right);
    let mut seen = Seen { scores: Vec::new(), refused: 0, other_side: 0 };
    let mut samples: Vec<Sample> = Vec::new();
    for visit in VISITS {
        let frame = Held::new(hand.clone(), visit).by(*camera).frame(0, SIZE.0, SIZE.1);
        match acquire(&frame) {
            Ok(capture) => {
                seen.other_side += usize::from(capture.side != Side::Right);
                samples.push(capture.sample);
            }
            Err(_) => seen.refused += 1,
        }
    }
    for (i, sample) in samples.iter().enumerate() {
        let enrolled = reference(std::slice::from_ref(sample)).expect("one sample is enough");
        let others = samples.iter().enumerate().filter(|(k, _)| *k != i);
        seen.scores.extend(others.map(|(_, other)| score(&enrolled, &probe(other))));
    }
    seen
}

fn main() {
    let mut people: Vec<u64> = PEOPLE.collect();
    people.sort_by(|&a, &b| {
        let tone = |seed| Identity::from_seed(seed).skin_tone();
        tone(a).total_cmp(&tone(b))
    });
    let groups = [("light", &people[..GROUP]), ("dark", &people[people.len() - GROUP..])];
    let grounds =
        [Ground::Dark, Ground::Light, Ground::Room(1), Ground::Room(22), Ground::Room(333)];
    let entrance = threshold(ENTRANCE.0, ENTRANCE.1);
    for ground in grounds {
        let camera = Camera { ground, depth: 1.0, noise: 2.0, ..Camera::default() };
        for (name, members) in groups {
            let seen: Vec<Seen> = members.par_iter().map(|&it| look(it, &camera)).collect();
            let mut scores: Vec<i32> = seen.iter().flat_map(|it| it.scores.clone()).collect();
            scores.sort_unstable();
            println!(
                "{ground:?}, {name} skin: of {} frames {} refused, {} for the other hand; median score {}, \
                 {} of {} pairs below {}",
                GROUP * 4,
                seen.iter().map(|it| it.refused).sum::<usize>(),
                seen.iter().map(|it| it.other_side).sum::<usize>(),
                scores.get(scores.len() / 2).copied().unwrap_or(0),
                scores.iter().filter(|&&it| !entrance.accepts(it)).count(),
                scores.len(),
                entrance.get()
            );
        }
    }
}
