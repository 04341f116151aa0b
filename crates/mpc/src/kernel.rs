//! The two loops where a comparison spends its time: inner products of stored rows with probe
//! vectors modulo 2^16, and turning numbers into planes of bits.
//!
//! Each is written once in plain Rust and again with the wide instructions of x86-64, chosen at run
//! time. The plain one is the oracle of the others.
//!
//! Sixteen rows stand interleaved: a line holds two neighbouring numbers of each of them. So a pass
//! reads memory from one end to the other, a line meets every probe vector while it is in a
//! register, and sixteen sums come out side by side, without adding across a register.

use zeroize::Zeroize;

/// Rows that stand interleaved.
pub(crate) const BLOCK: usize = 16;
/// Numbers of 16 bits in a [`Line`]: a pair of each of a block's rows.
pub(crate) const LINE: usize = 2 * BLOCK;
/// How many lines ahead of its use memory is asked for one: 8 KiB, what it brings while a block
/// meets the probe vectors.
#[cfg(target_arch = "x86_64")]
const AHEAD: usize = 128;

/// A cache line: two neighbouring numbers of each of sixteen rows.
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

/// Two neighbouring numbers of a probe vector.
pub(crate) type Pair = [u16; 2];

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

/// Inner products modulo 2^16 of every row with every vector: `products[v * stride + r]`. A block of
/// rows has `pairs` lines, a vector `pairs` pairs; a block is whole, its missing rows being zeros.
pub(crate) fn dot_products(
    path: Path,
    blocks: &[Line],
    vectors: &[Pair],
    pairs: usize,
    products: &mut [u16],
    stride: usize,
) {
    debug_assert!(path == Path::Portable || Path::available().contains(&path));
    assert!(pairs > 0 && blocks.len().is_multiple_of(pairs) && vectors.len().is_multiple_of(pairs));
    assert!(blocks.len() / pairs * BLOCK <= stride);
    assert!(products.len() == vectors.len() / pairs * stride);
    match path {
        Path::Portable => dot_products_portable(blocks, vectors, pairs, products, stride),
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "a path is offered only where the machine has it")]
        Path::Avx2 => unsafe { avx2::dot_products(blocks, vectors, pairs, products, stride) },
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "a path is offered only where the machine has it")]
        Path::Avx512 => unsafe { avx512::dot_products(blocks, vectors, pairs, products, stride) },
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "a path is offered only where the machine has it")]
        Path::Vnni => unsafe { vnni::dot_products(blocks, vectors, pairs, products, stride) },
    }
}

fn dot_products_portable(
    blocks: &[Line],
    vectors: &[Pair],
    pairs: usize,
    products: &mut [u16],
    stride: usize,
) {
    for (b, block) in blocks.chunks_exact(pairs).enumerate() {
        for (v, vector) in vectors.chunks_exact(pairs).enumerate() {
            let mut sums = [0u16; BLOCK];
            for (line, [first, second]) in block.iter().zip(vector) {
                for (sum, [a, b]) in sums.iter_mut().zip(line.0.as_chunks::<2>().0) {
                    let product = a.wrapping_mul(*first).wrapping_add(b.wrapping_mul(*second));
                    *sum = sum.wrapping_add(product);
                }
            }
            products[v * stride + b * BLOCK..][..BLOCK].copy_from_slice(&sums);
        }
    }
}

/// Blocks of rows times groups of vectors, with the instructions of one path. A sum of products of
/// signed 16-bit halves, wrapping at 2^32, is right modulo 2^16 whatever the signs were meant to be.
#[cfg(target_arch = "x86_64")]
macro_rules! dot_products_with {
    ($name:ident, $features:literal, $register:ty, $parts:literal, $zero:ident, $load:ident,
     $broadcast:ident, $accumulate:ident, $store:ident, [$($piece:ident),*]) => {
        mod $name {
            use std::arch::x86_64::*;

            $(use super::pieces::$piece;)*
            use super::{AHEAD, BLOCK, LINE, Line, Pair};

            /// Vectors that a line meets at a time: their sums fit the registers.
            const GROUP: usize = 12 / $parts;

            /// One block with `V` vectors; `products[v * stride..]`.
            #[target_feature(enable = $features)]
            fn block_with<const V: usize>(
                block: &[Line],
                vectors: &[Pair],
                products: &mut [u16],
                stride: usize,
                first: bool,
            ) {
                let pairs = block.len();
                let mut sums = [[$zero(); $parts]; V];
                let mut each: [&[Pair]; V] = [&[]; V];
                for v in 0..V {
                    each[v] = &vectors[v * pairs..][..pairs];
                }
                for at in 0..pairs {
                    if first {
                        // Beyond the end this asks for what is not there, which does nothing.
                        _mm_prefetch::<_MM_HINT_T0>(block.as_ptr().wrapping_add(at + AHEAD).cast());
                    }
                    for v in 0..V {
                        let [low, high] = each[v][at];
                        let pair = $broadcast(i32::from(low) | i32::from(high) << 16);
                        for part in 0..$parts {
                            let numbers = &block[at].0[part * (LINE / $parts)..][..LINE / $parts];
                            #[expect(unsafe_code, reason = "as many numbers as a register holds")]
                            let rows = unsafe { $load(numbers.as_ptr().cast()) };
                            sums[v][part] = $accumulate(sums[v][part], rows, pair);
                        }
                    }
                }
                for v in 0..V {
                    for part in 0..$parts {
                        let place = v * stride + part * (BLOCK / $parts);
                        $store(sums[v][part], &mut products[place..][..BLOCK / $parts]);
                    }
                }
            }

            #[target_feature(enable = $features)]
            pub(super) fn dot_products(
                blocks: &[Line],
                vectors: &[Pair],
                pairs: usize,
                products: &mut [u16],
                stride: usize,
            ) {
                for (b, block) in blocks.chunks_exact(pairs).enumerate() {
                    for (group, vectors) in vectors.chunks(GROUP * pairs).enumerate() {
                        let products = &mut products[group * GROUP * stride + b * BLOCK..];
                        let first = group == 0;
                        match vectors.len() / pairs {
                            1 => block_with::<1>(block, vectors, products, stride, first),
                            2 => block_with::<2>(block, vectors, products, stride, first),
                            3 => block_with::<3>(block, vectors, products, stride, first),
                            4 => block_with::<4>(block, vectors, products, stride, first),
                            5 => block_with::<5>(block, vectors, products, stride, first),
                            6 => block_with::<6>(block, vectors, products, stride, first),
                            7 => block_with::<7>(block, vectors, products, stride, first),
                            8 => block_with::<8>(block, vectors, products, stride, first),
                            9 => block_with::<9>(block, vectors, products, stride, first),
                            10 => block_with::<10>(block, vectors, products, stride, first),
                            11 => block_with::<11>(block, vectors, products, stride, first),
                            _ => block_with::<GROUP>(block, vectors, products, stride, first),
                        }
                    }
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
    _mm256_set1_epi32,
    accumulate_256,
    store_256,
    [accumulate_256, store_256]
);
#[cfg(target_arch = "x86_64")]
dot_products_with!(
    avx512,
    "avx512f,avx512bw",
    __m512i,
    1,
    _mm512_setzero_si512,
    _mm512_load_si512,
    _mm512_set1_epi32,
    accumulate_512,
    store_512,
    [accumulate_512, store_512]
);
#[cfg(target_arch = "x86_64")]
dot_products_with!(
    vnni,
    "avx512f,avx512bw,avx512vnni",
    __m512i,
    1,
    _mm512_setzero_si512,
    _mm512_load_si512,
    _mm512_set1_epi32,
    _mm512_dpwssd_epi32,
    store_512,
    [store_512]
);

/// What no single instruction does.
#[cfg(target_arch = "x86_64")]
mod pieces {
    use std::arch::x86_64::*;

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn accumulate_256(sum: __m256i, a: __m256i, b: __m256i) -> __m256i {
        _mm256_add_epi32(sum, _mm256_madd_epi16(a, b))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) fn accumulate_512(sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
        _mm512_add_epi32(sum, _mm512_madd_epi16(a, b))
    }

    /// The lower halves of eight sums.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn store_256(sums: __m256i, products: &mut [u16]) {
        let mut wide = [0i32; 8];
        #[expect(unsafe_code, reason = "eight sums are a register")]
        unsafe {
            _mm256_storeu_si256(wide.as_mut_ptr().cast(), sums);
        }
        products.iter_mut().zip(wide).for_each(|(product, sum)| *product = sum as u16);
    }

    /// The lower halves of sixteen sums.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) fn store_512(sums: __m512i, products: &mut [u16]) {
        assert!(products.len() == 16);
        #[expect(unsafe_code, reason = "sixteen products are checked to be there")]
        unsafe {
            _mm256_storeu_si256(products.as_mut_ptr().cast(), _mm512_cvtepi32_epi16(sums));
        }
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

    /// Rows of `dimension` numbers in blocks.
    fn blocks(rows: &[u16], dimension: usize) -> Vec<Line> {
        let mut blocks = Vec::new();
        for rows in rows.chunks(BLOCK * dimension) {
            let start = blocks.len();
            blocks.resize(start + dimension / 2, Line::ZERO);
            for (r, row) in rows.chunks(dimension).enumerate() {
                for (k, &number) in row.iter().enumerate() {
                    blocks[start + k / 2].0[2 * r + k % 2] = number;
                }
            }
        }
        blocks
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
        let count = rows.len() / dimension;
        let (rows, pairs) = (blocks(rows, dimension), vectors.as_chunks::<2>().0);
        let stride = count.next_multiple_of(BLOCK) + BLOCK;
        for path in Path::available() {
            let mut products = vec![0; vectors.len() / dimension * stride];
            dot_products(path, &rows, pairs, dimension / 2, &mut products, stride);
            let found: Vec<u16> =
                products.chunks(stride).flat_map(|of_vector| of_vector[..count].to_vec()).collect();
            assert_eq!(found, expected, "{path:?}, {dimension}");
            let padding = products.chunks(stride).flat_map(|of_vector| &of_vector[count..]);
            assert!(padding.into_iter().all(|&product| product == 0));
        }
    }

    #[test]
    fn every_path_gives_the_inner_products() {
        for (seed, dimension) in [4, 64, 256, 512, 3072].into_iter().enumerate() {
            for rows in [1, 15, 16, 17, 37] {
                for vectors in [1, 2, 3, 5, 6, 7, 9, 12, 13, 25] {
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
