//! Pairwise tokens: what a relying party knows a palm by.
//!
//! `token = HMAC-SHA256(K_R, "handfast pairwise token 1" || slot id)`, its first 16 bytes, where
//! K_R is a random key of the relying party R alone. Two relying parties that lay their tokens side
//! by side learn nothing about whose palms they are.

use handfast_model::{PairwiseToken, Random};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::SlotId;
use crate::sealing::SealingKey;

const LABEL: &[u8] = b"handfast pairwise token 1";

/// The key from which one relying party's tokens follow; zeroed when dropped.
#[derive(Clone, Debug)]
pub(crate) struct PairwiseKey(SealingKey);

impl PairwiseKey {
    pub(crate) fn generate(random: &dyn Random) -> Self {
        Self(SealingKey::generate(random))
    }

    /// The key in `bytes`; `None` where they have another length.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        SealingKey::from_slice(bytes).map(Self)
    }

    /// The key itself, to be sealed.
    pub(crate) fn expose(&self) -> &[u8] {
        self.0.expose()
    }

    /// This relying party's token for a slot.
    pub(crate) fn token(&self, slot: SlotId) -> PairwiseToken {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.expose()).expect("HMAC takes keys of any length");
        mac.update(LABEL);
        mac.update(&slot.to_bytes());
        let tag = mac.finalize().into_bytes();
        let mut token = [0; PairwiseToken::LEN];
        token.copy_from_slice(&tag[..PairwiseToken::LEN]);
        PairwiseToken::from_bytes(token)
    }
}

#[cfg(test)]
mod tests {
    use handfast_model::SeededRandom;

    use super::*;

    #[test]
    fn tokens_repeat_for_a_party_and_differ_between_parties_and_slots() {
        let random = SeededRandom::new(1);
        let (ours, theirs) = (PairwiseKey::generate(&random), PairwiseKey::generate(&random));
        let (one, two) = (SlotId::new(1).unwrap(), SlotId::new(2).unwrap());
        assert_eq!(ours.token(one), ours.token(one));
        assert_ne!(ours.token(one), ours.token(two));
        assert_ne!(ours.token(one), theirs.token(one));
    }

    /// Computed apart: `hmac.new(bytes([7]) * 32, b"handfast pairwise token 1" +
    /// (258).to_bytes(8, "big"), "sha256").digest()[:16]` in Python.
    #[test]
    fn the_formula_does_not_drift() {
        let key = PairwiseKey::from_slice(&[7; 32]).unwrap();
        let token = key.token(SlotId::new(258).unwrap());
        assert_eq!(token.as_bytes(), &GOLDEN);
    }

    const GOLDEN: [u8; 16] = [
        0xbf, 0xc7, 0xbf, 0x9f, 0x29, 0x55, 0x4c, 0xe0, 0x60, 0x33, 0x37, 0x0e, 0xb4, 0xd5, 0x36,
        0x89,
    ];
}
