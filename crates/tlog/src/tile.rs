//! Tiles and entry bundles (C2SP tlog-tiles): their paths, and reading a tree from them.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::Arc;

use thiserror::Error;

use crate::disk::TileSource;
use crate::hash::TreeHash;
use crate::tree::{
    Edge, Run, TILE_HEIGHT, TILE_WIDTH, consistency_runs, cut, edge_width, inclusion_runs,
    level_count, subtree_root,
};
use crate::wire::Fields;

/// Bytes before each entry of a bundle: its length.
const ENTRY_LEN_BYTES: usize = 2;

/// What a tile file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileKind {
    /// Leaves themselves, each behind two bytes of length.
    Entries,
    /// Hashes, 256 levels of the tree further up with each number; 0 holds leaf hashes.
    Hashes(u32),
}

/// A tile file's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TilePath {
    /// What it holds.
    pub kind: TileKind,
    /// Counted from the left.
    pub index: u64,
    /// Hashes or entries in it, 1 to 256.
    pub width: usize,
}

impl TilePath {
    /// A full tile.
    #[must_use]
    pub const fn full(kind: TileKind, index: u64) -> Self {
        Self { kind, index, width: TILE_WIDTH }
    }

    /// The folder of the narrower tiles that were there before this one was full.
    #[must_use]
    pub fn partial_dir(self) -> String {
        format!("{}.p", Self::full(self.kind, self.index))
    }
}

impl fmt::Display for TilePath {
    /// The path below the log's prefix, for example `tile/0/x001/x234/067.p/8`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Entries => f.write_str("tile/entries")?,
            TileKind::Hashes(level) => write!(f, "tile/{level}")?,
        }
        let digits = format!("{:03}", self.index);
        let digits = format!("{digits:0>width$}", width = digits.len().next_multiple_of(3));
        let last = digits.len() - 3;
        for at in (0..last).step_by(3) {
            write!(f, "/x{}", &digits[at..at + 3])?;
        }
        write!(f, "/{}", &digits[last..])?;
        if self.width < TILE_WIDTH { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

/// Why a tile could not be used.
#[derive(Clone, Debug, Error)]
pub enum TileError {
    /// It is not there.
    #[error("{path} is missing; copy it from a mirror of the log or from a backup")]
    Missing {
        /// Which tile.
        path: String,
    },
    /// Its bytes are not those of such a tile.
    #[error("{path} is damaged: {problem}; copy it from a mirror of the log or from a backup")]
    Damaged {
        /// Which tile.
        path: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// It could not be read.
    #[error("could not read {path}")]
    Unreadable {
        /// Which tile.
        path: String,
        /// The cause.
        #[source]
        source: Arc<io::Error>,
    },
}

/// The bytes of a hash tile.
pub(crate) fn encode_hashes(hashes: &[TreeHash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

/// Adds an entry to the bytes of a bundle.
///
/// # Panics
/// Where the entry is longer than 65,535 bytes; leaves are far shorter.
pub(crate) fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) {
    let len = u16::try_from(entry.len()).expect("leaves are shorter than 64 KiB");
    bundle.extend_from_slice(&len.to_be_bytes());
    bundle.extend_from_slice(entry);
}

/// Where a full tile's subset `width` ends in the bytes of a bundle.
fn bundle_prefix(bytes: &[u8], width: usize) -> Option<usize> {
    let mut end = 0;
    for _ in 0..width {
        let len = bytes.get(end..end + ENTRY_LEN_BYTES)?;
        end += ENTRY_LEN_BYTES + usize::from(u16::from_be_bytes([len[0], len[1]]));
    }
    (end <= bytes.len()).then_some(end)
}

/// Reads the tiles of a tree of a known size. Nothing it returns is checked against a root.
#[derive(Clone, Copy)]
pub struct TreeFiles<'a> {
    source: &'a dyn TileSource,
    size: u64,
}

impl<'a> TreeFiles<'a> {
    /// Tiles of a tree of `size` leaves.
    #[must_use]
    pub const fn new(source: &'a dyn TileSource, size: u64) -> Self {
        Self { source, size }
    }

    /// Leaves in the tree.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The name of the tile at a place of this tree, whose width follows from the tree's size.
    pub(crate) fn path(&self, kind: TileKind, index: u64) -> TilePath {
        let level = match kind {
            TileKind::Entries => 0,
            TileKind::Hashes(level) => level,
        };
        let whole = self.size >> (TILE_HEIGHT * level);
        let left = whole.saturating_sub(index.saturating_mul(TILE_WIDTH as u64));
        TilePath { kind, index, width: left.min(TILE_WIDTH as u64) as usize }
    }

    fn read(&self, path: TilePath) -> Result<Vec<u8>, TileError> {
        let name = path.to_string();
        let read = |name: &str| {
            self.source.read(name).map_err(|source| TileError::Unreadable {
                path: name.to_owned(),
                source: Arc::new(source),
            })
        };
        if let Some(bytes) = read(&name)? {
            return Ok(bytes);
        }
        // A log may drop a partial tile once the full one is there: its beginning is the same.
        let full = TilePath::full(path.kind, path.index).to_string();
        let bytes = if full == name { None } else { read(&full)? };
        let mut bytes = bytes.ok_or(TileError::Missing { path: name })?;
        let end = match path.kind {
            TileKind::Entries => bundle_prefix(&bytes, path.width),
            TileKind::Hashes(_) => Some(path.width * TreeHash::LEN),
        };
        match end {
            Some(end) if end <= bytes.len() => bytes.truncate(end),
            _ => return Err(TileError::Damaged { path: full, problem: "its end is missing" }),
        }
        Ok(bytes)
    }

    /// The hashes of a tile.
    ///
    /// # Errors
    /// Where it is missing or has another width.
    pub fn hashes(&self, level: u32, index: u64) -> Result<Vec<TreeHash>, TileError> {
        let path = self.path(TileKind::Hashes(level), index);
        let bytes = self.read(path)?;
        let (hashes, rest) = bytes.as_chunks::<{ TreeHash::LEN }>();
        if !rest.is_empty() || hashes.len() != path.width {
            let problem = "its length is not that of its hashes";
            return Err(TileError::Damaged { path: path.to_string(), problem });
        }
        Ok(hashes.iter().copied().map(TreeHash::from_bytes).collect())
    }

    /// The entries of a bundle.
    ///
    /// # Errors
    /// Where it is missing or has another number of entries.
    pub fn entries(&self, index: u64) -> Result<Vec<Vec<u8>>, TileError> {
        let path = self.path(TileKind::Entries, index);
        let bytes = self.read(path)?;
        let mut fields = Fields::new(&bytes);
        let entries: Result<Vec<_>, _> = (0..path.width)
            .map(|_| {
                fields.u16().and_then(|len| fields.bytes(usize::from(len))).map(<[u8]>::to_vec)
            })
            .collect();
        match (entries, fields.is_empty()) {
            (Ok(entries), true) => Ok(entries),
            _ => Err(TileError::Damaged {
                path: path.to_string(),
                problem: "it is not the right number of entries",
            }),
        }
    }

    /// The right edge, from the partial tiles.
    ///
    /// # Errors
    /// Where one of them is missing or has another width.
    pub fn edge(&self) -> Result<Edge, TileError> {
        let mut levels = Vec::new();
        for level in 0..level_count(self.size) as u32 {
            let whole = self.size >> (TILE_HEIGHT * level);
            levels.push(match edge_width(self.size, level) {
                0 => Vec::new(),
                _ => self.hashes(level, whole / TILE_WIDTH as u64)?,
            });
        }
        Ok(Edge::from_levels(self.size, levels).expect("each level was read with its width"))
    }
}

/// Computes hashes of runs of leaves from tiles, reading each tile once.
pub(crate) struct RunHashes<'a> {
    files: TreeFiles<'a>,
    tiles: HashMap<(u32, u64), Vec<TreeHash>>,
}

impl<'a> RunHashes<'a> {
    pub(crate) fn new(files: TreeFiles<'a>) -> Self {
        Self { files, tiles: HashMap::new() }
    }

    /// An inclusion proof of leaf `index` in the tree of these files' size.
    pub(crate) fn inclusion(&mut self, index: u64) -> Result<Vec<TreeHash>, TileError> {
        self.of_runs(&inclusion_runs(index, self.files.size))
    }

    /// A consistency proof from a smaller tree of `old` leaves.
    pub(crate) fn consistency(&mut self, old: u64) -> Result<Vec<TreeHash>, TileError> {
        self.of_runs(&consistency_runs(old, self.files.size))
    }

    fn of_runs(&mut self, runs: &[Run]) -> Result<Vec<TreeHash>, TileError> {
        runs.iter().map(|&run| self.of_run(run)).collect()
    }

    /// The hash above a run that RFC 6962's cuts lead to.
    pub(crate) fn of_run(&mut self, (start, end): Run) -> Result<TreeHash, TileError> {
        let mut start = start;
        let mut lefts = Vec::new();
        while !(end - start).is_power_of_two() {
            let width = cut(end - start);
            lefts.push(self.of_subtree(start, width)?);
            start += width;
        }
        let last = self.of_subtree(start, end - start)?;
        Ok(lefts.into_iter().rev().fold(last, |right, left| TreeHash::of_node(left, right)))
    }

    /// The hash above `width` leaves, a power of two that `start` is a multiple of.
    fn of_subtree(&mut self, start: u64, width: u64) -> Result<TreeHash, TileError> {
        let level = width.trailing_zeros() / TILE_HEIGHT;
        let first = start >> (TILE_HEIGHT * level);
        let count = (width >> (TILE_HEIGHT * level)) as usize;
        let (index, at) = (first / TILE_WIDTH as u64, first as usize % TILE_WIDTH);
        let hashes = match self.tiles.entry((level, index)) {
            std::collections::hash_map::Entry::Occupied(tile) => tile.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(self.files.hashes(level, index)?)
            }
        };
        Ok(subtree_root(&hashes[at..at + count]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        let path = |kind, index, width| TilePath { kind, index, width }.to_string();
        assert_eq!(path(TileKind::Hashes(0), 0, 256), "tile/0/000");
        assert_eq!(path(TileKind::Hashes(2), 1_234_067, 256), "tile/2/x001/x234/067");
        assert_eq!(path(TileKind::Entries, 999, 8), "tile/entries/999.p/8");
        assert_eq!(path(TileKind::Entries, 1_000, 256), "tile/entries/x001/000");
        let full = TilePath::full(TileKind::Hashes(1), 5);
        assert_eq!(full.partial_dir(), "tile/1/005.p");
    }

    #[test]
    fn widths_follow_from_the_size() {
        struct Nothing;
        impl TileSource for Nothing {
            fn read(&self, _: &str) -> io::Result<Option<Vec<u8>>> {
                Ok(None)
            }
        }
        let files = TreeFiles::new(&Nothing, 70_000);
        let width = |kind, index| files.path(kind, index).width;
        assert_eq!(width(TileKind::Hashes(0), 272), 256);
        assert_eq!(width(TileKind::Hashes(0), 273), 112);
        assert_eq!(width(TileKind::Entries, 273), 112);
        assert_eq!(width(TileKind::Hashes(1), 1), 17);
        assert_eq!(width(TileKind::Hashes(2), 0), 1);
        assert!(matches!(files.hashes(0, 3), Err(TileError::Missing { .. })));
    }
}
