//! The split vault, as a relying party uses it: three nodes match palms that none of them holds.
//!
//! This side is the front (routing, and the directory of slots), the relying parties' client (it
//! opens what the nodes sealed to them) and the dealer (it turns templates into sealed shares and
//! zeroes them). It never holds a share of a stored palm, and no template for longer than one
//! capture takes to be sealed.
//!
//! One change at a time: whoever enrols, arms or deletes holds [`Inner::changes`], and runs to the
//! end even where its caller goes away. The nodes' list of operations is what counts; the front's
//! database follows it. What was asked for and not heard of is settled before the next change.

mod administering;
mod auditing;
mod benching;
mod changes;
mod dealing;
mod devices;
mod directory;
mod enrolling;
mod filling;
mod identifying;
mod nodes;
mod operating;
mod records;
mod searching;

use std::fmt;
use std::fs::File;
use std::future::Future;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};
use std::time::Duration as StdDuration;

use handfast_model::{Clock, CompanyId, PairwiseToken, Random};
use handfast_store::{Store, StoreOptions};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::deployment::Deployment;
use crate::identity::{FrontSecrets, IdentityError};
use crate::node::{Head, NodeStatus};
use crate::sealing::SealingKey;
use crate::share_sealing::RecipientSecret;
use crate::transport::Delay;
use crate::{VaultError, VaultStatus, private_file};
pub use administering::NodeClient;
pub use benching::BenchGallery;
pub use devices::Capture;
use devices::Devices;
use directory::Directory;
pub use nodes::NodeState;
use nodes::Nodes;
use records::TokenSeal;
use searching::Standing;

/// The front's database in its folder.
const DATABASE: &str = "front.db";

/// What could not be settled with all nodes there is tried again after this: nobody is served until
/// it is.
const SETTLE_AGAIN_AFTER: StdDuration = StdDuration::from_secs(2);

/// How a front is opened.
#[derive(Clone)]
pub struct FrontOptions {
    /// Every message arrives this much later than it would: to measure what distance costs.
    pub delay: Delay,
    /// Its clock.
    pub clock: Arc<dyn Clock>,
    /// Its randomness.
    pub random: Arc<dyn Random>,
}

/// A vault on three nodes. Clones are the same one.
#[derive(Clone)]
pub struct SplitVault(Arc<Inner>, Capture);

struct Inner {
    store: Store,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    deployment: Arc<Deployment>,
    /// Opens the relying parties' results.
    recipient: RecipientSecret,
    devices: Devices,
    seal: TokenSeal,
    nodes: Nodes,
    directory: RwLock<Directory>,
    /// Held by whoever changes anything.
    changes: tokio::sync::Mutex<()>,
    /// Whether nothing that was begun earlier waits to be ended.
    settled: AtomicBool,
    /// The epoch of shares when it was last heard of.
    epoch: AtomicU64,
    settling: RwLock<Option<JoinHandle<()>>>,
    /// Keeps other processes out while it is open.
    _alone: File,
}

impl SplitVault {
    /// Opens the front in `dir`. Nodes that do not answer are waited for in the background; until
    /// all three are there, what needs them fails with [`VaultError::Unavailable`].
    ///
    /// # Errors
    /// When files are missing, damaged or in use, or the database is another deployment's.
    pub async fn open(dir: &Path, options: FrontOptions) -> Result<Self, VaultError> {
        let FrontOptions { delay, clock, random } = options;
        let (secrets, deployment) = FrontSecrets::load(dir).map_err(of_identity)?;
        let alone = private_file::lock_dir(dir)?;
        let id = deployment.id().to_bytes();
        let store = Store::open(&StoreOptions::sqlite(dir.join(DATABASE)).secure_delete()).await?;
        store.migrate(&records::MIGRATIONS).await?;
        match records::deployment(&store).await? {
            Some(found) if found != id => return Err(VaultError::FrontDatabaseForeign),
            Some(_) => {}
            None => records::found(&store, &id).await?,
        }
        let key = secrets.derived(b"front tokens");
        let key = SealingKey::from_slice(&key[..]).expect("32 bytes are a key");
        let recipient = secrets.recipient();
        let seal = TokenSeal { key, deployment: id };
        let directory = records::load(&store, &seal).await?;
        let deployment = Arc::new(deployment);
        let nodes = Nodes::connect(dir, deployment.clone(), clock.clone(), delay)?;
        let inner = Arc::new(Inner {
            store,
            clock,
            random,
            deployment,
            recipient,
            devices: Devices::new(dir, secrets),
            seal,
            nodes,
            directory: RwLock::new(directory),
            changes: tokio::sync::Mutex::new(()),
            settled: AtomicBool::new(false),
            epoch: AtomicU64::new(0),
            settling: RwLock::new(None),
            _alone: alone,
        });
        let settling = tokio::spawn(settle_when_up(Arc::downgrade(&inner), inner.nodes.watch()));
        *inner.settling.write().unwrap_or_else(PoisonError::into_inner) = Some(settling);
        Ok(Self(inner, Capture::default()))
    }

    /// Waits until all three nodes answer and what was begun earlier is ended.
    ///
    /// # Errors
    /// The last reason why not, when `patience` is over.
    pub async fn ready(&self, patience: StdDuration) -> Result<(), VaultError> {
        self.0.nodes.wait(patience).await?;
        self.0.settled().await
    }

    /// How full the vault is, and who answers.
    #[must_use]
    pub fn status(&self) -> VaultStatus {
        let directory = self.0.directory();
        VaultStatus {
            palms: directory.palms(),
            open_galleries: directory.galleries.open(),
            nodes: Some(self.0.nodes.states()),
        }
    }

    /// Whether all three nodes are there, and what was begun earlier is ended.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.nodes.all_up() && self.0.settled.load(Ordering::Acquire)
    }

    /// As [`Vault::deployment`](crate::Vault::deployment).
    pub(crate) fn deployment(&self) -> &Deployment {
        &self.0.deployment
    }

    /// Where each node says that it stands.
    pub async fn node_statuses(&self) -> [Result<NodeStatus, VaultError>; 3] {
        self.0.nodes.statuses().await
    }

    /// What a company knows its palms by, in no order: to find those that the company forgot.
    #[must_use]
    pub fn palms(&self, company: CompanyId) -> Vec<PairwiseToken> {
        self.0.directory().palms_of(company)
    }

    /// Closes the front after the change in progress. Other clones answer errors from then on.
    pub async fn close(self) {
        let _last_change = self.0.changes.lock().await;
        if let Some(settling) =
            self.0.settling.write().unwrap_or_else(PoisonError::into_inner).take()
        {
            settling.abort();
        }
        self.0.nodes.hang_up();
        self.0.store.close().await;
    }

    /// Runs a change to its end, whether or not the caller waits for it.
    async fn to_the_end<T, F>(&self, change: impl FnOnce(Arc<Inner>) -> F) -> Result<T, VaultError>
    where
        F: Future<Output = Result<T, VaultError>> + Send + 'static,
        T: Send + 'static,
    {
        tokio::spawn(change(self.0.clone())).await.unwrap_or_else(|error| {
            match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(_) => Err(VaultError::Stopping),
            }
        })
    }
}

fn of_identity(error: IdentityError) -> VaultError {
    match error {
        IdentityError::File(error) => error,
        other => VaultError::Identity(Box::new(other)),
    }
}

/// Ends what was begun earlier as soon as all nodes are there, without anybody asking.
async fn settle_when_up(inner: Weak<Inner>, mut changes: tokio::sync::watch::Receiver<u64>) {
    loop {
        let again = {
            let Some(inner) = inner.upgrade() else { return };
            if inner.nodes.all_up() {
                let settled = inner.settled().await;
                if let Err(error) = &settled {
                    tracing::warn!(%error, "what was begun earlier is tried again soon");
                }
                settled.is_err()
            } else {
                // Whoever is away may come back without its connections to the others.
                inner.settled.store(false, Ordering::Release);
                false
            }
        };
        let ended = if again {
            timeout(SETTLE_AGAIN_AFTER, changes.changed()).await.is_ok_and(|it| it.is_err())
        } else {
            changes.changed().await.is_err()
        };
        if ended {
            return;
        }
    }
}

impl Inner {
    // A panic elsewhere leaves the directory whole: its changes are single insertions.
    fn directory(&self) -> RwLockReadGuard<'_, Directory> {
        self.directory.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn directory_mut(&self) -> RwLockWriteGuard<'_, Directory> {
        self.directory.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the nodes stand after an operation.
    fn after(&self, head: Head) -> Standing {
        Standing { head, epoch: self.epoch.load(Ordering::Relaxed) }
    }

    /// `None` until it was heard of, and in epoch 0, in which nothing was renewed yet.
    fn share_epoch(&self) -> Option<u64> {
        Some(self.epoch.load(Ordering::Relaxed)).filter(|epoch| *epoch > 0)
    }

    fn heard_epoch(&self, epoch: u64) {
        self.epoch.store(epoch, Ordering::Relaxed);
    }
}

impl SplitVault {
    /// As [`Vault::share_epoch`](crate::Vault::share_epoch).
    pub(crate) fn share_epoch(&self) -> Option<u64> {
        self.0.share_epoch()
    }
}

impl fmt::Debug for SplitVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SplitVault").field("status", &self.status()).finish()
    }
}
