//! The shape of a hand: palm outline, fingers, thumb, forearm, sleeve.
//!
//! Everything is drawn as a left hand seen from the palm side, fingers up: the thumb is at
//! negative x. Right hands are mirrored when they are rendered.

use handfast_palm::Side;

use crate::maths::{Point, bell, length, mix, sin_cos, smooth_min, smooth_step};
use crate::stream::{Noise, Purpose, Stream};

/// How wide the fillet between two fingers is (the web of skin).
const WEB: f32 = 0.075;
/// The fillet between the thumb and the palm is a broad fold.
const THUMB_WEB: f32 = 0.26;
/// Joint creases sit at these parts of a finger's length.
pub(crate) const JOINTS: [f32; 2] = [0.365, 0.68];

/// How a hand holds its fingers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Fingers {
    /// Naturally apart, as people hold a hand out.
    #[default]
    Spread,
    /// Side by side, touching: the valleys between them are hidden.
    Closed,
}

/// One of the four fingers.
#[derive(Clone, Debug)]
pub(crate) struct Finger {
    /// The middle of the crease where the finger leaves the palm.
    pub(crate) base: Point,
    /// Unit vector to the tip.
    pub(crate) direction: Point,
    /// From base to tip.
    pub(crate) length: f32,
    /// Half the width at the base.
    pub(crate) half_width: f32,
    /// Sideways curvature: offset of the tip as a part of the length.
    bend: f32,
}

impl Finger {
    /// The point `along` the axis (0 base, 1 tip) and `across` it (hand units).
    pub(crate) fn at(&self, along: f32, across: f32) -> Point {
        let side = across + self.bend * along * along * self.length;
        let [dx, dy] = self.direction;
        [
            self.base[0] + dx * along * self.length - dy * side,
            self.base[1] + dy * along * self.length + dx * side,
        ]
    }

    /// Half the width at a part of the length: a slow taper with slightly thicker joints.
    pub(crate) fn half_width_at(&self, along: f32) -> f32 {
        let u = along.clamp(-0.3, 1.0);
        let joint = |place: f32| {
            let d = (u - place) / 0.075;
            bell(d * d)
        };
        self.half_width
            * (1.02 - 0.07 * u - 0.16 * u * u * u.max(0.0)
                + 0.035 * joint(JOINTS[0])
                + 0.04 * joint(JOINTS[1]))
    }

    fn distance(&self, p: Point) -> f32 {
        let d = [p[0] - self.base[0], p[1] - self.base[1]];
        let [dx, dy] = self.direction;
        let along = d[0] * dx + d[1] * dy;
        let part = along / self.length;
        let across = -d[0] * dy + d[1] * dx - self.bend * part * part.abs() * self.length;
        let tip_radius = self.half_width_at(0.93) * 0.96;
        let beyond = along - (self.length - tip_radius * 1.12);
        if beyond > 0.0 {
            let stretched = beyond / 1.12;
            return (stretched * stretched + across * across).sqrt() - tip_radius;
        }
        let blunt = mix(self.half_width_at(part), tip_radius, smooth_step(0.78, 0.93, part));
        (across.abs() - blunt).max(-0.5 - along)
    }
}

/// A ball of a limb; the limb's surface runs straight from ball to ball.
#[derive(Clone, Copy, Debug)]
struct Ball {
    centre: Point,
    radius: f32,
}

fn limb_distance(p: Point, from: Ball, to: Ball) -> f32 {
    let axis = [to.centre[0] - from.centre[0], to.centre[1] - from.centre[1]];
    let d = [p[0] - from.centre[0], p[1] - from.centre[1]];
    let along = ((d[0] * axis[0] + d[1] * axis[1]) / (axis[0] * axis[0] + axis[1] * axis[1]))
        .clamp(0.0, 1.0);
    length([d[0] - axis[0] * along, d[1] - axis[1] * along]) - mix(from.radius, to.radius, along)
}

/// The shape of one hand.
#[derive(Clone, Debug)]
pub(crate) struct Anatomy {
    outline: Vec<Point>,
    /// Index to little finger.
    pub(crate) fingers: [Finger; 4],
    thumb: [Ball; 4],
    relief: Vec<Mound>,
    wobble: Noise,
    /// Where the sleeve begins.
    pub(crate) sleeve: f32,
}

impl Anatomy {
    pub(crate) fn of(seed: u64, side: Side, held: Fingers) -> Self {
        let mut person = Stream::new(seed, Purpose::Anatomy);
        let mut own = Stream::new(side_seed(seed, side), Purpose::AnatomyOfSide);
        let mut build = Build::draw(&mut person, &mut own);
        if held == Fingers::Closed {
            build.spread = CLOSED;
        }
        Self {
            outline: outline(&build, &mut own),
            fingers: fingers(&build, &mut person, &mut own),
            thumb: thumb(&build, &mut own),
            relief: relief(&mut own),
            wobble: Stream::new(side_seed(seed, side), Purpose::Outline).noise(),
            sleeve: person.between(2.1, 2.6),
        }
    }

    /// Signed distance to the hand's edge in hand units, negative inside; near the edge exact
    /// enough for anti-aliasing, inside a smooth measure of depth.
    pub(crate) fn distance(&self, p: Point) -> f32 {
        let mut d = polygon_distance(&self.outline, p);
        for finger in &self.fingers {
            d = smooth_min(d, finger.distance(p), WEB);
        }
        let mut thumb = limb_distance(p, self.thumb[0], self.thumb[1]);
        thumb = smooth_min(thumb, limb_distance(p, self.thumb[1], self.thumb[2]), 0.1);
        thumb = smooth_min(thumb, limb_distance(p, self.thumb[2], self.thumb[3]), 0.1);
        d = smooth_min(d, thumb, THUMB_WEB);
        d += 0.006 * self.wobble.at(p[0] * 4.0, p[1] * 4.0);
        // cloth is wider than the arm in it
        d - 0.09 * smooth_step(-0.01, 0.01, p[1] - self.sleeve_edge(p[0]))
    }

    /// Where the sleeve's hem is: it runs around the arm, so it bends up at the sides.
    pub(crate) fn sleeve_edge(&self, x: f32) -> f32 {
        hem(self.sleeve, x)
    }

    /// How far the hand's surface stands towards the camera, in hand units.
    pub(crate) fn height(&self, p: Point, distance: f32) -> f32 {
        const ROUNDING: f32 = 0.27;
        let inside = (-distance / ROUNDING).clamp(0.0, 1.0);
        let rim = 1.0 - inside;
        let mut z = ROUNDING * 0.85 * (1.0 - rim * rim).max(0.0).sqrt();
        for &(centre, width, rise) in &self.relief {
            let dx = (p[0] - centre[0]) / width[0];
            let dy = (p[1] - centre[1]) / width[1];
            z += rise * bell(dx * dx + dy * dy) * inside;
        }
        for finger in &self.fingers {
            z += finger_relief(finger, p);
        }
        z
    }

    /// The thumb's middle line near its joint: centre, direction to the tip, half width.
    pub(crate) fn thumb_joint(&self) -> (Point, Point, f32) {
        let (from, joint, tip) = (self.thumb[1], self.thumb[2], self.thumb[3]);
        let d = [tip.centre[0] - from.centre[0], tip.centre[1] - from.centre[1]];
        let norm = length(d);
        (joint.centre, [d[0] / norm, d[1] / norm], joint.radius)
    }

    /// The tips, where the blood shows: fingers, then the thumb.
    pub(crate) fn tips(&self) -> [Point; 5] {
        let [index, middle, ring, little] = &self.fingers;
        let tip = |finger: &Finger| finger.at(0.86, 0.0);
        [tip(index), tip(middle), tip(ring), tip(little), self.thumb[3].centre]
    }
}

/// The hem of a sleeve that begins at `sleeve` in the arm's middle.
pub(crate) fn hem(sleeve: f32, x: f32) -> f32 {
    sleeve - 0.05 * x * x
}

/// A cushion (or, with a negative rise, a hollow): centre, widths, rise.
type Mound = (Point, Point, f32);

/// What every palm has.
const MOUNDS: [Mound; 8] = [
    ([-0.62, 0.42], [0.42, 0.55], 0.16),
    ([0.62, 0.62], [0.36, 0.55], 0.10),
    ([0.05, 0.12], [0.42, 0.38], -0.07),
    ([-0.70, -0.76], [0.17, 0.16], 0.035),
    ([-0.24, -0.84], [0.16, 0.15], 0.03),
    ([0.24, -0.78], [0.16, 0.15], 0.03),
    ([0.70, -0.56], [0.17, 0.18], 0.035),
    ([0.0, 1.42], [0.7, 0.12], -0.03),
];

/// The mounds of one hand, its grooves between the tendons, and bumps of its own.
fn relief(own: &mut Stream) -> Vec<Mound> {
    let mut relief: Vec<Mound> = MOUNDS
        .iter()
        .map(|&([x, y], [wide, high], rise)| {
            let place = [x + own.around(0.0, 0.05), y + own.around(0.0, 0.05)];
            (
                place,
                [wide * own.between(0.85, 1.2), high * own.between(0.85, 1.2)],
                rise * own.between(0.6, 1.3),
            )
        })
        .collect();
    for x in [-0.46, 0.02, 0.48] {
        let place = [x + own.around(0.0, 0.04), own.around(-0.55, 0.06)];
        relief.push((
            place,
            [own.between(0.05, 0.09), own.between(0.25, 0.4)],
            -own.between(0.006, 0.022),
        ));
    }
    for _ in 0..14 {
        let place = [own.around(0.0, 0.5), own.around(0.1, 0.5)];
        let width = own.between(0.08, 0.22);
        relief.push((
            place,
            [width * own.between(0.7, 1.5), width * own.between(0.7, 1.5)],
            own.around(0.0, 0.10) * width,
        ));
    }
    relief
}

/// Fingers are cushions between their joint creases.
fn finger_relief(finger: &Finger, p: Point) -> f32 {
    let d = [p[0] - finger.base[0], p[1] - finger.base[1]];
    let along = (d[0] * finger.direction[0] + d[1] * finger.direction[1]) / finger.length;
    let across = -d[0] * finger.direction[1] + d[1] * finger.direction[0];
    if !(-0.2..=1.2).contains(&along) || across.abs() > finger.half_width * 1.3 {
        return 0.0;
    }
    let dip = |place: f32, width: f32| {
        let t = (along - place) / width;
        bell(t * t)
    };
    let reach = across / (finger.half_width * 1.3);
    -(0.025 * dip(0.02, 0.06) + 0.02 * dip(JOINTS[0], 0.05) + 0.018 * dip(JOINTS[1], 0.05))
        * (1.0 - reach * reach)
}

/// A seed for what differs between a person's two hands.
pub(crate) fn side_seed(seed: u64, side: Side) -> u64 {
    match side {
        Side::Left => crate::stream::scramble(seed ^ 0x4c45_4654),
        Side::Right => crate::stream::scramble(seed ^ 0x0052_4947_4854),
    }
}

/// The spread at which neighbouring fingers touch along most of their length.
const CLOSED: f32 = 0.04;

/// Proportions of a person's hands.
struct Build {
    /// Finger length against the palm's width.
    finger_length: f32,
    finger_width: f32,
    /// Palm length against its width.
    aspect: f32,
    wrist: f32,
    /// The angles between the fingers, 1 = usual.
    spread: f32,
}

impl Build {
    fn draw(person: &mut Stream, own: &mut Stream) -> Self {
        Self {
            finger_length: person.between(0.94, 1.10) * own.between(0.99, 1.01),
            finger_width: person.between(0.93, 1.03),
            aspect: person.between(0.93, 1.08),
            wrist: person.between(0.92, 1.08),
            spread: own.between(0.9, 1.15),
        }
    }
}

/// Fingers held out are at least this far from parallel: a gap shows between any two.
const APART_DEGREES: f32 = 7.0;

fn fingers(build: &Build, person: &mut Stream, own: &mut Stream) -> [Finger; 4] {
    // base x, base y, length, half width, angle from upright (degrees)
    const FINGERS: [[f32; 5]; 4] = [
        [-0.715, -1.00, 1.68, 0.222, -11.0],
        [-0.235, -1.10, 1.88, 0.226, -2.5],
        [0.245, -1.02, 1.73, 0.212, 6.5],
        [0.700, -0.83, 1.36, 0.186, 18.0],
    ];
    let mut least = f32::MIN;
    FINGERS.map(|[x, y, long, wide, degrees]| {
        let degrees = (degrees * build.spread + own.normal() * 0.8).max(least);
        least = degrees + APART_DEGREES * build.spread;
        let angle = degrees.to_radians();
        let (sine, cosine) = sin_cos(angle);
        Finger {
            base: [x, y * build.aspect + person.normal() * 0.012],
            direction: [sine, -cosine],
            length: long * build.finger_length * person.between(0.965, 1.035),
            half_width: wide * build.finger_width * person.between(0.98, 1.02),
            bend: own.normal() * 0.012 - 0.02 * sine,
        }
    })
}

fn thumb(build: &Build, own: &mut Stream) -> [Ball; 4] {
    let swing = own.normal() * 0.05;
    let long = build.finger_length;
    let wide = build.finger_width;
    [
        Ball { centre: [-0.52, 0.58], radius: 0.68 },
        Ball { centre: [-0.98, 0.04], radius: 0.37 * wide },
        Ball { centre: [-1.40 * long.sqrt() - swing * 0.5, -0.56 * long], radius: 0.255 * wide },
        Ball { centre: [-1.66 * long - swing, -1.10 * long], radius: 0.205 * wide },
    ]
}

/// The palm and the arm below it, as a closed polygon through smooth corners.
fn outline(build: &Build, own: &mut Stream) -> Vec<Point> {
    let wrist = 0.70 * build.wrist;
    let corners: [Point; 21] = [
        [-0.93, -0.92],
        [-0.50, -1.06],
        [-0.10, -1.10],
        [0.35, -1.02],
        [0.66, -0.88],
        [0.88, -0.70],
        [0.98, -0.35],
        [1.03, 0.10],
        [1.02, 0.60],
        [0.94, 1.05],
        [wrist + 0.07, 1.48],
        [wrist, 1.85],
        [wrist + 0.07, 2.6],
        [wrist + 0.14, 4.2],
        [-wrist - 0.12, 4.2],
        [-wrist - 0.06, 2.6],
        [-wrist, 1.85],
        [-wrist - 0.09, 1.46],
        [-1.02, 1.00],
        [-1.12, 0.42],
        [-0.96, -0.40],
    ];
    let stretched = corners.map(|[x, y]| {
        let palm = if y < 1.6 { y * build.aspect } else { y + 1.6 * (build.aspect - 1.0) };
        [x + own.normal() * 0.008, palm]
    });
    smooth_polygon(&stretched)
}

/// A closed Catmull-Rom curve through the corners, as a polygon.
fn smooth_polygon(corners: &[Point]) -> Vec<Point> {
    const STEPS: usize = 5;
    let n = corners.len();
    let mut polygon = Vec::with_capacity(n * STEPS);
    for i in 0..n {
        let [p0, p1, p2, p3] =
            [corners[(i + n - 1) % n], corners[i], corners[(i + 1) % n], corners[(i + 2) % n]];
        for step in 0..STEPS {
            let t = step as f32 / STEPS as f32;
            let axis = |k: usize| {
                let (a, b, c, d) = (p0[k], p1[k], p2[k], p3[k]);
                0.5 * (2.0 * b
                    + (c - a) * t
                    + (2.0 * a - 5.0 * b + 4.0 * c - d) * t * t
                    + (3.0 * b - a - 3.0 * c + d) * t * t * t)
            };
            polygon.push([axis(0), axis(1)]);
        }
    }
    polygon
}

/// Signed distance to a polygon, negative inside.
fn polygon_distance(polygon: &[Point], p: Point) -> f32 {
    let mut nearest = f32::MAX;
    let mut inside = false;
    let mut a = polygon[polygon.len() - 1];
    for &b in polygon {
        let edge = [b[0] - a[0], b[1] - a[1]];
        let d = [p[0] - a[0], p[1] - a[1]];
        let along = ((d[0] * edge[0] + d[1] * edge[1]) / (edge[0] * edge[0] + edge[1] * edge[1]))
            .clamp(0.0, 1.0);
        let off = [d[0] - edge[0] * along, d[1] - edge[1] * along];
        nearest = nearest.min(off[0] * off[0] + off[1] * off[1]);
        if (a[1] > p[1]) != (b[1] > p[1]) && p[0] < a[0] + edge[0] * d[1] / edge[1] {
            inside = !inside;
        }
        a = b;
    }
    if inside { -nearest.sqrt() } else { nearest.sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_is_negative_in_the_palm_and_positive_between_spread_tips() {
        for seed in 0..20 {
            let hand = Anatomy::of(seed, Side::Left, Fingers::Spread);
            assert!(hand.distance([0.0, 0.0]) < -0.7, "palm of {seed}");
            let [index, middle, ..] = &hand.fingers;
            let (a, b) = (index.at(0.95, 0.0), middle.at(0.8, 0.0));
            assert!(hand.distance(a) < 0.0 && hand.distance(b) < 0.0);
            assert!(
                hand.distance([(a[0] + b[0]) / 2.0, (a[1] + b[1]) / 2.0]) > 0.0,
                "gap of {seed}"
            );
        }
    }

    #[test]
    fn the_two_hands_of_a_person_differ_little() {
        let (left, right) = (
            Anatomy::of(5, Side::Left, Fingers::Spread),
            Anatomy::of(5, Side::Right, Fingers::Spread),
        );
        for (a, b) in left.fingers.iter().zip(&right.fingers) {
            assert!((a.length - b.length).abs() < 0.06);
            assert!(a.direction != b.direction);
        }
    }

    #[test]
    fn a_square_has_the_obvious_distances() {
        let square = [[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]];
        assert_eq!(polygon_distance(&square, [0.0, 0.0]), -1.0);
        assert_eq!(polygon_distance(&square, [3.0, 0.0]), 2.0);
        assert_eq!(polygon_distance(&square, [0.5, 0.25]), -0.5);
    }
}
