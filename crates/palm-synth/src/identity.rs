//! A person who does not exist, and the person's two hands.

use std::sync::{Arc, OnceLock};

use handfast_palm::{Picture, Side};

use crate::anatomy::{Anatomy, Fingers, side_seed};
use crate::atlas::{Atlas, Region};
use crate::camera::{Camera, Spectrum};
use crate::fingers::{DIGITS, Digits};
use crate::relief::Relief;
use crate::scene::{HandPose, Scene};
use crate::stream::{Purpose, Stream};

/// The side of a crop against the radius of the palm's inscribed circle, as the engine cuts it.
pub const ROI_SIDE: f32 = 1.55;

/// Where a finder that measures the inscribed circle and the valleys between the fingers sees a
/// palm at rest: medians over two hundred synthetic hands. Radius in hand units, the circle's middle in
/// those of a left hand, and the valleys' lean to the little finger in radians.
const SEEN_RADIUS: f32 = 1.14;
const SEEN_CENTRE: (f32, f32) = (-0.126, 0.115);
const SEEN_ANGLE: f32 = 0.16;

/// Sizes of crops that make sense: below, no crease is left; above, the texture has no more detail.
pub const ROI_PX_MIN: u32 = 64;
/// See [`ROI_PX_MIN`].
pub const ROI_PX_MAX: u32 = 512;

/// A person from a seed: skin, proportions, and what the two hands have in common. Cheap to make
/// and copy; the hands are not, see [`Identity::hand`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    seed: u64,
}

impl Identity {
    /// The person of this seed: the same on every machine and in every version that keeps the
    /// golden tests.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        Self { seed }
    }

    /// The seed this person comes from.
    #[must_use]
    pub fn seed(self) -> u64 {
        self.seed
    }

    /// How dark the skin is: 0 very light, 1 very dark.
    #[must_use]
    pub fn skin_tone(self) -> f32 {
        Traits::of(self).tone
    }

    /// How lined the palms are: 0 smooth, 1 very wrinkled.
    #[must_use]
    pub fn wrinkling(self) -> f32 {
        Traits::of(self).wrinkling
    }

    /// One of the person's hands, ready to be rendered. Takes about a tenth of a second and 10 MB;
    /// clones share both.
    #[must_use]
    pub fn hand(self, side: Side) -> Hand {
        self.hand_with(side, Fingers::Spread)
    }

    /// One of the person's hands with the fingers held in this way.
    #[must_use]
    pub fn hand_with(self, side: Side, fingers: Fingers) -> Hand {
        Hand::build(self, side, fingers, Region::WHOLE)
    }

    /// The palm alone, for galleries: much faster to make than a hand, and only [`Hand::roi`] of
    /// it shows skin everywhere.
    #[must_use]
    pub fn palm(self, side: Side) -> Hand {
        Hand::build(self, side, Fingers::Spread, Region::PALM)
    }

    /// One sample of a palm as a square crop of `size` pixels, fingers up, not mirrored. For
    /// several samples of one palm, keep [`Identity::palm`] and ask it.
    ///
    /// # Panics
    /// Where `size` is not within [`ROI_PX_MIN`] and [`ROI_PX_MAX`].
    #[must_use]
    pub fn roi(self, side: Side, sample_seed: u64, spectrum: Spectrum, size: u32) -> Picture {
        self.palm(side).roi(sample_seed, spectrum, size)
    }
}

/// What both hands share beside their proportions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traits {
    /// 0 very light to 1 very dark.
    pub(crate) tone: f32,
    pub(crate) wrinkling: f32,
    /// Skin colour of the palm under white light, 0 to 255.
    pub(crate) skin: [f32; 3],
    /// How much the skin shines.
    pub(crate) sheen: f32,
    pub(crate) sleeve: [f32; 3],
}

/// Palm colours from very light to very dark; palms are lighter than the back of the hand.
const SKIN: [[f32; 3]; 6] = [
    [238.0, 196.0, 178.0],
    [226.0, 176.0, 152.0],
    [206.0, 150.0, 120.0],
    [180.0, 124.0, 96.0],
    [148.0, 98.0, 76.0],
    [116.0, 76.0, 60.0],
];

/// Cloth, none of it near a skin colour.
const SLEEVES: [[f32; 3]; 6] = [
    [34.0, 40.0, 58.0],
    [70.0, 74.0, 80.0],
    [42.0, 74.0, 66.0],
    [150.0, 156.0, 164.0],
    [26.0, 26.0, 28.0],
    [58.0, 82.0, 124.0],
];

impl Traits {
    fn of(identity: Identity) -> Self {
        let mut stream = Stream::new(identity.seed, Purpose::Person);
        let tone = stream.unit();
        let wrinkling = stream.unit();
        let place = tone * (SKIN.len() - 1) as f32;
        let lighter = (place as usize).min(SKIN.len() - 2);
        let t = place - lighter as f32;
        let warmth = stream.around(0.0, 0.015);
        let mut skin = [0.0; 3];
        for (k, value) in skin.iter_mut().enumerate() {
            let lean = 1.0 + warmth * (1.0 - k as f32);
            *value = (SKIN[lighter][k] * (1.0 - t) + SKIN[lighter + 1][k] * t) * lean;
        }
        let sleeve = SLEEVES[(stream.unit() * SLEEVES.len() as f32) as usize];
        Self { tone, wrinkling, skin, sheen: stream.between(0.02, 0.07), sleeve }
    }
}

/// A hand ready to be rendered, from any thread. Clones share the precomputed skin.
#[derive(Clone, Debug)]
pub struct Hand {
    identity: Identity,
    side: Side,
    fingers: Fingers,
    pub(crate) traits: Traits,
    pub(crate) skin: Arc<Atlas>,
    relief: Arc<OnceLock<Relief>>,
    pub(crate) surface: Surface,
    ring: Option<usize>,
    pub(crate) digits: Box<Digits>,
}

/// What a hand's surface is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Surface {
    /// The skin of the palm.
    Palm,
    /// The back of the hand: no creases, darker, with nails and knuckles.
    Back,
    /// Cast silicone of one colour: its detail is shadow alone.
    Silicone {
        /// Its colour.
        colour: [f32; 3],
        /// How much it shines.
        sheen: f32,
        /// How much of the fine lines the mould took.
        fine: f32,
    },
    /// A thin glove on which a palm is printed.
    Glove {
        /// Threads a hand unit.
        threads: f32,
        /// How much of the colours' depth the print keeps.
        depth: f32,
    },
}

impl Hand {
    fn build(identity: Identity, side: Side, fingers: Fingers, region: Region) -> Self {
        let traits = Traits::of(identity);
        let anatomy = Anatomy::of(identity.seed, side, fingers);
        let own = side_seed(identity.seed, side);
        let skin = Arc::new(Atlas::build(own, &anatomy, traits.wrinkling, region));
        let relief = Arc::new(OnceLock::new());
        let (surface, digits) = (Surface::Palm, Box::new(Digits::of(&anatomy)));
        Self { identity, side, fingers, traits, skin, relief, surface, ring: None, digits }
    }

    /// The same hand showing its back: what a pedestal refuses. The thumb is on the other side.
    #[must_use]
    pub fn back(&self) -> Self {
        Self { surface: Surface::Back, ..self.clone() }
    }

    /// The same hand with a ring on a finger, 0 the index finger to 3 the little one.
    ///
    /// # Panics
    /// Where there is no such finger.
    #[must_use]
    pub fn with_ring(&self, finger: usize) -> Self {
        assert!(finger < 4, "finger {finger}: 0 is the index finger, 3 the little one");
        Self { ring: Some(finger), ..self.clone() }
    }

    /// The finger that wears a ring.
    pub(crate) fn ring(&self) -> Option<usize> {
        self.ring
    }

    pub(crate) fn of_surface(&self, surface: Surface) -> Self {
        Self { surface, ..self.clone() }
    }

    /// The same hand with its digits leaning sideways by these radians, index finger to thumb.
    pub(crate) fn with_digits(&self, leans: [f32; DIGITS]) -> Self {
        Self { digits: Box::new(self.digits.leaning(leans)), ..self.clone() }
    }

    /// How the hand stands out towards the camera; made at the first call.
    pub(crate) fn relief(&self) -> &Relief {
        self.relief
            .get_or_init(|| Relief::of(&Anatomy::of(self.identity.seed, self.side, self.fingers)))
    }

    /// Whose hand it is.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// Which hand it is.
    #[must_use]
    pub fn side(&self) -> Side {
        self.side
    }

    /// One sample of the palm as a square crop of `size` pixels, fingers up, not mirrored. The
    /// crop is as exact as a good finder cuts it: about 1.5 % of shift and scale and a degree of
    /// turn from sample to sample.
    ///
    /// # Panics
    /// Where `size` is not within [`ROI_PX_MIN`] and [`ROI_PX_MAX`].
    #[must_use]
    pub fn roi(&self, sample_seed: u64, spectrum: Spectrum, size: u32) -> Picture {
        assert!(
            (ROI_PX_MIN..=ROI_PX_MAX).contains(&size),
            "a crop of {size} px; 64 to 512 make sense"
        );
        let mut stream = Stream::new(sample_seed ^ self.identity.seed, Purpose::RoiPose);
        let lean = match self.side {
            Side::Left => 1.0,
            Side::Right => -1.0,
        };
        let unit = stream.around(1.0, 0.012) / (ROI_SIDE * SEEN_RADIUS);
        let pose = HandPose {
            centre: (
                0.5 - lean * SEEN_CENTRE.0 * unit + stream.around(0.0, 0.012),
                0.5 - SEEN_CENTRE.1 * unit + stream.around(0.0, 0.012),
            ),
            radius: unit,
            rotation: stream.around(0.0, 0.02) - lean * SEEN_ANGLE,
            tilt: (stream.around(0.0, 0.03), stream.around(0.0, 0.03)),
            spread: 0.0,
        };
        let scene = Scene::Hand { hand: self.clone(), pose, sample_seed };
        Camera { spectrum, ..Camera::default() }.render(&scene, sample_seed, size, size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skins_run_from_very_light_to_very_dark() {
        let light: Vec<f32> =
            (0..200).map(|seed| Traits::of(Identity::from_seed(seed)).skin[1]).collect();
        assert!(
            light.iter().any(|&green| green > 185.0) && light.iter().any(|&green| green < 85.0)
        );
    }

    #[test]
    fn crops_repeat_and_differ_by_seed_and_side() {
        let palm = Identity::from_seed(4).palm(Side::Left);
        let crop = |hand: &Hand, seed| hand.roi(seed, Spectrum::Visible, 128).rgb().to_vec();
        assert_eq!(crop(&palm, 1), crop(&palm, 1));
        assert_ne!(crop(&palm, 1), crop(&palm, 2));
        assert_ne!(crop(&palm, 1), crop(&Identity::from_seed(4).palm(Side::Right), 1));
    }
}
