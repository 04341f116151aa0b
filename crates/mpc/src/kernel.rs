//! Inner products of stored rows with probe vectors modulo 2^16: written once in plain Rust and again
//! with the wide instructions of x86-64, chosen at run time. The plain one is the oracle of the others.
//!
//! Sixteen rows stand interleaved: a line holds two neighbouring numbers of each of them. So a pass
//! reads memory from one end to the other, a line meets every probe vector while it is in a
//! register, and sixteen sums come out side by side, without adding across a register.

use zeroize::{Zeroize, Zeroizing};

/// Rows that stand interleaved.
pub(crate) const BLOCK: usize = 16;
/// Numbers of 16 bits in a [`Line`]: a pair of each of a block's rows.
pub(crate) const LINE: usize = 2 * BLOCK;
/// How many lines ahead of its use memory is asked for one: 8 KiB, what it brings while a block
/// meets the probe vectors.
#[cfg(target_arch = "x86_64")]
const AHEAD: usize = 128;

/// Vectors for which blocks are taken one at a time.
#[cfg(target_arch = "x86_64")]
const FEW: usize = 4;

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

/// Which instructions compute. All give the same; the fastest that the machine has is used, others
/// are for tests and for measuring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
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
    /// The fastest first.
    #[cfg(target_arch = "x86_64")]
    const ALL: &[Self] = &[Self::Vnni, Self::Avx512, Self::Avx2, Self::Portable];
    #[cfg(not(target_arch = "x86_64"))]
    const ALL: &[Self] = &[Self::Portable];

    /// Whether this machine has the instructions.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Vnni => Self::Avx512.is_available() && is_x86_feature_detected!("avx512vnni"),
        }
    }

    /// Those that this machine has, the fastest first.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|path| path.is_available())
    }

    /// Vectors that a line meets at a time.
    const fn group(self) -> usize {
        match self {
            Self::Portable => 1,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => avx2::GROUP,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => avx512::GROUP,
            #[cfg(target_arch = "x86_64")]
            Self::Vnni => vnni::GROUP,
        }
    }

    /// The fastest that this machine has.
    #[must_use]
    pub fn best() -> Self {
        Self::available().next().unwrap_or(Self::Portable)
    }
}

/// Vectors in the order in which the instructions of a path read them. Zeroed when dropped.
pub(crate) struct Vectors {
    path: Path,
    /// Pairs of a vector.
    pairs: usize,
    grouped: Zeroizing<Vec<Pair>>,
}

impl Vectors {
    /// Of vectors of `pairs` pairs each, one after the other.
    pub(crate) fn new(path: Path, vectors: &[Pair], pairs: usize) -> Self {
        assert!(pairs > 0 && vectors.len().is_multiple_of(pairs));
        Self { path, pairs, grouped: grouped(vectors, pairs, path.group()) }
    }

    pub(crate) const fn path(&self) -> Path {
        self.path
    }

    pub(crate) fn count(&self) -> usize {
        self.grouped.len() / self.pairs
    }
}

/// Inner products modulo 2^16 of every row with every vector: `products[v][r]`. A block of rows has
/// as many lines as a vector has pairs; a block is whole, its missing rows being zeros.
pub(crate) fn dot_products(blocks: &[Line], vectors: &Vectors, products: &mut [&mut [u16]]) {
    let Vectors { path, pairs, .. } = *vectors;
    assert!(path.is_available(), "this machine lacks the instructions of {path:?}");
    assert!(blocks.len().is_multiple_of(pairs));
    assert!(vectors.count() == products.len());
    let rows = blocks.len() / pairs * BLOCK;
    assert!(products.iter().all(|products| products.len() >= rows));
    let vectors = &vectors.grouped[..];
    match path {
        Path::Portable => dot_products_portable(blocks, vectors, pairs, products),
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "a path is offered only where the machine has it")]
        Path::Avx2 => unsafe { avx2::dot_products(blocks, vectors, pairs, products) },
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "a path is offered only where the machine has it")]
        Path::Avx512 => unsafe { avx512::dot_products(blocks, vectors, pairs, products) },
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "a path is offered only where the machine has it")]
        Path::Vnni => unsafe { vnni::dot_products(blocks, vectors, pairs, products) },
    }
}

fn dot_products_portable(
    blocks: &[Line],
    vectors: &[Pair],
    pairs: usize,
    products: &mut [&mut [u16]],
) {
    for (b, block) in blocks.chunks_exact(pairs).enumerate() {
        for (vector, products) in vectors.chunks_exact(pairs).zip(products.iter_mut()) {
            let mut sums = [0u16; BLOCK];
            for (line, [first, second]) in block.iter().zip(vector) {
                for (sum, [a, b]) in sums.iter_mut().zip(line.0.as_chunks::<2>().0) {
                    let product = a.wrapping_mul(*first).wrapping_add(b.wrapping_mul(*second));
                    *sum = sum.wrapping_add(product);
                }
            }
            products[b * BLOCK..][..BLOCK].copy_from_slice(&sums);
        }
    }
}

/// Vectors in groups; of a group first what all have at the first place, then at the second one, and so
/// on: in the order in which they are read.
pub(crate) fn grouped<T: Copy + Default + Zeroize>(
    vectors: &[T],
    places: usize,
    group: usize,
) -> Zeroizing<Vec<T>> {
    let mut grouped = Zeroizing::new(vec![T::default(); vectors.len()]);
    for (from, to) in vectors.chunks(group * places).zip(grouped.chunks_mut(group * places)) {
        let count = from.len() / places;
        for (v, vector) in from.chunks_exact(places).enumerate() {
            for (value, place) in vector.iter().zip(to.chunks_exact_mut(count)) {
                place[v] = *value;
            }
        }
    }
    grouped
}

/// Asks for memory before its turn: of one block at a time a little ahead, of several together the
/// next ones, while these meet their first vectors. Beyond the end nothing happens.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn ask_ahead<const B: usize>(blocks: &[Line], at: usize) {
    use std::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T1, _mm_prefetch};
    let now = blocks.as_ptr().wrapping_add(B * at);
    #[expect(unsafe_code, reason = "asking for memory reads nothing, whatever its address")]
    unsafe {
        if B == 1 {
            _mm_prefetch::<_MM_HINT_T0>(now.wrapping_add(AHEAD).cast());
        } else {
            for line in 0..B {
                _mm_prefetch::<_MM_HINT_T1>(now.wrapping_add(blocks.len() + line).cast());
            }
        }
    }
}

/// Blocks of rows times groups of vectors, with the instructions of one path. A sum of products of
/// signed 16-bit halves, wrapping at 2^32, is right modulo 2^16 whatever the signs were meant to be.
#[cfg(target_arch = "x86_64")]
macro_rules! dot_products_with {
    ($name:ident, $features:literal, $register:ident, $parts:literal, $group:literal, $together:literal, $zero:ident,
     $load:ident, $broadcast:ident, $accumulate:ident, $add:ident, $store:ident, [$($piece:ident),*]) => {
        mod $name {
            use std::arch::x86_64::*;

            $(use super::pieces::$piece;)*
            use super::{BLOCK, FEW, LINE, Line, Pair, ask_ahead};

            /// Vectors that a line meets at a time, and blocks that a pair meets at a time: their
            /// sums fit the registers.
            pub(super) const GROUP: usize = $group;
            const TOGETHER: usize = $together;

            /// Sums of `B` blocks with `V` vectors.
            type Sums<const V: usize, const B: usize> = [[[$register; $parts]; B]; V];

            /// One line of each block with a pair of each vector.
            #[inline]
            #[target_feature(enable = $features)]
            fn add_lines<const V: usize, const B: usize>(
                sums: &mut Sums<V, B>,
                lines: [&Line; B],
                vectors: &[Pair; V],
            ) {
                for v in 0..V {
                    let [low, high] = vectors[v];
                    let pair = $broadcast(i32::from(low) | i32::from(high) << 16);
                    for b in 0..B {
                        for part in 0..$parts {
                            let numbers =
                                &lines[b].0[part * (LINE / $parts)..][..LINE / $parts];
                            #[expect(unsafe_code, reason = "as many numbers as a register holds")]
                            let rows = unsafe { $load(numbers.as_ptr().cast()) };
                            sums[v][b][part] = $accumulate(sums[v][b][part], rows, pair);
                        }
                    }
                }
            }

            /// `B` blocks with `V` vectors.
            #[target_feature(enable = $features)]
            fn blocks_with<const V: usize, const B: usize>(
                blocks: &[Line],
                vectors: &[Pair],
                products: &mut [&mut [u16]],
                at_row: usize,
                first: bool,
            ) {
                let pairs = blocks.len() / B;
                let vectors = vectors.as_chunks::<V>().0;
                assert!(vectors.len() == pairs);
                let mut block: [&[Line]; B] = [&[]; B];
                for b in 0..B {
                    block[b] = &blocks[b * pairs..][..pairs];
                }
                let lines = |at: usize| {
                    if first {
                        ask_ahead::<B>(blocks, at);
                    }
                    block.map(|block| &block[at])
                };
                let mut sums: Sums<V, B> = [[[$zero(); $parts]; B]; V];
                if V <= FEW {
                    // Of few vectors one sum alone would be waited for.
                    let mut odd: Sums<V, B> = [[[$zero(); $parts]; B]; V];
                    let two = vectors.as_chunks::<2>();
                    for (at, [vectors, odd_vectors]) in two.0.iter().enumerate() {
                        add_lines(&mut sums, lines(2 * at), vectors);
                        add_lines(&mut odd, lines(2 * at + 1), odd_vectors);
                    }
                    for vectors in two.1 {
                        add_lines(&mut sums, lines(pairs - 1), vectors);
                    }
                    for v in 0..V {
                        for b in 0..B {
                            for part in 0..$parts {
                                sums[v][b][part] = $add(sums[v][b][part], odd[v][b][part]);
                            }
                        }
                    }
                } else {
                    for (at, vectors) in vectors.iter().enumerate() {
                        add_lines(&mut sums, lines(at), vectors);
                    }
                }
                for v in 0..V {
                    for b in 0..B {
                        for part in 0..$parts {
                            let place = at_row + b * BLOCK + part * (BLOCK / $parts);
                            $store(sums[v][b][part], &mut products[v][place..][..BLOCK / $parts]);
                        }
                    }
                }
            }

            #[target_feature(enable = $features)]
            fn blocks_of<const B: usize>(
                blocks: &[Line],
                vectors: &[Pair],
                products: &mut [&mut [u16]],
                row: usize,
            ) {
                let pairs = blocks.len() / B;
                let groups = vectors.chunks(GROUP * pairs).zip(products.chunks_mut(GROUP));
                for (group, (vectors, products)) in groups.enumerate() {
                    let first = group == 0;
                    match products.len() {
                        1 => blocks_with::<1, B>(blocks, vectors, products, row, first),
                        2 => blocks_with::<2, B>(blocks, vectors, products, row, first),
                        3 => blocks_with::<3, B>(blocks, vectors, products, row, first),
                        4 => blocks_with::<4, B>(blocks, vectors, products, row, first),
                        5 => blocks_with::<5, B>(blocks, vectors, products, row, first),
                        6 => blocks_with::<6, B>(blocks, vectors, products, row, first),
                        7 => blocks_with::<7, B>(blocks, vectors, products, row, first),
                        8 => blocks_with::<8, B>(blocks, vectors, products, row, first),
                        9 => blocks_with::<9, B>(blocks, vectors, products, row, first),
                        10 => blocks_with::<10, B>(blocks, vectors, products, row, first),
                        11 => blocks_with::<11, B>(blocks, vectors, products, row, first),
                        12 => blocks_with::<12, B>(blocks, vectors, products, row, first),
                        _ => blocks_with::<GROUP, B>(blocks, vectors, products, row, first),
                    }
                }
            }

            #[target_feature(enable = $features)]
            pub(super) fn dot_products(
                blocks: &[Line],
                vectors: &[Pair],
                pairs: usize,
                products: &mut [&mut [u16]],
            ) {
                // Few vectors wait for memory, which is read best from one end to the other.
                let together = if products.len() > FEW { TOGETHER } else { 1 };
                for (at, blocks) in blocks.chunks(together * pairs).enumerate() {
                    let row = at * together * BLOCK;
                    if blocks.len() == TOGETHER * pairs {
                        blocks_of::<TOGETHER>(blocks, vectors, products, row);
                    } else {
                        blocks_of::<1>(blocks, vectors, products, row);
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
    6,
    1,
    _mm256_setzero_si256,
    _mm256_load_si256,
    _mm256_set1_epi32,
    accumulate_256,
    _mm256_add_epi32,
    store_256,
    [accumulate_256, store_256]
);
#[cfg(target_arch = "x86_64")]
dot_products_with!(
    avx512,
    "avx512f,avx512bw",
    __m512i,
    1,
    13,
    2,
    _mm512_setzero_si512,
    _mm512_load_si512,
    _mm512_set1_epi32,
    accumulate_512,
    _mm512_add_epi32,
    store_512,
    [accumulate_512, store_512]
);
#[cfg(target_arch = "x86_64")]
dot_products_with!(
    vnni,
    "avx512f,avx512bw,avx512vnni",
    __m512i,
    1,
    13,
    2,
    _mm512_setzero_si512,
    _mm512_load_si512,
    _mm512_set1_epi32,
    _mm512_dpwssd_epi32,
    _mm512_add_epi32,
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

/// Bits of a number.
pub(crate) const BITS: usize = 16;
/// Numbers whose bits make one word.
pub(crate) const WORD: usize = 64;

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
            let mut parts: Vec<&mut [u16]> = products.chunks_mut(stride).collect();
            dot_products(&rows, &Vectors::new(path, pairs, dimension / 2), &mut parts);
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
                for vectors in [1, 2, 3, 5, 6, 7, 9, 12, 13, 14, 25] {
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
}
