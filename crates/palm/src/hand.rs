//! Finding a hand: where the palm is, which way the fingers point, and which hand it is.
//!
//! A hand is a blob that differs from its ground, with a round palm and bays between the fingers.
//! What it differs by is not known beforehand (skin on cloth, a grey palm under infrared light, a
//! dark hand on paper), so several ways of telling hand from ground are tried and the one whose
//! blob has the best three finger valleys wins. The largest circle inside the blob gives the palm's
//! size; the three valleys between the four fingers give place and direction; the thumb tells left
//! from right.

mod blob;
mod contour;
mod distance;
mod mask;
mod side;
mod valleys;
mod view;

use crate::acquire::{Placement, Refusal, Refused, Side};
use crate::{Picture, acquire};
use blob::Blob;
use mask::Ground;
use valleys::Valleys;
pub use view::Point;
use view::View;

/// Blobs that are looked at in one mask, largest first: a hand may be smaller than a face.
const BLOBS_MAX: usize = 3;
/// Two hands are two blobs with valleys of which the smaller is at least this part of the larger.
const SECOND_HAND_AREA_MIN: f32 = 0.3;
/// What covers more than this part of the picture's edge is the ground, not a hand.
const EDGE_PART_MAX: f32 = 0.7;
/// How much more unusual a hand may look than one found on a later ground and still be preferred.
const LATER_GROUND_COST: f32 = 0.1;
/// The greatest area of a hand without valleys, in square palm radii: palm and fingers are about
/// seven, a bare arm adds as much; a wall or a shirt with corners is more.
const AREA_RADII_MAX: f32 = 14.0;
/// What has no valleys is only taken for a hand held badly if it is at least this much redder than
/// green, of 255, as skin of every tone is: walls and clothes are not to be advised.
const SKIN_REDNESS_MIN: f32 = 8.0;
/// The longest fingers, in palm radii: a hand turned about its own axis looks longer than any.
const FINGER_REACH_MAX: f32 = 3.9;
/// A circle of this radius, of the picture's shorter side, is bounded by the picture alone.
const RADIUS_BOUNDED: f32 = 0.48;
/// The palm's circle this much larger touches the picture's edge where part of the palm is outside.
const PALM_REACH_RADII: f32 = 1.1;
/// The least distance between the outer valleys, in palm radii, of a hand held flat.
const SPAN_FLAT_MIN: f32 = 0.6;
/// The greatest part of the region of interest that may be outside the picture.
const OUTSIDE_MAX: f32 = 0.08;
/// The greatest part of it that may be ground. More, and a valley was taken for another: two fingers
/// are held together and the thumb's valley took the place of the one they hide.
const GROUND_MAX: f32 = 0.06;
/// Side of the region of interest in palm radii.
const ROI_SIDE_RADII: f32 = 1.55;
/// From the line through the valleys down to the region's centre, in palm radii.
const ROI_DOWN_RADII: f32 = 1.0;

/// A palm: its circle, and once the valleys are known its direction. In pixels of a view.
#[derive(Debug, Clone)]
struct Shape {
    blob: Blob,
    centre: Point,
    radius: f32,
    /// The contour, clockwise on the screen.
    contour: Vec<Point>,
}

/// A hand that was found, in pixels of the picture that was looked at.
#[derive(Debug, Clone)]
pub struct Hand {
    /// Which hand.
    pub side: Side,
    /// The palm's inscribed circle.
    pub centre: Point,
    /// Its radius.
    pub radius: f32,
    /// The valleys between the four fingers, from left to right with the fingers up.
    pub valleys: [Point; 3],
    /// The direction to the right of the fingers, of unit length.
    pub right: Point,
    /// The centre of the region of interest.
    pub roi_centre: Point,
    /// Its side.
    pub roi_side: f32,
}

/// Finds the one hand in a picture.
pub fn find(picture: &Picture) -> Result<Hand, Refused> {
    let view = View::of(picture);
    let mut candidates: Vec<(Shape, Valleys)> = Vec::new();
    let mut guess: Option<Shape> = None;
    for (rank, ground) in Ground::ALL.into_iter().enumerate() {
        let Some(mask) = ground.mask(&view) else { continue };
        let mut hands: Vec<(Shape, Valleys)> = Vec::new();
        for shape in shapes(mask, &view) {
            let near = shape.circle_near_edge(&view, PALM_REACH_RADII)
                && shape.radius < RADIUS_BOUNDED * view.shorter();
            if let Some(valleys) = near.then(|| valleys::find_outer(&shape)).flatten() {
                candidates.push((shape.clone(), valleys));
            }
            let span_min = if near { valleys::SPAN_NEAR_MIN } else { 0.0 };
            if let Some(valleys) = valleys::find(&shape).filter(|it| it.span_radii >= span_min) {
                hands.push((shape, valleys));
                continue;
            }
            if shape.redness(&view) >= SKIN_REDNESS_MIN {
                guess = better_guess(guess, shape);
            }
        }
        if two_hands(&hands) {
            let placement = Some(placement(&hands[0].0, None, &view));
            return Err(Refused { refusal: Refusal::TwoHands, placement });
        }
        for (shape, mut valleys) in hands {
            valleys.cost += LATER_GROUND_COST * rank as f32;
            let hand =
                (valleys.cost < valleys::COST_GOOD).then(|| orient(&shape, &valleys, &view, true));
            if let Some(Ok(hand)) = hand {
                return Ok(hand);
            }
            candidates.push((shape, valleys));
        }
    }
    candidates.sort_by(|a, b| a.1.cost.total_cmp(&b.1.cost));
    let mut refused = None;
    for (shape, valleys) in &candidates {
        match orient(shape, valleys, &view, refused.is_none()) {
            Ok(hand) => return Ok(hand),
            Err(new) => refused = refused.or(Some(new)),
        }
    }
    Err(refused.unwrap_or_else(|| refuse(guess.as_ref(), &view)))
}

/// The largest blobs of a mask that could be a palm.
fn shapes(mask: mask::Mask, view: &View) -> Vec<Shape> {
    let radius_min = view.shorter() * acquire::RADIUS_SEEN_MIN;
    blob::largest(mask, BLOBS_MAX)
        .into_iter()
        .filter(|blob| blob.edge_part() <= EDGE_PART_MAX)
        .filter_map(|blob| {
            let (centre, radius) = distance::inscribed_circle(&blob);
            if radius < radius_min {
                return None;
            }
            let contour = contour::trace(&blob);
            Some(Shape { blob, centre, radius, contour })
        })
        .collect()
}

fn two_hands(hands: &[(Shape, Valleys)]) -> bool {
    let mut areas: Vec<usize> = hands.iter().map(|(shape, _)| shape.blob.area()).collect();
    areas.sort_unstable_by(|a, b| b.cmp(a));
    areas.len() > 1 && areas[1] as f32 >= SECOND_HAND_AREA_MIN * areas[0] as f32
}

/// Of two blobs without valleys the one to guide the person by: the one with the larger circle.
fn better_guess(held: Option<Shape>, new: Shape) -> Option<Shape> {
    match held {
        Some(held) if held.radius >= new.radius => Some(held),
        _ => Some(new),
    }
}

/// From valleys to the frame of reference, in pixels of the picture.
fn orient(shape: &Shape, valleys: &Valleys, view: &View, leading: bool) -> Result<Hand, Refused> {
    let [first, _, last] = valleys.points;
    let right = (last - first).unit();
    let up = Point { x: right.y, y: -right.x };
    let refused = |refusal| Refused { refusal, placement: Some(placement(shape, Some(up), view)) };
    if shape.finger_reach(up) > FINGER_REACH_MAX || valleys.span_radii < SPAN_FLAT_MIN {
        return Err(refused(Refusal::Tilted));
    }
    let Some(side) = side::of(shape, &valleys.points, up, view, leading) else {
        // The thumb is outside the picture, or held against the palm.
        let cut = shape.circle_near_edge(view, PALM_REACH_RADII);
        return Err(refused(if cut { Refusal::CutOff } else { Refusal::FingersClosed }));
    };
    let middle = (first + last) * 0.5;
    let roi_centre = middle - up * (ROI_DOWN_RADII * shape.radius);
    let covered = covered(shape, roi_centre, right);
    if covered.outside > OUTSIDE_MAX {
        return Err(refused(Refusal::CutOff));
    }
    if covered.ground > GROUND_MAX {
        return Err(refused(Refusal::FingersClosed));
    }
    Ok(Hand {
        side,
        centre: view.to_picture(shape.centre),
        radius: shape.radius * view.scale(),
        valleys: valleys.points.map(|valley| view.to_picture(valley)),
        right,
        roi_centre: view.to_picture(roi_centre),
        roi_side: ROI_SIDE_RADII * shape.radius * view.scale(),
    })
}

/// What a region of interest shows beside the hand, as parts of its area.
struct Covered {
    outside: f32,
    ground: f32,
}

/// Looks at a grid of points of a region of interest.
fn covered(shape: &Shape, roi_centre: Point, right: Point) -> Covered {
    const POINTS: usize = 16;
    let (width, height) = (shape.blob.width(), shape.blob.height());
    let down = Point { x: -right.y, y: right.x };
    let step = ROI_SIDE_RADII * shape.radius / POINTS as f32;
    let (mut outside, mut ground) = (0, 0);
    for i in 0..POINTS * POINTS {
        let x = (i % POINTS) as f32 - (POINTS - 1) as f32 / 2.0;
        let y = (i / POINTS) as f32 - (POINTS - 1) as f32 / 2.0;
        let point = roi_centre + right * (x * step) + down * (y * step);
        if point.x < 0.0 || point.y < 0.0 || point.x >= width as f32 || point.y >= height as f32 {
            outside += 1;
        } else if !shape.blob.bits()[point.y as usize * width + point.x as usize] {
            ground += 1;
        }
    }
    let total = (POINTS * POINTS) as f32;
    Covered { outside: outside as f32 / total, ground: ground as f32 / total }
}

/// Where a palm is, for guidance.
fn placement(shape: &Shape, up: Option<Point>, view: &View) -> Placement {
    let up = up.unwrap_or(Point { x: 0.0, y: -1.0 });
    Placement {
        centre: (shape.centre.x / view.width() as f32, shape.centre.y / view.height() as f32),
        radius: shape.radius / view.shorter(),
        angle: up.x.atan2(-up.y),
    }
}

impl Hand {
    /// A point of the region of interest in pixels of the picture: 0, 0 is its centre and 1 its
    /// side, x to the right and y down with the fingers up.
    pub fn at(&self, x: f32, y: f32) -> Point {
        let down = Point { x: -self.right.y, y: self.right.x };
        self.roi_centre + self.right * (x * self.roi_side) + down * (y * self.roi_side)
    }

    /// Where the palm is in its picture, for guidance.
    pub fn placement(&self, picture: &Picture) -> Placement {
        let (width, height) = (picture.width() as f32, picture.height() as f32);
        Placement {
            centre: (self.centre.x / width, self.centre.y / height),
            radius: self.radius / width.min(height),
            // Up is a quarter turn from right, so this is right's angle from the x axis.
            angle: self.right.y.atan2(self.right.x),
        }
    }
}

/// What to tell the person when nothing has three valleys.
fn refuse(guess: Option<&Shape>, view: &View) -> Refused {
    let Some(shape) = guess else {
        let refusal =
            if view.mean_luma() < acquire::LUMA_MIN { Refusal::TooDark } else { Refusal::NoHand };
        return Refused { refusal, placement: None };
    };
    let refusal = if shape.radius > acquire::RADIUS_MAX * view.shorter() {
        Refusal::TooClose
    } else if shape.reach() < acquire::FINGER_REACH_MIN {
        Refusal::NotAHand
    } else if shape.circle_near_edge(view, PALM_REACH_RADII) {
        Refusal::CutOff
    } else if shape.area_radii() > AREA_RADII_MAX {
        Refusal::NotAHand
    } else if shape.radius < acquire::RADIUS_MIN * view.shorter() {
        Refusal::TooFar
    } else {
        Refusal::FingersClosed
    };
    Refused { refusal, placement: Some(placement(shape, None, view)) }
}

impl Shape {
    /// The farthest point of the contour from the centre, in radii.
    fn reach(&self) -> f32 {
        self.contour.iter().map(|&point| (point - self.centre).length()).fold(0.0, f32::max)
            / self.radius
    }

    /// How much redder than green it is on average, of 255; endless where there is no colour.
    fn redness(&self, view: &View) -> f32 {
        let Some(rgb) = view.rgb() else { return f32::INFINITY };
        let inside = rgb.iter().zip(self.blob.bits()).filter(|(_, bit)| **bit);
        let sum: i64 = inside.map(|(&[red, green, _], _)| i64::from(red) - i64::from(green)).sum();
        sum as f32 / self.blob.area() as f32
    }

    /// The area in square radii.
    fn area_radii(&self) -> f32 {
        self.blob.area() as f32 / (self.radius * self.radius)
    }

    /// The farthest fingertip above the centre, in radii.
    fn finger_reach(&self, up: Point) -> f32 {
        self.contour.iter().map(|&point| (point - self.centre).dot(up)).fold(0.0, f32::max)
            / self.radius
    }

    /// Whether what is within a reach of the palm's centre, in radii, is partly outside the picture.
    fn circle_near_edge(&self, view: &View, radii: f32) -> bool {
        let reach = self.radius * radii;
        self.centre.x < reach
            || self.centre.y < reach
            || self.centre.x > view.width() as f32 - reach
            || self.centre.y > view.height() as f32 - reach
    }
}
