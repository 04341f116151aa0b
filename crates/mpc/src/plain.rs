//! The search without sharing: what a comparison costs where one machine holds all references. It is
//! what shared searches are measured against, and as fast as memory can be read, so that the
//! comparison is fair.
//!
//! Numbers of 8 bits, as templates have them, or of 16 bits, as shares have. Sixteen rows stand
//! interleaved as in [`crate::Rows`]. A squared length of at most 2^14 is promised by the engine, so
//! that every score fits 16 signed bits.

use std::ops::Range;

use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use crate::kernel::{BLOCK, Line, Pair, Path, Vectors, dot_products, grouped};
use crate::pages;

/// Numbers of 8 bits that a line holds of a row.
const FOUR: usize = 4;
/// Vectors that meet a block at a time: their sums fit the registers.
const GROUP: usize = 12;
/// Numbers of 8 bits are kept with this added, as the multiply-accumulate instruction takes one side
/// without signs; the vector's sum times this is subtracted at the end.
const BIAS: i32 = 128;
/// Rows whose scores are looked through while they are in the fastest cache.
const ROWS_AT_ONCE: usize = 1_024;

/// How wide stored numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// 8 bits: one byte a dimension.
    Eight,
    /// 16 bits: two bytes a dimension, as shares take.
    Sixteen,
}

/// Why rows or a probe do not fit.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PlainError {
    /// Another number of numbers.
    #[error("{found} numbers were given where vectors have {expected}")]
    Dimension {
        /// Numbers in a vector.
        expected: usize,
        /// Numbers given.
        found: usize,
    },
    /// Rows that are not there, or that do not begin at a whole block.
    #[error("rows {first} to {end} of {rows} cannot be searched: cut at multiples of {BLOCK}")]
    Range {
        /// The first row asked for.
        first: usize,
        /// The row after the last one asked for.
        end: usize,
        /// Rows there are.
        rows: usize,
    },
}

/// References in clear. Zeroed when dropped.
pub struct PlainRows {
    width: Width,
    dimension: usize,
    count: usize,
    lines: Vec<Line>,
}

impl Drop for PlainRows {
    fn drop(&mut self) {
        self.lines.zeroize();
    }
}

impl PlainRows {
    /// Ranges of rows begin at multiples of this.
    pub const ROWS_PER_BLOCK: usize = BLOCK;

    /// No rows yet, of `dimension` numbers each, with room for `capacity`: adding more leaves copies
    /// in freed memory.
    #[must_use]
    pub fn new(width: Width, dimension: usize, capacity: usize) -> Self {
        let mut rows = Self { width, dimension, count: 0, lines: Vec::new() };
        rows.lines = Vec::with_capacity(capacity.div_ceil(BLOCK) * rows.lines_per_block());
        pages::prefer_large(&mut rows.lines);
        rows
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Bytes that a row takes in memory.
    #[must_use]
    pub const fn bytes_per_row(&self) -> usize {
        self.lines_per_block() * size_of::<Line>() / BLOCK
    }

    const fn lines_per_block(&self) -> usize {
        match self.width {
            Width::Eight => self.dimension.div_ceil(FOUR),
            Width::Sixteen => self.dimension.div_ceil(2),
        }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// When it is of another length; nothing is added then.
    pub fn push(&mut self, numbers: &[i8]) -> Result<(), PlainError> {
        check_dimension(self.dimension, numbers.len())?;
        let (lines, place) = (self.lines_per_block(), self.count % BLOCK);
        let start = self.count / BLOCK * lines;
        if place == 0 {
            let empty = match self.width {
                Width::Eight => Line([0x8080; 2 * BLOCK]),
                Width::Sixteen => Line::ZERO,
            };
            self.lines.resize(start + lines, empty);
        }
        let block = &mut self.lines[start..];
        match self.width {
            Width::Eight => {
                let biased = |number: &i8| number.cast_unsigned() ^ 0x80;
                for (line, four) in block.iter_mut().zip(numbers.chunks(FOUR)) {
                    let mut bytes = [0x80; FOUR];
                    bytes.iter_mut().zip(four).for_each(|(byte, number)| *byte = biased(number));
                    let [a, b, c, d] = bytes;
                    line.0[2 * place] = u16::from_le_bytes([a, b]);
                    line.0[2 * place + 1] = u16::from_le_bytes([c, d]);
                }
            }
            Width::Sixteen => {
                for (line, two) in block.iter_mut().zip(numbers.chunks(2)) {
                    let wide = line.0[2 * place..].iter_mut().zip(two);
                    wide.for_each(|(wide, number)| *wide = i16::from(*number).cast_unsigned());
                }
            }
        }
        self.count += 1;
        Ok(())
    }

    /// Reads every stored row once and adds up what it reads: the least that any search of these
    /// rows can cost.
    #[must_use]
    pub fn read_once(&self) -> u16 {
        let sums = self.lines.iter().fold([0_u16; 2 * BLOCK], |mut sums, line| {
            sums.iter_mut().zip(&line.0).for_each(|(sum, word)| *sum = sum.wrapping_add(*word));
            sums
        });
        sums.into_iter().fold(0, u16::wrapping_add)
    }

    /// Every score of the rows with the probe's vectors, vector by vector.
    ///
    /// # Errors
    /// When the probe is of another length, or the rows are not there or begin within a block of 16.
    ///
    /// # Panics
    /// When this machine lacks the instructions of `path`.
    pub fn scores(
        &self,
        path: Path,
        probe: &PlainProbe,
        rows: Range<usize>,
    ) -> Result<Vec<i32>, PlainError> {
        self.check(probe, &rows)?;
        let stride = rows.len().next_multiple_of(BLOCK).max(BLOCK);
        let mut scores = vec![0; probe.count() * stride];
        self.scores_into(path, probe, &rows, &mut scores, stride);
        let of_vector = |scores: &[i32]| scores[..rows.len()].to_vec();
        Ok(scores.chunks(stride).flat_map(of_vector).collect())
    }

    /// The row with the greatest score with any of the probe's vectors, the first one of several.
    ///
    /// # Errors
    /// As [`PlainRows::scores`].
    ///
    /// # Panics
    /// As [`PlainRows::scores`].
    pub fn best(
        &self,
        path: Path,
        probe: &PlainProbe,
        rows: Range<usize>,
    ) -> Result<Option<(usize, i32)>, PlainError> {
        self.check(probe, &rows)?;
        let mut best: Option<(usize, i32)> = None;
        let mut scores = vec![0; probe.count() * ROWS_AT_ONCE];
        for first in rows.clone().step_by(ROWS_AT_ONCE) {
            let part = first..rows.end.min(first + ROWS_AT_ONCE);
            self.scores_into(path, probe, &part, &mut scores, ROWS_AT_ONCE);
            for scores in scores.chunks(ROWS_AT_ONCE).map(|scores| &scores[..part.len()]) {
                let greatest = scores.iter().copied().max().unwrap_or(i32::MIN);
                if best.is_none_or(|(_, score)| greatest > score) {
                    let at = scores.iter().position(|score| *score == greatest).unwrap_or(0);
                    best = Some((first + at, greatest));
                }
            }
        }
        Ok(best)
    }

    fn check(&self, probe: &PlainProbe, rows: &Range<usize>) -> Result<(), PlainError> {
        check_dimension(self.dimension, probe.dimension)?;
        let (first, end) = (rows.start, rows.end);
        if first.is_multiple_of(BLOCK) && first <= end && end <= self.count {
            Ok(())
        } else {
            Err(PlainError::Range { first, end, rows: self.count })
        }
    }

    fn scores_into(
        &self,
        path: Path,
        probe: &PlainProbe,
        rows: &Range<usize>,
        scores: &mut [i32],
        stride: usize,
    ) {
        assert!(path.is_available(), "this machine lacks the instructions of {path:?}");
        let lines = self.lines_per_block();
        let blocks = &self.lines[rows.start / BLOCK * lines..rows.end.div_ceil(BLOCK) * lines];
        if self.width == Width::Sixteen {
            let mut products = vec![0; scores.len()];
            let mut parts: Vec<&mut [u16]> = products.chunks_mut(stride).collect();
            dot_products(blocks, &Vectors::new(path, &probe.pairs, lines), &mut parts);
            let signed = products.iter().map(|product| i32::from(product.cast_signed()));
            scores.iter_mut().zip(signed).for_each(|(score, product)| *score = product);
            return;
        }
        let vectors = probe.fours.chunks(GROUP * lines).zip(probe.offsets.chunks(GROUP));
        for ((vectors, offsets), scores) in vectors.zip(scores.chunks_mut(GROUP * stride)) {
            for (b, block) in blocks.chunks_exact(lines.max(1)).enumerate() {
                let mut sums = [[0; BLOCK]; GROUP];
                multiply(path, block, vectors, &mut sums[..offsets.len()]);
                for ((sums, offset), scores) in
                    sums.iter().zip(offsets).zip(scores.chunks_mut(stride))
                {
                    let scores = scores[b * BLOCK..].iter_mut().zip(sums);
                    scores.for_each(|(score, sum)| *score = sum - offset);
                }
            }
        }
    }
}

fn check_dimension(expected: usize, found: usize) -> Result<(), PlainError> {
    if expected == found { Ok(()) } else { Err(PlainError::Dimension { expected, found }) }
}

/// A probe in clear: one or more vectors. Zeroed when dropped.
pub struct PlainProbe {
    dimension: usize,
    /// For rows of 16 bits.
    pairs: Zeroizing<Vec<Pair>>,
    /// For rows of 8 bits, in the order in which they are read.
    fours: Zeroizing<Vec<[i8; FOUR]>>,
    /// What the rows' bias adds to each vector's scores.
    offsets: Zeroizing<Vec<i32>>,
}

impl PlainProbe {
    /// Vectors of `dimension` numbers each, one after the other.
    ///
    /// # Errors
    /// When they are no whole number of vectors, or none.
    pub fn new(numbers: &[i8], dimension: usize) -> Result<Self, PlainError> {
        if dimension == 0 || numbers.is_empty() || !numbers.len().is_multiple_of(dimension) {
            return Err(PlainError::Dimension { expected: dimension, found: numbers.len() });
        }
        let mut pairs = Zeroizing::new(Vec::with_capacity(numbers.len()));
        let mut fours = Zeroizing::new(Vec::with_capacity(numbers.len()));
        let mut offsets = Zeroizing::new(Vec::with_capacity(numbers.len() / dimension));
        for vector in numbers.chunks_exact(dimension) {
            let wide = |at: &i8| i16::from(*at).cast_unsigned();
            pairs.extend(vector.chunks(2).map(|two| [wide(&two[0]), two.get(1).map_or(0, wide)]));
            fours.extend(vector.chunks(FOUR).map(|four| {
                std::array::from_fn::<i8, FOUR, _>(|at| four.get(at).copied().unwrap_or(0))
            }));
            offsets.push(BIAS * vector.iter().map(|&number| i32::from(number)).sum::<i32>());
        }
        let fours = grouped(&fours, dimension.div_ceil(FOUR), GROUP);
        Ok(Self { dimension, pairs, fours, offsets })
    }

    /// How many vectors there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.offsets.len()
    }
}

/// Products of a block's biased numbers with up to [`GROUP`] vectors.
fn multiply(path: Path, block: &[Line], vectors: &[[i8; FOUR]], sums: &mut [[i32; BLOCK]]) {
    match path {
        Path::Portable => multiply_portable(block, vectors, sums),
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "a path is offered only where the machine has it")]
        Path::Avx2 => unsafe { wide::multiply_avx2(block, vectors, sums) },
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "a path is offered only where the machine has it")]
        Path::Avx512 => unsafe { wide::multiply_avx512(block, vectors, sums) },
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "a path is offered only where the machine has it")]
        Path::Vnni => unsafe { wide::multiply_vnni(block, vectors, sums) },
    }
}

fn multiply_portable(block: &[Line], vectors: &[[i8; FOUR]], sums: &mut [[i32; BLOCK]]) {
    for (line, fours) in block.iter().zip(vectors.chunks_exact(sums.len())) {
        for (four, sums) in fours.iter().zip(sums.iter_mut()) {
            for (sum, [low, high]) in sums.iter_mut().zip(line.0.as_chunks::<2>().0) {
                let ([a, b], [c, d]) = (low.to_le_bytes(), high.to_le_bytes());
                let products = [a, b, c, d].into_iter().zip(four);
                *sum += products.map(|(a, b)| i32::from(a) * i32::from(*b)).sum::<i32>();
            }
        }
    }
}

/// The same with wide registers.
#[cfg(target_arch = "x86_64")]
mod wide {
    use std::arch::x86_64::*;

    use super::{BLOCK, FOUR, GROUP, Line};

    /// How far ahead of its use memory is asked for: 8 KiB.
    const AHEAD: usize = 128;
    /// Vectors for which two sums are kept each.
    const FEW: usize = 4;

    macro_rules! multiply_with {
        ($name:ident, $each:ident, $features:literal, $parts:literal, $zero:ident, $load:ident,
         $broadcast:ident, $accumulate:ident, $store:ident) => {
            #[target_feature(enable = $features)]
            pub(super) fn $name(block: &[Line], vectors: &[[i8; FOUR]], sums: &mut [[i32; BLOCK]]) {
                match sums.len() {
                    1 => $each::<1>(block, vectors, sums),
                    2 => $each::<2>(block, vectors, sums),
                    3 => $each::<3>(block, vectors, sums),
                    4 => $each::<4>(block, vectors, sums),
                    5 => $each::<5>(block, vectors, sums),
                    6 => $each::<6>(block, vectors, sums),
                    7 => $each::<7>(block, vectors, sums),
                    8 => $each::<8>(block, vectors, sums),
                    9 => $each::<9>(block, vectors, sums),
                    10 => $each::<10>(block, vectors, sums),
                    11 => $each::<11>(block, vectors, sums),
                    _ => $each::<GROUP>(block, vectors, sums),
                }
            }

            #[target_feature(enable = $features)]
            fn $each<const V: usize>(
                block: &[Line],
                vectors: &[[i8; FOUR]],
                sums: &mut [[i32; BLOCK]],
            ) {
                // Sums of even and of odd places: of few vectors one sum alone would be waited for.
                let mut wide = [[[$zero(); $parts]; V]; 2];
                let fours = vectors.as_chunks::<V>().0;
                for (lines, fours) in block.chunks(2).zip(fours.chunks(2)) {
                    for (half, (line, fours)) in lines.iter().zip(fours).enumerate() {
                        // Beyond the end this asks for what is not there, which does nothing.
                        let ahead = std::ptr::from_ref(line).wrapping_add(AHEAD);
                        _mm_prefetch::<_MM_HINT_T0>(ahead.cast());
                        let wide = &mut wide[if V <= FEW { half } else { 0 }];
                        for v in 0..V {
                            let four = fours[v].map(i8::cast_unsigned);
                            let four = $broadcast(i32::from_le_bytes(four));
                            for part in 0..$parts {
                                let numbers =
                                    &line.0[part * (2 * BLOCK / $parts)..][..2 * BLOCK / $parts];
                                #[expect(
                                    unsafe_code,
                                    reason = "as many numbers as a register holds"
                                )]
                                let rows = unsafe { $load(numbers.as_ptr().cast()) };
                                wide[v][part] = $accumulate(wide[v][part], rows, four);
                            }
                        }
                    }
                }
                for (v, sums) in sums.iter_mut().enumerate().take(V) {
                    for (part, sums) in sums.chunks_exact_mut(BLOCK / $parts).enumerate() {
                        for wide in &wide {
                            let mut numbers = [0i32; BLOCK / $parts];
                            #[expect(unsafe_code, reason = "as many numbers as a register holds")]
                            unsafe {
                                $store(numbers.as_mut_ptr().cast(), wide[v][part]);
                            }
                            sums.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += number);
                        }
                    }
                }
            }
        };
    }

    multiply_with!(
        multiply_avx2,
        each_avx2,
        "avx2",
        2,
        _mm256_setzero_si256,
        _mm256_load_si256,
        _mm256_set1_epi32,
        accumulate_256,
        _mm256_storeu_si256
    );
    multiply_with!(
        multiply_avx512,
        each_avx512,
        "avx512f,avx512bw",
        1,
        _mm512_setzero_si512,
        _mm512_load_si512,
        _mm512_set1_epi32,
        accumulate_512,
        _mm512_storeu_si512
    );
    multiply_with!(
        multiply_vnni,
        each_vnni,
        "avx512f,avx512bw,avx512vnni",
        1,
        _mm512_setzero_si512,
        _mm512_load_si512,
        _mm512_set1_epi32,
        _mm512_dpbusd_epi32,
        _mm512_storeu_si512
    );

    /// Even and odd bytes apart, so that no sum of two products is cut off at 16 bits.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn accumulate_256(sum: __m256i, rows: __m256i, four: __m256i) -> __m256i {
        let even = _mm256_and_si256(rows, _mm256_set1_epi16(0xff));
        let odd = _mm256_srli_epi16::<8>(rows);
        let even_four = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(four));
        let odd_four = _mm256_srai_epi16::<8>(four);
        let products =
            _mm256_add_epi32(_mm256_madd_epi16(even, even_four), _mm256_madd_epi16(odd, odd_four));
        _mm256_add_epi32(sum, products)
    }

    /// As [`accumulate_256`].
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn accumulate_512(sum: __m512i, rows: __m512i, four: __m512i) -> __m512i {
        let even = _mm512_and_si512(rows, _mm512_set1_epi16(0xff));
        let odd = _mm512_srli_epi16::<8>(rows);
        let even_four = _mm512_srai_epi16::<8>(_mm512_slli_epi16::<8>(four));
        let odd_four = _mm512_srai_epi16::<8>(four);
        let products =
            _mm512_add_epi32(_mm512_madd_epi16(even, even_four), _mm512_madd_epi16(odd, odd_four));
        _mm512_add_epi32(sum, products)
    }
}

#[cfg(test)]
mod tests {
    use handfast_model::{Random, SeededRandom};

    use super::*;

    fn numbers(seed: u64, count: usize) -> Vec<i8> {
        let mut bytes = vec![0; count];
        SeededRandom::new(seed).fill(&mut bytes);
        bytes.into_iter().map(u8::cast_signed).collect()
    }

    /// The definition, number by number.
    fn slow(rows: &[i8], probe: &[i8], dimension: usize) -> Vec<i32> {
        let score = |a: &[i8], b: &[i8]| {
            a.iter().zip(b).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum::<i32>()
        };
        let each = |vector| rows.chunks(dimension).map(move |row| score(row, vector));
        probe.chunks(dimension).flat_map(each).collect()
    }

    fn rows_of(width: Width, numbers: &[i8], dimension: usize) -> PlainRows {
        let mut rows = PlainRows::new(width, dimension, 0);
        numbers.chunks(dimension).for_each(|row| rows.push(row).unwrap());
        rows
    }

    /// The first row of those with the greatest score with any vector.
    fn slow_best(scores: &[i32], rows: usize) -> Option<i32> {
        scores.chunks(rows).flatten().copied().max()
    }

    #[test]
    fn every_path_scores_like_the_definition() {
        for (seed, dimension) in [1, 2, 3, 7, 64, 256, 511, 512].into_iter().enumerate() {
            for (count, vectors) in [(1, 1), (15, 2), (33, 8), (40, 9), (16, 25)] {
                // Sixteen bits hold scores of short vectors alone.
                let small = |n: i8| n / 16;
                let all = numbers(seed as u64, count * dimension);
                let probe = numbers(50 + seed as u64, vectors * dimension);
                for width in [Width::Eight, Width::Sixteen] {
                    let (all, probe): (Vec<i8>, Vec<i8>) = if width == Width::Sixteen {
                        (
                            all.iter().map(|&n| small(n)).collect(),
                            probe.iter().map(|&n| small(n)).collect(),
                        )
                    } else {
                        (all.clone(), probe.clone())
                    };
                    let expected = slow(&all, &probe, dimension);
                    let rows = rows_of(width, &all, dimension);
                    let probe = PlainProbe::new(&probe, dimension).unwrap();
                    for path in Path::available() {
                        let found = rows.scores(path, &probe, 0..count).unwrap();
                        assert_eq!(found, expected, "{path:?} {width:?} {dimension}");
                        let (row, score) = rows.best(path, &probe, 0..count).unwrap().unwrap();
                        assert_eq!(Some(score), slow_best(&expected, count));
                        assert!(expected.iter().skip(row).step_by(count).any(|&s| s == score));
                    }
                }
            }
        }
    }

    #[test]
    fn extreme_numbers_are_not_cut_off() {
        for a in [-128i8, -1, 0, 127] {
            for b in [-128i8, -1, 0, 127] {
                let rows = rows_of(Width::Eight, &[a; 512 * 17], 512);
                let probe = PlainProbe::new(&[b; 512], 512).unwrap();
                for path in Path::available() {
                    let scores = rows.scores(path, &probe, 0..17).unwrap();
                    assert_eq!(scores, [512 * i32::from(a) * i32::from(b); 17], "{path:?}");
                }
            }
        }
    }

    #[test]
    fn parts_are_parts_of_the_whole() {
        let all = numbers(3, 5_000 * 12);
        let rows = rows_of(Width::Eight, &all, 12);
        let probe = PlainProbe::new(&all[..24], 12).unwrap();
        let whole = slow(&all, &all[..24], 12);
        for part in [0..5_000, 0..16, 16..17, 2_048..5_000, 32..32] {
            let found = rows.scores(Path::best(), &probe, part.clone()).unwrap();
            let expected = [&whole[part.clone()], &whole[5_000..][part.clone()]].concat();
            assert_eq!(found, expected);
            let best = rows.best(Path::best(), &probe, part).unwrap();
            assert_eq!(best.map(|(_, score)| score), expected.into_iter().max());
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut rows = rows_of(Width::Eight, &[1; 40], 20);
        assert!(rows.push(&[1; 19]).is_err());
        assert_eq!((rows.count(), rows.bytes_per_row()), (2, 20));
        let probe = PlainProbe::new(&[1; 20], 20).unwrap();
        for wrong in [1..2, 0..3, 16..17] {
            assert!(rows.scores(Path::best(), &probe, wrong).is_err());
        }
        let longer = PlainProbe::new(&[1; 21], 21).unwrap();
        assert!(rows.best(Path::best(), &longer, 0..2).is_err());
        assert!(PlainProbe::new(&[], 4).is_err() && PlainProbe::new(&[1; 5], 4).is_err());
    }
}
