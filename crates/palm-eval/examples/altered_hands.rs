//! How pictures of whole hands fare when they are taken otherwise: smaller, turned, dimmer, without
//! colour. `cargo run --release -p handfast-palm-eval --example altered_hands -- DIR...` alters every picture of
//! the folders, evaluates each kind of alteration as a set of its own, and prints one table a folder.
//!
//! Altered pictures are kept in a folder for temporary files until their set is evaluated: run it where
//! the pictures may lie. Each alteration is the same in every run.

#![expect(clippy::print_stdout, reason = "a tool prints")]

use std::error::Error;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Instant;

use handfast_palm::{Effort, decode};
use handfast_palm_eval::{Grouping, Input, Options, SampleSet, Stopwatch, evaluate};
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};

/// Longest side that pictures are brought to first: about a kiosk camera's.
const LONGEST_PX: u32 = 960;

/// How a picture is changed.
#[derive(Clone, Copy)]
enum Alteration {
    None,
    /// So large, in a picture of the same size.
    Smaller(f32),
    /// By an angle of its own, at most so many degrees either way, at 0.8 of its size.
    Turned(f32),
    WithoutColour,
    /// Every level times this.
    Lit(f32),
    /// So strong in each channel.
    Noise(f32),
}

impl Alteration {
    const ALL: [(&'static str, Self); 10] = [
        ("as it is", Self::None),
        ("0.7 of its size", Self::Smaller(0.7)),
        ("0.55 of its size", Self::Smaller(0.55)),
        ("0.45 of its size", Self::Smaller(0.45)),
        ("turned by up to 30 degrees, 0.8 of its size", Self::Turned(30.0)),
        ("turned any way, 0.8 of its size", Self::Turned(180.0)),
        ("without colour", Self::WithoutColour),
        ("0.45 of its light", Self::Lit(0.45)),
        ("1.35 of its light", Self::Lit(1.35)),
        ("noise of 12 levels", Self::Noise(12.0)),
    ];

    fn apply(self, picture: &RgbImage, random: &mut Random) -> RgbImage {
        match self {
            Self::None => picture.clone(),
            Self::Smaller(scale) => placed(picture, 0.0, scale),
            Self::Turned(degrees) => placed(picture, degrees * random.between(-1.0, 1.0), 0.8),
            Self::WithoutColour => {
                let grey = imageops::grayscale(picture);
                RgbImage::from_fn(grey.width(), grey.height(), |x, y| {
                    Rgb([grey.get_pixel(x, y).0[0]; 3])
                })
            }
            Self::Lit(gain) => changed(picture, |value| value * gain),
            Self::Noise(strength) => {
                changed(picture, |value| value + strength * random.about_normal())
            }
        }
    }
}

fn changed(picture: &RgbImage, mut change: impl FnMut(f32) -> f32) -> RgbImage {
    let mut out = picture.clone();
    for value in out.iter_mut() {
        *value = change(f32::from(*value)).clamp(0.0, 255.0) as u8;
    }
    out
}

/// The picture turned about its middle and made smaller, on a ground of the colour that is most usual
/// along its upper edge.
fn placed(picture: &RgbImage, degrees: f32, scale: f32) -> RgbImage {
    let (width, height) = picture.dimensions();
    let small = |length: u32| ((length as f32 * scale) as u32).max(1);
    let (small_width, small_height) = (small(width), small(height));
    let shrunk = imageops::resize(picture, small_width, small_height, FilterType::Triangle);
    let ground = Rgb(std::array::from_fn(|channel| {
        let mut edge: Vec<u8> = (0..width).map(|x| picture.get_pixel(x, 0).0[channel]).collect();
        edge.sort_unstable();
        edge[edge.len() / 2]
    }));
    let (sine, cosine) = degrees.to_radians().sin_cos();
    let middle = |length: u32| (length - 1) as f32 / 2.0;
    RgbImage::from_fn(width, height, |x, y| {
        let (dx, dy) = (x as f32 - middle(width), y as f32 - middle(height));
        let from_x = cosine * dx + sine * dy + middle(small_width);
        let from_y = cosine * dy - sine * dx + middle(small_height);
        imageops::interpolate_bilinear(&shrunk, from_x, from_y).unwrap_or(ground)
    })
}

/// Numbers that repeat: a linear congruence is enough for angles and noise.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1_u64 << 24) as f32
    }

    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// A sum of four uniform numbers, of variance one.
    fn about_normal(&mut self) -> f32 {
        let sum: f32 = (0..4).map(|_| self.between(-1.0, 1.0)).sum();
        sum * 3.0_f32.sqrt() / 2.0
    }
}

struct SystemStopwatch(Instant);

impl Stopwatch for SystemStopwatch {
    fn nanos(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    for dir in std::env::args().skip(1) {
        let set = SampleSet::read(Path::new(&dir), None)?;
        println!("| {} | FTA % | EER % | TAR % at FMR 1e-2 | hand, ms median | p95 |", set.name);
        println!("|---|---|---|---|---|---|");
        for (name, alteration) in Alteration::ALL {
            println!("| {name} {}", row(&set, alteration)?);
        }
        println!();
    }
    Ok(())
}

/// One alteration of a set, evaluated.
fn row(set: &SampleSet, alteration: Alteration) -> Result<String, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let mut random = Random(1);
    for palm in &set.palms {
        let own = folder.path().join(&palm.name);
        std::fs::create_dir(&own)?;
        for sample in &palm.samples {
            let picture = decode(&std::fs::read(&sample.path)?)?;
            let (width, height) = (picture.width(), picture.height());
            let whole = RgbImage::from_raw(width, height, picture.rgb().to_vec());
            let whole = whole.ok_or("a picture has as many bytes as its size says")?;
            let shrunk = (width.max(height) as f32 / LONGEST_PX as f32).max(1.0);
            let brought = |length: u32| (length as f32 / shrunk) as u32;
            let whole =
                imageops::resize(&whole, brought(width), brought(height), FilterType::Triangle);
            let path = own.join(&sample.name).with_extension("png");
            alteration.apply(&whole, &mut random).save(path)?;
        }
    }
    let altered = SampleSet::read(folder.path(), None)?;
    #[expect(clippy::disallowed_methods, reason = "a measuring tool reads the clock at its edge")]
    let stopwatch = SystemStopwatch(Instant::now());
    let options = Options {
        input: Input::Hands,
        effort: Effort::Full,
        threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        seed: 1,
        stopwatch: &stopwatch,
        progress: &|_| {},
    };
    let report = evaluate(&altered, Grouping::SINGLE, &options)?;
    let percent =
        |rate: Option<f64>| rate.map_or("–".to_owned(), |it| format!("{:.2}", 100.0 * it));
    let tar = report.rates.tar_at_fmr.get("1e-2").copied().flatten();
    let (median, p95) = report.ms.hand.map_or((0.0, 0.0), |timing| (timing.median, timing.p95));
    let rates = [report.fta, report.rates.eer, tar].map(percent).join(" | ");
    Ok(format!("| {rates} | {median:.1} | {p95:.1} |"))
}
