//! One capture: the frames in which a hand, or what is passed off as one, is held to the camera.

use handfast_palm::Picture;

use crate::camera::Camera;
use crate::fingers::DIGITS;
use crate::ground::Ground;
use crate::identity::Hand;
use crate::scene::{HandPose, Scene};
use crate::stream::{Noise, Purpose, Stream, scramble};

/// Time from one frame of a capture to the next, in milliseconds.
pub const CAPTURE_STEP_MS: u64 = 150;

/// How far a living person's fingers lean from their rest at most, in radians: under a degree to two and a
/// half. That they sway against the palm is assumed: nobody holds five joints still without support. How
/// far was not measured.
const DIGITS_LEAN: (f32, f32) = (0.015, 0.045);
/// How much of the light a hand takes from a ground right behind it: other lamps are left.
const SHADOW: (f32, f32) = (0.1, 0.5);
/// How far the fingers of a cut-out bend at most: one hand unit from their base, in hand units.
const FLOP: f32 = 0.12;
/// How much a camera that follows the light changes its exposure within a capture.
const EXPOSURE_DRIFT: f32 = 0.02;

/// How what is held sways: an unsupported arm drifts by some millimetres and leans by a degree or two
/// within a second, whatever it holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sway {
    noise: Noise,
    rest: HandPose,
    /// How far this person's fingers lean at most, in radians: some hold still, some do not.
    digits: f32,
}

impl Sway {
    pub(crate) fn of(seed: u64, radius: (f32, f32)) -> Self {
        let mut stream = Stream::new(seed, Purpose::Sway);
        let rest = HandPose {
            centre: (stream.around(0.5, 0.02), stream.around(0.61, 0.01)),
            radius: stream.between(radius.0, radius.1),
            rotation: stream.around(0.0, 0.08),
            tilt: (stream.around(0.0, 0.06), stream.around(0.0, 0.06)),
            spread: stream.between(-0.01, 0.03),
        };
        Self { noise: stream.noise(), rest, digits: stream.between(DIGITS_LEAN.0, DIGITS_LEAN.1) }
    }

    /// Between -1 and 1, slowly: another `row` drifts on its own.
    fn drift(&self, frame: u64, row: f32) -> f32 {
        let seconds = (frame * CAPTURE_STEP_MS) as f32 / 1_000.0;
        self.noise.at(seconds * 1.7, row)
    }

    /// How far each digit leans from its rest, where it moves this part of what a living one does.
    pub(crate) fn digits(&self, frame: u64, moves: f32) -> [f32; DIGITS] {
        std::array::from_fn(|k| moves * self.digits * self.drift(frame, 70.5 + 10.0 * k as f32))
    }

    /// How far paper fingers bend, as [`crate::plane::Plane::frame`] takes it.
    pub(crate) fn flop(&self, frame: u64) -> f32 {
        FLOP * self.drift(frame, 130.5)
    }

    /// How a camera follows the light: a factor of its exposure.
    pub(crate) fn exposure(&self, frame: u64) -> f32 {
        1.0 + EXPOSURE_DRIFT * self.drift(frame, 140.5)
    }

    /// What is held, where its fingers fan out by this part of what a living hand's do.
    pub(crate) fn pose(&self, frame: u64, moves: f32) -> HandPose {
        let drift = |row: f32| self.drift(frame, row);
        HandPose {
            centre: (
                self.rest.centre.0 + 0.012 * drift(0.5),
                self.rest.centre.1 + 0.012 * drift(10.5),
            ),
            radius: self.rest.radius * (1.0 + 0.02 * drift(20.5)),
            rotation: self.rest.rotation + 0.02 * drift(30.5),
            tilt: (self.rest.tilt.0 + 0.045 * drift(40.5), self.rest.tilt.1 + 0.045 * drift(50.5)),
            spread: self.rest.spread + 0.006 * moves * drift(60.5),
        }
    }
}

/// Half the palm's width of a hand held well, as a part of the frame's shorter side.
pub(crate) const HELD_RADIUS: (f32, f32) = (0.15, 0.168);

/// A hand held to the camera: the genuine presentation that attacks are told from.
#[derive(Clone, Debug)]
pub struct Held {
    hand: Hand,
    seed: u64,
    sway: Sway,
    camera: Camera,
}

impl Held {
    /// One capture of a hand. Another seed is another visit, before another ground and camera.
    #[must_use]
    pub fn new(hand: Hand, seed: u64) -> Self {
        let own = seed ^ scramble(hand.identity().seed());
        let camera = camera_of(own);
        Self { hand, seed, sway: Sway::of(own, HELD_RADIUS), camera }
    }

    /// The same capture of a larger or smaller hand at the same distance; 1 is a grown hand's middle.
    #[must_use]
    pub fn sized(mut self, size: f32) -> Self {
        self.sway.rest.radius *= size;
        self
    }

    /// The same capture by another camera.
    #[must_use]
    pub fn by(self, camera: Camera) -> Self {
        Self { camera, ..self }
    }

    /// A frame, counted from 0.
    ///
    /// # Panics
    /// Where the picture engine cannot hold a picture of this size.
    #[must_use]
    pub fn frame(&self, frame: u64, width: u32, height: u32) -> Picture {
        let pose = self.sway.pose(frame, 1.0);
        let hand = self.hand.with_digits(self.sway.digits(frame, 1.0));
        let exposure = self.camera.exposure * self.sway.exposure(frame);
        let camera = Camera { exposure, ..self.camera };
        let scene = Scene::Hand { hand, pose, sample_seed: self.seed };
        let noise = scramble(self.seed ^ frame.wrapping_mul(0x9e37_79b9));
        camera.render(&scene, noise, width, height)
    }
}

/// A camera as venues have them: grounds, focus and noise differ.
pub(crate) fn camera_of(seed: u64) -> Camera {
    let mut stream = Stream::new(scramble(seed), Purpose::Sway);
    let ground = match (stream.unit() * 4.0) as u32 {
        0 | 1 => Ground::Dark,
        2 => Ground::Light,
        _ => Ground::Room(stream.bits()),
    };
    Camera {
        ground,
        noise: stream.between(1.0, 3.0),
        blur: stream.between(0.35, 0.9),
        exposure: stream.between(0.85, 1.1),
        depth: 1.0,
        // A room's walls are too far away for a hand's shadow.
        shadow: match ground {
            Ground::Room(_) => 0.0,
            Ground::Dark | Ground::Light => stream.between(SHADOW.0, SHADOW.1),
        },
        ..Camera::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Identity;
    use handfast_palm::Side;

    #[test]
    fn a_capture_repeats_and_moves() {
        let held = Held::new(Identity::from_seed(3).hand(Side::Left), 9);
        let shot = |held: &Held, frame| held.frame(frame, 320, 240).rgb().to_vec();
        assert_eq!(shot(&held, 1), shot(&held.clone(), 1));
        assert_ne!(shot(&held, 1), shot(&held, 2));
        assert!(held.sway.pose(0, 1.0) != held.sway.pose(4, 1.0));
    }
}
