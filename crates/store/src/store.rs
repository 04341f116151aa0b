//! The store: a database that is open, and how work is done in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::counters::LiveCounters;
use crate::options::Pools;
use crate::transaction::{Engine, database_error, is_conflict};
use crate::{Counters, StoreError, StoreOptions, Tx, TxFuture};

/// How often a transaction is tried before its caller hears of a conflict. Of any set that
/// conflicts at least one commits each round, so this many contenders for one row all get through
/// even without the growing pauses between rounds.
const ATTEMPTS_MAX: u32 = 24;
/// From this attempt on a transaction lets no other writer of its database run beside it, so that it
/// gets through whatever the others do: on PostgreSQL alone, where the tiny indexes of a young
/// database make strangers look like contenders.
const ALONE_FROM: u32 = 6;
/// How often a row that is there already is taken for somebody who was quicker, in a transaction that
/// locks rows; a duplicate that stays is the caller's to hear of.
const DUPLICATES_MAX: u32 = 3;
/// The longest pause between two attempts: above it, waiting costs more than a conflict.
const PAUSE_MAX: Duration = Duration::from_millis(64);

/// A database that is open. Clones share its connections and counters.
#[derive(Clone, Debug)]
pub struct Store {
    pools: Pools,
    counters: LiveCounters,
    /// Spreads the pauses of contenders, see [`pause`].
    pauses: Arc<AtomicU64>,
    /// Whether the tables are there that writers meet at, see [`ALONE_FROM`].
    migrated: Arc<AtomicBool>,
}

/// What a transaction may do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    ReadWrite,
    /// Each statement sees the newest state; what the work relies on, it locks.
    RowLocked,
    ReadOnly,
    /// One migrator at a time. On PostgreSQL each statement sees the newest state: a serializable
    /// one would go on with what it saw before it waited for the schema's lock.
    Migrate,
}

impl Store {
    /// Opens `sqlite:PATH` (made where it is missing), `sqlite::memory:` or `postgres://...`.
    ///
    /// # Errors
    /// [`StoreError::Address`], [`StoreError::File`], [`StoreError::Connect`].
    pub async fn connect(address: &str) -> Result<Self, StoreError> {
        Self::open(&address.parse()?).await
    }

    /// Opens the database that `options` describe.
    ///
    /// # Errors
    /// [`StoreError::File`], [`StoreError::Connect`].
    pub async fn open(options: &StoreOptions) -> Result<Self, StoreError> {
        let pools = options.open().await?;
        Ok(Self {
            pools,
            counters: LiveCounters::default(),
            pauses: Arc::default(),
            migrated: Arc::default(),
        })
    }

    /// Runs `work` in a serializable transaction called `name` and commits what it did if it
    /// returns `Ok`; otherwise nothing of it remains. On a conflict `work` is run again from the
    /// start, so it must do nothing that a rollback does not undo (send a mail, move a motor).
    ///
    /// # Errors
    /// What `work` returns; [`StoreError::Conflict`] after too many conflicts;
    /// [`StoreError::Database`] where beginning or committing fails.
    pub async fn transaction<'env, T, E, F>(&self, name: &'static str, work: F) -> Result<T, E>
    where
        F: for<'t> FnMut(&'t mut Tx<'env>) -> TxFuture<'t, T, E> + Send,
        E: From<StoreError> + Send,
        T: Send,
    {
        self.run(name, Access::ReadWrite, work).await
    }

    /// As [`Store::transaction`], for work that meets itself all the time. On PostgreSQL it is not
    /// serializable: each statement sees what was committed when it began, and two that touch the
    /// same row wait for each other instead of failing. So the work must lock what it relies on
    /// ([`Tx::fetch_locked`], [`Tx::lock_name`]) before it reads anything that follows from it, change
    /// rows by conditions that the statement itself checks, and leave to unique keys what may be
    /// there once: where one says no, the work runs again and finds the row. On SQLite the two are
    /// the same.
    ///
    /// # Errors
    /// As [`Store::transaction`].
    pub async fn row_locked<'env, T, E, F>(&self, name: &'static str, work: F) -> Result<T, E>
    where
        F: for<'t> FnMut(&'t mut Tx<'env>) -> TxFuture<'t, T, E> + Send,
        E: From<StoreError> + Send,
        T: Send,
    {
        self.run(name, Access::RowLocked, work).await
    }

    /// As [`Store::transaction`], for work that only reads: all its statements see one committed
    /// state, it meets no conflict, and on SQLite it does not wait for the writer. A write in it is
    /// an error.
    ///
    /// # Errors
    /// As [`Store::transaction`].
    pub async fn read<'env, T, E, F>(&self, name: &'static str, work: F) -> Result<T, E>
    where
        F: for<'t> FnMut(&'t mut Tx<'env>) -> TxFuture<'t, T, E> + Send,
        E: From<StoreError> + Send,
        T: Send,
    {
        self.run(name, Access::ReadOnly, work).await
    }

    /// Whether the engine is PostgreSQL: for messages and tests; no statement may depend on it.
    #[must_use]
    pub fn is_postgres(&self) -> bool {
        matches!(self.pools, Pools::Postgres(_))
    }

    /// How often each named transaction was tried, retried, committed and failed.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters.snapshot()
    }

    /// Writes SQLite's write-ahead log into the database file and empties it, so that deleted rows
    /// are in neither (see [`StoreOptions::secure_delete`]). No effect on PostgreSQL.
    ///
    /// # Errors
    /// [`StoreError::WalBusy`] where a reader still needs the log; [`StoreError::Database`].
    pub async fn truncate_wal(&self) -> Result<(), StoreError> {
        let Pools::Sqlite { writer, .. } = &self.pools else { return Ok(()) };
        let checkpoint = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(writer).await;
        let (busy, _, _): (i64, i64, i64) =
            checkpoint.map_err(|source| database_error("store.truncate_wal", source))?;
        if busy == 0 { Ok(()) } else { Err(StoreError::WalBusy) }
    }

    /// Closes every connection after its running work; SQLite's log is then merged into its file.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }

    /// From now on this store's writers meet at the table of versions.
    pub(crate) fn is_migrated(&self) {
        self.migrated.store(true, Ordering::Relaxed);
    }

    pub(crate) async fn run<'env, T, E, F>(
        &self,
        name: &'static str,
        access: Access,
        mut work: F,
    ) -> Result<T, E>
    where
        F: for<'t> FnMut(&'t mut Tx<'env>) -> TxFuture<'t, T, E> + Send,
        E: From<StoreError> + Send,
        T: Send,
    {
        for attempt in 1..=ATTEMPTS_MAX {
            self.counters.count(name, |count| count.attempts += 1);
            match self.attempt(name, access, attempt, &mut work).await {
                Attempt::Committed(value) => {
                    self.counters.count(name, |count| count.commits += 1);
                    return Ok(value);
                }
                Attempt::Failed(error) => {
                    self.counters.count(name, |count| count.failures += 1);
                    return Err(error);
                }
                Attempt::Conflicted if attempt < ATTEMPTS_MAX => {
                    self.counters.count(name, |count| count.retries += 1);
                    self.pause(attempt).await;
                }
                Attempt::Conflicted => {}
            }
        }
        self.counters.count(name, |count| count.failures += 1);
        tracing::warn!(transaction = name, attempts = ATTEMPTS_MAX, "given up after conflicts");
        Err(StoreError::Conflict { transaction: name, attempts: ATTEMPTS_MAX }.into())
    }

    async fn attempt<'env, T, E, F>(
        &self,
        name: &'static str,
        access: Access,
        number: u32,
        work: &mut F,
    ) -> Attempt<T, E>
    where
        F: for<'t> FnMut(&'t mut Tx<'env>) -> TxFuture<'t, T, E> + Send,
        E: From<StoreError> + Send,
        T: Send,
    {
        let quicker = access == Access::RowLocked && number <= DUPLICATES_MAX;
        let mut tx = match self.begin(access, number >= ALONE_FROM).await {
            Ok(engine) => Tx::new(engine, name, quicker),
            Err(error) => return Attempt::of_error(name, error),
        };
        let result = work(&mut tx).await;
        if tx.conflicted || result.is_err() {
            let conflicted = tx.conflicted;
            // Where even the rollback fails the connection is gone, and the transaction with it.
            if let Err(error) = tx.rollback().await {
                tracing::debug!(transaction = name, %error, "rollback failed");
            }
            return match result {
                Err(error) if !conflicted => Attempt::Failed(error),
                _ => Attempt::Conflicted,
            };
        }
        match (tx.commit().await, result) {
            (Ok(()), Ok(value)) => Attempt::Committed(value),
            (Ok(()), Err(error)) => Attempt::Failed(error),
            (Err(error), _) => Attempt::of_error(name, error),
        }
    }

    async fn begin(&self, access: Access, alone: bool) -> Result<Engine, sqlx::Error> {
        match (&self.pools, access) {
            // IMMEDIATE takes the writer's lock at once: a transaction that read first and then
            // wanted to write could not be let through beside another one.
            (
                Pools::Sqlite { writer, .. },
                Access::ReadWrite | Access::RowLocked | Access::Migrate,
            ) => writer.begin_with("BEGIN IMMEDIATE").await.map(Engine::Sqlite),
            (Pools::Sqlite { readers, .. }, Access::ReadOnly) => {
                readers.begin_with("BEGIN DEFERRED").await.map(Engine::Sqlite)
            }
            (Pools::Postgres(pool), access) => {
                let migrated = self.migrated.load(Ordering::Relaxed);
                let mut tx = pool.begin_with(isolation(access)).await?;
                if let Some(lock) = lock_of_writers(access, migrated, alone) {
                    // Not with BEGIN in one string: given up while it waits, the transaction has
                    // to be known as one, or its connection would keep it.
                    sqlx::query(lock).execute(&mut *tx).await?;
                }
                Ok(Engine::Postgres(tx))
            }
        }
    }

    /// Waits before attempt `attempt + 1`: twice as long each time, times a factor in [0.5, 1)
    /// that walks the golden ratio, so that contenders do not march in step. No secret rests on it.
    async fn pause(&self, attempt: u32) {
        const GOLDEN_RATIO: u64 = 0x9E37_79B9_7F4A_7C15;
        let turn = self.pauses.fetch_add(1, Ordering::Relaxed).wrapping_mul(GOLDEN_RATIO);
        let factor = 0.5 + (turn >> 40) as f64 / (1_u64 << 25) as f64;
        let longest = Duration::from_millis(1 << attempt.min(10)).min(PAUSE_MAX);
        tokio::time::sleep(longest.mul_f64(factor)).await;
    }
}

/// How a transaction begins on PostgreSQL.
fn isolation(access: Access) -> &'static str {
    match access {
        Access::ReadOnly => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        Access::ReadWrite => "BEGIN ISOLATION LEVEL SERIALIZABLE",
        Access::RowLocked | Access::Migrate => "BEGIN ISOLATION LEVEL READ COMMITTED",
    }
}

/// Writers meet at the table of versions on PostgreSQL, which nobody else locks and whose lock takes
/// no snapshot: side by side as a rule, one alone after many conflicts.
fn lock_of_writers(access: Access, migrated: bool, alone: bool) -> Option<&'static str> {
    match (access, migrated, alone) {
        (Access::ReadOnly | Access::Migrate, ..) | (_, false, _) => None,
        (_, true, false) => Some("LOCK TABLE schema_versions IN ROW SHARE MODE"),
        (_, true, true) => Some("LOCK TABLE schema_versions IN EXCLUSIVE MODE"),
    }
}

/// How one attempt ended.
enum Attempt<T, E> {
    Committed(T),
    Failed(E),
    Conflicted,
}

impl<T, E: From<StoreError>> Attempt<T, E> {
    fn of_error(name: &'static str, error: sqlx::Error) -> Self {
        if is_conflict(&error) {
            return Self::Conflicted;
        }
        Self::Failed(database_error(name, error).into())
    }
}
