//! From a scene to a picture: projection, light, blur, sensor noise.

use handfast_palm::{Picture, Side};

use crate::anatomy::hem;
use crate::atlas::{EDGE, Level, Region, channel};
use crate::ground::Ground;
use crate::identity::Hand;
use crate::light::{Deformation, Light};
use crate::maths::{Point, sin_cos};
use crate::phone::Phone;
use crate::scene::{HandPose, Scene};
use crate::stream::{Purpose, Stream, scramble};

/// Which light the camera sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Spectrum {
    /// White light, in colour.
    Visible,
    /// 850 nm, grey: skin is bright whatever its colour, veins show, creases are weaker.
    NearInfrared,
}

/// A camera and the ground it looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Camera {
    /// What is behind the hand.
    pub ground: Ground,
    /// Which light the camera sees.
    pub spectrum: Spectrum,
    /// Standard deviation of the sensor's noise at middle grey, of 255.
    pub noise: f32,
    /// Standard deviation of the lens's blur in pixels; above 1 a camera out of focus.
    pub blur: f32,
    /// How much of the light the sensor takes: 1 is right, 0.2 far too dark, 2 far too bright.
    pub exposure: f32,
}

impl Default for Camera {
    /// A decent webcam over a dark pedestal.
    fn default() -> Self {
        Self {
            ground: Ground::Dark,
            spectrum: Spectrum::Visible,
            noise: 1.8,
            blur: 0.5,
            exposure: 1.0,
        }
    }
}

/// One picture of a scene by the default camera. Pictures of scenes that differ in anything differ
/// in their noise; for a video, number the frames with [`Camera::render`].
///
/// # Panics
/// Where the picture engine cannot hold a picture of this size.
#[must_use]
pub fn render(scene: &Scene, width: u32, height: u32) -> Picture {
    let frame = match scene {
        Scene::Empty => 0,
        Scene::Ticket { sample_seed, .. } => *sample_seed,
        Scene::Hand { pose, sample_seed, .. } => {
            let place =
                (u64::from(pose.centre.0.to_bits()) << 32) | u64::from(pose.centre.1.to_bits());
            scramble(sample_seed ^ scramble(place ^ u64::from(pose.rotation.to_bits())))
        }
    };
    Camera::default().render(scene, frame, width, height)
}

/// Light per pixel before the sensor, 0 to 255 a channel.
pub(crate) struct Canvas {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) pixels: Vec<[f32; 3]>,
}

impl Camera {
    /// One picture of a scene. `frame` seeds the sensor's noise alone: number the frames of a video.
    ///
    /// # Panics
    /// Where the picture engine cannot hold a picture of this size.
    #[must_use]
    pub fn render(&self, scene: &Scene, frame: u64, width: u32, height: u32) -> Picture {
        self.render_together(std::slice::from_ref(scene), frame, width, height)
    }

    /// One picture of several scenes at once, the later ones in front, under the first one's light:
    /// two hands, or a hand before a phone.
    ///
    /// # Panics
    /// Where the picture engine cannot hold a picture of this size.
    #[must_use]
    pub fn render_together(
        &self,
        scenes: &[Scene],
        frame: u64,
        width: u32,
        height: u32,
    ) -> Picture {
        let light = Light::of(scenes.first().map_or(0, Scene::sample_seed));
        let mut canvas = self.ground.paint(width as usize, height as usize, &light, self.spectrum);
        for scene in scenes {
            match scene {
                Scene::Empty => {}
                Scene::Ticket { code, sample_seed } => {
                    Phone::held(code, *sample_seed).paint(&mut canvas)
                }
                Scene::Hand { hand, pose, sample_seed } => {
                    Shot::of(hand, pose, *sample_seed, light, self.spectrum, &canvas)
                        .paint(&mut canvas);
                }
            }
        }
        canvas.defocus(self.blur);
        canvas.expose(self, frame)
    }
}

/// One hand in one frame, ready to be looked up for every pixel.
struct Shot<'a> {
    hand: &'a Hand,
    level: &'a Level,
    region: Region,
    light: Light,
    deformation: Deformation,
    spectrum: Spectrum,
    projection: Projection,
    spread: f32,
}

/// From pixels to hand units: the inverse of a tilted plane's perspective picture.
struct Projection {
    centre: [f32; 2],
    /// Pixels a hand unit.
    scale: f32,
    across: [f32; 2],
    down: [f32; 2],
    foreshortening: [f32; 2],
    mirror: f32,
}

/// The camera's distance in hand units: about 30 cm from a palm 8 cm wide.
const CAMERA_DISTANCE: f32 = 7.0;

impl Projection {
    fn of(pose: &HandPose, side: Side, width: usize, height: usize) -> Self {
        let scale = pose.radius * width.min(height) as f32;
        let (sine, cosine) = sin_cos(pose.rotation);
        let (sine_x, cosine_x) = sin_cos(pose.tilt.0);
        let (sine_y, cosine_y) = sin_cos(pose.tilt.1);
        Self {
            centre: [pose.centre.0 * width as f32, pose.centre.1 * height as f32],
            scale,
            across: [cosine / (scale * cosine_x), sine / (scale * cosine_x)],
            down: [-sine / (scale * cosine_y), cosine / (scale * cosine_y)],
            foreshortening: [sine_x / CAMERA_DISTANCE, sine_y / CAMERA_DISTANCE],
            mirror: if side == Side::Right { -1.0 } else { 1.0 },
        }
    }

    fn to_hand(&self, x: f32, y: f32) -> [f32; 2] {
        let d = [x - self.centre[0], y - self.centre[1]];
        let u = self.across[0] * d[0] + self.across[1] * d[1];
        let v = self.down[0] * d[0] + self.down[1] * d[1];
        let depth = 1.0 - u * self.foreshortening[0] - v * self.foreshortening[1];
        [self.mirror * u / depth, v / depth]
    }
}

impl<'a> Shot<'a> {
    fn of(
        hand: &'a Hand,
        pose: &HandPose,
        sample_seed: u64,
        light: Light,
        spectrum: Spectrum,
        canvas: &Canvas,
    ) -> Self {
        let projection = Projection::of(pose, hand.side(), canvas.width, canvas.height);
        Self {
            level: hand.skin.level(projection.scale),
            region: hand.skin.region,
            deformation: Deformation::of(sample_seed ^ scramble(hand.identity().seed())),
            hand,
            light,
            spectrum,
            projection,
            spread: pose.spread,
        }
    }

    fn paint(&self, canvas: &mut Canvas) {
        let (width, height) = (canvas.width, canvas.height);
        for y in 0..height {
            for x in 0..width {
                let [u, v] = self.projection.to_hand(x as f32 + 0.5, y as f32 + 0.5);
                if u < self.region.left || u > self.region.right || v < self.region.top {
                    continue;
                }
                let v_fan = 1.0 + self.spread * (-0.9 - v).max(0.0);
                let u = u / v_fan;
                if self.is_outside(u, v) {
                    continue;
                }
                let give = self.deformation.at(u, v);
                let texel = self.look_up(u + give[0], v + give[1]);
                let distance = (texel[channel::EDGE] - 127.5) * (EDGE / 127.5);
                let cover = (0.5 - distance * self.projection.scale).clamp(0.0, 1.0);
                if cover == 0.0 {
                    continue;
                }
                let fall = self.light.fall_off(x as f32 / width as f32, y as f32 / height as f32);
                let colour = self.colour(&texel, [u, v], give[2], fall);
                let pixel = &mut canvas.pixels[y * width + x];
                for (under, over) in pixel.iter_mut().zip(colour) {
                    *under += (over - *under) * cover;
                }
            }
        }
    }

    /// A quick look at one texel: far from any skin.
    fn is_outside(&self, u: f32, v: f32) -> bool {
        let x = ((u - self.region.left) * self.level.scale) as usize;
        let y = ((v - self.region.top) * self.level.scale) as usize;
        let (x, y) = (x.min(self.level.width - 1), y.min(self.level.height - 1));
        self.level.texels[y * self.level.width + x][channel::EDGE] == u8::MAX
    }

    /// The surface at a point, bilinear; the arm goes on below the atlas.
    fn look_up(&self, u: f32, v: f32) -> [f32; channel::COUNT] {
        let level = self.level;
        let x = ((u - self.region.left) * level.scale - 0.5).clamp(0.0, (level.width - 2) as f32);
        let y = ((v - self.region.top) * level.scale - 0.5).clamp(0.0, (level.height - 2) as f32);
        let (column, row) = (x as usize, y as usize);
        let (fx, fy) = (x - column as f32, y - row as f32);
        let first = row * level.width + column;
        let corners = [
            (&level.texels[first], (1.0 - fx) * (1.0 - fy)),
            (&level.texels[first + 1], fx * (1.0 - fy)),
            (&level.texels[first + level.width], (1.0 - fx) * fy),
            (&level.texels[first + level.width + 1], fx * fy),
        ];
        let mut out = [0.0; channel::COUNT];
        for (texel, weight) in corners {
            for (sum, &value) in out.iter_mut().zip(texel) {
                *sum += weight * f32::from(value);
            }
        }
        out
    }

    /// What the camera sees of a texel.
    fn colour(
        &self,
        texel: &[f32; channel::COUNT],
        place: Point,
        fine_gain: f32,
        fall: f32,
    ) -> [f32; 3] {
        let slope = [
            self.projection.mirror * (texel[channel::SLOPE_X] - 128.0) / 127.0,
            (texel[channel::SLOPE_Y] - 128.0) / 127.0,
        ];
        let (shade, shine) = self.light.on(slope);
        let tone = texel[channel::TONE] / 128.0 * shade * fall;
        let cloth = ((place[1] - hem(self.hand.skin.sleeve, place[0])) * self.projection.scale
            + 0.5)
            .clamp(0.0, 1.0);
        if cloth == 0.0 {
            return self.skin(texel, tone, shine, fine_gain);
        }
        let (skin, sleeve) = (self.skin(texel, tone, shine, fine_gain), self.cloth(tone));
        std::array::from_fn(|k| skin[k] + (sleeve[k] - skin[k]) * cloth)
    }

    fn skin(
        &self,
        texel: &[f32; channel::COUNT],
        tone: f32,
        shine: f32,
        fine_gain: f32,
    ) -> [f32; 3] {
        let lines = texel[channel::CREASE] / 255.0 + fine_gain * texel[channel::FINE] / 255.0;
        let shine = shine * self.hand.traits.sheen * 255.0;
        match self.spectrum {
            Spectrum::Visible => {
                let red = (texel[channel::RED] - 128.0) / 60.0;
                let tint = [1.0 + 0.035 * red, 1.0 - 0.085 * red, 1.0 - 0.07 * red];
                let dark = [1.0 - 0.36 * lines, 1.0 - 0.54 * lines, 1.0 - 0.60 * lines];
                let mut colour = [0.0; 3];
                for (k, value) in colour.iter_mut().enumerate() {
                    *value = self.hand.traits.skin[k]
                        * self.light.tint[k]
                        * tint[k]
                        * tone
                        * dark[k].max(0.15)
                        + shine;
                }
                colour
            }
            Spectrum::NearInfrared => {
                let vein = texel[channel::VEIN] / 255.0;
                [178.0 * tone * (1.0 - 0.22 * lines).max(0.3) * (1.0 - 0.26 * vein) + shine; 3]
            }
        }
    }

    fn cloth(&self, tone: f32) -> [f32; 3] {
        match self.spectrum {
            Spectrum::Visible => self.hand.traits.sleeve.map(|value| value * tone),
            Spectrum::NearInfrared => [70.0 * tone; 3],
        }
    }
}

impl Canvas {
    /// A Gaussian blur, as several small ones where it is large.
    fn defocus(&mut self, deviation: f32) {
        /// Of one pass: three taps stay bell-shaped up to here.
        const VARIANCE_MAX: f32 = 0.5;
        let variance = (deviation * deviation).max(0.0);
        let passes = (variance / VARIANCE_MAX).ceil();
        for _ in 0..passes as usize {
            self.blur(variance / passes / 2.0);
        }
    }

    /// One pass of three taps each way; the outer two weigh `side`.
    fn blur(&mut self, side: f32) {
        let middle = 1.0 - 2.0 * side;
        let width = self.width;
        for row in self.pixels.chunks_exact_mut(width) {
            let mut before = row[0];
            for x in 0..width {
                let here = row[x];
                let after = row[(x + 1).min(width - 1)];
                row[x] = std::array::from_fn(|k| middle * here[k] + side * (before[k] + after[k]));
                before = here;
            }
        }
        let mut before: Vec<[f32; 3]> = self.pixels[..width].to_vec();
        for y in 0..self.height {
            let (upper, lower) = self.pixels.split_at_mut((y + 1) * width);
            let here = &mut upper[y * width..];
            for x in 0..width {
                let own = here[x];
                let after = if lower.is_empty() { own } else { lower[x] };
                here[x] =
                    std::array::from_fn(|k| middle * own[k] + side * (before[x][k] + after[k]));
                before[x] = own;
            }
        }
    }

    /// Adds the sensor's noise and rounds to bytes.
    fn expose(&self, camera: &Camera, frame: u64) -> Picture {
        let mut seed = Stream::new(frame, Purpose::SensorNoise).bits();
        // photon noise: its variance grows with the light, half of it is there in the dark
        let strength: [f32; 256] = std::array::from_fn(|level| {
            camera.noise * (0.5 + 0.5 * level as f32 / 128.0).sqrt() * NOISE_UNIT
        });
        let grey = camera.spectrum == Spectrum::NearInfrared;
        let mut bytes = Vec::with_capacity(self.pixels.len() * if grey { 1 } else { 3 });
        for pixel in &self.pixels {
            seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let bits = scramble(seed);
            for (k, &light) in pixel.iter().enumerate().take(if grey { 1 } else { 3 }) {
                let value = light * camera.exposure;
                // two uniforms of ten bits make a triangle of mean 0
                let part = bits >> (20 * k);
                let noise = (part & 0x3ff) as i32 + ((part >> 10) & 0x3ff) as i32 - 1023;
                let level = value.clamp(0.0, 255.0);
                bytes.push((value + strength[level as usize] * noise as f32 + 0.5) as u8);
            }
        }
        let (width, height) = (self.width as u32, self.height as u32);
        let picture = if grey {
            Picture::from_grey(width, height, bytes)
        } else {
            Picture::from_rgb(width, height, bytes)
        };
        picture.expect("the caller asks for a size that the engine takes")
    }
}

/// The triangle of two ten-bit uniforms has a standard deviation of 1024 / sqrt(6).
const NOISE_UNIT: f32 = 2.449_489_7 / 1024.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Identity;

    fn hand_scene(side: Side, sample_seed: u64) -> Scene {
        Scene::Hand {
            hand: Identity::from_seed(1).hand(side),
            pose: HandPose::default(),
            sample_seed,
        }
    }

    /// Mean light left and right of the palm's middle, at the height of the thumb.
    fn halves(picture: &Picture) -> (u32, u32) {
        let (grey, width) = (picture.grey(), picture.width() as usize);
        let row = |y: usize| &grey[y * width..(y + 1) * width];
        let sum = |part: &[u8]| part.iter().map(|&v| u32::from(v)).sum::<u32>();
        (240..290)
            .fold((0, 0), |(l, r), y| (l + sum(&row(y)[100..240]), r + sum(&row(y)[400..540])))
    }

    #[test]
    fn the_thumb_is_left_on_a_left_palm_and_right_on_a_right_one() {
        let (left, right) = halves(&render(&hand_scene(Side::Left, 1), 640, 480));
        assert!(left > right * 2, "left hand: {left} against {right}");
        let (left, right) = halves(&render(&hand_scene(Side::Right, 1), 640, 480));
        assert!(right > left * 2, "right hand: {left} against {right}");
    }

    #[test]
    fn frames_differ_in_noise_and_nothing_else() {
        let scene = hand_scene(Side::Left, 3);
        let shot = |frame| Camera::default().render(&scene, frame, 320, 240).rgb().to_vec();
        let (one, two) = (shot(1), shot(2));
        assert_eq!(one, shot(1));
        let far = one.iter().zip(&two).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(one != two && far < 24, "farthest {far}");
    }

    #[test]
    fn a_quiet_camera_adds_no_noise() {
        let camera = Camera { noise: 0.0, ..Camera::default() };
        let shot = |frame| camera.render(&Scene::Empty, frame, 64, 48).rgb().to_vec();
        assert_eq!(shot(1), shot(2));
    }

    #[test]
    fn near_infrared_is_grey() {
        let camera = Camera { spectrum: Spectrum::NearInfrared, ..Camera::default() };
        assert!(camera.render(&hand_scene(Side::Right, 3), 1, 320, 240).is_grey());
    }
}
