//! References in memory: one flat row each, where a search reads them one after the other.

use std::collections::HashMap;
use std::fmt;

use handfast_palm::{LENGTH, Reference};
use zeroize::{Zeroize, Zeroizing};

use crate::SlotId;

/// Rows in a block. Blocks are allocated whole and never moved: growing one long vector would copy
/// templates and leave the old memory as it was. 256 rows of 2,048 bytes are half a megabyte.
const BLOCK_ROWS: usize = 256;

/// Where a row lies: counted over all blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row(usize);

/// The references of all slots that are searched. Memory is zeroed when a row is erased and when
/// all is dropped.
#[derive(Default)]
pub(crate) struct ResidentReferences {
    blocks: Vec<Zeroizing<Box<[i8]>>>,
    rows: HashMap<SlotId, Row>,
    free: Vec<Row>,
}

impl ResidentReferences {
    /// Takes up a slot's reference, in place of an earlier one.
    pub(crate) fn hold(&mut self, slot: SlotId, reference: &Reference) {
        let row = match self.rows.get(&slot) {
            Some(&row) => row,
            None => self.free_row(),
        };
        self.rows.insert(slot, row);
        self.values_mut(row).copy_from_slice(reference.vector());
    }

    /// Zeroes a slot's row; nothing where it has none.
    pub(crate) fn erase(&mut self, slot: SlotId) {
        if let Some(row) = self.rows.remove(&slot) {
            self.values_mut(row).zeroize();
            self.free.push(row);
        }
    }

    /// Where a slot's reference lies; `None` where it has none.
    pub(crate) fn row(&self, slot: SlotId) -> Option<Row> {
        self.rows.get(&slot).copied()
    }

    /// The numbers of a row.
    pub(crate) fn values(&self, row: Row) -> &[i8] {
        &self.blocks[row.0 / BLOCK_ROWS][row.0 % BLOCK_ROWS * LENGTH..][..LENGTH]
    }

    fn values_mut(&mut self, row: Row) -> &mut [i8] {
        &mut self.blocks[row.0 / BLOCK_ROWS][row.0 % BLOCK_ROWS * LENGTH..][..LENGTH]
    }

    fn free_row(&mut self) -> Row {
        if let Some(row) = self.free.pop() {
            return row;
        }
        let first = self.blocks.len() * BLOCK_ROWS;
        self.blocks.push(Zeroizing::new(vec![0; BLOCK_ROWS * LENGTH].into_boxed_slice()));
        // The lowest row last, so that rows are taken in ascending order.
        self.free.extend((first + 1..first + BLOCK_ROWS).rev().map(Row));
        Row(first)
    }
}

impl fmt::Debug for ResidentReferences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResidentReferences").field("palms", &self.rows.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::random_reference;

    fn slot(number: usize) -> SlotId {
        SlotId::new(number as i64).unwrap()
    }

    #[test]
    fn every_slot_keeps_its_own_row() {
        let mut held = ResidentReferences::default();
        let count = BLOCK_ROWS + 3;
        for number in 1..=count {
            held.hold(slot(number), &random_reference(number as u64));
        }
        held.erase(slot(7));
        held.hold(slot(count + 1), &random_reference(999));
        assert_eq!(held.blocks.len(), 2, "the erased row was used again");
        assert!(held.row(slot(7)).is_none());
        for number in (1..=count).filter(|&number| number != 7) {
            let row = held.row(slot(number)).unwrap();
            assert_eq!(held.values(row), random_reference(number as u64).vector());
        }
    }

    #[test]
    fn an_erased_row_is_zero_in_memory() {
        let mut held = ResidentReferences::default();
        held.hold(slot(1), &random_reference(1));
        let row = held.row(slot(1)).unwrap();
        assert!(held.values(row).iter().any(|&value| value != 0), "the control sees the palm");
        held.erase(slot(1));
        assert!(held.values(row).iter().all(|&value| value == 0));
        held.erase(slot(1));
    }
}
