//! Dangerous: galleries full of rows that belong to nobody, of any length, for benches. Nothing that
//! serves people calls this.

use handfast_model::{Duration, GalleryId, RelyingParty, VenueId};
use handfast_mpc::{Dealt, Role};
use handfast_palm::{FORMAT_VERSION, Side};
use zeroize::Zeroizing;

use super::SplitVault;
use super::dealing::{Challenges, Use, seal};
use super::searching::{Opened, Query, Standing};
use crate::VaultError;
use crate::node::{
    Change, Enrolment, GalleryName, GalleryPurpose, GallerySpec, OperationName, Policy,
    RelyingName, SLOTS_PER_CHANGE_MAX, Sought,
};

/// Numbers dealt at once: their shares fit one request.
const NUMBERS_MAX: usize = 1 << 20;
/// A random row and a random probe score about zero: nobody is found.
const THRESHOLD: u16 = 1 << 13;

/// A gallery of random rows.
#[derive(Clone, Copy, Debug)]
pub struct BenchGallery {
    name: GalleryName,
    dimension: usize,
}

impl SplitVault {
    /// Makes a gallery of `rows` random rows of `dimension` numbers.
    ///
    /// # Errors
    /// When a node is away, or refuses.
    pub async fn danger_bench_gallery(
        &self,
        rows: usize,
        dimension: usize,
        vectors: usize,
    ) -> Result<BenchGallery, VaultError> {
        let inner = &self.0;
        inner.settled().await?;
        let _one_change = inner.changes.lock().await;
        let random = &*inner.random;
        let name = GalleryName::from(GalleryId::new(&*inner.clock, random));
        let party = RelyingParty::Venue(VenueId::new(&*inner.clock, random));
        let unlimited = u32::MAX;
        let spec = GallerySpec {
            gallery: name,
            party: RelyingName::from(party),
            recipient: inner.recipient.public().0,
            purpose: GalleryPurpose::DangerUnchecked,
            model_version: u16::from(FORMAT_VERSION),
            dimension: u16::try_from(dimension).map_err(|_| VaultError::NotDealt)?,
            rows_per_slot: 1,
            policy: Policy {
                identify: THRESHOLD,
                verify: THRESHOLD,
                slots_max: unlimited,
                vectors_max: u16::try_from(vectors).map_err(|_| VaultError::NotDealt)?,
                device_hourly: unlimited,
                gallery_hourly: unlimited,
                slot_hourly: unlimited,
            },
        };
        let opened = Change::OpenGallery(spec);
        inner.nodes.operate(OperationName::draw(random), &opened, None).await?;
        let gallery = BenchGallery { name, dimension };
        let at_once = SLOTS_PER_CHANGE_MAX.min(NUMBERS_MAX / dimension.max(1)).max(1);
        let mut left = rows;
        while left > 0 {
            let part = left.min(at_once);
            self.fill(gallery, part).await?;
            left -= part;
        }
        Ok(gallery)
    }

    async fn fill(&self, gallery: BenchGallery, rows: usize) -> Result<u64, VaultError> {
        let inner = &self.0;
        let random = &*inner.random;
        let challenges = Challenges::fetch(&inner.nodes, &inner.deployment).await?;
        let name = OperationName::draw(random);
        let dealt = self.random_shares(rows, gallery.dimension)?;
        let usage = Use::reference(gallery.name, name.0, [0; 16]);
        let (deployment, device) = (&inner.deployment, inner.devices.own());
        let shares = seal(dealt, &usage, &challenges, deployment, device, random)?;
        let change = Change::Enrol(Enrolment {
            gallery: gallery.name,
            first_slot: 0,
            sides: vec![Side::Left; rows],
            until: inner.clock.now() + Duration::from_days(1),
            consent: [0; 16],
            device: inner.devices.own().name,
            checks: Vec::new(),
            checked_at: 0,
        });
        inner.nodes.operate(name, &change, Some(shares)).await.map(|done| done.first_slot)
    }

    /// Stores one row more, as an enrolment does after its duplicate check: challenges, dealing,
    /// sealing, and all three nodes' disks. Its slot.
    ///
    /// # Errors
    /// When a node is away, or refuses.
    pub async fn danger_bench_enrol(&self, gallery: BenchGallery) -> Result<u64, VaultError> {
        let _one_change = self.0.changes.lock().await;
        self.fill(gallery, 1).await
    }

    /// Deletes a row: its keys and shares are destroyed at all three nodes when it returns.
    ///
    /// # Errors
    /// When a node is away, or refuses.
    pub async fn danger_bench_delete(&self, slot: u64) -> Result<(), VaultError> {
        let inner = &self.0;
        let _one_change = inner.changes.lock().await;
        let change = Change::Delete { slots: vec![slot] };
        inner.nodes.operate(OperationName::draw(&*inner.random), &change, None).await.map(drop)
    }

    /// Small random numbers: their scores are far below any threshold.
    fn random_shares(&self, count: usize, dimension: usize) -> Result<Dealt, VaultError> {
        let mut bytes = Zeroizing::new(vec![0; count * dimension]);
        self.0.random.fill(&mut bytes);
        let small = |byte: &u8| i16::from(byte % 5) - 2;
        let numbers: Vec<i16> = bytes.iter().map(small).collect();
        Dealt::deal(&numbers, dimension, &*self.0.random).map_err(|_| VaultError::NotDealt)
    }

    /// One search with `vectors` random vectors, capture and images apart: dealing, sealing, three
    /// nodes, opening. Whether it found somebody, which it does not.
    ///
    /// # Errors
    /// When a node is away, or refuses.
    pub async fn danger_bench_search(
        &self,
        gallery: BenchGallery,
        vectors: usize,
    ) -> Result<bool, VaultError> {
        let inner = &self.0;
        let random = &*inner.random;
        let dealt = self.random_shares(vectors, gallery.dimension)?;
        let challenges = Challenges::fetch(&inner.nodes, &inner.deployment).await?;
        let nonce = [0; 16];
        let name = challenges.query(&nonce);
        let usage = Use {
            purpose: GalleryPurpose::DangerUnchecked as u8,
            gallery: gallery.name,
            nonce,
            amount: [0; 32],
            consent: [0; 16],
            query: name.0,
        };
        let (deployment, device) = (&inner.deployment, inner.devices.own());
        let shares = seal(dealt, &usage, &challenges, deployment, device, random)?;
        let at = Standing { head: challenges.head(), epoch: challenges.epoch() };
        let (side, sought, shares) = (Side::Left, Sought::Duplicate, Some(shares));
        let query = Query { name, gallery: gallery.name, side, sought, nonce, shares };
        Ok(inner.search(&query, at).await?.0 != Opened::Nothing)
    }

    /// Bytes of memory that a stored row takes at node A.
    ///
    /// # Errors
    /// When it is away.
    pub async fn row_bytes(&self) -> Result<f64, VaultError> {
        let [a, _, _] = self.node_statuses().await;
        let status = a?;
        debug_assert_eq!(status.role, Role::A);
        Ok(status.row_bytes as f64 / (status.slots.max(1)) as f64)
    }
}
