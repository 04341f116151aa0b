//! What can go wrong in the vault, and what to do then.

use std::io;
use std::path::{Path, PathBuf};

use handfast_model::GalleryId;
use handfast_store::StoreError;
use thiserror::Error;

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
