//! A node's dot products beside reading the same memory once, in the same run.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use handfast_model::{Random, SeededRandom};
use handfast_mpc::{Dealt, ProbeWeights, Role, Rows, Shape, local_products_together};

/// More than any cache holds.
const ROWS: usize = 100_000;

fn rows(dimension: usize) -> Rows {
    let mut rows = Rows::new(Role::A, dimension, ROWS);
    let mut bytes = vec![0; rows.stored_length()];
    let random = SeededRandom::new(1);
    for _ in 0..ROWS {
        random.fill(&mut bytes);
        rows.push_stored(&bytes).expect("a row's length");
    }
    rows
}

fn weights(dimension: usize, vectors: usize) -> ProbeWeights {
    let probe = vec![3; dimension * vectors];
    let dealt = Dealt::deal(&probe, dimension, &SeededRandom::new(2)).expect("a probe");
    ProbeWeights::new(&dealt.sets[0])
}

fn dot_products(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("dot products of 100,000 rows");
    group.sample_size(10);
    for (dimension, vectors, together) in [(512, 1, 1), (512, 1, 8), (256, 9, 1), (256, 9, 8)] {
        let rows = rows(dimension);
        let weights = weights(dimension, vectors);
        let probes = vec![&weights; together];
        let shape = Shape::new(ROWS, 1, vectors).expect("a gallery");
        let bytes = ROWS * rows.bytes_per_row();
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(format!("{dimension} x {vectors}, {together} queries"), |bencher| {
            bencher.iter(|| black_box(local_products_together(shape, &[&rows], &probes)));
        });
        let memory = vec![1u64; bytes / 8];
        group.bench_function(format!("reading {bytes} bytes"), |bencher| {
            bencher.iter(|| black_box(black_box(&memory).iter().fold(0u64, |s, w| s ^ w)));
        });
    }
    group.finish();
}

criterion_group!(benches, dot_products);
criterion_main!(benches);
