//! The double-angle field: where the palm's lines run, as a dense field of vectors.
//!
//! Six oriented line filters give for every pixel how much it looks like a dark line in each
//! direction. A line at angle t and one at t + pi are the same line, so the evidence is summed as
//! vectors at the doubled angle, brought to unit length (faint creases count as much as deep ones)
//! and smoothed, which makes neighbouring positions alike enough to survive a small misalignment.
//! A second sum at four times the angle tells a crossing of two lines from a place without any,
//! which the doubled angle cannot: lines at right angles cancel in it.
//! The filters are those of competitive coding (Kong and Zhang 2004) at half resolution, where they
//! take a sixteenth of the work and measure the same.

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
const ACROSS_SIGMA: f64 = 1.5;
const ALONG_SIGMA: f64 = 3.0;
/// The filter's wave in radians a field pixel: creases about four field pixels, a sixteenth of a
/// palm's side, from edge to edge.
const FREQUENCY: f64 = 1.6;
/// A line this faint, in grey levels of filter response, counts half; a flat place, where only
/// rounding answers, not at all.
const FAINTEST: f32 = 0.1;
/// The smoothing's Gaussian: narrower keeps more of the palm, wider forgives more misalignment;
/// with poses that leave three sample pixels of it, this is where neither is lost.
const SMOOTH_SIGMA: f64 = 1.75;

/// Numbers of the field at one place: x and y of the vector at the doubled angle, then of the one at
/// four times the angle.
pub const PARTS: usize = 4;
/// What the field says of one place.
type Place = [f32; PARTS];

/// Distance of a point of the core from its centre, root mean square: 128 / sqrt(6).
const ARM_PX: f32 = 52.0;

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

    /// The pose of the mirrored probe against the mirrored reference.
    pub fn mirrored(self) -> Self {
        Self { shift_x: -self.shift_x, sine: -self.sine, ..self }
    }

    /// The poses a step away: shifted by that many pixels, or turned or scaled so that a point of
    /// the core moves about as far.
    pub fn neighbours(&self, step: f32) -> [Self; 8] {
        let moved = |shift_x, shift_y| Self { shift_x, shift_y, ..*self };
        let turned = |angle: f32| {
            // The angle is small, and the length is brought back to one.
            let (sine, cosine) = (self.sine + angle * self.cosine, self.cosine - angle * self.sine);
            let length = (sine * sine + cosine * cosine).sqrt();
            Self { sine: sine / length, cosine: cosine / length, ..*self }
        };
        let scaled = |by: f32| Self { scale: self.scale * (1.0 + by), ..*self };
        let small = step / ARM_PX;
        [
            moved(self.shift_x + step, self.shift_y),
            moved(self.shift_x - step, self.shift_y),
            moved(self.shift_x, self.shift_y + step),
            moved(self.shift_x, self.shift_y - step),
            turned(small),
            turned(-small),
            scaled(small),
            scaled(-small),
        ]
    }
}

/// The field of a sample. Zeroed when dropped.
#[derive(Clone)]
pub struct Field {
    /// `FIELD_PX` squared places.
    places: Zeroizing<Vec<Place>>,
}

impl Field {
    /// Computes the field of a sample.
    pub fn of(sample: &Sample) -> Self {
        let grey = halve(sample.pixels());
        let mut places = line_vectors(&grey);
        if !sample.has_margin() {
            clear_margin(&mut places);
        }
        smooth(&mut places);
        Self { places }
    }

    /// The field on a square lattice of `side` points over the core, as it lies in `pose`:
    /// `PARTS * side * side` numbers, first x and y at the doubled angle of each point in turn, row by
    /// row, then x and y at four times the angle.
    pub fn lattice(&self, side: usize, pose: &Pose, out: &mut Vec<f32>) {
        out.clear();
        out.resize(PARTS * side * side, 0.0);
        let (doubled, fourfold) = out.split_at_mut(2 * side * side);
        let step = CORE_PX as f32 / side as f32;
        let first = -(CORE_PX as f32) / 2.0 + step / 2.0;
        // The rotation turns the lines too, by twice and four times the angle in this field.
        let twice = double((pose.sine, pose.cosine));
        let four_times = double(twice);
        let (along, across) = (pose.scale * pose.cosine, pose.scale * pose.sine);
        let points = doubled.chunks_exact_mut(2).zip(fourfold.chunks_exact_mut(2));
        for (i, (doubled, fourfold)) in points.enumerate() {
            let (x, y) = (first + (i % side) as f32 * step, first + (i / side) as f32 * step);
            let at_x = along * x - across * y + pose.shift_x;
            let at_y = across * x + along * y + pose.shift_y;
            let [a, b, c, d] = self.at(at_x, at_y);
            doubled.copy_from_slice(&turned_back((a, b), twice));
            fourfold.copy_from_slice(&turned_back((c, d), four_times));
        }
    }

    /// What the field says of a point in sample pixels from the core's centre; zero outside it.
    fn at(&self, x: f32, y: f32) -> Place {
        let half = FULL_PX as f32 / 2.0;
        let (x, y) = ((x + half) / 2.0 - 0.5, (y + half) / 2.0 - 0.5);
        let last = (FIELD_PX - 1) as f32;
        if x < 0.0 || y < 0.0 || x >= last || y >= last {
            return [0.0; PARTS];
        }
        let (column, row) = (x as usize, y as usize);
        let (fx, fy) = (x - column as f32, y - row as f32);
        let at = row * FIELD_PX + column;
        let [a, b, c, d] = [
            self.places[at],
            self.places[at + 1],
            self.places[at + FIELD_PX],
            self.places[at + FIELD_PX + 1],
        ];
        std::array::from_fn(|i| {
            let top = a[i] + fx * (b[i] - a[i]);
            let bottom = c[i] + fx * (d[i] - c[i]);
            top + fy * (bottom - top)
        })
    }
}

/// Sine and cosine of the doubled angle.
fn double((sine, cosine): (f32, f32)) -> (f32, f32) {
    (2.0 * sine * cosine, cosine * cosine - sine * sine)
}

/// A vector turned back by an angle.
fn turned_back((x, y): (f32, f32), (sine, cosine): (f32, f32)) -> [f32; 2] {
    [cosine * x + sine * y, cosine * y - sine * x]
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

/// For every pixel the unit vectors at the doubled angle of the dark line through it, and at four
/// times the angle.
fn line_vectors(grey: &[f32]) -> Zeroizing<Vec<Place>> {
    let padded = pad(grey);
    let filters = filters();
    let mut places = Zeroizing::new(vec![[0.0_f32; PARTS]; FIELD_PX * FIELD_PX]);
    let mut response = Zeroizing::new([0.0_f32; FIELD_PX]);
    for row in 0..FIELD_PX {
        for (direction, filter) in filters.iter().enumerate() {
            filter_row(&padded, row, filter, &mut response);
            let twice = sin_cos(2.0 * angle(direction));
            let four_times = sin_cos(4.0 * angle(direction));
            let weights =
                [twice.1, twice.0, four_times.1, four_times.0].map(|weight| weight as f32);
            let line = &mut places[row * FIELD_PX..(row + 1) * FIELD_PX];
            for (place, response) in line.iter_mut().zip(response.iter()) {
                // A dark line answers negatively.
                let darkness = (-response).max(0.0);
                for (sum, weight) in place.iter_mut().zip(weights) {
                    *sum += darkness * weight;
                }
            }
        }
    }
    for place in places.iter_mut() {
        for vector in place.chunks_exact_mut(2) {
            let length = (vector[0] * vector[0] + vector[1] * vector[1]).sqrt() + FAINTEST;
            vector[0] /= length;
            vector[1] /= length;
        }
    }
    places
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
fn clear_margin(places: &mut [Place]) {
    let margin = MARGIN_PX / 2;
    let inside = margin..FIELD_PX - margin;
    for (i, place) in places.iter_mut().enumerate() {
        if !inside.contains(&(i % FIELD_PX)) || !inside.contains(&(i / FIELD_PX)) {
            *place = [0.0; PARTS];
        }
    }
}

/// Gaussian smoothing, zero outside.
fn smooth(places: &mut Zeroizing<Vec<Place>>) {
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
        let source = places.clone();
        for i in 0..FIELD_PX * FIELD_PX {
            let along = if stride == 1 { i % FIELD_PX } else { i / FIELD_PX };
            let mut sum = [0.0_f32; PARTS];
            for (k, &weight) in weights.iter().enumerate() {
                let to = along + k;
                if to < reach || to - reach >= FIELD_PX {
                    continue;
                }
                let place = &source[i + k * stride - reach * stride];
                for (sum, value) in sum.iter_mut().zip(place) {
                    *sum += weight as f32 * value;
                }
            }
            places[i] = sum;
        }
    }
}
