//! Galleries, arming and deleting, on three nodes.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use handfast_model::{CompanyId, GalleryId, PairwiseToken, RelyingParty, Timestamp};
use handfast_palm::{FORMAT_VERSION, LENGTH, Side};

use super::directory::Slot;
use super::operating::Done;
use super::records;
use super::searching::{Opened, Query, Standing};
use super::{Inner, SplitVault};
use crate::arming::ArmedIn;
use crate::deletion::{DeletionReceipt, DeletionReceiptId};
use crate::gallery::{Gallery, GalleryState, NewGallery, Purpose, SearchBudgets};
use crate::gallery_records::{self, ArmingRow};
use crate::node::{
    Change, GalleryName, GalleryPurpose, GallerySpec, OperationName, Policy, QueryName, Reason,
    RelyingName, SLOTS_PER_CHANGE_MAX, Sought,
};
use crate::{Thresholds, VaultError};

/// Most vectors of a probe: three frames of as many as the engine makes, with room for more.
const VECTORS_MAX: u16 = 1_024;
/// A reference is one vector.
const ROWS_PER_SLOT: u8 = 1;

impl SplitVault {
    /// As [`Vault::open_gallery`](crate::Vault::open_gallery).
    pub(crate) async fn open_gallery(&self, spec: NewGallery) -> Result<(), VaultError> {
        self.to_the_end(move |inner| async move {
            let _one_change = inner.changes.lock().await;
            let new = inner.directory().galleries.is_new(&spec)?;
            if new { inner.add_gallery(spec).await.map(drop) } else { Ok(()) }
        })
        .await
    }

    /// As [`Vault::close_gallery`](crate::Vault::close_gallery).
    pub(crate) async fn close_gallery(&self, id: GalleryId) -> Result<(), VaultError> {
        self.to_the_end(move |inner| inner.close_gallery(id)).await
    }

    /// As [`Vault::arm`](crate::Vault::arm).
    pub(crate) async fn arm(
        &self,
        company: CompanyId,
        palm: PairwiseToken,
        gallery: GalleryId,
        until: Timestamp,
    ) -> Result<PairwiseToken, VaultError> {
        let consent = self.1.consent;
        self.to_the_end(move |inner| inner.arm(company, palm, gallery, until, consent)).await
    }

    /// As [`Vault::disarm`](crate::Vault::disarm).
    pub(crate) async fn disarm(
        &self,
        company: CompanyId,
        palm: PairwiseToken,
        gallery: GalleryId,
    ) -> Result<(), VaultError> {
        self.to_the_end(move |inner| async move {
            let _one_change = inner.changes.lock().await;
            let slot = {
                let directory = inner.directory();
                directory.galleries.get(gallery)?;
                let slot = directory.palm(company, palm)?.slot;
                if directory.armed_until(gallery, slot).is_none() {
                    return Ok(());
                }
                slot
            };
            inner.disarm_slots(gallery, vec![slot]).await
        })
        .await
    }

    /// As [`Vault::disarm_expired`](crate::Vault::disarm_expired).
    pub(crate) async fn disarm_expired(&self, now: Timestamp) -> Result<usize, VaultError> {
        self.to_the_end(move |inner| async move {
            let _one_change = inner.changes.lock().await;
            let expired = inner.directory().expired(now);
            let mut count = 0;
            for (gallery, slots) in expired {
                for part in slots.chunks(SLOTS_PER_CHANGE_MAX) {
                    inner.disarm_slots(gallery, part.to_vec()).await?;
                    count += part.len();
                }
            }
            Ok(count)
        })
        .await
    }

    /// As [`Vault::armings`](crate::Vault::armings).
    pub(crate) fn armings(
        &self,
        company: CompanyId,
        palm: PairwiseToken,
    ) -> Result<Vec<ArmedIn>, VaultError> {
        let directory = self.0.directory();
        let slot = directory.palm(company, palm)?.slot;
        let armed = directory.armings_of(slot).into_iter();
        Ok(armed.map(|(gallery, until)| ArmedIn { gallery, until }).collect())
    }

    /// As [`Vault::armed`](crate::Vault::armed).
    pub(crate) fn armed(&self, gallery: GalleryId) -> Result<usize, VaultError> {
        let directory = self.0.directory();
        directory.galleries.get(gallery)?;
        Ok(directory.armed(gallery, self.0.clock.now()))
    }

    /// As [`Vault::delete`](crate::Vault::delete).
    pub(crate) async fn delete(
        &self,
        company: CompanyId,
        palms: &[PairwiseToken],
    ) -> Result<DeletionReceipt, VaultError> {
        let palms = palms.to_vec();
        self.to_the_end(move |inner| inner.delete(company, palms)).await
    }

    /// Gives every stored palm new shares at all three nodes: what was stolen of one node before
    /// fits nothing that is stolen of another one later.
    ///
    /// # Errors
    /// When a node is away, or refuses.
    pub async fn refresh(&self) -> Result<(), VaultError> {
        self.to_the_end(|inner| async move {
            let _one_change = inner.changes.lock().await;
            inner.settle().await?;
            let name = OperationName::draw(&*inner.random);
            inner.nodes.operate(name, &Change::Refresh, None).await.map(drop)
        })
        .await
    }
}

impl Inner {
    /// Opens a gallery at the nodes and takes it into the directory. The caller holds
    /// [`Inner::changes`].
    pub(super) async fn add_gallery(&self, spec: NewGallery) -> Result<Gallery, VaultError> {
        self.settle().await?;
        let thresholds = spec.policy.thresholds();
        let name = OperationName::draw(&*self.random);
        let opened = Change::OpenGallery(self.spec_of(spec, thresholds));
        self.nodes.operate(name, &opened, None).await?;
        let gallery = Gallery { spec, thresholds, state: GalleryState::Open };
        let added = self.store.transaction("front.open_gallery", |tx| {
            Box::pin(async move { gallery_records::insert_gallery(tx, &gallery).await })
        });
        added.await?;
        self.directory_mut().put_gallery(gallery);
        Ok(gallery)
    }

    pub(super) fn spec_of(&self, spec: NewGallery, thresholds: Thresholds) -> GallerySpec {
        let purpose = match spec.purpose {
            Purpose::DuplicateCheck => GalleryPurpose::Enrolment,
            Purpose::Entry => GalleryPurpose::Entry,
            Purpose::Payment => GalleryPurpose::Payment,
        };
        let SearchBudgets { device_hourly, gallery_hourly, palm_hourly } =
            spec.purpose.searches_hourly();
        GallerySpec {
            gallery: GalleryName::from(spec.gallery),
            party: RelyingName::from(spec.party),
            recipient: self.recipient.public().0,
            purpose,
            model_version: u16::from(FORMAT_VERSION),
            dimension: LENGTH as u16,
            rows_per_slot: ROWS_PER_SLOT,
            policy: Policy {
                identify: threshold(thresholds.identify),
                verify: threshold(thresholds.verify),
                slots_max: spec.policy.palms_max,
                vectors_max: VECTORS_MAX,
                device_hourly,
                gallery_hourly,
                slot_hourly: palm_hourly,
            },
        }
    }

    async fn close_gallery(self: Arc<Self>, id: GalleryId) -> Result<(), VaultError> {
        let _one_change = self.changes.lock().await;
        let gallery = self.directory().galleries.closable(id)?;
        if gallery.state == GalleryState::Closed {
            return Ok(());
        }
        self.settle().await?;
        let name = OperationName::draw(&*self.random);
        let closed =
            self.nodes.operate(name, &Change::CloseGallery(GalleryName::from(id)), None).await;
        unless(closed, &[Reason::GalleryClosed])?;
        let closed = self.store.transaction("front.close_gallery", |tx| {
            Box::pin(async move { gallery_records::close_gallery(tx, id).await })
        });
        closed.await?;
        self.directory_mut().put_gallery(Gallery { state: GalleryState::Closed, ..gallery });
        Ok(())
    }

    async fn arm(
        self: Arc<Self>,
        company: CompanyId,
        palm: PairwiseToken,
        id: GalleryId,
        until: Timestamp,
        consent: [u8; 16],
    ) -> Result<PairwiseToken, VaultError> {
        let _one_change = self.changes.lock().await;
        let now = self.clock.now();
        if until <= now {
            return Err(VaultError::UntilPassed);
        }
        let (party, palm, before) = {
            let directory = self.directory();
            let gallery = directory.galleries.get_open(id)?;
            let palm = directory.palm(company, palm)?;
            let before = directory.armed_until(id, palm.slot);
            let palms_max = gallery.spec.policy.palms_max;
            if before.is_none() && directory.armed(id, now) >= palms_max as usize {
                return Err(VaultError::GalleryFull { gallery: id, palms_max });
            }
            (gallery.spec.party, palm, before)
        };
        self.settle().await?;
        // Before the nodes are asked: what they armed and this database does not know would never
        // be disarmed.
        self.record_arming(id, palm.slot, before.map_or(until, |before| before.max(until))).await?;
        let change =
            Change::Arm { gallery: GalleryName::from(id), slot: palm.slot, until, consent };
        let name = OperationName::draw(&*self.random);
        match self.nodes.operate(name, &change, None).await {
            Ok(done) => {
                self.record_arming(id, palm.slot, until).await?;
                self.token_of(party, id, palm.slot, self.after(done.head)).await
            }
            Err(error) => {
                if is_final(&error) && before.is_none() {
                    self.forget_armings(id, &[palm.slot]).await?;
                }
                Err(self.noted(error))
            }
        }
    }

    async fn record_arming(
        &self,
        gallery: GalleryId,
        slot: Slot,
        until: Timestamp,
    ) -> Result<(), VaultError> {
        let arming = ArmingRow { gallery, slot: records::id_of(slot), until };
        let recorded = self.store.transaction("front.arm", |tx| {
            Box::pin(async move { gallery_records::arm(tx, arming).await })
        });
        recorded.await?;
        self.directory_mut().arm(gallery, slot, until);
        Ok(())
    }

    async fn forget_armings(&self, gallery: GalleryId, slots: &[Slot]) -> Result<(), VaultError> {
        let forgotten = self.store.transaction("front.disarm", |tx| {
            Box::pin(async move {
                for &slot in slots {
                    gallery_records::disarm(tx, gallery, records::id_of(slot)).await?;
                }
                Ok::<_, VaultError>(())
            })
        });
        forgotten.await?;
        self.directory_mut().disarm(gallery, slots);
        Ok(())
    }

    /// What a party knows a slot by: from the directory, or delivered by the nodes.
    pub(super) async fn token_of(
        &self,
        party: RelyingParty,
        gallery: GalleryId,
        slot: Slot,
        at: Standing,
    ) -> Result<PairwiseToken, VaultError> {
        let known = self.directory().token(party, slot);
        if let Some(token) = known {
            return Ok(token);
        }
        let side = self.directory().side(slot).ok_or(VaultError::PalmUnknown)?;
        let token = self.delivered(gallery, side, slot, at).await?;
        let sealed = &self.seal.seal_known(party, slot, token, &*self.random);
        let recorded = self.store.transaction("front.known", |tx| {
            Box::pin(async move { records::insert_known(tx, party, slot, sealed).await })
        });
        recorded.await?;
        self.directory_mut().add_known(party, token, slot);
        Ok(token)
    }

    /// The token of an armed slot, as the three nodes give it: none of them knows it.
    pub(super) async fn delivered(
        &self,
        gallery: GalleryId,
        side: Side,
        slot: Slot,
        at: Standing,
    ) -> Result<PairwiseToken, VaultError> {
        let mut nonce = [0; 16];
        self.random.fill(&mut nonce);
        let query = Query {
            name: QueryName::draw(&*self.random),
            gallery: GalleryName::from(gallery),
            side,
            sought: Sought::Delivery(slot),
            nonce,
            shares: None,
        };
        match self.search(&query, at).await? {
            (Opened::Something(token), _) => Ok(token),
            (Opened::Nothing, _) => Err(VaultError::NodeAnswer { node: handfast_mpc::Role::A }),
        }
    }

    async fn disarm_slots(&self, gallery: GalleryId, slots: Vec<Slot>) -> Result<(), VaultError> {
        let open = self.directory().galleries.get(gallery)?.state == GalleryState::Open;
        if open {
            self.settle().await?;
            let change =
                Change::Disarm { gallery: GalleryName::from(gallery), slots: slots.clone() };
            let name = OperationName::draw(&*self.random);
            let disarmed = self.nodes.operate(name, &change, None).await;
            let harmless = [Reason::NotArmed, Reason::SlotUnknown, Reason::GalleryClosed];
            unless(disarmed, &harmless).map_err(|error| self.noted(error))?;
        }
        self.forget_armings(gallery, &slots).await
    }

    async fn delete(
        self: Arc<Self>,
        company: CompanyId,
        palms: Vec<PairwiseToken>,
    ) -> Result<DeletionReceipt, VaultError> {
        let _one_change = self.changes.lock().await;
        let mut slots = Vec::with_capacity(palms.len());
        for palm in palms {
            let palm = self.directory().palm(company, palm)?;
            if let Some(begun) = palm.deletion {
                // Its deletion is ended together with those that it was begun with.
                self.nodes.check_all_up()?;
                self.finish_deletion(begun).await?;
            }
            slots.push(palm.slot);
        }
        slots.sort_unstable();
        slots.dedup();
        if slots.is_empty() {
            return Err(VaultError::PalmUnknown);
        }
        let left: Vec<Slot> = {
            let directory = self.directory();
            slots.iter().copied().filter(|slot| directory.side(*slot).is_some()).collect()
        };
        for part in left.chunks(SLOTS_PER_CHANGE_MAX) {
            self.delete_slots(part).await.map_err(|error| self.noted(error))?;
        }
        self.receipt(slots.len()).await
    }

    async fn delete_slots(&self, slots: &[Slot]) -> Result<(), VaultError> {
        let name = OperationName::draw(&*self.random);
        // First the decision, so that a crash cannot take it back.
        let marked = self.store.transaction("front.mark_deleting", |tx| {
            Box::pin(async move {
                for &slot in slots {
                    records::mark_deleting(tx, slot, name).await?;
                }
                Ok::<_, VaultError>(())
            })
        });
        marked.await?;
        self.directory_mut().mark_deleting(slots, name);
        self.settle().await?;
        // Settling ends it, unless everything was settled already.
        self.finish_deletion(name).await
    }

    /// Has the nodes destroy what a deletion names; passes over what is gone already.
    pub(super) async fn finish_deletion(&self, name: OperationName) -> Result<(), VaultError> {
        let deletions = self.directory().deletions();
        let Some((_, slots)) = deletions.into_iter().find(|(begun, _)| *begun == name) else {
            return Ok(());
        };
        let deleted =
            self.nodes.operate(name, &Change::Delete { slots: slots.clone() }, None).await;
        unless(deleted, &[Reason::SlotUnknown])?;
        let slots = &slots;
        let deleted = self.store.transaction("front.delete", |tx| {
            Box::pin(async move {
                for &slot in slots {
                    records::delete_slot(tx, slot).await?;
                }
                Ok::<_, VaultError>(())
            })
        });
        deleted.await?;
        self.store.truncate_wal().await?;
        self.directory_mut().remove(slots);
        Ok(())
    }

    async fn receipt(&self, palms: usize) -> Result<DeletionReceipt, VaultError> {
        let receipt = &DeletionReceipt {
            receipt: DeletionReceiptId::new(&*self.random),
            deleted_at: self.clock.now(),
            palms: u32::try_from(palms).expect("a person has few palms"),
        };
        let kept = self.store.transaction("front.receipt", |tx| {
            Box::pin(async move { gallery_records::insert_receipt(tx, receipt).await })
        });
        kept.await?;
        Ok(receipt.clone())
    }

    /// Remembers that something may have been left half done.
    pub(super) fn noted(&self, error: VaultError) -> VaultError {
        if !is_final(&error) {
            self.settled.store(false, Ordering::Release);
        }
        error
    }
}

/// Whether the nodes said for certain that a change was not made.
pub(super) const fn is_final(error: &VaultError) -> bool {
    match error {
        VaultError::GivenUp { .. } => true,
        VaultError::Refused { refusal, .. } => !matches!(
            refusal.reason,
            Reason::Pending
                | Reason::TimedOut
                | Reason::Unreachable
                | Reason::PeerRefused
                | Reason::StoreFailed
                | Reason::Unexpected
        ),
        _ => false,
    }
}

/// An operation that is as good as done where the nodes refuse it for one of these reasons.
fn unless(done: Result<Done, VaultError>, harmless: &[Reason]) -> Result<(), VaultError> {
    match done {
        Ok(_) => Ok(()),
        Err(VaultError::Refused { refusal, .. } | VaultError::GivenUp { refusal })
            if harmless.contains(&refusal.reason) =>
        {
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// The engine's thresholds are scores; the highest one that fits sixteen bits is its highest one.
fn threshold(score: i32) -> u16 {
    u16::try_from(score.clamp(1, i32::from(handfast_mpc::THRESHOLD_MAX))).unwrap_or(u16::MAX)
}
