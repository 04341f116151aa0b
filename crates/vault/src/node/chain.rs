//! How operations come into the list: node A numbers them, every node stores and signs, and three
//! signatures commit. What one node will not store all three give up, by three signatures too.
//!
//! At any time at most one operation is undecided, so that nodes are never more than one apart, but
//! for one that was restored from a backup, which asks the others for what it missed.

use std::collections::{HashMap, VecDeque};

use handfast_model::{Duration, Timestamp};
use handfast_mpc::{Role, Rows, ShareSet};
use zeroize::Zeroizing;

use super::machine::{Node, Waiter};
use super::message::{Content, OPERATIONS_PER_PAGE, PeerState};
use super::names::{Head, OperationName};
use super::operation::{Certificate, Certified, Change, Enrolment, Operation, Verdict, Vote};
use super::refusal::{Reason, Refusal};
use super::renewal::ListRenewal;
use super::request::{Committed, Reply, SealedShares};
use super::store::{Batch, RowBytes, Seeds, Undecided};
use crate::share_sealing::Binding;

/// How long a node waits for shares, keyed hashes and proposals that belong to an operation. A
/// front sends to all three nodes at once.
const WAIT: Duration = Duration::from_secs(10);
/// Operations asked for and not decided.
const GATHERED_MAX: usize = 256;
/// Names of operations that are remembered with what became of them.
const NAMES_KEPT: usize = 1 << 16;
/// Votes that came before their operation.
const EARLY_VOTES_MAX: usize = 8;
/// Bytes in a page of operations.
const PAGE_BYTES: usize = 1 << 20;
/// The purpose under which shares of references are sealed.
pub const ENROLMENT_PURPOSE: u8 = 0x80;

/// What has come for an operation that is not decided.
#[derive(Debug)]
struct Gathered {
    change: Option<Change>,
    shares: Option<ShareSet>,
    refused: Option<Refusal>,
    waiters: Vec<Waiter>,
    /// The peers' keyed hashes and seeds, by sender.
    checks: [Option<[u8; 32]>; 3],
    seeds: [Option<Zeroizing<[u8; 32]>>; 3],
    since: Timestamp,
}

impl Gathered {
    fn at(since: Timestamp) -> Self {
        Self {
            change: None,
            shares: None,
            refused: None,
            waiters: Vec::new(),
            checks: Default::default(),
            seeds: Default::default(),
            since,
        }
    }
}

/// The undecided operation.
#[derive(Debug)]
pub(super) struct Current {
    operation: Operation,
    head: Head,
    votes: [Option<Vote>; 3],
    seeds: Option<Seeds>,
    /// Whether the node's own seed is on disk, and may be sent.
    seed_stored: bool,
    refusal: Option<Refusal>,
    since: Timestamp,
    /// When the peers were last asked what they know of it.
    asked: Timestamp,
}

impl Current {
    fn new(operation: Operation, since: Timestamp) -> Self {
        let head = operation.head();
        let (votes, seeds) = (Default::default(), None);
        let (refusal, asked) = (None, since);
        Self { operation, head, votes, seeds, seed_stored: false, refusal, since, asked }
    }

    /// As it was stored before a restart.
    pub(super) fn stored(undecided: Undecided, role: Role) -> Self {
        let mut current = Self::new(undecided.operation, Timestamp::from_micros(0));
        current.votes[role.index()] = undecided.vote;
        current.seed_stored = undecided.seeds.is_some();
        current.seeds = undecided.seeds;
        current
    }

    fn said(&self, node: Role) -> Option<Verdict> {
        self.votes[node.index()].map(|vote| vote.verdict)
    }

    fn certificate(&self, verdict: Verdict) -> Option<Certificate> {
        let mut signatures = [[0; 64]; 3];
        for node in Role::ALL {
            let vote = self.votes[node.index()].filter(|vote| vote.verdict == verdict)?;
            signatures[node.index()] = vote.signature;
        }
        Some(Certificate { verdict, signatures })
    }
}

/// Everything on its way into the list.
#[derive(Debug, Default)]
pub(super) struct Chain {
    gathered: HashMap<OperationName, Gathered>,
    /// At node A: what is to be proposed next.
    queue: VecDeque<OperationName>,
    pub(super) current: Option<Current>,
    early_votes: VecDeque<(Head, Vote)>,
    committed: HashMap<OperationName, u64>,
    given_up: HashMap<OperationName, Refusal>,
    names: VecDeque<OperationName>,
}

impl Chain {
    pub(super) fn note_committed(&mut self, name: OperationName, number: u64) {
        self.committed.insert(name, number);
        self.note(name);
    }

    fn note_given_up(&mut self, name: OperationName, refusal: Refusal) {
        self.given_up.insert(name, refusal);
        self.note(name);
    }

    fn note(&mut self, name: OperationName) {
        self.names.push_back(name);
        if self.names.len() > NAMES_KEPT
            && let Some(oldest) = self.names.pop_front()
        {
            self.committed.remove(&oldest);
            self.given_up.remove(&oldest);
        }
    }

    pub(super) fn undecided_number(&self) -> u64 {
        self.current.as_ref().map_or(0, |current| current.head.number)
    }

    fn is_current(&self, name: OperationName) -> bool {
        self.current.as_ref().is_some_and(|current| current.operation.name == name)
    }

    pub(super) fn forget_front(&mut self, connection: u64) {
        for gathered in self.gathered.values_mut() {
            gathered.waiters.retain(|waiter| waiter.connection != connection);
        }
    }
}

impl Node {
    pub(super) fn on_operate(
        &mut self,
        waiter: Waiter,
        name: OperationName,
        change: Change,
        shares: Option<SealedShares>,
    ) -> Result<(), Refusal> {
        if self.chain.committed.contains_key(&name) || self.chain.given_up.contains_key(&name) {
            return self.on_operation_state(waiter, name);
        }
        if let Some(gathered) = self.chain.gathered.get_mut(&name)
            && let Some(there) = &gathered.change
        {
            if *there != change {
                return Err(Reason::Exists.into());
            }
            gathered.waiters.push(waiter);
            return Ok(());
        }
        self.check_peers()?;
        if self.chain.gathered.len() >= GATHERED_MAX {
            return Err(Reason::Busy.with(GATHERED_MAX as u64));
        }
        let opened = self.check_asked(name, &change, shares);
        let since = self.now;
        let gathered = self.chain.gathered.entry(name).or_insert_with(|| Gathered::at(since));
        match opened {
            Ok(shares) => {
                (gathered.change, gathered.shares) = (Some(change), shares);
                gathered.refused = None;
                gathered.waiters.push(waiter);
            }
            Err(refusal) => {
                // What this node will not store it will not store when A numbers it either.
                gathered.refused = Some(refusal);
                self.advance();
                return Err(refusal);
            }
        }
        for peer in [self.keys.role.next(), self.keys.role.previous()] {
            self.send_share_check(peer, name);
        }
        if self.keys.role == Role::A && !self.chain.is_current(name) {
            self.chain.queue.push_back(name);
            self.propose();
        } else {
            self.advance();
        }
        Ok(())
    }

    /// Whether a node may do what is asked, as far as it concerns the node alone; opens the shares.
    fn check_asked(
        &mut self,
        name: OperationName,
        change: &Change,
        shares: Option<SealedShares>,
    ) -> Result<Option<ShareSet>, Refusal> {
        if let Change::Enrol(Enrolment { until, .. }) | Change::Arm { until, .. } = change
            && *until <= self.now
        {
            return Err(Reason::UntilPassed.into());
        }
        match (change, shares) {
            (Change::Enrol(enrolment), Some(shares)) => {
                self.open_references(name, enrolment, &shares).map(Some)
            }
            (Change::Enrol(_), None) => Err(Reason::Shares.into()),
            (Change::Refresh, None) if !self.lacking.is_empty() => {
                Err(Reason::Lacking.with(self.lacking.len() as u64))
            }
            (_, None) => Ok(None),
            (_, Some(_)) => Err(Reason::Limits.into()),
        }
    }

    fn open_references(
        &mut self,
        name: OperationName,
        enrolment: &Enrolment,
        shares: &SealedShares,
    ) -> Result<ShareSet, Refusal> {
        let spec = self.roster.gallery(enrolment.gallery)?.spec;
        let fits = enrolment.first_slot == 0
            && shares.device == enrolment.device
            && shares.consent == enrolment.consent;
        if !fits {
            return Err(Reason::Limits.into());
        }
        for (check, side) in enrolment.checks.iter().zip(&enrolment.sides) {
            let done = self.searches.duplicate_check(*check);
            if done != Some((enrolment.gallery, *side, enrolment.checked_at)) {
                return Err(Reason::CheckOutdated.into());
            }
        }
        let device = *self.roster.device(shares.device)?;
        if !self.challenges.take(&shares.challenge, name.0, self.now) {
            return Err(Reason::Challenge.into());
        }
        let binding = Binding {
            deployment: self.keys.deployment,
            challenge: shares.challenge,
            purpose: ENROLMENT_PURPOSE,
            gallery: enrolment.gallery.0,
            nonce: [0; 16],
            amount_hash: shares.amount,
            consent: shares.consent,
            model_version: spec.model_version,
            query: name.0,
            operation: shares.sealed_at,
            device: shares.device.0,
        };
        let set = self.seals.open(&device, &binding, &shares.sealed, self.now)?;
        let expected = enrolment.sides.len() * usize::from(spec.rows_per_slot);
        let fits = set.node() == self.keys.role
            && set.dimension() == usize::from(spec.dimension)
            && set.count() == expected;
        if fits { Ok(set) } else { Err(Reason::Shares.with(set.count() as u64)) }
    }

    /// The component that this node shares with a peer.
    pub(super) fn component_with(&self, peer: Role) -> Role {
        if peer == self.keys.role.next() { self.keys.role } else { peer }
    }

    fn send_share_check(&mut self, peer: Role, operation: OperationName) {
        let component = self.component_with(peer);
        let shares = self.chain.gathered.get(&operation).and_then(|there| there.shares.as_ref());
        let Some(shares) = shares else { return };
        let key = self.keys.check_key(component);
        if let Ok(check) = shares.check(component, &key, &operation.0) {
            self.send(peer, Content::ShareCheck { operation, check });
        }
    }

    pub(super) fn on_operation_state(
        &mut self,
        waiter: Waiter,
        name: OperationName,
    ) -> Result<(), Refusal> {
        if let Some(&number) = self.chain.committed.get(&name) {
            let committed = self.committed(number)?;
            self.reply(waiter, &Reply::Committed(committed));
            return Ok(());
        }
        if let Some(refusal) = self.chain.given_up.get(&name).copied() {
            self.reply(waiter, &Reply::GivenUp(refusal));
            return Ok(());
        }
        if self.chain.is_current(name) {
            return Err(Reason::Pending.with(self.chain.undecided_number()));
        }
        let asked = self.chain.gathered.get(&name).is_some_and(|there| there.change.is_some());
        Err(if asked { Reason::Pending.into() } else { Reason::Unknown.into() })
    }

    fn committed(&mut self, number: u64) -> Result<Committed, Refusal> {
        let mut found = None;
        let read = self.store.operations(number, &mut |certified| {
            found = Some(certified);
            false
        });
        self.stored(read)?;
        let Certified { operation, certificate } = found.ok_or(Reason::Unknown)?;
        let first_slot = match &operation.change {
            Change::Enrol(enrolment) => enrolment.first_slot,
            _ => 0,
        };
        let head = operation.head();
        let bytes = Committed::done_bytes(self.keys.deployment, self.keys.role, head);
        let done = self.seals.sign(&bytes);
        Ok(Committed { head, certificate, first_slot, done })
    }

    /// At node A: numbers the next operation, when both peers are there and none is undecided.
    fn propose(&mut self) {
        let heard = |peer: Role| self.peers[peer.index()].heard;
        if self.keys.role != Role::A || !heard(Role::B) || !heard(Role::C) {
            return;
        }
        while self.chain.current.is_none() {
            let Some(name) = self.chain.queue.pop_front() else { return };
            let change = self.chain.gathered.get(&name).and_then(|there| there.change.clone());
            let Some(mut change) = change else { continue };
            if let Change::Enrol(enrolment) = &mut change {
                enrolment.first_slot = self.roster.next_slot;
            }
            let Head { number, hash: previous } = self.roster.head;
            let operation = Operation { number: number + 1, previous, name, change };
            if let Err(refusal) = self.roster.check(&operation) {
                self.drop_gathered(name, refusal);
                continue;
            }
            self.send_both(&Content::Proposal(operation.clone()));
            self.adopt(operation);
        }
    }

    fn drop_gathered(&mut self, name: OperationName, refusal: Refusal) {
        if let Some(gathered) = self.chain.gathered.remove(&name) {
            for waiter in gathered.waiters {
                self.refuse(waiter, refusal);
            }
        }
    }

    pub(super) fn on_proposal(&mut self, from: Role, operation: Operation) -> Result<(), Refusal> {
        if from != Role::A {
            return Err(Reason::OutOfOrder.into());
        }
        let head = operation.head();
        if let Some(current) = &self.chain.current {
            if current.head == head {
                self.send_about_current(from);
                return Ok(());
            }
            // A says something else only where it forgot what this node has not stored either.
            let bound = current.said(self.keys.role).is_some() || current.seed_stored;
            if bound {
                self.send_state(from);
                return Err(Reason::Pending.with(self.chain.undecided_number()));
            }
        }
        let Head { number, hash } = self.roster.head;
        if (operation.number, operation.previous) != (number + 1, hash) {
            self.send_state(from);
            return Err(Reason::OutOfOrder.with(number));
        }
        self.adopt(operation);
        Ok(())
    }

    /// Takes up an operation that follows the list.
    fn adopt(&mut self, operation: Operation) {
        let mut current = Current::new(operation, self.now);
        let early = std::mem::take(&mut self.chain.early_votes);
        for (head, vote) in early {
            if head == current.head {
                current.votes[vote.node.index()] = Some(vote);
            } else if head.number > self.roster.head.number {
                self.chain.early_votes.push_back((head, vote));
            }
        }
        current.refusal = self.roster.check(&current.operation).err();
        self.chain.current = Some(current);
        self.advance();
    }

    pub(super) fn on_share_check(
        &mut self,
        from: Role,
        name: OperationName,
        check: [u8; 32],
    ) -> Result<(), Refusal> {
        self.gather(name, |gathered| gathered.checks[from.index()] = Some(check))
    }

    pub(super) fn on_seed(
        &mut self,
        from: Role,
        name: OperationName,
        seed: [u8; 32],
    ) -> Result<(), Refusal> {
        let seed = Zeroizing::new(seed);
        self.gather(name, |gathered| gathered.seeds[from.index()] = Some(seed))
    }

    fn gather(
        &mut self,
        name: OperationName,
        put: impl FnOnce(&mut Gathered),
    ) -> Result<(), Refusal> {
        if self.chain.committed.contains_key(&name) || self.chain.given_up.contains_key(&name) {
            return Err(Reason::Unexpected.into());
        }
        let full = self.chain.gathered.len() >= 2 * GATHERED_MAX;
        if full && !self.chain.gathered.contains_key(&name) {
            return Err(Reason::Busy.with(GATHERED_MAX as u64));
        }
        let since = self.now;
        put(self.chain.gathered.entry(name).or_insert_with(|| Gathered::at(since)));
        if self.chain.is_current(name) {
            self.advance();
        }
        Ok(())
    }

    pub(super) fn on_vote(&mut self, from: Role, head: Head, vote: Vote) -> Result<(), Refusal> {
        if vote.node != from {
            return Err(Reason::WrongNode.into());
        }
        if !vote.is_valid(self.keys.deployment, head, &self.keys.verifying[from.index()]) {
            return Err(Reason::Signature.into());
        }
        match &mut self.chain.current {
            Some(current) if current.head == head => {
                // A word that is given up is never taken back.
                if current.said(from) != Some(Verdict::GivenUp) {
                    current.votes[from.index()] = Some(vote);
                }
                self.advance();
                Ok(())
            }
            _ if head.number == self.roster.head.number + 1 => {
                if self.chain.early_votes.len() >= EARLY_VOTES_MAX {
                    self.chain.early_votes.pop_front();
                }
                self.chain.early_votes.push_back((head, vote));
                Ok(())
            }
            _ => Err(Reason::Unexpected.into()),
        }
    }

    /// Does what can be done for the undecided operation: says this node's word, and decides.
    pub(super) fn advance(&mut self) {
        let role = self.keys.role;
        let Some(current) = &self.chain.current else { return };
        let given_up_by = Role::ALL
            .into_iter()
            .find(|&node| node != role && current.said(node) == Some(Verdict::GivenUp));
        match (current.said(role), given_up_by) {
            (Some(Verdict::GivenUp), _) => {}
            (_, Some(node)) => {
                let refusal = Reason::PeerRefused.with(node.index() as u64);
                self.give_up(refusal);
            }
            (Some(Verdict::Prepared), None) => {}
            (None, None) => match self.ready() {
                Ok(true) => self.prepare(),
                Ok(false) => {}
                Err(refusal) => self.give_up(refusal),
            },
        }
        let Some(current) = &self.chain.current else { return };
        if let Some(certificate) = current.certificate(Verdict::Prepared) {
            let operation = current.operation.clone();
            // Where the disk fails the next tick tries again.
            if self.commit(operation, certificate).is_ok() {
                self.propose();
            }
        } else if current.certificate(Verdict::GivenUp).is_some() {
            self.forget_current();
            self.propose();
        }
    }

    /// Whether this node has all that it needs to store the operation; a refusal where it will not.
    fn ready(&mut self) -> Result<bool, Refusal> {
        let Some(current) = &self.chain.current else { return Ok(false) };
        let name = current.operation.name;
        let gathered = self.chain.gathered.get(&name);
        let refusal = current.refusal.or_else(|| gathered.and_then(|there| there.refused));
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
        match &current.operation.change {
            Change::Enrol(_) => {
                let Some(gathered) = gathered else { return Ok(false) };
                let Some(shares) = &gathered.shares else { return Ok(false) };
                for peer in [self.keys.role.next(), self.keys.role.previous()] {
                    let Some(check) = &gathered.checks[peer.index()] else { return Ok(false) };
                    let component = self.component_with(peer);
                    let key = self.keys.check_key(component);
                    if shares.verify_check(component, &key, &name.0, check) != Ok(true) {
                        return Err(Reason::Inconsistent.into());
                    }
                }
                Ok(true)
            }
            Change::Refresh if !self.lacking.is_empty() => {
                Err(Reason::Lacking.with(self.lacking.len() as u64))
            }
            Change::Refresh => Ok(self.gather_seeds()),
            _ => Ok(true),
        }
    }

    /// Draws and stores this node's seed, then sends it; says whether all three are there.
    fn gather_seeds(&mut self) -> bool {
        let role = self.keys.role;
        let Some(current) = &mut self.chain.current else { return false };
        let name = current.operation.name;
        if !current.seed_stored {
            let mut seeds = Box::new(Zeroizing::new([[0; 32]; 3]));
            self.random.fill(&mut seeds[role.index()]);
            let operation = current.operation.clone();
            let undecided = Undecided { operation, vote: None, seeds: Some(seeds.clone()) };
            let batch = Batch { undecided: Some(Some(undecided)), ..Batch::default() };
            let committed = self.store.commit(batch);
            if self.stored(committed).is_err() {
                return false;
            }
            if let Some(current) = &mut self.chain.current {
                (current.seeds, current.seed_stored) = (Some(seeds), true);
            }
            for peer in [role.next(), role.previous()] {
                self.send_seed(peer);
            }
        }
        let Some(current) = &mut self.chain.current else { return false };
        let (Some(seeds), Some(gathered)) = (&mut current.seeds, self.chain.gathered.get(&name))
        else {
            return false;
        };
        [role.next(), role.previous()].into_iter().all(|peer| {
            let seed = &gathered.seeds[peer.index()];
            seed.as_ref().is_some_and(|seed| {
                seeds[peer.index()] = **seed;
                true
            })
        })
    }

    fn send_seed(&mut self, peer: Role) {
        let Some(current) = self.chain.current.as_ref().filter(|current| current.seed_stored)
        else {
            return;
        };
        if let Some(seeds) = &current.seeds {
            let (operation, seed) = (current.operation.name, seeds[self.keys.role.index()]);
            self.send(peer, Content::Seed { operation, seed });
        }
    }

    /// Stores what the operation brings, then signs.
    fn prepare(&mut self) {
        let Some(current) = &self.chain.current else { return };
        let name = current.operation.name;
        let mut put = Vec::new();
        if let Change::Enrol(enrolment) = &current.operation.change {
            let shares = self.chain.gathered.get(&name).and_then(|there| there.shares.as_ref());
            let Some(shares) = shares else { return };
            match rows_of_shares(self.keys.role, enrolment, shares) {
                Ok(rows) => put = rows,
                Err(refusal) => return self.give_up(refusal),
            }
        }
        if self.say(Verdict::Prepared, Batch { put, ..Batch::default() })
            && let Some(gathered) = self.chain.gathered.get_mut(&name)
        {
            gathered.shares = None;
        }
    }

    fn give_up(&mut self, refusal: Refusal) {
        let Some(current) = &mut self.chain.current else { return };
        current.refusal = current.refusal.or(Some(refusal));
        let mut batch = Batch::default();
        if current.said(self.keys.role) == Some(Verdict::Prepared)
            && let Change::Enrol(enrolment) = &current.operation.change
        {
            batch.destroy = enrolment.slots().map(|(slot, _)| slot).collect();
        }
        self.say(Verdict::GivenUp, batch);
    }

    /// Stores this node's word, then says it; `false` where the disk fails, to be tried again.
    fn say(&mut self, verdict: Verdict, mut batch: Batch) -> bool {
        let Some(current) = &self.chain.current else { return false };
        let (role, head) = (self.keys.role, current.head);
        let sign = |bytes: &[u8]| self.seals.sign(bytes);
        let vote = Vote::sign(self.keys.deployment, role, verdict, head, sign);
        let operation = current.operation.clone();
        let seeds = match verdict {
            Verdict::Prepared => current.seeds.clone(),
            Verdict::GivenUp => None,
        };
        batch.undecided = Some(Some(Undecided { operation, vote: Some(vote), seeds }));
        let committed = self.store.commit(batch);
        if self.stored(committed).is_err() {
            return false;
        }
        if let Some(current) = &mut self.chain.current {
            current.votes[role.index()] = Some(vote);
        }
        self.send_both(&Content::Vote { head, vote });
        true
    }

    /// Appends an operation to the list and does it.
    fn commit(&mut self, operation: Operation, certificate: Certificate) -> Result<(), Refusal> {
        let rows = self.rows_for(&operation);
        let rows = self.stored(rows)?;
        let append = vec![Certified { operation: operation.clone(), certificate }];
        let mut batch = Batch { undecided: Some(None), append, ..Batch::default() };
        if let Change::Delete { slots } = &operation.change {
            batch.destroy.clone_from(slots);
        }
        let committed = if operation.change == Change::Refresh {
            self.commit_renewal(batch)
        } else {
            self.store.commit(batch)
        };
        self.stored(committed)?;
        self.chain.current = None;
        let followed = self.follow(&operation, &rows);
        self.rows_fit = followed.is_ok();
        self.stored(followed)?;
        if let Some(gathered) = self.chain.gathered.remove(&operation.name) {
            for waiter in gathered.waiters {
                self.on_operation_state(waiter, operation.name)
                    .unwrap_or_else(|refusal| self.refuse(waiter, refusal));
            }
        }
        Ok(())
    }

    fn commit_renewal(&mut self, mut batch: Batch) -> Result<(), super::NodeStoreError> {
        let seeds = self.chain.current.as_ref().and_then(|current| current.seeds.clone());
        match seeds {
            Some(seeds) => {
                let mut renewal = ListRenewal::new(&self.roster, self.keys.role, seeds);
                self.store.renew(batch, &mut renewal)
            }
            None => {
                // The others went on without this node: its rows are of an epoch that is over.
                batch.destroy = self.roster.slots().collect();
                self.store.commit(batch)
            }
        }
    }

    /// All three gave it up: nothing of it remains.
    fn forget_current(&mut self) {
        let Some(current) = &self.chain.current else { return };
        let name = current.operation.name;
        let refusal = current.refusal.unwrap_or(Reason::Cancelled.into());
        let batch = Batch { undecided: Some(None), ..Batch::default() };
        let committed = self.store.commit(batch);
        if self.stored(committed).is_err() {
            return;
        }
        self.chain.current = None;
        self.chain.note_given_up(name, refusal);
        if let Some(gathered) = self.chain.gathered.remove(&name) {
            self.refusals.count(refusal.reason);
            for waiter in gathered.waiters {
                self.reply(waiter, &Reply::GivenUp(refusal));
            }
        }
    }

    pub(super) fn send_state(&mut self, peer: Role) {
        let undecided = self.chain.current.as_ref().and_then(|current| {
            let vote = current.votes[self.keys.role.index()];
            let bound = vote.is_some() || current.seed_stored;
            bound.then(|| (current.operation.clone(), vote))
        });
        let state = PeerState { head: self.roster.head, undecided };
        self.send(peer, Content::State(state));
    }

    /// Everything that a peer may have missed of the undecided operation.
    fn send_about_current(&mut self, peer: Role) {
        let Some(current) = &self.chain.current else { return };
        let (name, head) = (current.operation.name, current.head);
        let vote = current.votes[self.keys.role.index()];
        self.send_share_check(peer, name);
        self.send_seed(peer);
        if let Some(vote) = vote {
            self.send(peer, Content::Vote { head, vote });
        }
    }

    pub(super) fn on_state(&mut self, from: Role, state: PeerState) -> Result<(), Refusal> {
        self.peers[from.index()].heard = true;
        let own = self.roster.head;
        if state.head.number > own.number {
            self.send(from, Content::WantOperations(own.number + 1));
            return Ok(());
        }
        if state.head.number < own.number {
            // It asks for what it lacks when it hears where this node stands.
            self.send_state(from);
            return Ok(());
        }
        if state.head.hash != own.hash {
            tracing::error!(node = %self.keys.role, peer = %from, "two lists of operations differ");
            return Err(Reason::Diverged.into());
        }
        if let Some((operation, vote)) = state.undecided {
            self.on_peers_undecided(from, operation, vote)?;
        }
        if let Some(current) = &self.chain.current {
            if self.keys.role == Role::A {
                self.send(from, Content::Proposal(current.operation.clone()));
            }
            self.send_about_current(from);
        }
        self.propose();
        Ok(())
    }

    /// A peer stands at the same head and has stored an undecided operation.
    fn on_peers_undecided(
        &mut self,
        from: Role,
        operation: Operation,
        vote: Option<Vote>,
    ) -> Result<(), Refusal> {
        let head = operation.head();
        let Head { number, hash } = self.roster.head;
        if (operation.number, operation.previous) != (number + 1, hash) {
            return Err(Reason::OutOfOrder.with(number));
        }
        let valid = |vote: &Vote| {
            let key = &self.keys.verifying[from.index()];
            vote.node == from && vote.is_valid(self.keys.deployment, head, key)
        };
        if !vote.as_ref().is_none_or(valid) {
            return Err(Reason::Signature.into());
        }
        // All three gave it up before: the peer did not hear of it.
        let given_up = self.chain.given_up.contains_key(&operation.name);
        match &self.chain.current {
            None if !given_up => self.adopt(operation),
            Some(current) if current.head == head => {}
            // Somebody gave it up, so that it can never be committed: this node's word against it,
            // which the peer needs to be rid of it, binds this node to nothing.
            current
                if given_up
                    || current.is_some()
                        && vote.is_some_and(|vote| vote.verdict == Verdict::GivenUp) =>
            {
                let (role, verdict) = (self.keys.role, Verdict::GivenUp);
                let sign = |bytes: &[u8]| self.seals.sign(bytes);
                let vote = Vote::sign(self.keys.deployment, role, verdict, head, sign);
                self.send(from, Content::Vote { head, vote });
                return Ok(());
            }
            _ => return Err(Reason::Pending.with(number + 1)),
        }
        match vote {
            Some(vote) => self.on_vote(from, head, vote),
            None => Ok(()),
        }
    }

    pub(super) fn page_of_operations(&mut self, from: u64) -> Result<Vec<Certified>, Refusal> {
        let (mut page, mut bytes) = (Vec::new(), 0);
        let read = self.store.operations(from.max(1), &mut |certified| {
            bytes += certified.operation.to_bytes().len() + 256;
            page.push(certified);
            page.len() < OPERATIONS_PER_PAGE && bytes < PAGE_BYTES
        });
        self.stored(read)?;
        Ok(page)
    }

    pub(super) fn on_want_operations(&mut self, from: Role, number: u64) -> Result<(), Refusal> {
        let page = self.page_of_operations(number)?;
        self.send(from, Content::Operations(page));
        Ok(())
    }

    /// Follows the list that a peer has, one certificate after the other.
    pub(super) fn on_operations(
        &mut self,
        from: Role,
        operations: Vec<Certified>,
    ) -> Result<(), Refusal> {
        let mut followed = false;
        for Certified { operation, certificate } in operations {
            if operation.number <= self.roster.head.number {
                continue;
            }
            self.roster.check(&operation)?;
            let head = operation.head();
            let certain = certificate.verdict == Verdict::Prepared
                && certificate.is_valid(self.keys.deployment, head, &self.keys.verifying);
            if !certain {
                return Err(Reason::Signature.into());
            }
            if self.chain.current.as_ref().is_some_and(|current| current.head != head) {
                self.drop_overtaken()?;
            }
            self.commit(operation, certificate)?;
            followed = true;
        }
        if followed {
            // Perhaps there is more.
            self.send(from, Content::WantOperations(self.roster.head.number + 1));
        } else {
            for peer in [self.keys.role.next(), self.keys.role.previous()] {
                self.send_state(peer);
            }
        }
        Ok(())
    }

    /// Another operation took the place of the one that is undecided here, which therefore was given
    /// up: this node comes from a backup.
    fn drop_overtaken(&mut self) -> Result<(), Refusal> {
        let mut batch = Batch { undecided: Some(None), ..Batch::default() };
        let current = self.chain.current.as_ref().map(|current| &current.operation.change);
        if let Some(Change::Enrol(enrolment)) = current {
            batch.destroy = enrolment.slots().map(|(slot, _)| slot).collect();
        }
        let committed = self.store.commit(batch);
        self.stored(committed)?;
        self.chain.current = None;
        Ok(())
    }

    /// A peer is gone: what was not proposed will not be, and nobody waits for the rest.
    pub(super) fn chain_lost_peer(&mut self, refusal: Refusal) {
        self.chain.queue.clear();
        let names: Vec<OperationName> = self.chain.gathered.keys().copied().collect();
        for name in names {
            if self.chain.is_current(name) {
                self.answer_pending(name);
            } else {
                self.drop_gathered(name, refusal);
            }
        }
    }

    fn answer_pending(&mut self, name: OperationName) {
        let pending = Reason::Pending.with(self.chain.undecided_number());
        let gathered = self.chain.gathered.get_mut(&name);
        let waiters = gathered.map(|there| std::mem::take(&mut there.waiters));
        for waiter in waiters.unwrap_or_default() {
            self.refuse(waiter, pending);
        }
    }

    pub(super) fn chain_tick(&mut self) {
        let (now, role) = (self.now, self.keys.role);
        let late = |since: Timestamp| now < since || now >= since + WAIT;
        let names: Vec<OperationName> = self
            .chain
            .gathered
            .iter()
            .filter(|(_, there)| late(there.since))
            .map(|(name, _)| *name)
            .collect();
        for name in names {
            if self.chain.is_current(name) {
                self.answer_pending(name);
            } else {
                self.chain.queue.retain(|queued| *queued != name);
                self.drop_gathered(name, Reason::TimedOut.into());
            }
        }
        if let Some(current) = &mut self.chain.current
            && current.said(role).is_none()
            && late(current.since)
        {
            current.refusal = current.refusal.or(Some(Reason::TimedOut.into()));
        }
        if self.rebuilds.is_idle() {
            self.load_rows_again();
        }
        self.advance();
        self.ask_about_current();
        self.propose();
    }

    /// Tells the peers now and then that an operation is undecided here: what one of them said or
    /// decided may have been lost with a connection that only they had.
    fn ask_about_current(&mut self) {
        let now = self.now;
        let Some(current) = &mut self.chain.current else { return };
        if now < current.asked || now >= current.asked + WAIT {
            current.asked = now;
            for peer in [self.keys.role.next(), self.keys.role.previous()] {
                self.send_state(peer);
            }
        }
    }
}

/// The rows that an enrolment's shares become.
fn rows_of_shares(
    role: Role,
    enrolment: &Enrolment,
    shares: &ShareSet,
) -> Result<Vec<(u64, RowBytes)>, Refusal> {
    let mut rows = Rows::new(role, shares.dimension(), shares.count());
    rows.push(shares).map_err(|_| Reason::Shares)?;
    let per_slot = shares.count() / enrolment.sides.len().max(1);
    let mut put = Vec::with_capacity(enrolment.sides.len());
    for (at, (slot, _)) in enrolment.slots().enumerate() {
        let mut bytes = Zeroizing::new(Vec::with_capacity(per_slot * rows.stored_length()));
        for row in at * per_slot..(at + 1) * per_slot {
            bytes.extend_from_slice(&rows.stored(row).map_err(|_| Reason::Shares)?);
        }
        put.push((slot, bytes));
    }
    Ok(put)
}
