//! Shops, their registers, and which pedestal shows which register's charges.

use handfast_model::{Currency, DeviceId, ShopId, Timestamp, VenueId};
use handfast_store::{FromRow, Row, StoreError, Tx, params};

use crate::Till;
use crate::error::{Thing, TillError};
use crate::text::Label;

/// A shop: takes payments at its registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shop {
    /// Its id.
    pub id: ShopId,
    /// Where it is.
    pub venue: VenueId,
    /// What people know it by.
    pub name: String,
    /// The one currency it takes.
    pub currency: Currency,
    /// Its local time, as minutes ahead of UTC: charge numbers begin anew at its midnight.
    pub utc_offset_minutes: i32,
    /// Whether its prices include tax (Europe) or tax comes on top (the United States).
    pub tax_included: bool,
}

impl FromRow for Shop {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("shop_id")?,
            venue: row.get("venue_id")?,
            name: row.get("name")?,
            currency: row.get("currency")?,
            utc_offset_minutes: row.get("utc_offset_minutes")?,
            tax_included: row.get("tax_included")?,
        })
    }
}

/// What a new shop is.
#[derive(Clone, Debug)]
pub struct NewShop {
    /// Where it is.
    pub venue: VenueId,
    /// What people know it by.
    pub name: Label,
    /// The one currency it takes.
    pub currency: Currency,
    /// Its local time, as minutes ahead of UTC.
    pub utc_offset_minutes: i32,
}

/// A register and what stands beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register {
    /// The register's device.
    pub device: DeviceId,
    /// Its shop.
    pub shop: ShopId,
    /// The pedestal that shows its charges.
    pub pedestal: Option<DeviceId>,
}

impl FromRow for Register {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            device: row.get("register_id")?,
            shop: row.get("shop_id")?,
            pedestal: row.get_optional("pedestal_id")?,
        })
    }
}

impl Till {
    /// Adds a shop.
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn add_shop(&self, shop: &NewShop) -> Result<ShopId, TillError> {
        let id = ShopId::new(&*self.clock, &*self.random);
        self.add_shop_as(id, shop).await?;
        Ok(id)
    }

    /// Adds a shop under an id that its maker wrote down first; a repeat changes nothing.
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn add_shop_as(&self, id: ShopId, shop: &NewShop) -> Result<(), TillError> {
        let now = self.now();
        self.store
            .transaction("shop.add", |tx| {
                Box::pin(async move {
                    tx.execute(
                        "INSERT INTO till_shops (shop_id, venue_id, name, currency, \
                         utc_offset_minutes, created_at) VALUES ($1, $2, $3, $4, $5, $6) \
                         ON CONFLICT DO NOTHING",
                        params![
                            id,
                            shop.venue,
                            shop.name.as_str(),
                            shop.currency,
                            shop.utc_offset_minutes,
                            now
                        ],
                    )
                    .await?;
                    Ok(())
                })
            })
            .await
    }

    /// Says whether a shop's prices include tax, as those of a new one do.
    ///
    /// # Errors
    /// [`TillError::NotFound`].
    pub async fn set_tax_included(&self, id: ShopId, included: bool) -> Result<(), TillError> {
        self.store
            .transaction("shop.tax", |tx| {
                Box::pin(async move {
                    let changed = tx
                        .execute(
                            "UPDATE till_shops SET tax_included = $1 WHERE shop_id = $2",
                            params![included, id],
                        )
                        .await?;
                    crate::wallet::found(changed, Thing::Shop)
                })
            })
            .await
    }

    /// A shop.
    ///
    /// # Errors
    /// [`TillError::NotFound`], [`TillError::Store`].
    pub async fn shop(&self, id: ShopId) -> Result<Shop, TillError> {
        self.store.read("shop.read", |tx| Box::pin(async move { shop(tx, id).await })).await
    }

    /// All shops of a venue, oldest first: where a palm that may pay there is armed.
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn shops_of_venue(&self, venue: VenueId) -> Result<Vec<Shop>, TillError> {
        self.store
            .read("shop.of_venue", |tx| {
                Box::pin(async move {
                    Ok(tx
                        .fetch_all(
                            "SELECT * FROM till_shops WHERE venue_id = $1 ORDER BY shop_id",
                            params![venue],
                        )
                        .await?)
                })
            })
            .await
    }

    /// Makes a device a register of a shop. A repeat is harmless.
    ///
    /// # Errors
    /// [`TillError::NotFound`] for an unknown shop, [`TillError::RegisterTaken`] where the device
    /// is another shop's.
    pub async fn add_register(&self, device: DeviceId, shop_id: ShopId) -> Result<(), TillError> {
        let now = self.now();
        self.store
            .transaction("register.add", |tx| {
                Box::pin(async move {
                    shop(tx, shop_id).await?;
                    tx.execute(
                        "INSERT INTO till_registers (register_id, shop_id, added_at) \
                         VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                        params![device, shop_id, now],
                    )
                    .await?;
                    let owner = register(tx, device).await?.shop;
                    if owner == shop_id { Ok(()) } else { Err(TillError::RegisterTaken) }
                })
            })
            .await
    }

    /// A register and its pedestal.
    ///
    /// # Errors
    /// [`TillError::NotFound`].
    pub async fn register(&self, device: DeviceId) -> Result<Register, TillError> {
        self.store
            .read("register.read", |tx| Box::pin(async move { register(tx, device).await }))
            .await
    }

    /// The register whose charges a pedestal shows.
    ///
    /// # Errors
    /// [`TillError::NotFound`] where it is not paired.
    pub async fn register_of_pedestal(&self, pedestal: DeviceId) -> Result<Register, TillError> {
        self.store
            .read("register.of_pedestal", |tx| {
                Box::pin(async move { register_of_pedestal(tx, pedestal).await })
            })
            .await
    }

    /// Pairs a pedestal with a register: both show the same charge. A repeat is harmless.
    ///
    /// # Errors
    /// [`TillError::NotFound`] for an unknown register, [`TillError::PairedAlready`] where one of
    /// the two is paired with another device.
    pub async fn pair(&self, register_id: DeviceId, pedestal: DeviceId) -> Result<(), TillError> {
        let now = self.now();
        self.store
            .transaction("pairing.add", |tx| {
                Box::pin(async move {
                    register(tx, register_id).await?;
                    tx.execute(
                        "INSERT INTO till_pairings (pedestal_id, register_id, paired_at) \
                         VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                        params![pedestal, register_id, now],
                    )
                    .await?;
                    let paired = register(tx, register_id).await?.pedestal;
                    if paired == Some(pedestal) { Ok(()) } else { Err(TillError::PairedAlready) }
                })
            })
            .await
    }

    /// Ends a pedestal's pairing, if it has one. A charge that waits for a hand stays with its
    /// register and expires unless it is cancelled.
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn unpair(&self, pedestal: DeviceId) -> Result<(), TillError> {
        self.store
            .transaction("pairing.end", |tx| {
                Box::pin(async move {
                    tx.execute(
                        "DELETE FROM till_pairings WHERE pedestal_id = $1",
                        params![pedestal],
                    )
                    .await?;
                    Ok(())
                })
            })
            .await
    }
}

pub(crate) async fn shop(tx: &mut Tx<'_>, id: ShopId) -> Result<Shop, TillError> {
    tx.fetch_optional("SELECT * FROM till_shops WHERE shop_id = $1", params![id])
        .await?
        .ok_or(TillError::NotFound(Thing::Shop))
}

pub(crate) async fn register(tx: &mut Tx<'_>, device: DeviceId) -> Result<Register, TillError> {
    tx.fetch_optional(
        "SELECT r.register_id, r.shop_id, p.pedestal_id FROM till_registers r \
         LEFT JOIN till_pairings p ON p.register_id = r.register_id WHERE r.register_id = $1",
        params![device],
    )
    .await?
    .ok_or(TillError::NotFound(Thing::Register))
}

pub(crate) async fn register_of_pedestal(
    tx: &mut Tx<'_>,
    pedestal: DeviceId,
) -> Result<Register, TillError> {
    tx.fetch_optional(
        "SELECT r.register_id, r.shop_id, p.pedestal_id FROM till_pairings p \
         JOIN till_registers r ON r.register_id = p.register_id WHERE p.pedestal_id = $1",
        params![pedestal],
    )
    .await?
    .ok_or(TillError::NotFound(Thing::PairedPedestal))
}

/// The next short number of a shop on its local day, and that day.
pub(crate) async fn next_number(
    tx: &mut Tx<'_>,
    shop: &Shop,
    now: Timestamp,
) -> Result<(i64, i64), TillError> {
    const MINUTE_MICROS: i64 = 60 * 1_000_000;
    const DAY_MICROS: i64 = 24 * 60 * MINUTE_MICROS;
    let local = now.as_micros().saturating_add(i64::from(shop.utc_offset_minutes) * MINUTE_MICROS);
    let day = local.div_euclid(DAY_MICROS);
    let (number,): (i64,) = tx
        .fetch_one(
            "INSERT INTO till_shop_days (shop_id, day, last_number) VALUES ($1, $2, 1) \
             ON CONFLICT (shop_id, day) DO UPDATE SET last_number = till_shop_days.last_number + 1 \
             RETURNING last_number",
            params![shop.id, day],
        )
        .await?;
    Ok((day, number))
}
