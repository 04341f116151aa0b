//! From a shared bit a slot to three parts whose xor is the matching slot's token, or zero.

use std::fmt;

use hkdf::Hkdf;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::bits::SharedBits;
use crate::cipher::{BLOCK, Cipher, TOGETHER};
use crate::keys::{KeyError, QueryKeys};
use crate::{Role, Step};

/// Bytes of a token: as long as `handfast_model::PairwiseToken`.
pub const TOKEN: usize = 16;
const QUERY_LABEL: &[u8] = b"handfast mpc 1 token key of a query ";
/// Slots whose bits are in one word, and whose tokens are computed together.
const WORD: usize = TOGETHER;
/// What the first half of a block says: a slot's token, or the one that stands for no slot.
const SLOT_DOMAIN: u64 = 1;
const DUMMY_DOMAIN: u64 = 2;

/// A key of two nodes from which tokens follow: F(K, slot) is AES-256 of the slot's number. Its
/// `Debug` prints nothing of it.
#[derive(Clone)]
pub struct TokenKey(Zeroizing<[u8; 32]>);

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(hidden)")
    }
}

impl TokenKey {
    /// From 32 secret bytes that exactly the two nodes know.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// F(slot, query) is F(slot) under a key of the query.
    fn of_query(&self, purpose: Purpose, query: &[u8; 16]) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        let info = [QUERY_LABEL, &[purpose.step().code()], query].concat();
        Hkdf::<Sha256>::new(None, &self.0[..])
            .expand(&info, &mut key[..])
            .expect("HKDF gives a key of 32 bytes");
        Self(key)
    }

    fn cipher(&self) -> Cipher {
        Cipher::new(&self.0)
    }
}

/// A block of two words, the first one least significant.
const fn block(domain: u64, slot: u64) -> [u8; BLOCK] {
    (domain as u128 | (slot as u128) << 64).to_le_bytes()
}

/// Tokens of a word's slots under one key.
fn tokens(cipher: &Cipher, slots: &[u64]) -> [u128; WORD] {
    let mut blocks = [[0; BLOCK]; TOGETHER];
    for (block_of_slot, &slot) in blocks.iter_mut().zip(slots) {
        *block_of_slot = block(SLOT_DOMAIN, slot);
    }
    cipher.encrypt(&mut blocks);
    blocks.map(u128::from_le_bytes)
}

fn dummy(cipher: &Cipher) -> u128 {
    let mut blocks = [block(DUMMY_DOMAIN, 0); TOGETHER];
    cipher.encrypt(&mut blocks);
    u128::from_le_bytes(blocks[0])
}

/// What a selected value is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A relying party's pairwise token: equal for a slot every time.
    Token,
    /// An audit tag: of this query, never zero.
    Audit,
    /// A duplicate check: of this query, so it says whether and not who.
    Duplicate,
    /// Whether a dealt vector is too long: of this query, so it says whether and not which.
    Length,
}

impl Purpose {
    /// The step whose streams hide the parts.
    const fn step(self) -> Step {
        match self {
            Self::Token => Step::Token,
            Self::Audit => Step::Audit,
            Self::Duplicate => Step::Duplicate,
            Self::Length => Step::Length,
        }
    }
}

/// One value to select with the result bits, with the node's two keys of three.
#[derive(Clone, Debug)]
pub struct Selection {
    purpose: Purpose,
    own: TokenKey,
    previous: TokenKey,
}

impl Selection {
    /// The relying party's token of the matching slot. `own` is known to this node and the next,
    /// `previous` to this node and the one before.
    #[must_use]
    pub const fn token(own: TokenKey, previous: TokenKey) -> Self {
        Self { purpose: Purpose::Token, own, previous }
    }

    /// The audit tag of `query`: F(dummy, query) xor F(slot, query) of the matching slot.
    #[must_use]
    pub fn audit(own: &TokenKey, previous: &TokenKey, query: &[u8; 16]) -> Self {
        Self::of_query(Purpose::Audit, own, previous, query)
    }

    /// Whether any slot matches, as zero or a value that is random for every `query`.
    #[must_use]
    pub fn duplicate(own: &TokenKey, previous: &TokenKey, query: &[u8; 16]) -> Self {
        Self::of_query(Purpose::Duplicate, own, previous, query)
    }

    /// Whether any of the checks fails that [`crate::LengthChecks`] numbers, as zero or a value that
    /// is random for every `query`.
    #[must_use]
    pub fn length(own: &TokenKey, previous: &TokenKey, query: &[u8; 16]) -> Self {
        Self::of_query(Purpose::Length, own, previous, query)
    }

    fn of_query(purpose: Purpose, own: &TokenKey, previous: &TokenKey, query: &[u8; 16]) -> Self {
        let (own, previous) = (own.of_query(purpose, query), previous.of_query(purpose, query));
        Self { purpose, own, previous }
    }

    /// What it is for.
    #[must_use]
    pub const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// The node's own component of a slot's audit value F(dummy, query) xor F(slot, query), which
    /// the slot's person collects from the three nodes to find the query in the log.
    #[must_use]
    pub fn audit_component(&self, slot: u64) -> [u8; TOKEN] {
        let cipher = self.own.cipher();
        (dummy(&cipher) ^ tokens(&cipher, &[slot])[0]).to_le_bytes()
    }

    /// The node's part: of every slot whose bit is set, its share of the token.
    pub(crate) fn part(
        &self,
        bits: &SharedBits,
        slots: &[u64],
        keys: &mut QueryKeys,
    ) -> Result<ResultPart, KeyError> {
        let (own, previous) = (self.own.cipher(), self.previous.cipher());
        let mut sum = if self.purpose == Purpose::Audit { dummy(&own) } else { 0 };
        let words = bits.own.iter().zip(&bits.previous);
        for ((&own_bits, &previous_bits), slots) in words.zip(slots.chunks(WORD)) {
            let own_tokens = tokens(&own, slots);
            let previous_tokens = tokens(&previous, slots);
            sum ^= selected(own_bits, previous_bits, &own_tokens, &previous_tokens);
        }
        hide(sum, self.purpose, keys)
    }

    /// The node's part of a slot's token, while the slot is armed: what a search that finds exactly
    /// this slot would give. No node needs to hear from another.
    ///
    /// # Errors
    /// When `keys` delivered already.
    pub fn deliver(
        &self,
        node: Role,
        slot: u64,
        keys: &mut QueryKeys,
    ) -> Result<ResultPart, KeyError> {
        let token = tokens(&self.own.cipher(), &[slot])[0];
        let previous = tokens(&self.previous.cipher(), &[slot])[0];
        // The public bit 1 is component A alone.
        let sum = selected(
            u64::from(node == Role::A),
            u64::from(node == Role::B),
            &padded(token),
            &padded(previous),
        );
        let mut words = [sum as u64, (sum >> 64) as u64];
        keys.streams(Step::Deliver)?.add_zero_bits(&mut words);
        Ok(ResultPart::of(self.purpose, words))
    }
}

fn padded(token: u128) -> [u128; WORD] {
    let mut tokens = [0; WORD];
    tokens[0] = token;
    tokens
}

/// Xor over a word's slots of b_p (t_p xor t_(p-1)) xor b_(p-1) t_p: the node's summand of the xor of
/// b * t, before anything hides it. Each slot costs the same whatever its bits are.
pub(crate) fn selected(
    own_bits: u64,
    previous_bits: u64,
    own_tokens: &[u128; WORD],
    previous_tokens: &[u128; WORD],
) -> u128 {
    let mask = |bits: u64, at: usize| 0u128.wrapping_sub(u128::from(bits >> at & 1));
    (0..WORD).fold(0, |sum, at| {
        let (own, previous) = (own_tokens[at], previous_tokens[at]);
        sum ^ (mask(own_bits, at) & (own ^ previous)) ^ (mask(previous_bits, at) & own)
    })
}

fn hide(sum: u128, purpose: Purpose, keys: &mut QueryKeys) -> Result<ResultPart, KeyError> {
    let mut words = [sum as u64, (sum >> 64) as u64];
    keys.streams(purpose.step())?.add_zero_bits(&mut words);
    Ok(ResultPart::of(purpose, words))
}

/// One node's part of a result: random alone, and with one other; signed and sealed to the relying
/// party by the node. `Debug` prints nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct ResultPart {
    purpose: Purpose,
    bytes: [u8; TOKEN],
}

impl fmt::Debug for ResultPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResultPart({:?})", self.purpose)
    }
}

impl ResultPart {
    fn of(purpose: Purpose, [low, high]: [u64; 2]) -> Self {
        let value = u128::from(low) | u128::from(high) << 64;
        Self { purpose, bytes: value.to_le_bytes() }
    }

    /// From bytes that came from a node.
    #[must_use]
    pub const fn from_bytes(purpose: Purpose, bytes: [u8; TOKEN]) -> Self {
        Self { purpose, bytes }
    }

    /// What it is for.
    #[must_use]
    pub const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// The bytes to seal.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; TOKEN] {
        &self.bytes
    }
}

/// The xor of three parts: all zeros where no slot matches; a slot's value where one matches;
/// something unknown where several do, which the relying party treats as ambiguous. `None` for
/// parts of different purposes.
#[must_use]
pub fn open(parts: [&ResultPart; 3]) -> Option<[u8; TOKEN]> {
    let [a, b, c] = parts;
    (a.purpose == b.purpose && b.purpose == c.purpose)
        .then(|| std::array::from_fn(|at| a.bytes[at] ^ b.bytes[at] ^ c.bytes[at]))
}

/// Whether an opened value says that no slot matches.
#[must_use]
pub fn is_no_match(opened: &[u8; TOKEN]) -> bool {
    opened.ct_eq(&[0; TOKEN]).into()
}

/// The value of a slot under three keys: what opening gives where that slot alone matches. For
/// tests: nobody holds three keys.
#[cfg(test)]
pub(crate) fn token_of(keys: &[TokenKey; 3], slot: u64) -> [u8; TOKEN] {
    keys.iter().fold(0, |sum, key| sum ^ tokens(&key.cipher(), &[slot])[0]).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn arming_delivers_the_token_that_a_search_gives() {
        let token_keys = testing::token_keys(3);
        let mut keys = testing::query_keys(4);
        let parts: Vec<ResultPart> = Role::ALL
            .into_iter()
            .map(|role| {
                let selection = testing::token_selection(&token_keys, role);
                selection.deliver(role, 77, &mut keys[role.index()]).unwrap()
            })
            .collect();
        assert_eq!(open([&parts[0], &parts[1], &parts[2]]), Some(token_of(&token_keys, 77)));
        let selection = testing::token_selection(&token_keys, Role::A);
        assert!(
            selection.deliver(Role::A, 78, &mut keys[0]).is_err(),
            "one delivery a set of keys"
        );
    }

    #[test]
    fn parts_of_different_purposes_do_not_open() {
        let part = |purpose| ResultPart::from_bytes(purpose, [1; TOKEN]);
        let (token, audit) = (part(Purpose::Token), part(Purpose::Audit));
        assert_eq!(open([&token, &token, &audit]), None);
        assert_eq!(open([&token, &token, &token]), Some([1; TOKEN]));
        assert!(is_no_match(&[0; TOKEN]) && !is_no_match(&[1; TOKEN]));
    }

    #[test]
    fn tokens_depend_on_query_and_purpose_where_they_should() {
        let keys = testing::token_keys(1);
        let values = [
            keys[0].clone(),
            keys[0].of_query(Purpose::Audit, &[1; 16]),
            keys[0].of_query(Purpose::Audit, &[2; 16]),
            keys[0].of_query(Purpose::Duplicate, &[1; 16]),
        ]
        .map(|key| tokens(&key.cipher(), &[5])[0]);
        let distinct: std::collections::HashSet<u128> = values.into_iter().collect();
        assert_eq!(distinct.len(), 4);
    }
}
