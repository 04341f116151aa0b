//! Commitments: how a leaf holds what nobody may read in it.

use std::fmt;

use handfast_model::Random;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use thiserror::Error;
use zeroize::Zeroizing;

/// Keeps these commitments apart from every other use of HMAC.
const COMMITMENT_DOMAIN: &[u8] = b"handfast log commitment v1\0";
const LABEL_DOMAIN: &[u8] = b"handfast log label v1\0";
/// Most bytes of private fields: the longest record there is, a use with eight searches that three nodes
/// signed, has half of it; and a proof, in whose `extra` line it travels, goes into a mail.
pub const PRIVATE_BYTES_MAX: usize = 8_192;

/// The private fields of a leaf do not fit.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("private fields of {got} bytes, but at most {PRIVATE_BYTES_MAX} fit; commit to their hash")]
pub struct PrivateFieldsTooLong {
    /// Bytes that were given.
    pub got: usize,
}

fn hmac(key: &[u8; 32], domain: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.update(domain);
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// Stands for private fields in a leaf: whoever has the [`Opening`] can show that they are these,
/// nobody else learns anything, not even whether two leaves hold the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Commitment([u8; Self::LEN]);

impl Commitment {
    /// Bytes in a commitment.
    pub const LEN: usize = 32;

    /// From its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Debug for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Commitment(")?;
        self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("..)")
    }
}

/// What opens a commitment: 32 random bytes and the private fields. Belongs to whom the leaf is
/// about; destroyed on drop, hidden in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Opening {
    blind: Zeroizing<[u8; Self::BLIND_LEN]>,
    private_fields: Zeroizing<Vec<u8>>,
}

impl Opening {
    /// Bytes of the blind: as many as the hash has, so that guessing private fields is hopeless.
    pub const BLIND_LEN: usize = 32;

    /// For private fields, with a fresh blind.
    ///
    /// # Errors
    /// Where they are longer than [`PRIVATE_BYTES_MAX`].
    pub fn new(private_fields: &[u8], random: &dyn Random) -> Result<Self, PrivateFieldsTooLong> {
        let mut blind = [0; Self::BLIND_LEN];
        random.fill(&mut blind);
        Self::from_parts(blind, private_fields)
    }

    /// From what a receipt holds.
    ///
    /// # Errors
    /// Where the fields are longer than [`PRIVATE_BYTES_MAX`].
    pub fn from_parts(
        blind: [u8; Self::BLIND_LEN],
        private_fields: &[u8],
    ) -> Result<Self, PrivateFieldsTooLong> {
        if private_fields.len() > PRIVATE_BYTES_MAX {
            return Err(PrivateFieldsTooLong { got: private_fields.len() });
        }
        let private_fields = Zeroizing::new(private_fields.to_vec());
        Ok(Self { blind: Zeroizing::new(blind), private_fields })
    }

    /// The random bytes.
    #[must_use]
    pub fn blind(&self) -> &[u8; Self::BLIND_LEN] {
        &self.blind
    }

    /// What was committed to.
    #[must_use]
    pub fn private_fields(&self) -> &[u8] {
        &self.private_fields
    }

    /// The commitment that it opens.
    #[must_use]
    pub fn commitment(&self) -> Commitment {
        Commitment(hmac(&self.blind, COMMITMENT_DOMAIN, &[&self.private_fields]))
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opening(hidden)")
    }
}

/// Stands for a place, an event or a gallery in public fields: the same one always has the same
/// label, and only the holder of the [`LabelKey`] knows which one it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label([u8; Self::LEN]);

impl Label {
    /// Bytes in a label.
    pub const LEN: usize = 16;

    /// From its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Makes labels: held by a venue (or the operator for it), hidden in `Debug`.
#[derive(Clone)]
pub struct LabelKey(Zeroizing<[u8; 32]>);

impl LabelKey {
    /// From its bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A new key.
    #[must_use]
    pub fn generate(random: &dyn Random) -> Self {
        let mut bytes = [0; 32];
        random.fill(&mut bytes);
        Self::from_bytes(bytes)
    }

    /// The label of something named by its id's text; the prefix of the id keeps kinds apart.
    #[must_use]
    pub fn label(&self, id: &impl fmt::Display) -> Label {
        let mut label = [0; Label::LEN];
        label.copy_from_slice(
            &hmac(&self.0, LABEL_DOMAIN, &[id.to_string().as_bytes()])[..Label::LEN],
        );
        Label(label)
    }
}

impl fmt::Debug for LabelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LabelKey(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use handfast_model::SeededRandom;

    use super::*;

    #[test]
    fn a_commitment_opens_to_its_own_fields_alone_and_never_repeats() {
        let random = SeededRandom::new(1);
        let opening = Opening::new(b"fields", &random).unwrap();
        let again = Opening::from_parts(*opening.blind(), b"fields").unwrap();
        assert_eq!(again.commitment(), opening.commitment());
        let other = Opening::from_parts(*opening.blind(), b"Fields").unwrap();
        assert_ne!(other.commitment(), opening.commitment());
        let fresh = Opening::new(b"fields", &random).unwrap();
        assert_ne!(fresh.commitment(), opening.commitment(), "two leaves are not linked");
        assert!(Opening::new(&[0; PRIVATE_BYTES_MAX + 1], &random).is_err());
        assert_eq!(format!("{opening:?}"), "Opening(hidden)");
    }

    #[test]
    fn the_golden_commitment_and_label_stay() {
        // Computed by Python's hmac module.
        let opening = Opening::from_parts([7; 32], b"a palm was deleted").unwrap();
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        assert_eq!(
            hex(opening.commitment().as_bytes()),
            "59dc64b991922e056020beb416a9980bb8c85befbe533a39d78f726c97ff863e"
        );
        let label = LabelKey::from_bytes([9; 32]).label(&"ven_00000000000000000000000001");
        assert_eq!(label.to_string(), "0c33da7b1b34138313cb2547e0c35b0e");
    }
}
