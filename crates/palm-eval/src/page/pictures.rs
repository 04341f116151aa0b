//! Pictures for the page: of synthetic palms alone, and small.

use std::collections::BTreeMap;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use handfast_palm::decode;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{FilterType, resize};
use image::{ExtendedColorType, RgbImage};

use crate::acquisition::Failure;
use crate::genuine::GenuinePair;
use crate::set::SampleSet;

/// Failures whose pictures are shown.
pub const SHOWN_FAILURES: usize = 24;
/// The longer side of a picture on the page.
const SIDE_PX: u32 = 240;
/// Enough to see what went wrong.
const JPEG_QUALITY: u8 = 72;

/// Small pictures as data addresses, by palm and file; empty for every set but a synthetic one.
#[derive(Default)]
pub struct Pictures(BTreeMap<(String, String), String>);

impl Pictures {
    /// The pictures of what failed. A file is taken only if its bytes are those that the set's
    /// manifest says its generator wrote.
    pub fn of(set: &SampleSet, failures: &[Failure], worst: &[GenuinePair]) -> Self {
        let Some(manifest) = &set.manifest else { return Self::default() };
        let failed = failures.iter().take(SHOWN_FAILURES).map(|it| (&it.palm, &it.sample));
        let pairs = worst.iter();
        let paired = pairs.flat_map(|it| [(&it.palm, &it.reference), (&it.palm, &it.probe)]);
        let mut pictures = BTreeMap::new();
        for (palm, file) in failed.chain(paired) {
            let folder = set.palms.iter().find(|it| it.name == *palm);
            let sample = folder.and_then(|it| it.samples.iter().find(|s| s.name == *file));
            let Some(bytes) = sample.and_then(|sample| fs::read(&sample.path).ok()) else {
                continue;
            };
            if !manifest.wrote(palm, file, &bytes) {
                continue;
            }
            if let Some(address) = small(&bytes) {
                pictures.insert((palm.clone(), file.clone()), address);
            }
        }
        Self(pictures)
    }

    /// The data address of a picture.
    pub fn get(&self, palm: &str, file: &str) -> Option<&str> {
        self.0.get(&(palm.to_owned(), file.to_owned())).map(|it| &**it)
    }
}

fn small(bytes: &[u8]) -> Option<String> {
    let picture = decode(bytes).ok()?;
    let (width, height) = (picture.width(), picture.height());
    let whole = RgbImage::from_raw(width, height, picture.rgb().to_vec())?;
    let scale = (f64::from(SIDE_PX) / f64::from(width.max(height))).min(1.0);
    let side = |px: u32| ((f64::from(px) * scale) as u32).max(1);
    let small = resize(&whole, side(width), side(height), FilterType::Triangle);
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY)
        .encode(&small, small.width(), small.height(), ExtendedColorType::Rgb8)
        .ok()?;
    Some(format!("data:image/jpeg;base64,{}", STANDARD.encode(jpeg)))
}
