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
mod nails;
mod side;
mod tints;
mod valleys;
mod view;

use std::ops::Range;
use std::rc::Rc;

use zeroize::Zeroizing;

use crate::acquire::{Placement, Refusal, Refused, Side};
use crate::{Picture, acquire, creases, roi};
use blob::Blob;
use distance::Distances;
use mask::{Ground, Mask, Rule};
use measure::Measured;
use side::Outline;
use tints::Tints;
use valleys::Valleys;
pub use view::Point;
use view::{Plane, Region, View};

/// What has a smaller radius than this in the view of all of a picture, in pixels, is looked at from
/// nearer: the gaps between fingers that are held loosely are then few pixels wide, and close.
const SMALL_PX: f32 = 64.0;
/// How far around its centre, in palm radii: fingertips are 3.1 away, give or take, and some ground.
const NEAR_RADII: f32 = 4.0;
/// Blobs that are looked at in one mask, largest first: a hand may be smaller than a face.
const BLOBS_MAX: usize = 3;
/// Of two hands the smaller has valleys at least this part as wide as the larger's.
const SECOND_HAND_SPAN_MIN: f32 = 0.55;
/// What covers more than this part of the picture's edge is the ground, not a hand.
const EDGE_PART_MAX: f32 = 0.8;
/// Valleys so usual that no other ground is tried.
const COST_GOOD: f32 = 12.0;
/// Valleys more unusual than this are none.
const COST_TAKEN_MAX: f32 = 22.0;
/// How much more unusual a hand may look than one found on a later ground and still be preferred.
const LATER_GROUND_COST: f32 = 1.0;
/// Candidates that are measured before the picture is refused.
const MEASURED_MAX: usize = 4;
/// Candidates whose colours are learned: each costs as much as another ground.
const ANEW_MAX: usize = 3;
/// From this far below the palm's centre on, in its radii, ...
const BESIDE_WRIST_RADII: f32 = 0.5;
/// ... nothing of a hand is further aside than this, ...
const WRIST_HALF_RADII: f32 = 1.1;
/// ... and so much more for each further down: an arm may bend at the wrist.
const ARM_LEAN: f32 = 0.3;
/// The greatest area of a hand without valleys, in square palm radii: palm and fingers are about
/// seven, a bare arm adds as much; a wall or a shirt with corners is more.
const AREA_RADII_MAX: f32 = 14.0;
/// The area of a hand above the wrist, in square palm radii, is at most this...
const HAND_AREA_RADII: f32 = 7.6;
/// ... where its fingers leave the picture at most this...
const HAND_AREA_CUT_RADII: f32 = 6.2;
/// ... and one that has this much more is as unusual as any sign that is off by its deviation.
const HAND_AREA_DEVIATION: f32 = 0.35;
/// The span of its valleys in palm radii, at most.
const SPAN_RADII: f32 = 1.3;
/// How far the wrist is below the palm's centre, in palm radii.
const WRIST_RADII: f32 = 1.3;
/// A hand is at least this much redder than green, as a part of its brightness: skin of every tone has
/// more than three times as much in white light. Walls and clothes are not to be advised.
const SKIN_REDNESS_MIN: f32 = 0.02;
/// What has no valleys is only taken for a hand held badly if it is as red as skin usually is.
const ADVISED_REDNESS_MIN: f32 = 0.05;
/// A hand with closed fingers and some of its arm has at most this area, in square palm radii.
const CLOSED_AREA_RADII_MAX: f32 = 10.0;
/// Its palm's centre is this near to the one that is seen where they are parted, in its radii.
const CLOSED_OFF: f32 = 0.15;
/// A palm is this much larger where its fingers are closed than where the ground took of its edge.
const CLOSED_LARGER: f32 = 1.05;
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
struct Shape {
    blob: Blob,
    /// The outline, clockwise on the screen.
    contour: Zeroizing<Vec<Point>>,
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
    shape: Rc<Shape>,
    valleys: Valleys,
}

/// Finds the one hand in a picture: in all of it first, and where that shows a small one, from nearer.
pub fn find(picture: &Picture) -> Result<Hand, Refused> {
    look(picture, Region::whole(picture), Distance::Far)
}

/// From how far a picture is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Distance {
    /// All of it is seen.
    Far,
    /// Something small in it is seen larger.
    Near,
}

/// Finds the one hand in a part of a picture.
fn look(picture: &Picture, part: Region, distance: Distance) -> Result<Hand, Refused> {
    let longest = match distance {
        Distance::Far => view::SEARCH_PX,
        Distance::Near => view::NEAR_PX,
    };
    let view = View::of(picture, part, longest);
    let mut search = Search::of(picture, &view, distance);
    let mut candidates: Vec<Candidate> = Vec::new();
    for (rank, ground) in Ground::ALL.into_iter().enumerate() {
        let found = search.before(ground, LATER_GROUND_COST * rank as f32);
        if let Some(placement) = two_hands(&found, &view) {
            return Err(Refused { refusal: Refusal::TwoHands, placement: Some(placement) });
        }
        let Some(best) = found.into_iter().next() else { continue };
        if best.valleys.cost <= COST_GOOD
            && let Some(seen) = search.candidate_from_nearer(&best)
        {
            return seen;
        }
        let best = search.anew(&best).unwrap_or(best);
        if best.valleys.cost > COST_GOOD {
            candidates.push(best);
        } else if let Some(hand) = search.measure(&best) {
            // No other ground is tried. Where it is refused, another may show it as it is.
            return Ok(hand);
        } else if search.left == 0 {
            break;
        }
    }
    candidates.sort_by(|a, b| a.valleys.cost.total_cmp(&b.valleys.cost));
    if let Some(seen) = candidates.first().and_then(|best| search.candidate_from_nearer(best)) {
        return seen;
    }
    if let Some(hand) = candidates.iter().find_map(|candidate| search.measure(candidate)) {
        return Ok(hand);
    }
    let refused = search.refused.unwrap_or_else(|| refuse(search.guess.as_deref(), &view));
    search.refused_from_nearer(&refused).unwrap_or(Err(refused))
}

/// What was looked at on the way, how much may still be, and what the first candidate was refused for.
struct Search<'a> {
    picture: &'a Picture,
    view: &'a View,
    left: usize,
    anew_left: usize,
    /// Whether what is small may still be looked at from nearer: once, since it costs a look.
    may_go_nearer: bool,
    /// Palms of hands whose valleys one ground or another does not show.
    closed: Vec<Circle>,
    /// What is no hand, and may be one held badly.
    guess: Option<Rc<Shape>>,
    refused: Option<Refused>,
}

/// A palm's inscribed circle, in pixels of a view.
struct Circle {
    centre: Point,
    radius: f32,
}

impl<'a> Search<'a> {
    fn of(picture: &'a Picture, view: &'a View, distance: Distance) -> Self {
        Self {
            picture,
            view,
            left: MEASURED_MAX,
            anew_left: ANEW_MAX,
            may_go_nearer: distance == Distance::Far,
            closed: Vec::new(),
            guess: None,
            refused: None,
        }
    }

    /// What may be a hand before a ground, likeliest first, each so much more unusual.
    fn before(&mut self, ground: Ground, more: f32) -> Vec<Candidate> {
        let view = self.view;
        let Some((rule, plane)) = ground.rule(view) else { return Vec::new() };
        let mask = rule.mask(&plane);
        let (mut found, mut merged) = (Vec::new(), Vec::new());
        for shape in shapes(&mask, &plane, view).map(Rc::new) {
            let all = valleys::find(&shape);
            let valleys = shape.usual(&all, more);
            if valleys.is_empty() && redness(&shape.blob, view) >= ADVISED_REDNESS_MIN {
                merged.extend(rule.candidates(&shape, all));
                self.closed.extend(shape.closed());
                self.guess = better_guess(self.guess.take(), shape);
                continue;
            }
            found.extend(rule.candidates(&shape, valleys));
        }
        if found.is_empty() && ground == Ground::Around {
            // What is too large may be a hand and the wall that it touches.
            merged.retain(|it| it.valleys.cost <= COST_GOOD);
            found.extend(merged.iter().filter_map(|it| self.anew(it)));
        }
        found.sort_by(|a, b| a.valleys.cost.total_cmp(&b.valleys.cost));
        found
    }

    /// The same hand, told from its ground by the colours of what was seen of it and of what is around
    /// that; none where that shows no hand there.
    fn anew(&mut self, seen: &Candidate) -> Option<Candidate> {
        // Where all that is not red is ground, the hand's edge is where it is told to be.
        if seen.rule.ground == Ground::NotRed || !self.view.has_colour() {
            return None;
        }
        self.anew_left = self.anew_left.checked_sub(1)?;
        let palm = (seen.valleys.centre, seen.valleys.radius);
        let rule = Rule::of_tints(Tints::anew(self.view, palm, |at| seen.shows(at))?);
        let plane = rule.plane(self.view)?;
        let mask = rule.mask(&plane);
        let found = shapes(&mask, &plane, self.view).map(Rc::new).flat_map(|shape| {
            let valleys = shape.usual(&valleys::find(&shape), 0.0);
            rule.candidates(&shape, valleys).collect::<Vec<_>>()
        });
        found
            .filter(|it| (it.valleys.centre - palm.0).length() < palm.1)
            .min_by(|a, b| a.valleys.cost.total_cmp(&b.valleys.cost))
    }

    /// What is seen from nearer around a small palm, centre and radius in pixels of the picture; none where
    /// it is large enough, or no hand is seen from there.
    fn look_nearer(&mut self, centre: Point, radius: f32) -> Option<Result<Hand, Refused>> {
        if radius / self.view.scale() >= SMALL_PX || !std::mem::take(&mut self.may_go_nearer) {
            return None;
        }
        let around = Region::around(centre, NEAR_RADII * radius, self.picture);
        match look(self.picture, around, Distance::Near) {
            // Only a hand can show its back.
            Err(Refused { refusal, .. }) if refusal != Refusal::BackOfHand => None,
            seen => Some(seen),
        }
    }

    /// The same around the palm of a candidate. Nails that are seen from either distance count: from afar
    /// their outline is smoother, from nearer they are more than a pixel wide.
    fn candidate_from_nearer(&mut self, candidate: &Candidate) -> Option<Result<Hand, Refused>> {
        let Valleys { centre, radius, .. } = candidate.valleys;
        let seen = self.look_nearer(self.view.to_picture(centre), radius * self.view.scale())?;
        let is_back = seen.is_ok() && nails::are_seen(candidate, self.picture, self.view);
        let back = || candidate.refused(Refusal::BackOfHand, self.view);
        Some(if is_back { Err(back()) } else { seen })
    }

    /// The same around what was refused for what may look otherwise from nearer.
    fn refused_from_nearer(&mut self, refused: &Refused) -> Option<Result<Hand, Refused>> {
        let unclear = [Refusal::FingersClosed, Refusal::NotAHand, Refusal::Tilted];
        let place = refused.placement.filter(|_| unclear.contains(&refused.refusal))?;
        let (width, height) = (self.picture.width() as f32, self.picture.height() as f32);
        let centre = Point { x: place.centre.0 * width, y: place.centre.1 * height };
        self.look_nearer(centre, place.radius * width.min(height))
    }

    fn measure(&mut self, candidate: &Candidate) -> Option<Hand> {
        self.left = self.left.checked_sub(1)?;
        let measured = if self.closed.iter().any(|palm| candidate.valleys.is_within(palm)) {
            Err(candidate.refused(Refusal::FingersClosed, self.view))
        } else {
            candidate.measure(self.picture, self.view)
        };
        if measured.is_ok() && nails::are_seen(candidate, self.picture, self.view) {
            // Nothing else is looked for: on another ground the nails may not be seen.
            self.left = 0;
            self.refused = Some(candidate.refused(Refusal::BackOfHand, self.view));
            return None;
        }
        measured.map_err(|new| _ = self.refused.get_or_insert(new)).ok()
    }
}

impl Rule {
    /// What may be a hand in a shape that it shows.
    fn candidates(
        &self,
        shape: &Rc<Shape>,
        valleys: Vec<Valleys>,
    ) -> impl Iterator<Item = Candidate> {
        valleys.into_iter().map(|valleys| {
            let (rule, shape) = (self.clone(), Rc::clone(shape));
            Candidate { rule, shape, valleys }
        })
    }
}

/// The largest blobs of a mask that could be a palm. What is cheap to tell is told first.
fn shapes<'a>(
    mask: &Mask,
    plane: &'a Plane,
    view: &'a View,
) -> impl Iterator<Item = Shape> + use<'a> {
    let radius_min = view.shorter() * acquire::RADIUS_SEEN_MIN;
    blob::largest(mask, BLOBS_MAX)
        .into_iter()
        .filter(|blob| blob.edge_part() <= EDGE_PART_MAX)
        .filter(|blob| redness(blob, view) >= SKIN_REDNESS_MIN)
        .map(|blob| (contour::trace(&blob), blob))
        .filter(|(contour, blob)| edge_step(blob, contour, plane) >= EDGE_STEP_MIN)
        .map(|(contour, blob)| Shape::of(blob, contour))
        .filter(move |shape| shape.radius >= radius_min)
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
fn better_guess(held: Option<Rc<Shape>>, new: Rc<Shape>) -> Option<Rc<Shape>> {
    match held {
        Some(held) if held.radius >= new.radius => Some(held),
        _ => Some(new),
    }
}

impl Candidate {
    /// Whether a point was told for hand; none beside the wrist, where there is ground whatever it was
    /// told for.
    fn shows(&self, at: Point) -> Option<bool> {
        let place = (at - self.valleys.centre) * (1.0 / self.valleys.radius);
        let (aside, down) = (place.dot(self.valleys.right()).abs(), -place.dot(self.valleys.up()));
        let is_beside = down > BESIDE_WRIST_RADII && aside > WRIST_HALF_RADII + ARM_LEAN * down;
        (!is_beside).then(|| self.shape.blob.contains(at) == Some(true))
    }

    /// Whether the fingers are as long as those of a hand that faces the camera.
    fn flat(&self, view: &View) -> bool {
        // Infrared light may fall off before the fingertips.
        let reach = self.shape.finger_reach(&self.valleys);
        reach <= FINGER_REACH.end && (reach >= FINGER_REACH.start || !view.has_colour())
    }

    fn refused(&self, refusal: Refusal, view: &View) -> Refused {
        let Valleys { centre, radius, .. } = self.valleys;
        let placement = placement(centre, radius, Some(self.valleys.up()), view);
        Refused { refusal, placement: Some(placement) }
    }

    /// Measures the valleys in a larger view of the palm and gives the frame of reference, in pixels
    /// of the picture.
    fn measure(&self, picture: &Picture, view: &View) -> Result<Hand, Refused> {
        let refused = |refusal| self.refused(refusal, view);
        if !self.valleys.bounded && !self.valleys.fingers_cut && !self.flat(view) {
            return Err(refused(Refusal::Tilted));
        }
        let Some(measured) = Measured::of(picture, view, &self.rule, &self.valleys) else {
            return Err(refused(Refusal::NotAHand));
        };
        if measured.halfway {
            return Err(refused(Refusal::FingersClosed));
        }
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

/// Where a palm is in its picture, for guidance.
fn placement(centre: Point, radius: f32, up: Option<Point>, view: &View) -> Placement {
    let up = up.unwrap_or(Point { x: 0.0, y: -1.0 });
    let (centre, whole) = (view.to_picture(centre), view.picture_size());
    Placement {
        centre: (centre.x / whole.x, centre.y / whole.y),
        radius: radius * view.scale() / whole.x.min(whole.y),
        angle: up.x.atan2(-up.y),
    }
}

impl Valleys {
    /// Whether they lie in the palm of a larger hand: where fingers touch, a ground that parts them
    /// takes of the hand's edge too, and the scale is off.
    fn is_within(&self, palm: &Circle) -> bool {
        (palm.centre - self.centre).length() < CLOSED_OFF * palm.radius
            && palm.radius > CLOSED_LARGER * self.radius
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
    fn of(blob: Blob, contour: Zeroizing<Vec<Point>>) -> Self {
        let distances = Distances::of(&blob);
        let (centre, radius) = distances.largest_circle();
        Self { blob, contour, distances, centre, radius }
    }

    /// The farthest point of the contour from the centre, in radii.
    fn reach(&self) -> f32 {
        self.contour.iter().map(|&point| (point - self.centre).length()).fold(0.0, f32::max)
            / self.radius
    }

    /// The area in square radii.
    fn area_radii(&self) -> f32 {
        self.blob.area() as f32 / (self.radius * self.radius)
    }

    /// Those of its valleys that may be a hand's, each so much more unusual.
    fn usual(&self, all: &[Valleys], more: f32) -> Vec<Valleys> {
        let costs = all.iter().map(|valleys| (valleys, valleys.cost + self.more_cost(valleys)));
        // The ground's own share is no reason to leave a hand.
        costs
            .filter(|&(_, cost)| cost <= COST_TAKEN_MAX)
            .map(|(&valleys, cost)| Valleys { cost: cost + more, ..valleys })
            .collect()
    }

    /// The palm, where the whole is as large as a hand and as long.
    fn closed(&self) -> Option<Circle> {
        let (centre, radius) = (self.centre, self.radius);
        let is_hand =
            self.area_radii() <= CLOSED_AREA_RADII_MAX && FINGER_REACH.contains(&self.reach());
        is_hand.then_some(Circle { centre, radius })
    }

    /// What it costs to be more than a hand above the wrist: a wall was taken for skin.
    fn more_cost(&self, valleys: &Valleys) -> f32 {
        let most = if valleys.fingers_cut { HAND_AREA_CUT_RADII } else { HAND_AREA_RADII };
        let more = (self.area_above(valleys) - most).max(0.0) / HAND_AREA_DEVIATION;
        more * more
    }

    /// The area of all that is above the wrist, in square radii of the palm.
    fn area_above(&self, valleys: &Valleys) -> f32 {
        let (up, width) = (valleys.up(), self.blob.width());
        let wrist = valleys.centre.dot(up) - WRIST_RADII * valleys.radius;
        let mut area = 0;
        for y in self.blob.bounds().rows.clone() {
            let row = &self.blob.bits()[y * width..(y + 1) * width];
            let at = |x: usize| Point { x: x as f32, y: y as f32 };
            area +=
                row.iter().enumerate().filter(|&(x, &bit)| bit && at(x).dot(up) > wrist).count();
        }
        // Where the picture's edge bounds it the circle is too small.
        let radius = valleys.radius.max(valleys.span() / SPAN_RADII);
        area as f32 / (radius * radius)
    }

    /// The farthest fingertip above the palm's centre, in radii.
    fn finger_reach(&self, valleys: &Valleys) -> f32 {
        let up = valleys.up();
        let above = self.contour.iter().map(|&point| (point - valleys.centre).dot(up));
        above.fold(0.0, f32::max) / valleys.radius
    }
}

/// How much redder than green a blob is on average, as a part of its brightness; endless where the
/// picture has no colour.
fn redness(blob: &Blob, view: &View) -> f32 {
    let Some(rgb) = view.rgb().filter(|_| view.has_colour()) else { return f32::INFINITY };
    let (mut redder, mut light, mut count) = (0_i64, 1_i64, 0);
    for row in blob.bounds().rows.clone() {
        let part = row * blob.width()..(row + 1) * blob.width();
        let (mut row_redder, mut row_light, mut row_count) = (0_i32, 0_i32, 0_i32);
        for (&[red, green, blue], &bit) in rgb[part.clone()].iter().zip(&blob.bits()[part]) {
            // Where it is too bright for the camera it is white, whatever it is.
            let told = bit & (red < CLIPPED) & (green < CLIPPED) & (blue < CLIPPED);
            let counts = i32::from(told);
            let [red, green, blue] = [red, green, blue].map(i32::from);
            row_redder += counts * (red - green);
            row_light += counts * (red + green + blue);
            row_count += counts;
        }
        redder += i64::from(row_redder);
        light += i64::from(row_light);
        count += row_count as usize;
    }
    if 3 * count < blob.area() {
        return f32::INFINITY;
    }
    redder as f32 / light as f32
}

/// How much a plane changes over a few pixels across the outline, on average: little where a
/// shapeless patch of a room was cut out of it.
fn edge_step(blob: &Blob, contour: &[Point], plane: &Plane) -> f32 {
    /// How far inside and outside the outline is looked, in pixels.
    const ASIDE: f32 = 2.0;
    const STRIDE: usize = 3;
    let count = contour.len();
    let (mut sum, mut number) = (0.0, 0.0);
    for at in (0..count).step_by(STRIDE) {
        let point = contour[at];
        // An outline may be shorter than the stride.
        let back = (at + count - STRIDE % count) % count;
        let along = contour[(at + STRIDE) % count] - contour[back];
        if blob.edge_bounds(point, 1.0 + ASIDE) || along.length() == 0.0 {
            continue;
        }
        // The outline runs clockwise on the screen: the hand is on its right.
        let inward = Point { x: -along.unit().y, y: along.unit().x };
        sum += plane.at(point + inward * ASIDE) - plane.at(point - inward * ASIDE);
        number += 1.0_f32;
    }
    sum / number.max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outline_of_few_pixels_has_an_edge_like_any_other() {
        for pixels in 1..=4 {
            let (width, height) = (12, 9);
            let bits = (0..width * height).map(|i| (52..52 + pixels).contains(&i)).collect();
            let mask = Mask { width, height, bits: Zeroizing::new(bits) };
            let values = mask.bits.iter().map(|&bit| if bit { 200 } else { 20 }).collect();
            let plane = Plane { width, height, values: Zeroizing::new(values) };
            let blobs = blob::largest(&mask, 1);
            let contour = contour::trace(&blobs[0]);
            let step = edge_step(&blobs[0], &contour, &plane);
            assert!(step.is_finite() && step >= 0.0, "{pixels}: {step}");
        }
    }
}
