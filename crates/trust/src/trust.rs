//! The log with its openings.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use handfast_model::{Clock, Duration, LinkId, Random, SecretText, Timestamp};
use handfast_store::Store;
use handfast_tlog::{
    AtOpen, Commitment, CosignerGroup, DeletionCause, Draft, Folder, KeyKind, Kind, Label,
    LabelKey, Leaf, Log, LogConfig, LogError, LogStatus, Opening, Promise, SecretKey, Statement,
    VerifierKey,
};
use tokio::sync::RwLock;
use zeroize::Zeroizing;

use crate::deletion_journal::DeletionJournal;
use crate::logged_values::LoggedValues;
use crate::opening_store::{self, Kept, MIGRATIONS};
use crate::{Record, TrustError, key_file};

/// How long a promised leaf may be without enough cosignatures before nothing more is promised:
/// some checkpoints may fail, a log that hides leaves from its witnesses may not go on.
pub const COSIGNED_WITHIN: Duration = Duration::from_secs(60);

/// Where a log is kept and who has to vouch for it.
#[derive(Clone, Debug)]
pub struct TrustConfig {
    /// The folder of tiles, which may be served as it is.
    pub log_dir: PathBuf,
    /// The folder of keys.
    pub keys_dir: PathBuf,
    /// The list of deletions that no backup takes back.
    pub deletions: PathBuf,
    /// What the log is called, where it is new: an address without scheme, as C2SP advises.
    pub origin: String,
    /// Who has to cosign.
    pub cosigners: Vec<CosignerGroup>,
}

/// The log, with what opens its leaves. Clones are the same.
#[derive(Clone)]
pub struct Trust {
    pub(crate) store: Store,
    log: Arc<Log>,
    awaited: Arc<Mutex<Awaited>>,
    labels: Arc<LabelKey>,
    deletions: Arc<DeletionJournal>,
    /// The leaves of deletions that the log had when it was opened, by their places.
    deleted_at_open: Arc<BTreeMap<u64, Commitment>>,
    /// What the log last said of rules and epochs.
    pub(crate) logged: Arc<tokio::sync::Mutex<LoggedValues>>,
    /// Held by whoever carries what is owed; shared by those who are about to put a leaf of their
    /// own into the log, which must not be carried beside them.
    owing: Arc<RwLock<()>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// What log and list tell of deletions: see [`Trust::deletions`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// Links whose palms were, or are to be, deleted, whatever a database says.
    pub links: Vec<LinkId>,
    /// Leaves of deletions that nothing here knows whose they were.
    pub unknown: Vec<u64>,
}

/// The cosigned tree that is waited for: from `since` on, until it has `size` leaves.
struct Awaited {
    size: u64,
    since: Timestamp,
}

/// A leaf that was promised; whom it is about is not said yet.
#[derive(Debug)]
#[must_use = "keep it for whom it is about, or nobody can open the leaf"]
pub struct Promised {
    promise: Promise,
    leaf: Leaf,
    opening: Opening,
}

impl Promised {
    /// Its place in the log.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.promise.index()
    }
}

impl Trust {
    /// Opens the log and its openings, makes keys where there are none, and carries what is owed.
    ///
    /// # Errors
    /// Where a key file, the log or the database cannot be opened.
    pub async fn open(
        config: TrustConfig,
        store: Store,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, TrustError> {
        store.migrate(&MIGRATIONS).await?;
        let (for_keys, for_log) = (random.clone(), clock.clone());
        // From before there was a list of deletions, or where it was lost.
        let kept = opening_store::deletions(&store).await?;
        let opened = blocking(move || {
            let deletions = DeletionJournal::open(&config.deletions)?;
            deletions.add_leaves(&kept)?;
            open_log(&config, for_log, &*for_keys).map(|log| (deletions, log))
        });
        let (deletions, Opened { log, labels, deleted, logged }) = opened.await??;
        let awaited = Awaited { size: 0, since: clock.now() };
        let trust = Self {
            store,
            log: Arc::new(log),
            awaited: Arc::new(Mutex::new(awaited)),
            labels: Arc::new(labels),
            deletions: Arc::new(deletions),
            deleted_at_open: Arc::new(deleted),
            logged: Arc::new(tokio::sync::Mutex::new(logged)),
            owing: Arc::default(),
            clock,
            random,
        };
        trust.settle().await?;
        Ok(trust)
    }

    /// Whose palms were deleted, by the list beside the log: what a database that was put back from
    /// a backup has to be told before it is used. And which deletions of the log the list lacks.
    #[must_use]
    pub fn deletions(&self) -> Replay {
        let leaves = self.deleted_at_open.iter();
        let unknown = leaves.filter(|(_, leaf)| self.deletions.link_of(**leaf).is_none());
        Replay {
            links: self.deletions.links(),
            unknown: unknown.map(|(position, _)| *position).collect(),
        }
    }

    /// Writes down, where no backup takes it back, that a link's palms are to be destroyed: before
    /// anything of them is. Gives the cause that was written first.
    ///
    /// # Errors
    /// [`TrustError::File`]: then nothing may be destroyed yet, or a backup could bring it back.
    pub async fn decide_deletion(
        &self,
        link: LinkId,
        cause: DeletionCause,
    ) -> Result<DeletionCause, TrustError> {
        let deletions = self.deletions.clone();
        blocking(move || deletions.decide(link, cause)).await?
    }

    /// Whether there is a leaf, in the log or owed to it, that tells of the deletion of a link.
    ///
    /// # Errors
    /// [`TrustError::Store`].
    pub async fn tells_of_deletion(&self, link: LinkId) -> Result<bool, TrustError> {
        // A database that was put back lacks openings of leaves that the log has.
        let mut logged = self.deleted_at_open.values();
        if logged.any(|leaf| self.deletions.link_of(*leaf) == Some(link)) {
            return Ok(true);
        }
        opening_store::has_deletion(&self.store, link).await
    }

    /// Which links have a leaf of their enrolment, in the log or owed to it.
    ///
    /// # Errors
    /// [`TrustError::Store`].
    pub async fn enrolled_links(&self) -> Result<HashSet<LinkId>, TrustError> {
        opening_store::links_of_kind(&self.store, Kind::Enrol).await
    }

    /// Reads the leaves of the newest checkpoint from `from` on, in order; says how many it has.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub async fn read_from<T: Send + 'static>(
        &self,
        from: u64,
        mut state: T,
        see: impl Fn(&mut T, &Leaf) + Send + 'static,
    ) -> Result<(u64, T), TrustError> {
        self.with_log(move |log| {
            let size = log.read_from(from, &mut |_, leaf| see(&mut state, leaf))?;
            Ok((size, state))
        })
        .await
    }

    /// Logs a leaf before what it tells about takes effect. When this returns no crash loses it.
    ///
    /// # Errors
    /// Where the log does not promise it: then withhold what it would have told about. So too
    /// where witnesses have not cosigned for [`COSIGNED_WITHIN`].
    pub async fn promise(
        &self,
        statement: Statement,
        record: &Record,
    ) -> Result<Promised, TrustError> {
        self.check_cosigned_lately()?;
        let opening = self.opening_of(record)?;
        let draft = Draft { statement, commitment: opening.commitment() };
        let leaf = Leaf::new(self.clock.now(), draft.clone());
        let promise = self.with_log(move |log| log.append(draft)).await?;
        Ok(Promised { promise, leaf, opening })
    }

    /// Keeps what opens a promised leaf for the palm link it turned out to be about.
    ///
    /// # Errors
    /// [`TrustError::Store`].
    pub async fn keep(&self, link: LinkId, promised: Promised) -> Result<(), TrustError> {
        let position = promised.position();
        let Promised { leaf, opening, .. } = promised;
        let kept = Kept { link, position: Some(position), looked_from: position, leaf, opening };
        opening_store::insert(&self.store, &kept).await
    }

    /// Logs what has happened to a palm link. The leaf is owed durably when this returns, and in the
    /// log where that works; [`Trust::settle`] carries it later where not.
    ///
    /// # Errors
    /// [`TrustError::Store`], [`TrustError::RecordTooLong`].
    pub async fn record(
        &self,
        link: LinkId,
        statement: Statement,
        record: &Record,
    ) -> Result<(), TrustError> {
        let opening = self.opening_of(record)?;
        let draft = Draft { statement, commitment: opening.commitment() };
        let leaf = Leaf::new(self.clock.now(), draft);
        if leaf.statement().kind() == Kind::Delete {
            let (deletions, leaf) = (self.deletions.clone(), (opening.commitment(), link));
            blocking(move || deletions.add_leaves(&[leaf])).await??;
        }
        let _mine = self.owing.read().await;
        let looked_from = self.log.status().signed;
        let kept = Kept { link, position: None, looked_from, leaf, opening };
        opening_store::insert(&self.store, &kept).await?;
        if let Err(error) = self.append_owed(&kept).await {
            tracing::warn!(%error, "a leaf is owed to the log and will be carried later");
        }
        Ok(())
    }

    /// Carries every leaf that is owed. One that reached the log just before a crash is found there
    /// and not logged twice.
    ///
    /// # Errors
    /// Where the log or the database do not do their part; what is left stays owed.
    pub async fn settle(&self) -> Result<(), TrustError> {
        let _nobody_is_half_done = self.owing.write().await;
        let owed = opening_store::owed(&self.store).await?;
        if owed.is_empty() {
            return Ok(());
        }
        self.publish().await?;
        for kept in owed {
            let (from, commitment) = (kept.looked_from, kept.opening.commitment());
            let found = self.with_log(move |log| find(log, from, commitment)).await?;
            match found {
                Some(position) => {
                    opening_store::set_position(&self.store, commitment, position).await?;
                }
                None => self.append_owed(&kept).await?,
            }
        }
        Ok(())
    }

    async fn append_owed(&self, kept: &Kept) -> Result<(), TrustError> {
        let commitment = kept.opening.commitment();
        let draft = Draft { statement: kept.leaf.statement().clone(), commitment };
        let promise = self.with_log(move |log| log.append(draft)).await?;
        opening_store::set_position(&self.store, commitment, promise.index()).await
    }

    /// Puts all promised leaves under a new checkpoint. Call it every second or so.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub async fn publish(&self) -> Result<(), TrustError> {
        self.with_log(|log| log.publish().map(drop)).await
    }

    /// Whether witnesses have kept up: a promised leaf is under a cosigned checkpoint within
    /// [`COSIGNED_WITHIN`]. Always so where none are configured.
    ///
    /// # Errors
    /// [`TrustError::NotCosigned`].
    fn check_cosigned_lately(&self) -> Result<(), TrustError> {
        if !self.log.policy().needs_cosigners() {
            return Ok(());
        }
        let (status, now) = (self.log.status(), self.clock.now());
        let mut awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        if status.cosigned >= awaited.size {
            *awaited = Awaited { size: status.promised, since: now };
        }
        if now < awaited.since + COSIGNED_WITHIN {
            return Ok(());
        }
        Err(TrustError::NotCosigned { promised: status.promised, cosigned: status.cosigned })
    }

    /// The stand-in, in public fields, for a gallery, event or shop: always the same for the same
    /// one, and telling nothing to whoever lacks the log's label key.
    #[must_use]
    pub fn label(&self, id: &impl fmt::Display) -> Label {
        self.labels.label(id)
    }

    /// How the log stands.
    #[must_use]
    pub fn status(&self) -> LogStatus {
        self.log.status()
    }

    /// The public key that verifiers need.
    #[must_use]
    pub fn verifier_key(&self) -> &VerifierKey {
        self.log.policy().log()
    }

    /// The log itself, for witnesses and proofs.
    #[must_use]
    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// Leaves below this one are under a checkpoint that the log's policy trusts.
    pub(crate) fn proven(&self) -> u64 {
        let status = self.log.status();
        if self.log.policy().needs_cosigners() { status.cosigned } else { status.signed }
    }

    fn opening_of(&self, record: &Record) -> Result<Opening, TrustError> {
        let json = Zeroizing::new(record.to_json());
        Ok(Opening::new(json.as_bytes(), &*self.random)?)
    }

    /// Works on the log where waiting for the disk blocks no other task.
    pub(crate) async fn with_log<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Log) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, TrustError> {
        let log = Arc::clone(&self.log);
        Ok(blocking(move || work(&log)).await??)
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").field("log", &self.log).field("status", &self.status()).finish()
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, TrustError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| TrustError::Stopping)
}

/// The place of the leaf with this commitment, at `from` or after.
fn find(log: &Log, from: u64, commitment: Commitment) -> Result<Option<u64>, LogError> {
    let mut found = None;
    log.read_from(from, &mut |position, leaf| {
        if leaf.commitment() == commitment {
            found = Some(position);
        }
    })?;
    Ok(found)
}

/// A log that was opened, and what was read on the way.
struct Opened {
    log: Log,
    labels: LabelKey,
    deleted: BTreeMap<u64, Commitment>,
    logged: LoggedValues,
}

fn open_log(
    config: &TrustConfig,
    clock: Arc<dyn Clock>,
    random: &dyn Random,
) -> Result<Opened, TrustError> {
    let disk = Folder::exclusive(&config.log_dir).map_err(|source| TrustError::File {
        action: "open",
        path: config.log_dir.clone(),
        source,
    })?;
    let key_path = config.keys_dir.join("log.key");
    let key = signing_key(&key_path, &config.origin, KeyKind::Note, random)?;
    let labels = label_key(config, random)?;
    let cosigners = config.cosigners.clone();
    let config = LogConfig { key, cosigners, at_open: AtOpen::CheckEverything };
    let (mut deleted, mut logged) = (BTreeMap::new(), LoggedValues::default());
    let log = Log::open_and_read(Arc::new(disk), config, clock, &mut |position, leaf| {
        logged.take(leaf.statement());
        if leaf.statement().kind() == Kind::Delete {
            deleted.insert(position, leaf.commitment());
        }
    })?;
    Ok(Opened { log, labels, deleted, logged })
}

/// The signing key in a file: made under `name` where there is none yet.
///
/// # Errors
/// [`TrustError::File`], [`TrustError::KeyDamaged`], [`TrustError::KeyName`].
pub fn signing_key(
    path: &Path,
    name: &str,
    kind: KeyKind,
    random: &dyn Random,
) -> Result<SecretKey, TrustError> {
    let text = key_file::load_or_create(path, || {
        let key = SecretKey::generate(name, kind, random);
        let key = key.map_err(|_| TrustError::KeyName { name: name.to_owned() })?;
        Ok(Zeroizing::new(key.to_secret_text().expose().as_bytes().to_vec()))
    })?;
    let damaged = || TrustError::KeyDamaged { path: path.to_owned() };
    let text = std::str::from_utf8(&text).map_err(|_| damaged())?;
    let key = SecretKey::parse(&SecretText::new(text.to_owned())).map_err(|_| damaged())?;
    if key.public().kind() == kind { Ok(key) } else { Err(damaged()) }
}

fn label_key(config: &TrustConfig, random: &dyn Random) -> Result<LabelKey, TrustError> {
    let path = config.keys_dir.join("log-labels.key");
    let bytes = key_file::load_or_create(&path, || {
        let mut bytes = Zeroizing::new(vec![0; 32]);
        random.fill(&mut bytes);
        Ok(bytes)
    })?;
    let bytes: [u8; 32] =
        bytes.as_slice().try_into().map_err(|_| TrustError::KeyDamaged { path: path.clone() })?;
    Ok(LabelKey::from_bytes(bytes))
}
