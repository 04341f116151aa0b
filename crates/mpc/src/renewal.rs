//! Shares made new: refreshed at all nodes, or rebuilt at a node that lost them. Rows stay where they
//! are; what they share stays the same.

use std::fmt;

use zeroize::Zeroizing;

use crate::Role;
use crate::keystream::Keystream;
use crate::ring::{DEGREE, Element, POINTS};
use crate::rows::{Rows, RowsError};

/// 32 fresh secret bytes for one refresh or one rebuilding. Consumed by it, so that no stream is
/// used twice; `Debug` prints nothing of it.
pub struct RenewalSeed(Zeroizing<[u8; 32]>);

impl RenewalSeed {
    /// From bytes that were drawn for this one operation.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    fn into_stream(self) -> Keystream {
        Keystream::new(&self.0)
    }
}

impl fmt::Debug for RenewalSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RenewalSeed(hidden)")
    }
}

fn elements(numbers: &[u16]) -> impl Iterator<Item = Element> {
    numbers.as_chunks::<DEGREE>().0.iter().map(|four| Element(*four))
}

/// New shares of the same references, at one node: every node takes the same three seeds, one drawn
/// by each, and goes through the same rows in the same order. Old shares of one node and new shares
/// of another together are worth nothing, once the seeds are erased; seeds never reach a backup.
pub struct Refresh {
    point: Element,
    streams: [Keystream; 3],
}

impl Refresh {
    /// At `node`, with the seeds that A, B and C drew, in this order.
    #[must_use]
    pub fn new(node: Role, seeds: [RenewalSeed; 3]) -> Self {
        Self { point: POINTS[node.index()], streams: seeds.map(RenewalSeed::into_stream) }
    }

    /// Refreshes the next row: adds c e to each element, a line through 0 with a slope c that three
    /// nodes drew together.
    ///
    /// # Errors
    /// When there is no such row.
    pub fn row(&mut self, rows: &mut Rows, row: usize) -> Result<(), RowsError> {
        let own = rows.numbers(row)?;
        let mut slopes = Zeroizing::new(vec![0; own.len()]);
        for stream in &mut self.streams {
            stream.combine_numbers(&mut slopes, u16::wrapping_add);
        }
        let renewed = elements(&own).zip(elements(&slopes));
        let renewed = renewed.flat_map(|(y, c)| y.plus(c.times(self.point)).0);
        rows.overwrite(row, &Zeroizing::new(renewed.collect::<Vec<_>>()))
    }
}

/// A helper's side of giving a node its lost rows back: the two others send alpha y + z and
/// beta y - z, where alpha and beta interpolate at the lost node's point and z is from a seed that
/// the lost node lacks. Their sum is the lost row; each alone is random. Neither helper receives
/// anything.
pub struct Rebuilding {
    factor: Element,
    combine: fn(u16, u16) -> u16,
    stream: Keystream,
}

impl Rebuilding {
    /// At `helper`, for the rows that `lost` lost; the seed is known to the two helpers alone.
    /// `None` where a node would help itself.
    #[must_use]
    pub fn new(helper: Role, lost: Role, seed: RenewalSeed) -> Option<Self> {
        let (other, combine): (Role, fn(u16, u16) -> u16) = if helper == lost.next() {
            (lost.previous(), u16::wrapping_add)
        } else if helper == lost.previous() {
            (lost.next(), u16::wrapping_sub)
        } else {
            return None;
        };
        let [own, other, lost] = [helper, other, lost].map(|role| POINTS[role.index()]);
        let factor = lost.minus(other).times(own.minus(other).inverse()?);
        Some(Self { factor, combine, stream: seed.into_stream() })
    }

    /// What to send of the next row. Both helpers go through the same rows in the same order.
    ///
    /// # Errors
    /// When there is no such row.
    pub fn row(&mut self, rows: &Rows, row: usize) -> Result<Zeroizing<Vec<u8>>, RowsError> {
        let own = rows.numbers(row)?;
        let mut sent: Zeroizing<Vec<u16>> = Zeroizing::new(Vec::with_capacity(own.len()));
        sent.extend(elements(&own).flat_map(|y| y.times(self.factor).0));
        self.stream.combine_numbers(&mut sent, self.combine);
        let mut bytes = Zeroizing::new(Vec::with_capacity(2 * sent.len()));
        bytes.extend(sent.iter().flat_map(|number| number.to_le_bytes()));
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use handfast_model::SeededRandom;

    use super::*;
    use crate::{Dealt, ProbeWeights, Shape, local_products};

    const DIMENSION: usize = 21;
    const ROWS: usize = 5;

    fn gallery() -> [Rows; 3] {
        let numbers: Vec<i16> = (0..DIMENSION * ROWS).map(|n| (n * 29 % 41) as i16 - 20).collect();
        let sets = Dealt::deal(&numbers, DIMENSION, &SeededRandom::new(1)).unwrap().sets;
        Role::ALL.map(|role| {
            let mut rows = Rows::new(role, DIMENSION, ROWS);
            rows.push(&sets[role.index()]).unwrap();
            rows
        })
    }

    fn scores(gallery: &[Rows; 3]) -> Vec<u16> {
        let probe: Vec<i16> = (0..DIMENSION).map(|n| n as i16 - 10).collect();
        let sets = Dealt::deal(&probe, DIMENSION, &SeededRandom::new(2)).unwrap().sets;
        let shape = Shape::new(ROWS, 1, 1).unwrap();
        let mut sum = vec![0u16; shape.comparisons()];
        for (rows, set) in gallery.iter().zip(&sets) {
            let products = local_products(shape, &[rows], &ProbeWeights::new(set)).unwrap();
            sum.iter_mut().zip(products).for_each(|(sum, d)| *sum = sum.wrapping_add(d));
        }
        sum
    }

    fn seed(number: u8) -> RenewalSeed {
        RenewalSeed::new([number; 32])
    }

    #[test]
    fn refreshed_shares_are_new_and_share_the_same() {
        let mut gallery = gallery();
        let expected = scores(&gallery);
        let old: Vec<_> = gallery.iter().map(|rows| rows.stored(2).unwrap()).collect();
        for (role, rows) in Role::ALL.into_iter().zip(&mut gallery) {
            let mut refresh = Refresh::new(role, [seed(1), seed(2), seed(3)]);
            (0..ROWS).for_each(|row| refresh.row(rows, row).unwrap());
            assert!(refresh.row(rows, ROWS).is_err());
        }
        assert_eq!(scores(&gallery), expected);
        for (rows, old) in gallery.iter().zip(&old) {
            assert_ne!(&rows.stored(2).unwrap(), old);
        }
    }

    #[test]
    fn shares_of_different_times_do_not_fit() {
        let mut gallery = gallery();
        let expected = scores(&gallery);
        let mut refresh = Refresh::new(Role::A, [seed(1), seed(2), seed(3)]);
        refresh.row(&mut gallery[0], 0).unwrap();
        assert_ne!(scores(&gallery)[0], expected[0]);
        assert_eq!(scores(&gallery)[1..], expected[1..]);
    }

    #[test]
    fn any_two_rebuild_the_third() {
        for lost in Role::ALL {
            let gallery = gallery();
            let helpers = [lost.next(), lost.previous()];
            let mut rebuildings =
                helpers.map(|helper| Rebuilding::new(helper, lost, seed(9)).unwrap());
            let mut rebuilt = Rows::new(lost, DIMENSION, 0);
            for row in 0..ROWS {
                let mut sent = Vec::new();
                for (helper, rebuilding) in helpers.into_iter().zip(&mut rebuildings) {
                    sent.push(rebuilding.row(&gallery[helper.index()], row).unwrap());
                }
                assert!(rebuilt.push_rebuilt([&sent[0], &sent[1][1..]]).is_err());
                rebuilt.push_rebuilt([&sent[0], &sent[1]]).unwrap();
                let original = gallery[lost.index()].stored(row).unwrap();
                assert_eq!(rebuilt.stored(row).unwrap(), original);
                assert!(sent.iter().all(|sent| *sent != original));
            }
            assert_eq!(rebuilt.count(), ROWS);
            assert!(Rebuilding::new(lost, lost, seed(9)).is_none());
        }
    }
}
