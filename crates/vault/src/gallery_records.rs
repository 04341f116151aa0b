//! Galleries, armings and receipts as both forms of the vault keep them: the same tables in the plain
//! vault's database and in the front's, and every statement on them that both make.

use handfast_model::{GalleryId, Timestamp};
use handfast_palm::Side;
use handfast_store::{
    Cell, FromColumn, FromRow, Param, Row, Store, StoreError, ToParam, Tx, params,
};

use crate::deletion::DeletionReceipt;
use crate::gallery::{Gallery, GalleryState, NewGallery, ThresholdPolicy};
use crate::{SlotId, Thresholds};

/// A palm armed in a gallery, as stored.
#[derive(Clone, Copy)]
pub(crate) struct ArmingRow {
    pub(crate) gallery: GalleryId,
    pub(crate) slot: SlotId,
    pub(crate) until: Timestamp,
}

/// Every gallery.
pub(crate) async fn galleries(store: &Store) -> Result<Vec<Gallery>, StoreError> {
    store
        .read("vault.galleries", |tx| {
            Box::pin(async move { tx.fetch_all("SELECT * FROM gallery", params![]).await })
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

/// Disarms a palm everywhere.
pub(crate) async fn disarm_everywhere(tx: &mut Tx<'_>, slot: SlotId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM arming WHERE slot = $1", params![slot]).await.map(drop)
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
