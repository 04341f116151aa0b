//! Which hand it is: the one whose thumb is on that side.

use std::ops::Range;

use super::Shape;
use super::view::{Point, View};
use crate::acquire::Side;
use crate::maths;

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
/// A thumb shows at least this area, in square radii.
const AREA_MIN: f32 = 0.06;

/// The side of a palm that faces the camera: with the fingers up, the thumb of a right hand is on
/// the right of the screen. None when nothing tells, or when two things disagree: a hand taken for
/// the other one matches nobody.
///
/// `leading` says that no likelier valleys were undecided before.
pub fn of(
    shape: &Shape,
    valleys: &[Point; 3],
    up: Point,
    view: &View,
    leading: bool,
) -> Option<Side> {
    let right = Point { x: -up.y, y: up.x };
    let by_thumb = WHOLE.side(shape, right, up);
    let near = shape.circle_near_edge(view, THUMB_REACH_RADII);
    let least = if near && leading { EVIDENCE_MIN } else { STRONG_EVIDENCE_MIN };
    let by_evidence = decide(evidence(shape, valleys, right, up), least);
    if near {
        // With a side of the hand outside the picture, the other seems to have the thumb.
        by_evidence.filter(|&side| by_thumb.is_none_or(|thumb| thumb == side))
    } else {
        by_thumb.or(by_evidence)
    }
}

fn decide(evidence: f32, least: f32) -> Option<Side> {
    match evidence {
        it if it >= least => Some(Side::Right),
        it if it <= -least => Some(Side::Left),
        _ => None,
    }
}

/// How much speaks for a right hand, as a logarithm of odds: less than 0 speaks for a left one.
///
/// Two signs that need no thumb in the picture: between index finger and thumb the ground makes a
/// bay, beside the little finger the palm's edge is straight or bulges; and the little finger's
/// valley lies lower than the index finger's, so that the line through the outer valleys is aslant
/// and a palm below its middle lies towards the little finger.
fn evidence(shape: &Shape, valleys: &[Point; 3], right: Point, up: Point) -> f32 {
    let on_left = enclosed(shape, valleys[0], right * -1.0, up);
    let on_right = enclosed(shape, valleys[2], right, up);
    let middle = (valleys[0] + valleys[2]) * 0.5;
    let beside = (middle - shape.centre).dot(right) / shape.radius;
    let bays = maths::ln(f64::from((on_right + BAY_NOISE) / (on_left + BAY_NOISE))) as f32;
    bays + BESIDE_WEIGHT * beside
}

/// Where bays are looked for: beside the outer valley and below it, in radii.
const BAY_BESIDE_RADII: Range<f32> = 0.05..1.0;
const BAY_DOWN_RADII: f32 = 1.3;
/// The area of a bay, in square radii, that an uneven edge makes.
const BAY_NOISE: f32 = 0.003;
/// What a radius beside the palm's centre weighs against a bay e times the other.
const BESIDE_WEIGHT: f32 = 12.0;
/// A thumb is within this reach of the palm's centre, in radii.
const THUMB_REACH_RADII: f32 = 1.3;
/// The evidence that decides where the picture shows no thumb, and what outweighs a thumb.
const EVIDENCE_MIN: f32 = 0.6;
const STRONG_EVIDENCE_MIN: f32 = 1.5;

/// The ground with hand above and below it, in square radii: going down from the outer valley's
/// level in lines a pixel apart.
fn enclosed(shape: &Shape, valley: Point, outward: Point, up: Point) -> f32 {
    let (width, height) = (shape.blob.width() as f32, shape.blob.height() as f32);
    let lines = ((BAY_BESIDE_RADII.end - BAY_BESIDE_RADII.start) * shape.radius) as usize;
    let steps = (BAY_DOWN_RADII * shape.radius) as usize;
    let mut total = 0;
    for line in 0..lines {
        let beside = BAY_BESIDE_RADII.start * shape.radius + line as f32;
        let (mut above, mut gap) = (false, 0);
        for step in 0..steps {
            let point = valley + outward * beside - up * (step as f32);
            let inside = point.x >= 0.0 && point.y >= 0.0 && point.x < width && point.y < height;
            if !inside {
                continue;
            }
            let at = point.y as usize * shape.blob.width() + point.x as usize;
            if !shape.blob.bits()[at] {
                gap += usize::from(above);
            } else {
                total += std::mem::take(&mut gap);
                above = true;
            }
        }
    }
    total as f32 / (shape.radius * shape.radius)
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
}
