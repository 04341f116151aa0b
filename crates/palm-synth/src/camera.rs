//! From a scene to a picture: projection, light, blur, sensor noise.

use handfast_palm::{Picture, Side};

use crate::anatomy::hem;
use crate::atlas::{EDGE, Level, Region, channel};
use crate::ground::Ground;
use crate::identity::{Hand, Surface};
use crate::light::{Deformation, Light};
use crate::maths::{Point, bell, sin_cos};
use crate::phone::Phone;
use crate::relief::Relief;
use crate::scene::{HandPose, Scene};
use crate::shadow::{self, GROUND_BEHIND};
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
    /// Whether a hand is a body, whose near parts move against its far ones: 1 is a hand, 0 a flat
    /// sheet in a hand's shape (which is faster, and enough where one frame is looked at).
    pub depth: f32,
    /// How bright a lamp's reflection lies on the palm: 0 none, 1 as bright as the sensor goes.
    pub glare: f32,
    /// How much of the light a hand takes from the ground behind it: 0 none, 1 all.
    pub shadow: f32,
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
            depth: 0.0,
            glare: 0.0,
            shadow: 0.0,
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
                    let shot = Shot::of(hand, pose, *sample_seed, light, self, &canvas);
                    if self.shadow > 0.0 {
                        shot.cast(&mut canvas, self.shadow);
                    }
                    shot.paint(&mut canvas);
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
    relief: Option<&'a Relief>,
    depth: f32,
    glare: f32,
}

/// From pixels to hand units: the inverse of a tilted plane's perspective picture.
pub(crate) struct Projection {
    centre: [f32; 2],
    /// Pixels a hand unit.
    pub(crate) scale: f32,
    across: [f32; 2],
    down: [f32; 2],
    foreshortening: [f32; 2],
    mirror: f32,
    /// How far a point one unit nearer the camera is seen from its place in the plane: by the tilt,
    /// and by where it is in the frame.
    pub(crate) lean: [f32; 2],
}

/// The camera's distance in hand units: about 30 cm from a palm 8 cm wide.
const CAMERA_DISTANCE: f32 = 7.0;

impl Projection {
    pub(crate) fn of(pose: &HandPose, side: Side, width: usize, height: usize) -> Self {
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
            lean: [
                sine_x + (pose.centre.0 - 0.5) * width as f32 / (scale * CAMERA_DISTANCE),
                sine_y + (pose.centre.1 - 0.5) * height as f32 / (scale * CAMERA_DISTANCE),
            ],
        }
    }

    pub(crate) fn to_hand(&self, x: f32, y: f32) -> [f32; 2] {
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
        camera: &Camera,
        canvas: &Canvas,
    ) -> Self {
        // The back of a hand has its thumb where the palm of the other hand has it.
        let shown = match (hand.surface, hand.side()) {
            (Surface::Back, Side::Left) => Side::Right,
            (Surface::Back, Side::Right) => Side::Left,
            (_, side) => side,
        };
        let projection = Projection::of(pose, shown, canvas.width, canvas.height);
        let bodily = camera.depth != 0.0 || hand.ring().is_some() || hand.surface == Surface::Back;
        Self {
            level: hand.skin.level(projection.scale),
            region: hand.skin.region,
            deformation: Deformation::of(sample_seed ^ scramble(hand.identity().seed())),
            hand,
            light,
            spectrum: camera.spectrum,
            projection,
            spread: pose.spread,
            relief: bodily.then(|| hand.relief()),
            depth: camera.depth,
            glare: camera.glare,
        }
    }

    /// Where on the hand the ray through a place of its plane ends: nearer parts are seen beside
    /// their place.
    fn on_relief(&self, u: f32, v: f32) -> [f32; 2] {
        let Some(relief) = self.relief.filter(|_| self.depth != 0.0) else { return [u, v] };
        let height = self.depth * relief.height(u, v);
        let [lean_x, lean_y] = self.projection.lean;
        [u - self.projection.mirror * lean_x * height, v - lean_y * height]
    }

    fn paint(&self, canvas: &mut Canvas) {
        let (width, height) = (canvas.width, canvas.height);
        for y in 0..height {
            for x in 0..width {
                let [u, v] = self.projection.to_hand(x as f32 + 0.5, y as f32 + 0.5);
                let [u, v] = self.on_relief(u, v);
                if u < self.region.left || u > self.region.right || v < self.region.top {
                    continue;
                }
                let [u, v] = self.hand.digits.at_rest([u, v]);
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

    /// Casts the hand's shadow on the ground, which is farther away and so seen smaller.
    fn cast(&self, canvas: &mut Canvas, depth: f32) {
        let [lean_x, lean_y] = self.light.shadow_lean();
        let farther = (CAMERA_DISTANCE + GROUND_BEHIND) / CAMERA_DISTANCE;
        let (centre, scale) = (self.projection.centre, self.projection.scale);
        let is_covered = |x: f32, y: f32| {
            let from = |at: f32, centre: f32, lean: f32| {
                centre + (at - centre) * farther - lean * GROUND_BEHIND * scale
            };
            let [u, v] =
                self.projection.to_hand(from(x, centre[0], lean_x), from(y, centre[1], lean_y));
            let inside = u > self.region.left && u < self.region.right && v > self.region.top;
            inside && !self.is_outside(u, v) && self.look_up(u, v)[channel::EDGE] < 128.0
        };
        shadow::cast(canvas, depth, scale, is_covered);
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
        if let Some(ring) = self.ring(place) {
            return ring.map(|value| (value * shade * fall).min(255.0));
        }
        let cloth = ((place[1] - hem(self.hand.skin.sleeve, place[0])) * self.projection.scale
            + 0.5)
            .clamp(0.0, 1.0);
        if cloth == 0.0 {
            return self.skin(texel, place, tone, shine, fine_gain);
        }
        let skin = self.skin(texel, place, tone, shine, fine_gain);
        let sleeve = self.cloth(tone);
        std::array::from_fn(|k| skin[k] + (sleeve[k] - skin[k]) * cloth)
    }

    fn skin(
        &self,
        texel: &[f32; channel::COUNT],
        place: Point,
        tone: f32,
        shine: f32,
        fine_gain: f32,
    ) -> [f32; 3] {
        let lines = texel[channel::CREASE] / 255.0 + fine_gain * texel[channel::FINE] / 255.0;
        let own = match self.hand.surface {
            Surface::Palm => None,
            Surface::Back => Some(self.back(texel, place, tone, shine)),
            Surface::Silicone { colour, sheen, fine } => {
                let lines = texel[channel::CREASE] / 255.0 + fine * texel[channel::FINE] / 255.0;
                let shade = tone * (1.0 - 0.5 * lines).max(0.2);
                Some(colour.map(|value| value * shade + shine * sheen * 255.0))
            }
            Surface::Glove { threads, depth } => {
                let weave = weave(place, threads, self.projection.scale);
                let shade = tone * (1.0 - depth * 0.5 * lines).max(0.2) * (1.0 + weave);
                let skin = self.hand.traits.skin;
                let grey = (skin[0] + skin[1] + skin[2]) / 3.0;
                Some(skin.map(|value| (grey + (value - grey) * depth) * shade))
            }
        };
        if let Some(colour) = own {
            return match self.spectrum {
                Spectrum::Visible => colour,
                // Neither dye nor pigment says how bright a thing is in near infrared.
                Spectrum::NearInfrared => [(colour[0] + colour[1] + colour[2]) / 3.0; 3],
            };
        }
        let shine = shine * self.hand.traits.sheen * 255.0 + self.lamp(place);
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

    /// The back of the hand: darker than the palm, with knuckles, tendons and veins instead of creases,
    /// and nails.
    fn back(&self, texel: &[f32; channel::COUNT], place: Point, tone: f32, shine: f32) -> [f32; 3] {
        let skin = self.hand.traits.skin;
        let darkened = 0.82 - 0.2 * self.hand.traits.tone;
        let Some(marks) = self.relief.map(|relief| relief.back_marks(place)) else { return skin };
        if marks.nail > 0.0 {
            let pale = marks.nail - 1.0;
            let bed = [1.0, 0.93, 0.92].map(|part: f32| part + (1.04 - part) * pale);
            return std::array::from_fn(|k| {
                let bare = skin[k] + (NAIL_BED[k] - skin[k]) * 0.5;
                bare * bed[k] * tone + (shine + 0.02) * NAIL_SHEEN
            });
        }
        let (vein, fine) = (texel[channel::VEIN] / 255.0, texel[channel::FINE] / 255.0);
        let gain = tone * darkened * (1.0 + marks.light) * (1.0 - 0.12 * fine);
        let red = marks.red.min(1.0);
        let own = [
            (1.0 + 0.02 * red) * (1.0 - 0.16 * vein),
            0.96 * (1.0 - 0.06 * red) * (1.0 - 0.08 * vein),
            0.93 * (1.0 - 0.06 * red) * (1.0 - 0.03 * vein),
        ];
        let shine = shine * self.hand.traits.sheen * 255.0;
        std::array::from_fn(|k| skin[k] * gain * own[k] + shine)
    }

    /// The reflection of a lamp on the middle of the palm.
    fn lamp(&self, place: Point) -> f32 {
        if self.glare == 0.0 {
            return 0.0;
        }
        let (dx, dy) = ((place[0] - 0.15) / 0.3, (place[1] + 0.1) / 0.42);
        self.glare * 255.0 * bell(dx * dx + dy * dy)
    }

    /// A ring's metal where there is one at this place.
    fn ring(&self, place: Point) -> Option<[f32; 3]> {
        let finger = self.hand.ring()?;
        self.relief?.ring(finger, place).map(|glint| [222.0 * glint, 190.0 * glint, 120.0 * glint])
    }

    fn cloth(&self, tone: f32) -> [f32; 3] {
        match self.spectrum {
            Spectrum::Visible => self.hand.traits.sleeve.map(|value| value * tone),
            Spectrum::NearInfrared => [70.0 * tone; 3],
        }
    }
}

/// What blood under a nail looks like, and how much the nail shines, of 255.
const NAIL_BED: [f32; 3] = [226.0, 170.0, 156.0];
const NAIL_SHEEN: f32 = 46.0;

/// Threads under and over each other, as much of them as the camera resolves.
fn weave(place: Point, threads: f32, scale: f32) -> f32 {
    let seen = resolved(threads / scale);
    let (across, _) = sin_cos(place[0] * threads * std::f32::consts::TAU);
    let (down, _) = sin_cos(place[1] * threads * std::f32::consts::TAU);
    0.10 * seen * across * down
}

/// How much of a pattern of this many periods a pixel is left after each pixel has averaged its own
/// area (of which seven tenths are sensitive). What is left above half a period a pixel is moire.
pub(crate) fn resolved(periods: f32) -> f32 {
    const SENSITIVE: f32 = 0.7;
    let angle = std::f32::consts::PI * SENSITIVE * periods;
    if angle < 1e-3 { 1.0 } else { (sin_cos(angle).0 / angle).abs() }
}

impl Canvas {
    /// A Gaussian blur, as several small ones where it is large.
    pub(crate) fn defocus(&mut self, deviation: f32) {
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
    pub(crate) fn expose(&self, camera: &Camera, frame: u64) -> Picture {
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
