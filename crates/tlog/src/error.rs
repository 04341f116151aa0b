//! What can go wrong while a log is written, and what to do then.

use std::io;
use std::sync::Arc;

use thiserror::Error;

use crate::cosignature::TrustError;
use crate::note::NoteError;
use crate::tile::TileError;
use crate::verifier::Problem;

/// Why the log did not do what it was asked to.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum LogError {
    /// There is no room left.
    #[error(
        "the disk of the log is full (at {path}): nothing is logged, so nothing that must be logged \
         may happen; make room and try again"
    )]
    DiskFull {
        /// The file that did not fit.
        path: String,
    },
    /// The operating system refused something.
    #[error("could not {action} {path}")]
    Disk {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: String,
        /// The cause.
        #[source]
        source: Arc<io::Error>,
    },
    /// After a failed sync nobody knows what is on the disk: only reading it again tells.
    #[error("the log stopped when the disk failed; check the disk and start again")]
    Stopped(#[source] Arc<LogError>),
    /// The key cannot sign for a log.
    #[error("{name} cannot be a log: {problem}")]
    Key {
        /// The key's name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The policy cannot be used.
    #[error("the log's cosigners cannot be used")]
    Policy(#[source] TrustError),
    /// The checkpoint file is gone, the rest is there.
    #[error(
        "{path} is missing although the folder holds a log; put it back from a mirror or a backup, \
         a log never starts over"
    )]
    CheckpointMissing {
        /// The checkpoint file.
        path: &'static str,
    },
    /// The checkpoint file is not this log's.
    #[error("{path} was changed, or the log was opened with another key")]
    Checkpoint {
        /// The checkpoint file.
        path: &'static str,
        /// What is wrong.
        #[source]
        source: NoteError,
    },
    /// Somebody changed the stored tree.
    #[error(
        "the stored log is not the one that was signed: {}; put these files back from a mirror or a \
         backup",
        names(.problems)
    )]
    Differs {
        /// What differs, the first few.
        problems: Vec<Problem>,
    },
    /// Somebody changed the journal of leaves that are promised and in no checkpoint yet.
    #[error(
        "{path} was changed at byte {offset}: leaves behind it are promised; put the file back from \
         a backup, or the promises are broken"
    )]
    JournalDamaged {
        /// The journal file.
        path: String,
        /// Where the first broken batch begins.
        offset: usize,
    },
    /// A part of the journal is gone.
    #[error(
        "leaves {expected} to {found} are missing between checkpoint and journal ({path}): they are \
         promised; put the files back from a backup"
    )]
    JournalGap {
        /// The journal file behind the gap.
        path: String,
        /// The leaf that should come next.
        expected: u64,
        /// The leaf that does.
        found: u64,
    },
    /// Journal and tree disagree.
    #[error("leaf {index} of {path} is not the one in the tree: one of them was changed")]
    JournalDiffers {
        /// The journal file.
        path: String,
        /// The leaf.
        index: u64,
    },
    /// More leaves came than the disk takes.
    #[error(
        "{waiting} leaves wait for the disk, {max} may: the log is overloaded; try again later"
    )]
    Overloaded {
        /// Leaves that would wait.
        waiting: usize,
        /// How many may.
        max: usize,
    },
    /// Leaves came, and no checkpoint.
    #[error(
        "{unpublished} leaves are in no checkpoint, {max} may be: publishing fails or was forgotten; \
         look at why the last checkpoint failed"
    )]
    Unpublished {
        /// Leaves in no checkpoint.
        unpublished: usize,
        /// How many may be.
        max: usize,
    },
    /// A proof was asked for too early.
    #[error("leaf {index} is in no {what} checkpoint yet, the last has {size}; ask again later")]
    NotYet {
        /// The leaf.
        index: u64,
        /// `signed` or `cosigned`.
        what: &'static str,
        /// Leaves in the last such checkpoint.
        size: u64,
    },
    /// Cosignatures do not belong to a checkpoint of this log.
    #[error("none of these lines is a cosignature of a recent checkpoint by a known cosigner")]
    NoCosignature,
    /// A text is not a signature line.
    #[error("the cosignatures cannot be read")]
    Cosignature(#[source] NoteError),
    /// A tile could not be used.
    #[error("the stored tree cannot be used")]
    Tile(#[from] TileError),
}

fn names(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl LogError {
    pub(crate) fn disk((action, path, source): (&'static str, String, io::Error)) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            _ => Self::Disk { action, path, source: Arc::new(source) },
        }
    }
}
