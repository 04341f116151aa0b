//! What bounds inner products with several probe vectors: how many products the multipliers give when
//! nothing is read, beside what the kernel gives, in one run:
//! `cargo run --release -p handfast-mpc --example multipliers [-- ROWS LENGTH VECTORS]`.
//!
//! One thread, processor time, medians of runs that take turns. The first line needs AVX-512 VNNI.
#![expect(clippy::print_stdout, reason = "it prints a table")]

mod bed;
mod measure;

use std::hint::black_box;

use bed::Bed;
use handfast_model::SeededRandom;
use handfast_mpc::Path;
use measure::{Memory, median, ratio, timed};

/// Turns of which the median counts.
const TURNS: usize = 9;
/// Rounds of the multipliers: some tens of milliseconds.
const ROUNDS: usize = 4_000_000;
/// Sums that run beside each other: more than the multipliers' latency times their number.
#[cfg(target_arch = "x86_64")]
const SUMS: usize = 16;

/// Products of 16-bit numbers a nanosecond, from registers alone.
#[cfg(target_arch = "x86_64")]
fn multipliers() -> Option<f64> {
    use std::arch::x86_64::{_mm512_dpwssd_epi32, _mm512_set1_epi16, _mm512_setzero_si512};

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn rounds(count: usize) -> [std::arch::x86_64::__m512i; SUMS] {
        let (a, b) = (_mm512_set1_epi16(black_box(3)), _mm512_set1_epi16(black_box(5)));
        let mut sums = [_mm512_setzero_si512(); SUMS];
        for _ in 0..count {
            for sum in &mut sums {
                *sum = _mm512_dpwssd_epi32(*sum, a, b);
            }
        }
        sums
    }

    if Path::best() != Path::Vnni {
        return None;
    }
    let times: Vec<f64> = (0..TURNS)
        .map(|_| {
            #[expect(unsafe_code, reason = "the best path says that the machine has it")]
            timed(|| black_box(unsafe { rounds(black_box(ROUNDS / SUMS)) })).0
        })
        .collect();
    Some(32.0 * (ROUNDS / SUMS * SUMS) as f64 / median(&times) / 1e6)
}

#[cfg(not(target_arch = "x86_64"))]
fn multipliers() -> Option<f64> {
    None
}

fn main() {
    let numbers: Vec<usize> =
        std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let (rows, length, vectors) = match numbers[..] {
        [rows, length, vectors] => (rows, length, vectors),
        _ => (1_000_000, 256, 9),
    };
    let random = SeededRandom::new(1);
    let bed = Bed::new(rows, length, vectors);
    let memory = Memory::of(rows * bed.rows[0].bytes_per_row());
    let (mut reads, mut dots, mut wholes, mut eight) = (vec![], vec![], vec![], vec![]);
    bed.search(Path::best(), 1, &random);
    for turn in 0..TURNS {
        reads.push(memory.read(turn));
        let cost = bed.search(Path::best(), 1, &random);
        dots.push(cost.dot());
        wholes.push(cost.slowest());
        eight.push(bed.search(Path::best(), 8, &random).dot());
    }
    let products = (rows * length * vectors) as f64;
    let (read, dot, eight) = (median(&reads), median(&dots), median(&eight));
    let row = bed.row_bytes;
    println!("{rows} rows of {length} ({row:.0} bytes), {vectors} probe vectors, one thread");
    println!("  reading the rows once              {read:>8.2} ms");
    println!(
        "  inner products                     {dot:>8.2} ms, {:.0} a ns, {:.2} x reading",
        products / dot / 1e6,
        ratio(&dots, &reads)
    );
    println!("  the whole node                     {:>8.2} ms", median(&wholes));
    println!(
        "  of eight probes together           {eight:>8.2} ms, {:.0} a ns",
        8.0 * products / eight / 1e6
    );
    if let Some(peak) = multipliers() {
        let (one, together) = (products / peak / 1e6, 8.0 * products / peak / 1e6);
        println!("  the multipliers alone              {peak:>8.0} products a ns");
        println!("  so at least                        {one:>8.2} ms, {:.2} x reading", one / read);
        println!(
            "  and of eight probes together       {together:>8.2} ms, {:.1} x one",
            together / dot
        );
    }
}
