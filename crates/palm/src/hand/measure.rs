//! Measuring a palm that was found, in a view of it alone.

use std::ops::Range;

use super::bottom;
use super::mask::Rule;
use super::valleys::{self, Valleys};
use super::view::{MEASURE_PX, Plane, Point, Region, View};
use super::{Hand, Shape, blob, contour};
use crate::Picture;
use crate::acquire::Side;
use crate::maths;

/// How far around the palm's centre the view reaches, in palm radii: the fingers' roots are in it.
const REACH_RADII: f32 = 2.3;
/// A valley is at most this much deeper than it was seen, in spans: a narrow one closes in a small view.
const DESCENT_SPANS: f32 = 0.25;
/// Times the way up and the valleys, which depend on each other, are found anew.
const ROUNDS: usize = 3;
/// Side of the region of interest in palm radii.
const ROI_SIDE_RADII: f32 = 1.55;
/// From the line through the valleys down to the region's centre, in palm radii.
const ROI_DOWN_RADII: f32 = 1.0;
/// The palm's centre is at most this far below the valleys, in spans: the most of 154 real hands is 1.48.
const BELOW_SPANS_MAX: f32 = 1.65;
/// The span of the outer valleys in palm radii where the picture's edge bounds the palm.
const SPAN_BOUNDED_RADII: f32 = 1.32;

/// A palm whose fingers leave the picture fills it where its radius, as a part of the picture's shorter
/// side, is above this range, and does not below it: a hand, about 4.1 radii long, fits the shorter side
/// at its start, and not even the longer one, of four to three, at its end.
const FILLED_PARTS: Range<f32> = 0.244..0.325;
/// The picture's edge then cuts its circle, and how the fingers are spread changes its span, so that
/// its usual size in such a picture, fixed by the camera's mount, says more: the weights of the three in
/// the mean of their logarithms, the circle having the rest.
const FRAME_WEIGHT: f32 = 0.5;
const SPAN_WEIGHT: f32 = 0.35;
/// That usual size, as a part of the shorter side.
const FILLED_RADIUS: f32 = 0.4;

fn shorter(picture: &Picture) -> f32 {
    picture.width().min(picture.height()) as f32
}

/// A positive number to a power between 0 and 1.
fn power(base: f32, exponent: f32) -> f32 {
    let logarithm = f64::from(exponent) * maths::ln(f64::from(base.max(1e-3)));
    (if logarithm > 0.0 { 1.0 / maths::exp_minus(logarithm) } else { maths::exp_minus(-logarithm) })
        as f32
}

/// Outer valleys further apart than this, in palm radii, are too far, or the circle too small: pegged
/// hands have 1.24 at most, and nineteen of twenty that fill their picture 1.45.
const WIDE_RADII: f32 = 1.5;
/// One gap this much wider than the other is more than hands differ by: of 154 pegged ones the most
/// is 1.21.
const UNEVEN: f32 = 1.22;
/// Sine and cosine of the angle between the ways from the middle valley to the outer ones: the median
/// of those hands.
const OUTER_ANGLE: (f32, f32) = (0.51, -0.86);
/// How far aside of where that says ground is entered, in spans: a spread finger leans.
const ASIDE_SPANS: [f32; 5] = [0.0, 0.06, -0.06, 0.12, -0.12];

/// Where light falls off, the little finger is dim, and what was taken for its valley is where the
/// hand's outer edge fades. The valley whose gap is too wide is looked for where the other two say, and
/// stays where it is if there is none.
fn follow_dim(plane: &Plane, level: u8, points: &mut [Point; 3]) {
    let [first, middle, last] = *points;
    let uneven = |points: &[Point; 3]| {
        let (one, other) = ((points[0] - middle).length(), (points[2] - middle).length());
        one.max(other) / one.min(other).max(1.0)
    };
    let before = uneven(points);
    if before < UNEVEN {
        return;
    }
    let turned = |way: Point, sine: f32| Point {
        x: OUTER_ANGLE.1 * way.x - sine * way.y,
        y: sine * way.x + OUTER_ANGLE.1 * way.y,
    };
    let (outer, near) = if (first - middle).length() > (last - middle).length() {
        (0, middle + turned(last - middle, OUTER_ANGLE.0))
    } else {
        (2, middle + turned(first - middle, -OUTER_ANGLE.0))
    };
    let mut expected = *points;
    expected[outer] = near;
    let right = (expected[2] - expected[0]).unit();
    let up = Point { x: right.y, y: -right.x };
    let span = (expected[2] - expected[0]).length();
    let places = ASIDE_SPANS.into_iter().flat_map(|aside| {
        bottom::beside_dim(plane, level, near + right * (aside * span), up, span)
    });
    let even = |place: Point| {
        expected[outer] = place;
        (uneven(&expected) < UNEVEN).then_some(expected)
    };
    if let Some(found) = places.into_iter().find_map(even) {
        *points = found;
    }
}

/// What a region of interest shows beside the hand, as parts of its area.
pub struct Covered {
    pub outside: f32,
    pub ground: f32,
}

/// A palm in a view of its own.
pub struct Measured {
    view: View,
    shape: Shape,
    points: [Point; 3],
    centre: Point,
    circle_radius: f32,
    /// The palm's size, from the circle or, where the picture's edge bounds it, from both.
    radius: f32,
    /// Whether what was taken for valleys is where closed fingers part, halfway up.
    pub halfway: bool,
}

impl Measured {
    /// Looks again at what was found in a view, told from its ground in the same way; none where it
    /// is not there.
    pub fn of(picture: &Picture, seen: &View, rule: &Rule, found: &Valleys) -> Option<Self> {
        let reach = REACH_RADII * found.radius.max(found.span() / SPAN_BOUNDED_RADII);
        let centre = seen.to_picture(found.centre);
        let region = Region::around(centre, reach * seen.scale(), picture);
        let view = View::of(picture, region, MEASURE_PX);
        let plane = rule.plane(&view)?;
        let centre = view.of_picture(centre);
        let mask = rule.mask(&plane);
        // A crease may run through the very centre.
        let blob = blob::around(&mask, centre).or_else(|| {
            blob::largest(&mask, 1).into_iter().find(|blob| blob.contains(centre) == Some(true))
        })?;
        let contour = contour::trace(&blob);
        let shape = Shape::of(blob, contour);
        let scale = seen.scale() / view.scale();
        let span = found.span() * scale;
        let seen_points = found.points.map(|point| view.of_picture(seen.to_picture(point)));
        let seen_right = (seen_points[2] - seen_points[0]).unit();
        let seen_up = Point { x: seen_right.y, y: -seen_right.x };
        let seen_points = seen_points
            .map(|point| valleys::descend(&shape.contour, point, seen_up, DESCENT_SPANS * span));
        let mut points = seen_points;
        for _ in 0..ROUNDS {
            let right = (points[2] - points[0]).unit();
            let up = Point { x: right.y, y: -right.x };
            for (point, near) in points.iter_mut().zip(seen_points) {
                *point = bottom::near(&plane, rule.level, near, up, span).unwrap_or(near);
            }
        }
        let (centre, circle_radius) = shape.distances.largest_circle_near(centre, 0.5 * span)?;
        if (points[2] - points[0]).length() > WIDE_RADII * circle_radius {
            follow_dim(&plane, rule.level, &mut points);
        }
        let span = (points[2] - points[0]).length();
        let seen_radius = circle_radius.max(span / WIDE_RADII);
        let middle = (points[0] + points[2]) * 0.5;
        let halfway = !found.bounded && (centre - middle).length() > BELOW_SPANS_MAX * span;
        let filled = if found.fingers_cut {
            let part = seen_radius * view.scale() / shorter(picture);
            ((part - FILLED_PARTS.start) / (FILLED_PARTS.end - FILLED_PARTS.start)).clamp(0.0, 1.0)
        } else {
            0.0
        };
        let by_frame = FILLED_RADIUS * shorter(picture) / view.scale();
        let radius = seen_radius
            * power(by_frame / seen_radius, FRAME_WEIGHT * filled)
            * power(span / SPAN_BOUNDED_RADII / seen_radius, SPAN_WEIGHT * filled);
        Some(Self { view, shape, points, centre, circle_radius, radius, halfway })
    }

    /// The hand's frame of reference in pixels of the picture.
    pub fn hand(&self, side: Side) -> Hand {
        let [first, middle, last] = self.points.map(|point| self.view.to_picture(point));
        let right = (last - first).unit();
        let up = Point { x: right.y, y: -right.x };
        let radius = self.radius * self.view.scale();
        Hand {
            side,
            centre: self.view.to_picture(self.centre),
            radius: self.circle_radius * self.view.scale(),
            valleys: [first, middle, last],
            right,
            roi_centre: (first + last) * 0.5 - up * (ROI_DOWN_RADII * radius),
            roi_side: ROI_SIDE_RADII * radius,
        }
    }

    /// Looks at a grid of points of a hand's region of interest.
    pub fn covered(&self, hand: &Hand) -> Covered {
        const POINTS: usize = 16;
        let (mut outside, mut ground) = (0, 0);
        for i in 0..POINTS * POINTS {
            let place = |k: usize| (k as f32 + 0.5) / POINTS as f32 - 0.5;
            let point = self.view.of_picture(hand.at(place(i % POINTS), place(i / POINTS)));
            match self.shape.blob.contains(point) {
                None => outside += 1,
                Some(false) => ground += 1,
                Some(true) => {}
            }
        }
        let total = (POINTS * POINTS) as f32;
        Covered { outside: outside as f32 / total, ground: ground as f32 / total }
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    const GROUND: u8 = 5;
    const DIM: u8 = 18;
    const LIT: u8 = 120;
    /// Above a dim finger's brightness: the finger is taken for ground.
    const LEVEL: u8 = 22;
    const VALLEYS: [Point; 3] =
        [Point { x: 66.0, y: 108.0 }, Point { x: 130.0, y: 72.0 }, Point { x: 200.0, y: 76.0 }];

    /// A palm with straight gaps between its fingers down to the valleys; what is left of the first
    /// gap is as bright as said.
    fn palm(little_finger: u8) -> Plane {
        let (width, height) = (260, 200);
        let value = |i: usize| {
            let (x, y) = ((i % width) as f32, (i / width) as f32);
            let gap = VALLEYS.iter().any(|valley| (x - valley.x).abs() < 5.0 && y < valley.y);
            if gap || x < 20.0 {
                GROUND
            } else if x < VALLEYS[0].x + 6.0 {
                little_finger
            } else {
                LIT
            }
        };
        let values = Zeroizing::new((0..width * height).map(value).collect());
        Plane { width, height, values }
    }

    #[test]
    fn the_valley_beside_a_dim_little_finger_is_found_again() {
        let slid = [Point { x: 25.0, y: 140.0 }, VALLEYS[1], VALLEYS[2]];
        let mirrored = |points: [Point; 3]| {
            let [first, middle, last] = points.map(|it| Point { x: 259.0 - it.x, y: it.y });
            [last, middle, first]
        };
        let mut points = slid;
        follow_dim(&palm(DIM), LEVEL, &mut points);
        assert!((points[0] - VALLEYS[0]).length() < 4.0, "found at {:?}", points[0]);
        // The other hand: everything mirrored.
        let mut plane = palm(DIM);
        plane.values.chunks_exact_mut(260).for_each(<[u8]>::reverse);
        let mut points = mirrored(slid);
        follow_dim(&plane, LEVEL, &mut points);
        let found = mirrored(points)[0];
        assert!((found - VALLEYS[0]).length() < 4.0, "found at {found:?}");
    }

    #[test]
    fn valleys_that_are_even_or_cannot_be_found_stay() {
        let mut points = VALLEYS;
        follow_dim(&palm(LIT), LEVEL, &mut points);
        assert_eq!(points, VALLEYS);
        let slid = [Point { x: 25.0, y: 140.0 }, VALLEYS[1], VALLEYS[2]];
        let mut points = slid;
        let blank = Plane { values: Zeroizing::new(vec![LIT; 260 * 200]), ..palm(LIT) };
        follow_dim(&blank, LEVEL, &mut points);
        assert_eq!(points, slid);
    }
}
