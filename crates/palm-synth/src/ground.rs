//! What lies behind the hand.

use crate::camera::{Canvas, Spectrum};
use crate::light::Light;
use crate::stream::{Purpose, Stream};

/// What lies behind the hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ground {
    /// The pedestal's own plate: dark and plain.
    Dark,
    /// A white table.
    Light,
    /// A room out of focus, different by seed.
    Room(u64),
}

impl Ground {
    pub(crate) fn paint(
        self,
        width: usize,
        height: usize,
        light: &Light,
        spectrum: Spectrum,
    ) -> Canvas {
        let mut pixels = Vec::with_capacity(width * height);
        let shade = light.level();
        for y in 0..height {
            let v = (y as f32 + 0.5) / height as f32;
            for x in 0..width {
                let u = (x as f32 + 0.5) / width as f32;
                let fall = light.fall_off(u, v) * shade;
                pixels.push(match self {
                    Self::Dark => [21.0 * fall, 22.0 * fall, 25.0 * fall],
                    Self::Light => [222.0 * fall, 221.0 * fall, 216.0 * fall],
                    Self::Room(_) => [fall; 3],
                });
            }
        }
        let mut canvas = Canvas { width, height, pixels };
        if let Self::Room(seed) = self {
            furnish(&mut canvas, seed);
        }
        if spectrum == Spectrum::NearInfrared {
            for pixel in &mut canvas.pixels {
                *pixel = [(pixel[0] + pixel[1] + pixel[2]) / 3.0 * 0.6; 3];
            }
        }
        canvas
    }
}

/// Large soft patches of colour.
fn furnish(canvas: &mut Canvas, seed: u64) {
    let mut stream = Stream::new(seed, Purpose::Ground);
    let fields = [stream.noise(), stream.noise(), stream.noise()];
    let base =
        [stream.between(50.0, 150.0), stream.between(50.0, 150.0), stream.between(50.0, 150.0)];
    let shorter = canvas.width.min(canvas.height) as f32;
    let width = canvas.width;
    for (i, pixel) in canvas.pixels.iter_mut().enumerate() {
        let (x, y) = ((i % width) as f32 / shorter, (i / width) as f32 / shorter);
        let lightness = fields[0].at(x * 4.0, y * 2.5);
        let tint = fields[1].at(x * 3.0 + 9.0, y * 3.0);
        let edge = if fields[2].at(x * 2.0, y * 1.5) > 0.15 { 0.75 } else { 1.0 };
        let gain = (1.0 + 0.45 * lightness) * edge;
        for (k, value) in pixel.iter_mut().enumerate() {
            *value *= base[k] * gain * (1.0 + 0.18 * tint * (k as f32 - 1.0));
        }
    }
}
