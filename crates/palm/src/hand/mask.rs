//! Telling hand from ground, pixel by pixel.

use zeroize::Zeroizing;

use super::view::{Plane, View};

/// Which pixels belong to something. Zeroed when dropped: an outline is a biometric too.
#[derive(Clone)]
pub struct Mask {
    pub width: usize,
    pub height: usize,
    pub bits: Zeroizing<Vec<bool>>,
}

/// What the ground is, and so what the hand differs by. In the order in which they are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// Anything that is not reddish: cloth, paper, a wall, coloured pegs. Needs colour.
    NotRed,
    /// Darker than the hand.
    Dark,
    /// Much darker than the hand, whose far parts are dim: near infrared.
    Black,
    /// Darker than even what of the hand lies in shadow: fingers at the light's border.
    Shadowed,
    /// Lighter than the hand.
    Light,
    /// Of one colour, whichever: what the picture's edge mostly shows. Needs colour.
    OneColour,
}

/// The least difference between the mean of hand and ground, of 255: less is noise.
const REDNESS_STEP_MIN: f32 = 12.0;
const LUMA_STEP_MIN: f32 = 20.0;
const SHADOW_STEP_MIN: f32 = 12.0;

impl Ground {
    pub const ALL: [Self; 6] =
        [Self::NotRed, Self::Dark, Self::Black, Self::Shadowed, Self::Light, Self::OneColour];

    /// The mask of what stands out from this ground; none where nothing does.
    pub fn mask(self, view: &View) -> Option<Mask> {
        let (plane, step_min) = match self {
            Self::NotRed => (redness(view)?, REDNESS_STEP_MIN),
            Self::Dark => (view.luma().clone(), LUMA_STEP_MIN),
            Self::Shadowed => (view.luma().clone(), SHADOW_STEP_MIN),
            Self::Black => (mapped(view.luma(), root), LUMA_STEP_MIN),
            Self::Light => (mapped(view.luma(), |value| 255 - value), LUMA_STEP_MIN),
            Self::OneColour => (difference_from_edge(view)?, LUMA_STEP_MIN),
        };
        let plane = blur(&plane);
        let histogram = histogram(&plane);
        let mut split = split(&histogram)?;
        if self == Self::Shadowed {
            // What is darker than the hand's lit part is split once more.
            split = self::split(&histogram[..=usize::from(split.level)])?;
        }
        if split.step < step_min {
            return None;
        }
        let bits = plane.values.iter().map(|&value| value > split.level).collect();
        Some(Mask { width: plane.width, height: plane.height, bits: Zeroizing::new(bits) })
    }
}

/// Sixteen times the square root: spreads the dark values.
fn root(value: u8) -> u8 {
    ((u32::from(value) * 255).isqrt()) as u8
}

fn mapped(plane: &Plane, map: impl Fn(u8) -> u8) -> Plane {
    let values = plane.values.iter().map(|&value| map(value)).collect();
    Plane { width: plane.width, height: plane.height, values: Zeroizing::new(values) }
}

/// Red above green: skin of every tone has it; yellow, green, blue and grey things do not.
fn redness(view: &View) -> Option<Plane> {
    let values = view
        .rgb()?
        .iter()
        .map(|&[red, green, _]| (128 + i16::from(red) - i16::from(green)).clamp(0, 255) as u8)
        .collect();
    Some(Plane { width: view.width(), height: view.height(), values: Zeroizing::new(values) })
}

/// How far each pixel's colour is from the median colour of the picture's edge.
fn difference_from_edge(view: &View) -> Option<Plane> {
    let rgb = view.rgb()?;
    let (width, height) = (view.width(), view.height());
    let on_edge = |i: usize| {
        let (x, y) = (i % width, i / width);
        x < 2 || y < 2 || x + 2 >= width || y + 2 >= height
    };
    let ground: [u8; 3] = std::array::from_fn(|channel| {
        let mut values: Vec<u8> =
            (0..rgb.len()).filter(|&i| on_edge(i)).map(|i| rgb[i][channel]).collect();
        values.sort_unstable();
        values[values.len() / 2]
    });
    let values = rgb
        .iter()
        .map(|pixel| {
            let sum: u16 = pixel.iter().zip(ground).map(|(&a, b)| u16::from(a.abs_diff(b))).sum();
            sum.min(255) as u8
        })
        .collect();
    Some(Plane { width, height, values: Zeroizing::new(values) })
}

/// The mean of every pixel with its eight neighbours, the edge repeated.
fn blur(plane: &Plane) -> Plane {
    let (width, height) = (plane.width, plane.height);
    let at = |x: usize, y: usize| u16::from(plane.values[y * width + x]);
    let mut values = Zeroizing::new(Vec::with_capacity(width * height));
    let mut columns = Zeroizing::new(vec![0_u16; width]);
    for y in 0..height {
        let (above, below) = (y.saturating_sub(1), (y + 1).min(height - 1));
        for (x, column) in columns.iter_mut().enumerate() {
            *column = at(x, above) + at(x, y) + at(x, below);
        }
        for x in 0..width {
            let sum = columns[x.saturating_sub(1)] + columns[x] + columns[(x + 1).min(width - 1)];
            values.push((sum / 9) as u8);
        }
    }
    Plane { width, height, values }
}

/// A level that splits a plane in two.
struct Split {
    level: u8,
    /// From the mean below to the mean above.
    step: f32,
}

/// How many pixels have each value.
fn histogram(plane: &Plane) -> [u64; 256] {
    let mut histogram = [0; 256];
    for &value in plane.values.iter() {
        histogram[usize::from(value)] += 1;
    }
    histogram
}

/// Otsu's level: the one with the greatest variance between what is above it and what is not.
fn split(histogram: &[u64]) -> Option<Split> {
    let total: u64 = histogram.iter().sum();
    let total_sum: u64 = histogram.iter().enumerate().map(|(value, &n)| value as u64 * n).sum();
    let (mut below, mut below_sum) = (0_u64, 0_u64);
    let mut best: Option<(f64, Split)> = None;
    for (level, &count) in histogram.iter().enumerate() {
        below += count;
        below_sum += level as u64 * count;
        if below == 0 || below == total {
            continue;
        }
        let above = total - below;
        let step = (total_sum - below_sum) as f64 / above as f64 - below_sum as f64 / below as f64;
        let variance = below as f64 * above as f64 * step * step;
        if best.as_ref().is_none_or(|(held, _)| variance > *held) {
            best = Some((variance, Split { level: level as u8, step: step as f32 }));
        }
    }
    best.map(|(_, split)| split)
}
