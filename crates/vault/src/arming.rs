//! Galleries and arming: which palms may be searched, where, and until when.

use std::sync::Arc;

use handfast_model::{CompanyId, GalleryId, PairwiseToken, Timestamp};

use crate::gallery::{Gallery, GalleryState, NewGallery};
use crate::gallery_records::{self, ArmingRow};
use crate::matcher::Armed;
use crate::records;
use crate::vault::{Inner, PlainVault};
use crate::{SlotId, VaultError};

/// One palm's arming in one gallery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArmedIn {
    /// Where.
    pub gallery: GalleryId,
    /// From when on it is not searched there any more.
    pub until: Timestamp,
}

impl PlainVault {
    /// Opens a gallery. Repeating it is no error, not even for a gallery that was closed since;
    /// its terms are fixed.
    ///
    /// # Errors
    /// [`VaultError::GalleryDiffers`], [`VaultError::PurposeReserved`].
    pub async fn open_gallery(&self, gallery: NewGallery) -> Result<(), VaultError> {
        self.to_the_end(move |inner| inner.open_gallery(gallery)).await
    }

    /// Closes a gallery for good and disarms every palm in it. Repeating it is no error.
    ///
    /// # Errors
    /// [`VaultError::GalleryUnknown`]; [`VaultError::PurposeReserved`] for a duplicate check's.
    pub async fn close_gallery(&self, gallery: GalleryId) -> Result<(), VaultError> {
        self.to_the_end(move |inner| inner.close_gallery(gallery)).await
    }

    /// Arms a company's palm in a gallery, or changes until when; returns what the gallery's
    /// relying party knows it by, the same at every repetition.
    ///
    /// # Errors
    /// [`VaultError::PalmUnknown`], [`VaultError::GalleryUnknown`], [`VaultError::GalleryClosed`],
    /// [`VaultError::GalleryFull`], [`VaultError::UntilPassed`].
    pub async fn arm(
        &self,
        company: CompanyId,
        palm: PairwiseToken,
        gallery: GalleryId,
        until: Timestamp,
    ) -> Result<PairwiseToken, VaultError> {
        self.to_the_end(move |inner| inner.arm(company, palm, gallery, until)).await
    }

    /// Disarms a company's palm in a gallery: it is found there no more when this returns.
    /// Repeating it is no error.
    ///
    /// # Errors
    /// [`VaultError::PalmUnknown`], [`VaultError::GalleryUnknown`].
    pub async fn disarm(
        &self,
        company: CompanyId,
        palm: PairwiseToken,
        gallery: GalleryId,
    ) -> Result<(), VaultError> {
        self.to_the_end(move |inner| inner.disarm(company, palm, gallery)).await
    }

    /// Removes the armings that ended at `now` or earlier; returns how many. Searches pass them
    /// over from their end on, this tidies up.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn disarm_expired(&self, now: Timestamp) -> Result<usize, VaultError> {
        self.to_the_end(move |inner| inner.disarm_expired(now)).await
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
        let slot = self.0.directory().slot(company, palm)?;
        let armings = records::armings_of(&self.0.store, slot).await?;
        Ok(armings.into_iter().map(|(gallery, until)| ArmedIn { gallery, until }).collect())
    }

    /// How many palms are armed in a gallery now; none in a closed one.
    ///
    /// # Errors
    /// [`VaultError::GalleryUnknown`].
    pub async fn armed(&self, gallery: GalleryId) -> Result<usize, VaultError> {
        self.0.directory().galleries.get(gallery)?;
        let now = self.0.clock.now();
        self.0.with_matcher(move |matcher| matcher.armed(gallery, now)).await
    }
}

impl Inner {
    async fn open_gallery(self: Arc<Self>, spec: NewGallery) -> Result<(), VaultError> {
        let _one_change = self.changes.lock().await;
        let new = self.directory().galleries.is_new(&spec)?;
        if new { self.add_gallery(spec).await.map(drop) } else { Ok(()) }
    }

    async fn close_gallery(self: Arc<Self>, id: GalleryId) -> Result<(), VaultError> {
        let _one_change = self.changes.lock().await;
        let gallery = self.directory().galleries.closable(id)?;
        let closed = self.store.transaction("vault.close_gallery", |tx| {
            Box::pin(async move { gallery_records::close_gallery(tx, id).await })
        });
        closed.await?;
        self.with_matcher(move |matcher| matcher.close_gallery(id)).await?;
        self.directory_mut().galleries.put(Gallery { state: GalleryState::Closed, ..gallery });
        Ok(())
    }

    async fn arm(
        self: Arc<Self>,
        company: CompanyId,
        palm: PairwiseToken,
        id: GalleryId,
        until: Timestamp,
    ) -> Result<PairwiseToken, VaultError> {
        let _one_change = self.changes.lock().await;
        if until <= self.clock.now() {
            return Err(VaultError::UntilPassed);
        }
        let (gallery, slot, token) = {
            let directory = self.directory();
            let gallery = directory.galleries.get_open(id)?;
            let slot = directory.slot(company, palm)?;
            (gallery, slot, directory.token(gallery.spec.party, slot)?)
        };
        self.check_room(gallery, slot).await?;
        let armed = self.store.transaction("vault.arm", |tx| {
            Box::pin(async move {
                gallery_records::arm(tx, ArmingRow { gallery: id, slot, until }).await
            })
        });
        armed.await?;
        self.with_matcher(move |matcher| matcher.arm(id, Armed { slot, token, until })).await?;
        Ok(token)
    }

    /// Refuses one palm more than the gallery's threshold is made for.
    async fn check_room(&self, gallery: Gallery, slot: SlotId) -> Result<(), VaultError> {
        let id = gallery.spec.gallery;
        let palms_max = gallery.spec.policy.palms_max;
        let now = self.clock.now();
        let armed = self.with_matcher(move |matcher| matcher.armed(id, now)).await?;
        if armed < palms_max as usize {
            return Ok(());
        }
        let looked_up = self.store.read("vault.is_armed", |tx| {
            Box::pin(async move { records::is_armed(tx, id, slot).await })
        });
        if looked_up.await? {
            Ok(())
        } else {
            Err(VaultError::GalleryFull { gallery: id, palms_max })
        }
    }

    async fn disarm(
        self: Arc<Self>,
        company: CompanyId,
        palm: PairwiseToken,
        id: GalleryId,
    ) -> Result<(), VaultError> {
        let _one_change = self.changes.lock().await;
        let slot = {
            let directory = self.directory();
            directory.galleries.get(id)?;
            directory.slot(company, palm)?
        };
        let disarmed = self.store.transaction("vault.disarm", |tx| {
            Box::pin(async move { gallery_records::disarm(tx, id, slot).await })
        });
        disarmed.await?;
        self.with_matcher(move |matcher| matcher.disarm(id, &[slot])).await
    }

    async fn disarm_expired(self: Arc<Self>, now: Timestamp) -> Result<usize, VaultError> {
        let _one_change = self.changes.lock().await;
        let removed = self.store.transaction("vault.disarm_expired", |tx| {
            Box::pin(async move { records::disarm_expired(tx, now).await })
        });
        let expired: Vec<ArmingRow> = removed.await?;
        let count = expired.len();
        self.with_matcher(move |matcher| {
            for arming in expired {
                matcher.disarm(arming.gallery, &[arming.slot]);
            }
        })
        .await?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use handfast_model::{Clock, Duration};
    use handfast_palm::Side;

    use super::*;
    use crate::testing::{TestVault, left, presentation, shown};
    use crate::{Identification, ThresholdPolicy, Verification};

    #[tokio::test]
    async fn arming_is_repeatable_and_lasts_over_a_restart() {
        let test = TestVault::new().await;
        let (palm, gallery) = (test.enrol(left(1)).await[0], test.gallery().await);
        assert_eq!(test.find(gallery, 1).await, Identification::NoMatch);
        let token = test.arm(palm, gallery).await;
        assert_eq!(test.arm(palm, gallery).await, token);
        assert_eq!(test.vault.armed(gallery).await.unwrap(), 1);
        let test = test.reopened().await;
        assert_eq!(test.find(gallery, 1).await, Identification::Match(token));
        assert_eq!(test.arm(palm, gallery).await, token);
        test.vault.disarm(test.company, palm, gallery).await.unwrap();
        test.vault.disarm(test.company, palm, gallery).await.unwrap();
        assert_eq!(test.find(gallery, 1).await, Identification::NoMatch);
        let test = test.reopened().await;
        assert_eq!(test.find(gallery, 1).await, Identification::NoMatch);
    }

    #[tokio::test]
    async fn an_arming_ends_by_itself_and_can_be_prolonged() {
        let test = TestVault::new().await;
        let (palm, gallery) = (test.enrol(left(1)).await[0], test.gallery().await);
        let token = test.arm(palm, gallery).await;
        let week = test.clock.now() + Duration::from_days(7);
        let longer = test.gallery().await;
        let lasting = test.vault.arm(test.company, palm, longer, week).await.unwrap();
        test.clock.advance(Duration::from_micros(Duration::from_days(1).as_micros() - 1));
        assert_eq!(test.find(gallery, 1).await, Identification::Match(token));
        test.clock.advance(Duration::from_micros(1));
        assert_eq!(test.find(gallery, 1).await, Identification::NoMatch);
        assert_eq!(test.vault.armed(gallery).await.unwrap(), 0);
        // The gallery's and the duplicate check's.
        assert_eq!(test.vault.disarm_expired(test.clock.now()).await.unwrap(), 2);
        assert_eq!(test.vault.disarm_expired(test.clock.now()).await.unwrap(), 0);
        let armings = test.vault.armings(test.company, palm).await.unwrap();
        assert_eq!(armings, [ArmedIn { gallery: longer, until: week }]);
        assert_eq!(test.find(longer, 1).await, Identification::Match(lasting));
        test.arm(palm, gallery).await;
        assert_eq!(test.find(gallery, 1).await, Identification::Match(token));
    }

    #[tokio::test]
    async fn a_closed_gallery_stays_closed() {
        let test = TestVault::new().await;
        let palm = test.enrol(left(1)).await[0];
        let spec = test.entry_gallery();
        test.vault.open_gallery(spec).await.unwrap();
        test.arm(palm, spec.gallery).await;
        test.vault.close_gallery(spec.gallery).await.unwrap();
        test.vault.close_gallery(spec.gallery).await.unwrap();
        test.vault.open_gallery(spec).await.unwrap();
        let test = test.reopened().await;
        let until = test.tomorrow();
        let armed = test.vault.arm(test.company, palm, spec.gallery, until).await;
        assert!(matches!(armed, Err(VaultError::GalleryClosed { .. })));
        let found = test.vault.identify(spec.gallery, presentation(1)).await;
        assert!(matches!(found, Err(VaultError::GalleryClosed { .. })));
        assert_eq!(test.vault.armed(spec.gallery).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn the_terms_of_a_gallery_are_fixed() {
        let test = TestVault::new().await;
        let spec = test.entry_gallery();
        test.vault.open_gallery(spec).await.unwrap();
        test.vault.open_gallery(spec).await.unwrap();
        let looser = NewGallery { policy: ThresholdPolicy::PAYMENT, ..spec };
        let error = test.vault.open_gallery(looser).await.unwrap_err();
        assert!(matches!(error, VaultError::GalleryDiffers { .. }));
        let reserved =
            NewGallery { purpose: crate::Purpose::DuplicateCheck, ..test.entry_gallery() };
        let error = test.vault.open_gallery(reserved).await.unwrap_err();
        assert!(matches!(error, VaultError::PurposeReserved));
        let unknown = test.entry_gallery().gallery;
        let error = test.vault.identify(unknown, presentation(1)).await.unwrap_err();
        assert!(matches!(error, VaultError::GalleryUnknown { .. }));
    }

    #[tokio::test]
    async fn no_more_palms_are_armed_than_the_threshold_is_made_for() {
        let test = TestVault::new().await;
        let policy = ThresholdPolicy { palms_max: 1, ..ThresholdPolicy::ENTRY };
        let spec = NewGallery { policy, ..test.entry_gallery() };
        test.vault.open_gallery(spec).await.unwrap();
        let (one, two) = (test.enrol(left(1)).await[0], test.enrol(left(2)).await[0]);
        test.arm(one, spec.gallery).await;
        test.arm(one, spec.gallery).await;
        let armed = test.vault.arm(test.company, two, spec.gallery, test.tomorrow()).await;
        assert!(matches!(armed, Err(VaultError::GalleryFull { palms_max: 1, .. })));
        test.vault.disarm(test.company, one, spec.gallery).await.unwrap();
        test.arm(two, spec.gallery).await;
    }

    #[tokio::test]
    async fn a_named_palm_is_verified() {
        let test = TestVault::new().await;
        let (one, two) = (test.enrol(left(1)).await[0], test.enrol(left(2)).await[0]);
        let gallery = test.gallery().await;
        let (one, two) = (test.arm(one, gallery).await, test.arm(two, gallery).await);
        let verify = |token, side| test.vault.verify(gallery, token, shown(side, 1));
        assert_eq!(verify(one, Side::Left).await.unwrap(), Verification::Match);
        assert_eq!(verify(two, Side::Left).await.unwrap(), Verification::NoMatch);
        assert_eq!(verify(one, Side::Right).await.unwrap(), Verification::NotArmed);
    }
}
