//! The plain vault's tables, and every statement on them that the front does not make as well
//! ([`crate::gallery_records`]).

use handfast_model::{CompanyId, GalleryId, RelyingParty, Timestamp};
use handfast_store::{
    Cell, FromColumn, FromRow, Migration, Migrations, Row, Store, StoreError, Tx, params,
};

use crate::SlotId;
use crate::gallery_records::{ArmingRow, StoredSide, disarm_everywhere};
use crate::row_key_file::VaultId;

/// Tables of the vault. Rows hold palms only sealed; their keys are in the row key file.
pub(crate) const MIGRATIONS: Migrations = Migrations {
    service: "vault",
    steps: &[Migration {
        version: 1,
        name: "palms, galleries, armings",
        sql: "
            -- One row: what ties this database to its key file, and the next slot number, which
            -- outlives the slots so that none is ever used again.
            CREATE TABLE vault (
                one BIGINT PRIMARY KEY,
                vault_id BYTEA NOT NULL,
                next_slot BIGINT NOT NULL
            );
            CREATE TABLE relying_party (
                party TEXT PRIMARY KEY,
                sealed_key BYTEA NOT NULL
            );
            CREATE TABLE gallery (
                gallery_id TEXT PRIMARY KEY,
                party TEXT NOT NULL,
                purpose TEXT NOT NULL,
                palms_max BIGINT NOT NULL,
                false_positives_per_billion BIGINT NOT NULL,
                identify_threshold BIGINT NOT NULL,
                verify_threshold BIGINT NOT NULL,
                state TEXT NOT NULL
            );
            CREATE TABLE slot (
                slot BIGINT PRIMARY KEY,
                company_id TEXT NOT NULL,
                side TEXT NOT NULL,
                model_version BIGINT NOT NULL,
                sealed_reference BYTEA NOT NULL,
                enrolled_at BIGINT NOT NULL,
                state TEXT NOT NULL
            );
            CREATE TABLE arming (
                gallery_id TEXT NOT NULL,
                slot BIGINT NOT NULL,
                until_at BIGINT NOT NULL,
                PRIMARY KEY (gallery_id, slot)
            );
            CREATE INDEX arming_of_slot ON arming (slot);
            CREATE INDEX arming_end ON arming (until_at);
            -- That so many palms were destroyed, and when; not whose.
            CREATE TABLE deletion_receipt (
                receipt_id TEXT PRIMARY KEY,
                deleted_at BIGINT NOT NULL,
                palms BIGINT NOT NULL
            );
        ",
    }],
};

handfast_store::text_enum! {
    /// Where a stored palm stands.
    pub(crate) enum SlotState {
        /// Enrolled.
        Enrolled = "enrolled",
        /// Its deletion has begun and is finished whatever happens.
        Deleting = "deleting",
    }
}

/// A stored palm.
pub(crate) struct SlotRow {
    pub(crate) slot: SlotId,
    pub(crate) company: CompanyId,
    pub(crate) side: StoredSide,
    pub(crate) model_version: u8,
    pub(crate) sealed_reference: Vec<u8>,
}

/// The vault's own row: its id and the next slot number.
pub(crate) async fn vault(store: &Store) -> Result<Option<(VaultId, i64)>, StoreError> {
    store
        .read("vault.identity", |tx| {
            Box::pin(async move {
                tx.fetch_optional("SELECT vault_id, next_slot FROM vault", params![]).await
            })
        })
        .await
}

/// Marks a new database as this vault's.
pub(crate) async fn insert_vault(store: &Store, vault: VaultId) -> Result<(), StoreError> {
    store
        .transaction("vault.found", |tx| {
            Box::pin(async move {
                tx.execute(
                    "INSERT INTO vault (one, vault_id, next_slot) VALUES (1, $1, 1)",
                    params![vault.as_bytes()],
                )
                .await
                .map(drop)
            })
        })
        .await
}

/// Every relying party's sealed key.
pub(crate) async fn parties(store: &Store) -> Result<Vec<(RelyingParty, Vec<u8>)>, StoreError> {
    store
        .read("vault.parties", |tx| {
            Box::pin(async move {
                tx.fetch_all("SELECT party, sealed_key FROM relying_party", params![]).await
            })
        })
        .await
}

/// Every slot and where it stands.
pub(crate) async fn slot_states(store: &Store) -> Result<Vec<(SlotId, SlotState)>, StoreError> {
    store
        .read("vault.slot_states", |tx| {
            Box::pin(async move { tx.fetch_all("SELECT slot, state FROM slot", params![]).await })
        })
        .await
}

/// Up to `count` slots above `after`, ascending.
pub(crate) async fn slots_after(
    store: &Store,
    after: i64,
    count: i64,
) -> Result<Vec<SlotRow>, StoreError> {
    store
        .read("vault.slots", |tx| {
            Box::pin(async move {
                tx.fetch_all(
                    "SELECT * FROM slot WHERE slot > $1 ORDER BY slot LIMIT $2",
                    params![after, count],
                )
                .await
            })
        })
        .await
}

/// Where one palm is armed.
pub(crate) async fn armings_of(
    store: &Store,
    slot: SlotId,
) -> Result<Vec<(GalleryId, Timestamp)>, StoreError> {
    store
        .read("vault.armings_of", |tx| {
            Box::pin(async move {
                tx.fetch_all(
                    "SELECT gallery_id, until_at FROM arming WHERE slot = $1 ORDER BY gallery_id",
                    params![slot],
                )
                .await
            })
        })
        .await
}

pub(crate) async fn insert_party(
    tx: &mut Tx<'_>,
    party: RelyingParty,
    sealed_key: &[u8],
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO relying_party (party, sealed_key) VALUES ($1, $2)",
        params![party, sealed_key],
    )
    .await
    .map(drop)
}

pub(crate) async fn set_next_slot(tx: &mut Tx<'_>, next_slot: i64) -> Result<(), StoreError> {
    tx.execute("UPDATE vault SET next_slot = $1", params![next_slot]).await.map(drop)
}

pub(crate) async fn insert_slot(
    tx: &mut Tx<'_>,
    row: &SlotRow,
    enrolled_at: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO slot (slot, company_id, side, model_version, sealed_reference, enrolled_at,
            state) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        params![
            row.slot,
            row.company,
            row.side,
            row.model_version,
            row.sealed_reference,
            enrolled_at,
            SlotState::Enrolled,
        ],
    )
    .await
    .map(drop)
}

pub(crate) async fn mark_deleting(tx: &mut Tx<'_>, slot: SlotId) -> Result<(), StoreError> {
    tx.execute("UPDATE slot SET state = $1 WHERE slot = $2", params![SlotState::Deleting, slot])
        .await
        .map(drop)
}

/// Removes a palm's row and its armings.
pub(crate) async fn delete_slot(tx: &mut Tx<'_>, slot: SlotId) -> Result<(), StoreError> {
    disarm_everywhere(tx, slot).await?;
    tx.execute("DELETE FROM slot WHERE slot = $1", params![slot]).await.map(drop)
}

/// Whether a palm is stored.
pub(crate) async fn slot_exists(tx: &mut Tx<'_>, slot: SlotId) -> Result<bool, StoreError> {
    let found: Option<(SlotId,)> =
        tx.fetch_optional("SELECT slot FROM slot WHERE slot = $1", params![slot]).await?;
    Ok(found.is_some())
}

/// Whether a palm is armed in a gallery, expired or not.
pub(crate) async fn is_armed(
    tx: &mut Tx<'_>,
    gallery: GalleryId,
    slot: SlotId,
) -> Result<bool, StoreError> {
    let found: Option<(SlotId,)> = tx
        .fetch_optional(
            "SELECT slot FROM arming WHERE gallery_id = $1 AND slot = $2",
            params![gallery, slot],
        )
        .await?;
    Ok(found.is_some())
}

/// Removes every arming that ended at `now` or earlier, and says which they were.
pub(crate) async fn disarm_expired(
    tx: &mut Tx<'_>,
    now: Timestamp,
) -> Result<Vec<ArmingRow>, StoreError> {
    tx.fetch_all(
        "DELETE FROM arming WHERE until_at <= $1 RETURNING gallery_id, slot, until_at",
        params![now],
    )
    .await
}

impl FromRow for SlotRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            slot: row.get("slot")?,
            company: row.get("company_id")?,
            side: row.get("side")?,
            model_version: row.get("model_version")?,
            sealed_reference: row.get("sealed_reference")?,
        })
    }
}

impl FromColumn for VaultId {
    fn from_cell(cell: &Cell<'_>) -> Result<Option<Self>, StoreError> {
        let Some(bytes) = Vec::<u8>::from_cell(cell)? else { return Ok(None) };
        Self::from_slice(&bytes).map(Some).ok_or_else(|| cell.unexpected("16 bytes"))
    }
}
