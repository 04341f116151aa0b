//! The vault as services use it: three nodes that hold no palm each, or one machine that matches in
//! clear. The same calls, the same answers; the one in clear is the other's oracle.

use std::path::Path;
use std::sync::Arc;

use handfast_model::{Clock, CompanyId, GalleryId, PairwiseToken, Random, Timestamp};

use crate::dealer::{Enrolments, Presentation, PresentedPalm};
use crate::deployment::Deployment;
use crate::vault::PlainVault;
use crate::{
    ArmedIn, AuditPart, Capture, DeletionReceipt, EnrolOutcome, FilledPalm, NewGallery,
    PalmIdentification, SplitVault, VaultError, VaultStatus, Verification,
};

/// A vault that is open. Clones are the same vault.
#[derive(Clone, Debug)]
pub enum Vault {
    /// One process holds the palms.
    Plain(PlainVault),
    /// Three nodes hold shares, and none of them a palm.
    Split(SplitVault),
}

impl From<PlainVault> for Vault {
    fn from(plain: PlainVault) -> Self {
        Self::Plain(plain)
    }
}

impl From<SplitVault> for Vault {
    fn from(split: SplitVault) -> Self {
        Self::Split(split)
    }
}

impl Vault {
    /// Opens the vault in `dir` that matches in clear; makes one where there is none.
    ///
    /// # Errors
    /// As [`PlainVault::open`].
    pub async fn open(
        dir: &Path,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, VaultError> {
        PlainVault::open(dir, clock, random).await.map(Self::Plain)
    }

    /// The same vault, for what this pedestal captures under this consent: nodes count budgets by
    /// device, and bind shares to both. The vault in clear has neither.
    #[must_use]
    pub fn captured(&self, capture: Capture) -> Self {
        match self {
            Self::Plain(vault) => Self::Plain(vault.clone()),
            Self::Split(vault) => Self::Split(vault.captured(capture)),
        }
    }

    /// Opens a gallery. Repeating it is no error, not even for a gallery that was closed since;
    /// its terms are fixed.
    ///
    /// # Errors
    /// [`VaultError::GalleryDiffers`], [`VaultError::PurposeReserved`].
    pub async fn open_gallery(&self, gallery: NewGallery) -> Result<(), VaultError> {
        match self {
            Self::Plain(vault) => vault.open_gallery(gallery).await,
            Self::Split(vault) => vault.open_gallery(gallery).await,
        }
    }

    /// Closes a gallery for good and disarms every palm in it. Repeating it is no error.
    ///
    /// # Errors
    /// [`VaultError::GalleryUnknown`]; [`VaultError::PurposeReserved`] for a duplicate check's.
    pub async fn close_gallery(&self, gallery: GalleryId) -> Result<(), VaultError> {
        match self {
            Self::Plain(vault) => vault.close_gallery(gallery).await,
            Self::Split(vault) => vault.close_gallery(gallery).await,
        }
    }

    /// Enrols one or both palms of a person with a company, unless one of them is like a palm that
    /// the company has. All palms are stored or none; of two enrolments of one palm at the same
    /// time exactly one succeeds. `until` is when the consent ends: till then later enrolments are
    /// checked against these palms.
    ///
    /// # Errors
    /// [`VaultError::UntilPassed`], [`VaultError::GalleryFull`], [`VaultError::Unavailable`],
    /// failures of disk and database.
    pub async fn enrol(
        &self,
        company: CompanyId,
        palms: Enrolments,
        until: Timestamp,
    ) -> Result<EnrolOutcome, VaultError> {
        match self {
            Self::Plain(vault) => vault.enrol(company, palms, until).await,
            Self::Split(vault) => vault.enrol(company, palms, until).await,
        }
    }

    /// Arms a company's palm in a gallery, or changes until when; returns what the gallery's
    /// relying party knows it by, the same at every repetition.
    ///
    /// # Errors
    /// [`VaultError::PalmUnknown`], [`VaultError::GalleryUnknown`], [`VaultError::GalleryClosed`],
    /// [`VaultError::GalleryFull`], [`VaultError::UntilPassed`], [`VaultError::Unavailable`].
    pub async fn arm(
        &self,
        company: CompanyId,
        palm: PairwiseToken,
        gallery: GalleryId,
        until: Timestamp,
    ) -> Result<PairwiseToken, VaultError> {
        match self {
            Self::Plain(vault) => vault.arm(company, palm, gallery, until).await,
            Self::Split(vault) => vault.arm(company, palm, gallery, until).await,
        }
    }

    /// Disarms a company's palm in a gallery: it is found there no more when this returns.
    /// Repeating it is no error.
    ///
    /// # Errors
    /// [`VaultError::PalmUnknown`], [`VaultError::GalleryUnknown`], [`VaultError::Unavailable`].
    pub async fn disarm(
        &self,
        company: CompanyId,
        palm: PairwiseToken,
        gallery: GalleryId,
    ) -> Result<(), VaultError> {
        match self {
            Self::Plain(vault) => vault.disarm(company, palm, gallery).await,
            Self::Split(vault) => vault.disarm(company, palm, gallery).await,
        }
    }

    /// Removes the armings that ended at `now` or earlier; returns how many. Searches pass them
    /// over from their end on, this tidies up.
    ///
    /// # Errors
    /// Failures of the database, [`VaultError::Unavailable`].
    pub async fn disarm_expired(&self, now: Timestamp) -> Result<usize, VaultError> {
        match self {
            Self::Plain(vault) => vault.disarm_expired(now).await,
            Self::Split(vault) => vault.disarm_expired(now).await,
        }
    }

    /// Where a company's palm is armed; its company's duplicate check is among them.
    ///
    /// # Errors
    /// [`VaultError::PalmUnknown`].
    pub async fn armings(
        &self,
        company: CompanyId,
        palm: PairwiseToken,
    ) -> Result<Vec<ArmedIn>, VaultError> {
        match self {
            Self::Plain(vault) => vault.armings(company, palm).await,
            Self::Split(vault) => vault.armings(company, palm),
        }
    }

    /// How many palms are armed in a gallery now; none in a closed one.
    ///
    /// # Errors
    /// [`VaultError::GalleryUnknown`].
    pub async fn armed(&self, gallery: GalleryId) -> Result<usize, VaultError> {
        match self {
            Self::Plain(vault) => vault.armed(gallery).await,
            Self::Split(vault) => vault.armed(gallery),
        }
    }

    /// Looks for each presented palm among those armed in a gallery now (1:N), in the order given.
    /// Whether two palms belong to one person the relying party knows: it is told of each.
    ///
    /// # Errors
    /// [`VaultError::GalleryUnknown`], [`VaultError::GalleryClosed`], [`VaultError::Unavailable`],
    /// [`VaultError::BudgetExhausted`].
    pub async fn identify(
        &self,
        gallery: GalleryId,
        presentation: Presentation,
    ) -> Result<Vec<PalmIdentification>, VaultError> {
        self.identify_in(&[gallery], presentation).await
    }

    /// As [`Vault::identify`], in several galleries: what each found of each palm, gallery by
    /// gallery. A stranger's chance to be taken for somebody adds up over them.
    ///
    /// # Errors
    /// As [`Vault::identify`].
    pub async fn identify_in(
        &self,
        galleries: &[GalleryId],
        presentation: Presentation,
    ) -> Result<Vec<PalmIdentification>, VaultError> {
        match self {
            Self::Plain(vault) => vault.identify_in(galleries, presentation).await,
            Self::Split(vault) => vault.identify_in(galleries, presentation).await,
        }
    }

    /// What a person needs to find the searches that found this palm, among `queries`: a part of
    /// every node (one in all where one machine matches in clear), sealed to `recipient`, an X25519
    /// key that the person's own device drew. What is in between learns nothing by it.
    ///
    /// # Errors
    /// [`VaultError::PalmUnknown`], [`VaultError::TooManyQueries`],
    /// [`VaultError::RecipientUnusable`], [`VaultError::Unavailable`].
    pub async fn audit_parts(
        &self,
        company: CompanyId,
        palm: PairwiseToken,
        queries: &[[u8; 16]],
        recipient: [u8; 32],
    ) -> Result<Vec<AuditPart>, VaultError> {
        match self {
            Self::Plain(vault) => vault.audit_parts(company, palm, queries, recipient),
            Self::Split(vault) => vault.audit_parts(company, palm, queries, recipient).await,
        }
    }

    /// The nodes' public Ed25519 keys, of A, B, C; none where one machine matches in clear.
    #[must_use]
    pub fn node_keys(&self) -> Option<[[u8; 32]; 3]> {
        match self {
            Self::Plain(_) => None,
            Self::Split(vault) => Some(vault.node_keys()),
        }
    }

    /// The deployment whose nodes compare, as everybody may see it; none where one machine matches in
    /// clear.
    #[must_use]
    pub fn deployment(&self) -> Option<&Deployment> {
        match self {
            Self::Plain(_) => None,
            Self::Split(vault) => Some(vault.deployment()),
        }
    }

    /// The epoch of the nodes' shares, as far as it was heard of; none where one machine matches in
    /// clear. It is another one once they renewed their shares.
    #[must_use]
    pub fn share_epoch(&self) -> Option<u64> {
        match self {
            Self::Plain(_) => None,
            Self::Split(vault) => vault.share_epoch(),
        }
    }

    /// Compares a presented palm with the one that the gallery's relying party knows by `token`
    /// (1:1): when something else, such as a code, named the person.
    ///
    /// # Errors
    /// As [`Vault::identify`].
    pub async fn verify(
        &self,
        gallery: GalleryId,
        token: PairwiseToken,
        palm: PresentedPalm,
    ) -> Result<Verification, VaultError> {
        match self {
            Self::Plain(vault) => vault.verify(gallery, token, palm).await,
            Self::Split(vault) => vault.verify(gallery, token, palm).await,
        }
    }

    /// Deletes palms of a company: complete on disk and in memory, at every node, when it returns.
    ///
    /// # Errors
    /// [`VaultError::PalmUnknown`] where the company has not all of these palms, or none were
    /// named: then nothing is deleted. After any other error, repeat it; it is decided, and carried
    /// out as soon as it can be.
    pub async fn delete(
        &self,
        company: CompanyId,
        palms: &[PairwiseToken],
    ) -> Result<DeletionReceipt, VaultError> {
        match self {
            Self::Plain(vault) => vault.delete(company, palms).await,
            Self::Split(vault) => vault.delete(company, palms).await,
        }
    }

    /// What a company knows its palms by, in no order: to find those that the company forgot.
    #[must_use]
    pub fn palms(&self, company: CompanyId) -> Vec<PairwiseToken> {
        match self {
            Self::Plain(vault) => vault.palms(company),
            Self::Split(vault) => vault.palms(company),
        }
    }

    /// How full the vault is, and who answers.
    #[must_use]
    pub fn status(&self) -> VaultStatus {
        match self {
            Self::Plain(vault) => vault.status(),
            Self::Split(vault) => vault.status(),
        }
    }

    /// Whether palms can be compared now: no node is away or still catching up.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        match self {
            Self::Plain(_) => true,
            Self::Split(vault) => vault.is_ready(),
        }
    }

    /// Closes the vault after the change in progress. Other clones answer errors from then on.
    pub async fn close(self) {
        match self {
            Self::Plain(vault) => vault.close().await,
            Self::Split(vault) => vault.close().await,
        }
    }

    /// As [`PlainVault::danger_fill`].
    ///
    /// # Errors
    /// As there; of a split one, when a node is away, or was not started to store rows unchecked.
    pub async fn danger_fill(
        &self,
        company: CompanyId,
        galleries: &[GalleryId],
        count: usize,
        until: Timestamp,
    ) -> Result<Vec<FilledPalm>, VaultError> {
        match self {
            Self::Plain(vault) => vault.danger_fill(company, galleries, count, until).await,
            Self::Split(vault) => vault.danger_fill(company, galleries, count, until).await,
        }
    }
}
