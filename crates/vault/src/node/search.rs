//! Searches: three nodes compare a probe with a gallery, chunk by chunk, and each seals its part of
//! the token to the relying party.
//!
//! A front asks all three. Each checks what it was asked against its own list, clock, challenges
//! and budgets, and joins; what it needs of the others comes with their joining: nonces, so that
//! keys are new whatever anybody repeats, clocks, and keyed hashes of the shares that both were
//! dealt. A search that loses a message ends with a refusal; the front tries again as the next
//! attempt, with new nonces and so with new keys. That serves where no node has answered yet: one that
//! has takes part in no other attempt, and the person shows the hand again.

mod admitting;
mod comparing;
mod ending;
mod run;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use handfast_model::{Duration, Timestamp};
use handfast_mpc::{
    ATTEMPTS_MAX, Message, OwnNonce, PeerNonces, ProbeWeights, QueryContext, QueryKeys, Role,
    Selection, ShareSet, TOKEN,
};
use handfast_palm::Side;

use super::lengths::{LengthPlan, LengthRun};
use super::machine::{Node, Waiter};
use super::message::{Content, Join};
use super::names::{DeviceName, GalleryName, Hash, QueryName};
use super::plan::Plan;
use super::refusal::{Reason, Refusal};
use super::request::{Search, Sought};
use super::seals::PartBinding;
use super::windows::Windows;
use run::Run;

/// A search that hears nothing for so long is over: a person has gone to the other lane by then.
const WAIT: Duration = Duration::from_secs(10);
/// How far the clocks of two nodes may be apart. They end armings, and nothing else.
const CLOCKS_APART_MAX: Duration = Duration::from_secs(60);
/// Searches at a time.
const ACTIVE_MAX: usize = 64;
/// Peers' joinings that wait for this node's own request.
const EARLY_MAX: usize = 1024;
/// Probes in one pass over the rows.
const TOGETHER_MAX: usize = 8;
/// How long an answer is kept to be sent again.
const ANSWER_KEPT: Duration = Duration::from_secs(30);
/// How long a query's name is known: longer than a challenge lives.
const QUERY_KEPT: Duration = Duration::from_secs(180);

/// An attempt at a query.
pub(super) type Key = (QueryName, u8);

/// What a node was asked and joined.
struct Attempt {
    digest: Hash,
    waiters: Vec<Waiter>,
    side: Side,
    sought: Sought,
    join: Join,
    own: Option<OwnNonce>,
    peers: [Option<Join>; 3],
    shares: Option<ShareSet>,
    /// Of a duplicate check: what an enrolment would store, and who dealt it.
    reference: Option<((DeviceName, [u8; 16]), ShareSet)>,
    plan: Option<Arc<Plan>>,
    binding: PartBinding,
    /// This node's own, which is spent when it answers; none for a delivery.
    challenge: Option<[u8; 16]>,
    recipient: [u8; 32],
    selections: Vec<Selection>,
    early: Vec<(u32, Message)>,
    run: Option<Run>,
    /// What the peers say of the lengths of what was dealt.
    lengths: [Option<[u8; TOKEN]>; 3],
    moved: Timestamp,
}

/// What peers said of an attempt before this node was asked.
struct Early {
    joins: [Option<Join>; 3],
    left: Option<Refusal>,
    since: Timestamp,
}

struct Answer {
    digest: Hash,
    bytes: Vec<u8>,
    since: Timestamp,
}

/// All searches of a node.
#[derive(Default)]
pub(super) struct Searches {
    active: HashMap<Key, Attempt>,
    order: VecDeque<Key>,
    early: HashMap<Key, Early>,
    /// The last attempt at each query, and when.
    queries: HashMap<QueryName, (u8, Timestamp)>,
    answers: HashMap<Key, Answer>,
    checks: HashMap<QueryName, DuplicateCheck>,
}

/// A duplicate check that was done.
#[derive(Clone, Debug)]
pub(super) struct DuplicateCheck {
    pub(super) gallery: GalleryName,
    pub(super) side: Side,
    /// Up to which operation it searched.
    pub(super) operation: u64,
    /// This node's part of what it found: random, but for the xor of all three.
    pub(super) part: [u8; TOKEN],
    /// Who dealt it, and under which consent.
    pub(super) by: (DeviceName, [u8; 16]),
    /// The last vectors that were compared: what an enrolment stores.
    pub(super) reference: ShareSet,
    since: Timestamp,
}

impl Searches {
    pub(super) fn active(&self) -> usize {
        self.active.len()
    }

    /// A duplicate check that ended a little while ago.
    pub(super) fn duplicate_check(&self, query: QueryName) -> Option<&DuplicateCheck> {
        self.checks.get(&query)
    }

    /// What was stored is held as a row alone from then on.
    pub(super) fn forget_checks(&mut self, queries: &[QueryName]) {
        queries.iter().for_each(|query| {
            self.checks.remove(query);
        });
    }

    pub(super) fn has_work(&self, windows: &Windows) -> bool {
        let window = self.window(windows);
        self.active.values().any(|attempt| attempt.has_work(window))
    }

    /// How many chunks of a search may be under way now.
    fn window(&self, windows: &Windows) -> u32 {
        let open = |attempt: &Attempt| attempt.run.as_ref().map_or(0, |run| run.open.len());
        windows.of_each(self.active.values().map(open).sum())
    }

    pub(super) fn forget_front(&mut self, connection: u64) {
        for attempt in self.active.values_mut() {
            attempt.waiters.retain(|waiter| waiter.connection != connection);
        }
    }

    /// The attempts whose next chunk is computed next, in one pass: the least advanced one, and
    /// those that go through the same rows beside it.
    fn next_work(&self, windows: &Windows) -> Vec<Key> {
        let begun = |key: &&Key| self.active[*key].run.as_ref().map_or(u32::MAX, |run| run.begun);
        let window = self.window(windows);
        let ready = self.order.iter().filter(|key| self.active[*key].has_work(window));
        let Some(first) = ready.clone().min_by_key(begun) else { return Vec::new() };
        let checks = |run: &Run| run.begun < run.length_chunks();
        if self.active[first].run.as_ref().is_some_and(checks) {
            return vec![*first];
        }
        let same = |key: &&Key| self.active[*key].goes_with(&self.active[first]);
        ready.filter(same).take(TOGETHER_MAX).copied().collect()
    }
}

impl Attempt {
    fn has_work(&self, window: u32) -> bool {
        let there_is = |run: &Run| run.next().is_some() && run.open.len() < window as usize;
        self.run.as_ref().is_some_and(there_is)
    }

    fn goes_with(&self, other: &Self) -> bool {
        let (Some(plan), Some(run)) = (&self.plan, &self.run) else { return false };
        let (Some(other_plan), Some(other_run)) = (&other.plan, &other.run) else { return false };
        Arc::ptr_eq(plan, other_plan)
            && run.next() == other_run.next()
            && run.probe.count() == other_run.probe.count()
    }
}

impl Node {
    pub(super) fn on_search(
        &mut self,
        waiter: Waiter,
        search: Search,
        bytes: &[u8],
    ) -> Result<(), Refusal> {
        let key = (search.query, search.attempt);
        let digest = Hash::of(b"handfast vault search 1", bytes);
        if let Some(answer) = self.searches.answers.get(&key) {
            if answer.digest != digest {
                return Err(Reason::Unexpected.into());
            }
            let bytes = answer.bytes.clone();
            self.reply_bytes(waiter, bytes);
            return Ok(());
        }
        if let Some(attempt) = self.searches.active.get_mut(&key) {
            if attempt.digest != digest {
                return Err(Reason::Unexpected.into());
            }
            attempt.waiters.push(waiter);
            return Ok(());
        }
        let early = self.searches.early.remove(&key);
        if let Some(refusal) = early.as_ref().and_then(|early| early.left) {
            self.note_query(key);
            return Err(refusal);
        }
        let (mut attempt, checks) = match self.admit(search, digest) {
            Ok(admitted) => admitted,
            Err(refusal) => {
                let (query, attempt) = key;
                self.send_both(&Content::Leave { query, attempt, refusal });
                return Err(refusal);
            }
        };
        attempt.waiters.push(waiter);
        if let Some(early) = early {
            attempt.peers = early.joins;
        }
        for (peer, check) in checks {
            let join = Join { check, ..attempt.join };
            self.send(peer, Content::Join { query: key.0, attempt: key.1, join });
        }
        self.note_query(key);
        self.replace_attempts(key);
        self.searches.active.insert(key, attempt);
        self.searches.order.push_back(key);
        self.start(key);
        Ok(())
    }

    /// A query has one attempt under way: a node that lets a part of each go would sign two tags.
    fn replace_attempts(&mut self, (query, _): Key) {
        let earlier = self.searches.order.iter().find(|(there, _)| *there == query);
        if let Some(&earlier) = earlier {
            self.leave(earlier, Reason::Attempt.with(u64::from(earlier.1)));
        }
    }

    fn note_query(&mut self, (query, attempt): Key) {
        self.searches.queries.insert(query, (attempt, self.now));
    }

    pub(super) fn on_join(&mut self, from: Role, key: Key, join: Join) -> Result<(), Refusal> {
        if let Some(attempt) = self.searches.active.get_mut(&key) {
            let there = &mut attempt.peers[from.index()];
            if there.is_some() {
                return Err(Reason::Unexpected.into());
            }
            *there = Some(join);
            attempt.moved = self.now;
            self.start(key);
            return Ok(());
        }
        let joins = &mut self.early_of(key)?.joins[from.index()];
        if joins.is_some() {
            return Err(Reason::Unexpected.into());
        }
        *joins = Some(join);
        Ok(())
    }

    pub(super) fn on_leave(
        &mut self,
        from: Role,
        key: Key,
        _refusal: Refusal,
    ) -> Result<(), Refusal> {
        let refusal = Reason::PeerRefused.with(from.index() as u64);
        if self.searches.active.contains_key(&key) {
            self.end_search(key, refusal);
            return Ok(());
        }
        self.early_of(key)?.left = Some(refusal);
        Ok(())
    }

    fn early_of(&mut self, key: Key) -> Result<&mut Early, Refusal> {
        let last = self.searches.queries.get(&key.0).map_or(0, |(attempt, _)| *attempt);
        if key.1 <= last || key.1 > ATTEMPTS_MAX {
            return Err(Reason::Unexpected.into());
        }
        if self.searches.early.len() >= EARLY_MAX && !self.searches.early.contains_key(&key) {
            return Err(Reason::Busy.with(EARLY_MAX as u64));
        }
        let since = self.now;
        let new = || Early { joins: Default::default(), left: None, since };
        Ok(self.searches.early.entry(key).or_insert_with(new))
    }

    /// Begins to compare, once both peers have joined.
    fn start(&mut self, key: Key) {
        let role = self.keys.role;
        let Some(attempt) = self.searches.active.get(&key) else { return };
        let (Some(next), Some(previous)) =
            (attempt.peers[role.next().index()], attempt.peers[role.previous().index()])
        else {
            return;
        };
        if attempt.run.is_some() || attempt.own.is_none() {
            return;
        }
        if let Err(refusal) = self.check_joined(key, next, previous) {
            self.refusals.count(refusal.reason);
            self.leave(key, refusal);
            return;
        }
        let Some(attempt) = self.searches.active.get_mut(&key) else { return };
        let Some(own) = attempt.own.take() else { return };
        let vectors = attempt.shares.as_ref().map_or(1, ShareSet::count);
        let gallery_chunks = attempt.plan.as_ref().map_or(1, |plan| plan.chunks(vectors));
        let strict = [attempt.join, next, previous].iter().any(|join| join.strict);
        let lengths = attempt.shares.as_ref().filter(|_| strict).map(|shares| {
            let chunk = self.windows.chunk;
            let plan = LengthPlan::new(shares.dimension(), vectors, gallery_chunks, chunk);
            let [own, previous] = self.keys.length_tokens();
            LengthRun::new(plan, shares, Selection::length(&own, &previous, &key.0.0))
        });
        let Ok(lengths) = lengths.transpose() else {
            return self.leave(key, Reason::Shares.into());
        };
        let chunks = gallery_chunks + lengths.as_ref().map_or(0, |lengths| lengths.plan.chunks());
        let Join { gallery, operation, time, .. } = attempt.join;
        let context =
            QueryContext { query: key.0.0, attempt: key.1, operation, gallery: gallery.0 };
        let peers = PeerNonces { next: next.own, previous: previous.own };
        let keys = QueryKeys::derive_chunks(role, &self.keys.masters, &context, own, peers, chunks);
        let Ok(keys) = keys else {
            return self.leave(key, Reason::Attempt.into());
        };
        let time = match role {
            Role::A => time,
            Role::B => previous.time,
            Role::C => next.time,
        };
        if let Sought::Delivery(slot) = attempt.sought {
            return self.deliver(key, slot, keys);
        }
        let Some(shares) = attempt.shares.take() else { return };
        attempt.run = Some(Run {
            probe: ProbeWeights::new(&shares),
            keys: keys.into_iter().map(Some).collect(),
            time,
            begun: 0,
            gallery: gallery_chunks,
            lengths,
            open: HashMap::new(),
            sums: vec![[0; TOKEN]; attempt.selections.len()],
        });
    }

    /// Whether all three mean the same search, with clocks and shares that agree.
    fn check_joined(&self, key: Key, next: Join, previous: Join) -> Result<(), Refusal> {
        let Some(attempt) = self.searches.active.get(&key) else { return Ok(()) };
        let role = self.keys.role;
        for (peer, join) in [(role.next(), next), (role.previous(), previous)] {
            if !attempt.join.agrees_with(&join) {
                return Err(Reason::PeerRefused.with(peer.index() as u64));
            }
            let apart = (join.time.as_micros() - attempt.join.time.as_micros()).unsigned_abs();
            if apart > CLOCKS_APART_MAX.as_micros().unsigned_abs() {
                return Err(Reason::ClocksApart.with(peer.index() as u64));
            }
            let Some(shares) = &attempt.shares else { continue };
            let component = self.component_with(peer);
            let check = self.keys.check_key(component);
            let context = check_context(key);
            if shares.verify_check(component, &check, &context, &join.check) != Ok(true) {
                return Err(Reason::Inconsistent.into());
            }
        }
        Ok(())
    }

    /// The token of an armed slot, without a comparison.
    fn deliver(&mut self, key: Key, slot: u64, keys: Vec<QueryKeys>) {
        let role = self.keys.role;
        let Some(attempt) = self.searches.active.get(&key) else { return };
        let part = keys
            .into_iter()
            .next()
            .and_then(|mut keys| attempt.selections.first()?.deliver(role, slot, &mut keys).ok());
        match part {
            Some(part) => self.answer(key, &[*part.bytes()]),
            None => self.leave(key, Reason::Attempt.into()),
        }
    }

    /// Gives an attempt up and tells the peers.
    fn leave(&mut self, key: Key, refusal: Refusal) {
        let (query, attempt) = key;
        self.end_search(key, refusal);
        self.send_both(&Content::Leave { query, attempt, refusal });
    }

    fn end_search(&mut self, key: Key, refusal: Refusal) {
        let Some(attempt) = self.searches.active.remove(&key) else { return };
        self.searches.order.retain(|there| *there != key);
        for waiter in attempt.waiters {
            self.refuse(waiter, refusal);
        }
    }

    pub(super) fn fail_searches(&mut self, refusal: Refusal, which: impl Fn(GalleryName) -> bool) {
        let keys: Vec<Key> = self.searches.order.iter().copied().collect();
        for key in keys {
            if self.searches.active.get(&key).is_some_and(|there| which(there.join.gallery)) {
                self.leave(key, refusal);
            }
        }
    }

    /// A gallery is gone: what was searching it asks again, and hears so.
    pub(super) fn stop_searches_in(&mut self, gallery: GalleryName) {
        let refusal = Reason::Stale.with(self.roster.head.number);
        self.fail_searches(refusal, |name| name == gallery);
    }

    pub(super) fn stop_all_searches(&mut self) {
        self.fail_searches(Reason::WrongEpoch.with(self.roster.epoch), |_| true);
    }

    pub(super) fn search_tick(&mut self) {
        let now = self.now;
        let past = |since: Timestamp, span: Duration| now < since || now >= since + span;
        let late = self.searches.active.iter().filter(|(_, there)| past(there.moved, WAIT));
        let late: Vec<Key> = late.map(|(key, _)| *key).collect();
        for key in late {
            self.leave(key, Reason::TimedOut.into());
        }
        let searches = &mut self.searches;
        searches.early.retain(|_, early| !past(early.since, WAIT));
        searches.answers.retain(|_, answer| !past(answer.since, ANSWER_KEPT));
        searches.queries.retain(|_, (_, since)| !past(*since, QUERY_KEPT));
        searches.checks.retain(|_, check| !past(check.since, QUERY_KEPT));
    }
}

/// What the keyed hashes of a probe's shares are for.
fn check_context((query, attempt): Key) -> [u8; 17] {
    let mut context = [attempt; 17];
    context[..16].copy_from_slice(&query.0);
    context
}
