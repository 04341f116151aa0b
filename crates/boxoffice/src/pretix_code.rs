//! Reading the codes that pretix signs (`pretix_sig1`): the string reversed is base 64 of a version
//! byte (1), the payload's and the signature's length (2 bytes each, big-endian), a protobuf
//! message and its Ed25519 signature. Seen on pretix 2026.8.0; pretixlib and its documentation
//! call the fields as below.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use handfast_model::Timestamp;

const VERSION: u8 = 1;
const SECOND_MICROS: i64 = 1_000_000;
/// Above any code that pretix prints: six small numbers and a seed.
const TEXT_LEN_MAX: usize = 1024;
/// What a public key's PEM (RFC 8410) holds before the key's 32 bytes.
const SPKI_HEAD: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// What a code that pretix signed says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PretixCode {
    /// What makes the ticket's code its own.
    pub seed: String,
    /// The product's number in pretix.
    pub item: u64,
    /// The variation's number, 0 for none.
    pub variation: u64,
    /// The date's number in a series, 0 for none.
    pub subevent: u64,
    /// When it is good from.
    pub valid_from: Option<Timestamp>,
    /// When it is good until.
    pub valid_until: Option<Timestamp>,
    payload: Vec<u8>,
    signature: [u8; 64],
}

/// The text is no code that pretix signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no code that pretix signed")]
pub struct NotPretix;

impl PretixCode {
    /// Reads a code; whether it is genuine is for [`PretixCode::verify`].
    ///
    /// # Errors
    /// [`NotPretix`].
    pub fn decode(text: &str) -> Result<Self, NotPretix> {
        if text.len() > TEXT_LEN_MAX || !text.is_ascii() {
            return Err(NotPretix);
        }
        let reversed: Vec<u8> = text.bytes().rev().collect();
        let bytes = STANDARD.decode(reversed).map_err(|_| NotPretix)?;
        Self::from_bytes(&bytes).ok_or(NotPretix)
    }

    /// Whether this key signed it.
    #[must_use]
    pub fn verify(&self, key: &VerifyingKey) -> bool {
        key.verify_strict(&self.payload, &Signature::from_bytes(&self.signature)).is_ok()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<5>()?;
        let [version, p0, p1, s0, s1] = *head;
        let payload_len = usize::from(u16::from_be_bytes([p0, p1]));
        let signature_len = usize::from(u16::from_be_bytes([s0, s1]));
        let (payload, rest) = rest.split_at_checked(payload_len)?;
        let signature: [u8; 64] = rest.try_into().ok()?;
        if version != VERSION || signature_len != signature.len() {
            return None;
        }
        let mut code = Self {
            seed: String::new(),
            item: 0,
            variation: 0,
            subevent: 0,
            valid_from: None,
            valid_until: None,
            payload: payload.to_vec(),
            signature,
        };
        code.read_fields(payload)?;
        Some(code)
    }

    /// Protobuf: a key of field number and wire type, then a number or a length and bytes.
    fn read_fields(&mut self, mut rest: &[u8]) -> Option<()> {
        let time = |seconds: u64| {
            let micros = i64::try_from(seconds).ok()?.checked_mul(SECOND_MICROS)?;
            (micros > 0).then(|| Timestamp::from_micros(micros))
        };
        while !rest.is_empty() {
            let key = varint(&mut rest)?;
            match (key >> 3, key & 7) {
                (1, 2) => self.seed = String::from_utf8(bytes(&mut rest)?.to_vec()).ok()?,
                (2, 0) => self.item = varint(&mut rest)?,
                (3, 0) => self.variation = varint(&mut rest)?,
                (4, 0) => self.subevent = varint(&mut rest)?,
                (5, 0) => self.valid_from = time(varint(&mut rest)?),
                (6, 0) => self.valid_until = time(varint(&mut rest)?),
                // A newer pretix may add fields; they are signed, and not ours to judge.
                (_, 0) => drop(varint(&mut rest)?),
                (_, 2) => drop(bytes(&mut rest)?.len()),
                _ => return None,
            }
        }
        Some(())
    }
}

/// A public key as pretix gives it (`valid_keys.pretix_sig1`): base 64 of a PEM.
///
/// # Errors
/// [`NotPretix`] where it is no Ed25519 key in that form.
pub fn public_key(text: &str) -> Result<VerifyingKey, NotPretix> {
    let pem = STANDARD.decode(text.trim()).map_err(|_| NotPretix)?;
    let pem = String::from_utf8(pem).map_err(|_| NotPretix)?;
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let spki = STANDARD.decode(body.trim()).map_err(|_| NotPretix)?;
    let key = spki.strip_prefix(&SPKI_HEAD).ok_or(NotPretix)?;
    let key: [u8; 32] = key.try_into().map_err(|_| NotPretix)?;
    VerifyingKey::from_bytes(&key).map_err(|_| NotPretix)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, left) = rest.split_first()?;
        *rest = left;
        let bits = u64::from(byte & 0x7f);
        value |= bits.checked_shl(shift).filter(|shifted| shifted >> shift == bits)?;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(varint(rest)?).ok()?;
    let (taken, left) = rest.split_at_checked(len)?;
    *rest = left;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Made by a pretix 2026.8.0 of our own, with its public key and what its payload says.
    fn golden() -> (&'static str, VerifyingKey) {
        let mut lines = include_str!("../tests/golden/pretix_sig1.txt").lines();
        let (code, key) = (lines.next().unwrap(), lines.next().unwrap());
        (code, public_key(key).unwrap())
    }

    #[test]
    fn a_code_of_a_real_pretix_is_read_and_verified() {
        let (text, key) = golden();
        let code = PretixCode::decode(text).unwrap();
        assert!(code.verify(&key));
        assert!(!code.seed.is_empty() && code.item > 0);
        assert_eq!((code.variation, code.subevent, code.valid_from), (0, 0, None));
        let other = ed25519_dalek::SigningKey::from_bytes(&[1; 32]).verifying_key();
        assert!(!code.verify(&other));
    }

    #[test]
    fn one_flipped_bit_is_never_genuine() {
        let (text, key) = golden();
        let reversed: String = text.chars().rev().collect();
        let bytes = STANDARD.decode(reversed).unwrap();
        for place in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[place / 8] ^= 1 << (place % 8);
            let genuine = PretixCode::from_bytes(&flipped).is_some_and(|code| code.verify(&key));
            assert!(!genuine, "bit {place}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let text: String = STANDARD.encode(&bytes).chars().rev().collect();
            let _ = PretixCode::decode(&text);
            let mut framed = vec![1, 0, u8::try_from(bytes.len()).unwrap(), 0, 64];
            framed.extend_from_slice(&bytes);
            framed.extend_from_slice(&[0; 64]);
            let _ = PretixCode::from_bytes(&framed);
        }
    }
}
