//! Leaves: what happened, in public fields that name nobody, and a commitment to the rest.
//!
//! # Format, versions 1 and 2
//! All numbers are big-endian. One byte of version (1), one byte of kind, eight bytes of seconds
//! since 1970, 32 bytes of commitment, then the kind's public fields in the order of their
//! declaration: labels are 16 bytes, texts and lists have one byte of length before them, choices
//! are one byte. Nothing may follow.
//!
//! An identification with audit tags has version 2, in which a tag is 32 bytes: the 16 of its query,
//! then the 16 of the tag itself. Everything else has version 1 (and no identification of version 1
//! has tags), so every leaf has exactly one encoding.

use handfast_model::Timestamp;
use thiserror::Error;

use crate::commitment::Commitment;
use crate::hash::TreeHash;
use crate::statement::{AuditTag, Statement, TAGS_MAX};
use crate::vocabulary::Kind;
use crate::wire::{Fields, WireError};

/// The version of every leaf but those with audit tags.
pub(crate) const VERSION: u8 = 1;
/// The version of an identification with audit tags.
pub(crate) const VERSION_TAGGED: u8 = 2;
/// Microseconds in a leaf's unit of time. Finer times would help linking visits and nothing else.
const MICROS_PER_SECOND: i64 = 1_000_000;
/// Most bytes of a leaf, by its widest kind; an entry bundle could carry 65,535.
pub const LEAF_BYTES_MAX: usize = 42 + 1 + 16 + 4 + 1 + TAGS_MAX * AuditTag::LEN;

/// Why bytes are not a leaf.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LeafError {
    /// A newer program wrote it.
    #[error(
        "a leaf of version {got}, but this program reads up to {VERSION_TAGGED}; use a newer one"
    )]
    Version {
        /// The version found.
        got: u8,
    },
    /// No such kind.
    #[error("a leaf of unknown kind {got}; use a newer program, or the leaf is damaged")]
    Kind {
        /// The kind found.
        got: u8,
    },
    /// The bytes do not fit the format.
    #[error("not a leaf: {0}")]
    Malformed(&'static str),
}

impl From<WireError> for LeafError {
    fn from(error: WireError) -> Self {
        Self::Malformed(error.0)
    }
}

/// What is to be logged; the log adds the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// What happened, in public.
    pub statement: Statement,
    /// Stands for the private fields.
    pub commitment: Commitment,
}

/// A leaf of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    at: Timestamp,
    draft: Draft,
}

impl Leaf {
    /// A leaf at a time, cut to whole seconds. Times before 1970 become 1970.
    #[must_use]
    pub fn new(at: Timestamp, draft: Draft) -> Self {
        let seconds = at.as_micros().max(0) / MICROS_PER_SECOND;
        Self { at: Timestamp::from_micros(seconds * MICROS_PER_SECOND), draft }
    }

    /// When, in whole seconds. Along a log times never go back.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// What happened.
    #[must_use]
    pub const fn statement(&self) -> &Statement {
        &self.draft.statement
    }

    /// Stands for the private fields.
    #[must_use]
    pub const fn commitment(&self) -> Commitment {
        self.draft.commitment
    }

    /// The bytes that are hashed and stored.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(LEAF_BYTES_MAX);
        let statement = &self.draft.statement;
        bytes.extend_from_slice(&[statement.version(), statement.kind().code()]);
        bytes.extend_from_slice(&(self.at.as_micros() / MICROS_PER_SECOND).to_be_bytes());
        bytes.extend_from_slice(self.draft.commitment.as_bytes());
        statement.put(&mut bytes);
        debug_assert!(bytes.len() <= LEAF_BYTES_MAX, "the limit covers the widest kind");
        bytes
    }

    /// Reads a leaf.
    ///
    /// # Errors
    /// Where the bytes are none, or of a version or kind that is not known.
    pub fn decode(bytes: &[u8]) -> Result<Self, LeafError> {
        let mut fields = Fields::new(bytes);
        let version = match fields.u8()? {
            known @ (VERSION | VERSION_TAGGED) => known,
            got => return Err(LeafError::Version { got }),
        };
        let kind = Kind::take(&mut fields)
            .map_err(|error| bytes.get(1).map_or(error, |&got| LeafError::Kind { got }))?;
        let micros = i64::try_from(fields.u64()?)
            .ok()
            .and_then(|seconds| seconds.checked_mul(MICROS_PER_SECOND))
            .ok_or(LeafError::Malformed("its time is beyond all clocks"))?;
        let commitment = Commitment::from_bytes(fields.array()?);
        let statement = Statement::take(kind, &mut fields)?;
        fields.finish()?;
        if statement.version() != version {
            return Err(LeafError::Malformed("its kind is written in another version"));
        }
        Ok(Self { at: Timestamp::from_micros(micros), draft: Draft { statement, commitment } })
    }

    /// Its hash in the tree.
    #[must_use]
    pub fn hash(&self) -> TreeHash {
        TreeHash::of_leaf(&self.encode())
    }
}

#[cfg(test)]
#[path = "leaf_tests.rs"]
pub(crate) mod tests;
