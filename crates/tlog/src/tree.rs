//! The shape of the tree: its right edge, the proofs' recursions, and how proofs are checked
//! (RFC 6962, section 2.1; the checks are the loops of RFC 9162, sections 2.1.3.2 and 2.1.4.2).

use thiserror::Error;

use crate::hash::TreeHash;

/// Hashes in a full tile (C2SP tlog-tiles).
pub const TILE_WIDTH: usize = 256;
/// Levels of the tree within one tile: log2 of [`TILE_WIDTH`].
pub const TILE_HEIGHT: u32 = 8;
/// Most leaves that this crate accepts in a checkpoint: at a million a second nine years, so a
/// bigger number is bad input; and shifts by a level never reach the width of the type.
pub const LEAVES_MAX: u64 = 1 << 48;
/// Levels of tiles that a tree of [`LEAVES_MAX`] leaves has.
pub const TILE_LEVELS_MAX: u32 = 7;
/// Hashes in the longest proof: one for each level, and one more where a consistency proof begins.
pub const PROOF_HASHES_MAX: usize = 63;

const _: () = assert!(1 << TILE_HEIGHT == TILE_WIDTH);
const _: () = assert!(LEAVES_MAX < 1 << (TILE_HEIGHT * TILE_LEVELS_MAX));

/// The right edge of a tree: for each level of tiles, the hashes that do not fill a tile yet. All
/// that appending needs, and enough to compute the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    levels: Vec<Vec<TreeHash>>,
}

/// A tile that an append has just filled.
#[derive(Clone, Debug)]
pub struct FilledTile {
    /// 0 holds leaf hashes.
    pub level: u32,
    /// Counted from the left.
    pub index: u64,
    /// [`TILE_WIDTH`] of them.
    pub hashes: Vec<TreeHash>,
}

impl Edge {
    /// Of a tree without leaves.
    #[must_use]
    pub const fn empty() -> Self {
        Self { size: 0, levels: Vec::new() }
    }

    /// From the partial tiles of a tree of `size` leaves, the lowest level first; `None` where
    /// their widths are not those of such a tree.
    #[must_use]
    pub fn from_levels(size: u64, levels: Vec<Vec<TreeHash>>) -> Option<Self> {
        let fits = levels.iter().zip(0..).all(|(level, at)| level.len() == edge_width(size, at));
        (fits && levels.len() == level_count(size)).then_some(Self { size, levels })
    }

    /// Leaves in the tree.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The hashes of each level that do not fill a tile, the lowest level first.
    #[must_use]
    pub fn levels(&self) -> &[Vec<TreeHash>] {
        &self.levels
    }

    /// Appends a leaf; every tile that it fills is handed to `filled`, the lowest first.
    pub fn push(&mut self, leaf: TreeHash, mut filled: impl FnMut(FilledTile)) {
        let mut hash = leaf;
        let mut level = 0;
        self.size += 1;
        loop {
            if self.levels.len() == level {
                self.levels.push(Vec::with_capacity(TILE_WIDTH));
            }
            self.levels[level].push(hash);
            if self.levels[level].len() < TILE_WIDTH {
                return;
            }
            let hashes = std::mem::replace(&mut self.levels[level], Vec::with_capacity(TILE_WIDTH));
            hash = subtree_root(&hashes);
            let index = (self.size >> (TILE_HEIGHT * (level as u32 + 1))) - 1;
            filled(FilledTile { level: level as u32, index, hashes });
            level += 1;
        }
    }

    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> TreeHash {
        let mut right: Option<TreeHash> = None;
        for level in &self.levels {
            // A width is a sum of powers of two; each is a complete subtree, the widest leftmost.
            let mut end = level.len();
            while end > 0 {
                let width = 1 << end.trailing_zeros();
                let left = subtree_root(&level[end - width..end]);
                right = Some(right.map_or(left, |right| TreeHash::of_node(left, right)));
                end -= width;
            }
        }
        right.unwrap_or_else(TreeHash::of_nothing)
    }
}

/// Hashes at the right edge of tile level `level` of a tree of `size` leaves.
#[must_use]
pub fn edge_width(size: u64, level: u32) -> usize {
    (size >> (TILE_HEIGHT * level)) as usize % TILE_WIDTH
}

/// Levels of tiles that a tree of `size` leaves has.
#[must_use]
pub fn level_count(size: u64) -> usize {
    (u64::BITS - size.leading_zeros()).div_ceil(TILE_HEIGHT) as usize
}

/// The root of a complete subtree above `hashes`, a power of two of them.
///
/// # Panics
/// Where their number is not a power of two: the caller has cut the tree wrongly.
#[must_use]
pub fn subtree_root(hashes: &[TreeHash]) -> TreeHash {
    assert!(hashes.len().is_power_of_two(), "a complete subtree has a power of two of hashes");
    let mut row = [TreeHash::from_bytes([0; TreeHash::LEN]); TILE_WIDTH];
    let mut width = hashes.len();
    row[..width].copy_from_slice(hashes);
    while width > 1 {
        width /= 2;
        for at in 0..width {
            row[at] = TreeHash::of_node(row[2 * at], row[2 * at + 1]);
        }
    }
    row[0]
}

/// The biggest power of two below `width`, where RFC 6962 cuts a tree of that many leaves.
pub(crate) const fn cut(width: u64) -> u64 {
    1 << (u64::BITS - 1 - (width - 1).leading_zeros())
}

/// A run of leaves, from the first to before the second.
pub(crate) type Run = (u64, u64);

/// The runs whose hashes make an inclusion proof of leaf `index` in a tree of `size`, in its order.
pub(crate) fn inclusion_runs(index: u64, size: u64) -> Vec<Run> {
    let (mut start, mut end) = (0, size);
    let mut runs = Vec::new();
    while end - start > 1 {
        let middle = start + cut(end - start);
        if index < middle {
            runs.push((middle, end));
            end = middle;
        } else {
            runs.push((start, middle));
            start = middle;
        }
    }
    runs.reverse();
    runs
}

/// The runs whose hashes make a consistency proof between two sizes, in its order.
pub(crate) fn consistency_runs(old: u64, new: u64) -> Vec<Run> {
    if old == 0 || old >= new {
        return Vec::new();
    }
    let (mut start, mut end) = (0, new);
    let mut runs = Vec::new();
    while end != old {
        let middle = start + cut(end - start);
        if old <= middle {
            runs.push((middle, end));
            end = middle;
        } else {
            runs.push((start, middle));
            start = middle;
        }
    }
    // The old tree itself needs no hash: whoever checks already has its root.
    if start > 0 {
        runs.push((start, end));
    }
    runs.reverse();
    runs
}

/// Why a proof does not prove what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TreeProofError {
    /// No such leaf in a tree of that size.
    #[error("a tree of {size} leaves has no leaf {index}; ask for a proof in a newer checkpoint")]
    OutsideTree {
        /// The leaf's place.
        index: u64,
        /// Leaves in the tree.
        size: u64,
    },
    /// The proof has too few or too many hashes.
    #[error("the proof has {got} hashes, which is not the number that these sizes need")]
    Length {
        /// Hashes in the proof.
        got: usize,
    },
    /// The hashes lead to another root.
    #[error(
        "the proof leads to another root than the checkpoint's: the leaf, the proof or the log is \
         not the one that was signed"
    )]
    OtherRoot,
    /// The newer tree is smaller than the older one.
    #[error("a tree of {new} leaves cannot follow one of {old}: the log was cut")]
    Shrunk {
        /// Leaves in the older tree.
        old: u64,
        /// Leaves in the newer tree.
        new: u64,
    },
}

/// Checks that leaf `index`, with this hash, is in the tree of `size` leaves with this root.
///
/// # Errors
/// Where the proof does not show it.
pub fn check_inclusion(
    leaf: TreeHash,
    index: u64,
    size: u64,
    root: TreeHash,
    proof: &[TreeHash],
) -> Result<(), TreeProofError> {
    if index >= size {
        return Err(TreeProofError::OutsideTree { index, size });
    }
    let wrong_length = TreeProofError::Length { got: proof.len() };
    let (mut place, mut last, mut hash) = (index, size - 1, leaf);
    for &sibling in proof {
        if last == 0 {
            return Err(wrong_length);
        }
        if place & 1 == 1 || place == last {
            hash = TreeHash::of_node(sibling, hash);
            while place & 1 == 0 && place != 0 {
                (place, last) = (place >> 1, last >> 1);
            }
        } else {
            hash = TreeHash::of_node(hash, sibling);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    match (last, hash == root) {
        (0, true) => Ok(()),
        (0, false) => Err(TreeProofError::OtherRoot),
        _ => Err(wrong_length),
    }
}

/// Checks that the tree of `new_size` leaves begins with the tree of `old_size` leaves.
///
/// # Errors
/// Where the proof does not show it.
pub fn check_consistency(
    old_size: u64,
    old_root: TreeHash,
    new_size: u64,
    new_root: TreeHash,
    proof: &[TreeHash],
) -> Result<(), TreeProofError> {
    let wrong_length = TreeProofError::Length { got: proof.len() };
    if new_size < old_size {
        return Err(TreeProofError::Shrunk { old: old_size, new: new_size });
    }
    if old_size == 0 || old_size == new_size {
        let same = old_size != new_size || old_root == new_root;
        let sound = same && (old_size > 0 || old_root == TreeHash::of_nothing());
        return match (proof.is_empty(), sound) {
            (false, _) => Err(wrong_length),
            (true, false) => Err(TreeProofError::OtherRoot),
            (true, true) => Ok(()),
        };
    }
    // A complete old tree is its own first hash, and the proof leaves it out.
    let first = if old_size.is_power_of_two() { Some(old_root) } else { None };
    let mut hashes = first.into_iter().chain(proof.iter().copied());
    let start = hashes.next().ok_or(wrong_length)?;
    let (mut place, mut last) = (old_size - 1, new_size - 1);
    let shift = place.trailing_ones();
    (place, last) = (place >> shift, last >> shift);
    let (mut old_hash, mut new_hash) = (start, start);
    for hash in hashes {
        if last == 0 {
            return Err(wrong_length);
        }
        if place & 1 == 1 || place == last {
            old_hash = TreeHash::of_node(hash, old_hash);
            new_hash = TreeHash::of_node(hash, new_hash);
            while place & 1 == 0 && place != 0 {
                (place, last) = (place >> 1, last >> 1);
            }
        } else {
            new_hash = TreeHash::of_node(new_hash, hash);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    match (last, old_hash == old_root && new_hash == new_root) {
        (0, true) => Ok(()),
        (0, false) => Err(TreeProofError::OtherRoot),
        _ => Err(wrong_length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6962's definition, word for word: the slow oracle.
    fn root_by_definition(leaves: &[TreeHash]) -> TreeHash {
        match leaves {
            [] => TreeHash::of_nothing(),
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(cut(leaves.len() as u64) as usize);
                TreeHash::of_node(root_by_definition(left), root_by_definition(right))
            }
        }
    }

    fn leaves(count: u64) -> Vec<TreeHash> {
        (0..count).map(|at| TreeHash::of_leaf(&at.to_be_bytes())).collect()
    }

    fn hashes_of(leaves: &[TreeHash], runs: &[Run]) -> Vec<TreeHash> {
        let slice = |&(start, end): &Run| &leaves[start as usize..end as usize];
        runs.iter().map(|run| root_by_definition(slice(run))).collect()
    }

    #[test]
    fn the_edge_has_the_root_of_the_definition_and_fills_tiles_in_order() {
        let leaves = leaves(70_000);
        let mut edge = Edge::empty();
        let mut filled = Vec::new();
        for (count, &leaf) in leaves.iter().enumerate() {
            if count < 600 {
                assert_eq!(edge.root(), root_by_definition(&leaves[..count]), "{count} leaves");
            }
            edge.push(leaf, |tile| filled.push(tile));
        }
        assert_eq!(edge.root(), root_by_definition(&leaves));
        // The example of C2SP tlog-tiles.
        let widths: Vec<usize> = edge.levels().iter().map(Vec::len).collect();
        assert_eq!(widths, [112, 17, 1]);
        let count_at = |level| filled.iter().filter(|tile| tile.level == level).count();
        assert_eq!((count_at(0), count_at(1), count_at(2)), (273, 1, 0));
        for tile in filled.iter().filter(|tile| tile.level == 0) {
            let start = tile.index as usize * TILE_WIDTH;
            assert_eq!(tile.hashes, leaves[start..start + TILE_WIDTH]);
        }
        let again = Edge::from_levels(edge.size(), edge.levels().to_vec());
        assert_eq!(again, Some(edge.clone()));
        assert_eq!(Edge::from_levels(edge.size() + 1, edge.levels().to_vec()), None);
    }

    #[test]
    fn every_inclusion_proof_of_small_trees_holds_and_every_changed_one_fails() {
        let leaves = leaves(40);
        for size in 1..=40_u64 {
            let root = root_by_definition(&leaves[..size as usize]);
            for index in 0..size {
                let mut proof = hashes_of(&leaves, &inclusion_runs(index, size));
                let leaf = leaves[index as usize];
                assert_eq!(check_inclusion(leaf, index, size, root, &proof), Ok(()));
                let other = leaves[(index as usize + 1) % 40];
                assert!(check_inclusion(other, index, size, root, &proof).is_err());
                if size > 1 {
                    assert!(check_inclusion(leaf, (index + 1) % size, size, root, &proof).is_err());
                }
                proof.push(root);
                assert!(check_inclusion(leaf, index, size, root, &proof).is_err());
                proof.pop();
                if proof.pop().is_some() {
                    assert!(check_inclusion(leaf, index, size, root, &proof).is_err());
                }
            }
            let outside = check_inclusion(leaves[0], size, size, root, &[]);
            assert_eq!(outside, Err(TreeProofError::OutsideTree { index: size, size }));
        }
    }

    #[test]
    fn every_consistency_proof_of_small_trees_holds_and_every_fork_fails() {
        let leaves = leaves(40);
        let root = |size: u64| root_by_definition(&leaves[..size as usize]);
        for (old, new) in (0..=40).flat_map(|new| (0..=new).map(move |old| (old, new))) {
            let proof = hashes_of(&leaves, &consistency_runs(old, new));
            assert_eq!(check_consistency(old, root(old), new, root(new), &proof), Ok(()));
            let forked = TreeHash::of_leaf(b"fork");
            assert!(check_consistency(old, forked, new, root(new), &proof).is_err(), "{old} {new}");
            if old > 0 {
                assert!(check_consistency(old, root(old), new, forked, &proof).is_err());
            }
            if new > old {
                let shrunk = check_consistency(new, root(new), old, root(old), &proof);
                assert_eq!(shrunk, Err(TreeProofError::Shrunk { old: new, new: old }));
            }
            for at in 0..proof.len() {
                let mut changed = proof.clone();
                changed[at] = forked;
                assert!(check_consistency(old, root(old), new, root(new), &changed).is_err());
                changed.remove(at);
                assert!(check_consistency(old, root(old), new, root(new), &changed).is_err());
            }
        }
    }
}
