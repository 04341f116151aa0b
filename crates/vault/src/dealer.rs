//! The dealer's half: what a pedestal may use of the vault. It turns the samples of one capture
//! into what is sent to be enrolled or searched, and knows nothing of galleries, tokens or stores.
//!
//! Every value here is one capture's: templates are zeroed when it is dropped, and `Debug` prints
//! nothing of them.

use handfast_palm::{Probe, Reference, Sample, Side, TemplateError, probe, reference, threshold};
use thiserror::Error;

/// Most frames of one palm in a capture: more gain little and cost a search each.
pub const FRAMES_MAX: usize = 3;
/// Most palms of one person.
pub const PALMS_MAX: usize = 2;
/// How often the two different palms of one person may be taken for one: somebody who is told to
/// show the other hand and already does would be stuck, so seldom.
const ALIKE_RATE: f64 = 1e-5;

/// Why samples do not make an enrolment or a presentation.
#[derive(Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DealError {
    /// No frame, or too many.
    #[error("a palm is captured in 1 to {FRAMES_MAX} frames, {found} were given")]
    FrameCount {
        /// Frames given.
        found: usize,
    },
    /// No palm, or too many.
    #[error("1 to {PALMS_MAX} palms are taken at once, {found} were given")]
    PalmCount {
        /// Palms given.
        found: usize,
    },
    /// Frames of both hands where one was asked for.
    #[error("the frames show both hands; capture each hand for itself")]
    BothSides,
    /// Both palms are of the same hand.
    #[error("both palms are of the {side:?} hand; show the other one")]
    SameSide {
        /// The hand given twice.
        side: Side,
    },
    /// Both palms are one and the same.
    #[error("both captures show the same palm; show the other hand")]
    PalmsAlike,
    /// The engine made no template.
    #[error("no template could be made of the frames")]
    Template(#[from] TemplateError),
}

/// One palm to be enrolled: the reference that is stored, and the probes that are searched before.
#[derive(Debug)]
pub struct Enrolment {
    side: Side,
    reference: Reference,
    probes: Vec<Probe>,
}

impl Enrolment {
    /// Fuses the frames of one palm into a reference, and takes a probe of each.
    ///
    /// # Errors
    /// [`DealError::FrameCount`], [`DealError::BothSides`], [`DealError::Template`].
    pub fn from_samples(samples: &[Sample]) -> Result<Self, DealError> {
        let side = one_side(samples)?;
        let reference = reference(samples)?;
        Ok(Self { side, reference, probes: samples.iter().map(probe).collect() })
    }

    /// From templates that exist already.
    ///
    /// # Errors
    /// [`DealError::FrameCount`].
    pub fn from_templates(
        side: Side,
        reference: Reference,
        probes: Vec<Probe>,
    ) -> Result<Self, DealError> {
        check_frames(probes.len())?;
        Ok(Self { side, reference, probes })
    }

    /// Which hand.
    #[must_use]
    pub fn side(&self) -> Side {
        self.side
    }

    pub(crate) fn reference(&self) -> &Reference {
        &self.reference
    }

    pub(crate) fn into_reference(self) -> Reference {
        self.reference
    }

    pub(crate) fn probes(&self) -> &[Probe] {
        &self.probes
    }

    fn is_like(&self, other: &Self) -> bool {
        let alike = threshold(1, ALIKE_RATE);
        let score = |probe| handfast_palm::score(&self.reference, probe);
        other.probes.iter().any(|probe| alike.accepts(score(probe)))
    }
}

/// The palms that one person enrols at once: one, or a left and a right one that differ.
#[derive(Debug)]
pub struct Enrolments(Vec<Enrolment>);

impl Enrolments {
    /// Checks that the palms may be enrolled together.
    ///
    /// # Errors
    /// [`DealError::PalmCount`], [`DealError::SameSide`], [`DealError::PalmsAlike`].
    pub fn new(palms: Vec<Enrolment>) -> Result<Self, DealError> {
        check_palms(palms.iter().map(Enrolment::side))?;
        if let [one, other] = palms.as_slice()
            && (one.is_like(other) || other.is_like(one))
        {
            return Err(DealError::PalmsAlike);
        }
        Ok(Self(palms))
    }

    /// The palms, in the order given.
    #[must_use]
    pub fn palms(&self) -> &[Enrolment] {
        &self.0
    }

    pub(crate) fn into_palms(self) -> Vec<Enrolment> {
        self.0
    }
}

/// One palm shown to be found: a probe of each frame.
#[derive(Debug)]
pub struct PresentedPalm {
    side: Side,
    probes: Vec<Probe>,
}

impl PresentedPalm {
    /// Takes a probe of each frame.
    ///
    /// # Errors
    /// [`DealError::FrameCount`], [`DealError::BothSides`].
    pub fn from_samples(samples: &[Sample]) -> Result<Self, DealError> {
        let side = one_side(samples)?;
        Ok(Self { side, probes: samples.iter().map(probe).collect() })
    }

    /// From probes that exist already.
    ///
    /// # Errors
    /// [`DealError::FrameCount`].
    pub fn from_probes(side: Side, probes: Vec<Probe>) -> Result<Self, DealError> {
        check_frames(probes.len())?;
        Ok(Self { side, probes })
    }

    /// Which hand.
    #[must_use]
    pub fn side(&self) -> Side {
        self.side
    }

    pub(crate) fn probes(&self) -> &[Probe] {
        &self.probes
    }
}

/// What somebody shows to be found: one palm, or a left and a right one.
#[derive(Debug)]
pub struct Presentation(Vec<PresentedPalm>);

impl Presentation {
    /// Checks that the palms may be presented together.
    ///
    /// # Errors
    /// [`DealError::PalmCount`], [`DealError::SameSide`].
    pub fn new(palms: Vec<PresentedPalm>) -> Result<Self, DealError> {
        check_palms(palms.iter().map(PresentedPalm::side))?;
        Ok(Self(palms))
    }

    /// The palms, in the order given.
    #[must_use]
    pub fn palms(&self) -> &[PresentedPalm] {
        &self.0
    }
}

fn one_side(samples: &[Sample]) -> Result<Side, DealError> {
    check_frames(samples.len())?;
    let side = samples[0].side();
    if samples.iter().all(|sample| sample.side() == side) {
        Ok(side)
    } else {
        Err(DealError::BothSides)
    }
}

fn check_frames(found: usize) -> Result<(), DealError> {
    if (1..=FRAMES_MAX).contains(&found) { Ok(()) } else { Err(DealError::FrameCount { found }) }
}

fn check_palms(sides: impl ExactSizeIterator<Item = Side>) -> Result<(), DealError> {
    let found = sides.len();
    if !(1..=PALMS_MAX).contains(&found) {
        return Err(DealError::PalmCount { found });
    }
    let sides: Vec<Side> = sides.collect();
    match sides.as_slice() {
        [one, other] if one == other => Err(DealError::SameSide { side: *one }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use handfast_palm::Picture;

    use super::*;
    use crate::testing::{probe_of, random_probe, random_reference};

    fn enrolment(side: Side, seed: u64) -> Enrolment {
        let reference = random_reference(seed);
        let probe = probe_of(&reference);
        Enrolment::from_templates(side, reference, vec![probe]).unwrap()
    }

    fn sample(side: Side, seed: u8) -> Sample {
        let grey = (0..160_u32 * 160)
            .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8 ^ seed.wrapping_mul(37))
            .collect();
        Sample::from_roi_picture(&Picture::from_grey(160, 160, grey).unwrap(), side)
    }

    #[test]
    fn frames_are_fused_and_each_gives_a_probe() {
        let samples: Vec<_> = (1..=3).map(|seed| sample(Side::Left, seed)).collect();
        let enrolment = Enrolment::from_samples(&samples).unwrap();
        assert_eq!(enrolment.side(), Side::Left);
        assert_eq!(enrolment.reference, reference(&samples).unwrap());
        assert_eq!(enrolment.probes().len(), 3);
        let presented = PresentedPalm::from_samples(&samples[..1]).unwrap();
        assert_eq!(presented.probes(), [probe(&samples[0])]);
    }

    #[test]
    fn frames_are_of_one_hand_and_few() {
        let left = || sample(Side::Left, 1);
        let both = [left(), sample(Side::Right, 1)];
        assert_eq!(Enrolment::from_samples(&both).unwrap_err(), DealError::BothSides);
        assert_eq!(PresentedPalm::from_samples(&both).unwrap_err(), DealError::BothSides);
        let none = DealError::FrameCount { found: 0 };
        assert_eq!(Enrolment::from_samples(&[]).unwrap_err(), none);
        let four = [left(), left(), left(), left()];
        let error = PresentedPalm::from_samples(&four).unwrap_err();
        assert_eq!(error, DealError::FrameCount { found: 4 });
    }

    #[test]
    fn two_palms_are_a_left_and_a_right_one_that_differ() {
        let (left, right) = (Side::Left, Side::Right);
        assert!(Enrolments::new(vec![enrolment(left, 1), enrolment(right, 2)]).is_ok());
        let same_side = Enrolments::new(vec![enrolment(left, 1), enrolment(left, 2)]);
        assert_eq!(same_side.unwrap_err(), DealError::SameSide { side: left });
        let alike = Enrolments::new(vec![enrolment(left, 1), enrolment(right, 1)]);
        assert_eq!(alike.unwrap_err(), DealError::PalmsAlike);
        let none = Enrolments::new(Vec::new());
        assert_eq!(none.unwrap_err(), DealError::PalmCount { found: 0 });
        let shown = || PresentedPalm::from_probes(right, vec![random_probe(1)]).unwrap();
        let twice = Presentation::new(vec![shown(), shown()]);
        assert_eq!(twice.unwrap_err(), DealError::SameSide { side: right });
    }
}
