//! The spectrum of a patch: what a grid of pixels or dots leaves in it.

use zeroize::Zeroizing;

use super::patch::PATCH_PX;
use crate::maths::sin_cos;

/// Frequencies below this, in periods a patch, are the palm's lines.
const LINES_END: i32 = 10;
/// Pictures come in blocks of eight pixels from JPEG and from cameras: their grid is nobody's screen.
const BLOCK: i32 = PATCH_PX as i32 / 8;
/// How far around a frequency its surroundings reach, and how much of that belongs to itself.
const AROUND: i32 = 4;
const ITSELF: i32 = 1;
/// A spectrum's value below which there is nothing but rounding.
const FLOOR: f32 = 1.0;
/// Where the finest detail begins, in periods a patch: two and a half pixels.
const FINEST: i32 = 50;
/// Fine detail: where skin has ridges and pores.
const FINE: i32 = 20;

/// The power of every frequency of a patch, the mean taken off and the edges faded out.
pub struct Spectrum(Zeroizing<Vec<f32>>);

impl Spectrum {
    /// The spectrum of a square patch.
    pub fn of(patch: &[f32]) -> Self {
        assert_eq!(patch.len(), PATCH_PX * PATCH_PX, "a patch has one size");
        let waves = Waves::new();
        let mean = patch.iter().sum::<f32>() / patch.len() as f32;
        let mut re = Zeroizing::new(Vec::with_capacity(patch.len()));
        for (i, value) in patch.iter().enumerate() {
            let (x, y) = (i % PATCH_PX, i / PATCH_PX);
            re.push((value - mean) * waves.fade(x) * waves.fade(y));
        }
        let mut im = Zeroizing::new(vec![0.0; patch.len()]);
        for row in 0..PATCH_PX {
            let range = row * PATCH_PX..(row + 1) * PATCH_PX;
            waves.transform(&mut re[range.clone()], &mut im[range]);
        }
        transpose(&mut re);
        transpose(&mut im);
        for row in 0..PATCH_PX {
            let range = row * PATCH_PX..(row + 1) * PATCH_PX;
            waves.transform(&mut re[range.clone()], &mut im[range]);
        }
        Self(Zeroizing::new(re.iter().zip(im.iter()).map(|(r, i)| r * r + i * i).collect()))
    }

    fn at(&self, x: i32, y: i32) -> f32 {
        let wrap = |k: i32| k.rem_euclid(PATCH_PX as i32) as usize;
        self.0[wrap(y) * PATCH_PX + wrap(x)]
    }

    /// How far the strongest peak beyond the palm's lines stands above its surroundings. Noise and
    /// skin stay near 10; a grid leaves one sharp peak.
    pub fn peak(&self) -> f32 {
        let half = PATCH_PX as i32 / 2;
        let mut strongest = 0.0_f32;
        // The other half of the plane is the mirror of this one.
        for y in 0..half {
            for x in -half..half {
                if x * x + y * y < LINES_END * LINES_END || is_block(x, y) {
                    continue;
                }
                let here = self.at(x, y);
                if here > strongest * FLOOR && self.is_summit(x, y, here) {
                    strongest = strongest.max(here / (self.around(x, y) + FLOOR));
                }
            }
        }
        strongest
    }

    fn is_summit(&self, x: i32, y: i32, here: f32) -> bool {
        let mut neighbours = (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (dx, dy)));
        neighbours.all(|(dx, dy)| self.at(x + dx, y + dy) <= here)
    }

    fn around(&self, x: i32, y: i32) -> f32 {
        let (mut sum, mut count) = (0.0, 0.0);
        for dy in -AROUND..=AROUND {
            for dx in -AROUND..=AROUND {
                if dx.abs() > ITSELF || dy.abs() > ITSELF {
                    sum += self.at(x + dx, y + dy);
                    count += 1.0;
                }
            }
        }
        sum / count
    }

    /// The finest detail as a part of the fine.
    pub fn grain(&self) -> f32 {
        let half = PATCH_PX as i32 / 2;
        let (mut fine, mut finest) = ((0.0, 0.0), (0.0, 0.0));
        for y in 0..half {
            for x in -half..half {
                let square = x * x + y * y;
                let band = if square >= FINEST * FINEST && square < half * half {
                    &mut finest
                } else if (FINE * FINE / 4..FINE * FINE).contains(&square) {
                    &mut fine
                } else {
                    continue;
                };
                band.0 += self.at(x, y);
                band.1 += 1.0;
            }
        }
        let mean = |(sum, count): (f32, f32)| sum / count;
        (mean(finest) / (mean(fine) + FLOOR)).sqrt()
    }
}

/// Whether a frequency belongs to the blocks of a picture's compression.
fn is_block(x: i32, y: i32) -> bool {
    let near = |k: i32| {
        let off = k.rem_euclid(BLOCK);
        off <= 1 || off >= BLOCK - 1
    };
    near(x) && near(y)
}

fn transpose(square: &mut [f32]) {
    for y in 0..PATCH_PX {
        for x in 0..y {
            square.swap(y * PATCH_PX + x, x * PATCH_PX + y);
        }
    }
}

/// Sines and cosines of whole parts of a turn.
struct Waves([(f32, f32); PATCH_PX]);

impl Waves {
    fn new() -> Self {
        let turn = std::f64::consts::TAU / PATCH_PX as f64;
        Self(std::array::from_fn(|k| {
            let (sine, cosine) = sin_cos(turn * k as f64);
            (sine as f32, cosine as f32)
        }))
    }

    /// Hann's window: 0 at the edges, 1 in the middle.
    fn fade(&self, k: usize) -> f32 {
        0.5 - 0.5 * self.0[k].1
    }

    /// The fast Fourier transform in place (Cooley and Tukey 1965).
    fn transform(&self, re: &mut [f32], im: &mut [f32]) {
        let bits = PATCH_PX.trailing_zeros();
        for i in 0..PATCH_PX {
            let j = i.reverse_bits() >> (usize::BITS - bits);
            if i < j {
                re.swap(i, j);
                im.swap(i, j);
            }
        }
        let mut half = 1;
        while half < PATCH_PX {
            let step = PATCH_PX / (2 * half);
            for start in (0..PATCH_PX).step_by(2 * half) {
                for k in 0..half {
                    let (sine, cosine) = self.0[k * step];
                    let (a, b) = (start + k, start + k + half);
                    let (r, i) = (re[b] * cosine + im[b] * sine, im[b] * cosine - re[b] * sine);
                    (re[b], im[b]) = (re[a] - r, im[a] - i);
                    (re[a], im[a]) = (re[a] + r, im[a] + i);
                }
            }
            half *= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The oracle: every sum written out.
    fn slow(re: &[f32]) -> Vec<(f64, f64)> {
        let turn = std::f64::consts::TAU / PATCH_PX as f64;
        let term = |k: usize, i: usize| {
            let (sine, cosine) = (turn * (k * i % PATCH_PX) as f64).sin_cos();
            (f64::from(re[i]) * cosine, -f64::from(re[i]) * sine)
        };
        (0..PATCH_PX)
            .map(|k| {
                (0..PATCH_PX).map(|i| term(k, i)).fold((0.0, 0.0), |s, t| (s.0 + t.0, s.1 + t.1))
            })
            .collect()
    }

    fn noise(i: usize) -> f32 {
        let mixed = (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 56) as f32
    }

    #[test]
    fn the_fast_transform_is_the_slow_one() {
        let mut re: Vec<f32> = (0..PATCH_PX).map(noise).collect();
        let wanted = slow(&re);
        let mut im = vec![0.0; PATCH_PX];
        Waves::new().transform(&mut re, &mut im);
        for ((re, im), (slow_re, slow_im)) in re.iter().zip(&im).zip(wanted) {
            assert!(
                (f64::from(*re) - slow_re).abs() < 0.05 && (f64::from(*im) - slow_im).abs() < 0.05
            );
        }
    }

    #[test]
    fn a_grid_stands_out_of_noise_and_blocks_do_not() {
        let patch = |periods: f32, depth: f32| -> Vec<f32> {
            let wave = |i: usize| {
                let turn =
                    std::f32::consts::TAU * periods * (i % PATCH_PX) as f32 / PATCH_PX as f32;
                depth * turn.sin()
            };
            (0..PATCH_PX * PATCH_PX).map(|i| 100.0 + 0.05 * noise(i) + wave(i)).collect()
        };
        let plain = Spectrum::of(&patch(0.0, 0.0)).peak();
        assert!(plain < 20.0, "noise alone: {plain}");
        let grid = Spectrum::of(&patch(37.3, 1.5)).peak();
        assert!(grid > 5.0 * plain, "a grid: {grid}");
        let block = Spectrum::of(&patch(32.0, 6.0)).peak();
        assert!(block < 2.0 * plain, "blocks of eight: {block}");
    }

    #[test]
    fn noise_is_grainier_than_what_was_blurred() {
        let sharp: Vec<f32> = (0..PATCH_PX * PATCH_PX).map(noise).collect();
        let soft: Vec<f32> = (0..sharp.len())
            .map(|i| (0..4).map(|k| sharp[(i + k) % sharp.len()]).sum::<f32>() / 4.0)
            .collect();
        assert!(Spectrum::of(&sharp).grain() > 1.5 * Spectrum::of(&soft).grain());
    }
}
