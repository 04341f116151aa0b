//! A deployment: the three nodes and the front that know each other, by keys and certificates.
//!
//! `deployment.json` is public and the same at all four. Whoever is not in it is refused: no
//! authority outside vouches for anybody.

use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, VerifyingKey};
use handfast_mpc::Role;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// Version of the file's format.
pub const DEPLOYMENT_VERSION: u8 = 1;
/// Name of the file in every member's folder.
pub const DEPLOYMENT_FILE: &str = "deployment.json";
/// Largest file that is read: four members take a few kilobytes.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// What a node signs when it binds its agreement key to a deployment.
const AGREEMENT_LABEL: &[u8] = b"handfast vault 1 agreement key";

/// One of the four members of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Member {
    /// A node.
    Node(Role),
    /// The front: the door of the vault.
    Front,
}

impl Member {
    /// All four.
    pub const ALL: [Self; 4] =
        [Self::Node(Role::A), Self::Node(Role::B), Self::Node(Role::C), Self::Front];

    /// The word for it in files, folders and on the command line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Node(Role::A) => "a",
            Self::Node(Role::B) => "b",
            Self::Node(Role::C) => "c",
            Self::Front => "front",
        }
    }

    /// The member that a word means.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|member| member.word() == word)
    }

    /// Its place, 0 to 3.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Node(role) => role.index(),
            Self::Front => 3,
        }
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(role) => write!(f, "node {role}"),
            Self::Front => f.write_str("the front"),
        }
    }
}

/// Names a deployment: 16 random bytes, part of everything that is signed or sealed in it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeploymentId([u8; 16]);

impl DeploymentId {
    /// From its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }
}

impl fmt::Display for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a deployment's file is not used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DeploymentError {
    /// It cannot be read.
    #[error("{path} cannot be read; make a deployment with `handfast vault init DIR`")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// It is larger than any deployment's.
    #[error(
        "{path} has more than {FILE_BYTES_MAX} bytes and is no deployment; put the file that \
         `handfast vault init` wrote back"
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It is no JSON of a deployment.
    #[error("{path} is no deployment; put the file that `handfast vault init` wrote back")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// A version that this build does not read.
    #[error(
        "the deployment has format version {found}, this build reads {DEPLOYMENT_VERSION}: use \
         the build that made it, or make a new deployment"
    )]
    Version {
        /// Version found.
        found: u8,
    },
    /// A value in it is wrong.
    #[error(
        "the deployment's entry for {member} is wrong: {reason}; all four members use the very \
         same file"
    )]
    Member {
        /// Whose entry.
        member: Member,
        /// What is wrong.
        reason: &'static str,
    },
    /// The deployment's own id is wrong.
    #[error("the deployment's id is no 32 hexadecimal digits; put the original file back")]
    Id,
}

/// What everybody knows of one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberKeys {
    /// Where it listens, as `HOST:PORT`; the front listens nowhere.
    pub address: Option<String>,
    /// Its TLS certificate, as DER; no other is accepted of it.
    pub certificate: Vec<u8>,
    /// Verifies what it signs.
    pub verifying_key: VerifyingKey,
    /// Its X25519 public key: two nodes agree a master key by it, tokens for the front's relying
    /// members are sealed to it.
    pub agreement_key: [u8; 32],
    /// By its signing key, over deployment, member and agreement key.
    pub(crate) agreement_signature: [u8; 64],
}

impl MemberKeys {
    /// SHA-256 of the certificate, as other programs print it.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        Sha256::digest(&self.certificate).into()
    }
}

/// The four members of a deployment, as everybody knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    id: DeploymentId,
    members: [MemberKeys; 4],
}

impl Deployment {
    pub(crate) fn new(id: DeploymentId, members: [MemberKeys; 4]) -> Result<Self, DeploymentError> {
        let deployment = Self { id, members };
        for member in Member::ALL {
            deployment.check(member)?;
        }
        Ok(deployment)
    }

    fn check(&self, name: Member) -> Result<(), DeploymentError> {
        let member = self.member(name);
        let wrong = |reason| Err(DeploymentError::Member { member: name, reason });
        if matches!(name, Member::Node(_)) != member.address.is_some() {
            return wrong("nodes have an address, the front has none");
        }
        let others = Member::ALL.into_iter().filter(|other| *other != name);
        for other in others.map(|other| self.member(other)) {
            if other.certificate == member.certificate
                || other.verifying_key == member.verifying_key
                || other.agreement_key == member.agreement_key
            {
                return wrong("another member has the same key or certificate");
            }
        }
        let signed = agreement_message(self.id, name, &member.agreement_key);
        let signature = Signature::from_bytes(&member.agreement_signature);
        match member.verifying_key.verify_strict(&signed, &signature) {
            Ok(()) => Ok(()),
            Err(_) => wrong("its agreement key is not signed by its signing key"),
        }
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> DeploymentId {
        self.id
    }

    /// What everybody knows of a member.
    #[must_use]
    pub const fn member(&self, name: Member) -> &MemberKeys {
        &self.members[name.index()]
    }

    /// What everybody knows of a node.
    #[must_use]
    pub const fn node(&self, role: Role) -> &MemberKeys {
        self.member(Member::Node(role))
    }

    /// What verifies a member's signatures.
    #[must_use]
    pub const fn verifying_key(&self, name: Member) -> &VerifyingKey {
        &self.member(name).verifying_key
    }

    /// Whether `signature` is a member's over `message`.
    #[must_use]
    pub fn verifies(&self, name: Member, message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = Signature::from_bytes(signature);
        self.verifying_key(name).verify_strict(message, &signature).is_ok()
    }

    /// Whose certificate this is; `None` where it belongs to nobody here.
    #[must_use]
    pub fn member_of_certificate(&self, certificate: &[u8]) -> Option<Member> {
        Member::ALL.into_iter().find(|member| self.member(*member).certificate == certificate)
    }

    /// The same deployment with other addresses: where nodes listen is signed by nobody.
    #[must_use]
    pub fn with_addresses(mut self, addresses: [String; 3]) -> Self {
        for (member, address) in self.members.iter_mut().zip(addresses) {
            member.address = Some(address);
        }
        self
    }

    /// A deployment whose files somebody changed.
    #[cfg(test)]
    pub(crate) fn danger_with_certificate(mut self, name: Member, certificate: Vec<u8>) -> Self {
        self.members[name.index()].certificate = certificate;
        self
    }

    /// Reads the file in a member's folder.
    ///
    /// # Errors
    /// When it cannot be read, is no deployment, or of another version.
    pub fn load(dir: &Path) -> Result<Self, DeploymentError> {
        let path = dir.join(DEPLOYMENT_FILE);
        let unreadable = |source| DeploymentError::Unreadable { path: path.clone(), source };
        if std::fs::metadata(&path).map_err(unreadable)?.len() > FILE_BYTES_MAX {
            return Err(DeploymentError::TooLarge { path });
        }
        let text = std::fs::read(&path).map_err(unreadable)?;
        let read = Self::from_json(&text);
        read.map_err(|error| match error {
            FromJsonError::Json(source) => DeploymentError::Malformed { path, source },
            FromJsonError::Deployment(error) => error,
        })
    }

    /// The file's contents.
    #[must_use]
    pub fn to_json(&self) -> String {
        let [a, b, c, front] = Member::ALL.map(|name| MemberDocument::of(self.member(name)));
        let document = Document {
            version: DEPLOYMENT_VERSION,
            deployment: self.id.to_string(),
            nodes: NodesDocument { a, b, c },
            front,
        };
        let mut text = serde_json::to_string_pretty(&document).expect("texts are JSON");
        text.push('\n');
        text
    }

    fn from_json(text: &[u8]) -> Result<Self, FromJsonError> {
        // The version first: another one may have other fields.
        let Versioned { version } = serde_json::from_slice(text)?;
        if version != DEPLOYMENT_VERSION {
            return Err(DeploymentError::Version { found: version }.into());
        }
        let document: Document = serde_json::from_slice(text)?;
        let id = unhex(&document.deployment).ok_or(DeploymentError::Id)?;
        let NodesDocument { a, b, c } = document.nodes;
        let members = [a, b, c, document.front];
        let mut read = Vec::with_capacity(members.len());
        for (name, member) in Member::ALL.into_iter().zip(members) {
            read.push(member.read(name)?);
        }
        let members = read.try_into().expect("four were read");
        Ok(Self::new(DeploymentId(id), members)?)
    }
}

/// What a member's signing key signs about its agreement key.
pub(crate) fn agreement_message(id: DeploymentId, member: Member, key: &[u8; 32]) -> Vec<u8> {
    [AGREEMENT_LABEL, &id.0, &[member.index() as u8], key].concat()
}

#[derive(Debug)]
enum FromJsonError {
    Json(serde_json::Error),
    Deployment(DeploymentError),
}

impl From<serde_json::Error> for FromJsonError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

impl From<DeploymentError> for FromJsonError {
    fn from(error: DeploymentError) -> Self {
        Self::Deployment(error)
    }
}

#[derive(Deserialize)]
struct Versioned {
    version: u8,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u8,
    deployment: String,
    nodes: NodesDocument,
    front: MemberDocument,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NodesDocument {
    a: MemberDocument,
    b: MemberDocument,
    c: MemberDocument,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberDocument {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    address: Option<String>,
    certificate: String,
    certificate_sha256: String,
    signing_key: String,
    agreement_key: String,
    agreement_signature: String,
}

impl MemberDocument {
    fn of(member: &MemberKeys) -> Self {
        Self {
            address: member.address.clone(),
            certificate: BASE64.encode(&member.certificate),
            certificate_sha256: hex(&member.fingerprint()),
            signing_key: hex(member.verifying_key.as_bytes()),
            agreement_key: hex(&member.agreement_key),
            agreement_signature: hex(&member.agreement_signature),
        }
    }

    fn read(self, member: Member) -> Result<MemberKeys, DeploymentError> {
        let wrong = |reason| DeploymentError::Member { member, reason };
        let key: [u8; 32] =
            unhex(&self.signing_key).ok_or_else(|| wrong("its signing key is no 32 bytes"))?;
        let verifying_key = VerifyingKey::from_bytes(&key)
            .map_err(|_| wrong("its signing key is no Ed25519 key"))?;
        if verifying_key.is_weak() {
            return Err(wrong("its signing key is weak"));
        }
        let certificate =
            BASE64.decode(&self.certificate).map_err(|_| wrong("its certificate is no base64"))?;
        let read = MemberKeys {
            address: self.address,
            certificate,
            verifying_key,
            agreement_key: unhex(&self.agreement_key)
                .ok_or_else(|| wrong("its agreement key is no 32 bytes"))?,
            agreement_signature: unhex(&self.agreement_signature)
                .ok_or_else(|| wrong("its agreement key's signature is no 64 bytes"))?,
        };
        if hex(&read.fingerprint()) != self.certificate_sha256 {
            return Err(wrong("its certificate's fingerprint is another one"));
        }
        Ok(read)
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let text = text.as_bytes();
    let (pairs, rest) = text.as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = (digit(*high)? << 4 | digit(*low)?) as u8;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment_testing::deployment;

    #[test]
    fn what_was_written_is_read() {
        let deployment = deployment(1).0;
        let text = deployment.to_json();
        assert_eq!(Deployment::from_json(text.as_bytes()).unwrap(), deployment);
        let moved = deployment.clone().with_addresses(["x:1".into(), "y:2".into(), "z:3".into()]);
        assert_eq!(moved.node(Role::B).address.as_deref(), Some("y:2"));
        assert_eq!(
            moved.member_of_certificate(&moved.node(Role::C).certificate),
            Some(Member::Node(Role::C))
        );
        assert_eq!(moved.member_of_certificate(b"nobody's"), None);
    }

    #[test]
    fn what_is_not_whole_is_refused_with_whose_it_is() {
        let text = deployment(1).0.to_json();
        let other = deployment(2).0;
        let key = hex(&deployment(1).0.node(Role::B).agreement_key);
        let swapped = text.replace(&key, &hex(&other.node(Role::B).agreement_key));
        let error = Deployment::from_json(swapped.as_bytes()).unwrap_err();
        let FromJsonError::Deployment(error) = error else { panic!("{error:?}") };
        assert!(error.to_string().contains("node B"), "{error}");
        let newer = text.replacen("\"version\": 1", "\"version\": 9", 1);
        let error = Deployment::from_json(newer.as_bytes()).unwrap_err();
        assert!(matches!(error, FromJsonError::Deployment(DeploymentError::Version { found: 9 })));
        for end in (0..text.len() - 2).step_by(97) {
            assert!(Deployment::from_json(&text.as_bytes()[..end]).is_err());
        }
    }

    #[test]
    fn two_parties_with_one_key_are_refused() {
        let (deployment, _, _) = deployment(1);
        let mut members = deployment.members.clone();
        members[1].certificate = members[0].certificate.clone();
        let error = Deployment::new(deployment.id, members).unwrap_err();
        assert!(matches!(error, DeploymentError::Member { .. }), "{error}");
    }

    #[test]
    fn a_missing_file_says_how_to_make_one() {
        let dir = tempfile::tempdir().unwrap();
        let error = Deployment::load(dir.path()).unwrap_err();
        assert!(error.to_string().contains("vault init"), "{error}");
        std::fs::write(dir.path().join(DEPLOYMENT_FILE), "{}").unwrap();
        assert!(matches!(Deployment::load(dir.path()), Err(DeploymentError::Malformed { .. })));
    }
}
