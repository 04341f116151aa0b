//! Where a palm's principal creases usually run, and which hand they say it is.
//!
//! The mean courses of life, head and heart line over a thousand labelled palms are published as
//! polynomials. Drawn as a field they look like no palm in particular and a little like every right
//! one; mirrored, like every left one. A palm that fills the picture shows no thumb, but it shows these.

use std::sync::LazyLock;

use zeroize::Zeroizing;

use crate::field::{Field, PARTS, Pose};
use crate::maths::exp_minus;
use crate::template::{LATTICE, describe};
use crate::{CORE_PX, Effort, Sample};

/// A crease: height over place across the palm, in palm coordinates from -1 (thumb, wrist) to 1 (little
/// finger, fingers), the constant first; and from which place to which it runs.
struct Crease {
    coefficients: [f64; 5],
    from: f64,
    to: f64,
}

const CREASES: [Crease; 3] = [
    // Life, head, heart.
    Crease { coefficients: [-0.467, -1.521, -1.073, -0.915, -0.628], from: -1.0, to: 0.220 },
    Crease { coefficients: [0.154, -0.365, -0.217, -0.043, 0.004], from: -1.0, to: 0.684 },
    Crease { coefficients: [0.545, -0.387, 0.277, -0.072, 0.006], from: -0.372, to: 1.0 },
];
/// A palm coordinate in sample pixels, across and up: what brings the creases where samples of real
/// palms have theirs on average.
const ACROSS_PX: f64 = 50.0;
const UP_PX: f64 = 80.0;
/// How far the creases of palms stray from their mean course, in sample pixels.
const STRAY_PX: f64 = 12.0;
/// How much of creases there must be near a place for half of what there can be said of it: sample pixels
/// of their length.
const LENGTH_PX: f32 = 20.0;
/// Points that a crease is drawn with.
const POINTS: usize = 80;

/// The field of usual creases on a template's lattice at unit length: of a right palm, and of a left one.
static USUAL: LazyLock<[Vec<f32>; 2]> = LazyLock::new(|| {
    let right = usual();
    let left = mirrored(&right);
    [right, left]
});

/// How much more like a right hand's than like a left one's the creases of a sample run that was cut
/// out as a right hand's, unmirrored: the difference of two correlations, each the best over the
/// poses of a probe.
pub fn right_over_left(sample: &Sample) -> f32 {
    let field = Field::of(sample);
    let [right, left] = &*USUAL;
    let best = |usual: &[f32], pose: fn(Pose) -> Pose| {
        // As long as it becomes: a vector that grows leaves copies behind that nobody zeroes.
        let mut lattice = Zeroizing::new(Vec::with_capacity(PARTS * LATTICE * LATTICE));
        let fits = Effort::Light.poses().map(|it| {
            describe(&field, &pose(it), &mut lattice);
            usual.iter().zip(lattice.iter()).map(|(a, b)| a * b).sum::<f32>()
        });
        fits.fold(f32::NEG_INFINITY, f32::max)
    };
    best(right, |pose| pose) - best(left, Pose::mirrored)
}

/// The field of a right palm's usual creases.
fn usual() -> Vec<f32> {
    let mut field = vec![0.0_f32; PARTS * LATTICE * LATTICE];
    let (doubled, fourfold) = field.split_at_mut(2 * LATTICE * LATTICE);
    for crease in &CREASES {
        for i in 0..POINTS {
            draw(crease, (i as f64 + 0.5) / POINTS as f64, doubled, fourfold);
        }
    }
    for vector in field.chunks_exact_mut(2) {
        let length = (vector[0] * vector[0] + vector[1] * vector[1]).sqrt() + LENGTH_PX;
        vector.iter_mut().for_each(|value| *value /= length);
    }
    let norm = field.iter().map(|value| value * value).sum::<f32>().sqrt();
    field.iter_mut().for_each(|value| *value /= norm);
    field
}

/// Adds the piece of a crease around a part of its way.
fn draw(crease: &Crease, part: f64, doubled: &mut [f32], fourfold: &mut [f32]) {
    let place = crease.from + (crease.to - crease.from) * part;
    let mut height = 0.0;
    let mut slope = 0.0;
    for coefficient in crease.coefficients.iter().rev() {
        slope = slope * place + height;
        height = height * place + coefficient;
    }
    // A right palm's thumb is on the right, and y runs down.
    let (x, y) = (-ACROSS_PX * place, -UP_PX * height);
    let (along_x, along_y) = (-ACROSS_PX, -UP_PX * slope);
    let speed = (along_x * along_x + along_y * along_y).sqrt();
    let length = speed * (crease.to - crease.from) / POINTS as f64;
    let (cosine, sine) = (along_x / speed, along_y / speed);
    let twice = (cosine * cosine - sine * sine, 2.0 * cosine * sine);
    let four_times = (twice.0 * twice.0 - twice.1 * twice.1, 2.0 * twice.0 * twice.1);
    let near = |from: f64| -> [f64; LATTICE] {
        std::array::from_fn(|i| {
            let at = ((i as f64 + 0.5) / LATTICE as f64 - 0.5) * CORE_PX as f64;
            exp_minus((at - from) * (at - from) / (2.0 * STRAY_PX * STRAY_PX))
        })
    };
    let (columns, rows) = (near(x), near(y));
    for (at, (doubled, fourfold)) in
        doubled.chunks_exact_mut(2).zip(fourfold.chunks_exact_mut(2)).enumerate()
    {
        let weight = length * columns[at % LATTICE] * rows[at / LATTICE];
        doubled[0] += (weight * twice.0) as f32;
        doubled[1] += (weight * twice.1) as f32;
        fourfold[0] += (weight * four_times.0) as f32;
        fourfold[1] += (weight * four_times.1) as f32;
    }
}

/// The field of the mirrored palm: columns reversed, angles negated.
fn mirrored(field: &[f32]) -> Vec<f32> {
    let rows = field.chunks_exact(2 * LATTICE);
    rows.flat_map(|row| row.chunks_exact(2).rev().flat_map(|vector| [vector[0], -vector[1]]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Picture, Side};

    /// A right palm: soft dark lines along its usual creases and beside them, as finer ones run, on a
    /// skin that is not quite even.
    fn drawn() -> Vec<u8> {
        let mut state = 1_u32;
        let mut grain = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as f64 / 16.0
        };
        let mut pixels: Vec<f64> = (0..CORE_PX * CORE_PX).map(|_| 180.0 + grain()).collect();
        for crease in &CREASES {
            for i in 0..80 {
                let place = crease.from + (crease.to - crease.from) * f64::from(i) / 80.0;
                let height = crease.coefficients.iter().rev().fold(0.0, |sum, c| sum * place + c);
                let (x, y) = (64.0 - ACROSS_PX * place, 64.0 - UP_PX * height);
                for beside in [-12.0, 0.0, 12.0] {
                    for (at, pixel) in pixels.iter_mut().enumerate() {
                        let (dx, dy) = ((at % CORE_PX) as f64 - x, (at / CORE_PX) as f64 - y);
                        let (dx, dy) = (dx - beside, dy - beside);
                        *pixel -= 25.0 * exp_minus((dx * dx + dy * dy) / 8.0);
                    }
                }
            }
        }
        pixels.into_iter().map(|pixel| pixel.max(0.0) as u8).collect()
    }

    fn sample(pixels: Vec<u8>, side: Side) -> Sample {
        let picture = Picture::from_grey(CORE_PX as u32, CORE_PX as u32, pixels);
        Sample::from_roi_picture(&picture.expect("pixels for every place"), side)
    }

    #[test]
    fn usual_creases_are_a_right_hands_and_mirrored_a_left_ones() {
        let right = right_over_left(&sample(drawn(), Side::Right));
        assert!(right > 0.2, "{right}");
        // Said to be a left hand, the same picture is mirrored.
        let left = right_over_left(&sample(drawn(), Side::Left));
        assert!((right + left).abs() < 0.01, "{right} against {left}");
    }

    #[test]
    fn a_flat_picture_speaks_for_neither_hand() {
        let flat = right_over_left(&sample(vec![128; CORE_PX * CORE_PX], Side::Right));
        assert!(flat.abs() < 1e-6, "{flat}");
    }
}
