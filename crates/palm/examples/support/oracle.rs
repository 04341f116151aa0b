//! The template once more, slowly and with its choices as parameters: what the ablations vary, and an
//! oracle for the engine at the choices that it ships with.

use std::f64::consts::PI;

/// Side of a crop.
pub(crate) const CORE_PX: usize = 128;
/// Side of what is filtered: half the resolution.
const SIDE: usize = CORE_PX / 2;
/// What surrounds it, empty until the smoothing reaches into it, and the side with it.
const MARGIN: usize = 8;
const WIDE: usize = SIDE + 2 * MARGIN;
const DIRECTIONS: usize = 6;
const FILTER_REACH: usize = 4;
const ACROSS_SIGMA: f64 = 1.5;
const FAINTEST: f64 = 0.1;

/// What is varied.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choices {
    /// The filters' wave in radians a field pixel, and their Gaussian along the line.
    pub(crate) frequency: f64,
    pub(crate) along_sigma: f64,
    /// The smoothing's Gaussian in field pixels.
    pub(crate) smooth_sigma: f64,
    /// Weights of the fields at twice, four and six times the angle; a field of no weight is left out.
    pub(crate) weights: [f32; 3],
    /// Points of the lattice on a side.
    pub(crate) lattice: usize,
}

/// What the engine ships with.
pub(crate) const SHIPPED: Choices = Choices {
    frequency: 1.6,
    along_sigma: 3.0,
    smooth_sigma: 1.75,
    weights: [1.0, 0.9, 0.0],
    lattice: 16,
};

impl Choices {
    /// The fields that count: how often the angle is taken, and the weight.
    fn fields(&self) -> impl Iterator<Item = (f64, f32)> {
        [2.0, 4.0, 6.0].into_iter().zip(self.weights).filter(|(_, weight)| *weight > 0.0)
    }

    /// Numbers in a vector.
    pub(crate) fn length(&self) -> usize {
        2 * self.fields().count() * self.lattice * self.lattice
    }
}

/// A shift in pixels right and down, a rotation in radians and a scale.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pose {
    pub(crate) shift: (f64, f64),
    pub(crate) angle: f64,
    pub(crate) scale: f64,
}

/// The fields of one palm.
pub(crate) struct Fields {
    /// For each field x and y of every place.
    planes: Vec<(f64, f32, Vec<[f64; 2]>)>,
    lattice: usize,
}

impl Fields {
    /// Of a crop of `CORE_PX` squared grey pixels.
    pub(crate) fn of(grey: &[u8], choices: &Choices) -> Self {
        let half = halved(grey);
        let responses: Vec<Vec<f64>> =
            (0..DIRECTIONS).map(|direction| filtered(&half, direction, choices)).collect();
        let planes = choices.fields().map(|(times, weight)| {
            let place = |i: usize| {
                let (mut x, mut y) = (0.0, 0.0);
                for (direction, response) in responses.iter().enumerate() {
                    let darkness = (-response[i]).max(0.0);
                    let angle = times * PI * direction as f64 / DIRECTIONS as f64;
                    x += darkness * angle.cos();
                    y += darkness * angle.sin();
                }
                let length = x.hypot(y) + FAINTEST;
                [x / length, y / length]
            };
            let mut plane = vec![[0.0; 2]; WIDE * WIDE];
            for i in 0..SIDE * SIDE {
                plane[(i / SIDE + MARGIN) * WIDE + i % SIDE + MARGIN] = place(i);
            }
            (times, weight, smoothed(plane, choices.smooth_sigma))
        });
        Self { planes: planes.collect(), lattice: choices.lattice }
    }

    /// The vector of a pose, at unit length.
    pub(crate) fn vector(&self, pose: &Pose) -> Vec<f32> {
        let step = CORE_PX as f64 / self.lattice as f64;
        let first = (step - CORE_PX as f64) / 2.0;
        let (sine, cosine) = pose.angle.sin_cos();
        let mut out = Vec::new();
        for (times, weight, plane) in &self.planes {
            let begin = out.len();
            let (back_sine, back_cosine) = (times * pose.angle).sin_cos();
            for i in 0..self.lattice * self.lattice {
                let x = first + (i % self.lattice) as f64 * step;
                let y = first + (i / self.lattice) as f64 * step;
                let at_x = pose.scale * (cosine * x - sine * y) + pose.shift.0;
                let at_y = pose.scale * (sine * x + cosine * y) + pose.shift.1;
                let [a, b] = between(plane, at_x, at_y);
                out.push((back_cosine * a + back_sine * b) as f32);
                out.push((back_cosine * b - back_sine * a) as f32);
            }
            scale_to(&mut out[begin..], *weight);
        }
        scale_to(&mut out, 1.0);
        out
    }
}

fn scale_to(values: &mut [f32], length: f32) {
    let norm = values.iter().map(|v| v * v).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    values.iter_mut().for_each(|value| *value *= length / norm);
}

fn halved(grey: &[u8]) -> Vec<f64> {
    let mean = |i: usize| {
        let at = 2 * (i / SIDE) * CORE_PX + 2 * (i % SIDE);
        [at, at + 1, at + CORE_PX, at + CORE_PX + 1]
            .iter()
            .map(|&at| f64::from(grey[at]))
            .sum::<f64>()
            / 4.0
    };
    (0..SIDE * SIDE).map(mean).collect()
}

/// What one direction's filter answers at every place, the edge repeated.
fn filtered(half: &[f64], direction: usize, choices: &Choices) -> Vec<f64> {
    let width = 2 * FILTER_REACH + 1;
    let (sine, cosine) = (PI * direction as f64 / DIRECTIONS as f64).sin_cos();
    let value = |i: usize| {
        let x = (i % width) as f64 - FILTER_REACH as f64;
        let y = (i / width) as f64 - FILTER_REACH as f64;
        let (along, across) = (x * cosine + y * sine, y * cosine - x * sine);
        let envelope = across * across / (2.0 * ACROSS_SIGMA * ACROSS_SIGMA)
            + along * along / (2.0 * choices.along_sigma * choices.along_sigma);
        (-envelope).exp() * (choices.frequency * across).cos()
    };
    let mut filter: Vec<f64> = (0..width * width).map(value).collect();
    let mean = filter.iter().sum::<f64>() / filter.len() as f64;
    filter.iter_mut().for_each(|value| *value -= mean);
    let norm = filter.iter().map(|value| value * value).sum::<f64>().sqrt();
    let answer = |place: usize| {
        let mut sum = 0.0;
        for (i, value) in filter.iter().enumerate() {
            let near =
                |at: usize, offset: usize| (at + offset).saturating_sub(FILTER_REACH).min(SIDE - 1);
            let (x, y) = (near(place % SIDE, i % width), near(place / SIDE, i / width));
            sum += value * half[y * SIDE + x];
        }
        sum / norm
    };
    (0..SIDE * SIDE).map(answer).collect()
}

/// Gaussian smoothing, zero outside.
fn smoothed(mut plane: Vec<[f64; 2]>, sigma: f64) -> Vec<[f64; 2]> {
    let reach = (3.0 * sigma).ceil() as usize;
    let weight = |i: usize| (-(i as f64 - reach as f64).powi(2) / (2.0 * sigma * sigma)).exp();
    let total: f64 = (0..=2 * reach).map(weight).sum();
    for stride in [1, WIDE] {
        let source = plane.clone();
        for (i, place) in plane.iter_mut().enumerate() {
            let along = i / stride % WIDE;
            *place = [0.0; 2];
            for k in 0..=2 * reach {
                let to = along + k;
                if to < reach || to - reach >= WIDE {
                    continue;
                }
                let [x, y] = source[i + k * stride - reach * stride];
                place[0] += weight(k) / total * x;
                place[1] += weight(k) / total * y;
            }
        }
    }
    plane
}

/// A plane at a point in crop pixels from the middle; nothing beyond its edge.
fn between(plane: &[[f64; 2]], x: f64, y: f64) -> [f64; 2] {
    let (x, y) = (x / 2.0 + WIDE as f64 / 2.0 - 0.5, y / 2.0 + WIDE as f64 / 2.0 - 0.5);
    let (left, top) = (x.floor(), y.floor());
    let mut out = [0.0; 2];
    for (column, row) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)] {
        let (column, row) = (left + column, top + row);
        let share = (1.0 - (x - column).abs()) * (1.0 - (y - row).abs());
        if (0.0..WIDE as f64).contains(&column) && (0.0..WIDE as f64).contains(&row) {
            let place = plane[row as usize * WIDE + column as usize];
            out[0] += share * place[0];
            out[1] += share * place[1];
        }
    }
    out
}
