//! What changes from one visit to the next: the light, and how the skin is stretched.

use crate::maths::mix;
use crate::stream::{Purpose, Stream};

/// Where the light comes from and how much there is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Light {
    direction: [f32; 3],
    /// Between the light's direction and the camera's: where the skin shines.
    halfway: [f32; 3],
    ambient: f32,
    diffuse: f32,
    /// Change of brightness across the frame.
    gradient: [f32; 2],
    /// Colour of the light.
    pub(crate) tint: [f32; 3],
}

impl Light {
    pub(crate) fn of(sample_seed: u64) -> Self {
        let mut stream = Stream::new(sample_seed, Purpose::Light);
        let gain = stream.between(0.90, 1.05);
        let direction = unit([stream.around(0.0, 0.22), stream.around(-0.12, 0.22), 1.0]);
        let warmth = stream.around(0.0, 0.012);
        Self {
            direction,
            halfway: unit([direction[0], direction[1], direction[2] + 1.0]),
            ambient: 0.48 * gain,
            diffuse: 0.55 * gain,
            gradient: [stream.around(0.0, 0.07), stream.around(-0.04, 0.06)],
            tint: [1.0 + warmth, 1.0, 1.0 - warmth],
        }
    }

    /// Shade (about 1) and shine (0 to 1) of a surface whose normal leans by `slope`.
    pub(crate) fn on(&self, slope: [f32; 2]) -> (f32, f32) {
        let facing = (1.0 - slope[0] * slope[0] - slope[1] * slope[1]).max(0.0).sqrt();
        let along = |d: [f32; 3]| (slope[0] * d[0] + slope[1] * d[1] + facing * d[2]).max(0.0);
        let glance = along(self.halfway);
        let g2 = glance * glance;
        let g8 = g2 * g2 * g2 * g2;
        (self.ambient + self.diffuse * along(self.direction), g8 * g8 * g8)
    }

    /// Brightness at a place of the frame, 0 to 1 each way.
    pub(crate) fn fall_off(&self, x: f32, y: f32) -> f32 {
        let (dx, dy) = (x - 0.5, y - 0.5);
        1.0 + self.gradient[0] * dx + self.gradient[1] * dy - 0.14 * (dx * dx + dy * dy)
    }

    /// How far from its thing a shadow falls across and down, for each unit that it falls back.
    pub(crate) fn shadow_lean(&self) -> [f32; 2] {
        let [x, y, z] = self.direction;
        [-x / z, -y / z]
    }

    /// Brightness of a level surface.
    pub(crate) fn level(&self) -> f32 {
        self.ambient + self.diffuse * self.direction[2]
    }
}

fn unit(v: [f32; 3]) -> [f32; 3] {
    let norm = (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]).sqrt();
    v.map(|k| k / norm)
}

const COLUMNS: usize = 7;
const ROWS: usize = 10;
/// The hand units the grid of a deformation spans.
const SPAN: [[f32; 2]; 2] = [[-2.4, 1.9], [-3.6, 3.2]];
/// Standard deviation of a node's displacement, in hand units: about half a millimetre.
const STRETCH: f32 = 0.017;

/// A soft displacement of the skin, and how much of the fine lines shows where.
#[derive(Clone, Debug)]
pub(crate) struct Deformation([[f32; 3]; COLUMNS * ROWS]);

impl Deformation {
    pub(crate) fn of(seed: u64) -> Self {
        let mut stream = Stream::new(seed, Purpose::Deformation);
        let shown = stream.between(0.55, 0.95);
        Self(std::array::from_fn(|_| {
            [
                stream.around(0.0, STRETCH),
                stream.around(0.0, STRETCH),
                stream.around(shown, 0.2).clamp(0.1, 1.2),
            ]
        }))
    }

    /// Displacement x, y in hand units, and the share of fine lines that shows.
    pub(crate) fn at(&self, u: f32, v: f32) -> [f32; 3] {
        let place = |value: f32, span: [f32; 2], cells: usize| {
            ((value - span[0]) / (span[1] - span[0]) * (cells - 1) as f32)
                .clamp(0.0, (cells - 1) as f32 - 0.001)
        };
        let (x, y) = (place(u, SPAN[0], COLUMNS), place(v, SPAN[1], ROWS));
        let (column, row) = (x as usize, y as usize);
        let (fx, fy) = (x - column as f32, y - row as f32);
        let first = row * COLUMNS + column;
        let (a, b) = (&self.0[first], &self.0[first + 1]);
        let (c, d) = (&self.0[first + COLUMNS], &self.0[first + COLUMNS + 1]);
        std::array::from_fn(|k| mix(mix(a[k], b[k], fx), mix(c[k], d[k], fx), fy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deformation_is_small_and_continuous() {
        let give = Deformation::of(9);
        for step in 0..400 {
            let u = -2.4 + step as f32 * 0.01;
            let (here, next) = (give.at(u, 0.3), give.at(u + 0.01, 0.3));
            assert!(here[0].abs() < 4.0 * STRETCH && (here[0] - next[0]).abs() < 0.002);
        }
    }

    #[test]
    fn a_surface_that_faces_the_light_is_brightest() {
        let light = Light::of(1);
        let towards = [light.direction[0], light.direction[1]];
        assert!(light.on(towards).0 > light.on([0.7, 0.5]).0);
        assert!(light.on(towards).0 > light.on([-0.7, -0.5]).0);
    }
}
