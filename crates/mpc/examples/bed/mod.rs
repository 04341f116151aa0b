//! Three nodes on one thread, with random rows: shares are nothing else. A node's cost is the processor
//! time of its own turns.

use std::collections::VecDeque;

use handfast_model::{Random, SeededRandom};
use handfast_mpc::{
    Dealt, Message, OwnNonce, PairMaster, PairMasters, Parameters, Party, Path, PeerNonces,
    ProbeWeights, QueryContext, QueryKeys, Role, Rows, Selection, Shape, Threshold, TokenKey, Turn,
    local_products_with,
};

use crate::measure::{median, timed};

/// Comparisons in a chunk: its messages and bits stay in a core's second cache.
const CHUNK: usize = 1 << 16;

/// One query's keys for all three nodes, chunk by chunk.
fn keys(random: &dyn Random, chunks: usize) -> [Vec<QueryKeys>; 3] {
    let mut query = [0; 16];
    random.fill(&mut query);
    let context = QueryContext { query, attempt: 1, operation: 1, gallery: [1; 16] };
    let nonces = Role::ALL.map(|_| OwnNonce::draw(random));
    let public = nonces.each_ref().map(OwnNonce::public);
    let master = |role: Role| PairMaster::new([role.index() as u8; 32]);
    let mut nonces = nonces.into_iter();
    Role::ALL.map(|role| {
        let masters =
            PairMasters { with_next: master(role), with_previous: master(role.previous()) };
        let peers = PeerNonces {
            next: public[role.next().index()],
            previous: public[role.previous().index()],
        };
        let own = nonces.next().expect("three nonces");
        QueryKeys::derive_chunks(role, &masters, &context, own, peers, chunks as u32)
            .expect("a first attempt")
    })
}

/// What one run of the protocol took: milliseconds and bytes sent by each node, and rounds.
#[derive(Clone, Copy, Default)]
pub struct Cost {
    /// Of inner products, by node.
    pub dot_ms: [f64; 3],
    /// Of everything, by node.
    pub whole_ms: [f64; 3],
    /// Bytes, by node.
    pub sent: [usize; 3],
    /// The longest chain of messages that wait for each other.
    pub rounds: usize,
}

impl Cost {
    /// The slowest node's milliseconds.
    pub fn slowest(&self) -> f64 {
        self.whole_ms.into_iter().fold(0.0, f64::max)
    }

    /// The middle node's milliseconds of inner products.
    pub fn dot(&self) -> f64 {
        median(&self.dot_ms)
    }
}

type Links = [[VecDeque<(usize, Message)>; 3]; 3];

/// Runs three parties of one chunk and one query to their end.
fn compare(
    parameters: &Parameters,
    keys: [QueryKeys; 3],
    products: [Vec<u16>; 3],
    cost: &mut Cost,
) {
    let mut links = Links::default();
    // The round up to which each node has heard.
    let mut heard = [0; 3];
    let mut parties = Vec::new();
    let send = |turn: Turn, round: usize, links: &mut Links, cost: &mut Cost| {
        if let Turn::Wait(messages) = turn {
            for message in messages {
                let (from, to) = (message.from.index(), message.to.index());
                cost.sent[from] += message.body.len();
                cost.rounds = cost.rounds.max(round + 1);
                links[from][to].push_back((round + 1, message));
            }
        }
    };
    for ((role, keys), products) in Role::ALL.into_iter().zip(keys).zip(products) {
        let key = |role: Role| TokenKey::new([role.index() as u8; 32]);
        let selections = vec![Selection::token(key(role), key(role.previous()))];
        let parameters = parameters.clone();
        let (ms, started) = timed(|| Party::start(role, parameters, keys, products, selections));
        let (party, turn) = started.expect("fitting summands");
        cost.whole_ms[role.index()] += ms;
        parties.push(party);
        send(turn, 0, &mut links, cost);
    }
    loop {
        let ready = parties.iter_mut().find_map(|party| {
            let to = party.role().index();
            let (round, message) = links[party.awaited()?.from.index()][to].pop_front()?;
            Some((party, round, message))
        });
        let Some((party, round, message)) = ready else { break };
        let at = party.role().index();
        let (ms, turn) = timed(|| {
            let turn = party.step(&message);
            drop(message);
            turn
        });
        cost.whole_ms[at] += ms;
        heard[at] = round.max(heard[at]);
        send(turn.expect("the awaited message"), heard[at], &mut links, cost);
    }
}

/// Three nodes with random rows, and a probe.
pub struct Bed {
    slots: usize,
    vectors: usize,
    /// By node.
    pub rows: [Rows; 3],
    probes: [ProbeWeights; 3],
    /// Bytes that a row takes in memory.
    pub row_bytes: f64,
}

impl Bed {
    /// Random rows and a probe of ones.
    pub fn new(slots: usize, dimension: usize, vectors: usize) -> Self {
        let before = resident_bytes();
        let rows = Role::ALL.map(|role| random_rows(role, dimension, slots));
        let row_bytes = (resident_bytes() - before) / (3 * slots) as f64;
        let probe = vec![1; dimension * vectors];
        let sets = Dealt::deal(&probe, dimension, &SeededRandom::new(1)).expect("a probe").sets;
        let probes = sets.each_ref().map(ProbeWeights::new);
        Self { slots, vectors, rows, probes, row_bytes }
    }

    /// One search by each of `queries`, all in one pass over the rows.
    pub fn search(&self, path: Path, queries: usize, random: &dyn Random) -> Cost {
        let mut cost = Cost::default();
        let chunk = (CHUNK * 2 / (self.vectors * (1 + queries)) / 64 * 64).max(64);
        let mut keys: Vec<_> = (0..queries)
            .map(|_| keys(random, self.slots.div_ceil(chunk)).map(Vec::into_iter))
            .collect();
        for first in (0..self.slots).step_by(chunk) {
            let slots = chunk.min(self.slots - first);
            let shape = Shape::new(slots, 1, self.vectors).expect("a chunk");
            let mut products: [_; 3] = Default::default();
            for (at, products) in products.iter_mut().enumerate() {
                let probes = vec![&self.probes[at]; queries];
                let (ms, result) =
                    timed(|| local_products_with(path, shape, &[&self.rows[at]], first, &probes));
                cost.dot_ms[at] += ms;
                cost.whole_ms[at] += ms;
                *products = result.expect("fitting rows").into_iter();
            }
            let live = vec![u64::MAX; shape.slot_words()];
            let names = (first as u64..(first + slots) as u64).collect();
            let threshold = Threshold::new(1 << 13).expect("a threshold");
            let parameters =
                Parameters::new(shape, threshold, names, live).expect("fitting").with_path(path);
            for keys in &mut keys {
                let keys = keys.each_mut().map(|keys| keys.next().expect("keys a chunk"));
                let products =
                    products.each_mut().map(|products| products.next().expect("one a query"));
                compare(&parameters, keys, products, &mut cost);
            }
        }
        cost
    }
}

fn random_rows(role: Role, dimension: usize, count: usize) -> Rows {
    let mut rows = Rows::new(role, dimension, count);
    let mut bytes = vec![0; rows.stored_length()];
    let random = SeededRandom::new(role.index() as u64);
    for _ in 0..count {
        random.fill(&mut bytes);
        rows.push_stored(&bytes).expect("a row's length");
    }
    rows
}

/// Memory that this process has.
fn resident_bytes() -> f64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = pages.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok());
    pages.map_or(f64::NAN, |pages| pages * rustix::param::page_size() as f64)
}
