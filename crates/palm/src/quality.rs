//! Whether a sample shows enough of the palm to be compared.

use zeroize::Zeroizing;

use crate::acquire::{LUMA_MIN, Refusal};
use crate::sample::{CORE_PX, FULL_PX, MARGIN_PX, Sample};

/// A pixel this bright shows no crease.
const GLARE_LUMA: u8 = 250;
/// The greatest part of a palm that may be so bright.
const GLARE_PART_MAX: f32 = 0.15;
/// The least sharpness; see [`sharpness`]. Pictures of real hands that match have 0.14 to 0.65, and a
/// drawn hand loses its likeness at about 0.12.
const SHARPNESS_MIN: f32 = 0.12;

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

fn core(sample: &Sample) -> Zeroizing<Vec<u8>> {
    let rows = sample.pixels().chunks_exact(FULL_PX).skip(MARGIN_PX).take(CORE_PX);
    Zeroizing::new(rows.flat_map(|row| &row[MARGIN_PX..MARGIN_PX + CORE_PX]).copied().collect())
}

/// Cells of a palm on a side: each the mean of 2 x 2 pixels.
const CELLS: usize = CORE_PX / 2;
/// Half the width of the square that is averaged around a cell, so that a sensor's grain does not
/// pass for detail.
const AVERAGED_REACH: usize = 1;
/// Half a line's wave, in cells: six pixels, as the line filters have it.
const HALF_WAVE: usize = 3;

/// How strongly the palm's lines stand out: the mean second difference over the distance at which
/// they alternate, as a part of the mean brightness, on a scale that ends at 1. Blur that spares the
/// lines spares it, and what takes them takes it.
fn sharpness(core: &[u8], mean: f32) -> f32 {
    let cells = averaged(core);
    let edge = HALF_WAVE + AVERAGED_REACH;
    let (mut sum, mut count) = (0.0, 0.0);
    for y in edge..CELLS - edge {
        for x in edge..CELLS - edge {
            let at = y * CELLS + x;
            let centre = 2.0 * cells[at];
            let across = centre - cells[at - HALF_WAVE] - cells[at + HALF_WAVE];
            let down = centre - cells[at - HALF_WAVE * CELLS] - cells[at + HALF_WAVE * CELLS];
            sum += across.abs() + down.abs();
            count += 2.0;
        }
    }
    (sum / count / mean * 10.0_f32).min(1.0)
}

/// The mean brightness around every cell; cells at the edge are left dark and not looked at.
fn averaged(core: &[u8]) -> Zeroizing<Vec<f32>> {
    let mut cells = Zeroizing::new(vec![0.0; CELLS * CELLS]);
    let reach = 2 * AVERAGED_REACH;
    for y in AVERAGED_REACH..CELLS - AVERAGED_REACH {
        for x in AVERAGED_REACH..CELLS - AVERAGED_REACH {
            let mut sum = 0_u32;
            for row in 2 * y - reach..2 * y + 2 + reach {
                let line = &core[row * CORE_PX..][2 * x - reach..2 * x + 2 + reach];
                sum += line.iter().map(|&value| u32::from(value)).sum::<u32>();
            }
            cells[y * CELLS + x] = sum as f32 / ((2 + 2 * reach) * (2 + 2 * reach)) as f32;
        }
    }
    cells
}
