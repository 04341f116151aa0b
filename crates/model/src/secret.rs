//! Values that must not be printed by accident.

use std::fmt;

use serde::{Deserialize, Deserializer};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// What one relying party knows a palm by: 16 bytes that only it has seen, equal for the same palm
/// at the same relying party, unrelated at any other. Its `Debug` prints nothing of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PairwiseToken([u8; Self::LEN]);

impl PairwiseToken {
    /// Bytes in a token: 128 bits, so that a guess or a chance collision is out of reach.
    pub const LEN: usize = 16;

    /// From its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// Its bytes, for the relying party's own store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Debug for PairwiseToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PairwiseToken(hidden)")
    }
}

/// A secret text (an API key, a session key, a mail link's key): `Debug` hides it, its memory is
/// zeroed when it is dropped, and comparing two takes as long wherever they differ.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretText(String);

impl SecretText {
    /// Wraps a secret.
    #[must_use]
    pub const fn new(secret: String) -> Self {
        Self(secret)
    }

    /// The secret itself: for handing it to its owner.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for SecretText {
    fn from(secret: String) -> Self {
        Self(secret)
    }
}

/// Reads what a request, a file or an answer carries. There is no way back: whoever hands a secret
/// to its owner says so with [`SecretText::expose`].
impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

impl PartialEq for SecretText {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for SecretText {}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_equal_when_their_texts_are() {
        let secret = |text: &str| SecretText::new(text.to_owned());
        assert_eq!(secret("key"), secret("key"));
        assert_ne!(secret("key"), secret("kez"));
        assert_ne!(secret("key"), secret("key2"));
    }

    #[test]
    fn debug_hides_the_value() {
        assert_eq!(format!("{:?}", PairwiseToken::from_bytes([9; 16])), "PairwiseToken(hidden)");
        assert_eq!(format!("{:?}", SecretText::new("key".into())), "SecretText(hidden)");
    }
}
