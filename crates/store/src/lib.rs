//! Connections, migrations, named transactions: the one place that knows which SQL engine runs.
//!
//! One set of statements serves SQLite (the default, embedded) and PostgreSQL (when one machine is
//! outgrown). What they may use: columns of `BIGINT`, `TEXT`, `BYTEA`, `BOOLEAN`; parameters `$1`,
//! `$2`, ...; `INSERT ... ON CONFLICT`, `RETURNING`, common table expressions. What differs and so
//! must be written around: `SUM` of a `BIGINT` is `NUMERIC` on PostgreSQL (write
//! `CAST(SUM(x) AS BIGINT)`), `LIKE` ignores case on SQLite only (lower both sides), and `NULL`
//! sorts first on SQLite and last on PostgreSQL.
//!
//! A service opens a [`Store`], brings its tables to their version with [`Store::migrate`], and
//! does everything inside [`Store::transaction`] or [`Store::read`]:
//!
//! ```no_run
//! # use handfast_store::{params, Store, StoreError};
//! # async fn example(store: &Store) -> Result<(), StoreError> {
//! let name = "Red Rocks";
//! let venues: Vec<(String, i64)> = store
//!     .transaction("venue.rename", |tx| Box::pin(async move {
//!         tx.execute("UPDATE venues SET name = $1 WHERE name = $2", params!["Red", name]).await?;
//!         tx.fetch_all("SELECT name, capacity FROM venues", params![]).await
//!     }))
//!     .await?;
//! # Ok(()) }
//! ```
//!
//! Why not the `Any` driver of sqlx: it sends `NULL` to PostgreSQL without the column's type, and
//! hides which engine's error a conflict was. Two pools behind one enum cost a few `match`es here
//! and nothing elsewhere.

mod copy;
mod counters;
mod error;
mod migration;
mod options;
mod param;
mod reach;
mod row;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod text_enum;
mod transaction;

pub use copy::copy_sqlite;
pub use counters::{Counters, TransactionCount};
pub use error::StoreError;
pub use migration::{Migration, Migrations};
pub use options::StoreOptions;
pub use param::{Param, ToParam};
pub use reach::Obstacle;
pub use row::{Cell, FromColumn, FromRow, Row};
pub use store::Store;
pub use transaction::{Tx, TxFuture};
