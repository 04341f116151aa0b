//! D_sys, the measure of Gomez-Barrero, Galbally, Rathgeb and Busch ("General Framework to Evaluate
//! Unlinkability in Biometric Template Protection Systems", IEEE TIFS 13 (6), 2018): 0 where stored
//! data of one palm cannot be told from those of two, 1 where it always can.

use handfast_model::{Random as _, SeededRandom};

/// Histogram bins, with equally many of all scores each: few, as a drill has few pairs.
const BINS: usize = 8;
/// Times that pairs are mixed up, to see what the measure says of nothing.
const MIXED: usize = 200;

/// The measure, and what mixed-up pairs reach in 99 of 100 cases: with few pairs it is above 0 where
/// there is nothing to link.
pub(super) fn d_sys(mated: &[f64], other: &[f64]) -> (f64, f64) {
    let random = SeededRandom::new(1);
    let mut all: Vec<f64> = mated.iter().chain(other).copied().collect();
    let mut of_nothing: Vec<f64> = (0..MIXED)
        .map(|_| {
            for at in (1..all.len()).rev() {
                all.swap(at, below(&random, at + 1));
            }
            let (mated, other) = all.split_at(mated.len());
            measure(mated, other)
        })
        .collect();
    of_nothing.sort_by(f64::total_cmp);
    (measure(mated, other), of_nothing[MIXED * 99 / 100])
}

fn below(random: &SeededRandom, bound: usize) -> usize {
    let mut bytes = [0; 8];
    random.fill(&mut bytes);
    (u64::from_le_bytes(bytes) % bound as u64) as usize
}

/// With a prior ratio of 1.
fn measure(mated: &[f64], other: &[f64]) -> f64 {
    let mut all: Vec<f64> = mated.iter().chain(other).copied().collect();
    all.sort_by(f64::total_cmp);
    let edges: Vec<f64> = (1..BINS).map(|bin| all[bin * all.len() / BINS]).collect();
    let histogram = |scores: &[f64]| {
        let mut counts = [0_usize; BINS];
        for score in scores {
            counts[edges.partition_point(|edge| edge <= score)] += 1;
        }
        counts.map(|count| count as f64 / scores.len() as f64)
    };
    let bins = histogram(mated).into_iter().zip(histogram(other));
    bins.filter(|(mated, _)| *mated > 0.0)
        .map(|(mated, other)| mated * (2.0 * mated / (mated + other) - 1.0).max(0.0))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_apart_is_linkable_and_what_is_mixed_is_not() {
        let numbers = |from: usize| (from..from + 400).map(|x| (x % 400) as f64);
        let (apart, _) = d_sys(
            &numbers(0).map(|x| x + 1_000.0).collect::<Vec<_>>(),
            &numbers(0).collect::<Vec<_>>(),
        );
        assert!(apart > 0.99, "{apart}");
        let (alike, of_nothing) =
            d_sys(&numbers(7).collect::<Vec<_>>(), &numbers(0).collect::<Vec<_>>());
        assert!(alike <= of_nothing && of_nothing < 0.15, "{alike} {of_nothing}");
    }
}
