//! Presentation attacks: what somebody passes off as another's hand, each as the frames of one
//! capture. Terms are those of ISO/IEC 30107-3; an artefact's kind is its species.
//!
//! These are drawings of attacks. They show whether liveness does what it is meant to; how it does
//! against re-photographed prints and made replicas, only prints and replicas can show.

use handfast_palm::Picture;

use crate::camera::Camera;
use crate::capture::{HELD_RADIUS, Sway, camera_of};
use crate::identity::{Hand, Surface};
use crate::plane::{Plane, Sheet};
use crate::scene::Scene;
use crate::stream::{Purpose, Stream, scramble};

/// A kind of artefact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Species {
    /// A sheet from a laser printer.
    LaserPrint,
    /// A glossy photograph.
    PhotoPrint,
    /// A print cut out along the hand's outline.
    CutOut,
    /// A phone's or tablet's fine screen.
    Tablet,
    /// A desk monitor's coarse screen.
    Monitor,
    /// A hand cast in silicone, or a silicone skin over a hand.
    Replica,
    /// A thin glove with a palm printed on it, on a living hand.
    Glove,
}

impl Species {
    /// All that can be drawn.
    pub const ALL: [Self; 7] = [
        Self::LaserPrint,
        Self::PhotoPrint,
        Self::CutOut,
        Self::Tablet,
        Self::Monitor,
        Self::Replica,
        Self::Glove,
    ];

    /// Its name in reports and folders.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LaserPrint => "laser-print",
            Self::PhotoPrint => "photo-print",
            Self::CutOut => "cut-out",
            Self::Tablet => "tablet",
            Self::Monitor => "monitor",
            Self::Replica => "replica",
            Self::Glove => "glove",
        }
    }
}

/// One artefact held to the camera.
#[derive(Clone, Debug)]
pub struct Attack {
    artefact: Artefact,
    seed: u64,
    sway: Sway,
    camera: Camera,
}

#[derive(Clone, Debug)]
enum Artefact {
    /// A flat thing with a picture on it.
    Flat(Box<Plane>),
    /// A body in a hand's shape, and how much of a living hand's its fingers move.
    Body(Hand, f32),
}

/// How much of a living hand's movement the fingers of a cast in silicone have: it is soft.
const CAST_GIVES: f32 = 0.15;
/// How near a flat thing is held: an attacker fills the frame as a hand does, or comes nearer to
/// keep the edges out of it.
const FLAT_RADIUS: (f32, f32) = (0.15, 0.185);

impl Attack {
    /// An attack of this species on a hand's owner. Another seed is another artefact: another
    /// printer, screen or mould, other hands that hold it, another camera.
    #[must_use]
    pub fn new(species: Species, hand: &Hand, seed: u64) -> Self {
        let own = scramble(seed ^ scramble(hand.identity().seed() ^ species as u64));
        let mut stream = Stream::new(own, Purpose::Attack);
        let flat = |sheet, cut_out, stream: &mut Stream| {
            Artefact::Flat(Box::new(Plane::of(hand, seed, sheet, cut_out, stream)))
        };
        let artefact = match species {
            // 65 to 150 lines an inch, of a palm eight centimetres wide.
            Species::LaserPrint => {
                let dots = stream.between(100.0, 236.0);
                flat(Sheet::Halftone { dots }, false, &mut stream)
            }
            Species::PhotoPrint => {
                let gloss = stream.between(0.02, 0.3);
                flat(Sheet::Photograph { gloss }, false, &mut stream)
            }
            Species::CutOut => {
                let sheet = if stream.chance(0.5) {
                    Sheet::Halftone { dots: stream.between(100.0, 236.0) }
                } else {
                    Sheet::Photograph { gloss: stream.between(0.0, 0.12) }
                };
                flat(sheet, true, &mut stream)
            }
            // 220 to 460 pixels an inch.
            Species::Tablet => {
                let pixels = stream.between(346.0, 724.0);
                let sheet = screen(pixels, &mut stream);
                flat(sheet, false, &mut stream)
            }
            // 82 to 163 pixels an inch.
            Species::Monitor => {
                let pixels = stream.between(129.0, 257.0);
                let sheet = screen(pixels, &mut stream);
                flat(sheet, false, &mut stream)
            }
            Species::Replica => {
                let body = hand.of_surface(silicone(hand, &mut stream));
                // A skin over a living hand moves as that does, a cast gives a little.
                let moves = if stream.chance(0.5) { 1.0 } else { CAST_GIVES };
                Artefact::Body(body, moves)
            }
            Species::Glove => {
                let threads = stream.between(60.0, 130.0);
                let depth = stream.between(0.5, 0.9);
                Artefact::Body(hand.of_surface(Surface::Glove { threads, depth }), 1.0)
            }
        };
        let radius = match artefact {
            Artefact::Flat(_) => FLAT_RADIUS,
            Artefact::Body(..) => HELD_RADIUS,
        };
        Self { artefact, seed, sway: Sway::of(own, radius), camera: camera_of(own) }
    }

    /// The same attack before another camera.
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
        let camera =
            Camera { exposure: self.camera.exposure * self.sway.exposure(frame), ..self.camera };
        let noise = scramble(self.seed ^ frame.wrapping_mul(0x9e37_79b9));
        match &self.artefact {
            Artefact::Flat(plane) => {
                let pose = self.sway.pose(frame, 0.0);
                let flop = self.sway.flop(frame);
                plane.frame(&pose, &camera, (self.seed, noise), flop, (width, height))
            }
            Artefact::Body(hand, moves) => {
                let pose = self.sway.pose(frame, *moves);
                let hand = hand.with_digits(self.sway.digits(frame, *moves));
                let scene = Scene::Hand { hand, pose, sample_seed: self.seed };
                camera.render(&scene, noise, width, height)
            }
        }
    }
}

fn screen(pixels: f32, stream: &mut Stream) -> Sheet {
    Sheet::Screen {
        pixels,
        reflection: stream.between(0.0, 0.5),
        bands: if stream.chance(0.5) { stream.between(0.0, 0.04) } else { 0.0 },
    }
}

/// Silicone is dyed to look like the owner's skin, about.
fn silicone(hand: &Hand, stream: &mut Stream) -> Surface {
    let skin = hand.traits.skin;
    let gain = stream.between(0.85, 1.1);
    let colour = skin.map(|value| value * gain * stream.around(1.0, 0.03));
    Surface::Silicone { colour, sheen: stream.between(0.05, 0.3), fine: stream.between(0.2, 0.8) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;
    use handfast_palm::{Side, acquire};

    #[test]
    fn every_species_repeats_and_most_pass_for_a_hand() {
        let hand = Identity::from_seed(4).hand(Side::Left);
        let mut acquired = 0;
        for species in Species::ALL {
            let attack = Attack::new(species, &hand, 7);
            let frame = attack.frame(1, 640, 480);
            assert!(*frame.rgb() == *attack.frame(1, 640, 480).rgb(), "{species:?} repeats");
            assert!(*frame.rgb() != *attack.frame(2, 640, 480).rgb(), "{species:?} moves");
            acquired += u32::from(acquire(&frame).is_ok());
        }
        assert!(acquired >= 5, "only {acquired} of 7 artefacts are taken for a hand at all");
    }

    #[test]
    fn names_are_of_one_species_each() {
        let names: std::collections::BTreeSet<_> = Species::ALL.map(Species::name).into();
        assert_eq!(names.len(), Species::ALL.len());
    }
}
