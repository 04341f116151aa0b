//! The comparison of a search, from its first chunk to its last.

use std::collections::{HashMap, HashSet};

use handfast_model::Timestamp;
use handfast_mpc::{Message, Party, ProbeWeights, QueryKeys, Role, TOKEN};

use crate::node::lengths::LengthRun;

/// The comparison under way.
pub(super) struct Run {
    pub(super) probe: ProbeWeights,
    /// Of each chunk, until it begins.
    pub(super) keys: Vec<Option<QueryKeys>>,
    pub(super) time: Timestamp,
    /// Chunks begun.
    pub(super) begun: u32,
    /// Chunks of the gallery.
    pub(super) gallery: u32,
    /// The checks of lengths; none where no node is strict.
    pub(super) lengths: Option<LengthRun>,
    pub(super) open: HashMap<u32, Chunk>,
    pub(super) sums: Vec<[u8; TOKEN]>,
}

/// One chunk under way.
pub(super) struct Chunk {
    pub(super) party: Party,
    pub(super) waiting: Vec<Message>,
    pub(super) seen: HashSet<(Role, u8)>,
}

impl Run {
    /// Chunks that compare no rows, but what was dealt with its bounds: numbered after the gallery's, and
    /// begun before them, so that what they open is there when the gallery is done (with one vector,
    /// which has no result to be joined with others, half a round trip later).
    pub(super) fn length_chunks(&self) -> u32 {
        self.lengths.as_ref().map_or(0, |lengths| lengths.plan.chunks())
    }

    pub(super) fn total(&self) -> u32 {
        self.gallery + self.length_chunks()
    }

    /// The chunk that begins next.
    pub(super) fn next(&self) -> Option<u32> {
        match self.begun.checked_sub(self.length_chunks()) {
            None => Some(self.gallery + self.begun),
            Some(chunk) => (chunk < self.gallery).then_some(chunk),
        }
    }

    /// How many chunks begin before this one; none where there is no such chunk.
    pub(super) fn before(&self, chunk: u32) -> Option<u32> {
        match chunk.checked_sub(self.gallery) {
            None => Some(self.length_chunks() + chunk),
            Some(check) => (check < self.length_chunks()).then_some(check),
        }
    }

    /// Whether all checks of lengths are done here.
    pub(super) fn lengths_are_done(&self) -> bool {
        let checks = self.open.keys().any(|chunk| *chunk >= self.gallery);
        self.begun >= self.length_chunks() && !checks
    }

    /// Whether this node's part may be let go.
    pub(super) fn is_done(&self) -> bool {
        let all = self.begun == self.total() && self.open.is_empty();
        all && self.lengths.as_ref().is_none_or(|lengths| lengths.short)
    }
}
