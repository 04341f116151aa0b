//! From what score on a palm counts as recognised.

/// The least score that counts as recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Threshold(i32);

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
/// with probability `fpir` at most.
#[must_use]
pub fn threshold(gallery_size: usize, fpir: f64) -> Threshold {
    let rate = (fpir / gallery_size.max(1) as f64).clamp(1e-9, 0.5);
    Threshold((5000.0 - 350.0 * rate.log10()) as i32)
}
