//! What a dealer (the pedestal) makes of vectors, and what each node receives.
//!
//! x = s0 + s1 + s2 modulo 2^16; s0 and s1 are expanded from seeds of 32 bytes, s2 is the rest.
//! Node p receives s_p and s_(p-1): one node's set is independent of x, any two are x. The dealer
//! needs no ring arithmetic.

use std::fmt;

use handfast_model::Random;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::Role;
use crate::keystream::Keystream;

/// Version of the byte format, of the expansion of seeds and of the meaning of the numbers.
pub const FORMAT_VERSION: u8 = 1;
/// Longest vector: four times the longest code that was ever considered, and a set of
/// [`VECTORS_MAX`] of them still fits one message.
pub const DIMENSION_MAX: usize = 1 << 13;
/// Most vectors in a set: shifts, turns, scales and frames of a probe.
pub const VECTORS_MAX: usize = 1 << 11;

const MAGIC: [u8; 4] = *b"HFMS";
/// Magic, version, node, dimension, count.
const HEADER: usize = 4 + 1 + 1 + 2 + 2;
const SEED: usize = 32;
const CHECK_LABEL: &[u8] = b"handfast mpc 1 component check";

/// Why vectors were not dealt or a set was not read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DealingError {
    /// No number, or more than [`DIMENSION_MAX`].
    #[error("a vector has 1 to {DIMENSION_MAX} numbers, {found} were given")]
    Dimension {
        /// Numbers given.
        found: usize,
    },
    /// Not a whole number of vectors, or none, or more than [`VECTORS_MAX`].
    #[error("{found} numbers are no 1 to {VECTORS_MAX} vectors of {dimension}")]
    Count {
        /// Numbers in a vector.
        dimension: usize,
        /// Numbers given.
        found: usize,
    },
    /// Not a set of shares.
    #[error("these bytes are no set of shares")]
    WrongKind,
    /// A version that this build does not read.
    #[error("the shares have format version {found}, this build reads {FORMAT_VERSION}: update it")]
    Version {
        /// Version found.
        found: u8,
    },
    /// A set for another node.
    #[error("the shares are not for node {expected}: send each node its own set")]
    WrongNode {
        /// The node that read them.
        expected: Role,
    },
    /// Cut short or padded.
    #[error("the shares have {found} bytes, {expected} were expected: send them again")]
    WrongLength {
        /// Bytes expected.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// A component that this node does not hold.
    #[error("node {node} does not hold component {component}")]
    NotHeld {
        /// The node asked.
        node: Role,
        /// The component asked for.
        component: Role,
    },
}

/// A key of two nodes for comparing what they were dealt. Its `Debug` prints nothing of it.
#[derive(Clone)]
pub struct CheckKey(Zeroizing<[u8; 32]>);

impl CheckKey {
    /// From 32 secret bytes that exactly the two holders of a component know.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for CheckKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CheckKey(hidden)")
    }
}

/// One component as it travels.
#[derive(Clone)]
enum Component {
    Seed(Zeroizing<[u8; SEED]>),
    Numbers(Zeroizing<Vec<u16>>),
}

impl Component {
    fn expand(&self, count: usize) -> Zeroizing<Vec<u16>> {
        match self {
            Self::Seed(seed) => Keystream::new(seed).numbers(count),
            Self::Numbers(numbers) => numbers.clone(),
        }
    }

    /// Bytes of a component in a set: the last one is explicit, the others are seeds.
    const fn encoded_length(component: Role, numbers: usize) -> usize {
        match component {
            Role::A | Role::B => SEED,
            Role::C => 2 * numbers,
        }
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Seed(seed) => bytes.extend_from_slice(&seed[..]),
            Self::Numbers(numbers) => {
                bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
            }
        }
    }

    /// Reads exactly [`Component::encoded_length`] bytes.
    fn read(component: Role, bytes: &[u8]) -> Option<Self> {
        match component {
            Role::A | Role::B => Some(Self::Seed(Zeroizing::new(bytes.try_into().ok()?))),
            Role::C => {
                let pairs = bytes.as_chunks::<2>().0.iter();
                Some(Self::Numbers(Zeroizing::new(
                    pairs.map(|two| u16::from_le_bytes(*two)).collect(),
                )))
            }
        }
    }
}

/// What one node holds of some vectors: its own component and that of the node before it. Zeroed
/// when dropped; `Debug` prints nothing of it.
#[derive(Clone)]
pub struct ShareSet {
    node: Role,
    dimension: usize,
    count: usize,
    own: Component,
    previous: Component,
}

impl fmt::Debug for ShareSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShareSet({}, {} x {})", self.node, self.count, self.dimension)
    }
}

/// The three nodes' sets of the same vectors: each is sealed to its node at once.
pub struct Dealt {
    /// For A, B and C.
    pub sets: [ShareSet; 3],
}

impl Dealt {
    /// Shares vectors of `dimension` numbers each, one after the other in `numbers`.
    ///
    /// # Errors
    /// When there is none, too many, or not a whole number of them.
    pub fn deal(
        numbers: &[i16],
        dimension: usize,
        random: &dyn Random,
    ) -> Result<Self, DealingError> {
        let mut seeds = [Zeroizing::new([0; SEED]), Zeroizing::new([0; SEED])];
        seeds.iter_mut().for_each(|seed| random.fill(&mut seed[..]));
        Self::deal_with(numbers, dimension, seeds)
    }

    fn deal_with(
        numbers: &[i16],
        dimension: usize,
        [first, second]: [Zeroizing<[u8; SEED]>; 2],
    ) -> Result<Self, DealingError> {
        let count = checked_count(dimension, numbers.len())?;
        let mut rest: Zeroizing<Vec<u16>> =
            Zeroizing::new(numbers.iter().map(|number| number.cast_unsigned()).collect());
        for seed in [&first, &second] {
            Keystream::new(seed).combine_numbers(&mut rest, u16::wrapping_sub);
        }
        let components =
            [Component::Seed(first), Component::Seed(second), Component::Numbers(rest)];
        let set = |node: Role| ShareSet {
            node,
            dimension,
            count,
            own: components[node.index()].clone(),
            previous: components[node.previous().index()].clone(),
        };
        Ok(Self { sets: Role::ALL.map(set) })
    }
}

fn checked_count(dimension: usize, numbers: usize) -> Result<usize, DealingError> {
    if dimension == 0 || dimension > DIMENSION_MAX {
        return Err(DealingError::Dimension { found: dimension });
    }
    let count = numbers / dimension;
    if count == 0 || count > VECTORS_MAX || count * dimension != numbers {
        return Err(DealingError::Count { dimension, found: numbers });
    }
    Ok(count)
}

impl ShareSet {
    /// The node it is for.
    #[must_use]
    pub const fn node(&self) -> Role {
        self.node
    }

    /// Numbers in a vector.
    #[must_use]
    pub const fn dimension(&self) -> usize {
        self.dimension
    }

    /// Vectors shared.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// The numbers of a component that the node holds.
    ///
    /// # Errors
    /// When it is the one component that the node lacks.
    pub fn component(&self, component: Role) -> Result<Zeroizing<Vec<u16>>, DealingError> {
        let numbers = self.dimension * self.count;
        if component == self.node {
            Ok(self.own.expand(numbers))
        } else if component == self.node.previous() {
            Ok(self.previous.expand(numbers))
        } else {
            Err(DealingError::NotHeld { node: self.node, component })
        }
    }

    /// The last `count` vectors, for themselves; nothing where there are fewer, or none is wanted.
    #[must_use]
    pub fn last(&self, count: usize) -> Option<Self> {
        let first = self.count.checked_sub(count).filter(|_| count > 0)?;
        let [own, previous] = self.expanded().map(|numbers| {
            Component::Numbers(Zeroizing::new(numbers[first * self.dimension..].to_vec()))
        });
        Some(Self { node: self.node, dimension: self.dimension, count, own, previous })
    }

    /// The vectors of several sets of one node, one after the other; nothing where the sets do not
    /// go together, or there is none.
    #[must_use]
    pub fn joined(sets: &[&Self]) -> Option<Self> {
        let (node, dimension) = sets.first().map(|set| (set.node, set.dimension))?;
        let alike = sets.iter().all(|set| (set.node, set.dimension) == (node, dimension));
        let count: usize = sets.iter().map(|set| set.count).sum();
        if !alike || count > VECTORS_MAX {
            return None;
        }
        let mut joined = [(); 2].map(|()| Zeroizing::new(Vec::with_capacity(count * dimension)));
        for set in sets {
            for (numbers, more) in joined.iter_mut().zip(set.expanded()) {
                numbers.extend_from_slice(&more);
            }
        }
        let [own, previous] = joined.map(Component::Numbers);
        Some(Self { node, dimension, count, own, previous })
    }

    /// The node's own component, then that of the node before it.
    pub(crate) fn expanded(&self) -> [Zeroizing<Vec<u16>>; 2] {
        let numbers = self.dimension * self.count;
        [self.own.expand(numbers), self.previous.expand(numbers)]
    }

    /// What the node sends to the other holder of `component`, who compares it with
    /// [`ShareSet::verify_check`]: a keyed hash of the component in `context` (the operation or the
    /// query it was dealt for). It tells nobody else anything.
    ///
    /// # Errors
    /// When it is the one component that the node lacks.
    pub fn check(
        &self,
        component: Role,
        key: &CheckKey,
        context: &[u8],
    ) -> Result<[u8; 32], DealingError> {
        Ok(self.check_by(self.node, component, key, context)?.finalize().into_bytes().into())
    }

    /// Whether the other holder of `component` was dealt the same: false means that the dealer (or
    /// that holder) is inconsistent, and the set is refused.
    ///
    /// # Errors
    /// When it is the one component that the node lacks.
    pub fn verify_check(
        &self,
        component: Role,
        key: &CheckKey,
        context: &[u8],
        received: &[u8; 32],
    ) -> Result<bool, DealingError> {
        let sender = if component == self.node { self.node.next() } else { self.node.previous() };
        let expected = self.check_by(sender, component, key, context)?;
        Ok(expected.verify_slice(received).is_ok())
    }

    fn check_by(
        &self,
        sender: Role,
        component: Role,
        key: &CheckKey,
        context: &[u8],
    ) -> Result<Hmac<Sha256>, DealingError> {
        let numbers = self.component(component)?;
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&key.0[..])
            .expect("HMAC takes a key of any length");
        mac.update(CHECK_LABEL);
        // The sender is named so that a value cannot be answered with itself; lengths come first so
        // that no two inputs are the same bytes.
        mac.update(&[FORMAT_VERSION, sender.index() as u8, component.index() as u8]);
        for length in [self.dimension, self.count, context.len()] {
            mac.update(&(length as u64).to_le_bytes());
        }
        mac.update(context);
        let mut bytes = Zeroizing::new(Vec::with_capacity(2 * numbers.len()));
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        mac.update(&bytes);
        Ok(mac)
    }

    /// The bytes to seal and send: magic, version, node, dimension, count, own component, the other.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let length = encoded_length(self.node, self.dimension * self.count);
        let mut bytes = Zeroizing::new(Vec::with_capacity(length));
        bytes.extend_from_slice(&MAGIC);
        bytes.extend([FORMAT_VERSION, self.node.index() as u8]);
        bytes.extend_from_slice(&(self.dimension as u16).to_le_bytes());
        bytes.extend_from_slice(&(self.count as u16).to_le_bytes());
        self.own.write(&mut bytes);
        self.previous.write(&mut bytes);
        bytes
    }

    /// Reads what [`ShareSet::to_bytes`] wrote, as `node`.
    ///
    /// # Errors
    /// When the bytes are no shares, of another version, for another node, or of another length.
    pub fn from_bytes(node: Role, bytes: &[u8]) -> Result<Self, DealingError> {
        let header = bytes.first_chunk::<HEADER>().ok_or(DealingError::WrongKind)?;
        let [m0, m1, m2, m3, version, index, d0, d1, c0, c1] = *header;
        if [m0, m1, m2, m3] != MAGIC {
            return Err(DealingError::WrongKind);
        }
        if version != FORMAT_VERSION {
            return Err(DealingError::Version { found: version });
        }
        if usize::from(index) != node.index() {
            return Err(DealingError::WrongNode { expected: node });
        }
        let dimension = usize::from(u16::from_le_bytes([d0, d1]));
        let count = usize::from(u16::from_le_bytes([c0, c1]));
        let numbers = dimension * count;
        checked_count(dimension, numbers)?;
        let expected = encoded_length(node, numbers);
        let wrong_length = DealingError::WrongLength { expected, found: bytes.len() };
        if bytes.len() != expected {
            return Err(wrong_length);
        }
        let (own, previous) = bytes[HEADER..].split_at(Component::encoded_length(node, numbers));
        let read = |component, bytes| Component::read(component, bytes).ok_or(wrong_length.clone());
        let (own, previous) = (read(node, own)?, read(node.previous(), previous)?);
        Ok(Self { node, dimension, count, own, previous })
    }
}

const fn encoded_length(node: Role, numbers: usize) -> usize {
    HEADER
        + Component::encoded_length(node, numbers)
        + Component::encoded_length(node.previous(), numbers)
}

#[cfg(test)]
mod tests {
    use handfast_model::SeededRandom;
    use proptest::prelude::*;

    use super::*;

    /// The vectors less the two streams, computed with `openssl enc -aes-256-ctr`.
    const GOLDEN_REST: &str = "9a319648f717c0be7117e49a";

    fn golden() -> Dealt {
        let seeds = [Zeroizing::new([1; SEED]), Zeroizing::new([2; SEED])];
        Dealt::deal_with(&[0, 1, -1, 127, -128, i16::MIN], 3, seeds).unwrap()
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn format_version_1_stays() {
        let ones = "01".repeat(32);
        let twos = "02".repeat(32);
        let expected = [
            format!("48464d530100030002{}{ones}{GOLDEN_REST}", "00"),
            format!("48464d530101030002{}{twos}{ones}", "00"),
            format!("48464d530102030002{}{GOLDEN_REST}{twos}", "00"),
        ];
        for (set, expected) in golden().sets.iter().zip(expected) {
            assert_eq!(hex(&set.to_bytes()), expected);
        }
    }

    #[test]
    fn other_bytes_are_refused() {
        for (role, set) in Role::ALL.into_iter().zip(golden().sets) {
            let bytes = set.to_bytes();
            for end in 0..bytes.len() {
                assert!(ShareSet::from_bytes(role, &bytes[..end]).is_err());
            }
            let longer = [&bytes[..], &[0]].concat();
            assert!(matches!(
                ShareSet::from_bytes(role, &longer),
                Err(DealingError::WrongLength { .. })
            ));
            for (at, error) in [
                (0, DealingError::WrongKind),
                (4, DealingError::Version { found: 0xff }),
                (5, DealingError::WrongNode { expected: role }),
            ] {
                let mut wrong = bytes.to_vec();
                wrong[at] = 0xff;
                assert_eq!(ShareSet::from_bytes(role, &wrong).unwrap_err(), error);
            }
            let mut no_vectors = bytes.to_vec();
            no_vectors[8..10].fill(0);
            assert!(ShareSet::from_bytes(role, &no_vectors).is_err());
            assert!(matches!(
                ShareSet::from_bytes(role.next(), &bytes),
                Err(DealingError::WrongNode { .. })
            ));
        }
    }

    #[test]
    fn impossible_vectors_are_refused() {
        let random = SeededRandom::new(1);
        assert!(Dealt::deal(&[], 4, &random).is_err());
        assert!(Dealt::deal(&[1, 2, 3], 2, &random).is_err());
        assert!(Dealt::deal(&[1], 0, &random).is_err());
        assert!(Dealt::deal(&vec![0; DIMENSION_MAX + 1], DIMENSION_MAX + 1, &random).is_err());
        assert!(Dealt::deal(&vec![0; VECTORS_MAX + 1], 1, &random).is_err());
    }

    #[test]
    fn holders_notice_inconsistent_dealing() {
        let random = SeededRandom::new(2);
        let honest = Dealt::deal(&[1, 2, 3, 4], 4, &random).unwrap().sets;
        let other = Dealt::deal(&[1, 2, 3, 4], 4, &random).unwrap().sets;
        let key = CheckKey::new([9; 32]);
        for component in Role::ALL {
            let (p, q) = (component.index(), component.next().index());
            for (from, to) in [(p, q), (q, p)] {
                let value = honest[from].check(component, &key, b"query 1").unwrap();
                let verify = |set: &ShareSet, key: &CheckKey, context: &[u8]| {
                    set.verify_check(component, key, context, &value).unwrap()
                };
                assert!(verify(&honest[to], &key, b"query 1"));
                assert!(!verify(&other[to], &key, b"query 1"));
                assert!(!verify(&honest[to], &key, b"query 2"));
                assert!(!verify(&honest[to], &CheckKey::new([8; 32]), b"query 1"));
                assert!(!verify(&honest[from], &key, b"query 1"), "a value answered with itself");
            }
            let lacking = &honest[component.previous().index()];
            assert!(lacking.check(component, &key, b"").is_err());
        }
    }

    #[test]
    fn debug_prints_no_share() {
        assert_eq!(format!("{:?}", golden().sets[0]), "ShareSet(A, 2 x 3)");
    }

    proptest! {
        #[test]
        fn components_add_to_the_vectors(numbers: Vec<i16>, seed: u64) {
            prop_assume!(!numbers.is_empty());
            let dealt = Dealt::deal(&numbers, numbers.len(), &SeededRandom::new(seed)).unwrap();
            let mut sum = vec![0u16; numbers.len()];
            for (role, set) in Role::ALL.into_iter().zip(&dealt.sets) {
                let read = ShareSet::from_bytes(role, &set.to_bytes()).unwrap();
                let own = read.component(role).unwrap();
                let again = dealt.sets[role.next().index()].component(role).unwrap();
                prop_assert_eq!(&*own, &*again);
                sum.iter_mut().zip(&*own).for_each(|(sum, &s)| *sum = sum.wrapping_add(s));
                prop_assert!(set.component(role.next()).is_err());
            }
            prop_assert!(sum.iter().zip(&numbers).all(|(&s, &x)| s.cast_signed() == x));
        }

        #[test]
        fn no_bytes_make_reading_panic(bytes: Vec<u8>) {
            for role in Role::ALL {
                let _ = ShareSet::from_bytes(role, &bytes);
            }
        }
    }
}
