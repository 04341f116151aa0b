//! Comparison: inner products of small integers.

use zeroize::Zeroizing;

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
/// This is the loop that a search spends its time in. Everything is widened to 16 bits once, since
/// every processor this runs on multiplies and adds pairs of 16-bit numbers in one instruction, and
/// a block of rows shares each load of the probe.
///
/// # Panics
/// When `rows` is no whole number of rows.
#[must_use]
pub fn score_rows(rows: &[i8], probe: &Probe) -> Vec<i32> {
    assert_eq!(rows.len() % LENGTH, 0, "a gallery is a whole number of rows");
    let wide_probe: Zeroizing<Vec<i16>> =
        Zeroizing::new(probe.vectors().flatten().map(|&value| i16::from(value)).collect());
    let mut scores = Vec::with_capacity(rows.len() / LENGTH);
    let mut block = Zeroizing::new(vec![0_i16; ROWS_AT_ONCE * LENGTH]);
    for rows in rows.chunks(ROWS_AT_ONCE * LENGTH) {
        for (wide, &value) in block.iter_mut().zip(rows) {
            *wide = i16::from(value);
        }
        let best = best_of_block(&block, &wide_probe);
        // A last, partial block is computed whole; what stood there before is not reported.
        scores.extend_from_slice(&best[..rows.len() / LENGTH]);
    }
    scores
}

/// Rows that are compared together.
const ROWS_AT_ONCE: usize = 4;

/// The best inner product of each row of a block with any of the probe's vectors.
fn best_of_block(block: &[i16], probe: &[i16]) -> [i32; ROWS_AT_ONCE] {
    let (first, rest) = block.split_at(LENGTH);
    let (second, rest) = rest.split_at(LENGTH);
    let (third, fourth) = rest.split_at(LENGTH);
    let mut best = [i32::MIN; ROWS_AT_ONCE];
    for vector in probe.chunks_exact(LENGTH) {
        let sums = [
            wide_dot(first, vector),
            wide_dot(second, vector),
            wide_dot(third, vector),
            wide_dot(fourth, vector),
        ];
        for (best, sum) in best.iter_mut().zip(sums) {
            *best = (*best).max(sum);
        }
    }
    best
}

/// The inner product of two widened vectors. No vector is longer than 2 to the 7th, so that nothing
/// can overflow; the wrapping operations keep debug builds from checking for it, one number at a
/// time.
#[inline(always)]
fn wide_dot(a: &[i16], b: &[i16]) -> i32 {
    a.iter()
        .zip(b)
        .fold(0_i32, |sum, (&x, &y)| sum.wrapping_add(i32::from(x).wrapping_mul(i32::from(y))))
}

/// The inner product of two vectors.
fn dot(a: &[i8], b: &[i8]) -> i32 {
    a.iter()
        .zip(b)
        .fold(0_i32, |sum, (&x, &y)| sum.wrapping_add(i32::from(x).wrapping_mul(i32::from(y))))
}
