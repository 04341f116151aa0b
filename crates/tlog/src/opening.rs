//! Opening a log: what is on the disk is checked before anything builds on it, and a difference is
//! named. A crash at any instant leaves a folder that opens.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};

use handfast_model::{Clock, Timestamp};

use crate::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::cosignature::TrustPolicy;
use crate::disk::{Disk, place};
use crate::error::LogError;
use crate::hash::TreeHash;
use crate::journal::{self, End};
use crate::leaf::Leaf;
use crate::log::{
    AtOpen, Checkpoints, JournalFile, Log, LogConfig, Pending, Publisher, Waiting, Writer,
};
use crate::note::KeyKind;
use crate::promise::is_origin;
use crate::tile::{TileKind, TreeFiles, push_entry};
use crate::tree::{Edge, TILE_WIDTH};
use crate::verifier::{CHECKPOINT, COSIGNED_CHECKPOINT, Problem, tree_problems};

/// The folder of tiles; with no checkpoint beside it somebody removed that.
const TILES: &str = "tile";
/// The last file of the journal and its whole batches are all that may follow a crash.
type Journal = (Vec<Arc<[u8]>>, Vec<String>, Option<JournalFile>);

impl Log {
    /// Opens the log on `disk`, or starts one where there is none.
    ///
    /// # Errors
    /// Where the key cannot be a log's, the disk refuses, or what is stored is not what was signed.
    pub fn open(
        disk: Arc<dyn Disk>,
        config: LogConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, LogError> {
        Self::open_and_read(disk, config, clock, &mut |_, _| {})
    }

    /// As [`Log::open`], and shows every leaf that is read on the way, in order: all that there are
    /// with [`AtOpen::CheckEverything`], those in no checkpoint yet with [`AtOpen::CheckEdge`].
    ///
    /// # Errors
    /// As [`Log::open`]; what was seen of a log that does not open is worth nothing.
    pub fn open_and_read(
        disk: Arc<dyn Disk>,
        config: LogConfig,
        clock: Arc<dyn Clock>,
        see: &mut dyn FnMut(u64, &Leaf),
    ) -> Result<Self, LogError> {
        let LogConfig { key, cosigners, at_open } = config;
        check_key(&key)?;
        let policy = TrustPolicy::new(key.public().clone(), cosigners).map_err(LogError::Policy)?;
        let newest = match read_checkpoint(disk.as_ref(), CHECKPOINT, &policy)? {
            Some(checkpoint) => checkpoint,
            None => start(disk.as_ref(), &key)?,
        };
        let tree = newest.checkpoint().clone();
        let files = TreeFiles::new(disk.as_ref(), tree.size);
        let edge = checked_edge(files, tree.root, at_open, see)?;
        let bundle = open_bundle(files)?;
        let mut last_at = last_leaf_at(files)?;
        let (leaves, closed, file) = read_journal(disk.as_ref(), files)?;
        for (index, leaf) in (tree.size..).zip(&leaves) {
            let leaf = Leaf::decode(leaf).map_err(|problem| LogError::Differs {
                problems: vec![Problem::Leaf { index, problem }],
            })?;
            last_at = last_at.max(leaf.at());
            see(index, &leaf);
        }
        let cosigned = read_checkpoint(disk.as_ref(), COSIGNED_CHECKPOINT, &policy)?
            .filter(|cosigned| cosigned.checkpoint().size <= tree.size);
        let next = tree.size + leaves.len() as u64;
        let candidates = VecDeque::from([newest.clone()]);
        let log = Self {
            disk: Arc::clone(&disk),
            clock,
            key,
            policy,
            publisher: Mutex::new(Publisher { edge, bundle, closed }),
            waiting: Mutex::new(Waiting::default()),
            writer: Mutex::new(Writer { next, last_at, file, stopped: None }),
            pending: Mutex::new(Pending { first: tree.size, leaves: leaves.into() }),
            checkpoints: Mutex::new(Checkpoints { newest, cosigned, candidates }),
        };
        Ok(log)
    }
}

fn check_key(key: &crate::note::SecretKey) -> Result<(), LogError> {
    let name = key.public().name().to_owned();
    if key.public().kind() != KeyKind::Note {
        return Err(LogError::Key { name, problem: "its key is for cosignatures" });
    }
    if !is_origin(&name) {
        return Err(LogError::Key { name, problem: "a log's name is not a number" });
    }
    Ok(())
}

fn failed(action: &'static str, path: &str) -> impl FnOnce(io::Error) -> LogError {
    let path = path.to_owned();
    move |error| LogError::disk((action, path, error))
}

fn read_checkpoint(
    disk: &dyn Disk,
    path: &'static str,
    policy: &TrustPolicy,
) -> Result<Option<SignedCheckpoint>, LogError> {
    let Some(bytes) = disk.read(path).map_err(failed("read", path))? else {
        return Ok(None);
    };
    let broken = |source| LogError::Checkpoint { path, source };
    let checkpoint = SignedCheckpoint::parse(&bytes).map_err(broken)?;
    checkpoint.check_log(policy.log()).map_err(broken)?;
    Ok(Some(checkpoint))
}

/// Signs the empty tree: from then on a folder without a checkpoint is a damaged one.
fn start(disk: &dyn Disk, key: &crate::note::SecretKey) -> Result<SignedCheckpoint, LogError> {
    let tiles = disk.list(TILES).map_err(failed("list", TILES))?;
    let journal = journal::files(disk).map_err(failed("list", journal::DIR))?;
    if !tiles.is_empty() || !journal.is_empty() {
        return Err(LogError::CheckpointMissing { path: CHECKPOINT });
    }
    let origin = key.public().name().to_owned();
    let tree = Checkpoint { origin, size: 0, root: TreeHash::of_nothing() };
    let signed = SignedCheckpoint::sign(tree, key);
    let file = (CHECKPOINT.to_owned(), signed.to_string().into_bytes());
    place(disk, &[file]).map_err(LogError::disk)?;
    Ok(signed)
}

fn checked_edge(
    files: TreeFiles<'_>,
    root: TreeHash,
    at_open: AtOpen,
    see: &mut dyn FnMut(u64, &Leaf),
) -> Result<Edge, LogError> {
    let problems = match at_open {
        AtOpen::CheckEverything => tree_problems(files, root, see),
        AtOpen::CheckEdge => match files.edge()?.root() == root {
            true => Vec::new(),
            // The whole walk names the file.
            false => tree_problems(files, root, &mut |_, _| {}),
        },
    };
    if problems.is_empty() { Ok(files.edge()?) } else { Err(LogError::Differs { problems }) }
}

/// The entries that do not fill a bundle yet, checked against the tree's edge.
fn open_bundle(files: TreeFiles<'_>) -> Result<Vec<u8>, LogError> {
    let index = files.size() / TILE_WIDTH as u64;
    let mut bundle = Vec::new();
    if files.size().is_multiple_of(TILE_WIDTH as u64) {
        return Ok(bundle);
    }
    let (entries, hashes) = (files.entries(index)?, files.hashes(0, index)?);
    for ((place, entry), &hash) in (index * TILE_WIDTH as u64..).zip(&entries).zip(&hashes) {
        if TreeHash::of_leaf(entry) != hash {
            let path = files.path(TileKind::Entries, index).to_string();
            let above = files.path(TileKind::Hashes(0), index).to_string();
            let problem = Problem::LeafDiffers { index: place, path, above };
            return Err(LogError::Differs { problems: vec![problem] });
        }
        push_entry(&mut bundle, entry);
    }
    Ok(bundle)
}

fn last_leaf_at(files: TreeFiles<'_>) -> Result<Timestamp, LogError> {
    let Some(index) = files.size().checked_sub(1) else {
        return Ok(Timestamp::from_micros(0));
    };
    let entries = files.entries(index / TILE_WIDTH as u64)?;
    let leaf = entries.last().map_or(&[] as &[u8], Vec::as_slice);
    let leaf = Leaf::decode(leaf).map_err(|problem| LogError::Differs {
        problems: vec![Problem::Leaf { index, problem }],
    })?;
    Ok(leaf.at())
}

/// Reads the leaves behind the tree, cuts off what a crash left of an unfinished batch, and makes
/// the rest durable: a process that died may have left it in memory alone.
fn read_journal(disk: &dyn Disk, files: TreeFiles<'_>) -> Result<Journal, LogError> {
    let mut paths = journal::files(disk).map_err(failed("list", journal::DIR))?;
    // The folder is there before the first leaf comes, so that appending makes only files in it.
    if disk.make_dir(journal::DIR).map_err(failed("make", journal::DIR))? {
        disk.sync_dir("").map_err(failed("sync", journal::DIR))?;
    }
    let mut leaves = Vec::new();
    let mut file = None;
    for (at, path) in paths.iter().enumerate() {
        let bytes = disk.read(path).map_err(failed("read", path))?.unwrap_or_default();
        let contents = journal::decode(&bytes);
        let is_last = at + 1 == paths.len();
        if contents.end == End::Damaged || (contents.end == End::Torn && !is_last) {
            let offset = contents.good_len;
            return Err(LogError::JournalDamaged { path: path.clone(), offset });
        }
        let len = contents.good_len as u64;
        if contents.end == End::Torn {
            disk.set_len(path, len).map_err(failed("cut", path))?;
        }
        disk.sync(path).map_err(failed("sync", path))?;
        for batch in contents.batches {
            take_in_batch(batch, path, files, &mut leaves)?;
        }
        file = Some(JournalFile { path: path.clone(), len });
    }
    disk.sync_dir(journal::DIR).map_err(failed("sync", journal::DIR))?;
    paths.pop();
    Ok((leaves, paths, file))
}

fn take_in_batch(
    batch: journal::Batch,
    path: &str,
    files: TreeFiles<'_>,
    leaves: &mut Vec<Arc<[u8]>>,
) -> Result<(), LogError> {
    let mut known: Option<(u64, Vec<Vec<u8>>)> = None;
    for (index, leaf) in (batch.first..).zip(batch.leaves) {
        let expected = files.size() + leaves.len() as u64;
        if index == expected {
            leaves.push(leaf.into());
            continue;
        }
        if index > expected || index >= files.size() {
            let path = path.to_owned();
            return Err(LogError::JournalGap { path, expected, found: index });
        }
        // Published already: a crash came before the file could go.
        let bundle = index / TILE_WIDTH as u64;
        let entries = match known.take() {
            Some((at, entries)) if at == bundle => entries,
            _ => files.entries(bundle)?,
        };
        if entries[index as usize % TILE_WIDTH] != leaf {
            return Err(LogError::JournalDiffers { path: path.to_owned(), index });
        }
        known = Some((bundle, entries));
    }
    Ok(())
}
