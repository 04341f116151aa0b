//! A flat thing that shows a picture of a hand: a sheet of paper or a screen.

use handfast_palm::{Picture, Side};

use crate::camera::{Camera, Projection, Spectrum, render, resolved};
use crate::identity::Hand;
use crate::light::Light;
use crate::maths::{bell, mix, sin_cos};
use crate::scene::{HandPose, Scene};
use crate::stream::{Noise, Stream};

/// The stolen picture: taken with a good camera, life-size when it is shown.
const PICTURE_WIDTH: u32 = 1_600;
const PICTURE_HEIGHT: u32 = 1_200;
/// Lighter than this, of 255, is hand; the picture's own ground is dark.
const HAND_LUMA: f32 = 46.0;
/// Where the fingers of a cut-out begin, in hand units below its middle.
const KNUCKLES: f32 = -0.9;
/// Angles of a printer's screens for red, green and blue, in radians: cyan 15, magenta 75, yellow 0
/// degrees, so that their dots make no rosette of their own.
const SCREEN_ANGLES: [f32; 3] = [0.262, 1.309, 0.0];

/// What a flat thing is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Sheet {
    /// Toner or ink in dots on paper.
    Halftone {
        /// Dots a hand unit.
        dots: f32,
    },
    /// A glossy photograph without dots.
    Photograph {
        /// How bright the sheet's gloss is.
        gloss: f32,
    },
    /// A display.
    Screen {
        /// Pixels a hand unit.
        pixels: f32,
        /// How bright the room is reflected.
        reflection: f32,
        /// How strongly lines of refresh roll through, as a part of the brightness.
        bands: f32,
    },
}

/// A picture on a flat thing.
#[derive(Clone, Debug)]
pub(crate) struct Plane {
    picture: Vec<[f32; 3]>,
    sheet: Sheet,
    /// Half sizes in hand units; beyond is what is behind it.
    half: [f32; 2],
    /// Whether the hand is cut out along its outline.
    cut_out: bool,
    /// Black and white of the medium as parts of the light, and how much colour is left.
    black: f32,
    white: f32,
    colour: f32,
    cast: [f32; 3],
    grain: Noise,
}

impl Plane {
    pub(crate) fn of(
        hand: &Hand,
        seed: u64,
        sheet: Sheet,
        cut_out: bool,
        stream: &mut Stream,
    ) -> Self {
        let pose = HandPose::default();
        let scene = Scene::Hand { hand: hand.clone(), pose, sample_seed: seed };
        let shown = render(&scene, PICTURE_WIDTH, PICTURE_HEIGHT);
        let rgb = shown.rgb();
        let (pixels, _) = rgb.as_chunks::<3>();
        let picture = pixels.iter().map(|pixel| pixel.map(f32::from)).collect();
        let screen = matches!(sheet, Sheet::Screen { .. });
        Self {
            picture,
            sheet,
            half: [stream.between(2.4, 4.6), stream.between(2.9, 4.2)],
            cut_out,
            black: if screen { stream.between(0.01, 0.05) } else { stream.between(0.05, 0.12) },
            white: if screen { stream.between(0.85, 1.1) } else { stream.between(0.78, 0.92) },
            colour: stream.between(0.72, 0.98),
            cast: if screen {
                [stream.between(0.9, 1.0), 1.0, stream.between(1.0, 1.12)]
            } else {
                [stream.between(0.96, 1.03), 1.0, stream.between(0.93, 1.02)]
            },
            grain: stream.noise(),
        }
    }

    /// The thing in front of the camera's ground. `flop` is how far a cut-out's fingers bend to the camera
    /// one hand unit from their base; it grows with the square of that.
    pub(crate) fn frame(
        &self,
        pose: &HandPose,
        camera: &Camera,
        (light_seed, frame): (u64, u64),
        flop: f32,
        size: (u32, u32),
    ) -> Picture {
        let light = Light::of(light_seed);
        let (width, height) = (size.0 as usize, size.1 as usize);
        let mut canvas = camera.ground.paint(width, height, &light, camera.spectrum);
        let plane = Projection::of(pose, Side::Left, width, height);
        for y in 0..height {
            for x in 0..width {
                let place = plane.to_hand(x as f32 + 0.5, y as f32 + 0.5);
                let place = self.flopped(place, &plane, flop);
                let Some(mut colour) = self.look_up(place) else { continue };
                let fall = light.fall_off(x as f32 / width as f32, y as f32 / height as f32);
                self.show(&mut colour, place, &plane, pose, (fall * light.level(), y, frame));
                canvas.pixels[y * width + x] = match camera.spectrum {
                    Spectrum::Visible => colour,
                    Spectrum::NearInfrared => [(colour[0] + colour[1] + colour[2]) / 3.0; 3],
                };
            }
        }
        canvas.defocus(camera.blur);
        canvas.expose(camera, frame)
    }

    /// The place of the thing that is seen at a place of its plane: cut out, its fingers bend under
    /// their weight.
    fn flopped(&self, [u, v]: [f32; 2], plane: &Projection, flop: f32) -> [f32; 2] {
        let beyond = (KNUCKLES - v).max(0.0);
        if !self.cut_out || beyond == 0.0 {
            return [u, v];
        }
        let height = flop * beyond * beyond;
        [u - plane.lean[0] * height, v - plane.lean[1] * height]
    }

    /// The picture at a place of the thing; none beside it.
    fn look_up(&self, place: [f32; 2]) -> Option<[f32; 3]> {
        let pose = HandPose::default();
        let unit = pose.radius * PICTURE_HEIGHT as f32;
        let x = pose.centre.0 * PICTURE_WIDTH as f32 + place[0] * unit - 0.5;
        // The hand's middle is low in its picture, and the thing is held by its middle.
        let y = pose.centre.1 * PICTURE_HEIGHT as f32 + place[1] * unit - 0.5;
        let (right, bottom) = ((PICTURE_WIDTH - 2) as f32, (PICTURE_HEIGHT - 2) as f32);
        let inside = place[0].abs() < self.half[0] && (place[1] + 0.6).abs() < self.half[1];
        if !inside || x < 0.0 || y < 0.0 || x > right || y > bottom {
            return None;
        }
        let (column, row) = (x as usize, y as usize);
        let (fx, fy) = (x - column as f32, y - row as f32);
        let first = row * PICTURE_WIDTH as usize + column;
        let below = first + PICTURE_WIDTH as usize;
        let colour: [f32; 3] = std::array::from_fn(|k| {
            let above = mix(self.picture[first][k], self.picture[first + 1][k], fx);
            mix(above, mix(self.picture[below][k], self.picture[below + 1][k], fx), fy)
        });
        let luma = (colour[0] + colour[1] + colour[2]) / 3.0;
        (!self.cut_out || luma > HAND_LUMA).then_some(colour)
    }

    /// What the medium makes of a colour, under this much light, in this row of this frame.
    fn show(
        &self,
        colour: &mut [f32; 3],
        place: [f32; 2],
        plane: &Projection,
        pose: &HandPose,
        (light, row, frame): (f32, usize, u64),
    ) {
        let grey = (colour[0] + colour[1] + colour[2]) / 3.0;
        for (k, value) in colour.iter_mut().enumerate() {
            let kept = (grey + (*value - grey) * self.colour) / 255.0;
            *value = mix(self.black, self.white, kept) * self.cast[k];
        }
        match self.sheet {
            Sheet::Halftone { dots } => {
                let fibre = 0.02 * self.grain.at(place[0] * 60.0, place[1] * 60.0);
                for (k, value) in colour.iter_mut().enumerate() {
                    let dot = halftone(place, dots, SCREEN_ANGLES[k], plane.scale);
                    // Dots stand out most where half the paper is covered.
                    let covered = 4.0 * *value * (1.0 - *value).max(0.0);
                    *value = (*value + 0.45 * covered * dot + fibre) * light * 255.0;
                }
            }
            Sheet::Photograph { gloss } => {
                // The lamp is seen in the sheet where it leans towards it, and runs with the lean.
                let off =
                    place[0] * 0.5 + place[1] * 0.35 + 9.0 * (pose.tilt.0 + pose.tilt.1) - 0.6;
                let sheen = gloss * 255.0 * bell(off * off * 2.0);
                for value in colour.iter_mut() {
                    *value = *value * light * 255.0 + sheen;
                }
            }
            Sheet::Screen { pixels, reflection, bands } => {
                let turn = std::f32::consts::TAU;
                let seen = resolved(pixels / plane.scale);
                let rows = 0.3 * seen * sin_cos(place[1] * pixels * turn).0;
                let roll = sin_cos(row as f32 * 0.021 + frame as f32 * 1.9).0;
                let mirrored = reflection * 40.0 * (1.0 + self.grain.at(place[0], place[1] * 0.7));
                for (k, value) in colour.iter_mut().enumerate() {
                    let stripe = place[0] * pixels + k as f32 / 3.0;
                    let grid = 0.8 * seen * sin_cos(stripe * turn).0;
                    let own = *value * 235.0 * (1.0 + grid) * (1.0 + rows) * (1.0 + bands * roll);
                    *value = own.max(0.0) + mirrored;
                }
            }
        }
    }
}

/// A printer's dots at a place: -1 to 1, as much as the camera resolves.
fn halftone(place: [f32; 2], dots: f32, angle: f32, scale: f32) -> f32 {
    let (sine, cosine) = sin_cos(angle);
    let turn = std::f32::consts::TAU * dots;
    let along = sin_cos((place[0] * cosine + place[1] * sine) * turn).0;
    let across = sin_cos((place[1] * cosine - place[0] * sine) * turn).0;
    0.5 * resolved(dots / scale) * (along + across)
}
