//! The rows of one side of a gallery in memory, in segments that searches share.

use std::sync::Arc;

use handfast_mpc::{Role, Rows, RowsError};
use zeroize::Zeroizing;

use super::places::{BLOCK, PlaceChange};
use super::store::RowBytes;

/// Room that the first segment begins with; later ones begin with all they will need.
const FIRST_ROOM: usize = 64;

/// What rows look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowShape {
    role: Role,
    dimension: usize,
    per_slot: usize,
    row_bytes: usize,
}

impl RowShape {
    pub(crate) fn new(role: Role, dimension: usize, per_slot: usize) -> Self {
        let row_bytes = Rows::new(role, dimension, 0).stored_length();
        Self { role, dimension, per_slot, row_bytes }
    }

    pub(crate) const fn per_slot(self) -> usize {
        self.per_slot
    }

    /// Bytes of all of a slot's rows.
    pub(crate) const fn slot_bytes(self) -> usize {
        self.row_bytes * self.per_slot
    }

    fn empty(self, room: usize) -> Segment {
        let rows = || Rows::new(self.role, self.dimension, room);
        Segment { rows: (0..self.per_slot).map(|_| rows()).collect() }
    }
}

/// Up to [`BLOCK`] slots' rows: for each of a slot's rows, those of all slots.
#[derive(Debug)]
pub(crate) struct Segment {
    rows: Vec<Rows>,
}

impl Segment {
    pub(crate) fn rows(&self) -> Vec<&Rows> {
        self.rows.iter().collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.rows.first().map_or(0, Rows::count)
    }

    pub(crate) fn dimension(&self) -> usize {
        self.rows.first().map_or(0, Rows::dimension)
    }

    /// A slot's rows, one after the other; zeros for `None`.
    pub(crate) fn push(&mut self, bytes: Option<&[u8]>) -> Result<(), RowsError> {
        let length = self.rows.first().map_or(0, Rows::stored_length);
        let (expected, found) = (length * self.rows.len(), bytes.map_or(0, <[u8]>::len));
        if bytes.is_some() && found != expected {
            return Err(RowsError::StoredLength { expected, found });
        }
        let zeros = Zeroizing::new(vec![0; if bytes.is_none() { length } else { 0 }]);
        for (at, rows) in self.rows.iter_mut().enumerate() {
            let row = match bytes {
                Some(bytes) => &bytes[at * length..(at + 1) * length],
                None => &zeros,
            };
            rows.push_stored(row)?;
        }
        Ok(())
    }

    pub(crate) fn get(&self, at: usize) -> Result<RowBytes, RowsError> {
        let mut bytes = Zeroizing::new(Vec::new());
        for rows in &self.rows {
            let row = rows.stored(at)?;
            bytes.reserve_exact(self.rows.len() * row.len());
            bytes.extend_from_slice(&row);
        }
        Ok(bytes)
    }

    /// One slot of it, for itself.
    pub(crate) fn single(shape: RowShape, bytes: Option<&[u8]>) -> Result<Self, RowsError> {
        let mut single = shape.empty(1);
        single.push(bytes)?;
        Ok(single)
    }
}

/// All rows of one side.
#[derive(Debug)]
pub(crate) struct SideRows {
    shape: RowShape,
    segments: Vec<Arc<Segment>>,
}

impl SideRows {
    pub(crate) const fn new(shape: RowShape) -> Self {
        Self { shape, segments: Vec::new() }
    }

    pub(crate) const fn shape(&self) -> RowShape {
        self.shape
    }

    pub(crate) fn count(&self) -> usize {
        let full = self.segments.len().saturating_sub(1) * BLOCK;
        full + self.segments.last().map_or(0, |last| last.count())
    }

    pub(crate) fn bytes(&self) -> u64 {
        (self.count() * self.shape.slot_bytes()) as u64
    }

    /// The segments as they are now; later changes leave them as they are.
    pub(crate) fn snapshot(&self) -> Vec<Arc<Segment>> {
        self.segments.clone()
    }

    pub(crate) fn get(&self, place: u32) -> Result<RowBytes, RowsError> {
        let (segment, at) = (place as usize / BLOCK, place as usize % BLOCK);
        match self.segments.get(segment) {
            Some(segment) => segment.get(at),
            None => Err(RowsError::NoRow { row: place as usize, rows: self.count() }),
        }
    }

    /// Adds a slot's rows at the end; zeros for `None`.
    pub(crate) fn push(&mut self, bytes: Option<&[u8]>) -> Result<(), RowsError> {
        if self.count().is_multiple_of(BLOCK) {
            let room = if self.segments.is_empty() { FIRST_ROOM } else { BLOCK };
            self.segments.push(Arc::new(self.shape.empty(room)));
        }
        let last = self.segments.len() - 1;
        self.own(last)?.push(bytes)
    }

    /// Puts a slot's rows in a place.
    pub(crate) fn set(&mut self, place: u32, bytes: Option<&[u8]>) -> Result<(), RowsError> {
        let (segment, at) = (place as usize / BLOCK, place as usize % BLOCK);
        if bytes.is_none()
            && let Some(segment) = self.segments.get_mut(segment).and_then(Arc::get_mut)
        {
            return segment.rows.iter_mut().try_for_each(|rows| rows.clear(at));
        }
        let Some(old) = self.segments.get(segment) else {
            return Err(RowsError::NoRow { row: place as usize, rows: self.count() });
        };
        let mut new = self.shape.empty(old.count());
        for row in 0..old.count() {
            if row == at { new.push(bytes)? } else { new.push(Some(&old.get(row)?))? }
        }
        self.segments[segment] = Arc::new(new);
        Ok(())
    }

    /// Follows a change of places; `bytes` are those of a slot that was added.
    pub(crate) fn follow(
        &mut self,
        change: &PlaceChange,
        bytes: Option<&[u8]>,
    ) -> Result<(), RowsError> {
        match change {
            PlaceChange::Added(_) => self.push(bytes),
            PlaceChange::Freed(place) => self.set(*place, None),
            PlaceChange::Kept(kept) => {
                let mut moved = Self::new(self.shape);
                for &place in kept {
                    moved.push(Some(&self.get(place)?))?;
                }
                *self = moved;
                Ok(())
            }
        }
    }

    /// A segment that nobody else uses: copied where a search uses it.
    fn own(&mut self, segment: usize) -> Result<&mut Segment, RowsError> {
        if Arc::get_mut(&mut self.segments[segment]).is_none() {
            let old = &self.segments[segment];
            let mut copy = self.shape.empty(BLOCK);
            for row in 0..old.count() {
                copy.push(Some(&old.get(row)?))?;
            }
            self.segments[segment] = Arc::new(copy);
        }
        Ok(Arc::get_mut(&mut self.segments[segment]).expect("a copy is not shared"))
    }
}

#[cfg(test)]
mod tests {
    use handfast_model::{Random, SeededRandom};

    use super::*;

    fn shape() -> RowShape {
        RowShape::new(Role::B, 10, 2)
    }

    fn row(seed: u64) -> Vec<u8> {
        let mut bytes = vec![0; shape().slot_bytes()];
        SeededRandom::new(seed).fill(&mut bytes);
        bytes
    }

    #[test]
    fn rows_stay_in_their_places_whatever_searches_hold() {
        let mut rows = SideRows::new(shape());
        for seed in 0..(2 * BLOCK as u64 + 10) {
            rows.push(Some(&row(seed))).unwrap();
            let held = rows.snapshot();
            drop(held);
        }
        let held = rows.snapshot();
        rows.push(Some(&row(9_999))).unwrap();
        rows.set(3, None).unwrap();
        rows.set(5, Some(&row(7_777))).unwrap();
        assert_eq!(*held[0].get(3).unwrap(), row(3), "a search keeps what it began with");
        assert_eq!(held[2].count() + 1, 11);
        assert_eq!(*rows.get(3).unwrap(), vec![0; shape().slot_bytes()]);
        assert_eq!(*rows.get(5).unwrap(), row(7_777));
        assert_eq!(*rows.get(2 * BLOCK as u32 + 10).unwrap(), row(9_999));
        drop(held);
        rows.follow(&PlaceChange::Freed(4), None).unwrap();
        assert_eq!(*rows.get(4).unwrap(), vec![0; shape().slot_bytes()]);
        rows.follow(&PlaceChange::Kept(vec![0, 600, 1_030]), None).unwrap();
        assert_eq!(rows.count(), 3);
        assert_eq!(*rows.get(1).unwrap(), row(600));
        assert!(rows.get(3).is_err() && rows.push(Some(&[1])).is_err());
    }
}
