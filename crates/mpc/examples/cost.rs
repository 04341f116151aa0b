//! What a comparison costs one node: `cargo run --release -p handfast-mpc --example cost [-- WHAT]`,
//! where WHAT is `small` (without a million rows), `paths` (the slower instructions) or three numbers:
//! rows, length, vectors.
//!
//! All three parties run in this process, one after the other on one thread, chunk by chunk; a
//! node's cost is the processor time of its own turns, and the slowest node's is shown. Reading
//! memory, inner products and whole comparisons take turns, so that whatever else the machine does
//! meets all alike. Rows are random numbers: shares are nothing else.
#![expect(clippy::print_stdout, reason = "it prints a table")]

use std::collections::VecDeque;
use std::hint::black_box;

use handfast_model::{Random, SeededRandom};
use handfast_mpc::{
    Dealt, Message, OwnNonce, PairMaster, PairMasters, Parameters, Party, Path, PeerNonces,
    ProbeWeights, QueryContext, QueryKeys, Role, Rows, Selection, Shape, Threshold, TokenKey, Turn,
    local_products_with,
};
use rustix::time::{ClockId, clock_gettime};

/// Queries in one pass, for the columns that show what a common pass saves.
const TOGETHER: usize = 8;
/// Comparisons in a chunk: its messages and bits stay in a core's second cache.
const CHUNK: usize = 1 << 16;

/// Milliseconds of processor time that `work` takes on this thread, and what it gives.
fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
    };
    let before = now();
    let result = work();
    (now() - before, result)
}

fn median(times: &[f64]) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The median of what one takes beside the other in the same run.
fn ratio(times: &[f64], others: &[f64]) -> f64 {
    median(&times.iter().zip(others).map(|(time, other)| time / other).collect::<Vec<_>>())
}

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
struct Cost {
    dot_ms: [f64; 3],
    whole_ms: [f64; 3],
    sent: [usize; 3],
    /// The longest chain of messages that wait for each other.
    rounds: usize,
}

impl Cost {
    fn slowest(&self) -> f64 {
        self.whole_ms.into_iter().fold(0.0, f64::max)
    }

    fn dot(&self) -> f64 {
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
struct Bed {
    slots: usize,
    vectors: usize,
    rows: [Rows; 3],
    probes: [ProbeWeights; 3],
    /// Bytes that a row takes in memory.
    row_bytes: f64,
}

impl Bed {
    fn new(slots: usize, dimension: usize, vectors: usize) -> Self {
        let before = resident_bytes();
        let rows = Role::ALL.map(|role| random_rows(role, dimension, slots));
        let row_bytes = (resident_bytes() - before) / (3 * slots) as f64;
        let probe = vec![1; dimension * vectors];
        let sets = Dealt::deal(&probe, dimension, &SeededRandom::new(1)).expect("a probe").sets;
        let probes = sets.each_ref().map(ProbeWeights::new);
        Self { slots, vectors, rows, probes, row_bytes }
    }

    /// One search by each of `queries`, all in one pass over the rows.
    fn search(&self, path: Path, queries: usize, random: &dyn Random) -> Cost {
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

/// What is read to see what reading costs, in large pages as rows are. As many buffers take turns as
/// nodes do, so that caches hold no more of the one than of the other; of what no cache holds, one
/// is enough.
struct Memory(Vec<Vec<u64>>);

impl Memory {
    fn of(bytes: usize) -> Self {
        let buffers = if bytes > 1 << 28 { 1 } else { 3 };
        let buffer = |word| {
            let mut words = Vec::with_capacity(bytes / 8);
            prefer_large(&mut words);
            words.resize(bytes / 8, word);
            words
        };
        Self((1..=buffers).map(buffer).collect())
    }

    /// Milliseconds to read all of a buffer once.
    fn read(&self, turn: usize) -> f64 {
        let words = black_box(&self.0[turn % self.0.len()]);
        let sum = || {
            words.as_chunks::<32>().0.iter().fold([0u64; 32], |mut sums, chunk| {
                sums.iter_mut().zip(chunk).for_each(|(sum, word)| *sum = sum.wrapping_add(*word));
                sums
            })
        };
        timed(|| black_box(sum())).0
    }
}

fn prefer_large(words: &mut Vec<u64>) {
    let page = rustix::param::page_size();
    let room = words.spare_capacity_mut();
    let start = room.as_mut_ptr();
    let skipped = start.align_offset(page);
    let length = (room.len().saturating_sub(skipped)) * 8 / page * page;
    let start = start.wrapping_add(skipped).cast();
    #[expect(unsafe_code, reason = "whole pages of a vector's own memory; no contents change")]
    let declined = unsafe { rustix::mm::madvise(start, length, rustix::mm::Advice::LinuxHugepage) };
    let _ = declined;
}

fn measure(slots: usize, dimension: usize, vectors: usize) {
    let random = SeededRandom::new(1);
    let bed = Bed::new(slots, dimension, vectors);
    let memory = Memory::of(slots * bed.rows[0].bytes_per_row());
    let runs = (20_000_000 / (slots * vectors)).clamp(5, 15);
    let (mut reads, mut dots, mut wholes) = (vec![], vec![], vec![]);
    let (mut dots_together, mut wholes_together) = (vec![], vec![]);
    let mut cost = Cost::default();
    bed.search(Path::best(), 1, &random);
    for _ in 0..runs {
        reads.push(median(&[0, 1, 2].map(|turn| memory.read(turn))));
        cost = bed.search(Path::best(), 1, &random);
        dots.push(cost.dot());
        wholes.push(cost.slowest());
        let together = bed.search(Path::best(), TOGETHER, &random);
        dots_together.push(together.dot());
        wholes_together.push(together.slowest());
    }
    let comparisons = (slots * vectors) as f64;
    let sent = cost.sent.iter().sum::<usize>() as f64 / 3.0 / comparisons;
    println!(
        "{slots:>8} {dimension:>5} x {vectors:<3} {:>8.2} {:>8.2} {:>8.2} {:>9.2} {:>11.2} {:>7.2} {:>9.2} {:>6.1} {sent:>6.2} {:>7} {:>8.0}",
        median(&reads),
        median(&dots),
        median(&wholes),
        ratio(&dots, &reads),
        ratio(&wholes, &reads),
        ratio(&dots_together, &dots),
        ratio(&wholes_together, &wholes),
        (median(&wholes) - median(&dots)) * 1e6 / comparisons,
        cost.rounds,
        bed.row_bytes,
    );
}

fn heading() {
    println!(
        "    rows length      read ms   dot ms whole ms  dot/read  whole/read  8 dots  8 wholes  ns/cmp  bytes  rounds  bytes/row"
    );
}

fn table(largest: usize) {
    heading();
    for (dimension, vectors, most) in
        [(512, 1, 1_000_000), (256, 9, 1_000_000), (512, 125, 10_000), (3_072, 25, 10_000)]
    {
        for slots in [10_000, 100_000, 1_000_000] {
            if slots <= largest.min(most) {
                measure(slots, dimension, vectors);
            }
        }
    }
}

/// What each path takes beside the fastest one, for 100,000 rows.
fn paths() {
    println!("  length      path       dot ms  whole ms   dot beside best   whole beside best");
    for (dimension, vectors) in [(512, 1), (256, 9)] {
        let bed = Bed::new(100_000, dimension, vectors);
        let random = SeededRandom::new(1);
        let mut times: Vec<(Path, Vec<f64>, Vec<f64>)> =
            Path::available().map(|path| (path, vec![], vec![])).collect();
        for _ in 0..7 {
            for (path, dots, wholes) in &mut times {
                let cost = bed.search(*path, 1, &random);
                dots.push(cost.dot());
                wholes.push(cost.slowest());
            }
        }
        for (path, dots, wholes) in &times {
            println!(
                "{dimension:>5} x {vectors:<3} {:<10} {:>8.2} {:>9.2} {:>17.2} {:>19.2}",
                format!("{path:?}"),
                median(dots),
                median(wholes),
                ratio(dots, &times[0].1),
                ratio(wholes, &times[0].2),
            );
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Vec<usize> = arguments.iter().filter_map(|word| word.parse().ok()).collect();
    match (arguments.first().map(String::as_str), &numbers[..]) {
        (None, _) => {
            table(1_000_000);
            paths();
        }
        (Some("small"), []) => table(100_000),
        (Some("paths"), []) => paths(),
        (_, &[slots, dimension, vectors]) => {
            heading();
            measure(slots, dimension, vectors);
        }
        _ => println!("say small, paths, ROWS LENGTH VECTORS, or nothing for all"),
    }
}
