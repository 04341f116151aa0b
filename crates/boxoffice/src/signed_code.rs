//! Signed ticket codes: a lane that has never heard of the ticket can still tell that it is ours.
//!
//! `HF2.` and base 32 of: a version byte (1), the first 8 bytes of the signing key's SHA-256, the
//! event's and the ticket's number (16 bytes each, as in their ids), good from and until (seconds
//! since 1970, 4 bytes each, 0 for none), people (1), serial (2), the product (a length byte and
//! UTF-8), and an Ed25519 signature (RFC 8032) of all before it under the context below. Numbers
//! are big-endian. A replaced code has the next serial; the old one is then withdrawn.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use handfast_model::{EventId, TicketId, Timestamp};
use sha2::{Digest, Sha256};

use crate::{CodeError, base32};

/// What signed codes begin with.
pub(crate) const PREFIX: &str = "HF2.";
/// The first byte.
const VERSION: u8 = 1;
/// Signed before the bytes, so that no signature made for anything else is one of a ticket.
const CONTEXT: &[u8] = b"handfast ticket code v1\0";
const SIGNATURE_LEN: usize = 64;
const HEAD_LEN: usize = 1 + 8 + 16 + 16 + 4 + 4 + 1 + 2 + 1;
/// Above any name that fits a printed ticket; keeps the QR code readable from a phone.
pub(crate) const PRODUCT_LEN_MAX: usize = 60;
const SECOND_MICROS: i64 = 1_000_000;

/// The first bytes of a public key's hash: which key to verify with.
pub type KeyId = [u8; 8];

/// What a signed code says.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedCode {
    /// Which key signed it.
    pub key_id: KeyId,
    /// Which event it is for.
    pub event_id: EventId,
    /// Which ticket it is.
    pub ticket_id: TicketId,
    /// When it is good from.
    pub valid_from: Option<Timestamp>,
    /// When it is good until.
    pub valid_until: Option<Timestamp>,
    /// How many people enter on it.
    pub people: u8,
    /// Which issue of the code it is.
    pub serial: u16,
    /// The product.
    pub product: String,
    signature: [u8; SIGNATURE_LEN],
}

impl std::fmt::Debug for SignedCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SignedCode(hidden)")
    }
}

/// What is to be signed.
#[derive(Clone, Debug)]
pub(crate) struct Unsigned<'a> {
    pub event_id: EventId,
    pub ticket_id: TicketId,
    pub valid_from: Option<Timestamp>,
    pub valid_until: Option<Timestamp>,
    pub people: u8,
    pub serial: u16,
    pub product: &'a str,
}

impl SignedCode {
    /// Signs; a product longer than the format holds is cut at a character.
    pub(crate) fn sign(unsigned: &Unsigned<'_>, key: &SigningKey) -> Self {
        let mut code = Self {
            key_id: key_id(&key.verifying_key()),
            event_id: unsigned.event_id,
            ticket_id: unsigned.ticket_id,
            valid_from: unsigned.valid_from,
            valid_until: unsigned.valid_until,
            people: unsigned.people,
            serial: unsigned.serial,
            product: cut(unsigned.product).to_owned(),
            signature: [0; SIGNATURE_LEN],
        };
        code.signature = key.sign(&code.signed_bytes()).to_bytes();
        code
    }

    /// The code as a QR code shows it.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut bytes = self.body();
        bytes.extend_from_slice(&self.signature);
        format!("{PREFIX}{}", base32::encode(&bytes))
    }

    /// Reads a code; whether it is genuine is for [`SignedCode::verify`].
    ///
    /// # Errors
    /// [`CodeError::Foreign`] for another beginning; [`CodeError::Malformed`] for what does not
    /// have this shape.
    pub fn decode(text: &str) -> Result<Self, CodeError> {
        let (prefix, digits) = text.split_at_checked(PREFIX.len()).ok_or(CodeError::Foreign)?;
        if !prefix.eq_ignore_ascii_case(PREFIX) {
            return Err(CodeError::Foreign);
        }
        let bytes = base32::decode(digits).ok_or(CodeError::Malformed)?;
        Self::from_bytes(&bytes).ok_or(CodeError::Malformed)
    }

    /// Whether this key signed it.
    #[must_use]
    pub fn verify(&self, key: &VerifyingKey) -> bool {
        let signature = Signature::from_bytes(&self.signature);
        key_id(key) == self.key_id && key.verify_strict(&self.signed_bytes(), &signature).is_ok()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        if take::<1>(&mut rest)? != [VERSION] {
            return None;
        }
        let key_id = take(&mut rest)?;
        let event_id = id_text("evt", take(&mut rest)?).parse().ok()?;
        let ticket_id = id_text("tkt", take(&mut rest)?).parse().ok()?;
        let valid_from = time(take(&mut rest)?);
        let valid_until = time(take(&mut rest)?);
        let [people] = take(&mut rest)?;
        let serial = u16::from_be_bytes(take(&mut rest)?);
        let [product_len] = take(&mut rest)?;
        let (product, rest) = rest.split_at_checked(usize::from(product_len))?;
        let product = std::str::from_utf8(product).ok()?.to_owned();
        let fits = people > 0 && product.len() <= PRODUCT_LEN_MAX;
        let signature = rest.try_into().ok().filter(|_| fits)?;
        let code = Self {
            key_id,
            event_id,
            ticket_id,
            valid_from,
            valid_until,
            people,
            serial,
            product,
            signature,
        };
        Some(code)
    }

    fn body(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_LEN + self.product.len() + SIGNATURE_LEN);
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.key_id);
        bytes.extend_from_slice(&id_number(&self.event_id.to_string()));
        bytes.extend_from_slice(&id_number(&self.ticket_id.to_string()));
        bytes.extend_from_slice(&seconds(self.valid_from));
        bytes.extend_from_slice(&seconds(self.valid_until));
        bytes.push(self.people);
        bytes.extend_from_slice(&self.serial.to_be_bytes());
        bytes.push(u8::try_from(self.product.len()).unwrap_or(0));
        bytes.extend_from_slice(self.product.as_bytes());
        bytes
    }

    fn signed_bytes(&self) -> Vec<u8> {
        [CONTEXT, &self.body()].concat()
    }
}

/// Which key a code names.
#[must_use]
pub(crate) fn key_id(key: &VerifyingKey) -> KeyId {
    let hash: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    let mut id = KeyId::default();
    id.copy_from_slice(&hash[..8]);
    id
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk::<N>()?;
    *rest = left;
    Some(*taken)
}

fn cut(product: &str) -> &str {
    &product[..product.floor_char_boundary(PRODUCT_LEN_MAX)]
}

fn seconds(at: Option<Timestamp>) -> [u8; 4] {
    let seconds = at.map_or(0, |at| at.as_micros() / SECOND_MICROS);
    u32::try_from(seconds).unwrap_or(if seconds < 0 { 0 } else { u32::MAX }).to_be_bytes()
}

fn time(bytes: [u8; 4]) -> Option<Timestamp> {
    let seconds = u32::from_be_bytes(bytes);
    (seconds > 0).then(|| Timestamp::from_micros(i64::from(seconds) * SECOND_MICROS))
}

/// An id's number: its digits are base 32 of 130 bits, of which the first two are zero.
fn id_number(id: &str) -> [u8; 16] {
    let digits = id.rsplit('_').next().unwrap_or_default();
    let number = digits.bytes().fold(0_u128, |number, digit| {
        (number << 5) | u128::from(base32::value(char::from(digit)).unwrap_or(0))
    });
    number.to_be_bytes()
}

fn id_text(prefix: &str, number: [u8; 16]) -> String {
    let number = u128::from_be_bytes(number);
    let digits = (0..26).rev().map(|place| base32::digit((number >> (5 * place)) as u32));
    format!("{prefix}_{}", digits.collect::<String>().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use handfast_model::{ManualClock, SeededRandom};
    use proptest::prelude::*;

    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn code(product: &str) -> SignedCode {
        let clock = ManualClock::at(Timestamp::from_micros(1_790_000_000_000_000));
        let random = SeededRandom::new(5);
        let unsigned = Unsigned {
            event_id: EventId::new(&clock, &random),
            ticket_id: TicketId::new(&clock, &random),
            valid_from: None,
            valid_until: Some(Timestamp::from_micros(1_790_000_000_000_000)),
            people: 4,
            serial: 2,
            product,
        };
        SignedCode::sign(&unsigned, &key())
    }

    #[test]
    fn a_code_says_what_was_signed_and_only_its_key_verifies_it() {
        let signed = code("General admission");
        let read = SignedCode::decode(&signed.encode()).unwrap();
        assert_eq!(read, signed);
        assert!(read.verify(&key().verifying_key()));
        assert!(!read.verify(&SigningKey::from_bytes(&[8; 32]).verifying_key()));
        assert!(!format!("{read:?}").contains("General"));
    }

    /// The format's golden vector: codes are printed and stay valid for years.
    #[test]
    fn a_printed_code_stays_readable() {
        let golden = include_str!("../tests/golden/signed_code_v1.txt").trim();
        assert_eq!(code("General admission").encode(), golden);
        let read = SignedCode::decode(golden).unwrap();
        assert!(read.verify(&key().verifying_key()));
        assert_eq!((read.people, read.serial, read.product.as_str()), (4, 2, "General admission"));
    }

    #[test]
    fn one_flipped_bit_is_never_genuine() {
        let signed = code("VIP");
        let mut bytes = signed.body();
        bytes.extend_from_slice(&signed.signature);
        for place in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[place / 8] ^= 1 << (place % 8);
            let genuine = SignedCode::from_bytes(&flipped)
                .is_some_and(|code| code.verify(&key().verifying_key()));
            assert!(!genuine, "bit {place}");
        }
    }

    #[test]
    fn a_long_product_is_cut_at_a_character() {
        let long = "é".repeat(40);
        assert_eq!(code(&long).product, "é".repeat(30));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let text = format!("HF2.{}", base32::encode(&bytes));
            if let Ok(code) = SignedCode::decode(&text) {
                prop_assert_eq!(SignedCode::decode(&code.encode()).unwrap(), code);
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,300}") {
            let _ = SignedCode::decode(&text);
            let _ = SignedCode::decode(&format!("HF2.{text}"));
        }
    }
}
