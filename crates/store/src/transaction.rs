//! A running transaction and its statements.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;

use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments as _, AssertSqlSafe, Postgres, SqlSafeStr, Sqlite};

use crate::row::Inner as RowInner;
use crate::{FromRow, Param, Row, StoreError};

/// The work of a transaction: what the closure given to [`crate::Store::transaction`] returns.
pub type TxFuture<'t, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 't>>;

/// A running transaction. It commits when the closure it was given to returns `Ok`, and leaves no
/// trace otherwise. `'env` is what the closure may borrow from around it.
pub struct Tx<'env> {
    engine: Engine,
    name: &'static str,
    /// Set once a statement met a conflict: then the whole transaction is run again, whatever the
    /// closure makes of the error.
    pub(crate) conflicted: bool,
    /// Whether a row that is there already means that somebody was quicker, see
    /// [`crate::Store::row_locked`].
    duplicate_is_conflict: bool,
    _env: PhantomData<&'env ()>,
}

pub(crate) enum Engine {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

impl Tx<'_> {
    pub(crate) fn new(engine: Engine, name: &'static str, duplicate_is_conflict: bool) -> Self {
        Self { engine, name, conflicted: false, duplicate_is_conflict, _env: PhantomData }
    }

    /// Gives up this attempt and has the whole transaction run again: for work that finds out that
    /// what it read before is no longer so. Whatever the work returns then is dropped.
    pub fn run_again(&mut self) {
        self.conflicted = true;
    }

    /// Runs a statement that answers no rows; returns how many rows it changed.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] where a unique constraint says no (on PostgreSQL the transaction
    /// can then only be given up; use `ON CONFLICT DO NOTHING` to go on), [`StoreError::Database`].
    pub async fn execute(
        &mut self,
        sql: &'static str,
        params: Vec<Param>,
    ) -> Result<u64, StoreError> {
        let done = match &mut self.engine {
            Engine::Sqlite(tx) => match sqlite_arguments(params) {
                Ok(arguments) => sqlx::query_with(sql, arguments)
                    .execute(&mut **tx)
                    .await
                    .map(|done| done.rows_affected()),
                Err(error) => Err(error),
            },
            Engine::Postgres(tx) => match postgres_arguments(params) {
                Ok(arguments) => sqlx::query_with(sql, arguments)
                    .execute(&mut **tx)
                    .await
                    .map(|done| done.rows_affected()),
                Err(error) => Err(error),
            },
        };
        done.map_err(|source| self.failed(source))
    }

    /// All rows of the answer.
    ///
    /// # Errors
    /// As [`Tx::execute`], and [`StoreError::Column`].
    pub async fn fetch_all<T: FromRow>(
        &mut self,
        sql: &'static str,
        params: Vec<Param>,
    ) -> Result<Vec<T>, StoreError> {
        let rows = match &mut self.engine {
            Engine::Sqlite(tx) => match sqlite_arguments(params) {
                Ok(arguments) => sqlx::query_with(sql, arguments)
                    .fetch_all(&mut **tx)
                    .await
                    .map(|rows| rows.into_iter().map(RowInner::Sqlite).map(Row).collect()),
                Err(error) => Err(error),
            },
            Engine::Postgres(tx) => postgres_rows(tx, sql, params).await,
        };
        let rows: Vec<Row> = rows.map_err(|source| self.failed(source))?;
        rows.iter().map(T::from_row).collect()
    }

    /// The first row of the answer, if there is any.
    ///
    /// # Errors
    /// As [`Tx::fetch_all`].
    pub async fn fetch_optional<T: FromRow>(
        &mut self,
        sql: &'static str,
        params: Vec<Param>,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.fetch_all(sql, params).await?.into_iter().next())
    }

    /// The first row of an answer that always has one.
    ///
    /// # Errors
    /// As [`Tx::fetch_all`], and [`StoreError::Missing`].
    pub async fn fetch_one<T: FromRow>(
        &mut self,
        sql: &'static str,
        params: Vec<Param>,
    ) -> Result<T, StoreError> {
        let transaction = self.name;
        self.fetch_optional(sql, params).await?.ok_or(StoreError::Missing { transaction })
    }

    /// As [`Tx::fetch_all`], and holds the rows of the table that `alias` names in the statement
    /// until the transaction ends: nobody else changes them or reads them so meanwhile. SQLite has
    /// one writer, who holds everything.
    ///
    /// # Errors
    /// As [`Tx::fetch_all`].
    pub async fn fetch_locked<T: FromRow>(
        &mut self,
        sql: &'static str,
        alias: &'static str,
        params: Vec<Param>,
    ) -> Result<Vec<T>, StoreError> {
        let Engine::Postgres(tx) = &mut self.engine else {
            return self.fetch_all(sql, params).await;
        };
        // NO KEY: rows that refer to these may be written meanwhile.
        let sql = format!("{sql} FOR NO KEY UPDATE OF {alias}");
        // Both parts are constants of the program.
        let rows = postgres_rows(tx, AssertSqlSafe(sql), params).await;
        let rows = rows.map_err(|source| self.failed(source))?;
        rows.iter().map(T::from_row).collect()
    }

    /// The first row of [`Tx::fetch_locked`], if there is any.
    ///
    /// # Errors
    /// As [`Tx::fetch_all`].
    pub async fn fetch_locked_optional<T: FromRow>(
        &mut self,
        sql: &'static str,
        alias: &'static str,
        params: Vec<Param>,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.fetch_locked(sql, alias, params).await?.into_iter().next())
    }

    /// Waits until nobody else holds this name, and holds it until the transaction ends: for what
    /// has no row yet that could be locked. SQLite has one writer, who holds everything.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub async fn lock_name(&mut self, name: &str) -> Result<(), StoreError> {
        if matches!(self.engine, Engine::Postgres(_)) {
            let sql = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
            self.execute(sql, crate::params![name]).await?;
        }
        Ok(())
    }

    /// Runs several statements without parameters, as migrations have them.
    pub(crate) async fn execute_script(&mut self, sql: &'static str) -> Result<(), StoreError> {
        let done = match &mut self.engine {
            Engine::Sqlite(tx) => sqlx::raw_sql(sql).execute(&mut **tx).await.map(drop),
            Engine::Postgres(tx) => sqlx::raw_sql(sql).execute(&mut **tx).await.map(drop),
        };
        done.map_err(|source| self.failed(source))
    }

    /// Lets one migrator at a time work on a PostgreSQL database; SQLite's writer lock does that
    /// by itself.
    pub(crate) async fn lock_schema(&mut self) -> Result<(), StoreError> {
        if matches!(self.engine, Engine::Postgres(_)) {
            // The number is ours alone: "handfast" in a telephone's letters.
            self.execute("SELECT pg_advisory_xact_lock(42633278)", Vec::new()).await?;
        }
        Ok(())
    }

    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        match self.engine {
            Engine::Sqlite(tx) => tx.commit().await,
            Engine::Postgres(tx) => tx.commit().await,
        }
    }

    pub(crate) async fn rollback(self) -> Result<(), sqlx::Error> {
        match self.engine {
            Engine::Sqlite(tx) => tx.rollback().await,
            Engine::Postgres(tx) => tx.rollback().await,
        }
    }

    fn failed(&mut self, source: sqlx::Error) -> StoreError {
        self.conflicted |=
            is_conflict(&source) || (self.duplicate_is_conflict && is_duplicate(&source));
        database_error(self.name, source)
    }
}

async fn postgres_rows(
    tx: &mut sqlx::Transaction<'static, Postgres>,
    sql: impl SqlSafeStr,
    params: Vec<Param>,
) -> Result<Vec<Row>, sqlx::Error> {
    let found = sqlx::query_with(sql, postgres_arguments(params)?).fetch_all(&mut **tx).await?;
    Ok(found.into_iter().map(RowInner::Postgres).map(Row).collect())
}

/// Names the transaction in an error of the database.
pub(crate) fn database_error(transaction: &'static str, source: sqlx::Error) -> StoreError {
    if is_duplicate(&source) {
        StoreError::Duplicate { transaction, source }
    } else {
        StoreError::Database { transaction, source }
    }
}

fn is_duplicate(source: &sqlx::Error) -> bool {
    source.as_database_error().is_some_and(|error| error.is_unique_violation())
}

/// Whether running the same transaction again may succeed: PostgreSQL's serialization failure and
/// deadlock, SQLite's busy and locked (the primary code is the low byte of the extended one).
pub(crate) fn is_conflict(error: &sqlx::Error) -> bool {
    const SQLITE_BUSY: u32 = 5;
    const SQLITE_LOCKED: u32 = 6;
    let Some(error) = error.as_database_error() else { return false };
    let Some(code) = error.code() else { return false };
    if error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
        let primary = code.parse::<u32>().map(|code| code & 0xff);
        return matches!(primary, Ok(SQLITE_BUSY | SQLITE_LOCKED));
    }
    matches!(code.as_ref(), "40001" | "40P01")
}

macro_rules! arguments {
    ($name:ident, $arguments:ty) => {
        fn $name(params: Vec<Param>) -> Result<$arguments, sqlx::Error> {
            let mut arguments = <$arguments>::default();
            for param in params {
                match param {
                    Param::Int(value) => arguments.add(value),
                    Param::Bool(value) => arguments.add(value),
                    Param::Text(value) => arguments.add(value),
                    Param::Bytes(value) => arguments.add(value),
                }
                .map_err(sqlx::Error::Encode)?;
            }
            Ok(arguments)
        }
    };
}
arguments!(sqlite_arguments, SqliteArguments);
arguments!(postgres_arguments, PgArguments);
