//! Telling hand from ground, pixel by pixel.

use std::rc::Rc;

use zeroize::Zeroizing;

use super::tints::{self, Tints};
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
    /// Dark and even, so that whatever is a little lighter is lit: a hand far from the light's middle.
    Unlit,
    /// Lighter than the hand.
    Light,
    /// Of one colour, whichever: what the picture's edge mostly shows. Needs colour.
    OneColour,
    /// Of any colour but that of the picture's middle, where a hand is held: a room. Needs colour.
    Room,
    /// Reddish too, but less than the hand: wood, a face in the shade. Needs colour.
    LessRed,
    /// Of colours of its own, whichever, that are seen around the hand: a wall as dark and as red as
    /// the hand before it. Needs colour.
    Around,
    /// The same, and so alike that only the likeliest colours are the hand's. Needs colour.
    AroundAlike,
}

/// The least difference between the mean of hand and ground, of 255: less is noise.
const REDNESS_STEP_MIN: f32 = 12.0;
const LUMA_STEP_MIN: f32 = 20.0;
const SHADOW_STEP_MIN: f32 = 12.0;

/// What every pixel is compared with: it depends on the picture, and a part of the picture is then
/// looked at in the same way.
#[derive(Debug, Clone)]
pub struct Rule {
    pub ground: Ground,
    /// The colour of reference, for grounds that need one.
    reference: [u8; 3],
    /// The colours of hand and ground, for a ground that needs them.
    tints: Option<Rc<Tints>>,
    /// What is above this belongs to something.
    pub level: u8,
}

impl Ground {
    pub const ALL: [Self; 11] = [
        Self::NotRed,
        Self::Around,
        Self::AroundAlike,
        Self::Dark,
        Self::Black,
        Self::Shadowed,
        Self::Light,
        Self::OneColour,
        Self::Room,
        Self::LessRed,
        Self::Unlit,
    ];

    /// How to tell what stands out from this ground, and the plane in which it does; none where
    /// nothing does.
    pub fn rule(self, view: &View) -> Option<(Rule, Plane)> {
        let reference = match self {
            Self::OneColour => edge_colour(view)?,
            Self::Room => middle_colour(view)?,
            _ => [0; 3],
        };
        let tints = match self {
            Self::Around | Self::AroundAlike => Some(view.tints()?),
            _ => None,
        };
        let plane = self.plane(view, reference, tints.as_deref())?;
        let histogram = histogram(&plane);
        let mut split = split(&histogram)?;
        match self {
            // What is darker than the hand's lit part is split once more.
            Self::Shadowed => split = self::split(&histogram[..=usize::from(split.level)])?,
            Self::Around => split.level = tints::EVEN,
            Self::Unlit => split.level = above_darkest(&histogram, split.level)?,
            Self::LessRed => split = split_above(histogram, split.level)?,
            Self::AroundAlike => split = split_above(histogram, tints::EVEN)?,
            _ => {}
        }
        let rule = Rule { ground: self, reference, tints, level: split.level };
        (split.step >= self.step_min()).then_some((rule, plane))
    }

    fn step_min(self) -> f32 {
        match self {
            Self::NotRed | Self::LessRed => REDNESS_STEP_MIN,
            Self::Shadowed | Self::AroundAlike => SHADOW_STEP_MIN,
            _ => LUMA_STEP_MIN,
        }
    }

    /// The plane in which the hand is bright, smoothed.
    fn plane(self, view: &View, reference: [u8; 3], tints: Option<&Tints>) -> Option<Plane> {
        let plane = match self {
            Self::Around | Self::AroundAlike => likeness(view, tints?)?,
            Self::NotRed | Self::LessRed => redness(view)?,
            Self::Dark | Self::Shadowed | Self::Unlit => return Some(blur(view.luma())),
            Self::Black => mapped(view.luma(), root),
            Self::Light => mapped(view.luma(), |value| 255 - value),
            Self::OneColour => difference(view, reference)?,
            Self::Room => mapped(&tint_difference(view, reference)?, |value| 255 - value),
        };
        Some(blur(&plane))
    }
}

impl Rule {
    /// The rule that learned colours give.
    pub fn of_tints(tints: Tints) -> Self {
        let tints = Some(Rc::new(tints));
        Self { ground: Ground::Around, reference: [0; 3], tints, level: tints::EVEN }
    }

    /// The plane in which the hand is above the rule's level.
    pub fn plane(&self, view: &View) -> Option<Plane> {
        self.ground.plane(view, self.reference, self.tints.as_deref())
    }

    /// What of a plane belongs to something.
    pub fn mask(&self, plane: &Plane) -> Mask {
        let bits = plane.values.iter().map(|&value| value > self.level).collect();
        Mask { width: plane.width, height: plane.height, bits: Zeroizing::new(bits) }
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

/// How much likelier each pixel is the hand's than the ground's.
fn likeness(view: &View, tints: &Tints) -> Option<Plane> {
    let values = tints.values(view)?;
    Some(Plane { width: view.width(), height: view.height(), values })
}

/// The median colour of the picture's edge.
fn edge_colour(view: &View) -> Option<[u8; 3]> {
    let (width, height) = (view.width(), view.height());
    let on_edge = |x: usize, y: usize| x < 2 || y < 2 || x + 2 >= width || y + 2 >= height;
    median_colour(view, on_edge)
}

/// The median colour of the picture's middle, a third of it wide and high.
fn middle_colour(view: &View) -> Option<[u8; 3]> {
    let (width, height) = (view.width(), view.height());
    let middle = |x: usize, y: usize| {
        (width / 3..width - width / 3).contains(&x)
            && (height / 3..height - height / 3).contains(&y)
    };
    median_colour(view, middle)
}

/// The median of each channel over some pixels; none where there are no such pixels or no colour.
fn median_colour(view: &View, wanted: impl Fn(usize, usize) -> bool) -> Option<[u8; 3]> {
    let rgb = view.rgb()?;
    let mut histograms = [[0_u32; 256]; 3];
    let mut count = 0;
    for (i, pixel) in rgb.iter().enumerate() {
        if wanted(i % view.width(), i / view.width()) {
            count += 1;
            for (histogram, &value) in histograms.iter_mut().zip(pixel) {
                histogram[usize::from(value)] += 1;
            }
        }
    }
    (count > 0).then(|| {
        histograms.map(|histogram| {
            let mut below = 0;
            let median = histogram.iter().position(|&n| {
                below += n;
                2 * below >= count
            });
            median.unwrap_or(0) as u8
        })
    })
}

/// How far each pixel's colour is from a reference.
fn difference(view: &View, reference: [u8; 3]) -> Option<Plane> {
    let values = view
        .rgb()?
        .iter()
        .map(|pixel| {
            let sum: u16 =
                pixel.iter().zip(reference).map(|(&a, b)| u16::from(a.abs_diff(b))).sum();
            sum.min(255) as u8
        })
        .collect();
    Some(Plane { width: view.width(), height: view.height(), values: Zeroizing::new(values) })
}

/// How far each pixel's tint is from a reference's, whatever its brightness, and a quarter of how far
/// its brightness is: skin in light and shade has one tint.
fn tint_difference(view: &View, reference: [u8; 3]) -> Option<Plane> {
    /// Parts of the brightness that a tint is measured in, and what keeps dark pixels from having
    /// wild tints.
    const PARTS: i32 = 512;
    const DARK: i32 = 24;
    let tint = |pixel: [u8; 3]| {
        let [red, green, blue] = pixel.map(i32::from);
        let sum = red + green + blue + DARK;
        ([red * PARTS / sum, green * PARTS / sum, blue * PARTS / sum], sum / 3)
    };
    let (own, light) = tint(reference);
    let values = view
        .rgb()?
        .iter()
        .map(|&pixel| {
            let (other, brightness) = tint(pixel);
            let apart: i32 = own.iter().zip(other).map(|(a, b)| (a - b).abs()).sum();
            (apart * 2 + (light - brightness).abs() / 4).min(255) as u8
        })
        .collect();
    Some(Plane { width: view.width(), height: view.height(), values: Zeroizing::new(values) })
}

/// The mean of every pixel with its eight neighbours, the edge repeated.
fn blur(plane: &Plane) -> Plane {
    let (width, height) = (plane.width, plane.height);
    let row = |y: usize| &plane.values[y * width..(y + 1) * width];
    let mut values = Zeroizing::new(vec![0_u8; width * height]);
    // Each column's three pixels, the first and the last column twice.
    let mut columns = Zeroizing::new(vec![0_u16; width + 2]);
    for (y, out) in values.chunks_exact_mut(width).enumerate() {
        let (above, below) = (row(y.saturating_sub(1)), row((y + 1).min(height - 1)));
        let lines = above.iter().zip(row(y)).zip(below);
        for (column, ((&a, &b), &c)) in columns[1..].iter_mut().zip(lines) {
            *column = u16::from(a) + u16::from(b) + u16::from(c);
        }
        (columns[0], columns[width + 1]) = (columns[1], columns[width]);
        for (value, near) in out.iter_mut().zip(columns.windows(3)) {
            *value = ((near[0] + near[1] + near[2]) / 9) as u8;
        }
    }
    Plane { width, height, values }
}

/// A level that splits a plane in two.
pub struct Split {
    pub level: u8,
    /// From the mean below to the mean above.
    pub step: f32,
}

/// How many pixels have each value.
fn histogram(plane: &Plane) -> [u64; 256] {
    let mut histogram = [0; 256];
    for &value in plane.values.iter() {
        histogram[usize::from(value)] += 1;
    }
    histogram
}

/// The level just above an even dark ground: as far above the commonest value below `level` as three
/// times what the values below that one stray. None where the ground is not dark and even.
fn above_darkest(histogram: &[u64], level: u8) -> Option<u8> {
    /// A ground that strays less is measured by the camera's noise.
    const STRAY_MIN: usize = 2;
    const STRAYS: usize = 3;
    let below = &histogram[..=usize::from(level)];
    let mode = (0..below.len()).max_by_key(|&value| below[value])?;
    let darker: u64 = below[..=mode].iter().sum();
    let mut sum = 0;
    let tenth = below.iter().position(|&count| {
        sum += count;
        10 * sum >= darker
    })?;
    let found = mode + STRAYS * (mode - tenth).max(STRAY_MIN);
    u8::try_from(found).ok().filter(|&found| found < level)
}

/// The level that splits what is above a level in two.
fn split_above(mut histogram: [u64; 256], level: u8) -> Option<Split> {
    histogram[..=usize::from(level)].fill(0);
    split(&histogram)
}

/// Otsu's level: the one with the greatest variance between what is above it and what is not.
pub fn split(histogram: &[u64]) -> Option<Split> {
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
