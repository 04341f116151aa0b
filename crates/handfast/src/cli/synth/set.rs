//! A set of drawn palms in a folder, with what the palms look like.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write};
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use clap::Args;
use clap::builder::RangedU64ValueParser;
use handfast_palm::{Picture, Side};
use handfast_palm_eval::{MANIFEST_FILE, MANIFEST_VERSION, Manifest, PalmTraits, sha256};
use handfast_palm_synth::{Camera, Hand, Held, Identity, Spectrum};
use image::{ExtendedColorType, ImageEncoder as _, codecs::png::PngEncoder};

/// A set of so many palms takes an hour to draw.
const PALMS_MAX: u64 = 10_000;
/// Frames of a visit beyond which nothing new is seen.
const SAMPLES_MAX: u64 = 20;
/// Size of a whole picture, and of a crop.
const PICTURE: (u32, u32) = (1_280, 720);
const CROP_PX: u32 = 128;
/// Sizes of hands, a child's of ten years to a large man's, against a grown hand's middle.
const SIZE: (f32, f32) = (0.76, 1.12);

/// Arguments of `handfast synth set`.
#[derive(Debug, Args)]
pub struct Set {
    /// How many palms
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<u64>::new().range(2..=PALMS_MAX))]
    palms: u64,
    /// Samples of each visit
    #[arg(long, value_name = "N", default_value = "3", value_parser = RangedU64ValueParser::<u64>::new().range(1..=SAMPLES_MAX))]
    samples: u64,
    /// The first palm's person; the others follow
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Ready-made crops of palms instead of whole hands; name the folder ...-roi
    #[arg(long)]
    crops: bool,
    /// Draw in near infrared instead of white light
    #[arg(long)]
    near_infrared: bool,
    /// The new folder
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Set {
    /// Draws the set.
    pub fn run(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let dir = self.out.display();
        ensure!(!self.out.exists(), "{dir} exists already; name a new folder");
        fs::create_dir_all(&self.out).with_context(|| {
            format!("{dir} cannot be made; name a folder that you may write to")
        })?;
        let mut manifest = Manifest {
            version: MANIFEST_VERSION,
            generator: format!(
                "handfast {} synth set, seed {}",
                env!("CARGO_PKG_VERSION"),
                self.seed
            ),
            palms: BTreeMap::new(),
            pictures: BTreeMap::new(),
        };
        for number in 0..self.palms {
            if number % 25 == 0 {
                // Progress is a courtesy: where stderr is gone, the work goes on.
                let _ = writeln!(std::io::stderr(), "drawing palm {number} of {}", self.palms);
            }
            self.draw(number, &mut manifest)?;
        }
        let text = serde_json::to_string_pretty(&manifest)?;
        fs::write(self.out.join(MANIFEST_FILE), text)
            .with_context(|| format!("{dir}/{MANIFEST_FILE} could not be written"))?;
        writeln!(out, "wrote {dir}: {} palms, {} pictures", self.palms, manifest.pictures.len())?;
        Ok(())
    }

    fn draw(&self, number: u64, manifest: &mut Manifest) -> anyhow::Result<()> {
        let seed = self.seed.wrapping_add(number);
        let identity = Identity::from_seed(seed);
        let (side, letter) =
            if number.is_multiple_of(2) { (Side::Right, 'r') } else { (Side::Left, 'l') };
        let name = format!("p{number:05}_{letter}");
        let hand = if self.crops { identity.palm(side) } else { identity.hand(side) };
        let folder = self.out.join(&name);
        fs::create_dir(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        // Which sizes follow each other says nothing of who has them.
        let hand_size =
            (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f32 / (1_u64 << 24) as f32;
        for (visit, sample) in (1..=2).flat_map(|visit| (1..=self.samples).map(move |k| (visit, k)))
        {
            let file = format!("s{visit}_{sample:02}.png");
            let picture = self.picture(&hand, hand_size, visit, sample);
            let bytes = png(&picture)?;
            let path = folder.join(&file);
            fs::write(&path, &bytes)
                .with_context(|| format!("{} could not be written", path.display()))?;
            manifest.pictures.insert(format!("{name}/{file}"), sha256(&bytes));
        }
        let traits = PalmTraits {
            skin_tone: identity.skin_tone(),
            hand_size,
            wrinkling: identity.wrinkling(),
        };
        manifest.palms.insert(name, traits);
        Ok(())
    }

    fn picture(&self, hand: &Hand, size: f32, visit: u64, sample: u64) -> Picture {
        let near_infrared = self.near_infrared;
        let spectrum = if near_infrared { Spectrum::NearInfrared } else { Spectrum::Visible };
        if self.crops {
            return hand.roi(visit * 1_000 + sample, spectrum, CROP_PX);
        }
        let held = Held::new(hand.clone(), visit).sized(SIZE.0 + (SIZE.1 - SIZE.0) * size);
        let held = if near_infrared {
            held.by(Camera { spectrum, depth: 1.0, ..Camera::default() })
        } else {
            held
        };
        held.frame(sample - 1, PICTURE.0, PICTURE.1)
    }
}

fn png(picture: &Picture) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    let (pixels, kind) = if picture.is_grey() {
        (picture.grey(), ExtendedColorType::L8)
    } else {
        (picture.rgb(), ExtendedColorType::Rgb8)
    };
    PngEncoder::new(&mut bytes).write_image(&pixels, picture.width(), picture.height(), kind)?;
    Ok(bytes.into_inner())
}
