//! What one node computes by itself, beside the same search in clear and reading the rows once.

use std::hint::black_box;

use handfast_model::{Random as _, SystemRandom};
use handfast_mpc::plain::{PlainProbe, PlainRows, Width};
use handfast_mpc::{
    Dealt, Path, ProbeWeights, Role, Rows, Shape, local_products, local_products_together,
};

use crate::cli::stopwatch::SystemStopwatch;

/// Rows whose shares are dealt at once.
const ROWS_AT_ONCE: usize = 1_024;
/// Turns that all parts take one after the other, so that a busy moment meets all; medians count.
const TURNS: usize = 7;

/// Milliseconds, medians.
pub(super) struct Local {
    /// A node's inner products, one thread.
    pub(super) dot_ms: f64,
    /// The same for several probes in one pass, one thread.
    pub(super) dot_together_ms: f64,
    /// Reading as many bytes as a node's rows have, one thread.
    pub(super) read_ms: f64,
    /// The same search in clear with 16-bit numbers, one thread and two.
    pub(super) plain_ms: [f64; 2],
    /// With 8-bit numbers.
    pub(super) plain_int8_ms: [f64; 2],
}

impl Local {
    /// Measures `rows` rows of `length` numbers with `probes` probe vectors, and `together` such
    /// probes at once.
    pub(super) fn measure(
        rows: usize,
        length: usize,
        probes: usize,
        together: usize,
    ) -> anyhow::Result<Self> {
        let (shares, sixteen, eight) = rows_of_a_node(rows, length)?;
        let probe = random_numbers(probes * length);
        let wide: Vec<i16> = probe.iter().map(|number| i16::from(*number)).collect();
        let weights = ProbeWeights::new(&Dealt::deal(&wide, length, &SystemRandom)?.sets[0]);
        let probe = PlainProbe::new(&probe, length)?;
        let shape = Shape::new(rows, 1, probes)?;
        let several = vec![&weights; together];
        let mut times: [Vec<f64>; 7] = Default::default();
        for _ in 0..TURNS {
            let dot = || local_products(shape, &[&shares], &weights).map(|all| all.len());
            let dots = || local_products_together(shape, &[&shares], &several).map(|all| all.len());
            let took = [
                timed(|| drop(black_box(dot()))),
                timed(|| drop(black_box(dots()))),
                timed(|| _ = black_box(sixteen.read_once())),
                timed(|| search(&sixteen, &probe, 1)),
                timed(|| search(&sixteen, &probe, 2)),
                timed(|| search(&eight, &probe, 1)),
                timed(|| search(&eight, &probe, 2)),
            ];
            times.iter_mut().zip(took).for_each(|(times, took)| times.push(took));
        }
        let [dot_ms, dot_together_ms, read_ms, one, two, one_int8, two_int8] = times.map(median);
        let (plain_ms, plain_int8_ms) = ([one, two], [one_int8, two_int8]);
        Ok(Self { dot_ms, dot_together_ms, read_ms, plain_ms, plain_int8_ms })
    }
}

/// The best row, by so many threads: each looks through a part that begins at a whole block.
fn search(rows: &PlainRows, probe: &PlainProbe, threads: usize) {
    let part = rows.count().div_ceil(threads).next_multiple_of(PlainRows::ROWS_PER_BLOCK).max(1);
    std::thread::scope(|scope| {
        for first in (part..rows.count()).step_by(part) {
            let end = rows.count().min(first + part);
            scope.spawn(move || drop(black_box(rows.best(Path::best(), probe, first..end))));
        }
        drop(black_box(rows.best(Path::best(), probe, 0..rows.count().min(part))));
    });
}

fn rows_of_a_node(count: usize, length: usize) -> anyhow::Result<(Rows, PlainRows, PlainRows)> {
    let mut shares = Rows::new(Role::A, length, count);
    let mut sixteen = PlainRows::new(Width::Sixteen, length, count);
    let mut eight = PlainRows::new(Width::Eight, length, count);
    let mut left = count;
    while left > 0 {
        let part = left.min(ROWS_AT_ONCE);
        let numbers = random_numbers(part * length);
        let wide: Vec<i16> = numbers.iter().map(|number| i16::from(*number)).collect();
        shares.push(&Dealt::deal(&wide, length, &SystemRandom)?.sets[0])?;
        for row in numbers.chunks(length) {
            sixteen.push(row)?;
            eight.push(row)?;
        }
        left -= part;
    }
    Ok((shares, sixteen, eight))
}

/// Small numbers: nobody is found with them.
fn random_numbers(count: usize) -> Vec<i8> {
    let mut bytes = vec![0; count];
    SystemRandom.fill(&mut bytes);
    bytes.into_iter().map(|byte| (byte % 5).cast_signed() - 2).collect()
}

fn timed(work: impl FnOnce()) -> f64 {
    SystemStopwatch::start().time(work).1
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
