//! Draws the palms that `training/train.py` learns from, as one raw file of grey crops:
//! `cargo run --release -p handfast-palm-eval --example training_palms -- OUT PALMS SAMPLES [FIRST [CROP]]`.
//!
//! The file holds `PALMS * SAMPLES` crops of CROP x CROP bytes (160 x 160), the samples of a palm one after the
//! other; a left hand is mirrored, as the engine does. Every crop lies in the palm's own frame: shift,
//! turn, scale and most of the light are added in training, where they are known. Both hands of a
//! person are two palms, seeds count from FIRST (1), and every fourth person is seen in near infrared.

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};

use handfast_palm::Side;
use handfast_palm_synth::{Camera, Hand, HandPose, Identity, ROI_SIDE, Scene, Spectrum};
use rayon::prelude::*;

/// A crop's side where none is said; the middle 128 pixels are the core.
const CROP_PX: u32 = 160;
const CORE_PX: f32 = 128.0;
/// Where a finder sees a palm: as `Hand::roi` cuts it, without its jitter.
const SEEN_RADIUS: f32 = 1.14;
const SEEN_CENTRE: (f32, f32) = (-0.126, 0.115);
const SEEN_ANGLE: f32 = 0.16;
/// Palms drawn before anything is written.
const AT_ONCE: u64 = 512;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [out, palms, samples, rest @ ..] = arguments.as_slice() else {
        return Err(
            "say OUT PALMS SAMPLES and, if you like, the first seed and a crop's side".into()
        );
    };
    let (palms, samples): (u64, u64) = (palms.parse()?, samples.parse()?);
    let first: u64 = rest.first().map_or(Ok(1), |seed| seed.parse())?;
    let side: u32 = rest.get(1).map_or(Ok(CROP_PX), |side| side.parse())?;
    let mut file = BufWriter::new(File::create(out)?);
    let mut begin = 0;
    while begin < palms {
        let end = (begin + AT_ONCE).min(palms);
        let drawn: Vec<Vec<u8>> =
            (begin..end).into_par_iter().map(|palm| crops(first, palm, samples, side)).collect();
        for crops in drawn {
            file.write_all(&crops)?;
        }
        begin = end;
    }
    Ok(file.flush()?)
}

/// The samples of one palm, one after the other.
fn crops(first: u64, palm: u64, samples: u64, crop_px: u32) -> Vec<u8> {
    let person = first + palm / 2;
    let side = if palm.is_multiple_of(2) { Side::Left } else { Side::Right };
    let spectrum =
        if person.is_multiple_of(4) { Spectrum::NearInfrared } else { Spectrum::Visible };
    let hand = Identity::from_seed(person).palm(side);
    (1..=samples).flat_map(|sample| crop(&hand, spectrum, sample, crop_px)).collect()
}

fn crop(hand: &Hand, spectrum: Spectrum, sample: u64, crop_px: u32) -> Vec<u8> {
    // Numbers between 0 and 1 from the sample, one for each thing that changes.
    let mut state = sample.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ hand.identity().seed();
    let mut unit = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as f32 / u64::MAX as f32
    };
    let lean = if hand.side() == Side::Left { 1.0 } else { -1.0 };
    let radius = CORE_PX / crop_px as f32 / (ROI_SIDE * SEEN_RADIUS);
    let pose = HandPose {
        centre: (0.5 - lean * SEEN_CENTRE.0 * radius, 0.5 - SEEN_CENTRE.1 * radius),
        radius,
        rotation: -lean * SEEN_ANGLE,
        tilt: (0.2 * (unit() - 0.5), 0.2 * (unit() - 0.5)),
        spread: 0.0,
    };
    let camera = Camera {
        spectrum,
        noise: 0.5 + 3.0 * unit(),
        blur: 0.3 + 0.8 * unit(),
        exposure: 0.8 + 0.35 * unit(),
        depth: if unit() < 0.3 { 1.0 } else { 0.0 },
        ..Camera::default()
    };
    let sample_seed = sample ^ (hand.identity().seed() << 20);
    let scene = Scene::Hand { hand: hand.clone(), pose, sample_seed };
    let mut grey = camera.render(&scene, sample, crop_px, crop_px).grey().to_vec();
    if hand.side() == Side::Left {
        grey.chunks_exact_mut(crop_px as usize).for_each(<[u8]>::reverse);
    }
    grey
}
