//! The three valleys between the four fingers.
//!
//! Going around the outline, the distance to the palm's centre rises to each fingertip and falls to
//! each valley. Every three neighbouring valleys are tried; those between index, middle, ring and
//! little finger are evenly spaced, close together and nearly on a line, which those beside the
//! thumb, the wrist or a sleeve are not.

use super::Shape;
use super::view::Point;

/// A rise or fall smaller than this, in palm radii, is no finger and no valley.
const FINGER_RADII_MIN: f32 = 0.18;
/// Valleys are this far from the palm's centre, in radii: its circle touches the nearest.
const VALLEY_RADII: std::ops::Range<f32> = 0.75..2.0;
/// From one valley to the next, in radii: a finger's width. Two fingers held together are wider, so
/// that a valley hidden between them is not overlooked.
const SPACING_RADII: std::ops::Range<f32> = 0.22..0.8;
/// A hand so near that the picture ends before the fingertips bounds its circle too, so that all
/// distances look longer.
const NEAR_REACH_RADII: f32 = 2.1;
const NEAR_LONGER: f32 = 1.2;
/// From the first to the last, in radii; a hand seen flat has about [`SPAN_USUAL`].
const SPAN_RADII: std::ops::Range<f32> = 0.45..1.4;
const SPAN_USUAL: f32 = 0.93;
/// The least of it where the picture's edge bounds the palm's circle: the edges of a peg between two
/// fingers are nearer to each other.
pub const SPAN_NEAR_MIN: f32 = 0.9;
/// How far the line through the outer valleys passes from the palm's centre, in radii.
const LINE_RADII: std::ops::Range<f32> = 0.55..1.75;
/// How far the middle valley is from the line through the outer ones, in radii.
const BOW_RADII_MAX: f32 = 0.35;
/// From the first to the last valley where the one between them is hidden, in radii: two neighbouring
/// valleys are nearer than any of these.
const SPAN_OUTER_RADII: std::ops::Range<f32> = 0.95..1.5;
/// How far that line passes from the palm's centre: the picture's edge makes the circle smaller.
const LINE_OUTER_RADII: std::ops::Range<f32> = 0.8..1.5;
const LINE_OUTER_USUAL: f32 = 1.0;
/// How far beside the palm's centre the middle of the outer valleys may then be, in radii.
const BESIDE_OUTER_RADII_MAX: f32 = 0.35;
/// What two valleys cost more than three.
const OUTER_COST: f32 = 1.0;
/// How far beside the palm's centre the middle of the outer valleys may be, in radii.
const BESIDE_RADII_MAX: f32 = 0.6;
/// How far above a valley there is ground, in radii, and how aslant that may be, as a tangent.
const OPEN_RADII: f32 = 0.25;
const OPEN_SLANTS: [f32; 5] = [0.0, -0.25, 0.25, -0.6, 0.6];
/// So much of that ground at least is inside the picture.
const OPEN_SEEN_RADII: f32 = 0.1;
const OPEN_FIRST_PX: usize = 4;
/// The cost below which no other ground is tried.
pub const COST_GOOD: f32 = 0.35;

/// The valleys, in the order in which the outline passes them: from left to right, fingers up.
#[derive(Debug, Clone)]
pub struct Valleys {
    pub points: [Point; 3],
    /// From the first to the last, in radii.
    pub span_radii: f32,
    /// How far from a usual hand they lie: 0 is usual.
    pub cost: f32,
}

/// A place where the distance to the centre turns.
#[derive(Debug, Clone, Copy)]
struct Turn {
    at: usize,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Tip,
    Valley,
}

/// The best three valleys of a shape, if it has any.
pub fn find(shape: &Shape) -> Option<Valleys> {
    let radii = smooth_radii(shape);
    let turns = turns(&radii);
    let valleys: Vec<usize> = turns
        .iter()
        .enumerate()
        .filter(|(_, turn)| turn.kind == Kind::Valley)
        .map(|(i, _)| i)
        .collect();
    if valleys.len() < 3 {
        return None;
    }
    (0..valleys.len())
        .filter_map(|i| {
            let turn = |k: usize| turns[valleys[(i + k) % valleys.len()]].at;
            let tip = |k: usize| {
                // The tip before the k-th valley: tips and valleys alternate.
                let valley = valleys[(i + k) % valleys.len()];
                turns[(valley + turns.len() - 1) % turns.len()].at
            };
            let arcs = [(tip(0), tip(1)), (tip(1), tip(2)), (tip(2), tip(3))];
            judge(shape, &radii, [turn(0), turn(1), turn(2)], arcs)
        })
        .min_by(|a, b| a.cost.total_cmp(&b.cost))
}

/// The outer two valleys of a palm so near that the picture ends above the finger's roots, where a
/// peg or a shadow fills the one between them; that one is put in their middle.
pub fn find_outer(shape: &Shape) -> Option<Valleys> {
    let radii = smooth_radii(shape);
    let turns = turns(&radii);
    let count = turns.len();
    let valleys = (0..count).filter(|&i| turns[i].kind == Kind::Valley);
    // What is between them makes no valley, or one, or one on either side of a peg.
    let pairs = valleys.flat_map(|i| [2, 4, 6].map(|on| (i, i + on)));
    pairs
        .filter(|(first, last)| last - first + 2 < count)
        .filter_map(|(first, last)| {
            let turn = |k: usize| turns[k % count].at;
            let arc = |k: usize| (turn(k + count - 1), turn(k + 1));
            judge_outer(shape, &radii, [turn(first), turn(last)], [arc(first), arc(last)])
        })
        .min_by(|a, b| a.cost.total_cmp(&b.cost))
}

/// The distance of every outline point to the centre in radii, smoothed along the outline.
fn smooth_radii(shape: &Shape) -> Vec<f32> {
    let radii: Vec<f32> =
        shape.contour.iter().map(|&point| (point - shape.centre).length() / shape.radius).collect();
    let count = radii.len();
    let reach = ((shape.radius * 0.05) as usize).max(1);
    (0..count)
        .map(|i| {
            let sum: f32 =
                (0..=2 * reach).map(|k| radii[(i + k + count * 8 - reach) % count]).sum();
            sum / (2 * reach + 1) as f32
        })
        .collect()
}

/// Tips and valleys in turn around the outline, each at least [`FINGER_RADII_MIN`] from the next.
fn turns(radii: &[f32]) -> Vec<Turn> {
    let Some(start) = (0..radii.len()).max_by(|&a, &b| radii[a].total_cmp(&radii[b])) else {
        return Vec::new();
    };
    let mut turns = vec![Turn { at: start, kind: Kind::Tip }];
    // From the farthest tip, once around: the extreme since the last turn becomes one when the
    // distance has come back from it by a finger's worth.
    let (mut seeking, mut extreme) = (Kind::Valley, start);
    for step in 1..=radii.len() {
        let at = (start + step) % radii.len();
        let (here, held) = (radii[at], radii[extreme]);
        let further = match seeking {
            Kind::Valley => here < held,
            Kind::Tip => here > held,
        };
        if further {
            extreme = at;
        } else if (here - held).abs() >= FINGER_RADII_MIN {
            turns.push(Turn { at: extreme, kind: seeking });
            seeking = if seeking == Kind::Valley { Kind::Tip } else { Kind::Valley };
            extreme = at;
        }
    }
    turns
}

/// Whether three valleys are those between the four fingers, and how usual they lie.
fn judge(
    shape: &Shape,
    radii: &[f32],
    valleys: [usize; 3],
    arcs: [(usize, usize); 3],
) -> Option<Valleys> {
    if valleys.iter().any(|&valley| !VALLEY_RADII.contains(&radii[valley])) {
        return None;
    }
    let mut points = valleys.map(|valley| shape.contour[valley]);
    // The nearest points to the centre are not quite the bottoms: those are lowest along the
    // fingers, a direction that the bottoms themselves give.
    for _ in 0..3 {
        let right = (points[2] - points[0]).unit();
        let up = Point { x: right.y, y: -right.x };
        points = arcs.map(|(from, to)| bottom(&shape.contour, from, to, up));
    }
    let [first, middle, last] = points;
    let span = (last - first).length() / shape.radius;
    let spacing = [middle - first, last - middle].map(|gap| gap.length() / shape.radius);
    let right = (last - first).unit();
    let up = Point { x: right.y, y: -right.x };
    let line = (first - shape.centre).dot(up) / shape.radius;
    let bow = (middle - first).dot(up) / shape.radius;
    let beside = ((first + last) * 0.5 - shape.centre).dot(right) / shape.radius;
    let longer = if shape.reach() < NEAR_REACH_RADII { NEAR_LONGER } else { 1.0 };
    let usual = SPAN_RADII.contains(&(span / longer))
        && spacing.iter().all(|gap| SPACING_RADII.contains(&(gap / longer)))
        && LINE_RADII.contains(&line)
        && bow.abs() <= BOW_RADII_MAX
        && beside.abs() <= BESIDE_RADII_MAX;
    let cost = (spacing[0] - spacing[1]).abs() + (span / longer - SPAN_USUAL).abs() + bow.abs();
    usual.then_some(Valleys { points, span_radii: span, cost })
}

/// Whether there is ground above a valley, straight up or as aslant as spread fingers are.
fn opens(shape: &Shape, valley: Point, right: Point, up: Point) -> bool {
    let (width, height) = (shape.blob.width(), shape.blob.height());
    let steps = (OPEN_RADII * shape.radius) as usize;
    let seen = OPEN_FIRST_PX + (OPEN_SEEN_RADII * shape.radius) as usize;
    OPEN_SLANTS.iter().any(|&slant| {
        let way = (up + right * slant).unit();
        // The valley is a mean of outline points: the first pixels may be hand.
        (OPEN_FIRST_PX..=steps).all(|step| {
            let point = valley + way * (step as f32);
            let inside = point.x >= 0.0
                && point.y >= 0.0
                && point.x < width as f32
                && point.y < height as f32;
            (!inside && step > seen)
                || (inside && !shape.blob.bits()[point.y as usize * width + point.x as usize])
        })
    })
}

/// Whether two valleys are the outer ones of a palm that fills the picture.
fn judge_outer(
    shape: &Shape,
    radii: &[f32],
    valleys: [usize; 2],
    arcs: [(usize, usize); 2],
) -> Option<Valleys> {
    if valleys.iter().any(|&valley| !VALLEY_RADII.contains(&radii[valley])) {
        return None;
    }
    let mut points = valleys.map(|valley| shape.contour[valley]);
    for _ in 0..3 {
        let right = (points[1] - points[0]).unit();
        let up = Point { x: right.y, y: -right.x };
        points = arcs.map(|(from, to)| bottom(&shape.contour, from, to, up));
    }
    let [first, last] = points;
    let right = (last - first).unit();
    let up = Point { x: right.y, y: -right.x };
    let middle = (first + last) * 0.5;
    let span = (last - first).length() / shape.radius;
    let line = (middle - shape.centre).dot(up) / shape.radius;
    let beside = (middle - shape.centre).dot(right) / shape.radius;
    let usual = SPAN_OUTER_RADII.contains(&span)
        && LINE_OUTER_RADII.contains(&line)
        && beside.abs() <= BESIDE_OUTER_RADII_MAX;
    let cost = OUTER_COST
        + (span - SPAN_USUAL * NEAR_LONGER).abs()
        + (line - LINE_OUTER_USUAL).abs()
        + beside.abs();
    let usual = usual && points.iter().all(|&point| opens(shape, point, right, up));
    usual.then_some(Valleys { points: [first, middle, last], span_radii: span, cost })
}

/// The lowest place of a stretch of outline between two fingertips: the mean of the points within a
/// pixel of the lowest.
fn bottom(contour: &[Point], from: usize, to: usize, up: Point) -> Point {
    let length = (to + contour.len() - from) % contour.len();
    let points = (0..=length).map(|k| contour[(from + k) % contour.len()]);
    let lowest = points.clone().map(|point| point.dot(up)).fold(f32::INFINITY, f32::min);
    let (mut sum, mut count) = (Point { x: 0.0, y: 0.0 }, 0.0);
    for point in points.filter(|point| point.dot(up) <= lowest + 1.0) {
        sum = sum + point;
        count += 1.0;
    }
    sum * (1.0 / count)
}
