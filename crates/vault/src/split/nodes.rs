//! The front's connections to the three nodes: a question, and the answer that belongs to it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration as StdDuration;

use handfast_model::{Clock, Timestamp};
use handfast_mpc::Role;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::VaultError;
use crate::deployment::{Deployment, Member};
use crate::node::{Refusal, Reply, Request};
use crate::process::REQUEST_NUMBER;
use crate::transport::{
    Delay, Endpoint, Event, Outbox, TlsSecrets, TransportError, keep_connected,
};

/// An answer comes within this, or the node is taken for gone: a search of a million palms takes
/// seconds, three attempts at it some more.
const ANSWER_WITHIN: StdDuration = StdDuration::from_secs(30);
/// Answers that wait to be taken: few, each is taken at once.
const EVENTS_WAITING_MAX: usize = 64;

/// Whether a node answers, and since when not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeState {
    /// Which node.
    pub node: Role,
    /// Whether it is connected.
    pub up: bool,
    /// Since when.
    pub since: Timestamp,
    /// Why it is not connected; nothing where it is.
    pub reason: Option<String>,
}

/// Connections to three nodes, kept up in the background.
pub(super) struct Nodes {
    shared: Arc<Shared>,
    deployment: Arc<Deployment>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Nodes {
    fn drop(&mut self) {
        self.hang_up();
    }
}

struct Shared {
    links: [Mutex<Link>; 3],
    next_request: AtomicU64,
    /// Counts changes of who is up.
    changes: watch::Sender<u64>,
    clock: Arc<dyn Clock>,
}

struct Link {
    state: NodeState,
    current: Option<(u64, Outbox)>,
    waiting: HashMap<u64, oneshot::Sender<Vec<u8>>>,
}

impl Shared {
    // A panic elsewhere leaves a link whole: its changes are single insertions.
    fn link(&self, role: Role) -> MutexGuard<'_, Link> {
        self.links[role.index()].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, event: Event) {
        let now = self.clock.now();
        match event {
            Event::Up { from: Member::Node(role), connection, outbox } => {
                let mut link = self.link(role);
                link.current = Some((connection, outbox));
                link.waiting.clear();
                link.state = NodeState { node: role, up: true, since: now, reason: None };
            }
            Event::Message { from: Member::Node(role), bytes, .. } => {
                let Some((number, reply)) = bytes.split_first_chunk::<REQUEST_NUMBER>() else {
                    return;
                };
                // An answer that nobody waits for any more came too late.
                if let Some(waiting) = self.link(role).waiting.remove(&u64::from_le_bytes(*number))
                {
                    drop(waiting.send(reply.to_vec()));
                }
                return;
            }
            Event::Down { from: Member::Node(role), connection, error } => {
                let mut link = self.link(role);
                if link.current.as_ref().is_some_and(|(current, _)| *current == connection) {
                    link.current = None;
                    // Whoever waits hears at once that no answer will come.
                    link.waiting.clear();
                    link.state = down(role, now, &error);
                }
            }
            _ => return,
        }
        self.changes.send_modify(|count| *count += 1);
    }

    fn failed(&self, role: Role, error: &TransportError) {
        let mut link = self.link(role);
        if link.current.is_none() {
            let since =
                if link.state.reason.is_some() { link.state.since } else { self.clock.now() };
            link.state = down(role, since, error);
        }
    }
}

fn down(node: Role, since: Timestamp, error: &TransportError) -> NodeState {
    NodeState { node, up: false, since, reason: Some(error.to_string()) }
}

impl Nodes {
    pub(super) fn connect(
        dir: &Path,
        deployment: Arc<Deployment>,
        clock: Arc<dyn Clock>,
        delay: Delay,
    ) -> Result<Self, VaultError> {
        let tls = TlsSecrets::load(dir)?;
        let endpoint = Endpoint {
            own: Member::Front,
            deployment: deployment.clone(),
            clock: clock.clone(),
            tls,
            delay,
        };
        let since = clock.now();
        let link = |node| {
            let reason = Some("it was not reached yet".to_owned());
            Mutex::new(Link {
                state: NodeState { node, up: false, since, reason },
                current: None,
                waiting: HashMap::new(),
            })
        };
        let shared = Arc::new(Shared {
            links: Role::ALL.map(link),
            next_request: AtomicU64::new(1),
            changes: watch::Sender::new(0),
            clock,
        });
        let (events, mut inbox) = mpsc::channel(EVENTS_WAITING_MAX);
        let taker = shared.clone();
        let mut tasks = vec![tokio::spawn(async move {
            while let Some(event) = inbox.recv().await {
                taker.take(event);
            }
        })];
        for role in Role::ALL {
            let (endpoint, events, shared) = (endpoint.clone(), events.clone(), shared.clone());
            let failed = move |error: &TransportError| {
                tracing::warn!(%error, "a node of the vault is not reachable");
                shared.failed(role, error);
            };
            tasks.push(tokio::spawn(keep_connected(endpoint, Member::Node(role), events, failed)));
        }
        Ok(Self { shared, deployment, tasks })
    }

    /// Ends all connections, and makes no more.
    pub(super) fn hang_up(&self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }

    pub(super) fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// Waits until all three answer.
    pub(super) async fn wait(&self, patience: StdDuration) -> Result<(), VaultError> {
        let mut changes = self.watch();
        let up = async {
            while !self.all_up() {
                if changes.changed().await.is_err() {
                    return;
                }
            }
        };
        drop(timeout(patience, up).await);
        self.check_all_up()
    }

    /// Who answers.
    pub(super) fn states(&self) -> [NodeState; 3] {
        Role::ALL.map(|role| self.shared.link(role).state.clone())
    }

    pub(super) fn all_up(&self) -> bool {
        self.states().iter().all(|state| state.up)
    }

    /// Ends when who is up has changed since `watch` was made or last waited.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    /// Fails where a node does not answer now: better told at once than after a capture's work.
    pub(super) fn check_all_up(&self) -> Result<(), VaultError> {
        match self.states().into_iter().find(|state| !state.up) {
            Some(state) => Err(unavailable(state)),
            None => Ok(()),
        }
    }

    /// Asks one node.
    pub(super) async fn ask(&self, role: Role, request: &Request) -> Result<Reply, VaultError> {
        let number = self.shared.next_request.fetch_add(1, Ordering::Relaxed);
        let message = [&number.to_le_bytes()[..], &request.to_bytes()].concat();
        let (sender, answer) = oneshot::channel();
        {
            let mut link = self.shared.link(role);
            let Some((_, outbox)) = &link.current else {
                return Err(unavailable(link.state.clone()));
            };
            if outbox.send(message).is_err() {
                return Err(self.gone(&link, "its connection is full or ended"));
            }
            link.waiting.insert(number, sender);
        }
        let bytes = match timeout(ANSWER_WITHIN, answer).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(_)) => {
                let link = self.shared.link(role);
                return Err(self.gone(&link, "its connection ended before it answered"));
            }
            Err(_) => {
                let mut link = self.shared.link(role);
                link.waiting.remove(&number);
                return Err(self.gone(&link, "it did not answer in time"));
            }
        };
        Reply::from_bytes(&bytes)
            .map_err(|error| VaultError::Refused { node: role, refusal: Refusal::from(error) })
    }

    fn gone(&self, link: &Link, reason: &str) -> VaultError {
        let state = &link.state;
        VaultError::Unavailable {
            node: state.node,
            since: if state.up { self.shared.clock.now() } else { state.since },
            reason: state.reason.clone().unwrap_or_else(|| reason.to_owned()),
        }
    }

    /// Asks all three at once; every answer is waited for.
    pub(super) async fn ask_all(&self, requests: &[Request; 3]) -> [Result<Reply, VaultError>; 3] {
        let [a, b, c] = Role::ALL.map(|role| self.ask(role, &requests[role.index()]));
        let (a, b, c) = tokio::join!(a, b, c);
        [a, b, c]
    }

    /// Asks all three the same.
    pub(super) async fn ask_each(&self, request: &Request) -> [Result<Reply, VaultError>; 3] {
        let [a, b, c] = Role::ALL.map(|role| self.ask(role, request));
        let (a, b, c) = tokio::join!(a, b, c);
        [a, b, c]
    }
}

fn unavailable(state: NodeState) -> VaultError {
    VaultError::Unavailable {
        node: state.node,
        since: state.since,
        reason: state.reason.unwrap_or_default(),
    }
}
