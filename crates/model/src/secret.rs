//! Values that must not be printed by accident.

use std::fmt;

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

/// A secret text (an API key, a session key, a mail link's key) that `Debug` hides.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(String);

impl SecretText {
    /// Wraps a secret.
    #[must_use]
    pub const fn new(secret: String) -> Self {
        Self(secret)
    }

    /// The secret itself: for handing it to its owner, or comparing it in constant time.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_the_value() {
        assert_eq!(format!("{:?}", PairwiseToken::from_bytes([9; 16])), "PairwiseToken(hidden)");
        assert_eq!(format!("{:?}", SecretText::new("key".into())), "SecretText(hidden)");
    }
}
