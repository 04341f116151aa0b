//! A witness (C2SP tlog-witness): remembers the biggest tree it has seen of each log and cosigns
//! only what continues it. The HTTP around it is elsewhere.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use handfast_model::Clock;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::checkpoint::{Checkpoint, SignedCheckpoint, parse_decimal};
use crate::cosignature::Cosigner;
use crate::disk::{Disk, place};
use crate::hash::TreeHash;
use crate::note::{NOTE_BYTES_MAX, VerifierKey};
use crate::tree::{PROOF_HASHES_MAX, TreeProofError, check_consistency};

/// The folder of what was seen.
const DIR: &str = "seen";

/// A request to cosign: the body of `add-checkpoint`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size that the witness should have seen last.
    pub old: u64,
    /// A consistency proof from there.
    pub proof: Vec<TreeHash>,
    /// What to cosign.
    pub checkpoint: SignedCheckpoint,
}

impl AddCheckpoint {
    /// Reads a request's body.
    ///
    /// # Errors
    /// With [`WitnessRefusal::Malformed`].
    pub fn parse(body: &[u8]) -> Result<Self, WitnessRefusal> {
        let malformed = WitnessRefusal::Malformed;
        if body.len() > NOTE_BYTES_MAX {
            return Err(malformed("it is longer than a million bytes"));
        }
        let text = std::str::from_utf8(body).map_err(|_| malformed("it is not UTF-8"))?;
        let (head, note) = text.split_once("\n\n").ok_or(malformed("it has no empty line"))?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")).and_then(parse_decimal);
        let old = old.ok_or(malformed("its first line is not `old` and a size"))?;
        let proof: Option<Vec<TreeHash>> =
            lines.take(PROOF_HASHES_MAX + 1).map(TreeHash::from_base64).collect();
        let proof = proof
            .filter(|proof| proof.len() <= PROOF_HASHES_MAX)
            .ok_or(malformed("its proof is broken or longer than 63 hashes"))?;
        let checkpoint = SignedCheckpoint::parse(note.as_bytes())
            .map_err(|_| malformed("its checkpoint is none"))?;
        Ok(Self { old, proof, checkpoint })
    }
}

impl fmt::Display for AddCheckpoint {
    /// The request's body.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

/// Why a witness does not cosign.
#[derive(Debug, Error)]
pub enum WitnessRefusal {
    /// The request is none.
    #[error("the request cannot be read: {0}")]
    Malformed(&'static str),
    /// The log is not configured here.
    #[error("this witness does not know the log {origin}")]
    UnknownLog {
        /// Which log.
        origin: String,
    },
    /// The log did not sign it.
    #[error("the checkpoint is not signed by the key that this witness trusts for its log")]
    NotSigned,
    /// The old size is beyond the new one.
    #[error("the old size {old} is bigger than the checkpoint's size {size}")]
    OldBeyondNew {
        /// The old size.
        old: u64,
        /// The checkpoint's size.
        size: u64,
    },
    /// The witness has seen another size last.
    #[error("this witness has seen {seen} leaves last; prove consistency from there")]
    OtherSize {
        /// The size seen last.
        seen: u64,
    },
    /// Two trees of one size: the log has forked.
    #[error("this witness has seen another root for {size} leaves: the log shows different trees")]
    Forked {
        /// The size of both.
        size: u64,
    },
    /// The checkpoint does not continue the tree seen last.
    #[error("the checkpoint is not consistent with the tree that this witness has seen last")]
    Inconsistent(#[source] TreeProofError),
    /// What was seen could not be stored, so nothing may be cosigned.
    #[error("could not store what was seen in {path}")]
    Disk {
        /// The file.
        path: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

impl WitnessRefusal {
    /// The HTTP status that C2SP tlog-witness gives it.
    #[must_use]
    pub const fn http_status(&self) -> u16 {
        match self {
            Self::Malformed(_) | Self::OldBeyondNew { .. } => 400,
            Self::NotSigned => 403,
            Self::UnknownLog { .. } => 404,
            Self::OtherSize { .. } | Self::Forked { .. } => 409,
            Self::Inconsistent(_) => 422,
            Self::Disk { .. } => 500,
        }
    }
}

/// Why a witness cannot start.
#[derive(Debug, Error)]
pub enum WitnessError {
    /// What was seen could not be read.
    #[error("could not read {path}")]
    Unreadable {
        /// The file.
        path: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// What was seen is damaged. Starting anew would let a log fork.
    #[error(
        "{path} is damaged, and starting without it would let the log fork; put it back from a \
         backup, or write the log's last cosigned checkpoint into it"
    )]
    Damaged {
        /// The file.
        path: String,
    },
}

struct KnownLog {
    key: VerifierKey,
    seen: Option<(u64, TreeHash)>,
}

/// A witness with its memory.
pub struct Witness {
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    cosigner: Cosigner,
    logs: Mutex<BTreeMap<String, KnownLog>>,
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Witness({})", self.cosigner.public())
    }
}

fn state_path(origin: &str) -> String {
    let hash = Sha256::digest(origin);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{DIR}/{hex}")
}

fn parse_seen(bytes: &[u8], origin: &str) -> Option<(u64, TreeHash)> {
    let text = std::str::from_utf8(bytes).ok()?;
    let lines: Vec<&str> = text.strip_suffix('\n')?.split('\n').collect();
    let &[stored_origin, size, root] = lines.as_slice() else { return None };
    (stored_origin == origin).then_some((parse_decimal(size)?, TreeHash::from_base64(root)?))
}

impl Witness {
    /// A witness of these logs, with the memory on `disk`.
    ///
    /// # Errors
    /// Where the memory cannot be read.
    pub fn open(
        disk: Arc<dyn Disk>,
        cosigner: Cosigner,
        logs: Vec<VerifierKey>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, WitnessError> {
        let mut known = BTreeMap::new();
        for key in logs {
            let path = state_path(key.name());
            let bytes = disk
                .read(&path)
                .map_err(|source| WitnessError::Unreadable { path: path.clone(), source })?;
            let seen = match bytes {
                None => None,
                Some(bytes) => match parse_seen(&bytes, key.name()) {
                    None => return Err(WitnessError::Damaged { path }),
                    seen => seen,
                },
            };
            known.insert(key.name().to_owned(), KnownLog { key, seen });
        }
        Ok(Self { disk, clock, cosigner, logs: Mutex::new(known) })
    }

    /// Its public key.
    #[must_use]
    pub const fn public(&self) -> &VerifierKey {
        self.cosigner.public()
    }

    /// Cosigns a checkpoint that continues what was seen of its log; gives the signature line. The
    /// new state is durable before the signature exists.
    ///
    /// # Errors
    /// Where the request is refused; nothing changes then.
    pub fn add_checkpoint(&self, request: &AddCheckpoint) -> Result<String, WitnessRefusal> {
        let tree = request.checkpoint.checkpoint();
        // One lock over check and store: two requests at once must not roll a log back.
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        let log = logs
            .get_mut(&tree.origin)
            .ok_or_else(|| WitnessRefusal::UnknownLog { origin: tree.origin.clone() })?;
        request.checkpoint.check_log(&log.key).map_err(|_| WitnessRefusal::NotSigned)?;
        check_continues(log.seen, request)?;
        if log.seen != Some((tree.size, tree.root)) {
            self.store(tree)?;
            log.seen = Some((tree.size, tree.root));
        }
        let line = self.cosigner.cosign(&request.checkpoint, self.clock.now());
        Ok(format!("{line}\n"))
    }

    /// The size last seen of a log; 0 for one not seen yet, `None` for one that is not known.
    #[must_use]
    pub fn seen(&self, origin: &str) -> Option<u64> {
        let logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        logs.get(origin).map(|log| log.seen.map_or(0, |(size, _)| size))
    }

    fn store(&self, tree: &Checkpoint) -> Result<(), WitnessRefusal> {
        let file = (state_path(&tree.origin), tree.to_string().into_bytes());
        place(self.disk.as_ref(), &[file])
            .map_err(|(_, path, source)| WitnessRefusal::Disk { path, source })
    }
}

fn check_continues(
    seen: Option<(u64, TreeHash)>,
    request: &AddCheckpoint,
) -> Result<(), WitnessRefusal> {
    let tree = request.checkpoint.checkpoint();
    let (seen_size, seen_root) = seen.unwrap_or_else(|| (0, TreeHash::of_nothing()));
    if request.old > tree.size {
        return Err(WitnessRefusal::OldBeyondNew { old: request.old, size: tree.size });
    }
    if request.old != seen_size {
        return Err(WitnessRefusal::OtherSize { seen: seen_size });
    }
    if tree.size == seen_size && tree.root != seen_root {
        return Err(WitnessRefusal::Forked { size: seen_size });
    }
    check_consistency(seen_size, seen_root, tree.size, tree.root, &request.proof)
        .map_err(WitnessRefusal::Inconsistent)
}
