//! Searching: who of a gallery's armed palms is shown.

use handfast_model::{GalleryId, PairwiseToken};
use handfast_palm::Side;

use crate::VaultError;
use crate::dealer::{Presentation, PresentedPalm};
use crate::matcher::{Identification, Query, Verification};
use crate::vault::PlainVault;

/// What one presented palm was found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PalmIdentification {
    /// Which hand.
    pub side: Side,
    /// What was found.
    pub identification: Identification,
}

impl PlainVault {
    /// Looks for each presented palm among those armed in a gallery now (1:N), in the order given.
    /// Whether two palms belong to one person the relying party knows: it is told of each.
    ///
    /// # Errors
    /// [`VaultError::GalleryUnknown`], [`VaultError::GalleryClosed`].
    pub async fn identify(
        &self,
        gallery: GalleryId,
        presentation: Presentation,
    ) -> Result<Vec<PalmIdentification>, VaultError> {
        self.identify_in(&[gallery], presentation).await
    }

    /// As [`PlainVault::identify`], in several galleries: what each found of each palm, gallery by
    /// gallery. A stranger's chance to be taken for somebody adds up over them.
    ///
    /// # Errors
    /// [`VaultError::GalleryUnknown`], [`VaultError::GalleryClosed`].
    pub async fn identify_in(
        &self,
        galleries: &[GalleryId],
        presentation: Presentation,
    ) -> Result<Vec<PalmIdentification>, VaultError> {
        for &gallery in galleries {
            self.0.directory().open_gallery(gallery)?;
        }
        let galleries = galleries.to_vec();
        let now = self.0.clock.now();
        self.0
            .with_matcher(move |matcher| {
                let identify = |gallery: GalleryId, palm: &PresentedPalm| {
                    let (side, probes) = (palm.side(), palm.probes());
                    let query = Query { gallery, side, probes, now };
                    PalmIdentification { side, identification: matcher.identify(query) }
                };
                let in_one = |&gallery: &GalleryId| {
                    presentation.palms().iter().map(move |palm| identify(gallery, palm))
                };
                galleries.iter().flat_map(in_one).collect()
            })
            .await
    }

    /// Compares a presented palm with the one that the gallery's relying party knows by `token`
    /// (1:1): when something else, such as a code, named the person.
    ///
    /// # Errors
    /// [`VaultError::GalleryUnknown`], [`VaultError::GalleryClosed`].
    pub async fn verify(
        &self,
        gallery: GalleryId,
        token: PairwiseToken,
        palm: PresentedPalm,
    ) -> Result<Verification, VaultError> {
        self.0.directory().open_gallery(gallery)?;
        let now = self.0.clock.now();
        self.0
            .with_matcher(move |matcher| {
                let query = Query { gallery, side: palm.side(), probes: palm.probes(), now };
                matcher.verify(query, token)
            })
            .await
    }
}
