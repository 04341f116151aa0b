//! Searches: three nodes compare a probe with a gallery, chunk by chunk, and each seals its part of
//! the token to the relying party.
//!
//! A front asks all three. Each checks what it was asked against its own list, clock, challenges
//! and budgets, and joins; what it needs of the others comes with their joining: nonces, so that
//! keys are new whatever anybody repeats, clocks, and keyed hashes of the shares that both were
//! dealt. A search that loses a message ends with a refusal; the front tries again as the next
//! attempt, with new nonces and so with new keys.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use handfast_model::{Duration, Timestamp};
use handfast_mpc::{
    ATTEMPTS_MAX, Message, OwnNonce, Party, PeerNonces, ProbeWeights, QueryContext, QueryKeys,
    ResultPart, Role, Selection, ShareSet, Step, TOKEN, Threshold, Turn,
};
use handfast_palm::Side;

use super::machine::{Node, Waiter};
use super::message::{Content, Join};
use super::names::{GalleryName, Hash, QueryName};
use super::operation::{GalleryPurpose, GallerySpec};
use super::plan::Plan;
use super::refusal::{Reason, Refusal};
use super::request::{Found, Reply, SealedShares, Search, Sought};
use super::roster::side_index;
use super::seals::PartBinding;
use super::side_rows::Segment;
use super::store::{Batch, Budget};
use crate::share_sealing::Binding;

/// A search that hears nothing for so long is over: a person has gone to the other lane by then.
const WAIT: Duration = Duration::from_secs(10);
/// How far the clocks of two nodes may be apart. They end armings, and nothing else.
const CLOCKS_APART_MAX: Duration = Duration::from_secs(60);
/// Searches at a time.
const ACTIVE_MAX: usize = 64;
/// Peers' joinings that wait for this node's own request.
const EARLY_MAX: usize = 1024;
/// Chunks of a search under way at a time: enough to hide a round trip behind computing.
const WINDOW: usize = 4;
/// Messages of a chunk that came before their turn; a chunk has few steps.
const WAITING_MAX: usize = 32;
/// Bytes of a comparison in one step: more than any step takes; the party checks each exactly.
const COMPARISON_BYTES_MAX: usize = 8;
/// Probes in one pass over the rows.
const TOGETHER_MAX: usize = 8;
/// How long an answer is kept to be sent again.
const ANSWER_KEPT: Duration = Duration::from_secs(30);
/// How long a query's name is known: longer than a challenge lives.
const QUERY_KEPT: Duration = Duration::from_secs(180);

/// An attempt at a query.
pub(super) type Key = (QueryName, u8);

/// Keyed hashes of shares, by the peer that is told.
type ShareChecks = Vec<(Role, [u8; 32])>;

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
    plan: Option<Arc<Plan>>,
    binding: PartBinding,
    recipient: [u8; 32],
    selections: Vec<Selection>,
    early: Vec<(u32, Message)>,
    run: Option<Run>,
    moved: Timestamp,
}

/// The comparison under way.
struct Run {
    probe: ProbeWeights,
    keys: VecDeque<QueryKeys>,
    time: Timestamp,
    /// The first chunk that is not begun.
    next: u32,
    total: u32,
    open: HashMap<u32, Chunk>,
    finished: u32,
    sums: Vec<[u8; TOKEN]>,
}

/// One chunk under way.
struct Chunk {
    party: Party,
    waiting: Vec<Message>,
    seen: HashSet<(Role, u8)>,
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
    checks: HashMap<QueryName, (GalleryName, Side, u64, Timestamp)>,
}

impl Searches {
    pub(super) fn active(&self) -> usize {
        self.active.len()
    }

    /// Where and up to which operation a duplicate check was done, that ended a little while ago.
    pub(super) fn duplicate_check(&self, query: QueryName) -> Option<(GalleryName, Side, u64)> {
        self.checks.get(&query).map(|(gallery, side, operation, _)| (*gallery, *side, *operation))
    }

    pub(super) fn has_work(&self) -> bool {
        self.active.values().any(Attempt::has_work)
    }

    pub(super) fn forget_front(&mut self, connection: u64) {
        for attempt in self.active.values_mut() {
            attempt.waiters.retain(|waiter| waiter.connection != connection);
        }
    }

    /// The attempts whose next chunk is computed next, in one pass: the least advanced one, and
    /// those that go through the same rows beside it.
    fn next_work(&self) -> Vec<Key> {
        let next = |key: &&Key| self.active[*key].run.as_ref().map_or(u32::MAX, |run| run.next);
        let ready = self.order.iter().filter(|key| self.active[*key].has_work());
        let Some(first) = ready.clone().min_by_key(next) else { return Vec::new() };
        let same = |key: &&Key| self.active[*key].goes_with(&self.active[first]);
        ready.filter(same).take(TOGETHER_MAX).copied().collect()
    }
}

impl Attempt {
    fn has_work(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.next < run.total && run.open.len() < WINDOW)
    }

    fn goes_with(&self, other: &Self) -> bool {
        let (Some(plan), Some(run)) = (&self.plan, &self.run) else { return false };
        let (Some(other_plan), Some(other_run)) = (&other.plan, &other.run) else { return false };
        Arc::ptr_eq(plan, other_plan)
            && run.next == other_run.next
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
        self.searches.active.insert(key, attempt);
        self.searches.order.push_back(key);
        self.start(key);
        Ok(())
    }

    fn note_query(&mut self, (query, attempt): Key) {
        self.searches.queries.insert(query, (attempt, self.now));
    }

    /// Everything that this node checks by itself.
    fn admit(&mut self, search: Search, digest: Hash) -> Result<(Attempt, ShareChecks), Refusal> {
        let spec = self.check_search(&search)?;
        let shares = match (&search.sought, &search.shares) {
            (Sought::Delivery(_), None) => None,
            (Sought::Delivery(_), Some(_)) | (_, None) => return Err(Reason::Shares.into()),
            (_, Some(sealed)) => Some(self.open_probe(&search, &spec, sealed)?),
        };
        let plan = self.plan(&search, &spec)?;
        if let Some(sealed) = &search.shares {
            self.spend(&search, &spec, sealed)?;
        }
        let own = OwnNonce::draw(&*self.random);
        let checks = self.share_checks((search.query, search.attempt), shares.as_ref())?;
        let join = Join {
            gallery: search.gallery,
            operation: search.at.number,
            head: search.at.hash,
            right_side: search.side == Side::Right,
            sought: search.sought,
            vectors: shares.as_ref().map_or(0, |shares| shares.count() as u16),
            nonce: search.nonce,
            own: own.public(),
            time: self.now,
            check: [0; 32],
        };
        let sealed = search.shares.as_ref();
        let binding = PartBinding {
            deployment: self.keys.deployment,
            node: self.keys.role,
            gallery: search.gallery,
            query: search.query,
            attempt: search.attempt,
            sought: search.sought,
            operation: search.at.number,
            nonce: search.nonce,
            amount: sealed.map_or([0; 32], |sealed| sealed.amount),
            consent: sealed.map_or([0; 16], |sealed| sealed.consent),
        };
        let attempt = Attempt {
            digest,
            waiters: Vec::new(),
            side: search.side,
            sought: search.sought,
            join,
            own: Some(own),
            peers: Default::default(),
            shares,
            plan,
            binding,
            recipient: spec.recipient,
            selections: self.selections(&search, &spec),
            early: Vec::new(),
            run: None,
            moved: self.now,
        };
        Ok((attempt, checks))
    }

    /// What each peer is told of the component that it was dealt too.
    fn share_checks(&self, key: Key, shares: Option<&ShareSet>) -> Result<ShareChecks, Refusal> {
        let context = check_context(key);
        let mut checks = Vec::with_capacity(2);
        for peer in [self.keys.role.next(), self.keys.role.previous()] {
            let component = self.component_with(peer);
            let check_key = self.keys.check_key(component);
            let check = match shares {
                Some(shares) => shares
                    .check(component, &check_key, &context)
                    .map_err(|_| Refusal::from(Reason::Shares))?,
                None => [0; 32],
            };
            checks.push((peer, check));
        }
        Ok(checks)
    }

    fn selections(&self, search: &Search, spec: &GallerySpec) -> Vec<Selection> {
        if search.sought == Sought::Duplicate {
            let [own, previous] = self.keys.duplicate_tokens();
            return vec![Selection::duplicate(&own, &previous, &search.query.0)];
        }
        let [own, previous] = self.keys.tokens_of(spec.party);
        let token = Selection::token(own, previous);
        if matches!(search.sought, Sought::Delivery(_)) {
            return vec![token];
        }
        let [own, previous] = self.keys.audit_tokens();
        vec![token, Selection::audit(&own, &previous, &search.query.0)]
    }

    fn check_search(&self, search: &Search) -> Result<GallerySpec, Refusal> {
        if !self.lacking.is_empty() {
            return Err(Reason::Lacking.with(self.lacking.len() as u64));
        }
        if !self.rows_fit {
            return Err(Reason::StoreFailed.into());
        }
        self.check_peers()?;
        if self.searches.active.len() >= ACTIVE_MAX {
            return Err(Reason::Busy.with(ACTIVE_MAX as u64));
        }
        let last = self.searches.queries.get(&search.query).map_or(0, |(attempt, _)| *attempt);
        if search.attempt <= last || search.attempt > ATTEMPTS_MAX {
            return Err(Reason::Attempt.with(u64::from(last)));
        }
        if search.epoch != self.roster.epoch {
            return Err(Reason::WrongEpoch.with(self.roster.epoch));
        }
        let gallery = self.roster.gallery(search.gallery)?;
        let number = search.at.number;
        let same = self.roster.hash_at(number) == Some(search.at.hash);
        if !same || number < gallery.serves_from {
            return Err(Reason::Stale.with(self.roster.head.number));
        }
        let enrolment = gallery.spec.purpose == GalleryPurpose::Enrolment;
        let fits = match search.sought {
            Sought::Anyone => !enrolment,
            Sought::Duplicate => enrolment,
            Sought::Slot(_) | Sought::Delivery(_) => true,
        };
        if !fits {
            return Err(Reason::Limits.into());
        }
        if let Sought::Slot(slot) | Sought::Delivery(slot) = search.sought {
            let places = gallery.places(search.side);
            let place = places.place_of(slot).map(|place| places.get(place));
            if place.is_none_or(|place| place.armed_at > number) {
                return Err(Reason::NotArmed.into());
            }
        }
        Ok(gallery.spec)
    }

    fn open_probe(
        &mut self,
        search: &Search,
        spec: &GallerySpec,
        sealed: &SealedShares,
    ) -> Result<ShareSet, Refusal> {
        let device = *self.roster.device(sealed.device)?;
        if sealed.sealed_at > search.at.number {
            return Err(Reason::Stale.with(self.roster.head.number));
        }
        if !self.challenges.take(&sealed.challenge, search.query.0, self.now) {
            return Err(Reason::Challenge.into());
        }
        let binding = Binding {
            deployment: self.keys.deployment,
            challenge: sealed.challenge,
            purpose: spec.purpose as u8,
            gallery: search.gallery.0,
            nonce: search.nonce,
            amount_hash: sealed.amount,
            consent: sealed.consent,
            model_version: spec.model_version,
            query: search.query.0,
            operation: sealed.sealed_at,
            device: sealed.device.0,
        };
        let set = self.seals.open(&device, &binding, &sealed.sealed, self.now)?;
        let fits = set.node() == self.keys.role
            && set.dimension() == usize::from(spec.dimension)
            && set.count() <= usize::from(spec.policy.vectors_max);
        if fits { Ok(set) } else { Err(Reason::Shares.with(set.count() as u64)) }
    }

    /// The rows that are searched: shared with another search of the same rows.
    fn plan(&mut self, search: &Search, spec: &GallerySpec) -> Result<Option<Arc<Plan>>, Refusal> {
        let threshold = |score: u16| {
            Threshold::new(i32::from(score)).map_err(|_| Refusal::from(Reason::Limits))
        };
        let gallery = self.roster.gallery(search.gallery)?;
        let places = gallery.places(search.side);
        let rows = self.rows.get(&search.gallery).ok_or(Reason::GalleryUnknown)?;
        let rows = &rows[side_index(search.side)];
        let per_slot = rows.shape().per_slot();
        match search.sought {
            Sought::Delivery(_) => Ok(None),
            Sought::Slot(slot) => {
                let place = places.place_of(slot).ok_or(Reason::NotArmed)?;
                let bytes = rows.get(place).map_err(|_| Reason::NotArmed)?;
                let single = Segment::single(rows.shape(), Some(&bytes));
                let segments = vec![Arc::new(single.map_err(|_| Reason::Limits)?)];
                let places = vec![Arc::new(vec![places.get(place)])];
                let threshold = threshold(spec.policy.verify)?;
                Ok(Some(Arc::new(Plan::new(segments, places, 1, per_slot, threshold))))
            }
            Sought::Anyone | Sought::Duplicate => {
                let same = self.searches.active.values().find(|attempt| {
                    let Join { gallery, operation, .. } = attempt.join;
                    (gallery, operation) == (search.gallery, search.at.number)
                        && attempt.side == search.side
                        && attempt.sought == search.sought
                });
                if let Some(plan) = same.and_then(|attempt| attempt.plan.clone()) {
                    return Ok(Some(plan));
                }
                let slots = places.count_at(search.at.number);
                let mut segments = rows.snapshot();
                let mut places = places.snapshot();
                if slots == 0 {
                    // Nobody is armed: a row of zeros is compared, whose result is masked.
                    let empty = Segment::single(rows.shape(), None);
                    segments = vec![Arc::new(empty.map_err(|_| Reason::Limits)?)];
                    places.clear();
                }
                let threshold = threshold(spec.policy.identify)?;
                Ok(Some(Arc::new(Plan::new(segments, places, slots, per_slot, threshold))))
            }
        }
    }

    /// Takes a search from its budgets; the first attempt pays for all.
    fn spend(
        &mut self,
        search: &Search,
        spec: &GallerySpec,
        sealed: &SealedShares,
    ) -> Result<(), Refusal> {
        if self.searches.queries.contains_key(&search.query) {
            return Ok(());
        }
        let mut limits = vec![
            (Budget::Device(search.gallery, sealed.device), spec.policy.device_hourly),
            (Budget::Gallery(search.gallery), spec.policy.gallery_hourly),
        ];
        if let Sought::Slot(slot) = search.sought {
            limits.push((Budget::Slot(search.gallery, slot), spec.policy.slot_hourly));
        }
        let notes = self.budgets.check(&limits, self.now)?;
        if !notes.is_empty() {
            let noted = self.store.commit(Batch { budgets: notes.clone(), ..Batch::default() });
            self.stored(noted)?;
        }
        self.budgets.count(&limits, &notes, self.now);
        Ok(())
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
        let chunks = attempt.plan.as_ref().map_or(1, |plan| plan.chunks(vectors));
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
            keys: keys.into(),
            time,
            next: 0,
            total: chunks,
            open: HashMap::new(),
            finished: 0,
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
            Some(part) => self.complete(key, &[*part.bytes()]),
            None => self.leave(key, Reason::Attempt.into()),
        }
    }

    /// The next chunk of the search that is least advanced, together with others that go through
    /// the same rows.
    pub(super) fn work(&mut self) {
        let group = self.searches.next_work();
        let Some(first) = group.first().and_then(|key| self.searches.active.get(key)) else {
            return;
        };
        let (Some(plan), Some(run)) = (first.plan.clone(), &first.run) else { return };
        let chunk = run.next;
        let probes: Vec<&ProbeWeights> = group
            .iter()
            .filter_map(|key| self.searches.active.get(key)?.run.as_ref())
            .map(|run| &run.probe)
            .collect();
        match plan.products(chunk, &probes) {
            Ok(products) => {
                for (key, products) in group.into_iter().zip(products) {
                    self.begin_chunk(key, chunk, products);
                }
            }
            Err(error) => {
                tracing::error!(node = %self.keys.role, %error, "a probe does not fit its gallery");
                for key in group {
                    self.leave(key, Reason::Shares.into());
                }
            }
        }
    }

    fn begin_chunk(&mut self, key: Key, chunk: u32, products: Vec<u16>) {
        let role = self.keys.role;
        let Some(attempt) = self.searches.active.get_mut(&key) else { return };
        let (Some(plan), Some(run)) = (&attempt.plan, &mut attempt.run) else { return };
        let Some(keys) = run.keys.pop_front() else { return };
        let started = plan.parameters(chunk, run.probe.count(), run.time).and_then(|parameters| {
            let selections = attempt.selections.clone();
            Ok(Party::start(role, parameters, keys, products, selections)?)
        });
        let (party, turn) = match started {
            Ok(started) => started,
            Err(error) => {
                tracing::error!(node = %role, %error, "a chunk does not fit its search");
                return self.leave(key, Reason::Shares.into());
            }
        };
        run.next = chunk + 1;
        let mut waiting = Vec::new();
        for (of, message) in std::mem::take(&mut attempt.early) {
            if of == chunk {
                waiting.push(message);
            } else {
                attempt.early.push((of, message));
            }
        }
        let seen = waiting.iter().map(|message| (message.from, message.step.code())).collect();
        run.open.insert(chunk, Chunk { party, waiting, seen });
        attempt.moved = self.now;
        self.take_turn(key, chunk, turn);
        self.step_chunk(key, chunk);
    }

    pub(super) fn on_step(
        &mut self,
        from: Role,
        key: Key,
        chunk: u32,
        (code, body): (u8, Vec<u8>),
    ) -> Result<(), Refusal> {
        let step = step_of(code).ok_or(Reason::Malformed)?;
        let message = Message { step, from, to: self.keys.role, body };
        let attempt = self.searches.active.get_mut(&key).ok_or(Reason::Unexpected)?;
        let Some(plan) = &attempt.plan else { return Err(Reason::Unexpected.into()) };
        let vectors = usize::from(attempt.join.vectors);
        if chunk >= plan.chunks(vectors) {
            return Err(Reason::Limits.into());
        }
        let comparisons = plan.shape(chunk, vectors).map_err(|_| Reason::Limits)?.comparisons();
        if message.body.len() > COMPARISON_BYTES_MAX * comparisons {
            return Err(Reason::WrongLength.with(message.body.len() as u64));
        }
        let begun = attempt.run.as_ref().map_or(0, |run| run.next);
        if chunk >= begun {
            let same = |(of, there): &(u32, Message)| {
                *of == chunk && there.from == from && there.step == step
            };
            let far = chunk as usize >= begun as usize + 2 * WINDOW;
            if far || attempt.early.iter().any(same) {
                return Err(Reason::Unexpected.into());
            }
            attempt.early.push((chunk, message));
            return Ok(());
        }
        let open = attempt.run.as_mut().and_then(|run| run.open.get_mut(&chunk));
        let open = open.ok_or(Reason::Unexpected)?;
        // A step refused for its length may come again.
        let awaited = open.party.awaited();
        let wrong = awaited.filter(|awaited| {
            (awaited.step, awaited.from) == (step, from) && awaited.length != message.body.len()
        });
        if wrong.is_some() {
            return Err(Reason::WrongLength.with(message.body.len() as u64));
        }
        if open.waiting.len() >= WAITING_MAX || !open.seen.insert((from, code)) {
            return Err(Reason::Unexpected.into());
        }
        open.waiting.push(message);
        attempt.moved = self.now;
        self.step_chunk(key, chunk);
        Ok(())
    }

    /// Takes the messages whose turn it is.
    fn step_chunk(&mut self, key: Key, chunk: u32) {
        loop {
            let open = self
                .searches
                .active
                .get_mut(&key)
                .and_then(|attempt| attempt.run.as_mut()?.open.get_mut(&chunk));
            let Some(open) = open else { return };
            let Some(awaited) = open.party.awaited() else { return };
            let next = open
                .waiting
                .iter()
                .position(|message| (message.step, message.from) == (awaited.step, awaited.from));
            let Some(next) = next else { return };
            let message = open.waiting.swap_remove(next);
            match open.party.step(&message) {
                Ok(turn) => self.take_turn(key, chunk, turn),
                Err(error) => {
                    // Nothing has changed: the right one may still come.
                    open.seen.remove(&(message.from, message.step.code()));
                    tracing::warn!(node = %self.keys.role, %error, "a step was refused");
                    self.refusals.count(Reason::WrongLength);
                    return;
                }
            }
        }
    }

    fn take_turn(&mut self, key: Key, chunk: u32, turn: Turn) {
        let (query, attempt) = key;
        match turn {
            Turn::Wait(messages) => {
                for Message { step, to, body, .. } in messages {
                    let step = step.code();
                    self.send(to, Content::Step { query, attempt, chunk, step, body });
                }
            }
            Turn::Done(parts) => {
                let run = self.searches.active.get_mut(&key);
                let Some(run) = run.and_then(|attempt| attempt.run.as_mut()) else { return };
                run.open.remove(&chunk);
                run.finished += 1;
                for (sum, part) in run.sums.iter_mut().zip(&parts) {
                    add(sum, part);
                }
                if run.finished == run.total {
                    let sums = run.sums.clone();
                    self.complete(key, &sums);
                }
            }
        }
    }

    /// Seals this node's part and answers.
    fn complete(&mut self, key: Key, sums: &[[u8; TOKEN]]) {
        let Some(attempt) = self.searches.active.remove(&key) else { return };
        self.searches.order.retain(|there| *there != key);
        let Some(part) = sums.first() else { return };
        let binding = attempt.binding.to_bytes();
        let sealed = self.seals.seal_part(&attempt.recipient, &binding, part);
        let signature = self.seals.sign(&attempt.binding.signed_bytes(&sealed));
        let audit = sums.get(1).copied().unwrap_or_default();
        let found = Found { query: key.0, attempt: key.1, sealed, signature, audit };
        let bytes = Reply::Found(found).to_bytes();
        for waiter in attempt.waiters {
            self.reply_bytes(waiter, bytes.clone());
        }
        let since = self.now;
        if attempt.sought == Sought::Duplicate {
            let Join { gallery, operation, .. } = attempt.join;
            self.searches.checks.insert(key.0, (gallery, attempt.side, operation, since));
        }
        let answer = Answer { digest: attempt.digest, bytes, since };
        self.searches.answers.insert(key, answer);
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

    /// Rows of a gallery are overwritten: what was searching them begins anew.
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
        searches.checks.retain(|_, (_, _, _, since)| !past(*since, QUERY_KEPT));
    }
}

/// What the keyed hashes of a probe's shares are for.
fn check_context((query, attempt): Key) -> [u8; 17] {
    let mut context = [attempt; 17];
    context[..16].copy_from_slice(&query.0);
    context
}

fn add(sum: &mut [u8; TOKEN], part: &ResultPart) {
    sum.iter_mut().zip(part.bytes()).for_each(|(sum, part)| *sum ^= part);
}

/// The step with this number.
fn step_of(code: u8) -> Option<Step> {
    let step = match code {
        0 => Step::Reshare,
        1 => Step::Split,
        16..32 => Step::And(code - 16),
        32..64 => Step::Or(code - 32),
        _ => return None,
    };
    (step.code() == code).then_some(step)
}
