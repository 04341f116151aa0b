//! How operations come into the list: node A numbers them, every node stores and signs, and three
//! signatures commit. What one node will not store all three give up, by three signatures too.
//!
//! At any time at most one operation is undecided, so that nodes are never more than one apart, but
//! for one that was restored from a backup, which asks the others for what it missed.

mod deciding;
mod enrolling;
mod following;
mod renewing;

use std::collections::{HashMap, VecDeque};

use handfast_model::{Duration, Timestamp};
use handfast_mpc::Role;
use zeroize::Zeroizing;

use super::loading::NewRows;
use super::machine::{Node, Waiter};
use super::message::Content;
use super::names::{Head, OperationName};
use super::operation::{
    Certificate, Certified, Change, Enrolment, GalleryPurpose, Operation, Verdict, Vote,
};
use super::refusal::{Reason, Refusal};
use super::request::{Committed, Reply, SealedShares};
use super::store::{Seeds, Undecided};
pub use enrolling::ENROLMENT_PURPOSE;
use enrolling::{Dealt, PeerCheck};

/// How long a node waits for shares, keyed hashes and proposals that belong to an operation. A
/// front sends to all three nodes at once.
const WAIT: Duration = Duration::from_secs(10);
/// Operations asked for and not decided.
const GATHERED_MAX: usize = 256;
/// Names of operations that are remembered with what became of them.
const NAMES_KEPT: usize = 1 << 16;
/// Votes that came before their operation.
const EARLY_VOTES_MAX: usize = 8;
/// What has come for an operation that is not decided.
#[derive(Debug)]
struct Gathered {
    change: Option<Change>,
    dealt: Option<Dealt>,
    refused: Option<Refusal>,
    /// A declined it before this node was asked.
    declined: Option<Refusal>,
    waiters: Vec<Waiter>,
    /// The peers' keyed hashes and parts, and their seeds, by sender.
    checks: [Option<PeerCheck>; 3],
    seeds: [Option<Zeroizing<[u8; 32]>>; 3],
    since: Timestamp,
}

impl Gathered {
    fn at(since: Timestamp) -> Self {
        Self {
            change: None,
            dealt: None,
            refused: None,
            declined: None,
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
    /// The rows that it brings, once they are stored.
    rows: Option<NewRows>,
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
        let (votes, rows, seeds) = (Default::default(), None, None);
        let (refusal, asked) = (None, since);
        Self { operation, head, votes, rows, seeds, seed_stored: false, refusal, since, asked }
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
        if let Some(refusal) = self.chain.gathered.get(&name).and_then(|there| there.declined) {
            self.chain.gathered.remove(&name);
            return Err(refusal);
        }
        if self.chain.gathered.len() >= GATHERED_MAX {
            return Err(Reason::Busy.with(GATHERED_MAX as u64));
        }
        let opened = self.check_asked(name, &change, shares);
        let since = self.now;
        let gathered = self.chain.gathered.entry(name).or_insert_with(|| Gathered::at(since));
        match opened {
            Ok(dealt) => {
                (gathered.change, gathered.dealt) = (Some(change), dealt);
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
    ) -> Result<Option<Dealt>, Refusal> {
        if let Change::Enrol(Enrolment { until, .. }) | Change::Arm { until, .. } = change
            && *until <= self.now
        {
            return Err(Reason::UntilPassed.into());
        }
        self.check_unchecked(change)?;
        match (change, shares) {
            (Change::Enrol(enrolment), Some(shares)) => {
                self.open_references(name, enrolment, &shares).map(Some)
            }
            (Change::Enrol(enrolment), None) => self.checked_references(enrolment).map(Some),
            (Change::Refresh, None) if !self.lacking.is_empty() => {
                Err(Reason::Lacking.with(self.lacking.len() as u64))
            }
            (_, None) => Ok(None),
            (_, Some(_)) => Err(Reason::Limits.into()),
        }
    }

    /// Whether a gallery may be opened whose rows are stored without a duplicate check.
    fn check_unchecked(&self, change: &Change) -> Result<(), Refusal> {
        match change {
            Change::OpenGallery(spec)
                if spec.purpose == GalleryPurpose::DangerUnchecked && !self.danger_unchecked =>
            {
                Err(Reason::Unchecked.into())
            }
            _ => Ok(()),
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
                // Nobody waits there for what does not come.
                self.send_both(&Content::Declined { operation: name, refusal });
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

    pub(super) fn on_declined(
        &mut self,
        from: Role,
        name: OperationName,
        refusal: Refusal,
    ) -> Result<(), Refusal> {
        if from != Role::A || self.chain.is_current(name) {
            return Err(Reason::OutOfOrder.into());
        }
        let asked = self.chain.gathered.get(&name).is_some_and(|there| there.change.is_some());
        if asked {
            self.drop_gathered(name, refusal);
            return Ok(());
        }
        self.gather(name, |gathered| gathered.declined = Some(refusal))
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
}
