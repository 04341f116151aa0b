//! What the front knows by heart: galleries, and which token is which slot. It holds no share.

use std::collections::{BTreeMap, HashMap};

use handfast_model::{CompanyId, GalleryId, PairwiseToken, RelyingParty, Timestamp};
use handfast_palm::Side;

use crate::VaultError;
use crate::gallery::{Galleries, Gallery, GalleryState};
use crate::node::OperationName;

/// A slot of the nodes.
pub(super) type Slot = u64;

/// A palm of a company.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Palm {
    pub(super) slot: Slot,
    pub(super) company: CompanyId,
    pub(super) token: PairwiseToken,
    pub(super) side: Side,
    /// The deletion that has begun, if one has.
    pub(super) deletion: Option<OperationName>,
}

/// An image of the front's database in memory, changed only after the database was.
#[derive(Debug, Default)]
pub(super) struct Directory {
    pub(super) galleries: Galleries,
    palms: HashMap<(CompanyId, PairwiseToken), Slot>,
    slots: BTreeMap<Slot, Palm>,
    /// What relying parties know palms by.
    known: HashMap<(RelyingParty, PairwiseToken), Slot>,
    tokens: HashMap<Slot, HashMap<RelyingParty, PairwiseToken>>,
    armings: HashMap<GalleryId, HashMap<Slot, Timestamp>>,
}

impl Directory {
    pub(super) fn put_gallery(&mut self, gallery: Gallery) {
        if gallery.state == GalleryState::Closed {
            self.armings.remove(&gallery.spec.gallery);
        }
        self.galleries.put(gallery);
    }

    pub(super) fn add_palm(&mut self, palm: Palm) {
        self.palms.insert((palm.company, palm.token), palm.slot);
        self.slots.insert(palm.slot, palm);
    }

    /// A company's palm that is not being deleted.
    pub(super) fn palm(
        &self,
        company: CompanyId,
        token: PairwiseToken,
    ) -> Result<Palm, VaultError> {
        let slot = self.palms.get(&(company, token)).ok_or(VaultError::PalmUnknown)?;
        self.slots.get(slot).copied().ok_or(VaultError::PalmUnknown)
    }

    pub(super) fn palms_of(&self, company: CompanyId) -> Vec<PairwiseToken> {
        let own = self.slots.values().filter(|palm| palm.company == company);
        own.map(|palm| palm.token).collect()
    }

    pub(super) fn palms(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn mark_deleting(&mut self, slots: &[Slot], deletion: OperationName) {
        for slot in slots {
            if let Some(palm) = self.slots.get_mut(slot) {
                palm.deletion = Some(deletion);
            }
        }
    }

    /// Deletions that have begun and are not acknowledged by all three nodes.
    pub(super) fn deletions(&self) -> Vec<(OperationName, Vec<Slot>)> {
        let mut deletions: BTreeMap<OperationName, Vec<Slot>> = BTreeMap::new();
        for palm in self.slots.values() {
            if let Some(deletion) = palm.deletion {
                deletions.entry(deletion).or_default().push(palm.slot);
            }
        }
        deletions.into_iter().collect()
    }

    pub(super) fn remove(&mut self, slots: &[Slot]) {
        for slot in slots {
            if let Some(palm) = self.slots.remove(slot) {
                self.palms.remove(&(palm.company, palm.token));
            }
            for (party, token) in self.tokens.remove(slot).into_iter().flatten() {
                self.known.remove(&(party, token));
            }
            for armings in self.armings.values_mut() {
                armings.remove(slot);
            }
        }
    }

    pub(super) fn add_known(&mut self, party: RelyingParty, token: PairwiseToken, slot: Slot) {
        self.known.insert((party, token), slot);
        self.tokens.entry(slot).or_default().insert(party, token);
    }

    /// Whose token this is.
    pub(super) fn known(&self, party: RelyingParty, token: PairwiseToken) -> Option<Slot> {
        self.known.get(&(party, token)).copied()
    }

    /// What a party knows a slot by.
    pub(super) fn token(&self, party: RelyingParty, slot: Slot) -> Option<PairwiseToken> {
        self.tokens.get(&slot)?.get(&party).copied()
    }

    pub(super) fn side(&self, slot: Slot) -> Option<Side> {
        self.slots.get(&slot).map(|palm| palm.side)
    }

    pub(super) fn arm(&mut self, gallery: GalleryId, slot: Slot, until: Timestamp) {
        self.armings.entry(gallery).or_default().insert(slot, until);
    }

    pub(super) fn disarm(&mut self, gallery: GalleryId, slots: &[Slot]) {
        if let Some(armings) = self.armings.get_mut(&gallery) {
            armings.retain(|slot, _| !slots.contains(slot));
        }
    }

    pub(super) fn armed_until(&self, gallery: GalleryId, slot: Slot) -> Option<Timestamp> {
        self.armings.get(&gallery)?.get(&slot).copied()
    }

    pub(super) fn armed(&self, gallery: GalleryId, now: Timestamp) -> usize {
        let armings = self.armings.get(&gallery);
        armings.map_or(0, |armings| armings.values().filter(|until| now < **until).count())
    }

    /// Where a slot is armed.
    pub(super) fn armings_of(&self, slot: Slot) -> Vec<(GalleryId, Timestamp)> {
        let of_slot = |(gallery, armings): (&GalleryId, &HashMap<Slot, Timestamp>)| {
            armings.get(&slot).map(|until| (*gallery, *until))
        };
        self.armings.iter().filter_map(of_slot).collect()
    }

    /// Armings that ended at `now` or earlier.
    pub(super) fn expired(&self, now: Timestamp) -> Vec<(GalleryId, Vec<Slot>)> {
        let mut expired = Vec::new();
        for (gallery, armings) in &self.armings {
            let mut slots: Vec<Slot> =
                armings.iter().filter(|(_, until)| **until <= now).map(|(slot, _)| *slot).collect();
            slots.sort_unstable();
            if !slots.is_empty() {
                expired.push((*gallery, slots));
            }
        }
        expired
    }
}
