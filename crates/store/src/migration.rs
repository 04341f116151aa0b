//! Schema versions: what was applied to a database, and whether this program may work on it.

use sha2::{Digest, Sha256};

use crate::store::Access;
use crate::{Store, StoreError, Tx, params};

/// One released step of a service's tables. It never changes afterwards; a correction is a new one.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// 1 for the first, then one more each.
    pub version: i64,
    /// What it does, for people.
    pub name: &'static str,
    /// Its statements, for both engines alike.
    pub sql: &'static str,
}

/// All steps of one service's tables, oldest first.
#[derive(Clone, Copy, Debug)]
pub struct Migrations {
    /// The service's name in `schema_versions`; several services may share a database.
    pub service: &'static str,
    /// The steps, numbered 1, 2, 3, ...
    pub steps: &'static [Migration],
}

const SCHEMA_VERSIONS: &str = "CREATE TABLE IF NOT EXISTS schema_versions (
    service TEXT NOT NULL,
    version BIGINT NOT NULL,
    name TEXT NOT NULL,
    checksum BYTEA NOT NULL,
    PRIMARY KEY (service, version)
)";

impl Store {
    /// Brings the service's tables to the newest version this program knows, all steps or none.
    ///
    /// # Errors
    /// [`StoreError::NewerSchema`] where a newer program wrote the database,
    /// [`StoreError::ChangedMigration`] where an applied step differs from this program's,
    /// [`StoreError::MigrationOrder`] for a list with gaps; nothing is changed then.
    pub async fn migrate(&self, migrations: &Migrations) -> Result<(), StoreError> {
        migrations.check_order()?;
        self.run("store.migrate", Access::Migrate, |tx| {
            Box::pin(async move {
                tx.lock_schema().await?;
                tx.execute_script(SCHEMA_VERSIONS).await?;
                let applied = migrations.check_applied(tx).await?;
                for step in &migrations.steps[applied..] {
                    migrations.apply(step, tx).await?;
                }
                Ok(())
            })
        })
        .await
        .inspect(|()| self.is_migrated())
    }
}

impl Migrations {
    fn check_order(&self) -> Result<(), StoreError> {
        let numbered = self.steps.iter().zip(1..).all(|(step, version)| step.version == version);
        if numbered { Ok(()) } else { Err(StoreError::MigrationOrder { service: self.service }) }
    }

    /// How many steps the database has, all of them being ours.
    async fn check_applied(&self, tx: &mut Tx<'_>) -> Result<usize, StoreError> {
        let service = self.service;
        let applied: Vec<(i64, Vec<u8>)> = tx
            .fetch_all(
                "SELECT version, checksum FROM schema_versions WHERE service = $1 ORDER BY version",
                params![service],
            )
            .await?;
        let known = self.steps.last().map_or(0, |step| step.version);
        if let Some(&(found, _)) = applied.last().filter(|(version, _)| *version > known) {
            return Err(StoreError::NewerSchema { service, found, known });
        }
        for ((version, checksum), step) in applied.iter().zip(self.steps) {
            if *version != step.version || *checksum != step.checksum() {
                return Err(StoreError::ChangedMigration { service, version: *version });
            }
        }
        Ok(applied.len())
    }

    async fn apply(&self, step: &Migration, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        tx.execute_script(step.sql).await?;
        tx.execute(
            "INSERT INTO schema_versions (service, version, name, checksum) VALUES ($1, $2, $3, $4)",
            params![self.service, step.version, step.name, step.checksum()],
        )
        .await?;
        tracing::info!(
            service = self.service,
            version = step.version,
            name = step.name,
            "migrated"
        );
        Ok(())
    }
}

impl Migration {
    fn checksum(&self) -> Vec<u8> {
        Sha256::digest(self.sql.as_bytes()).to_vec()
    }
}
