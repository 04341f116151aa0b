//! What is owed to the log and to the person: leaves with their openings, receipts, consent records.
//!
//! Services tell [`Trust`] what happened. It puts a leaf into the transparency log, which names
//! nobody, and keeps what opens the leaf for the person it is about. The person takes it away as a
//! [receipt](Trust::receipt) that anybody can check with no network.
//!
//! Two ways in, by what comes first:
//! - [`Trust::promise`] before something may happen (a search): the leaf is durable and promised, or
//!   the answer is an error and the search's result is withheld. Whose use it was turns out later,
//!   and [`Trust::keep`] then keeps the opening for them.
//! - [`Trust::record`] after something happened that must not wait for the log (a deletion): the leaf
//!   is owed durably, and carried at once or, where the log fails, by [`Trust::settle`].
//!
//! What is not here: whether a use is allowed. Box office, vault and till decide that.

mod consent_record;
mod cross_check;
mod deletion_journal;
mod error;
mod key_file;
mod logged_values;
mod opening_store;
mod receipt;
mod record;
mod retention;
mod signed_tags;
mod trust;

pub use consent_record::{AgeRecord, ConsentRecord, ConsentScope};
pub use cross_check::{CrossCheck, Discrepancy, LoggedLeaves};
pub use error::TrustError;
pub use receipt::{ReceiptLine, ReceiptState};
pub use record::Record;
pub use retention::{
    BACKUP_DAYS_MAX, DORMANT_MONTHS_DEFAULT, Jurisdiction, OPENINGS_KEPT_MONTHS, PolicyError,
    Retention, Source, jurisdictions, retention_table,
};
pub use signed_tags::{SignedPart, SignedTag, SignedTags};
pub use trust::{COSIGNED_WITHIN, Promised, Replay, Trust, TrustConfig, signing_key};
