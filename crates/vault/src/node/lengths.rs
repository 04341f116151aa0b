//! A strict search: before a node lets its part go, the three have checked that every vector dealt for the
//! search is short ([`handfast_mpc::LengthChecks`]), and opened among themselves whether all are.

use std::ops::Range;

use handfast_mpc::{
    LengthChecks, Parameters, PartyError, Selection, Shape, ShapeError, ShareSet, TOKEN,
};
use zeroize::Zeroizing;

use super::plan::PlanError;

/// The checks of one search's vectors, cut into chunks that are numbered after those of the gallery.
#[derive(Clone, Copy, Debug)]
pub(super) struct LengthPlan {
    checks: LengthChecks,
    /// The first chunk's number.
    first: u32,
    /// Checks in a chunk: as many as a chunk of a gallery has comparisons.
    chunk: usize,
}

impl LengthPlan {
    /// Of `vectors` vectors of `dimension` numbers, after `first` chunks of a gallery.
    pub(super) const fn new(dimension: usize, vectors: usize, first: u32, chunk: usize) -> Self {
        Self { checks: LengthChecks::new(dimension, vectors), first, chunk }
    }

    pub(super) const fn chunks(&self) -> u32 {
        self.checks.count().div_ceil(self.chunk) as u32
    }

    /// Whether a chunk of the search is one of these.
    pub(super) const fn has(&self, chunk: u32) -> bool {
        self.first <= chunk && chunk - self.first < self.chunks()
    }

    fn part(&self, chunk: u32) -> Range<usize> {
        let start = chunk.saturating_sub(self.first) as usize * self.chunk;
        start..self.checks.count().min(start + self.chunk)
    }

    pub(super) fn shape(&self, chunk: u32) -> Result<Shape, ShapeError> {
        LengthChecks::shape(&self.part(chunk))
    }
}

/// The checks under way.
pub(super) struct LengthRun {
    pub(super) plan: LengthPlan,
    summands: Zeroizing<Vec<u16>>,
    selection: Selection,
    /// This node's part of what is opened: of the chunks that are done.
    pub(super) part: [u8; TOKEN],
    /// Whether the nodes have opened that every vector is short.
    pub(super) short: bool,
}

impl LengthRun {
    pub(super) fn new(
        plan: LengthPlan,
        shares: &ShareSet,
        selection: Selection,
    ) -> Result<Self, PartyError> {
        let summands = plan.checks.summands(shares)?;
        Ok(Self { plan, summands, selection, part: [0; TOKEN], short: false })
    }

    /// What [`handfast_mpc::Party::start`] takes for a chunk.
    pub(super) fn chunk(
        &self,
        chunk: u32,
    ) -> Result<(Parameters, Vec<u16>, Vec<Selection>), PlanError> {
        let (part, shape) = (self.plan.part(chunk), self.plan.shape(chunk)?);
        let parameters = self.plan.checks.parameters(shape, part.clone())?;
        let mut summands = self.summands[part].to_vec();
        summands.resize(shape.comparisons(), 0);
        Ok((parameters, summands, vec![self.selection.clone()]))
    }
}
