//! Whether a sample shows enough of the palm to be compared.

use crate::acquire::{LUMA_MIN, Refusal};
use crate::sample::{CORE_PX, FULL_PX, MARGIN_PX, Sample};

/// A pixel this bright shows no crease.
const GLARE_LUMA: u8 = 250;
/// The greatest part of a palm that may be so bright.
const GLARE_PART_MAX: f32 = 0.15;
/// The least sharpness; see [`sharpness`]. Pictures taken with care have 0.17 to 0.6, one blurred
/// over a fifth of the palm 0.05.
const SHARPNESS_MIN: f32 = 0.08;

/// The sharpness of a sample, or why it cannot be used.
pub fn check(sample: &Sample) -> Result<f32, Refusal> {
    let core = core(sample);
    let mean = core.iter().map(|&value| f32::from(value)).sum::<f32>() / core.len() as f32;
    if mean < LUMA_MIN {
        return Err(Refusal::TooDark);
    }
    let bright = core.iter().filter(|&&value| value >= GLARE_LUMA).count();
    if bright as f32 > GLARE_PART_MAX * core.len() as f32 {
        return Err(Refusal::Glare);
    }
    let sharpness = sharpness(&core, mean);
    if sharpness < SHARPNESS_MIN { Err(Refusal::Blurred) } else { Ok(sharpness) }
}

fn core(sample: &Sample) -> zeroize::Zeroizing<Vec<u8>> {
    let rows = sample.pixels().chunks_exact(FULL_PX).skip(MARGIN_PX).take(CORE_PX);
    zeroize::Zeroizing::new(
        rows.flat_map(|row| &row[MARGIN_PX..MARGIN_PX + CORE_PX]).copied().collect(),
    )
}

/// How much of the brightness changes from one pixel to the next but one, beyond what a slope would
/// give: the mean second difference as a part of the mean brightness, on a scale that ends at 1.
fn sharpness(core: &[u8], mean: f32) -> f32 {
    let mut sum = 0_u32;
    let mut count = 0_u32;
    for y in 2..CORE_PX - 2 {
        for x in 2..CORE_PX - 2 {
            let at = y * CORE_PX + x;
            let centre = 2 * i32::from(core[at]);
            let across = centre - i32::from(core[at - 2]) - i32::from(core[at + 2]);
            let down =
                centre - i32::from(core[at - 2 * CORE_PX]) - i32::from(core[at + 2 * CORE_PX]);
            sum += across.unsigned_abs() + down.unsigned_abs();
            count += 2;
        }
    }
    (sum as f32 / count as f32 / mean * 10.0).min(1.0)
}
