//! The log itself: takes leaves, promises them, publishes checkpoints, proves.
//!
//! A leaf goes to the journal first; many callers' leaves share one sync (group commit: whoever
//! comes first writes for all who wait). With the sync it has its place, and the promise is signed.
//! [`Log::publish`] moves what is in the journal into tiles, then signs a checkpoint, then drops
//! the journal's old files: at every instant each promised leaf is in the journal or under a
//! checkpoint, at the same place.
//!
//! Locks are taken in the order publisher, writer, pending, checkpoints.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use handfast_model::{Clock, Timestamp};

use crate::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::cosignature::{CosignerGroup, TrustPolicy, cosigned_at};
use crate::disk::{Disk, TileSource, parent, place};
use crate::error::LogError;
use crate::hash::TreeHash;
use crate::journal;
use crate::leaf::{Draft, Leaf};
use crate::note::{NoteSignature, SecretKey};
use crate::promise::Promise;
use crate::proof::Proof;
use crate::tile::{RunHashes, TileKind, TilePath, TreeFiles, encode_hashes, push_entry};
use crate::tree::{Edge, TILE_HEIGHT, TILE_WIDTH, check_inclusion, edge_width};
use crate::verifier::{CHECKPOINT, COSIGNED_CHECKPOINT, Problem};
use crate::witness::AddCheckpoint;

/// Most leaves that wait for the disk: at 5,000 a second thirteen seconds, far beyond any promise.
pub const WAITING_MAX: usize = 65_536;
/// Most leaves in no checkpoint: they are held in memory, some 200 bytes each.
pub const UNPUBLISHED_MAX: usize = 1 << 20;
/// How many checkpoints may wait for cosignatures; older ones are overtaken by newer ones anyway.
const CANDIDATES_MAX: usize = 16;

/// How much of the stored tree [`Log::open`] checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtOpen {
    /// Every tile and leaf, against the last checkpoint.
    CheckEverything,
    /// What appending builds on: the right edge. For a big log that is verified elsewhere.
    CheckEdge,
}

/// Who a log is.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// Signs checkpoints and promises; its name is the log's origin.
    pub key: SecretKey,
    /// Who has to cosign.
    pub cosigners: Vec<CosignerGroup>,
    /// What is checked at the start.
    pub at_open: AtOpen,
}

/// How a log stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogStatus {
    /// Leaves that are durable and promised.
    pub promised: u64,
    /// Leaves in the newest checkpoint.
    pub signed: u64,
    /// Leaves in the newest checkpoint that enough cosigners have cosigned.
    pub cosigned: u64,
    /// Why the log takes no leaves, where it does not.
    pub stopped: Option<String>,
}

/// A log that is written. Every method blocks until the disk has done its part: an asynchronous
/// caller runs them on a thread for blocking work.
pub struct Log {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) key: SecretKey,
    pub(crate) policy: TrustPolicy,
    pub(crate) publisher: Mutex<Publisher>,
    pub(crate) waiting: Mutex<Waiting>,
    pub(crate) writer: Mutex<Writer>,
    pub(crate) pending: Mutex<Pending>,
    pub(crate) checkpoints: Mutex<Checkpoints>,
}

/// What publishing builds on.
#[derive(Clone)]
pub(crate) struct Publisher {
    pub(crate) edge: Edge,
    /// Entries that do not fill a bundle yet, as bytes of one.
    pub(crate) bundle: Vec<u8>,
    /// Files of the journal that no batch goes to any more.
    pub(crate) closed: Vec<String>,
}

/// Calls whose leaves wait for the disk.
#[derive(Default)]
pub(crate) struct Waiting {
    calls: Vec<(Vec<Draft>, Arc<Slot>)>,
    leaves: usize,
}

/// Where a call finds what became of its leaves.
#[derive(Default)]
struct Slot(Mutex<Option<Result<Vec<Stored>, LogError>>>);

/// A leaf that is durable.
struct Stored {
    index: u64,
    hash: TreeHash,
}

/// The end of the journal.
pub(crate) struct Writer {
    pub(crate) next: u64,
    pub(crate) last_at: Timestamp,
    pub(crate) file: Option<JournalFile>,
    pub(crate) stopped: Option<LogError>,
}

pub(crate) struct JournalFile {
    pub(crate) path: String,
    pub(crate) len: u64,
}

/// Durable leaves from `first` on, in no checkpoint yet.
pub(crate) struct Pending {
    pub(crate) first: u64,
    pub(crate) leaves: VecDeque<Arc<[u8]>>,
}

pub(crate) struct Checkpoints {
    pub(crate) newest: SignedCheckpoint,
    pub(crate) cosigned: Option<SignedCheckpoint>,
    /// Signed lately, the newest last: cosignatures for them may still come.
    pub(crate) candidates: VecDeque<SignedCheckpoint>,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A thread that panicked left a state that holds: every change is made by one assignment after
    // the disk has done its part.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Log({})", self.key.public())
    }
}

impl Log {
    /// Logs one leaf and gives the promise for it: when this returns, no crash loses the leaf.
    ///
    /// # Errors
    /// Where it could not be made durable; then it was promised to nobody. (It may have reached the
    /// disk all the same, and appear.)
    pub fn append(&self, draft: Draft) -> Result<Promise, LogError> {
        let mut promises = self.append_all(vec![draft])?;
        Ok(promises.pop().expect("one leaf has one promise"))
    }

    /// Logs several leaves, next to each other and in this order, with one sync.
    ///
    /// # Errors
    /// As [`append`](Self::append): all of them or none.
    pub fn append_all(&self, drafts: Vec<Draft>) -> Result<Vec<Promise>, LogError> {
        let slot = self.enqueue(drafts)?;
        // Whoever gets the writer first writes for all who wait by then; the others find it done.
        let mut writer = lock(&self.writer);
        if lock(&slot.0).is_none() {
            self.commit_waiting(&mut writer);
        }
        drop(writer);
        let stored = lock(&slot.0).take().expect("the writer has filled the slot")?;
        let now = self.clock.now();
        let promise = |leaf: &Stored| Promise::sign(leaf.hash, leaf.index, now, &self.key);
        Ok(stored.iter().map(promise).collect())
    }

    fn enqueue(&self, drafts: Vec<Draft>) -> Result<Arc<Slot>, LogError> {
        let unpublished = lock(&self.pending).leaves.len();
        let mut waiting = lock(&self.waiting);
        let leaves = waiting.leaves + drafts.len();
        if leaves > WAITING_MAX {
            return Err(LogError::Overloaded { waiting: leaves, max: WAITING_MAX });
        }
        if unpublished + leaves > UNPUBLISHED_MAX {
            return Err(LogError::Unpublished { unpublished, max: UNPUBLISHED_MAX });
        }
        let slot = Arc::new(Slot::default());
        waiting.leaves = leaves;
        waiting.calls.push((drafts, Arc::clone(&slot)));
        Ok(slot)
    }

    fn commit_waiting(&self, writer: &mut Writer) {
        let calls = std::mem::take(&mut *lock(&self.waiting)).calls;
        // Along the log times never go back, whatever the machine's clock does.
        let now = self.clock.now().max(writer.last_at);
        let mut leaves: Vec<Arc<[u8]>> = Vec::new();
        for (drafts, _) in &calls {
            leaves.extend(drafts.iter().map(|draft| Leaf::new(now, draft.clone()).encode().into()));
        }
        let first = writer.next;
        let committed = self.commit(writer, &leaves);
        if committed.is_ok() {
            writer.next += leaves.len() as u64;
            writer.last_at = now;
            lock(&self.pending).leaves.extend(leaves.iter().cloned());
        }
        let mut stored = (first..).zip(&leaves);
        for (drafts, slot) in calls {
            let result = match &committed {
                Err(error) => Err(error.clone()),
                Ok(()) => Ok(stored
                    .by_ref()
                    .take(drafts.len())
                    .map(|(index, leaf)| Stored { index, hash: TreeHash::of_leaf(leaf) })
                    .collect()),
            };
            *lock(&slot.0) = Some(result);
        }
    }

    /// Makes a batch durable at the end of the journal, or leaves the journal as it was.
    fn commit(&self, writer: &mut Writer, leaves: &[Arc<[u8]>]) -> Result<(), LogError> {
        if let Some(cause) = &writer.stopped {
            return Err(LogError::Stopped(Arc::new(cause.clone())));
        }
        if leaves.is_empty() {
            return Ok(());
        }
        let bytes = journal::encode(writer.next, leaves.iter().map(AsRef::as_ref));
        let (path, len, is_new) = match &writer.file {
            Some(file) => (file.path.clone(), file.len, false),
            None => (journal::path(writer.next), 0, true),
        };
        let failed = |action, error| LogError::disk((action, path.clone(), error));
        let written = match is_new {
            true => self.disk.write_at(&path, 0, &vec![0; journal::FILE_BYTES]),
            false => Ok(()),
        };
        let written = written.and_then(|()| self.disk.write_at(&path, len, &bytes));
        if let Err(error) = written {
            let error = failed("write", error);
            // Half a batch must not stay in front of the next one.
            let cut = self.disk.set_len(&path, len).and_then(|()| self.disk.sync(&path));
            if cut.is_err() {
                writer.stopped = Some(error.clone());
            }
            return Err(error);
        }
        let synced = self.disk.sync(&path).and_then(|()| match is_new {
            true => self.disk.sync_dir(parent(&path)),
            false => Ok(()),
        });
        if let Err(error) = synced {
            // What is on the disk is unknown now; whoever reads it again at the next start knows.
            let error = failed("sync", error);
            writer.stopped = Some(error.clone());
            return Err(error);
        }
        writer.file = Some(JournalFile { path, len: len + bytes.len() as u64 });
        Ok(())
    }

    /// Puts all promised leaves under a new checkpoint. Call it every second or so, and at the end.
    /// With nothing new it gives the newest checkpoint again.
    ///
    /// # Errors
    /// Where the disk refuses; the leaves stay promised, and the next call tries again.
    pub fn publish(&self) -> Result<SignedCheckpoint, LogError> {
        let mut publisher = lock(&self.publisher);
        let leaves = self.take_in_pending(&mut publisher);
        if leaves.is_empty() {
            return Ok(self.checkpoint());
        }
        let mut next = publisher.clone();
        let files = next.take_in(&leaves);
        place(self.disk.as_ref(), &files).map_err(LogError::disk)?;
        // Only now: a signed root whose tiles a crash could lose would force a fork.
        let origin = self.key.public().name().to_owned();
        let tree = Checkpoint { origin, size: next.edge.size(), root: next.edge.root() };
        let signed = SignedCheckpoint::sign(tree, &self.key);
        self.place_checkpoint(CHECKPOINT, &signed)?;
        let old_size = publisher.edge.size();
        let closed = std::mem::take(&mut next.closed);
        *publisher = next;
        {
            let mut pending = lock(&self.pending);
            pending.leaves.drain(..leaves.len());
            pending.first = signed.checkpoint().size;
        }
        let mut checkpoints = lock(&self.checkpoints);
        checkpoints.newest = signed.clone();
        checkpoints.candidates.push_back(signed.clone());
        if checkpoints.candidates.len() > CANDIDATES_MAX {
            checkpoints.candidates.pop_front();
        }
        drop(checkpoints);
        self.tidy(old_size, signed.checkpoint().size, closed);
        Ok(signed)
    }

    /// Ends the journal's file where it is full, so that it can go once its leaves are published, and
    /// gives the leaves to publish.
    fn take_in_pending(&self, publisher: &mut Publisher) -> Vec<Arc<[u8]>> {
        let mut writer = lock(&self.writer);
        let closed = writer.file.take_if(|file| file.len >= journal::FILE_BYTES as u64);
        publisher.closed.extend(closed.map(|file| file.path));
        let pending = lock(&self.pending);
        debug_assert_eq!(pending.first, publisher.edge.size(), "pending follows the tree");
        debug_assert_eq!(pending.first + pending.leaves.len() as u64, writer.next);
        pending.leaves.iter().cloned().collect()
    }

    fn place_checkpoint(
        &self,
        path: &'static str,
        checkpoint: &SignedCheckpoint,
    ) -> Result<(), LogError> {
        let file = (path.to_owned(), checkpoint.to_string().into_bytes());
        place(self.disk.as_ref(), &[file]).map_err(LogError::disk)
    }

    /// Removes what the new checkpoint has made useless. A file that stays does no harm: the next
    /// start skips it.
    fn tidy(&self, old_size: u64, new_size: u64, journal_files: Vec<String>) {
        for path in journal_files {
            let _ = self.disk.remove(&path);
        }
        for level in 0.. {
            let filled = old_size >> (TILE_HEIGHT * (level + 1));
            if new_size >> (TILE_HEIGHT * (level + 1)) == filled {
                return;
            }
            if edge_width(old_size, level) > 0 {
                let full = TilePath::full(TileKind::Hashes(level), filled);
                let _ = self.disk.remove(&full.partial_dir());
                if level == 0 {
                    let full = TilePath::full(TileKind::Entries, filled);
                    let _ = self.disk.remove(&full.partial_dir());
                }
            }
        }
    }

    /// The newest checkpoint, with the cosignatures that have come for it.
    #[must_use]
    pub fn checkpoint(&self) -> SignedCheckpoint {
        lock(&self.checkpoints).newest.clone()
    }

    /// The newest checkpoint that enough cosigners have cosigned.
    #[must_use]
    pub fn cosigned_checkpoint(&self) -> Option<SignedCheckpoint> {
        lock(&self.checkpoints).cosigned.clone()
    }

    /// The log's files, as they are served to everybody.
    #[must_use]
    pub fn files(&self) -> &dyn TileSource {
        self.disk.as_ref()
    }

    /// Whom a verifier of this log believes.
    #[must_use]
    pub const fn policy(&self) -> &TrustPolicy {
        &self.policy
    }

    /// How the log stands.
    #[must_use]
    pub fn status(&self) -> LogStatus {
        let (promised, stopped) = {
            let writer = lock(&self.writer);
            (writer.next, writer.stopped.as_ref().map(ToString::to_string))
        };
        let checkpoints = lock(&self.checkpoints);
        let signed = checkpoints.newest.checkpoint().size;
        let cosigned = checkpoints.cosigned.as_ref().map_or(0, |signed| signed.checkpoint().size);
        LogStatus { promised, signed, cosigned, stopped }
    }

    /// Takes in what a witness or node answered: signature lines. Says how many count.
    ///
    /// # Errors
    /// Where the lines cannot be read, none of them is a valid cosignature of a recent checkpoint
    /// by a configured cosigner, or the disk refuses.
    pub fn add_cosignatures(&self, lines: &str) -> Result<usize, LogError> {
        let lines: Vec<NoteSignature> = lines
            .lines()
            .map(NoteSignature::parse)
            .collect::<Result<_, _>>()
            .map_err(LogError::Cosignature)?;
        // Publishing writes the same files.
        let _publisher = lock(&self.publisher);
        let mut candidates = lock(&self.checkpoints).candidates.clone();
        let mut taken = 0;
        for candidate in &mut candidates {
            let text = candidate.note().text().to_owned();
            for line in &lines {
                let valid = |by| cosigned_at(&text, line, by).is_some();
                if self.policy.cosigners().any(valid) {
                    candidate.set_signature(line.clone());
                    taken += 1;
                }
            }
        }
        if taken == 0 {
            return Err(LogError::NoCosignature);
        }
        self.keep_cosigned(candidates)?;
        Ok(taken)
    }

    fn keep_cosigned(&self, candidates: VecDeque<SignedCheckpoint>) -> Result<(), LogError> {
        let now = self.clock.now();
        if let Some(newest) = candidates.back() {
            self.place_checkpoint(CHECKPOINT, newest)?;
        }
        let enough = |candidate: &&SignedCheckpoint| self.policy.check(candidate, now).is_ok();
        let best = candidates.iter().rev().find(enough).cloned();
        let known = self.cosigned_checkpoint().map_or(0, |known| known.checkpoint().size);
        let best = best.filter(|best| best.checkpoint().size >= known);
        if let Some(best) = &best {
            self.place_checkpoint(COSIGNED_CHECKPOINT, best)?;
        }
        let mut checkpoints = lock(&self.checkpoints);
        if let Some(newest) = candidates.back() {
            checkpoints.newest = newest.clone();
        }
        checkpoints.candidates = candidates;
        checkpoints.cosigned = best.or_else(|| checkpoints.cosigned.take());
        Ok(())
    }

    /// What to send to a witness that has seen `old` leaves.
    ///
    /// # Errors
    /// Where the tiles cannot be read, or the witness claims more leaves than there are.
    pub fn request_to_witness(&self, old: u64) -> Result<AddCheckpoint, LogError> {
        let checkpoint = self.checkpoint();
        let size = checkpoint.checkpoint().size;
        if old > size {
            return Err(LogError::NotYet { index: old, what: "signed", size });
        }
        let files = TreeFiles::new(self.disk.as_ref(), size);
        let proof = RunHashes::new(files).consistency(old)?;
        Ok(AddCheckpoint { old, proof, checkpoint })
    }

    /// Proves that a leaf is in the newest checkpoint that verifiers trust: the cosigned one where
    /// cosigners are configured.
    ///
    /// # Errors
    /// Where the leaf is in no such checkpoint yet, or the stored tree was changed.
    pub fn prove(&self, index: u64) -> Result<Proof, LogError> {
        let (checkpoint, what) = match self.policy.needs_cosigners() {
            true => (self.cosigned_checkpoint(), "cosigned"),
            false => (Some(self.checkpoint()), "signed"),
        };
        let size = checkpoint.as_ref().map_or(0, |signed| signed.checkpoint().size);
        match checkpoint {
            Some(checkpoint) if index < size => self.prove_in(index, checkpoint),
            _ => Err(LogError::NotYet { index, what, size }),
        }
    }

    fn prove_in(&self, index: u64, checkpoint: SignedCheckpoint) -> Result<Proof, LogError> {
        let tree = checkpoint.checkpoint();
        let mut hashes = RunHashes::new(TreeFiles::new(self.disk.as_ref(), tree.size));
        let leaf = hashes.of_run((index, index + 1))?;
        let proof = hashes.inclusion(index)?;
        // A proof that does not hold would accuse the log: somebody changed its tiles.
        check_inclusion(leaf, index, tree.size, tree.root, &proof)
            .map_err(|_| LogError::Differs { problems: vec![Problem::Root { size: tree.size }] })?;
        Ok(Proof { extra: Vec::new(), index, hashes: proof, checkpoint })
    }

    /// Reads the leaves from `from` on, in order, each bundle once; says how many leaves the newest
    /// checkpoint has.
    ///
    /// # Errors
    /// Where a bundle cannot be read or a leaf in it is none.
    pub fn read_from(&self, from: u64, see: &mut dyn FnMut(u64, &Leaf)) -> Result<u64, LogError> {
        let size = self.checkpoint().checkpoint().size;
        let files = TreeFiles::new(self.disk.as_ref(), size);
        let width = TILE_WIDTH as u64;
        for bundle in from / width..size.div_ceil(width) {
            for (index, entry) in (bundle * width..).zip(files.entries(bundle)?) {
                if index < from {
                    continue;
                }
                let leaf = Leaf::decode(&entry).map_err(|problem| LogError::Differs {
                    problems: vec![Problem::Leaf { index, problem }],
                })?;
                see(index, &leaf);
            }
        }
        Ok(size)
    }

    /// Reads a leaf that is in a checkpoint.
    ///
    /// # Errors
    /// Where it is in none yet, or its bundle cannot be read.
    pub fn leaf(&self, index: u64) -> Result<Leaf, LogError> {
        let size = self.checkpoint().checkpoint().size;
        if index >= size {
            return Err(LogError::NotYet { index, what: "signed", size });
        }
        let files = TreeFiles::new(self.disk.as_ref(), size);
        let entries = files.entries(index / TILE_WIDTH as u64)?;
        Leaf::decode(&entries[index as usize % TILE_WIDTH]).map_err(|problem| LogError::Differs {
            problems: vec![Problem::Leaf { index, problem }],
        })
    }
}

impl Publisher {
    /// Adds leaves to the tree; gives the files that are new.
    fn take_in(&mut self, leaves: &[Arc<[u8]>]) -> Vec<(String, Vec<u8>)> {
        let old_size = self.edge.size();
        let mut files = Vec::new();
        for leaf in leaves {
            push_entry(&mut self.bundle, leaf);
            self.edge.push(TreeHash::of_leaf(leaf), |tile| {
                let path = TilePath::full(TileKind::Hashes(tile.level), tile.index);
                files.push((path.to_string(), encode_hashes(&tile.hashes)));
            });
            if self.edge.size().is_multiple_of(TILE_WIDTH as u64) {
                let index = self.edge.size() / TILE_WIDTH as u64 - 1;
                let path = TilePath::full(TileKind::Entries, index);
                files.push((path.to_string(), std::mem::take(&mut self.bundle)));
            }
        }
        let size = self.edge.size();
        for (level, hashes) in (0..).zip(self.edge.levels()) {
            let whole = size >> (TILE_HEIGHT * level);
            if hashes.is_empty() || whole == old_size >> (TILE_HEIGHT * level) {
                continue;
            }
            let (index, width) = (whole / TILE_WIDTH as u64, hashes.len());
            let path = TilePath { kind: TileKind::Hashes(level), index, width };
            files.push((path.to_string(), encode_hashes(hashes)));
            if level == 0 {
                let path = TilePath { kind: TileKind::Entries, index, width };
                files.push((path.to_string(), self.bundle.clone()));
            }
        }
        files
    }
}
