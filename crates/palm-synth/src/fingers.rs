//! Fingers that sway against the palm from frame to frame, as living ones do.

use crate::anatomy::Anatomy;
use crate::maths::{Point, bell};

/// The four fingers and the thumb.
pub(crate) const DIGITS: usize = 5;

/// How far beside its axis a digit takes its surroundings along, in hand units.
const REACH: f32 = 0.25;
/// Where between digits nothing is taken along.
const REST: f32 = 0.05;
/// How far above its base a digit's turn begins, in hand units: the joint is no hinge of no width.
const JOINT: f32 = 0.15;

/// What a digit turns about, and where it points.
#[derive(Clone, Copy, Debug)]
struct Axis {
    base: Point,
    direction: Point,
}

/// The digits of a hand, and by how much each leans sideways from its rest, in radians.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Digits {
    axes: [Axis; DIGITS],
    leans: [f32; DIGITS],
}

impl Digits {
    /// All at rest.
    pub(crate) fn of(anatomy: &Anatomy) -> Self {
        let [index, middle, ring, little] =
            anatomy.fingers.each_ref().map(|it| Axis { base: it.base, direction: it.direction });
        let (joint, direction, radius) = anatomy.thumb_joint();
        let base = [joint[0] - direction[0] * radius, joint[1] - direction[1] * radius];
        let thumb = Axis { base, direction };
        Self { axes: [index, middle, ring, little, thumb], leans: [0.0; DIGITS] }
    }

    /// The same digits leaning.
    pub(crate) fn leaning(self, leans: [f32; DIGITS]) -> Self {
        Self { leans, ..self }
    }

    /// The place of the hand at rest that is seen at `place` now: turns so small that they are shifts
    /// across the axis.
    pub(crate) fn at_rest(&self, place: Point) -> Point {
        if self.leans == [0.0; DIGITS] {
            return place;
        }
        let (mut shift, mut weights) = ([0.0; 2], REST);
        for (axis, lean) in self.axes.iter().zip(self.leans) {
            let [dx, dy] = axis.direction;
            let off = [place[0] - axis.base[0], place[1] - axis.base[1]];
            let along = off[0] * dx + off[1] * dy;
            let across = (off[0] * dy - off[1] * dx) / REACH;
            if along <= 0.0 {
                continue;
            }
            let weight = bell(across * across);
            let turned = weight * lean * along * along / (along + JOINT);
            shift = [shift[0] - dy * turned, shift[1] + dx * turned];
            weights += weight;
        }
        [place[0] - shift[0] / weights, place[1] - shift[1] / weights]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::Fingers;
    use crate::maths::length;
    use handfast_palm::Side;

    #[test]
    fn a_finger_leans_alone_and_the_palm_stays() {
        let anatomy = Anatomy::of(3, Side::Left, Fingers::Spread);
        let rest = Digits::of(&anatomy);
        let leaning = rest.leaning([0.0, 0.02, 0.0, 0.0, 0.0]);
        let moved = |place: Point| {
            let from = leaning.at_rest(place);
            length([from[0] - place[0], from[1] - place[1]])
        };
        let [index, middle, _, little] = &anatomy.fingers;
        let tip = moved(middle.at(0.95, 0.0));
        assert!((tip - 0.02 * 0.95 * middle.length).abs() < 0.006, "the tip moves {tip}");
        assert!(moved(index.at(0.9, 0.0)) < 0.2 * tip && moved(little.at(0.9, 0.0)) < 0.01 * tip);
        assert!(moved([0.0, 0.2]) == 0.0 && rest.at_rest([0.3, -1.5]) == [0.3, -1.5]);
    }
}
