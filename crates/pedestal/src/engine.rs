//! The palm engine and the code reader, as a session sees them. The real one is
//! [`PalmEngine`](crate::PalmEngine); tests script one.

pub use handfast_palm::{Cue as LivenessCue, Placement, Side};

use crate::clearance::Clearance;
use crate::guidance::GuidanceState;
use crate::ticket_code::TicketCode;

/// Looks at frames and packs what a capture yields.
///
/// Whatever holds a likeness of a palm (every associated type here) zeroes its memory when dropped:
/// a session forgets by dropping.
pub trait Engine {
    /// A frame.
    type Frame;
    /// What one good frame says of a palm.
    type Sample;
    /// One palm to be stored.
    type Palm;
    /// The palms that one person enrols, as the vault takes them.
    type Enrolment;
    /// One hover to be searched, as the vault takes it.
    type Presentation;

    /// Reads a ticket's code in the frame. Looks at nothing else.
    fn read_code(&mut self, frame: &Self::Frame) -> Option<TicketCode>;

    /// Looks for a palm: only ever called with a [`Clearance`], which only a consent, an event
    /// with biometrics, or an open charge can give.
    fn look(&mut self, frame: &Self::Frame, clearance: &Clearance) -> Observation<Self::Sample>;

    /// Fuses the good frames of one palm, if they show a living hand; consumes the samples.
    ///
    /// # Errors
    /// [`NotPacked`] says whether other frames may help.
    fn pack_palm(&mut self, samples: Vec<Self::Sample>) -> Result<Self::Palm, NotPacked>;

    /// Puts the palms of one person together; consumes them.
    ///
    /// # Errors
    /// [`Unfit`]: they are not of two different hands; take them again.
    fn pack_enrolment(&mut self, palms: Vec<Self::Palm>) -> Result<Self::Enrolment, Unfit>;

    /// Makes one presentation of the good frames of a hover, if they show a living hand; consumes
    /// the samples.
    ///
    /// # Errors
    /// [`NotPacked`] says whether other frames may help.
    fn pack_presentation(
        &mut self,
        samples: Vec<Self::Sample>,
    ) -> Result<Self::Presentation, NotPacked>;
}

/// Why the frames of one capture were not packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotPacked {
    /// They make no template: take others.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// They may show no living hand. A flow counts such captures and lets the person try again a
    /// few times at most, then go on without a palm: each try gives an artefact another chance.
    #[error(
        "what was held to the camera may be no living hand; hold it again, or go on without a palm"
    )]
    Suspect(LivenessCue),
}

/// What was captured cannot be used; capture again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what was captured cannot be used; capture again")]
pub struct Unfit;

/// What one frame shows.
pub enum Observation<S> {
    /// No hand; `NoHand`, or `TooDark` where a hand would not be seen either. A dark picture counts
    /// as an empty place, since over a dark ground that is what an empty place looks like.
    Empty(GuidanceState),
    /// The picture is too poor to say whether a hand is there, and one may well be.
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
