//! A film for tests: what happens before the camera, second by second.

use std::io::{self, Write};

use handfast_palm::Picture;

use crate::approach::{ARRIVE_MS, Approach, LEAVE_MS};
use crate::camera::Camera;
use crate::identity::Hand;
use crate::resample::shrink;
use crate::scene::{QrModules, Scene};
use crate::y4m::Y4mWriter;

/// Width of a story's frames.
pub const STORY_WIDTH: u32 = 640;
/// Height of a story's frames.
pub const STORY_HEIGHT: u32 = 480;
/// Frames a second: what a pedestal page sends.
pub const STORY_FRAMES_PER_SECOND: u32 = 15;

/// What a part of a story shows.
enum Part {
    Scene(Scene),
    Approach(Box<Approach>),
    Picture(Picture),
}

/// A list of timed scenes. It can be asked for any frame, or written as a video.
#[derive(Default)]
pub struct Story {
    camera: Camera,
    /// Each part and when it ends, in milliseconds from the story's beginning.
    parts: Vec<(Part, u64)>,
}

impl std::fmt::Debug for Story {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Story({} parts, {} ms)", self.parts.len(), self.duration_ms())
    }
}

impl Story {
    /// A story without parts, before the default camera.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same story before another camera.
    #[must_use]
    pub fn seen_by(self, camera: Camera) -> Self {
        Self { camera, ..self }
    }

    /// Nothing for a while.
    #[must_use]
    pub fn empty(self, ms: u64) -> Self {
        self.then(Part::Scene(Scene::Empty), ms)
    }

    /// A phone with a code, held for a while.
    #[must_use]
    pub fn ticket(self, code: QrModules, seed: u64, ms: u64) -> Self {
        self.then(Part::Scene(Scene::Ticket { code, sample_seed: seed }), ms)
    }

    /// A hand that comes, hovers and leaves, all within `ms` (longer where that is too short to
    /// come and go).
    #[must_use]
    pub fn hand(self, hand: Hand, seed: u64, ms: u64) -> Self {
        let approach =
            Approach::new(hand, seed).with_hover_ms(ms.saturating_sub(ARRIVE_MS + LEAVE_MS));
        let ms = approach.duration_ms();
        self.then(Part::Approach(Box::new(approach)), ms)
    }

    /// Any picture, fitted into the frame with dark bars, for a while.
    ///
    /// # Panics
    /// Never: a frame is a size that the engine takes.
    #[must_use]
    pub fn picture(self, picture: &Picture, ms: u64) -> Self {
        let frame = letterbox(picture, STORY_WIDTH, STORY_HEIGHT);
        self.then(Part::Picture(frame), ms)
    }

    fn then(mut self, part: Part, ms: u64) -> Self {
        let end = self.duration_ms() + ms;
        self.parts.push((part, end));
        self
    }

    /// How long the story is.
    #[must_use]
    pub fn duration_ms(&self) -> u64 {
        self.parts.last().map_or(0, |(_, end)| *end)
    }

    /// How many frames the story has.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.duration_ms() * u64::from(STORY_FRAMES_PER_SECOND) / 1_000
    }

    /// One frame; from the story's end on it begins again.
    #[must_use]
    pub fn frame(&self, number: u64) -> Picture {
        let ms = (number * 1_000 / u64::from(STORY_FRAMES_PER_SECOND)) % self.duration_ms().max(1);
        let mut begin = 0;
        for (part, end) in &self.parts {
            if ms < *end {
                return self.shoot(part, ms - begin, number);
            }
            begin = *end;
        }
        self.shoot(&Part::Scene(Scene::Empty), 0, number)
    }

    fn shoot(&self, part: &Part, ms: u64, number: u64) -> Picture {
        match part {
            Part::Scene(scene) => self.camera.render(scene, number, STORY_WIDTH, STORY_HEIGHT),
            Part::Approach(approach) => {
                self.camera.render(&approach.scene_at(ms), number, STORY_WIDTH, STORY_HEIGHT)
            }
            Part::Picture(picture) => {
                Picture::from_rgb(STORY_WIDTH, STORY_HEIGHT, picture.rgb().to_vec())
                    .expect("copied from a picture")
            }
        }
    }

    /// Writes the whole story as a y4m video, frame by frame.
    ///
    /// # Errors
    /// Whatever the stream answers.
    pub fn write_y4m<W: Write>(&self, out: W) -> io::Result<()> {
        let mut video = Y4mWriter::new(out, STORY_WIDTH, STORY_HEIGHT, STORY_FRAMES_PER_SECOND)?;
        for number in 0..self.frames() {
            video.write(&self.frame(number))?;
        }
        video.finish().map(drop)
    }
}

/// A picture fitted into a frame, its middle in the frame's, with nearly black bars.
///
/// # Panics
/// Where the picture engine cannot hold a frame of this size.
#[must_use]
pub fn letterbox(picture: &Picture, width: u32, height: u32) -> Picture {
    const BAR: [u8; 3] = [16, 16, 18];
    let (from_width, from_height) = (u64::from(picture.width()), u64::from(picture.height()));
    // integers: the fit must not depend on rounding
    let (fit_width, fit_height) =
        if from_width * u64::from(height) >= from_height * u64::from(width) {
            (u64::from(width), (from_height * u64::from(width) / from_width).max(1))
        } else {
            ((from_width * u64::from(height) / from_height).max(1), u64::from(height))
        };
    let (fit_width, fit_height) = (fit_width as usize, fit_height as usize);
    let rgb = picture.rgb();
    let (pixels, _) = rgb.as_chunks::<3>();
    let (from_width, from_height) = (from_width as usize, from_height as usize);
    let step = (from_width as f32 / fit_width as f32, from_height as f32 / fit_height as f32);
    let fitted = shrink(pixels, (from_width, from_height), (fit_width, fit_height), step);
    let (left, top) = ((width as usize - fit_width) / 2, (height as usize - fit_height) / 2);
    let mut frame = vec![BAR; width as usize * height as usize];
    for (y, row) in fitted.chunks_exact(fit_width).enumerate() {
        let first = (top + y) * width as usize + left;
        frame[first..first + fit_width].copy_from_slice(row);
    }
    Picture::from_rgb(width, height, frame.into_flattened())
        .expect("the caller asks for a size that the engine takes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Identity;
    use handfast_palm::Side;

    #[test]
    fn parts_follow_each_other_and_the_story_loops() {
        let white = Picture::from_grey(640, 480, vec![255; 640 * 480]).unwrap();
        let story = Story::new().empty(1_000).picture(&white, 1_000);
        assert_eq!((story.duration_ms(), story.frames()), (2_000, 30));
        let mean = |number| {
            let grey = story.frame(number).grey();
            grey.iter().map(|&v| u64::from(v)).sum::<u64>() / grey.len() as u64
        };
        assert!(mean(0) < 40 && mean(14) < 40);
        assert_eq!((mean(15), mean(29)), (255, 255));
        assert!(mean(30) < 40);
    }

    #[test]
    fn a_story_is_written_whole() {
        let story = Story::new().empty(200).hand(Identity::from_seed(1).palm(Side::Left), 1, 200);
        assert_eq!(story.duration_ms(), 200 + ARRIVE_MS + LEAVE_MS);
        let mut bytes = Vec::new();
        Story::new().empty(200).write_y4m(&mut bytes).unwrap();
        let header = bytes.iter().position(|&b| b == b'\n').unwrap() + 1;
        assert_eq!(bytes.len(), header + 3 * (6 + 640 * 480 * 3 / 2));
    }

    #[test]
    fn letterboxing_keeps_the_shape() {
        let tall = Picture::from_grey(100, 200, vec![200; 20_000]).unwrap();
        let grey = letterbox(&tall, 640, 480).grey();
        let at = |x: usize, y: usize| grey[y * 640 + x];
        assert_eq!(at(320, 5), 200);
        assert_eq!(at(320, 475), 200);
        assert!(at(190, 240) < 20 && at(450, 240) < 20);
        assert_eq!((at(205, 240), at(434, 240)), (200, 200));
    }
}
