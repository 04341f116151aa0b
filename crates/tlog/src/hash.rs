//! Hashes of the tree: SHA-256 with the domain separation of RFC 6962, section 2.1.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// Before a leaf's bytes (RFC 6962, section 2.1), so that a leaf is never taken for a node.
const LEAF_PREFIX: [u8; 1] = [0];
/// Before the hashes of two children.
const NODE_PREFIX: [u8; 1] = [1];

/// The hash of a leaf, of a node or of a whole tree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeHash([u8; Self::LEN]);

impl TreeHash {
    /// Bytes in a hash.
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

    /// The root of a log without leaves: SHA-256 of nothing.
    #[must_use]
    pub fn of_nothing() -> Self {
        Self(Sha256::digest([]).into())
    }

    /// The hash of a leaf that has these bytes.
    #[must_use]
    pub fn of_leaf(bytes: &[u8]) -> Self {
        Self(Sha256::new().chain_update(LEAF_PREFIX).chain_update(bytes).finalize().into())
    }

    /// The hash of the node above two others.
    #[must_use]
    pub fn of_node(left: Self, right: Self) -> Self {
        // One buffer, one update: this is the inner loop of every verification.
        let mut bytes = [0; 1 + 2 * Self::LEN];
        bytes[..1].copy_from_slice(&NODE_PREFIX);
        bytes[1..=Self::LEN].copy_from_slice(&left.0);
        bytes[1 + Self::LEN..].copy_from_slice(&right.0);
        Self(Sha256::digest(bytes).into())
    }

    /// From standard base64, as checkpoints and proofs write it.
    #[must_use]
    pub fn from_base64(text: &str) -> Option<Self> {
        STANDARD.decode(text).ok()?.try_into().ok().map(Self)
    }
}

impl fmt::Display for TreeHash {
    /// Standard base64, as checkpoints and proofs write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_rfc_6962_hold() {
        // From the test vectors of certificate-transparency-go, which everybody shares.
        let hex = |hash: TreeHash| hash.0.iter().map(|b| format!("{b:02x}")).collect::<String>();
        assert_eq!(
            hex(TreeHash::of_nothing()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(
            hex(TreeHash::of_leaf(b"")),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
        let two = TreeHash::of_node(TreeHash::of_leaf(b""), TreeHash::of_leaf(&[0]));
        assert_eq!(hex(two), "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
    }

    #[test]
    fn base64_round_trips_and_other_lengths_are_refused() {
        let hash = TreeHash::of_leaf(b"x");
        assert_eq!(TreeHash::from_base64(&hash.to_string()), Some(hash));
        assert_eq!(TreeHash::from_base64(&hash.to_string()[4..]), None);
        assert_eq!(TreeHash::from_base64("not base64"), None);
    }
}
