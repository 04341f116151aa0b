//! The exact bottom of a valley between two fingers.
//!
//! Light falls off over a hand, so one level does not tell hand from ground at all three valleys alike.
//! Each is looked at alone: what is ground near it is told by a level of its own, and the ground between
//! the two fingers is followed down to where it ends.

use zeroize::Zeroizing;

use super::mask;
use super::view::{Plane, Point};

/// How far around where a valley was seen is looked, in spans: less than to the next valley.
const REACH_SPANS: f32 = 0.22;
/// Where the ground between the fingers is entered, in spans above where the valley was seen.
const ENTRIES_SPANS: [f32; 4] = [0.1, 0.06, 0.14, 0.18];
/// Ground that goes down further than this, in spans, is no valley's: it leaks out of the hand.
const DOWN_SPANS_MAX: f32 = 0.1;
/// The least step from ground to hand of a level of the valley's own.
const STEP_MIN: f32 = 10.0;

/// The lowest place of the ground in a valley near a point, to a part of a pixel; `level` tells hand
/// from ground where the valley's surroundings do not tell it. None where there is no ground.
pub fn near(plane: &Plane, level: u8, point: Point, up: Point, span: f32) -> Option<Point> {
    let window = Window::around(plane, point, REACH_SPANS * span);
    let own = window.level(plane).unwrap_or(level);
    [level, own].into_iter().find_map(|level| window.bottom(plane, level, point, up, span))
}

/// The places that may be it beside a finger that is dim: ground is also what is darker than the darker
/// part of the valley's surroundings.
pub fn beside_dim(plane: &Plane, level: u8, point: Point, up: Point, span: f32) -> Vec<Point> {
    let window = Window::around(plane, point, REACH_SPANS * span);
    let own = window.level(plane).unwrap_or(level);
    let darker = [level, own].map(|level| window.level_below(plane, level));
    let levels = [Some(level), Some(own)].into_iter().chain(darker).flatten();
    levels.filter_map(|level| window.bottom(plane, level, point, up, span)).collect()
}

/// A round part of a plane.
struct Window {
    centre: Point,
    reach: f32,
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

impl Window {
    fn around(plane: &Plane, centre: Point, reach: f32) -> Self {
        let span = |middle: f32, length: usize| {
            let from = ((middle - reach).max(0.0) as usize).min(length - 1);
            let to = ((middle + reach + 1.0).max(1.0) as usize).clamp(from + 1, length);
            (from, to - from)
        };
        let (left, width) = span(centre.x, plane.width);
        let (top, height) = span(centre.y, plane.height);
        Self { centre, reach, left, top, width, height }
    }

    fn holds(&self, x: usize, y: usize) -> bool {
        let point = Point { x: x as f32, y: y as f32 };
        (self.left..self.left + self.width).contains(&x)
            && (self.top..self.top + self.height).contains(&y)
            && (point - self.centre).length() <= self.reach
    }

    fn places(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let rows = self.top..self.top + self.height;
        rows.flat_map(|y| (self.left..self.left + self.width).map(move |x| (x, y)))
            .filter(|&(x, y)| self.holds(x, y))
    }

    fn histogram(&self, plane: &Plane) -> [u64; 256] {
        let mut histogram = [0_u64; 256];
        for (x, y) in self.places() {
            histogram[usize::from(plane.values[y * plane.width + x])] += 1;
        }
        histogram
    }

    /// The level that best splits what is in the window in two; none where it is all alike.
    fn level(&self, plane: &Plane) -> Option<u8> {
        let split = mask::split(&self.histogram(plane))?;
        (split.step >= STEP_MIN).then_some(split.level)
    }

    /// The level that best splits in two what of the window is not above a level.
    fn level_below(&self, plane: &Plane, level: u8) -> Option<u8> {
        let split = mask::split(&self.histogram(plane)[..=usize::from(level)])?;
        (split.step >= STEP_MIN).then_some(split.level)
    }

    /// The bottom of a valley near a point, as a level tells hand from ground.
    fn bottom(
        &self,
        plane: &Plane,
        level: u8,
        point: Point,
        up: Point,
        span: f32,
    ) -> Option<Point> {
        let entry = |above: f32| point + up * (above * span);
        let found = ENTRIES_SPANS
            .into_iter()
            .find_map(|above| self.lowest(plane, level, entry(above), up))?;
        let down = (point - found).dot(up);
        (down.abs() <= DOWN_SPANS_MAX * span).then(|| edge_along(plane, level, found, up))
    }

    /// The lowest place of the ground that a point lies in: the mean of what is within a pixel of it.
    fn lowest(&self, plane: &Plane, level: u8, from: Point, up: Point) -> Option<Point> {
        let (x, y) = (from.x.max(0.0) as usize, from.y.max(0.0) as usize);
        let ground = |x: usize, y: usize| plane.values[y * plane.width + x] <= level;
        if !self.holds(x, y) || !ground(x, y) {
            return None;
        }
        let index = |x: usize, y: usize| (y - self.top) * self.width + x - self.left;
        let mut seen = Zeroizing::new(vec![false; self.width * self.height]);
        let mut places = Zeroizing::new(Vec::with_capacity(seen.len()));
        places.push((x, y));
        seen[index(x, y)] = true;
        let mut next = 0;
        while let Some(&(x, y)) = places.get(next) {
            next += 1;
            let around = [(x.wrapping_sub(1), y), (x + 1, y), (x, y.wrapping_sub(1)), (x, y + 1)];
            for (x, y) in around {
                if self.holds(x, y) && !seen[index(x, y)] && ground(x, y) {
                    seen[index(x, y)] = true;
                    places.push((x, y));
                }
            }
        }
        let point = |&(x, y): &(usize, usize)| Point { x: x as f32, y: y as f32 };
        let heights = places.iter().map(|place| point(place).dot(up));
        let bottom = heights.fold(f32::INFINITY, f32::min) + 1.0;
        let (mut sum, mut count) = (Point { x: 0.0, y: 0.0 }, 0.0);
        for place in places.iter().map(point).filter(|place| place.dot(up) <= bottom) {
            sum = sum + place;
            count += 1.0;
        }
        Some(sum * (1.0 / count))
    }
}

/// The place near a bottom where a plane crosses a level, to a part of a pixel: from the ground above it
/// down into the hand.
fn edge_along(plane: &Plane, level: u8, bottom: Point, up: Point) -> Point {
    const STEPS: i32 = 12;
    const STEP_PX: f32 = 0.25;
    let level = f32::from(level) + 0.5;
    let mut before: Option<(f32, f32)> = None;
    for step in -STEPS..=STEPS {
        let down = step as f32 * STEP_PX;
        let value = plane.at(bottom - up * down);
        if let Some((from, low)) = before
            && low <= level
            && value > level
        {
            let part = (level - low) / (value - low);
            return bottom - up * (from + part * STEP_PX);
        }
        before = Some((down, value));
    }
    bottom
}
