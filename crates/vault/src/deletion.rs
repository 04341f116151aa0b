//! Deleting: what was stored of a palm is destroyed, on disk and in memory, when this returns.
//!
//! In this order: the decision is committed, so that a crash cannot take it back; the palm leaves
//! memory and with it every search; its key is overwritten, which makes its sealed row unreadable
//! wherever copies of it lie; the row is deleted and overwritten; the database's log is emptied.
//! After a crash in between, opening the vault finishes the deletion. After an error it can be
//! repeated.

use std::fmt;
use std::sync::Arc;

use handfast_model::{CompanyId, PairwiseToken, Random, Timestamp};

use crate::vault::{Inner, PlainVault, Step};
use crate::{SlotId, VaultError, records};

/// The id of a deletion receipt: 128 random bits, as text `rcp_` and 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeletionReceiptId([u8; 16]);

impl DeletionReceiptId {
    pub(crate) fn new(random: &dyn Random) -> Self {
        let mut bytes = [0; 16];
        random.fill(&mut bytes);
        Self(bytes)
    }
}

impl fmt::Display for DeletionReceiptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rcp_")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for DeletionReceiptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// That palms were destroyed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletionReceipt {
    /// Its id.
    pub receipt: DeletionReceiptId,
    /// When the destruction was complete.
    pub deleted_at: Timestamp,
    /// How many palms were destroyed.
    pub palms: u32,
}

impl DeletionReceipt {
    /// What was destroyed, for the person.
    #[must_use]
    pub fn statement(&self) -> &'static str {
        "The stored template and the key that sealed it were overwritten, every gallery in which \
         the palm was armed has forgotten it, and the memory that held it was zeroed. Backups hold \
         at most a sealed row whose key no longer exists."
    }
}

impl PlainVault {
    /// Deletes palms of a company: complete on disk and in memory when it returns. Searches that
    /// run meanwhile end first.
    ///
    /// # Errors
    /// [`VaultError::PalmUnknown`] where the company has not all of these palms, or none were
    /// named: then nothing is deleted. After any other error, repeat it.
    pub async fn delete(
        &self,
        company: CompanyId,
        palms: &[PairwiseToken],
    ) -> Result<DeletionReceipt, VaultError> {
        let palms = palms.to_vec();
        self.to_the_end(move |inner| inner.delete(company, palms)).await
    }
}

impl Inner {
    async fn delete(
        self: Arc<Self>,
        company: CompanyId,
        palms: Vec<PairwiseToken>,
    ) -> Result<DeletionReceipt, VaultError> {
        let _one_change = self.changes.lock().await;
        let slots = self.slots_of(company, &palms)?;
        self.mark_deleting(&slots).await?;
        self.reached(Step::DeletionMarked);

        let forgotten = slots.clone();
        self.with_matcher(move |matcher| matcher.erase(&forgotten)).await?;
        self.reached(Step::PalmsForgotten);

        self.destroy(&slots).await?;
        let receipt = self.receipt(slots.len()).await?;
        // Last, so that the palms can still be named where an error asks for a repetition.
        let mut directory = self.directory_mut();
        palms.iter().for_each(|palm| directory.remove_palm(company, *palm));
        Ok(receipt)
    }

    /// The slots of a company's palms, each once, ascending.
    fn slots_of(
        &self,
        company: CompanyId,
        palms: &[PairwiseToken],
    ) -> Result<Vec<SlotId>, VaultError> {
        let directory = self.directory();
        let slots: Result<Vec<SlotId>, VaultError> =
            palms.iter().map(|palm| directory.slot(company, *palm)).collect();
        let mut slots = slots?;
        slots.sort_unstable();
        slots.dedup();
        if slots.is_empty() { Err(VaultError::PalmUnknown) } else { Ok(slots) }
    }

    async fn mark_deleting(&self, slots: &[SlotId]) -> Result<(), VaultError> {
        let marked = self.store.transaction("vault.mark_deleting", |tx| {
            Box::pin(async move {
                for &slot in slots {
                    records::mark_deleting(tx, slot).await?;
                }
                Ok(())
            })
        });
        marked.await
    }

    /// Destroys what is on disk of slots: first the keys, then the rows, then the log's copies.
    /// Passes over what is gone already.
    pub(crate) async fn destroy(&self, slots: &[SlotId]) -> Result<(), VaultError> {
        let keys = slots.to_vec();
        self.with_row_keys(move |file| file.erase(&keys)).await?;
        self.reached(Step::KeysDestroyed);
        let deleted = self.store.transaction("vault.delete", |tx| {
            Box::pin(async move {
                for &slot in slots {
                    records::delete_slot(tx, slot).await?;
                }
                Ok::<_, VaultError>(())
            })
        });
        deleted.await?;
        self.reached(Step::RowsDeleted);
        self.store.truncate_wal().await?;
        self.reached(Step::LogTruncated);
        Ok(())
    }

    async fn receipt(&self, palms: usize) -> Result<DeletionReceipt, VaultError> {
        let receipt = &DeletionReceipt {
            receipt: DeletionReceiptId::new(&*self.random),
            deleted_at: self.clock.now(),
            palms: u32::try_from(palms).expect("a person has few palms"),
        };
        let kept = self.store.transaction("vault.receipt", |tx| {
            Box::pin(async move { crate::gallery_records::insert_receipt(tx, receipt).await })
        });
        kept.await?;
        Ok(receipt.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};

    use tempfile::TempDir;

    use super::*;
    use crate::gallery_records::StoredSide;
    use crate::sealing::SealingKey;
    use crate::storing::reference_place;
    use crate::testing::{
        TestVault, both, copy_of, files_with, left, presentation, random_reference,
    };
    use handfast_palm::Side;

    use crate::{EnrolOutcome, Identification, node_key};

    /// The key of the first slot and its sealed row, as a thief with the whole folder gets them.
    async fn stolen(test: &TestVault) -> (SealingKey, Vec<u8>, Vec<u8>) {
        let files = crate::opening::Files::of(test.dir.path());
        let node_key = Arc::new(node_key::load(&files.node_key).unwrap().unwrap());
        let keys = crate::row_key_file::RowKeyFile::open(&files.row_keys, node_key);
        let keys = keys.unwrap().unwrap().keys;
        let rows = records::slots_after(&test.vault.0.store, 0, 1).await.unwrap();
        let row = rows.into_iter().next().unwrap();
        let place = reference_place(
            test.vault.0.vault,
            row.slot,
            row.company,
            StoredSide(Side::Left),
            row.model_version,
        );
        let key = keys[&row.slot].clone();
        let template = key.open(&place, &row.sealed_reference).unwrap().to_vec();
        (key, row.sealed_reference, template)
    }

    #[tokio::test]
    async fn after_deletion_no_file_holds_template_key_or_sealed_row() {
        let test = TestVault::new().await;
        let palm = test.enrol(left(1)).await[0];
        let other = test.enrol(left(2)).await[0];
        let gallery = test.gallery().await;
        test.arm(palm, gallery).await;
        let dir = test.dir.path();
        // The control: before, the folder gives away key, sealed row and so the template.
        let (key, sealed_row, template) = stolen(&test).await;
        assert_eq!(template, random_reference(1).to_bytes().as_slice());
        let row_keys = std::fs::read(dir.join("row.keys")).unwrap();
        let sealed_key = row_keys[128 + 8..128 + 104].to_vec();
        assert!(!files_with(dir, &sealed_row[..64]).is_empty());
        assert!(!files_with(dir, &sealed_row[sealed_row.len() - 64..]).is_empty());
        assert_eq!(files_with(dir, &sealed_key), ["row.keys"]);

        let receipt = test.vault.delete(test.company, &[palm]).await.unwrap();
        assert_eq!(receipt.palms, 1);
        assert!(receipt.receipt.to_string().starts_with("rcp_"));
        for piece in sealed_row.chunks_exact(64).chain(template.chunks_exact(64)) {
            assert_eq!(files_with(dir, piece), [""; 0], "a piece of row or template is left");
        }
        assert_eq!(files_with(dir, &sealed_key), [""; 0]);
        assert_eq!(files_with(dir, key.expose()), [""; 0]);

        assert_eq!(test.find(gallery, 1).await, Identification::NoMatch);
        let again = test.vault.delete(test.company, &[palm]).await;
        assert!(matches!(again, Err(VaultError::PalmUnknown)));
        let test = test.reopened().await;
        assert_eq!(test.find(gallery, 1).await, Identification::NoMatch);
        assert_eq!(test.vault.status().palms, 1);
        test.arm(other, gallery).await;
        assert!(matches!(test.find(gallery, 2).await, Identification::Match(_)));
    }

    /// Rows that shared a page are moved about by the database when one goes: no copy may stay.
    #[tokio::test]
    async fn no_sealed_row_is_left_behind_among_many() {
        const PIECE: usize = 16;
        let test = TestVault::new().await;
        let until = test.tomorrow();
        let palms = test.vault.danger_fill(test.company, &[], 300, until).await.unwrap();
        let rows = records::slots_after(&test.vault.0.store, 0, 300).await.unwrap();
        let pieces = |numbers: &[usize]| -> HashSet<Vec<u8>> {
            let rows = numbers.iter().map(|number| &rows[*number].sealed_reference);
            rows.flat_map(|row| row.chunks_exact(PIECE).map(<[u8]>::to_vec)).collect()
        };
        let left_behind = |pieces: &HashSet<Vec<u8>>| -> usize {
            let entries = std::fs::read_dir(test.dir.path()).unwrap();
            let files = entries.map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
            let left = |file: Vec<u8>| {
                file.windows(PIECE).filter(|window| pieces.contains(*window)).count()
            };
            files.map(left).sum()
        };
        // One by one and several at once, in an order that hops over the pages.
        let order: Vec<usize> = (0..300).map(|number| number * 7 % 300).collect();
        assert!(left_behind(&pieces(&order[..1])) > 0, "the control finds a row before");
        let mut deleted = Vec::new();
        for (count, batch) in order[..280].chunks(5).enumerate() {
            let tokens: Vec<_> = batch.iter().map(|number| palms[*number].token).collect();
            test.vault.delete(test.company, &tokens).await.unwrap();
            deleted.extend_from_slice(batch);
            test.enrol(left(1_000 + count as u64)).await;
        }
        assert_eq!(left_behind(&pieces(&deleted)), 0, "pieces of deleted rows are left");
        assert!(left_behind(&pieces(&order[280..])) > 0);
    }

    #[tokio::test]
    async fn a_deleted_palm_can_be_enrolled_again_under_another_token() {
        let test = TestVault::new().await;
        let first = test.enrol(both(1, 2)).await;
        let receipt = test.vault.delete(test.company, &[first[1], first[0], first[1]]).await;
        assert_eq!(receipt.unwrap().palms, 2);
        let test = test.reopened().await;
        let second = test.enrol(both(1, 2)).await;
        assert!(first.iter().all(|token| !second.contains(token)), "slots are never reused");
    }

    #[tokio::test]
    async fn all_palms_named_are_deleted_or_none() {
        let test = TestVault::new().await;
        let palm = test.enrol(left(1)).await[0];
        let stranger = PairwiseToken::from_bytes([9; 16]);
        for palms in [&[palm, stranger][..], &[]] {
            let error = test.vault.delete(test.company, palms).await.unwrap_err();
            assert!(matches!(error, VaultError::PalmUnknown));
        }
        assert_eq!(test.vault.status().palms, 1);
        assert_eq!(test.reopened().await.vault.status().palms, 1);
    }

    /// The vault's folder as a crash at each step would leave it.
    type Crashes = Arc<Mutex<Vec<(Step, TempDir)>>>;

    fn crashes(test: &TestVault) -> Crashes {
        let crashes = Crashes::default();
        let kept = crashes.clone();
        test.at_every_step(move |step, dir| kept.lock().unwrap().push((step, dir)));
        crashes
    }

    #[tokio::test]
    async fn a_crash_during_enrolment_leaves_both_palms_or_nothing() {
        let test = TestVault::new().await;
        test.enrol(left(9)).await;
        let crashes = crashes(&test);
        test.enrol(both(1, 2)).await;
        let crashes = std::mem::take(&mut *crashes.lock().unwrap());
        let steps: Vec<Step> = crashes.iter().map(|(step, _)| *step).collect();
        assert_eq!(steps, [Step::KeysWritten, Step::RowsCommitted]);
        for (step, dir) in crashes {
            let vault = test.open_at(dir.path()).await.unwrap();
            let committed = step == Step::RowsCommitted;
            assert_eq!(vault.status().palms, if committed { 3 } else { 1 }, "{step:?}");
            assert_eq!(vault.0.row_keys.lock().unwrap().len(), vault.status().palms);
            let again = vault.enrol(test.company, both(1, 2), test.tomorrow()).await.unwrap();
            assert_eq!(again == EnrolOutcome::AlreadyEnrolled, committed, "{step:?}");
        }
    }

    #[tokio::test]
    async fn a_crash_during_deletion_finishes_it_at_the_next_opening() {
        let test = TestVault::new().await;
        let kept = test.enrol(left(9)).await[0];
        let palms = test.enrol(both(1, 2)).await;
        let gallery = test.gallery().await;
        for palm in [kept, palms[0], palms[1]] {
            test.arm(palm, gallery).await;
        }
        let before = copy_of(test.dir.path());
        let crashes = crashes(&test);
        test.vault.delete(test.company, &palms).await.unwrap();
        let crashes = std::mem::take(&mut *crashes.lock().unwrap());
        assert_eq!(crashes.len(), 5);
        for (step, dir) in crashes {
            let vault = test.open_at(dir.path()).await.unwrap();
            assert_eq!(vault.status().palms, 1, "{step:?}");
            assert_eq!(vault.armed(gallery).await.unwrap(), 1, "{step:?}");
            assert_eq!(vault.0.row_keys.lock().unwrap().len(), 1, "{step:?}");
            let rows = records::slots_after(&vault.0.store, 0, 9).await.unwrap();
            assert_eq!(rows.len(), 1, "{step:?}");
            let found = vault.identify(gallery, presentation(1)).await.unwrap();
            assert_eq!(found[0].identification, Identification::NoMatch, "{step:?}");
        }
        // The control: without the deletion they are all there.
        assert_eq!(test.open_at(before.path()).await.unwrap().status().palms, 3);
    }

    #[tokio::test]
    async fn a_deletion_that_failed_halfway_can_be_repeated() {
        let test = TestVault::new().await;
        let palms = test.enrol(both(1, 2)).await;
        let inner = &test.vault.0;
        let slots = inner.slots_of(test.company, &palms).unwrap();
        inner.mark_deleting(&slots).await.unwrap();
        inner.matcher.erase(&slots);
        inner.with_row_keys(move |file| file.erase(&slots[..1])).await.unwrap();
        let receipt = test.vault.delete(test.company, &palms).await.unwrap();
        assert_eq!((receipt.palms, test.vault.status().palms), (2, 0));
        assert_eq!(test.vault.0.row_keys.lock().unwrap().len(), 0);
    }

    #[tokio::test]
    async fn an_old_database_beside_the_present_keys_revives_no_deleted_palm() {
        let test = TestVault::new().await;
        let palms = [test.enrol(left(1)).await[0], test.enrol(left(2)).await[0]];
        let backup = copy_of(test.dir.path());
        test.vault.delete(test.company, &[palms[0]]).await.unwrap();
        let restored = copy_of(test.dir.path());
        for name in ["vault.db", "vault.db-wal"] {
            std::fs::copy(backup.path().join(name), restored.path().join(name)).unwrap();
        }
        let vault = test.open_at(restored.path()).await.unwrap();
        assert_eq!(vault.status().palms, 1);
        let error = vault.armings(test.company, palms[0]).await.unwrap_err();
        assert!(matches!(error, VaultError::PalmUnknown));
        vault.armings(test.company, palms[1]).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn searches_may_run_while_palms_are_deleted() {
        let test = TestVault::new().await;
        let gallery = test.gallery().await;
        let mut palms = Vec::new();
        for seed in 1..=20 {
            let palm = test.enrol(left(seed)).await[0];
            palms.push((palm, test.arm(palm, gallery).await));
        }
        let done = Arc::new(AtomicBool::new(false));
        let searching = {
            let (vault, done, last) = (test.vault.clone(), done.clone(), palms[19].1);
            tokio::spawn(async move {
                let mut searches = 0;
                while !done.load(Ordering::Relaxed) {
                    let found = vault.identify(gallery, presentation(20)).await.unwrap();
                    assert_eq!(found[0].identification, Identification::Match(last));
                    searches += 1;
                }
                searches
            })
        };
        for (number, (palm, _)) in palms[..19].iter().enumerate() {
            test.vault.delete(test.company, &[*palm]).await.unwrap();
            let seed = number as u64 + 1;
            assert_eq!(test.find(gallery, seed).await, Identification::NoMatch);
        }
        done.store(true, Ordering::Relaxed);
        assert!(searching.await.unwrap() > 0);
        assert_eq!(test.vault.armed(gallery).await.unwrap(), 1);
    }
}
