//! The lines of a palm as strokes: principal creases, wrinkles, fine lines, finger joints.
//!
//! The principal creases start from the mean degree-4 polynomials of a thousand labelled palms
//! (palm coordinates in [-1, 1], y up) and vary smoothly around them; drawing the published
//! coefficients independently would give curves no palm has, since they are strongly correlated.

use crate::anatomy::{Anatomy, JOINTS};
use crate::maths::{Point, length, mix, sin_cos, smooth_step};
use crate::stream::{Noise, Purpose, Stream};

/// Which map a stroke is drawn into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layer {
    /// Seen in every picture of the palm.
    Crease,
    /// Comes and goes with light and stretch.
    Fine,
}

/// A soft dark line.
#[derive(Clone, Debug)]
pub(crate) struct Stroke {
    /// The line in hand units, points about [`STEP`] apart, each with its darkness in [0, 1].
    pub(crate) points: Vec<(Point, f32)>,
    /// Standard deviation of the cross-section, in hand units.
    pub(crate) width: f32,
    pub(crate) layer: Layer,
}

/// Distance between the points of a stroke.
const STEP: f32 = 0.02;

/// How the three principal creases meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Topology {
    Normal,
    /// A line joins head and heart.
    Bridge,
    /// The head line splits before its end.
    Fork,
    /// Head and heart are one line across the palm.
    SingleTransverse,
    /// The head line runs on to the palm's edge.
    Sydney,
}

impl Topology {
    fn draw(stream: &mut Stream) -> Self {
        match stream.unit() {
            x if x < 0.66 => Self::Normal,
            x if x < 0.78 => Self::Bridge,
            x if x < 0.92 => Self::Fork,
            x if x < 0.96 => Self::SingleTransverse,
            _ => Self::Sydney,
        }
    }
}

/// Every line of one hand. `seed` is the hand's own, `wrinkling` in [0, 1].
pub(crate) fn strokes(seed: u64, wrinkling: f32, anatomy: &Anatomy) -> Vec<Stroke> {
    let mut stream = Stream::new(seed, Purpose::Creases);
    let mut pen = Pen { noise: stream.noise(), serial: 0.0, strokes: Vec::new() };
    principal(&mut stream, &mut pen);
    wrinkles(&mut stream, &mut pen);
    joints(&mut stream, &mut pen, anatomy);
    let mut stream = Stream::new(seed, Purpose::FineLines);
    fine_lines(&mut stream, &mut pen, wrinkling);
    finger_lines(&mut stream, &mut pen, wrinkling, anatomy);
    pen.strokes
}

/// Collects strokes and gives each its own unevenness.
struct Pen {
    noise: Noise,
    serial: f32,
    strokes: Vec<Stroke>,
}

/// The look of a line: its width, its darkness, and how much of its ends fades.
#[derive(Clone, Copy)]
struct Ink {
    width: f32,
    depth: f32,
    fade: [f32; 2],
    /// How far the line wanders from the given curve.
    wander: f32,
    layer: Layer,
}

impl Pen {
    fn draw(&mut self, curve: &[Point], ink: Ink) {
        self.serial += 17.3;
        let even = resample(curve);
        let last = (even.len() - 1).max(1) as f32;
        let mut points = Vec::with_capacity(even.len());
        for (i, &p) in even.iter().enumerate() {
            let before = even[i.saturating_sub(1)];
            let after = even[(i + 1).min(even.len() - 1)];
            let d = [after[0] - before[0], after[1] - before[1]];
            let norm = length(d).max(1e-6);
            let t = i as f32 / last;
            let s = i as f32 * STEP;
            let off = ink.wander
                * (self.noise.at(s * 3.1, self.serial)
                    + 0.35 * self.noise.at(s * 14.0, self.serial + 5.0));
            let ends = smooth_step(-0.02, ink.fade[0].max(0.001), t)
                * smooth_step(-0.02, ink.fade[1].max(0.001), 1.0 - t);
            let uneven = 0.80
                + 0.22 * self.noise.at(s * 6.0, self.serial + 9.0)
                + 0.16 * self.noise.at(s * 21.0, self.serial + 11.0);
            let place = [p[0] - d[1] / norm * off, p[1] + d[0] / norm * off];
            points.push((place, (ink.depth * ends * uneven).clamp(0.0, 1.0)));
        }
        self.strokes.push(Stroke { points, width: ink.width, layer: ink.layer });
    }
}

/// The same curve with points [`STEP`] apart.
fn resample(curve: &[Point]) -> Vec<Point> {
    let mut even = vec![curve[0]];
    let mut carried = 0.0;
    for pair in curve.windows(2) {
        let d = [pair[1][0] - pair[0][0], pair[1][1] - pair[0][1]];
        let long = length(d);
        let mut at = STEP - carried;
        while at <= long {
            even.push([pair[0][0] + d[0] * at / long, pair[0][1] + d[1] * at / long]);
            at += STEP;
        }
        carried = long - (at - STEP);
    }
    even
}

/// From palm coordinates (y up) to hand units.
fn on_palm(x: f32, y: f32) -> Point {
    [0.97 * x, 0.10 - 1.02 * y]
}

const LIFE: [f32; 5] = [-0.467, -1.521, -1.073, -0.915, -0.628];
const HEAD: [f32; 5] = [0.154, -0.365, -0.217, -0.043, 0.004];
const HEART: [f32; 5] = [0.545, -0.387, 0.277, -0.072, 0.006];

fn polynomial(c: [f32; 5], x: f32) -> f32 {
    c[0] + x * (c[1] + x * (c[2] + x * (c[3] + x * c[4])))
}

/// A principal crease that varies around its mean curve.
struct Principal {
    mean: [f32; 5],
    from: f32,
    to: f32,
    /// Offset, slope and curvature of the deviation.
    deviation: [f32; 3],
}

impl Principal {
    fn curve(&self) -> Vec<Point> {
        const STEPS: usize = 40;
        (0..=STEPS)
            .map(|i| {
                let t = i as f32 / STEPS as f32;
                let x = mix(self.from, self.to, t);
                let u = 2.0 * t - 1.0;
                let [offset, slope, bow] = self.deviation;
                on_palm(x, polynomial(self.mean, x) + offset + slope * u + bow * (1.0 - u * u))
            })
            .collect()
    }
}

fn principal(stream: &mut Stream, pen: &mut Pen) {
    let topology = Topology::draw(stream);
    let strength = stream.between(0.75, 1.1);
    // where life and head begin: often at one point, seldom far apart
    let start = stream.around(0.0, 0.07);
    let parted = if stream.chance(0.6) { 0.0 } else { stream.between(0.03, 0.16) };
    let mut life = Principal {
        mean: LIFE,
        from: -1.02,
        to: stream.around(0.22, 0.10).clamp(0.0, 0.40),
        deviation: [stream.around(0.0, 0.05), stream.around(0.0, 0.05), stream.around(0.02, 0.07)],
    };
    life.deviation[0] += start;
    let mut head = Principal {
        mean: HEAD,
        from: -1.0,
        to: stream.around(0.66, 0.20).clamp(0.1, 0.98),
        deviation: [stream.around(0.0, 0.04), stream.around(-0.02, 0.09), stream.around(0.0, 0.06)],
    };
    head.deviation[0] += start + parted;
    let heart = Principal {
        mean: HEART,
        from: 1.05,
        to: stream.around(-0.37, 0.19).clamp(-0.75, 0.0),
        deviation: [stream.around(0.0, 0.06), stream.around(0.0, 0.07), stream.around(0.0, 0.06)],
    };
    if topology == Topology::Sydney {
        head.to = 1.02;
    }
    let life = around_the_thumb(life.curve(), stream.between(0.15, 0.5));
    pen.draw(&life, main_ink(stream, strength, [0.03, 0.22]));
    draw_head_and_heart(stream, pen, topology, strength, &head.curve(), &heart.curve());
    if stream.chance(0.45) {
        fate_line(stream, pen, strength);
    }
}

/// Carries a life line on for a length: it turns down and back around the thumb's cushion.
fn around_the_thumb(mut curve: Vec<Point>, long: f32) -> Vec<Point> {
    const PIECE: f32 = 0.04;
    let [before, mut at] = [curve[curve.len() - 2], curve[curve.len() - 1]];
    let mut d = [at[0] - before[0], at[1] - before[1]];
    for _ in 0..(long / PIECE) as usize {
        let norm = length(d);
        d = [d[0] / norm - 0.16, d[1] / norm + 0.05];
        at = [at[0] + d[0] * PIECE, at[1] + d[1] * PIECE];
        curve.push(at);
    }
    curve
}

fn main_ink(stream: &mut Stream, strength: f32, fade: [f32; 2]) -> Ink {
    Ink {
        width: stream.between(0.0095, 0.0150),
        depth: strength * stream.between(0.62, 0.95),
        fade,
        wander: 0.022,
        layer: Layer::Crease,
    }
}

fn draw_head_and_heart(
    stream: &mut Stream,
    pen: &mut Pen,
    topology: Topology,
    strength: f32,
    head: &[Point],
    heart: &[Point],
) {
    if topology == Topology::SingleTransverse {
        // one line from where the head begins to where the heart begins
        let (from, to) = (head[0], heart[0]);
        let bow = stream.between(-0.12, 0.05);
        let line: Vec<Point> = (0..=30)
            .map(|i| {
                let t = i as f32 / 30.0;
                [mix(from[0], to[0], t), mix(from[1], to[1], t) + bow * 4.0 * t * (1.0 - t)]
            })
            .collect();
        pen.draw(&line, main_ink(stream, strength, [0.03, 0.03]));
        return;
    }
    pen.draw(head, main_ink(stream, strength, [0.03, 0.4]));
    pen.draw(heart, main_ink(stream, strength, [0.02, 0.3]));
    let branch = Ink {
        width: 0.0105,
        depth: 0.55 * strength,
        fade: [0.1, 0.4],
        wander: 0.02,
        layer: Layer::Crease,
    };
    match topology {
        Topology::Bridge => {
            let (a, b) = (
                head[stream.between(14.0, 26.0) as usize],
                heart[stream.between(14.0, 30.0) as usize],
            );
            pen.draw(&[a, b], Ink { fade: [0.05, 0.05], ..branch });
        }
        Topology::Fork => {
            let from = head[stream.between(22.0, 32.0) as usize];
            let to = [from[0] + stream.between(0.25, 0.45), from[1] + stream.between(-0.02, 0.12)];
            pen.draw(&[from, to], branch);
        }
        Topology::Normal | Topology::SingleTransverse | Topology::Sydney => {}
    }
    // the heart line's end often splits towards the index finger
    if stream.chance(0.6) {
        let from = heart[33];
        let to = [from[0] - stream.between(0.18, 0.4), from[1] - stream.between(-0.08, 0.22)];
        pen.draw(&[from, to], branch);
    }
}

/// A long upright line through the palm's middle.
fn fate_line(stream: &mut Stream, pen: &mut Pen, strength: f32) {
    let from = [stream.around(0.08, 0.12), stream.between(0.6, 1.2)];
    let to = [stream.around(-0.12, 0.12), stream.between(-0.75, -0.1)];
    let bow = stream.around(0.0, 0.07);
    let middle = [(from[0] + to[0]) / 2.0 + bow, (from[1] + to[1]) / 2.0];
    let ink = Ink {
        width: stream.between(0.008, 0.013),
        depth: strength * stream.between(0.35, 0.7),
        fade: [0.3, 0.3],
        wander: 0.02,
        layer: Layer::Crease,
    };
    pen.draw(&bezier(from, middle, to), ink);
}

fn bezier(from: Point, control: Point, to: Point) -> Vec<Point> {
    (0..=16)
        .map(|i| {
            let t = i as f32 / 16.0;
            let axis = |k: usize| {
                let (a, b) = (mix(from[k], control[k], t), mix(control[k], to[k], t));
                mix(a, b, t)
            };
            [axis(0), axis(1)]
        })
        .collect()
}

/// A slightly bowed line around a middle point.
fn line_at(stream: &mut Stream, middle: Point, angle: f32, long: f32, bow: f32) -> Vec<Point> {
    let (sine, cosine) = sin_cos(angle);
    let half = [cosine * long / 2.0, sine * long / 2.0];
    let off = stream.around(0.0, bow) * long;
    bezier(
        [middle[0] - half[0], middle[1] - half[1]],
        [middle[0] - sine * off, middle[1] + cosine * off],
        [middle[0] + half[0], middle[1] + half[1]],
    )
}

/// Five to fourteen lines anywhere on the palm, weaker than creases and always there.
fn wrinkles(stream: &mut Stream, pen: &mut Pen) {
    let count = 5 + (stream.unit() * 10.0) as usize;
    for _ in 0..count {
        let middle = [
            stream.around(0.05, 0.42).clamp(-0.85, 0.9),
            stream.around(0.05, 0.48).clamp(-0.9, 1.1),
        ];
        let angle =
            if stream.chance(0.55) { stream.around(1.55, 0.45) } else { stream.between(-1.2, 1.6) };
        let long = stream.between(0.35, 0.95);
        let curve = line_at(stream, middle, angle, long, 0.12);
        let ink = Ink {
            width: stream.between(0.0055, 0.0095),
            depth: stream.between(0.16, 0.46),
            fade: [0.42, 0.45],
            wander: 0.018,
            layer: Layer::Crease,
        };
        pen.draw(&curve, ink);
    }
}

/// A patch of the palm where fine lines run roughly one way.
struct Patch {
    middle: Point,
    spread: Point,
    angle: f32,
    scatter: f32,
    long: [f32; 2],
    share: f32,
}

const PATCHES: [Patch; 7] = [
    // the thumb's cushion: oblique, crossing the life line's direction
    Patch {
        middle: [-0.58, 0.42],
        spread: [0.26, 0.36],
        angle: -0.75,
        scatter: 0.28,
        long: [0.14, 0.42],
        share: 0.30,
    },
    Patch {
        middle: [-0.55, 0.45],
        spread: [0.26, 0.36],
        angle: 0.65,
        scatter: 0.35,
        long: [0.08, 0.25],
        share: 0.10,
    },
    // the little finger's side: from the edge inwards
    Patch {
        middle: [0.66, 0.45],
        spread: [0.22, 0.42],
        angle: 0.20,
        scatter: 0.30,
        long: [0.15, 0.45],
        share: 0.15,
    },
    // below the fingers: upright
    Patch {
        middle: [0.22, -0.72],
        spread: [0.34, 0.14],
        angle: 1.50,
        scatter: 0.22,
        long: [0.12, 0.42],
        share: 0.14,
    },
    Patch {
        middle: [-0.45, -0.62],
        spread: [0.25, 0.18],
        angle: 1.15,
        scatter: 0.45,
        long: [0.10, 0.32],
        share: 0.09,
    },
    // the hollow: crossing both ways
    Patch {
        middle: [0.10, 0.05],
        spread: [0.38, 0.36],
        angle: 0.95,
        scatter: 0.45,
        long: [0.12, 0.45],
        share: 0.12,
    },
    Patch {
        middle: [0.10, 0.10],
        spread: [0.38, 0.40],
        angle: -0.70,
        scatter: 0.45,
        long: [0.10, 0.40],
        share: 0.10,
    },
];

fn fine_lines(stream: &mut Stream, pen: &mut Pen, wrinkling: f32) {
    let total = 130.0 + 330.0 * wrinkling;
    for patch in &PATCHES {
        let lean = stream.around(0.0, 0.16);
        let count = (total * patch.share * stream.between(0.6, 1.4)) as usize;
        for _ in 0..count {
            let middle = [
                stream.around(patch.middle[0], patch.spread[0]).clamp(-1.0, 1.0),
                stream.around(patch.middle[1], patch.spread[1]).clamp(-1.0, 1.3),
            ];
            let angle = patch.angle + lean + stream.around(0.0, patch.scatter);
            // a few long lines among many short ones
            let reach = stream.unit();
            let long = mix(patch.long[0], 1.5 * patch.long[1], reach * reach);
            let curve = line_at(stream, middle, angle, long, 0.10);
            let faint = stream.unit();
            let ink = Ink {
                width: stream.between(0.004, 0.007),
                depth: (0.07 + 0.30 * faint * faint) * (0.75 + 0.35 * wrinkling),
                fade: [0.48, 0.48],
                wander: 0.006 + 0.02 * long,
                layer: Layer::Fine,
            };
            pen.draw(&curve, ink);
        }
    }
}

/// Finger, thumb and wrist creases.
fn joints(stream: &mut Stream, pen: &mut Pen, anatomy: &Anatomy) {
    for finger in &anatomy.fingers {
        let places = [
            (0.0, 0.60),
            (0.035, 0.32),
            (JOINTS[0] - 0.014, 0.62),
            (JOINTS[0] + 0.014, 0.50),
            (JOINTS[0] + 0.045, 0.18),
            (JOINTS[1], 0.60),
            (JOINTS[1] - 0.03, 0.22),
        ];
        for (place, depth) in places {
            let along = place + stream.around(0.0, 0.006);
            let (arch, lean) = (stream.around(0.012, 0.012), stream.around(0.0, 0.012));
            let half = finger.half_width_at(along) * stream.between(0.86, 1.0);
            let curve: Vec<Point> = (0..=10)
                .map(|i| {
                    let u = i as f32 / 5.0 - 1.0;
                    finger.at(along + arch * u * u + lean * u, half * u)
                })
                .collect();
            let ink = Ink {
                width: stream.between(0.009, 0.013),
                depth: depth * stream.between(0.7, 1.1),
                fade: [0.1, 0.1],
                wander: 0.014,
                layer: Layer::Crease,
            };
            pen.draw(&curve, ink);
        }
    }
    let (joint, direction, half) = anatomy.thumb_joint();
    for (offset, depth) in [(0.02, 0.5), (0.08, 0.3), (0.5, 0.0), (-0.5, 0.35)] {
        let middle = [joint[0] + direction[0] * offset, joint[1] + direction[1] * offset];
        let across = [-direction[1] * half * 0.95, direction[0] * half * 0.95];
        let curve = [
            [middle[0] - across[0], middle[1] - across[1]],
            [middle[0] + direction[0] * 0.02, middle[1] + direction[1] * 0.02],
            [middle[0] + across[0], middle[1] + across[1]],
        ];
        let ink =
            Ink { width: 0.011, depth, fade: [0.2, 0.2], wander: 0.015, layer: Layer::Crease };
        pen.draw(&bezier(curve[0], curve[1], curve[2]), ink);
    }
    wrist(stream, pen);
}

fn wrist(stream: &mut Stream, pen: &mut Pen) {
    for (y, depth) in [(1.50, 0.5), (1.60, 0.3)] {
        let y = y + stream.around(0.0, 0.02);
        let curve =
            bezier([-0.62, y - 0.03], [0.0, y + stream.around(0.08, 0.03)], [0.62, y - 0.03]);
        let ink =
            Ink { width: 0.014, depth, fade: [0.15, 0.15], wander: 0.02, layer: Layer::Crease };
        pen.draw(&curve, ink);
    }
}

/// Fine lines of the fingers: mostly across, some along.
fn finger_lines(stream: &mut Stream, pen: &mut Pen, wrinkling: f32, anatomy: &Anatomy) {
    for finger in &anatomy.fingers {
        let count = (8.0 + 16.0 * wrinkling) as usize;
        for _ in 0..count {
            let along = stream.between(0.02, 0.78);
            let half = finger.half_width_at(along);
            let across = stream.between(-0.6, 0.6) * half;
            let reach = stream.between(0.2, 0.6) * half;
            let curve = if stream.chance(0.65) {
                [
                    finger.at(along, across - reach),
                    finger.at(along + stream.around(0.0, 0.02), across + reach),
                ]
            } else {
                let long = stream.between(0.03, 0.10);
                [
                    finger.at(along - long, across),
                    finger.at(along + long, across + stream.around(0.0, 0.02)),
                ]
            };
            let ink = Ink {
                width: 0.006,
                depth: stream.between(0.08, 0.28),
                fade: [0.35, 0.35],
                wander: 0.008,
                layer: Layer::Fine,
            };
            pen.draw(&curve, ink);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use handfast_palm::Side;

    #[test]
    fn a_hand_has_its_own_lines_and_keeps_them() {
        let anatomy = Anatomy::of(1, Side::Left, crate::Fingers::Spread);
        let (once, again, other) =
            (strokes(1, 0.5, &anatomy), strokes(1, 0.5, &anatomy), strokes(2, 0.5, &anatomy));
        assert_eq!(once[0].points, again[0].points);
        assert_ne!(once[0].points, other[0].points);
        assert!(once.iter().filter(|s| s.layer == Layer::Crease).count() >= 3 + 5);
        assert!(once.iter().filter(|s| s.layer == Layer::Fine).count() > 60);
    }

    #[test]
    fn wrinkling_adds_fine_lines() {
        let anatomy = Anatomy::of(1, Side::Left, crate::Fingers::Spread);
        assert!(strokes(1, 1.0, &anatomy).len() > strokes(1, 0.0, &anatomy).len() + 50);
    }

    #[test]
    fn resampling_keeps_the_ends_and_the_step() {
        let even = resample(&[[0.0, 0.0], [0.5, 0.0], [0.5, 0.5]]);
        assert_eq!(even[0], [0.0, 0.0]);
        assert!(even.len() >= 49);
        for pair in even.windows(2) {
            let d = length([pair[1][0] - pair[0][0], pair[1][1] - pair[0][1]]);
            assert!(d < STEP * 1.01);
        }
    }
}
