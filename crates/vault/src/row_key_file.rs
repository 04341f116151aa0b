//! The row key file: the data key of every stored palm, each sealed under the node key, in a file
//! of its own that is never part of a database or its backups.
//!
//! Destroying a palm's record here makes every copy of its sealed row, on this disk or in a
//! backup, unreadable for good. So that one enrolment does not rewrite the keys of 100,000 others,
//! the file is a header and records of one length: a record is written in place and synced before
//! the row it belongs to is committed, and overwritten with zeros, synced and read back before its
//! deletion is answered. A zeroed record is free and used again.
//!
//! ```text
//! header  0..8 "HFROWKEY" | 8..10 version | 10..12 record length | 12..28 vault id | 28..68 check | zeros
//! record  0..8 slot number, 0 = free | 8..104 nonce, sealed key, tag | zeros
//! ```
//! Numbers are little-endian. The check is an empty value sealed under the node key: it tells a
//! wrong node key from damaged records. Header and records have 128 bytes, so no record straddles
//! a disk sector; one that was torn nevertheless does not open, and belongs to no committed row.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use handfast_model::Random;

use crate::sealing::{KEY_LEN, OVERHEAD, Place, SealingKey};
use crate::{SlotId, VaultError, private_file};

const MAGIC: [u8; 8] = *b"HFROWKEY";
const VERSION: u16 = 1;
/// Bytes in the header and in a record.
const RECORD_LEN: usize = 128;
const VAULT_ID_AT: usize = 12;
const CHECK_AT: usize = VAULT_ID_AT + VaultId::LEN;
const SEALED_AT: usize = 8;
const SEALED_LEN: usize = KEY_LEN + OVERHEAD;
const _: () = assert!(SEALED_AT + SEALED_LEN <= RECORD_LEN && CHECK_AT + OVERHEAD <= RECORD_LEN);
/// A record must not straddle the smallest unit that a disk writes at once.
const _: () = assert!(512 % RECORD_LEN == 0);

/// What ties a database and its key file together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct VaultId([u8; Self::LEN]);

impl VaultId {
    const LEN: usize = 16;

    pub(crate) fn generate(random: &dyn Random) -> Self {
        let mut bytes = [0; Self::LEN];
        random.fill(&mut bytes);
        Self(bytes)
    }

    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The open row key file. It holds no key in memory: only where each slot's record lies.
#[derive(Debug)]
pub(crate) struct RowKeyFile {
    path: PathBuf,
    file: File,
    vault: VaultId,
    node_key: Arc<SealingKey>,
    records: HashMap<SlotId, u64>,
    free: Vec<u64>,
    /// Records in the file, free ones included.
    count: u64,
}

/// What was found in a row key file.
pub(crate) struct Loaded {
    pub(crate) file: RowKeyFile,
    /// The data key of every record that opens.
    pub(crate) keys: HashMap<SlotId, SealingKey>,
}

impl RowKeyFile {
    /// Creates the file of a new vault, without records.
    pub(crate) fn create(
        path: &Path,
        node_key: &SealingKey,
        random: &dyn Random,
    ) -> Result<(), VaultError> {
        let vault = VaultId::generate(random);
        let mut header = [0; RECORD_LEN];
        header[..8].copy_from_slice(&MAGIC);
        header[8..10].copy_from_slice(&VERSION.to_le_bytes());
        header[10..12].copy_from_slice(&(RECORD_LEN as u16).to_le_bytes());
        header[VAULT_ID_AT..CHECK_AT].copy_from_slice(vault.as_bytes());
        let check = node_key.seal(&check_place(&vault), &[], random);
        header[CHECK_AT..CHECK_AT + OVERHEAD].copy_from_slice(&check);
        private_file::create(path, &header)
    }

    /// Opens the file and every record in it; `None` where there is no file. Records that a crash
    /// left torn are zeroed.
    pub(crate) fn open(
        path: &Path,
        node_key: Arc<SealingKey>,
    ) -> Result<Option<Loaded>, VaultError> {
        let Some(mut file) = private_file::open(path)? else { return Ok(None) };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|source| VaultError::file("read", path, source))?;
        let (header, body) = bytes
            .split_first_chunk::<RECORD_LEN>()
            .ok_or_else(|| VaultError::key_file(path, "it is shorter than its header"))?;
        let vault = read_header(path, header, &node_key)?;
        let count = body.len().div_ceil(RECORD_LEN) as u64;
        let (records, free) = (HashMap::new(), Vec::new());
        let path = path.to_owned();
        let file = Self { path, file, vault, node_key, records, free, count };
        let mut loaded = Loaded { file, keys: HashMap::new() };
        let mut torn = Vec::new();
        for (record, bytes) in (0_u64..).zip(body.chunks(RECORD_LEN)) {
            if !loaded.take_record(record, bytes)? {
                torn.push(record);
            }
        }
        if !torn.is_empty() {
            tracing::warn!(records = torn.len(), "row key records torn by a crash are zeroed");
            loaded.file.zero(&torn)?;
        }
        Ok(Some(loaded))
    }

    /// The vault that the file belongs to.
    pub(crate) fn vault(&self) -> VaultId {
        self.vault
    }

    /// How many slots have a key in the file.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// Writes the keys of new slots, durably: when this returns, their rows may be committed.
    pub(crate) fn write(
        &mut self,
        keys: &[(SlotId, SealingKey)],
        random: &dyn Random,
    ) -> Result<(), VaultError> {
        // Records that follow each other are written at once.
        let (mut first, mut bytes) = (0, Vec::new());
        for (slot, key) in keys {
            assert!(!self.records.contains_key(slot), "a slot gets one key in its life");
            let record = self.free.pop().unwrap_or(self.count);
            self.count = self.count.max(record + 1);
            // Noted before it is written: a failed write leaves a record that `erase` can find.
            self.records.insert(*slot, record);
            if record != first + (bytes.len() / RECORD_LEN) as u64 {
                self.write_records(first, &bytes)?;
                (first, bytes) = (record, Vec::new());
            }
            let at = bytes.len();
            bytes.resize(at + RECORD_LEN, 0);
            let sealed = self.node_key.seal(&key_place(&self.vault, *slot), key.expose(), random);
            bytes[at..at + SEALED_AT].copy_from_slice(&slot.get().to_le_bytes());
            bytes[at + SEALED_AT..at + SEALED_AT + SEALED_LEN].copy_from_slice(&sealed);
        }
        self.write_records(first, &bytes)?;
        self.sync()
    }

    fn write_records(&self, first: u64, bytes: &[u8]) -> Result<(), VaultError> {
        self.file
            .write_all_at(bytes, offset(first))
            .map_err(|source| VaultError::file("write", &self.path, source))
    }

    /// One slot's key, read from the file; `None` where it has none.
    pub(crate) fn key(&self, slot: SlotId) -> Result<Option<SealingKey>, VaultError> {
        let Some(&record) = self.records.get(&slot) else { return Ok(None) };
        let mut bytes = [0; RECORD_LEN];
        self.file
            .read_exact_at(&mut bytes, offset(record))
            .map_err(|source| VaultError::file("read", &self.path, source))?;
        let read = self.read_record(&bytes).filter(|(there, _)| *there == slot);
        let damaged = || VaultError::key_file(&self.path, "a record does not open");
        read.map(|(_, key)| Some(key)).ok_or_else(damaged)
    }

    /// Whether a slot has a key.
    pub(crate) fn has(&self, slot: SlotId) -> bool {
        self.records.contains_key(&slot)
    }

    /// Destroys the keys of slots: overwritten with zeros, synced and read back. Slots without a
    /// key are passed over, so that an interrupted deletion can be repeated.
    pub(crate) fn erase(&mut self, slots: &[SlotId]) -> Result<(), VaultError> {
        let records: Vec<u64> =
            slots.iter().filter_map(|slot| self.records.get(slot).copied()).collect();
        self.zero(&records)?;
        for slot in slots {
            self.records.remove(slot);
        }
        Ok(())
    }

    fn zero(&mut self, records: &[u64]) -> Result<(), VaultError> {
        for &record in records {
            self.file
                .write_all_at(&[0; RECORD_LEN], offset(record))
                .map_err(|source| VaultError::file("overwrite", &self.path, source))?;
        }
        self.sync()?;
        for &record in records {
            let mut bytes = [0xff; RECORD_LEN];
            self.file
                .read_exact_at(&mut bytes, offset(record))
                .map_err(|source| VaultError::file("read back", &self.path, source))?;
            assert_eq!(bytes, [0; RECORD_LEN], "a destroyed row key is still there");
        }
        self.free.extend_from_slice(records);
        Ok(())
    }

    fn sync(&self) -> Result<(), VaultError> {
        self.file.sync_data().map_err(|source| VaultError::file("sync", &self.path, source))
    }
}

impl Loaded {
    /// Takes up one record; `false` where it is torn.
    fn take_record(&mut self, record: u64, bytes: &[u8]) -> Result<bool, VaultError> {
        if bytes.len() == RECORD_LEN && bytes.iter().all(|&byte| byte == 0) {
            self.file.free.push(record);
            return Ok(true);
        }
        let Some((slot, key)) = self.file.read_record(bytes) else { return Ok(false) };
        if self.file.records.insert(slot, record).is_some() {
            return Err(VaultError::key_file(&self.file.path, "a slot has two records"));
        }
        self.keys.insert(slot, key);
        Ok(true)
    }
}

impl RowKeyFile {
    fn read_record(&self, bytes: &[u8]) -> Option<(SlotId, SealingKey)> {
        let bytes: &[u8; RECORD_LEN] = bytes.try_into().ok()?;
        let (number, rest) = bytes.split_first_chunk::<SEALED_AT>()?;
        let slot = SlotId::new(i64::from_le_bytes(*number))?;
        let sealed = &rest[..SEALED_LEN];
        let plain = self.node_key.open(&key_place(&self.vault, slot), sealed).ok()?;
        Some((slot, SealingKey::from_slice(&plain)?))
    }
}

fn read_header(
    path: &Path,
    header: &[u8; RECORD_LEN],
    node_key: &SealingKey,
) -> Result<VaultId, VaultError> {
    if header[..8] != MAGIC {
        return Err(VaultError::key_file(path, "it is not a row key file"));
    }
    let version = u16::from_le_bytes([header[8], header[9]]);
    let record_len = u16::from_le_bytes([header[10], header[11]]);
    if version != VERSION || usize::from(record_len) != RECORD_LEN {
        return Err(VaultError::key_file(path, "its version is not one that this build reads"));
    }
    let vault = VaultId::from_slice(&header[VAULT_ID_AT..CHECK_AT]).expect("16 bytes by constants");
    node_key
        .open(&check_place(&vault), &header[CHECK_AT..CHECK_AT + OVERHEAD])
        .map(|_| vault)
        .map_err(|_| VaultError::key_file(path, "it was written under another node key"))
}

fn offset(record: u64) -> u64 {
    (record + 1) * RECORD_LEN as u64
}

fn check_place(vault: &VaultId) -> Place {
    Place { table: "row key file", row: vault.0.to_vec(), column: "check", version: 1 }
}

/// Bound to the slot and not to the record's place in the file: a slot number is never reused.
fn key_place(vault: &VaultId, slot: SlotId) -> Place {
    let row = [vault.as_bytes(), &slot.to_bytes()].concat();
    Place { table: "row key file", row, column: "key", version: 1 }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use handfast_model::SeededRandom;

    use super::*;

    struct Fixture {
        dir: tempfile::TempDir,
        node_key: Arc<SealingKey>,
        random: SeededRandom,
    }

    impl Fixture {
        fn new() -> Self {
            let random = SeededRandom::new(1);
            let node_key = Arc::new(SealingKey::generate(&random));
            let fixture = Self { dir: tempfile::tempdir().unwrap(), node_key, random };
            RowKeyFile::create(&fixture.path(), &fixture.node_key, &fixture.random).unwrap();
            fixture
        }

        fn path(&self) -> PathBuf {
            self.dir.path().join("row.keys")
        }

        fn open(&self) -> Loaded {
            RowKeyFile::open(&self.path(), self.node_key.clone()).unwrap().unwrap()
        }

        fn key(&self) -> SealingKey {
            SealingKey::generate(&self.random)
        }

        fn bytes(&self) -> Vec<u8> {
            fs::read(self.path()).unwrap()
        }
    }

    fn slot(number: i64) -> SlotId {
        SlotId::new(number).unwrap()
    }

    fn holds(haystack: &[u8], needle: &[u8]) -> bool {
        haystack.windows(needle.len()).any(|window| window == needle)
    }

    #[test]
    fn keys_are_found_again_after_opening() {
        let fixture = Fixture::new();
        let keys = [(slot(1), fixture.key()), (slot(2), fixture.key())];
        fixture.open().file.write(&keys, &fixture.random).unwrap();
        let loaded = fixture.open();
        assert_eq!(loaded.keys, keys.into_iter().collect());
    }

    #[test]
    fn an_erased_record_is_gone_from_the_file_and_used_again() {
        let fixture = Fixture::new();
        let mut file = fixture.open().file;
        let keys = [(slot(1), fixture.key()), (slot(2), fixture.key())];
        file.write(&keys, &fixture.random).unwrap();
        let before = fixture.bytes();
        let record = before[RECORD_LEN + SEALED_AT..][..SEALED_LEN].to_vec();
        assert!(holds(&before, &record), "the control finds the record before deletion");
        assert!(!holds(&before, keys[0].1.expose()), "a key is never in clear");

        file.erase(&[slot(1)]).unwrap();
        assert!(!holds(&fixture.bytes(), &record));
        assert_eq!(fixture.bytes().len(), before.len());
        assert_eq!(fixture.open().keys.into_keys().collect::<Vec<_>>(), [slot(2)]);

        file.write(&[(slot(3), fixture.key())], &fixture.random).unwrap();
        assert_eq!(fixture.bytes().len(), before.len(), "the free record was used again");
        file.erase(&[slot(1)]).expect("erasing twice is no error");
        assert_eq!(fixture.open().keys.len(), 2);
    }

    #[test]
    fn a_record_torn_at_any_byte_is_zeroed_and_harms_no_other() {
        let fixture = Fixture::new();
        let mut file = fixture.open().file;
        file.write(&[(slot(1), fixture.key()), (slot(2), fixture.key())], &fixture.random).unwrap();
        let whole = fixture.bytes();
        let used = SEALED_AT + SEALED_LEN;
        for torn_at in 1..used {
            // Written up to here, the rest still as it was before: absent, or zeros.
            let mut torn = whole[..2 * RECORD_LEN + torn_at].to_vec();
            fs::write(fixture.path(), &torn).unwrap();
            assert_eq!(fixture.open().keys.keys().collect::<Vec<_>>(), [&slot(1)]);
            torn.resize(whole.len(), 0);
            fs::write(fixture.path(), &torn).unwrap();
            assert_eq!(fixture.open().keys.keys().collect::<Vec<_>>(), [&slot(1)]);
            assert_eq!(fixture.bytes()[2 * RECORD_LEN..], [0; RECORD_LEN]);
        }
    }

    #[test]
    fn a_foreign_or_damaged_file_is_refused_and_left_as_it_is() {
        let fixture = Fixture::new();
        fixture.open().file.write(&[(slot(1), fixture.key())], &fixture.random).unwrap();
        let whole = fixture.bytes();
        let other_key = Arc::new(fixture.key());
        let error = RowKeyFile::open(&fixture.path(), other_key).err().unwrap();
        assert!(error.to_string().contains("another node key"), "{error}");
        for at in [0, 8, 10, VAULT_ID_AT, CHECK_AT] {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(fixture.path(), &damaged).unwrap();
            assert!(RowKeyFile::open(&fixture.path(), fixture.node_key.clone()).is_err(), "{at}");
            assert_eq!(fixture.bytes(), damaged);
        }
        fs::write(fixture.path(), [&whole[..], &whole[RECORD_LEN..]].concat()).unwrap();
        assert!(RowKeyFile::open(&fixture.path(), fixture.node_key.clone()).is_err());
    }
}
