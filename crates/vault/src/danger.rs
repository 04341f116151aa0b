//! Dangerous: a vault full of palms that belong to nobody, for benches. Nothing that serves people
//! calls this, and a vault that holds anybody's palm refuses it.

use std::sync::Arc;

use handfast_model::{CompanyId, GalleryId, PairwiseToken, Random, RelyingParty, Timestamp};
use handfast_palm::{LENGTH, Reference, Side};
use zeroize::Zeroizing;

use crate::VaultError;
use crate::storing::{NewPalm, NewPalms};
use crate::vault::{Inner, PlainVault};

/// Palms stored in one transaction: a few megabytes at a time, however many are wanted.
const PALMS_PER_TRANSACTION: usize = 2_000;
/// Length of a random vector: near the 128 of a real palm, with room for rounding.
const VECTOR_LENGTH: f64 = 125.0;

/// A palm that belongs to nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilledPalm {
    /// What the company knows it by.
    pub token: PairwiseToken,
    /// What the galleries' relying parties know it by, in the order the galleries were given.
    pub armed: Vec<PairwiseToken>,
}

impl PlainVault {
    /// Fills an empty vault with `count` left palms of random numbers, armed until `until` in the
    /// company's enrolment gallery and in `galleries`. Random palms are further apart than people's:
    /// they measure time, not error rates.
    ///
    /// # Errors
    /// [`VaultError::NotEmpty`], [`VaultError::GalleryClosed`], [`VaultError::GalleryFull`].
    pub async fn danger_fill(
        &self,
        company: CompanyId,
        galleries: &[GalleryId],
        count: usize,
        until: Timestamp,
    ) -> Result<Vec<FilledPalm>, VaultError> {
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
    ) -> Result<Vec<FilledPalm>, VaultError> {
        let mut numbers = self.changes.lock().await;
        if self.directory().palms() > 0 {
            return Err(VaultError::NotEmpty);
        }
        let mut parties = Vec::with_capacity(galleries.len());
        for &gallery in &galleries {
            let spec = self.directory().galleries.get_open(gallery)?.spec;
            let palms_max = spec.policy.palms_max;
            if count > palms_max as usize {
                return Err(VaultError::GalleryFull { gallery, palms_max });
            }
            parties.push(spec.party);
        }
        galleries.push(self.ensure_enrolment_gallery(company).await?.spec.gallery);
        let mut tokens = Vec::with_capacity(count);
        while tokens.len() < count {
            let batch = PALMS_PER_TRANSACTION.min(count - tokens.len());
            let palms = (0..batch).map(|_| random_palm(&*self.random)).collect();
            let new = NewPalms { company, palms, galleries: galleries.clone(), until };
            tokens.extend(self.store_palms(&mut numbers, new).await?);
        }
        tokens.into_iter().map(|token| self.filled(company, token, &parties)).collect()
    }

    fn filled(
        &self,
        company: CompanyId,
        token: PairwiseToken,
        parties: &[RelyingParty],
    ) -> Result<FilledPalm, VaultError> {
        let directory = self.directory();
        let slot = directory.slot(company, token)?;
        let armed: Result<_, _> =
            parties.iter().map(|party| directory.token(*party, slot)).collect();
        Ok(FilledPalm { token, armed: armed? })
    }
}

fn random_palm(random: &dyn Random) -> NewPalm {
    let reference = Reference::from_vector(random_vector(random))
        .expect("rounding adds less than a real palm has room for");
    NewPalm { side: Side::Left, reference }
}

/// Numbers without any pattern, as long together as a palm's.
pub(crate) fn random_vector(random: &dyn Random) -> Vec<i8> {
    let mut bytes = Zeroizing::new(vec![0; LENGTH]);
    random.fill(&mut bytes);
    // Halves, so that no number is zero for certain and none can be the only one.
    let numbers = || bytes.iter().map(|byte| f64::from(*byte) - 127.5);
    let length = numbers().map(|number| number * number).sum::<f64>().sqrt();
    numbers().map(|number| (number / length * VECTOR_LENGTH).round() as i8).collect()
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
        let again = test.arm(palms[5].token, gallery).await;
        assert_eq!(palms[5].armed, [again]);
        let some: Vec<_> = palms[..3].iter().map(|palm| palm.token).collect();
        test.vault.delete(test.company, &some).await.unwrap();
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
