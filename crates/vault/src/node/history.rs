//! Random histories of a vault on simulated nodes, every answer of which is compared with what the
//! plain list of palms says.

mod searching;

use std::collections::{HashMap, HashSet};

use handfast_model::{Duration, Timestamp};
use handfast_mpc::{Dealt, Role};
use handfast_palm::Side;

use super::simulator::{Simulator, Weather};
use super::testing::{DEPLOYMENT, DIMENSION, MODEL, POLICY, node_keys, palm, probe, seal, spec};
use super::{
    Change, Committed, DeviceName, Enrolment, GalleryName, GalleryPurpose, GallerySpec, Head,
    Operation, OperationName, Policy, QueryName, Reason, Refusal, Reply, Request, SealedShares,
    Sought,
};
use crate::share_sealing::Binding;

pub(super) const HOME: GalleryName = GalleryName([1; 16]);
pub(super) const DEVICE: DeviceName = DeviceName([0xde; 16]);
pub(super) const DEVICE_KEY: [u8; 32] = [0x77; 32];
/// Galleries that are searched.
pub(super) const EVENTS: [GalleryName; 2] = [GalleryName([2; 16]), GalleryName([3; 16])];
const VECTORS: usize = 3;
/// What palms look like in a history.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    pub(super) dimension: usize,
    pub(super) palm: fn(u64) -> Vec<i16>,
    pub(super) probe: fn(u64) -> Vec<i16>,
    pub(super) policy: Policy,
}

/// Few numbers, so that thousands of histories can be played.
pub(super) const SMALL: Kind =
    Kind { dimension: DIMENSION, palm, probe: |seed| probe(seed, VECTORS), policy: POLICY };

/// Palms in a history: few, so that they come back.
const PEOPLE: u64 = 12;

/// How a change ended, as the front knows.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one at a time, in tests")]
pub(super) enum Outcome {
    Committed(Committed),
    GivenUp,
    Refused(Refusal),
    Unknown,
}

/// What a search opened to.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) query: QueryName,
    pub(super) value: [u8; 16],
    pub(super) audit: [u8; 16],
    pub(super) at: Head,
}

/// A palm that somebody has tried to enrol, by the operation's name.
type Enrolled = HashMap<OperationName, Vec<(Side, u64)>>;

pub(super) struct History {
    kind: Kind,
    pub(super) simulator: Simulator,
    pub(super) enrolled: Enrolled,
    pub(super) tokens: HashMap<(GalleryName, u64), [u8; 16]>,
    acknowledged: HashSet<u64>,
    pub(super) answers: u64,
    pub(super) matches: u64,
}

impl History {
    pub(super) fn new(seed: u64, weather: Weather) -> Self {
        Self::of(SMALL, seed, weather)
    }

    pub(super) fn of(kind: Kind, seed: u64, weather: Weather) -> Self {
        let simulator = Simulator::new(seed, Weather { delay: 200, ..Weather::default() });
        let (enrolled, tokens) = (HashMap::new(), HashMap::new());
        let acknowledged = HashSet::new();
        let mut history =
            Self { kind, simulator, enrolled, tokens, acknowledged, answers: 0, matches: 0 };
        history.simulator.pass(Duration::from_secs(1));
        history.must(Change::ProvisionDevice { device: DEVICE, key: DEVICE_KEY });
        for (gallery, purpose) in [
            (1, GalleryPurpose::Enrolment),
            (2, GalleryPurpose::Entry),
            (3, GalleryPurpose::Payment),
        ] {
            let (dimension, policy) = (kind.dimension as u16, kind.policy);
            let spec = GallerySpec { dimension, policy, ..spec(gallery, purpose) };
            history.must(Change::OpenGallery(spec));
        }
        history.simulator.weather = weather;
        history
    }

    pub(super) fn must(&mut self, change: Change) -> Committed {
        match self.operate(change, None) {
            Outcome::Committed(committed) => committed,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn ask(&mut self, requests: [Request; 3]) -> [Option<Reply>; 3] {
        let asked = self.simulator.ask(requests.map(|request| Some(request.to_bytes())));
        self.simulator.wait(asked)
    }

    pub(super) fn ask_all(&mut self, request: &Request) -> [Option<Reply>; 3] {
        self.ask([request.clone(), request.clone(), request.clone()])
    }

    /// A challenge of each node, and the latest head and epoch that any of them has.
    pub(super) fn challenges(&mut self) -> Option<([[u8; 16]; 3], Head, u64)> {
        let replies = self.ask_all(&Request::Challenge);
        let mut challenges = [[0; 16]; 3];
        let mut latest: Option<(Head, u64)> = None;
        for (at, reply) in replies.into_iter().enumerate() {
            let Some(Reply::Challenge { challenge, head, epoch, .. }) = reply else { return None };
            challenges[at] = challenge;
            if latest.is_none_or(|(there, _)| head.number > there.number) {
                latest = Some((head, epoch));
            }
        }
        latest.map(|(head, epoch)| (challenges, head, epoch))
    }

    /// Asks for a change until it is known how it ended, or for two minutes.
    pub(super) fn operate(
        &mut self,
        change: Change,
        named: Option<(OperationName, [Option<SealedShares>; 3])>,
    ) -> Outcome {
        let (name, shares) = match named {
            Some(named) => named,
            None => (OperationName::draw(&*self.simulator.random), [None, None, None]),
        };
        let requests =
            shares.map(|shares| Request::Operate { name, change: change.clone(), shares });
        let mut replies = self.ask(requests);
        for _ in 0..6 {
            let committed =
                replies.iter().filter(|reply| matches!(reply, Some(Reply::Committed(_))));
            if committed.count() == 3 {
                let [Some(Reply::Committed(first)), ..] = replies else { unreachable!() };
                return Outcome::Committed(first);
            }
            if replies.iter().any(|reply| matches!(reply, Some(Reply::GivenUp(_)))) {
                return Outcome::GivenUp;
            }
            if let [Some(Reply::Refused(a)), Some(Reply::Refused(b)), Some(Reply::Refused(c))] =
                replies
                && let Some(refusal) = [a, b, c]
                    .into_iter()
                    .find(|refusal| !matches!(refusal.reason, Reason::Pending | Reason::TimedOut))
                && [a, b, c].iter().all(|refusal| refusal.reason != Reason::Pending)
            {
                return Outcome::Refused(refusal);
            }
            self.simulator.pass(Duration::from_secs(5));
            replies = self.ask_all(&Request::OperationState(name));
        }
        Outcome::Unknown
    }

    pub(super) fn seal_for(binding: &Binding, set: &handfast_mpc::ShareSet) -> SealedShares {
        SealedShares {
            device: DEVICE,
            challenge: binding.challenge,
            consent: binding.consent,
            amount: binding.amount_hash,
            sealed_at: binding.operation,
            sealed: seal(&DEVICE_KEY, binding, set),
        }
    }

    /// Enrols palms of one person, after a duplicate check of each.
    pub(super) fn enrol(&mut self, palms: &[(Side, u64)], until: Timestamp) -> Outcome {
        let mut checks = Vec::new();
        let mut checked_at = u64::MAX;
        for &(side, seed) in palms {
            let shown = self.shown_to_enrol(seed);
            let Some(opened) = self.search(HOME, side, Sought::Duplicate, &shown) else {
                return Outcome::Unknown;
            };
            let known = self.expected(&opened, HOME, side, &shown, self.kind.policy.identify);
            assert_eq!(opened.value == [0; 16], known.is_empty(), "a duplicate check is wrong");
            if !known.is_empty() {
                return Outcome::GivenUp;
            }
            checks.push(opened.query);
            if checked_at != u64::MAX && checked_at != opened.at.number {
                return Outcome::Unknown;
            }
            checked_at = opened.at.number;
        }
        self.enrol_unchecked(palms, until, checks, checked_at)
    }

    pub(super) fn enrol_unchecked(
        &mut self,
        palms: &[(Side, u64)],
        until: Timestamp,
        checks: Vec<QueryName>,
        checked_at: u64,
    ) -> Outcome {
        let name = OperationName::draw(&*self.simulator.random);
        self.enrolled.insert(name, palms.to_vec());
        let enrolment = Enrolment {
            gallery: HOME,
            first_slot: 0,
            sides: palms.iter().map(|(side, _)| *side).collect(),
            until,
            consent: [0x33; 16],
            device: DEVICE,
            checks,
            checked_at,
        };
        self.operate(Change::Enrol(enrolment), Some((name, [None, None, None])))
    }

    /// Stores palms of many people in a gallery that takes them unchecked, as benches do.
    pub(super) fn fill(&mut self, people: std::ops::Range<u64>) -> GalleryName {
        self.simulator.danger_unchecked = true;
        for role in Role::ALL {
            self.simulator.stop(role);
        }
        self.simulator.pass(Duration::from_secs(10));
        let policy = Policy { slots_max: 5_000, ..self.kind.policy };
        let opened = GallerySpec { policy, ..spec(4, GalleryPurpose::DangerUnchecked) };
        let gallery = opened.gallery;
        self.must(Change::OpenGallery(opened));
        let numbers: Vec<i16> = people.clone().flat_map(self.kind.palm).collect();
        let dealt = Dealt::deal(&numbers, self.kind.dimension, &*self.simulator.random).unwrap();
        let name = OperationName::draw(&*self.simulator.random);
        let (challenges, at, _) = self.challenges().unwrap();
        let shares = Role::ALL.map(|role| {
            let mut binding = self.binding(0x80, gallery, name.0, [0; 16]);
            binding.challenge = challenges[role.index()];
            binding.operation = at.number;
            Some(Self::seal_for(&binding, &dealt.sets[role.index()]))
        });
        let palms: Vec<(Side, u64)> = people.map(|seed| (Side::Left, seed)).collect();
        let enrolment = Enrolment {
            gallery,
            first_slot: 0,
            sides: vec![Side::Left; palms.len()],
            until: self.simulator.now + Duration::from_days(1),
            consent: [0x33; 16],
            device: DEVICE,
            checks: Vec::new(),
            checked_at: 0,
        };
        self.enrolled.insert(name, palms);
        let stored = self.operate(Change::Enrol(enrolment), Some((name, shares)));
        assert!(matches!(stored, Outcome::Committed(_)), "{stored:?}");
        gallery
    }

    /// What a duplicate check compares: vectors of the palm, and the reference to store as the last.
    pub(super) fn shown_to_enrol(&self, seed: u64) -> Vec<i16> {
        [(self.kind.probe)(seed), (self.kind.palm)(seed)].concat()
    }

    pub(super) fn binding(
        &self,
        purpose: u8,
        gallery: GalleryName,
        query: [u8; 16],
        nonce: [u8; 16],
    ) -> Binding {
        Binding {
            deployment: DEPLOYMENT,
            challenge: [0; 16],
            purpose,
            gallery: gallery.0,
            nonce,
            amount_hash: [0; 32],
            consent: [0x33; 16],
            model_version: MODEL,
            query,
            operation: 0,
            device: DEVICE.0,
        }
    }

    /// The list up to a number, of whichever disk has it.
    fn list(&self, number: u64) -> Vec<Operation> {
        let lists = self.simulator.disks.iter().map(|disk| disk.operations());
        let longest = lists.max_by_key(Vec::len).unwrap_or_default();
        let operations = longest.into_iter().map(|certified| certified.operation);
        operations.filter(|operation| operation.number <= number).collect()
    }

    /// Slots stored after the list, with side and palm.
    pub(super) fn stored(&self, number: u64) -> HashMap<u64, (Side, u64)> {
        let mut stored = HashMap::new();
        for operation in self.list(number) {
            match &operation.change {
                Change::Enrol(enrolment) => {
                    let palms = &self.enrolled[&operation.name];
                    let slots = enrolment.slots().zip(palms);
                    stored.extend(slots.map(|((slot, side), (_, seed))| (slot, (side, *seed))));
                }
                Change::Delete { slots } => slots.iter().for_each(|slot| {
                    stored.remove(slot);
                }),
                _ => {}
            }
        }
        stored
    }

    /// Slots armed in a gallery after the list, and until when.
    pub(super) fn armed(&self, number: u64, gallery: GalleryName) -> HashMap<u64, Timestamp> {
        let mut armed = HashMap::new();
        for operation in self.list(number) {
            match &operation.change {
                Change::Enrol(enrolment) if enrolment.gallery == gallery => {
                    armed.extend(enrolment.slots().map(|(slot, _)| (slot, enrolment.until)));
                }
                Change::Arm { gallery: there, slot, until, .. } if *there == gallery => {
                    armed.insert(*slot, *until);
                }
                Change::Disarm { gallery: there, slots } if *there == gallery => {
                    slots.iter().for_each(|slot| {
                        armed.remove(slot);
                    });
                }
                Change::Delete { slots } => slots.iter().for_each(|slot| {
                    armed.remove(slot);
                }),
                _ => {}
            }
        }
        armed
    }

    /// Gives a node its rows back.
    pub(super) fn rebuild(&mut self, role: Role) {
        let mut requests = [None, None, None];
        requests[role.index()] = Some(Request::Rebuild.to_bytes());
        let asked = self.simulator.ask(requests);
        let mut replies = self.simulator.wait(asked);
        let reply = replies[role.index()].take();
        assert!(matches!(reply, Some(Reply::Rebuilt { .. })), "{reply:?}");
    }

    pub(super) fn a_slot(&self) -> Option<(u64, Side)> {
        let mut slots: Vec<(u64, Side)> =
            self.stored(u64::MAX).into_iter().map(|(slot, (side, _))| (slot, side)).collect();
        slots.sort_unstable_by_key(|(slot, _)| *slot);
        if slots.is_empty() {
            return None;
        }
        Some(slots[self.simulator.below(slots.len() as u64) as usize])
    }

    pub(super) fn an_event(&self) -> GalleryName {
        EVENTS[self.simulator.below(2) as usize]
    }

    /// One random step.
    pub(super) fn random_step(&mut self) {
        let soon = self.simulator.now + Duration::from_hours(1);
        let later = self.simulator.now + Duration::from_days(30);
        let until = if self.simulator.below(4) == 0 { soon } else { later };
        let person = self.simulator.below(PEOPLE);
        let side = if self.simulator.below(2) == 0 { Side::Left } else { Side::Right };
        match self.simulator.below(16) {
            0..=3 => {
                let both = self.simulator.below(3) == 0;
                let mut palms = vec![(side, 2 * person + u64::from(side == Side::Right))];
                if both {
                    palms = vec![(Side::Left, 2 * person), (Side::Right, 2 * person + 1)];
                }
                self.enrol(&palms, until);
            }
            4..=6 => {
                if let Some((slot, side)) = self.a_slot() {
                    let gallery = self.an_event();
                    let consent = [0x44; 16];
                    let arm = Change::Arm { gallery, slot, until, consent };
                    if matches!(self.operate(arm, None), Outcome::Committed(_)) {
                        self.look(gallery, side, Sought::Delivery(slot), 0);
                    }
                }
            }
            7 => {
                if let Some((slot, _)) = self.a_slot() {
                    let gallery = self.an_event();
                    self.operate(Change::Disarm { gallery, slots: vec![slot] }, None);
                }
            }
            8 => {
                if let Some((slot, _)) = self.a_slot() {
                    let delete = Change::Delete { slots: vec![slot] };
                    if matches!(self.operate(delete, None), Outcome::Committed(_)) {
                        self.acknowledged.insert(slot);
                    }
                }
            }
            9 => {
                self.operate(Change::Refresh, None);
            }
            10 => self.simulator.pass_idle(Duration::from_minutes(40)),
            11 => {
                if let Some((slot, side)) = self.a_slot() {
                    let gallery = self.an_event();
                    self.look(gallery, side, Sought::Slot(slot), 2 * person);
                }
            }
            _ => {
                let seed = 2 * person + u64::from(side == Side::Right);
                let gallery = self.an_event();
                self.look(gallery, side, Sought::Anyone, seed);
            }
        }
    }

    /// Everything works again: the nodes agree, and have what they should have.
    pub(super) fn check_agreement(&mut self) {
        self.simulator.settle();
        let lists: Vec<_> = self.simulator.disks.iter().map(|disk| disk.operations()).collect();
        let operations = |at: usize| lists[at].iter().map(|certified| &certified.operation);
        assert!(operations(0).eq(operations(1)) && operations(1).eq(operations(2)));
        for certified in lists.iter().flatten() {
            let head = certified.operation.head();
            let keys = node_keys(Role::A).verifying;
            assert!(certified.certificate.is_valid(DEPLOYMENT, head, &keys));
        }
        let mut stored: Vec<u64> = self.stored(u64::MAX).into_keys().collect();
        stored.sort_unstable();
        for disk in &self.simulator.disks {
            assert_eq!(disk.slots(), stored, "rows are not those of the list");
        }
        assert!(self.acknowledged.iter().all(|slot| !stored.contains(slot)));
        for role in Role::ALL {
            let status = self.simulator.node(role).unwrap().status();
            assert_eq!(status.lacking, 0);
            assert_eq!(status.slots, stored.len() as u64);
            assert_eq!(status.searching, 0, "a search never ends");
        }
        for gallery in EVENTS {
            let (armed, stored) = (self.armed(u64::MAX, gallery), self.stored(u64::MAX));
            for seed in 0..2 * PEOPLE {
                let side = if seed % 2 == 0 { Side::Left } else { Side::Right };
                let mut palms = stored.iter();
                if palms.any(|(slot, (_, of))| *of == seed && armed.contains_key(slot)) {
                    assert!(self.look(gallery, side, Sought::Anyone, seed).is_some());
                }
            }
        }
    }
}
