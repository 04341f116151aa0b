//! Dangerous: a vault full of palms that belong to nobody, for benches. Nothing that serves people
//! calls this, and a vault that holds anybody's palm refuses it.

use std::sync::Arc;

use handfast_model::{CompanyId, GalleryId, PairwiseToken, Random, Timestamp};
use handfast_palm::{LENGTH, Reference, Side};
use zeroize::Zeroizing;

use crate::VaultError;
use crate::storing::{NewPalm, NewPalms};
use crate::vault::{Inner, Vault};

/// Palms stored in one transaction: a few megabytes at a time, however many are wanted.
const PALMS_PER_TRANSACTION: usize = 2_000;
/// Numbers are drawn from -4 to 4: a squared length of about 6.67 * [`LENGTH`], 13,650 at 2,048,
/// near the 16,384 of a real palm and never above it.
const LARGEST_NUMBER: i8 = 4;

impl Vault {
    /// Fills an empty vault with `count` left palms of random numbers, armed until `until` in the
    /// company's enrolment gallery and in `galleries`; returns the company's tokens. Random palms
    /// are further apart than people's: they measure time, not error rates.
    ///
    /// # Errors
    /// [`VaultError::NotEmpty`], [`VaultError::GalleryClosed`], [`VaultError::GalleryFull`].
    pub async fn danger_fill(
        &self,
        company: CompanyId,
        galleries: &[GalleryId],
        count: usize,
        until: Timestamp,
    ) -> Result<Vec<PairwiseToken>, VaultError> {
        let galleries = galleries.to_vec();
        self.to_the_end(move |inner| inner.danger_fill(company, galleries, count, until)).await
    }
}

impl Inner {
    async fn danger_fill(
        self: Arc<Self>,
        company: CompanyId,
        mut galleries: Vec<GalleryId>,
        count: usize,
        until: Timestamp,
    ) -> Result<Vec<PairwiseToken>, VaultError> {
        let mut numbers = self.changes.lock().await;
        if self.directory().palms() > 0 {
            return Err(VaultError::NotEmpty);
        }
        galleries.push(self.ensure_enrolment_gallery(company).await?.spec.gallery);
        for &gallery in &galleries {
            let palms_max = self.directory().open_gallery(gallery)?.spec.policy.palms_max;
            if count > palms_max as usize {
                return Err(VaultError::GalleryFull { gallery, palms_max });
            }
        }
        let mut tokens = Vec::with_capacity(count);
        while tokens.len() < count {
            let batch = PALMS_PER_TRANSACTION.min(count - tokens.len());
            let palms = (0..batch).map(|_| random_palm(&*self.random)).collect();
            let new = NewPalms { company, palms, galleries: galleries.clone(), until };
            tokens.extend(self.store_palms(&mut numbers, new).await?);
        }
        Ok(tokens)
    }
}

fn random_palm(random: &dyn Random) -> NewPalm {
    let values = 2 * LARGEST_NUMBER.cast_unsigned() + 1;
    loop {
        let mut bytes = Zeroizing::new(vec![0; LENGTH]);
        random.fill(&mut bytes);
        let vector =
            bytes.iter().map(|byte| (byte % values).cast_signed() - LARGEST_NUMBER).collect();
        // One in a very large number is too long: draw again.
        if let Ok(reference) = Reference::from_vector(vector) {
            return NewPalm { side: Side::Left, reference };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Identification;
    use crate::testing::{TestVault, left};

    #[tokio::test]
    async fn a_filled_gallery_works_like_any_other() {
        let test = TestVault::new().await;
        let gallery = test.gallery().await;
        let until = test.tomorrow();
        let count = PALMS_PER_TRANSACTION + 5;
        let palms = test.vault.danger_fill(test.company, &[gallery], count, until).await.unwrap();
        assert_eq!((palms.len(), test.vault.armed(gallery).await.unwrap()), (count, count));
        let palm = test.enrol(left(1)).await[0];
        let token = test.arm(palm, gallery).await;
        let test = test.reopened().await;
        assert_eq!(test.vault.status().palms, count + 1);
        assert_eq!(test.find(gallery, 1).await, Identification::Match(token));
        assert_eq!(test.find(gallery, 2).await, Identification::NoMatch);
        test.vault.delete(test.company, &palms[..3]).await.unwrap();
        assert_eq!(test.vault.armed(gallery).await.unwrap(), count - 2);
    }

    #[tokio::test]
    async fn a_vault_that_holds_a_palm_is_not_filled() {
        let test = TestVault::new().await;
        test.enrol(left(1)).await;
        let filled = test.vault.danger_fill(test.company, &[], 1, test.tomorrow()).await;
        assert!(matches!(filled, Err(VaultError::NotEmpty)));
        assert_eq!(test.vault.status().palms, 1);
    }
}
