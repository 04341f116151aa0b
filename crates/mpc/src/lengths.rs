//! Whether dealt vectors are short, which the three nodes find out without seeing them.
//!
//! A score is an inner product modulo 2^16. Where both vectors' squared lengths are at most 2^14 it
//! is the inner product itself (Cauchy and Schwarz); a dealer that deals a longer vector can make
//! scores wrap, and match whom it likes. So nodes that are strict check every dealt vector q:
//!
//! - each number of it: -128 <= q_k <= 128;
//! - the sum of the squares of each three neighbours: at most 2^14;
//! - the sum of each three such sums, and so on up to the whole vector: at most 2^14.
//!
//! Everything is computed modulo 2^16, and yet nothing that wraps passes: three squares of numbers
//! in range are at most 3 * 2^14, which is less than 2^16, and so are three sums that are in range
//! themselves. By induction from the numbers up, where every check holds every sum is the integer
//! that it stands for, and the squared length is at most 2^14. The converse holds too: no partial sum of a
//! short vector is greater than the whole. Nothing here is a matter of chance; no vector that is too
//! long passes, and none that is short is refused.
//!
//! Each check asks whether x - bound >= 1, where nodes have summands of x: of q_k and -q_k the
//! components that they were dealt; of a square, s_p s_p + 2 s_p s_(p-1), because the square of
//! s_A + s_B + s_C is the sum of these over the nodes. That is the comparison of `party.rs` with a threshold
//! of 1, which hides the summands before anything is sent. A [`Selection`] of the
//! checks that fail is zero where none does, and otherwise random for the query: opened, it says whether
//! and not which.
//!
//! What makes this sound against a dealer is that the shares checked are the shares compared: the
//! holders of a component compare keyed hashes of it ([`ShareSet::check`]). Against nodes that deviate
//! nothing is claimed, here as elsewhere.
//!
//! [`Selection`]: crate::Selection

use std::ops::Range;

use zeroize::Zeroizing;

use crate::party::{Parameters, PartyError};
use crate::{Role, Shape, ShapeError, ShareSet, Threshold};

/// Greatest number of a short vector, and the negative of its least: what a signed byte has, and
/// three squares of it do not wrap.
pub const NUMBER_MAX: u16 = 128;
/// Greatest squared length of a short vector.
pub const LENGTH_SQUARED_MAX: u16 = 1 << 14;
/// How many sums make the next one: as many as do not wrap.
const TOGETHER: usize = 3;
const _: () = assert!(TOGETHER * (NUMBER_MAX as usize).pow(2) < 1 << 16);
const _: () = assert!(TOGETHER * (LENGTH_SQUARED_MAX as usize) < 1 << 16);

/// All checks of some vectors, numbered: those of each vector together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LengthChecks {
    dimension: usize,
    vectors: usize,
}

impl LengthChecks {
    /// Of `vectors` vectors of `dimension` numbers.
    #[must_use]
    pub const fn new(dimension: usize, vectors: usize) -> Self {
        Self { dimension, vectors }
    }

    /// How many there are: about two and a half a number.
    #[must_use]
    pub const fn count(self) -> usize {
        let (mut sums, mut level) = (0, self.dimension);
        while level > 1 {
            level = level.div_ceil(TOGETHER);
            sums += level;
        }
        // A single number's square is in range where the number is.
        self.vectors * (2 * self.dimension + sums)
    }

    /// A node's summands of what is compared with 1, check by check.
    ///
    /// # Errors
    /// When the shares are of other vectors.
    pub fn summands(self, shares: &ShareSet) -> Result<Zeroizing<Vec<u16>>, PartyError> {
        let check = |what, expected, found| {
            if expected == found {
                Ok(())
            } else {
                Err(PartyError::Input { what, expected, found })
            }
        };
        check("numbers in a vector", self.dimension, shares.dimension())?;
        check("vectors", self.vectors, shares.count())?;
        let [own, previous] = shares.expanded();
        let vectors = own.chunks_exact(self.dimension).zip(previous.chunks_exact(self.dimension));
        let mut summands = Zeroizing::new(Vec::with_capacity(self.count()));
        for (own, previous) in vectors {
            of_vector(shares.node(), own, previous, &mut summands);
        }
        Ok(summands)
    }

    /// What is public of a part of the checks, for [`crate::Party::start`].
    ///
    /// # Errors
    /// When the part is not as long as its [`LengthChecks::shape`] says.
    pub fn parameters(self, shape: Shape, part: Range<usize>) -> Result<Parameters, PartyError> {
        let numbers = (part.start as u64..part.end as u64).collect();
        let live = vec![u64::MAX; shape.slot_words()];
        Parameters::new(shape, Threshold::ONE, numbers, live)
    }

    /// The shape of a part of the checks.
    ///
    /// # Errors
    /// When the part is empty or too large for one run.
    pub fn shape(part: &Range<usize>) -> Result<Shape, ShapeError> {
        Shape::new(part.len(), 1, 1)
    }
}

/// Summands of one vector's checks: its numbers from above, from below, then sums level by level.
fn of_vector(node: Role, own: &[u16], previous: &[u16], summands: &mut Vec<u16>) {
    // Public numbers are node A's to add.
    let less = |bound: u16| if node == Role::A { bound } else { 0 };
    summands.extend(own.iter().map(|s| s.wrapping_sub(less(NUMBER_MAX))));
    summands.extend(own.iter().map(|s| s.wrapping_neg().wrapping_sub(less(NUMBER_MAX))));
    let square = |(s, t): (&u16, &u16)| s.wrapping_mul(s.wrapping_add(t.wrapping_mul(2)));
    let mut level: Zeroizing<Vec<u16>> =
        Zeroizing::new(own.iter().zip(previous).map(square).collect());
    while level.len() > 1 {
        let sum = |part: &[u16]| part.iter().fold(0u16, |sum, s| sum.wrapping_add(*s));
        level = Zeroizing::new(level.chunks(TOGETHER).map(sum).collect());
        summands.extend(level.iter().map(|s| s.wrapping_sub(less(LENGTH_SQUARED_MAX))));
    }
}

#[cfg(test)]
mod tests {
    use handfast_model::SeededRandom;
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{length_selection, query_keys, run, token_keys};
    use crate::{Dealt, is_no_match, open};

    /// What the three nodes open: whether all of the vectors are short.
    fn are_short(numbers: &[i16], dimension: usize, seed: u8) -> bool {
        let sets = Dealt::deal(numbers, dimension, &SeededRandom::new(seed.into())).unwrap().sets;
        let checks = LengthChecks::new(dimension, numbers.len() / dimension);
        let padded = checks.count().next_multiple_of(64);
        let products = sets.each_ref().map(|set| {
            let mut summands = checks.summands(set).unwrap().to_vec();
            assert_eq!(summands.len(), checks.count());
            summands.resize(padded, 0);
            summands
        });
        let keys = token_keys(seed);
        let shape = LengthChecks::shape(&(0..checks.count())).unwrap();
        let parameters = checks.parameters(shape, 0..checks.count()).unwrap();
        let selections = |role| vec![length_selection(&keys, role)];
        let run = run(&parameters, query_keys(seed), products, selections);
        let [a, b, c] = run.parts;
        is_no_match(&open([&a[0], &b[0], &c[0]]).unwrap())
    }

    /// The definition.
    fn plainly(numbers: &[i16], dimension: usize) -> bool {
        numbers.chunks(dimension).all(|vector| {
            let squared = vector.iter().map(|&q| i64::from(q) * i64::from(q)).sum::<i64>();
            squared <= i64::from(LENGTH_SQUARED_MAX)
        })
    }

    /// Vectors whose numbers or sums wrap to something that looks short.
    #[test]
    fn what_wraps_is_seen() {
        let vector = |few: &[i16]| {
            let mut vector = vec![0; 40];
            vector[..few.len()].copy_from_slice(few);
            vector
        };
        let long: Vec<Vec<i16>> = [
            // The square is 0 modulo 2^16.
            &[256][..],
            &[0, -256],
            &[i16::MIN],
            &[i16::MAX],
            &[i16::MAX, i16::MIN, 0],
            &[129],
            &[-129],
            &[0, 0, 0, 32_640],
            &[0, 0, 0, -32_640],
            // 2^14 + 1, in one group of three and over several.
            &[128, 1],
            &[-128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
            &[128, 128, 128],
            // Four times 2^14 is 0 modulo 2^16.
            &[128, 0, 0, 128, 0, 0, 128, 0, 0, 128],
            &[
                128, 0, 0, 0, 0, 0, 0, 0, 0, 128, 0, 0, 0, 0, 0, 0, 0, 0, 128, 0, 0, 0, 0, 0, 0, 0,
                0, 128,
            ],
            &[128; 40],
            &[-128; 40],
            &[21; 40],
        ]
        .into_iter()
        .map(vector)
        .collect();
        for (at, vector) in long.iter().enumerate() {
            assert!(!plainly(vector, 40), "{vector:?}");
            assert!(!are_short(vector, 40, at as u8), "{vector:?}");
            // Beside short ones, wherever it stands.
            let beside = [&[1; 40], &vector[..], &[-1; 40]].concat();
            assert!(!are_short(&beside, 40, at as u8), "{vector:?} between others");
        }
        for (at, short) in [&[][..], &[128], &[-128], &[0, 128], &[20; 40], &[-20; 40], &[90, 91]]
            .into_iter()
            .enumerate()
        {
            let vector = vector(short);
            assert!(plainly(&vector, 40) && are_short(&vector, 40, at as u8), "{vector:?}");
        }
    }

    #[test]
    fn a_vector_at_the_limit_passes_and_one_above_does_not() {
        for dimension in [1, 2, 3, 4, 9, 10, 27, 28, 100] {
            // As even as squares go: 2^14 in all.
            let mut vector = vec![0i16; dimension];
            let mut left = i32::from(LENGTH_SQUARED_MAX);
            for (at, number) in vector.iter_mut().enumerate() {
                let mean = f64::from(left) / (dimension - at) as f64;
                *number = mean.sqrt() as i16;
                left -= i32::from(*number).pow(2);
            }
            assert!(plainly(&vector, dimension) && are_short(&vector, dimension, 1));
            let Some(up) = (0..dimension).find(|&at| 2 * i32::from(vector[at]) + 1 > left) else {
                continue;
            };
            vector[up] += 1;
            assert!(!plainly(&vector, dimension) && !are_short(&vector, dimension, 2));
        }
    }

    #[test]
    fn shares_of_other_vectors_are_refused() {
        let set = &Dealt::deal(&[1; 12], 6, &SeededRandom::new(1)).unwrap().sets[0];
        assert_eq!(LengthChecks::new(6, 2).count(), 2 * (12 + 2 + 1));
        assert!(LengthChecks::new(6, 2).summands(set).is_ok());
        for (dimension, vectors) in [(6, 1), (12, 1), (4, 3)] {
            assert!(LengthChecks::new(dimension, vectors).summands(set).is_err());
        }
        assert!(LengthChecks::shape(&(3..3)).is_err());
        let shape = LengthChecks::shape(&(3..5)).unwrap();
        assert!(LengthChecks::new(6, 2).parameters(shape, 3..6).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]
        #[test]
        fn says_what_the_definition_says(
            numbers in (1usize..40, prop_oneof![Just(2i16), Just(22), Just(140), Just(i16::MAX)])
                .prop_flat_map(|(length, most)| prop::collection::vec(-most..=most, length)),
            seed: u8,
        ) {
            prop_assert_eq!(are_short(&numbers, numbers.len(), seed), plainly(&numbers, numbers.len()));
        }
    }
}
