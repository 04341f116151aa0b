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

mod bed;
mod measure;

use bed::{Bed, Cost};
use handfast_model::{Random, SeededRandom};
use handfast_mpc::{
    Path,
    plain::{PlainProbe, PlainRows, Width},
};
use measure::{Memory, median, ratio, timed};

/// Queries in one pass, for the columns that show what a common pass saves.
const TOGETHER: usize = 8;

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
