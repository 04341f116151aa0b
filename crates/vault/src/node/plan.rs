//! What a search goes through: the rows of one side of a gallery as they were when it began, cut
//! into chunks whose buffers stay in a processor's caches.

use std::sync::Arc;

use handfast_model::Timestamp;
use handfast_mpc::{
    Parameters, PartyError, ProbeWeights, RowsError, Shape, ShapeError, Threshold,
    local_products_together,
};
use thiserror::Error;

use super::places::{BLOCK, Place};
use super::side_rows::Segment;

/// Why rows and a probe do not go together; a gallery's policy and a probe's check prevent it.
#[derive(Debug, Error)]
pub(crate) enum PlanError {
    #[error(transparent)]
    Shape(#[from] ShapeError),
    #[error(transparent)]
    Rows(#[from] RowsError),
    #[error(transparent)]
    Party(#[from] PartyError),
}

/// Rows, places and how they are cut.
#[derive(Debug)]
pub(crate) struct Plan {
    segments: Vec<Arc<Segment>>,
    places: Vec<Arc<Vec<Place>>>,
    /// Slots compared: those after the search's operation are left out.
    slots: usize,
    per_slot: usize,
    threshold: Threshold,
    /// Comparisons in a chunk, at most, where a segment does not have more by itself.
    chunk: usize,
}

impl Plan {
    pub(crate) fn new(
        segments: Vec<Arc<Segment>>,
        places: Vec<Arc<Vec<Place>>>,
        (slots, per_slot): (usize, usize),
        threshold: Threshold,
        chunk: usize,
    ) -> Self {
        Self { segments, places, slots, per_slot, threshold, chunk }
    }

    /// Numbers in a row, and in a vector of a probe.
    pub(crate) fn dimension(&self) -> usize {
        self.segments.first().map_or(0, |segment| segment.dimension())
    }

    /// Segments in a chunk.
    fn stride(&self, vectors: usize) -> usize {
        (self.chunk / (BLOCK * self.per_slot * vectors)).max(1)
    }

    pub(crate) fn chunks(&self, vectors: usize) -> u32 {
        // At least one: a search of nobody takes as many messages as one of somebody.
        self.slots.div_ceil(BLOCK * self.stride(vectors)).max(1) as u32
    }

    /// Slots of a chunk: where they begin, and how many there are.
    fn range(&self, chunk: u32, vectors: usize) -> (usize, usize) {
        let length = BLOCK * self.stride(vectors);
        let first = chunk as usize * length;
        (first, length.min(self.slots.saturating_sub(first)))
    }

    pub(crate) fn shape(&self, chunk: u32, vectors: usize) -> Result<Shape, ShapeError> {
        let (_, slots) = self.range(chunk, vectors);
        Shape::new(slots.max(1), self.per_slot, vectors)
    }

    /// What is public of a chunk: who is in it, and whose arming has not ended at `time`.
    pub(crate) fn parameters(
        &self,
        chunk: u32,
        vectors: usize,
        time: Timestamp,
    ) -> Result<Parameters, PlanError> {
        let shape = self.shape(chunk, vectors)?;
        let (first, count) = self.range(chunk, vectors);
        let mut slots = vec![0; shape.slots()];
        let mut live = vec![0u64; shape.slot_words()];
        for (at, slot) in slots.iter_mut().enumerate().take(count) {
            let place = self.places[(first + at) / BLOCK][(first + at) % BLOCK];
            *slot = place.slot;
            if place.slot != 0 && place.until > time {
                live[at / 64] |= 1 << (at % 64);
            }
        }
        Ok(Parameters::new(shape, self.threshold, slots, live)?)
    }

    /// This node's summands of a chunk's scores, for several probes in one pass over the rows.
    pub(crate) fn products(
        &self,
        chunk: u32,
        probes: &[&ProbeWeights],
    ) -> Result<Vec<Vec<u16>>, PlanError> {
        let vectors = probes.first().map_or(1, |probe| probe.count());
        let shape = self.shape(chunk, vectors)?;
        let (first, count) = self.range(chunk, vectors);
        let stride = shape.slots_padded();
        let mut products: Vec<Vec<u16>> =
            probes.iter().map(|_| vec![0; shape.comparisons()]).collect();
        let segments = &self.segments[first / BLOCK..(first + count).div_ceil(BLOCK)];
        for (segment, at) in segments.iter().zip((0..).step_by(BLOCK)) {
            let rows = segment.rows();
            let part = Shape::new(segment.count(), self.per_slot, vectors)?;
            let passes = local_products_together(part, &rows, probes)?;
            let wanted = (count - at).min(BLOCK);
            for (products, mut pass) in products.iter_mut().zip(passes) {
                if pass.len() == products.len() && segments.len() == 1 {
                    std::mem::swap(products, &mut pass);
                    continue;
                }
                let layers = pass.chunks_exact(part.slots_padded());
                for (products, pass) in products.chunks_exact_mut(stride).zip(layers) {
                    products[at..at + wanted].copy_from_slice(&pass[..wanted]);
                }
            }
        }
        Ok(products)
    }
}

#[cfg(test)]
mod tests {
    use handfast_model::{Random, SeededRandom};
    use handfast_mpc::{Dealt, Role, Rows, local_products};

    use super::super::places::Places;
    use super::super::side_rows::{RowShape, SideRows};
    use super::*;

    /// A gallery cut into chunks gives what one pass over all rows gives.
    #[test]
    fn chunks_together_are_the_whole() {
        let (dimension, count) = (12, 3 * BLOCK + 77);
        let random = SeededRandom::new(3);
        for (per_slot, vectors) in [(1, 1), (2, 9), (1, 125), (2, 125)] {
            let shape = RowShape::new(Role::C, dimension, per_slot);
            let (mut side, mut places) = (SideRows::new(shape), Places::default());
            let mut whole: Vec<Rows> =
                (0..per_slot).map(|_| Rows::new(Role::C, dimension, count)).collect();
            for slot in 1..=count as u64 + 5 {
                let mut bytes = vec![0; shape.slot_bytes()];
                random.fill(&mut bytes);
                side.push(Some(&bytes)).unwrap();
                places.arm(slot, slot, Timestamp::MAX);
                if slot <= count as u64 {
                    let rows = whole.iter_mut().zip(bytes.chunks(shape.slot_bytes() / per_slot));
                    rows.for_each(|(rows, bytes)| rows.push_stored(bytes).unwrap());
                }
            }
            let probe = vec![3; dimension * vectors];
            let sets = Dealt::deal(&probe, dimension, &random).unwrap().sets;
            let weights = ProbeWeights::new(&sets[2]);
            let threshold = Threshold::new(100).unwrap();
            let slots = places.count_at(count as u64);
            let counts = (slots, per_slot);
            let plan = Plan::new(side.snapshot(), places.snapshot(), counts, threshold, 1 << 16);
            let all = Shape::new(count, per_slot, vectors).unwrap();
            let rows: Vec<&Rows> = whole.iter().collect();
            let expected = local_products(all, &rows, &weights).unwrap();
            let mut first = 0;
            for chunk in 0..plan.chunks(vectors) {
                let shape = plan.shape(chunk, vectors).unwrap();
                let products = plan.products(chunk, &[&weights, &weights]).unwrap();
                assert_eq!(products[0], products[1]);
                for layer in 0..shape.layers() {
                    let (there, here) =
                        (layer * all.slots_padded() + first, layer * shape.slots_padded());
                    let slots = shape.slots();
                    assert_eq!(products[0][here..here + slots], expected[there..there + slots]);
                }
                first += shape.slots();
                assert!(plan.parameters(chunk, vectors, Timestamp::from_micros(0)).is_ok());
            }
            assert_eq!(first, count);
        }
    }
}
