//! A sheet of examples for people to see what is drawn.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use anyhow::Context as _;
use handfast_palm::{Picture, Side};
use handfast_palm_synth::{Attack, Held, Identity, Species, Spectrum};
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{FilterType, overlay, resize};
use image::{Rgb, RgbImage};

/// Examples in a row, and the size of one on the sheet.
const COLUMNS: u32 = 7;
const CELL: (u32, u32) = (200, 150);
const GAP: u32 = 6;
const ROWS: u32 = 4;
/// Small enough for a document.
const JPEG_QUALITY: u8 = 84;
/// People whose skins run from light to dark.
const PEOPLE: [u64; COLUMNS as usize] = [11, 4, 27, 8, 2, 19, 31];

/// Writes the sheet: hands, palms in white light, the same in near infrared, artefacts.
pub fn write(file: &Path) -> anyhow::Result<()> {
    let (width, height) = (COLUMNS * (CELL.0 + GAP) + GAP, ROWS * (CELL.1 + GAP) + GAP);
    let mut sheet = RgbImage::from_pixel(width, height, Rgb([246, 245, 242]));
    let mut people = PEOPLE.map(Identity::from_seed);
    people.sort_by(|a, b| a.skin_tone().total_cmp(&b.skin_tone()));
    for ((column, person), species) in (0..).zip(people).zip(Species::ALL) {
        let side = if column % 2 == 0 { Side::Left } else { Side::Right };
        let hand = person.hand(side);
        let row = [
            Held::new(hand.clone(), 1).frame(1, 640, 480),
            hand.roi(1, Spectrum::Visible, 256),
            hand.roi(1, Spectrum::NearInfrared, 256),
            Attack::new(species, &hand, 3).frame(1, 1_280, 960),
        ];
        for (line, picture) in (0..).zip(row) {
            place(&mut sheet, &picture, column, line)?;
        }
    }
    let target = File::create_new(file)
        .with_context(|| format!("{} cannot be made; name a new file", file.display()))?;
    JpegEncoder::new_with_quality(BufWriter::new(target), JPEG_QUALITY)
        .encode_image(&sheet)
        .with_context(|| format!("{} could not be written", file.display()))
}

/// Fits a picture into its cell.
fn place(sheet: &mut RgbImage, picture: &Picture, column: u32, row: u32) -> anyhow::Result<()> {
    let whole = RgbImage::from_raw(picture.width(), picture.height(), picture.rgb().to_vec())
        .context("the picture has another size than it says")?;
    let scale = (f64::from(CELL.0) / f64::from(picture.width()))
        .min(f64::from(CELL.1) / f64::from(picture.height()));
    let side = |px: u32| (f64::from(px) * scale) as u32;
    let small = resize(&whole, side(picture.width()), side(picture.height()), FilterType::Triangle);
    let at = |k: u32, cell: u32, own: u32| i64::from(GAP + k * (cell + GAP) + (cell - own) / 2);
    overlay(sheet, &small, at(column, CELL.0, small.width()), at(row, CELL.1, small.height()));
    Ok(())
}
