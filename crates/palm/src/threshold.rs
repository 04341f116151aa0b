//! From what score on a palm counts as recognised.

/// The least score that counts as recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Threshold(i32);

/// The highest threshold: half of what two equal vectors score. A palm that scores less than this
/// against itself another day is not worth storing, and one that scores more by chance has not been
/// seen.
const SCORE_MAX: i32 = 1 << 13;

/// Scores that a stranger's palm reaches with a probability of ten to the minus first, second and so
/// on, in one comparison.
///
/// Measured on whole pictures of real hands, none of which took part in making the engine
/// (`handfast eval DIR` prints the threshold at each rate): 11,399 comparisons of strangers of
/// coep-hand gave 6,613 at 1e-2, 7,277 at 1e-3, 7,393 at 1e-4 and 7,588 at most; 28,125 of
/// polyu-nir-palm 5,896, 6,581, 7,205 and 7,476. Ready-made crops give less (tongji-roi over
/// 1,428,000: 4,891, 5,638, 6,262, then 6,655 at 1e-5 and 6,919 at 1e-6), since cutting by the
/// valleys brings strangers' creases together too. Up to 1e-4 the table is the higher of the two
/// whole-picture sets and a margin. **Beyond 1e-4 it is extrapolated** by 250 for every factor of
/// ten, which is what tongji-roi's tail does at its end (393, then 264), and no number of
/// comparisons at hand can confirm it.
const SCORE_BY_DECADE: [i32; 7] = [5_750, 6_650, 7_300, 7_600, 7_850, 8_100, SCORE_MAX];

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
/// with a probability of at most `fpir`. Each comparison may err `gallery_size` times less often;
/// that rate is looked up in the measured table, which ends at 2 to the 13th: for larger galleries
/// and smaller probabilities that is the answer too, and asks for two palms or more samples.
#[must_use]
pub fn threshold(gallery_size: usize, fpir: f64) -> Threshold {
    let rate = fpir / gallery_size.max(1) as f64;
    let last = SCORE_BY_DECADE.len() - 1;
    if rate.is_nan() || rate <= 0.0 {
        return Threshold(SCORE_MAX);
    }
    let decades = (-rate.log10() - 1.0).clamp(0.0, last as f64);
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
            let found = threshold(1, 10_f64.powi(-1 - i as i32)).get();
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
