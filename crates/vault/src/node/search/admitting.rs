//! Everything that a node checks by itself before it joins a search: list, clock, challenge, shares,
//! budgets.

use std::sync::Arc;

use handfast_mpc::{ATTEMPTS_MAX, OwnNonce, Role, Selection, ShareSet, Threshold};
use handfast_palm::Side;

use super::super::machine::Node;
use super::super::message::Join;
use super::super::names::{Hash, QueryName};
use super::super::operation::GallerySpec;
use super::super::plan::Plan;
use super::super::refusal::{Reason, Refusal};
use super::super::request::{SealedShares, Search, Sought};
use super::super::roster::side_index;
use super::super::seals::PartBinding;
use super::super::side_rows::Segment;
use super::super::store::{Batch, Budget};
use super::{ACTIVE_MAX, Attempt, Key, check_context};
use crate::share_sealing::Binding;

/// Keyed hashes of shares, by the peer that is told.
pub(super) type ShareChecks = Vec<(Role, [u8; 32])>;

impl Node {
    /// Everything that this node checks by itself.
    pub(super) fn admit(
        &mut self,
        search: Search,
        digest: Hash,
    ) -> Result<(Attempt, ShareChecks), Refusal> {
        let spec = self.check_search(&search)?;
        let shares = match (&search.sought, &search.shares) {
            (Sought::Delivery(_), None) => None,
            (Sought::Delivery(_), Some(_)) | (_, None) => return Err(Reason::Shares.into()),
            (_, Some(sealed)) => Some(self.open_probe(&search, &spec, sealed)?),
        };
        let reference = match (&shares, &search.shares) {
            (Some(shares), Some(by)) if search.sought == Sought::Duplicate => {
                let reference = shares.last(spec.rows_per_slot.into()).ok_or(Reason::Shares)?;
                Some(((by.device, by.consent), reference))
            }
            _ => None,
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
            strict: self.strict,
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
            reference,
            plan,
            binding: self.binding_of(&search),
            challenge: search.shares.as_ref().map(|sealed| sealed.challenge),
            recipient: spec.recipient,
            selections: self.selections(&search, &spec),
            early: Vec::new(),
            run: None,
            lengths: Default::default(),
            moved: self.now,
        };
        Ok((attempt, checks))
    }

    /// What this node's part will be bound to.
    fn binding_of(&self, search: &Search) -> PartBinding {
        let sealed = search.shares.as_ref();
        PartBinding {
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
        }
    }

    /// What each peer is told of the component that it was dealt too.
    pub(super) fn share_checks(
        &self,
        key: Key,
        shares: Option<&ShareSet>,
    ) -> Result<ShareChecks, Refusal> {
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

    pub(super) fn selections(&self, search: &Search, spec: &GallerySpec) -> Vec<Selection> {
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

    pub(super) fn check_search(&self, search: &Search) -> Result<GallerySpec, Refusal> {
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
        let enrolment = gallery.spec.purpose.is_home();
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

    pub(super) fn open_probe(
        &mut self,
        search: &Search,
        spec: &GallerySpec,
        sealed: &SealedShares,
    ) -> Result<ShareSet, Refusal> {
        let device = *self.roster.device(sealed.device)?;
        if sealed.sealed_at > search.at.number {
            return Err(Reason::Stale.with(self.roster.head.number));
        }
        // Whose name follows from this node's challenge is searched while the challenge lives, for what
        // was sought first, and not again once this node has answered.
        let named = search.query == QueryName::of(&search.challenges, &search.nonce);
        let own = search.challenges[self.keys.role.index()] == sealed.challenge;
        if !(named && own && self.challenges.take(&sealed.challenge, search.usage(), self.now)) {
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
    pub(super) fn plan(
        &mut self,
        search: &Search,
        spec: &GallerySpec,
    ) -> Result<Option<Arc<Plan>>, Refusal> {
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
                let (counts, chunk) = ((1, per_slot), self.windows.chunk);
                Ok(Some(Arc::new(Plan::new(segments, places, counts, threshold, chunk))))
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
                let (counts, chunk) = ((slots, per_slot), self.windows.chunk);
                Ok(Some(Arc::new(Plan::new(segments, places, counts, threshold, chunk))))
            }
        }
    }

    /// Takes a search from its budgets; the first attempt that gets here pays for all. What was paid is
    /// known of the challenge, which serves this one search: anybody may give any query's name to something
    /// that costs nothing.
    pub(super) fn spend(
        &mut self,
        search: &Search,
        spec: &GallerySpec,
        sealed: &SealedShares,
    ) -> Result<(), Refusal> {
        if self.challenges.is_paid(&sealed.challenge) {
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
        self.challenges.pay(&sealed.challenge);
        Ok(())
    }
}
