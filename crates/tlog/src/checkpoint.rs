//! Checkpoints (C2SP tlog-checkpoint): a log's size and root, as a signed note.

use std::fmt;

use crate::hash::TreeHash;
use crate::note::{Note, NoteError, NoteSignature, SecretKey, VerifierKey};
use crate::tree::LEAVES_MAX;

/// The state of a log: how many leaves, and the root above them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: its unique name.
    pub origin: String,
    /// Leaves in the tree.
    pub size: u64,
    /// The root of the tree.
    pub root: TreeHash,
}

impl Checkpoint {
    fn parse(text: &str) -> Result<Self, NoteError> {
        let mut lines = text.strip_suffix('\n').unwrap_or(text).split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next())
        else {
            return Err(NoteError::Malformed("a checkpoint has three lines"));
        };
        // Lines that follow are extensions: signed, and none of this crate's business.
        if origin.is_empty() || lines.any(str::is_empty) {
            return Err(NoteError::Malformed("a checkpoint has no empty line"));
        }
        let size = parse_decimal(size)
            .filter(|&size| size <= LEAVES_MAX)
            .ok_or(NoteError::Malformed("the checkpoint's size is no number of leaves"))?;
        let root = TreeHash::from_base64(root)
            .ok_or(NoteError::Malformed("the checkpoint's root is no hash"))?;
        Ok(Self { origin: origin.to_owned(), size, root })
    }
}

impl fmt::Display for Checkpoint {
    /// The three lines that are signed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, self.root)
    }
}

/// A decimal number without sign and leading zeroes, as C2SP writes sizes and indexes.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// A checkpoint with its signatures. That it parsed says nothing about them: ask
/// [`check_log`](Self::check_log), or a [`TrustPolicy`](crate::TrustPolicy).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: Note,
}

impl SignedCheckpoint {
    pub(crate) fn sign(checkpoint: Checkpoint, key: &SecretKey) -> Self {
        let note = Note::signed(checkpoint.to_string(), key);
        Self { checkpoint, note }
    }

    /// Reads a checkpoint, checking its form and no signature.
    ///
    /// # Errors
    /// Where the bytes are not a checkpoint.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        let note = Note::parse(bytes)?;
        Ok(Self { checkpoint: Checkpoint::parse(note.text())?, note })
    }

    /// What it states.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The note around it.
    #[must_use]
    pub const fn note(&self) -> &Note {
        &self.note
    }

    /// Checks that it is of the log that `key` belongs to, signed by it.
    ///
    /// # Errors
    /// Where another log is named, or the signature is missing or wrong.
    pub fn check_log(&self, key: &VerifierKey) -> Result<(), NoteError> {
        if self.checkpoint.origin != key.name() {
            return Err(NoteError::Malformed("the checkpoint is of another log"));
        }
        self.note.check_signed_by(key)
    }

    pub(crate) fn set_signature(&mut self, signature: NoteSignature) {
        self.note.set_signature(signature);
    }
}

impl fmt::Display for SignedCheckpoint {
    /// The note as it is written to files.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.note.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use handfast_model::SeededRandom;

    use super::*;
    use crate::note::KeyKind;

    fn key(name: &str) -> SecretKey {
        SecretKey::generate(name, KeyKind::Note, &SeededRandom::new(1)).unwrap()
    }

    fn checkpoint(origin: &str) -> Checkpoint {
        Checkpoint { origin: origin.to_owned(), size: 7, root: TreeHash::of_leaf(b"root") }
    }

    #[test]
    fn a_checkpoint_round_trips_and_belongs_to_one_log() {
        let log = key("example.com/log");
        let signed = SignedCheckpoint::sign(checkpoint("example.com/log"), &log);
        let again = SignedCheckpoint::parse(signed.to_string().as_bytes()).unwrap();
        assert_eq!(again, signed);
        assert_eq!(again.check_log(log.public()), Ok(()));
        let other = SignedCheckpoint::sign(checkpoint("example.com/other"), &log);
        assert!(other.check_log(log.public()).is_err(), "a signature for another log");
    }

    #[test]
    fn extension_lines_are_signed_and_kept() {
        let log = key("example.com/log");
        let note = Note::signed(format!("{}extra\n", checkpoint("example.com/log")), &log);
        let signed = SignedCheckpoint::parse(note.to_string().as_bytes()).unwrap();
        assert_eq!(signed.check_log(log.public()), Ok(()));
        assert_eq!(signed.to_string(), note.to_string());
    }

    #[test]
    fn odd_numbers_and_missing_lines_are_refused() {
        let log = key("example.com/log");
        let root = TreeHash::of_nothing();
        for text in [
            "example.com/log\n".to_owned(),
            format!("example.com/log\n07\n{root}\n"),
            format!("example.com/log\n+7\n{root}\n"),
            format!("example.com/log\n-1\n{root}\n"),
            format!("example.com/log\n{}\n{root}\n", LEAVES_MAX + 1),
            "example.com/log\n7\nAAAA\n".to_owned(),
        ] {
            let note = Note::signed(text.clone(), &log).to_string();
            assert!(SignedCheckpoint::parse(note.as_bytes()).is_err(), "{text}");
        }
    }
}
