//! Comparison: inner products of small integers.

use crate::template::LENGTH;
use crate::{Probe, Reference};

/// Compares a probe with one reference: the greatest inner product over the probe's vectors, at
/// most 2 to the 14th.
#[must_use]
pub fn score(reference: &Reference, probe: &Probe) -> i32 {
    probe.vectors().map(|vector| dot(reference.vector(), vector)).max().unwrap_or(i32::MIN)
}

/// Compares a probe with many references, in their order.
pub fn score_many<'a>(
    references: impl IntoIterator<Item = &'a Reference>,
    probe: &Probe,
) -> Vec<i32> {
    references.into_iter().map(|reference| score(reference, probe)).collect()
}

/// Compares a probe with a flat gallery: rows of [`LENGTH`] numbers one after the other.
///
/// # Panics
/// When `rows` is no whole number of rows.
#[must_use]
pub fn score_rows(rows: &[i8], probe: &Probe) -> Vec<i32> {
    assert_eq!(rows.len() % LENGTH, 0, "a gallery is a whole number of rows");
    rows.chunks_exact(LENGTH)
        .map(|row| probe.vectors().map(|vector| dot(row, vector)).max().unwrap_or(i32::MIN))
        .collect()
}

/// The inner product of two vectors.
fn dot(a: &[i8], b: &[i8]) -> i32 {
    a.iter().zip(b).map(|(&x, &y)| i32::from(x) * i32::from(y)).sum()
}
