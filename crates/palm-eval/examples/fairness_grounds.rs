//! Where dark and light palms part: the same visits of the darkest and the lightest of ninety drawn
//! people, before one camera, over one ground after the other.
//! `cargo run --release -p handfast-palm-eval --example fairness_grounds`
//!
//! The last numbers of a line say where regions lie against those of the same hand, held in the same way over
//! a dark ground: how many are off by more than ten pixels of a sample, and of those the median shift to the
//! right and down, and the median of scale.

#![expect(clippy::print_stdout, reason = "a tool prints")]

use handfast_palm::{Found, Sample, Side, acquire, find, probe, reference, score, threshold};
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
    /// Shift to the right and down in parts of the region's side, and the logarithm of scale.
    off: Vec<[f32; 3]>,
}

/// Where a region lies against another.
fn off(found: &Found, wanted: &Found) -> [f32; 3] {
    let frame = |found: &Found| {
        let [a, b, c, _] = found.corners();
        let side = (b.0 - a.0).hypot(b.1 - a.1);
        (((a.0 + c.0) / 2.0, (a.1 + c.1) / 2.0), ((b.0 - a.0) / side, (b.1 - a.1) / side), side)
    };
    let ((x, y), _, side) = frame(found);
    let ((wanted_x, wanted_y), (cosine, sine), wanted_side) = frame(wanted);
    let (dx, dy) = ((x - wanted_x) / wanted_side, (y - wanted_y) / wanted_side);
    [cosine * dx + sine * dy, cosine * dy - sine * dx, (side / wanted_side).ln()]
}

/// More than this is beyond what a probe's poses reach, in parts of a region's side: ten pixels of 128.
const FAR: f32 = 10.0 / 128.0;

fn is_far([x, y, scale]: &[f32; 3]) -> bool {
    // A point of the region is 0.4 sides from its middle, root mean square.
    x.hypot(*y).hypot(0.4 * scale) > FAR
}

fn look(person: u64, camera: &Camera) -> Seen {
    let hand = Identity::from_seed(person).hand(Side::Right);
    let mut seen = Seen { scores: Vec::new(), refused: 0, other_side: 0, off: Vec::new() };
    let mut samples: Vec<Sample> = Vec::new();
    for visit in VISITS {
        let over = |ground| {
            let camera = Camera { ground, ..*camera };
            Held::new(hand.clone(), visit).by(camera).frame(0, SIZE.0, SIZE.1)
        };
        let frame = over(camera.ground);
        if let (Ok(found), Ok(wanted)) = (find(&frame), find(&over(Ground::Dark))) {
            seen.off.push(off(&found, &wanted));
        }
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
            let far: Vec<[f32; 3]> =
                seen.iter().flat_map(|it| it.off.iter().copied().filter(is_far)).collect();
            let median = |k: usize| {
                let mut values: Vec<f32> = far.iter().map(|it| it[k]).collect();
                values.sort_by(f32::total_cmp);
                values.get(values.len() / 2).copied().unwrap_or(0.0)
            };
            println!(
                "{ground:?}, {name} skin: of {} frames {} refused, {} for the other hand; median score {}, \
                 {} of {} pairs below {}; {} regions far off, median {:.0} px right, {:.0} down, {:.0} % larger",
                GROUP * 4,
                seen.iter().map(|it| it.refused).sum::<usize>(),
                seen.iter().map(|it| it.other_side).sum::<usize>(),
                scores.get(scores.len() / 2).copied().unwrap_or(0),
                scores.iter().filter(|&&it| !entrance.accepts(it)).count(),
                scores.len(),
                entrance.get(),
                far.len(),
                128.0 * median(0),
                128.0 * median(1),
                100.0 * median(2)
            );
        }
    }
}
