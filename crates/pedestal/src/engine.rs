//! The palm engine and the code reader, as a session sees them. The real one is
//! [`PalmEngine`](crate::PalmEngine); tests script one.

pub use handfast_palm::{Placement, Side};

use crate::clearance::Clearance;
use crate::guidance::GuidanceState;
use crate::ticket_code::TicketCode;

/// Looks at frames and seals what a capture yields.
///
/// Whatever holds a likeness of a palm (`Frame`, `Sample`, `Reference`, `Probe`) zeroes its memory
/// when dropped: a session forgets by dropping.
pub trait Engine {
    /// A frame.
    type Frame;
    /// What one good frame says of a palm.
    type Sample;
    /// A palm to be stored, sealed for the vault.
    type Reference;
    /// A hover to be searched or verified, sealed for the vault.
    type Probe;

    /// Reads a ticket's code in the frame. Looks at nothing else.
    fn read_code(&mut self, frame: &Self::Frame) -> Option<TicketCode>;

    /// Looks for a palm: only ever called with a [`Clearance`], which only a consent, an event
    /// with biometrics, or an open charge can give.
    fn look(&mut self, frame: &Self::Frame, clearance: &Clearance) -> Observation<Self::Sample>;

    /// Fuses the good frames of one palm into one reference and seals it; consumes the samples.
    ///
    /// # Errors
    /// [`Unfit`]: the frames are not of one palm, or not good enough; take others.
    fn seal_reference(
        &mut self,
        side: Side,
        samples: Vec<Self::Sample>,
    ) -> Result<Self::Reference, Unfit>;

    /// Makes one probe of the good frames of a hover and seals it; consumes the samples.
    ///
    /// # Errors
    /// [`Unfit`], as above.
    fn seal_probe(&mut self, side: Side, samples: Vec<Self::Sample>) -> Result<Self::Probe, Unfit>;
}

/// The frames do not make a template; take others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the frames do not make a template; take others")]
pub struct Unfit;

/// What one frame shows.
pub enum Observation<S> {
    /// No hand.
    Empty,
    /// The picture is too poor to say whether a hand is there.
    Unclear(GuidanceState),
    /// A hand that cannot be used yet.
    Awkward {
        /// What to change.
        advice: GuidanceState,
        /// Where it is.
        placement: Option<Placement>,
    },
    /// A usable palm.
    Palm(SeenPalm<S>),
}

/// A usable palm in one frame.
pub struct SeenPalm<S> {
    /// Which hand.
    pub side: Side,
    /// Where it is.
    pub placement: Placement,
    /// How sharp, on the engine's scale: only compared with other frames of the same hover.
    pub sharpness: f32,
    /// What is kept of it, for this capture.
    pub sample: S,
}
