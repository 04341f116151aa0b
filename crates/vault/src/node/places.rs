//! Which slots stand where in one side of a gallery.
//!
//! Places are given in the order of the operations that arm, so that what stands there at an earlier
//! operation is the beginning of what stands there now, and nodes that are an operation apart
//! compare the same rows. A place that is freed stays, masked, until more than half are free; then
//! all that are armed move together, at an operation that all nodes know.

use std::collections::HashMap;
use std::sync::Arc;

use handfast_model::Timestamp;

/// Places in a block, and rows in a segment: a search takes whole segments to a chunk, and adding a
/// row while a search uses its segment copies half a megabyte, not a gallery.
pub(crate) const BLOCK: usize = 512;
/// Below so many places nothing is moved together.
const COMPACT_FROM: usize = 128;

/// One place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The slot; 0 where none is armed any more.
    pub(crate) slot: u64,
    /// The operation that armed it.
    pub(crate) armed_at: u64,
    /// Until when.
    pub(crate) until: Timestamp,
}

/// What a change of places means for rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PlaceChange {
    /// The slot's row comes at the end.
    Added(u64),
    /// The row at this place is overwritten.
    Freed(u32),
    /// Only these rows stay, in this order.
    Kept(Vec<u32>),
}

/// All places of one side.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    blocks: Vec<Arc<Vec<Place>>>,
    index: HashMap<u64, u32>,
}

impl Places {
    /// Slots armed.
    pub(crate) fn armed(&self) -> usize {
        self.index.len()
    }

    pub(crate) fn count(&self) -> usize {
        let full = self.blocks.len().saturating_sub(1) * BLOCK;
        full + self.blocks.last().map_or(0, |last| last.len())
    }

    pub(crate) fn place_of(&self, slot: u64) -> Option<u32> {
        self.index.get(&slot).copied()
    }

    pub(crate) fn get(&self, place: u32) -> Place {
        self.blocks[place as usize / BLOCK][place as usize % BLOCK]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Place> {
        self.blocks.iter().flat_map(|block| block.iter().copied())
    }

    /// The blocks as they are now; later changes leave them as they are.
    pub(crate) fn snapshot(&self) -> Vec<Arc<Vec<Place>>> {
        self.blocks.clone()
    }

    /// How many places there were after this operation.
    pub(crate) fn count_at(&self, operation: u64) -> usize {
        let before = |place: &Place| place.armed_at <= operation;
        let full = self.blocks.partition_point(|block| block.last().is_some_and(before));
        match self.blocks.get(full) {
            Some(block) => full * BLOCK + block.partition_point(before),
            None => self.count(),
        }
    }

    /// Arms a slot, or changes until when.
    pub(crate) fn arm(&mut self, slot: u64, armed_at: u64, until: Timestamp) -> Vec<PlaceChange> {
        if let Some(place) = self.place_of(slot) {
            self.get_mut(place).until = until;
            return Vec::new();
        }
        let mut changes = Vec::new();
        if self.count() >= COMPACT_FROM && 2 * self.armed() < self.count() {
            changes.push(self.compact());
        }
        if self.count().is_multiple_of(BLOCK) {
            self.blocks.push(Arc::new(Vec::new()));
        }
        // Slots in a side stay far below 2^32: a policy's limit has 32 bits.
        self.index.insert(slot, self.count() as u32);
        let last = self.blocks.last_mut().expect("a block was just added where none had room");
        Arc::make_mut(last).push(Place { slot, armed_at, until });
        changes.push(PlaceChange::Added(slot));
        changes
    }

    /// Disarms a slot; `None` where it is not armed.
    pub(crate) fn disarm(&mut self, slot: u64) -> Option<PlaceChange> {
        let place = self.index.remove(&slot)?;
        self.get_mut(place).slot = 0;
        Some(PlaceChange::Freed(place))
    }

    fn get_mut(&mut self, place: u32) -> &mut Place {
        &mut Arc::make_mut(&mut self.blocks[place as usize / BLOCK])[place as usize % BLOCK]
    }

    fn compact(&mut self) -> PlaceChange {
        let kept: Vec<(u32, Place)> =
            (0..).zip(self.iter()).filter(|(_, place)| place.slot != 0).collect();
        self.index = kept.iter().zip(0..).map(|((_, place), at)| (place.slot, at)).collect();
        let places: Vec<Place> = kept.iter().map(|(_, place)| *place).collect();
        self.blocks = places.chunks(BLOCK).map(|block| Arc::new(block.to_vec())).collect();
        PlaceChange::Kept(kept.into_iter().map(|(at, _)| at).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: Timestamp = Timestamp::MAX;

    #[test]
    fn an_earlier_operation_sees_the_beginning() {
        let mut places = Places::default();
        for slot in 1..=1_300 {
            places.arm(slot, slot.div_ceil(2), LATER);
        }
        for operation in [0, 1, 255, 256, 257, 512, 600, 650, 900] {
            let expected = places.iter().filter(|place| place.armed_at <= operation).count();
            assert_eq!(places.count_at(operation), expected, "{operation}");
        }
        assert_eq!((places.count(), places.armed()), (1_300, 1_300));
    }

    #[test]
    fn freed_places_stay_until_they_are_more_than_half() {
        let mut places = Places::default();
        for slot in 1..=200 {
            places.arm(slot, slot, LATER);
        }
        let before = places.snapshot();
        for slot in 1..=101 {
            assert_eq!(places.disarm(slot), Some(PlaceChange::Freed(slot as u32 - 1)));
        }
        assert_eq!(places.disarm(7), None);
        assert_eq!((places.count(), places.armed()), (200, 99));
        let changes = places.arm(500, 201, LATER);
        let kept: Vec<u32> = (101..200).collect();
        assert_eq!(changes, [PlaceChange::Kept(kept), PlaceChange::Added(500)]);
        assert_eq!(
            (places.count(), places.place_of(102), places.place_of(500)),
            (100, Some(0), Some(99))
        );
        assert_eq!(before[0][0].slot, 1, "a snapshot stays as it was");
    }

    #[test]
    fn arming_again_changes_only_the_end() {
        let mut places = Places::default();
        places.arm(5, 1, Timestamp::from_micros(1));
        assert_eq!(places.arm(5, 2, LATER), []);
        assert_eq!(places.get(0), Place { slot: 5, armed_at: 1, until: LATER });
    }
}
