//! Hands drawn from circles and bars, for tests: crude, and known to the pixel.

use handfast_palm::{Picture, Side};

/// What is drawn.
#[derive(Clone, Copy)]
pub struct Drawing {
    pub width: u32,
    pub height: u32,
    /// The palm's middle.
    pub centre: (f32, f32),
    /// The palm's radius.
    pub radius: f32,
    /// Where the fingers point: radians clockwise from up.
    pub rotation: f32,
    pub side: Side,
    pub skin: [f32; 3],
    pub ground: [f32; 3],
    /// How far apart the fingers are; 1 is open, 0 is closed.
    pub spread: f32,
    pub palm: u32,
}

impl Default for Drawing {
    fn default() -> Self {
        Self {
            width: 640,
            height: 480,
            centre: (320.0, 300.0),
            radius: 80.0,
            rotation: 0.0,
            side: Side::Right,
            skin: [205.0, 150.0, 125.0],
            ground: [20.0, 22.0, 24.0],
            spread: 1.0,
            palm: 1,
        }
    }
}

/// A finger: a bar from its base to its tip. In palm radii from the palm's middle, x to the right
/// and y up.
struct Finger {
    base: (f32, f32),
    tip: (f32, f32),
    half_width: f32,
}

/// The fingers of a right hand seen from its palm; the thumb is last.
const FINGERS: [Finger; 5] = [
    Finger { base: (-0.70, 0.75), tip: (-1.15, 2.00), half_width: 0.17 },
    Finger { base: (-0.27, 0.95), tip: (-0.42, 2.45), half_width: 0.19 },
    Finger { base: (0.20, 0.98), tip: (0.22, 2.65), half_width: 0.19 },
    Finger { base: (0.66, 0.85), tip: (0.88, 2.40), half_width: 0.19 },
    Finger { base: (0.75, -0.25), tip: (1.75, 0.75), half_width: 0.22 },
];

impl Drawing {
    pub fn draw(&self) -> Picture {
        let mut pixels = Vec::with_capacity((self.width * self.height * 3) as usize);
        for y in 0..self.height {
            for x in 0..self.width {
                let colour = match self.shade(x as f32, y as f32) {
                    Some(shade) => self.skin.map(|value| value * shade),
                    None => self.ground,
                };
                let grain = (x * 31 + y * 17 + x * y) % 5;
                pixels.extend(colour.map(|value| (value + grain as f32).clamp(0.0, 255.0) as u8));
            }
        }
        Picture::from_rgb(self.width, self.height, pixels).expect("the size fits")
    }

    /// How light the hand is at a pixel; none outside the hand.
    fn shade(&self, x: f32, y: f32) -> Option<f32> {
        let (sine, cosine) = self.rotation.sin_cos();
        let (dx, dy) = ((x - self.centre.0) / self.radius, (y - self.centre.1) / self.radius);
        let mut across = dx * cosine + dy * sine;
        let up = dx * sine - dy * cosine;
        if self.side == Side::Left {
            across = -across;
        }
        let in_palm = across.abs() < 0.92 && up.abs() < 0.95;
        let in_arm = across.abs() < 0.65 && up < 0.0;
        let in_finger = FINGERS.iter().enumerate().any(|(i, finger)| {
            let opened = if i == 4 { 1.0 } else { self.spread };
            let base = (finger.base.0 * (0.75 + 0.25 * opened), finger.base.1);
            let tip = (base.0 + (finger.tip.0 - base.0) * opened, finger.tip.1);
            let half_width = finger.half_width + 0.06 * (1.0 - opened);
            distance_to_bar((across, up), base, tip) < half_width
        });
        (in_palm || in_arm || in_finger).then(|| self.creases(across, up))
    }

    /// Dark curved lines that differ from palm to palm.
    fn creases(&self, across: f32, up: f32) -> f32 {
        let mut state = self.palm.wrapping_mul(2_654_435_761) | 1;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state % 1000) as f32 / 500.0 - 1.0
        };
        let mut shade: f32 = 1.0;
        for _ in 0..9 {
            let (slope, offset, bow) = (random() * 1.5, random() * 0.8, random() * 0.8);
            let (from, upright) = (random(), random() > 0.0);
            let (a, b) = if upright { (up, across) } else { (across, up) };
            let away = (b - offset - slope * (a - from) * 0.5 - bow * a * a).abs();
            shade = shade.min(1.0 - 0.35 * (1.0 - away / 0.035).max(0.0));
        }
        shade
    }
}

fn distance_to_bar(point: (f32, f32), from: (f32, f32), to: (f32, f32)) -> f32 {
    let (x, y) = (to.0 - from.0, to.1 - from.1);
    let along = ((point.0 - from.0) * x + (point.1 - from.1) * y) / (x * x + y * y);
    let along = along.clamp(0.0, 1.0);
    let (dx, dy) = (point.0 - from.0 - along * x, point.1 - from.1 - along * y);
    (dx * dx + dy * dy).sqrt()
}
