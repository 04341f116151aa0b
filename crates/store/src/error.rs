//! What can go wrong between a service and its database.

use thiserror::Error;

use crate::Obstacle;

/// Why the store could not do what it was asked. The database's own words are in `source()`.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The address is none that the store understands.
    #[error(
        "`{address}` is no database address; use `sqlite:PATH`, `sqlite::memory:` or \
         `postgres://USER@HOST/DATABASE`"
    )]
    Address {
        /// The address without its password.
        address: String,
    },
    /// The address is one of PostgreSQL's, and a part of it cannot be read.
    #[error(
        "`{address}` cannot be read; write `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, special \
         characters of the parts as %XX, and after it `?sslmode=` with disable, prefer, require, \
         verify-ca or verify-full where TLS matters"
    )]
    PostgresAddress {
        /// The address without its password.
        address: String,
        /// The cause.
        #[source]
        source: sqlx::Error,
    },
    /// The database could not be opened.
    #[error("cannot open the database {target}: {obstacle}")]
    Connect {
        /// What was to be opened, without a password.
        target: String,
        /// What was in the way.
        obstacle: Obstacle,
        /// The cause.
        #[source]
        source: sqlx::Error,
    },
    /// The file could not be made.
    #[error("cannot create the database file {path}; check its folder and permissions")]
    File {
        /// The file.
        path: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A database could not be copied.
    #[error("cannot copy the database {from} to {to}; check room and permissions there")]
    Copy {
        /// The database.
        from: String,
        /// Where the copy was to be.
        to: String,
        /// The cause.
        #[source]
        source: sqlx::Error,
    },
    /// A statement, or the beginning or end of a transaction, failed.
    #[error("the database refused a step of `{transaction}`")]
    Database {
        /// The transaction's name.
        transaction: &'static str,
        /// The cause.
        #[source]
        source: sqlx::Error,
    },
    /// A row was there already: a unique constraint or primary key said no.
    #[error("`{transaction}` would store something twice")]
    Duplicate {
        /// The transaction's name.
        transaction: &'static str,
        /// The cause.
        #[source]
        source: sqlx::Error,
    },
    /// Other transactions kept getting in the way.
    #[error("`{transaction}` met conflicts {attempts} times in a row; try again when it is calmer")]
    Conflict {
        /// The transaction's name.
        transaction: &'static str,
        /// How often it was tried.
        attempts: u32,
    },
    /// A row that must be there is not.
    #[error("a row that `{transaction}` relies on is missing")]
    Missing {
        /// The transaction's name.
        transaction: &'static str,
    },
    /// A column does not hold what its reader expects.
    #[error("column `{column}` does not hold {expected}; the database was changed by other hands")]
    Column {
        /// The column's name or number.
        column: String,
        /// What it should have held.
        expected: &'static str,
    },
    /// The database was written by a newer program.
    #[error(
        "the tables of `{service}` are at version {found}, this program knows up to {known}; \
         start the newer program"
    )]
    NewerSchema {
        /// The service whose tables they are.
        service: &'static str,
        /// The version in the database.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
    /// A migration that was applied differs from the one in this program.
    #[error(
        "migration {version} of `{service}` was applied in another wording than this program's; \
         released migrations never change, so use the program that made this database"
    )]
    ChangedMigration {
        /// The service whose migration it is.
        service: &'static str,
        /// The migration's version.
        version: i64,
    },
    /// The list of migrations in the program is not 1, 2, 3, ...
    #[error("the migrations of `{service}` must be numbered 1, 2, 3, ... without gaps")]
    MigrationOrder {
        /// The service whose list it is.
        service: &'static str,
    },
    /// The write-ahead log could not be emptied because somebody still reads from it.
    #[error("the write-ahead log is still being read; end long reads and try again")]
    WalBusy,
}
