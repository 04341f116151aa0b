//! What the person is told to change, as a ring and one line of text.

use serde::Serialize;

use crate::engine::Placement;

/// One line of advice with its progress.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Guidance {
    /// The advice.
    pub state: GuidanceState,
    /// How far the capture of this palm is, 0 to 1.
    pub hold: f32,
    /// Where the palm is seen, for the ring.
    pub hand: Option<Ring>,
}

/// The advice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GuidanceState {
    /// No hand is seen: bring one.
    NoHand,
    /// Come closer.
    Closer,
    /// Go further away.
    Further,
    /// Too dark to see.
    TooDark,
    /// A light shines too brightly on the palm.
    Glare,
    /// The hand moves.
    HoldStill,
    /// The hand is tilted: hold it flat.
    Tilt,
    /// The fingers are closed: spread them.
    OpenFingers,
    /// Two hands are seen.
    OneHandOnly,
    /// The back of a hand is seen.
    TurnPalm,
    /// The picture is blurred.
    Blurred,
    /// A part of the hand is outside of the picture.
    MoveToCentre,
    /// The hand is held well: frames are being taken, stay.
    Ready,
    /// The other hand is wanted.
    WrongHand,
    /// A hand was there before the question: take it away first.
    TakeHandAway,
}

/// Where a palm is: its centre and radius, as fractions of the frame.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ring {
    /// Centre, from 0 (left edge of the frame) to 1.
    pub x: f32,
    /// Centre, from 0 (top edge of the frame) to 1.
    pub y: f32,
    /// Radius of the circle inside the palm.
    pub radius: f32,
}

impl Guidance {
    /// Rounds what a page cannot show anyway, so that equal pictures give equal messages.
    pub(crate) fn new(state: GuidanceState, hold: f32, hand: Option<Placement>) -> Self {
        let hand = hand.map(|placement| Ring {
            x: round(placement.centre.0, 1_000.0),
            y: round(placement.centre.1, 1_000.0),
            radius: round(placement.radius, 1_000.0),
        });
        Self { state, hold: round(hold.clamp(0.0, 1.0), 100.0), hand }
    }
}

fn round(value: f32, steps: f32) -> f32 {
    (value * steps).round() / steps
}
