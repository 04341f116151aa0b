//! What a hand's colours are like and what its ground's: learned from the one picture.
//!
//! A hand is held to the picture's middle, and its ground is seen around it. Both are taken for clouds of
//! colours, and every pixel belongs to the likelier one; then the clouds are measured again over what
//! belongs to them. Skin that is as dark and as red as the wall behind it still has a tint of its own.

use zeroize::Zeroizing;

use super::view::View;
use crate::maths;

/// A pixel's tint twice, and its brightness.
const PARTS: usize = 3;
/// How often the clouds are measured anew.
const ROUNDS: usize = 4;
/// Every so many pixels across and down take part in that.
const STRIDE: usize = 3;
/// Where a hand is looked for at first, as parts of the width and height: a palm in the middle.
const MIDDLE: [f32; 4] = [0.4, 0.6, 0.4, 0.75];
/// Where it may be afterwards.
const WITHIN: [f32; 4] = [0.2, 0.8, 0.08, 1.0];
/// Ground at first: beside this and above it. Below there is the arm.
const AROUND: [f32; 4] = [0.15, 0.85, 0.1, 1.0];
/// The least deviation of a tint, and of the brightness: what a sensor's noise is.
const DEVIATION_MIN: [f32; PARTS] = [2.0, 2.0, 3.0];
/// Pixels that a cloud is measured from, at least.
const PIXELS_MIN: f32 = 50.0;
/// Steps of a plane for each unit of the logarithm of odds.
const STEPS: f32 = 8.0;
/// What a plane has where both are as likely.
pub const EVEN: u8 = 128;

/// A cloud of colours: how far a colour is from its middle in its own spread (Mahalanobis 1936), its
/// volume counted in, as a polynomial of second degree.
#[derive(Debug, Clone, Copy)]
struct Cloud {
    constant: f32,
    linear: [f32; PARTS],
    square: [[f32; PARTS]; PARTS],
}

/// A hand's colours against its ground's: the logarithm of odds, as such a polynomial.
#[derive(Debug, Clone, Copy)]
pub struct Tints(Cloud);

/// One pixel that the clouds are measured from. Zeroed when dropped.
#[derive(Clone, Copy, Default)]
struct Seen {
    parts: [f32; PARTS],
    /// Whether a hand is looked for there.
    within: bool,
    is_hand: bool,
    is_ground: bool,
}

impl zeroize::DefaultIsZeroes for Seen {}

impl Tints {
    /// What the middle of a view differs in from what is around it; none without colour.
    pub fn of(view: &View) -> Option<Self> {
        let rgb = view.rgb().filter(|_| view.has_colour())?;
        let mut seen = look(rgb, view.width(), view.height());
        let mut tints = Self::between(&seen)?;
        for _ in 0..ROUNDS {
            for it in seen.iter_mut() {
                it.is_hand = it.within && tints.0.at(it.parts) > 0.0;
                it.is_ground = !it.is_hand;
            }
            tints = Self::between(&seen)?;
        }
        Some(tints)
    }

    fn between(seen: &[Seen]) -> Option<Self> {
        let hand = Cloud::of(seen.iter().filter(|it| it.is_hand).map(|it| it.parts))?;
        let ground = Cloud::of(seen.iter().filter(|it| it.is_ground).map(|it| it.parts))?;
        let half = |ground: f32, hand: f32| (ground - hand) / 2.0;
        Some(Self(Cloud {
            constant: half(ground.constant, hand.constant),
            linear: std::array::from_fn(|i| half(ground.linear[i], hand.linear[i])),
            square: std::array::from_fn(|i| {
                std::array::from_fn(|j| half(ground.square[i][j], hand.square[i][j]))
            }),
        }))
    }

    /// How much likelier a colour is a hand's, as a plane's value: even odds are [`EVEN`].
    pub fn value(&self, pixel: [u8; 3]) -> u8 {
        (f32::from(EVEN) + STEPS * self.0.at(parts(pixel))).clamp(0.0, 255.0) as u8
    }
}

/// Some of a view's pixels, those in its middle taken for a hand and those around it for ground.
fn look(rgb: &[[u8; 3]], width: usize, height: usize) -> Zeroizing<Vec<Seen>> {
    let (columns, rows) = (width.div_ceil(STRIDE), height.div_ceil(STRIDE));
    let mut seen = Zeroizing::new(Vec::with_capacity(columns * rows));
    for y in (0..height).step_by(STRIDE) {
        for x in (0..width).step_by(STRIDE) {
            let place = (x as f32 / width as f32, y as f32 / height as f32);
            let inside = |[left, right, top, bottom]: [f32; 4]| {
                (left..right).contains(&place.0) && (top..bottom).contains(&place.1)
            };
            seen.push(Seen {
                parts: parts(rgb[y * width + x]),
                within: inside(WITHIN),
                is_hand: inside(MIDDLE),
                is_ground: !inside(AROUND),
            });
        }
    }
    seen
}

/// Red and blue as parts of the brightness, and the brightness.
fn parts([red, green, blue]: [u8; 3]) -> [f32; PARTS] {
    /// What keeps dark pixels from having wild tints.
    const DARK: f32 = 24.0;
    let [red, green, blue] = [red, green, blue].map(f32::from);
    let sum = red + green + blue;
    let scale = 512.0 / (sum + DARK);
    [red * scale, blue * scale, sum / 3.0]
}

impl Cloud {
    /// The cloud of some colours; none of too few.
    fn of(colours: impl Iterator<Item = [f32; PARTS]> + Clone) -> Option<Self> {
        let (mut mean, mut count) = ([0.0_f32; PARTS], 0.0_f32);
        for colour in colours.clone() {
            mean.iter_mut().zip(colour).for_each(|(mean, part)| *mean += part);
            count += 1.0;
        }
        if count < PIXELS_MIN {
            return None;
        }
        mean.iter_mut().for_each(|mean| *mean /= count);
        let mut spread = [[0.0_f32; PARTS]; PARTS];
        for colour in colours {
            let off: [f32; PARTS] = std::array::from_fn(|i| colour[i] - mean[i]);
            for (row, off_i) in spread.iter_mut().zip(off) {
                row.iter_mut().zip(off).for_each(|(value, off_j)| *value += off_i * off_j);
            }
        }
        for (i, row) in spread.iter_mut().enumerate() {
            row.iter_mut().for_each(|value| *value /= count);
            row[i] += DEVIATION_MIN[i] * DEVIATION_MIN[i];
        }
        Some(Self::with(mean, &spread))
    }

    fn with(mean: [f32; PARTS], spread: &[[f32; PARTS]; PARTS]) -> Self {
        // A symmetric matrix of three is inverted by its cofactors.
        let minor = |i: usize, j: usize| {
            let (a, b, c, d) = ((i + 1) % 3, (i + 2) % 3, (j + 1) % 3, (j + 2) % 3);
            spread[a][c] * spread[b][d] - spread[a][d] * spread[b][c]
        };
        let determinant = (0..PARTS).map(|j| spread[0][j] * minor(0, j)).sum::<f32>();
        // Every variance is at least a sensor's, so it is above 0 but for rounding.
        let determinant = determinant.max(1.0);
        let square: [[f32; PARTS]; PARTS] =
            std::array::from_fn(|i| std::array::from_fn(|j| minor(i, j) / determinant));
        let dot = |row: &[f32; PARTS]| row.iter().zip(mean).map(|(a, b)| a * b).sum::<f32>();
        let linear = square.map(|row| -2.0 * dot(&row));
        let volume = maths::ln(f64::from(determinant)) as f32;
        Self { constant: volume - dot(&linear) / 2.0, linear, square }
    }

    fn at(&self, colour: [f32; PARTS]) -> f32 {
        let mut sum = self.constant;
        for ((row, linear), part) in self.square.iter().zip(self.linear).zip(colour) {
            let square: f32 = row.iter().zip(colour).map(|(a, b)| a * b).sum();
            sum += part * (linear + square);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::super::view::{Region, SEARCH_PX};
    use super::*;
    use crate::Picture;

    /// The oracle: the distance written out.
    fn slow(colours: &[[f32; PARTS]], at: [f32; PARTS]) -> f64 {
        let count = colours.len() as f64;
        let mean: [f64; 3] = std::array::from_fn(|i| {
            colours.iter().map(|colour| f64::from(colour[i])).sum::<f64>() / count
        });
        let mut m: [[f64; 3]; 3] = std::array::from_fn(|i| {
            std::array::from_fn(|j| {
                let off = |c: &[f32; 3], k: usize| f64::from(c[k]) - mean[k];
                colours.iter().map(|c| off(c, i) * off(c, j)).sum::<f64>() / count
            })
        });
        (0..3).for_each(|i| m[i][i] += f64::from(DEVIATION_MIN[i] * DEVIATION_MIN[i]));
        // Gauss's elimination of m y = off; the determinant is the pivots' product.
        let off: [f64; 3] = std::array::from_fn(|i| f64::from(at[i]) - mean[i]);
        let (mut rest, mut volume) = (off, 1.0);
        for i in 0..3 {
            volume *= m[i][i];
            for k in i + 1..3 {
                let share = m[k][i] / m[i][i];
                (0..3).for_each(|j| m[k][j] -= share * m[i][j]);
                rest[k] -= share * rest[i];
            }
        }
        (0..3).map(|i| rest[i] * rest[i] / m[i][i]).sum::<f64>() + volume.ln()
    }

    #[test]
    fn a_cloud_measures_distances_as_they_are_defined() {
        let colours: Vec<[f32; 3]> = (0..200)
            .map(|k| {
                let (a, b) = ((k * 37 % 101) as f32, (k * 53 % 89) as f32);
                [150.0 + 0.2 * a, 90.0 - 0.1 * a + 0.1 * b, 80.0 + 0.5 * b]
            })
            .collect();
        let cloud = Cloud::of(colours.iter().copied()).expect("enough of them");
        for at in [[160.0, 88.0, 100.0], [150.0, 90.0, 80.0], [200.0, 60.0, 30.0]] {
            let (fast, slow) = (f64::from(cloud.at(at)), slow(&colours, at));
            assert!((fast - slow).abs() < 0.02 * (1.0 + slow.abs()), "{at:?}: {fast}, {slow}");
        }
    }

    #[test]
    fn skin_is_told_from_a_wall_as_dark_and_as_red() {
        let (width, height) = (320_u32, 180_u32);
        let hand = |x: u32, y: u32| (130..190).contains(&x) && (60..150).contains(&y);
        let pixels = (0..width * height).flat_map(|i| {
            let (x, y) = (i % width, i / width);
            let light = 0.8 + 0.4 * x as f32 / width as f32;
            let own: [f32; 3] = if hand(x, y) { [116.0, 76.0, 60.0] } else { [112.0, 82.0, 68.0] };
            own.map(|value| (value * light) as u8)
        });
        let picture = Picture::from_rgb(width, height, pixels.collect()).expect("fits");
        let view = View::of(&picture, Region::whole(&picture), SEARCH_PX);
        let tints = Tints::of(&view).expect("it has colours");
        let rgb = view.rgb().expect("it has colours");
        let right = (0..width * height).filter(|&i| {
            let found = tints.value(rgb[i as usize]) > EVEN;
            found == hand(i % width, i / width)
        });
        assert!(right.count() * 100 > 97 * (width * height) as usize);
    }
}
