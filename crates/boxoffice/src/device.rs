//! Devices: pedestals, scanners, registers; their API keys.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use handfast_model::{
    CompanyId, DeviceId, Duration, GateId, LaneId, Random, SecretText, Timestamp, VenueId,
};
use handfast_store::{ToParam as _, Tx, from_row, params};

use crate::company::check_name;
use crate::gathered::PLACES;
use crate::secret_key::KeyHash;
use crate::{BoxOffice, BoxOfficeError, Direction, Result, Thing, lane, secret_key, venue};

/// API keys begin like this, so that one found in the wrong place is recognised.
const API_KEY_PREFIX: &str = "HFD1.";
/// How often at most a device's sighting is written: the console shows minutes, not milliseconds.
const SIGHTING_INTERVAL: Duration = Duration::from_secs(10);
/// How long a key that was looked up is taken for known.
const KEY_KEPT: Duration = Duration::from_secs(1);
/// Keys that are remembered: more than one venue has devices.
const KEYS_MAX: usize = 1_000;

handfast_store::text_enum! {
    /// What a device is.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum DeviceKind {
        /// The palm device.
        Pedestal = "pedestal",
        /// An agent's scanner.
        Scanner = "scanner",
        /// A shop's register.
        Register = "register",
    }
}

handfast_store::text_enum! {
    /// What a pedestal is used for.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum DeviceMode {
        /// Enrols before the doors: the palm may enter tonight.
        EnrolOutside = "enrol_outside",
        /// Enrols behind the doors: for future events only.
        EnrolInside = "enrol_inside",
        /// Opens a lane.
        EntryLane = "entry_lane",
        /// Takes payments at a shop.
        Counter = "counter",
    }
}

/// A device with the names of where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// What people call it.
    pub name: String,
    /// What it is.
    pub kind: DeviceKind,
    /// What it is used for, where it is a pedestal.
    pub mode: Option<DeviceMode>,
    /// The company whose venue it stands in.
    pub company_id: CompanyId,
    /// The venue it stands in.
    pub venue_id: VenueId,
    /// The venue's name.
    pub venue_name: String,
    /// The gate of its lane.
    pub gate_id: Option<GateId>,
    /// That gate's name.
    pub gate_name: Option<String>,
    /// Its lane.
    pub lane_id: Option<LaneId>,
    /// The lane's name.
    pub lane_name: Option<String>,
    /// Where people go on from its lane.
    pub direction: Option<Direction>,
    /// The till's name for the shop it belongs to; the box office does not read it.
    pub shop_reference: Option<String>,
    /// A register's pedestal.
    pub paired_with: Option<DeviceId>,
    /// When it was revoked; a revoked device can do nothing.
    pub revoked_at: Option<Timestamp>,
    /// When it last spoke to us, to within some seconds.
    pub last_seen_at: Option<Timestamp>,
}

from_row!(Device {
    id,
    name,
    kind,
    mode,
    company_id,
    venue_id,
    venue_name,
    gate_id,
    gate_name,
    lane_id,
    lane_name,
    direction,
    shop_reference,
    paired_with,
    revoked_at,
    last_seen_at,
});

/// A device to be registered.
#[derive(Clone, Debug)]
pub struct NewDevice<'a> {
    /// The venue it stands in.
    pub venue_id: VenueId,
    /// What people call it.
    pub name: &'a str,
    /// What it is.
    pub kind: DeviceKind,
    /// What it is used for, where it is a pedestal.
    pub mode: Option<DeviceMode>,
    /// Its lane.
    pub lane_id: Option<LaneId>,
    /// The till's name for its shop.
    pub shop_reference: Option<&'a str>,
    /// A register's pedestal.
    pub paired_with: Option<DeviceId>,
}

/// What every query of devices begins with.
macro_rules! devices_where {
    ($condition:literal) => {
        concat!(
            "SELECT d.id, d.name, d.kind, d.mode, v.company_id, d.venue_id, v.name AS venue_name,
                    g.id AS gate_id, g.name AS gate_name, l.id AS lane_id, l.name AS lane_name,
                    l.direction, d.shop_reference, d.paired_with, d.revoked_at, s.last_seen_at
             FROM devices d
             JOIN venues v ON v.id = d.venue_id
             LEFT JOIN lanes l ON l.id = d.lane_id
             LEFT JOIN gates g ON g.id = l.gate_id
             LEFT JOIN device_sightings s ON s.device_id = d.id
             WHERE ",
            $condition
        )
    };
}

impl BoxOffice {
    /// Registers a device; returns its id and its API key, which is not kept and cannot be shown
    /// again.
    ///
    /// # Errors
    /// [`BoxOfficeError::Text`]; [`BoxOfficeError::Unknown`] for an unknown venue, lane or
    /// pedestal; [`BoxOfficeError::Mismatch`] where they are not of this venue.
    pub async fn register_device(&self, new: &NewDevice<'_>) -> Result<(DeviceId, SecretText)> {
        let name = &check_name("a device's name", new.name)?;
        let id = DeviceId::new(&*self.clock, &*self.random);
        let (api_key, hash) = secret_key::fresh(&*self.random, API_KEY_PREFIX);
        let now = self.now();
        self.store
            .transaction("device.register", |tx| {
                Box::pin(async move {
                    check_place(tx, new).await?;
                    tx.execute(
                        "INSERT INTO devices (id, venue_id, name, kind, mode, lane_id,
                                              shop_reference, paired_with, api_key_hash, created_at)
                         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                        params![
                            id,
                            new.venue_id,
                            name,
                            new.kind,
                            new.mode,
                            new.lane_id,
                            new.shop_reference,
                            new.paired_with,
                            hash,
                            now
                        ],
                    )
                    .await?;
                    Ok::<_, BoxOfficeError>(())
                })
            })
            .await?;
        Ok((id, api_key))
    }

    /// Forgets which keys were seen lately: each is looked up again.
    pub(crate) fn forget_keys(&self) {
        self.keys.clear();
    }

    /// Gives a device a new API key; the old one stops working at once.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for an unknown or revoked device.
    pub async fn roll_api_key(&self, id: DeviceId) -> Result<SecretText> {
        let (api_key, hash) = secret_key::fresh(&*self.random, API_KEY_PREFIX);
        self.store
            .transaction("device.roll_api_key", |tx| {
                Box::pin(async move {
                    let sql = "UPDATE devices SET api_key_hash = $2
                               WHERE id = $1 AND revoked_at IS NULL";
                    changed_one(tx.execute(sql, params![id, hash]).await?)
                })
            })
            .await?;
        self.forget_keys();
        Ok(api_key)
    }

    /// Revokes a device for good: its API key stops working at once.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for an unknown or already revoked device.
    pub async fn revoke_device(&self, id: DeviceId) -> Result<()> {
        let now = self.now();
        self.store
            .transaction("device.revoke", |tx| {
                Box::pin(async move {
                    let sql = "UPDATE devices SET revoked_at = $2
                               WHERE id = $1 AND revoked_at IS NULL";
                    changed_one(tx.execute(sql, params![id, now]).await?)
                })
            })
            .await?;
        self.forget_keys();
        Ok(())
    }

    /// Changes what a pedestal is used for.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for an unknown or revoked device.
    pub async fn set_device_mode(&self, id: DeviceId, mode: Option<DeviceMode>) -> Result<()> {
        self.store
            .transaction("device.set_mode", |tx| {
                Box::pin(async move {
                    let sql = "UPDATE devices SET mode = $2 WHERE id = $1 AND revoked_at IS NULL";
                    changed_one(tx.execute(sql, params![id, mode]).await?)
                })
            })
            .await?;
        self.forget_keys();
        Ok(())
    }

    /// The device whose API key this is; remembers that it was seen.
    ///
    /// # Errors
    /// [`BoxOfficeError::ApiKey`] for an unknown key or a revoked device.
    pub async fn authenticate_device(&self, api_key: &str) -> Result<Device> {
        let hash = &secret_key::hash(api_key).ok_or(BoxOfficeError::ApiKey)?;
        if let Some(device) = self.keys.get(hash, self.now()) {
            return Ok(device);
        }
        let device: Option<Device> = self
            .store
            .read("device.authenticate", |tx| {
                Box::pin(async move {
                    let sql = devices_where!("d.api_key_hash = $1 AND d.revoked_at IS NULL");
                    Ok::<_, BoxOfficeError>(tx.fetch_optional(sql, params![hash]).await?)
                })
            })
            .await?;
        let device = device.ok_or(BoxOfficeError::ApiKey)?;
        self.remember_sighting(&device).await?;
        self.keys.put(*hash, &device, self.now());
        Ok(device)
    }

    /// As [`BoxOffice::authenticate_device`], for handing over what was decided before the device
    /// was revoked: a revoked one passes too.
    ///
    /// # Errors
    /// [`BoxOfficeError::ApiKey`] for an unknown key.
    pub async fn authenticate_even_revoked(&self, api_key: &str) -> Result<Device> {
        let hash = &secret_key::hash(api_key).ok_or(BoxOfficeError::ApiKey)?;
        self.store
            .read("device.authenticate_even_revoked", |tx| {
                Box::pin(async move {
                    let device =
                        tx.fetch_optional(devices_where!("d.api_key_hash = $1"), params![hash]);
                    device.await?.ok_or(BoxOfficeError::ApiKey)
                })
            })
            .await
    }

    /// One device, revoked or not.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`].
    pub async fn device(&self, id: DeviceId) -> Result<Device> {
        self.store.read("device.one", |tx| Box::pin(find(tx, id))).await
    }

    /// A venue's devices, oldest first, revoked ones included; registers that stand nowhere
    /// ([`crate::SalesDesk`]) are none.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn devices(&self, venue_id: VenueId) -> Result<Vec<Device>> {
        self.store
            .read("device.of_venue", |tx| {
                Box::pin(async move {
                    let sql = devices_where!(
                        "d.venue_id = $1
                         AND NOT EXISTS (SELECT 1 FROM sales_desks x WHERE x.device_id = d.id)
                         AND NOT EXISTS (SELECT 1 FROM sales_registers x WHERE x.device_id = d.id)
                         ORDER BY d.id"
                    );
                    Ok(tx.fetch_all(sql, params![venue_id]).await?)
                })
            })
            .await
    }

    async fn remember_sighting(&self, device: &Device) -> Result<()> {
        let now = self.now();
        if device.last_seen_at.is_some_and(|seen| seen <= now && now - seen < SIGHTING_INTERVAL) {
            return Ok(());
        }
        self.store
            .transaction("device.sighting", |tx| {
                Box::pin(async move {
                    let sql = "INSERT INTO device_sightings (device_id, last_seen_at)
                               VALUES ($1, $2)
                               ON CONFLICT (device_id) DO UPDATE SET last_seen_at = $2";
                    tx.execute(sql, params![device.id, now]).await?;
                    Ok(())
                })
            })
            .await
    }
}

/// A new API key and its hash.
pub(crate) fn fresh_api_key(random: &dyn Random) -> (SecretText, KeyHash) {
    secret_key::fresh(random, API_KEY_PREFIX)
}

/// Devices whose key was looked up within the last second, so that a busy lane's key is not looked
/// up at each scan. What this process changes is seen at once ([`BoxOffice::forget_keys`]), what
/// another one changes within the second; and whether a device is revoked is looked at again in
/// every admission's own transaction.
#[derive(Clone, Default)]
pub(crate) struct KeyCache(Arc<Mutex<HashMap<KeyHash, (Device, Timestamp)>>>);

impl KeyCache {
    fn get(&self, hash: &KeyHash, now: Timestamp) -> Option<Device> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (device, seen) = known.get(hash)?;
        let fresh = *seen <= now && now - *seen < KEY_KEPT;
        fresh.then(|| device.clone())
    }

    fn put(&self, hash: KeyHash, device: &Device, now: Timestamp) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEYS_MAX {
            known.clear();
        }
        known.insert(hash, (device.clone(), now));
    }

    fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// The device called `id`, revoked or not.
pub(crate) async fn find(tx: &mut Tx<'_>, id: DeviceId) -> Result<Device> {
    let device = tx.fetch_optional(devices_where!("d.id = $1"), params![id]).await?;
    device.ok_or(BoxOfficeError::Unknown(Thing::Device))
}

/// Those of `ids` that are known and not revoked.
pub(crate) async fn working(tx: &mut Tx<'_>, ids: &[DeviceId]) -> Result<Vec<Device>> {
    let sql = devices_where!(
        "d.id IN ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
         AND d.revoked_at IS NULL"
    );
    let mut devices = Vec::with_capacity(ids.len());
    for some in ids.chunks(PLACES) {
        let places = (0..PLACES).map(|place| some.get(place).to_param());
        devices.extend(tx.fetch_all::<Device>(sql, places.collect()).await?);
    }
    Ok(devices)
}

/// The device called `id`, unless it was revoked.
pub(crate) async fn find_working(tx: &mut Tx<'_>, id: DeviceId) -> Result<Device> {
    let device = find(tx, id).await?;
    if device.revoked_at.is_some() { Err(BoxOfficeError::ApiKey) } else { Ok(device) }
}

async fn check_place(tx: &mut Tx<'_>, new: &NewDevice<'_>) -> Result<()> {
    venue::find(tx, new.venue_id).await?;
    if let Some(lane_id) = new.lane_id
        && lane::venue_of(tx, lane_id).await? != new.venue_id
    {
        return Err(BoxOfficeError::Mismatch);
    }
    if let Some(pedestal) = new.paired_with {
        let pedestal = find(tx, pedestal).await?;
        if pedestal.venue_id != new.venue_id || pedestal.kind != DeviceKind::Pedestal {
            return Err(BoxOfficeError::Mismatch);
        }
    }
    Ok(())
}

fn changed_one(changed: u64) -> Result<()> {
    if changed == 1 { Ok(()) } else { Err(BoxOfficeError::Unknown(Thing::Device)) }
}
