//! What a node needs of keys: its own, those it shares with each peer, and what opens and seals.

use std::fmt;

use ed25519_dalek::VerifyingKey;
use handfast_model::Timestamp;
use handfast_mpc::{CheckKey, PairMasters, Role, ShareSet, TokenKey};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::codec::Writer;
use super::names::{GalleryName, QueryName, RelyingName};
use super::refusal::Refusal;
use super::request::Sought;
use crate::deployment::DeploymentId;
use crate::share_sealing::Binding;

/// Signing, opening and sealing, with keys that the node's state machine does not see.
pub trait Seals: Send {
    /// Signs with the node's key.
    fn sign(&self, message: &[u8]) -> [u8; 64];

    /// The public keys to which devices seal shares now, signed; renewed and destroyed in time.
    fn share_keys(&mut self, now: Timestamp) -> Vec<u8>;

    /// Opens shares that the device with this Ed25519 key sealed to this node for this use.
    ///
    /// # Errors
    /// [`super::Reason::Seal`] where they do not open, [`super::Reason::Shares`] where they are none.
    fn open(
        &mut self,
        device: &[u8; 32],
        binding: &Binding,
        sealed: &[u8],
        now: Timestamp,
    ) -> Result<ShareSet, Refusal>;

    /// Seals a part of a token to a relying party's X25519 key, bound to `binding`.
    fn seal_part(&mut self, recipient: &[u8; 32], binding: &[u8], part: &[u8; 16]) -> Vec<u8>;

    /// Seals a person's audit components to their device's X25519 key; `None` where it is none.
    fn seal_audit(
        &mut self,
        recipient: &[u8; 32],
        context: &[u8; 32],
        components: &[u8],
    ) -> Option<Vec<u8>>;
}

/// A node's part in a deployment, and the secrets that it shares with each of its peers.
pub struct NodeKeys {
    /// Which node it is.
    pub role: Role,
    /// Its deployment.
    pub deployment: DeploymentId,
    /// The nodes' public signing keys, of A, B, C.
    pub verifying: [VerifyingKey; 3],
    /// The master keys from which query keys follow.
    pub masters: PairMasters,
    /// 32 secret bytes of the pair with the next node, for everything but queries.
    pub with_next: Zeroizing<[u8; 32]>,
    /// The same of the pair with the previous node.
    pub with_previous: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for NodeKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeKeys({})", self.role)
    }
}

const CHECK: &[u8] = b"handfast vault 1 component check";
const TOKEN: &[u8] = b"handfast vault 1 token ";
const AUDIT: &[u8] = b"handfast vault 1 audit";
const DUPLICATE: &[u8] = b"handfast vault 1 duplicate";
const LENGTH: &[u8] = b"handfast vault 1 length";
const REBUILD: &[u8] = b"handfast vault 1 rebuild ";

fn expand(key: &[u8; 32], label: &[u8], name: &[u8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    Hkdf::<Sha256>::new(None, key)
        .expand(&[label, name].concat(), &mut bytes)
        .expect("HKDF gives a key of 32 bytes");
    bytes
}

impl NodeKeys {
    /// Own component's key (shared with the next node) and the previous one's.
    fn token_keys(&self, label: &[u8], name: &[u8]) -> [TokenKey; 2] {
        [&self.with_next, &self.with_previous].map(|key| TokenKey::new(expand(key, label, name)))
    }

    /// Two of the three keys of a relying party's tokens.
    pub(crate) fn tokens_of(&self, party: RelyingName) -> [TokenKey; 2] {
        self.token_keys(TOKEN, &party.0)
    }

    pub(crate) fn audit_tokens(&self) -> [TokenKey; 2] {
        self.token_keys(AUDIT, &[])
    }

    pub(crate) fn duplicate_tokens(&self) -> [TokenKey; 2] {
        self.token_keys(DUPLICATE, &[])
    }

    pub(crate) fn length_tokens(&self) -> [TokenKey; 2] {
        self.token_keys(LENGTH, &[])
    }

    /// The key with which the holders of `component` compare what they were dealt.
    pub(crate) fn check_key(&self, component: Role) -> CheckKey {
        let pair = if component == self.role { &self.with_next } else { &self.with_previous };
        CheckKey::new(expand(pair, CHECK, &[]))
    }

    /// The seed of two helpers for one page of rows that the third node lost.
    pub(crate) fn rebuild_seed(&self, lost: Role, name: &[u8]) -> [u8; 32] {
        let pair = if lost == self.role.previous() { &self.with_next } else { &self.with_previous };
        expand(pair, REBUILD, name)
    }
}

/// Version of what a part is bound to. Since 2 the signature covers the audit tag's part.
const PART_VERSION: u8 = 2;
/// Bytes of an audit tag.
const TAG: usize = handfast_mpc::TOKEN;

/// What a part of a token is for: authenticated with the sealed part, and signed. The relying party
/// knows all of it and checks it by sealing and signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartBinding {
    /// The deployment.
    pub deployment: DeploymentId,
    /// Whose part it is.
    pub node: Role,
    /// Where.
    pub gallery: GalleryName,
    /// The query.
    pub query: QueryName,
    /// The attempt.
    pub attempt: u8,
    /// What was looked for; the slot's number is not told.
    pub sought: Sought,
    /// The operation up to which the gallery was searched.
    pub operation: u64,
    /// The relying party's nonce.
    pub nonce: [u8; 16],
    /// Hash of the amount; zeros elsewhere.
    pub amount: [u8; 32],
    /// Reference of the consent; zeros where the arming holds it.
    pub consent: [u8; 16],
}

impl PartBinding {
    /// The associated data of the sealed part.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.raw(b"handfast vault part").u8(PART_VERSION).raw(&self.deployment.to_bytes());
        writer.u8(self.node.index() as u8).raw(&self.gallery.0).raw(&self.query.0);
        writer.u8(self.attempt).u8(match self.sought {
            Sought::Anyone => 0,
            Sought::Slot(_) => 1,
            Sought::Duplicate => 2,
            Sought::Delivery(_) => 3,
        });
        writer.u64(self.operation).raw(&self.nonce).raw(&self.amount).raw(&self.consent);
        writer.0
    }

    /// What the node signs: the binding, its part of the audit tag (zeros where what was sought has
    /// none), then the sealed part.
    #[must_use]
    pub fn signed_bytes(&self, sealed: &[u8], audit: Option<&[u8; TAG]>) -> Vec<u8> {
        [&self.to_bytes(), &audit.unwrap_or(&[0; TAG])[..], sealed].concat()
    }
}
