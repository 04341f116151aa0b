//! Bits shared between three nodes, many at a time: a word holds one bit of 64 comparisons.
//!
//! b = b_A xor b_B xor b_C; node p holds b_p and b_(p-1). Xor, and AND with public bits, are each
//! node's own affair; AND of two shared bits costs a bit sent by each node to the next.

use crate::Role;
use crate::keys::{KeyError, QueryKeys};
use crate::message::{Step, words_of_bytes};

/// A node's two components of shared bits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SharedBits {
    pub(crate) own: Vec<u64>,
    pub(crate) previous: Vec<u64>,
}

impl SharedBits {
    pub(crate) fn with_capacity(words: usize) -> Self {
        Self { own: Vec::with_capacity(words), previous: Vec::with_capacity(words) }
    }

    /// Parts of `words` words each.
    pub(crate) fn planes(&self, words: usize) -> Vec<Self> {
        let parts = self.own.chunks_exact(words).zip(self.previous.chunks_exact(words));
        parts
            .map(|(own, previous)| Self { own: own.to_vec(), previous: previous.to_vec() })
            .collect()
    }

    pub(crate) fn xor(mut self, other: &Self) -> Self {
        self.own.iter_mut().zip(&other.own).for_each(|(a, b)| *a ^= b);
        self.previous.iter_mut().zip(&other.previous).for_each(|(a, b)| *a ^= b);
        self
    }

    /// Xor with one: component A, which A and B hold, is turned over.
    pub(crate) fn negated(mut self, node: Role) -> Self {
        match node {
            Role::A => self.own.iter_mut().for_each(|word| *word = !*word),
            Role::B => self.previous.iter_mut().for_each(|word| *word = !*word),
            Role::C => {}
        }
        self
    }

    /// AND with public bits.
    pub(crate) fn masked(mut self, public: &[u64]) -> Self {
        self.own.iter_mut().zip(public).for_each(|(word, mask)| *word &= mask);
        self.previous.iter_mut().zip(public).for_each(|(word, mask)| *word &= mask);
        self
    }

    /// Two parts, the first with `words` words.
    pub(crate) fn split_at(mut self, words: usize) -> (Self, Self) {
        let rest =
            Self { own: self.own.split_off(words), previous: self.previous.split_off(words) };
        (self, rest)
    }

    pub(crate) fn append(&mut self, mut other: Self) {
        self.own.append(&mut other.own);
        self.previous.append(&mut other.previous);
    }
}

/// The ANDs of one round: the node's components of the results, until those of the node before it
/// arrive.
pub(crate) struct Products {
    own: Vec<u64>,
}

impl Products {
    pub(crate) fn with_capacity(words: usize) -> Self {
        Self { own: Vec::with_capacity(words) }
    }

    /// Adds a & b: of the nine products of components each node has three.
    pub(crate) fn and(&mut self, a: &SharedBits, b: &SharedBits) {
        self.and_halves((&a.own, &a.previous), (&b.own, &b.previous));
    }

    /// [`Products::and`] of parts of shared bits, each as the node's own and the previous component.
    pub(crate) fn and_halves(&mut self, a: (&[u64], &[u64]), b: (&[u64], &[u64])) {
        let words = a.0.iter().zip(a.1).zip(b.0.iter().zip(b.1));
        self.own.extend(words.map(|((a, a_previous), (b, b_previous))| {
            (a & b) ^ (a & b_previous) ^ (a_previous & b)
        }));
    }

    /// Adds a fresh share of zero: without it the next node would learn products of components that
    /// it lacks. What is to be sent to the next node.
    pub(crate) fn hidden(mut self, step: Step, keys: &mut QueryKeys) -> Result<Self, KeyError> {
        keys.streams(step)?.add_zero_bits(&mut self.own);
        Ok(self)
    }

    pub(crate) fn words(&self) -> &[u64] {
        &self.own
    }

    /// The results, `words` words each in the order of the ANDs, with what the previous node sent.
    /// Its length was checked.
    pub(crate) fn complete(self, received: &[u8], words: usize) -> Vec<SharedBits> {
        debug_assert!(received.len() == 8 * self.own.len() && self.own.len().is_multiple_of(words));
        let own = self.own.chunks_exact(words);
        let previous = received.chunks_exact(8 * words);
        own.zip(previous)
            .map(|(own, previous)| SharedBits {
                own: own.to_vec(),
                previous: words_of_bytes(previous),
            })
            .collect()
    }
}
