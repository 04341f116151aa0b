//! One capture: the frames in which a hand, or what is passed off as one, is held to the camera.

use handfast_palm::Picture;

use crate::camera::Camera;
use crate::ground::Ground;
use crate::identity::Hand;
use crate::scene::{HandPose, Scene};
use crate::stream::{Noise, Purpose, Stream, scramble};

/// Frames of a capture.
pub const CAPTURE_FRAMES: u64 = 5;
/// Time from one frame of a capture to the next, in milliseconds.
pub const CAPTURE_STEP_MS: u64 = 150;

/// How what is held sways: an unsupported arm drifts by some millimetres and leans by a degree or two
/// within a second, whatever it holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sway {
    noise: Noise,
    rest: HandPose,
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
        Self { noise: stream.noise(), rest }
    }

    pub(crate) fn pose(&self, frame: u64) -> HandPose {
        let seconds = (frame * CAPTURE_STEP_MS) as f32 / 1_000.0;
        let drift = |row: f32| self.noise.at(seconds * 1.7, row);
        HandPose {
            centre: (
                self.rest.centre.0 + 0.012 * drift(0.5),
                self.rest.centre.1 + 0.012 * drift(10.5),
            ),
            radius: self.rest.radius * (1.0 + 0.02 * drift(20.5)),
            rotation: self.rest.rotation + 0.02 * drift(30.5),
            tilt: (self.rest.tilt.0 + 0.045 * drift(40.5), self.rest.tilt.1 + 0.045 * drift(50.5)),
            spread: self.rest.spread + 0.006 * drift(60.5),
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

    /// A frame, 0 to [`CAPTURE_FRAMES`] and on.
    ///
    /// # Panics
    /// Where the picture engine cannot hold a picture of this size.
    #[must_use]
    pub fn frame(&self, frame: u64, width: u32, height: u32) -> Picture {
        let (hand, pose) = (self.hand.clone(), self.sway.pose(frame));
        let scene = Scene::Hand { hand, pose, sample_seed: self.seed };
        let noise = scramble(self.seed ^ frame.wrapping_mul(0x9e37_79b9));
        self.camera.render(&scene, noise, width, height)
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
        assert!(held.sway.pose(0) != held.sway.pose(4));
    }
}
