//! Searching: who of a gallery's armed palms is shown.

use handfast_model::{CompanyId, GalleryId, PairwiseToken, Random};
use handfast_palm::Side;
use zeroize::Zeroizing;

use crate::audit::{
    AUDIT_QUERIES_MAX, AuditKey, AuditPart, AuditTag, audit_context, seal_components,
};
use crate::dealer::{Presentation, PresentedPalm};
use crate::matcher::{Identification, Query, Verification};
use crate::vault::PlainVault;
use crate::{SlotId, VaultError};

/// What one presented palm was found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PalmIdentification {
    /// Which hand.
    pub side: Side,
    /// What was found.
    pub identification: Identification,
    /// The search's name and audit tag, for the log.
    pub audit: AuditTag,
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
            self.0.directory().galleries.get_open(gallery)?;
        }
        let galleries = galleries.to_vec();
        let now = self.0.clock.now();
        let (key, random) = (AuditKey::of(&self.0.node_key), self.0.random.clone());
        self.0
            .with_matcher(move |matcher| {
                let identify = |gallery: GalleryId, palm: &PresentedPalm| {
                    let (side, probes) = (palm.side(), palm.probes());
                    let query = Query { gallery, side, probes, now };
                    let identification = matcher.identify(query);
                    let audit = match identification {
                        Identification::NoMatch => tag(&key, &*random, None),
                        Identification::Match(token) => {
                            tag(&key, &*random, matcher.slot_of(gallery, token))
                        }
                        // Of several it is nobody's, and random.
                        Identification::Ambiguous => {
                            AuditTag { tag: drawn(&*random), ..tag(&key, &*random, None) }
                        }
                    };
                    PalmIdentification { side, identification, audit }
                };
                let in_one = |&gallery: &GalleryId| {
                    presentation.palms().iter().map(move |palm| identify(gallery, palm))
                };
                galleries.iter().flat_map(in_one).collect()
            })
            .await
    }

    /// As [`Vault::audit_parts`](crate::Vault::audit_parts).
    pub(crate) fn audit_parts(
        &self,
        company: CompanyId,
        palm: PairwiseToken,
        queries: &[[u8; 16]],
        recipient: [u8; 32],
    ) -> Result<Vec<AuditPart>, VaultError> {
        if queries.len() > AUDIT_QUERIES_MAX {
            return Err(VaultError::TooManyQueries { queries: queries.len() });
        }
        let slot = self.0.directory().slot(company, palm)?;
        let key = AuditKey::of(&self.0.node_key);
        let values: Vec<[u8; 16]> =
            queries.iter().map(|query| key.value(*query, Some(slot))).collect();
        let values = Zeroizing::new(values.concat());
        let context = audit_context(&recipient, queries);
        let sealed = seal_components(&values, &recipient, &context, &*self.0.random);
        let sealed = sealed.ok_or(VaultError::RecipientUnusable)?;
        Ok(vec![AuditPart { node: None, sealed, signature: None }])
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
        self.0.directory().galleries.get_open(gallery)?;
        let now = self.0.clock.now();
        self.0
            .with_matcher(move |matcher| {
                let query = Query { gallery, side: palm.side(), probes: palm.probes(), now };
                matcher.verify(query, token)
            })
            .await
    }
}

/// A new query's tag, where it found this slot, or nobody.
fn tag(key: &AuditKey, random: &dyn Random, slot: Option<SlotId>) -> AuditTag {
    let query = drawn(random);
    AuditTag { query, tag: key.value(query, slot), parts: None }
}

fn drawn(random: &dyn Random) -> [u8; 16] {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    bytes
}
