//! The transparency log: what happened to palms, in public, for anyone to check.
//!
//! A leaf says what happened in public fields that name nobody, and commits to the rest
//! ([`Statement`], [`Opening`]). The log promises a leaf as soon as it is durable
//! ([`Log::append`]), puts it under a signed checkpoint ([`Log::publish`]), gathers cosignatures of
//! witnesses and nodes ([`Witness`], [`Log::add_cosignatures`]), and proves it ([`Log::prove`]).
//! Whoever has the tiles checks everything ([`verify_folder`]); whoever has one proof or receipt
//! checks that, with no network ([`Proof`], [`Receipt`]).
//!
//! Formats are those of C2SP: tlog-tiles, signed-note, tlog-checkpoint, tlog-cosignature version 1,
//! tlog-proof and tlog-witness. Programs that others wrote read them.
//!
//! ```
//! # use std::sync::Arc;
//! # use handfast_model::{Clock, ManualClock, Random, SeededRandom, Timestamp};
//! # use handfast_tlog::*;
//! # let folder = tempfile::tempdir()?;
//! # let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(Timestamp::from_micros(1_790_000_000_000_000)));
//! # let random = SeededRandom::new(1);
//! let key = SecretKey::generate("log.example.com", KeyKind::Note, &random)?;
//! let disk = Arc::new(Folder::exclusive(folder.path())?);
//! let config = LogConfig { key, cosigners: vec![], at_open: AtOpen::CheckEverything };
//! let log = Log::open(disk, config, Arc::clone(&clock))?;
//!
//! let opening = Opening::new(b"which palm, whose, by which consent", &random)?;
//! let statement = Statement::Delete { cause: DeletionCause::Person, palms: 2 };
//! let promise = log.append(Draft { statement, commitment: opening.commitment() })?;
//! log.publish()?;
//!
//! let leaf = log.leaf(promise.index())?;
//! let receipt = log.prove(promise.index())?.into_receipt(&leaf, &opening).to_string();
//! Receipt::parse(receipt.as_bytes())?.verify(log.policy(), clock.now())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod checkpoint;
mod commitment;
mod cosignature;
mod disk;
mod error;
mod hash;
mod journal;
mod leaf;
mod log;
mod note;
mod opening;
mod promise;
mod proof;
mod report;
mod statement;
mod tile;
mod tree;
mod verifier;
mod vocabulary;
mod wire;
mod witness;

pub use checkpoint::{Checkpoint, SignedCheckpoint};
pub use commitment::{
    Commitment, Label, LabelKey, Opening, PRIVATE_BYTES_MAX, PrivateFieldsTooLong,
};
pub use cosignature::{
    CLOCK_SKEW_MAX, Cosigned, Cosigner, CosignerGroup, NotACosigner, TrustError, TrustPolicy,
};
pub use disk::{Disk, Folder, TileSource};
pub use error::LogError;
pub use hash::TreeHash;
pub use leaf::{Draft, LEAF_BYTES_MAX, Leaf, LeafError};
pub use log::{AtOpen, Log, LogConfig, LogStatus, UNPUBLISHED_MAX, WAITING_MAX};
pub use note::{
    KeyId, KeyKind, NOTE_BYTES_MAX, Note, NoteError, NoteSignature, SIGNATURES_MAX, SecretKey,
    VerifierKey, is_key_name,
};
pub use promise::Promise;
pub use proof::{EXTRA_BYTES_MAX, Proof, ProofError, Proven, Receipt};
pub use report::{Month, MonthCounts, TransparencyReport};
pub use statement::{AuditTag, AuditTags, Statement, TAGS_MAX};
pub use tile::{TileError, TileKind, TilePath, TreeFiles};
pub use tree::{
    Edge, FilledTile, LEAVES_MAX, PROOF_HASHES_MAX, TILE_HEIGHT, TILE_LEVELS_MAX, TILE_WIDTH,
    TreeProofError, check_consistency, check_inclusion, edge_width, level_count, subtree_root,
};
pub use verifier::{
    CHECKPOINT, COSIGNED_CHECKPOINT, PROBLEMS_MAX, Problem, Report, Verification, VerifyError,
    read_checkpoint, verify_checkpoint, verify_folder,
};
pub use vocabulary::{
    AccessReason, Biometrics, DeletionCause, DemandOutcome, Kind, PublicText, Purpose, Rule,
    StaffRole, Step, TEXT_BYTES_MAX, WideAct,
};
pub use witness::{AddCheckpoint, Witness, WitnessError, WitnessRefusal};
