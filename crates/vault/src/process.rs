//! A node at work: connections on one side, the state machine on a thread of its own, its disk
//! behind it.

use std::collections::HashMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration as StdDuration;

use handfast_model::{Clock, Random};
use handfast_mpc::Role;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::deployment::{Deployment, Member};
use crate::identity::{IdentityError, NodeSecrets};
use crate::node::{Effect, Input, Node, NodeError, NodeStoreError, SqliteStore};
use crate::node_seals::{FolderSeals, node_keys};
use crate::transport::{
    Delay, Endpoint, Event, Events, Listening, Outbox, TlsSecrets, TransportError, keep_connected,
    listen,
};
use crate::{VaultError, private_file};

/// Events that wait for the node's thread: beyond these, connections are not read.
const EVENTS_WAITING_MAX: usize = 1024;
/// How often the node hears that time passes; at least four times a second.
const TICK_EVERY: StdDuration = StdDuration::from_millis(100);
/// Bytes before a front's request: the number that its reply carries back.
pub(crate) const REQUEST_NUMBER: usize = 8;

/// How a node is run.
#[derive(Clone)]
pub struct NodeOptions {
    /// The node's folder, as `handfast vault init` made it.
    pub dir: PathBuf,
    /// Where to listen, where that is not the deployment's address (behind a translated one).
    pub listen: Option<String>,
    /// Every message arrives this much later than it would: to measure what distance costs.
    pub delay: Delay,
    /// Whether it takes part in searches and enrolments only where the lengths of what was dealt are
    /// checked: see [`Node::strict`].
    pub strict: bool,
    /// Its clock.
    pub clock: Arc<dyn Clock>,
    /// Its randomness.
    pub random: Arc<dyn Random>,
}

/// Why a node does not run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// Its folder is not usable.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A file is not usable.
    #[error(transparent)]
    File(#[from] VaultError),
    /// Its store is not usable.
    #[error(transparent)]
    Store(#[from] NodeStoreError),
    /// What it stored does not fit together.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// Its keys do not work for TLS.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The address is not free.
    #[error(
        "{address} cannot be listened on; is this node running already? (--listen takes another \
         address)"
    )]
    Listen {
        /// The address.
        address: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The node's thread ended while it opened the node.
    #[error("the node could not be opened; its log says why")]
    Ended,
    /// The operating system gives no thread.
    #[error("the node's thread could not be started")]
    Thread(#[source] std::io::Error),
}

/// A node that runs.
pub struct RunningNode {
    role: Role,
    listening: Listening,
    dialling: JoinHandle<()>,
    ticking: JoinHandle<()>,
    events: Events,
    thread: std::thread::JoinHandle<()>,
    _alone: std::fs::File,
}

impl RunningNode {
    /// Opens a node's folder and store, and lets it take part.
    ///
    /// # Errors
    /// When files are missing, damaged or in use, or the address is taken.
    pub async fn start(options: NodeOptions) -> Result<Self, RunError> {
        Self::start_with(options, false).await
    }

    /// Dangerous: as [`RunningNode::start`], and it stores rows without duplicate checks where it is
    /// asked to. For benches, whose nodes hold nobody's palm.
    ///
    /// # Errors
    /// As there.
    pub async fn danger_start_unchecked(options: NodeOptions) -> Result<Self, RunError> {
        Self::start_with(options, true).await
    }

    async fn start_with(options: NodeOptions, unchecked: bool) -> Result<Self, RunError> {
        let dir = options.dir.clone();
        let (secrets, deployment) = NodeSecrets::load(&dir)?;
        let alone = private_file::lock_dir(&dir)?;
        let role = secrets.role();
        let (events, inbox) = mpsc::channel(EVENTS_WAITING_MAX);
        let thread = start_thread(secrets, &deployment, (&options, unchecked), inbox).await?;
        let endpoint = Endpoint {
            own: Member::Node(role),
            deployment: Arc::new(deployment),
            clock: options.clock.clone(),
            tls: TlsSecrets::load(&dir)?,
            delay: options.delay.clone(),
        };
        let own_address = endpoint.deployment.node(role).address.clone().unwrap_or_default();
        let address = options.listen.clone().unwrap_or(own_address);
        let refused = |error: &TransportError| tracing::warn!(%error, "a connection was refused");
        let listening = listen(endpoint.clone(), &address, events.clone(), refused).await;
        let listening = listening.map_err(|source| RunError::Listen { address, source })??;
        let next = Member::Node(role.next());
        let failed = |error: &TransportError| tracing::warn!(%error, "a node is not connected");
        let dialling = tokio::spawn(keep_connected(endpoint, next, events.clone(), failed));
        let ticking = tokio::spawn(tick(events.clone()));
        Ok(Self { role, listening, dialling, ticking, events, thread, _alone: alone })
    }

    /// Which node it is.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> std::net::SocketAddr {
        self.listening.address
    }

    /// Runs until `stop` is ready, then ends what was begun and closes the store.
    pub async fn run_until(self, stop: impl Future<Output = ()>) {
        stop.await;
        self.stop().await;
    }

    /// Stops nodes of one deployment that run in this process: none of them looks for the others while
    /// they stop, or complains of them.
    pub async fn stop_together(nodes: Vec<Self>) {
        nodes.iter().for_each(|node| node.dialling.abort());
        for node in nodes {
            node.stop().await;
        }
    }

    /// Takes nothing more, and returns once the store is closed.
    pub async fn stop(self) {
        let Self { listening, dialling, ticking, events, thread, .. } = self;
        drop(listening);
        dialling.abort();
        ticking.abort();
        // Whatever is in the channel before this is still done.
        drop(events.send(Event::Stop).await);
        drop(events);
        let joined = tokio::task::spawn_blocking(move || thread.join());
        if joined.await.is_err() {
            tracing::error!("the node's thread did not end well");
        }
    }
}

/// Opens the node on a thread of its own, where it may wait for its disk, and lets it work there.
async fn start_thread(
    secrets: NodeSecrets,
    deployment: &Deployment,
    (options, unchecked): (&NodeOptions, bool),
    inbox: mpsc::Receiver<Event>,
) -> Result<std::thread::JoinHandle<()>, RunError> {
    let (opened, open) = oneshot::channel();
    let (deployment, options) = (deployment.clone(), options.clone());
    let thread = std::thread::Builder::new()
        .name(format!("node {}", secrets.role()))
        .spawn(move || {
            let clock = options.clock.clone();
            match open_node(secrets, &deployment, &options) {
                Ok(node) => {
                    let node = if unchecked { node.danger_allow_unchecked() } else { node };
                    let node = if options.strict { node.strict() } else { node };
                    // Where nobody waits for it any more, nothing comes either.
                    drop(opened.send(Ok(())));
                    Driver::new(node, clock).run(inbox);
                }
                Err(error) => drop(opened.send(Err(error))),
            }
        })
        .map_err(RunError::Thread)?;
    open.await.unwrap_or(Err(RunError::Ended))?;
    Ok(thread)
}

fn open_node(
    secrets: NodeSecrets,
    deployment: &Deployment,
    options: &NodeOptions,
) -> Result<Node, RunError> {
    let store = SqliteStore::open(&options.dir, options.random.clone())?;
    let keys = node_keys(&secrets, deployment);
    let seals = FolderSeals::open(&options.dir, Arc::new(secrets), options.random.clone())?;
    Ok(Node::open(keys, Box::new(seals), Box::new(store), options.random.clone())?)
}

async fn tick(events: Events) {
    let mut every = tokio::time::interval(TICK_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        if events.send(Event::Tick).await.is_err() {
            return;
        }
    }
}

/// The node's thread: one input after the other, long work in between.
struct Driver {
    node: Node,
    clock: Arc<dyn Clock>,
    peers: HashMap<Role, (u64, Outbox)>,
    fronts: HashMap<u64, Outbox>,
    work: bool,
}

impl Driver {
    fn new(node: Node, clock: Arc<dyn Clock>) -> Self {
        Self { node, clock, peers: HashMap::new(), fronts: HashMap::new(), work: false }
    }

    fn run(mut self, mut inbox: mpsc::Receiver<Event>) {
        loop {
            let event = if self.work {
                match inbox.try_recv() {
                    Ok(event) => Some(event),
                    Err(mpsc::error::TryRecvError::Empty) => None,
                    Err(mpsc::error::TryRecvError::Disconnected) => return,
                }
            } else {
                match inbox.blocking_recv() {
                    Some(event) => Some(event),
                    None => return,
                }
            };
            match event {
                None => {
                    self.work = false;
                    self.handle(Input::Work);
                }
                Some(Event::Stop) => return,
                Some(Event::Tick) => self.handle(Input::Tick),
                Some(Event::Up { from, connection, outbox }) => self.up(from, connection, outbox),
                Some(Event::Message { from, connection, bytes }) => {
                    self.message(from, connection, &bytes);
                }
                Some(Event::Down { from, connection, error }) => {
                    tracing::debug!(%error, "a connection ended");
                    self.down(from, connection);
                }
            }
        }
    }

    fn handle(&mut self, input: Input<'_>) {
        for effect in self.node.handle(input, self.clock.now()) {
            match effect {
                Effect::ToPeer { to, bytes } => {
                    if let Some((_, outbox)) = self.peers.get(&to)
                        && outbox.send(bytes).is_err()
                    {
                        // Its reader says that the connection is down; until then nothing is lost
                        // that a new connection would not lose too.
                        tracing::debug!(%to, "a message to a peer was not sent");
                    }
                }
                Effect::Reply { connection, request, bytes } => {
                    if let Some(outbox) = self.fronts.get(&connection) {
                        let message = [&request.to_le_bytes()[..], &bytes].concat();
                        if outbox.send(message).is_err() {
                            tracing::debug!("a front went away before its answer");
                        }
                    }
                }
                Effect::Work => self.work = true,
            }
        }
    }

    fn up(&mut self, from: Member, connection: u64, outbox: Outbox) {
        match from {
            Member::Front => {
                self.fronts.insert(connection, outbox);
            }
            Member::Node(peer) => {
                // An older connection is dead and does not know it yet.
                if self.peers.insert(peer, (connection, outbox)).is_some() {
                    self.handle(Input::PeerDown(peer));
                }
                self.handle(Input::PeerUp(peer));
            }
        }
    }

    fn message(&mut self, from: Member, connection: u64, bytes: &[u8]) {
        match from {
            Member::Front => {
                // A request without its number cannot even be refused.
                let Some((request, bytes)) = bytes.split_first_chunk::<REQUEST_NUMBER>() else {
                    self.fronts.remove(&connection);
                    return self.handle(Input::FrontDown(connection));
                };
                let request = u64::from_le_bytes(*request);
                self.handle(Input::Request { connection, request, bytes });
            }
            Member::Node(peer) => {
                if self.is_current(peer, connection) {
                    self.handle(Input::Peer { from: peer, bytes });
                }
            }
        }
    }

    fn down(&mut self, from: Member, connection: u64) {
        match from {
            Member::Front => {
                if self.fronts.remove(&connection).is_some() {
                    self.handle(Input::FrontDown(connection));
                }
            }
            Member::Node(peer) => {
                if self.is_current(peer, connection) {
                    self.peers.remove(&peer);
                    self.handle(Input::PeerDown(peer));
                }
            }
        }
    }

    fn is_current(&self, peer: Role, connection: u64) -> bool {
        self.peers.get(&peer).is_some_and(|(current, _)| *current == connection)
    }
}
