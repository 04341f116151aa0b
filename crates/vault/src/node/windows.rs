//! How a search is cut into chunks, and how many of them go through the rounds side by side.

/// Comparisons in a chunk at most, where a segment of rows does not have more by itself: its buffers
/// stay in a processor's caches.
const CHUNK_COMPARISONS: usize = 1 << 16;
/// Chunks of a search under way at a time: all those of a hover among ten thousand rows, so that the
/// distance between nodes is waited for once a round and not once a round and chunk.
const IDLE: u32 = 32;
/// The same where the node has much to do: every search goes on, and computing hides a round trip.
const BUSY: u32 = 4;
/// Chunks of all searches under way from which on a node has much to do: each is about a megabyte.
const MUCH: usize = 64;

/// A node's choices. Nodes cut alike; how many chunks each has under way is its own business.
#[derive(Clone, Copy, Debug)]
pub(super) struct Windows {
    /// Comparisons in a chunk at most.
    pub(super) chunk: usize,
    idle: u32,
    busy: u32,
    much: usize,
}

impl Default for Windows {
    fn default() -> Self {
        Self { chunk: CHUNK_COMPARISONS, idle: IDLE, busy: BUSY, much: MUCH }
    }
}

impl Windows {
    /// A peer is never further ahead: it has so many chunks under way at most, and has ended none that
    /// this node has not begun.
    pub(super) const AHEAD_MAX: u32 = IDLE;

    /// How many chunks of each search may be under way where all searches have `open` now.
    pub(super) const fn of_each(&self, open: usize) -> u32 {
        if open >= self.much { self.busy } else { self.idle }
    }
}

#[cfg(test)]
impl Windows {
    /// Small chunks, so that searches of few rows have many, and other windows for each node.
    pub(super) fn of_test(seed: u64) -> Self {
        let [idle, busy, much] = [[IDLE, BUSY, 64], [1, 1, 1], [3, 2, 5]][(seed % 3) as usize];
        Self { chunk: 64, idle, busy, much: much as usize }
    }
}
