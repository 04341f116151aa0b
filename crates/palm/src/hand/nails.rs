//! Nails: what the back of a hand shows and a palm does not.
//!
//! The outline of a back is that of the other hand's palm. Behind its root a nail ends at once and what
//! follows is darker; a palm's fingertip has no such step. A pale nail that is seen from the palm's side
//! because it stands beyond the fingertip has one too, and is narrower than the finger. Where fingertips
//! are outside the picture nothing is said, and without colour neither: under infrared light nails are
//! as bright as skin.

use super::view::{Point, View};
use super::{Candidate, contour};
use crate::Picture;
use crate::picture::luma;

/// Fingers whose nails must be seen; a tip may be hidden, or its finger bent.
const FINGERS: usize = 3;
/// How much brighter a nail is than the finger behind its root, at least: palms have 1.09 at most (154 real
/// ones, and drawn ones), drawn backs 1.23 and up.
const BRIGHTER_MIN: f32 = 1.17;
/// Places of a finger that are looked at, from its tip on, and how far apart they are in palm radii.
const PLACES: usize = 18;
const STEP_RADII: f32 = 0.03;
/// Half of how far across the finger is looked, in palm radii: nails are .3 wide.
const ACROSS_RADII: f32 = 0.06;
/// Points across a place, and along it.
const POINTS: [usize; 2] = [8, 2];
/// Places before a nail's root and behind it that are compared, and those at the root that are not.
const NAIL: usize = 4;
const BEHIND: usize = 6;
const ROOT: usize = 1;
/// Where a finger's width is looked at, in palm radii from its tip: where a nail is, and behind it.
const WIDTHS_AT_RADII: [f32; 2] = [0.13, 0.45];
/// A fingertip is at least this part of its finger's width there; a nail beyond it is less.
const WIDTH_MIN: f32 = 0.8;
/// How far beside an outer valley the finger's root is, in gaps.
const OUTER_GAPS: f32 = 0.4;
/// How far below the lowest valley an outline is no finger's, in spans.
const BELOW_SPANS: f32 = 0.3;

/// Where a finger ends, in pixels of the view, and which way it points.
struct Tip {
    end: Point,
    way: Point,
}

/// Whether what was found shows the nails of a hand's back.
pub fn are_seen(hand: &Candidate, picture: &Picture, view: &View) -> bool {
    if !view.has_colour() {
        return false;
    }
    let is_nail = |tip: &Tip| {
        let lights = tip.lights(hand.valleys.radius, picture, view);
        lights.is_some_and(|lights| step(&lights) >= BRIGHTER_MIN) && tip.is_wide(hand)
    };
    tips(hand).iter().filter(|tip| is_nail(tip)).count() >= FINGERS
}

/// The tips of the four fingers, as far as they are inside the picture.
fn tips(hand: &Candidate) -> Vec<Tip> {
    let (contour, valleys) = (&hand.shape.contour, &hand.valleys);
    let (count, up) = (contour.len(), valleys.up());
    let [first, middle, last] = valleys.points;
    let nearest = |valley: Point| contour::nearest(contour, valley);
    let (Some(a), Some(b), Some(c)) = (nearest(first), nearest(middle), nearest(last)) else {
        return Vec::new();
    };
    let lowest = first.dot(up).min(last.dot(up)) - BELOW_SPANS * valleys.span();
    // The farthest place above a finger's root, from a valley on for as long as it is a finger's.
    let tip = |root: Point, from: usize, step: usize, to: Option<usize>| {
        let places = (1..count).map(|k| (from + k * step) % count);
        let end = places
            .take_while(|&at| Some(at) != to && contour[at].dot(up) > lowest)
            .map(|at| contour[at])
            .max_by(|a, b| a.dot(up).total_cmp(&b.dot(up)))?;
        let inside = !hand.shape.blob.touches_edge(end);
        inside.then(|| Tip { end, way: (end - root).unit() })
    };
    let fingers = [
        tip(first + (first - middle) * OUTER_GAPS, a, count - 1, None),
        tip((first + middle) * 0.5, a, 1, Some(b)),
        tip((middle + last) * 0.5, b, 1, Some(c)),
        tip(last + (last - middle) * OUTER_GAPS, c, 1, None),
    ];
    fingers.into_iter().flatten().collect()
}

impl Tip {
    fn across(&self) -> Point {
        Point { x: -self.way.y, y: self.way.x }
    }

    /// The brightness along a finger from its tip on; none where that leaves the picture.
    fn lights(&self, radius: f32, picture: &Picture, view: &View) -> Option<[f32; PLACES]> {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let light = |at: Point| {
            let inside = at.x >= 0.0 && at.y >= 0.0;
            let (x, y) = (at.x as usize, at.y as usize);
            let at = (inside && x < width && y < height).then(|| (y * width + x) * 3)?;
            let pixel = picture.pixels().get(at..at + 3)?;
            Some(f32::from(luma(pixel[0], pixel[1], pixel[2])))
        };
        let [across, down] = POINTS;
        let mut lights = [0.0; PLACES];
        for (place, mean) in lights.iter_mut().enumerate() {
            for i in 0..across * down {
                let aside = 2.0 * (i % across) as f32 / (across - 1) as f32 - 1.0;
                let below = place as f32 + 0.5 + (i / across) as f32 / down as f32;
                let off = self.across() * (aside * ACROSS_RADII) - self.way * (below * STEP_RADII);
                *mean += light(view.to_picture(self.end + off * radius))?;
            }
            *mean /= (across * down) as f32;
        }
        Some(lights)
    }

    /// Whether it is as wide as a finger where a nail is.
    fn is_wide(&self, hand: &Candidate) -> bool {
        let [near, far] = WIDTHS_AT_RADII.map(|down| {
            let middle = self.end - self.way * (down * hand.valleys.radius);
            // In half pixels, to both sides.
            let reach = |way: Point| {
                let inside = |k: &usize| {
                    hand.shape.blob.contains(middle + way * (0.5 * *k as f32)) == Some(true)
                };
                (0..2 * hand.valleys.radius as usize).take_while(inside).count()
            };
            reach(self.across()) + reach(self.across() * -1.0)
        });
        near as f32 >= WIDTH_MIN * far as f32
    }
}

/// How much brighter a finger is before the likeliest root of a nail than behind it.
fn step(lights: &[f32; PLACES]) -> f32 {
    let mean = |part: &[f32]| part.iter().sum::<f32>() / part.len() as f32;
    let roots = NAIL + 1..=PLACES - BEHIND - ROOT;
    let ratios = roots.map(|root| {
        let behind = mean(&lights[root + ROOT..root + ROOT + BEHIND]);
        mean(&lights[root - NAIL..root]) / behind.max(1.0)
    });
    ratios.fold(0.0, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nail_ends_at_once_and_a_fingertip_does_not() {
        let nail = std::array::from_fn(|k| if k < 8 { 120.0 + 4.0 * k as f32 } else { 100.0 });
        assert!(step(&nail) > 1.3, "{}", step(&nail));
        // Dark at its rim, with a crease behind.
        let tip = std::array::from_fn(|k| match k {
            0..4 => 80.0 + 8.0 * k as f32,
            13 => 90.0,
            _ => 118.0,
        });
        assert!(step(&tip) < 1.05, "{}", step(&tip));
        assert!(step(&[0.0; PLACES]) < 1.0);
    }
}
