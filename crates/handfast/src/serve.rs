//! Running the service: opening everything in a data folder, answering, housekeeping.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration as StdDuration;

use anyhow::{Context as _, bail, ensure};
use handfast_boxoffice::BoxOffice;
use handfast_model::{
    Clock, Currency, Duration, Random, SecretText, SystemClock, SystemRandom, Timestamp,
};
use handfast_store::{Store, StoreOptions};
use handfast_till::test_gateway::{TestGateway, TestGatewayOptions};
use handfast_till::{Till, TlsRoots};
use handfast_tlog::CosignerGroup;
use handfast_trust::{Retention, Trust, TrustConfig};
use handfast_vault::deployment::{DEPLOYMENT_FILE, DeploymentId};
use handfast_vault::identity::FrontSecrets;
use handfast_vault::transport::Delay;
use handfast_vault::{FrontOptions, SplitVault, Vault, VaultError};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, RwLock};
use tokio::task::JoinSet;

use crate::demo::Demo;
use crate::http;
use crate::hub::{Hub, SharedHub};
use crate::linking::LinkingError;
use crate::local_nodes::LocalNodes;
use crate::money;
use crate::post::{self, MailServer, Post, Smtp};
use crate::sales;
use crate::stations::Stations;
use crate::witnesses::{self, WitnessAddress, Witnesses};

/// How often armings, deletions and strays are looked after; whatever a request changes is carried
/// over at once, this is for time passing and for what failed.
const LINKS_EVERY: StdDuration = StdDuration::from_secs(30);
/// How often openings that nobody needs any more are destroyed: they are kept for months, and looking
/// for them reads all of them.
const OPENINGS_EVERY: Duration = Duration::from_days(1);
/// How often promised leaves are put under a checkpoint: a receipt is there within this.
const LOG_EVERY: StdDuration = StdDuration::from_secs(1);

/// Where in the data folder one process keeps palms, and where three local nodes keep shares of them.
const PLAIN_DIR: &str = "vault";
const NODES_DIR: &str = "nodes";
/// Names the deployment of nodes elsewhere that has this data folder's palms.
const FRONT_MARK: &str = "vault-front";

/// Nodes on this machine answer within this; others are waited for in the background after it.
const NODES_WITHIN: StdDuration = StdDuration::from_secs(20);

/// Where a service keeps its things and how it is reached.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The data folder.
    pub(crate) data: PathBuf,
    /// A PostgreSQL server for the hub's databases; SQLite files in the data folder without.
    pub(crate) database: Option<SecretText>,
    /// Where mails say the pages are.
    pub(crate) public_url: String,
    /// The camera of this machine's pedestal, if it has one.
    pub(crate) camera: Option<PathBuf>,
    /// Who cosigns the transparency log.
    pub(crate) witnesses: Vec<WitnessAddress>,
    /// How many of them have to; all without.
    pub(crate) witnesses_needed: Option<usize>,
    /// Which vault matches palms.
    pub(crate) vault: VaultChoice,
    /// How others are reached.
    pub(crate) outward: Outward,
    /// Whose laws apply; all that ship where none is named.
    pub(crate) jurisdictions: Vec<String>,
    /// Months after which an unused palm goes, where the operator wants it sooner than the law.
    pub(crate) dormant_months: Option<u32>,
}

/// How others are reached.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outward {
    /// Where mails are handed over; they wait without.
    pub(crate) mail: Option<MailServer>,
    /// A PEM file of roots that are believed instead of the public ones.
    pub(crate) roots: Option<PathBuf>,
}

/// Which vault matches palms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum VaultChoice {
    /// This process, in clear: for tests and benches.
    Plain,
    /// Three nodes, through the front in this folder.
    Front(PathBuf),
    /// Three nodes that this process starts on this machine.
    LocalNodes,
}

#[cfg(test)]
impl Settings {
    /// A service on a folder of a test's own, with everything as it is without options.
    pub(crate) fn of_test(data: &Path) -> Self {
        Self {
            data: data.to_owned(),
            database: None,
            public_url: "http://127.0.0.1".to_owned(),
            camera: None,
            witnesses: Vec::new(),
            witnesses_needed: None,
            vault: VaultChoice::Plain,
            jurisdictions: Vec::new(),
            dormant_months: None,
            outward: Outward::default(),
        }
    }
}

impl Settings {
    /// Opens every service.
    pub(crate) async fn open(&self, demo: Option<Demo>) -> anyhow::Result<Hub> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let random: Arc<dyn Random> = Arc::new(SystemRandom);
        self.open_with(clock, random, demo).await
    }

    /// As [`Settings::open`], with another clock and randomness.
    pub(crate) async fn open_with(
        &self,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        demo: Option<Demo>,
    ) -> anyhow::Result<Hub> {
        // Every service's opening is in it: too much for the stack of whoever waits.
        Box::pin(self.open_all(clock, random, demo)).await
    }

    async fn open_all(
        &self,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        demo: Option<Demo>,
    ) -> anyhow::Result<Hub> {
        let Checked { retention, roots, smtp, cosigners, front } = self.check()?;
        make_private_dir(&self.data)?;
        let public_url = self.public_url.as_str();
        let boxoffice = BoxOffice::open(
            self.store("boxoffice").await?,
            clock.clone(),
            random.clone(),
            public_url,
        )
        .await
        .context("the box office cannot be opened")?;
        let options = TestGatewayOptions {
            merchant: "Handfast test shop".to_owned(),
            page_base: "/test-gateway/setup/".to_owned(),
            currencies: Currency::ALL.to_vec(),
        };
        let gateway = self.store("gateway").await?;
        let test_gateway = TestGateway::open(gateway, clock.clone(), random.clone(), options);
        let test_gateway = test_gateway.await.context("the test gateway cannot be opened")?;
        let test_gateway = Arc::new(test_gateway.far_away(money::test_gateway_latency()?));
        let witnesses = Arc::new(Witnesses::new(self.witnesses.clone(), &roots));
        let post = Post::open(self.store("post").await?, clock.clone(), smtp).await;
        let post = post.context("the outgoing mail cannot be opened")?;
        let till = self.store("till").await?;
        let till =
            Till::open(till, money::gateway(&test_gateway, &roots)?, clock.clone(), random.clone())
                .await
                .context("the till cannot be opened")?;
        let (vault, nodes) = self.vault(&clock, &random).await?;
        if let Some(front) = front {
            self.mark_front(front).context("the data folder cannot be written")?;
        }
        let trust = self.trust(public_url, cosigners, &clock, &random).await?;
        let https = public_url.starts_with("https://");
        Ok(Hub {
            clock,
            random,
            boxoffice,
            till,
            test_gateway,
            post,
            roots,
            vault,
            nodes,
            trust,
            retention,
            counted: Default::default(),
            lockouts: Default::default(),
            witnesses,
            public_url: public_url.to_owned(),
            stations: Stations::default(),
            enrolments: RwLock::default(),
            unlogged: Default::default(),
            carrying: Mutex::default(),
            acting: Mutex::default(),
            deleting: Mutex::default(),
            camera: self.camera.clone(),
            https,
            demo,
        })
    }

    /// What is wrong about the settings is said before anything is made.
    fn check(&self) -> anyhow::Result<Checked> {
        ensure!(
            self.data.is_dir() || !self.data.exists(),
            "{} is a file; name another folder with --data",
            self.data.display()
        );
        let retention = self.retention()?;
        let roots = money::roots(self.outward.roots.as_deref())?;
        let smtp =
            self.outward.mail.as_ref().map(|server| Smtp::new(server, &roots)).transpose()?;
        let cosigners = witnesses::group(&self.witnesses, self.witnesses_needed)?;
        let front = self.front_elsewhere()?;
        self.check_palms_are_where_they_were(front)?;
        Ok(Checked { retention, roots, smtp, cosigners, front })
    }

    async fn vault(
        &self,
        clock: &Arc<dyn Clock>,
        random: &Arc<dyn Random>,
    ) -> anyhow::Result<(Vault, Option<LocalNodes>)> {
        let (front, nodes) = match &self.vault {
            VaultChoice::Plain => {
                let dir = self.data.join(PLAIN_DIR);
                let vault = Vault::open(&dir, clock.clone(), random.clone()).await;
                return Ok((vault.context("the vault cannot be opened")?, None));
            }
            VaultChoice::Front(dir) => (dir.clone(), None),
            VaultChoice::LocalNodes => {
                let dir = self.data.join(NODES_DIR);
                let nodes = LocalNodes::start(&dir, &**clock, &**random)?;
                (nodes.front(), Some(nodes))
            }
        };
        let (clock, random) = (clock.clone(), random.clone());
        let options = FrontOptions { delay: Delay::default(), clock, random };
        let vault = SplitVault::open(&front, options).await;
        let vault = vault.context("the vault's front cannot be opened")?;
        if let Err(error) = vault.ready(NODES_WITHIN).await {
            // Codes work without it; palms as soon as it is there.
            tracing::error!(%error, "palms wait for the vault");
        }
        Ok((vault.into(), nodes))
    }

    /// The deployment whose front is chosen, unless it is the one of this machine's own nodes.
    fn front_elsewhere(&self) -> anyhow::Result<Option<DeploymentId>> {
        let VaultChoice::Front(dir) = &self.vault else { return Ok(None) };
        let (_, deployment) =
            FrontSecrets::load(dir).context("the vault's front cannot be opened")?;
        let own = self.data.join(NODES_DIR);
        let is_own = match (dir.canonicalize(), own.canonicalize()) {
            (Ok(dir), Ok(own)) => dir.starts_with(own),
            _ => false,
        };
        Ok((!is_own).then(|| deployment.id()))
    }

    /// From now on no other vault is begun for this data folder: not by a start that forgets to name
    /// the front either.
    fn mark_front(&self, front: DeploymentId) -> std::io::Result<()> {
        use std::io::Write as _;
        let mut mark = tempfile::NamedTempFile::new_in(&self.data)?;
        writeln!(mark, "{front}")?;
        mark.as_file().sync_all()?;
        mark.persist(self.data.join(FRONT_MARK))?;
        std::fs::File::open(&self.data)?.sync_all()
    }

    /// Palms that were stored in one form of the vault are not found by another: nothing is begun anew
    /// beside them.
    fn check_palms_are_where_they_were(&self, front: Option<DeploymentId>) -> anyhow::Result<()> {
        let (plain, nodes) = (self.data.join(PLAIN_DIR), self.data.join(NODES_DIR));
        let mark = self.data.join(FRONT_MARK);
        let elsewhere = front.is_some() || self.vault == VaultChoice::Plain;
        match std::fs::read_to_string(&mark) {
            Ok(marked) if front.is_none_or(|front| front.to_string() != marked.trim()) => bail!(
                "the palms of {} are with nodes elsewhere: name their front with --vault-front \
                 (deployment {}); or move {} away (whoever linked a palm links it again)",
                self.data.display(),
                marked.trim(),
                mark.display()
            ),
            // Where a file is in the way of the folder itself, making it says so.
            Err(error)
                if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return Err(error).with_context(|| format!("{} cannot be read", mark.display()));
            }
            _ => {}
        }
        if self.vault != VaultChoice::Plain && plain.join("vault.db").exists() {
            bail!(
                "{0} holds palms that an earlier start matched in clear, and shares cannot be made of \
                 them: move {0} away (whoever linked a palm links it again), or go on with it in clear, \
                 for tests, by --vault plain",
                plain.display()
            );
        }
        if elsewhere && nodes.join(DEPLOYMENT_FILE).exists() {
            bail!(
                "{0} holds the shares of palms that were stored by three nodes on this machine: start \
                 without --vault and --vault-front to go on with them, or move {0} away (whoever linked \
                 a palm links it again)",
                nodes.display()
            );
        }
        Ok(())
    }

    fn retention(&self) -> anyhow::Result<Retention> {
        Ok(match self.jurisdictions.as_slice() {
            [] => Retention::strictest(self.dormant_months)?,
            named => Retention::of(named, self.dormant_months)?,
        })
    }

    async fn trust(
        &self,
        public_url: &str,
        cosigners: Vec<CosignerGroup>,
        clock: &Arc<dyn Clock>,
        random: &Arc<dyn Random>,
    ) -> anyhow::Result<Trust> {
        let host = public_url.split_once("://").map_or(public_url, |(_, host)| host);
        let config = TrustConfig {
            log_dir: self.data.join("log"),
            keys_dir: self.data.join("keys"),
            deletions: self.data.join("deletions"),
            origin: format!("{host}/log"),
            cosigners,
        };
        let store = self.store("trust").await?;
        Trust::open(config, store, clock.clone(), random.clone())
            .await
            .context("the transparency log cannot be opened")
    }

    async fn store(&self, service: &str) -> anyhow::Result<Store> {
        let databases = Databases { data: self.data.clone(), url: self.database.clone() };
        databases.store(service).await
    }
}

/// What the settings come to, before anything is made.
struct Checked {
    retention: Retention,
    roots: TlsRoots,
    smtp: Option<Smtp>,
    cosigners: Vec<CosignerGroup>,
    /// The deployment that is to be marked, see [`FRONT_MARK`].
    front: Option<DeploymentId>,
}

/// Where the hub's databases are.
#[derive(Clone, Debug)]
pub(crate) struct Databases {
    /// The data folder, where they are files.
    pub(crate) data: PathBuf,
    /// A PostgreSQL server, where they are not.
    pub(crate) url: Option<SecretText>,
}

impl Databases {
    /// One service's database.
    pub(crate) async fn store(&self, service: &str) -> anyhow::Result<Store> {
        let Some(url) = &self.url else {
            let file = self.data.join(format!("{service}.db"));
            let unopened = || format!("{service}.db cannot be opened in {}", self.data.display());
            return Store::open(&StoreOptions::sqlite(file)).await.with_context(unopened);
        };
        Store::connect(url.expose())
            .await
            .context("the database that --database names cannot be opened")
    }

    /// The box office alone, for commands that look into it.
    pub(crate) async fn boxoffice(&self) -> anyhow::Result<BoxOffice> {
        let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
        BoxOffice::open(self.store("boxoffice").await?, clock, random, "http://127.0.0.1")
            .await
            .context("the box office cannot be opened")
    }
}

/// The data folder, which is its owner's alone.
pub(crate) fn make_private_dir(dir: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).with_context(|| {
        format!("{} cannot be made; name another folder with --data", dir.display())
    })
}

/// Takes the address before anything slow happens.
pub(crate) async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => bail!(
            "{address} is taken by another program; choose another port, for example --listen {}:{}",
            address.ip(),
            address.port().wrapping_add(1).max(1024),
        ),
        Err(error) => Err(error).with_context(|| format!("{address} cannot be listened on")),
    }
}

/// Brings everything to where it should be after whatever happened before.
pub(crate) async fn recover(hub: &Hub) -> anyhow::Result<()> {
    hub.note_software().await.context("the log does not take the version of this program")?;
    hub.note_rules().await.context("the log does not take the rules that are followed")?;
    hub.till.recover().await.context("the till cannot look after its open charges")?;
    // Needs no vault: whoever left stays out even while its nodes are away.
    hub.replay_deletions().await.context("deletions cannot be replayed from the log")?;
    let linked = async {
        hub.carry_due_deletions().await?;
        hub.sweep_palms_without_link().await?;
        hub.log_unlogged_links().await?;
        hub.carry_armings().await
    };
    match linked.await {
        // Codes work without the vault's nodes; what is owed to them is carried over later.
        Err(LinkingError::Vault(error @ VaultError::Unavailable { .. })) => {
            tracing::warn!(%error, "palm links wait for the vault");
        }
        linked => linked?,
    }
    Ok(())
}

/// Answers until the process is told to stop.
pub(crate) async fn run(hub: SharedHub, listener: TcpListener) -> anyhow::Result<()> {
    let mut rounds = JoinSet::new();
    rounds.spawn(money::look_after(hub.clone()));
    rounds.spawn(money::deliver_webhooks(hub.clone()));
    rounds.spawn(money::stay_alive(hub.clone()));
    rounds.spawn(post::look_after(hub.clone()));
    rounds.spawn(look_after_links(hub.clone()));
    rounds.spawn(sales::look_after(hub.clone()));
    rounds.spawn(look_after_log(hub.clone()));
    rounds.spawn(ask_witnesses(hub.clone()));
    let service = http::service(hub.clone()).into_make_service_with_connect_info::<SocketAddr>();
    let served = axum::serve(listener, service).with_graceful_shutdown(told_to_stop());
    let served = served.await.context("the server stopped");
    rounds.shutdown().await;
    hub.till.end_lease().await.context("the till's lease cannot be ended")?;
    hub.trust.publish().await.context("the last leaves are promised and not yet published")?;
    served
}

async fn look_after_log(hub: SharedHub) {
    let mut every = tokio::time::interval(LOG_EVERY);
    loop {
        every.tick().await;
        let looked_after = async {
            hub.trust.publish().await?;
            hub.trust.settle().await
        };
        if let Err(error) = looked_after.await {
            tracing::error!(%error, "the transparency log could not be published; tried again soon");
        }
    }
}

/// Asks for cosignatures, apart from publishing: a witness that does not answer delays nothing but
/// the next question to the witnesses.
async fn ask_witnesses(hub: SharedHub) {
    let mut every = tokio::time::interval(LOG_EVERY);
    loop {
        every.tick().await;
        let (witnesses, log) = (hub.witnesses.clone(), hub.trust.log().clone());
        if tokio::task::spawn_blocking(move || witnesses.ask(&log)).await.is_err() {
            tracing::error!("asking the witnesses failed; tried again soon");
        }
    }
}

async fn look_after_links(hub: SharedHub) {
    let mut every = tokio::time::interval(LINKS_EVERY);
    let mut openings_due = hub.clock.now();
    loop {
        every.tick().await;
        // What fails in one of them holds up no other.
        let looked_after = [
            hub.carry_due_deletions().await,
            hub.sweep_palms_without_link().await,
            hub.log_unlogged_links().await,
            hub.carry_approved_acts().await,
            hub.carry_armings().await,
            hub.vault.disarm_expired(hub.clock.now()).await.map(drop).map_err(LinkingError::from),
            hub.note_refresh().await.map_err(LinkingError::from),
            forget_openings_daily(&hub, &mut openings_due).await,
        ];
        for error in looked_after.into_iter().filter_map(Result::err) {
            tracing::error!(%error, "palm links could not be looked after; tried again soon");
        }
    }
}

async fn forget_openings_daily(hub: &Hub, due: &mut Timestamp) -> Result<(), LinkingError> {
    let now = hub.clock.now();
    if now >= *due {
        hub.forget_openings().await?;
        *due = now + OPENINGS_EVERY;
    }
    Ok(())
}

pub(crate) async fn told_to_stop() {
    let interrupt = tokio::signal::ctrl_c();
    let terminate = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminated) => {
                terminated.recv().await;
            }
            // Without the signal there is Ctrl-C alone.
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! { _ = interrupt => {}, () = terminate => {} }
}
