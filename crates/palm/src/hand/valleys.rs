//! The three valleys between the four fingers.
//!
//! With the fingers up, the outline falls into a valley between two fingers and rises out of it. Which
//! way is up is not known, so sixteen ways are tried, and on each every three valleys are compared with
//! how the valleys of hands lie: evenly spaced, the middle one a little higher, palm below them. Those
//! beside the thumb, a wrist, a peg or a sleeve do not lie so. No fingertip is needed: fingers may run
//! out of the picture.

use std::ops::Range;

use zeroize::Zeroizing;

use super::contour;
use super::view::Point;
use super::{FINGER_REACH, Shape};
use crate::maths;

/// Ways up that are tried: a valley shows eleven degrees aside of its axis.
const WAYS: usize = 16;
/// A valley shallower than this, in radii of the blob's largest circle, is an uneven edge.
const DEPTH_RADII_MIN: f32 = 0.1;
/// And in pixels.
const DEPTH_PX_MIN: f32 = 3.0;
/// A finger leaves the picture where it ends this near to its edge, in the same radii: light falls off
/// there.
const CUT_RADII: f32 = 0.12;
/// The deepest valleys of one way up that are looked at; a hand has four.
const BOTTOMS_MAX: usize = 9;
/// The way up may differ this much from the one tried: the tangent of half a step and some more.
const LEAN_MAX: f32 = 0.45;
/// From the first valley to the last, in radii of the blob's largest circle: an arm or a face in the
/// same blob may have a larger circle than the palm, and the picture's edge makes it smaller.
const SPAN_RADII: Range<f32> = 0.35..2.6;

/// Three valleys, and how far they lie from where a hand has them.
#[derive(Debug, Clone, Copy)]
pub struct Valleys {
    /// From left to right, fingers up.
    pub points: [Point; 3],
    /// The palm's circle: the largest one below the valleys.
    pub centre: Point,
    pub radius: f32,
    /// Whether the picture's edge bounds that circle, so that the palm may be larger.
    pub bounded: bool,
    /// Whether fingers run out of the picture.
    pub fingers_cut: bool,
    /// Whether the middle valley was not seen and is put where it usually is.
    pub hidden_middle: bool,
    /// The sum of squared deviations from a usual hand, each in its standard deviation.
    pub cost: f32,
}

impl Valleys {
    /// From the first to the last.
    pub fn span(&self) -> f32 {
        (self.points[2] - self.points[0]).length()
    }

    /// The direction to the right, fingers up.
    pub fn right(&self) -> Point {
        (self.points[2] - self.points[0]).unit()
    }

    /// The direction of the fingers.
    pub fn up(&self) -> Point {
        let right = self.right();
        Point { x: right.y, y: -right.x }
    }
}

/// A usual value and how far hands stray from it.
struct Usual {
    mean: f32,
    deviation: f32,
}

impl Usual {
    fn cost(&self, value: f32) -> f32 {
        let off = (value - self.mean) / self.deviation;
        off * off
    }
}

// Anatomy, wide enough for tilted hands. The logarithm of one gap against the other...
const EVENNESS: Usual = Usual { mean: 0.0, deviation: 0.13 };
/// ... how far the middle valley is above the line through the outer ones, in spans...
const BOW: Usual = Usual { mean: 0.12, deviation: 0.05 };
/// ... the logarithm of the span against the palm's radius...
const SPAN: Usual = Usual { mean: 0.05, deviation: 0.15 };
/// ... and of how far the palm's centre is below them, in radii.
const BELOW: Usual = Usual { mean: 0.2, deviation: 0.25 };
/// How far the palm's centre is aside of the valleys' middle, in radii.
const BESIDE: Usual = Usual { mean: 0.0, deviation: 0.22 };
/// A valley is at least this deep, in spans; where a finger leaves the picture it may be cut to this.
const DEPTH_SPANS: f32 = 0.55;
const DEPTH_DEVIATION: f32 = 0.12;
const DEPTH_CUT_SPANS: f32 = 0.15;
const DEPTH_CUT_DEVIATION: f32 = 0.05;
/// The least span where the picture's edge makes the circle smaller than the palm.
const SPAN_BOUNDED: Usual = Usual { mean: 0.17, deviation: 0.1 };
/// How much more than that logarithm it is usually at most.
const SPAN_BOUNDED_MORE: f32 = 0.3;
/// A fifth finger has a valley this far beside the outer ones, in spans, and this near their line, from
/// surely to not at all: the thumb's lies lower, by .4 spans and more.
const FIFTH_BESIDE_SPANS: Range<f32> = 0.22..0.9;
const FIFTH_OFF_SPANS: Range<f32> = 0.33..0.45;
/// How far above a valley there is ground, in spans, and how aslant that may be, as a tangent.
const OPEN_SPANS: f32 = 0.15;
const OPEN_SLANTS: [f32; 7] = [0.0, -0.2, 0.2, -0.4, 0.4, -0.6, 0.6];
/// A valley is a mean of outline points: the first pixels above it may be hand.
const OPEN_FIRST_PX: usize = 3;
const CLOSED_COST: f32 = 12.0;
/// What such a valley costs, if it is deep: valleys were taken that lie between others.
const FIFTH_COST: f32 = 15.0;
/// The part of a palm that is ground: what counts as much as a standard deviation.
const GROUND_DEVIATION: f32 = 0.04;
/// A cost that is not looked at further: one deviation of ten, or several of five.
const COST_MAX: f32 = 60.0;
/// What two valleys cost more than three.
const PAIR_COST: f32 = 10.0;
/// The span of two outer valleys in palm radii.
const PAIR_SPAN: Usual = Usual { mean: 0.15, deviation: 0.2 };

/// Above where the middle valley is hidden there is something else than hand, this high in spans.
const PAIR_OPEN_SPANS: f32 = 0.15;

/// A place where the outline falls and rises again.
#[derive(Debug, Clone, Copy)]
struct Bottom {
    point: Point,
    /// Its place in the outline.
    at: usize,
    depth: f32,
    /// Whether a finger beside it runs out of the picture.
    cut: bool,
}

/// The likeliest valleys of a shape and, of another hand in the same shape, the next.
pub fn find(shape: &Shape) -> Vec<Valleys> {
    let ways: Vec<(Point, Vec<Bottom>)> = (0..WAYS)
        .map(|way| {
            let angle = way as f64 * std::f64::consts::TAU / WAYS as f64;
            let (sine, cosine) = maths::sin_cos(angle);
            let up = Point { x: sine as f32, y: -cosine as f32 };
            (up, bottoms(shape, up))
        })
        .collect();
    let mut found: Vec<Valleys> = Vec::new();
    for (way, (up, bottoms)) in ways.iter().enumerate() {
        // A fifth finger may show its valley only on ways that lean to it.
        let beside = [WAYS - 2, WAYS - 1, 0, 1, 2].map(|turn| &ways[(way + turn) % WAYS].1);
        let near: Vec<Bottom> = beside.into_iter().flatten().copied().collect();
        for triple in triples(bottoms) {
            keep(&mut found, judge_three(shape, *up, &triple, &near));
        }
        for (i, &first) in bottoms.iter().enumerate() {
            for &last in bottoms.iter().cycle().skip(i + 1).take(bottoms.len() - 1) {
                if first.cut && last.cut {
                    keep(&mut found, judge_two(shape, *up, [first, last], &near));
                }
            }
        }
    }
    found.sort_by(|a, b| a.cost.total_cmp(&b.cost));
    found
}

/// Keeps the better one of two that share a palm.
fn keep(found: &mut Vec<Valleys>, new: Option<Valleys>) {
    let Some(new) = new else { return };
    let same = |old: &&mut Valleys| (old.centre - new.centre).length() < old.span().max(new.span());
    match found.iter_mut().find(same) {
        Some(old) if old.cost > new.cost => *old = new,
        Some(_) => {}
        None => found.push(new),
    }
}

/// Every three of some bottoms, in the outline's order.
fn triples(bottoms: &[Bottom]) -> Vec<[Bottom; 3]> {
    let count = bottoms.len();
    let mut triples = Vec::new();
    for i in 0..count {
        for j in 1..count {
            for k in j + 1..count {
                triples.push([bottoms[i], bottoms[(i + j) % count], bottoms[(i + k) % count]]);
            }
        }
    }
    triples
}

/// The deepest bottoms of an outline for one way up, in the outline's order.
fn bottoms(shape: &Shape, up: Point) -> Vec<Bottom> {
    /// How far along the outline its direction is measured.
    const REACH: usize = 4;
    let contour = &shape.contour;
    let count = contour.len();
    if count < 4 * REACH {
        return Vec::new();
    }
    let right = Point { x: -up.y, y: up.x };
    let heights: Vec<f32> = contour.iter().map(|point| point.dot(up)).collect();
    let heights = Zeroizing::new(heights);
    let depth_min = DEPTH_PX_MIN.max(DEPTH_RADII_MIN * shape.radius);
    // Where light falls off, fingers are not seen to leave the picture, though they must.
    let tips = shape.centre + up * (FINGER_REACH.start * shape.radius);
    let tips_outside = shape.blob.contains(tips).is_none();
    let mut bottoms = Vec::new();
    for at in 0..count {
        let (before, after) = ((at + count - 1) % count, (at + 1) % count);
        if heights[at] > heights[before] || heights[at] >= heights[after] {
            continue;
        }
        // The outline runs clockwise: to the right where the hand is below it.
        let along = contour[(at + REACH) % count] - contour[(at + count - REACH) % count];
        if along.dot(right) <= 0.0 || shape.blob.touches_edge(contour[at]) {
            continue;
        }
        let backward = climb(&heights, at, count - 1);
        let forward = climb(&heights, at, 1);
        let depth = (heights[backward] - heights[at]).min(heights[forward] - heights[at]);
        if depth >= depth_min {
            let margin = CUT_RADII * shape.radius;
            let reaches = |&tip: &usize| shape.blob.edge_bounds(contour[tip], margin);
            let cut = tips_outside || [backward, forward].iter().any(reaches);
            bottoms.push(Bottom { point: lowest_around(contour, at, up), at, depth, cut });
        }
    }
    bottoms.sort_by(|a, b| b.depth.total_cmp(&a.depth));
    bottoms.truncate(BOTTOMS_MAX);
    bottoms.sort_by_key(|bottom| bottom.at);
    bottoms
}

/// The highest place on the way from a bottom to where the outline is lower than the bottom, going
/// `step` places at a time around it.
fn climb(heights: &[f32], bottom: usize, step: usize) -> usize {
    let (mut at, mut highest) = (bottom, bottom);
    loop {
        at = (at + step) % heights.len();
        if heights[at] < heights[bottom] || at == bottom {
            return highest;
        }
        if heights[at] > heights[highest] {
            highest = at;
        }
    }
}

/// Where an outline near a point comes down to on the way that it falls; the point itself where that is
/// nowhere, or further than `most`.
pub fn descend(contour: &[Point], point: Point, up: Point, most: f32) -> Point {
    /// An outline is uneven: it falls where it does within this many places.
    const AHEAD: usize = 5;
    let count = contour.len();
    let off = |at: usize| (contour[at] - point).length();
    let Some(start) = contour::nearest(contour, point) else { return point };
    let height = |at: usize| contour[at].dot(up);
    let mut at = start;
    loop {
        let near = (1..=AHEAD).flat_map(|k| [(at + k) % count, (at + count - k % count) % count]);
        let lowest = near.min_by(|&a, &b| height(a).total_cmp(&height(b)));
        match lowest.filter(|&it| height(it) < height(at)) {
            Some(it) if height(start) - height(it) > most => return point,
            Some(it) => at = it,
            None => return if off(start) > most { point } else { lowest_around(contour, at, up) },
        }
    }
}

/// The mean of the outline's places around a bottom that are within a pixel of its height.
fn lowest_around(contour: &[Point], at: usize, up: Point) -> Point {
    let level = contour[at].dot(up) + 1.0;
    let count = contour.len();
    let (mut sum, mut number) = (contour[at], 1.0);
    for step in [1, count - 1] {
        let mut next = (at + step) % count;
        while contour[next].dot(up) <= level && number < count as f32 {
            sum = sum + contour[next];
            number += 1.0;
            next = (next + step) % count;
        }
    }
    sum * (1.0 / number)
}

/// Logarithm of a ratio of lengths.
fn ln_ratio(a: f32, b: f32) -> f32 {
    maths::ln(f64::from(a.max(1e-3) / b.max(1e-3))) as f32
}

/// The frame that two outer valleys give: span, right and up; none where it does not fit the way up
/// that was tried, or the blob.
fn frame(shape: &Shape, tried_up: Point, first: Point, last: Point) -> Option<(f32, Point, Point)> {
    let span = (last - first).length();
    let right = (last - first).unit();
    let up = Point { x: right.y, y: -right.x };
    let fits = SPAN_RADII.contains(&(span / shape.radius))
        && up.dot(tried_up) > 0.0
        && up.dot(Point { x: -tried_up.y, y: tried_up.x }).abs() <= LEAN_MAX;
    fits.then_some((span, right, up))
}

/// How usual three valleys lie; none where they cannot be those between the four fingers.
fn judge_three(
    shape: &Shape,
    tried_up: Point,
    bottoms: &[Bottom; 3],
    all: &[Bottom],
) -> Option<Valleys> {
    let [first, middle, last] = bottoms.map(|bottom| bottom.point);
    let (span, right, up) = frame(shape, tried_up, first, last)?;
    let along = (middle - first).dot(right) / span;
    if !(0.2..0.8).contains(&along) {
        return None;
    }
    let evenness = ln_ratio((middle - first).length(), (last - middle).length());
    let bow = (middle - first).dot(up) / span;
    let mut cost = EVENNESS.cost(evenness) + BOW.cost(bow) + fifth_cost(all, first, last);
    cost += bottoms.iter().map(|bottom| depth_cost(bottom, span)).sum::<f32>();
    cost += closed_cost(shape, &[first, middle, last], right, up, span);
    if cost > COST_MAX {
        return None;
    }
    judge_palm(shape, [first, middle, last], bottoms.iter().any(|it| it.cut), cost, &SPAN)
}

/// The same for the outer two of a palm so near that its fingers leave the picture, where a peg or a
/// shadow hides the valley between them; that one is put where it usually is.
fn judge_two(
    shape: &Shape,
    tried_up: Point,
    bottoms: [Bottom; 2],
    all: &[Bottom],
) -> Option<Valleys> {
    let [first, last] = bottoms.map(|bottom| bottom.point);
    let (span, right, up) = frame(shape, tried_up, first, last)?;
    let mut cost = PAIR_COST + fifth_cost(all, first, last);
    cost += bottoms.iter().map(|bottom| depth_cost(bottom, span)).sum::<f32>();
    cost += closed_cost(shape, &[first, last], right, up, span);
    if cost > COST_MAX {
        return None;
    }
    let middle = (first + last) * 0.5 + up * (BOW.mean * span);
    if fingers_between(shape, first, last) < 2 {
        return None;
    }
    let palm = judge_palm(shape, [first, middle, last], true, cost, &PAIR_SPAN)?;
    Some(Valleys { hidden_middle: true, ..palm })
}

/// How many fingers stand between two valleys, a little above them.
fn fingers_between(shape: &Shape, first: Point, last: Point) -> usize {
    const PLACES: usize = 50;
    let span = (last - first).length();
    let right = (last - first).unit();
    let up = Point { x: right.y, y: -right.x };
    let (mut fingers, mut run) = (0, 0);
    for i in 0..=PLACES {
        let along = right * (span * i as f32 / PLACES as f32);
        let inside = shape.blob.contains(first + along + up * (PAIR_OPEN_SPANS * span));
        run = if inside == Some(true) { run + 1 } else { 0 };
        fingers += usize::from(run == PLACES / 8);
    }
    fingers
}

/// What a valley costs for being shallow.
fn depth_cost(bottom: &Bottom, span: f32) -> f32 {
    let (wanted, deviation) = if bottom.cut {
        (DEPTH_CUT_SPANS, DEPTH_CUT_DEVIATION)
    } else {
        (DEPTH_SPANS, DEPTH_DEVIATION)
    };
    let missing = (wanted - bottom.depth / span).max(0.0) / deviation;
    missing * missing
}

/// What valleys cost above which there is no ground, straight up or as aslant as spread fingers are.
fn closed_cost(shape: &Shape, points: &[Point], right: Point, up: Point, span: f32) -> f32 {
    let first = OPEN_FIRST_PX;
    let opens = |valley: Point| {
        OPEN_SLANTS.iter().any(|&slant| {
            let way = (up + right * slant).unit();
            let steps = first + (OPEN_SPANS * span) as usize;
            (first..=steps)
                .all(|step| shape.blob.contains(valley + way * step as f32) != Some(true))
        })
    };
    CLOSED_COST * points.iter().filter(|&&point| !opens(point)).count() as f32
}

/// What other valleys beside the outer ones cost.
fn fifth_cost(bottoms: &[Bottom], first: Point, last: Point) -> f32 {
    let span = (last - first).length();
    let right = (last - first).unit();
    let up = Point { x: right.y, y: -right.x };
    let costs = bottoms.iter().map(|bottom| {
        let place = bottom.point - first;
        let (along, off) = (place.dot(right) / span, place.dot(up) / span);
        let beside = (along - 1.0).max(-along);
        let Range { start, end } = FIFTH_OFF_SPANS;
        let near = ((end - off.abs()) / (end - start)).clamp(0.0, 1.0);
        let deep = (bottom.depth / span / DEPTH_CUT_SPANS).min(1.0);
        if FIFTH_BESIDE_SPANS.contains(&beside) { FIFTH_COST * near * deep } else { 0.0 }
    });
    costs.fold(0.0, f32::max)
}

/// Adds what the palm below the valleys costs.
fn judge_palm(
    shape: &Shape,
    points: [Point; 3],
    fingers_cut: bool,
    mut cost: f32,
    usual_span: &Usual,
) -> Option<Valleys> {
    let [first, _, last] = points;
    let span = (last - first).length();
    let right = (last - first).unit();
    let down = Point { x: -right.y, y: right.x };
    let middle = (first + last) * 0.5;
    let ground = ground_below(shape, middle, right, span) / GROUND_DEVIATION;
    cost += ground * ground;
    if cost > COST_MAX {
        return None;
    }
    let wanted = middle + down * span;
    let (centre, radius) = shape.distances.largest_circle_near(wanted, 0.8 * span)?;
    if radius < 0.3 * span {
        return None;
    }
    let bounded = shape.blob.edge_bounds(centre, radius);
    let spread = ln_ratio(span, radius);
    if bounded {
        // The picture's edge makes the circle smaller, never larger.
        cost += SPAN_BOUNDED.cost(spread.min(SPAN_BOUNDED.mean));
        cost += SPAN_BOUNDED.cost((spread - SPAN_BOUNDED_MORE).max(SPAN_BOUNDED.mean));
    } else {
        cost += usual_span.cost(spread);
        cost += BELOW.cost(ln_ratio((centre - middle).dot(down), radius));
        cost += BESIDE.cost((centre - middle).dot(right) / radius);
    }
    let hidden_middle = false;
    (cost <= COST_MAX).then_some(Valleys {
        points,
        centre,
        radius,
        bounded,
        fingers_cut,
        hidden_middle,
        cost,
    })
}

/// The part of the square below the valleys that is ground, of what is inside the picture.
fn ground_below(shape: &Shape, middle: Point, right: Point, span: f32) -> f32 {
    const POINTS: usize = 10;
    let down = Point { x: -right.y, y: right.x };
    let (mut ground, mut seen) = (0, 0);
    for i in 0..POINTS * POINTS {
        let x = (i % POINTS) as f32 / (POINTS - 1) as f32 - 0.5;
        let y = (i / POINTS) as f32 / (POINTS - 1) as f32;
        let point = middle + right * (x * span) + down * ((0.08 + y) * span);
        if let Some(inside) = shape.blob.contains(point) {
            seen += 1;
            ground += usize::from(!inside);
        }
    }
    ground as f32 / seen.max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    const UP: Point = Point { x: 0.0, y: -1.0 };

    /// The outline of a gap between two fingers, from the left fingertip down to `deep` and up again, a
    /// little uneven.
    fn gap(deep: i32) -> Vec<Point> {
        let side = |x: f32, y: i32| Point { x: x + (y % 3) as f32, y: y as f32 };
        let down = (0..deep).map(|y| side(20.0, y - 2 * i32::from(y % 7 == 3)));
        let up = (0..deep).rev().map(|y| side(26.0, y));
        down.chain([Point { x: 23.0, y: deep as f32 }]).chain(up).collect()
    }

    #[test]
    fn a_valley_is_followed_down_to_where_it_ends() {
        let found = descend(&gap(60), Point { x: 23.0, y: 42.0 }, UP, 20.0);
        assert!((20.0..30.0).contains(&found.x) && found.y > 59.0, "{found:?}");
    }

    #[test]
    fn what_falls_too_far_is_no_valleys_outline() {
        let seen = Point { x: 23.0, y: 30.0 };
        assert_eq!(descend(&gap(60), seen, UP, 20.0), seen);
        assert_eq!(descend(&[], seen, UP, 20.0), seen);
        let far = Point { x: 23.0, y: 100.0 };
        assert_eq!(descend(&gap(60), far, UP, 20.0), far);
    }
}
