//! What a simulated person would do now: a simulated source follows it, so that a walk through the
//! product needs neither camera nor hand.

use crate::view::WantedSide;

/// What the session waits for a person to show. A simulated hand keeps its last pose until the cue
/// changes; on [`Cue::Nothing`] it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cue {
    /// Nothing, or the hand must leave first.
    Nothing,
    /// The ticket's code.
    Ticket,
    /// A hand, or the hand that is there shall stay.
    Hand {
        /// Which one.
        side: WantedSide,
    },
}
