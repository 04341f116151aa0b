//! From what score on a palm counts as recognised.

use crate::Effort;

/// The least score that counts as recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Threshold(i32);

/// The highest threshold: half of what two equal vectors score. A palm that scores less than this
/// against itself another day is not worth storing, and one that scores more by chance has not been
/// seen.
const SCORE_MAX: i32 = 1 << 13;

/// Scores that a stranger's palm reaches with a probability of ten to the minus first, second and so
/// on, in one comparison with a probe of full effort.
///
/// Measured for format version 2 on real palms, none of which took part in making the engine
/// (`handfast eval DIR` prints the threshold at each rate): on whole pictures, 11,549 comparisons of
/// strangers of coep-hand gave 4,678 at 1e-1, 5,490 at 1e-2, 5,946 at 1e-3, 6,785 at 1e-4 (one pair
/// of palms) and none from 6,829 on; 56,160 of polyu-nir-palm 3,716, 4,608, 5,253 and 5,920.
/// Ready-made crops give less (tongji-roi over 1,428,000: 3,158, 4,116, 4,751, 5,254, and 5,635 at
/// 1e-5), since cutting by the valleys brings strangers' creases together too. Up to 1e-4 the table
/// is the higher of the two whole-picture sets and a margin. **Beyond 1e-4 it is extrapolated**: by
/// 400 to 1e-5, as tongji-roi has it (381), then by less and less, as its steps do (635, 503, 381);
/// no number of comparisons at hand can confirm it.
const FULL_BY_DECADE: ByDecade =
    [4_750, 5_550, 6_050, 6_850, 7_250, 7_550, 7_800, 8_000, SCORE_MAX];

/// The same with a probe of light effort: six vectors are less often alike by chance than 44.
///
/// Measured by the example `efforts` on the same sets: coep-hand 4,310, 5,208, 5,871 and, by one pair,
/// 6,211, none from 6,350 on; polyu-nir-palm 3,385, 4,282, 5,004, 5,713; tongji-roi 2,767, 3,784, 4,474,
/// 5,084 and 5,561 at 1e-5. The margins and, beyond 1e-4, the steps are those of full effort; that the
/// further steps hold is as little confirmed.
const LIGHT_BY_DECADE: ByDecade = [4_400, 5_300, 6_000, 6_450, 6_850, 7_150, 7_400, 7_600, 7_800];

type ByDecade = [i32; 9];

/// The least rate that was measured: there the tables' first four scores end.
const MEASURED_TO: f64 = 1e-4;
/// The rate of the tables' last score.
const EXTRAPOLATED_TO: f64 = 1e-9;

/// What a threshold at a rate rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ThresholdGround {
    /// Comparisons of strangers' palms were counted at rates as low as this.
    Measured,
    /// No set has enough pairs: the scores' steps from decade to decade were carried on.
    Extrapolated,
    /// The rate is lower than anything is said of. The threshold is the last one, and the rate is not
    /// promised: ask for two palms or more samples.
    Ended,
}

impl ThresholdGround {
    /// What the threshold at this false match rate of one comparison rests on.
    #[must_use]
    pub fn at_fmr(fmr: f64) -> Self {
        // The rates at the borders are computed, as a gallery's part: rounding must not move them.
        const SLACK: f64 = 1.0 - 1e-9;
        if fmr >= MEASURED_TO * SLACK {
            Self::Measured
        } else if fmr >= EXTRAPOLATED_TO * SLACK {
            Self::Extrapolated
        } else {
            Self::Ended
        }
    }
}

impl Threshold {
    /// The score as a number: at most 2 to the 13th.
    #[must_use]
    pub fn get(self) -> i32 {
        self.0
    }

    /// A threshold from a number that was stored.
    #[must_use]
    pub fn from_score(score: i32) -> Self {
        Self(score)
    }

    /// Whether a score is recognised.
    #[must_use]
    pub fn accepts(self, score: i32) -> bool {
        score >= self.0
    }
}

/// The threshold at which a stranger's search of a gallery of `gallery_size` palms finds anybody
/// with a probability of at most `fpir`, with a probe of full effort. Each comparison may err
/// `gallery_size` times less often: see [`threshold_at_fmr`]. A probe of three frames has three
/// chances; ask for a third of the rate.
#[must_use]
pub fn threshold(gallery_size: usize, fpir: f64) -> Threshold {
    threshold_with(Effort::Full, gallery_size, fpir)
}

/// The threshold of [`threshold`] for a probe of this effort.
#[must_use]
pub fn threshold_with(effort: Effort, gallery_size: usize, fpir: f64) -> Threshold {
    at_fmr(effort, fpir / gallery_size.max(1) as f64)
}

/// The threshold at which one comparison with a stranger matches with a probability of at most
/// `fmr`, with a probe of full effort. It is measured down to 1e-4, extrapolated below, and ends at 2
/// to the 13th, reached at 1e-9: for smaller rates that is the answer too (see [`ThresholdGround`]).
#[must_use]
pub fn threshold_at_fmr(fmr: f64) -> Threshold {
    at_fmr(Effort::Full, fmr)
}

fn at_fmr(effort: Effort, fmr: f64) -> Threshold {
    let by_decade = match effort {
        Effort::Full => FULL_BY_DECADE,
        Effort::Light => LIGHT_BY_DECADE,
    };
    let last = by_decade.len() - 1;
    if fmr.is_nan() || fmr <= 0.0 {
        return Threshold(by_decade[last]);
    }
    let decades = (-fmr.log10() - 1.0).clamp(0.0, last as f64);
    let below = (decades as usize).min(last - 1);
    let (low, high) = (f64::from(by_decade[below]), f64::from(by_decade[below + 1]));
    Threshold((low + (high - low) * (decades - below as f64)).ceil() as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EFFORTS: [(Effort, ByDecade); 2] =
        [(Effort::Full, FULL_BY_DECADE), (Effort::Light, LIGHT_BY_DECADE)];

    #[test]
    fn rises_with_the_gallery_and_with_caution_and_stays_in_range() {
        for (effort, by_decade) in EFFORTS {
            let mut last = 0;
            for gallery in [0, 1, 10, 1_000, 10_000, 1_000_000, usize::MAX] {
                let strict = threshold_with(effort, gallery, 0.001).get();
                assert!(threshold_with(effort, gallery, 0.01).get() <= strict);
                assert!(strict >= last, "gallery {gallery}");
                assert!((1..=SCORE_MAX).contains(&strict));
                last = strict;
            }
            for senseless in [0.0, -1.0, f64::NAN, f64::NEG_INFINITY] {
                assert_eq!(threshold_with(effort, 10, senseless).get(), by_decade[8]);
            }
            assert_eq!(threshold_with(effort, 1, f64::INFINITY).get(), by_decade[0]);
        }
        assert_eq!(threshold(10_000, 1e-3), threshold_with(Effort::Full, 10_000, 1e-3));
    }

    #[test]
    fn gives_the_tables_scores_at_whole_decades_and_lies_between_them_elsewhere() {
        for (effort, by_decade) in EFFORTS {
            for (i, &score) in by_decade.iter().enumerate() {
                let found = at_fmr(effort, 10_f64.powi(-1 - i as i32)).get();
                assert!((found - score).abs() <= 1, "decade {i}: {found}");
            }
            for (i, pair) in by_decade.windows(2).enumerate() {
                let between = at_fmr(effort, 10_f64.powf(-1.5 - i as f64)).get();
                assert!((between - i32::midpoint(pair[0], pair[1])).abs() <= 1, "{i}: {between}");
            }
        }
        assert_eq!(threshold(100, 0.01), threshold(1, 0.0001));
    }

    #[test]
    fn what_is_carried_on_beyond_the_pairs_rises_by_less_and_less() {
        for (_, by_decade) in EFFORTS {
            let carried_on: Vec<i32> = by_decade[3..].windows(2).map(|w| w[1] - w[0]).collect();
            assert!(carried_on.windows(2).all(|w| 0 < w[1] && w[1] <= w[0]), "{carried_on:?}");
        }
    }

    #[test]
    fn says_what_a_threshold_rests_on() {
        use ThresholdGround::{Ended, Extrapolated, Measured};
        let cases = [(1.0, Measured), (1e-4, Measured), (9.9e-5, Extrapolated)];
        let beyond = [(1e-9, Extrapolated), (9.9e-10, Ended), (0.0, Ended), (f64::NAN, Ended)];
        for (fmr, ground) in cases.into_iter().chain(beyond) {
            assert_eq!(ThresholdGround::at_fmr(fmr), ground, "{fmr}");
        }
        // A gallery's part of a rate, as callers compute it.
        assert_eq!(ThresholdGround::at_fmr(1e-3 / 10.0), Measured);
        assert_eq!(ThresholdGround::at_fmr(1e-3 / 1e6), Extrapolated);
    }

    #[test]
    fn light_effort_asks_for_no_more_than_full() {
        for (full, light) in FULL_BY_DECADE.iter().zip(LIGHT_BY_DECADE) {
            assert!(light < *full);
        }
    }

    #[test]
    fn accepts_from_its_score_on() {
        let threshold = Threshold::from_score(7_000);
        assert!(threshold.accepts(7_000) && !threshold.accepts(6_999));
    }
}
