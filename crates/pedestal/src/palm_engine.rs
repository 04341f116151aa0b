//! The real [`Engine`]: the palm engine, the code reader and the dealer.

use handfast_palm::{Picture, Refusal, Refused, Sample, acquire};
use handfast_vault::dealer::{Enrolment, Enrolments, Presentation, PresentedPalm};

use crate::clearance::Clearance;
use crate::code_reader;
use crate::engine::{Engine, Observation, SeenPalm, Unfit};
use crate::guidance::GuidanceState;
use crate::ticket_code::TicketCode;

/// Looks at pictures with `handfast_palm`, reads codes with `rqrr`, packs with the vault's dealer.
/// It holds nothing between two calls.
#[derive(Clone, Copy, Debug, Default)]
pub struct PalmEngine;

impl Engine for PalmEngine {
    type Frame = Picture;
    type Sample = Sample;
    type Palm = Enrolment;
    type Enrolment = Enrolments;
    type Presentation = Presentation;

    fn read_code(&mut self, frame: &Picture) -> Option<TicketCode> {
        code_reader::read(frame)
    }

    fn look(&mut self, frame: &Picture, _clearance: &Clearance) -> Observation<Sample> {
        match acquire(frame) {
            Ok(capture) => Observation::Palm(SeenPalm {
                side: capture.side,
                placement: capture.placement,
                sharpness: capture.sharpness,
                sample: capture.sample,
            }),
            Err(refused) => observe_refusal(refused),
        }
    }

    fn pack_palm(&mut self, samples: Vec<Sample>) -> Result<Enrolment, Unfit> {
        Enrolment::from_samples(&samples).map_err(|_| Unfit)
    }

    fn pack_enrolment(&mut self, palms: Vec<Enrolment>) -> Result<Enrolments, Unfit> {
        Enrolments::new(palms).map_err(|_| Unfit)
    }

    fn pack_presentation(&mut self, samples: Vec<Sample>) -> Result<Presentation, Unfit> {
        PresentedPalm::from_samples(&samples)
            .and_then(|palm| Presentation::new(vec![palm]))
            .map_err(|_| Unfit)
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

    fn observed(refusal: Refusal, placement: Option<Placement>) -> Observation<Sample> {
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
