//! The randomness that each two nodes share in one query.
//!
//! Key `j` of a query is known to node `j` and the node after it, so a node has two. Both come from
//! a master key of the pair by HKDF, over everything that names the query and a fresh nonce of each
//! node; each step of the protocol has streams of its own. That no part of a stream is used twice
//! is a matter of types: an [`OwnNonce`] is drawn, not chosen, and is consumed by the one
//! [`QueryKeys`] made with it; keys cannot be copied; a step's streams are given out once; a stream
//! only runs forward.

use std::collections::HashSet;
use std::fmt;

use handfast_model::Random;
use hkdf::Hkdf;
use sha2::Sha256;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::keystream::Keystream;
use crate::{Role, Step};

/// Version of the protocol and of the keys' derivation: parties of different versions have nothing
/// in common.
pub const PROTOCOL_VERSION: u16 = 2;
/// Attempts at a query, each with new nonces; after the last one the front starts a new query.
pub const ATTEMPTS_MAX: u8 = 3;
const LABEL: &[u8] = b"handfast mpc query key";

/// Why keys were not given out.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not 1 to [`ATTEMPTS_MAX`].
    #[error("attempt {found} is not 1 to {ATTEMPTS_MAX}: start a new query")]
    Attempt {
        /// Attempt given.
        found: u8,
    },
    /// A step's streams were taken already: reusing them would reveal what they hid.
    #[error("the streams of step {step:?} were used already: derive keys for a new attempt")]
    Used {
        /// The step.
        step: Step,
    },
}

/// What two nodes agreed at setup. Its `Debug` prints nothing of it.
#[derive(Clone)]
pub struct PairMaster(Zeroizing<[u8; 32]>);

impl PairMaster {
    /// From 32 secret bytes that exactly the two nodes know.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for PairMaster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PairMaster(hidden)")
    }
}

/// A node's two master keys.
#[derive(Clone, Debug)]
pub struct PairMasters {
    /// With the node after it.
    pub with_next: PairMaster,
    /// With the node before it.
    pub with_previous: PairMaster,
}

/// What names one attempt at one query; equal at all three nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryContext {
    /// The query's id.
    pub query: [u8; 16],
    /// 1 to [`ATTEMPTS_MAX`].
    pub attempt: u8,
    /// The operation up to which the galleries are searched.
    pub operation: u64,
    /// The gallery's id.
    pub gallery: [u8; 16],
}

/// A node's own fresh nonce: it makes the node's keys new whatever the others do. It can be drawn
/// and used, not copied.
#[derive(Debug)]
pub struct OwnNonce([u8; 16]);

impl OwnNonce {
    /// A new one.
    #[must_use]
    pub fn draw(random: &dyn Random) -> Self {
        let mut bytes = [0; 16];
        random.fill(&mut bytes);
        Self(bytes)
    }

    /// What is sent to the two others.
    #[must_use]
    pub const fn public(&self) -> [u8; 16] {
        self.0
    }
}

/// The nonces of the two other nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerNonces {
    /// Of the node after this one.
    pub next: [u8; 16],
    /// Of the node before this one.
    pub previous: [u8; 16],
}

/// A node's keys for one attempt at one query. `Debug` prints nothing of them.
pub struct QueryKeys {
    source: Source,
    used: HashSet<Step>,
}

enum Source {
    /// Pseudorandom keys of the pair with the next and with the previous node.
    Derived { own: Zeroizing<[u8; 32]>, previous: Zeroizing<[u8; 32]> },
    /// Given bits, for enumerating all of them.
    #[cfg(test)]
    Tape(std::collections::HashMap<Step, [Vec<u64>; 2]>),
}

impl fmt::Debug for QueryKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QueryKeys(hidden)")
    }
}

impl QueryKeys {
    /// The keys of `role`. The nonce is consumed: there is one set of keys for it.
    ///
    /// # Errors
    /// When the attempt is none that may be made.
    pub fn derive(
        role: Role,
        masters: &PairMasters,
        context: &QueryContext,
        own: OwnNonce,
        peers: PeerNonces,
    ) -> Result<Self, KeyError> {
        let mut keys = Self::derive_chunks(role, masters, context, own, peers, 1)?;
        Ok(keys.remove(0))
    }

    /// The keys of `role` for a gallery that is compared in several runs, each with keys of its own:
    /// chunk by chunk, so that buffers stay in the caches. The nonce is consumed by all of them.
    ///
    /// # Errors
    /// When the attempt is none that may be made.
    pub fn derive_chunks(
        role: Role,
        masters: &PairMasters,
        context: &QueryContext,
        own: OwnNonce,
        peers: PeerNonces,
        chunks: u32,
    ) -> Result<Vec<Self>, KeyError> {
        if !(1..=ATTEMPTS_MAX).contains(&context.attempt) {
            return Err(KeyError::Attempt { found: context.attempt });
        }
        let mut nonces = [[0; 16]; 3];
        nonces[role.index()] = own.0;
        nonces[role.next().index()] = peers.next;
        nonces[role.previous().index()] = peers.previous;
        let key = |master: &PairMaster, first: Role, chunk: u32| {
            let mut info = Vec::with_capacity(128);
            info.extend_from_slice(LABEL);
            info.extend_from_slice(&PROTOCOL_VERSION.to_le_bytes());
            info.extend([first.index() as u8, context.attempt]);
            info.extend_from_slice(&context.query);
            info.extend_from_slice(&context.operation.to_le_bytes());
            info.extend_from_slice(&context.gallery);
            info.extend_from_slice(nonces.as_flattened());
            info.extend_from_slice(&chunk.to_le_bytes());
            expand(&Hkdf::<Sha256>::new(None, &master.0[..]), &info)
        };
        let of_chunk = |chunk| Self {
            source: Source::Derived {
                own: key(&masters.with_next, role, chunk),
                previous: key(&masters.with_previous, role.previous(), chunk),
            },
            used: HashSet::new(),
        };
        Ok((0..chunks).map(of_chunk).collect())
    }

    #[cfg(test)]
    pub(crate) fn from_tape(tape: std::collections::HashMap<Step, [Vec<u64>; 2]>) -> Self {
        Self { source: Source::Tape(tape), used: HashSet::new() }
    }

    /// The two streams of a step, once.
    pub(crate) fn streams(&mut self, step: Step) -> Result<Streams, KeyError> {
        if !self.used.insert(step) {
            return Err(KeyError::Used { step });
        }
        Ok(match &mut self.source {
            Source::Derived { own, previous } => {
                let stream = |key: &[u8; 32]| {
                    let hkdf = Hkdf::<Sha256>::from_prk(key).expect("a key is as long as a hash");
                    Stream::Keyed(Box::new(Keystream::new(&expand(&hkdf, &[step.code()]))))
                };
                Streams { with_next: stream(own), with_previous: stream(previous) }
            }
            #[cfg(test)]
            Source::Tape(tape) => {
                let [own, previous] = tape.remove(&step).expect("the tape has every step");
                Streams { with_next: Stream::Tape(own), with_previous: Stream::Tape(previous) }
            }
        })
    }
}

fn expand(hkdf: &Hkdf<Sha256>, info: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    hkdf.expand(info, &mut key[..]).expect("HKDF gives a key of 32 bytes");
    key
}

/// A step's streams.
pub(crate) struct Streams {
    /// What the next node has too.
    pub(crate) with_next: Stream,
    /// What the previous node has too.
    pub(crate) with_previous: Stream,
}

/// Random bits that one other node has too.
pub(crate) enum Stream {
    Keyed(Box<Keystream>),
    #[cfg(test)]
    Tape(Vec<u64>),
}

impl Stream {
    /// Adds the next bits to words.
    pub(crate) fn xor_words(&mut self, words: &mut [u64]) {
        match self {
            Self::Keyed(stream) => stream.xor_words(words),
            #[cfg(test)]
            Self::Tape(tape) => {
                let bits = tape.drain(..words.len());
                bits.zip(words).for_each(|(bits, word)| *word ^= bits);
            }
        }
    }

    /// The next words.
    pub(crate) fn words(&mut self, count: usize) -> Vec<u64> {
        match self {
            Self::Keyed(stream) => stream.words(count),
            #[cfg(test)]
            Self::Tape(tape) => tape.drain(..count).collect(),
        }
    }

    /// The next numbers.
    pub(crate) fn numbers(&mut self, count: usize) -> Zeroizing<Vec<u16>> {
        match self {
            Self::Keyed(stream) => stream.numbers(count),
            #[cfg(test)]
            Self::Tape(tape) => {
                let words = tape.drain(..count / 4);
                let four = |word: u64| [word, word >> 16, word >> 32, word >> 48];
                Zeroizing::new(words.flat_map(four).map(|number| number as u16).collect())
            }
        }
    }
}

impl Streams {
    /// Adds a fresh share of zero to bits: the three nodes' additions cancel, any two look random.
    pub(crate) fn add_zero_bits(&mut self, words: &mut [u64]) {
        self.with_next.xor_words(words);
        self.with_previous.xor_words(words);
    }
}

#[cfg(test)]
mod tests {
    use handfast_model::SeededRandom;

    use super::*;
    use crate::testing;

    #[test]
    fn zero_shares_cancel_and_streams_of_steps_differ() {
        let mut keys = testing::query_keys(1);
        let mut seen = HashSet::new();
        for step in
            [Step::Reshare, Step::Split, Step::And(0), Step::And(1), Step::Or(0), Step::Token]
        {
            let mut bits = [[0u64; 3]; 3];
            for (keys, bits) in keys.iter_mut().zip(&mut bits) {
                keys.streams(step).unwrap().add_zero_bits(bits);
                assert!(bits.iter().all(|&word| seen.insert(word)), "{step:?} repeats");
            }
            assert!((0..3).all(|at| bits[0][at] ^ bits[1][at] ^ bits[2][at] == 0));
        }
    }

    #[test]
    fn a_steps_streams_are_given_out_once() {
        let [mut keys, ..] = testing::query_keys(1);
        assert!(keys.streams(Step::And(3)).is_ok());
        assert_eq!(keys.streams(Step::And(3)).err(), Some(KeyError::Used { step: Step::And(3) }));
        assert!(keys.streams(Step::And(4)).is_ok());
    }

    #[test]
    fn every_part_of_the_context_makes_other_keys() {
        let random = SeededRandom::new(7);
        let masters = testing::masters(1)[0].clone();
        let context = QueryContext { query: [1; 16], attempt: 1, operation: 5, gallery: [2; 16] };
        let peers = PeerNonces { next: [3; 16], previous: [4; 16] };
        let first_word = |context: &QueryContext, own: [u8; 16], peers: PeerNonces| {
            let own = OwnNonce(own);
            let mut keys = QueryKeys::derive(Role::A, &masters, context, own, peers).unwrap();
            keys.streams(Step::Split).unwrap().with_next.words(1)[0]
        };
        let nonce = OwnNonce::draw(&random).public();
        let base = first_word(&context, nonce, peers);
        assert_eq!(base, first_word(&context, nonce, peers));
        let other_nonce = OwnNonce::draw(&random).public();
        let others = [
            first_word(&QueryContext { query: [9; 16], ..context.clone() }, nonce, peers),
            first_word(&QueryContext { attempt: 2, ..context.clone() }, nonce, peers),
            first_word(&QueryContext { operation: 6, ..context.clone() }, nonce, peers),
            first_word(&QueryContext { gallery: [9; 16], ..context.clone() }, nonce, peers),
            first_word(&context, other_nonce, peers),
            first_word(&context, nonce, PeerNonces { next: [9; 16], ..peers }),
            first_word(&context, nonce, PeerNonces { previous: [9; 16], ..peers }),
        ];
        let distinct: HashSet<u64> = others.into_iter().chain([base]).collect();
        assert_eq!(distinct.len(), 8);
    }

    #[test]
    fn chunks_have_keys_of_their_own() {
        let context = QueryContext { query: [1; 16], attempt: 1, operation: 5, gallery: [2; 16] };
        let own = OwnNonce::draw(&SeededRandom::new(1));
        let peers = PeerNonces { next: [3; 16], previous: [4; 16] };
        let masters = &testing::masters(1)[0];
        let chunks = QueryKeys::derive_chunks(Role::A, masters, &context, own, peers, 9).unwrap();
        let words = chunks
            .into_iter()
            .map(|mut keys| keys.streams(Step::Split).unwrap().with_next.words(1)[0])
            .collect::<HashSet<_>>();
        assert_eq!(words.len(), 9);
    }

    #[test]
    fn a_fourth_attempt_is_refused() {
        for attempt in [0, ATTEMPTS_MAX + 1] {
            let context = QueryContext { query: [1; 16], attempt, operation: 5, gallery: [2; 16] };
            let own = OwnNonce::draw(&SeededRandom::new(1));
            let peers = PeerNonces { next: [3; 16], previous: [4; 16] };
            let keys = QueryKeys::derive(Role::B, &testing::masters(1)[1], &context, own, peers);
            assert_eq!(keys.err(), Some(KeyError::Attempt { found: attempt }));
        }
    }
}
