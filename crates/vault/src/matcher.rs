//! What compares palms. The vault decides what is stored and armed; a [`Matcher`] answers searches
//! and gives out tokens, never scores, never slots.
//!
//! [`PlainMatcher`](crate::PlainMatcher) compares in clear. A secret-shared one, in which no
//! single machine holds a palm, answers the same calls; then the plain one is its oracle in tests.

use handfast_model::{GalleryId, PairwiseToken, Timestamp};
use handfast_palm::{Probe, Reference, Side};

use crate::{SlotId, Thresholds};

/// What a search of a gallery found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identification {
    /// No armed palm is like it.
    NoMatch,
    /// One palm: the token by which the gallery's relying party knows it.
    Match(PairwiseToken),
    /// More than one palm is like it: ask for the other palm, or another way.
    Ambiguous,
}

/// What a comparison with one named palm found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// It is that palm.
    Match,
    /// It is not.
    NoMatch,
    /// No palm of this hand is armed in the gallery under that token.
    NotArmed,
}

/// A palm armed in a gallery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Armed {
    /// The palm.
    pub slot: SlotId,
    /// What the gallery's relying party knows it by.
    pub token: PairwiseToken,
    /// From when on it is not searched any more.
    pub until: Timestamp,
}

/// A palm that is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// Where it is searched.
    pub gallery: GalleryId,
    /// Which hand it is; only palms of the same hand are compared.
    pub side: Side,
    /// Its probes, one a frame: the best of them counts.
    pub probes: &'a [Probe],
    /// Now: palms armed until this moment or earlier are passed over.
    pub now: Timestamp,
}

/// Holds references and galleries, and answers searches. Calls may come from many threads; each is
/// complete when it returns. A gallery that is not open is empty.
pub trait Matcher: Send + Sync {
    /// Takes up a palm. It is found in no gallery until it is armed.
    fn hold(&self, slot: SlotId, side: Side, reference: &Reference);

    /// Forgets palms: when this returns no search uses them, and their memory is zeroed.
    fn erase(&self, slots: &[SlotId]);

    /// Makes a gallery searchable.
    fn open_gallery(&self, gallery: GalleryId, thresholds: Thresholds);

    /// Forgets a gallery and what is armed in it.
    fn close_gallery(&self, gallery: GalleryId);

    /// Arms a palm, or changes until when.
    fn arm(&self, gallery: GalleryId, armed: Armed);

    /// Disarms palms; nothing where they are not armed.
    fn disarm(&self, gallery: GalleryId, slots: &[SlotId]);

    /// How many palms are armed now.
    fn armed(&self, gallery: GalleryId, now: Timestamp) -> usize;

    /// Looks for a palm among those armed.
    fn identify(&self, query: Query<'_>) -> Identification;

    /// Whether any armed palm is like it: not which, so that a duplicate check names nobody.
    fn contains(&self, query: Query<'_>) -> bool;

    /// The palm armed in a gallery that its relying party knows by `token`.
    fn slot_of(&self, gallery: GalleryId, token: PairwiseToken) -> Option<SlotId>;

    /// Compares with the palm that the relying party knows by `token`.
    fn verify(&self, query: Query<'_>, token: PairwiseToken) -> Verification;
}
