//! Finding a hand: where the palm is, which way the fingers point, and which hand it is.
//!
//! A hand is a blob that differs from its ground, with bays between its fingers and a round palm below
//! them. What it differs by is not known beforehand (skin on cloth, a grey palm under infrared light, a
//! dark hand on paper, a hand in a room), so several ways of telling hand from ground are tried on a
//! small view of the picture, and the one whose blob has the three valleys that lie most as a hand's do
//! wins. They are then measured in a larger view of the palm alone. The largest circle below them gives
//! the palm's size; the thumb tells left from right.

mod blob;
mod bottom;
mod contour;
mod distance;
mod mask;
mod measure;
mod side;
mod valleys;
mod view;

use std::ops::Range;

use crate::acquire::{Placement, Refusal, Refused, Side};
use crate::{Picture, acquire, creases, roi};
use blob::Blob;
use distance::Distances;
use mask::{Ground, Mask, Rule};
use measure::Measured;
use side::Outline;
use valleys::Valleys;
pub use view::Point;
use view::{Plane, Region, View};

/// Blobs that are looked at in one mask, largest first: a hand may be smaller than a face.
const BLOBS_MAX: usize = 3;
/// Of two hands the smaller has valleys at least this part as wide as the larger's.
const SECOND_HAND_SPAN_MIN: f32 = 0.55;
/// What covers more than this part of the picture's edge is the ground, not a hand.
const EDGE_PART_MAX: f32 = 0.8;
/// Valleys so usual that no other ground is tried.
const COST_GOOD: f32 = 12.0;
/// Valleys more unusual than this are none.
const COST_TAKEN_MAX: f32 = 28.0;
/// How much more unusual a hand may look than one found on a later ground and still be preferred.
const LATER_GROUND_COST: f32 = 1.0;
/// Candidates that are measured before the picture is refused.
const MEASURED_MAX: usize = 3;
/// The greatest area of a hand without valleys, in square palm radii: palm and fingers are about
/// seven, a bare arm adds as much; a wall or a shirt with corners is more.
const AREA_RADII_MAX: f32 = 14.0;
/// A hand is at least this much redder than green, as a part of its brightness: skin of every tone has
/// more than three times as much in white light. Walls and clothes are not to be advised.
const SKIN_REDNESS_MIN: f32 = 0.02;
/// What has no valleys is only taken for a hand held badly if it is as red as skin usually is.
const ADVISED_REDNESS_MIN: f32 = 0.05;
/// A channel as bright as this is as bright as the camera can tell.
const CLIPPED: u8 = 250;
/// The least step across the outline of a thing in focus.
const EDGE_STEP_MIN: f32 = 12.0;
/// How far fingertips are from the palm's centre, in palm radii: 3.1 give or take 0.16. A hand turned
/// about its own axis by 35 degrees looks longer, one tipped or with bent fingers shorter.
const FINGER_REACH: Range<f32> = 2.3..3.75;
/// The palm's circle this much larger touches the picture's edge where part of the palm is outside.
const PALM_REACH_RADII: f32 = 1.1;
/// The greatest part of the region of interest that may be outside the picture.
const OUTSIDE_MAX: f32 = 0.15;
/// The greatest part of it that may be ground. More, and a valley was taken for another: two fingers
/// are held together and the thumb's valley took the place of the one they hide.
const GROUND_MAX: f32 = 0.15;

/// Something that stands out from a ground, in pixels of a view.
#[derive(Clone)]
struct Shape {
    blob: Blob,
    /// The outline, clockwise on the screen.
    contour: Vec<Point>,
    distances: Distances,
    /// The largest circle inside it.
    centre: Point,
    radius: f32,
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

/// Valleys that may be a hand's, and how what they lie in was told from its ground.
struct Candidate {
    rule: Rule,
    shape: Shape,
    valleys: Valleys,
}

/// Finds the one hand in a picture.
pub fn find(picture: &Picture) -> Result<Hand, Refused> {
    let view = View::of(picture, Region::whole(picture), view::SEARCH_PX);
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut guess: Option<Shape> = None;
    for (rank, ground) in Ground::ALL.into_iter().enumerate() {
        let Some((rule, plane)) = ground.rule(&view) else { continue };
        let mut found = Vec::new();
        for shape in shapes(rule.mask(&plane), &plane, &view) {
            let mut valleys = valleys::find(&shape);
            valleys.retain(|valleys| valleys.cost <= COST_TAKEN_MAX);
            if valleys.is_empty() && shape.redness(&view) >= ADVISED_REDNESS_MIN {
                guess = better_guess(guess, shape);
                continue;
            }
            found.extend(valleys.into_iter().map(|valleys| {
                let cost = valleys.cost + LATER_GROUND_COST * rank as f32;
                Candidate { rule, shape: shape.clone(), valleys: Valleys { cost, ..valleys } }
            }));
        }
        found.sort_by(|a, b| a.valleys.cost.total_cmp(&b.valleys.cost));
        if let Some(placement) = two_hands(&found, &view) {
            return Err(Refused { refusal: Refusal::TwoHands, placement: Some(placement) });
        }
        let good = found.first().is_some_and(|best| best.valleys.cost <= COST_GOOD);
        candidates.extend(found.into_iter().take(1));
        if good {
            break;
        }
    }
    candidates.sort_by(|a, b| a.valleys.cost.total_cmp(&b.valleys.cost));
    let mut refused = None;
    for candidate in candidates.iter().take(MEASURED_MAX) {
        match candidate.measure(picture, &view) {
            Ok(hand) => return Ok(hand),
            Err(new) => refused = refused.or(Some(new)),
        }
    }
    Err(refused.unwrap_or_else(|| refuse(guess.as_ref(), &view)))
}

/// The largest blobs of a mask that could be a palm.
fn shapes(mask: Mask, plane: &Plane, view: &View) -> Vec<Shape> {
    let radius_min = view.shorter() * acquire::RADIUS_SEEN_MIN;
    blob::largest(mask, BLOBS_MAX)
        .into_iter()
        .filter(|blob| blob.edge_part() <= EDGE_PART_MAX)
        .map(Shape::of)
        .filter(|shape| shape.radius >= radius_min)
        .filter(|shape| shape.redness(view) >= SKIN_REDNESS_MIN)
        .filter(|shape| shape.edge_step(plane) >= EDGE_STEP_MIN)
        .collect()
}

/// Where the likelier of two hands in one mask is; candidates come likeliest first.
fn two_hands(found: &[Candidate], view: &View) -> Option<Placement> {
    let likely = |it: &&Candidate| it.valleys.cost <= 2.0 * COST_GOOD && !it.valleys.hidden_middle;
    let mut likely = found.iter().filter(likely);
    let first = likely.next()?;
    let span = first.valleys.span();
    let other = likely.any(|other| {
        let ratio = other.valleys.span() / span;
        (SECOND_HAND_SPAN_MIN..1.0 / SECOND_HAND_SPAN_MIN).contains(&ratio)
            && (other.valleys.centre - first.valleys.centre).length() > 1.3 * span
    });
    other.then(|| placement(first.valleys.centre, first.valleys.radius, None, view))
}

/// Of two blobs without valleys the one to guide the person by: the one with the larger circle.
fn better_guess(held: Option<Shape>, new: Shape) -> Option<Shape> {
    match held {
        Some(held) if held.radius >= new.radius => Some(held),
        _ => Some(new),
    }
}

impl Candidate {
    /// Whether the fingers are as long as those of a hand that faces the camera.
    fn flat(&self, view: &View) -> bool {
        // Infrared light may fall off before the fingertips.
        let reach = self.shape.finger_reach(&self.valleys);
        reach <= FINGER_REACH.end && (reach >= FINGER_REACH.start || !view.has_colour())
    }

    /// Measures the valleys in a larger view of the palm and gives the frame of reference, in pixels
    /// of the picture.
    fn measure(&self, picture: &Picture, view: &View) -> Result<Hand, Refused> {
        let up = self.valleys.up();
        let refused = |refusal| {
            let placement = placement(self.valleys.centre, self.valleys.radius, Some(up), view);
            Refused { refusal, placement: Some(placement) }
        };
        if !self.valleys.bounded && !self.valleys.fingers_cut && !self.flat(view) {
            return Err(refused(Refusal::Tilted));
        }
        let Some(measured) = Measured::of(picture, view, &self.rule, &self.valleys) else {
            return Err(refused(Refusal::NotAHand));
        };
        let side = match side::of(&self.shape, &self.valleys) {
            Outline::Thumb(side) => Some(side),
            Outline::Evidence(evidence) => {
                let sample = roi::cut(picture, &measured.hand(Side::Right));
                side::decide(evidence, creases::right_over_left(&sample))
            }
        };
        let Some(side) = side else {
            // The thumb is outside the picture, or held against the palm.
            let cut = self
                .shape
                .blob
                .edge_bounds(self.valleys.centre, self.valleys.radius * PALM_REACH_RADII);
            return Err(refused(if cut { Refusal::CutOff } else { Refusal::FingersClosed }));
        };
        let hand = measured.hand(side);
        let covered = measured.covered(&hand);
        if covered.outside > OUTSIDE_MAX {
            return Err(refused(Refusal::CutOff));
        }
        if covered.ground > GROUND_MAX {
            return Err(refused(Refusal::FingersClosed));
        }
        Ok(hand)
    }
}

/// Where a palm is, for guidance.
fn placement(centre: Point, radius: f32, up: Option<Point>, view: &View) -> Placement {
    let up = up.unwrap_or(Point { x: 0.0, y: -1.0 });
    Placement {
        centre: (centre.x / view.width() as f32, centre.y / view.height() as f32),
        radius: radius / view.shorter(),
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
    } else if shape.blob.edge_bounds(shape.centre, shape.radius * PALM_REACH_RADII) {
        Refusal::CutOff
    } else if shape.area_radii() > AREA_RADII_MAX {
        Refusal::NotAHand
    } else if shape.radius < acquire::RADIUS_MIN * view.shorter() {
        Refusal::TooFar
    } else {
        Refusal::FingersClosed
    };
    Refused { refusal, placement: Some(placement(shape.centre, shape.radius, None, view)) }
}

impl Shape {
    fn of(blob: Blob) -> Self {
        let distances = Distances::of(&blob);
        let (centre, radius) = distances.largest_circle();
        let contour = contour::trace(&blob);
        Self { blob, contour, distances, centre, radius }
    }

    /// The farthest point of the contour from the centre, in radii.
    fn reach(&self) -> f32 {
        self.contour.iter().map(|&point| (point - self.centre).length()).fold(0.0, f32::max)
            / self.radius
    }

    /// How much redder than green it is on average, as a part of its brightness; endless where the
    /// picture has no colour.
    fn redness(&self, view: &View) -> f32 {
        let Some(rgb) = view.rgb().filter(|_| view.has_colour()) else { return f32::INFINITY };
        // Where it is too bright for the camera it is white, whatever it is.
        let inside = rgb.iter().zip(self.blob.bits()).filter(|(_, bit)| **bit);
        let told = inside.filter(|(pixel, _)| pixel.iter().all(|&value| value < CLIPPED));
        let (mut redder, mut light, mut count) = (0_i64, 1_i64, 0);
        for (&[red, green, blue], _) in told {
            redder += i64::from(red) - i64::from(green);
            light += i64::from(red) + i64::from(green) + i64::from(blue);
            count += 1;
        }
        if 3 * count < self.blob.area() {
            return f32::INFINITY;
        }
        redder as f32 / light as f32
    }

    /// How much a plane changes over a few pixels across the outline, on average: little where a
    /// shapeless patch of a room was cut out of it.
    fn edge_step(&self, plane: &Plane) -> f32 {
        /// How far inside and outside the outline is looked, in pixels.
        const ASIDE: f32 = 2.0;
        const STRIDE: usize = 3;
        let count = self.contour.len();
        let (mut sum, mut number) = (0.0, 0.0);
        for at in (0..count).step_by(STRIDE) {
            let point = self.contour[at];
            let along =
                self.contour[(at + STRIDE) % count] - self.contour[(at + count - STRIDE) % count];
            if self.blob.edge_bounds(point, 1.0 + ASIDE) || along.length() == 0.0 {
                continue;
            }
            // The outline runs clockwise on the screen: the hand is on its right.
            let inward = Point { x: -along.unit().y, y: along.unit().x };
            sum += plane.at(point + inward * ASIDE) - plane.at(point - inward * ASIDE);
            number += 1.0_f32;
        }
        sum / number.max(1.0)
    }

    /// The area in square radii.
    fn area_radii(&self) -> f32 {
        self.blob.area() as f32 / (self.radius * self.radius)
    }

    /// The farthest fingertip above the palm's centre, in radii.
    fn finger_reach(&self, valleys: &Valleys) -> f32 {
        let up = valleys.up();
        let above = self.contour.iter().map(|&point| (point - valleys.centre).dot(up));
        above.fold(0.0, f32::max) / valleys.radius
    }
}
