//! Elementary functions with one result on every machine.
//!
//! The standard library hands `sin` and `exp` to the platform, which may differ in the last bit; a
//! template must not. These use additions, multiplications and divisions only, which IEEE 754
//! defines exactly. They are called to build filters, not per pixel, so they may be slow.

/// Terms of the power series; with arguments reduced below, the rest is under 1e-17.
const SERIES_TERMS: u32 = 24;

/// Sine and cosine of an angle in radians, for the small angles (a few turns) used here.
pub fn sin_cos(angle: f64) -> (f64, f64) {
    let turns = (angle / std::f64::consts::TAU).round();
    let reduced = angle - turns * std::f64::consts::TAU;
    let (mut sine, mut cosine) = (0.0, 0.0);
    let mut term = 1.0;
    for n in 0..SERIES_TERMS {
        match n % 4 {
            0 => cosine += term,
            1 => sine += term,
            2 => cosine -= term,
            _ => sine -= term,
        }
        term *= reduced / f64::from(n + 1);
    }
    (sine, cosine)
}

/// `e` to the power `-x`, for `x` of at least 0.
pub fn exp_minus(x: f64) -> f64 {
    // Halving ten times brings every argument met here below 0.1; squaring undoes it.
    let reduced = -x / 1024.0;
    let mut sum = 0.0;
    let mut term = 1.0;
    for n in 0..SERIES_TERMS {
        sum += term;
        term *= reduced / f64::from(n + 1);
    }
    for _ in 0..10 {
        sum *= sum;
    }
    sum
}

/// The natural logarithm of a number greater than 0, to about twelve places.
pub fn ln(x: f64) -> f64 {
    // Ten square roots, which IEEE 754 defines exactly too, bring every argument met here near 1.
    let root = (0..10).fold(x, |root, _| root.sqrt());
    let z = (root - 1.0) / (root + 1.0);
    let square = z * z;
    2048.0 * z * (1.0 + square * (1.0 / 3.0 + square * (0.2 + square / 7.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_platform() {
        for i in -40..=40 {
            let angle = f64::from(i) * 0.17;
            let (sine, cosine) = sin_cos(angle);
            assert!((sine - angle.sin()).abs() < 1e-12, "sine of {angle}");
            assert!((cosine - angle.cos()).abs() < 1e-12, "cosine of {angle}");
            let x = angle.abs();
            assert!((exp_minus(x) - (-x).exp()).abs() < 1e-12, "exp of -{x}");
            assert!((ln(x + 0.001) - (x + 0.001).ln()).abs() < 1e-9, "logarithm of {x}");
        }
    }
}
