//! Which hand it is: the one whose thumb is on that side.

use std::ops::Range;

use super::Shape;
use super::view::Point;
use crate::acquire::Side;

/// Where a thumb is looked for beside the palm, and how much of one must show.
struct Look {
    /// Farther to the side of the palm's centre than this, in radii...
    beside_radii_min: f32,
    /// ... and not so far down that it is the arm, or so far up that it is a finger, in radii.
    up_radii: Range<f32>,
    /// On the thumb's side there is at least this many times what is on the other.
    ratio_min: f32,
}

/// A hand seen whole: the thumb stands off.
const WHOLE: Look = Look { beside_radii_min: 1.15, up_radii: -1.1..1.2, ratio_min: 1.5 };
/// A hand so near that the thumb is outside: its ball still makes that side the broader.
const NEAR: Look = Look { beside_radii_min: 0.95, up_radii: -1.1..0.3, ratio_min: 1.5 };
/// How much more of one side than of the other may be in the picture, as a part of a side.
const SEEN_DIFFERENCE_MAX: f32 = 0.6;
/// A thumb shows at least this area, in square radii.
const AREA_MIN: f32 = 0.06;

/// The side of a palm that faces the camera, from where the thumb is with the fingers up: on the
/// right of the screen it is a right hand. None when no thumb shows, or one on either side.
pub fn of(shape: &Shape, right: Point, up: Point) -> Option<Side> {
    WHOLE.side(shape, right, up).or_else(|| {
        let [on_left, on_right] = [right * -1.0, right].map(|way| NEAR.seen(shape, way, up));
        // Where one side is outside the picture, the other would win by being seen.
        let fair = (on_left - on_right).abs() <= SEEN_DIFFERENCE_MAX;
        fair.then(|| NEAR.side(shape, right, up)).flatten()
    })
}

impl Look {
    fn side(&self, shape: &Shape, right: Point, up: Point) -> Option<Side> {
        let (mut on_left, mut on_right) = (0_usize, 0_usize);
        let width = shape.blob.width();
        for (at, _) in shape.blob.bits().iter().enumerate().filter(|(_, bit)| **bit) {
            let point = Point { x: (at % width) as f32, y: (at / width) as f32 } - shape.centre;
            let (beside, above) = (point.dot(right) / shape.radius, point.dot(up) / shape.radius);
            if self.up_radii.contains(&above) {
                on_left += usize::from(beside < -self.beside_radii_min);
                on_right += usize::from(beside > self.beside_radii_min);
            }
        }
        let (on_left, on_right) = (on_left as f32, on_right as f32);
        let area_min = AREA_MIN * shape.radius * shape.radius;
        if on_right >= area_min && on_right >= self.ratio_min * on_left {
            Some(Side::Right)
        } else if on_left >= area_min && on_left >= self.ratio_min * on_right {
            Some(Side::Left)
        } else {
            None
        }
    }

    /// How much of the place for a thumb on one side is inside the picture, 0 to 1.
    fn seen(&self, shape: &Shape, way: Point, up: Point) -> f32 {
        const POINTS: usize = 12;
        let (width, height) = (shape.blob.width() as f32, shape.blob.height() as f32);
        let seen = (0..POINTS * POINTS)
            .filter(|i| {
                let part = |k: usize| (k as f32 + 0.5) / POINTS as f32;
                let beside = self.beside_radii_min + 0.3 * part(i % POINTS);
                let range = self.up_radii.end - self.up_radii.start;
                let above = self.up_radii.start + range * part(i / POINTS);
                let point = shape.centre + (way * beside + up * above) * shape.radius;
                point.x >= 0.0 && point.y >= 0.0 && point.x < width && point.y < height
            })
            .count();
        seen as f32 / (POINTS * POINTS) as f32
    }
}
