//! The poses in which a probe is compared.
//!
//! A grid over shifts, rotations and scales spends most of its points on corners that no palm lies
//! in: these are the centres of the cells of a normal cloud of misalignments instead, which
//! `cargo run --release -p handfast-palm --example poses` prints. With 44 of them 2.9 sample pixels
//! of misalignment are left of 7.5, root mean square, with six 4.5. The cloud's size (4.5
//! pixels either way, 2.6 degrees, 4 % of scale) is that of palms cut by the valleys between the
//! fingers, with some room; its spread was chosen
//! among a few by what they reached on the sets of docs/recognition/template.md.

use crate::field::Pose;

/// How many poses a probe covers: what a comparison costs, against how far a palm may be misaligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effort {
    /// 44 vectors, for galleries to about ten thousand palms and for verifying one.
    Full,
    /// 6 vectors, for galleries to a million.
    Light,
}

impl Effort {
    /// Vectors in a probe.
    #[must_use]
    pub const fn vectors(self) -> usize {
        match self {
            Self::Full => FULL.len(),
            Self::Light => LIGHT.len(),
        }
    }

    /// The effort with this many vectors.
    pub(crate) fn with_vectors(count: usize) -> Option<Self> {
        [Self::Full, Self::Light].into_iter().find(|effort| effort.vectors() == count)
    }

    /// The poses that are tried.
    pub(crate) fn poses(self) -> impl Iterator<Item = Pose> {
        let table: &[_] = match self {
            Self::Full => &FULL,
            Self::Light => &LIGHT,
        };
        table.iter().map(|&(x, y, degrees, scale)| Pose::new(x, y, degrees, scale))
    }
}

/// Shift to the right and down in sample pixels, rotation in degrees, scale.
type Row = (f32, f32, f64, f32);

#[rustfmt::skip]
const FULL: [Row; 44] = [
    (-1.1, 1.4, -0.4, 1.016),
    (-1.3, -1.6, -0.5, 0.956),
    (1.8, -0.1, 3.5, 0.976),
    (0.9, -2.5, 2.1, 1.042),
    (1.3, 0.5, -3.5, 0.964),
    (0.8, -2.0, -2.9, 1.038),
    (1.6, 4.0, 1.5, 0.962),
    (-0.8, 3.2, 3.8, 1.037),
    (3.6, -3.0, -0.5, 0.960),
    (2.0, 3.4, -2.8, 1.041),
    (-4.4, -1.6, 0.3, 1.045),
    (-4.0, 1.2, 2.9, 0.968),
    (4.6, 1.5, 1.3, 1.041),
    (-2.9, -4.0, 3.8, 1.008),
    (-4.9, 0.6, -4.2, 1.007),
    (-0.8, 5.6, -3.3, 0.967),
    (-3.4, 5.2, -1.3, 1.043),
    (-3.1, -5.5, -2.8, 1.009),
    (-0.6, -6.3, 1.5, 0.957),
    (-5.0, 4.1, -0.5, 0.955),
    (5.4, 4.2, -1.8, 0.982),
    (-5.9, -3.2, -0.9, 0.956),
    (6.3, -0.8, -3.5, 1.007),
    (4.9, -4.8, -0.6, 1.052),
    (2.0, 6.8, 0.7, 1.046),
    (0.4, -7.2, 1.3, 1.041),
    (5.5, -4.3, 3.6, 0.992),
    (7.2, 1.0, 2.1, 0.960),
    (2.0, -7.0, -3.5, 0.984),
    (-7.3, 2.4, 1.7, 1.042),
    (-1.9, 7.5, 3.3, 0.982),
    (-8.3, -2.6, 3.4, 0.985),
    (6.2, 8.1, 2.9, 1.003),
    (10.4, -0.5, 0.8, 1.040),
    (3.5, 9.9, -2.3, 0.988),
    (-6.5, -8.7, 0.4, 1.004),
    (-10.6, 2.1, -1.2, 0.989),
    (-3.2, 10.5, -0.5, 1.006),
    (9.7, -5.5, -0.8, 0.987),
    (-10.4, -4.3, -1.3, 1.024),
    (5.7, -10.1, 0.1, 0.991),
    (-1.6, -11.6, -0.5, 0.993),
    (-9.1, 7.8, 0.7, 1.004),
    (10.7, 5.6, -1.6, 1.007),
];

#[rustfmt::skip]
const LIGHT: [Row; 6] = [
    (0.2, 0.0, 0.0, 0.999),
    (-6.6, -2.5, 0.0, 1.001),
    (-4.4, 5.6, 0.1, 1.001),
    (0.3, -7.2, -0.1, 1.000),
    (4.4, 5.9, -0.1, 1.001),
    (7.0, -2.2, 0.0, 1.002),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_small_misalignment_is_near_a_pose() {
        for (table, pixels_max) in [(&FULL[..], 4.0), (&LIGHT[..], 6.5)] {
            for (x, y) in [(0.0, 0.0), (3.0, 0.0), (0.0, -3.0), (-3.0, 3.0)] {
                let near = |&(at_x, at_y, degrees, scale): &Row| {
                    let (turned, scaled) = (52.0 * degrees.to_radians() as f32, 52.0 * scale.ln());
                    ((at_x - x).powi(2) + (at_y - y).powi(2) + turned.powi(2) + scaled.powi(2))
                        .sqrt()
                };
                let nearest = table.iter().map(near).fold(f32::INFINITY, f32::min);
                assert!(nearest < pixels_max, "{x}, {y} is {nearest} px from the nearest pose");
            }
        }
    }

    #[test]
    fn efforts_are_told_by_their_vectors() {
        for effort in [Effort::Full, Effort::Light] {
            assert_eq!(Effort::with_vectors(effort.vectors()), Some(effort));
            assert_eq!(effort.poses().count(), effort.vectors());
        }
        assert_eq!(Effort::with_vectors(7), None);
    }
}
