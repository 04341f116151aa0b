#!/usr/bin/env python3
"""The search without sharing beside faiss-cpu's exact inner product, one thread each.

    crates/mpc/benches/beside_faiss.sh [ROWS LENGTH]

Both look for the best row of one probe; runs take turns; times are processor time of the calling
thread, and medians are shown. A ratio above 1 says that faiss takes longer; "of reading" is the
share of memory's bandwidth that ours reaches, beside reading as many bytes in the same turns.
"""

import json
import pathlib
import statistics
import subprocess
import sys
import time

import faiss
import numpy

FAISS = "1.15.1"
ROUNDS = 5
RUNS = 15


def of_faiss(index, probe):
    """Milliseconds of one search, the median of some."""
    times = []
    for _ in range(RUNS):
        before = time.thread_time()
        index.search(probe, 1)
        times.append((time.thread_time() - before) * 1e3)
    return statistics.median(times)


def ours(example, rows, length):
    out = subprocess.run([example, str(rows), str(length)], check=True, capture_output=True)
    return json.loads(out.stdout.splitlines()[-1])


def main():
    if faiss.__version__ != FAISS:
        sys.exit(f"faiss {faiss.__version__} is installed, figures are for {FAISS}")
    numbers = [int(word) for word in sys.argv[1:]]
    cases = [tuple(numbers)] if numbers else [(100_000, 512), (1_000_000, 512), (100_000, 256)]
    root = pathlib.Path(__file__).resolve().parents[3]
    example = root / "target/release/examples/plain"
    if not example.exists():
        sys.exit("build it first: cargo build --release -p handfast-mpc --example plain")
    faiss.omp_set_num_threads(1)
    random = numpy.random.default_rng(1)
    print("    rows  length   ours int8  int16   faiss float32   int8   float32/int8  int8/int8  float32/int16  of reading: int8 int16")
    for rows, length in cases:
        vectors = random.integers(-8, 8, (rows, length)).astype(numpy.float32)
        probe = random.integers(-8, 8, (1, length)).astype(numpy.float32)
        flat = faiss.IndexFlatIP(length)
        kind = faiss.ScalarQuantizer.QT_8bit_direct_signed
        eight = faiss.IndexScalarQuantizer(length, kind, faiss.METRIC_INNER_PRODUCT)
        for index in (flat, eight):
            index.add(vectors)
        found = [int(index.search(probe, 1)[1][0, 0]) for index in (flat, eight)]
        scores = vectors @ probe[0]
        assert all(scores[row] == scores.max() for row in found), "faiss finds the best row"
        del vectors
        rounds = []
        for _ in range(ROUNDS):
            own = ours(example, rows, length)
            rounds.append(
                (
                    own["eight_ms"],
                    own["sixteen_ms"],
                    of_faiss(flat, probe),
                    of_faiss(eight, probe),
                    own["eight_of_reading"],
                    own["sixteen_of_reading"],
                )
            )
        medians = [statistics.median(column) for column in zip(*rounds)]
        ratios = [
            statistics.median(row[column] / row[own] for row in rounds)
            for column, own in ((2, 0), (3, 0), (2, 1))
        ]
        print(
            f"{rows:>8} {length:>7} {medians[0]:>11.2f} {medians[1]:>6.2f} {medians[2]:>15.2f}"
            f" {medians[3]:>6.2f} {ratios[0]:>14.2f} {ratios[1]:>10.2f}"
            f" {ratios[2]:>14.2f} {medians[4]:>17.0%} {medians[5]:>5.0%}"
        )


main()
