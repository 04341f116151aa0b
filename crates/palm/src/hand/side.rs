//! Which hand it is: the one whose thumb is on that side.

use super::Shape;
use super::view::Point;
use crate::acquire::Side;

/// A thumb is what lies farther to the side of the palm's centre than this, in radii...
const BESIDE_RADII_MIN: f32 = 1.15;
/// ... and not so far down that it is the arm, or so far up that it is a finger, in radii.
const UP_RADII: std::ops::Range<f32> = -1.1..1.2;
/// A thumb shows at least this area, in square radii.
const AREA_MIN: f32 = 0.06;
/// On its side there is at least this many times what is on the other.
const RATIO_MIN: f32 = 1.5;

/// The side of a palm that faces the camera, from where the thumb is with the fingers up: on the
/// right of the screen it is a right hand. None when no thumb shows, or one on either side.
pub fn of(shape: &Shape, right: Point, up: Point) -> Option<Side> {
    let (mut on_left, mut on_right) = (0_usize, 0_usize);
    let width = shape.blob.width();
    for (at, _) in shape.blob.bits().iter().enumerate().filter(|(_, bit)| **bit) {
        let point = Point { x: (at % width) as f32, y: (at / width) as f32 } - shape.centre;
        let (beside, above) = (point.dot(right) / shape.radius, point.dot(up) / shape.radius);
        if UP_RADII.contains(&above) {
            on_left += usize::from(beside < -BESIDE_RADII_MIN);
            on_right += usize::from(beside > BESIDE_RADII_MIN);
        }
    }
    let (on_left, on_right) = (on_left as f32, on_right as f32);
    let area_min = AREA_MIN * shape.radius * shape.radius;
    if on_right >= area_min && on_right >= RATIO_MIN * on_left {
        Some(Side::Right)
    } else if on_left >= area_min && on_left >= RATIO_MIN * on_right {
        Some(Side::Left)
    } else {
        None
    }
}
