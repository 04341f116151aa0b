//! What a comparison costs one node: `cargo run --release -p handfast-mpc --example cost [-- WHAT]`,
//! where WHAT is `small` (without a million rows), `paths` (the slower instructions) or three numbers:
//! rows, length, vectors.
//!
//! All three parties run in this process, one after the other on one thread, chunk by chunk; a
//! node's cost is the processor time of its own turns, and the slowest node's is shown. Reading
//! memory, inner products and whole comparisons take turns, so that whatever else the machine does
//! meets all alike. Rows are random numbers: shares are nothing else. The last two columns are all
//! three nodes' time on two cores beside the search in clear on two threads, of 16-bit and of 8-bit
//! numbers; transport comes on top (`handfast bench vault` has it).
#![expect(clippy::print_stdout, reason = "it prints a table")]

mod measure;

use std::collections::VecDeque;

use handfast_model::{Random, SeededRandom};
use handfast_mpc::{
    Dealt, Message, OwnNonce, PairMaster, PairMasters, Parameters, Party, Path, PeerNonces,
    ProbeWeights, QueryContext, QueryKeys, Role, Rows, Selection, Shape, Threshold, TokenKey, Turn,
    local_products_with,
    plain::{PlainProbe, PlainRows, Width},
};
use measure::{Memory, median, ratio, timed};

/// Queries in one pass, for the columns that show what a common pass saves.
const TOGETHER: usize = 8;
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

/// The same number of references in clear, one machine's two threads.
struct PlainBed {
    rows: PlainRows,
    probe: PlainProbe,
}

impl PlainBed {
    fn new(width: Width, slots: usize, dimension: usize, vectors: usize) -> Self {
        let mut rows = PlainRows::new(width, dimension, slots);
        let random = SeededRandom::new(7);
        let mut bytes = vec![0; dimension];
        for _ in 0..slots {
            random.fill(&mut bytes);
            let row: Vec<i8> = bytes.iter().map(|byte| byte.cast_signed() / 16).collect();
            rows.push(&row).expect("a row's length");
        }
        let probe = PlainProbe::new(&vec![1; dimension * vectors], dimension).expect("a probe");
        Self { rows, probe }
    }

    /// Milliseconds of the slower of two threads that search half of the rows each.
    fn search(&self) -> f64 {
        let half = (self.rows.count() / 2).next_multiple_of(64);
        let part = |rows| {
            let (ms, best) = timed(|| self.rows.best(Path::best(), &self.probe, rows));
            best.expect("fitting rows");
            ms
        };
        std::thread::scope(|scope| {
            let other = scope.spawn(|| part(half..self.rows.count()));
            part(0..half).max(other.join().expect("no panic"))
        })
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

fn measure(slots: usize, dimension: usize, vectors: usize) {
    let random = SeededRandom::new(1);
    let bed = Bed::new(slots, dimension, vectors);
    let memory = Memory::of(slots * bed.rows[0].bytes_per_row());
    let runs = (20_000_000 / (slots * vectors)).clamp(5, 15);
    let (mut reads, mut dots, mut wholes) = (vec![], vec![], vec![]);
    let (mut dots_together, mut wholes_together) = (vec![], vec![]);
    let plain =
        [Width::Sixteen, Width::Eight].map(|width| PlainBed::new(width, slots, dimension, vectors));
    let (mut threes, mut plains) = (vec![], [vec![], vec![]]);
    let mut cost = Cost::default();
    bed.search(Path::best(), 1, &random);
    for _ in 0..runs {
        reads.push(median(&[0, 1, 2].map(|turn| memory.read(turn))));
        cost = bed.search(Path::best(), 1, &random);
        dots.push(cost.dot());
        wholes.push(cost.slowest());
        // Three nodes on two cores.
        threes.push(cost.whole_ms.iter().sum::<f64>() / 2.0);
        for (times, plain) in plains.iter_mut().zip(&plain) {
            times.push(plain.search());
        }
        let together = bed.search(Path::best(), TOGETHER, &random);
        dots_together.push(together.dot());
        wholes_together.push(together.slowest());
    }
    let comparisons = (slots * vectors) as f64;
    let sent = cost.sent.iter().sum::<usize>() as f64 / 3.0 / comparisons;
    println!(
        "{slots:>8} {dimension:>5} x {vectors:<3} {:>8.2} {:>8.2} {:>8.2} {:>9.2} {:>11.2} {:>7.2} {:>9.2} {:>6.1} {sent:>6.2} {:>7} {:>8.0} {:>9.2} {:>5.2}",
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
        ratio(&threes, &plains[0]),
        ratio(&threes, &plains[1]),
    );
}

fn heading() {
    println!(
        "    rows length      read ms   dot ms whole ms  dot/read  whole/read  8 dots  8 wholes  ns/cmp  bytes  rounds  bytes/row  /int16 /int8"
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
