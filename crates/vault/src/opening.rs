//! Opening a vault: its files, what a crash left undone, and everything into memory.
//!
//! A folder holds `node.key` and `row.keys` (see their modules), the database `vault.db`, and
//! `lock`. A backup of the database alone is safe to keep and useless to a thief. Restoring an old
//! database beside the present key files revives no deleted palm: a row without a key is removed
//! here, as a key without a row is.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};

use handfast_model::{Clock, Random, RelyingParty};
use handfast_palm::Reference;
use handfast_store::{Store, StoreOptions};

use crate::directory::Directory;
use crate::gallery::GalleryState;
use crate::gallery_records;
use crate::matcher::{Armed, Matcher};
use crate::pairwise::PairwiseKey;
use crate::records::{self, SlotRow, SlotState};
use crate::row_key_file::{Loaded, RowKeyFile, VaultId};
use crate::sealing::SealingKey;
use crate::storing::reference_place;
use crate::vault::{Inner, PlainVault, SlotNumbers, blocking, party_place};
use crate::{PlainMatcher, SlotId, VaultError, node_key, private_file};

/// Rows read from the database at once: four megabytes of sealed references, however large the
/// vault is.
const ROWS_PER_READ: i64 = 2_048;

impl PlainVault {
    /// Opens the vault in `dir`, which matches in clear; makes one where there is none. Its keys
    /// are generated then, in files that only the owner may read.
    ///
    /// # Errors
    /// [`VaultError::KeyFileExposed`], [`VaultError::KeyFileMissing`], [`VaultError::KeyFile`],
    /// [`VaultError::DatabaseMissing`], [`VaultError::AlreadyOpen`], failures of disk and database.
    pub async fn open(
        dir: &Path,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, VaultError> {
        Self::open_with(dir, clock, random, Arc::new(PlainMatcher::new())).await
    }

    /// Opens the vault in `dir` with a matcher that holds nothing yet.
    ///
    /// # Errors
    /// As [`PlainVault::open`].
    pub async fn open_with(
        dir: &Path,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        matcher: Arc<dyn Matcher>,
    ) -> Result<Self, VaultError> {
        private_file::make_dir(dir)?;
        let alone = private_file::lock_dir(dir)?;
        let files = Files::of(dir);
        // Before a database is made: an empty one in the place of a lost one would be in the way.
        let fresh =
            if files.database.exists() { None } else { Some(files.open_keys(None, &*random)?) };
        let store = Store::open(&StoreOptions::sqlite(&files.database).secure_delete()).await?;
        store.migrate(&records::MIGRATIONS).await?;
        let known = records::vault(&store).await?;
        let (node_key, Loaded { file, keys }) = match fresh {
            Some(keys) => keys,
            None => files.open_keys(known.map(|(vault, _)| vault), &*random)?,
        };
        let vault = file.vault();
        if known.is_none() {
            records::insert_vault(&store, vault).await?;
        }
        let next = known.map_or(1, |(_, next)| next);
        let inner = Arc::new(Inner {
            store,
            clock,
            random,
            node_key,
            vault,
            matcher,
            directory: RwLock::new(Directory::default()),
            row_keys: Arc::new(Mutex::new(file)),
            changes: tokio::sync::Mutex::new(SlotNumbers { next }),
            #[cfg(test)]
            at_step: Mutex::new(None),
            _alone: alone,
        });
        inner.finish_what_a_crash_left(&keys).await?;
        inner.load_parties().await?;
        inner.load_galleries().await?;
        inner.load_palms(keys).await?;
        inner.load_armings().await?;
        Ok(Self(inner))
    }
}

/// Where a vault's files are.
pub(crate) struct Files {
    pub(crate) node_key: PathBuf,
    pub(crate) row_keys: PathBuf,
    pub(crate) database: PathBuf,
}

impl Files {
    pub(crate) fn of(dir: &Path) -> Self {
        Self {
            node_key: dir.join("node.key"),
            row_keys: dir.join("row.keys"),
            database: dir.join("vault.db"),
        }
    }

    /// Opens both key files, or makes them where neither they nor the database have been used:
    /// keys that are missing are never replaced by new ones in silence.
    fn open_keys(
        &self,
        known: Option<VaultId>,
        random: &dyn Random,
    ) -> Result<(Arc<SealingKey>, Loaded), VaultError> {
        let missing = |path: &Path| VaultError::KeyFileMissing { path: path.to_owned() };
        let used = known.is_some() || self.row_keys.exists();
        let node_key = match node_key::load(&self.node_key)? {
            Some(key) => key,
            None if used => return Err(missing(&self.node_key)),
            None => node_key::create(&self.node_key, random)?,
        };
        let node_key = Arc::new(node_key);
        if !self.row_keys.exists() {
            if known.is_some() {
                return Err(missing(&self.row_keys));
            }
            RowKeyFile::create(&self.row_keys, &node_key, random)?;
        }
        let loaded = RowKeyFile::open(&self.row_keys, node_key.clone())?
            .ok_or_else(|| missing(&self.row_keys))?;
        match known {
            Some(vault) if vault != loaded.file.vault() => {
                Err(VaultError::key_file(&self.row_keys, "it belongs to another vault"))
            }
            None if !loaded.keys.is_empty() => {
                Err(VaultError::DatabaseMissing { path: self.database.clone() })
            }
            _ => Ok((node_key, loaded)),
        }
    }
}

impl Inner {
    /// Finishes deletions that had begun, and removes rows without a key and keys without a row.
    async fn finish_what_a_crash_left(
        &self,
        keys: &HashMap<SlotId, SealingKey>,
    ) -> Result<(), VaultError> {
        let rows = records::slot_states(&self.store).await?;
        let stored: HashSet<SlotId> = rows.iter().map(|(slot, _)| *slot).collect();
        let keys_alone = keys.keys().filter(|slot| !stored.contains(slot)).copied();
        let unfinished = rows
            .iter()
            .filter(|(slot, state)| *state == SlotState::Deleting || !keys.contains_key(slot))
            .map(|(slot, _)| *slot);
        let leftovers: Vec<SlotId> = keys_alone.chain(unfinished).collect();
        if !leftovers.is_empty() {
            tracing::warn!(palms = leftovers.len(), "removing what an interrupted change left");
        }
        // Even without leftovers: a crash may have come just before the log was emptied.
        self.destroy(&leftovers).await
    }

    async fn load_parties(&self) -> Result<(), VaultError> {
        for (party, sealed) in records::parties(&self.store).await? {
            let key = self
                .node_key
                .open(&party_place(self.vault, party), &sealed)
                .ok()
                .and_then(|plain| PairwiseKey::from_slice(&plain))
                .ok_or(VaultError::PartyKeyBroken)?;
            self.directory_mut().add_party(party, key);
        }
        Ok(())
    }

    async fn load_galleries(&self) -> Result<(), VaultError> {
        for gallery in gallery_records::galleries(&self.store).await? {
            if gallery.state == GalleryState::Open {
                self.matcher.open_gallery(gallery.spec.gallery, gallery.thresholds);
            }
            self.directory_mut().galleries.put(gallery);
        }
        Ok(())
    }

    /// Takes every palm into memory. The row keys are dropped, and zeroed, at the end.
    async fn load_palms(
        self: &Arc<Self>,
        keys: HashMap<SlotId, SealingKey>,
    ) -> Result<(), VaultError> {
        let keys = Arc::new(keys);
        let mut after = 0;
        loop {
            let rows = records::slots_after(&self.store, after, ROWS_PER_READ).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.slot.get();
            let (inner, keys) = (self.clone(), keys.clone());
            blocking(move || rows.iter().try_for_each(|row| inner.load_palm(row, &keys))).await??;
        }
    }

    fn load_palm(
        &self,
        row: &SlotRow,
        keys: &HashMap<SlotId, SealingKey>,
    ) -> Result<(), VaultError> {
        let reference = keys.get(&row.slot).and_then(|key| self.open_reference(row, key));
        match reference {
            Some(reference) => self.matcher.hold(row.slot, row.side.0, &reference),
            // Kept: its owner can still delete it, and it can be enrolled again beside it.
            None => tracing::warn!(
                model_version = row.model_version,
                "a palm is damaged or of another model; it is not found until it is enrolled again"
            ),
        }
        self.directory_mut().add_palm(row.company, row.slot).map(drop)
    }

    fn open_reference(&self, row: &SlotRow, key: &SealingKey) -> Option<Reference> {
        let SlotRow { slot, company, side, model_version, .. } = *row;
        let place = reference_place(self.vault, slot, company, side, model_version);
        let bytes = key.open(&place, &row.sealed_reference).ok()?;
        Reference::from_bytes(&bytes).ok()
    }

    async fn load_armings(&self) -> Result<(), VaultError> {
        for arming in gallery_records::armings(&self.store).await? {
            let (slot, until) = (arming.slot, arming.until);
            let directory = self.directory();
            let party: RelyingParty = directory.galleries.get(arming.gallery)?.spec.party;
            let token = directory.token(party, slot)?;
            self.matcher.arm(arming.gallery, Armed { slot, token, until });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::Identification;
    use crate::testing::{TestVault, copy_of, left};

    async fn error_at(test: &TestVault, dir: &Path) -> VaultError {
        test.open_at(dir).await.expect_err("the vault must not open")
    }

    #[tokio::test]
    async fn only_the_owner_can_read_what_a_vault_makes() {
        let test = TestVault::new().await;
        test.enrol(left(1)).await;
        let mut files = 0;
        for entry in fs::read_dir(test.dir.path()).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}", entry.path().display());
            files += 1;
        }
        assert!(files >= 4);
        let dir = test.dir.path().join("nested/vault");
        private_file::make_dir(&dir).unwrap();
        assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[tokio::test]
    async fn key_files_that_others_can_read_are_refused() {
        let test = TestVault::new().await;
        test.enrol(left(1)).await;
        for name in ["node.key", "row.keys"] {
            let copy = copy_of(test.dir.path());
            let path = copy.path().join(name);
            fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
            let error = error_at(&test, copy.path()).await;
            assert!(matches!(error, VaultError::KeyFileExposed { .. }), "{error}");
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            assert_eq!(test.open_at(copy.path()).await.unwrap().status().palms, 1);
        }
    }

    #[tokio::test]
    async fn a_database_without_its_key_files_does_not_open() {
        let test = TestVault::new().await;
        test.enrol(left(1)).await;
        for lost in [&["node.key"][..], &["row.keys"], &["node.key", "row.keys"]] {
            let copy = copy_of(test.dir.path());
            for name in lost {
                fs::remove_file(copy.path().join(name)).unwrap();
            }
            let error = error_at(&test, copy.path()).await;
            assert!(matches!(error, VaultError::KeyFileMissing { .. }), "{lost:?}: {error}");
            for name in lost {
                assert!(!copy.path().join(name).exists(), "no new key takes the lost one's place");
                fs::copy(test.dir.path().join(name), copy.path().join(name)).unwrap();
            }
            assert_eq!(test.open_at(copy.path()).await.unwrap().status().palms, 1);
        }
    }

    #[tokio::test]
    async fn another_vaults_key_files_are_refused() {
        let (test, other) = (TestVault::new().await, tempfile::tempdir().unwrap());
        test.enrol(left(1)).await;
        let foreign = test.open_at(other.path()).await.unwrap();
        for swapped in [&["node.key"][..], &["row.keys"], &["node.key", "row.keys"]] {
            let copy = copy_of(test.dir.path());
            for name in swapped {
                fs::copy(other.path().join(name), copy.path().join(name)).unwrap();
            }
            let error = error_at(&test, copy.path()).await;
            assert!(matches!(error, VaultError::KeyFile { .. }), "{swapped:?}: {error}");
        }
        foreign.close().await;
    }

    #[tokio::test]
    async fn keys_without_their_database_are_not_thrown_away() {
        let test = TestVault::new().await;
        test.enrol(left(1)).await;
        let copy = copy_of(test.dir.path());
        for name in ["vault.db", "vault.db-wal"] {
            fs::remove_file(copy.path().join(name)).unwrap();
        }
        let keys = fs::read(copy.path().join("row.keys")).unwrap();
        let error = error_at(&test, copy.path()).await;
        assert!(matches!(error, VaultError::DatabaseMissing { .. }), "{error}");
        assert_eq!(fs::read(copy.path().join("row.keys")).unwrap(), keys);
        for name in ["vault.db", "vault.db-wal"] {
            assert!(!copy.path().join(name).exists(), "nothing takes the lost database's place");
            fs::copy(test.dir.path().join(name), copy.path().join(name)).unwrap();
        }
        assert_eq!(test.open_at(copy.path()).await.unwrap().status().palms, 1);
    }

    #[tokio::test]
    async fn a_first_start_that_was_cut_short_is_taken_up() {
        let test = TestVault::new().await;
        for kept in [&[][..], &["node.key"], &["node.key", "row.keys"]] {
            let dir = tempfile::tempdir().unwrap();
            for name in kept {
                fs::copy(test.dir.path().join(name), dir.path().join(name)).unwrap();
            }
            let vault = test.open_at(dir.path()).await.unwrap();
            vault.enrol(test.company, left(1), test.tomorrow()).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_vault_is_open_once() {
        let test = TestVault::new().await;
        let error = error_at(&test, test.dir.path()).await;
        assert!(matches!(error, VaultError::AlreadyOpen { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_damaged_row_harms_no_other_and_can_be_deleted() {
        let test = TestVault::new().await;
        let (one, two) = (test.enrol(left(1)).await[0], test.enrol(left(2)).await[0]);
        let gallery = test.gallery().await;
        test.arm(one, gallery).await;
        let token = test.arm(two, gallery).await;
        let moved = test.vault.0.store.transaction("test.swap_company", |tx| {
            Box::pin(async move {
                let sql = "UPDATE slot SET side = 'right' WHERE slot = 1";
                tx.execute(sql, handfast_store::params![]).await
            })
        });
        let moved: Result<u64, handfast_store::StoreError> = moved.await;
        assert_eq!(moved.unwrap(), 1);
        let test = test.reopened().await;
        assert_eq!(test.find(gallery, 1).await, Identification::NoMatch);
        assert_eq!(test.find(gallery, 2).await, Identification::Match(token));
        test.vault.delete(test.company, &[one]).await.unwrap();
        assert_eq!(test.vault.status().palms, 1);
    }
}
