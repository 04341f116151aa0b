//! A consistent copy of a SQLite database that others are using.

use std::path::Path;

use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::StoreError;
use crate::options::without_sqlite;
use crate::reach::Unreached;

/// Copies a SQLite database, as it is at one instant, into a file that is not there yet. Services
/// that have it open go on reading and writing. The copy holds live rows alone: what was deleted
/// before is in none of its pages.
///
/// # Errors
/// [`StoreError::Connect`] where `from` is no database, [`StoreError::Copy`] where the copy cannot
/// be written; a file that was begun is left for the caller to remove.
pub async fn copy_sqlite(from: &Path, to: &Path) -> Result<(), StoreError> {
    let target = from.display().to_string();
    let options =
        SqliteConnectOptions::new().filename(from).busy_timeout(crate::options::BUSY_TIMEOUT);
    let connection = SqliteConnection::connect_with(&options).await.map_err(without_sqlite);
    let mut connection = connection.map_err(|Unreached { obstacle, source }| {
        StoreError::Connect { target: target.clone(), obstacle, source }
    })?;
    let copied = sqlx::query("VACUUM INTO $1")
        .bind(to.display().to_string())
        .execute(&mut connection)
        .await
        .map_err(|source| StoreError::Copy { from: target, to: to.display().to_string(), source });
    // What was copied is on the disk by now; a connection that ends badly changes nothing.
    drop(connection.close().await);
    copied.map(drop)
}
