//! Storing palms: keys first, rows then, memory last.
//!
//! A crash before the rows are committed leaves keys without rows, which opening destroys; after
//! that moment everything is there. So of the palms stored together, all are or none is.

use std::sync::Arc;

use handfast_model::{CompanyId, GalleryId, PairwiseToken, RelyingParty, Timestamp};
use handfast_palm::{FORMAT_VERSION, Reference, Side};

use crate::gallery_records::{self, ArmingRow, StoredSide};
use crate::matcher::Armed;
use crate::records::{self, SlotRow};
use crate::row_key_file::VaultId;
use crate::sealing::{Place, SealingKey};
use crate::vault::{Inner, SlotNumbers, Step, blocking};
use crate::{SlotId, VaultError};

/// A palm to be stored.
pub(crate) struct NewPalm {
    pub(crate) side: Side,
    pub(crate) reference: Reference,
}

/// Palms that are stored together, and where they are armed from the start.
pub(crate) struct NewPalms {
    pub(crate) company: CompanyId,
    pub(crate) palms: Vec<NewPalm>,
    pub(crate) galleries: Vec<GalleryId>,
    pub(crate) until: Timestamp,
}

/// New palms with their slots, sealed.
struct Sealed {
    new: NewPalms,
    slots: Vec<SlotId>,
    keys: Vec<(SlotId, SealingKey)>,
    rows: Vec<SlotRow>,
}

impl Inner {
    /// Stores palms and arms them; returns their company's tokens, in order. The company and the
    /// galleries' relying parties have keys already.
    pub(crate) async fn store_palms(
        self: &Arc<Self>,
        numbers: &mut SlotNumbers,
        new: NewPalms,
    ) -> Result<Vec<PairwiseToken>, VaultError> {
        let first = numbers.next;
        // Numbers of a failed attempt are not used again: whether it was committed may be unknown.
        numbers.next += i64::try_from(new.palms.len()).expect("palms fit in memory");
        let inner = self.clone();
        let sealed = Arc::new(blocking(move || inner.seal(first, new)).await?);

        let (inner, writing) = (self.clone(), sealed.clone());
        let written =
            self.with_row_keys(move |file| file.write(&writing.keys, &*inner.random)).await;
        self.reached(Step::KeysWritten);
        let stored = match written {
            Ok(()) => self.commit(&sealed, numbers.next).await,
            Err(error) => Err(error),
        };
        if let Err(error) = stored
            && !self.is_stored(&sealed.slots).await?
        {
            let slots = sealed.slots.clone();
            self.with_row_keys(move |file| file.erase(&slots)).await?;
            return Err(error);
        }
        self.reached(Step::RowsCommitted);
        self.take_up(sealed).await
    }

    fn seal(&self, first: i64, new: NewPalms) -> Sealed {
        let mut sealed = Sealed { slots: Vec::new(), keys: Vec::new(), rows: Vec::new(), new };
        for (number, palm) in (first..).zip(&sealed.new.palms) {
            let slot = SlotId::new(number).expect("slot numbers ascend from 1");
            let company = sealed.new.company;
            let side = StoredSide(palm.side);
            let place = reference_place(self.vault, slot, company, side, FORMAT_VERSION);
            let key = SealingKey::generate(&*self.random);
            let sealed_reference = key.seal(&place, &palm.reference.to_bytes(), &*self.random);
            let model_version = FORMAT_VERSION;
            sealed.rows.push(SlotRow { slot, company, side, model_version, sealed_reference });
            sealed.keys.push((slot, key));
            sealed.slots.push(slot);
        }
        sealed
    }

    async fn commit(&self, sealed: &Sealed, next_slot: i64) -> Result<(), VaultError> {
        let now = self.clock.now();
        let stored = self.store.transaction("vault.enrol", |tx| {
            Box::pin(async move {
                records::set_next_slot(tx, next_slot).await?;
                for row in &sealed.rows {
                    records::insert_slot(tx, row, now).await?;
                    for &gallery in &sealed.new.galleries {
                        let (slot, until) = (row.slot, sealed.new.until);
                        gallery_records::arm(tx, ArmingRow { gallery, slot, until }).await?;
                    }
                }
                Ok(())
            })
        });
        stored.await
    }

    /// Whether palms were committed, all in one transaction: the first tells of all.
    async fn is_stored(&self, slots: &[SlotId]) -> Result<bool, VaultError> {
        let Some(&slot) = slots.first() else { return Ok(true) };
        let looked_up = self.store.read("vault.is_stored", |tx| {
            Box::pin(async move { records::slot_exists(tx, slot).await })
        });
        Ok(looked_up.await?)
    }

    /// Makes stored palms searchable.
    async fn take_up(&self, sealed: Arc<Sealed>) -> Result<Vec<PairwiseToken>, VaultError> {
        let armed = self.armed_everywhere(&sealed)?;
        let held = sealed.clone();
        self.with_matcher(move |matcher| {
            for (slot, palm) in held.slots.iter().zip(&held.new.palms) {
                matcher.hold(*slot, palm.side, &palm.reference);
            }
            for (gallery, armed) in armed {
                matcher.arm(gallery, armed);
            }
        })
        .await?;
        let mut directory = self.directory_mut();
        sealed.slots.iter().map(|slot| directory.add_palm(sealed.new.company, *slot)).collect()
    }

    fn armed_everywhere(&self, sealed: &Sealed) -> Result<Vec<(GalleryId, Armed)>, VaultError> {
        let directory = self.directory();
        let mut armed = Vec::with_capacity(sealed.slots.len() * sealed.new.galleries.len());
        for &id in &sealed.new.galleries {
            let party: RelyingParty = directory.galleries.get(id)?.spec.party;
            for &slot in &sealed.slots {
                let token = directory.token(party, slot)?;
                armed.push((id, Armed { slot, token, until: sealed.new.until }));
            }
        }
        Ok(armed)
    }
}

/// Where a sealed reference belongs: it opens in no other vault, slot, company, hand or version.
pub(crate) fn reference_place(
    vault: VaultId,
    slot: SlotId,
    company: CompanyId,
    side: StoredSide,
    version: u8,
) -> Place {
    let company = company.to_string();
    let row =
        [vault.as_bytes(), &slot.to_bytes(), company.as_bytes(), side.word().as_bytes()].concat();
    Place { table: "slot", row, column: "sealed_reference", version }
}

#[cfg(test)]
mod tests {
    use handfast_store::{StoreError, params};

    use crate::testing::{TestVault, both, left};
    use crate::{EnrolOutcome, VaultError};

    #[tokio::test]
    async fn what_the_database_refuses_leaves_no_key_behind() {
        let test = TestVault::new().await;
        test.enrol(left(9)).await;
        // Somebody else's row in the place of the second palm: the whole enrolment fails.
        let sql = "INSERT INTO slot SELECT 3, company_id, side, model_version, sealed_reference,
            enrolled_at, state FROM slot WHERE slot = 1";
        let inserted: Result<u64, StoreError> = test
            .vault
            .0
            .store
            .transaction("test.occupy", |tx| {
                Box::pin(async move { tx.execute(sql, params![]).await })
            })
            .await;
        assert_eq!(inserted.unwrap(), 1);
        let enrolled = test.vault.enrol(test.company, both(1, 2), test.tomorrow()).await;
        assert!(matches!(enrolled, Err(VaultError::Store(StoreError::Duplicate { .. }))));
        assert_eq!(test.vault.status().palms, 1);
        assert_eq!(test.vault.0.row_keys.lock().unwrap().len(), 1);
        // The next one gets fresh numbers, and is enrolled.
        let palms = test.enrol(both(1, 2)).await;
        let test = test.reopened().await;
        assert_eq!(test.vault.status().palms, 3, "the row without a key is removed");
        let again = test.vault.enrol(test.company, both(1, 2), test.tomorrow()).await.unwrap();
        assert_eq!(again, EnrolOutcome::AlreadyEnrolled);
        assert_eq!(palms.len(), 2);
    }
}
