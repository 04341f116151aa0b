//! What a comparison costs one node: `cargo run --release -p handfast-mpc --example cost`.
//!
//! All three parties run in this process, one after the other on one thread; a node's cost is the
//! processor time of its own turns. Rows are random numbers: shares are nothing else.
#![expect(clippy::print_stdout, reason = "it prints a table")]

use std::collections::VecDeque;
use std::hint::black_box;

use handfast_model::{Random, SeededRandom};
use handfast_mpc::{
    Dealt, Message, OwnNonce, PairMaster, PairMasters, Parameters, Party, PeerNonces, ProbeWeights,
    QueryContext, QueryKeys, Role, Rows, Selection, Shape, Threshold, TokenKey, Turn,
    local_products, local_products_together,
};
use rustix::time::{ClockId, clock_gettime};

/// Runs of which the median is shown.
const RUNS: usize = 7;
/// Queries in one pass, for the column that shows what a common pass saves.
const TOGETHER: usize = 8;

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

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// One query's keys for all three nodes.
fn keys(random: &dyn Random) -> [QueryKeys; 3] {
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
        QueryKeys::derive(role, &masters, &context, own, peers).expect("a first attempt")
    })
}

/// What one run of the protocol took: milliseconds and bytes sent by each node, and rounds.
#[derive(Default)]
struct Cost {
    ms: [f64; 3],
    sent: [usize; 3],
    /// The longest chain of messages that wait for each other.
    rounds: usize,
}

fn compare(parameters: &Parameters, keys: [QueryKeys; 3], products: [Vec<u16>; 3]) -> Cost {
    let mut cost = Cost::default();
    let mut links: [[VecDeque<(usize, Message)>; 3]; 3] = Default::default();
    // The round up to which each node has heard.
    let mut heard = [0; 3];
    let mut parties = Vec::new();
    let mut send = |turn: Turn, round: usize, links: &mut [[VecDeque<(usize, Message)>; 3]; 3]| {
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
        cost.ms[role.index()] += ms;
        parties.push(party);
        send(turn, 0, &mut links);
    }
    loop {
        let ready = parties.iter_mut().find_map(|party| {
            let to = party.role().index();
            let (round, message) = links[party.awaited()?.from.index()][to].pop_front()?;
            Some((party, round, message))
        });
        let Some((party, round, message)) = ready else { break };
        let at = party.role().index();
        let (ms, turn) = timed(|| party.step(&message));
        cost.ms[at] += ms;
        heard[at] = round.max(heard[at]);
        send(turn.expect("the awaited message"), heard[at], &mut links);
    }
    cost
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

/// Milliseconds to read as many bytes once. Three buffers take turns, as the three nodes' rows do,
/// so that caches hold no more of the one than of the other.
fn read_ms(bytes: usize) -> f64 {
    let buffers = [1u64, 2, 3].map(|word| vec![word; bytes / 8]);
    let sum = |words: &[u64]| {
        words.as_chunks::<16>().0.iter().fold([0u64; 16], |mut sums, chunk| {
            sums.iter_mut().zip(chunk).for_each(|(sum, word)| *sum = sum.wrapping_add(*word));
            sums
        })
    };
    let turns = (0..3 * RUNS).map(|turn| &buffers[turn % 3]);
    median(turns.map(|words| timed(|| black_box(sum(black_box(words)))).0).collect())
}

fn measure(slots: usize, dimension: usize, vectors: usize) {
    let random = SeededRandom::new(1);
    let shape = Shape::new(slots, 1, vectors).expect("a small gallery");
    let rows = Role::ALL.map(|role| random_rows(role, dimension, slots));
    let probe = vec![1; dimension * vectors];
    let sets = Dealt::deal(&probe, dimension, &random).expect("a probe").sets;
    let probes = sets.each_ref().map(ProbeWeights::new);
    let live = vec![u64::MAX; shape.slot_words()];
    let threshold = Threshold::new(1 << 13).expect("a threshold");
    let parameters =
        Parameters::new(shape, threshold, (0..slots as u64).collect(), live).expect("fitting");
    let (mut dots, mut wholes, mut eights, mut cost) = (vec![], vec![], vec![], Cost::default());
    for _ in 0..RUNS {
        let mut dot_ms = [0.0; 3];
        let mut products: [Vec<u16>; 3] = Default::default();
        for at in 0..3 {
            let (ms, result) = timed(|| local_products(shape, &[&rows[at]], &probes[at]));
            (dot_ms[at], products[at]) = (ms, result.expect("fitting rows"));
        }
        let eight = [&probes[0]; TOGETHER];
        eights.push(timed(|| black_box(local_products_together(shape, &[&rows[0]], &eight))).0);
        cost = compare(&parameters, keys(&random), products);
        dots.push(median(dot_ms.to_vec()));
        wholes.push((0..3).map(|at| dot_ms[at] + cost.ms[at]).fold(0.0, f64::max));
    }
    let read = read_ms(slots * rows[0].bytes_per_row());
    let (dot, whole) = (median(dots), median(wholes));
    let sent = *cost.sent.iter().max().unwrap_or(&0) as f64 / shape.comparisons() as f64;
    println!(
        "{slots:>7} {dimension:>5} x {vectors:<3} {dot:>8.2} {whole:>9.2} {read:>8.2} {:>9.2} {:>11.2} {:>8.2} {sent:>8.2} {:>6}",
        dot / read,
        whole / read,
        median(eights) / dot,
        cost.rounds,
    );
}

fn main() {
    println!(
        "   rows length     dot ms  whole ms  read ms  dot/read  whole/read  8 dots  bytes    rounds"
    );
    for (dimension, vectors) in [(512, 1), (256, 9), (512, 125), (3_072, 25)] {
        for slots in [10_000, 100_000] {
            if slots * vectors <= 1_250_000 && slots * dimension <= 1 << 26 {
                measure(slots, dimension, vectors);
            }
        }
    }
}
