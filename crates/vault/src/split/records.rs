//! The front's tables, and every statement on them that the plain vault does not make as well
//! ([`crate::gallery_records`]). Tokens lie in them only sealed; no share, no template ever does.

use handfast_model::{CompanyId, GalleryId, PairwiseToken, Random, RelyingParty, Timestamp};
use handfast_palm::Side;
use handfast_store::{FromRow, Migration, Migrations, Row, Store, StoreError, Tx, params};

use super::directory::{Directory, Palm, Slot};
use crate::gallery_records::{self, ArmingRow, StoredSide, disarm_everywhere};
use crate::node::OperationName;
use crate::sealing::{Place, SealingKey};
use crate::{SlotId, VaultError};

/// Tables of the front.
pub(super) const MIGRATIONS: Migrations = Migrations {
    service: "vault-front",
    steps: &[Migration {
        version: 1,
        name: "the front's directory",
        sql: "
            CREATE TABLE front (
                one BIGINT PRIMARY KEY,
                deployment BYTEA NOT NULL
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
            CREATE TABLE palm (
                slot BIGINT PRIMARY KEY,
                company_id TEXT NOT NULL,
                side TEXT NOT NULL,
                sealed_token BYTEA NOT NULL,
                deletion BYTEA
            );
            -- What relying parties know palms by.
            CREATE TABLE known (
                party TEXT NOT NULL,
                slot BIGINT NOT NULL,
                sealed_token BYTEA NOT NULL,
                PRIMARY KEY (party, slot)
            );
            CREATE INDEX known_slot ON known (slot);
            CREATE TABLE arming (
                gallery_id TEXT NOT NULL,
                slot BIGINT NOT NULL,
                until_at BIGINT NOT NULL,
                PRIMARY KEY (gallery_id, slot)
            );
            CREATE INDEX arming_of_slot ON arming (slot);
            -- Enrolments that were asked for and not heard of yet.
            CREATE TABLE enrolment (
                name BYTEA PRIMARY KEY,
                company_id TEXT NOT NULL,
                gallery_id TEXT NOT NULL,
                sides TEXT NOT NULL,
                until_at BIGINT NOT NULL
            );
            -- That so many palms were destroyed, and when; not whose.
            CREATE TABLE deletion_receipt (
                receipt_id TEXT PRIMARY KEY,
                deleted_at BIGINT NOT NULL,
                palms BIGINT NOT NULL
            );
        ",
    }],
};

/// An enrolment that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PendingEnrolment {
    pub(super) name: OperationName,
    pub(super) company: CompanyId,
    pub(super) gallery: GalleryId,
    pub(super) sides: Vec<Side>,
    pub(super) until: Timestamp,
}

/// Seals tokens of the front's database.
pub(super) struct TokenSeal {
    pub(super) key: SealingKey,
    pub(super) deployment: [u8; 16],
}

impl TokenSeal {
    fn place(&self, table: &'static str, owner: &str, slot: Slot) -> Place {
        let row = [&self.deployment[..], &slot.to_be_bytes(), owner.as_bytes()].concat();
        Place { table, row, column: "sealed_token", version: 1 }
    }

    fn seal(
        &self,
        table: &'static str,
        owner: &str,
        slot: Slot,
        token: PairwiseToken,
        random: &dyn Random,
    ) -> Vec<u8> {
        self.key.seal(&self.place(table, owner, slot), token.as_bytes(), random)
    }

    fn open(
        &self,
        table: &'static str,
        owner: &str,
        slot: Slot,
        sealed: &[u8],
    ) -> Result<PairwiseToken, VaultError> {
        let opened = self.key.open(&self.place(table, owner, slot), sealed).ok();
        let bytes =
            opened.and_then(|opened| <[u8; PairwiseToken::LEN]>::try_from(&opened[..]).ok());
        bytes.map(PairwiseToken::from_bytes).ok_or(VaultError::FrontDatabaseBroken)
    }

    pub(super) fn seal_palm(&self, palm: &Palm, random: &dyn Random) -> Vec<u8> {
        self.seal("palm", &palm.company.to_string(), palm.slot, palm.token, random)
    }

    pub(super) fn seal_known(
        &self,
        party: RelyingParty,
        slot: Slot,
        token: PairwiseToken,
        random: &dyn Random,
    ) -> Vec<u8> {
        self.seal("known", &party.to_string(), slot, token, random)
    }
}

fn number(slot: Slot) -> i64 {
    slot.cast_signed()
}

/// A slot of the nodes, which number them from 1, as a slot of the tables.
pub(super) fn id_of(slot: Slot) -> SlotId {
    SlotId::new(number(slot)).expect("nodes number slots from 1")
}

struct PalmRow {
    slot: i64,
    company: CompanyId,
    side: StoredSide,
    sealed_token: Vec<u8>,
    deletion: Option<Vec<u8>>,
}

impl FromRow for PalmRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            slot: row.get("slot")?,
            company: row.get("company_id")?,
            side: row.get("side")?,
            sealed_token: row.get("sealed_token")?,
            deletion: row.get("deletion")?,
        })
    }
}

struct EnrolmentRow {
    name: Vec<u8>,
    company: CompanyId,
    gallery: GalleryId,
    sides: String,
    until: Timestamp,
}

impl FromRow for EnrolmentRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            name: row.get("name")?,
            company: row.get("company_id")?,
            gallery: row.get("gallery_id")?,
            sides: row.get("sides")?,
            until: row.get("until_at")?,
        })
    }
}

/// The database's deployment; `None` in a new one.
pub(super) async fn deployment(store: &Store) -> Result<Option<Vec<u8>>, StoreError> {
    let found: Option<(Vec<u8>,)> = store
        .read("front.deployment", |tx| {
            Box::pin(
                async move { tx.fetch_optional("SELECT deployment FROM front", params![]).await },
            )
        })
        .await?;
    Ok(found.map(|(deployment,)| deployment))
}

/// Marks a new database as this deployment's.
pub(super) async fn found(store: &Store, deployment: &[u8; 16]) -> Result<(), StoreError> {
    store
        .transaction("front.found", |tx| {
            Box::pin(async move {
                let sql = "INSERT INTO front (one, deployment) VALUES (1, $1)";
                tx.execute(sql, params![&deployment[..]]).await.map(drop)
            })
        })
        .await
}

/// Reads everything.
pub(super) async fn load(store: &Store, seal: &TokenSeal) -> Result<Directory, VaultError> {
    let mut directory = Directory::default();
    let galleries = gallery_records::galleries(store).await?;
    galleries.into_iter().for_each(|gallery| directory.put_gallery(gallery));
    let palms: Vec<PalmRow> = all(store, "SELECT * FROM palm").await?;
    for row in palms {
        let slot = row.slot.cast_unsigned();
        let token = seal.open("palm", &row.company.to_string(), slot, &row.sealed_token)?;
        let deletion = row.deletion.map(|name| name_of(&name)).transpose()?;
        let (company, side) = (row.company, row.side.0);
        directory.add_palm(Palm { slot, company, token, side, deletion });
    }
    let known: Vec<(RelyingParty, i64, Vec<u8>)> =
        all(store, "SELECT party, slot, sealed_token FROM known").await?;
    for (party, slot, sealed) in known {
        let slot = slot.cast_unsigned();
        let token = seal.open("known", &party.to_string(), slot, &sealed)?;
        directory.add_known(party, token, slot);
    }
    for ArmingRow { gallery, slot, until } in gallery_records::armings(store).await? {
        directory.arm(gallery, slot.get().cast_unsigned(), until);
    }
    Ok(directory)
}

async fn all<T: FromRow + Send>(store: &Store, sql: &'static str) -> Result<Vec<T>, StoreError> {
    store.read("front.load", |tx| Box::pin(async move { tx.fetch_all(sql, params![]).await })).await
}

fn name_of(bytes: &[u8]) -> Result<OperationName, VaultError> {
    bytes.try_into().map(OperationName).map_err(|_| VaultError::FrontDatabaseBroken)
}

/// Enrolments that were asked for and not heard of yet.
pub(super) async fn pending_enrolments(store: &Store) -> Result<Vec<PendingEnrolment>, VaultError> {
    let rows: Vec<EnrolmentRow> = all(store, "SELECT * FROM enrolment").await?;
    let read = |row: EnrolmentRow| {
        let sides = row.sides.chars().map(|side| match side {
            'l' => Ok(Side::Left),
            'r' => Ok(Side::Right),
            _ => Err(VaultError::FrontDatabaseBroken),
        });
        let (company, gallery, until) = (row.company, row.gallery, row.until);
        let name = name_of(&row.name)?;
        Ok(PendingEnrolment {
            name,
            company,
            gallery,
            sides: sides.collect::<Result<_, _>>()?,
            until,
        })
    };
    rows.into_iter().map(read).collect()
}

pub(super) async fn insert_enrolment(
    tx: &mut Tx<'_>,
    pending: &PendingEnrolment,
) -> Result<(), StoreError> {
    let sides: String = pending
        .sides
        .iter()
        .map(|side| match side {
            Side::Left => 'l',
            Side::Right => 'r',
        })
        .collect();
    tx.execute(
        "INSERT INTO enrolment (name, company_id, gallery_id, sides, until_at)
            VALUES ($1, $2, $3, $4, $5)",
        params![&pending.name.0[..], pending.company, pending.gallery, sides, pending.until],
    )
    .await
    .map(drop)
}

pub(super) async fn delete_enrolment(
    tx: &mut Tx<'_>,
    name: OperationName,
) -> Result<(), StoreError> {
    tx.execute("DELETE FROM enrolment WHERE name = $1", params![&name.0[..]]).await.map(drop)
}

pub(super) async fn insert_palm(
    tx: &mut Tx<'_>,
    palm: &Palm,
    sealed_token: &[u8],
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO palm (slot, company_id, side, sealed_token) VALUES ($1, $2, $3, $4)
            ON CONFLICT (slot) DO NOTHING",
        params![number(palm.slot), palm.company, StoredSide(palm.side), sealed_token],
    )
    .await
    .map(drop)
}

pub(super) async fn insert_known(
    tx: &mut Tx<'_>,
    party: RelyingParty,
    slot: Slot,
    sealed_token: &[u8],
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO known (party, slot, sealed_token) VALUES ($1, $2, $3)
            ON CONFLICT (party, slot) DO UPDATE SET sealed_token = excluded.sealed_token",
        params![party, number(slot), sealed_token],
    )
    .await
    .map(drop)
}

pub(super) async fn mark_deleting(
    tx: &mut Tx<'_>,
    slot: Slot,
    deletion: OperationName,
) -> Result<(), StoreError> {
    let sql = "UPDATE palm SET deletion = $1 WHERE slot = $2";
    tx.execute(sql, params![&deletion.0[..], number(slot)]).await.map(drop)
}

pub(super) async fn delete_slot(tx: &mut Tx<'_>, slot: Slot) -> Result<(), StoreError> {
    disarm_everywhere(tx, id_of(slot)).await?;
    for sql in ["DELETE FROM known WHERE slot = $1", "DELETE FROM palm WHERE slot = $1"] {
        tx.execute(sql, params![number(slot)]).await?;
    }
    Ok(())
}
