//! Arithmetic that gives the same bits on every machine.
//!
//! Addition, multiplication, division and square root are exact in IEEE 754; sine, cosine and the
//! exponential of the standard library are whatever the platform's libm makes of them. So this
//! crate uses only the former, and the few curves it needs are built from them here.

use std::f32::consts::{FRAC_PI_2, PI, TAU};

/// A place or a direction in hand units (palm radius 1, x to the little finger of a left hand, y
/// to the wrist).
pub(crate) type Point = [f32; 2];

/// Sine and cosine of `angle` in radians, to about 1e-6 for angles of a few turns.
pub(crate) fn sin_cos(angle: f32) -> (f32, f32) {
    let turns = angle / TAU;
    let reduced = (turns - (turns + 0.5).floor()) * TAU;
    let (x, sign) = if reduced > FRAC_PI_2 {
        (PI - reduced, -1.0)
    } else if reduced < -FRAC_PI_2 {
        (-PI - reduced, -1.0)
    } else {
        (reduced, 1.0)
    };
    let q = x * x;
    let sine = x
        * (1.0
            - q / 6.0 * (1.0 - q / 20.0 * (1.0 - q / 42.0 * (1.0 - q / 72.0 * (1.0 - q / 110.0)))));
    let cosine = 1.0
        - q / 2.0
            * (1.0
                - q / 12.0
                    * (1.0 - q / 30.0 * (1.0 - q / 56.0 * (1.0 - q / 90.0 * (1.0 - q / 132.0)))));
    (sine, sign * cosine)
}

/// A bell of standard deviation 1 as a function of the squared distance: close to `exp(-d2 / 2)`,
/// and exactly 0 from [`BELL_REACH`] on.
pub(crate) fn bell(squared_distance: f32) -> f32 {
    let rest = (1.0 - squared_distance / (BELL_REACH * BELL_REACH)).max(0.0);
    let twice = rest * rest;
    twice * twice
}

/// Where [`bell`] ends, in standard deviations.
pub(crate) const BELL_REACH: f32 = 2.9;

/// 0 up to `from`, 1 from `to` on, smooth between.
pub(crate) fn smooth_step(from: f32, to: f32, x: f32) -> f32 {
    let t = ((x - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// The smaller of two distances, with the corner between them filleted over `width`.
pub(crate) fn smooth_min(a: f32, b: f32, width: f32) -> f32 {
    let overlap = (width - (a - b).abs()).max(0.0) / width;
    a.min(b) - overlap * overlap * width / 4.0
}

pub(crate) fn mix(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

pub(crate) fn length(v: Point) -> f32 {
    (v[0] * v[0] + v[1] * v[1]).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sine_and_cosine_agree_with_the_platform() {
        for step in -2000..2000 {
            let angle = step as f32 * 0.005;
            let (sine, cosine) = sin_cos(angle);
            assert!((sine - angle.sin()).abs() < 3e-6, "sin {angle}: {sine}");
            assert!((cosine - angle.cos()).abs() < 3e-6, "cos {angle}: {cosine}");
        }
    }

    #[test]
    fn the_bell_is_near_a_gaussian_and_ends() {
        for step in 0..40 {
            let d = step as f32 * 0.1;
            assert!((bell(d * d) - (-d * d / 2.0).exp()).abs() < 0.07, "at {d}");
        }
        assert_eq!(bell(BELL_REACH * BELL_REACH), 0.0);
    }

    #[test]
    fn a_smooth_minimum_is_never_above_the_minimum() {
        assert_eq!(smooth_min(1.0, 3.0, 0.5), 1.0);
        assert!(smooth_min(1.0, 1.0, 0.5) < 1.0);
    }
}
