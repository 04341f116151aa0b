//! From a picture to a sample, or the reason why there is none.

use std::fmt;

use thiserror::Error;

use crate::hand::{self, Hand};
use crate::{Picture, Sample, quality, roi};

/// Which hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// The left hand.
    Left,
    /// The right hand.
    Right,
}

/// Why no sample was taken: what the person can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// Nothing in the picture stands out from its ground.
    NoHand,
    /// Two hands.
    TwoHands,
    /// Something is there, and it has no hand's shape: a face, a sleeve, a thing.
    NotAHand,
    /// The hand is too small in the picture.
    TooFar,
    /// The hand is too large in the picture.
    TooClose,
    /// The palm runs out of the picture.
    CutOff,
    /// Too little light to see the creases.
    TooDark,
    /// Part of the palm is so bright that no creases are seen.
    Glare,
    /// Out of focus or moving.
    Blurred,
    /// The palm does not face the camera.
    Tilted,
    /// The fingers touch each other, so the valleys between them are hidden.
    FingersClosed,
    /// The back of a hand: its nails are seen.
    BackOfHand,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoHand => "no hand is seen: hold your palm in front of the camera",
            Self::TwoHands => "two hands are seen: show one",
            Self::NotAHand => "what is seen is no open hand: show your open palm",
            Self::TooFar => "the hand is too far away: come closer",
            Self::TooClose => "the hand is too close: move it away",
            Self::CutOff => "the hand is not wholly in the picture: move it to the middle",
            Self::TooDark => "it is too dark: find more light",
            Self::Glare => "the palm is too bright: turn it out of the light",
            Self::Blurred => "the picture is blurred: hold still",
            Self::Tilted => "the palm is tilted: turn it flat to the camera",
            Self::FingersClosed => "the fingers are closed: spread them",
            Self::BackOfHand => "the back of a hand is seen: turn your palm to the camera",
        })
    }
}

/// Where the palm is: its inscribed circle, relative to the frame's size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    /// The circle's centre: 0 to 1 from the left, 0 to 1 from the top.
    pub centre: (f32, f32),
    /// The circle's radius, as a part of the frame's shorter side.
    pub radius: f32,
    /// Where the fingers point: radians clockwise from up.
    pub angle: f32,
}

/// One good frame.
#[derive(Debug, Clone)]
pub struct Capture {
    /// Which hand it is.
    pub side: Side,
    /// Where the palm is.
    pub placement: Placement,
    /// How sharp the palm is: 0 (no detail) to 1 (as sharp as a sample can show).
    pub sharpness: f32,
    /// The palm, cut out.
    pub sample: Sample,
}

/// Why a frame gave no sample, and where the hand is if one was found.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[error("{refusal}")]
pub struct Refused {
    /// The reason.
    pub refusal: Refusal,
    /// Where the palm seems to be, for guidance.
    pub placement: Option<Placement>,
}

/// The least radius of something that is looked at, as a part of the frame's shorter side.
pub(crate) const RADIUS_SEEN_MIN: f32 = 0.04;
/// The least radius of a palm that is near enough.
pub(crate) const RADIUS_MIN: f32 = 0.09;
/// The greatest radius of a palm that leaves room for the fingers.
pub(crate) const RADIUS_MAX: f32 = 0.42;
/// The least radius in pixels: the region is then 62 of them wide, half a sample's resolution.
const RADIUS_PX_MIN: f32 = 40.0;
/// The least reach of the fingers from the palm's centre, in palm radii.
pub(crate) const FINGER_REACH_MIN: f32 = 2.0;
/// The least mean brightness, of 255, at which creases stand out from a sensor's noise.
pub(crate) const LUMA_MIN: f32 = 16.0;

/// A hand found in a frame, before it is cut out.
#[derive(Debug, Clone)]
pub struct Found {
    hand: Hand,
}

/// Finds the one hand in a frame as the camera sees it (not mirrored).
///
/// # Errors
/// [`Refused`] says why there is none and where something like it is.
pub fn find(picture: &Picture) -> Result<Found, Refused> {
    let hand = hand::find(picture)?;
    if hand.radius < RADIUS_PX_MIN {
        let placement = Some(hand.placement(picture));
        return Err(Refused { refusal: Refusal::TooFar, placement });
    }
    Ok(Found { hand })
}

impl Found {
    /// Which hand.
    #[must_use]
    pub fn side(&self) -> Side {
        self.hand.side
    }

    /// The valleys between the four fingers in pixels of the frame, from left to right with the
    /// fingers up: for drawing over the frame.
    #[must_use]
    pub fn valleys(&self) -> [(f32, f32); 3] {
        self.hand.valleys.map(|point| (point.x, point.y))
    }

    /// The corners of the region of interest in pixels of the frame, clockwise from the top left
    /// with the fingers up: for drawing over the frame.
    #[must_use]
    pub fn corners(&self) -> [(f32, f32); 4] {
        [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)].map(|(x, y)| {
            let point = self.hand.at(x, y);
            (point.x, point.y)
        })
    }

    /// Cuts the palm out of the frame in which it was found.
    ///
    /// # Errors
    /// When what is cut out shows too little of the palm.
    pub fn cut(&self, picture: &Picture) -> Result<Capture, Refused> {
        let placement = self.hand.placement(picture);
        let sample = roi::cut(picture, &self.hand);
        let sharpness = quality::check(&sample)
            .map_err(|refusal| Refused { refusal, placement: Some(placement) })?;
        Ok(Capture { side: self.hand.side, placement, sharpness, sample })
    }
}

/// Finds the palm in a frame as the camera sees it (not mirrored) and cuts it out.
///
/// # Errors
/// [`Refused`] says why there is no sample and where the hand is.
pub fn acquire(picture: &Picture) -> Result<Capture, Refused> {
    find(picture)?.cut(picture)
}
