//! That one node's view says nothing: for numbers so short that all randomness can be enumerated,
//! what a node sees is distributed alike for every secret.
//!
//! The machines of `party.rs` run unchanged, with numbers of two or three bits: in one digit or two,
//! with one comparison a slot or two (so that there is an OR), their pair streams read from tapes.
//! Every lane of the bit-sliced run is another assignment of the random bits. A node's view is its
//! summands, its two keys' streams and the messages it receives; all else, its result part
//! included, follows from these. Given its summands and streams, which are independent of the
//! secret, the messages' distribution over the streams of the one key it lacks must not depend on
//! the secret or on how it is dealt.
//!
//! Goal: the distribution is uniform, so equal, for every secret. A failure: one count differs. Not
//! covered: that AES and HKDF give streams like random ones.

use std::collections::HashMap;

use handfast_model::{Random, SeededRandom};

use crate::bits::{Products, SharedBits};
use crate::digits::{Digits, TILE};
use crate::keys::QueryKeys;
use crate::selection::selected;
use crate::testing::{query_keys, run};
use crate::{Message, Parameters, Role, Shape, Step, Threshold};

const STEPS: [Step; 5] = [Step::Reshare, Step::Split, Step::And(0), Step::And(1), Step::Or(0)];

/// What is compared: how long numbers are, how they are cut, comparisons a slot.
#[derive(Clone, Copy, Debug)]
struct Form {
    bits: usize,
    digit: usize,
    layers: usize,
}

/// One digit of one bit, and an OR.
const SHORT: Form = Form { bits: 2, digit: 4, layers: 2 };
/// Two digits of one bit, joined by an AND.
const JOINED: Form = Form { bits: 3, digit: 1, layers: 1 };
/// One digit of two bits, and an OR.
const WIDE: Form = Form { bits: 3, digit: 2, layers: 2 };

impl Form {
    fn digits(self) -> Digits {
        Digits::of(self.bits, self.digit)
    }

    /// Random bits that a key gives a slot in a step: in how many layers, how many in each.
    fn random(self, key: Role, step: Step) -> (usize, usize) {
        match (step, key) {
            // Two numbers, B's and C's.
            (Step::Reshare, Role::B) => (self.layers, 2 * self.bits),
            (Step::Split, Role::A) => (self.layers, self.digits().tables()),
            (Step::And(0), Role::A | Role::C) => (self.layers, self.digits().carries()),
            (Step::And(1), _) if self.digits().count() == 2 => (self.layers, 1),
            (Step::Or(0), _) if self.layers == 2 => (1, 1),
            _ => (0, 0),
        }
    }

    /// Bits that a message carries a slot.
    fn sent(self, step: Step) -> usize {
        match step {
            Step::Reshare => self.layers * self.bits,
            Step::Split => self.layers * self.digits().tables(),
            Step::And(0) => self.layers * self.digits().carries(),
            Step::And(_) => self.layers,
            _ => 1,
        }
    }
}

/// One random bit of one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Bit {
    slot: usize,
    key: Role,
    step: Step,
    layer: usize,
    place: usize,
}

/// All random bits that `slots` slots use.
fn random_bits(form: Form, slots: usize) -> Vec<Bit> {
    let mut bits = Vec::new();
    for slot in 0..slots {
        for key in Role::ALL {
            for step in STEPS {
                let (layers, places) = form.random(key, step);
                for layer in 0..layers {
                    bits.extend((0..places).map(|place| Bit { slot, key, step, layer, place }));
                }
            }
        }
    }
    bits
}

/// Some bits run through all values, the others stay at drawn ones.
struct Enumeration {
    form: Form,
    slots: usize,
    enumerated: HashMap<Bit, usize>,
    fixed: HashMap<Bit, bool>,
    /// Bits of the key that the node lacks come first, the known ones after them.
    unknown: usize,
    removed: Option<Step>,
}

impl Enumeration {
    /// For the view of `node`: of all bits those that it lacks and those that `known` picks.
    fn of(form: Form, node: Role, slots: usize, seed: u64, known: impl Fn(&Bit) -> bool) -> Self {
        let lacking = |bit: &Bit| bit.key == node.next();
        let all = random_bits(form, slots);
        let unknown: Vec<Bit> = all.iter().copied().filter(lacking).collect();
        let known = all.iter().copied().filter(|bit| !lacking(bit) && known(bit));
        let enumerated: HashMap<Bit, usize> =
            unknown.iter().copied().chain(known).enumerate().map(|(at, bit)| (bit, at)).collect();
        let mut drawn = vec![0; all.len()];
        SeededRandom::new(seed).fill(&mut drawn);
        let fixed = all.iter().zip(&drawn).map(|(bit, byte)| (*bit, byte & 1 == 1)).collect();
        Self { form, slots, enumerated, fixed, unknown: unknown.len(), removed: None }
    }

    /// At least as many as a word has.
    fn lanes(&self) -> usize {
        (self.slots << self.enumerated.len()).max(64)
    }

    /// One bit's value in every lane: lanes of the same assignment stand side by side, one a slot.
    fn plane(&self, key: Role, step: Step, layer: usize, place: usize) -> Vec<u64> {
        let removed = self.removed == Some(step);
        let sources: Vec<_> = (0..self.slots)
            .map(|slot| {
                let bit = Bit { slot, key, step, layer, place };
                (self.enumerated.get(&bit).copied(), !removed && self.fixed[&bit])
            })
            .collect();
        let mut words = vec![0; self.lanes() / 64];
        for (at, word) in words.iter_mut().enumerate() {
            for lane in 64 * at..64 * at + 64 {
                let value = match sources[lane % self.slots] {
                    (Some(place), _) if !removed => (lane / self.slots) >> place & 1 == 1,
                    (_, fixed) => fixed,
                };
                *word |= u64::from(value) << (lane % 64);
            }
        }
        words
    }

    fn stream(&self, key: Role, step: Step) -> Vec<u64> {
        let (layers, places) = self.form.random(key, step);
        let both = |place| {
            (0..layers).flat_map(move |layer| self.plane(key, step, layer, place)).collect()
        };
        let planes: Vec<Vec<u64>> = (0..places).map(both).collect();
        match step {
            Step::Reshare => {
                // Short numbers, four in a word: all of B's, then all of C's.
                planes.chunks(self.form.bits).flat_map(words_of_numbers).collect()
            }
            // Tile by tile, as they are drawn.
            Step::Split => {
                let words = planes.first().map_or(0, Vec::len);
                (0..words)
                    .step_by(TILE / 64)
                    .flat_map(|at| {
                        let end = words.min(at + TILE / 64);
                        planes.iter().flat_map(move |plane| plane[at..end].iter().copied())
                    })
                    .collect()
            }
            _ => planes.concat(),
        }
    }

    fn tapes(&self) -> [HashMap<Step, [Vec<u64>; 2]>; 3] {
        let streams: HashMap<(Role, Step), Vec<u64>> = Role::ALL
            .into_iter()
            .flat_map(|key| STEPS.map(|step| ((key, step), self.stream(key, step))))
            .collect();
        Role::ALL.map(|role| {
            let of = |key, step| streams[&(key, step)].clone();
            STEPS.map(|step| (step, [of(role, step), of(role.previous(), step)])).into()
        })
    }

    /// How often the node sees what. `scores` are the secrets, a number a slot and layer; `dealt`
    /// are the summands of the node and of the next one, the third makes up the score.
    fn histogram(
        &self,
        node: Role,
        tapes: &[HashMap<Step, [Vec<u64>; 2]>; 3],
        scores: &[u16],
        dealt: &[[u16; 2]],
    ) -> Vec<u32> {
        let lanes = self.lanes();
        let mut products: [Vec<u16>; 3] = Default::default();
        for layer in 0..self.form.layers {
            let summands = |slot: usize| {
                let at = layer * self.slots + slot;
                let [own, next] = dealt[at];
                [own, next, scores[at].wrapping_sub(own).wrapping_sub(next) % (1 << self.form.bits)]
            };
            let of_slots: Vec<_> = (0..self.slots).map(summands).collect();
            for (holder, place) in [(node, 0), (node.next(), 1), (node.previous(), 2)] {
                products[holder.index()]
                    .extend((0..lanes).map(|n| of_slots[n % self.slots][place]));
            }
        }
        let shape = Shape::new(lanes, 1, self.form.layers).unwrap();
        let live = vec![u64::MAX; lanes / 64];
        let threshold = Threshold::new(1).unwrap();
        let parameters = Parameters::new(shape, threshold, vec![0; lanes], live)
            .unwrap()
            .with_digits(self.form.digits());
        let keys = tapes.clone().map(QueryKeys::from_tape);
        let run = run(&parameters, keys, products, |_| Vec::new());
        self.count(&run.received[node.index()])
    }

    fn count(&self, received: &[Message]) -> Vec<u32> {
        let lanes = self.lanes();
        let sent = |message: &Message| self.form.sent(message.step);
        let seen_bits = self.slots * received.iter().map(sent).sum::<usize>();
        let known = self.enumerated.len() - self.unknown;
        let mut counts = vec![0; 1 << (seen_bits + known)];
        let mut seen = vec![0u32; lanes / self.slots];
        for message in received {
            for at in 0..sent(message) {
                for lane in 0..lanes {
                    let view = &mut seen[lane / self.slots];
                    *view = *view << 1 | self.bit_of_lane(message, at, lane);
                }
            }
        }
        for (assignment, view) in seen.into_iter().enumerate() {
            counts[((assignment >> self.unknown) % (1 << known)) << seen_bits | view as usize] += 1;
        }
        counts
    }

    /// The `at`-th of the bits that a message carries a slot, in one lane.
    fn bit_of_lane(&self, message: &Message, at: usize, lane: usize) -> u32 {
        let (body, lanes, Form { bits, layers, .. }) = (&message.body, self.lanes(), self.form);
        match message.step {
            Step::Reshare => {
                let (layer, place) = (at / bits, at % bits);
                u32::from(body[2 * (layer * lanes + lane)] >> place & 1)
            }
            Step::Split => {
                let (layer, place) = (at % layers, at / layers);
                let (all, n) = (layers * lanes, layer * lanes + lane);
                let (tile, width) = (n / TILE, TILE.min(all - n / TILE * TILE));
                let bit =
                    tile * TILE * (self.form.sent(Step::Split) / layers) + place * width + n % TILE;
                u32::from(body[bit / 8] >> (bit % 8) & 1)
            }
            _ => {
                let n = at * lanes + lane;
                u32::from(body[n / 8] >> (n % 8) & 1)
            }
        }
    }
}

/// Numbers by their bits, four in a word.
fn words_of_numbers(bits: &[Vec<u64>]) -> Vec<u64> {
    let number = |n: usize| {
        bits.iter().rev().fold(0, |number, plane| number << 1 | (plane[n / 64] >> (n % 64) & 1))
    };
    let count = 64 * bits[0].len();
    (0..count / 4)
        .map(|w| (0..4).fold(0, |word, at| word | number(4 * w + at) << (16 * at)))
        .collect()
}

/// All values of a slot's or of several slots' scores.
fn secrets(form: Form, slots: usize) -> impl Iterator<Item = Vec<u16>> {
    (0..1u32 << (form.bits * form.layers * slots)).map(move |number| {
        let score = |at: usize| (number >> (form.bits * at)) as u16 % (1 << form.bits);
        (0..form.layers * slots).map(score).collect()
    })
}

fn dealt(form: Form, slots: usize, seed: u64) -> Vec<[u16; 2]> {
    let mut bytes = vec![0; 2 * form.layers * slots];
    SeededRandom::new(seed).fill(&mut bytes);
    let number = |byte: u8| u16::from(byte) % (1 << form.bits);
    bytes.as_chunks::<2>().0.iter().map(|two| two.map(number)).collect()
}

fn assert_uniform(counts: &[u32], what: &str) {
    assert!(counts[0] > 0 && counts.iter().all(|&count| count == counts[0]), "{what}");
}

/// One slot: all bits but the known ones of `drawn` steps run through all values, with `rest` choices
/// of those and of the dealing; every secret.
fn one_slot(form: Form, drawn: &[Step], rest: std::ops::Range<u64>) {
    for node in Role::ALL {
        for seed in rest.clone() {
            let known = |bit: &Bit| !drawn.contains(&bit.step);
            let enumeration = Enumeration::of(form, node, 1, seed, known);
            let tapes = enumeration.tapes();
            for scores in secrets(form, 1) {
                let dealt = dealt(form, 1, seed);
                let counts = enumeration.histogram(node, &tapes, &scores, &dealt);
                assert_uniform(&counts, &format!("{form:?}, {node}, {scores:?}, seed {seed}"));
            }
        }
    }
}

#[test]
fn one_nodes_view_is_alike_for_every_secret() {
    one_slot(SHORT, &[Step::Reshare], 0..1);
    one_slot(JOINED, &[Step::Reshare], 0..1);
    one_slot(WIDE, &[Step::Reshare, Step::Split, Step::And(0)], 0..1);
}

#[test]
#[ignore = "the long run of `make soak`"]
fn one_nodes_view_is_alike_for_every_secret_and_every_drawn_rest() {
    one_slot(SHORT, &[Step::Reshare], 1..17);
    one_slot(JOINED, &[Step::Reshare], 1..9);
    one_slot(WIDE, &[Step::Reshare, Step::Split, Step::And(0)], 1..5);
}

/// Two slots together: everything that the node lacks runs through all values.
#[test]
fn one_nodes_view_of_two_slots_is_alike_for_every_secret() {
    for node in Role::ALL {
        let enumeration = Enumeration::of(SHORT, node, 2, 5, |_| false);
        let tapes = enumeration.tapes();
        // A lacks 20 bits, of which all 256 secrets would take minutes.
        let every = if node == Role::A { 37 } else { 1 };
        for (seed, scores) in secrets(SHORT, 2).enumerate().step_by(every) {
            let dealt = dealt(SHORT, 2, seed as u64 % 4);
            let counts = enumeration.histogram(node, &tapes, &scores, &dealt);
            assert_uniform(&counts, &format!("{node}, {scores:?}"));
        }
    }
}

/// The control: where one step's randomness is missing, some node can tell secrets apart.
#[test]
fn without_its_randomness_each_step_would_tell() {
    for removed in STEPS {
        let form = if removed == Step::And(1) { JOINED } else { SHORT };
        // What the node knows stays at drawn bits, of which some show more than others.
        let told = |node, seed| {
            let mut enumeration = Enumeration::of(form, node, 1, seed, |_| false);
            enumeration.removed = Some(removed);
            let tapes = enumeration.tapes();
            let dealt = dealt(form, 1, seed);
            let mut views =
                secrets(form, 1).map(|scores| enumeration.histogram(node, &tapes, &scores, &dealt));
            let first = views.next().unwrap();
            views.any(|other| other != first)
        };
        let tells = (0..16).any(|seed| Role::ALL.into_iter().any(|node| told(node, seed)));
        assert!(tells, "{removed:?} is not needed?");
    }
}

/// One AND alone, with every sharing of its inputs and every share of zero.
fn and_views(node: Role, a: u64, b: u64, hidden: bool) -> HashMap<[u64; 5], u32> {
    let mut views = HashMap::new();
    for bits in 0..1u64 << 7 {
        let bit = |at: u64| bits >> at & 1;
        let shares = |at, value| [bit(at), bit(at + 1), value ^ bit(at) ^ bit(at + 1)];
        let (a, b) = (shares(0, a), shares(2, b));
        let zero = if hidden { [bit(4), bit(5), bit(6)] } else { [0; 3] };
        let of = |role: Role, shares: [u64; 3]| SharedBits {
            own: vec![shares[role.index()]],
            previous: vec![shares[role.previous().index()]],
        };
        let message = |role: Role| {
            let mut products = Products::with_capacity(1);
            products.and(&of(role, a), &of(role, b));
            products.words()[0] ^ zero[role.index()] ^ zero[role.previous().index()]
        };
        let sum = Role::ALL.into_iter().fold(0, |sum, role| sum ^ message(role));
        assert_eq!(sum, a.iter().fold(0, |s, x| s ^ x) & b.iter().fold(0, |s, x| s ^ x));
        let own = |shares: [u64; 3]| shares[node.index()] | shares[node.previous().index()] << 1;
        let known = zero[node.index()] | zero[node.previous().index()] << 1;
        let view = [own(a), own(b), known, message(node.previous()), message(node)];
        *views.entry(view).or_insert(0) += 1;
    }
    views
}

#[test]
fn an_and_shows_no_node_its_inputs() {
    for node in Role::ALL {
        let zero = and_views(node, 0, 0, true);
        let bare = and_views(node, 0, 0, false);
        let mut told = false;
        for (a, b) in [(0, 1), (1, 0), (1, 1)] {
            assert_eq!(and_views(node, a, b, true), zero, "{node}, {a} & {b}");
            told |= and_views(node, a, b, false) != bare;
        }
        assert!(told, "the control: a bare AND tells");
    }
}

/// What a relying party sees of two slots with tokens of one bit: three parts.
fn part_views(matches: [u64; 2], tokens: [u64; 2], hidden: bool) -> HashMap<[u128; 3], u32> {
    let mut views = HashMap::new();
    for bits in 0..1u64 << 11 {
        let bit = |at: usize| bits >> at & 1;
        let shares = |at, value: u64| [bit(at), bit(at + 1), value ^ bit(at) ^ bit(at + 1)];
        let b = [shares(0, matches[0]), shares(2, matches[1])];
        let t = [shares(4, tokens[0]), shares(6, tokens[1])];
        let zero = if hidden { [bit(8), bit(9), bit(10)] } else { [0; 3] };
        let parts = Role::ALL.map(|role| {
            let word = |of: Role| b[0][of.index()] | b[1][of.index()] << 1;
            let tokens = |of: Role| {
                let mut all = [0; 64];
                all[0] = u128::from(t[0][of.index()]);
                all[1] = u128::from(t[1][of.index()]);
                all
            };
            let (own, previous) = (role, role.previous());
            selected(word(own), word(previous), &tokens(own), &tokens(previous))
                ^ u128::from(zero[own.index()] ^ zero[previous.index()])
        });
        let opened = parts[0] ^ parts[1] ^ parts[2];
        assert_eq!(opened, u128::from(matches[0] & tokens[0] ^ matches[1] & tokens[1]));
        *views.entry(parts).or_insert(0) += 1;
    }
    views
}

#[test]
fn a_relying_party_learns_the_xor_of_matching_tokens_alone() {
    let mut told = false;
    let all = || (0..16u64).map(|n| ([n & 1, n >> 1 & 1], [n >> 2 & 1, n >> 3]));
    for (matches, tokens) in all() {
        let views = part_views(matches, tokens, true);
        assert_eq!(views.len(), 4);
        assert!(views.values().all(|&count| count == 1 << 9), "{matches:?}, {tokens:?}");
        told |= part_views(matches, tokens, false).len() != 4
            || part_views(matches, tokens, false).values().any(|&count| count != 1 << 9);
    }
    assert!(told, "the control: without a share of zero the parts tell more");
}

/// Every number of every width up to ten bits.
#[test]
fn the_sign_is_right_at_every_width() {
    for (width, digit) in (3..=10).flat_map(|width| [(width, 1), (width, 2)]).chain([(10, 4)]) {
        if width == 3 && digit == 2 {
            continue;
        }
        let numbers = 1usize << width;
        let lanes = numbers.next_multiple_of(64);
        let scores = (0..lanes).map(|n| (n % numbers) as u16);
        let random: Vec<u16> = (0..lanes).map(|n| (n * 40_503 % 65_521) as u16).collect();
        let products = [
            random.clone(),
            random.iter().map(|&n| n.wrapping_mul(7)).collect(),
            scores.zip(&random).map(|(s, &r)| s.wrapping_sub(r.wrapping_mul(8))).collect(),
        ];
        let live: Vec<u64> = vec![u64::MAX; lanes / 64];
        for slot in 0..numbers {
            // The slot alone is live: its token opens if its sign says that it matches.
            let mut alone = vec![0; live.len()];
            alone[slot / 64] = 1 << (slot % 64);
            if width > 6 && slot % 29 != 3 {
                continue;
            }
            let shape = Shape::new(lanes, 1, 1).unwrap();
            let threshold = Threshold::new(1).unwrap();
            let parameters = Parameters::new(shape, threshold, vec![5; lanes], alone)
                .unwrap()
                .with_digits(Digits::of(width, digit));
            let keys = crate::testing::token_keys(1);
            let [a, b, c] = run(&parameters, query_keys(1), products.clone(), |role| {
                vec![crate::testing::token_selection(&keys, role)]
            })
            .parts;
            let opened = crate::open([&a[0], &b[0], &c[0]]).unwrap();
            let below = (slot + numbers - 1) % numbers >= numbers / 2;
            assert_eq!(crate::is_no_match(&opened), below, "{slot} of {width} bits");
        }
    }
}
