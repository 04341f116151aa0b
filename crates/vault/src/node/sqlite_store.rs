//! A node's disk: an SQLite database, and keys in files beside it that no backup of it contains.
//!
//! `node.db` holds operations, the undecided vote, sealed rows and budgets; `row.keys` a data key
//! for each row, sealed under `node.key`. A row is sealed under its data key together with the
//! generation's key, which is destroyed when shares are renewed: an old backup then opens with
//! nothing that exists. The seeds of a renewal are sealed under a key of their own that is
//! destroyed with them.
//!
//! Keys are written before what they seal, and destroyed after it. Opening finishes what a crash
//! left between the two.
//!
//! The store blocks the thread that calls it: a node has a thread of its own, outside any runtime.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use handfast_model::{Random, Timestamp};
use handfast_store::{Migration, Migrations, Param, Store, StoreError, StoreOptions, Tx, params};
use hkdf::Hkdf;
use sha2::Sha256;
use tokio::runtime::Runtime;
use zeroize::Zeroizing;

use super::codec::{Reader, Writer};
use super::names::{DeviceName, GalleryName};
use super::operation::{Certificate, Certified, OPERATION_LENGTH_MAX, Operation, Verdict, Vote};
use super::store::{
    Batch, Budget, BudgetUse, NodeStore, NodeStoreError, Renewal, RowBytes, Seeds, Stored,
    Undecided,
};
use crate::row_key_file::{Loaded, RowKeyFile};
use crate::sealing::{KEY_LEN, Place, SealingKey};
use crate::{SlotId, VaultError, node_key, private_file};

/// Rows read at once: two megabytes at 512 numbers.
const ROWS_PER_READ: i64 = 2_048;
/// Rows in one statement: a call of the database costs as much as many rows.
const ROWS_PER_INSERT: usize = 64;
/// The record of the key that seals a renewal's seeds; no slot reaches it.
const SEEDS_KEY: i64 = i64::MAX;
/// The record of generation 0's key; later generations are below it.
const GENERATION_KEY: i64 = i64::MAX - 1;
/// Records from here on are no slots.
const FIRST_RESERVED: i64 = i64::MAX - (1 << 32);
const ROW_VERSION: u8 = 1;

const MIGRATIONS: Migrations = Migrations {
    service: "vault node",
    steps: &[Migration {
        version: 1,
        name: "operations, rows, budgets",
        sql: "
            -- One row: how often shares were renewed, which names the key that rows are sealed under.
            CREATE TABLE node (one BIGINT PRIMARY KEY, generation BIGINT NOT NULL);
            INSERT INTO node VALUES (1, 0);
            -- The list, in its own bytes.
            CREATE TABLE operation (
                number BIGINT PRIMARY KEY,
                body BYTEA NOT NULL,
                certificate BYTEA NOT NULL
            );
            -- At most one row: the operation that is not decided, this node's word, sealed seeds.
            CREATE TABLE undecided (
                one BIGINT PRIMARY KEY,
                body BYTEA NOT NULL,
                vote BYTEA NOT NULL,
                sealed_seeds BYTEA NOT NULL
            );
            CREATE TABLE palm_row (slot BIGINT PRIMARY KEY, sealed BYTEA NOT NULL);
            CREATE TABLE budget (
                kind BIGINT NOT NULL,
                gallery BYTEA NOT NULL,
                subject BYTEA NOT NULL,
                since BIGINT NOT NULL,
                used BIGINT NOT NULL,
                PRIMARY KEY (kind, gallery, subject)
            );
        ",
    }],
};

/// Stores [`ROWS_PER_INSERT`] rows.
static INSERT_ROWS: LazyLock<String> = LazyLock::new(|| {
    let places = (0..ROWS_PER_INSERT).map(|at| format!("(${}, ${})", 2 * at + 1, 2 * at + 2));
    let places = places.collect::<Vec<_>>().join(", ");
    format!(
        "INSERT INTO palm_row VALUES {places} ON CONFLICT (slot) DO UPDATE SET sealed = excluded.sealed"
    )
});

impl From<StoreError> for NodeStoreError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<VaultError> for NodeStoreError {
    fn from(error: VaultError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// A node's store in its folder.
pub struct SqliteStore {
    store: Store,
    keys: RowKeyFile,
    random: Arc<dyn Random>,
    generation: i64,
    generation_key: SealingKey,
    /// The rows' keys as opening read them, for the first pass over all rows.
    opened: Option<HashMap<SlotId, SealingKey>>,
    /// Dropped last: the store's connections need it.
    runtime: Runtime,
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SqliteStore(generation {})", self.generation)
    }
}

/// Keys of rows that had none.
type NewKeys = HashMap<SlotId, SealingKey>;

fn slot_id(number: u64) -> Result<SlotId, NodeStoreError> {
    let slot = i64::try_from(number).ok().filter(|slot| *slot < FIRST_RESERVED);
    let slot = slot.and_then(SlotId::new);
    slot.ok_or_else(|| NodeStoreError::Damaged(format!("{number} is no slot")))
}

fn reserved(record: i64) -> SlotId {
    SlotId::new(record).expect("reserved records are above zero")
}

fn damaged(what: &str) -> NodeStoreError {
    NodeStoreError::Damaged(what.to_owned())
}

impl SqliteStore {
    /// Opens the store in a node's folder, and makes it where there is none.
    ///
    /// # Errors
    /// When files are missing, damaged or readable by others, or the disk fails.
    ///
    /// # Panics
    /// When called from within an asynchronous runtime: call it on the node's own thread.
    pub fn open(dir: &Path, random: Arc<dyn Random>) -> Result<Self, NodeStoreError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| NodeStoreError::Failed(error.to_string()))?;
        private_file::make_dir(dir)?;
        let database = dir.join("node.db");
        let fresh = !database.exists();
        let Loaded { file: mut keys, keys: opened } = open_keys(dir, fresh, &*random)?;
        let store = runtime.block_on(async {
            let store = Store::open(&StoreOptions::sqlite(&database).secure_delete()).await?;
            store.migrate(&MIGRATIONS).await?;
            Ok::<_, StoreError>(store)
        })?;
        let generation = runtime.block_on(generation(&store))?;
        let name = reserved(GENERATION_KEY - generation);
        if !keys.has(name) {
            if generation != 0 || !opened.is_empty() {
                return Err(damaged("the key of its rows is missing"));
            }
            keys.write(&[(name, SealingKey::generate(&*random))], &*random)?;
        }
        let generation_key = keys.key(name)?.ok_or_else(|| damaged("no key of its rows"))?;
        let mut node =
            Self { store, keys, random, generation, generation_key, opened: Some(opened), runtime };
        node.finish_what_a_crash_left()?;
        Ok(node)
    }

    /// Destroys keys without rows, and rows without keys.
    fn finish_what_a_crash_left(&mut self) -> Result<(), NodeStoreError> {
        let rows = self.slots()?;
        let rowless: Vec<SlotId> = {
            let opened = self.opened.iter().flat_map(HashMap::keys);
            let has_row = |slot: &SlotId| rows.binary_search(&slot.get().unsigned_abs()).is_ok();
            let current = reserved(GENERATION_KEY - self.generation);
            opened
                .filter(|slot| {
                    let is_slot = slot.get() < FIRST_RESERVED;
                    let is_seeds = slot.get() == SEEDS_KEY;
                    if is_slot { !has_row(slot) } else { !is_seeds && **slot != current }
                })
                .copied()
                .collect()
        };
        if !rowless.is_empty() {
            self.keys.erase(&rowless)?;
        }
        let mut keyless = Vec::new();
        for slot in rows {
            if !self.keys.has(slot_id(slot)?) {
                keyless.push(slot);
            }
        }
        if !keyless.is_empty() {
            self.commit(Batch { destroy: keyless, ..Batch::default() })?;
        }
        Ok(())
    }

    /// The key of a row in this generation.
    fn row_key(generation_key: &SealingKey, row_key: &SealingKey) -> SealingKey {
        let mut key = Zeroizing::new([0; KEY_LEN]);
        Hkdf::<Sha256>::new(Some(generation_key.expose()), row_key.expose())
            .expand(b"handfast vault 1 row", &mut key[..])
            .expect("HKDF gives a key of 32 bytes");
        SealingKey::from_slice(&key[..]).expect("a key's length")
    }

    fn place(slot: u64) -> Place {
        let row = slot.to_be_bytes().to_vec();
        Place { table: "palm_row", row, column: "sealed", version: ROW_VERSION }
    }

    fn seal_row(&self, slot: u64, key: &SealingKey, bytes: &[u8]) -> Vec<u8> {
        let key = Self::row_key(&self.generation_key, key);
        key.seal(&Self::place(slot), bytes, &*self.random)
    }

    fn open_row(&self, slot: u64, sealed: &[u8]) -> Result<RowBytes, NodeStoreError> {
        let id = slot_id(slot)?;
        let key = match self.opened.as_ref().and_then(|opened| opened.get(&id)) {
            Some(key) => key.clone(),
            None => self.keys.key(id)?.ok_or_else(|| damaged("a row has no key"))?,
        };
        let key = Self::row_key(&self.generation_key, &key);
        key.open(&Self::place(slot), sealed).map_err(|_| damaged("a row does not open"))
    }

    /// Keys for rows that have none yet, on disk before the rows.
    fn make_keys(&mut self, put: &[(u64, RowBytes)]) -> Result<NewKeys, NodeStoreError> {
        let mut new = Vec::new();
        for (slot, _) in put {
            let slot = slot_id(*slot)?;
            if !self.keys.has(slot) {
                new.push((slot, SealingKey::generate(&*self.random)));
            }
        }
        if !new.is_empty() {
            self.keys.write(&new, &*self.random)?;
        }
        Ok(new.into_iter().collect())
    }

    /// A batch in the forms of its columns; `new` are the keys of rows that had none.
    fn sealed(&mut self, batch: Batch, new: &NewKeys) -> Result<SealedBatch, NodeStoreError> {
        let mut put = Vec::with_capacity(batch.put.len());
        for (slot, bytes) in &batch.put {
            let id = slot_id(*slot)?;
            let sealed = match new.get(&id) {
                Some(key) => self.seal_row(*slot, key, bytes),
                None => {
                    let key = self.keys.key(id)?.ok_or_else(|| damaged("a new row has no key"))?;
                    self.seal_row(*slot, &key, bytes)
                }
            };
            put.push((id.get(), sealed));
        }
        let undecided = match batch.undecided {
            None => UndecidedChange::Stays,
            Some(None) => UndecidedChange::Decided,
            Some(Some(undecided)) => {
                let seeds = self.seal_seeds(undecided.seeds.as_ref())?;
                let mut vote = Writer::default();
                if let Some(Vote { node, verdict, signature }) = undecided.vote {
                    vote.u8(node.index() as u8).u8(verdict as u8).raw(&signature);
                }
                let body = undecided.operation.to_bytes();
                UndecidedChange::Set { body, vote: vote.0, seeds }
            }
        };
        let append = batch.append.iter().map(|certified| {
            let mut certificate = Writer::default();
            certified.certificate.write(&mut certificate);
            let number = certified.operation.number.cast_signed();
            (number, certified.operation.to_bytes(), certificate.0)
        });
        let destroy = batch.destroy.iter().map(|slot| Ok(slot_id(*slot)?.get()));
        Ok(SealedBatch {
            undecided,
            append: append.collect(),
            put,
            destroy: destroy.collect::<Result<_, NodeStoreError>>()?,
            budgets: batch.budgets,
            generation: None,
        })
    }

    fn seal_seeds(&mut self, seeds: Option<&Seeds>) -> Result<Vec<u8>, NodeStoreError> {
        let Some(seeds) = seeds else { return Ok(Vec::new()) };
        let name = reserved(SEEDS_KEY);
        if !self.keys.has(name) {
            self.keys.write(&[(name, SealingKey::generate(&*self.random))], &*self.random)?;
        }
        let key = self.keys.key(name)?.ok_or_else(|| damaged("the seeds' key is missing"))?;
        Ok(key.seal(&seeds_place(), seeds.as_flattened(), &*self.random))
    }

    /// After a batch is in the database: destroys the keys of what it removed.
    fn destroy_keys(&mut self, sealed: &SealedBatch) -> Result<(), NodeStoreError> {
        let mut gone: Vec<SlotId> =
            sealed.destroy.iter().filter_map(|slot| SlotId::new(*slot)).collect();
        let seeds = reserved(SEEDS_KEY);
        let no_seeds = match &sealed.undecided {
            UndecidedChange::Stays => false,
            UndecidedChange::Decided => true,
            UndecidedChange::Set { seeds, .. } => seeds.is_empty(),
        };
        if no_seeds && self.keys.has(seeds) {
            gone.push(seeds);
        }
        if gone.is_empty() {
            return Ok(());
        }
        self.keys.erase(&gone)?;
        self.runtime.block_on(self.store.truncate_wal())?;
        Ok(())
    }
}

fn seeds_place() -> Place {
    Place { table: "undecided", row: vec![1], column: "sealed_seeds", version: 1 }
}

fn open_keys(dir: &Path, fresh: bool, random: &dyn Random) -> Result<Loaded, NodeStoreError> {
    let (node, rows) = (dir.join("node.key"), dir.join("row.keys"));
    let key = match node_key::load(&node)? {
        Some(key) => key,
        None if fresh && !rows.exists() => node_key::create(&node, random)?,
        None => return Err(VaultError::KeyFileMissing { path: node }.into()),
    };
    let key = Arc::new(key);
    if !rows.exists() {
        if !fresh {
            return Err(VaultError::KeyFileMissing { path: rows }.into());
        }
        RowKeyFile::create(&rows, &key, random)?;
    }
    let loaded = RowKeyFile::open(&rows, key)?;
    loaded.ok_or_else(|| VaultError::KeyFileMissing { path: rows }.into())
}

async fn generation(store: &Store) -> Result<i64, NodeStoreError> {
    let read = store.read("node.generation", |tx| {
        Box::pin(async move {
            let (generation,): (i64,) =
                tx.fetch_one("SELECT generation FROM node", params![]).await?;
            Ok::<_, StoreError>(generation)
        })
    });
    Ok(read.await?)
}

enum UndecidedChange {
    Stays,
    Decided,
    Set { body: Vec<u8>, vote: Vec<u8>, seeds: Vec<u8> },
}

struct SealedBatch {
    undecided: UndecidedChange,
    append: Vec<(i64, Vec<u8>, Vec<u8>)>,
    put: Vec<(i64, Vec<u8>)>,
    destroy: Vec<i64>,
    budgets: Vec<BudgetUse>,
    generation: Option<i64>,
}

impl SealedBatch {
    async fn write(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        match &self.undecided {
            UndecidedChange::Stays => {}
            UndecidedChange::Decided => {
                tx.execute("DELETE FROM undecided", params![]).await?;
            }
            UndecidedChange::Set { body, vote, seeds } => {
                let sql = "INSERT INTO undecided VALUES (1, $1, $2, $3) ON CONFLICT (one)
                    DO UPDATE SET body = $1, vote = $2, sealed_seeds = $3";
                tx.execute(sql, params![body, vote, seeds]).await?;
            }
        }
        for (number, body, certificate) in &self.append {
            let sql = "INSERT INTO operation VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
            tx.execute(sql, params![*number, body, certificate]).await?;
        }
        let (whole, rest) = self.put.as_chunks::<ROWS_PER_INSERT>();
        for rows in whole {
            let params = rows.iter().flat_map(|(slot, sealed)| params![*slot, sealed]);
            tx.execute(INSERT_ROWS.as_str(), params.collect::<Vec<Param>>()).await?;
        }
        for (slot, sealed) in rest {
            let sql = "INSERT INTO palm_row VALUES ($1, $2)
                ON CONFLICT (slot) DO UPDATE SET sealed = $2";
            tx.execute(sql, params![*slot, sealed]).await?;
        }
        for slot in &self.destroy {
            tx.execute("DELETE FROM palm_row WHERE slot = $1", params![*slot]).await?;
        }
        for used in &self.budgets {
            write_budget(tx, used).await?;
        }
        if let Some(generation) = self.generation {
            tx.execute("UPDATE node SET generation = $1", params![generation]).await?;
        }
        Ok(())
    }
}

async fn write_budget(tx: &mut Tx<'_>, used: &BudgetUse) -> Result<(), StoreError> {
    let (kind, gallery, subject) = match used.budget {
        Budget::Gallery(gallery) => (0_i64, gallery, Vec::new()),
        Budget::Device(gallery, device) => (1, gallery, device.0.to_vec()),
        Budget::Slot(gallery, slot) => (2, gallery, slot.to_le_bytes().to_vec()),
    };
    let sql = "INSERT INTO budget VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (kind, gallery, subject) DO UPDATE SET since = $4, used = $5";
    let (since, count) = (used.since.as_micros(), i64::from(used.used));
    tx.execute(sql, params![kind, gallery.0.to_vec(), subject, since, count]).await?;
    Ok(())
}

fn read_budget(
    (kind, gallery, subject, since, used): (i64, Vec<u8>, Vec<u8>, i64, i64),
) -> Option<BudgetUse> {
    let gallery = GalleryName(gallery.try_into().ok()?);
    let budget = match kind {
        0 => Budget::Gallery(gallery),
        1 => Budget::Device(gallery, DeviceName(subject.try_into().ok()?)),
        2 => Budget::Slot(gallery, u64::from_le_bytes(subject.try_into().ok()?)),
        _ => return None,
    };
    let since = Timestamp::from_micros(since);
    Some(BudgetUse { budget, since, used: u32::try_from(used).ok()? })
}

fn read_vote(bytes: &[u8]) -> Option<Option<Vote>> {
    if bytes.is_empty() {
        return Some(None);
    }
    let mut reader = Reader::new(bytes);
    let node = super::message::read_role(&mut reader).ok()?;
    let verdict = Verdict::read(&mut reader).ok()?;
    let signature = reader.array().ok()?;
    reader.end().ok()?;
    Some(Some(Vote { node, verdict, signature }))
}

fn read_certified(body: &[u8], certificate: &[u8]) -> Result<Certified, NodeStoreError> {
    let wrong = |_| damaged("an operation cannot be read");
    if body.len() > OPERATION_LENGTH_MAX {
        return Err(damaged("an operation is too long"));
    }
    let operation = Operation::from_bytes(body).map_err(wrong)?;
    let mut reader = Reader::new(certificate);
    let certificate = Certificate::read(&mut reader).map_err(wrong)?;
    Ok(Certified { operation, certificate })
}

impl NodeStore for SqliteStore {
    fn load(&mut self) -> Result<Stored, NodeStoreError> {
        type Columns = (Vec<u8>, Vec<u8>, Vec<u8>);
        type Uses = Vec<(i64, Vec<u8>, Vec<u8>, i64, i64)>;
        let read = self.store.read("node.load", |tx| {
            Box::pin(async move {
                let sql = "SELECT body, vote, sealed_seeds FROM undecided";
                let undecided: Option<Columns> = tx.fetch_optional(sql, params![]).await?;
                let sql = "SELECT kind, gallery, subject, since, used FROM budget";
                let budgets: Uses = tx.fetch_all(sql, params![]).await?;
                Ok::<_, StoreError>((undecided, budgets))
            })
        });
        let (undecided, budgets) = self.runtime.block_on(read)?;
        let budgets = budgets.into_iter().map(read_budget).collect::<Option<Vec<_>>>();
        let budgets = budgets.ok_or_else(|| damaged("a budget cannot be read"))?;
        let Some((body, vote, sealed)) = undecided else {
            return Ok(Stored { undecided: None, budgets });
        };
        let operation = Operation::from_bytes(&body);
        let operation = operation.map_err(|_| damaged("the undecided operation is unreadable"))?;
        let vote = read_vote(&vote).ok_or_else(|| damaged("a vote cannot be read"))?;
        let mut seeds = None;
        if !sealed.is_empty() {
            let key = self.keys.key(reserved(SEEDS_KEY))?;
            let key = key.ok_or_else(|| damaged("the seeds' key is missing"))?;
            let plain = key.open(&seeds_place(), &sealed);
            let plain = plain.map_err(|_| damaged("the seeds do not open"))?;
            let (three, []) = plain.as_chunks::<32>() else { return Err(damaged("no seeds")) };
            let three: [[u8; 32]; 3] = three.try_into().map_err(|_| damaged("no three seeds"))?;
            seeds = Some(Box::new(Zeroizing::new(three)));
        }
        Ok(Stored { undecided: Some(Undecided { operation, vote, seeds }), budgets })
    }

    fn operations(
        &mut self,
        from: u64,
        each: &mut dyn FnMut(Certified) -> bool,
    ) -> Result<(), NodeStoreError> {
        // The first page is short: most callers want one operation.
        let (mut next, mut limit) = (i64::try_from(from).unwrap_or(i64::MAX), 1_i64);
        loop {
            let read = self.store.read("node.operations", |tx| {
                Box::pin(async move {
                    let sql = "SELECT number, body, certificate FROM operation
                        WHERE number >= $1 ORDER BY number LIMIT $2";
                    let rows: Vec<(i64, Vec<u8>, Vec<u8>)> =
                        tx.fetch_all(sql, params![next, limit]).await?;
                    Ok::<_, StoreError>(rows)
                })
            });
            let rows = self.runtime.block_on(read)?;
            let Some((last, ..)) = rows.last() else { return Ok(()) };
            next = last.saturating_add(1);
            limit = ROWS_PER_READ;
            for (_, body, certificate) in rows {
                if !each(read_certified(&body, &certificate)?) {
                    return Ok(());
                }
            }
        }
    }

    fn rows(&mut self, each: &mut dyn FnMut(u64, &[u8])) -> Result<(), NodeStoreError> {
        let mut after = 0_i64;
        loop {
            let rows = self.runtime.block_on(read_rows(&self.store, after))?;
            let Some((last, _)) = rows.last() else { break };
            after = *last;
            for (slot, sealed) in rows {
                let slot = slot.unsigned_abs();
                each(slot, &self.open_row(slot, &sealed)?);
            }
        }
        self.opened = None;
        Ok(())
    }

    fn slots(&mut self) -> Result<Vec<u64>, NodeStoreError> {
        let read = self.store.read("node.slots", |tx| {
            Box::pin(async move {
                let sql = "SELECT slot FROM palm_row ORDER BY slot";
                let slots: Vec<(i64,)> = tx.fetch_all(sql, params![]).await?;
                Ok::<_, StoreError>(slots)
            })
        });
        let slots = self.runtime.block_on(read)?;
        Ok(slots.into_iter().map(|(slot,)| slot.unsigned_abs()).collect())
    }

    fn row(&mut self, slot: u64) -> Result<Option<RowBytes>, NodeStoreError> {
        let id = slot_id(slot)?.get();
        let read = self.store.read("node.row", |tx| {
            Box::pin(async move {
                let sql = "SELECT sealed FROM palm_row WHERE slot = $1";
                let row: Option<(Vec<u8>,)> = tx.fetch_optional(sql, params![id]).await?;
                Ok::<_, StoreError>(row)
            })
        });
        let row = self.runtime.block_on(read)?;
        row.map(|(sealed,)| self.open_row(slot, &sealed)).transpose()
    }

    fn commit(&mut self, batch: Batch) -> Result<(), NodeStoreError> {
        let made = self.make_keys(&batch.put)?;
        let sealed = self.sealed(batch, &made)?;
        let written = self.runtime.block_on(self.store.transaction("node.commit", |tx| {
            let sealed = &sealed;
            Box::pin(async move { sealed.write(tx).await })
        }));
        if let Err(error) = written {
            self.keys.erase(&made.into_keys().collect::<Vec<_>>())?;
            return Err(NodeStoreError::from(error));
        }
        self.destroy_keys(&sealed)
    }

    fn renew(&mut self, batch: Batch, renewal: &mut dyn Renewal) -> Result<(), NodeStoreError> {
        self.opened = None;
        let next = self.generation + 1;
        let (old_name, name) =
            (reserved(GENERATION_KEY - self.generation), reserved(GENERATION_KEY - next));
        if !self.keys.has(name) {
            let key = SealingKey::generate(&*self.random);
            self.keys.write(&[(name, key)], &*self.random)?;
        }
        let key = self.keys.key(name)?.ok_or_else(|| damaged("no key of the next rows"))?;
        let mut sealed = self.sealed(batch, &NewKeys::new())?;
        sealed.generation = Some(next);
        self.renew_rows(&sealed, &key, renewal)?;
        (self.generation, self.generation_key) = (next, key);
        self.keys.erase(&[old_name])?;
        self.destroy_keys(&sealed)?;
        self.runtime.block_on(self.store.truncate_wal())?;
        Ok(())
    }
}

async fn read_rows(store: &Store, after: i64) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
    store.read("node.rows", |tx| Box::pin(async move { page_of_rows(tx, after).await })).await
}

async fn page_of_rows(tx: &mut Tx<'_>, after: i64) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
    let sql = "SELECT slot, sealed FROM palm_row WHERE slot > $1 ORDER BY slot LIMIT $2";
    tx.fetch_all(sql, params![after, ROWS_PER_READ]).await
}

impl SqliteStore {
    /// Renews all rows in pages: each page is read, renewed and staged beside the old rows, then
    /// one transaction swaps them together with the batch.
    fn renew_rows(
        &self,
        batch: &SealedBatch,
        generation_key: &SealingKey,
        renewal: &mut dyn Renewal,
    ) -> Result<(), NodeStoreError> {
        self.run("node.stage", "DROP TABLE IF EXISTS renewed_row")?;
        let table = "CREATE TABLE renewed_row (slot BIGINT PRIMARY KEY, sealed BYTEA NOT NULL)";
        self.run("node.stage", table)?;
        renewal.restart();
        let mut after = 0_i64;
        loop {
            let rows = self.runtime.block_on(read_rows(&self.store, after))?;
            let Some((last, _)) = rows.last() else { break };
            after = *last;
            let mut renewed = Vec::with_capacity(rows.len());
            for (number, sealed) in rows {
                let slot = number.unsigned_abs();
                let bytes = renewal.row(slot, &self.open_row(slot, &sealed)?)?;
                let key = self.keys.key(slot_id(slot)?)?;
                let key = key.ok_or_else(|| damaged("a row has no key"))?;
                let key = Self::row_key(generation_key, &key);
                renewed.push((number, key.seal(&Self::place(slot), &bytes, &*self.random)));
            }
            self.stage(&renewed)?;
        }
        let swapped = self.store.transaction("node.renew", |tx| {
            Box::pin(async move {
                tx.execute("DELETE FROM palm_row", params![]).await?;
                let sql = "INSERT INTO palm_row SELECT slot, sealed FROM renewed_row";
                tx.execute(sql, params![]).await?;
                tx.execute("DROP TABLE renewed_row", params![]).await?;
                batch.write(tx).await
            })
        });
        Ok(self.runtime.block_on(swapped)?)
    }

    fn stage(&self, rows: &[(i64, Vec<u8>)]) -> Result<(), NodeStoreError> {
        let staged = self.store.transaction("node.stage", |tx| {
            Box::pin(async move {
                for (slot, sealed) in rows {
                    let sql = "INSERT INTO renewed_row VALUES ($1, $2)";
                    tx.execute(sql, params![*slot, sealed]).await?;
                }
                Ok::<_, StoreError>(())
            })
        });
        Ok(self.runtime.block_on(staged)?)
    }

    fn run(&self, name: &'static str, sql: &'static str) -> Result<(), NodeStoreError> {
        let done = self
            .store
            .transaction(name, |tx| Box::pin(async move { tx.execute(sql, params![]).await }));
        Ok(self.runtime.block_on(done).map(drop)?)
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.runtime.block_on(self.store.close());
    }
}
