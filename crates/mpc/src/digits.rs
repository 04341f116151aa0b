//! The carries of a sum u + v, of which node A knows u, and B and C know v.
//!
//! Bits below the highest are cut into digits of four. Of each digit of u, A says for every k > 0
//! whether it is at least k (a thermometer), each bit shared between B and C. Where v has the digit
//! d, u + v carries out of a digit of w bits if u's digit is at least 2^w - d, and passes a carry on
//! if it is exactly one less. So both are bits of the thermometer, or the xor of two of them, and
//! which ones B and C know: they select their shares, and have shares of what is carried without
//! having sent anything. For a digit of four bits A sends 15, where an AND a bit and the first two
//! levels of a tree of carries would have cost each node 4 + 5 bits and two more rounds.
//!
//! 512 comparisons are computed together: their bits are as many as the widest registers have, and
//! all their thermometers stay in the fastest cache.

use crate::bits::SharedBits;
use crate::kernel::{BITS, Path};
use crate::message::put_words;

/// Comparisons whose bits are computed together.
pub(crate) const TILE: usize = 512;
/// One bit of each comparison of a tile.
pub(crate) type Plane = [u64; TILE_WORDS];
const TILE_WORDS: usize = TILE / 64;
const ZERO: Plane = [0; TILE_WORDS];
/// Values of the widest digit.
const VALUES_MAX: usize = 16;
/// Most planes that are sent of a tile: 15 for three digits, 7 for one of three bits, the highest.
const TABLES_MAX: usize = 53;
/// Most planes of carries: two a digit, of digits as short as a bit.
const CARRIES_MAX: usize = 2 * BITS;

/// Numbers of a tile.
#[repr(C, align(64))]
pub(crate) struct Numbers([u16; TILE]);

/// Planes of a tile.
#[repr(C, align(64))]
struct Planes<const N: usize>([Plane; N]);

/// How numbers are cut: the highest bit alone, all others into digits from the lowest up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Digits {
    /// Bits of a number.
    bits: usize,
    /// Bits of a digit; the highest digit may have fewer.
    digit: usize,
}

impl Digits {
    /// Sixteen bits in digits of four.
    pub(crate) const WORD: Self = Self { bits: BITS, digit: 4 };

    /// Shorter numbers, to enumerate everything.
    #[cfg(test)]
    pub(crate) fn of(bits: usize, digit: usize) -> Self {
        assert!((2..=BITS).contains(&bits) && (1..=4).contains(&digit));
        Self { bits, digit }
    }

    /// The bits that a number has.
    pub(crate) const fn mask(self) -> u16 {
        u16::MAX >> (BITS - self.bits)
    }

    /// How many digits there are.
    #[cfg(test)]
    pub(crate) const fn count(self) -> usize {
        (self.bits - 1).div_ceil(self.digit)
    }

    /// The digits, each as where its bits begin and how many there are.
    fn each(self) -> impl Iterator<Item = (usize, usize)> {
        let lower = self.bits - 1;
        (0..lower).step_by(self.digit).map(move |at| (at, self.digit.min(lower - at)))
    }

    /// Bits that A sends of a number: thermometers, and the highest bit.
    pub(crate) fn tables(self) -> usize {
        self.each().map(|(_, width)| (1 << width) - 1).sum::<usize>() + 1
    }

    /// Bits of carries: of each digit whether it carries, and but for the lowest whether it passes a
    /// carry on.
    pub(crate) fn carries(self) -> usize {
        2 * self.each().count() - 1
    }
}

/// A's side. `numbers` are u; `hide` adds random bits that B has too. What is sent to C, tile by
/// tile and in it plane by plane, and the shares of u's highest bits.
pub(crate) fn split(
    path: Path,
    digits: Digits,
    numbers: &[u16],
    mut hide: impl FnMut(&mut [u64]),
) -> (Vec<u8>, SharedBits) {
    assert!(path.is_available(), "this machine lacks the instructions of {path:?}");
    let tables = digits.tables();
    let mut body = vec![0; 8 * tables * numbers.len() / 64];
    let mut top = SharedBits::with_capacity(numbers.len() / 64);
    let (mut tile, mut planes) = (Numbers([0; TILE]), Planes([ZERO; TABLES_MAX]));
    for (numbers, part) in numbers.chunks(TILE).zip(body.chunks_mut(8 * tables * TILE_WORDS)) {
        let words = numbers.len() / 64;
        tile.0[..numbers.len()].copy_from_slice(numbers);
        tables_of(path, digits, &tile, &mut planes.0[..tables]);
        let clear = planes.0[tables - 1];
        let sent = narrowed(&mut planes.0[..tables], words);
        hide(sent);
        put_words(sent, part);
        let masked = &sent[(tables - 1) * words..];
        top.own.extend(masked.iter().zip(clear).map(|(masked, clear)| masked ^ clear));
        top.previous.extend_from_slice(masked);
    }
    (body, top)
}

/// What B or C makes of its share of A's tables.
pub(crate) struct Carried {
    /// Its share of the carries: [`Digits::carries`] planes one after the other, each of all
    /// comparisons. The xor of B's and C's are the carries.
    pub(crate) shares: Vec<u64>,
    /// The highest bits of v.
    pub(crate) top: Vec<u64>,
    /// Its share of the highest bits of u.
    pub(crate) top_share: Vec<u64>,
}

/// B's or C's side. `numbers` are v; `tables` gives the next words of the node's share of what
/// [`split`] made; one of the two nodes has the `constant`, the share of what is always true.
pub(crate) fn carries(
    path: Path,
    digits: Digits,
    numbers: &[u16],
    constant: bool,
    mut tables: impl FnMut(&mut [u64]),
) -> Carried {
    assert!(path.is_available(), "this machine lacks the instructions of {path:?}");
    let all = numbers.len() / 64;
    let (count, sums) = (digits.tables(), digits.carries());
    let mut shares = vec![0; sums * all];
    let (mut top, mut top_share) = (Vec::with_capacity(all), Vec::with_capacity(all));
    let (mut tile, mut planes) = (Numbers([0; TILE]), Planes([ZERO; TABLES_MAX]));
    let mut carried = Planes([ZERO; CARRIES_MAX]);
    for (at, numbers) in numbers.chunks(TILE).enumerate() {
        let words = numbers.len() / 64;
        tile.0[..numbers.len()].copy_from_slice(numbers);
        let received = &mut planes.0.as_flattened_mut()[..count * words];
        received.fill(0);
        tables(received);
        widened(&mut planes.0[..count], words);
        let highest =
            carries_of(path, digits, &tile, &planes.0[..count], constant, &mut carried.0[..sums]);
        for (plane, carried) in shares.chunks_exact_mut(all).zip(&carried.0) {
            plane[at * TILE_WORDS..][..words].copy_from_slice(&carried[..words]);
        }
        top.extend_from_slice(&highest[..words]);
        top_share.extend_from_slice(&planes.0[count - 1][..words]);
    }
    Carried { shares, top, top_share }
}

/// Planes of which only some words count, moved together.
fn narrowed(planes: &mut [Plane], words: usize) -> &mut [u64] {
    let count = planes.len();
    let flat = planes.as_flattened_mut();
    if words < TILE_WORDS {
        for plane in 1..count {
            flat.copy_within(plane * TILE_WORDS..plane * TILE_WORDS + words, plane * words);
        }
    }
    &mut flat[..count * words]
}

/// The reverse of [`narrowed`].
fn widened(planes: &mut [Plane], words: usize) {
    let count = planes.len();
    let flat = planes.as_flattened_mut();
    if words < TILE_WORDS {
        for plane in (1..count).rev() {
            flat.copy_within(plane * words..(plane + 1) * words, plane * TILE_WORDS);
        }
    }
}

/// The two computations of a tile, compiled for each path.
fn tables_of(path: Path, digits: Digits, numbers: &Numbers, tables: &mut [Plane]) {
    match path {
        Path::Portable => tables_with(planes_portable(numbers), digits, tables),
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "a path is offered only where the machine has it")]
        Path::Avx2 => unsafe { wide::tables_avx2(digits, numbers, tables) },
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "a path is offered only where the machine has it")]
        Path::Avx512 | Path::Vnni => unsafe { wide::tables_avx512(digits, numbers, tables) },
    }
}

/// Carries of a tile, and the highest bits of its numbers.
fn carries_of(
    path: Path,
    digits: Digits,
    numbers: &Numbers,
    tables: &[Plane],
    constant: bool,
    carries: &mut [Plane],
) -> Plane {
    match path {
        Path::Portable => {
            carries_with(&planes_portable(numbers), digits, tables, constant, carries)
        }
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "a path is offered only where the machine has it")]
        Path::Avx2 => unsafe { wide::carries_avx2(digits, numbers, tables, constant, carries) },
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "a path is offered only where the machine has it")]
        Path::Avx512 | Path::Vnni => unsafe {
            wide::carries_avx512(digits, numbers, tables, constant, carries)
        },
    }
}

#[inline(always)]
fn tables_with(planes: [Plane; BITS], digits: Digits, mut tables: &mut [Plane]) {
    for (at, width) in digits.each() {
        let (table, rest) = tables.split_at_mut((1 << width) - 1);
        thermometer(&planes[at..at + width], table);
        tables = rest;
    }
    tables[0] = planes[digits.bits - 1];
}

/// Whether a digit is at least 1, 2, 3, ...
#[inline(always)]
fn thermometer(bits: &[Plane], table: &mut [Plane]) {
    table[0] = bits[0];
    for (low, high) in bits.iter().enumerate().skip(1) {
        let half = 1 << low;
        table[half - 1] = *high;
        for k in 0..half - 1 {
            for w in 0..TILE_WORDS {
                table[half + k][w] = high[w] & table[k][w];
                table[k][w] |= high[w];
            }
        }
    }
}

#[inline(always)]
fn carries_with(
    planes: &[Plane; BITS],
    digits: Digits,
    mut tables: &[Plane],
    constant: bool,
    carries: &mut [Plane],
) -> Plane {
    let mut next = 0;
    for (at, width) in digits.each() {
        let (table, rest) = tables.split_at((1 << width) - 1);
        let (generates, passes) = carry(&planes[at..at + width], table, constant);
        carries[next] = generates;
        next += 1;
        if at > 0 {
            carries[next] = passes;
            next += 1;
        }
        tables = rest;
    }
    planes[digits.bits - 1]
}

/// Shares of whether a digit with these bits, added to the one of the table, carries, and of whether
/// it passes a carry on.
#[inline(always)]
fn carry(bits: &[Plane], table: &[Plane], constant: bool) -> (Plane, Plane) {
    // With n = 2^w - 1 - d: at least n (always so for n = 0), and at least n + 1 (never for the last).
    let (mut reached, mut above) = ([ZERO; VALUES_MAX], [ZERO; VALUES_MAX]);
    reached[0] = [0u64.wrapping_sub(constant.into()); TILE_WORDS];
    reached[1..=table.len()].copy_from_slice(table);
    above[..table.len()].copy_from_slice(table);
    let mut half = 1 << bits.len();
    for bit in bits {
        half /= 2;
        for i in 0..half {
            // A bit of n is set where that of v is not.
            for w in 0..TILE_WORDS {
                let pick = |even: u64, odd: u64| odd ^ (bit[w] & (even ^ odd));
                reached[i][w] = pick(reached[2 * i][w], reached[2 * i + 1][w]);
                above[i][w] = pick(above[2 * i][w], above[2 * i + 1][w]);
            }
        }
    }
    (above[0], std::array::from_fn(|w| above[0][w] ^ reached[0][w]))
}

/// Bits of a tile's numbers, plane by plane.
fn planes_portable(numbers: &Numbers) -> [Plane; BITS] {
    let mut planes = [ZERO; BITS];
    for (at, block) in numbers.0.as_chunks::<64>().0.iter().enumerate() {
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
    planes
}

/// The same with wide registers.
#[cfg(target_arch = "x86_64")]
mod wide {
    use std::arch::x86_64::*;

    use super::{BITS, Digits, Numbers, Plane, ZERO, carries_with, tables_with};

    #[target_feature(enable = "avx2")]
    pub(super) fn tables_avx2(digits: Digits, numbers: &Numbers, tables: &mut [Plane]) {
        tables_with(planes_avx2(numbers), digits, tables);
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn carries_avx2(
        digits: Digits,
        numbers: &Numbers,
        tables: &[Plane],
        constant: bool,
        carries: &mut [Plane],
    ) -> Plane {
        carries_with(&planes_avx2(numbers), digits, tables, constant, carries)
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) fn tables_avx512(digits: Digits, numbers: &Numbers, tables: &mut [Plane]) {
        tables_with(planes_avx512(numbers), digits, tables);
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) fn carries_avx512(
        digits: Digits,
        numbers: &Numbers,
        tables: &[Plane],
        constant: bool,
        carries: &mut [Plane],
    ) -> Plane {
        carries_with(&planes_avx512(numbers), digits, tables, constant, carries)
    }

    #[target_feature(enable = "avx2")]
    fn planes_avx2(numbers: &Numbers) -> [Plane; BITS] {
        let mut planes = [ZERO; BITS];
        for (at, block) in numbers.0.as_chunks::<64>().0.iter().enumerate() {
            for (half, numbers) in block.as_chunks::<32>().0.iter().enumerate() {
                #[expect(unsafe_code, reason = "half a block is two registers long")]
                let (first, second) = unsafe {
                    let numbers = numbers.as_ptr();
                    (_mm256_loadu_si256(numbers.cast()), _mm256_loadu_si256(numbers.add(16).cast()))
                };
                // All lower bytes in order, and all upper ones.
                let low = _mm256_set1_epi16(0xff);
                let packed = [
                    _mm256_packus_epi16(
                        _mm256_and_si256(first, low),
                        _mm256_and_si256(second, low),
                    ),
                    _mm256_packus_epi16(
                        _mm256_srli_epi16::<8>(first),
                        _mm256_srli_epi16::<8>(second),
                    ),
                ];
                for (byte, packed) in packed.into_iter().enumerate() {
                    let mut bytes = _mm256_permute4x64_epi64::<0xd8>(packed);
                    for plane in planes[8 * byte..8 * byte + 8].iter_mut().rev() {
                        let bits = _mm256_movemask_epi8(bytes).cast_unsigned();
                        plane[at] |= u64::from(bits) << (32 * half);
                        bytes = _mm256_add_epi8(bytes, bytes);
                    }
                }
            }
        }
        planes
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    fn planes_avx512(numbers: &Numbers) -> [Plane; BITS] {
        let mut planes = [ZERO; BITS];
        for (at, block) in numbers.0.as_chunks::<64>().0.iter().enumerate() {
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
        planes
    }
}

#[cfg(test)]
mod tests {
    use handfast_model::{Random, SeededRandom};

    use super::*;

    fn random_words(seed: u64, count: usize) -> Vec<u64> {
        let mut bytes = vec![0; 8 * count];
        SeededRandom::new(seed).fill(&mut bytes);
        bytes.as_chunks::<8>().0.iter().map(|eight| u64::from_le_bytes(*eight)).collect()
    }

    fn random_numbers(seed: u64, count: usize, bits: usize) -> Vec<u16> {
        let words = random_words(seed, count);
        words.into_iter().map(|word| (word % (1 << bits)) as u16).collect()
    }

    fn bit(plane: &[u64], n: usize) -> u16 {
        (plane[n / 64] >> (n % 64) & 1) as u16
    }

    /// Splits u, adds v by both nodes, and opens what they have.
    fn opened(path: Path, digits: Digits, u: &[u16], v: &[u16]) -> (Vec<u64>, Vec<u64>) {
        let hidden = random_words(9, digits.tables() * u.len() / 64);
        let mut left = &hidden[..];
        let (body, top) = split(path, digits, u, |words| {
            for word in words {
                *word ^= left.split_off_first().unwrap();
            }
        });
        assert!(left.is_empty());
        let mut left = &hidden[..];
        let b = carries(path, digits, v, true, |words| {
            words.fill_with(|| *left.split_off_first().unwrap());
        });
        let mut left = body.as_chunks::<8>().0;
        let c = carries(path, digits, v, false, |words| {
            words.fill_with(|| u64::from_le_bytes(*left.split_off_first().unwrap()));
        });
        assert_eq!((&top.own, &top.previous), (&b.top_share, &c.top_share));
        assert_eq!(b.top, c.top);
        let xor = |a: &[u64], b: &[u64]| a.iter().zip(b).map(|(a, b)| a ^ b).collect::<Vec<_>>();
        (xor(&b.shares, &c.shares), xor(&xor(&b.top, &b.top_share), &c.top_share))
    }

    /// The definition, number by number and digit by digit.
    fn check(path: Path, digits: Digits, u: &[u16], v: &[u16]) {
        let (carries, top) = opened(path, digits, u, v);
        let words = u.len() / 64;
        for (n, (&u, &v)) in u.iter().zip(v).enumerate() {
            let mut planes = carries.chunks_exact(words);
            for (at, width) in digits.each() {
                let digit = |number: u16| number >> at & ((1 << width) - 1);
                let sum = digit(u) + digit(v);
                let (generates, passes) = (sum >> width, u16::from(sum == (1 << width) - 1));
                assert_eq!(bit(planes.next().unwrap(), n), generates, "{path:?} {u:x} + {v:x}");
                if at > 0 {
                    assert_eq!(bit(planes.next().unwrap(), n), passes, "{path:?} {u:x} + {v:x}");
                }
            }
            assert_eq!(bit(&top, n), (u ^ v) >> (digits.bits - 1) & 1);
        }
    }

    #[test]
    fn every_path_carries_like_numbers() {
        for path in Path::available() {
            for numbers in [64, 128, 448, 512, 576, 1_024, 1_600] {
                let of = |seed| random_numbers(seed, numbers, BITS);
                check(path, Digits::WORD, &of(1), &of(2));
            }
        }
    }

    #[test]
    fn every_pair_of_short_numbers_is_right() {
        for path in Path::available() {
            for (bits, digit) in [(2, 4), (3, 1), (3, 2), (4, 2), (5, 4), (6, 4), (6, 3)] {
                let all = (0..1u32 << (2 * bits)).cycle().take(1 << 12);
                let (u, v): (Vec<u16>, Vec<u16>) =
                    all.map(|n| ((n >> bits) as u16, n as u16 % (1 << bits))).unzip();
                check(path, Digits::of(bits, digit), &u, &v);
            }
        }
    }

    /// At every digit: sums just below, at and above a carry, with and without one from below.
    #[test]
    fn digits_at_the_edge_of_a_carry_are_right() {
        let edges = [0, 1, 7, 8, 0xf, 0x10, 0x7f, 0x80, 0xff, 0xfff, 0x7fff, 0x8000, 0xffff];
        let mut pairs: Vec<(u16, u16)> = Vec::new();
        for a in edges {
            pairs.extend((0..16).map(|n| (a, 0x1111 * n)));
            pairs.extend(edges.map(|b| (a, b)));
            pairs.extend((0..16).map(|n| (a.wrapping_neg().wrapping_add(n), a)));
        }
        pairs.resize(pairs.len().next_multiple_of(64), (0, 0));
        let (u, v): (Vec<u16>, Vec<u16>) = pairs.into_iter().unzip();
        Path::available().for_each(|path| check(path, Digits::WORD, &u, &v));
    }

    #[test]
    fn sends_what_it_says() {
        assert_eq!((Digits::WORD.tables(), Digits::WORD.carries()), (53, 7));
        assert_eq!(Digits::WORD.count(), 4);
        let digits = Digits::of(16, 1);
        assert!(digits.carries() <= CARRIES_MAX && digits.tables() <= TABLES_MAX);
    }
}
