//! What follows from the list of operations: galleries, slots, armings, devices. Every node that
//! followed the same list has the same roster.

use std::collections::{HashMap, VecDeque};

use handfast_mpc::VECTORS_MAX;
use handfast_palm::Side;

use super::names::{DeviceName, GalleryName, Hash, Head};
use super::operation::{Change, Enrolment, GalleryPurpose, GallerySpec, Operation};
use super::places::{PlaceChange, Places};
use super::refusal::{Reason, Refusal};
use crate::deployment::DeploymentId;

/// Heads that are remembered, so that a search at a slightly earlier operation can be served.
const HEADS_KEPT: usize = 1024;

/// A stored palm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Palm {
    /// Which of the galleries for enrolment is its home, see [`Roster::home`].
    home: u32,
    pub(crate) side: Side,
}

/// A gallery and what is armed in it.
#[derive(Clone, Debug)]
pub(crate) struct Gallery {
    pub(crate) spec: GallerySpec,
    pub(crate) open: bool,
    /// The first operation at which it can still be searched as it was then.
    pub(crate) serves_from: u64,
    /// The last operation that enrolled somebody in it.
    pub(crate) enrolled_at: u64,
    sides: [Places; 2],
}

pub(crate) const fn side_index(side: Side) -> usize {
    match side {
        Side::Left => 0,
        Side::Right => 1,
    }
}

impl Gallery {
    pub(crate) fn places(&self, side: Side) -> &Places {
        &self.sides[side_index(side)]
    }
}

/// What an operation means for rows in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RowChange {
    /// A gallery has rows now.
    Opened(GalleryName),
    /// It has none any more.
    Closed(GalleryName),
    /// Its rows moved, on one side.
    Moved(GalleryName, Side, PlaceChange),
    /// Every row has new shares.
    Renewed,
}

/// The state that nodes have in common.
#[derive(Clone, Debug)]
pub(crate) struct Roster {
    pub(crate) head: Head,
    pub(crate) epoch: u64,
    pub(crate) next_slot: u64,
    palms: Vec<Option<Palm>>,
    stored: u64,
    homes: Vec<GalleryName>,
    galleries: HashMap<GalleryName, Gallery>,
    devices: HashMap<DeviceName, [u8; 32]>,
    heads: VecDeque<Hash>,
}

impl Roster {
    pub(crate) fn new(deployment: DeploymentId) -> Self {
        let head = Head::genesis(deployment);
        Self {
            head,
            epoch: 0,
            next_slot: 1,
            palms: Vec::new(),
            stored: 0,
            homes: Vec::new(),
            galleries: HashMap::new(),
            devices: HashMap::new(),
            heads: VecDeque::from([head.hash]),
        }
    }

    /// Palms stored.
    pub(crate) const fn stored(&self) -> u64 {
        self.stored
    }

    pub(crate) fn palm(&self, slot: u64) -> Option<Palm> {
        let at = usize::try_from(slot.checked_sub(1)?).ok()?;
        self.palms.get(at).copied().flatten()
    }

    /// Slots of stored palms, ascending.
    pub(crate) fn slots(&self) -> impl Iterator<Item = u64> {
        (1..).zip(&self.palms).filter_map(|(slot, palm)| palm.map(|_| slot))
    }

    /// The gallery in which a palm was enrolled.
    pub(crate) fn home(&self, palm: Palm) -> &Gallery {
        &self.galleries[&self.homes[palm.home as usize]]
    }

    pub(crate) fn gallery(&self, name: GalleryName) -> Result<&Gallery, Refusal> {
        let gallery = self.galleries.get(&name).ok_or(Reason::GalleryUnknown)?;
        if gallery.open { Ok(gallery) } else { Err(Reason::GalleryClosed.into()) }
    }

    pub(crate) fn galleries(&self) -> impl Iterator<Item = &Gallery> {
        self.galleries.values().filter(|gallery| gallery.open)
    }

    pub(crate) fn device(&self, device: DeviceName) -> Result<&[u8; 32], Refusal> {
        self.devices.get(&device).ok_or_else(|| Reason::DeviceUnknown.into())
    }

    /// The head at an operation, while it is remembered.
    pub(crate) fn hash_at(&self, number: u64) -> Option<Hash> {
        let back = usize::try_from(self.head.number.checked_sub(number)?).ok()?;
        self.heads.iter().rev().nth(back).copied()
    }

    /// Whether an operation can come next.
    pub(crate) fn check(&self, operation: &Operation) -> Result<(), Refusal> {
        if operation.number != self.head.number + 1 || operation.previous != self.head.hash {
            return Err(Reason::OutOfOrder.with(self.head.number));
        }
        match &operation.change {
            Change::OpenGallery(spec) => self.check_open(spec),
            Change::CloseGallery(gallery) => self.gallery(*gallery).map(drop),
            Change::Enrol(enrolment) => self.check_enrol(enrolment),
            Change::Arm { gallery, slot, .. } => self.check_arm(*gallery, *slot),
            Change::Disarm { gallery, .. } => self.gallery(*gallery).map(drop),
            Change::Delete { slots } => {
                let known = slots.iter().all(|&slot| self.palm(slot).is_some());
                if known { Ok(()) } else { Err(Reason::SlotUnknown.into()) }
            }
            Change::Refresh | Change::ProvisionDevice { .. } => Ok(()),
            Change::RevokeDevice(device) => self.device(*device).map(drop),
        }
    }

    fn check_open(&self, spec: &GallerySpec) -> Result<(), Refusal> {
        match self.galleries.get(&spec.gallery) {
            Some(there) if there.open && there.spec == *spec => Ok(()),
            Some(_) => Err(Reason::Exists.into()),
            // A second one would be a way around the duplicate check of the first.
            None if self.has_other_home(spec) => Err(Reason::Exists.into()),
            None => spec.check(),
        }
    }

    /// Whether palms of a gallery's party were enrolled in another one, open or closed. One that a
    /// front opened and forgot holds nobody, and hinders nobody.
    fn has_other_home(&self, spec: &GallerySpec) -> bool {
        let enrolment = GalleryPurpose::Enrolment;
        let is_it = |other: &Gallery| {
            (other.spec.purpose, other.spec.party) == (enrolment, spec.party)
                && other.spec.gallery != spec.gallery
                && other.enrolled_at > 0
        };
        spec.purpose == enrolment && self.galleries.values().any(is_it)
    }

    fn check_enrol(&self, enrolment: &Enrolment) -> Result<(), Refusal> {
        let gallery = self.gallery(enrolment.gallery)?;
        let checks = match gallery.spec.purpose {
            GalleryPurpose::Enrolment if self.has_other_home(&gallery.spec) => {
                return Err(Reason::Exists.into());
            }
            GalleryPurpose::Enrolment => enrolment.sides.len(),
            GalleryPurpose::DangerUnchecked => 0,
            _ => return Err(Reason::GalleryUnknown.into()),
        };
        if enrolment.first_slot != self.next_slot {
            return Err(Reason::OutOfOrder.with(self.next_slot));
        }
        let rows = usize::from(gallery.spec.rows_per_slot);
        if enrolment.sides.len() * rows > VECTORS_MAX {
            return Err(Reason::Limits.into());
        }
        if enrolment.checks.len() != checks {
            return Err(Reason::Unchecked.with(enrolment.checks.len() as u64));
        }
        if checks > 0 && gallery.enrolled_at > enrolment.checked_at {
            return Err(Reason::CheckOutdated.with(gallery.enrolled_at));
        }
        for side in [Side::Left, Side::Right] {
            let new = enrolment.sides.iter().filter(|&&new| new == side).count();
            check_room(gallery, side, new)?;
        }
        Ok(())
    }

    fn check_arm(&self, name: GalleryName, slot: u64) -> Result<(), Refusal> {
        let gallery = self.gallery(name)?;
        let palm = self.palm(slot).ok_or(Reason::SlotUnknown)?;
        let (home, spec) = (&self.home(palm).spec, &gallery.spec);
        let shape = |spec: &GallerySpec| (spec.model_version, spec.dimension, spec.rows_per_slot);
        if shape(home) != shape(spec) {
            return Err(Reason::Limits.into());
        }
        let new = usize::from(gallery.places(palm.side).place_of(slot).is_none());
        check_room(gallery, palm.side, new)
    }

    /// Follows the list by one operation that was checked.
    pub(crate) fn apply(&mut self, operation: &Operation) -> Vec<RowChange> {
        let number = operation.number;
        let mut changes = Vec::new();
        match &operation.change {
            Change::OpenGallery(spec) => changes.extend(self.open(spec, number)),
            Change::CloseGallery(name) => {
                if let Some(gallery) = self.galleries.get_mut(name) {
                    gallery.open = false;
                    gallery.sides = Default::default();
                    changes.push(RowChange::Closed(*name));
                }
            }
            Change::Enrol(enrolment) => self.enrol(enrolment, number, &mut changes),
            Change::Arm { gallery, slot, until, .. } => {
                if let Some(palm) = self.palm(*slot) {
                    self.arm(*gallery, *slot, palm.side, (number, *until), &mut changes);
                }
            }
            Change::Disarm { gallery, slots } => {
                for &slot in slots {
                    self.disarm(*gallery, slot, number, &mut changes);
                }
            }
            Change::Delete { slots } => self.delete(slots, number, &mut changes),
            Change::Refresh => {
                self.epoch += 1;
                changes.push(RowChange::Renewed);
            }
            Change::ProvisionDevice { device, key } => {
                self.devices.insert(*device, *key);
            }
            Change::RevokeDevice(device) => {
                self.devices.remove(device);
            }
        }
        self.head = operation.head();
        self.heads.push_back(self.head.hash);
        if self.heads.len() > HEADS_KEPT {
            self.heads.pop_front();
        }
        changes
    }

    fn open(&mut self, spec: &GallerySpec, number: u64) -> Option<RowChange> {
        if self.galleries.contains_key(&spec.gallery) {
            return None;
        }
        if spec.purpose.is_home() {
            self.homes.push(spec.gallery);
        }
        let (open, serves_from, enrolled_at) = (true, number, 0);
        let gallery =
            Gallery { spec: *spec, open, serves_from, enrolled_at, sides: Default::default() };
        self.galleries.insert(spec.gallery, gallery);
        Some(RowChange::Opened(spec.gallery))
    }

    fn enrol(&mut self, enrolment: &Enrolment, number: u64, changes: &mut Vec<RowChange>) {
        let home = self.homes.iter().position(|home| *home == enrolment.gallery);
        let home = home.expect("a checked enrolment's gallery is a home") as u32;
        for (slot, side) in enrolment.slots() {
            self.palms.push(Some(Palm { home, side }));
            self.arm(enrolment.gallery, slot, side, (number, enrolment.until), changes);
        }
        let new = enrolment.sides.len() as u64;
        self.next_slot += new;
        self.stored += new;
        if let Some(gallery) = self.galleries.get_mut(&enrolment.gallery) {
            gallery.enrolled_at = number;
        }
    }

    fn arm(
        &mut self,
        name: GalleryName,
        slot: u64,
        side: Side,
        (number, until): (u64, handfast_model::Timestamp),
        changes: &mut Vec<RowChange>,
    ) {
        let Some(gallery) = self.galleries.get_mut(&name) else { return };
        let places = gallery.sides[side_index(side)].arm(slot, number, until);
        // Whoever is at an earlier operation has another end, or other places.
        if !matches!(places.as_slice(), [PlaceChange::Added(_)]) {
            gallery.serves_from = number;
        }
        changes.extend(places.into_iter().map(|change| RowChange::Moved(name, side, change)));
    }

    fn disarm(&mut self, name: GalleryName, slot: u64, number: u64, changes: &mut Vec<RowChange>) {
        let Some(gallery) = self.galleries.get_mut(&name) else { return };
        for side in [Side::Left, Side::Right] {
            if let Some(change) = gallery.sides[side_index(side)].disarm(slot) {
                gallery.serves_from = number;
                changes.push(RowChange::Moved(name, side, change));
            }
        }
    }

    fn delete(&mut self, slots: &[u64], number: u64, changes: &mut Vec<RowChange>) {
        let mut names: Vec<GalleryName> = self.galleries.keys().copied().collect();
        names.sort_unstable();
        for &slot in slots {
            for &name in &names {
                self.disarm(name, slot, number, changes);
            }
            let palm = slot.checked_sub(1).and_then(|at| self.palms.get_mut(at as usize));
            if palm.and_then(Option::take).is_some() {
                self.stored -= 1;
            }
        }
    }
}

fn check_room(gallery: &Gallery, side: Side, new: usize) -> Result<(), Refusal> {
    let slots_max = gallery.spec.policy.slots_max;
    if new > 0 && gallery.places(side).armed() + new > slots_max as usize {
        return Err(Reason::GalleryFull.with(u64::from(slots_max)));
    }
    Ok(())
}
