//! The secrets of one member of a deployment, in a folder of its own that nobody else reads.
//!
//! `identity.key`: the 8 bytes of [`MAGIC`] (the last one is the version), the member, the
//! deployment, the seed of its Ed25519 signing key, its X25519 agreement key. Beside it are the TLS
//! key and certificate, and the deployment's public file.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use ed25519_dalek::{Signer as _, SigningKey};
use handfast_model::Random;
use handfast_mpc::{PairMaster, PairMasters, Role};
use hkdf::Hkdf;
use sha2::Sha256;
use thiserror::Error;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize as _, Zeroizing};

use crate::deployment::{Deployment, DeploymentError, DeploymentId, Member};
use crate::{VaultError, private_file};

const MAGIC: [u8; 8] = *b"HFVPRTY1";
const FILE_BYTES: usize = MAGIC.len() + 1 + 16 + 32 + 32;
/// The file's name in a member's folder.
pub(crate) const IDENTITY_FILE: &str = "identity.key";
const MASTER_LABEL: &[u8] = b"handfast vault 1 pair master";
const PAIR_KEY_LABEL: &[u8] = b"handfast vault 1 pair key ";

/// Why a member's folder is not used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// Its files cannot be read, or others may read them.
    #[error(transparent)]
    File(#[from] VaultError),
    /// The deployment's file is not used.
    #[error(transparent)]
    Deployment(#[from] DeploymentError),
    /// The folder holds no identity.
    #[error(
        "{path} is missing: name the folder of one member that `handfast vault init` made, for \
         example DIR/a"
    )]
    Missing {
        /// The key file.
        path: PathBuf,
    },
    /// The folder is another member's.
    #[error("{path} is of {found}, {expected} was asked for: name its own folder")]
    OtherMember {
        /// The key file.
        path: PathBuf,
        /// Whose it is.
        found: Member,
        /// Who was asked for.
        expected: &'static str,
    },
    /// The key does not fit the deployment's public file.
    #[error(
        "{path} does not belong to the deployment beside it; put back the two files that \
         `handfast vault init` wrote together"
    )]
    OtherDeployment {
        /// The key file.
        path: PathBuf,
    },
}

/// The keys of one member.
struct Secrets {
    member: Member,
    deployment: DeploymentId,
    signing: SigningKey,
    agreement: StaticSecret,
}

impl Secrets {
    fn generate(member: Member, deployment: DeploymentId, random: &dyn Random) -> Self {
        let draw = || {
            let mut bytes = Zeroizing::new([0; 32]);
            random.fill(&mut bytes[..]);
            bytes
        };
        let (signing, agreement) = (draw(), draw());
        Self {
            member,
            deployment,
            signing: SigningKey::from_bytes(&signing),
            agreement: StaticSecret::from(*agreement),
        }
    }

    fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_BYTES));
        bytes.extend_from_slice(&MAGIC);
        bytes.push(self.member.index() as u8);
        bytes.extend_from_slice(&self.deployment.to_bytes());
        bytes.extend_from_slice(self.signing.as_bytes());
        bytes.extend_from_slice(self.agreement.as_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&MAGIC)?;
        let (&member, rest) = rest.split_first()?;
        let member = *Member::ALL.get(usize::from(member))?;
        let (deployment, rest) = rest.split_first_chunk::<16>()?;
        let (signing, rest) = rest.split_first_chunk::<32>()?;
        let agreement = Zeroizing::new(<[u8; 32]>::try_from(rest).ok()?);
        Some(Self {
            member,
            deployment: DeploymentId::from_bytes(*deployment),
            signing: SigningKey::from_bytes(signing),
            agreement: StaticSecret::from(*agreement),
        })
    }

    fn load(dir: &Path) -> Result<(Self, Deployment), IdentityError> {
        let path = dir.join(IDENTITY_FILE);
        let Some(file) = private_file::open(&path)? else {
            return Err(IdentityError::Missing { path });
        };
        let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_BYTES + 1));
        file.take(FILE_BYTES as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|source| VaultError::file("read", &path, source))?;
        let secrets = Self::from_bytes(&bytes)
            .ok_or_else(|| VaultError::key_file(&path, "it is no identity of version 1"))?;
        let deployment = Deployment::load(dir)?;
        let public = deployment.member(secrets.member);
        let fits = deployment.id() == secrets.deployment
            && public.verifying_key == secrets.signing.verifying_key()
            && public.agreement_key == PublicKey::from(&secrets.agreement).to_bytes();
        if fits { Ok((secrets, deployment)) } else { Err(IdentityError::OtherDeployment { path }) }
    }

    fn agreement_key(&self) -> [u8; 32] {
        PublicKey::from(&self.agreement).to_bytes()
    }
}

/// What a member keeps to itself, before it is known whether it is a node or the front.
pub(crate) struct NewSecrets(Secrets);

impl NewSecrets {
    pub(crate) fn generate(member: Member, deployment: DeploymentId, random: &dyn Random) -> Self {
        Self(Secrets::generate(member, deployment, random))
    }

    pub(crate) fn verifying_key(&self) -> ed25519_dalek::VerifyingKey {
        self.0.signing.verifying_key()
    }

    pub(crate) fn agreement_key(&self) -> [u8; 32] {
        self.0.agreement_key()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.signing.sign(message).to_bytes()
    }

    pub(crate) fn write(&self, dir: &Path) -> Result<(), VaultError> {
        private_file::create(&dir.join(IDENTITY_FILE), &self.0.to_bytes())
    }

    #[cfg(test)]
    pub(crate) fn into_node(self, deployment: &Deployment) -> NodeSecrets {
        NodeSecrets::new(self.0, deployment).expect("a node's")
    }

    #[cfg(test)]
    pub(crate) fn into_front(self) -> FrontSecrets {
        FrontSecrets(self.0)
    }
}

/// A node's keys. Zeroed when dropped; `Debug` prints nothing of them.
pub struct NodeSecrets {
    role: Role,
    secrets: Secrets,
    /// Agreed with the other two nodes, by their places.
    masters: [Option<Zeroizing<[u8; 32]>>; 3],
}

impl fmt::Debug for NodeSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeSecrets({})", self.role)
    }
}

impl NodeSecrets {
    /// Reads a node's folder.
    ///
    /// # Errors
    /// When a file is missing, readable by others, damaged, or of another member or deployment.
    pub fn load(dir: &Path) -> Result<(Self, Deployment), IdentityError> {
        let (secrets, deployment) = Secrets::load(dir)?;
        let found = secrets.member;
        match Self::new(secrets, &deployment) {
            Some(node) => Ok((node, deployment)),
            None => Err(IdentityError::OtherMember {
                path: dir.join(IDENTITY_FILE),
                found,
                expected: "a node",
            }),
        }
    }

    /// `None` where they are the front's.
    fn new(secrets: Secrets, deployment: &Deployment) -> Option<Self> {
        let Member::Node(role) = secrets.member else { return None };
        let masters = Role::ALL
            .map(|other| (other != role).then(|| agree(&secrets, role, other, deployment)));
        Some(Self { role, secrets, masters })
    }

    /// Which node this is.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Its deployment.
    #[must_use]
    pub const fn deployment_id(&self) -> DeploymentId {
        self.secrets.deployment
    }

    /// The node's signature over a message that begins with a label of its own.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.secrets.signing.sign(message).to_bytes()
    }

    /// What the keys of queries follow from.
    #[must_use]
    pub fn pair_masters(&self) -> PairMasters {
        let master = |other| PairMaster::new(*self.pair_key(other, b"queries"));
        PairMasters {
            with_next: master(self.role.next()),
            with_previous: master(self.role.previous()),
        }
    }

    /// A key that exactly this node and `other` know, for what `label` says.
    ///
    /// # Panics
    /// When a node asks for a key with itself.
    #[must_use]
    pub fn pair_key(&self, other: Role, label: &[u8]) -> Zeroizing<[u8; 32]> {
        let master = self.masters[other.index()].as_ref().expect("a pair has two nodes");
        expand(&master[..], &[PAIR_KEY_LABEL, label])
    }
}

/// The master key of two nodes: X25519, then HKDF over who they are.
fn agree(
    secrets: &Secrets,
    role: Role,
    other: Role,
    deployment: &Deployment,
) -> Zeroizing<[u8; 32]> {
    let their_key = PublicKey::from(deployment.node(other).agreement_key);
    let shared = secrets.agreement.diffie_hellman(&their_key);
    let (first, second) = (role.min(other), role.max(other));
    let keys = [first, second].map(|role| deployment.node(role).agreement_key);
    let pair = [first.index() as u8, second.index() as u8];
    let id = deployment.id().to_bytes();
    expand(shared.as_bytes(), &[MASTER_LABEL, &id, &pair, &keys[0], &keys[1]])
}

fn expand(secret: &[u8], info: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(None, secret)
        .expand_multi_info(info, &mut key[..])
        .expect("HKDF gives a key of 32 bytes");
    key
}

/// The front's keys, and those of the relying parties that it answers for. Zeroed when dropped;
/// `Debug` prints nothing of them.
pub struct FrontSecrets(Secrets);

impl fmt::Debug for FrontSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FrontSecrets(hidden)")
    }
}

impl FrontSecrets {
    /// Reads the front's folder.
    ///
    /// # Errors
    /// As [`NodeSecrets::load`].
    pub fn load(dir: &Path) -> Result<(Self, Deployment), IdentityError> {
        let (secrets, deployment) = Secrets::load(dir)?;
        match secrets.member {
            Member::Front => Ok((Self(secrets), deployment)),
            found => Err(IdentityError::OtherMember {
                path: dir.join(IDENTITY_FILE),
                found,
                expected: "the front",
            }),
        }
    }

    /// The front's signature over a message that begins with a label of its own.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.signing.sign(message).to_bytes()
    }

    /// The key that the nodes seal results to, as its owner.
    #[must_use]
    pub fn recipient(&self) -> crate::share_sealing::RecipientSecret {
        let mut bytes = self.0.agreement.to_bytes();
        let secret = crate::share_sealing::RecipientSecret::from_bytes(&bytes);
        bytes.zeroize();
        secret
    }

    /// A further key of the front's for what `label` says: its devices', for example.
    #[must_use]
    pub fn derived(&self, label: &[u8]) -> Zeroizing<[u8; 32]> {
        expand(self.0.signing.as_bytes(), &[PAIR_KEY_LABEL, label])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment_testing::deployment;

    #[test]
    fn each_two_nodes_know_the_same_and_the_third_does_not() {
        let (_, nodes, _) = deployment(1);
        for role in Role::ALL {
            let (node, next) = (&nodes[role.index()], &nodes[role.next().index()]);
            let key = node.pair_key(role.next(), b"x");
            assert_eq!(*key, *next.pair_key(role, b"x"));
            assert_ne!(*key, *node.pair_key(role.next(), b"y"));
            assert_ne!(*key, *node.pair_key(role.previous(), b"x"));
        }
        let (_, others, _) = deployment(2);
        assert_ne!(*nodes[0].pair_key(Role::B, b"x"), *others[0].pair_key(Role::B, b"x"));
    }

    #[test]
    fn a_folder_is_read_as_what_it_is_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        crate::setup::testing::init(dir.path());
        let (node, deployment) = NodeSecrets::load(&dir.path().join("b")).unwrap();
        assert_eq!((node.role(), node.deployment_id()), (Role::B, deployment.id()));
        assert!(deployment.verifies(Member::Node(Role::B), b"m", &node.sign(b"m")));
        assert!(!deployment.verifies(Member::Node(Role::A), b"m", &node.sign(b"m")));
        let error = NodeSecrets::load(&dir.path().join("front")).unwrap_err();
        assert!(matches!(error, IdentityError::OtherMember { .. }), "{error}");
        let error = FrontSecrets::load(&dir.path().join("a")).unwrap_err();
        assert!(error.to_string().contains("node A"), "{error}");
        let error = NodeSecrets::load(dir.path()).unwrap_err();
        assert!(error.to_string().contains("DIR/a"), "{error}");
    }

    #[test]
    fn files_of_two_deployments_are_not_mixed() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for dir in [&one, &two] {
            crate::setup::testing::init(dir.path());
        }
        let file = "a/deployment.json";
        std::fs::copy(two.path().join(file), one.path().join(file)).unwrap();
        let error = NodeSecrets::load(&one.path().join("a")).unwrap_err();
        assert!(matches!(error, IdentityError::OtherDeployment { .. }), "{error}");
        let key = two.path().join("a").join(IDENTITY_FILE);
        std::fs::write(&key, b"HFVPRTY1 short").unwrap();
        let error = NodeSecrets::load(&two.path().join("a")).unwrap_err();
        assert!(error.to_string().contains("version 1"), "{error}");
    }
}
