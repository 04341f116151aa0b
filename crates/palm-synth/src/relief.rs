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

/// Where the tendons of the fingers meet, in hand units below the palm's middle: at the wrist.
const TENDONS_MEET: f32 = 1.5;
/// How far a nail reaches, in half widths of its digit: from behind the tip to its root, and aside.
const NAIL_ENDS: [f32; 2] = [-0.18, -1.5];
const NAIL_HALF_WIDTH: f32 = 0.68;
/// The white at its end and the pale half moon at its root, in the same.
const NAIL_EDGE: f32 = 0.14;
const NAIL_MOON: f32 = 0.35;

/// What the back of a hand shows at a place instead of creases.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BackMarks {
    /// A change of brightness: knuckles, tendons, folds.
    pub(crate) light: f32,
    /// How much redder: knuckles are.
    pub(crate) red: f32,
    /// How much of it is nail, and how pale a part: 0 none, 1 its bed, 2 its white end.
    pub(crate) nail: f32,
}

impl BackMarks {
    /// A nail at a place: half widths beyond the digit's tip, and beside its axis.
    fn add_nail(&mut self, along: f32, across: f32) {
        let [end, root] = NAIL_ENDS;
        let (middle, half_length) = ((end + root) / 2.0, (end - root) / 2.0);
        let (x, y) = (across / NAIL_HALF_WIDTH, (along - middle) / half_length);
        // Between an ellipse and a rectangle.
        let edge = x.powi(4) + y.powi(4);
        if edge < 1.0 {
            let pale = along > end - NAIL_EDGE - 0.3 * x * x;
            let moon = along < root + NAIL_MOON * (1.0 - x * x);
            self.nail = if pale {
                2.0
            } else if moon {
                1.4
            } else {
                1.0
            };
        } else if edge < 2.2 {
            // The fold of skin around it casts a little shade.
            self.light -= 0.1 * (2.2 - edge);
        }
    }
}

/// Where a digit ends.
#[derive(Clone, Copy, Debug)]
struct Tip {
    end: Point,
    direction: Point,
    half_width: f32,
}

/// A hand's relief.
#[derive(Clone, Debug)]
pub(crate) struct Relief {
    heights: Vec<f32>,
    fingers: [Finger; 4],
    thumb: Tip,
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
        let (_, direction, half_width) = anatomy.thumb_joint();
        let half_width = 0.8 * half_width;
        let [.., last] = anatomy.tips();
        let end = [last[0] + half_width * direction[0], last[1] + half_width * direction[1]];
        Self {
            heights,
            fingers: anatomy.fingers.clone(),
            thumb: Tip { end, direction, half_width },
        }
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

    /// What the back of a hand shows at a place.
    pub(crate) fn back_marks(&self, place: Point) -> BackMarks {
        let mut marks = BackMarks { light: self.tendons(place), red: 0.0, nail: 0.0 };
        for finger in 0..self.fingers.len() {
            let (along, across) = self.on_finger(finger, place);
            let knuckle = [(along + 0.1) / 0.11, across / 0.9];
            let bump = bell(knuckle[0] * knuckle[0] + knuckle[1] * knuckle[1]);
            marks.red += 0.5 * bump;
            marks.light += 0.06 * bump - 0.08 * bell(((along - 0.03) / 0.05).powi(2)) * bump;
            if across.abs() > 1.0 || !(0.2..=1.1).contains(&along) {
                continue;
            }
            for (joint, reach, depth) in [(0.42, 0.05, 0.16), (0.73, 0.022, 0.12)] {
                let off = (along - joint) / (1.6 * reach);
                marks.red += 0.8 * bell(off * off) * bell(across * across);
                // Folds run around the joint: straight over its middle, bent away beside it.
                for fold in [-1.0, -0.45, 0.0, 0.5, 1.0] {
                    let bent = joint + fold * reach * (1.0 + 0.6 * across * across);
                    let off = (along - bent) / 0.007;
                    marks.light -= depth * bell(off * off) * (1.0 - 0.7 * across * across);
                }
            }
            let half_width = self.fingers[finger].half_width / self.fingers[finger].length;
            marks.add_nail((along - 1.0) / half_width, across);
        }
        let (along, across) = self.on_thumb(place);
        marks.add_nail(along, across);
        marks
    }

    /// The tendons that run from the knuckles to the wrist, and the hollows beside them.
    fn tendons(&self, place: Point) -> f32 {
        let mut light = 0.0;
        for finger in &self.fingers {
            let down = (place[1] - finger.base[1]) / (TENDONS_MEET - finger.base[1]);
            if !(0.0..0.8).contains(&down) {
                continue;
            }
            let off = (place[0] - finger.base[0] * (1.0 - 0.75 * down)) / 0.07;
            let fades = down.min(0.15) / 0.15 * (1.0 - down / 0.8);
            light += 0.07 * fades * (bell(off * off) - bell((off - 1.8) * (off - 1.8)));
        }
        light
    }

    /// A place as half widths beyond the thumb's tip, and beside its axis.
    fn on_thumb(&self, place: Point) -> (f32, f32) {
        let Tip { end, direction: [dx, dy], half_width } = self.thumb;
        let d = [place[0] - end[0], place[1] - end[1]];
        ((d[0] * dx + d[1] * dy) / half_width, (d[1] * dx - d[0] * dy) / half_width)
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
