//! Proofs as files (C2SP tlog-proof): everything that shows, without a network, that a leaf is in
//! the log; and receipts, which are proofs that carry the leaf and its opening along.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use handfast_model::Timestamp;
use thiserror::Error;

use crate::checkpoint::{SignedCheckpoint, parse_decimal};
use crate::commitment::{Opening, PRIVATE_BYTES_MAX};
use crate::cosignature::{Cosigned, TrustError, TrustPolicy};
use crate::hash::TreeHash;
use crate::leaf::{LEAF_BYTES_MAX, Leaf, LeafError};
use crate::note::{NOTE_BYTES_MAX, NoteError};
use crate::tree::{PROOF_HASHES_MAX, TreeProofError, check_inclusion};
use crate::wire::{Fields, WireError};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";
/// The form of a receipt's extra data.
const RECEIPT_VERSION: u8 = 1;
/// Most bytes of extra data: a receipt's.
pub const EXTRA_BYTES_MAX: usize = 1 + 2 + LEAF_BYTES_MAX + Opening::BLIND_LEN + PRIVATE_BYTES_MAX;

/// Why a proof or receipt does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProofError {
    /// The text is not a proof.
    #[error("not a .tlog-proof file: {0}; get it again from where it came")]
    Malformed(&'static str),
    /// The checkpoint inside is not one.
    #[error("the proof's checkpoint cannot be read")]
    Checkpoint(#[source] NoteError),
    /// The checkpoint inside is not trusted.
    #[error("the proof's checkpoint is not trusted")]
    Trust(#[source] TrustError),
    /// The hashes do not lead from the leaf to the checkpoint.
    #[error("the proof does not hold")]
    Tree(#[source] TreeProofError),
    /// The leaf inside a receipt cannot be read.
    #[error("the receipt's leaf cannot be read")]
    Leaf(#[source] LeafError),
    /// The opening inside a receipt is not that of its leaf.
    #[error("the private fields of the receipt are not those that the log holds a commitment to")]
    Opening,
}

impl From<WireError> for ProofError {
    fn from(error: WireError) -> Self {
        Self::Malformed(error.0)
    }
}

/// An inclusion proof with its checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    pub(crate) extra: Vec<u8>,
    pub(crate) index: u64,
    pub(crate) hashes: Vec<TreeHash>,
    pub(crate) checkpoint: SignedCheckpoint,
}

/// What a proof has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The leaf's place in the log.
    pub index: u64,
    /// Leaves in the log when the checkpoint was signed.
    pub size: u64,
    /// Who vouched for the checkpoint, besides the log.
    pub cosigned: Vec<Cosigned>,
}

impl Proof {
    /// Reads a proof, checking its form alone.
    ///
    /// # Errors
    /// Where the text is not a proof.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(ProofError::Malformed("it is longer than a million bytes"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| ProofError::Malformed("not UTF-8"))?;
        let (head, note) = text.split_once("\n\n").ok_or(ProofError::Malformed("no empty line"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(FIRST_LINE) {
            return Err(ProofError::Malformed("it does not begin with c2sp.org/tlog-proof@v1"));
        }
        let extra = match lines.next_if(|line| line.starts_with("extra ")) {
            Some(line) => STANDARD
                .decode(&line["extra ".len()..])
                .map_err(|_| ProofError::Malformed("its extra line is not base64"))?,
            None => Vec::new(),
        };
        if extra.len() > EXTRA_BYTES_MAX {
            return Err(ProofError::Malformed("its extra line is longer than a receipt's"));
        }
        let index = lines
            .next()
            .and_then(|line| line.strip_prefix("index "))
            .and_then(parse_decimal)
            .ok_or(ProofError::Malformed("no index line"))?;
        let hashes: Option<Vec<TreeHash>> =
            lines.take(PROOF_HASHES_MAX + 1).map(TreeHash::from_base64).collect();
        let hashes = hashes
            .filter(|hashes| hashes.len() <= PROOF_HASHES_MAX)
            .ok_or(ProofError::Malformed("its hashes are broken or too many"))?;
        let checkpoint =
            SignedCheckpoint::parse(note.as_bytes()).map_err(ProofError::Checkpoint)?;
        Ok(Self { extra, index, hashes, checkpoint })
    }

    /// The leaf's place in the log, not checked yet.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The hashes beside the way from the leaf to the root, the lowest first.
    #[must_use]
    pub fn hashes(&self) -> &[TreeHash] {
        &self.hashes
    }

    /// The checkpoint, not checked yet.
    #[must_use]
    pub const fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }

    /// Checks that a leaf with this hash is in the log that `policy` trusts.
    ///
    /// # Errors
    /// Where the checkpoint is not trusted or the hashes do not lead there.
    pub fn verify(
        &self,
        leaf: TreeHash,
        policy: &TrustPolicy,
        now: Timestamp,
    ) -> Result<Proven, ProofError> {
        let cosigned = policy.check(&self.checkpoint, now).map_err(ProofError::Trust)?;
        let tree = self.checkpoint.checkpoint();
        check_inclusion(leaf, self.index, tree.size, tree.root, &self.hashes)
            .map_err(ProofError::Tree)?;
        Ok(Proven { index: self.index, size: tree.size, cosigned })
    }

    /// Puts leaf and opening into the proof: a receipt for whom the leaf is about.
    #[must_use]
    pub fn into_receipt(mut self, leaf: &Leaf, opening: &Opening) -> Receipt {
        let leaf_bytes = leaf.encode();
        self.extra = vec![RECEIPT_VERSION];
        self.extra.extend_from_slice(&(leaf_bytes.len() as u16).to_be_bytes());
        self.extra.extend_from_slice(&leaf_bytes);
        self.extra.extend_from_slice(opening.blind());
        self.extra.extend_from_slice(opening.private_fields());
        Receipt { proof: self, leaf: leaf.clone(), opening: opening.clone() }
    }
}

const _: () = assert!(LEAF_BYTES_MAX <= u16::MAX as usize);

impl fmt::Display for Proof {
    /// The text of a `.tlog-proof` file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        if !self.extra.is_empty() {
            writeln!(f, "extra {}", STANDARD.encode(&self.extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.hashes.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

/// A proof that carries its leaf and what opens it: shows one person, or a court, what the log
/// holds about them, with no network. It is a `.tlog-proof` file like any other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    proof: Proof,
    leaf: Leaf,
    opening: Opening,
}

impl Receipt {
    /// Reads a receipt, checking its form alone.
    ///
    /// # Errors
    /// Where the text is not a receipt.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofError> {
        let proof = Proof::parse(bytes)?;
        let mut fields = Fields::new(&proof.extra);
        if fields.u8()? != RECEIPT_VERSION {
            return Err(ProofError::Malformed("its extra line is of an unknown version"));
        }
        let leaf_len = usize::from(fields.u16()?);
        let leaf = Leaf::decode(fields.bytes(leaf_len)?).map_err(ProofError::Leaf)?;
        let opening = Opening::from_parts(fields.array()?, fields.rest())
            .map_err(|_| ProofError::Malformed("its private fields are too long"))?;
        Ok(Self { proof, leaf, opening })
    }

    /// The leaf, not checked yet.
    #[must_use]
    pub const fn leaf(&self) -> &Leaf {
        &self.leaf
    }

    /// The opening, not checked yet.
    #[must_use]
    pub const fn opening(&self) -> &Opening {
        &self.opening
    }

    /// The proof inside.
    #[must_use]
    pub const fn proof(&self) -> &Proof {
        &self.proof
    }

    /// Checks that the log holds this leaf, and that the private fields are those that the leaf
    /// commits to.
    ///
    /// # Errors
    /// Where either is not so.
    pub fn verify(&self, policy: &TrustPolicy, now: Timestamp) -> Result<Proven, ProofError> {
        if self.opening.commitment() != self.leaf.commitment() {
            return Err(ProofError::Opening);
        }
        self.proof.verify(self.leaf.hash(), policy, now)
    }
}

impl fmt::Display for Receipt {
    /// The text of a `.tlog-proof` file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.proof.fmt(f)
    }
}
