//! The vault's tables, and every statement on them.

use handfast_model::{CompanyId, GalleryId, RelyingParty, Timestamp};
use handfast_palm::Side;
use handfast_store::{
    Cell, FromColumn, FromRow, Migration, Migrations, Param, Row, Store, StoreError, ToParam, Tx,
    params,
};

use crate::deletion::DeletionReceipt;
use crate::gallery::{Gallery, GalleryState, NewGallery, ThresholdPolicy};
use crate::row_key_file::VaultId;
use crate::{SlotId, Thresholds};

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

/// A palm armed in a gallery, as stored.
#[derive(Clone, Copy)]
pub(crate) struct ArmingRow {
    pub(crate) gallery: GalleryId,
    pub(crate) slot: SlotId,
    pub(crate) until: Timestamp,
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

/// Every gallery.
pub(crate) async fn galleries(store: &Store) -> Result<Vec<Gallery>, StoreError> {
    store
        .read("vault.galleries", |tx| {
            Box::pin(async move { tx.fetch_all("SELECT * FROM gallery", params![]).await })
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

/// Every arming in an open gallery.
pub(crate) async fn armings(store: &Store) -> Result<Vec<ArmingRow>, StoreError> {
    store
        .read("vault.armings", |tx| {
            Box::pin(async move {
                tx.fetch_all("SELECT gallery_id, slot, until_at FROM arming", params![]).await
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

pub(crate) async fn insert_gallery(tx: &mut Tx<'_>, gallery: &Gallery) -> Result<(), StoreError> {
    let Gallery { spec, thresholds, state } = gallery;
    tx.execute(
        "INSERT INTO gallery (gallery_id, party, purpose, palms_max, false_positives_per_billion,
            identify_threshold, verify_threshold, state) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![
            spec.gallery,
            spec.party,
            spec.purpose,
            spec.policy.palms_max,
            spec.policy.false_positives_per_billion,
            thresholds.identify,
            thresholds.verify,
            *state,
        ],
    )
    .await
    .map(drop)
}

/// Closes a gallery for good and disarms everything in it.
pub(crate) async fn close_gallery(tx: &mut Tx<'_>, gallery: GalleryId) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE gallery SET state = $1 WHERE gallery_id = $2",
        params![GalleryState::Closed, gallery],
    )
    .await?;
    tx.execute("DELETE FROM arming WHERE gallery_id = $1", params![gallery]).await.map(drop)
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
    tx.execute("DELETE FROM arming WHERE slot = $1", params![slot]).await?;
    tx.execute("DELETE FROM slot WHERE slot = $1", params![slot]).await.map(drop)
}

pub(crate) async fn insert_receipt(
    tx: &mut Tx<'_>,
    receipt: &DeletionReceipt,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO deletion_receipt (receipt_id, deleted_at, palms) VALUES ($1, $2, $3)",
        params![receipt.receipt.to_string(), receipt.deleted_at, receipt.palms],
    )
    .await
    .map(drop)
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

/// Arms a palm, or changes until when.
pub(crate) async fn arm(tx: &mut Tx<'_>, arming: ArmingRow) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO arming (gallery_id, slot, until_at) VALUES ($1, $2, $3)
            ON CONFLICT (gallery_id, slot) DO UPDATE SET until_at = excluded.until_at",
        params![arming.gallery, arming.slot, arming.until],
    )
    .await
    .map(drop)
}

pub(crate) async fn disarm(
    tx: &mut Tx<'_>,
    gallery: GalleryId,
    slot: SlotId,
) -> Result<(), StoreError> {
    tx.execute("DELETE FROM arming WHERE gallery_id = $1 AND slot = $2", params![gallery, slot])
        .await
        .map(drop)
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

impl FromRow for ArmingRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { gallery: row.at(0)?, slot: row.at(1)?, until: row.at(2)? })
    }
}

impl FromRow for Gallery {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let policy = ThresholdPolicy {
            palms_max: row.get("palms_max")?,
            false_positives_per_billion: row.get("false_positives_per_billion")?,
        };
        Ok(Self {
            spec: NewGallery {
                gallery: row.get("gallery_id")?,
                party: row.get("party")?,
                purpose: row.get("purpose")?,
                policy,
            },
            thresholds: Thresholds {
                identify: row.get("identify_threshold")?,
                verify: row.get("verify_threshold")?,
            },
            state: row.get("state")?,
        })
    }
}

/// A hand as its word in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoredSide(pub(crate) Side);

impl StoredSide {
    /// The word stored for it.
    pub(crate) const fn word(self) -> &'static str {
        match self.0 {
            Side::Left => "left",
            Side::Right => "right",
        }
    }
}

impl ToParam for StoredSide {
    fn to_param(&self) -> Param {
        Param::Text(Some(self.word().to_owned()))
    }
    fn null() -> Param {
        Param::Text(None)
    }
}

impl FromColumn for StoredSide {
    fn from_cell(cell: &Cell<'_>) -> Result<Option<Self>, StoreError> {
        let Some(word) = String::from_cell(cell)? else { return Ok(None) };
        [Self(Side::Left), Self(Side::Right)]
            .into_iter()
            .find(|side| side.word() == word)
            .map(Some)
            .ok_or_else(|| cell.unexpected("`left` or `right`"))
    }
}

impl ToParam for SlotId {
    fn to_param(&self) -> Param {
        Param::Int(Some(self.get()))
    }
    fn null() -> Param {
        Param::Int(None)
    }
}

impl FromColumn for SlotId {
    fn from_cell(cell: &Cell<'_>) -> Result<Option<Self>, StoreError> {
        let Some(number) = i64::from_cell(cell)? else { return Ok(None) };
        Self::new(number).map(Some).ok_or_else(|| cell.unexpected("a slot number from 1"))
    }
}

impl FromColumn for VaultId {
    fn from_cell(cell: &Cell<'_>) -> Result<Option<Self>, StoreError> {
        let Some(bytes) = Vec::<u8>::from_cell(cell)? else { return Ok(None) };
        Self::from_slice(&bytes).map(Some).ok_or_else(|| cell.unexpected("16 bytes"))
    }
}
