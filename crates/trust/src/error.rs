//! What can go wrong.

use std::io;
use std::path::PathBuf;

use handfast_store::StoreError;
use handfast_tlog::{LogError, PrivateFieldsTooLong};
use thiserror::Error;

/// Why something could not be logged, kept or proved.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrustError {
    /// The log did not do its part.
    #[error("the transparency log could not do its part")]
    Log(#[from] LogError),
    /// The database of openings did not do its part.
    #[error("the openings of leaves could not be read or written")]
    Store(#[from] StoreError),
    /// A record is too long for a leaf's private fields.
    #[error("a record does not fit into a leaf")]
    RecordTooLong(#[from] PrivateFieldsTooLong),
    /// A key file could not be made or read.
    #[error("could not {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A key file holds no key.
    #[error("{} is damaged or no key of a log; put it back from a backup", path.display())]
    KeyDamaged {
        /// The file.
        path: PathBuf,
    },
    /// The name of a new key cannot name one.
    #[error("{name:?} cannot name a key: it is empty, or has a space or a plus sign")]
    KeyName {
        /// The name.
        name: String,
    },
    /// Witnesses have not cosigned for too long.
    #[error(
        "{promised} leaves are promised and {cosigned} cosigned, for more than a minute: nothing that \
         must be logged happens until enough witnesses answer again"
    )]
    NotCosigned {
        /// Leaves promised.
        promised: u64,
        /// Leaves cosigned by enough.
        cosigned: u64,
    },
    /// There is no such receipt for this person.
    #[error("there is no leaf {position} about this palm link")]
    NoSuchReceipt {
        /// The position asked for.
        position: u64,
    },
    /// What is stored about a leaf is not what was written.
    #[error("the stored opening of a leaf is damaged")]
    OpeningDamaged,
    /// The program is stopping.
    #[error("the service is stopping; nothing more is logged")]
    Stopping,
}
