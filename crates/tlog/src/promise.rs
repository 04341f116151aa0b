//! Promises: the log's word, given as soon as a leaf is durable, that it will stand at its place in
//! every later checkpoint. A promise that a checkpoint breaks is proof against the log.

use std::fmt;

use handfast_model::Timestamp;

use crate::checkpoint::parse_decimal;
use crate::hash::TreeHash;
use crate::note::{Note, NoteError, SecretKey, VerifierKey};

/// The first line. No checkpoint can begin so: its second line would have to be a number, and this
/// text's second line is an origin, which [`is_origin`] keeps from being one.
const FIRST_LINE: &str = "handfast log promise v1";

/// Whether a log may be called so: a key's name that cannot be read as a size.
pub(crate) fn is_origin(name: &str) -> bool {
    name != FIRST_LINE && name.bytes().any(|byte| !byte.is_ascii_digit())
}

/// The log's signature over (leaf hash, index, time), as a signed note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    leaf: TreeHash,
    index: u64,
    at: Timestamp,
    origin: String,
    note: Note,
}

impl Promise {
    pub(crate) fn sign(leaf: TreeHash, index: u64, at: Timestamp, key: &SecretKey) -> Self {
        let origin = key.public().name().to_owned();
        let text = format!("{FIRST_LINE}\n{origin}\n{index}\n{leaf}\n{}\n", at.as_micros());
        Self { leaf, index, at, origin, note: Note::signed(text, key) }
    }

    /// Reads a promise, checking its form and no signature.
    ///
    /// # Errors
    /// Where the bytes are not a promise.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        let note = Note::parse(bytes)?;
        let malformed = NoteError::Malformed("it is no promise of version 1");
        let lines: Vec<&str> = note.text().lines().collect();
        let &[FIRST_LINE, origin, index, leaf, at] = lines.as_slice() else {
            return Err(malformed);
        };
        let index = parse_decimal(index).ok_or_else(|| malformed.clone())?;
        let leaf = TreeHash::from_base64(leaf).ok_or_else(|| malformed.clone())?;
        let at = parse_decimal(at).and_then(|at| i64::try_from(at).ok()).ok_or(malformed)?;
        let (at, origin) = (Timestamp::from_micros(at), origin.to_owned());
        Ok(Self { leaf, index, at, origin, note })
    }

    /// Checks that the log that `key` belongs to gave it.
    ///
    /// # Errors
    /// Where another log is named, or the signature is missing or wrong.
    pub fn check(&self, key: &VerifierKey) -> Result<(), NoteError> {
        if self.origin != key.name() {
            return Err(NoteError::Malformed("the promise is of another log"));
        }
        self.note.check_signed_by(key)
    }

    /// The hash of the promised leaf.
    #[must_use]
    pub const fn leaf(&self) -> TreeHash {
        self.leaf
    }

    /// Its place in the log.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// When the promise was given.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        self.at
    }
}

impl fmt::Display for Promise {
    /// The note as it is written to files.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.note.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use handfast_model::SeededRandom;

    use super::*;
    use crate::checkpoint::SignedCheckpoint;
    use crate::note::KeyKind;

    #[test]
    fn a_promise_round_trips_and_is_no_checkpoint() {
        let random = SeededRandom::new(1);
        let log = SecretKey::generate("example.com/log", KeyKind::Note, &random).unwrap();
        let at = Timestamp::from_micros(1_790_000_000_000_001);
        let promise = Promise::sign(TreeHash::of_leaf(b"leaf"), 42, at, &log);
        let text = promise.to_string();
        let again = Promise::parse(text.as_bytes()).unwrap();
        assert_eq!(again, promise);
        assert_eq!(again.check(log.public()), Ok(()));
        assert!(SignedCheckpoint::parse(text.as_bytes()).is_err());
        let forged = Promise::parse(text.replace("\n42\n", "\n43\n").as_bytes()).unwrap();
        assert!(forged.check(log.public()).is_err());
        assert!(Promise::parse(text.replace("\n42\n", "\n042\n").as_bytes()).is_err());
        assert!(!is_origin("12345") && is_origin("example.com/log"));
    }
}
