//! Poses that cover a cloud of misalignments.
//!
//! How a palm lies against itself another day is drawn from a normal distribution, in sample pixels:
//! a rotation and a scale move a point of the core by `ARM_PX` times their size, root mean square.
//! The poses are the centres of that cloud's cells (Lloyd's algorithm), far residuals weighted by
//! their square, since it is the badly aligned pair that is missed.

/// Root mean square distance of a point of the core from its centre: 128 / sqrt(6).
pub(crate) const ARM_PX: f64 = 52.0;
/// Standard deviations of a misalignment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cloud {
    /// Shift in sample pixels, either way.
    pub(crate) shift_px: f64,
    pub(crate) rotation_degrees: f64,
    pub(crate) scale: f64,
}

/// The cloud that the engine's poses cover.
pub(crate) const SHIPPED: Cloud = Cloud { shift_px: 4.5, rotation_degrees: 2.6, scale: 0.04 };
const DRAWN: usize = 20_000;
const ROUNDS: usize = 80;

pub(crate) type Misalignment = [f64; 4];

/// The centres of as many cells, and the root mean square residual.
pub(crate) fn centres(cloud: Cloud, count: usize) -> (Vec<Misalignment>, f64) {
    let mut state = 1;
    let turn = ARM_PX * cloud.rotation_degrees.to_radians();
    let spread = [cloud.shift_px, cloud.shift_px, turn, ARM_PX * cloud.scale];
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
