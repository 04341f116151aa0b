//! A gallery spread over four workers of each node: the same protocol for each shard, results put
//! together by the relying party. Failure: what is opened differs from one pass over everything.

use crate::common::{chunk_keys, run, token_selection};
use handfast_model::{Random, SeededRandom};
use handfast_mpc::{
    Dealt, Parameters, ProbeWeights, ResultPart, Role, Rows, Shape, TOKEN, Threshold, is_no_match,
    local_products_of, open,
};

const DIMENSION: usize = 32;
const SLOTS: usize = 1_000;
const WORKERS: usize = 4;
const VECTORS: usize = 3;
/// The square of a vector's length; so a probe matches itself alone.
const THRESHOLD: i32 = 2_000;

/// Vectors of one length, far from each other.
fn vectors(seed: u64, count: usize) -> Vec<i16> {
    let mut bytes = vec![0; count * DIMENSION];
    SeededRandom::new(seed).fill(&mut bytes);
    bytes.iter().map(|byte| if byte & 1 == 1 { 8 } else { -8 }).collect()
}

struct Gallery {
    references: Vec<i16>,
    rows: [Rows; 3],
}

fn gallery(random: &dyn Random) -> Gallery {
    let references = vectors(1, SLOTS);
    let sets = Dealt::deal(&references, DIMENSION, random).unwrap().sets;
    let rows = Role::ALL.map(|role| {
        let mut rows = Rows::new(role, DIMENSION, SLOTS);
        rows.push(&sets[role.index()]).unwrap();
        rows
    });
    Gallery { references, rows }
}

/// One pass over slots `first..first + slots`, with keys of its own.
fn search_shard(
    gallery: &Gallery,
    probes: &[ProbeWeights; 3],
    keys: [handfast_mpc::QueryKeys; 3],
    first: usize,
    slots: usize,
) -> [ResultPart; 3] {
    let shape = Shape::new(slots, 1, VECTORS).unwrap();
    let names = (first as u64..(first + slots) as u64).collect();
    let live = vec![u64::MAX; shape.slot_words()];
    let threshold = Threshold::new(THRESHOLD).unwrap();
    let parameters = Parameters::new(shape, threshold, names, live).unwrap();
    let products = [0, 1, 2].map(|at| {
        local_products_of(shape, &[&gallery.rows[at]], first, &[&probes[at]]).unwrap().remove(0)
    });
    run(&parameters, keys, products, |role| vec![token_selection(1, role)])
        .map(|mut parts| parts.remove(0))
}

/// The gallery in `workers` shards; each node xors its workers' parts, as it alone may before it
/// signs: a node's part of the whole is the xor of its parts of the shards.
fn search(gallery: &Gallery, probe: &[i16], workers: usize, random: &dyn Random) -> [u8; TOKEN] {
    let sets = Dealt::deal(probe, DIMENSION, random).unwrap().sets;
    let probes = sets.each_ref().map(ProbeWeights::new);
    let mut keys = chunk_keys(random, workers as u32).map(Vec::into_iter);
    let shard = SLOTS.div_ceil(workers).next_multiple_of(64);
    let mut sums = [[0; TOKEN]; 3];
    for first in (0..SLOTS).step_by(shard) {
        let keys = keys.each_mut().map(|keys| keys.next().unwrap());
        let slots = shard.min(SLOTS - first);
        let parts = search_shard(gallery, &probes, keys, first, slots);
        for (sum, part) in sums.iter_mut().zip(&parts) {
            sum.iter_mut().zip(part.bytes()).for_each(|(sum, byte)| *sum ^= byte);
        }
    }
    let parts = sums.map(|sum| ResultPart::from_bytes(handfast_mpc::Purpose::Token, sum));
    open([&parts[0], &parts[1], &parts[2]]).unwrap()
}

#[test]
fn four_workers_find_what_one_finds() {
    let random = SeededRandom::new(5);
    let gallery = gallery(&random);
    let others = vectors(2, VECTORS);
    // The ends of shards, the gallery's, and any.
    for slot in [0, 255, 256, 511, 512, 700, 767, 768, 999] {
        let mut probe = others.clone();
        let own = &gallery.references[slot * DIMENSION..][..DIMENSION];
        probe[DIMENSION..2 * DIMENSION].copy_from_slice(own);
        let whole = search(&gallery, &probe, 1, &random);
        assert!(!is_no_match(&whole));
        assert_eq!(search(&gallery, &probe, WORKERS, &random), whole, "slot {slot}");
    }
    for workers in [1, WORKERS] {
        assert!(is_no_match(&search(&gallery, &others, workers, &random)));
    }
}

/// Two palms in different shards: the xor of both tokens, as when one worker has both.
#[test]
fn two_matches_in_two_shards_are_ambiguous_too() {
    let random = SeededRandom::new(6);
    let gallery = gallery(&random);
    let mut probe = vectors(2, VECTORS);
    let reference = |slot: usize| &gallery.references[slot * DIMENSION..][..DIMENSION];
    probe[..DIMENSION].copy_from_slice(reference(10));
    let first = search(&gallery, &probe, WORKERS, &random);
    probe[DIMENSION..2 * DIMENSION].copy_from_slice(reference(900));
    let both = search(&gallery, &probe, WORKERS, &random);
    assert_eq!(both, search(&gallery, &probe, 1, &random));
    assert!(both != first && !is_no_match(&both));
}
