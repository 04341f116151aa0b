//! Prints the tables of `src/poses.rs`: `cargo run --release -p handfast-palm --example poses`.
//!
//! How a palm lies against itself another day is drawn from a normal distribution, in sample pixels:
//! a rotation and a scale move a point of the core by `ARM_PX` times their size, root mean square.
//! The poses are the centres of that cloud's cells (Lloyd's algorithm), far residuals weighted by
//! their square, since it is the badly aligned pair that is missed.

#![expect(clippy::print_stdout, reason = "a tool prints")]

use handfast_palm::Effort;

/// Root mean square distance of a point of the core from its centre: 128 / sqrt(6).
const ARM_PX: f64 = 52.0;
/// Standard deviations of the misalignment: shift in pixels either way, rotation and scale.
const SHIFT_PX: f64 = 4.5;
const ROTATION_DEGREES: f64 = 2.6;
const SCALE: f64 = 0.04;
const DRAWN: usize = 20_000;
const ROUNDS: usize = 80;

type Misalignment = [f64; 4];

fn main() {
    for effort in [Effort::Full, Effort::Light] {
        let (centres, residual) = centres(effort.vectors());
        println!("// {effort:?}: {residual:.2} px are left, root mean square");
        for [x, y, turn, scale] in centres {
            let (degrees, scale) = ((turn / ARM_PX).to_degrees(), (scale / ARM_PX).exp());
            println!("    ({x:.1}, {y:.1}, {degrees:.1}, {scale:.3}),");
        }
    }
}

/// The centres of as many cells, and the root mean square residual.
fn centres(count: usize) -> (Vec<Misalignment>, f64) {
    let mut state = 1;
    let spread = [SHIFT_PX, SHIFT_PX, ARM_PX * ROTATION_DEGREES.to_radians(), ARM_PX * SCALE];
    let drawn: Vec<Misalignment> =
        (0..DRAWN).map(|_| spread.map(|deviation| deviation * normal(&mut state))).collect();
    let mut centres: Vec<Misalignment> = drawn[..count].to_vec();
    centres[0] = [0.0; 4];
    for _ in 0..ROUNDS {
        let mut sums = vec![([0.0; 4], 0.0); count];
        for point in &drawn {
            let (cell, squared) = nearest(&centres, point);
            for (sum, value) in sums[cell].0.iter_mut().zip(point) {
                *sum += squared * value;
            }
            sums[cell].1 += squared;
        }
        for (centre, (sum, weight)) in centres.iter_mut().zip(sums) {
            *centre = sum.map(|value| value / weight.max(f64::MIN_POSITIVE));
        }
    }
    let squares: f64 = drawn.iter().map(|point| nearest(&centres, point).1).sum();
    centres.sort_by(|a, b| squared(a, &[0.0; 4]).total_cmp(&squared(b, &[0.0; 4])));
    (centres, (squares / DRAWN as f64).sqrt())
}

/// The nearest centre and its squared distance.
fn nearest(centres: &[Misalignment], point: &Misalignment) -> (usize, f64) {
    let distances = centres.iter().map(|centre| squared(centre, point)).enumerate();
    distances.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, 0.0))
}

fn squared(a: &Misalignment, b: &Misalignment) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// A number from the standard normal distribution: the sum of twelve even ones, less six.
fn normal(state: &mut u64) -> f64 {
    let even = |_| {
        // SplitMix64 (Steele, Lea and Flood 2014).
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as f64 / u64::MAX as f64
    };
    (0..12).map(even).sum::<f64>() - 6.0
}
