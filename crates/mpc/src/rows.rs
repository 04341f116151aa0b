//! What a node keeps of references and makes of a probe: points of Shamir's scheme over the ring,
//! packed so that a row times a vector is one inner product of 16-bit numbers, 2 bytes a dimension.
//!
//! Four numbers s of a component pack into the element sum s_k a_k; a node's point of the line
//! through it is y = own * (1 - e_p/e_(p+2)) + previous * (1 - e_p/e_(p+1)). A row keeps the
//! coefficients of y. Of the product of a row's and a probe's lines, a polynomial of degree 2, the
//! nodes need L(weight_p * y * z) to be their summands of the inner product; that is linear in the
//! coefficients of y, and the probe side keeps what they are multiplied with: L(weight_p * z * x^c).

use std::fmt;

use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use crate::kernel::{BLOCK, Line, WORD};
use crate::ring::{DEGREE, Element, conversion_factor, lagrange_weight};
use crate::{Role, ShareSet, pages};

/// Why shares do not fit.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RowsError {
    /// Another node's shares.
    #[error("shares of node {found} were given to node {expected}")]
    WrongNode {
        /// The node whose rows these are.
        expected: Role,
        /// The node whose shares were given.
        found: Role,
    },
    /// Vectors of another length.
    #[error(
        "vectors of {found} numbers were given where there are {expected}: one model a gallery"
    )]
    Dimension {
        /// Numbers in a vector here.
        expected: usize,
        /// Numbers in a vector given.
        found: usize,
    },
    /// Stored bytes of another length.
    #[error("a stored row has {expected} bytes, {found} were given")]
    StoredLength {
        /// Bytes expected.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// A row that is not there.
    #[error("there is no row {row}, there are {rows}")]
    NoRow {
        /// Row asked for.
        row: usize,
        /// Rows there are.
        rows: usize,
    },
    /// A chunk of slots that does not begin at a whole word, or ends beyond the rows, or not at a whole
    /// word before their end.
    #[error("slots {first} to {end} of {rows} are no chunk: cut at multiples of {WORD} slots")]
    Chunk {
        /// The chunk's first slot.
        first: usize,
        /// The slot after its last one.
        end: usize,
        /// Slots there are.
        rows: usize,
    },
    /// Rows, vectors or layers other than the shape says.
    #[error("{found} {what} were given, the comparison's shape has {expected}")]
    Shape {
        /// Rows, layers or vectors.
        what: &'static str,
        /// How many the shape has.
        expected: usize,
        /// How many were given.
        found: usize,
    },
}

/// A linear map from four numbers to four numbers.
type Matrix = [[u16; DEGREE]; DEGREE];

/// How a node turns its two components of four numbers into what it computes with.
pub(crate) struct Conversion {
    own: Matrix,
    previous: Matrix,
}

impl Conversion {
    /// To the coefficients of its point of the packed line.
    fn of_references(node: Role) -> Self {
        Self::through(node, |element| element.0)
    }

    /// To what the coefficients of a reference's point are multiplied with.
    pub(crate) fn of_probes(node: Role) -> Self {
        let weight = lagrange_weight(node);
        Self::through(node, |element| {
            let weighted = element.times(weight);
            std::array::from_fn(|power| {
                let mut x = Element::ZERO;
                x.0[power] = 1;
                weighted.times(x).functional()
            })
        })
    }

    fn through(node: Role, finish: impl Fn(Element) -> [u16; DEGREE]) -> Self {
        let matrix = |component| {
            let factor = conversion_factor(node, component);
            std::array::from_fn(|k| {
                let mut unit = [0; DEGREE];
                unit[k] = 1;
                finish(Element::pack(unit).times(factor))
            })
        };
        Self { own: matrix(node), previous: matrix(node.previous()) }
    }

    fn apply(&self, own: &[u16], previous: &[u16]) -> [u16; DEGREE] {
        let mut converted = [0u16; DEGREE];
        for (matrix, numbers) in [(&self.own, own), (&self.previous, previous)] {
            for (image, &number) in matrix.iter().zip(numbers) {
                for (sum, &coefficient) in converted.iter_mut().zip(image) {
                    *sum = sum.wrapping_add(coefficient.wrapping_mul(number));
                }
            }
        }
        converted
    }

    /// Converts one vector, padded with zeros to whole elements.
    pub(crate) fn convert(&self, own: &[u16], previous: &[u16]) -> Zeroizing<Vec<u16>> {
        let mut numbers = Zeroizing::new(Vec::with_capacity(padded(own.len())));
        let parts = own.chunks(DEGREE).zip(previous.chunks(DEGREE));
        numbers.extend(parts.flat_map(|(own, previous)| self.apply(own, previous)));
        numbers
    }
}

/// Numbers of a vector with padding to whole elements.
const fn padded(dimension: usize) -> usize {
    dimension.next_multiple_of(DEGREE)
}

/// Pairs of numbers in a vector: lines of a block of rows.
pub(crate) const fn pairs(dimension: usize) -> usize {
    padded(dimension) / 2
}

/// One node's points of many references, one row each, as they are searched. Zeroed when dropped
/// and wherever they are moved from; `Debug` prints nothing of them.
pub struct Rows {
    node: Role,
    dimension: usize,
    conversion: Conversion,
    count: usize,
    /// Blocks of rows, see [`crate::kernel`]; rows that the last one lacks are zeros.
    lines: Vec<Line>,
}

impl Drop for Rows {
    fn drop(&mut self) {
        self.lines.zeroize();
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rows({}, {} x {})", self.node, self.count(), self.dimension)
    }
}

impl Rows {
    /// No rows yet, of `dimension` numbers each, with room for `capacity`.
    #[must_use]
    pub fn new(node: Role, dimension: usize, capacity: usize) -> Self {
        let mut lines = Vec::with_capacity(capacity.div_ceil(BLOCK) * pairs(dimension));
        pages::prefer_large(&mut lines);
        Self { node, dimension, conversion: Conversion::of_references(node), count: 0, lines }
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Numbers in a row.
    #[must_use]
    pub const fn dimension(&self) -> usize {
        self.dimension
    }

    /// The node whose points these are.
    pub(crate) const fn node(&self) -> Role {
        self.node
    }

    /// The lines of some blocks.
    pub(crate) fn lines(&self, blocks: &std::ops::Range<usize>) -> &[Line] {
        let pairs = pairs(self.dimension);
        &self.lines[blocks.start * pairs..blocks.end * pairs]
    }

    /// Bytes that a row takes in memory.
    #[must_use]
    pub const fn bytes_per_row(&self) -> usize {
        self.stored_length()
    }

    /// Adds every vector of a set as a row.
    ///
    /// # Errors
    /// When they are another node's or of another length; nothing is added then.
    pub fn push(&mut self, shares: &ShareSet) -> Result<(), RowsError> {
        check_shares(self.node, self.dimension, shares)?;
        self.reserve(shares.count());
        let [own, previous] = shares.expanded();
        let vectors = own.chunks_exact(self.dimension).zip(previous.chunks_exact(self.dimension));
        for (own, previous) in vectors {
            let numbers = self.conversion.convert(own, previous);
            self.push_numbers(&numbers);
        }
        Ok(())
    }

    /// The bytes of a row to seal and store: 2 a dimension, padded to whole blocks of four.
    ///
    /// # Errors
    /// When there is no such row.
    pub fn stored(&self, row: usize) -> Result<Zeroizing<Vec<u8>>, RowsError> {
        let numbers = self.numbers(row)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.stored_length()));
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        Ok(bytes)
    }

    /// Adds a row from its stored bytes.
    ///
    /// # Errors
    /// When they are not of a row's length; nothing is added then.
    pub fn push_stored(&mut self, bytes: &[u8]) -> Result<(), RowsError> {
        let expected = self.stored_length();
        if bytes.len() != expected {
            return Err(RowsError::StoredLength { expected, found: bytes.len() });
        }
        let mut numbers = Zeroizing::new(Vec::with_capacity(expected / 2));
        numbers.extend(bytes.as_chunks::<2>().0.iter().map(|two| u16::from_le_bytes(*two)));
        self.reserve(1);
        self.push_numbers(&numbers);
        Ok(())
    }

    /// Adds a row from what two nodes sent to give it back ([`crate::Rebuilding`]).
    ///
    /// # Errors
    /// When either is not of a row's length; nothing is added then.
    pub fn push_rebuilt(&mut self, parts: [&[u8]; 2]) -> Result<(), RowsError> {
        let expected = self.stored_length();
        if let Some(wrong) = parts.iter().find(|part| part.len() != expected) {
            return Err(RowsError::StoredLength { expected, found: wrong.len() });
        }
        let [first, second] = parts.map(|part| part.as_chunks::<2>().0);
        let mut bytes = Zeroizing::new(Vec::with_capacity(expected));
        for (a, b) in first.iter().zip(second) {
            let sum = u16::from_le_bytes(*a).wrapping_add(u16::from_le_bytes(*b));
            bytes.extend(sum.to_le_bytes());
        }
        self.push_stored(&bytes)
    }

    /// A row's numbers, whole ring elements.
    pub(crate) fn numbers(&self, row: usize) -> Result<Zeroizing<Vec<u16>>, RowsError> {
        self.check_row(row)?;
        let (block, place) = self.place(row);
        let mut numbers = Zeroizing::new(Vec::with_capacity(padded(self.dimension)));
        let lines = &self.lines[block];
        numbers.extend(lines.iter().flat_map(|line| [line.0[place], line.0[place + 1]]));
        Ok(numbers)
    }

    /// Puts other numbers in a row's place.
    pub(crate) fn overwrite(&mut self, row: usize, numbers: &[u16]) -> Result<(), RowsError> {
        self.check_row(row)?;
        let (block, place) = self.place(row);
        for (line, pair) in self.lines[block].iter_mut().zip(numbers.as_chunks::<2>().0) {
            line.0[place..place + 2].copy_from_slice(pair);
        }
        Ok(())
    }

    /// Overwrites a row with zeros. The row stays, so that the others keep their places; what the
    /// comparison says of it is removed by the public mask.
    ///
    /// # Errors
    /// When there is no such row.
    pub fn clear(&mut self, row: usize) -> Result<(), RowsError> {
        self.overwrite(row, &vec![0; padded(self.dimension)])
    }

    /// Bytes of a stored row.
    #[must_use]
    pub const fn stored_length(&self) -> usize {
        2 * padded(self.dimension)
    }

    fn check_row(&self, row: usize) -> Result<(), RowsError> {
        let rows = self.count;
        if row < rows { Ok(()) } else { Err(RowsError::NoRow { row, rows }) }
    }

    /// The lines of a row's block, and where in each the row's two numbers begin.
    const fn place(&self, row: usize) -> (std::ops::Range<usize>, usize) {
        let (block, lines) = (row / BLOCK, pairs(self.dimension));
        (block * lines..(block + 1) * lines, 2 * (row % BLOCK))
    }

    /// Room for more rows. Growing moves rows by hand, because a vector that grows by itself leaves
    /// its old contents in freed memory.
    fn reserve(&mut self, rows: usize) {
        let needed = (self.count + rows).div_ceil(BLOCK) * pairs(self.dimension);
        if needed > self.lines.capacity() {
            let mut larger: Vec<Line> = Vec::with_capacity(needed.max(2 * self.lines.capacity()));
            pages::prefer_large(&mut larger);
            larger.extend_from_slice(&self.lines);
            self.lines.zeroize();
            self.lines = larger;
        }
    }

    /// Adds a row; there is room for it.
    fn push_numbers(&mut self, numbers: &[u16]) {
        let row = self.count;
        self.count += 1;
        self.lines.resize(self.count.div_ceil(BLOCK) * pairs(self.dimension), Line::ZERO);
        self.overwrite(row, numbers).expect("the row was just added");
    }
}

fn check_shares(node: Role, dimension: usize, shares: &ShareSet) -> Result<(), RowsError> {
    if shares.node() != node {
        return Err(RowsError::WrongNode { expected: node, found: shares.node() });
    }
    if shares.dimension() != dimension {
        return Err(RowsError::Dimension { expected: dimension, found: shares.dimension() });
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use handfast_model::SeededRandom;

    use super::*;
    use crate::Dealt;

    pub(crate) fn rows_of(sets: &[ShareSet; 3]) -> [Rows; 3] {
        std::array::from_fn(|at| {
            let mut rows = Rows::new(Role::ALL[at], sets[at].dimension(), 1);
            rows.push(&sets[at]).unwrap();
            rows
        })
    }

    #[test]
    fn stored_rows_come_back() {
        let random = SeededRandom::new(4);
        let sets = Dealt::deal(&[5; 3 * 10], 10, &random).unwrap().sets;
        for rows in rows_of(&sets) {
            let mut again = Rows::new(rows.node, 10, 0);
            for row in 0..rows.count() {
                let bytes = rows.stored(row).unwrap();
                assert_eq!(bytes.len(), 24);
                again.push_stored(&bytes).unwrap();
                assert!(again.push_stored(&bytes[1..]).is_err());
            }
            let bytes = |rows: &Rows| -> Vec<u16> { rows.lines.iter().flat_map(|l| l.0).collect() };
            assert_eq!(bytes(&rows), bytes(&again));
            again.clear(1).unwrap();
            assert!(again.stored(1).unwrap().iter().all(|&byte| byte == 0));
            assert_eq!(*again.stored(2).unwrap(), *rows.stored(2).unwrap());
            assert!(again.clear(3).is_err() && again.stored(3).is_err());
        }
    }
}
