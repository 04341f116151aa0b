//! What nodes call things: sixteen bytes each, that say nothing of tickets, venues or people.

use std::fmt;

use handfast_model::{DeviceId, GalleryId, Random, RelyingParty};
use sha2::{Digest, Sha256};

use crate::deployment::DeploymentId;

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// A new one that nobody else has.
            #[must_use]
            pub fn draw(random: &dyn Random) -> Self {
                let mut bytes = [0; 16];
                random.fill(&mut bytes);
                Self(bytes)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:032x})", stringify!($name), u128::from_be_bytes(self.0))
            }
        }
    )*};
}

names! {
    /// A gallery: slots that one relying party may search, for one purpose.
    GalleryName;
    /// A relying party.
    RelyingName;
    /// A device that deals shares.
    DeviceName;
    /// One search, over all its attempts.
    QueryName;
    /// One operation, so that asking for it again does not do it again.
    OperationName;
}

/// The first half of a hash of what kind of thing is named, and its name elsewhere.
fn hashed(kind: &str, name: &str) -> [u8; 16] {
    let hash = Sha256::digest(format!("handfast vault 1 {kind} {name}"));
    std::array::from_fn(|at| hash[at])
}

impl QueryName {
    /// The name of a search with a probe. Each node gave one of the challenges for this search alone, so
    /// that no other search, at any time, has its name (128 bits: a collision would have to be found while
    /// the challenges live).
    #[must_use]
    pub fn of(challenges: &[[u8; 16]; 3], nonce: &[u8; 16]) -> Self {
        let [a, b, c] = challenges;
        let Hash(hash) = Hash::of(b"handfast vault query 1", &[&a[..], b, c, nonce].concat());
        Self(std::array::from_fn(|at| hash[at]))
    }
}

impl From<GalleryId> for GalleryName {
    fn from(id: GalleryId) -> Self {
        Self(hashed("gallery", &id.to_string()))
    }
}

impl From<RelyingParty> for RelyingName {
    fn from(party: RelyingParty) -> Self {
        Self(hashed("party", &party.to_string()))
    }
}

impl From<DeviceId> for DeviceName {
    fn from(id: DeviceId) -> Self {
        Self(hashed("device", &id.to_string()))
    }
}

/// A SHA-256 hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// Of these bytes under a label that says what they are.
    pub(crate) fn of(label: &[u8], bytes: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update((label.len() as u64).to_le_bytes());
        hash.update(label);
        hash.update(bytes);
        Self(hash.finalize().into())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(f, "Hash({a:02x}{b:02x}{c:02x}{d:02x}..)")
    }
}

/// Where a node's list of operations ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The last operation's number; 0 before the first.
    pub number: u64,
    /// Its hash, which covers all before it.
    pub hash: Hash,
}

impl Head {
    /// Before the first operation of a deployment.
    #[must_use]
    pub fn genesis(deployment: DeploymentId) -> Self {
        Self { number: 0, hash: Hash::of(b"handfast vault genesis 1", &deployment.to_bytes()) }
    }
}
