//! The three loops where a comparison spends its time: inner products of stored rows with probe
//! vectors modulo 2^16, turning numbers into planes of bits, and the local half of an AND.
//!
//! Each is written once in plain Rust and, for the first two, again with the wide instructions of
//! x86-64, chosen at run time. The plain one is the oracle of the others.

use zeroize::Zeroize;

/// Numbers of 16 bits in a [`Line`].
pub(crate) const LINE: usize = 32;
/// Rows that one pass over all probe vectors works on: at 512 numbers 16 KiB, half of a first-level
/// cache, so that a row comes from memory once however many vectors there are.
const TILE_ROWS: usize = 16;
/// How many lines ahead of its use a row is asked for: 8 KiB, what memory brings while the rows
/// before it are worked on. Rows are short, so that the machine's own guesses begin anew with each.
const AHEAD: usize = 128;

/// A cache line of numbers; rows and probe vectors are whole lines, so that no load crosses two.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
pub(crate) struct Line(pub(crate) [u16; LINE]);

impl Line {
    pub(crate) const ZERO: Self = Self([0; LINE]);
}

impl Zeroize for Line {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

/// Which instructions are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// What every machine has.
    Portable,
    /// 256-bit multiply and add.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 512-bit multiply and add.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// 512-bit multiply-accumulate.
    #[cfg(target_arch = "x86_64")]
    Vnni,
}

impl Path {
    /// Those that this machine has, the slowest first.
    pub(crate) fn available() -> Vec<Self> {
        #[cfg_attr(not(target_arch = "x86_64"), expect(unused_mut, reason = "one path there"))]
        let mut paths = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") {
                paths.push(Self::Avx2);
            }
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
                paths.push(Self::Avx512);
                if is_x86_feature_detected!("avx512vnni") {
                    paths.push(Self::Vnni);
                }
            }
        }
        paths
    }

    /// The fastest that this machine has.
    pub(crate) fn best() -> Self {
        Self::available().pop().unwrap_or(Self::Portable)
    }
}

/// Inner products modulo 2^16 of every row with every vector: `products[v * stride + r]`. Rows and
/// vectors have `lines` lines each.
pub(crate) fn dot_products(
    path: Path,
    rows: &[Line],
    vectors: &[Line],
    lines: usize,
    products: &mut [u16],
    stride: usize,
) {
    debug_assert!(path == Path::Portable || Path::available().contains(&path));
    assert!(lines > 0 && rows.len().is_multiple_of(lines) && vectors.len().is_multiple_of(lines));
    assert!(rows.len() / lines <= stride && products.len() == vectors.len() / lines * stride);
    match path {
        Path::Portable => dot_products_portable(rows, vectors, lines, products, stride),
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "a path is offered only where the machine has it")]
        Path::Avx2 => unsafe { avx2::dot_products(rows, vectors, lines, products, stride) },
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "a path is offered only where the machine has it")]
        Path::Avx512 => unsafe { avx512::dot_products(rows, vectors, lines, products, stride) },
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "a path is offered only where the machine has it")]
        Path::Vnni => unsafe { vnni::dot_products(rows, vectors, lines, products, stride) },
    }
}

fn dot_products_portable(
    rows: &[Line],
    vectors: &[Line],
    lines: usize,
    products: &mut [u16],
    stride: usize,
) {
    for (r, row) in rows.chunks_exact(lines).enumerate() {
        for (v, vector) in vectors.chunks_exact(lines).enumerate() {
            let mut sums = [0u16; LINE];
            for (a, b) in row.iter().zip(vector) {
                for ((sum, &a), &b) in sums.iter_mut().zip(&a.0).zip(&b.0) {
                    *sum = sum.wrapping_add(a.wrapping_mul(b));
                }
            }
            products[v * stride + r] = sums.into_iter().fold(0, u16::wrapping_add);
        }
    }
}

/// Tiles of rows times groups of vectors, with the instructions of one path. A sum of products of
/// signed 16-bit halves, wrapping at 2^32, is right modulo 2^16 whatever the signs were meant to be.
#[cfg(target_arch = "x86_64")]
macro_rules! dot_products_with {
    ($name:ident, $features:literal, $register:ty, $parts:literal, $zero:ident, $load:ident,
     $accumulate:ident, $sum:ident, $sum_four:ident, [$($piece:ident),*]) => {
        mod $name {
            use std::arch::x86_64::*;

            $(use super::pieces::$piece;)*
            use super::{AHEAD, LINE, Line, TILE_ROWS};

            /// `R` rows with `V` vectors; `products[v * stride + r]`.
            #[target_feature(enable = $features)]
            fn tile<const R: usize, const V: usize, const FIRST: bool>(
                rows: &[Line],
                vectors: &[Line],
                lines: usize,
                products: &mut [u16],
                stride: usize,
            ) {
                assert!(rows.len() == R * lines && vectors.len() == V * lines);
                let mut sums = [[$zero(); V]; R];
                for at in 0..lines * $parts {
                    let mut right = [$zero(); V];
                    for v in 0..V {
                        right[v] = part(vectors, v * lines * $parts + at);
                    }
                    for r in 0..R {
                        let left = part(rows, r * lines * $parts + at);
                        if FIRST && at % $parts == 0 {
                            ask_for(rows, r * lines + at / $parts + AHEAD);
                        }
                        for v in 0..V {
                            sums[r][v] = $accumulate(sums[r][v], left, right[v]);
                        }
                    }
                }
                for r in 0..R {
                    if let [a, b, c, d] = sums[r][..] {
                        let four = $sum_four(a, b, c, d);
                        products[r] = _mm_extract_epi32::<0>(four) as u16;
                        products[stride + r] = _mm_extract_epi32::<1>(four) as u16;
                        products[2 * stride + r] = _mm_extract_epi32::<2>(four) as u16;
                        products[3 * stride + r] = _mm_extract_epi32::<3>(four) as u16;
                    } else {
                        for v in 0..V {
                            products[v * stride + r] = $sum(sums[r][v]) as u16;
                        }
                    }
                }
            }

            /// Asks memory for a line, which may be beyond the end.
            #[inline]
            #[target_feature(enable = $features)]
            fn ask_for(lines: &[Line], at: usize) {
                let line = lines.as_ptr().wrapping_add(at);
                #[expect(unsafe_code, reason = "asking for a line reads nothing, wherever it is")]
                unsafe {
                    _mm_prefetch::<_MM_HINT_T0>(line.cast());
                }
            }

            /// The register at `at` registers into the lines.
            #[inline]
            #[target_feature(enable = $features)]
            fn part(lines: &[Line], at: usize) -> $register {
                debug_assert!(at / $parts < lines.len());
                let numbers = lines.as_ptr().cast::<u16>();
                #[expect(unsafe_code, reason = "tile checked that every place it reads is inside")]
                unsafe {
                    $load(numbers.add(at * (LINE / $parts)).cast())
                }
            }

            #[target_feature(enable = $features)]
            pub(super) fn dot_products(
                rows: &[Line],
                vectors: &[Line],
                lines: usize,
                products: &mut [u16],
                stride: usize,
            ) {
                for (tile, rows) in rows.chunks(TILE_ROWS * lines).enumerate() {
                    for (group, vectors) in vectors.chunks(4 * lines).enumerate() {
                        let products = &mut products[4 * group * stride + tile * TILE_ROWS..];
                        match vectors.len() / lines {
                            1 if group == 0 => strip::<1, true>(rows, vectors, lines, products, stride),
                            1 => strip::<1, false>(rows, vectors, lines, products, stride),
                            2 if group == 0 => strip::<2, true>(rows, vectors, lines, products, stride),
                            2 => strip::<2, false>(rows, vectors, lines, products, stride),
                            3 if group == 0 => strip::<3, true>(rows, vectors, lines, products, stride),
                            3 => strip::<3, false>(rows, vectors, lines, products, stride),
                            _ if group == 0 => strip::<4, true>(rows, vectors, lines, products, stride),
                            _ => strip::<4, false>(rows, vectors, lines, products, stride),
                        }
                    }
                }
            }

            /// A tile's rows, four at a time and then one at a time, with `V` vectors.
            #[target_feature(enable = $features)]
            fn strip<const V: usize, const FIRST: bool>(
                rows: &[Line],
                vectors: &[Line],
                lines: usize,
                products: &mut [u16],
                stride: usize,
            ) {
                let fours = rows[..if V == 1 { 0 } else { rows.len() }].chunks_exact(4 * lines);
                let rest = if V == 1 { rows } else { fours.remainder() };
                let after = (rows.len() - rest.len()) / lines;
                for (at, four) in fours.enumerate() {
                    tile::<4, V, FIRST>(four, vectors, lines, &mut products[4 * at..], stride);
                }
                for (at, row) in rest.chunks_exact(lines).enumerate() {
                    tile::<1, V, FIRST>(row, vectors, lines, &mut products[after + at..], stride);
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
dot_products_with!(
    avx2,
    "avx2",
    __m256i,
    2,
    _mm256_setzero_si256,
    _mm256_load_si256,
    accumulate_256,
    sum_256,
    sum_four_256,
    [accumulate_256, sum_256, sum_four_256]
);
#[cfg(target_arch = "x86_64")]
dot_products_with!(
    avx512,
    "avx512f,avx512bw",
    __m512i,
    1,
    _mm512_setzero_si512,
    _mm512_load_si512,
    accumulate_512,
    _mm512_reduce_add_epi32,
    sum_four_512,
    [accumulate_512, sum_four_512]
);
#[cfg(target_arch = "x86_64")]
dot_products_with!(
    vnni,
    "avx512f,avx512bw,avx512vnni",
    __m512i,
    1,
    _mm512_setzero_si512,
    _mm512_load_si512,
    _mm512_dpwssd_epi32,
    _mm512_reduce_add_epi32,
    sum_four_512,
    [sum_four_512]
);

/// What the paths without a multiply-accumulate instruction put together themselves.
#[cfg(target_arch = "x86_64")]
mod pieces {
    use std::arch::x86_64::*;

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn accumulate_256(sum: __m256i, a: __m256i, b: __m256i) -> __m256i {
        _mm256_add_epi32(sum, _mm256_madd_epi16(a, b))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn sum_256(sums: __m256i) -> i32 {
        let four = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256::<1>(sums));
        let two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
        _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<1>(two)))
    }

    /// The sums of four registers, in four lanes.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn sum_four_256(a: __m256i, b: __m256i, c: __m256i, d: __m256i) -> __m128i {
        let ab = _mm256_add_epi32(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
        let cd = _mm256_add_epi32(_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d));
        let all = _mm256_add_epi32(_mm256_unpacklo_epi64(ab, cd), _mm256_unpackhi_epi64(ab, cd));
        _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256::<1>(all))
    }

    /// The sums of four registers, in four lanes.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) fn sum_four_512(a: __m512i, b: __m512i, c: __m512i, d: __m512i) -> __m128i {
        let ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
        let cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
        let all = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
        let half =
            _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64::<1>(all));
        _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256::<1>(half))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) fn accumulate_512(sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
        _mm512_add_epi32(sum, _mm512_madd_epi16(a, b))
    }
}

/// Bits of 16 numbers: numbers in a row, planes out.
pub(crate) const BITS: usize = 16;
/// Numbers whose bits make one word of a plane.
pub(crate) const WORD: usize = 64;

/// Bit planes: bit `n % 64` of `planes[b][n / 64]` is bit `b` of `numbers[n]`.
pub(crate) fn planes(path: Path, numbers: &[u16]) -> [Vec<u64>; BITS] {
    let (blocks, rest) = numbers.as_chunks::<WORD>();
    assert!(rest.is_empty(), "comparisons are padded to whole words");
    let mut planes: [Vec<u64>; BITS] = std::array::from_fn(|_| vec![0; blocks.len()]);
    match path {
        #[cfg(target_arch = "x86_64")]
        Path::Avx512 | Path::Vnni => {
            #[expect(unsafe_code, reason = "a path is offered only where the machine has it")]
            unsafe {
                planes_avx512(blocks, &mut planes);
            }
        }
        _ => planes_portable(blocks, &mut planes),
    }
    planes
}

fn planes_portable(blocks: &[[u16; WORD]], planes: &mut [Vec<u64>; BITS]) {
    for (at, block) in blocks.iter().enumerate() {
        // Four squares of 16 by 16 bits side by side, each transposed by exchanging its quarters,
        // their quarters, and so on.
        let mut square: [u64; BITS] = std::array::from_fn(|row| {
            (0..4).fold(0, |word, g| word | u64::from(block[BITS * g + row]) << (BITS * g))
        });
        for (half, mask) in [
            (8, 0x00ff_00ff_00ff_00ff_u64),
            (4, 0x0f0f_0f0f_0f0f_0f0f),
            (2, 0x3333_3333_3333_3333),
            (1, 0x5555_5555_5555_5555),
        ] {
            for row in (0..BITS).filter(|row| row & half == 0) {
                let exchanged = ((square[row] >> half) ^ square[row + half]) & mask;
                square[row] ^= exchanged << half;
                square[row + half] ^= exchanged;
            }
        }
        for (plane, word) in planes.iter_mut().zip(square) {
            plane[at] = word;
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw")]
fn planes_avx512(blocks: &[[u16; WORD]], planes: &mut [Vec<u64>; BITS]) {
    use std::arch::x86_64::*;
    for (at, block) in blocks.iter().enumerate() {
        let numbers = block.as_ptr();
        #[expect(unsafe_code, reason = "a block is two registers long")]
        let (mut low, mut high) = unsafe {
            (_mm512_loadu_si512(numbers.cast()), _mm512_loadu_si512(numbers.add(32).cast()))
        };
        for plane in planes.iter_mut().rev() {
            let word = u64::from(_mm512_movepi16_mask(low));
            plane[at] = word | u64::from(_mm512_movepi16_mask(high)) << 32;
            low = _mm512_add_epi16(low, low);
            high = _mm512_add_epi16(high, high);
        }
    }
}

#[cfg(test)]
mod tests {
    use handfast_model::{Random, SeededRandom};

    use super::*;

    fn numbers(seed: u64, count: usize) -> Vec<u16> {
        let mut bytes = vec![0; 2 * count];
        SeededRandom::new(seed).fill(&mut bytes);
        bytes.as_chunks::<2>().0.iter().map(|two| u16::from_le_bytes(*two)).collect()
    }

    fn lines(numbers: &[u16]) -> Vec<Line> {
        numbers.as_chunks::<LINE>().0.iter().map(|line| Line(*line)).collect()
    }

    /// The definition, number by number.
    fn slow(rows: &[u16], vectors: &[u16], dimension: usize) -> Vec<u16> {
        let product = |a: &[u16], b: &[u16]| {
            a.iter().zip(b).fold(0u16, |sum, (&a, &b)| sum.wrapping_add(a.wrapping_mul(b)))
        };
        let each = |vector| rows.chunks(dimension).map(move |row| product(row, vector));
        vectors.chunks(dimension).flat_map(each).collect()
    }

    fn check(rows: &[u16], vectors: &[u16], dimension: usize) {
        let expected = slow(rows, vectors, dimension);
        let (rows, vectors) = (lines(rows), lines(vectors));
        let stride = rows.len() / (dimension / LINE);
        for path in Path::available() {
            let mut products = vec![0; expected.len()];
            dot_products(path, &rows, &vectors, dimension / LINE, &mut products, stride);
            assert_eq!(products, expected, "{path:?}, {dimension}");
        }
    }

    #[test]
    fn every_path_gives_the_inner_products() {
        for (seed, dimension) in [LINE, 64, 256, 512, 3072].into_iter().enumerate() {
            for rows in [1, 3, 4, 17, 37] {
                for vectors in [1, 2, 3, 4, 5, 9] {
                    let seed = 100 * seed as u64;
                    let row_numbers = numbers(seed, rows * dimension);
                    check(&row_numbers, &numbers(seed + 1, vectors * dimension), dimension);
                }
            }
        }
    }

    #[test]
    fn extreme_numbers_wrap_alike() {
        for a in [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff] {
            for b in [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff] {
                check(&[a; 5 * 512], &[b; 5 * 512], 512);
            }
        }
    }

    #[test]
    fn every_path_gives_the_planes() {
        let numbers = numbers(5, 7 * WORD);
        for path in Path::available() {
            let planes = planes(path, &numbers);
            for (n, &number) in numbers.iter().enumerate() {
                for (b, plane) in planes.iter().enumerate() {
                    let bit = plane[n / WORD] >> (n % WORD) & 1;
                    assert_eq!(bit, u64::from(number >> b & 1), "{path:?}: number {n}, bit {b}");
                }
            }
        }
    }
}
