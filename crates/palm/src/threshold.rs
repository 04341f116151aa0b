//! From what score on a palm counts as recognised.

/// The least score that counts as recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Threshold(i32);

/// The highest threshold: half of what two equal vectors score. A palm that scores less than this
/// against itself another day is not worth storing, and one that scores more by chance has not been
/// seen.
const SCORE_MAX: i32 = 1 << 13;

/// Scores that a stranger's palm reaches with a probability of ten to the minus first, second and so
/// on, in one comparison with a probe of full effort. One of light effort has fewer vectors to be
/// alike by chance with, so that it errs less at the same threshold.
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
const SCORE_BY_DECADE: [i32; 9] =
    [4_750, 5_550, 6_050, 6_850, 7_250, 7_550, 7_800, 8_000, SCORE_MAX];

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
/// with a probability of at most `fpir`. Each comparison may err `gallery_size` times less often:
/// see [`threshold_at_fmr`]. A probe of three frames has three chances; ask for a third of the rate.
#[must_use]
pub fn threshold(gallery_size: usize, fpir: f64) -> Threshold {
    threshold_at_fmr(fpir / gallery_size.max(1) as f64)
}

/// The threshold at which one comparison with a stranger matches with a probability of at most
/// `fmr`. It is measured down to 1e-4, extrapolated below, and ends at 2 to the 13th, reached at
/// 1e-9: for smaller rates that is the answer too, and asks for two palms or more samples.
#[must_use]
pub fn threshold_at_fmr(fmr: f64) -> Threshold {
    let last = SCORE_BY_DECADE.len() - 1;
    if fmr.is_nan() || fmr <= 0.0 {
        return Threshold(SCORE_MAX);
    }
    let decades = (-fmr.log10() - 1.0).clamp(0.0, last as f64);
    let below = (decades as usize).min(last - 1);
    let (low, high) = (f64::from(SCORE_BY_DECADE[below]), f64::from(SCORE_BY_DECADE[below + 1]));
    Threshold((low + (high - low) * (decades - below as f64)).ceil() as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_with_the_gallery_and_with_caution_and_stays_in_range() {
        let mut last = 0;
        for gallery in [0, 1, 10, 1_000, 10_000, 1_000_000, usize::MAX] {
            let strict = threshold(gallery, 0.001).get();
            assert!(threshold(gallery, 0.01).get() <= strict);
            assert!(strict >= last, "gallery {gallery}");
            assert!((1..=SCORE_MAX).contains(&strict));
            last = strict;
        }
        for senseless in [0.0, -1.0, f64::NAN] {
            assert_eq!(threshold(10, senseless).get(), SCORE_MAX);
        }
        assert_eq!(threshold(1, f64::INFINITY).get(), SCORE_BY_DECADE[0]);
    }

    #[test]
    fn gives_the_measured_scores_at_whole_decades() {
        for (i, &score) in SCORE_BY_DECADE.iter().enumerate() {
            let found = threshold_at_fmr(10_f64.powi(-1 - i as i32)).get();
            assert!((found - score).abs() <= 1, "decade {i}: {found}");
        }
        assert_eq!(threshold(100, 0.01), threshold(1, 0.0001));
    }

    #[test]
    fn accepts_from_its_score_on() {
        let threshold = Threshold::from_score(7_000);
        assert!(threshold.accepts(7_000) && !threshold.accepts(6_999));
    }
}
