//! The highest bit of a sum of two numbers, by a tree of carries over all lower digits.
//!
//! A group of bits generates a carry (g) or passes one on (p). Two neighbours make a group with
//! g = g_high xor p_high g_low and p = p_high p_low; the two summands of g are never both one. Four
//! digits are joined by 3 ANDs and then 1, in two rounds.

use crate::bits::{Products, SharedBits};

struct Group {
    generates: SharedBits,
    passes: SharedBits,
}

/// An addition under way.
pub(crate) struct Adder {
    /// The two summands' highest bits, added without carry.
    top: SharedBits,
    /// From the least significant bit up. Whether the lowest group passes a carry on is of no
    /// interest, and is not kept up.
    groups: Vec<Group>,
}

impl Adder {
    /// From the two summands' highest bits, added without carry, and the digits' carries, from the
    /// least significant up: whether each generates one and, but for the lowest, passes one on.
    pub(crate) fn new(top: SharedBits, carries: Vec<SharedBits>) -> Self {
        let mut carries = carries.into_iter();
        let mut groups = Vec::with_capacity(carries.len() / 2 + 1);
        while let Some(generates) = carries.next() {
            let passes = if groups.is_empty() { None } else { carries.next() }.unwrap_or_default();
            groups.push(Group { generates, passes });
        }
        Self { top, groups }
    }

    /// ANDs of the next round; none when one group is left.
    pub(crate) fn ands(groups: usize) -> usize {
        (2 * (groups / 2)).saturating_sub(1)
    }

    /// How many groups there are.
    pub(crate) fn groups(&self) -> usize {
        self.groups.len()
    }

    /// The next round's ANDs: of each pair of neighbours, p_high & g_low, and but for the lowest
    /// pair p_high & p_low.
    pub(crate) fn products(&self, words: usize) -> Products {
        let mut products = Products::with_capacity(Self::ands(self.groups.len()) * words);
        for (at, pair) in self.groups.chunks_exact(2).enumerate() {
            products.and(&pair[1].passes, &pair[0].generates);
            if at > 0 {
                products.and(&pair[1].passes, &pair[0].passes);
            }
        }
        products
    }

    /// Half as many groups, with the results of [`Adder::products`].
    pub(crate) fn joined(self, results: Vec<SharedBits>) -> Self {
        let mut results = results.into_iter();
        let mut groups = Vec::with_capacity(self.groups.len().div_ceil(2));
        let mut old = self.groups.into_iter();
        while let Some(low) = old.next() {
            groups.push(match old.next() {
                None => low,
                Some(high) => {
                    let carried = results.next().unwrap_or_default();
                    let passes = if groups.is_empty() {
                        low.passes
                    } else {
                        results.next().unwrap_or_default()
                    };
                    Group { generates: high.generates.xor(&carried), passes }
                }
            });
        }
        Self { top: self.top, groups }
    }

    /// The sum's highest bit, once one group is left.
    pub(crate) fn top_bit(self) -> SharedBits {
        debug_assert!(self.groups.len() == 1);
        self.groups.into_iter().fold(self.top, |top, group| top.xor(&group.generates))
    }
}
