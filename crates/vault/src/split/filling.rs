//! Dangerous: a vault full of palms that belong to nobody, armed as people's are, for benches. The
//! nodes store them without duplicate checks, which only nodes that were started for it do.

use std::sync::Arc;

use handfast_model::{CompanyId, GalleryId, PairwiseToken, RelyingParty, Timestamp};
use handfast_mpc::Dealt;
use handfast_palm::{LENGTH, Side};
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use super::dealing::{Challenges, Use, seal};
use super::directory::{Palm, Slot};
use super::searching::Standing;
use super::{Inner, SplitVault, records};
use crate::VaultError;
use crate::danger::{FilledPalm, random_vector};
use crate::gallery::{NewGallery, Purpose, ThresholdPolicy};
use crate::gallery_records::{self, ArmingRow};
use crate::node::{
    Change, Enrolment, GalleryName, GalleryPurpose, GallerySpec, OperationName, RelyingName,
};

/// Palms dealt at once: their shares fit one request.
const PALMS_AT_ONCE: usize = 1_024;
/// Armings and deliveries asked for at once: the nodes do them one after the other, and nobody waits
/// for messages meanwhile.
const ASKED_AT_ONCE: usize = 32;

impl SplitVault {
    /// As [`crate::PlainVault::danger_fill`]. The nodes are ones that store unchecked rows.
    pub(crate) async fn danger_fill(
        &self,
        company: CompanyId,
        galleries: &[GalleryId],
        count: usize,
        until: Timestamp,
    ) -> Result<Vec<FilledPalm>, VaultError> {
        let galleries = galleries.to_vec();
        self.to_the_end(move |inner| inner.danger_fill(company, galleries, count, until)).await
    }
}

impl Inner {
    async fn danger_fill(
        self: Arc<Self>,
        company: CompanyId,
        galleries: Vec<GalleryId>,
        count: usize,
        until: Timestamp,
    ) -> Result<Vec<FilledPalm>, VaultError> {
        let _one_change = self.changes.lock().await;
        if self.directory().palms() > 0 {
            return Err(VaultError::NotEmpty);
        }
        for &gallery in &galleries {
            let palms_max = self.directory().galleries.get_open(gallery)?.spec.policy.palms_max;
            if count > palms_max as usize {
                return Err(VaultError::GalleryFull { gallery, palms_max });
            }
        }
        self.settle().await?;
        let home = self.unchecked_home(company).await?;
        let mut slots = Vec::with_capacity(count);
        while slots.len() < count {
            let part = PALMS_AT_ONCE.min(count - slots.len());
            let first = self.store_nobody(home, part, until).await?;
            slots.extend(first..first + part as u64);
        }
        let party = RelyingParty::Company(company);
        let tokens = self.deliver_all(home, &slots).await?;
        self.keep(company, &slots, &tokens).await?;
        let mut filled: Vec<FilledPalm> =
            tokens.into_iter().map(|token| FilledPalm { token, armed: Vec::new() }).collect();
        for gallery in galleries {
            let known = self.directory().galleries.get(gallery)?.spec.party;
            self.arm_all(gallery, &slots, until).await?;
            let tokens = self.deliver_all(gallery, &slots).await?;
            if known != party {
                self.keep_known(known, &slots, &tokens).await?;
            }
            filled.iter_mut().zip(tokens).for_each(|(palm, token)| palm.armed.push(token));
        }
        Ok(filled)
    }

    /// A gallery of the company's, at the nodes alone, that takes rows unchecked.
    async fn unchecked_home(&self, company: CompanyId) -> Result<GalleryId, VaultError> {
        let gallery = GalleryId::new(&*self.clock, &*self.random);
        let party = RelyingParty::Company(company);
        let policy = ThresholdPolicy::DUPLICATE_CHECK;
        let spec = NewGallery { gallery, party, purpose: Purpose::DuplicateCheck, policy };
        let spec = self.spec_of(spec, policy.thresholds());
        let spec = GallerySpec {
            purpose: GalleryPurpose::DangerUnchecked,
            party: RelyingName::from(party),
            ..spec
        };
        let name = OperationName::draw(&*self.random);
        self.nodes.operate(name, &Change::OpenGallery(spec), None).await?;
        Ok(gallery)
    }

    /// Stores left palms of random numbers; the first one's slot.
    async fn store_nobody(
        &self,
        home: GalleryId,
        count: usize,
        until: Timestamp,
    ) -> Result<Slot, VaultError> {
        let random = &*self.random;
        let mut numbers: Zeroizing<Vec<i16>> = Zeroizing::new(Vec::with_capacity(count * LENGTH));
        for _ in 0..count {
            numbers.extend(random_vector(random).into_iter().map(i16::from));
        }
        let dealt = Dealt::deal(&numbers, LENGTH, random).map_err(|_| VaultError::NotDealt)?;
        let challenges = Challenges::fetch(&self.nodes, &self.deployment).await?;
        let (name, gallery) = (OperationName::draw(random), GalleryName::from(home));
        let usage = Use::reference(gallery, name.0, [0; 16]);
        let own = self.devices.own();
        let shares = seal(dealt, &usage, &challenges, &self.deployment, own, random)?;
        let change = Change::Enrol(Enrolment {
            gallery,
            first_slot: 0,
            sides: vec![Side::Left; count],
            until,
            consent: [0; 16],
            device: own.name,
            checks: Vec::new(),
            checked_at: 0,
        });
        self.nodes.operate(name, &change, Some(shares)).await.map(|done| done.first_slot)
    }

    async fn arm_all(
        self: &Arc<Self>,
        gallery: GalleryId,
        slots: &[Slot],
        until: Timestamp,
    ) -> Result<(), VaultError> {
        for part in slots.chunks(ASKED_AT_ONCE) {
            let mut asked = JoinSet::new();
            for &slot in part {
                let inner = self.clone();
                asked.spawn(async move {
                    let (gallery, consent) = (GalleryName::from(gallery), [0; 16]);
                    let change = Change::Arm { gallery, slot, until, consent };
                    inner.nodes.operate(OperationName::draw(&*inner.random), &change, None).await
                });
            }
            while let Some(armed) = asked.join_next().await {
                armed.map_err(|_| VaultError::Stopping)??;
            }
        }
        let recorded = self.store.transaction("front.danger_arm", |tx| {
            Box::pin(async move {
                for &slot in slots {
                    let slot = records::id_of(slot);
                    gallery_records::arm(tx, ArmingRow { gallery, slot, until }).await?;
                }
                Ok::<_, VaultError>(())
            })
        });
        recorded.await?;
        let mut directory = self.directory_mut();
        slots.iter().for_each(|slot| directory.arm(gallery, *slot, until));
        Ok(())
    }

    /// What a gallery's party knows the slots by, in their order.
    async fn deliver_all(
        self: &Arc<Self>,
        gallery: GalleryId,
        slots: &[Slot],
    ) -> Result<Vec<PairwiseToken>, VaultError> {
        let at: Standing = self.standing().await?;
        let mut tokens = Vec::with_capacity(slots.len());
        for part in slots.chunks(ASKED_AT_ONCE) {
            let mut asked = JoinSet::new();
            for &slot in part {
                let inner = self.clone();
                asked.spawn(
                    async move { (slot, inner.delivered(gallery, Side::Left, slot, at).await) },
                );
            }
            let mut part = Vec::with_capacity(part.len());
            while let Some(delivered) = asked.join_next().await {
                let (slot, token) = delivered.map_err(|_| VaultError::Stopping)?;
                part.push((slot, token?));
            }
            part.sort_unstable_by_key(|(slot, _)| *slot);
            tokens.extend(part.into_iter().map(|(_, token)| token));
        }
        Ok(tokens)
    }

    async fn keep(
        &self,
        company: CompanyId,
        slots: &[Slot],
        tokens: &[PairwiseToken],
    ) -> Result<(), VaultError> {
        let palm = |(slot, token): (&Slot, &PairwiseToken)| {
            let (slot, token, side) = (*slot, *token, Side::Left);
            Palm { slot, company, token, side, deletion: None }
        };
        let palms: Vec<Palm> = slots.iter().zip(tokens).map(palm).collect();
        let sealed: Vec<Vec<u8>> =
            palms.iter().map(|palm| self.seal.seal_palm(palm, &*self.random)).collect();
        let (stored, sealed) = (&palms, &sealed);
        let recorded = self.store.transaction("front.danger_fill", |tx| {
            Box::pin(async move {
                for (palm, sealed) in stored.iter().zip(sealed) {
                    records::insert_palm(tx, palm, sealed).await?;
                }
                Ok::<_, VaultError>(())
            })
        });
        recorded.await?;
        palms.into_iter().for_each(|palm| self.directory_mut().add_palm(palm));
        self.keep_known(RelyingParty::Company(company), slots, tokens).await
    }

    async fn keep_known(
        &self,
        party: RelyingParty,
        slots: &[Slot],
        tokens: &[PairwiseToken],
    ) -> Result<(), VaultError> {
        let sealed: Vec<Vec<u8>> = slots
            .iter()
            .zip(tokens)
            .map(|(slot, token)| self.seal.seal_known(party, *slot, *token, &*self.random))
            .collect();
        let sealed = &sealed;
        let recorded = self.store.transaction("front.danger_known", |tx| {
            Box::pin(async move {
                for (slot, sealed) in slots.iter().zip(sealed) {
                    records::insert_known(tx, party, *slot, sealed).await?;
                }
                Ok::<_, VaultError>(())
            })
        });
        recorded.await?;
        let mut directory = self.directory_mut();
        let known = slots.iter().zip(tokens);
        known.for_each(|(slot, token)| directory.add_known(party, *token, *slot));
        Ok(())
    }
}
