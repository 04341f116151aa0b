//! What a node does with its disk when it starts, and rows in memory afterwards.

use handfast_palm::Side;

use super::chain::Current;
use super::machine::{Node, NodeError};
use super::names::GalleryName;
use super::operation::{Change, GallerySpec, Operation, Verdict};
use super::places::PlaceChange;
use super::roster::{RowChange, side_index};
use super::side_rows::{RowShape, SideRows};
use super::store::{Batch, NodeStoreError, RowBytes, Undecided};

/// Rows that an operation brings into memory; `None` where the node lacks them.
pub(super) type NewRows = Vec<(u64, Option<RowBytes>)>;

impl Node {
    /// Follows the stored list from its beginning.
    pub(super) fn follow_list(&mut self) -> Result<(), NodeError> {
        let (roster, chain) = (&mut self.roster, &mut self.chain);
        let mut broken = None;
        self.store.operations(1, &mut |certified| {
            let operation = &certified.operation;
            if let Err(refusal) = roster.check(operation) {
                broken = Some(format!("operation {}: {refusal}", operation.number));
                return false;
            }
            roster.apply(operation);
            chain.note_committed(operation.name, operation.number);
            true
        })?;
        match broken {
            Some(why) => Err(NodeStoreError::Damaged(why).into()),
            None => Ok(()),
        }
    }

    pub(super) fn row_shape(&self, gallery: GalleryName) -> Option<RowShape> {
        Some(self.row_shape_of(&self.roster.gallery(gallery).ok()?.spec))
    }

    pub(super) fn row_shape_of(&self, spec: &GallerySpec) -> RowShape {
        let (dimension, rows) = (usize::from(spec.dimension), usize::from(spec.rows_per_slot));
        RowShape::new(self.keys.role, dimension, rows)
    }

    /// Reads all rows into every open gallery, and notes which are lacking.
    pub(super) fn load_rows(&mut self) -> Result<(), NodeStoreError> {
        self.rows.clear();
        self.lacking = self.roster.slots().collect();
        let names: Vec<GalleryName> =
            self.roster.galleries().map(|gallery| gallery.spec.gallery).collect();
        for &name in &names {
            if let Some(shape) = self.row_shape(name) {
                self.rows.insert(name, [SideRows::new(shape), SideRows::new(shape)]);
            }
        }
        let out_of_order = self.load_homes()?;
        for (name, side, slot) in out_of_order {
            let bytes = self.store.row(slot)?;
            let place = self.place_of(name, side, slot);
            if let (Some(place), Some(rows)) = (place, self.rows.get_mut(&name)) {
                rows[side_index(side)].set(place, bytes.as_deref().map(Vec::as_slice))?;
            }
        }
        for name in names {
            for side in [Side::Left, Side::Right] {
                self.fill_side(name, side)?;
            }
        }
        Ok(())
    }

    /// Reads all rows again where those in memory are not the list's.
    pub(super) fn load_rows_again(&mut self) {
        if !self.rows_fit {
            let loaded = self.load_rows();
            self.rows_fit = self.stored(loaded).is_ok();
        }
    }

    fn place_of(&self, name: GalleryName, side: Side, slot: u64) -> Option<u32> {
        self.roster.gallery(name).ok()?.places(side).place_of(slot)
    }

    /// One pass over all rows fills the galleries in which palms were enrolled, whose places ascend
    /// with the slots but for few; those are returned.
    fn load_homes(&mut self) -> Result<Vec<(GalleryName, Side, u64)>, NodeStoreError> {
        let Self { roster, rows, lacking, store, .. } = self;
        let mut out_of_order = Vec::new();
        let mut failed = Ok(());
        store.rows(&mut |slot, bytes| {
            let Some(palm) = roster.palm(slot) else { return };
            lacking.remove(&slot);
            let gallery = roster.home(palm);
            let name = gallery.spec.gallery;
            let Some(place) = gallery.places(palm.side).place_of(slot) else { return };
            let Some(sides) = rows.get_mut(&name) else { return };
            let side = &mut sides[side_index(palm.side)];
            if failed.is_err() {
                return;
            }
            if side.count() > place as usize {
                out_of_order.push((name, palm.side, slot));
                return;
            }
            while side.count() < place as usize && failed.is_ok() {
                failed = side.push(None);
            }
            if failed.is_ok() {
                failed = side.push(Some(bytes));
            }
        })?;
        failed?;
        Ok(out_of_order)
    }

    /// Adds what a side's places have beyond the rows that are there: zeros for free ones.
    fn fill_side(&mut self, name: GalleryName, side: Side) -> Result<(), NodeStoreError> {
        let Ok(gallery) = self.roster.gallery(name) else { return Ok(()) };
        let there = self.rows.get(&name).map_or(0, |rows| rows[side_index(side)].count());
        let slots: Vec<u64> =
            gallery.places(side).iter().skip(there).map(|place| place.slot).collect();
        for slot in slots {
            let bytes = if slot == 0 { None } else { self.row_of(slot)? };
            if let Some(rows) = self.rows.get_mut(&name) {
                rows[side_index(side)].push(bytes.as_deref().map(Vec::as_slice))?;
            }
        }
        Ok(())
    }

    /// A stored palm's row: from memory where it is armed at home, else from disk.
    pub(super) fn row_of(&mut self, slot: u64) -> Result<Option<RowBytes>, NodeStoreError> {
        if self.lacking.contains(&slot) {
            return Ok(None);
        }
        let place = self.roster.palm(slot).filter(|_| self.rows_fit).and_then(|palm| {
            let gallery = self.roster.home(palm);
            let place = gallery.places(palm.side).place_of(slot)?;
            let rows = self.rows.get(&gallery.spec.gallery)?;
            rows[side_index(palm.side)].get(place).ok()
        });
        match place {
            Some(bytes) => Ok(Some(bytes)),
            None => self.store.row(slot),
        }
    }

    /// An undecided operation is decided from here on; rows that belong to nothing are destroyed.
    pub(super) fn take_up_undecided(
        &mut self,
        undecided: Option<Undecided>,
    ) -> Result<(), NodeError> {
        let mut keep = 0..0;
        let is_next = |undecided: &Undecided| {
            let Operation { number, previous, .. } = undecided.operation;
            (number, previous) == (self.roster.head.number + 1, self.roster.head.hash)
        };
        let undecided = undecided.filter(is_next);
        if let Some(Undecided { operation, vote: Some(vote), .. }) = &undecided
            && let Change::Enrol(enrolment) = &operation.change
            && vote.verdict == Verdict::Prepared
        {
            keep = enrolment.first_slot..enrolment.first_slot + enrolment.sides.len() as u64;
        }
        let mut stray = self.store.slots()?;
        stray.retain(|slot| self.roster.palm(*slot).is_none() && !keep.contains(slot));
        if !stray.is_empty() {
            self.store.commit(Batch { destroy: stray, ..Batch::default() })?;
        }
        if let Some(undecided) = undecided {
            self.chain.current = Some(Current::stored(undecided, self.keys.role));
        }
        Ok(())
    }

    /// The rows that following an operation will need, read before it is committed.
    pub(super) fn rows_for(&mut self, operation: &Operation) -> Result<NewRows, NodeStoreError> {
        match &operation.change {
            Change::Enrol(enrolment) => {
                let slots = enrolment.slots();
                slots.map(|(slot, _)| Ok((slot, self.store.row(slot)?))).collect()
            }
            Change::Arm { slot, .. } => Ok(vec![(*slot, self.row_of(*slot)?)]),
            _ => Ok(Vec::new()),
        }
    }

    /// Follows a committed operation in memory.
    pub(super) fn follow(
        &mut self,
        operation: &Operation,
        rows: &NewRows,
    ) -> Result<(), NodeStoreError> {
        let changes = self.roster.apply(operation);
        self.chain.note_committed(operation.name, operation.number);
        match &operation.change {
            Change::Enrol(_) => {
                let lost = rows.iter().filter(|(_, bytes)| bytes.is_none());
                self.lacking.extend(lost.map(|(slot, _)| *slot));
            }
            Change::Delete { slots } => slots.iter().for_each(|slot| {
                self.lacking.remove(slot);
            }),
            _ => {}
        }
        for change in changes {
            self.follow_rows(change, rows)?;
        }
        Ok(())
    }

    fn follow_rows(&mut self, change: RowChange, new: &NewRows) -> Result<(), NodeStoreError> {
        match change {
            RowChange::Opened(name) => {
                if let Some(shape) = self.row_shape(name) {
                    self.rows.insert(name, [SideRows::new(shape), SideRows::new(shape)]);
                }
            }
            RowChange::Closed(name) => {
                self.stop_searches_in(name);
                self.rows.remove(&name);
            }
            RowChange::Moved(name, side, change) => {
                let bytes = match change {
                    PlaceChange::Added(slot) => {
                        // An operation's slots ascend.
                        let row = new.binary_search_by_key(&slot, |(new, _)| *new).ok();
                        row.and_then(|at| new[at].1.as_deref().map(Vec::as_slice))
                    }
                    _ => None,
                };
                if let Some(rows) = self.rows.get_mut(&name) {
                    rows[side_index(side)].follow(&change, bytes)?;
                }
            }
            RowChange::Renewed => {
                self.stop_all_searches();
                self.load_rows()?;
            }
        }
        Ok(())
    }
}
