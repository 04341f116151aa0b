//! A picture named on the command line: read, decoded, and the palm in it acquired.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use clap::ValueEnum;
use handfast_palm::{ENCODED_BYTES_MAX, Placement, Refusal, Refused, Sample, Side, decode, find};
use serde::Serialize;
use zeroize::Zeroizing;

use super::stopwatch::SystemStopwatch;

/// Which hand, on the command line and in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SideName {
    /// A left hand
    Left,
    /// A right hand
    Right,
}

impl SideName {
    pub fn of(side: Side) -> Self {
        match side {
            Side::Left => Self::Left,
            Side::Right => Self::Right,
        }
    }

    pub fn side(self) -> Side {
        match self {
            Self::Left => Side::Left,
            Self::Right => Side::Right,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
        }
    }
}

/// What a picture shows: a whole hand, or a ready-made crop of a palm of this side.
#[derive(Clone, Copy, Debug)]
pub enum Shows {
    Hand,
    Crop(Side),
}

/// A sample, and what is known of how it was acquired.
pub struct Acquired {
    pub sample: Sample,
    /// Where the palm was, and how sharp; a crop has neither.
    pub found: Option<(Placement, f32)>,
    pub ms: Milliseconds,
}

/// What the stages took.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Milliseconds {
    pub decode: f64,
    /// Finding the hand; none for a crop.
    pub hand: Option<f64>,
    /// Cutting the palm out, or taking a crop over.
    pub roi: f64,
    /// Making the probe.
    pub template: f64,
}

/// Reads a file that a person named, its kind and length checked before.
///
/// # Errors
/// Where there is no such file, or it is a folder, a device, too long, or may not be read.
pub fn read(path: &Path) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let name = path.display();
    if !path.exists() {
        bail!("{name} does not exist; check the path");
    }
    if path.is_dir() {
        bail!(
            "{name} is a folder; name one picture, or use `handfast eval` for a folder with one \
             folder a palm"
        );
    }
    let length = fs::metadata(path).with_context(|| format!("{name} cannot be read"))?;
    ensure!(length.is_file(), "{name} is no ordinary file; save the picture to one and name that");
    ensure!(
        length.len() <= ENCODED_BYTES_MAX as u64,
        "{name} is {} bytes long; at most {ENCODED_BYTES_MAX} are read: save it smaller",
        length.len()
    );
    let bytes = fs::read(path)
        .with_context(|| format!("{name} cannot be read; check that you may read it"))?;
    Ok(Zeroizing::new(bytes))
}

/// Decodes a picture's bytes and acquires the palm in it; inside, the engine's refusal.
///
/// # Errors
/// Where the bytes are no picture within the limits.
pub fn acquire_from(
    path: &Path,
    bytes: &[u8],
    shows: Shows,
    watch: &SystemStopwatch,
) -> anyhow::Result<Result<Acquired, Refused>> {
    let (picture, decode) = watch.time(|| decode(bytes));
    let picture = picture.with_context(|| path.display().to_string())?;
    let ms = Milliseconds { decode, ..Milliseconds::default() };
    let (found, hand) = match shows {
        Shows::Crop(side) => {
            let (sample, roi) = watch.time(|| Sample::from_roi_picture(&picture, side));
            return Ok(Ok(Acquired { sample, found: None, ms: Milliseconds { roi, ..ms } }));
        }
        Shows::Hand => watch.time(|| find(&picture)),
    };
    let (capture, roi) = watch.time(|| found.and_then(|found| found.cut(&picture)));
    Ok(capture.map(|capture| Acquired {
        sample: capture.sample,
        found: Some((capture.placement, capture.sharpness)),
        ms: Milliseconds { hand: Some(hand), roi, ..ms },
    }))
}

/// A refusal's stable name in JSON.
pub fn refusal_name(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NoHand => "no_hand",
        Refusal::TwoHands => "two_hands",
        Refusal::NotAHand => "not_a_hand",
        Refusal::BackOfHand => "back_of_hand",
        Refusal::TooFar => "too_far",
        Refusal::TooClose => "too_close",
        Refusal::CutOff => "cut_off",
        Refusal::TooDark => "too_dark",
        Refusal::Glare => "glare",
        Refusal::Blurred => "blurred",
        Refusal::Tilted => "tilted",
        Refusal::FingersClosed => "fingers_closed",
        _ => "refused",
    }
}

/// Where a palm was, in JSON.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct PlacementJson {
    /// From the left and from the top, as fractions of width and height.
    centre: (f32, f32),
    /// As a fraction of the shorter side.
    radius: f32,
    /// Where the fingers point: degrees clockwise from up.
    angle_degrees: f32,
}

impl From<Placement> for PlacementJson {
    fn from(placement: Placement) -> Self {
        let Placement { centre, radius, angle } = placement;
        Self { centre, radius, angle_degrees: angle.to_degrees() }
    }
}

/// Where a palm was, in words.
pub fn placement_words(placement: Placement) -> String {
    let Placement { centre: (x, y), radius, angle } = placement;
    format!(
        "centre {:.0} % from the left and {:.0} % from the top, radius {:.0} % of the shorter side, \
         fingers {:.0}° {} of up",
        x * 100.0,
        y * 100.0,
        radius * 100.0,
        angle.to_degrees().abs(),
        if angle < 0.0 { "left" } else { "right" }
    )
}
