//! Which hand it is: the one whose thumb is on that side.

use std::ops::Range;

use super::Shape;
use super::valleys::Valleys;
use super::view::Point;
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

/// What the outline tells of the side.
pub enum Outline {
    /// The thumb is seen.
    Thumb(Side),
    /// It is not; how much the outline speaks for a right hand, as a logarithm of odds.
    Evidence(f32),
}

/// What the outline of a palm that faces the camera tells of its side: with the fingers up, the thumb
/// of a right hand is on the right of the screen.
pub fn of(shape: &Shape, valleys: &Valleys) -> Outline {
    let right = valleys.right();
    let up = valleys.up();
    let by_thumb = WHOLE.side(shape, valleys, right, up);
    let near = shape.blob.edge_bounds(valleys.centre, THUMB_REACH_RADII * valleys.radius);
    match by_thumb {
        // With a side of the hand outside the picture, the other seems to have the thumb.
        Some(side) if !near => Outline::Thumb(side),
        _ => Outline::Evidence(evidence(shape, valleys, right, up)),
    }
}

/// The side that outline and creases speak for together; none when they say too little: a hand taken
/// for the other one matches nobody.
pub fn decide(outline: f32, creases: f32) -> Option<Side> {
    match outline + CREASES_WEIGHT * creases {
        it if it >= EVIDENCE_MIN => Some(Side::Right),
        it if it <= -EVIDENCE_MIN => Some(Side::Left),
        _ => None,
    }
}

/// How much speaks for a right hand, as a logarithm of odds: less than 0 speaks for a left one.
///
/// Signs that need no thumb in the picture: between index finger and thumb the ground makes a bay,
/// beside the little finger the palm's edge is straight or bulges; and the little finger's valley lies
/// lower than the index finger's, so that the line through the outer valleys is aslant, a palm below
/// its middle lies towards the little finger, and fingers above it lean to the thumb.
fn evidence(shape: &Shape, valleys: &Valleys, right: Point, up: Point) -> f32 {
    let [first, _, last] = valleys.points;
    let on_left = enclosed(shape, valleys, first, right * -1.0, up);
    let on_right = enclosed(shape, valleys, last, right, up);
    let middle = (first + last) * 0.5;
    let beside = (middle - valleys.centre).dot(right) / valleys.radius;
    let bays = maths::ln(f64::from((on_right + BAY_NOISE) / (on_left + BAY_NOISE))) as f32;
    bays + BESIDE_WEIGHT * beside + LEAN_WEIGHT * lean(shape, valleys)
}

/// How far the fingers lean to the right of the square on the line through the outer valleys, as a
/// tangent: the mean of the valleys whose middle a little higher up is seen, if there are two.
fn lean(shape: &Shape, valleys: &Valleys) -> f32 {
    let (span, right, up) = (valleys.span(), valleys.right(), valleys.up());
    let height = LEAN_UP_SPANS * span;
    let leans: Vec<f32> = valleys
        .points
        .iter()
        .filter_map(|&valley| {
            let start = valley + up * height;
            let ground = |way: Point| {
                let most = (LEAN_GAP_SPANS_MAX * span) as usize;
                let is_ground =
                    |step: &usize| shape.blob.contains(start + way * *step as f32) == Some(false);
                let steps = (0..most).take_while(is_ground).count();
                (steps < most && steps > 0).then_some(steps as f32)
            };
            let (to_right, to_left) = (ground(right)?, ground(right * -1.0)?);
            Some((to_right - to_left) / 2.0 / height)
        })
        .collect();
    if leans.len() < 2 { 0.0 } else { leans.iter().sum::<f32>() / leans.len() as f32 }
}

/// Where bays are looked for: beside the outer valley and below it, in radii.
const BAY_BESIDE_RADII: Range<f32> = 0.05..1.0;
const BAY_DOWN_RADII: f32 = 1.3;
const BAY_OUT_RADII: f32 = 1.4;
/// The area of a bay, in square radii, that an uneven edge makes.
const BAY_NOISE: f32 = 0.003;
/// What a radius beside the palm's centre weighs against a bay e times the other.
const BESIDE_WEIGHT: f32 = 12.0;
/// What fingers that lean by one weigh: by a tenth they do on a right hand, give or take two.
const LEAN_WEIGHT: f32 = 4.0;
/// How high above a valley the middle between its fingers is looked for, and how far aside, in spans.
const LEAN_UP_SPANS: f32 = 0.22;
const LEAN_GAP_SPANS_MAX: f32 = 0.45;
/// What a difference of one between the correlations with a right and a left hand's usual creases
/// weighs: palms have 0.09 give or take 0.06.
const CREASES_WEIGHT: f32 = 40.0;
/// A thumb is within this reach of the palm's centre, in radii.
const THUMB_REACH_RADII: f32 = 1.3;
/// The evidence that decides where the picture shows no thumb.
const EVIDENCE_MIN: f32 = 0.1;

/// The ground beside an outer valley and below it that a thumb encloses, in square radii: what has
/// hand above and below it, and what has hand on both sides.
fn enclosed(shape: &Shape, valleys: &Valleys, valley: Point, outward: Point, up: Point) -> f32 {
    let radius = valleys.radius;
    let px = |radii: f32| (radii * radius) as usize;
    let below = (px(BAY_BESIDE_RADII.start)..px(BAY_BESIDE_RADII.end)).map(|beside| {
        let start = valley + outward * beside as f32;
        gaps(shape, start, up * -1.0, px(BAY_DOWN_RADII))
    });
    let beside = (0..px(BAY_DOWN_RADII)).map(|down| {
        let start = valley - up * down as f32;
        gaps(shape, start, outward, px(BAY_OUT_RADII))
    });
    (below.sum::<usize>() + beside.sum::<usize>()) as f32 / (radius * radius)
}

/// How many places of a line are ground with hand before and after them.
fn gaps(shape: &Shape, start: Point, way: Point, steps: usize) -> usize {
    let (mut total, mut gap, mut hand) = (0, 0, false);
    for step in 0..steps {
        match shape.blob.contains(start + way * step as f32) {
            Some(true) => {
                total += std::mem::take(&mut gap);
                hand = true;
            }
            Some(false) => gap += usize::from(hand),
            None => {}
        }
    }
    total
}

impl Look {
    fn side(&self, shape: &Shape, valleys: &Valleys, right: Point, up: Point) -> Option<Side> {
        let radius = valleys.radius;
        let (mut on_left, mut on_right) = (0_usize, 0_usize);
        let width = shape.blob.width();
        for (at, _) in shape.blob.bits().iter().enumerate().filter(|(_, bit)| **bit) {
            let point = Point { x: (at % width) as f32, y: (at / width) as f32 } - valleys.centre;
            let (beside, above) = (point.dot(right) / radius, point.dot(up) / radius);
            if self.up_radii.contains(&above) {
                on_left += usize::from(beside < -self.beside_radii_min);
                on_right += usize::from(beside > self.beside_radii_min);
            }
        }
        let (on_left, on_right) = (on_left as f32, on_right as f32);
        let area_min = AREA_MIN * radius * radius;
        if on_right >= area_min && on_right >= self.ratio_min * on_left {
            Some(Side::Right)
        } else if on_left >= area_min && on_left >= self.ratio_min * on_right {
            Some(Side::Left)
        } else {
            None
        }
    }
}
