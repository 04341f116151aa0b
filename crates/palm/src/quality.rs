//! Whether a sample shows enough of the palm to be compared, and how well.

use zeroize::Zeroizing;

use crate::acquire::{LUMA_MIN, Refusal};
use crate::field::{Field, PARTS, Pose};
use crate::sample::{CORE_PX, FULL_PX, MARGIN_PX, Sample};

/// How well a sample shows the palm's lines. It predicts misses: rejecting the samples of lowest
/// quality takes away more of the misses than of the matches (`handfast eval --report` draws the curve).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// How strongly lines stand out of the palm's brightness: 0 to 1.
    pub sharpness: f32,
    /// How much neighbouring places agree on where the lines run: 0 (noise) to 1 (one direction).
    pub coherence: f32,
    /// How much of what is seen is lines, and not grain: 0 (grain alone) to 1 (none).
    pub clarity: f32,
}

impl Quality {
    /// One number: 0 (no lines to compare) to 1 (as good as samples are).
    ///
    /// Coherence alone cannot tell lines from a sensor's smoothed grain, and clarity alone cannot tell
    /// them from a wide shadow.
    #[must_use]
    pub fn value(&self) -> f32 {
        (self.coherence * self.clarity / BEST).min(1.0)
    }
}

/// Coherence times clarity of the best samples there are: single ones in a hundred reach it.
const BEST: f32 = 0.25;
/// Places of the lattice on a side that coherence is averaged over: those of a template.
const PLACES: usize = 16;
/// How far apart grain is looked for, and how far lines, in pixels of a sample.
const GRAIN_PX: usize = 1;
const LINE_PX: usize = 4;

/// The quality of a sample, whole hand or ready-made crop.
#[must_use]
pub fn quality(sample: &Sample) -> Quality {
    let core = core(sample);
    let mean = core.iter().map(|&value| f32::from(value)).sum::<f32>() / core.len() as f32;
    // A black sample has no lines, and divides by nothing.
    let sharpness = sharpness(&averaged(&core), mean.max(1.0));
    Quality { sharpness, coherence: coherence(sample), clarity: clarity(&core) }
}

/// The mean length of the smoothed line field's vectors at the doubled angle: unit vectors that
/// disagree cancel.
fn coherence(sample: &Sample) -> f32 {
    let mut lattice = Zeroizing::new(Vec::with_capacity(PARTS * PLACES * PLACES));
    Field::of(sample).lattice(PLACES, &Pose::IDENTITY, &mut lattice);
    let doubled = &lattice[..2 * PLACES * PLACES];
    let lengths = doubled.chunks_exact(2).map(|v| (v[0] * v[0] + v[1] * v[1]).sqrt());
    lengths.sum::<f32>() / (PLACES * PLACES) as f32
}

/// One less what the finest differences are of those over a line's width.
fn clarity(core: &[u8]) -> f32 {
    let (mut grain, mut lines) = (0_u64, 0_u64);
    for y in LINE_PX..CORE_PX - LINE_PX {
        for x in LINE_PX..CORE_PX - LINE_PX {
            grain += second_differences(core, x, y, GRAIN_PX);
            lines += second_differences(core, x, y, LINE_PX);
        }
    }
    1.0 - (grain as f32 / lines.max(1) as f32).min(1.0)
}

/// How far a pixel is from the mean of those so far left and right, above and below, twice.
fn second_differences(core: &[u8], x: usize, y: usize, reach: usize) -> u64 {
    let at = |x: usize, y: usize| i64::from(core[y * CORE_PX + x]);
    let across = 2 * at(x, y) - at(x - reach, y) - at(x + reach, y);
    let down = 2 * at(x, y) - at(x, y - reach) - at(x, y + reach);
    across.unsigned_abs() + down.unsigned_abs()
}

/// A pixel this bright shows no crease.
const GLARE_LUMA: u8 = 250;
/// The greatest part of a palm that may be so bright.
const GLARE_PART_MAX: f32 = 0.15;
/// The least sharpness; see [`sharpness`]. Pictures of real hands that match have 0.14 to 0.65, and a
/// drawn hand loses its likeness at about 0.12.
const SHARPNESS_MIN: f32 = 0.12;

/// The least of fine detail against coarse; see [`fineness`]. Of 663 pictures of real hands the least has
/// 0.28; drawn hands have 0.40 in focus, 0.25 where blur makes one in twelve miss and 0.21 where it makes
/// nine.
const FINENESS_MIN: f32 = 0.24;

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
    let cells = averaged(&core);
    let sharpness = sharpness(&cells, mean);
    let is_blurred = sharpness < SHARPNESS_MIN || fineness(&cells) < FINENESS_MIN;
    if is_blurred { Err(Refusal::Blurred) } else { Ok(sharpness) }
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

/// Half the waves, in cells, that are compared for [`fineness`]: four pixels, and ten.
const HALF_FINE: usize = 2;
const HALF_COARSE: usize = 5;

/// How strongly the palm's lines stand out: the mean second difference over the distance at which
/// they alternate, as a part of the mean brightness, on a scale that ends at 1. Blur that spares the
/// lines spares it, and what takes them takes it.
fn sharpness(cells: &[f32], mean: f32) -> f32 {
    (mean_second_difference(cells, HALF_WAVE) / mean * 10.0).min(1.0)
}

/// How much fine detail there is against coarse: what a palm has much or little of blur takes from the
/// fine first, however strong its lines and whatever the light.
fn fineness(cells: &[f32]) -> f32 {
    let coarse = mean_second_difference(cells, HALF_COARSE);
    // Where nothing is seen nothing is blurred.
    if coarse > 0.0 { mean_second_difference(cells, HALF_FINE) / coarse } else { 1.0 }
}

/// The mean of how far a cell is from those so far left and right, above and below, twice.
fn mean_second_difference(cells: &[f32], reach: usize) -> f32 {
    let edge = reach + AVERAGED_REACH;
    let (mut sum, mut count) = (0.0, 0.0_f32);
    for y in edge..CELLS - edge {
        for x in edge..CELLS - edge {
            let at = y * CELLS + x;
            let centre = 2.0 * cells[at];
            let across = centre - cells[at - reach] - cells[at + reach];
            let down = centre - cells[at - reach * CELLS] - cells[at + reach * CELLS];
            sum += across.abs() + down.abs();
            count += 2.0;
        }
    }
    sum / count
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Picture, Side};

    fn sample(of: impl Fn(usize, usize) -> f32) -> Sample {
        let pixels = (0..CORE_PX * CORE_PX).map(|i| of(i % CORE_PX, i / CORE_PX) as u8).collect();
        let picture = Picture::from_grey(CORE_PX as u32, CORE_PX as u32, pixels).unwrap();
        Sample::from_roi_picture(&picture, Side::Right)
    }

    fn noise(x: usize, y: usize) -> f32 {
        let mixed = ((y * CORE_PX + x) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 56) as f32 / 255.0 - 0.5
    }

    fn lines(x: usize, y: usize) -> f32 {
        let place = (x as f32 + 0.3 * y as f32) * 0.21;
        128.0 - 40.0 * place.sin().max(0.6)
    }

    #[test]
    fn grain_lowers_quality_and_lines_raise_it() {
        let clean = quality(&sample(lines));
        let grainy = quality(&sample(|x, y| lines(x, y) + 40.0 * noise(x, y)));
        let grain = quality(&sample(|x, y| 128.0 + 40.0 * noise(x, y)));
        assert!(clean.value() > grainy.value() && grainy.value() > grain.value());
        assert!(clean.coherence > 2.0 * grain.coherence, "{clean:?} {grain:?}");
    }

    #[test]
    fn blur_takes_fine_detail_from_faint_lines_and_strong_ones_alike() {
        let blurred = |depth: f32, sigma: f32| {
            let reach = (3.0 * sigma) as usize + 1;
            let weight = |k: usize| (-0.5 * (k as f32 / sigma).powi(2)).exp();
            // Creases of several widths, along one way: blurring across them is enough.
            let line = |x: f32| -> f32 {
                [20.0_f32, 41.0, 55.0, 83.0, 109.0]
                    .iter()
                    .zip([0.9_f32, 1.6, 1.1, 2.4, 0.8])
                    .map(|(at, width)| (-0.5 * ((x - at) / width).powi(2)).exp())
                    .sum()
            };
            sample(move |x, _| {
                let around = (0..=2 * reach)
                    .map(|k| (k.abs_diff(reach), x as f32 + k as f32 - reach as f32));
                let (sum, total) = around.fold((0.0, 0.0), |(sum, total), (off, at)| {
                    (sum + weight(off) * line(at), total + weight(off))
                });
                128.0 - depth * sum / total
            })
        };
        for depth in [30.0, 90.0] {
            let [sharp, soft, lost] =
                [0.6, 3.0, 9.0].map(|sigma| fineness(&averaged(&core(&blurred(depth, sigma)))));
            assert!(sharp > soft && soft > lost + 0.05, "{depth}: {sharp} {soft} {lost}");
            assert!(lost < FINENESS_MIN && sharp > FINENESS_MIN, "{depth}: {sharp} {lost}");
        }
        assert!(fineness(&averaged(&core(&sample(|_, _| 128.0)))) > FINENESS_MIN);
    }

    #[test]
    fn every_sample_has_a_quality_between_0_and_1() {
        for level in [0.0, 1.0, 128.0, 255.0] {
            let flat = quality(&sample(|_, _| level));
            assert!((0.0..=1.0).contains(&flat.value()), "{level}: {flat:?}");
            assert!(flat.value() < 0.05, "{level}: {flat:?}");
        }
    }
}
