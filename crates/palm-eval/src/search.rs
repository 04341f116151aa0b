//! Error rates of searches among many enrolled palms: FPIR and FNIR.
//!
//! Where a set has enough palms, strangers' searches are run and counted. Where it has fewer, a
//! search of `n` palms is taken as `n` independent comparisons, `FPIR = 1 - (1 - FMR)^n`; where the
//! FMR which that asks for is rarer than the pairs can show, the threshold is read off a tail laid
//! through the best impostor scores. Both are extrapolations, and are marked.

use crate::rates::{Weighted, trials_suffice};
use crate::score::Scores;

/// Gallery sizes that a report names.
pub const GALLERIES: [usize; 2] = [1_000, 10_000];

/// The false positive rates that a report names: a first look, and the one wanted at an entrance.
pub const FPIRS: [f64; 2] = [1e-2, 1e-3];

/// The tail is laid through the best thousandth of the impostor scores: near enough to the end for
/// its shape to be the tail's.
const TAIL_SHARE: f64 = 1e-3;
/// ... but through at least so many scores, so that the mean excess is known to a seventh.
const TAIL_SCORES_MIN: usize = 50;
/// ... and never through more than a twentieth: then there are too few scores to speak of a tail.
const TAIL_SHARE_MAX: f64 = 0.05;
/// Shape of the tail, as a generalised Pareto distribution has it: with this one, the excesses of a
/// normal distribution over its 99.9th percentile lead to its true score at an FMR of 1e-7. A score is
/// a sum of hundreds of products, so its tail is about a normal's; 0, an exponential tail, would ask
/// for scores a sixth too high.
const TAIL_SHAPE: f64 = -0.07;

/// What a search comes to at one wanted FPIR.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct SearchRate {
    /// The wanted rate of strangers' searches that find somebody.
    pub fpir: f64,
    /// The rate of enrolled people's searches that do not find them; none where no threshold is
    /// known, or there is no genuine pair.
    pub fnir: Option<f64>,
    /// The threshold at which both hold.
    pub threshold: Option<i32>,
    /// The false match rate of one comparison at that threshold.
    pub fmr: f64,
    /// Whether the set has fewer palms than enrolled, so that this follows from single comparisons.
    pub extrapolated: bool,
    /// Whether even the FMR is beyond the pairs, so that the threshold lies on a fitted tail.
    pub beyond_pairs: bool,
}

/// The rates of searches among `enrolled` palms. `maxima` are the best scores of strangers'
/// searches in such a gallery, empty where the set has too few palms.
#[must_use]
pub fn search_rates(scores: &Scores, enrolled: usize, mut maxima: Vec<i32>) -> Vec<SearchRate> {
    let weights = vec![1; scores.palms.len()];
    let weighted = Weighted::new(scores, &weights);
    maxima.sort_unstable_by(|a, b| b.cmp(a));
    let rate = |fpir| {
        let fmr = per_comparison(fpir, enrolled);
        if trials_suffice(fpir, maxima.len() as u64) {
            let threshold = threshold_of_searches(&maxima, fpir);
            let fnir = weighted.fnmr(threshold);
            let (extrapolated, beyond_pairs) = (false, false);
            let threshold = Some(threshold);
            return SearchRate { fpir, fnir, threshold, fmr, extrapolated, beyond_pairs };
        }
        let beyond_pairs = !trials_suffice(fmr, scores.impostor.len() as u64);
        let threshold = if beyond_pairs {
            Tail::fit(scores).map(|tail| tail.threshold(fmr))
        } else {
            weighted.at_fmr(fmr).map(|point| point.threshold)
        };
        let fnir = threshold.and_then(|t| weighted.fnmr(t));
        SearchRate { fpir, fnir, threshold, fmr, extrapolated: true, beyond_pairs }
    };
    FPIRS.map(rate).to_vec()
}

/// The FMR at which `enrolled` independent comparisons come to `fpir`.
#[must_use]
pub fn per_comparison(fpir: f64, enrolled: usize) -> f64 {
    // 1 - (1 - fpir)^(1/n), in the form that keeps its digits where the result is tiny.
    -((-fpir).ln_1p() / enrolled as f64).exp_m1()
}

/// The lowest threshold that no more than `fpir` of the searches reach.
fn threshold_of_searches(maxima_falling: &[i32], fpir: f64) -> i32 {
    let allowed = (fpir * maxima_falling.len() as f64) as usize;
    maxima_falling[allowed].saturating_add(1)
}

/// A generalised Pareto tail of [`TAIL_SHAPE`] through the best impostor scores (Pickands 1975).
#[derive(Clone, Copy, Debug)]
pub struct Tail {
    /// Where the tail begins.
    start: f64,
    /// The share of scores in it.
    share: f64,
    /// The mean height of those scores above its start.
    mean_excess: f64,
}

impl Tail {
    /// Lays the tail; none where there are too few impostor scores, or they do not differ.
    #[must_use]
    pub fn fit(scores: &Scores) -> Option<Self> {
        let impostor = &scores.impostor;
        let count = ((impostor.len() as f64 * TAIL_SHARE) as usize).max(TAIL_SCORES_MIN);
        if count as f64 > impostor.len() as f64 * TAIL_SHARE_MAX {
            return None;
        }
        let start = f64::from(impostor[count].score);
        let excess: f64 = impostor[..count].iter().map(|i| f64::from(i.score) - start).sum();
        let (share, mean_excess) = (count as f64 / impostor.len() as f64, excess / count as f64);
        (mean_excess > 0.0).then_some(Self { start, share, mean_excess })
    }

    /// The threshold at which `fmr` of the impostor pairs match.
    #[must_use]
    pub fn threshold(&self, fmr: f64) -> i32 {
        let scale = self.mean_excess * (1.0 - TAIL_SHAPE);
        let reach = (self.share / fmr).max(1.0).powf(TAIL_SHAPE) - 1.0;
        (self.start + scale * reach / TAIL_SHAPE).ceil() as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rates::tests::scores;

    #[test]
    fn one_comparison_of_a_search_by_hand() {
        assert!((per_comparison(0.19, 2) - 0.1).abs() < 1e-12, "1 - .9^2 = .19");
        let fmr = per_comparison(1e-3, 10_000);
        assert!((fmr - 1.000_5e-7).abs() < 1e-11, "{fmr}");
        assert!((per_comparison(0.01, 1) - 0.01).abs() < 1e-12);
    }

    /// Scores that are sums of twelve uniform numbers of 0 to 999: nearly normal, and their last
    /// end is known.
    fn nearly_normal(count: usize, seed: u64) -> Scores {
        let mut bytes = vec![0; count * 24];
        handfast_model::Random::fill(&handfast_model::SeededRandom::new(seed), &mut bytes);
        let number = |b: &[u8]| i32::from(u16::from_le_bytes([b[0], b[1]])) * 1000 / 65_536;
        let impostor: Vec<i32> =
            bytes.chunks(24).map(|sum| sum.chunks(2).map(number).sum()).collect();
        scores(&[1], &impostor, 0)
    }

    #[test]
    fn the_tail_meets_the_known_end_of_a_distribution() {
        for seed in 0..4 {
            let tail = Tail::fit(&nearly_normal(200_000, seed)).unwrap();
            // P(sum >= 12 - y) = (y^12 - 12 (y - 1)^12) / 12!, in units of one number: 1e-7 is at
            // y = 1.38. A normal distribution would have it at 5.2 deviations, 11,200.
            let threshold = tail.threshold(1e-7);
            assert!((10_500..11_200).contains(&threshold), "{threshold}");
            // 1e-5 is at y = 2.025.
            let threshold = tail.threshold(1e-5);
            assert!((9_850..10_150).contains(&threshold), "{threshold}");
        }
    }

    #[test]
    fn the_tail_begins_where_it_was_laid() {
        let scores = nearly_normal(100_000, 9);
        let tail = Tail::fit(&scores).unwrap();
        let hundredth = scores.impostor[100].score;
        assert_eq!(tail.threshold(1e-3), hundredth);
        assert_eq!(tail.threshold(0.5), hundredth, "nothing is said of what lies before the tail");
        assert!(tail.threshold(1e-6) > tail.threshold(1e-5));
    }

    #[test]
    fn too_few_or_equal_scores_have_no_tail() {
        assert!(Tail::fit(&scores(&[], &[1; 999], 0)).is_none());
        assert!(Tail::fit(&scores(&[], &[1; 5_000], 0)).is_none());
        assert!(Tail::fit(&scores(&[], &[], 0)).is_none());
    }

    #[test]
    fn few_palms_are_extrapolated_and_say_so() {
        let impostor: Vec<i32> = (0..100_000).map(|i| i % 1000).collect();
        let scores = scores(&[2_000, 2_000, 2_000, 10], &impostor, 0);
        let rates = search_rates(&scores, 10, Vec::new());
        // FPIR 1e-2 of 10 asks for an FMR of 1e-3: 100 of the 100,000 pairs, the score 999.
        assert_eq!(rates[0].threshold, Some(999));
        assert_eq!(
            (rates[0].fnir, rates[0].extrapolated, rates[0].beyond_pairs),
            (Some(0.25), true, false)
        );
        let rates = search_rates(&scores, 10_000, Vec::new());
        assert!(rates.iter().all(|r| r.extrapolated && r.beyond_pairs));
        assert!(rates[1].threshold >= rates[0].threshold);
    }

    #[test]
    fn enough_searches_are_counted() {
        let scores = scores(&[2_000, 995], &[1, 2, 3], 0);
        let rates = search_rates(&scores, 10_000, (0..1_000).collect());
        // Ten of a thousand searches may find somebody: 990 to 999.
        assert_eq!(rates[0].threshold, Some(990));
        assert_eq!((rates[0].fnir, rates[0].extrapolated), (Some(0.0), false));
        assert!(rates[1].extrapolated, "one of a thousand is too few to count");
        assert_eq!(rates[1].threshold, None, "three pairs have no tail");
    }
}
