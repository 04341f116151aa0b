//! The whole comparison against the plain one, and what is refused on the way.

use std::collections::{HashMap, HashSet};

use handfast_model::{Random, SeededRandom};
use proptest::prelude::*;

use crate::selection::{TOKEN, is_no_match, open, token_of};
use crate::testing::{self, query_keys, run, token_keys, token_selection};
use crate::{
    Dealt, Message, OwnNonce, Parameters, Party, PartyError, PeerNonces, ProbeWeights, Purpose,
    QueryContext, QueryKeys, Role, Rows, Selection, Shape, Step, Threshold, Turn, local_products,
};

/// Numbers at will, from a seed.
struct Draw(SeededRandom);

impl Draw {
    fn word(&self) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn below(&self, bound: u64) -> u64 {
        self.word() % bound
    }
}

/// Three summands of a score.
fn summands(draw: &Draw, scores: &[i32]) -> [Vec<u16>; 3] {
    let mut parts: [Vec<u16>; 3] = Default::default();
    for &score in scores {
        let (a, b) = (draw.word() as u16, draw.word() as u16);
        parts[0].push(a);
        parts[1].push(b);
        parts[2].push((score as u16).wrapping_sub(a).wrapping_sub(b));
    }
    parts
}

/// Which slots match, read from shares: one duplicate-free selection tells only the xor, so that
/// every slot is asked for alone by the public mask. Quick, because parts of 64 slots are.
fn opened(
    shape: Shape,
    threshold: i32,
    live: Vec<u64>,
    products: [Vec<u16>; 3],
    seed: u8,
) -> [u8; TOKEN] {
    let slots = (0..shape.slots() as u64).collect();
    let threshold = Threshold::new(threshold).unwrap();
    let parameters = Parameters::new(shape, threshold, slots, live).unwrap();
    let keys = token_keys(seed);
    let run =
        run(&parameters, query_keys(seed), products, |role| vec![token_selection(&keys, role)]);
    let [a, b, c] = run.parts;
    open([&a[0], &b[0], &c[0]]).unwrap()
}

/// The plain comparison: the xor of the tokens of live slots one of whose scores reaches `threshold`.
fn plain(shape: Shape, threshold: i32, live: &[u64], scores: &[i32], seed: u8) -> [u8; TOKEN] {
    let keys = token_keys(seed);
    let stride = shape.slots_padded();
    let mut sum = [0; TOKEN];
    for slot in 0..shape.slots() {
        let matches = scores.iter().skip(slot).step_by(stride).any(|&score| score >= threshold);
        if matches && live[slot / 64] >> (slot % 64) & 1 == 1 {
            let token = token_of(&keys, slot as u64);
            sum.iter_mut().zip(token).for_each(|(sum, byte)| *sum ^= byte);
        }
    }
    sum
}

/// Scores near the threshold, at the ends of their range, and anywhere.
fn score(draw: &Draw, threshold: i32) -> i32 {
    match draw.below(8) {
        0..3 => threshold - 1 + draw.below(3) as i32,
        3 => [-(1 << 14), 1 << 14, 0, -1][draw.below(4) as usize],
        _ => draw.below((1 << 15) + 1) as i32 - (1 << 14),
    }
}

/// Random comparisons; a wrong bit anywhere changes the xor of tokens.
fn compare_like_plain(pairs: usize, slots: usize, seed: u64) {
    let draw = Draw(SeededRandom::new(seed));
    let mut done = 0;
    while done < pairs {
        let (rows, vectors) = (1 + draw.below(2) as usize, 1 + draw.below(9) as usize);
        let slots = 1 + draw.below(slots as u64) as usize;
        let shape = Shape::new(slots, rows, vectors).unwrap();
        let threshold = 1 + draw.below(1 << 13) as i32;
        // Mostly below, so that single bits are seen and not ORs of many.
        let low = |draw: &Draw| threshold - 1 - draw.below(5_000) as i32;
        let mut scores: Vec<i32> = (0..shape.comparisons())
            .map(|_| {
                if draw.below(shape.layers() as u64) == 0 {
                    score(&draw, threshold)
                } else {
                    low(&draw)
                }
            })
            .collect();
        scores[0] = threshold - 1 + (draw.below(2) as i32);
        let live: Vec<u64> = (0..shape.slot_words()).map(|_| draw.word() | draw.word()).collect();
        let seed = draw.word() as u8;
        let products = summands(&draw, &scores);
        let result = opened(shape, threshold, live.clone(), products, seed);
        assert_eq!(result, plain(shape, threshold, &live, &scores, seed), "{shape:?}");
        done += shape.comparisons();
    }
}

#[test]
fn equals_the_plain_comparison_a_million_times() {
    compare_like_plain(1_000_000, 300, 2);
}

/// Every slot asked for alone, at every neighbour of the threshold.
#[test]
fn decides_exactly_at_the_threshold() {
    let draw = Draw(SeededRandom::new(3));
    for threshold in [1, 2, 255, 256, 4_095, 4_096, 8_191, 8_192] {
        let scores: Vec<i32> =
            (0..64).map(|slot| threshold - 32 + slot).map(|s: i32| s.max(-(1 << 14))).collect();
        for slot in 0..64 {
            let shape = Shape::new(64, 1, 1).unwrap();
            let products = summands(&draw, &scores);
            let result = opened(shape, threshold, vec![1 << slot], products, 7);
            assert_eq!(is_no_match(&result), scores[slot] < threshold, "{threshold}, {slot}");
        }
    }
}

/// From vectors to tokens: dealing, rows, probe, comparison.
fn whole_way(dimension: usize, slots: usize, rows: usize, vectors: usize, seed: u64) {
    let draw = Draw(SeededRandom::new(seed));
    // No score may leave 15 bits: a squared length is at most 2^14.
    let size = if dimension > 1_000 { 1 } else { 5 };
    let vector = || -> Vec<i16> {
        (0..dimension).map(|_| draw.below(2 * size + 1) as i16 - size as i16).collect()
    };
    let references: Vec<Vec<i16>> = (0..rows * slots).map(|_| vector()).collect();
    let mut probe: Vec<Vec<i16>> = (0..vectors).map(|_| vector()).collect();
    probe[vectors - 1].clone_from(&references[slots / 2]);
    let inner =
        |a: &[i16], b: &[i16]| a.iter().zip(b).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum();
    let shape = Shape::new(slots, rows, vectors).unwrap();
    let mut scores = vec![0i32; shape.comparisons()];
    for row in 0..rows {
        for (v, vector) in probe.iter().enumerate() {
            for slot in 0..slots {
                scores[(row * vectors + v) * shape.slots_padded() + slot] =
                    inner(&references[row * slots + slot], vector);
            }
        }
    }
    let threshold = inner(&references[slots / 2], &references[slots / 2]);
    let dealt = Dealt::deal(&probe.concat(), dimension, &draw.0).unwrap();
    let mut gallery: Vec<Vec<Rows>> =
        Role::ALL.map(|role| (0..rows).map(|_| Rows::new(role, dimension, slots)).collect()).into();
    for (at, reference) in references.iter().enumerate() {
        let sets = Dealt::deal(reference, dimension, &draw.0).unwrap().sets;
        for (rows, set) in gallery.iter_mut().zip(&sets) {
            rows[at / slots].push(set).unwrap();
        }
    }
    let products: Vec<Vec<u16>> = gallery
        .iter()
        .zip(&dealt.sets)
        .map(|(rows, set)| {
            let rows: Vec<&Rows> = rows.iter().collect();
            local_products(shape, &rows, &ProbeWeights::new(set)).unwrap()
        })
        .collect();
    let live = vec![u64::MAX; shape.slot_words()];
    let result = opened(shape, threshold, live.clone(), products.try_into().unwrap(), 5);
    assert_eq!(result, plain(shape, threshold, &live, &scores, 5));
    assert!(!is_no_match(&result));
}

#[test]
fn finds_a_vector_among_shares() {
    whole_way(512, 70, 1, 1, 10);
    whole_way(256, 10, 1, 9, 11);
    whole_way(30, 65, 2, 3, 12);
    whole_way(3_072, 5, 1, 25, 13);
}

/// A comparison of two slots with one match, and what it takes to start its parties.
fn small() -> (Parameters, [Vec<u16>; 3]) {
    let shape = Shape::new(2, 1, 3).unwrap();
    let mut scores = vec![0; shape.comparisons()];
    scores[64] = 200;
    let draw = Draw(SeededRandom::new(8));
    let parameters =
        Parameters::new(shape, Threshold::new(100).unwrap(), vec![5, 9], vec![u64::MAX]).unwrap();
    (parameters, summands(&draw, &scores))
}

#[test]
fn audit_and_duplicate_share_the_pass() {
    let (parameters, products) = small();
    let keys = token_keys(2);
    let selections = |role: Role| {
        let (own, previous) = (&keys[role.index()], &keys[role.previous().index()]);
        vec![
            token_selection(&keys, role),
            Selection::audit(own, previous, &[4; 16]),
            Selection::duplicate(own, previous, &[4; 16]),
        ]
    };
    let [a, b, c] = run(&parameters, query_keys(2), products, selections).parts;
    let open = |at: usize| open([&a[at], &b[at], &c[at]]).unwrap();
    assert_eq!(
        a.iter().map(|part| part.purpose()).collect::<Vec<_>>(),
        [Purpose::Token, Purpose::Audit, Purpose::Duplicate]
    );
    assert_eq!(open(0), token_of(&keys, 5));
    let components = Role::ALL.map(|role| selections(role)[1].audit_component(5));
    let of_person = std::array::from_fn(|at| components.iter().fold(0, |sum, c| sum ^ c[at]));
    assert_eq!(open(1), of_person, "the person finds the query");
    let other = Role::ALL.map(|role| selections(role)[1].audit_component(9));
    let of_other = std::array::from_fn(|at| other.iter().fold(0, |sum, c| sum ^ c[at]));
    assert_ne!(open(1), of_other);
    assert!(!is_no_match(&open(2)));
}

#[test]
fn without_a_match_all_parts_open_to_nothing_but_the_audit_tag() {
    let (parameters, _) = small();
    let products = summands(&Draw(SeededRandom::new(9)), &vec![-5; parameters_comparisons()]);
    let keys = token_keys(2);
    let selections = |role: Role| {
        let (own, previous) = (&keys[role.index()], &keys[role.previous().index()]);
        vec![
            token_selection(&keys, role),
            Selection::duplicate(own, previous, &[4; 16]),
            Selection::audit(own, previous, &[4; 16]),
        ]
    };
    let [a, b, c] = run(&parameters, query_keys(3), products, selections).parts;
    let open = |at: usize| open([&a[at], &b[at], &c[at]]).unwrap();
    assert!(is_no_match(&open(0)) && is_no_match(&open(1)) && !is_no_match(&open(2)));
}

fn parameters_comparisons() -> usize {
    Shape::new(2, 1, 3).unwrap().comparisons()
}

/// Steps parties by hand; before each right message, many wrong ones.
#[test]
fn any_other_message_is_refused_and_changes_nothing() {
    let (parameters, products) = small();
    let keys = token_keys(2);
    let expected = run(&parameters, query_keys(4), products.clone(), |role| {
        vec![token_selection(&keys, role)]
    });
    let mut query = query_keys(4).into_iter();
    for (role, products) in Role::ALL.into_iter().zip(products) {
        let selections = vec![token_selection(&keys, role)];
        let (mut party, _) =
            Party::start(role, parameters.clone(), query.next().unwrap(), products, selections)
                .unwrap();
        let right = &expected.received[role.index()];
        for (at, message) in right.iter().enumerate() {
            let before = party.awaited();
            let refused = |party: &mut Party, wrong: &Message| {
                assert!(party.step(wrong).is_err(), "{wrong:?}");
                assert_eq!(party.awaited(), before);
            };
            for other in right.iter().enumerate().filter(|&(n, _)| n != at).map(|(_, m)| m) {
                refused(&mut party, other);
            }
            for length in [0, 1, message.body.len() - 1, message.body.len() + 8] {
                let mut wrong = message.clone();
                wrong.body.resize(length, 0);
                let error = party.step(&wrong).unwrap_err();
                assert!(matches!(error, PartyError::WrongLength { .. }), "{error}");
                assert_eq!(party.awaited(), before);
            }
            refused(&mut party, &Message { from: role, ..message.clone() });
            refused(&mut party, &Message { to: role.next(), ..message.clone() });
            refused(&mut party, &Message { step: Step::Or(9), ..message.clone() });
            match party.step(message).unwrap() {
                Turn::Wait(_) => assert!(at + 1 < right.len()),
                Turn::Done(parts) => assert_eq!(parts, expected.parts[role.index()]),
            }
        }
        assert_eq!(party.awaited(), None);
        assert!(party.step(&right[0]).is_err(), "after the end");
    }
}

#[test]
fn inputs_of_another_number_are_refused() {
    let shape = Shape::new(2, 1, 3).unwrap();
    let threshold = Threshold::new(100).unwrap();
    assert!(Parameters::new(shape, threshold, vec![1], vec![0]).is_err());
    assert!(Parameters::new(shape, threshold, vec![1, 2], vec![]).is_err());
    let (parameters, mut products) = small();
    products[0].pop();
    let [keys, ..] = query_keys(1);
    let [products, ..] = products;
    assert!(Party::start(Role::A, parameters, keys, products, vec![]).is_err());
}

/// Keys for `chunks` chunks of one attempt at one query.
fn attempt_keys(random: &SeededRandom, query: u8, attempt: u8, chunks: u32) -> Vec<[QueryKeys; 3]> {
    let context = QueryContext { query: [query; 16], attempt, operation: 4, gallery: [3; 16] };
    let nonces = Role::ALL.map(|_| OwnNonce::draw(random));
    let public = nonces.each_ref().map(OwnNonce::public);
    let mut nonces = nonces.into_iter();
    let masters = testing::masters(1);
    let [a, b, c] = Role::ALL.map(|role| {
        let peers = PeerNonces {
            next: public[role.next().index()],
            previous: public[role.previous().index()],
        };
        let masters = &masters[role.index()];
        let own = nonces.next().unwrap();
        QueryKeys::derive_chunks(role, masters, &context, own, peers, chunks).unwrap()
    });
    a.into_iter().zip(b).zip(c).map(|((a, b), c)| [a, b, c]).collect()
}

fn compare_with(keys: [QueryKeys; 3]) {
    let (parameters, products) = small();
    let token = token_keys(2);
    run(&parameters, keys, products, |role| {
        let (own, previous) = (&token[role.index()], &token[role.previous().index()]);
        vec![
            token_selection(&token, role),
            Selection::audit(own, previous, &[4; 16]),
            Selection::duplicate(own, previous, &[4; 16]),
        ]
    });
}

fn repeats(used: &[testing::Used]) -> usize {
    used.len() - used.iter().collect::<HashSet<_>>().len()
}

/// Queries, attempts at them and chunks of them, under the same master keys: no node takes the block
/// of a key and a counter twice, and no key is used by more than two nodes.
#[test]
fn no_key_and_counter_repeats() {
    let random = SeededRandom::new(12);
    testing::used_counters();
    for query in 0..4 {
        for attempt in 1..=3 {
            attempt_keys(&random, query, attempt, 3).into_iter().for_each(compare_with);
        }
    }
    let used = testing::used_counters();
    // Of 36 comparisons: reshare, split, carries, two ANDs, two ORs and three selections.
    assert!(used.len() > 36 * 3 * 10, "{}", used.len());
    assert_eq!(repeats(&used), 0);
    let mut nodes: HashMap<[u8; 32], HashSet<Option<Role>>> = HashMap::new();
    for (node, key, _) in used {
        nodes.entry(key).or_default().insert(node);
    }
    assert!(nodes.values().all(|nodes| nodes.len() <= 2 && !nodes.contains(&None)));
    // The control: nonces that come again.
    for _ in 0..2 {
        attempt_keys(&SeededRandom::new(1), 1, 1, 1).into_iter().for_each(compare_with);
    }
    assert!(repeats(&testing::used_counters()) > 0, "a repeat is not seen");
}

/// What each node sends of a comparison, and the longest chain of messages.
#[test]
fn costs_what_it_says() {
    let shape = Shape::new(6_400, 1, 1).unwrap();
    let products = summands(&Draw(SeededRandom::new(6)), &vec![0; 6_400]);
    let parameters = Parameters::new(
        shape,
        Threshold::new(1).unwrap(),
        (0..6_400).collect(),
        vec![u64::MAX; 100],
    )
    .unwrap();
    let run = run(&parameters, query_keys(1), products, |_| Vec::new());
    // A: tables of 53 bits and 4 ANDs. B and C: a number, carries of 7 bits and 4 ANDs.
    for (sender, bits) in Role::ALL.into_iter().zip([53 + 4, 16 + 7 + 4, 16 + 7 + 4]) {
        let sent: usize = run
            .received
            .iter()
            .flatten()
            .filter(|message| message.from == sender)
            .map(|message| message.body.len())
            .sum();
        assert_eq!(8 * sent, bits * 6_400, "{sender}");
    }
    // Numbers, tables, carries, and two levels of the adder, one after the other.
    assert_eq!(run.rounds, 5);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn live_slots_alone_count(live: u64, matching: u64, slots in 1usize..=64) {
        let shape = Shape::new(slots, 1, 1).unwrap();
        let scores: Vec<i32> = (0..64).map(|slot| if matching >> slot & 1 == 1 { 50 } else { 49 }).collect();
        let products = summands(&Draw(SeededRandom::new(live)), &scores);
        let result = opened(shape, 50, vec![live], products, 1);
        prop_assert_eq!(result, plain(shape, 50, &[live], &scores, 1));
        let _ = testing::masters(0);
    }
}
