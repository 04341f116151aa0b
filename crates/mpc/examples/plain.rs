//! What the search without sharing costs beside reading its memory once:
//! `cargo run --release -p handfast-mpc --example plain [-- ROWS LENGTH [VECTORS]]`.
//!
//! One thread; times are processor time, medians of runs that take turns. `benches/beside_faiss.py` runs it
//! beside faiss; the last line is for that.
#![expect(clippy::print_stdout, reason = "it prints a table")]

mod measure;

use std::hint::black_box;

use handfast_model::{Random, SeededRandom};
use handfast_mpc::Path;
use handfast_mpc::plain::{PlainProbe, PlainRows, Width};
use measure::{Memory, median, ratio, timed};

/// Runs of which the median is shown.
const RUNS: usize = 15;

fn random_rows(width: Width, count: usize, dimension: usize) -> PlainRows {
    let mut rows = PlainRows::new(width, dimension, count);
    let random = SeededRandom::new(1);
    let mut bytes = vec![0; dimension];
    for _ in 0..count {
        random.fill(&mut bytes);
        let row: Vec<i8> = bytes.iter().map(|byte| byte.cast_signed() / 16).collect();
        rows.push(&row).expect("a row's length");
    }
    rows
}

fn measure(count: usize, dimension: usize, vectors: usize) {
    println!("{count} rows of {dimension}, {vectors} probe vectors, one thread");
    let probe = PlainProbe::new(&vec![3; dimension * vectors], dimension).expect("a probe");
    let mut medians = Vec::new();
    for width in [Width::Eight, Width::Sixteen] {
        let rows = random_rows(width, count, dimension);
        let bytes = count * rows.bytes_per_row();
        let memory = Memory::of(bytes);
        let (mut reads, mut searches) = (vec![], vec![]);
        for turn in 0..RUNS {
            reads.push(memory.read(turn));
            let (ms, best) = timed(|| rows.best(Path::best(), &probe, 0..count));
            black_box(best).expect("a fitting probe");
            searches.push(ms);
        }
        let (search, share) = (median(&searches), ratio(&reads, &searches));
        println!(
            "  {width:?} bits: {search:.3} ms, {:.1} GB/s; reading alone {:.3} ms, {:.0} % of its bandwidth",
            bytes as f64 / search / 1e6,
            median(&reads),
            100.0 * share
        );
        medians.push((search, share));
    }
    let [(eight, eight_share), (sixteen, sixteen_share)] = medians[..] else { return };
    println!(
        "{{\"eight_ms\": {eight:.4}, \"sixteen_ms\": {sixteen:.4}, \"eight_of_reading\": {eight_share:.3}, \"sixteen_of_reading\": {sixteen_share:.3}}}"
    );
}

fn main() {
    let numbers: Vec<usize> =
        std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    match numbers[..] {
        [] => {
            measure(100_000, 512, 1);
            measure(1_000_000, 512, 1);
            measure(100_000, 256, 9);
        }
        [rows, length] => measure(rows, length, 1),
        [rows, length, vectors] => measure(rows, length, vectors),
        _ => println!("say ROWS LENGTH, ROWS LENGTH VECTORS, or nothing"),
    }
}
