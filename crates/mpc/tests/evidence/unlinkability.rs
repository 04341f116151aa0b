//! How well stored data can be linked across enrolments of the same palm: the measure D_sys of
//! Gomez-Barrero, Galbally, Rathgeb, Busch, "General Framework to Evaluate Unlinkability in Biometric
//! Template Protection Systems", IEEE TIFS 13 (6), 2018. 0 is unlinkable, 1 is fully linkable.
//!
//! `cargo test -p handfast-mpc --test evidence linked -- --nocapture` prints the table. Palms are
//! synthetic. Every palm is enrolled twice, from other samples; the two enrolments of one palm are
//! mated, those of different palms are not. An attacker compares what one node holds of each in
//! several ways; beside it stand the plain template, and what two nodes hold together.
//!
//! With finitely many pairs the measure is above 0 where there is nothing to link, so each value is
//! compared with what it is when mated and non-mated pairs are mixed up at random.
//!
//! Goal: one node's data give no more than mixed-up pairs, two nodes' as much as the plain template.

use crate::common::{chunk_keys, token_selection};
use handfast_model::{Random, SeededRandom};
use handfast_mpc::{Dealt, Role, Rows, ShareSet, open};
use handfast_palm::{Sample, Side, reference};
use handfast_palm_synth::{Identity, Spectrum};

const PALMS: usize = 24;
/// Dealings of each enrolment.
const DEALINGS: usize = 12;
const PAIRS: usize = 3_000;
const SLOTS: u64 = 600;
/// Bins of a histogram, with equally many of all scores each.
const BINS: usize = 20;
/// Times that pairs are mixed up.
const MIXED: usize = 400;

/// Scores of mated and of non-mated pairs.
struct Scores {
    mated: Vec<f64>,
    other: Vec<f64>,
}

impl Scores {
    /// The measure with a prior ratio of 1, from histograms.
    fn d_sys(&self) -> f64 {
        let mut all: Vec<f64> = self.mated.iter().chain(&self.other).copied().collect();
        all.sort_by(f64::total_cmp);
        let mut edges: Vec<f64> = (1..BINS).map(|bin| all[bin * all.len() / BINS]).collect();
        edges.dedup();
        let histogram = |scores: &[f64]| {
            let mut counts = [0usize; BINS];
            for score in scores {
                counts[edges.partition_point(|edge| edge <= score)] += 1;
            }
            counts.map(|count| count as f64 / scores.len() as f64)
        };
        let (mated, other) = (histogram(&self.mated), histogram(&self.other));
        let bins = mated.iter().zip(&other).filter(|(mated, _)| **mated > 0.0);
        bins.map(|(mated, other)| {
            let local = if mated <= other { 0.0 } else { 2.0 * mated / (mated + other) - 1.0 };
            mated * local
        })
        .sum()
    }

    /// The measure's value of mixed-up pairs that one in a hundred exceeds.
    fn of_nothing(&self, random: &Draw) -> f64 {
        let mut all: Vec<f64> = self.mated.iter().chain(&self.other).copied().collect();
        let mut values: Vec<f64> = (0..MIXED)
            .map(|_| {
                for at in (1..all.len()).rev() {
                    all.swap(at, random.below(at + 1));
                }
                let (mated, other) = all.split_at(self.mated.len());
                Self { mated: mated.to_vec(), other: other.to_vec() }.d_sys()
            })
            .collect();
        values.sort_by(f64::total_cmp);
        values[MIXED * 99 / 100]
    }
}

struct Draw(SeededRandom);

impl Draw {
    fn below(&self, bound: usize) -> usize {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        (u64::from_le_bytes(bytes) % bound as u64) as usize
    }
}

/// References of every palm, from two captures.
fn enrolments() -> [Vec<Vec<i16>>; 2] {
    let palms: Vec<_> =
        (0..PALMS as u64).map(|seed| Identity::from_seed(9_000 + seed).palm(Side::Right)).collect();
    [1, 2].map(|capture| {
        let vector = |palm: &handfast_palm_synth::Hand| {
            let picture = palm.roi(capture, Spectrum::Visible, 160);
            let sample = Sample::from_roi_picture(&picture, Side::Right);
            let reference = reference(&[sample]).unwrap();
            reference.vector().iter().map(|&number| i16::from(number)).collect()
        };
        palms.iter().map(vector).collect()
    })
}

fn inner_product(a: &[i16], b: &[i16]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

fn equal_bits(a: &[i16], b: &[i16]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from((a ^ b).count_zeros())).sum()
}

fn equal_lowest_bits(a: &[i16], b: &[i16]) -> f64 {
    a.iter().zip(b).filter(|(a, b)| (**a ^ **b) & 1 == 0).count() as f64
}

fn signed(numbers: &[u16]) -> Vec<i16> {
    numbers.iter().map(|number| number.cast_signed()).collect()
}

/// What node A keeps of an enrolment: its converted row.
fn stored_row(set: &ShareSet) -> Vec<i16> {
    let mut rows = Rows::new(Role::A, set.dimension(), 1);
    rows.push(set).unwrap();
    let bytes = rows.stored(0).unwrap();
    bytes.as_chunks::<2>().0.iter().map(|two| i16::from_le_bytes(*two)).collect()
}

/// Mated and non-mated pairs of what is held of two enrolments, compared by `score`.
fn compare<T>(
    held: &[Vec<T>; 2],
    draw: &Draw,
    pairs: usize,
    score: impl Fn(&T, &T) -> f64,
) -> Scores {
    let per_palm = held[0].len() / PALMS;
    let pick = |palm: usize| palm * per_palm + draw.below(per_palm);
    let mated = (0..pairs).map(|at| {
        let palm = at % PALMS;
        score(&held[0][pick(palm)], &held[1][pick(palm)])
    });
    let other = (0..pairs).map(|at| {
        let palm = at % PALMS;
        let stranger = (palm + 1 + draw.below(PALMS - 1)) % PALMS;
        score(&held[0][pick(palm)], &held[1][pick(stranger)])
    });
    Scores { mated: mated.collect(), other: other.collect() }
}

/// Two relying parties' tokens of the same slots, as arming delivers them.
fn tokens(party: u8, random: &dyn Random) -> Vec<[u8; 16]> {
    (0..SLOTS)
        .map(|slot| {
            let mut keys = chunk_keys(random, 1).into_iter();
            let parts = Role::ALL.map(|role| {
                let keys = &mut keys.next().unwrap()[0];
                token_selection(party, role).deliver(role, slot, keys).unwrap()
            });
            open([&parts[0], &parts[1], &parts[2]]).unwrap()
        })
        .collect()
}

fn token_scores(draw: &Draw) -> Scores {
    let [first, second] = [1, 2].map(|party| tokens(party, &draw.0));
    let score = |a: &[u8; 16], b: &[u8; 16]| {
        a.iter().zip(b).map(|(a, b)| f64::from((a ^ b).count_zeros())).sum()
    };
    let mated = first.iter().zip(&second).map(|(a, b)| score(a, b)).collect();
    let other = first.iter().map(|a| {
        let stranger = 1 + draw.below(first.len() - 1);
        (a, stranger)
    });
    let other = other.enumerate().map(|(at, (a, by))| score(a, &second[(at + by) % second.len()]));
    Scores { mated, other: other.collect() }
}

#[test]
fn one_nodes_data_cannot_be_linked_and_two_nodes_can() {
    let draw = Draw(SeededRandom::new(11));
    let plain = enrolments();
    let dealt = plain.each_ref().map(|vectors| -> Vec<Dealt> {
        let deal = |vector: &Vec<i16>| Dealt::deal(vector, vector.len(), &draw.0).unwrap();
        vectors.iter().flat_map(|vector| (0..DEALINGS).map(move |_| deal(vector))).collect()
    });
    let of = |take: &dyn Fn(&Dealt) -> Vec<i16>| {
        dealt.each_ref().map(|all| all.iter().map(take).collect())
    };
    let component = |set: &ShareSet, role| signed(&set.component(role).unwrap());
    let shares: [Vec<Vec<i16>>; 2] = of(&|dealt| {
        let set = &dealt.sets[0];
        [component(set, Role::A), component(set, Role::C)].concat()
    });
    let rows: [Vec<Vec<i16>>; 2] = of(&|dealt| stored_row(&dealt.sets[0]));
    let of_two: [Vec<Vec<i16>>; 2] = of(&|dealt| {
        // A has components A and C, B has B and A: together all three.
        let [a, c] = [Role::A, Role::C].map(|role| component(&dealt.sets[0], role));
        let b = component(&dealt.sets[1], Role::B);
        a.iter().zip(b).zip(c).map(|((a, b), c)| a.wrapping_add(b).wrapping_add(c)).collect()
    });
    let score = |by: fn(&[i16], &[i16]) -> f64| move |a: &Vec<i16>, b: &Vec<i16>| by(a, b);
    let one_node = [
        ("shares, inner product", compare(&shares, &draw, PAIRS, score(inner_product))),
        ("shares, equal bits", compare(&shares, &draw, PAIRS, score(equal_bits))),
        ("stored rows, inner product", compare(&rows, &draw, PAIRS, score(inner_product))),
        ("stored rows, equal bits", compare(&rows, &draw, PAIRS, score(equal_bits))),
        ("stored rows, lowest bits", compare(&rows, &draw, PAIRS, score(equal_lowest_bits))),
        ("tokens of two parties", token_scores(&draw)),
    ];
    println!("D_sys   mixed up (99 %)");
    for (what, scores) in &one_node {
        let (value, nothing) = (scores.d_sys(), scores.of_nothing(&draw));
        println!("{value:.4}  {nothing:.4}           one node: {what}");
        assert!(value <= nothing, "{what} can be linked");
    }
    let clear = compare(&plain, &draw, PALMS * (PALMS - 1), score(inner_product));
    let two = compare(&of_two, &draw, PAIRS, score(inner_product));
    for (what, scores) in [("plain template", &clear), ("two nodes together", &two)] {
        let (value, nothing) = (scores.d_sys(), scores.of_nothing(&draw));
        println!("{value:.4}  {nothing:.4}           {what}");
        assert!(value > 0.9, "the control: {what} can be linked");
    }
}
