//! What can go wrong in the vault, and what to do then.

use std::io;
use std::path::{Path, PathBuf};

use handfast_model::{DeviceId, GalleryId, Timestamp};
use handfast_mpc::Role;
use handfast_store::StoreError;
use thiserror::Error;

use crate::identity::IdentityError;
use crate::node::Refusal;

/// Why the vault did not do what it was asked to.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum VaultError {
    /// Others than the owner may read a key file.
    #[error(
        "{path} may be read by others (mode {mode:o}): run `chmod 600 {path}`; if anybody did \
         read it, the palms in this vault must be enrolled anew in a fresh one"
    )]
    KeyFileExposed {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A key file is absent although the vault has been used.
    #[error(
        "{path} is missing: without it nothing in this vault can be read; put the file back, or \
         start with an empty folder and enrol anew"
    )]
    KeyFileMissing {
        /// The key file.
        path: PathBuf,
    },
    /// A key file is not one, or not this vault's.
    #[error("{path} cannot be used: {reason}; put this vault's own file back")]
    KeyFile {
        /// The key file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The keys of stored palms are there, their database is not.
    #[error(
        "{path} is missing or empty, but keys of its rows exist: put the database back, or remove \
         the key files to give up what it held"
    )]
    DatabaseMissing {
        /// The database file.
        path: PathBuf,
    },
    /// Another process works on the vault.
    #[error("the vault in {dir} is in use by another process; stop that one first")]
    AlreadyOpen {
        /// The vault's folder.
        dir: PathBuf,
    },
    /// The operating system refused something.
    #[error("could not {action} {path}")]
    File {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The database refused something.
    #[error("the vault's database failed")]
    Store(#[from] StoreError),
    /// A relying party's key does not open.
    #[error("a relying party's key is damaged; restore the vault's folder as a whole")]
    PartyKeyBroken,
    /// No such gallery.
    #[error("there is no gallery {gallery}; open it first")]
    GalleryUnknown {
        /// The gallery asked for.
        gallery: GalleryId,
    },
    /// The gallery's purpose is over.
    #[error("gallery {gallery} is closed for good; open another one")]
    GalleryClosed {
        /// The gallery asked for.
        gallery: GalleryId,
    },
    /// The gallery exists with another owner, purpose or policy.
    #[error("gallery {gallery} exists already and differs; its terms are fixed, open another one")]
    GalleryDiffers {
        /// The gallery asked for.
        gallery: GalleryId,
    },
    /// The gallery holds as many palms as its threshold is calibrated for.
    #[error(
        "gallery {gallery} holds {palms_max} palms, as many as its threshold is made for; open \
         one with a larger policy"
    )]
    GalleryFull {
        /// The gallery asked for.
        gallery: GalleryId,
        /// Its policy's limit.
        palms_max: u32,
    },
    /// Duplicate check galleries are made by the vault itself.
    #[error("duplicate check galleries are made by the vault; ask for entry or payment")]
    PurposeReserved,
    /// The company has no palm under that token.
    #[error("the company has no palm under this token; it may have been deleted already")]
    PalmUnknown,
    /// A consent that is over arms nothing.
    #[error("the consent ends before it begins: give an end that lies in the future")]
    UntilPassed,
    /// Filling a vault that people use.
    #[error("synthetic palms go into an empty vault only; use a folder of its own for benches")]
    NotEmpty,
    /// A node of the vault cannot be reached.
    #[error(
        "node {node} of the vault is not reachable ({reason}); palms work again as soon as it is \
         back, codes work meanwhile"
    )]
    Unavailable {
        /// The node.
        node: Role,
        /// Since when.
        since: Timestamp,
        /// Why.
        reason: String,
    },
    /// A node refused.
    #[error("node {node} of the vault refused: {refusal}")]
    Refused {
        /// The node.
        node: Role,
        /// Why.
        refusal: Refusal,
    },
    /// The nodes gave an operation up; nothing was changed.
    #[error("the nodes of the vault gave the operation up: {refusal}")]
    GivenUp {
        /// Why.
        refusal: Refusal,
    },
    /// A node allows no more searches for now.
    #[error("a budget of the vault is used up: {refusal}; use a code, or wait for the next hour")]
    BudgetExhausted {
        /// Which one.
        refusal: Refusal,
    },
    /// A node answered something else than what was asked, or without a valid signature.
    #[error(
        "node {node} of the vault answered something that is not its own or not what was asked; \
         look after that node"
    )]
    NodeAnswer {
        /// The node.
        node: Role,
    },
    /// A request for more of a person's searches than one answer holds.
    #[error(
        "{queries} searches were asked about at once, at most {} are; ask for a shorter period",
        crate::AUDIT_QUERIES_MAX
    )]
    TooManyQueries {
        /// So many.
        queries: usize,
    },
    /// What a person's own device gave is no key.
    #[error("the key to seal to is no X25519 key; draw a new one")]
    RecipientUnusable,
    /// A device that was taken out of use.
    #[error(
        "device {device} was revoked and captures no palms; `handfast vault device rotate` gives \
         it a new key and lets it in again"
    )]
    DeviceRevoked {
        /// The device.
        device: DeviceId,
    },
    /// The member's folder cannot be used.
    #[error(transparent)]
    Identity(Box<IdentityError>),
    /// Vectors that cannot be shared.
    #[error("the palm could not be shared; capture it again")]
    NotDealt,
    /// The front's database does not open with its key.
    #[error("the front's database is damaged; restore the front's folder as a whole")]
    FrontDatabaseBroken,
    /// The front's database is of another deployment.
    #[error(
        "the front's database belongs to another deployment; put the front's own folder back as a \
         whole"
    )]
    FrontDatabaseForeign,
    /// The program is ending.
    #[error("the program is stopping; the change is finished or undone when the vault opens again")]
    Stopping,
}

impl VaultError {
    pub(crate) fn file(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::File { action, path: path.to_owned(), source }
    }

    pub(crate) fn key_file(path: &Path, reason: &'static str) -> Self {
        Self::KeyFile { path: path.to_owned(), reason }
    }
}
