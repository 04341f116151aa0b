//! `handfast synth`: procedural hands as pictures and videos, for trying out and for tests.

mod set;
mod sheet;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use handfast_palm::{Picture, Side, decode};
use handfast_palm_synth::{Approach, Camera, Identity, Story};

use super::Answer;
use super::picture_file::{SideName, read};
use crate::qr;

/// A film longer than this fills a disk: 46 MB a second at 640x480 and 15 frames.
const SCENE_MS_MAX: u64 = 60_000;
/// In the middle of the hover of a hand.
const HOVER_MOMENT_MS: u64 = 2_000;

/// Arguments of `handfast synth`.
#[derive(Debug, Args)]
pub struct Synth {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// One picture of one hand, as PNG
    Hand {
        /// Whose hand: every number is another person
        #[arg(long)]
        seed: u64,
        /// Which hand
        #[arg(long, default_value = "right")]
        side: SideName,
        /// Which visit: another light, another pose
        #[arg(long, default_value_t = 1)]
        visit: u64,
        /// The file to write
        #[arg(long)]
        out: PathBuf,
    },
    /// A set of palms for `handfast eval` and `handfast calibrate`: two visits of every palm, and what
    /// the palms look like
    Set(set::Set),
    /// A sheet of examples: hands, palms in two lights, artefacts
    Sheet {
        /// The JPEG file to write
        #[arg(long)]
        out: PathBuf,
    },
    /// A film of 640x480 at 15 frames a second, as y4m (a browser's fake camera plays it)
    #[command(after_help = SCENES)]
    Video {
        /// What happens, one after the other
        #[arg(required = true)]
        scenes: Vec<SceneText>,
        /// The file to write
        #[arg(long)]
        out: PathBuf,
    },
}

const SCENES: &str = "\
Scenes (MS is how long, in milliseconds):
  empty:MS               nobody
  ticket:CODE:MS         a phone that shows the code
  hand:SEED:SIDE:MS      a hand that comes, hovers and leaves; SIDE is left or right
  picture:FILE:MS        a PNG, JPEG or BMP picture, fitted into the frame";

/// One scene of a film, as it is written on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
enum SceneText {
    Empty(u64),
    Ticket(String, u64),
    Hand(u64, Side, u64),
    Picture(PathBuf, u64),
}

impl FromStr for SceneText {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (rest, ms) = text.rsplit_once(':').ok_or("a scene ends with :MS")?;
        let ms = ms.parse().map_err(|_| format!("`{ms}` is no number of milliseconds"))?;
        if ms > SCENE_MS_MAX {
            return Err(format!("a scene lasts at most {SCENE_MS_MAX} ms"));
        }
        let (kind, what) = rest.split_once(':').unwrap_or((rest, ""));
        match kind {
            "empty" => Ok(Self::Empty(ms)),
            "ticket" if !what.is_empty() => Ok(Self::Ticket(what.to_owned(), ms)),
            "picture" if !what.is_empty() => Ok(Self::Picture(what.into(), ms)),
            "hand" => {
                let (seed, side) = what.split_once(':').ok_or("a hand is hand:SEED:SIDE:MS")?;
                let side = match side {
                    "left" => Side::Left,
                    "right" => Side::Right,
                    other => return Err(format!("`{other}` is no side; write left or right")),
                };
                let seed = seed.parse().map_err(|_| format!("`{seed}` is no seed"))?;
                Ok(Self::Hand(seed, side, ms))
            }
            other => Err(format!("`{other}` is no scene; see --help")),
        }
    }
}

impl Synth {
    /// Writes the picture or film.
    pub fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        match self.what {
            What::Hand { seed, side, visit, out: file } => {
                write_png(&hand_picture(seed, side.side(), visit), &file)?;
                writeln!(out, "wrote {}", file.display())?;
            }
            What::Set(set) => set.run(out)?,
            What::Sheet { out: file } => {
                sheet::write(&file)?;
                writeln!(out, "wrote {}", file.display())?;
            }
            What::Video { scenes, out: file } => {
                let story = story_of(&scenes)?;
                let target = File::create_new(&file).with_context(|| {
                    format!("{} could not be made; name a new file", file.display())
                })?;
                story.write_y4m(BufWriter::new(target))?;
                writeln!(out, "wrote {} ({} frames)", file.display(), story.frames())?;
            }
        }
        Ok(Answer::Positive)
    }
}

fn hand_picture(seed: u64, side: Side, visit: u64) -> Picture {
    let approach = Approach::new(Identity::from_seed(seed).hand(side), visit);
    Camera::default().render(&approach.scene_at(HOVER_MOMENT_MS), visit, 1_280, 960)
}

fn write_png(picture: &Picture, file: &PathBuf) -> anyhow::Result<()> {
    let (width, height) = (picture.width(), picture.height());
    let pixels = image::RgbImage::from_raw(width, height, picture.rgb().to_vec())
        .context("the picture has another size than it says")?;
    if file.exists() {
        bail!("{} exists already; name a new file", file.display());
    }
    pixels
        .save_with_format(file, image::ImageFormat::Png)
        .with_context(|| format!("{} could not be written", file.display()))
}

fn story_of(scenes: &[SceneText]) -> anyhow::Result<Story> {
    let mut story = Story::new();
    for (number, scene) in (1..).zip(scenes) {
        story = match scene {
            SceneText::Empty(ms) => story.empty(*ms),
            SceneText::Ticket(code, ms) => {
                let code = qr::modules(code).context("this code is too long for a QR code")?;
                story.ticket(code, number, *ms)
            }
            SceneText::Hand(seed, side, ms) => {
                story.hand(Identity::from_seed(*seed).hand(*side), number, *ms)
            }
            SceneText::Picture(file, ms) => {
                let picture = decode(&read(file)?)
                    .with_context(|| format!("{} cannot be used", file.display()))?;
                story.picture(&picture, *ms)
            }
        };
    }
    Ok(story)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenes_are_read() {
        assert_eq!("empty:500".parse(), Ok(SceneText::Empty(500)));
        assert_eq!("ticket:HF1.A:B:20".parse(), Ok(SceneText::Ticket("HF1.A:B".into(), 20)));
        assert_eq!("hand:7:left:900".parse(), Ok(SceneText::Hand(7, Side::Left, 900)));
        assert_eq!("picture:/a/b.png:9".parse(), Ok(SceneText::Picture("/a/b.png".into(), 9)));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in
            ["", "empty", "empty:soon", "hand:7:9", "hand:7:up:9", "face:3", "empty:99999999"]
        {
            assert!(text.parse::<SceneText>().is_err(), "{text}");
        }
    }
}
