//! The vault: which palms are stored, who may search for them, and what a search tells.
//!
//! Relying parties (a ticketing company, a venue, a shop) know a palm by a pairwise token of their
//! own and never see a template, a score or a slot. A company enrols a palm and gets its token: the
//! handle for arming it in galleries and for deleting it. A search of a gallery gives its relying
//! party's token of the one palm that is like the one shown, or says that there is none, or several.
//!
//! ```no_run
//! # use std::{path::Path, sync::Arc};
//! # use handfast_model::{CompanyId, GalleryId, RelyingParty, SystemClock, SystemRandom, Timestamp, VenueId};
//! # use handfast_vault::dealer::{Enrolments, Presentation};
//! # use handfast_vault::{EnrolOutcome, NewGallery, Purpose, ThresholdPolicy, Vault, VaultError};
//! # async fn example(
//! #     company: CompanyId, venue: VenueId, gallery: GalleryId, until: Timestamp,
//! #     palms: Enrolments, shown: Presentation,
//! # ) -> Result<(), VaultError> {
//! let vault =
//!     Vault::open(Path::new("data/vault"), Arc::new(SystemClock), Arc::new(SystemRandom)).await?;
//! let party = RelyingParty::Venue(venue);
//! let (purpose, policy) = (Purpose::Entry, ThresholdPolicy::ENTRY);
//! vault.open_gallery(NewGallery { gallery, party, purpose, policy }).await?;
//! if let EnrolOutcome::Enrolled(palms) = vault.enrol(company, palms, until).await? {
//!     let venue_token = vault.arm(company, palms[0].token, gallery, until).await?;
//!     let found = vault.identify(gallery, shown).await?; // Match(venue_token), if it is that palm
//!     let receipt = vault.delete(company, &[palms[0].token]).await?;
//! #   let _ = (venue_token, found, receipt);
//! }
//! # Ok(()) }
//! ```
//!
//! A vault comes in two forms. [`SplitVault`]: three nodes (`node`, run by [`process`]) each hold a
//! share of every reference that alone is random numbers; any two together could rebuild it.
//! [`PlainVault`]: one process holds the palms and matches them in clear, behind the trait
//! [`Matcher`]; whoever holds its whole folder, or the running process's memory, holds the
//! templates. It is the split one's oracle.

mod arming;
mod audit;
pub mod daily_keys;
mod danger;
pub mod dealer;
mod deletion;
pub mod deployment;
#[cfg(test)]
mod deployment_testing;
mod directory;
mod enrolment;
mod error;
mod facade;
mod gallery;
mod gallery_records;
pub mod identity;
mod kernel;
mod matcher;
pub mod node;
mod node_key;
mod node_seals;
mod opening;
mod pairwise;
mod plain_matcher;
mod private_file;
pub mod process;
mod records;
mod resident;
mod row_key_file;
mod sealing;
mod search;
pub mod setup;
pub mod share_sealing;
mod slot;
mod split;
mod storing;
#[cfg(test)]
mod testing;
pub mod transport;
mod vault;

pub use arming::ArmedIn;
pub use audit::{
    AUDIT_INFO, AUDIT_QUERIES_MAX, AuditPart, AuditTag, SignedTagPart, audit_context, audit_signed,
};
pub use danger::FilledPalm;
pub use deletion::{DeletionReceipt, DeletionReceiptId};
pub use enrolment::{EnrolOutcome, EnrolledPalm};
pub use error::VaultError;
pub use facade::Vault;
pub use gallery::{NewGallery, Purpose, SearchBudgets, ThresholdPolicy, Thresholds};
pub use handfast_mpc::{Role, ring};
pub use matcher::{Armed, Identification, Matcher, Query, Verification};
pub use plain_matcher::PlainMatcher;
pub use search::PalmIdentification;
pub use slot::SlotId;
pub use split::{BenchGallery, Capture, FrontOptions, NodeClient, NodeState, SplitVault};
pub use vault::{PlainVault, VaultStatus};
