//! A phone that shows a code.

use crate::camera::Canvas;
use crate::maths::{length, sin_cos};
use crate::scene::QrModules;
use crate::stream::{Purpose, Stream};

/// Half of a phone's width and height, where the code with its quiet zone is 2 wide.
const BODY: [f32; 2] = [1.16, 2.02];
const SCREEN: [f32; 2] = [1.08, 1.90];
const CORNER: f32 = 0.16;
/// Light modules around a code, as ISO/IEC 18004 asks.
const QUIET: usize = 4;

/// A phone in the frame.
pub(crate) struct Phone<'a> {
    code: &'a QrModules,
    centre: [f32; 2],
    /// Half the code's width, as a part of the frame's height.
    scale: f32,
    rotation: f32,
    brightness: f32,
}

impl<'a> Phone<'a> {
    /// The phone as this sample holds it: nearly straight, nearly in the middle.
    pub(crate) fn held(code: &'a QrModules, sample_seed: u64) -> Self {
        let mut stream = Stream::new(sample_seed, Purpose::Phone);
        Self {
            code,
            centre: [0.5 + stream.around(0.0, 0.02), 0.5 + stream.around(0.0, 0.015)],
            scale: stream.between(0.36, 0.38),
            rotation: stream.around(0.0, 0.02),
            brightness: stream.between(0.88, 0.98),
        }
    }

    pub(crate) fn paint(&self, canvas: &mut Canvas) {
        let (width, height) = (canvas.width, canvas.height);
        let (sine, cosine) = sin_cos(self.rotation);
        let unit = self.scale * width.min(height) as f32;
        for y in 0..height {
            for x in 0..width {
                // four looks a pixel keep the modules' edges straight
                let mut sum = [0.0; 3];
                let mut hits = 0.0;
                for (ox, oy) in [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)] {
                    let dx = (x as f32 + ox - self.centre[0] * width as f32) / unit;
                    let dy = (y as f32 + oy - self.centre[1] * height as f32) / unit;
                    let place = [dx * cosine + dy * sine, dy * cosine - dx * sine];
                    if let Some(colour) = self.colour(place) {
                        hits += 0.25;
                        for (total, value) in sum.iter_mut().zip(colour) {
                            *total += 0.25 * value;
                        }
                    }
                }
                if hits > 0.0 {
                    let pixel = &mut canvas.pixels[y * width + x];
                    for (under, over) in pixel.iter_mut().zip(sum) {
                        *under = *under * (1.0 - hits) + over;
                    }
                }
            }
        }
    }

    /// What the phone shows at a place, the code's middle being (0, 0); nothing beside the phone.
    fn colour(&self, place: [f32; 2]) -> Option<[f32; 3]> {
        if rounded(place, BODY) > 0.0 {
            return None;
        }
        if rounded(place, SCREEN) > 0.0 {
            return Some([40.0, 41.0, 44.0]);
        }
        let white = 244.0 * self.brightness;
        let [x, y] = place;
        if x.abs() <= 1.0 && y.abs() <= 1.0 {
            let modules = (self.code.side() + 2 * QUIET) as f32;
            let at = |k: f32| ((k + 1.0) / 2.0 * modules).floor() as i32 - QUIET as i32;
            let dark = self.code.is_dark(at(x), at(y));
            return Some(if dark { [18.0; 3] } else { [white; 3] });
        }
        // a coloured bar above, lines of grey "text" below
        let bar = y < -1.35;
        let text = (1.18..1.26).contains(&y) && x.abs() < 0.7
            || (1.36..1.42).contains(&y) && x.abs() < 0.5;
        Some(if bar {
            [0.32 * white, 0.42 * white, 0.62 * white]
        } else if text {
            [0.6 * white; 3]
        } else {
            [white; 3]
        })
    }
}

/// Signed distance to a rounded rectangle with these half sizes.
fn rounded(place: [f32; 2], half: [f32; 2]) -> f32 {
    let out = [place[0].abs() - half[0] + CORNER, place[1].abs() - half[1] + CORNER];
    length([out[0].max(0.0), out[1].max(0.0)]) + out[0].max(out[1]).min(0.0) - CORNER
}
