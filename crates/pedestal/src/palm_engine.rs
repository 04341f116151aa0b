//! The real [`Engine`]: the palm engine, the code reader and the dealer.

use handfast_palm::{
    Capture, Glimpse, Liveness, Picture, Refusal, Refused, Sample, find, glimpse, liveness,
};
use handfast_vault::dealer::{Enrolment, Enrolments, Presentation, PresentedPalm};

use crate::clearance::Clearance;
use crate::code_reader;
use crate::engine::{Engine, NotPacked, Observation, SeenPalm, Unfit};
use crate::guidance::GuidanceState;
use crate::ticket_code::TicketCode;

/// Looks at pictures with `handfast_palm`, reads codes with `rqrr`, packs with the vault's dealer.
/// It holds nothing between two calls.
#[derive(Clone, Copy, Debug, Default)]
pub struct PalmEngine;

/// What is kept of one good frame for its capture: the palm cut out, and what liveness looks at.
/// Both are zeroed when dropped.
#[derive(Clone, Debug)]
pub struct SeenFrame {
    sample: Sample,
    glimpse: Glimpse,
}

impl Engine for PalmEngine {
    type Frame = Picture;
    type Sample = SeenFrame;
    type Palm = Enrolment;
    type Enrolment = Enrolments;
    type Presentation = Presentation;

    fn read_code(&mut self, frame: &Picture) -> Option<TicketCode> {
        code_reader::read(frame)
    }

    fn look(&mut self, frame: &Picture, _clearance: &Clearance) -> Observation<SeenFrame> {
        match see(frame) {
            Ok((capture, glimpse)) => Observation::Palm(SeenPalm {
                side: capture.side,
                placement: capture.placement,
                sharpness: capture.sharpness,
                sample: SeenFrame { sample: capture.sample, glimpse },
            }),
            Err(refused) => observe_refusal(refused),
        }
    }

    fn pack_palm(&mut self, frames: Vec<SeenFrame>) -> Result<Enrolment, NotPacked> {
        let samples = of_living_hand(frames)?;
        Enrolment::from_samples(&samples).map_err(|_| Unfit.into())
    }

    fn pack_enrolment(&mut self, palms: Vec<Enrolment>) -> Result<Enrolments, Unfit> {
        Enrolments::new(palms).map_err(|_| Unfit)
    }

    fn pack_presentation(&mut self, frames: Vec<SeenFrame>) -> Result<Presentation, NotPacked> {
        let samples = of_living_hand(frames)?;
        PresentedPalm::from_samples(&samples)
            .and_then(|palm| Presentation::new(vec![palm]))
            .map_err(|_| Unfit.into())
    }
}

/// Finds the palm, cuts it out, and looks at what liveness needs: at good frames alone.
fn see(frame: &Picture) -> Result<(Capture, Glimpse), Refused> {
    let found = find(frame)?;
    let capture = found.cut(frame)?;
    Ok((capture, glimpse(frame, &found)))
}

/// The samples of one capture, if its frames together show nothing that speaks against a living
/// hand. There is no other way from frames to what the vault takes.
fn of_living_hand(frames: Vec<SeenFrame>) -> Result<Vec<Sample>, NotPacked> {
    let (samples, glimpses): (Vec<Sample>, Vec<Glimpse>) =
        frames.into_iter().map(|seen| (seen.sample, seen.glimpse)).unzip();
    match liveness(&glimpses) {
        Liveness::Live => Ok(samples),
        Liveness::Suspect { cue, .. } => Err(NotPacked::Suspect(cue)),
    }
}

fn observe_refusal<S>(refused: Refused) -> Observation<S> {
    let placement = refused.placement;
    let advice = match refused.refusal {
        // A face or a sleeve behind the place for the hand is no hand, or no lane would ever open.
        Refusal::NoHand | Refusal::NotAHand => {
            return Observation::Empty(GuidanceState::NoHand);
        }
        Refusal::TooDark if placement.is_none() => {
            return Observation::Empty(GuidanceState::TooDark);
        }
        Refusal::TwoHands => GuidanceState::OneHandOnly,
        Refusal::TooFar => GuidanceState::Closer,
        Refusal::TooClose => GuidanceState::Further,
        Refusal::CutOff => GuidanceState::MoveToCentre,
        Refusal::TooDark => GuidanceState::TooDark,
        Refusal::Glare => GuidanceState::Glare,
        Refusal::Blurred => GuidanceState::Blurred,
        Refusal::Tilted => GuidanceState::Tilt,
        Refusal::FingersClosed => GuidanceState::OpenFingers,
        Refusal::BackOfHand => GuidanceState::TurnPalm,
        // A reason that is newer than this table: holding still helps most of them.
        _ => GuidanceState::HoldStill,
    };
    let says_little_of_a_hand = matches!(refused.refusal, Refusal::Glare | Refusal::Blurred);
    match placement {
        None if says_little_of_a_hand => Observation::Unclear(advice),
        _ => Observation::Awkward { advice, placement },
    }
}

#[cfg(test)]
mod tests {
    use handfast_palm::Placement;

    use super::*;

    fn observed(refusal: Refusal, placement: Option<Placement>) -> Observation<SeenFrame> {
        observe_refusal(Refused { refusal, placement })
    }

    #[test]
    fn a_bright_or_blurred_picture_neither_proves_nor_denies_a_hand() {
        let place = Placement { centre: (0.5, 0.5), radius: 0.2, angle: 0.0 };
        for refusal in [Refusal::Glare, Refusal::Blurred] {
            assert!(matches!(observed(refusal, None), Observation::Unclear(_)));
            assert!(matches!(observed(refusal, Some(place)), Observation::Awkward { .. }));
        }
    }

    #[test]
    fn every_refusal_of_a_hand_has_its_own_advice() {
        let refusals = [
            (Refusal::TwoHands, GuidanceState::OneHandOnly),
            (Refusal::TooFar, GuidanceState::Closer),
            (Refusal::TooClose, GuidanceState::Further),
            (Refusal::CutOff, GuidanceState::MoveToCentre),
            (Refusal::Tilted, GuidanceState::Tilt),
            (Refusal::FingersClosed, GuidanceState::OpenFingers),
            (Refusal::BackOfHand, GuidanceState::TurnPalm),
        ];
        for (refusal, expected) in refusals {
            let Observation::Awkward { advice, .. } = observed(refusal, None) else {
                panic!("{refusal:?} is about a hand that is there");
            };
            assert_eq!(advice, expected);
        }
    }

    #[test]
    fn no_hand_and_no_such_thing_are_an_empty_place() {
        let advices = [
            (Refusal::NoHand, GuidanceState::NoHand),
            (Refusal::NotAHand, GuidanceState::NoHand),
            (Refusal::TooDark, GuidanceState::TooDark),
        ];
        for (refusal, expected) in advices {
            let Observation::Empty(advice) = observed(refusal, None) else {
                panic!("{refusal:?} is about an empty place");
            };
            assert_eq!(advice, expected);
        }
        let place = Placement { centre: (0.5, 0.5), radius: 0.2, angle: 0.0 };
        let shaded = observed(Refusal::TooDark, Some(place));
        assert!(matches!(shaded, Observation::Awkward { .. }));
    }
}
