//! How a hand stands out towards the camera, and where its fingers run: what a moving hand shows and
//! a moving sheet does not.

use crate::anatomy::{Anatomy, Finger};
use crate::maths::{Point, bell, mix};

/// The part of the plane that is covered, in hand units: the whole hand.
const LEFT: f32 = -2.6;
const TOP: f32 = -3.4;
const COLUMNS: usize = 52;
const ROWS: usize = 66;
/// Points of the grid a hand unit.
const SCALE: f32 = 10.0;

/// Where a ring sits, and how wide it is, as parts of the finger's length.
const RING_AT: f32 = 0.2;
const RING_HALF_WIDTH: f32 = 0.045;

/// A hand's relief.
#[derive(Clone, Debug)]
pub(crate) struct Relief {
    heights: Vec<f32>,
    fingers: [Finger; 4],
}

impl Relief {
    pub(crate) fn of(anatomy: &Anatomy) -> Self {
        let point =
            |i: usize| [LEFT + (i % COLUMNS) as f32 / SCALE, TOP + (i / COLUMNS) as f32 / SCALE];
        let height = |i: usize| {
            let place = point(i);
            // Fingers at rest bend towards the camera, the tips by a third of their length.
            let bent = 0.18 * (-0.9 - place[1]).max(0.0);
            anatomy.height(place, anatomy.distance(place)) + bent
        };
        let heights = (0..COLUMNS * ROWS).map(height).collect();
        Self { heights, fingers: anatomy.fingers.clone() }
    }

    /// How far a point stands out, in hand units.
    pub(crate) fn height(&self, u: f32, v: f32) -> f32 {
        let x = ((u - LEFT) * SCALE).clamp(0.0, (COLUMNS - 2) as f32);
        let y = ((v - TOP) * SCALE).clamp(0.0, (ROWS - 2) as f32);
        let (column, row) = (x as usize, y as usize);
        let (fx, fy) = (x - column as f32, y - row as f32);
        let first = row * COLUMNS + column;
        let above = mix(self.heights[first], self.heights[first + 1], fx);
        let below = mix(self.heights[first + COLUMNS], self.heights[first + COLUMNS + 1], fx);
        mix(above, below, fy)
    }

    /// The glint of a ring at a place; none beside it.
    pub(crate) fn ring(&self, finger: usize, place: Point) -> Option<f32> {
        let (along, across) = self.on_finger(finger, place);
        let within = (along - RING_AT).abs() < RING_HALF_WIDTH && across.abs() < 1.15;
        within.then(|| {
            let streak = (across - 0.3) / 0.35;
            0.45 + 0.75 * bell(streak * streak)
        })
    }

    /// Knuckles and nails on the back of the hand, as a change of brightness.
    pub(crate) fn back_marks(&self, place: Point) -> f32 {
        let mut marks = 0.0;
        for finger in 0..self.fingers.len() {
            let (along, across) = self.on_finger(finger, place);
            if across.abs() > 1.0 || !(-0.3..=1.1).contains(&along) {
                continue;
            }
            for (knuckle, depth) in [(0.0, 0.10), (0.42, 0.22), (0.72, 0.14)] {
                for fold in [-0.025, 0.0, 0.025] {
                    let off = (along - knuckle - fold) / 0.008;
                    marks -= depth * bell(off * off);
                }
            }
            let nail = [(along - 0.92) / 0.09, across / 0.62];
            if nail[0] * nail[0] + nail[1] * nail[1] < 1.0 {
                marks += 0.16;
            }
        }
        marks
    }

    /// A place as a part of a finger's length, and of its half width.
    fn on_finger(&self, finger: usize, place: Point) -> (f32, f32) {
        let finger = &self.fingers[finger];
        let d = [place[0] - finger.base[0], place[1] - finger.base[1]];
        let [dx, dy] = finger.direction;
        let along = (d[0] * dx + d[1] * dy) / finger.length;
        (along, (-d[0] * dy + d[1] * dx) / finger.half_width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::Fingers;
    use handfast_palm::Side;

    #[test]
    fn the_cushions_stand_out_and_the_rim_falls_away() {
        let relief = Relief::of(&Anatomy::of(3, Side::Left, Fingers::Spread));
        assert!(relief.height(-0.6, 0.4) > relief.height(0.05, 0.1), "thumb's cushion over hollow");
        assert!(relief.height(0.0, 0.0) > relief.height(1.05, 0.3), "palm over rim");
        for step in 0..200 {
            let u = -2.0 + step as f32 * 0.02;
            assert!((relief.height(u, 0.2) - relief.height(u + 0.02, 0.2)).abs() < 0.1);
        }
    }
}
