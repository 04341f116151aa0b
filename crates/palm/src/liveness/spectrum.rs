//! The spectrum of a palm's patches: what a grid of pixels or dots leaves in it.

use zeroize::Zeroizing;

use super::patch::{PATCH_PX, Patch};
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
/// The least that summits stray: of a flat picture there is only rounding.
const STRAY_MIN: f32 = 0.05;
/// Where the finest detail begins, in periods a patch: two and a half pixels.
const FINEST: i32 = 50;
/// Fine detail: where skin has ridges and pores.
const FINE: i32 = 20;
/// What a sensor stains row by row, or column by column, lies on the axes of the spectrum, as wide as the
/// fading of the edges leaves it. A screen lies there only while it is held straighter than a hand can.
const SENSOR: i32 = 2;
/// Peaks lie in different directions from 30 degrees on: this is the square of the cosine.
const ASIDE: f32 = 0.75;

/// The power of every frequency, a mean over patches: the mean taken off and the edges faded out of each.
pub struct Spectrum(Zeroizing<Vec<f32>>);

/// The spectra of brightness and of tint, of several patches. Where a grid is, it is in all of them at the
/// same frequency, while what skin and noise leave differs from patch to patch: the mean keeps the one and
/// evens out the other (Welch 1967).
pub struct Spectra {
    pub luma: Spectrum,
    pub tint: Option<Spectrum>,
}

impl Spectra {
    /// The spectra of square patches.
    pub fn of(patches: &[Patch]) -> Self {
        let waves = Waves::new();
        let zeros = || Zeroizing::new(vec![0.0; PATCH_PX * PATCH_PX]);
        let (mut luma, mut tint) = (zeros(), zeros());
        let (mut re, mut im) = (zeros(), zeros());
        for patch in patches {
            waves.faded(&patch.luma, &mut re);
            match &patch.tint {
                Some(tint) => waves.faded(tint, &mut im),
                None => im.fill(0.0),
            }
            waves.transform_square(&mut re, &mut im);
            add_powers(&re, &im, &mut luma, &mut tint);
        }
        let share = 1.0 / patches.len().max(1) as f32;
        for sum in luma.iter_mut().chain(tint.iter_mut()) {
            *sum *= share;
        }
        let coloured = patches.iter().all(|patch| patch.tint.is_some());
        Self { luma: Spectrum(luma), tint: coloured.then_some(Spectrum(tint)) }
    }
}

/// Adds the powers of two real pictures that were transformed together, one as the real part and one
/// as the imaginary part: the former's spectrum is Hermitian, the latter's the rest.
fn add_powers(re: &[f32], im: &[f32], real: &mut [f32], imaginary: &mut [f32]) {
    for y in 0..PATCH_PX {
        let mirrored_row = (PATCH_PX - y) % PATCH_PX * PATCH_PX;
        for x in 0..PATCH_PX {
            let (at, mirrored) = (y * PATCH_PX + x, mirrored_row + (PATCH_PX - x) % PATCH_PX);
            let (a, b) = ((re[at], im[at]), (re[mirrored], im[mirrored]));
            let square = |x: f32, y: f32| (x * x + y * y) / 4.0;
            real[at] += square(a.0 + b.0, a.1 - b.1);
            imaginary[at] += square(a.1 + b.1, b.0 - a.0);
        }
    }
}

impl Spectrum {
    fn at(&self, x: i32, y: i32) -> f32 {
        let wrap = |k: i32| k.rem_euclid(PATCH_PX as i32) as usize;
        self.0[wrap(y) * PATCH_PX + wrap(x)]
    }

    /// How far the strongest peak beyond the palm's lines stands above the others: each against its
    /// surroundings, and the strongest in steps from the median to the ninth of ten. So it is measured in
    /// what this very spectrum strays, however many patches it is a mean of and however they overlap.
    /// Noise and skin stay near 4; a grid leaves one sharp peak.
    pub fn peak(&self) -> f32 {
        Summits::of(self).strongest()
    }

    /// The same for the strongest peak that lies in another direction than the strongest of all, and in
    /// another column and row: a grid runs two ways, a sensor's hum one, or it wanders along a column.
    pub fn crossing_peak(&self) -> f32 {
        let mut summits = Summits::of(self);
        if let Some(&Summit { place, .. }) = summits.0.last() {
            summits.0.retain(|it| is_crossing(it.place, place));
        }
        summits.strongest()
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

/// A frequency that stands out of its neighbours.
struct Summit {
    /// How many times its surroundings it is.
    height: f32,
    place: (i32, i32),
}

/// The summits beyond the palm's lines, the highest last.
struct Summits(Vec<Summit>);

impl Summits {
    fn of(spectrum: &Spectrum) -> Self {
        let half = PATCH_PX as i32 / 2;
        let mut summits = Vec::new();
        // The other half of the plane is the mirror of this one.
        for y in 0..half {
            for x in -half..half {
                let is_palms = x * x + y * y < LINES_END * LINES_END;
                if is_palms || is_sensor(x, y) || is_block(x, y) {
                    continue;
                }
                let here = spectrum.at(x, y);
                if spectrum.is_summit(x, y, here) {
                    let height = here / (spectrum.around(x, y) + FLOOR);
                    summits.push(Summit { height, place: (x, y) });
                }
            }
        }
        summits.sort_by(|a, b| a.height.total_cmp(&b.height));
        Self(summits)
    }

    fn strongest(&self) -> f32 {
        let Some(strongest) = self.0.last() else { return 0.0 };
        let median = self.0[self.0.len() / 2].height;
        let usual = self.0[self.0.len() * 9 / 10].height - median;
        (strongest.height - median) / (usual + STRAY_MIN)
    }
}

/// Whether two peaks are of waves that run in different directions and differ both along a sensor's rows and
/// from row to row.
fn is_crossing(a: (i32, i32), b: (i32, i32)) -> bool {
    let square = |(x, y): (i32, i32)| (x * x + y * y) as f32;
    let along = (a.0 * b.0 + a.1 * b.1) as f32;
    let differ = |a: i32, b: i32| (a.abs() - b.abs()).abs() > SENSOR;
    along * along < ASIDE * square(a) * square(b) && differ(a.0, b.0) && differ(a.1, b.1)
}

/// Whether a frequency belongs to the rows or the columns of a sensor.
fn is_sensor(x: i32, y: i32) -> bool {
    x.abs() <= SENSOR || y.abs() <= SENSOR
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

    /// A patch without its mean, faded out towards its edges.
    fn faded(&self, patch: &[f32], out: &mut [f32]) {
        assert_eq!(patch.len(), PATCH_PX * PATCH_PX, "a patch has one size");
        let mean = patch.iter().sum::<f32>() / patch.len() as f32;
        for (i, (out, value)) in out.iter_mut().zip(patch).enumerate() {
            *out = (value - mean) * self.fade(i % PATCH_PX) * self.fade(i / PATCH_PX);
        }
    }

    /// The transform of a square in both directions. What comes out is transposed, which changes no
    /// place's distance from the origin and is undone here.
    fn transform_square(&self, re: &mut [f32], im: &mut [f32]) {
        for _ in 0..2 {
            self.transform(re, im);
            transpose(re);
            transpose(im);
        }
    }

    /// The fast Fourier transform of all columns of a square in place (Cooley and Tukey 1965): a step
    /// takes whole rows, so that it vectorises.
    fn transform(&self, re: &mut [f32], im: &mut [f32]) {
        let bits = PATCH_PX.trailing_zeros();
        for i in 0..PATCH_PX {
            let j = i.reverse_bits() >> (usize::BITS - bits);
            if i < j {
                for part in [&mut *re, &mut *im] {
                    let (upper, lower) = part.split_at_mut(j * PATCH_PX);
                    upper[i * PATCH_PX..(i + 1) * PATCH_PX].swap_with_slice(&mut lower[..PATCH_PX]);
                }
            }
        }
        let mut half = 1;
        while half < PATCH_PX {
            let step = PATCH_PX / (2 * half);
            for start in (0..PATCH_PX).step_by(2 * half) {
                for k in 0..half {
                    let rows = (start + k, start + k + half);
                    butterfly(re, im, rows, self.0[k * step]);
                }
            }
            half *= 2;
        }
    }
}

/// One step of the transform for two rows: the second, turned by an angle, is added to the first and
/// taken from it.
fn butterfly(re: &mut [f32], im: &mut [f32], rows: (usize, usize), (sine, cosine): (f32, f32)) {
    let (re_first, re_second) = re.split_at_mut(rows.1 * PATCH_PX);
    let (im_first, im_second) = im.split_at_mut(rows.1 * PATCH_PX);
    let first = rows.0 * PATCH_PX..(rows.0 + 1) * PATCH_PX;
    let firsts = re_first[first.clone()].iter_mut().zip(&mut im_first[first]);
    let seconds = re_second[..PATCH_PX].iter_mut().zip(&mut im_second[..PATCH_PX]);
    for ((re_a, im_a), (re_b, im_b)) in firsts.zip(seconds) {
        let (r, i) = (*re_b * cosine + *im_b * sine, *im_b * cosine - *re_b * sine);
        (*re_b, *im_b) = (*re_a - r, *im_a - i);
        (*re_a, *im_a) = (*re_a + r, *im_a + i);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The oracle: every sum of some frequencies written out.
    fn slow(patch: &[f32], fade: impl Fn(usize) -> f64, x: usize, y: usize) -> f64 {
        let turn = std::f64::consts::TAU / PATCH_PX as f64;
        let mean = patch.iter().map(|&v| f64::from(v)).sum::<f64>() / patch.len() as f64;
        let (mut re, mut im) = (0.0, 0.0);
        for (i, &value) in patch.iter().enumerate() {
            let (column, row) = (i % PATCH_PX, i / PATCH_PX);
            let (sine, cosine) = (turn * ((x * column + y * row) % PATCH_PX) as f64).sin_cos();
            let value = (f64::from(value) - mean) * fade(column) * fade(row);
            (re, im) = (re + value * cosine, im - value * sine);
        }
        re * re + im * im
    }

    fn noise(i: usize) -> f32 {
        let mixed = (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 56) as f32
    }

    fn noisy(seed: usize) -> Zeroizing<Vec<f32>> {
        Zeroizing::new((0..PATCH_PX * PATCH_PX).map(|i| noise(seed * 100_003 + i)).collect())
    }

    fn spectrum(patch: Vec<f32>) -> Spectrum {
        Spectra::of(&[Patch { luma: Zeroizing::new(patch), tint: None }]).luma
    }

    #[test]
    fn the_fast_transform_of_two_pictures_at_once_is_the_slow_one_of_each() {
        let patches = [1, 2].map(|k| Patch { luma: noisy(k), tint: Some(noisy(10 + k)) });
        let spectra = Spectra::of(&patches);
        let tint = spectra.tint.expect("coloured patches");
        let waves = Waves::new();
        let fade = |k: usize| f64::from(waves.fade(k));
        for (x, y) in [(0, 1), (1, 0), (3, 5), (64, 0), (17, 100), (127, 127)] {
            let mean = |of: &dyn Fn(&Patch) -> f64| patches.iter().map(of).sum::<f64>() / 2.0;
            let luma_wanted = mean(&|it| slow(&it.luma, fade, x, y));
            let tint_wanted = mean(&|it| slow(it.tint.as_ref().expect("tint"), fade, x, y));
            let (x, y) = (x as i32, y as i32);
            for (found, wanted) in [(&spectra.luma, luma_wanted), (&tint, tint_wanted)] {
                let found = f64::from(found.at(x, y));
                assert!((found / wanted - 1.0).abs() < 0.01, "{found} instead of {wanted}");
            }
        }
    }

    #[test]
    fn a_grid_stands_out_of_noise_and_blocks_do_not() {
        let patch = |periods: f32, depth: f32| -> Vec<f32> {
            let wave = |i: usize| {
                let periods = periods * (i % PATCH_PX + i / PATCH_PX) as f32 / PATCH_PX as f32;
                depth * (std::f32::consts::TAU * periods).sin()
            };
            (0..PATCH_PX * PATCH_PX).map(|i| 100.0 + 0.05 * noise(i) + wave(i)).collect()
        };
        let plain = spectrum(patch(0.0, 0.0)).peak();
        assert!(plain < 20.0, "noise alone: {plain}");
        let grid = spectrum(patch(37.3, 1.5)).peak();
        assert!(grid > 5.0 * plain, "a grid: {grid}");
        let block = spectrum(patch(32.0, 6.0)).peak();
        assert!(block < 2.0 * plain, "blocks: {block}");
    }

    #[test]
    fn a_grid_too_faint_for_one_patch_stands_out_of_several() {
        let patch = |seed: usize, depth: f32| {
            let wave = |i: usize| {
                let periods = 37.3 * (i % PATCH_PX + i / PATCH_PX) as f32 / PATCH_PX as f32;
                depth * (std::f32::consts::TAU * periods + seed as f32).sin()
            };
            let luma = noisy(seed).iter().enumerate().map(|(i, noise)| noise + wave(i)).collect();
            Patch { luma: Zeroizing::new(luma), tint: None }
        };
        let peak = |count: usize, depth: f32| {
            let patches: Vec<Patch> = (0..count).map(|seed| patch(seed, depth)).collect();
            Spectra::of(&patches).luma.peak()
        };
        assert!(peak(1, 4.0) < 1.2 * peak(1, 0.0));
        assert!(peak(9, 4.0) > 1.5 * peak(9, 0.0));
    }

    #[test]
    fn a_hum_is_no_crossing_and_a_sensors_rows_are_no_grid() {
        let patch = |waves: &[(f32, f32)]| {
            let turn = std::f32::consts::TAU / PATCH_PX as f32;
            let wave = |i: usize| {
                let (x, y) = ((i % PATCH_PX) as f32, (i / PATCH_PX) as f32);
                waves.iter().map(|(fx, fy)| (turn * (fx * x + fy * y)).sin()).sum::<f32>()
            };
            spectrum((0..PATCH_PX * PATCH_PX).map(|i| 0.05 * noise(i) + wave(i)).collect())
        };
        let (plain, hum) = (patch(&[]), patch(&[(18.5, 33.0)]));
        assert!(hum.peak() > 5.0 * plain.peak());
        assert!(hum.crossing_peak() < 2.0 * plain.crossing_peak());
        assert!(patch(&[(18.5, 33.0), (-30.0, 21.0)]).crossing_peak() > 5.0 * plain.peak());
        assert!(patch(&[(0.0, 40.0), (25.0, 0.0)]).peak() < 2.0 * plain.peak());
    }

    #[test]
    fn noise_is_grainier_than_what_was_blurred() {
        let sharp: Vec<f32> = (0..PATCH_PX * PATCH_PX).map(noise).collect();
        let soft: Vec<f32> = (0..sharp.len())
            .map(|i| (0..4).map(|k| sharp[(i + k) % sharp.len()]).sum::<f32>() / 4.0)
            .collect();
        assert!(spectrum(sharp).grain() > 1.5 * spectrum(soft).grain());
    }
}
