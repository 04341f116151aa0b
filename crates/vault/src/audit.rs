//! Audit: how a person finds the searches that found them, and nobody else does.
//!
//! Every search for a person, of a gallery or against one palm, has a tag, F(dummy, query) xor F(slot, query) for each slot that it found. It goes
//! into the log's leaf: without the key of F it is a random number, also where nobody was found. The
//! person gets F(dummy, query) xor F(slot, query) of their own slot for the queries of a period, in
//! parts that each node seals to a key of the person's own device, and compares there. A search
//! that found several people appears in nobody's timeline.

use ed25519_dalek::{Signature, VerifyingKey};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use hpke::{Deserializable as _, OpModeS, Serializable as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use handfast_model::Random;
use handfast_mpc::Role;

use crate::SlotId;
use crate::deployment::{Deployment, DeploymentId, Member};
use crate::sealing::SealingKey;
use crate::share_sealing::{Drawn, Kem};

/// What sealing is for, and what a node's signature begins with.
pub const AUDIT_INFO: &[u8] = b"handfast vault audit 1";
/// What a node's signature over its part of a tag begins with.
const TAG_LABEL: &[u8] = b"handfast vault audit tag 1";
/// Queries in one request: a period of that many searches fits one page of a person's log.
pub const AUDIT_QUERIES_MAX: usize = 4_096;
/// Bytes of a component.
const COMPONENT: usize = 16;

type Kdf = hpke::kdf::HkdfSha256;
/// What browsers have; they have no ChaCha20-Poly1305.
type Aead = hpke::aead::AesGcm256;

/// The tag of a search.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AuditTag {
    /// The search.
    pub query: [u8; 16],
    /// Its tag: the xor of the nodes' parts.
    pub tag: [u8; 16],
    /// A's, B's and C's parts of it, signed; none where one machine matches in clear.
    pub parts: Option<[SignedTagPart; 3]>,
}

impl AuditTag {
    /// Whether the tag is the one that the three nodes of a deployment computed for this query. Who
    /// logs another tag cannot make this true: each node signed its part for the query.
    #[must_use]
    pub fn is_of(&self, deployment: &Deployment) -> bool {
        let keys = Role::ALL.map(|node| *deployment.verifying_key(Member::Node(node)));
        self.is_signed(deployment.id(), &keys)
    }

    /// The same for whoever has of the deployment its id and its nodes' keys alone, of A, B, C.
    #[must_use]
    pub fn is_signed(&self, deployment: DeploymentId, nodes: &[VerifyingKey; 3]) -> bool {
        let Some(parts) = &self.parts else { return false };
        let mut signed = Role::ALL.into_iter().zip(nodes).zip(parts);
        let signed =
            signed.all(|((node, key), part)| part.is_by(key, deployment, node, self.query));
        let [a, b, c] = parts.map(|part| part.part);
        signed && self.tag == std::array::from_fn(|at| a[at] ^ b[at] ^ c[at])
    }
}

/// One node's part of a search's tag, random by itself and with one other, and its signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SignedTagPart {
    /// The part.
    pub part: [u8; 16],
    /// The node's Ed25519 signature over [`SignedTagPart::signed_bytes`].
    pub signature: [u8; 64],
}

impl SignedTagPart {
    /// What a node signs: label, deployment, node (0, 1 or 2), query, part.
    #[must_use]
    pub fn signed_bytes(
        deployment: DeploymentId,
        node: Role,
        query: [u8; 16],
        part: &[u8; 16],
    ) -> Vec<u8> {
        let node = [node.index() as u8];
        [TAG_LABEL, &deployment.to_bytes(), &node, &query, part].concat()
    }

    /// Whether the node of this key signed it for this query.
    #[must_use]
    pub fn is_by(
        &self,
        key: &VerifyingKey,
        deployment: DeploymentId,
        node: Role,
        query: [u8; 16],
    ) -> bool {
        let bytes = Self::signed_bytes(deployment, node, query, &self.part);
        key.verify_strict(&bytes, &Signature::from_bytes(&self.signature)).is_ok()
    }
}

/// One node's components of a person's values, sealed to the person's device: the queries' 16
/// bytes one after another. The xor of all parts' components is each query's value, to be compared
/// with the tag in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditPart {
    /// The node; none where one machine matches in clear, whose part is the whole.
    pub node: Option<Role>,
    /// Encapsulated key, then ciphertext: HPKE in base mode, X25519, HKDF-SHA256, AES-256-GCM, with
    /// [`AUDIT_INFO`] and [`audit_context`].
    pub sealed: Vec<u8>,
    /// The node's signature over [`audit_signed`].
    pub signature: Option<[u8; 64]>,
}

/// The associated data of a part: SHA-256 over the recipient's key and all queries.
#[must_use]
pub fn audit_context(recipient: &[u8; 32], queries: &[[u8; 16]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(recipient);
    queries.iter().for_each(|query| hash.update(query));
    hash.finalize().into()
}

/// What a node signs of a part.
#[must_use]
pub fn audit_signed(context: &[u8; 32], sealed: &[u8]) -> Vec<u8> {
    [AUDIT_INFO, context, sealed].concat()
}

/// Seals components to a person's device; `None` where its key is none.
pub(crate) fn seal_components(
    components: &[u8],
    recipient: &[u8; 32],
    context: &[u8; 32],
    random: &dyn Random,
) -> Option<Vec<u8>> {
    let key = <Kem as hpke::Kem>::PublicKey::from_bytes(recipient).ok()?;
    let (encapsulated, ciphertext) = hpke::single_shot_seal_with_rng::<Aead, Kdf, Kem>(
        &OpModeS::Base,
        &key,
        AUDIT_INFO,
        components,
        context,
        &mut Drawn(random),
    )
    .ok()?;
    Some([&encapsulated.to_bytes()[..], &ciphertext].concat())
}

/// The key of F where one machine holds it whole.
pub(crate) struct AuditKey(Zeroizing<[u8; 32]>);

impl AuditKey {
    /// Follows from the vault's key.
    pub(crate) fn of(key: &SealingKey) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, key.expose())
            .expand(b"handfast vault audit key 1", &mut bytes[..])
            .expect("HKDF gives a key of 32 bytes");
        Self(bytes)
    }

    /// F(dummy, query) xor F(slot, query) of a slot, or of nobody.
    pub(crate) fn value(&self, query: [u8; 16], slot: Option<SlotId>) -> [u8; COMPONENT] {
        let mut value = self.of_one(query, b"dummy", &[]);
        if let Some(slot) = slot {
            let found = self.of_one(query, b"slot", &slot.to_bytes());
            value.iter_mut().zip(found).for_each(|(sum, byte)| *sum ^= byte);
        }
        value
    }

    fn of_one(&self, query: [u8; 16], domain: &[u8], slot: &[u8]) -> [u8; COMPONENT] {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0[..]).expect("HMAC takes keys of any length");
        mac.update(&query);
        mac.update(domain);
        mac.update(slot);
        let bytes = mac.finalize().into_bytes();
        std::array::from_fn(|at| bytes[at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment_testing::deployment;

    /// What the three nodes of a deployment sign for a query.
    fn tag_of(seed: u64, query: [u8; 16], parts: [[u8; 16]; 3]) -> (Deployment, AuditTag) {
        let (deployment, nodes, _) = deployment(seed);
        let signed = Role::ALL.map(|node| {
            let part = parts[node.index()];
            let bytes = SignedTagPart::signed_bytes(deployment.id(), node, query, &part);
            SignedTagPart { part, signature: nodes[node.index()].sign(&bytes) }
        });
        let [a, b, c] = parts;
        let tag = std::array::from_fn(|at| a[at] ^ b[at] ^ c[at]);
        (deployment, AuditTag { query, tag, parts: Some(signed) })
    }

    #[test]
    fn a_hub_cannot_show_another_tag_than_the_nodes() {
        let (deployment, right) = tag_of(1, [1; 16], [[2; 16], [3; 16], [7; 16]]);
        assert!(right.is_of(&deployment));
        let (_, of_another_query) = tag_of(1, [9; 16], [[2; 16], [3; 16], [7; 16]]);
        let parts = right.parts.unwrap();
        let [a, b, c] = parts;
        let forged = SignedTagPart { part: [0; 16], ..a };
        let lies = [
            AuditTag { tag: [0x55; 16], ..right },
            AuditTag { query: [9; 16], ..right },
            AuditTag { parts: None, ..right },
            // Parts of another search, of another node, of nobody.
            AuditTag { parts: of_another_query.parts, ..right },
            AuditTag { parts: Some([b, a, c]), ..right },
            AuditTag { parts: Some([a, a, c]), ..right },
            AuditTag { parts: Some([forged, b, c]), ..right },
        ];
        for lie in lies {
            assert!(!lie.is_of(&deployment), "{lie:?}");
        }
        let (other, _) = tag_of(2, [1; 16], [[2; 16]; 3]);
        assert!(!right.is_of(&other), "another deployment's nodes signed nothing");
    }
}
