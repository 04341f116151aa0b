//! What everybody knows of a comparison: how many, how often, from which score on.

use thiserror::Error;

/// Bits in a word: slots are padded to whole words.
const WORD: usize = 64;
/// Most comparisons in one run: the longest message, 53 bits of each, then has 1.7 GiB, and its length
/// fits 32 bits. A node's runs are a thousandth of that ([`crate::QueryKeys::derive_chunks`]).
pub const COMPARISONS_MAX: usize = 1 << 28;
/// Highest threshold: half the greatest score, so that a score less the threshold fits 16 bits.
pub const THRESHOLD_MAX: u16 = 1 << 13;

/// Why a comparison cannot have this shape or threshold.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// Nothing to compare, or more than [`COMPARISONS_MAX`].
    #[error(
        "{slots} slots of {rows_per_slot} rows with {vectors} vectors are not 1 to {COMPARISONS_MAX} comparisons: cut the gallery into several runs"
    )]
    Comparisons {
        /// Slots asked for.
        slots: usize,
        /// Rows in a slot asked for.
        rows_per_slot: usize,
        /// Probe vectors asked for.
        vectors: usize,
    },
    /// Not above zero, or above [`THRESHOLD_MAX`].
    #[error("a threshold is 1 to {THRESHOLD_MAX}, {found} was given")]
    Threshold {
        /// Threshold given.
        found: i32,
    },
}

/// How many comparisons there are. All lengths follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    slots: usize,
    rows_per_slot: usize,
    vectors: usize,
}

impl Shape {
    /// `slots` palms of `rows_per_slot` rows each, compared with `vectors` probe vectors.
    ///
    /// # Errors
    /// When there is nothing to compare or too much for one run.
    pub fn new(slots: usize, rows_per_slot: usize, vectors: usize) -> Result<Self, ShapeError> {
        let fits = slots
            .checked_next_multiple_of(WORD)
            .and_then(|padded| padded.checked_mul(rows_per_slot)?.checked_mul(vectors))
            .is_some_and(|comparisons| (1..=COMPARISONS_MAX).contains(&comparisons));
        if fits {
            Ok(Self { slots, rows_per_slot, vectors })
        } else {
            Err(ShapeError::Comparisons { slots, rows_per_slot, vectors })
        }
    }

    /// Palms searched.
    #[must_use]
    pub const fn slots(self) -> usize {
        self.slots
    }

    /// Rows in a slot.
    #[must_use]
    pub const fn rows_per_slot(self) -> usize {
        self.rows_per_slot
    }

    /// Vectors of the probe.
    #[must_use]
    pub const fn vectors(self) -> usize {
        self.vectors
    }

    /// Slots with padding to whole words.
    #[must_use]
    pub const fn slots_padded(self) -> usize {
        self.slots.next_multiple_of(WORD)
    }

    /// Words of one bit a slot.
    #[must_use]
    pub const fn slot_words(self) -> usize {
        self.slots_padded() / WORD
    }

    /// Comparisons a slot: the bits that are OR-ed.
    #[must_use]
    pub const fn layers(self) -> usize {
        self.rows_per_slot * self.vectors
    }

    /// Comparisons, padding included.
    #[must_use]
    pub const fn comparisons(self) -> usize {
        self.slots_padded() * self.layers()
    }

    /// Words of one bit a comparison.
    #[must_use]
    pub const fn comparison_words(self) -> usize {
        self.comparisons() / WORD
    }
}

/// The score from which on a row matches; part of a gallery's signed policy, never of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Threshold(u16);

impl Threshold {
    /// The lowest one.
    pub(crate) const ONE: Self = Self(1);

    /// A threshold of 1 to [`THRESHOLD_MAX`].
    ///
    /// # Errors
    /// When it is anything else.
    pub fn new(score: i32) -> Result<Self, ShapeError> {
        match u16::try_from(score) {
            Ok(value @ 1..=THRESHOLD_MAX) => Ok(Self(value)),
            _ => Err(ShapeError::Threshold { found: score }),
        }
    }

    /// The score.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold() {
        for (slots, rows, vectors) in [
            (0, 1, 1),
            (1, 0, 1),
            (1, 1, 0),
            (usize::MAX, 1, 1),
            (1 << 28, 1, 2),
            (1, 1 << 40, 1 << 40),
        ] {
            assert!(Shape::new(slots, rows, vectors).is_err());
        }
        let shape = Shape::new(65, 2, 9).unwrap();
        assert_eq!((shape.slots_padded(), shape.layers(), shape.comparison_words()), (128, 18, 36));
        for wrong in [-1, 0, i32::from(THRESHOLD_MAX) + 1] {
            assert!(Threshold::new(wrong).is_err());
        }
        assert_eq!(Threshold::new(1).unwrap().get(), 1);
        assert!(Threshold::new(i32::from(THRESHOLD_MAX)).is_ok());
    }
}
