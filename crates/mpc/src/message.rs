//! What nodes send each other, as bytes.

use thiserror::Error;

use crate::{PROTOCOL_VERSION, Role};

/// A step of the protocol; each has its own streams and at most one message between two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Summands of inner products become two numbers u + v.
    Reshare,
    /// Tables of u become shared.
    Split,
    /// The carries of digits (0), then a level of the adder.
    And(u8),
    /// A level of the OR over a slot's comparisons.
    Or(u8),
    /// Selection of a pairwise token; no message between nodes.
    Token,
    /// Selection of an audit tag; no message between nodes.
    Audit,
    /// Selection for a duplicate check; no message between nodes.
    Duplicate,
    /// Delivery of a token while arming; no message between nodes.
    Deliver,
    /// Selection of vectors that are too long; no message between nodes.
    Length,
}

/// First code of the adder's levels, of the OR's levels, and of steps without messages.
const AND: u8 = 16;
const OR: u8 = 32;
const SILENT: u8 = 64;

impl Step {
    /// Its number in messages and in keys' derivation.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Reshare => 0,
            Self::Split => 1,
            Self::And(level) => AND + level % (OR - AND),
            Self::Or(level) => OR + level % (SILENT - OR),
            Self::Token => SILENT,
            Self::Audit => SILENT + 1,
            Self::Duplicate => SILENT + 2,
            Self::Deliver => SILENT + 3,
            Self::Length => SILENT + 4,
        }
    }

    /// The step of a message with this number.
    const fn of_message(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Reshare),
            1 => Some(Self::Split),
            AND..OR => Some(Self::And(code - AND)),
            OR..SILENT => Some(Self::Or(code - OR)),
            _ => None,
        }
    }
}

/// Why bytes are no message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Shorter than a header, or an unknown step or node.
    #[error("these bytes are no message of the protocol")]
    Malformed,
    /// Another version of the protocol.
    #[error("the message is of protocol version {found}, this build speaks {PROTOCOL_VERSION}")]
    Version {
        /// Version found.
        found: u16,
    },
    /// A body longer or shorter than its header says.
    #[error("the message's body has {found} bytes, its header says {expected}")]
    WrongLength {
        /// Bytes announced.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
}

/// One message. Its body looks random to the node it is for; to anybody who has seen that node's
/// keys it does not, so it travels encrypted.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Its step.
    pub step: Step,
    /// Its sender.
    pub from: Role,
    /// Whom it is for.
    pub to: Role,
    /// Little-endian words of bits or numbers.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { step, from, to, body } = self;
        write!(f, "Message({step:?}, {from} to {to}, {} bytes)", body.len())
    }
}

impl Message {
    /// Version, step, from, to, length: what stands before the body.
    pub const HEADER: usize = 2 + 1 + 1 + 1 + 4;

    /// The header of its bytes; the body follows it.
    #[must_use]
    pub fn header(&self) -> [u8; Self::HEADER] {
        let [v0, v1] = PROTOCOL_VERSION.to_le_bytes();
        // The longest body, 53 bits of each of `COMPARISONS_MAX` comparisons, has 1.7 GiB.
        let [l0, l1, l2, l3] = (self.body.len() as u32).to_le_bytes();
        let (from, to) = (self.from.index() as u8, self.to.index() as u8);
        [v0, v1, self.step.code(), from, to, l0, l1, l2, l3]
    }

    /// Header and body.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        [&self.header()[..], &self.body].concat()
    }

    /// Reads what [`Message::to_bytes`] wrote. Whether the message is the expected one is for
    /// [`crate::Party::step`] to say.
    ///
    /// # Errors
    /// When the bytes are no message, of another version, or of another length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MessageError> {
        let (header, body) =
            bytes.split_first_chunk::<{ Self::HEADER }>().ok_or(MessageError::Malformed)?;
        let [v0, v1, step, from, to, l0, l1, l2, l3] = *header;
        let found = u16::from_le_bytes([v0, v1]);
        if found != PROTOCOL_VERSION {
            return Err(MessageError::Version { found });
        }
        let role = |index| Role::from_index(usize::from(index)).ok_or(MessageError::Malformed);
        let (from, to) = (role(from)?, role(to)?);
        let step = Step::of_message(step).ok_or(MessageError::Malformed)?;
        let expected = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        if expected != body.len() {
            return Err(MessageError::WrongLength { expected, found: body.len() });
        }
        Ok(Self { step, from, to, body: body.to_vec() })
    }
}

/// Words as bytes, filled in whole words: byte by byte this would cost more than the ANDs.
pub(crate) fn bytes_of_words(words: &[u64]) -> Vec<u8> {
    let mut bytes = vec![0; 8 * words.len()];
    put_words(words, &mut bytes);
    bytes
}

/// Puts words into as many bytes.
pub(crate) fn put_words(words: &[u64], bytes: &mut [u8]) {
    for (eight, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *eight = word.to_le_bytes();
    }
}

/// Bytes as words; what is left of a word is dropped, lengths are checked before.
pub(crate) fn words_of_bytes(bytes: &[u8]) -> Vec<u64> {
    bytes.as_chunks::<8>().0.iter().map(|eight| u64::from_le_bytes(*eight)).collect()
}

/// Adds bytes to as many words without carry.
pub(crate) fn xor_bytes(words: &mut [u64], bytes: &[u8]) {
    for (word, eight) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *word ^= u64::from_le_bytes(*eight);
    }
}

/// Numbers as bytes.
pub(crate) fn bytes_of_numbers(numbers: &[u16]) -> Vec<u8> {
    let mut bytes = vec![0; 2 * numbers.len()];
    for (two, number) in bytes.as_chunks_mut::<2>().0.iter_mut().zip(numbers) {
        *two = number.to_le_bytes();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message() -> Message {
        Message { step: Step::And(4), from: Role::A, to: Role::B, body: vec![1, 2, 3] }
    }

    #[test]
    fn version_2_stays() {
        assert_eq!(message().to_bytes(), [2, 0, 20, 0, 1, 3, 0, 0, 0, 1, 2, 3]);
    }

    #[test]
    fn steps_have_numbers_of_their_own() {
        let steps = (0..16)
            .map(Step::And)
            .chain((0..32).map(Step::Or))
            .chain([Step::Reshare, Step::Split, Step::Token, Step::Audit, Step::Duplicate])
            .chain([Step::Deliver, Step::Length]);
        let codes: std::collections::HashSet<u8> = steps.clone().map(Step::code).collect();
        assert_eq!(codes.len(), steps.clone().count());
        for step in steps {
            assert!(Step::of_message(step.code()).is_none_or(|read| read == step));
        }
    }

    #[test]
    fn other_bytes_are_refused() {
        let bytes = message().to_bytes();
        assert_eq!(Message::from_bytes(&bytes).unwrap(), message());
        for end in 0..bytes.len() {
            assert!(Message::from_bytes(&bytes[..end]).is_err());
        }
        assert!(Message::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
        for (at, value) in [(0, 1), (1, 1), (2, 15), (2, 64), (3, 3), (4, 255), (5, 2), (8, 1)] {
            let mut wrong = bytes.clone();
            wrong[at] = value;
            assert!(Message::from_bytes(&wrong).is_err(), "byte {at} = {value}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_panic(bytes: Vec<u8>) {
            if let Ok(message) = Message::from_bytes(&bytes) {
                prop_assert_eq!(message.to_bytes(), bytes);
            }
        }
    }
}
