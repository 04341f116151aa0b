//! How the cues are weighed.

use std::fmt;

use super::{CUES, Cues};

/// Version of the weights: it changes with any of them.
pub const LIVENESS_VERSION: u8 = 5;

/// What a frame or a row of frames can give away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum Cue {
    /// A regular pattern finer than skin's: pixels or dots.
    Grid = 0,
    /// A regular pattern of colour.
    TintGrid = 1,
    /// More or less of the finest detail than a camera sees of a hand.
    Grain = 2,
    /// Lines that are not coloured as skin's.
    Lines = 3,
    /// Skin of one hue, or of too many.
    Bloom = 4,
    /// Motion as of a flat sheet.
    Depth = 5,
}

impl Cue {
    /// All cues, in the order of [`Cues`].
    pub const ALL: [Self; CUES] =
        [Self::Grid, Self::TintGrid, Self::Grain, Self::Lines, Self::Bloom, Self::Depth];

    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Grid => "grid",
            Self::TintGrid => "tint grid",
            Self::Grain => "grain",
            Self::Lines => "lines",
            Self::Bloom => "bloom",
            Self::Depth => "depth",
        }
    }
}

impl fmt::Display for Cue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Grid | Self::TintGrid => "a regular pattern as of a screen or a print",
            Self::Grain => "finer or coarser than a camera sees a hand",
            Self::Lines => "lines that are not coloured as skin's",
            Self::Bloom => "not the colours of living skin",
            Self::Depth => "moves as a flat sheet does",
        })
    }
}

/// What liveness came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Liveness {
    /// Nothing speaks against a living hand.
    Live,
    /// This may be no living hand: ask for another way.
    Suspect {
        /// What spoke against it most.
        cue: Cue,
        /// How suspicious it is: 0 is the limit.
        excess: f32,
    },
}

impl Liveness {
    /// Whether nothing speaks against a living hand.
    #[must_use]
    pub fn is_live(self) -> bool {
        matches!(self, Self::Live)
    }
}

/// How one cue is read: where it lies for living hands, and how much it weighs where it lies lower or
/// higher.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CueWeights {
    /// The mean of a living hand's.
    pub mean: f32,
    /// Its standard deviation.
    pub deviation: f32,
    /// Suspicion for each deviation below the mean.
    pub below: f32,
    /// Suspicion for each deviation above it.
    pub above: f32,
}

/// A row of weights: suspicion is the sum over the cues, and what reaches 0 is suspect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CueModel {
    /// How each cue is read, in the order of [`Cues`].
    pub cues: [CueWeights; CUES],
    /// What is taken off the sum: more than this much suspicion is too much.
    pub limit: f32,
}

/// No cue counts for more deviations than this: one wild number does not decide alone beyond it.
const DEVIATIONS_MAX: f32 = 12.0;

impl CueModel {
    /// The weights that this build judges with, as `handfast liveness --fit` printed them, but for the
    /// limit.
    pub const SHIPPED: Self = Self {
        cues: [
            // grid
            CueWeights { mean: 3.109_554, deviation: 0.374_604, below: 0.0, above: 0.462_542 },
            // tint grid
            CueWeights { mean: 3.224_481, deviation: 0.450_269, below: 0.0, above: 0.155_821 },
            // grain: cameras differ in it more than hands and artefacts do
            CueWeights { mean: 0.068_137, deviation: 0.021_061, below: 0.0, above: 0.0 },
            // lines
            CueWeights { mean: 0.773_341, deviation: 0.082_783, below: 0.0, above: 0.691_865 },
            // bloom: where it lies over the frames of a capture
            CueWeights { mean: 0.020_857, deviation: 0.002_665, below: 1.462_919, above: 0.0 },
            // depth: does not tell a body from a sheet over so small motions
            CueWeights { mean: 0.103_954, deviation: 0.232_191, below: 0.0, above: 0.0 },
        ],
        // Fitted: 4.13, to twelve people. Living people differ from each other more than from visit to
        // visit.
        limit: 4.6,
    };

    /// What each cue adds to the suspicion; a cue that the frames do not give adds nothing.
    #[must_use]
    pub fn parts(&self, cues: &Cues) -> [f32; CUES] {
        let mut parts = [0.0; CUES];
        for ((part, cue), weights) in parts.iter_mut().zip(cues.0).zip(&self.cues) {
            let Some(value) = cue.filter(|it| it.is_finite()) else { continue };
            let off = (value - weights.mean) / weights.deviation;
            *part = weights.below * (-off).clamp(0.0, DEVIATIONS_MAX)
                + weights.above * off.clamp(0.0, DEVIATIONS_MAX);
        }
        parts
    }

    /// The suspicion beyond the limit; below 0 is a living hand.
    #[must_use]
    pub fn excess(&self, cues: &Cues) -> f32 {
        self.parts(cues).iter().sum::<f32>() - self.limit
    }

    /// The decision.
    #[must_use]
    pub fn judge(&self, cues: &Cues) -> Liveness {
        let excess = self.excess(cues);
        if excess < 0.0 {
            return Liveness::Live;
        }
        let parts = self.parts(cues);
        let strongest =
            Cue::ALL.into_iter().max_by(|&a, &b| parts[a as usize].total_cmp(&parts[b as usize]));
        strongest.map_or(Liveness::Live, |cue| Liveness::Suspect { cue, excess })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> CueModel {
        let mut cues = [CueWeights { mean: 10.0, deviation: 2.0, below: 0.0, above: 1.0 }; CUES];
        cues[Cue::Depth as usize] =
            CueWeights { mean: 0.5, deviation: 0.1, below: 2.0, above: 0.0 };
        CueModel { cues, limit: 3.0 }
    }

    #[test]
    fn suspicion_has_a_direction_and_a_reason() {
        let mut cues = Cues([Some(10.0); CUES]);
        cues.0[Cue::Depth as usize] = Some(0.5);
        assert_eq!(model().judge(&cues), Liveness::Live);
        cues.0[Cue::Grid as usize] = Some(2.0);
        cues.0[Cue::Depth as usize] = Some(0.9);
        assert!(model().judge(&cues).is_live(), "less of a grid and more depth is no suspicion");
        cues.0[Cue::Depth as usize] = Some(0.3);
        let Liveness::Suspect { cue, excess } = model().judge(&cues) else { panic!("flat") };
        assert_eq!(cue, Cue::Depth);
        assert!((excess - 1.0).abs() < 1e-4);
    }

    #[test]
    fn the_shipped_weights_know_a_screen_and_leave_a_hand_alone() {
        let hand = Cues([Some(3.4), Some(3.5), Some(0.2), Some(0.48), Some(0.025), Some(0.1)]);
        assert!(CueModel::SHIPPED.judge(&hand).is_live());
        let mut screen = hand;
        (screen.0[Cue::Grid as usize], screen.0[Cue::TintGrid as usize]) = (Some(40.0), Some(30.0));
        let Liveness::Suspect { cue, .. } = CueModel::SHIPPED.judge(&screen) else {
            panic!("a screen")
        };
        assert_eq!(cue, Cue::Grid);
    }

    #[test]
    fn what_cannot_be_told_adds_nothing() {
        assert!(model().judge(&Cues::default()).is_live());
        assert!(model().judge(&Cues([Some(f32::NAN); CUES])).is_live());
        let wild = Cues([Some(f32::MAX), None, None, None, None, None]);
        assert_eq!(model().parts(&wild)[0], DEVIATIONS_MAX);
    }
}
