//! Inner products of a node's rows with a probe: its summands of the scores, before any message.

use std::fmt;

use zeroize::Zeroizing;

use crate::kernel::{BLOCK, Pair, Path, Vectors, WORD, dot_products};
use crate::rows::{Conversion, Rows, RowsError, pairs};
use crate::{Role, Shape, ShareSet};

/// What a node multiplies its rows with for one probe, one vector each. Zeroed when dropped;
/// `Debug` prints nothing of it.
pub struct ProbeWeights {
    node: Role,
    dimension: usize,
    pairs: Zeroizing<Vec<Pair>>,
    /// The same for the fastest instructions, so that one query's chunks copy nothing.
    ready: Vectors,
}

impl fmt::Debug for ProbeWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProbeWeights({}, {} x {})", self.node, self.count(), self.dimension)
    }
}

impl ProbeWeights {
    /// Of a probe's shares.
    #[must_use]
    pub fn new(shares: &ShareSet) -> Self {
        let (node, dimension) = (shares.node(), shares.dimension());
        let conversion = Conversion::of_probes(node);
        let mut all = Zeroizing::new(Vec::with_capacity(shares.count() * pairs(dimension)));
        let [own, previous] = shares.expanded();
        for (own, previous) in own.chunks_exact(dimension).zip(previous.chunks_exact(dimension)) {
            all.extend_from_slice(conversion.convert(own, previous).as_chunks::<2>().0);
        }
        let ready = Vectors::new(Path::best(), &all, pairs(dimension));
        Self { node, dimension, pairs: all, ready }
    }

    /// How many vectors there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.pairs.len() / pairs(self.dimension)
    }
}

/// A node's summands of the inner products, before any message: for each of a slot's rows (`rows`
/// holds one [`Rows`] for each, equally long), each probe vector and each slot, in this order;
/// slots are padded with zeros to whole words.
///
/// # Errors
/// When rows or probe are another node's, of another length, or not as many as the shape says.
pub fn local_products(
    shape: Shape,
    rows: &[&Rows],
    probe: &ProbeWeights,
) -> Result<Vec<u16>, RowsError> {
    let mut products = local_products_together(shape, rows, &[probe])?;
    Ok(products.pop().unwrap_or_default())
}

/// [`local_products`] of several queries in one pass over the rows: memory is read once for all.
///
/// # Errors
/// As [`local_products`]; all queries have the same shape.
pub fn local_products_together(
    shape: Shape,
    rows: &[&Rows],
    probes: &[&ProbeWeights],
) -> Result<Vec<Vec<u16>>, RowsError> {
    for rows in rows {
        check_same("rows", shape.slots(), rows.count())?;
    }
    local_products_of(shape, rows, 0, probes)
}

/// [`local_products_together`] of a chunk of slots, with the fastest instructions: the shape's slots from `first_slot` on. Chunks are cut at
/// multiples of 64 slots, and the last one ends where the rows do.
///
/// # Errors
/// As [`local_products`], and when the chunk is not cut like this.
pub fn local_products_of(
    shape: Shape,
    rows: &[&Rows],
    first_slot: usize,
    probes: &[&ProbeWeights],
) -> Result<Vec<Vec<u16>>, RowsError> {
    local_products_with(Path::best(), shape, rows, first_slot, probes)
}

/// [`local_products_of`] with the instructions of `path`, for measuring.
///
/// # Errors
/// As [`local_products_of`].
///
/// # Panics
/// When this machine lacks the instructions.
pub fn local_products_with(
    path: Path,
    shape: Shape,
    rows: &[&Rows],
    first_slot: usize,
    probes: &[&ProbeWeights],
) -> Result<Vec<Vec<u16>>, RowsError> {
    check_shape(shape, rows, first_slot, probes)?;
    let Some(pairs) = probes.first().map(|probe| pairs(probe.dimension)) else {
        return Ok(Vec::new());
    };
    let together;
    let vectors = match probes {
        [probe] if probe.ready.path() == path => &probe.ready,
        _ => {
            let count = probes.iter().map(|probe| probe.pairs.len()).sum();
            let mut all = Zeroizing::new(Vec::with_capacity(count));
            probes.iter().for_each(|probe| all.extend_from_slice(&probe.pairs));
            together = Vectors::new(path, &all, pairs);
            &together
        }
    };
    let stride = shape.slots_padded();
    let layer = shape.vectors() * stride;
    let blocks = first_slot / BLOCK..(first_slot + shape.slots()).div_ceil(BLOCK);
    let mut products: Vec<Vec<u16>> = probes.iter().map(|_| vec![0; rows.len() * layer]).collect();
    for (row, rows) in rows.iter().enumerate() {
        let lines = rows.lines(&blocks);
        let mut parts: Vec<&mut [u16]> = products
            .iter_mut()
            .flat_map(|products| products[row * layer..][..layer].chunks_exact_mut(stride))
            .collect();
        dot_products(lines, vectors, &mut parts);
    }
    Ok(products)
}

fn check_same(what: &'static str, expected: usize, found: usize) -> Result<(), RowsError> {
    if expected == found { Ok(()) } else { Err(RowsError::Shape { what, expected, found }) }
}

fn check_shape(
    shape: Shape,
    rows: &[&Rows],
    first: usize,
    probes: &[&ProbeWeights],
) -> Result<(), RowsError> {
    check_same("rows a slot", shape.rows_per_slot(), rows.len())?;
    for rows in rows {
        let (end, count) = (first.saturating_add(shape.slots()), rows.count());
        let whole = end == count || (end < count && end.is_multiple_of(WORD));
        if !(whole && first.is_multiple_of(WORD)) {
            return Err(RowsError::Chunk { first, end, rows: count });
        }
    }
    for probe in probes {
        check_same("probe vectors", shape.vectors(), probe.count())?;
        for rows in rows {
            if rows.node() != probe.node {
                return Err(RowsError::WrongNode { expected: rows.node(), found: probe.node });
            }
            if rows.dimension() != probe.dimension {
                let (expected, found) = (rows.dimension(), probe.dimension);
                return Err(RowsError::Dimension { expected, found });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use handfast_model::SeededRandom;
    use proptest::prelude::*;

    use super::*;
    use crate::Dealt;
    use crate::ring::{DEGREE, Element, conversion_factor, lagrange_weight};
    use crate::rows::tests::rows_of;

    /// A node's summand of one inner product by the ring's definition, block by block.
    fn slow_summand(reference: &ShareSet, probe: &ShareSet) -> u16 {
        let point = |shares: &ShareSet| -> Vec<Element> {
            let node = shares.node();
            let mut sum = vec![Element::ZERO; shares.dimension().div_ceil(DEGREE)];
            for component in [node, node.previous()] {
                let factor = conversion_factor(node, component);
                for (sum, four) in
                    sum.iter_mut().zip(shares.component(component).unwrap().chunks(DEGREE))
                {
                    let mut values = [0; DEGREE];
                    values[..four.len()].copy_from_slice(four);
                    *sum = sum.plus(Element::pack(values).times(factor));
                }
            }
            sum
        };
        let weight = lagrange_weight(reference.node());
        let products = point(reference).into_iter().zip(point(probe));
        products.fold(0, |sum, (y, z)| sum.wrapping_add(weight.times(y.times(z)).functional()))
    }

    fn vector(length: usize) -> impl Strategy<Value = Vec<i16>> {
        prop::collection::vec(prop_oneof![-128i16..128, any::<i16>()], length)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn summands_are_the_rings_and_add_to_the_inner_product(
            (x, q) in (1usize..80).prop_flat_map(|length| (vector(length), vector(length))),
            seed: u64,
        ) {
            let random = SeededRandom::new(seed);
            let references = Dealt::deal(&x, x.len(), &random).unwrap();
            let probes = Dealt::deal(&q, q.len(), &random).unwrap();
            let mut sum = 0u16;
            for (reference, probe) in references.sets.iter().zip(&probes.sets) {
                let mut rows = Rows::new(reference.node(), x.len(), 0);
                rows.push(reference).unwrap();
                let shape = Shape::new(1, 1, 1).unwrap();
                let products = local_products(shape, &[&rows], &ProbeWeights::new(probe)).unwrap();
                prop_assert_eq!(products[0], slow_summand(reference, probe));
                prop_assert!(products[1..].iter().all(|&padding| padding == 0));
                sum = sum.wrapping_add(products[0]);
            }
            let plain = x.iter().zip(&q).fold(0i16, |sum, (&a, &b)| sum.wrapping_add(a.wrapping_mul(b)));
            prop_assert_eq!(sum.cast_signed(), plain);
        }
    }

    #[test]
    fn several_queries_in_one_pass_are_each_alone() {
        let random = SeededRandom::new(3);
        let numbers: Vec<i16> = (0..3 * 70 * 12).map(|n| (n * 37 % 257 - 128) as i16).collect();
        let references = rows_of(&Dealt::deal(&numbers, 12, &random).unwrap().sets);
        let probes: Vec<_> = (0..8)
            .map(|q| Dealt::deal(&numbers[q * 24..(q + 1) * 24], 12, &random).unwrap().sets)
            .collect();
        let shape = Shape::new(210, 1, 2).unwrap();
        for (at, rows) in references.iter().enumerate() {
            let weights: Vec<_> = probes.iter().map(|sets| ProbeWeights::new(&sets[at])).collect();
            let alone: Vec<_> = weights
                .iter()
                .map(|weights| local_products(shape, &[rows], weights).unwrap())
                .collect();
            let weights: Vec<_> = weights.iter().collect();
            assert_eq!(local_products_together(shape, &[rows], &weights).unwrap(), alone);
        }
    }

    #[test]
    fn chunks_are_parts_of_the_whole() {
        let random = SeededRandom::new(6);
        let numbers: Vec<i16> = (0..200 * 12).map(|n| (n * 37 % 257 - 128) as i16).collect();
        let [rows, ..] = rows_of(&Dealt::deal(&numbers, 12, &random).unwrap().sets);
        let probe = ProbeWeights::new(&Dealt::deal(&numbers[..36], 12, &random).unwrap().sets[0]);
        let shape = |slots| Shape::new(slots, 2, 3).unwrap();
        let whole = local_products(shape(200), &[&rows, &rows], &probe).unwrap();
        for chunk in [64, 128, 192] {
            for first in (0..200).step_by(chunk) {
                let part = shape(chunk.min(200 - first));
                let products =
                    local_products_of(part, &[&rows, &rows], first, &[&probe, &probe]).unwrap();
                let expected: Vec<u16> = whole
                    .chunks(shape(200).slots_padded())
                    .flat_map(|layer| layer[first..].iter().copied().take(part.slots_padded()))
                    .collect();
                assert_eq!(products, [expected.clone(), expected]);
            }
        }
        for (first, slots) in [(1, 64), (32, 64), (0, 63), (0, 201), (192, 64), (256, 1)] {
            let error = local_products_of(shape(slots), &[&rows, &rows], first, &[&probe]);
            assert!(matches!(error, Err(RowsError::Chunk { .. })), "{first}, {slots}");
        }
        assert!(local_products_of(shape(64), &[&rows, &rows], usize::MAX, &[&probe]).is_err());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let random = SeededRandom::new(5);
        let sets = Dealt::deal(&[1; 8], 8, &random).unwrap().sets;
        let [mut a, _, _] = rows_of(&sets);
        assert!(matches!(a.push(&sets[1]), Err(RowsError::WrongNode { .. })));
        let longer = Dealt::deal(&[1; 9], 9, &random).unwrap().sets;
        assert!(matches!(a.push(&longer[0]), Err(RowsError::Dimension { .. })));
        assert_eq!(a.count(), 1);
        let shape = |slots, rows, vectors| Shape::new(slots, rows, vectors).unwrap();
        let weights = ProbeWeights::new(&sets[0]);
        assert!(local_products(shape(1, 1, 1), &[&a], &weights).is_ok());
        for wrong in [shape(2, 1, 1), shape(1, 2, 1), shape(1, 1, 2)] {
            assert!(local_products(wrong, &[&a], &weights).is_err());
        }
        let fit = shape(1, 1, 1);
        assert!(local_products(fit, &[&a], &ProbeWeights::new(&sets[1])).is_err());
        assert!(local_products(fit, &[&a], &ProbeWeights::new(&longer[0])).is_err());
    }
}
