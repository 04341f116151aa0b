//! How the cues are weighed.

use std::fmt;

use super::{CUES, Cues};

/// Version of the weights: it changes with any of them.
pub const LIVENESS_VERSION: u8 = 6;

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
    /// Fingers that do not sway against the palm.
    Stiff = 5,
    /// Surroundings that move with the hand.
    Carried = 6,
    /// One dye, whatever the gloss on it.
    Dye = 7,
}

impl Cue {
    /// All cues, in the order of [`Cues`].
    pub const ALL: [Self; CUES] = [
        Self::Grid,
        Self::TintGrid,
        Self::Grain,
        Self::Lines,
        Self::Bloom,
        Self::Stiff,
        Self::Carried,
        Self::Dye,
    ];

    /// No cue counts for more deviations than this: one wild number does not decide alone beyond it. Few,
    /// where a living hand may be as an artefact is: some people hold their fingers still.
    #[must_use]
    pub fn deviations_max(self) -> f32 {
        match self {
            Self::Stiff => 2.0,
            Self::Grid | Self::TintGrid => 20.0,
            _ => 12.0,
        }
    }

    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Grid => "grid",
            Self::TintGrid => "tint grid",
            Self::Grain => "grain",
            Self::Lines => "lines",
            Self::Bloom => "bloom",
            Self::Stiff => "stiff",
            Self::Carried => "carried",
            Self::Dye => "dye",
        }
    }
}

impl fmt::Display for Cue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Grid | Self::TintGrid => "a regular pattern as of a screen or a print",
            Self::Grain => "finer or coarser than a camera sees a hand",
            Self::Lines => "lines that are not coloured as skin's",
            Self::Bloom | Self::Dye => "not the colours of living skin",
            Self::Stiff => "moves in one piece",
            Self::Carried => "what is around the hand moves with it",
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

impl CueModel {
    /// The weights that this build judges with, as `handfast liveness --fit` printed them, but for the
    /// limit.
    pub const SHIPPED: Self = Self {
        cues: [
            // grid
            CueWeights { mean: 3.135_196, deviation: 0.362_617, below: 0.0, above: 0.424_774 },
            // tint grid
            CueWeights { mean: 3.196_662, deviation: 0.417_935, below: 0.0, above: 0.141_628 },
            // grain: cameras differ in it more than hands and artefacts do
            CueWeights { mean: 0.064_358, deviation: 0.021_539, below: 0.0, above: 0.0 },
            // lines
            CueWeights { mean: 0.790_664, deviation: 0.089_037, below: 0.0, above: 0.186_436 },
            // bloom
            CueWeights { mean: 0.013_914, deviation: 0.001_98, below: 1.618_586, above: 0.0 },
            // stiff: an entry's frames lie too near each other for fingers to have moved
            CueWeights { mean: -4.711_391, deviation: 0.558_091, below: 0.0, above: 0.0 },
            // carried
            CueWeights { mean: 0.0, deviation: 1.0, below: 0.0, above: 1.249_329 },
            // dye: says no more than bloom does
            CueWeights { mean: -3.928_908, deviation: 0.263_041, below: 0.0, above: 0.0 },
        ],
        // Fitted: 4.21, to 24 people. Living people differ from each other more than from visit to visit.
        limit: 4.4,
    };

    /// What each cue adds to the suspicion; a cue that the frames do not give adds nothing.
    #[must_use]
    pub fn parts(&self, cues: &Cues) -> [f32; CUES] {
        let mut parts = [0.0; CUES];
        for (i, (part, weights)) in parts.iter_mut().zip(&self.cues).enumerate() {
            let Some(value) = cues.0[i].filter(|it| it.is_finite()) else { continue };
            let most = Cue::ALL[i].deviations_max();
            let off = (value - weights.mean) / weights.deviation;
            *part = weights.below * (-off).clamp(0.0, most) + weights.above * off.clamp(0.0, most);
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
        cues[Cue::Stiff as usize] =
            CueWeights { mean: 0.5, deviation: 0.1, below: 2.0, above: 0.0 };
        CueModel { cues, limit: 3.0 }
    }

    #[test]
    fn suspicion_has_a_direction_and_a_reason() {
        let mut cues = Cues([Some(10.0); CUES]);
        cues.0[Cue::Stiff as usize] = Some(0.5);
        assert_eq!(model().judge(&cues), Liveness::Live);
        cues.0[Cue::Grid as usize] = Some(2.0);
        cues.0[Cue::Stiff as usize] = Some(0.9);
        assert!(model().judge(&cues).is_live(), "less of a grid and more sway is no suspicion");
        cues.0[Cue::Stiff as usize] = Some(0.3);
        let Liveness::Suspect { cue, excess } = model().judge(&cues) else {
            panic!("stiff fingers are a suspicion")
        };
        assert_eq!(cue, Cue::Stiff);
        assert!((excess - 1.0).abs() < 1e-4);
    }

    #[test]
    fn the_shipped_weights_know_a_screen_and_leave_a_hand_alone() {
        let seen = |cues: [f32; CUES]| Cues(cues.map(Some));
        // In the order of `Cue::ALL`: grid, tint grid, grain, lines, bloom, stiff, carried, dye.
        let hand = [3.4, 3.5, 0.2, 0.48, 0.014, -4.8, 0.0, -3.9];
        assert!(CueModel::SHIPPED.judge(&seen(hand)).is_live());
        let strongest = |cue: Cue, value: f32| {
            let mut cues = hand;
            cues[cue as usize] = value;
            match CueModel::SHIPPED.judge(&seen(cues)) {
                Liveness::Suspect { cue, .. } => Some(cue),
                Liveness::Live => None,
            }
        };
        assert_eq!(strongest(Cue::Grid, 40.0), Some(Cue::Grid));
        assert_eq!(strongest(Cue::Bloom, 0.004), Some(Cue::Bloom));
        assert_eq!(strongest(Cue::Stiff, -6.9), None, "a hand held quite still is no artefact");
        assert_eq!(strongest(Cue::Carried, 1.1), None, "a bag beside the hand is no sheet");
        assert_eq!(strongest(Cue::Carried, 4.0), Some(Cue::Carried));
    }

    #[test]
    fn the_shipped_weights_judge_as_they_did() {
        let golden = [
            ([3.4, 3.5, 0.2, 0.48, 0.014, -4.8, 0.0, -3.9], -3.987),
            ([3.1, 3.0, 0.1, 0.85, 0.012, -6.2, 0.0, -3.6], -2.711),
            ([4.2, 3.9, 0.1, 0.90, 0.012, -6.4, 3.4, -4.2], 3.127),
        ];
        for (cues, wanted) in golden {
            let excess = CueModel::SHIPPED.excess(&Cues(cues.map(Some)));
            assert!((excess - wanted).abs() < 0.002, "{excess} instead of {wanted}");
        }
    }

    #[test]
    fn what_cannot_be_told_adds_nothing() {
        assert!(model().judge(&Cues::default()).is_live());
        assert!(model().judge(&Cues([Some(f32::NAN); CUES])).is_live());
        let wild = Cues([Some(f32::MAX), None, None, None, None, None, None, None]);
        assert_eq!(model().parts(&wild)[0], Cue::Grid.deviations_max());
    }
}
