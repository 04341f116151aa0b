//! Sealing: XChaCha20-Poly1305 under a key of 32 bytes, bound to the place the sealed bytes belong
//! in, so that a sealed value moved to another row, column or version does not open.
//!
//! The nonce has 24 bytes and is random: one key may seal any number of values that a vault can
//! hold without ever repeating one.

use std::fmt;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use handfast_model::Random;
use zeroize::Zeroizing;

/// Bytes in a sealing key.
pub(crate) const KEY_LEN: usize = 32;
/// Bytes in a nonce of XChaCha20-Poly1305.
const NONCE_LEN: usize = 24;
/// Bytes that sealing adds: the nonce before, the authentication tag behind.
pub(crate) const OVERHEAD: usize = NONCE_LEN + 16;

/// Where sealed bytes belong; authenticated, not stored.
pub(crate) struct Place {
    /// The table or file.
    pub(crate) table: &'static str,
    /// The row within it.
    pub(crate) row: Vec<u8>,
    /// The column.
    pub(crate) column: &'static str,
    /// The version of what is sealed.
    pub(crate) version: u8,
}

impl Place {
    /// Every part behind its length, so that no two places give the same bytes.
    fn associated_data(&self) -> Vec<u8> {
        let mut data = vec![self.version];
        for part in [self.table.as_bytes(), &self.row, self.column.as_bytes()] {
            data.extend_from_slice(&(part.len() as u64).to_be_bytes());
            data.extend_from_slice(part);
        }
        data
    }
}

/// Sealed bytes that do not open: another key, another place, or damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SealBroken;

/// A key that seals; zeroed when dropped. It lies behind a pointer, so that moving it leaves no
/// copy behind.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SealingKey(Box<Zeroizing<[u8; KEY_LEN]>>);

impl SealingKey {
    pub(crate) fn generate(random: &dyn Random) -> Self {
        let mut bytes = Box::new(Zeroizing::new([0; KEY_LEN]));
        random.fill(&mut **bytes);
        Self(bytes)
    }

    /// The key in `bytes`; `None` where they have another length.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut key = Box::new(Zeroizing::new([0; KEY_LEN]));
        (bytes.len() == KEY_LEN).then(|| key.copy_from_slice(bytes))?;
        Some(Self(key))
    }

    /// The key itself, to be sealed under another one or written to its file.
    pub(crate) fn expose(&self) -> &[u8; KEY_LEN] {
        &self.0
    }

    /// `plain`, sealed: [`OVERHEAD`] bytes longer.
    pub(crate) fn seal(&self, place: &Place, plain: &[u8], random: &dyn Random) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce);
        let payload = Payload { msg: plain, aad: &place.associated_data() };
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), payload)
            .expect("encryption fails only beyond 256 GiB");
        [nonce.as_slice(), &sealed].concat()
    }

    /// What was sealed for this place under this key.
    pub(crate) fn open(
        &self,
        place: &Place,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealBroken> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(SealBroken)?;
        let payload = Payload { msg: sealed, aad: &place.associated_data() };
        let plain =
            self.cipher().decrypt(&XNonce::from(*nonce), payload).map_err(|_| SealBroken)?;
        Ok(Zeroizing::new(plain))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&**self.0).into())
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use handfast_model::SeededRandom;

    use super::*;

    fn place(row: &[u8]) -> Place {
        Place { table: "slot", row: row.to_vec(), column: "sealed_reference", version: 1 }
    }

    #[test]
    fn opens_under_its_key_at_its_place_only() {
        let random = SeededRandom::new(1);
        let (key, other) = (SealingKey::generate(&random), SealingKey::generate(&random));
        let sealed = key.seal(&place(b"7"), b"palm", &random);
        assert_eq!(sealed.len(), 4 + OVERHEAD);
        assert_eq!(key.open(&place(b"7"), &sealed).unwrap().as_slice(), b"palm");
        assert_eq!(other.open(&place(b"7"), &sealed), Err(SealBroken));
        assert_eq!(key.open(&place(b"8"), &sealed), Err(SealBroken));
        let newer = Place { version: 2, ..place(b"7") };
        assert_eq!(key.open(&newer, &sealed), Err(SealBroken));
        let moved = Place { table: "slo", row: b"t7".to_vec(), ..place(b"7") };
        assert_eq!(key.open(&moved, &sealed), Err(SealBroken));
    }

    #[test]
    fn a_changed_or_short_value_does_not_open() {
        let random = SeededRandom::new(2);
        let key = SealingKey::generate(&random);
        let sealed = key.seal(&place(b"7"), b"palm", &random);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(key.open(&place(b"7"), &changed), Err(SealBroken), "byte {at}");
            assert_eq!(key.open(&place(b"7"), &sealed[..at]), Err(SealBroken), "cut at {at}");
        }
    }

    #[test]
    fn the_same_value_seals_differently_each_time() {
        let random = SeededRandom::new(3);
        let key = SealingKey::generate(&random);
        let seal = || key.seal(&place(b"7"), b"palm", &random);
        assert_ne!(seal(), seal());
    }
}
