//! The node as a state machine: what comes in, and where it goes.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use handfast_model::{Random, Timestamp};
use handfast_mpc::{Role, RowsError};
use thiserror::Error;

use super::budget::Budgets;
use super::chain::Chain;
use super::challenges::Challenges;
use super::message::{Content, Frame};
use super::names::GalleryName;
use super::rebuild::Rebuilds;
use super::refusal::{Reason, Refusal, Refusals};
use super::request::{NodeStatus, Reply, Request};
use super::roster::Roster;
use super::seals::{NodeKeys, Seals};
use super::search::Searches;
use super::side_rows::SideRows;
use super::store::{NodeStore, NodeStoreError};
use super::windows::Windows;

/// What happens to a node.
#[derive(Debug)]
pub enum Input<'a> {
    /// A frame came from a peer; `from` is who the connection belongs to.
    Peer {
        /// The peer.
        from: Role,
        /// The frame.
        bytes: &'a [u8],
    },
    /// A connection to a peer was made: what was sent on an older one may be lost.
    PeerUp(Role),
    /// The connection to a peer is gone.
    PeerDown(Role),
    /// A request came from a front.
    Request {
        /// Its connection.
        connection: u64,
        /// Names the request on its connection; the reply carries it back.
        request: u64,
        /// The request.
        bytes: &'a [u8],
    },
    /// A front's connection is gone: nobody waits for its replies.
    FrontDown(u64),
    /// Time has passed.
    Tick,
    /// Goes on with what takes long.
    Work,
}

/// What a node wants done.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send this to a peer, in order.
    ToPeer {
        /// To whom.
        to: Role,
        /// The frame.
        bytes: Vec<u8>,
    },
    /// Answer a request.
    Reply {
        /// The request's connection.
        connection: u64,
        /// The request.
        request: u64,
        /// The reply.
        bytes: Vec<u8>,
    },
    /// There is more to do: call again with [`Input::Work`] when nothing else waits.
    Work,
}

/// Why a node did not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NodeError {
    /// Its disk failed or is damaged.
    #[error(transparent)]
    Store(#[from] NodeStoreError),
}

impl From<RowsError> for NodeStoreError {
    fn from(error: RowsError) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// Who waits for a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiter {
    pub(super) connection: u64,
    pub(super) request: u64,
}

/// What is known of a peer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Peer {
    pub(super) up: bool,
    /// Whether it said where it stands since it is up.
    pub(super) heard: bool,
}

/// One of the three nodes.
pub struct Node {
    pub(super) keys: NodeKeys,
    pub(super) seals: Box<dyn Seals>,
    pub(super) store: Box<dyn NodeStore>,
    pub(super) random: Arc<dyn Random>,
    pub(super) roster: Roster,
    /// The rows of every open gallery, left and right.
    pub(super) rows: HashMap<GalleryName, [SideRows; 2]>,
    /// Slots whose rows this node lost.
    pub(super) lacking: BTreeSet<u64>,
    pub(super) chain: Chain,
    pub(super) searches: Searches,
    pub(super) windows: Windows,
    pub(super) rebuilds: Rebuilds,
    pub(super) budgets: Budgets,
    pub(super) challenges: Challenges,
    pub(super) refusals: Refusals,
    pub(super) peers: [Peer; 3],
    pub(super) store_works: bool,
    /// Whether it opens galleries that store rows without a duplicate check.
    pub(super) danger_unchecked: bool,
    /// Whether it takes part in searches only where lengths are checked.
    pub(super) strict: bool,
    /// Whether rows in memory are those of the list's end; where reading them failed, nothing is
    /// searched until it succeeds.
    pub(super) rows_fit: bool,
    pub(super) now: Timestamp,
    out: Vec<Effect>,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({}, {:?})", self.keys.role, self.roster.head)
    }
}

impl Node {
    /// Starts a node with what its store holds: the whole list is followed, and all rows are read.
    ///
    /// # Errors
    /// When the store fails, or what it holds does not fit together.
    pub fn open(
        keys: NodeKeys,
        seals: Box<dyn Seals>,
        mut store: Box<dyn NodeStore>,
        random: Arc<dyn Random>,
    ) -> Result<Self, NodeError> {
        let stored = store.load()?;
        let mut node = Self {
            roster: Roster::new(keys.deployment),
            keys,
            seals,
            store,
            random,
            rows: HashMap::new(),
            lacking: BTreeSet::new(),
            chain: Chain::default(),
            searches: Searches::default(),
            windows: Windows::default(),
            rebuilds: Rebuilds::default(),
            budgets: Budgets::new(stored.budgets),
            challenges: Challenges::default(),
            refusals: Refusals::default(),
            peers: Default::default(),
            store_works: true,
            danger_unchecked: false,
            strict: false,
            rows_fit: true,
            now: Timestamp::from_micros(0),
            out: Vec::new(),
        };
        node.follow_list()?;
        node.load_rows()?;
        node.take_up_undecided(stored.undecided)?;
        Ok(node)
    }

    /// Which node it is.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.keys.role
    }

    /// Dangerous: the node opens galleries of [`super::GalleryPurpose::DangerUnchecked`]. For
    /// benches, whose nodes hold nobody's palm.
    #[must_use]
    pub const fn danger_allow_unchecked(mut self) -> Self {
        self.danger_unchecked = true;
        self
    }

    /// The node takes part in searches and enrolments only where all three have checked that no vector
    /// that was dealt is longer than a palm's. One strict node is enough for all three to check.
    #[must_use]
    pub const fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    #[cfg(test)]
    pub(super) const fn with_windows(mut self, windows: Windows) -> Self {
        self.windows = windows;
        self
    }

    /// Takes an input and says what is to be done. `now` is this machine's clock.
    pub fn handle(&mut self, input: Input<'_>, now: Timestamp) -> Vec<Effect> {
        self.now = now;
        match input {
            Input::Peer { from, bytes } => {
                if let Err(refusal) = self.on_peer(from, bytes) {
                    self.refusals.count(refusal.reason);
                }
            }
            Input::PeerUp(peer) => self.on_peer_up(peer),
            Input::PeerDown(peer) => self.on_peer_down(peer),
            Input::Request { connection, request, bytes } => {
                let waiter = Waiter { connection, request };
                if let Err(refusal) = self.on_request(waiter, bytes) {
                    self.refuse(waiter, refusal);
                }
            }
            Input::FrontDown(connection) => {
                self.chain.forget_front(connection);
                self.searches.forget_front(connection);
                self.rebuilds.forget_front(connection);
            }
            Input::Tick => self.on_tick(),
            Input::Work => self.work(),
        }
        if self.searches.has_work(&self.windows) {
            self.out.push(Effect::Work);
        }
        std::mem::take(&mut self.out)
    }

    fn on_peer(&mut self, from: Role, bytes: &[u8]) -> Result<(), Refusal> {
        let frame = Frame::from_bytes(bytes)?;
        if frame.from != from || frame.to != self.keys.role || from == self.keys.role {
            return Err(Reason::WrongNode.into());
        }
        if !self.peers[from.index()].up {
            return Err(Reason::Unexpected.into());
        }
        let epoch_matters = matches!(
            frame.content,
            Content::Join { .. }
                | Content::Step { .. }
                | Content::Lengths { .. }
                | Content::WantRows { .. }
                | Content::RowsNonce { .. }
                | Content::Rows { .. }
        );
        if epoch_matters && frame.epoch != self.roster.epoch {
            return Err(Reason::WrongEpoch.with(self.roster.epoch));
        }
        match frame.content {
            Content::State(state) => self.on_state(from, state),
            Content::WantOperations(number) => self.on_want_operations(from, number),
            Content::Operations(operations) => self.on_operations(from, operations),
            Content::Proposal(operation) => self.on_proposal(from, operation),
            Content::ShareCheck { operation, check, parts } => {
                self.on_share_check(from, operation, check, parts)
            }
            Content::Declined { operation, refusal } => self.on_declined(from, operation, refusal),
            Content::Seed { operation, seed } => self.on_seed(from, operation, seed),
            Content::Vote { head, vote } => self.on_vote(from, head, vote),
            Content::Join { query, attempt, join } => self.on_join(from, (query, attempt), join),
            Content::Leave { query, attempt, refusal } => {
                self.on_leave(from, (query, attempt), refusal)
            }
            Content::Step { query, attempt, chunk, step, body } => {
                self.on_step(from, (query, attempt), chunk, (step, body))
            }
            Content::Lengths { query, attempt, part } => {
                self.on_lengths(from, (query, attempt), part)
            }
            Content::WantRows { page, number, slots } => {
                self.on_want_rows(from, page, number, slots)
            }
            Content::RowsNonce { page, lost, nonce } => self.on_rows_nonce(from, page, lost, nonce),
            Content::Rows { page, body } => self.on_rows(from, page, body),
        }
    }

    fn on_request(&mut self, waiter: Waiter, bytes: &[u8]) -> Result<(), Refusal> {
        match Request::from_bytes(bytes)? {
            Request::Status => {
                let status = self.status();
                self.reply(waiter, &Reply::Status(status));
            }
            Request::Challenge => {
                let challenge = self.challenges.draw(&*self.random, self.now);
                let keys = self.seals.share_keys(self.now);
                let (head, epoch) = (self.roster.head, self.roster.epoch);
                self.reply(waiter, &Reply::Challenge { challenge, keys, head, epoch });
            }
            Request::Operate { name, change, shares } => {
                self.on_operate(waiter, name, change, shares)?;
            }
            Request::OperationState(name) => self.on_operation_state(waiter, name)?,
            Request::Search(search) => self.on_search(waiter, search, bytes)?,
            Request::Rebuild => self.on_rebuild(waiter)?,
            Request::Audit(request) => self.on_audit(waiter, &request)?,
            Request::Operations { from } => {
                let operations = self.page_of_operations(from)?;
                self.reply(waiter, &Reply::Operations(operations));
            }
        }
        Ok(())
    }

    fn on_peer_up(&mut self, peer: Role) {
        if peer == self.keys.role {
            return;
        }
        // A new connection without word of the old one's end: what was under way on it is lost.
        if self.peers[peer.index()].up {
            self.on_peer_down(peer);
        }
        self.peers[peer.index()] = Peer { up: true, heard: false };
        self.send_state(peer);
    }

    fn on_peer_down(&mut self, peer: Role) {
        self.peers[peer.index()] = Peer::default();
        let refusal = Reason::Unreachable.with(peer.index() as u64);
        self.fail_searches(refusal, |_| true);
        self.stop_rebuilds(refusal);
        self.chain_lost_peer(refusal);
    }

    fn on_tick(&mut self) {
        self.challenges.forget_old(self.now);
        self.search_tick();
        self.rebuild_tick();
        self.chain_tick();
    }

    /// Where the node stands.
    #[must_use]
    pub fn status(&self) -> NodeStatus {
        let role = self.keys.role;
        let sides = self.rows.values().flatten();
        NodeStatus {
            role,
            deployment: self.keys.deployment,
            head: self.roster.head,
            epoch: self.roster.epoch,
            undecided: self.chain.undecided_number(),
            slots: self.roster.stored(),
            lacking: self.lacking.len() as u64,
            galleries: self.roster.galleries().count() as u32,
            searching: self.searches.active() as u32,
            row_bytes: sides.map(SideRows::bytes).sum(),
            peers_up: [role.next(), role.previous()].map(|peer| self.peers[peer.index()].up),
            store_works: self.store_works,
            strict: self.strict,
            refusals: self.refusals.clone(),
        }
    }

    /// The first peer that cannot be reached.
    pub(super) fn check_peers(&self) -> Result<(), Refusal> {
        for peer in [self.keys.role.next(), self.keys.role.previous()] {
            if !self.peers[peer.index()].up {
                return Err(Reason::Unreachable.with(peer.index() as u64));
            }
        }
        Ok(())
    }

    /// Sends to a peer; where it is down, its next connection begins with where both stand.
    pub(super) fn send(&mut self, to: Role, content: Content) {
        if self.peers[to.index()].up {
            let frame = Frame { from: self.keys.role, to, epoch: self.roster.epoch, content };
            self.out.push(Effect::ToPeer { to, bytes: frame.to_bytes() });
        }
    }

    pub(super) fn send_both(&mut self, content: &Content) {
        for to in [self.keys.role.next(), self.keys.role.previous()] {
            self.send(to, content.clone());
        }
    }

    pub(super) fn reply(&mut self, waiter: Waiter, reply: &Reply) {
        self.reply_bytes(waiter, reply.to_bytes());
    }

    pub(super) fn reply_bytes(&mut self, waiter: Waiter, bytes: Vec<u8>) {
        let Waiter { connection, request } = waiter;
        self.out.push(Effect::Reply { connection, request, bytes });
    }

    pub(super) fn refuse(&mut self, waiter: Waiter, refusal: Refusal) {
        self.refusals.count(refusal.reason);
        self.reply(waiter, &Reply::Refused(refusal));
    }

    /// Notes whether the disk did it, and says so as a refusal.
    pub(super) fn stored<T>(&mut self, result: Result<T, NodeStoreError>) -> Result<T, Refusal> {
        if let Err(error) = &result {
            tracing::error!(node = %self.keys.role, %error, "the node's store failed");
        }
        self.store_works = result.is_ok();
        result.map_err(|_| Reason::StoreFailed.into())
    }
}
