//! The double-angle field: where the palm's lines run, as a dense field of vectors.
//!
//! Six oriented line filters give for every pixel how much it looks like a dark line in each
//! direction. A line at angle t and one at t + pi are the same line, so the evidence is summed as
//! vectors at the doubled angle, brought to unit length (faint creases count as much as deep ones)
//! and smoothed, which makes neighbouring positions alike enough to survive a small misalignment.
//! The filters are those of competitive coding (Kong and Zhang 2004) at half resolution: the lines
//! are about six pixels of 128 wide, so nothing is lost and the work is a sixteenth.

use zeroize::Zeroizing;

use crate::maths::{exp_minus, sin_cos};
use crate::sample::{CORE_PX, FULL_PX, MARGIN_PX, Sample};

/// Side of the field: one vector for every two pixels of a sample, margin included.
pub const FIELD_PX: usize = FULL_PX / 2;
/// Line directions that are looked for.
const DIRECTIONS: usize = 6;
/// Half the filter's width: 9 x 9 here is 17 x 17 at full resolution.
const FILTER_REACH: usize = 4;
const FILTER_PX: usize = 2 * FILTER_REACH + 1;
/// The filter's Gaussian across the line and along it, in field pixels.
const ACROSS_SIGMA: f64 = 2.0;
const ALONG_SIGMA: f64 = 3.0;
/// The filter's wave in radians a field pixel: lines about a tenth of a palm's side apart.
const FREQUENCY: f64 = 1.2;
/// A line this faint, in grey levels of filter response, counts half; a flat place, where only
/// rounding answers, not at all.
const FAINTEST: f32 = 0.1;
/// The smoothing's Gaussian: narrower keeps more of the palm, wider forgives more misalignment;
/// with poses tried in steps of five sample pixels this is where neither is lost.
const SMOOTH_SIGMA: f64 = 1.25;

/// How a probe's palm may lie with respect to the reference's: a point p of the reference, from the
/// core's centre in sample pixels, is found in the probe at `scale * rotate(p) + shift`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pose {
    /// Sample pixels to the right.
    pub shift_x: f32,
    /// Sample pixels down.
    pub shift_y: f32,
    /// Sine of the rotation, clockwise on the screen.
    pub sine: f32,
    /// Cosine of the rotation.
    pub cosine: f32,
    /// Scale of the probe against the reference.
    pub scale: f32,
}

impl Pose {
    /// The pose of the reference itself.
    pub const IDENTITY: Self =
        Self { shift_x: 0.0, shift_y: 0.0, sine: 0.0, cosine: 1.0, scale: 1.0 };

    /// A pose from a rotation in degrees and a scale.
    pub fn new(shift_x: f32, shift_y: f32, degrees: f64, scale: f32) -> Self {
        let (sine, cosine) = sin_cos(degrees.to_radians());
        Self { shift_x, shift_y, sine: sine as f32, cosine: cosine as f32, scale }
    }
}

/// The field of a sample. Zeroed when dropped.
#[derive(Clone)]
pub struct Field {
    /// `FIELD_PX` squared vectors.
    vectors: Zeroizing<Vec<[f32; 2]>>,
}

impl Field {
    /// Computes the field of a sample.
    pub fn of(sample: &Sample) -> Self {
        let grey = halve(sample.pixels());
        let mut vectors = line_vectors(&grey);
        if !sample.has_margin() {
            clear_margin(&mut vectors);
        }
        smooth(&mut vectors);
        Self { vectors }
    }

    /// The field on a square lattice of `side` points over the core, as it lies in `pose`:
    /// `2 * side * side` numbers, x and y of each vector in turn, row by row.
    pub fn lattice(&self, side: usize, pose: &Pose, out: &mut Vec<f32>) {
        out.clear();
        let step = CORE_PX as f32 / side as f32;
        let first = -(CORE_PX as f32) / 2.0 + step / 2.0;
        // The rotation turns the lines too, by twice the angle in this field.
        let (double_sine, double_cosine) =
            (2.0 * pose.sine * pose.cosine, pose.cosine * pose.cosine - pose.sine * pose.sine);
        let (along, across) = (pose.scale * pose.cosine, pose.scale * pose.sine);
        for row in 0..side {
            let y = first + row as f32 * step;
            for column in 0..side {
                let x = first + column as f32 * step;
                let at_x = along * x - across * y + pose.shift_x;
                let at_y = across * x + along * y + pose.shift_y;
                let [u, v] = self.at(at_x, at_y);
                out.push(double_cosine * u + double_sine * v);
                out.push(double_cosine * v - double_sine * u);
            }
        }
    }

    /// The vector at a point in sample pixels from the core's centre; zero outside the field.
    fn at(&self, x: f32, y: f32) -> [f32; 2] {
        let half = FULL_PX as f32 / 2.0;
        let (x, y) = ((x + half) / 2.0 - 0.5, (y + half) / 2.0 - 0.5);
        let last = (FIELD_PX - 1) as f32;
        if x < 0.0 || y < 0.0 || x >= last || y >= last {
            return [0.0, 0.0];
        }
        let (column, row) = (x as usize, y as usize);
        let (fx, fy) = (x - column as f32, y - row as f32);
        let at = row * FIELD_PX + column;
        let [a, b, c, d] = [
            self.vectors[at],
            self.vectors[at + 1],
            self.vectors[at + FIELD_PX],
            self.vectors[at + FIELD_PX + 1],
        ];
        let mix = |i: usize| {
            let top = a[i] + fx * (b[i] - a[i]);
            let bottom = c[i] + fx * (d[i] - c[i]);
            top + fy * (bottom - top)
        };
        [mix(0), mix(1)]
    }
}

/// Halves the resolution: each output pixel is the mean of four.
fn halve(pixels: &[u8]) -> Zeroizing<Vec<f32>> {
    let mut grey = Zeroizing::new(Vec::with_capacity(FIELD_PX * FIELD_PX));
    for row in 0..FIELD_PX {
        for column in 0..FIELD_PX {
            let at = 2 * row * FULL_PX + 2 * column;
            let sum = u16::from(pixels[at])
                + u16::from(pixels[at + 1])
                + u16::from(pixels[at + FULL_PX])
                + u16::from(pixels[at + FULL_PX + 1]);
            grey.push(f32::from(sum) * 0.25);
        }
    }
    grey
}

/// The line filters: a cosine wave across the line under a Gaussian longer along it, zero mean so
/// that brightness does not count, unit norm so that all directions count alike.
fn filters() -> [[f32; FILTER_PX * FILTER_PX]; DIRECTIONS] {
    let mut filters = [[0.0; FILTER_PX * FILTER_PX]; DIRECTIONS];
    for (direction, filter) in filters.iter_mut().enumerate() {
        let (sine, cosine) = sin_cos(angle(direction));
        let mut values = [0.0_f64; FILTER_PX * FILTER_PX];
        for (i, value) in values.iter_mut().enumerate() {
            let x = (i % FILTER_PX) as f64 - FILTER_REACH as f64;
            let y = (i / FILTER_PX) as f64 - FILTER_REACH as f64;
            let along = x * cosine + y * sine;
            let across = y * cosine - x * sine;
            let envelope = exp_minus(
                across * across / (2.0 * ACROSS_SIGMA * ACROSS_SIGMA)
                    + along * along / (2.0 * ALONG_SIGMA * ALONG_SIGMA),
            );
            *value = envelope * sin_cos(FREQUENCY * across).1;
        }
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let norm = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>().sqrt();
        for (out, value) in filter.iter_mut().zip(values) {
            *out = ((value - mean) / norm) as f32;
        }
    }
    filters
}

/// The angle of a direction, clockwise from the x axis.
fn angle(direction: usize) -> f64 {
    std::f64::consts::PI * direction as f64 / DIRECTIONS as f64
}

/// For every pixel the unit vector at the doubled angle of the dark line through it.
fn line_vectors(grey: &[f32]) -> Zeroizing<Vec<[f32; 2]>> {
    let padded = pad(grey);
    let filters = filters();
    let mut vectors = Zeroizing::new(vec![[0.0_f32; 2]; FIELD_PX * FIELD_PX]);
    let mut response = [0.0_f32; FIELD_PX];
    for row in 0..FIELD_PX {
        for (direction, filter) in filters.iter().enumerate() {
            filter_row(&padded, row, filter, &mut response);
            let (sine, cosine) = sin_cos(2.0 * angle(direction));
            let (sine, cosine) = (sine as f32, cosine as f32);
            let line = &mut vectors[row * FIELD_PX..(row + 1) * FIELD_PX];
            for (vector, response) in line.iter_mut().zip(response) {
                // A dark line answers negatively.
                let darkness = (-response).max(0.0);
                vector[0] += darkness * cosine;
                vector[1] += darkness * sine;
            }
        }
    }
    for vector in vectors.iter_mut() {
        let length = (vector[0] * vector[0] + vector[1] * vector[1]).sqrt() + FAINTEST;
        vector[0] /= length;
        vector[1] /= length;
    }
    vectors
}

const PADDED_PX: usize = FIELD_PX + 2 * FILTER_REACH;

/// Repeats the edge, so that the filters never see a step that is not in the picture.
fn pad(grey: &[f32]) -> Zeroizing<Vec<f32>> {
    let mut padded = Zeroizing::new(Vec::with_capacity(PADDED_PX * PADDED_PX));
    for row in 0..PADDED_PX {
        let from = row.saturating_sub(FILTER_REACH).min(FIELD_PX - 1) * FIELD_PX;
        for column in 0..PADDED_PX {
            padded.push(grey[from + column.saturating_sub(FILTER_REACH).min(FIELD_PX - 1)]);
        }
    }
    padded
}

/// One row of one filter's response. The inner loop runs along the row, so that it vectorises.
fn filter_row(
    padded: &[f32],
    row: usize,
    filter: &[f32; FILTER_PX * FILTER_PX],
    response: &mut [f32; FIELD_PX],
) {
    response.fill(0.0);
    for filter_y in 0..FILTER_PX {
        let line = &padded[(row + filter_y) * PADDED_PX..][..PADDED_PX];
        for filter_x in 0..FILTER_PX {
            let weight = filter[filter_y * FILTER_PX + filter_x];
            for (sum, value) in response.iter_mut().zip(&line[filter_x..]) {
                *sum += weight * value;
            }
        }
    }
}

/// Removes what was computed from a repeated edge.
fn clear_margin(vectors: &mut [[f32; 2]]) {
    let margin = MARGIN_PX / 2;
    let inside = margin..FIELD_PX - margin;
    for (i, vector) in vectors.iter_mut().enumerate() {
        if !inside.contains(&(i % FIELD_PX)) || !inside.contains(&(i / FIELD_PX)) {
            *vector = [0.0, 0.0];
        }
    }
}

/// Gaussian smoothing, zero outside.
fn smooth(vectors: &mut Zeroizing<Vec<[f32; 2]>>) {
    let reach = (3.0 * SMOOTH_SIGMA).ceil() as usize;
    let mut weights: Vec<f64> = (0..=2 * reach)
        .map(|i| {
            let d = i as f64 - reach as f64;
            exp_minus(d * d / (2.0 * SMOOTH_SIGMA * SMOOTH_SIGMA))
        })
        .collect();
    let total: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|w| *w /= total);
    for stride in [1, FIELD_PX] {
        let source = vectors.clone();
        for i in 0..FIELD_PX * FIELD_PX {
            let along = if stride == 1 { i % FIELD_PX } else { i / FIELD_PX };
            let mut sum = [0.0_f32; 2];
            for (k, &weight) in weights.iter().enumerate() {
                let to = along + k;
                if to < reach || to - reach >= FIELD_PX {
                    continue;
                }
                let vector = source[i + k * stride - reach * stride];
                sum[0] += weight as f32 * vector[0];
                sum[1] += weight as f32 * vector[1];
            }
            vectors[i] = sum;
        }
    }
}
