//! The table of openings: who may show what is in which leaf.

use std::collections::HashSet;

use handfast_model::{LinkId, Timestamp};
use handfast_store::{FromRow, Migration, Migrations, Row, Store, StoreError, params};
use handfast_tlog::{Commitment, Kind, Leaf, Opening};

use crate::TrustError;

pub(crate) const MIGRATIONS: Migrations = Migrations {
    service: "trust",
    steps: &[
        Migration {
            version: 1,
            name: "openings",
            sql: include_str!("../migrations/0001_openings.sql"),
        },
        Migration {
            version: 2,
            name: "openings by kind and time",
            sql: include_str!("../migrations/0002_openings_by_kind_and_time.sql"),
        },
        Migration {
            version: 3,
            name: "what was last logged of rules and epochs",
            sql: include_str!("../migrations/0003_logged_values.sql"),
        },
        Migration {
            version: 4,
            name: "what was last logged is read from the log",
            sql: include_str!("../migrations/0004_no_logged_values.sql"),
        },
    ],
};
/// Most receipts in a list: a person who uses a palm five times a day for a year.
const LISTED_MAX: u32 = 2_000;
/// Openings that are read at once where all are: a few megabytes.
const READ_AT_ONCE: u32 = 2_000;

/// An opening with its leaf as first put together.
pub(crate) struct Kept {
    pub(crate) link: LinkId,
    pub(crate) position: Option<u64>,
    pub(crate) looked_from: u64,
    pub(crate) leaf: Leaf,
    pub(crate) opening: Opening,
}

impl FromRow for Kept {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let damaged = |column: &str| StoreError::Column {
            column: column.to_owned(),
            expected: "a leaf's part",
        };
        let draft: Vec<u8> = row.get("draft")?;
        let blind: [u8; Opening::BLIND_LEN] = row.get("blind")?;
        let private_fields: Vec<u8> = row.get("private_fields")?;
        let position: Option<i64> = row.get("position")?;
        let looked_from: i64 = row.get("looked_from")?;
        Ok(Self {
            link: row.get("link_id")?,
            position: position.map(|position| position.unsigned_abs()),
            looked_from: looked_from.unsigned_abs(),
            leaf: Leaf::decode(&draft).map_err(|_| damaged("draft"))?,
            opening: Opening::from_parts(blind, &private_fields)
                .map_err(|_| damaged("private_fields"))?,
        })
    }
}

pub(crate) async fn insert(store: &Store, kept: &Kept) -> Result<(), TrustError> {
    let inserted = store.transaction("trust.keep_opening", |tx| {
        Box::pin(async move {
            let sql = "INSERT INTO openings (commitment, link_id, position, looked_from, at, draft, \
                       blind, private_fields) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
            let row = params![
                kept.opening.commitment().as_bytes().to_vec(),
                kept.link,
                kept.position.map(u64::cast_signed),
                kept.looked_from.cast_signed(),
                kept.leaf.at(),
                kept.leaf.encode(),
                kept.opening.blind().to_vec(),
                kept.opening.private_fields().to_vec(),
            ];
            tx.execute(sql, row).await.map(drop)
        })
    });
    Ok(inserted.await?)
}

pub(crate) async fn set_position(
    store: &Store,
    commitment: Commitment,
    position: u64,
) -> Result<(), TrustError> {
    let updated = store.transaction("trust.place_opening", |tx| {
        Box::pin(async move {
            let sql = "UPDATE openings SET position = $1 WHERE commitment = $2";
            let row = params![position.cast_signed(), commitment.as_bytes().to_vec()];
            tx.execute(sql, row).await.map(drop)
        })
    });
    Ok(updated.await?)
}

/// Leaves that the log has not promised yet, the oldest first.
pub(crate) async fn owed(store: &Store) -> Result<Vec<Kept>, TrustError> {
    let read = store.read("trust.owed", |tx| {
        Box::pin(async move {
            let sql = "SELECT link_id, position, looked_from, draft, blind, private_fields \
                       FROM openings WHERE position IS NULL ORDER BY at";
            tx.fetch_all(sql, params![]).await
        })
    });
    Ok(read.await?)
}

/// The next openings of logged leaves at `from` or after, in the order of the log.
pub(crate) async fn logged_from(store: &Store, from: u64) -> Result<Vec<Kept>, TrustError> {
    let read = store.read("trust.logged_from", |tx| {
        Box::pin(async move {
            let sql = "SELECT link_id, position, looked_from, draft, blind, private_fields \
                       FROM openings WHERE position >= $1 ORDER BY position LIMIT $2";
            tx.fetch_all(sql, params![from.cast_signed(), READ_AT_ONCE]).await
        })
    });
    Ok(read.await?)
}

/// The byte of a leaf that says its kind, as it stands in `draft`.
fn kind_byte(kind: Kind) -> Vec<u8> {
    vec![kind.code()]
}

/// Whose the leaves of deletions are, as far as their openings are kept.
pub(crate) async fn deletions(store: &Store) -> Result<Vec<(Commitment, LinkId)>, TrustError> {
    let read = store.read("trust.deletions", |tx| {
        Box::pin(async move {
            let sql = "SELECT commitment, link_id FROM openings WHERE substr(draft, 2, 1) = $1";
            tx.fetch_all(sql, params![kind_byte(Kind::Delete)]).await
        })
    });
    let rows: Vec<(Vec<u8>, LinkId)> = read.await?;
    let damaged = |_| TrustError::OpeningDamaged;
    rows.into_iter()
        .map(|(commitment, link)| {
            <[u8; 32]>::try_from(commitment)
                .map(|bytes| (Commitment::from_bytes(bytes), link))
                .map_err(damaged)
        })
        .collect()
}

/// The links that have the opening of a leaf of this kind, owed or logged.
pub(crate) async fn links_of_kind(
    store: &Store,
    kind: Kind,
) -> Result<HashSet<LinkId>, TrustError> {
    let read = store.read("trust.links_of_kind", |tx| {
        Box::pin(async move {
            let sql = "SELECT DISTINCT link_id FROM openings WHERE substr(draft, 2, 1) = $1";
            let links: Vec<(LinkId,)> = tx.fetch_all(sql, params![kind_byte(kind)]).await?;
            Ok::<_, StoreError>(links.into_iter().map(|(link,)| link).collect())
        })
    });
    Ok(read.await?)
}

/// Whether a link has the opening of a deletion's leaf, owed or logged.
pub(crate) async fn has_deletion(store: &Store, link: LinkId) -> Result<bool, TrustError> {
    let read = store.read("trust.has_deletion", |tx| {
        Box::pin(async move {
            let sql = "SELECT COUNT(*) FROM openings WHERE link_id = $1 \
                       AND substr(draft, 2, 1) = $2";
            let row = params![link, kind_byte(Kind::Delete)];
            let count: Option<(i64,)> = tx.fetch_optional(sql, row).await?;
            Ok::<_, StoreError>(count.is_some_and(|(count,)| count > 0))
        })
    });
    Ok(read.await?)
}

/// A link's openings, the newest first.
pub(crate) async fn of_link(store: &Store, link: LinkId) -> Result<Vec<Kept>, TrustError> {
    let read = store.read("trust.of_link", |tx| {
        Box::pin(async move {
            let sql = "SELECT link_id, position, looked_from, draft, blind, private_fields \
                       FROM openings WHERE link_id = $1 ORDER BY at DESC, position DESC LIMIT $2";
            tx.fetch_all(sql, params![link, LISTED_MAX]).await
        })
    });
    Ok(read.await?)
}

pub(crate) async fn at_position(
    store: &Store,
    link: LinkId,
    position: u64,
) -> Result<Option<Kept>, TrustError> {
    let read = store.read("trust.at_position", |tx| {
        Box::pin(async move {
            let sql = "SELECT link_id, position, looked_from, draft, blind, private_fields \
                       FROM openings WHERE link_id = $1 AND position = $2";
            tx.fetch_optional(sql, params![link, position.cast_signed()]).await
        })
    });
    Ok(read.await?)
}

/// Whether a link has a leaf of this moment or later.
pub(crate) async fn has_since(
    store: &Store,
    link: LinkId,
    since: Timestamp,
) -> Result<bool, TrustError> {
    let read = store.read("trust.has_since", |tx| {
        Box::pin(async move {
            let sql = "SELECT COUNT(*) FROM openings WHERE link_id = $1 AND at >= $2";
            let count: Option<(i64,)> = tx.fetch_optional(sql, params![link, since]).await?;
            Ok::<_, StoreError>(count.is_some_and(|(count,)| count > 0))
        })
    });
    Ok(read.await?)
}

/// The links whose last leaf is older than `before`.
pub(crate) async fn silent_since(
    store: &Store,
    before: Timestamp,
) -> Result<Vec<LinkId>, TrustError> {
    let read = store.read("trust.silent_since", |tx| {
        Box::pin(async move {
            // Most rows of a log of years are that old, and their links are there yet: a scan, for once
            // a day.
            let sql = "SELECT DISTINCT link_id FROM openings WHERE at < $1
                       AND NOT EXISTS (SELECT 1 FROM openings later
                                       WHERE later.link_id = openings.link_id AND later.at >= $1)";
            let links: Vec<(LinkId,)> = tx.fetch_all(sql, params![before]).await?;
            Ok::<_, StoreError>(links.into_iter().map(|(link,)| link).collect())
        })
    });
    Ok(read.await?)
}

/// Destroys what opens a link's leaves, but for those that are owed.
pub(crate) async fn forget(store: &Store, link: LinkId) -> Result<u64, TrustError> {
    let forgotten = store.transaction("trust.forget", |tx| {
        Box::pin(async move {
            let sql = "DELETE FROM openings WHERE link_id = $1 AND position IS NOT NULL";
            tx.execute(sql, params![link]).await
        })
    });
    Ok(forgotten.await?)
}
