//! A hand that comes, hovers and goes: a scene for every moment.

use crate::identity::Hand;
use crate::maths::{mix, smooth_step};
use crate::scene::{HandPose, Scene};
use crate::stream::{Noise, Purpose, Stream, scramble};

/// How long a hand takes to come to rest, in milliseconds.
pub const ARRIVE_MS: u64 = 800;
/// How long a hand hovers where nothing else is asked for.
pub const HOVER_MS: u64 = 3_600;
/// How long a hand takes to be gone.
pub const LEAVE_MS: u64 = 600;

/// Where the palm's middle is when the fingertips are still below the frame.
const BELOW: f32 = 1.85;

/// One visit of a hand over the pedestal: it comes in from below, hovers with the small movements
/// of an unsupported hand, and leaves. The same hand and seed always move the same way.
#[derive(Clone, Debug)]
pub struct Approach {
    hand: Hand,
    seed: u64,
    hover_ms: u64,
    rest: HandPose,
    jitter: Noise,
}

impl Approach {
    /// A visit of [`HOVER_MS`] hover. Two seeds are two visits: other light, other place.
    #[must_use]
    pub fn new(hand: Hand, seed: u64) -> Self {
        let mut stream = Stream::new(seed ^ scramble(hand.identity().seed()), Purpose::Approach);
        let rest = HandPose {
            centre: (stream.around(0.5, 0.02), stream.around(0.61, 0.008)),
            radius: stream.between(0.152, 0.166),
            rotation: stream.around(0.0, 0.07),
            tilt: (stream.around(0.0, 0.05), stream.around(0.0, 0.05)),
            spread: stream.between(-0.01, 0.03),
        };
        let jitter = Stream::new(seed, Purpose::Jitter).noise();
        Self { hand, seed, hover_ms: HOVER_MS, rest, jitter }
    }

    /// The same visit with another hover.
    #[must_use]
    pub fn with_hover_ms(self, hover_ms: u64) -> Self {
        Self { hover_ms, ..self }
    }

    /// The same visit ending its hover at another pose.
    #[must_use]
    pub fn with_rest(self, rest: HandPose) -> Self {
        Self { rest, ..self }
    }

    /// From the first moment to the hand's leaving the frame.
    #[must_use]
    pub fn duration_ms(&self) -> u64 {
        ARRIVE_MS + self.hover_ms + LEAVE_MS
    }

    /// What is seen `ms` after the beginning; an empty ground from [`Approach::duration_ms`] on.
    #[must_use]
    pub fn scene_at(&self, ms: u64) -> Scene {
        if ms >= self.duration_ms() {
            return Scene::Empty;
        }
        Scene::Hand { hand: self.hand.clone(), pose: self.pose_at(ms), sample_seed: self.seed }
    }

    fn pose_at(&self, ms: u64) -> HandPose {
        let seconds = ms as f32 / 1_000.0;
        // how much of the way from below is done
        let arrived = {
            let rest = (1.0 - ms as f32 / ARRIVE_MS as f32).max(0.0);
            1.0 - rest * rest * rest
        };
        let leaving = ms.saturating_sub(ARRIVE_MS + self.hover_ms) as f32 / LEAVE_MS as f32;
        let here = arrived * (1.0 - smooth_step(0.0, 1.0, leaving));
        let sway = |row: f32| {
            self.jitter.at(seconds * 1.3, row) + 0.4 * self.jitter.at(seconds * 4.1, row + 50.5)
        };
        HandPose {
            centre: (
                self.rest.centre.0 + 0.0022 * sway(0.5) + 0.05 * (1.0 - here),
                mix(BELOW, self.rest.centre.1, here) + 0.0025 * sway(10.5),
            ),
            radius: self.rest.radius * (1.0 + 0.006 * sway(20.5)) * mix(1.12, 1.0, here),
            rotation: self.rest.rotation + 0.005 * sway(30.5) + 0.10 * (1.0 - here),
            tilt: (self.rest.tilt.0 + 0.006 * sway(40.5), self.rest.tilt.1 + 0.25 * (1.0 - here)),
            spread: self.rest.spread,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Identity;
    use handfast_palm::Side;

    fn pose(scene: &Scene) -> HandPose {
        match scene {
            Scene::Hand { pose, .. } => *pose,
            other => panic!("a hand was expected, not {other:?}"),
        }
    }

    #[test]
    fn a_hand_comes_hovers_and_goes() {
        let visit = Approach::new(Identity::from_seed(2).palm(Side::Left), 5);
        assert!(pose(&visit.scene_at(0)).centre.1 > 1.7);
        let still: Vec<HandPose> =
            (10..40).map(|k| pose(&visit.scene_at(ARRIVE_MS + k * 66))).collect();
        for pair in still.windows(2) {
            assert!((pair[0].centre.0 - pair[1].centre.0).abs() < 0.004);
            assert_ne!(pair[0], pair[1], "a hand is never quite still");
        }
        assert!(matches!(visit.scene_at(visit.duration_ms()), Scene::Empty));
    }

    #[test]
    fn two_visits_rest_at_two_places() {
        let palm = Identity::from_seed(2).palm(Side::Left);
        assert_ne!(Approach::new(palm.clone(), 1).rest, Approach::new(palm, 2).rest);
    }
}
