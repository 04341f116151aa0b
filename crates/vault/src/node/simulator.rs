//! Three nodes, their disks and the network between them in one thread and in virtual time: every
//! delay, loss, restart and random byte follows from a seed.
//!
//! Connections deliver in order or not at all, as TCP does; what is lost is lost with its
//! connection. Frames are doubled now and then all the same, and connections overtake each other.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use handfast_model::{Duration, Random as _, SeededRandom, Timestamp};
use handfast_mpc::Role;

use super::memory_store::{Fault, MemoryDisk};
use super::message::{Content, Frame};
use super::names::Hash;
use super::testing::{PlainSeals, START, node_keys};
use super::windows::Windows;
use super::{Effect, Input, Node, Reply};

/// How often things go wrong, in a thousand.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Weather {
    /// A connection breaks, for each frame.
    pub(super) cut: u64,
    /// A frame comes twice.
    pub(super) double: u64,
    /// A node stops, for each frame that reaches it.
    pub(super) stop: u64,
    /// A node stops at its next write, for each frame that reaches it.
    pub(super) stop_at_write: u64,
    /// A disk is full for a while, for each frame.
    pub(super) full: u64,
    /// A request or a reply of a front is lost.
    pub(super) lose_request: u64,
    /// The longest delay of a frame, in microseconds.
    pub(super) delay: u64,
}

enum Event {
    Up { node: Role, peer: Role, generation: u64 },
    Down { node: Role, peer: Role, generation: u64 },
    Frame { from: Role, to: Role, generation: u64, bytes: Vec<u8> },
    Connect { one: Role, other: Role },
    Request { node: Role, request: u64, bytes: Vec<u8> },
    Reply { request: u64, bytes: Vec<u8> },
    Tick(Role, u64),
    Work(Role, u64),
    Restart(Role),
    Mend(Role),
}

/// Sender, receiver, query, attempt, chunk, step.
type StepName = (usize, usize, [u8; 16], u8, u32, u8);

/// What must never repeat on the wire.
#[derive(Default)]
struct Watch {
    nonces: HashMap<(usize, [u8; 16]), [u8; 17]>,
    steps: HashMap<StepName, Hash>,
    /// Incarnations of the sender in which an attempt's steps were sent.
    senders: HashMap<(usize, [u8; 16], u8), u64>,
}

impl Watch {
    fn see(&mut self, frame: &Frame, incarnation: u64) {
        let from = frame.from.index();
        match &frame.content {
            Content::Join { query, attempt, join } => {
                let mut of = [*attempt; 17];
                of[..16].copy_from_slice(&query.0);
                let before = self.nonces.insert((from, join.own), of);
                assert!(before.is_none_or(|before| before == of), "a nonce was used again");
            }
            Content::Step { query, attempt, chunk, step, body } => {
                let key = (from, frame.to.index(), query.0, *attempt, *chunk, *step);
                let sender = self.senders.entry((from, query.0, *attempt)).or_insert(incarnation);
                // A restarted node may be asked the same attempt: its nonce is new, and so are keys.
                if *sender != incarnation {
                    *sender = incarnation;
                    let same = |key: &StepName| (key.0, key.2, key.3) == (from, query.0, *attempt);
                    self.steps.retain(|key, _| !same(key));
                }
                let before = self.steps.insert(key, Hash::of(b"step", body));
                assert!(before.is_none(), "a step's streams were used again");
            }
            _ => {}
        }
    }
}

pub(super) struct Simulator {
    pub(super) weather: Weather,
    pub(super) now: Timestamp,
    pub(super) disks: [MemoryDisk; 3],
    pub(super) skew: [Duration; 3],
    /// Whether a node is strict, from its next start on.
    pub(super) strict: [bool; 3],
    /// Whether nodes store rows unchecked, from their next start on.
    pub(super) danger_unchecked: bool,
    seed: u64,
    pub(super) random: Arc<SeededRandom>,
    nodes: [Option<Node>; 3],
    incarnations: [u64; 3],
    generations: [[u64; 3]; 3],
    connected: [[bool; 3]; 3],
    ordered: [[i64; 3]; 3],
    events: BTreeMap<(i64, u64), Event>,
    sequence: u64,
    working: [bool; 3],
    replies: HashMap<u64, Reply>,
    requests: u64,
    watch: Watch,
    /// Frames that reached a node, and the one at which a node is stopped.
    pub(super) frames: u64,
    pub(super) stop_at_frame: Option<u64>,
}

const TICK: Duration = Duration::from_millis(250);

impl Simulator {
    pub(super) fn new(seed: u64, weather: Weather) -> Self {
        let mut simulator = Self {
            weather,
            now: START,
            disks: Default::default(),
            skew: [Duration::ZERO; 3],
            // In every fourth history one node is, which is enough for all.
            strict: Role::ALL.map(|role| seed % 12 == 4 * role.index() as u64 + 1),
            danger_unchecked: false,
            seed,
            random: Arc::new(SeededRandom::new(seed)),
            nodes: Default::default(),
            incarnations: [0; 3],
            generations: Default::default(),
            connected: Default::default(),
            ordered: Default::default(),
            events: BTreeMap::new(),
            sequence: 0,
            working: [false; 3],
            replies: HashMap::new(),
            requests: 0,
            watch: Watch::default(),
            frames: 0,
            stop_at_frame: None,
        };
        for role in Role::ALL {
            simulator.restart(role);
        }
        simulator
    }

    /// A number below `limit`.
    pub(super) fn below(&self, limit: u64) -> u64 {
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes);
        u64::from_le_bytes(bytes) % limit.max(1)
    }

    fn happens(&self, in_a_thousand: u64) -> bool {
        in_a_thousand > 0 && self.below(1_000) < in_a_thousand
    }

    fn after(&mut self, micros: u64, event: Event) {
        self.sequence += 1;
        let at = self.now.as_micros() + i64::try_from(micros).unwrap();
        self.events.insert((at, self.sequence), event);
    }

    fn node_now(&self, role: Role) -> Timestamp {
        self.now + self.skew[role.index()]
    }

    pub(super) fn node(&self, role: Role) -> Option<&Node> {
        self.nodes[role.index()].as_ref()
    }

    /// Starts a node with what is on its disk.
    pub(super) fn restart(&mut self, role: Role) {
        let at = role.index();
        if self.nodes[at].is_some() {
            return;
        }
        self.disks[at].restart();
        self.incarnations[at] += 1;
        let mut seed = [0; 8];
        self.random.fill(&mut seed);
        let random = Arc::new(SeededRandom::new(u64::from_le_bytes(seed)));
        let seals = Box::new(PlainSeals::of(role));
        let store = Box::new(self.disks[at].store());
        let node = Node::open(node_keys(role), seals, store, random);
        let node = node.expect("what a crash leaves can be opened");
        let node = node.with_windows(Windows::of_test(self.seed + role.index() as u64));
        let node = if self.danger_unchecked { node.danger_allow_unchecked() } else { node };
        self.nodes[at] = Some(if self.strict[at] { node.strict() } else { node });
        self.after(1_000, Event::Tick(role, self.incarnations[at]));
        for other in [role.next(), role.previous()] {
            self.after(10_000, Event::Connect { one: role, other });
        }
    }

    /// Stops a node at once: what it was about to send is lost.
    pub(super) fn stop(&mut self, role: Role) {
        self.nodes[role.index()] = None;
        self.working[role.index()] = false;
        for other in [role.next(), role.previous()] {
            self.cut(role, other);
        }
        let pause = 50_000 + self.below(3_000_000);
        self.after(pause, Event::Restart(role));
    }

    /// Breaks a connection: what is under way on it is lost.
    pub(super) fn cut(&mut self, one: Role, other: Role) {
        let (a, b) = (one.index().min(other.index()), one.index().max(other.index()));
        self.generations[a][b] += 1;
        self.connected[a][b] = false;
        let generation = self.generations[a][b];
        for (node, peer) in [(one, other), (other, one)] {
            let delay = self.below(20_000);
            self.after(delay, Event::Down { node, peer, generation });
        }
        let pause = if self.happens(200) { 5_000_000 } else { 200_000 };
        let pause = 30_000 + self.below(pause);
        self.after(pause, Event::Connect { one, other });
    }

    fn generation(&self, one: Role, other: Role) -> u64 {
        let (a, b) = (one.index().min(other.index()), one.index().max(other.index()));
        self.generations[a][b]
    }

    fn connect(&mut self, one: Role, other: Role) {
        let (a, b) = (one.index().min(other.index()), one.index().max(other.index()));
        let both = self.nodes[a].is_some() && self.nodes[b].is_some();
        if self.connected[a][b] || !both {
            return;
        }
        self.connected[a][b] = true;
        self.generations[a][b] += 1;
        let generation = self.generations[a][b];
        for (node, peer) in [(one, other), (other, one)] {
            let delay = 1 + self.below(5_000);
            let at = self.now.as_micros() + i64::try_from(delay).unwrap();
            self.ordered[peer.index()][node.index()] = at;
            self.after(delay, Event::Up { node, peer, generation });
        }
    }

    /// Asks nodes; returns the requests' numbers.
    pub(super) fn ask(&mut self, bytes: [Option<Vec<u8>>; 3]) -> [Option<u64>; 3] {
        let mut requests = [None; 3];
        for (role, bytes) in Role::ALL.into_iter().zip(bytes) {
            let Some(bytes) = bytes else { continue };
            self.requests += 1;
            let request = self.requests;
            requests[role.index()] = Some(request);
            if !self.happens(self.weather.lose_request) {
                let delay = self.below(self.weather.delay + 100);
                self.after(delay, Event::Request { node: role, request, bytes });
            }
        }
        requests
    }

    /// Goes on until all replies are there, or half a minute has passed.
    pub(super) fn wait(&mut self, requests: [Option<u64>; 3]) -> [Option<Reply>; 3] {
        let end = self.now + Duration::from_secs(30);
        while self.now < end {
            let there = |request: &u64| self.replies.contains_key(request);
            if requests.iter().flatten().all(there) || !self.step() {
                break;
            }
        }
        requests.map(|request| self.replies.remove(&request?))
    }

    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.events.keys().next().is_some_and(|(at, _)| *at <= end.as_micros()) {
            self.step();
        }
        self.now = end;
    }

    /// A long time in which nobody asks for anything: what is under way ends, then the clocks go on
    /// at once. Ticks of forty minutes would take most of a history's time, and change nothing.
    pub(super) fn pass_idle(&mut self, time: Duration) {
        self.pass(Duration::from_secs(20));
        self.now = self.now + time;
    }

    fn step(&mut self) -> bool {
        let Some(((at, _), event)) = self.events.pop_first() else { return false };
        self.now = Timestamp::from_micros(at.max(self.now.as_micros()));
        match event {
            Event::Up { node, peer, generation } => {
                if generation == self.generation(node, peer) {
                    self.handle(node, Input::PeerUp(peer));
                }
            }
            // Once there is a new connection its beginning tells of the old one's end.
            Event::Down { node, peer, generation } => {
                if generation == self.generation(node, peer) {
                    self.handle(node, Input::PeerDown(peer));
                }
            }
            Event::Frame { from, to, generation, bytes } => {
                if generation == self.generation(from, to) {
                    self.arrive(from, to, &bytes);
                }
            }
            Event::Connect { one, other } => self.connect(one, other),
            Event::Request { node, request, bytes } => {
                self.handle(node, Input::Request { connection: 1, request, bytes: &bytes });
            }
            Event::Reply { request, bytes } => {
                self.replies.insert(request, Reply::from_bytes(&bytes).expect("a node's reply"));
            }
            Event::Tick(node, incarnation) => {
                if self.incarnations[node.index()] == incarnation {
                    self.handle(node, Input::Tick);
                    self.after(TICK.as_micros().unsigned_abs(), Event::Tick(node, incarnation));
                }
            }
            Event::Work(node, incarnation) => {
                if self.incarnations[node.index()] == incarnation {
                    self.working[node.index()] = false;
                    self.handle(node, Input::Work);
                }
            }
            Event::Restart(node) => self.restart(node),
            Event::Mend(node) => {
                if !self.disks[node.index()].is_stopped() {
                    self.disks[node.index()].restart();
                }
            }
        }
        true
    }

    fn arrive(&mut self, from: Role, to: Role, bytes: &[u8]) {
        self.frames += 1;
        if self.happens(self.weather.stop) || self.stop_at_frame == Some(self.frames) {
            return self.stop(to);
        }
        if self.happens(self.weather.cut) {
            return self.cut(from, to);
        }
        if self.happens(self.weather.stop_at_write) {
            let (after, stored) = (self.below(2) as u32, self.happens(500));
            self.disks[to.index()].set_fault(Fault::Stop { after, stored });
        }
        if self.happens(self.weather.full) {
            self.disks[to.index()].set_fault(Fault::Full);
            let pause = self.below(4_000_000);
            self.after(pause, Event::Mend(to));
        }
        self.handle(to, Input::Peer { from, bytes });
    }

    /// Gives a frame to a node as if it came on the connection of `from`.
    pub(super) fn inject(&mut self, from: Role, to: Role, bytes: &[u8]) {
        self.handle(to, Input::Peer { from, bytes });
    }

    fn handle(&mut self, role: Role, input: Input<'_>) {
        let now = self.node_now(role);
        let Some(node) = &mut self.nodes[role.index()] else { return };
        let effects = node.handle(input, now);
        if self.disks[role.index()].is_stopped() {
            return self.stop(role);
        }
        for effect in effects {
            match effect {
                Effect::ToPeer { to, bytes } => self.send(role, to, bytes),
                Effect::Reply { request, bytes, .. } => {
                    if !self.happens(self.weather.lose_request) {
                        let delay = self.below(self.weather.delay + 100);
                        self.after(delay, Event::Reply { request, bytes });
                    }
                }
                Effect::Work => {
                    if !std::mem::replace(&mut self.working[role.index()], true) {
                        self.after(10, Event::Work(role, self.incarnations[role.index()]));
                    }
                }
            }
        }
    }

    fn send(&mut self, from: Role, to: Role, bytes: Vec<u8>) {
        let frame = Frame::from_bytes(&bytes).expect("a node's frame");
        self.watch.see(&frame, self.incarnations[from.index()]);
        let (a, b) = (from.index().min(to.index()), from.index().max(to.index()));
        if !self.connected[a][b] {
            return;
        }
        let generation = self.generation(from, to);
        let delay = 50 + self.below(self.weather.delay + 1);
        let at = self.now.as_micros() + i64::try_from(delay).unwrap();
        // In order on its connection.
        let at = at.max(self.ordered[from.index()][to.index()] + 1);
        self.ordered[from.index()][to.index()] = at;
        let delay = u64::try_from(at - self.now.as_micros()).unwrap();
        if self.happens(self.weather.double) {
            let bytes = bytes.clone();
            self.after(delay, Event::Frame { from, to, generation, bytes });
        }
        self.after(delay, Event::Frame { from, to, generation, bytes });
    }

    /// Fair weather, all nodes up, until nothing is undecided and all lists are equal.
    pub(super) fn settle(&mut self) {
        self.weather = Weather { delay: 1_000, ..Weather::default() };
        self.stop_at_frame = None;
        self.skew = [Duration::ZERO; 3];
        for role in Role::ALL {
            self.restart(role);
            if !self.disks[role.index()].is_stopped() {
                self.disks[role.index()].restart();
            }
        }
        for _ in 0..120 {
            self.pass(Duration::from_secs(1));
            let heads: HashSet<Hash> = Role::ALL
                .iter()
                .filter_map(|role| Some(self.node(*role)?.status().head.hash))
                .collect();
            let undecided = self.disks.iter().any(MemoryDisk::has_undecided);
            let up = Role::ALL.iter().all(|role| {
                self.node(*role).is_some_and(|node| node.status().peers_up == [true; 2])
            });
            if heads.len() == 1 && !undecided && up {
                return;
            }
        }
        panic!("the nodes do not agree two minutes after everything works again");
    }
}
