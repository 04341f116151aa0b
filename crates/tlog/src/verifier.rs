//! The offline verifier: reads a log's tiles and says whether they are the tree that was signed.
//!
//! It goes from the root down, so that every tile is compared with a hash that is known to be
//! right, and holds one tile of each level at a time: memory does not grow with the log.

use std::collections::BTreeMap;
use std::io;

use handfast_model::{TimeWindow, Timestamp};
use thiserror::Error;

use crate::checkpoint::SignedCheckpoint;
use crate::cosignature::{Cosigned, TrustError, TrustPolicy};
use crate::disk::TileSource;
use crate::hash::TreeHash;
use crate::leaf::{Leaf, LeafError};
use crate::note::NoteError;
use crate::tile::{RunHashes, TileError, TileKind, TreeFiles};
use crate::tree::{TILE_HEIGHT, TILE_WIDTH, TreeProofError, check_consistency, subtree_root};
use crate::vocabulary::Kind;

/// Where a log's newest checkpoint is served (C2SP tlog-tiles).
pub const CHECKPOINT: &str = "checkpoint";
/// Where the newest checkpoint that enough cosigners have cosigned is kept.
pub const COSIGNED_CHECKPOINT: &str = "checkpoint.cosigned";
/// Most problems in a report: enough to see a pattern; a log that was replaced has millions.
pub const PROBLEMS_MAX: usize = 20;

/// Why nothing could be verified at all.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// There is no checkpoint.
    #[error("there is no {path} here: this is no log, or it was not copied whole")]
    NoCheckpoint {
        /// The file looked for.
        path: &'static str,
    },
    /// The checkpoint could not be read.
    #[error("could not read {path}")]
    Unreadable {
        /// The file.
        path: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The checkpoint is none.
    #[error("{path} cannot be read as a checkpoint")]
    Checkpoint {
        /// The file.
        path: &'static str,
        /// What is wrong.
        #[source]
        source: NoteError,
    },
}

/// Something that is not as it was signed.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum Problem {
    /// The checkpoint is not trusted.
    #[error("the checkpoint is not trusted: {0}")]
    Untrusted(TrustError),
    /// The tree is not the one of the checkpoint.
    #[error("the tiles give another root than the checkpoint's for {size} leaves")]
    Root {
        /// Leaves in the tree.
        size: u64,
    },
    /// A tile is missing, damaged or unreadable.
    #[error("{0}")]
    Tile(TileError),
    /// A tile is not the one that the tile above it was made from.
    #[error("{path} was changed: it does not give the hash that {above} holds for it")]
    TileDiffers {
        /// The tile.
        path: String,
        /// The tile above.
        above: String,
    },
    /// A leaf is not the one whose hash is in the tree.
    #[error("leaf {index} in {path} was changed: its hash is not the one in {above}")]
    LeafDiffers {
        /// The leaf.
        index: u64,
        /// The bundle that holds it.
        path: String,
        /// The tile that holds its hash.
        above: String,
    },
    /// A leaf cannot be read.
    #[error("leaf {index} cannot be read: {problem}")]
    Leaf {
        /// The leaf.
        index: u64,
        /// What is wrong.
        problem: LeafError,
    },
    /// Time went back.
    #[error("leaf {index} is older than the leaf before it: the log's clock was set back")]
    TimeWentBack {
        /// The leaf.
        index: u64,
    },
    /// The log is not the one that was seen before.
    #[error("the log does not continue what was seen before: {0}")]
    Forked(TreeProofError),
}

/// What to verify, and whom to believe.
#[derive(Clone, Copy, Debug)]
pub struct Verification<'a> {
    /// Whom to believe.
    pub policy: &'a TrustPolicy,
    /// The time of the verifier, against which cosignatures are judged.
    pub now: Timestamp,
    /// Leaves of this time alone (a month, say), or all. Where they begin and end is found by
    /// halving, which trusts that times never go back; verifying all shows that they do not.
    pub during: Option<TimeWindow>,
    /// A checkpoint seen before, which the log must continue.
    pub previous: Option<&'a SignedCheckpoint>,
}

/// What a verification found.
#[derive(Clone, Debug)]
pub struct Report {
    /// The log's name.
    pub origin: String,
    /// Leaves in the checkpoint.
    pub size: u64,
    /// Its root.
    pub root: TreeHash,
    /// Who vouched for it, besides the log.
    pub cosigned: Vec<Cosigned>,
    /// Leaves that were checked and lie within the wanted time.
    pub leaves: u64,
    /// How many of each kind.
    pub kinds: BTreeMap<Kind, u64>,
    /// Tile files that were read.
    pub tiles: u64,
    /// What is wrong, the first [`PROBLEMS_MAX`] of it.
    pub problems: Vec<Problem>,
}

impl Report {
    /// Whether everything that was checked is as it was signed.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Reads a checkpoint file, checking its form alone.
///
/// # Errors
/// Where it is missing or none.
pub fn read_checkpoint(
    source: &dyn TileSource,
    path: &'static str,
) -> Result<SignedCheckpoint, VerifyError> {
    let bytes = source.read(path).map_err(|source| VerifyError::Unreadable { path, source })?;
    let bytes = bytes.ok_or(VerifyError::NoCheckpoint { path })?;
    SignedCheckpoint::parse(&bytes).map_err(|source| VerifyError::Checkpoint { path, source })
}

/// Verifies a log's folder, or a mirror of it: the checkpoint's signatures, every hash between it
/// and the leaves wanted, and that each leaf can be read. Leaves go to `on_leaf` in their order.
///
/// Where the policy needs cosigners, the cosigned checkpoint is verified, else the newest.
///
/// # Errors
/// Where there is no checkpoint. Everything else is in the report.
pub fn verify_folder(
    source: &dyn TileSource,
    what: &Verification<'_>,
    on_leaf: &mut dyn FnMut(u64, &Leaf),
) -> Result<Report, VerifyError> {
    let path = if what.policy.needs_cosigners() { COSIGNED_CHECKPOINT } else { CHECKPOINT };
    let checkpoint = read_checkpoint(source, path)?;
    Ok(verify_checkpoint(source, &checkpoint, what, on_leaf))
}

/// Verifies the tree of a checkpoint that came from elsewhere, as [`verify_folder`] does.
pub fn verify_checkpoint(
    source: &dyn TileSource,
    signed: &SignedCheckpoint,
    what: &Verification<'_>,
    on_leaf: &mut dyn FnMut(u64, &Leaf),
) -> Report {
    let tree = signed.checkpoint();
    let files = TreeFiles::new(source, tree.size);
    let mut walk = Walk::new(files, what.during, on_leaf);
    let cosigned = what.policy.check(signed, what.now).unwrap_or_else(|error| {
        walk.note(Problem::Untrusted(error));
        Vec::new()
    });
    if let Some(previous) = what.previous {
        check_continues(&mut walk, previous, signed);
    }
    walk.run(tree.root);
    let Walk { leaves, kinds, tiles, problems, .. } = walk;
    let (origin, size, root) = (tree.origin.clone(), tree.size, tree.root);
    Report { origin, size, root, cosigned, leaves, kinds, tiles, problems }
}

/// Verifies a stored tree against the root it should have. Leaves go to `on_leaf` in their order.
pub(crate) fn tree_problems(
    files: TreeFiles<'_>,
    root: TreeHash,
    on_leaf: &mut dyn FnMut(u64, &Leaf),
) -> Vec<Problem> {
    let mut walk = Walk::new(files, None, on_leaf);
    walk.run(root);
    walk.problems
}

fn check_continues(walk: &mut Walk<'_>, old: &SignedCheckpoint, new: &SignedCheckpoint) {
    let (old, new) = (old.checkpoint(), new.checkpoint());
    let proof = match RunHashes::new(walk.files).consistency(old.size) {
        Ok(proof) => proof,
        Err(error) => return walk.note(Problem::Tile(error)),
    };
    if let Err(error) = check_consistency(old.size, old.root, new.size, new.root, &proof) {
        walk.note(Problem::Forked(error));
    }
}

/// The first leaf at or after a time, by halving: right where times never go back, which the walk
/// checks at both ends of what it was asked for.
fn first_at_or_after(files: TreeFiles<'_>, at: Timestamp) -> Result<u64, TileError> {
    let is_before = |leaf: &Vec<u8>| Leaf::decode(leaf).is_ok_and(|leaf| leaf.at() < at);
    let (mut low, mut high) = (0, files.size().div_ceil(TILE_WIDTH as u64));
    while low < high {
        let middle = low + (high - low) / 2;
        let entries = files.entries(middle)?;
        match (entries.first().is_some_and(is_before), entries.last().is_some_and(is_before)) {
            (true, true) => low = middle + 1,
            (false, _) => high = middle,
            (true, false) => {
                let within = entries.iter().take_while(|leaf| is_before(leaf)).count();
                return Ok(middle * TILE_WIDTH as u64 + within as u64);
            }
        }
    }
    Ok((low * TILE_WIDTH as u64).min(files.size()))
}

struct Walk<'a> {
    files: TreeFiles<'a>,
    during: Option<TimeWindow>,
    /// Leaves whose tiles are read, from the first to before the second.
    range: (u64, u64),
    on_leaf: &'a mut dyn FnMut(u64, &Leaf),
    last_at: Option<Timestamp>,
    leaves: u64,
    kinds: BTreeMap<Kind, u64>,
    tiles: u64,
    problems: Vec<Problem>,
}

impl<'a> Walk<'a> {
    fn new(
        files: TreeFiles<'a>,
        during: Option<TimeWindow>,
        on_leaf: &'a mut dyn FnMut(u64, &Leaf),
    ) -> Self {
        let range = (0, files.size());
        let (kinds, problems) = (BTreeMap::new(), Vec::new());
        Self { files, during, range, on_leaf, last_at: None, leaves: 0, kinds, tiles: 0, problems }
    }

    fn note(&mut self, problem: Problem) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        }
    }

    fn run(&mut self, root: TreeHash) {
        if let Some(window) = self.during {
            let ends = first_at_or_after(self.files, window.start)
                .and_then(|start| Ok((start, first_at_or_after(self.files, window.end)?)));
            match ends {
                // One more at each end shows that nothing of the time lies beyond.
                Ok((start, end)) => {
                    self.range = (start.saturating_sub(1), (end + 1).min(self.files.size()));
                }
                Err(error) => return self.note(Problem::Tile(error)),
            }
        }
        let edge = match self.files.edge() {
            Ok(edge) => edge,
            Err(error) => return self.note(Problem::Tile(error)),
        };
        if edge.root() != root {
            // The comparisons below may still say which file it is.
            self.note(Problem::Root { size: self.files.size() });
        }
        for (level, hashes) in edge.levels().iter().enumerate().rev() {
            if !hashes.is_empty() {
                self.tiles += 1;
                let whole = self.files.size() >> (TILE_HEIGHT * level as u32);
                self.below(level as u32, whole / TILE_WIDTH as u64, hashes);
            }
        }
    }

    /// Whether leaves from `start` on, `count` of them, are wanted.
    const fn is_wanted(&self, start: u64, count: u64) -> bool {
        start < self.range.1 && start + count > self.range.0
    }

    /// Checks what hangs below the hashes of a tile.
    fn below(&mut self, level: u32, index: u64, hashes: &[TreeHash]) {
        if level == 0 {
            return self.bundle(index, hashes);
        }
        let span = 1_u64 << (TILE_HEIGHT * level);
        for (child, &hash) in (index * TILE_WIDTH as u64..).zip(hashes) {
            if !self.is_wanted(child * span, span) || self.problems.len() >= PROBLEMS_MAX {
                continue;
            }
            self.tiles += 1;
            match self.files.hashes(level - 1, child) {
                Err(error) => self.note(Problem::Tile(error)),
                Ok(hashes) => {
                    if subtree_root(&hashes) != hash {
                        let path = self.name(TileKind::Hashes(level - 1), child);
                        let above = self.name(TileKind::Hashes(level), index);
                        self.note(Problem::TileDiffers { path, above });
                    }
                    self.below(level - 1, child, &hashes);
                }
            }
        }
    }

    fn bundle(&mut self, index: u64, hashes: &[TreeHash]) {
        let first = index * TILE_WIDTH as u64;
        if !self.is_wanted(first, hashes.len() as u64) {
            return;
        }
        self.tiles += 1;
        let entries = match self.files.entries(index) {
            Ok(entries) => entries,
            Err(error) => return self.note(Problem::Tile(error)),
        };
        for ((place, &hash), entry) in (first..).zip(hashes).zip(&entries) {
            if TreeHash::of_leaf(entry) != hash {
                let path = self.name(TileKind::Entries, index);
                let above = self.name(TileKind::Hashes(0), index);
                self.note(Problem::LeafDiffers { index: place, path, above });
            }
            match Leaf::decode(entry) {
                Ok(leaf) => self.leaf(place, &leaf),
                Err(problem) => self.note(Problem::Leaf { index: place, problem }),
            }
        }
    }

    fn leaf(&mut self, index: u64, leaf: &Leaf) {
        if self.last_at.is_some_and(|last| leaf.at() < last) {
            self.note(Problem::TimeWentBack { index });
        }
        self.last_at = Some(leaf.at());
        if self.during.is_none_or(|window| window.contains(leaf.at())) {
            self.leaves += 1;
            *self.kinds.entry(leaf.statement().kind()).or_default() += 1;
            (self.on_leaf)(index, leaf);
        }
    }

    fn name(&self, kind: TileKind, index: u64) -> String {
        self.files.path(kind, index).to_string()
    }
}
