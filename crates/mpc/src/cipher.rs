//! AES-256, many blocks at a time.
//!
//! A comparison spends much of its time on pseudorandom bits, so where a machine encrypts four
//! blocks with one instruction, that is written out here; everywhere else the `aes` crate computes,
//! which is also the oracle of the other.

use aes::Aes256;
use aes::cipher::{Block, BlockCipherEncrypt, KeyInit};
use zeroize::Zeroizing;

/// Bytes in a block.
pub(crate) const BLOCK: usize = 16;
/// Blocks that are encrypted together: as many as fill the pipelines of the widest instructions.
pub(crate) const TOGETHER: usize = 64;

/// A key, made ready.
pub(crate) enum Cipher {
    /// Round keys for the wide instructions, which this machine has.
    #[cfg(target_arch = "x86_64")]
    Wide(Box<Zeroizing<[[u64; 2]; wide::KEYS]>>),
    Library(Box<Aes256>),
}

impl Cipher {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        #[cfg(target_arch = "x86_64")]
        if wide::is_available() {
            #[expect(unsafe_code, reason = "the machine was just seen to have the instructions")]
            let keys = unsafe { wide::round_keys(key) };
            return Self::Wide(Box::new(keys));
        }
        Self::of_library(key)
    }

    fn of_library(key: &[u8; 32]) -> Self {
        Self::Library(Box::new(Aes256::new(key.into())))
    }

    /// Encrypts each block in its place.
    pub(crate) fn encrypt(&self, blocks: &mut [[u8; BLOCK]; TOGETHER]) {
        match self {
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "wide keys are made only where the machine has them")]
            Self::Wide(keys) => unsafe { wide::encrypt(keys, blocks) },
            Self::Library(cipher) => {
                cipher.encrypt_blocks(Block::<Aes256>::cast_slice_from_core_mut(blocks));
            }
        }
    }
}

/// FIPS 197 with instructions that do one round of four blocks.
#[cfg(target_arch = "x86_64")]
mod wide {
    use std::arch::x86_64::*;

    use zeroize::Zeroizing;

    use super::{BLOCK, TOGETHER};

    /// Keys of AES-256: one before the first of fourteen rounds, one for each.
    pub(super) const KEYS: usize = 15;
    /// Blocks in a register.
    const WIDTH: usize = 4;
    const REGISTERS: usize = TOGETHER / WIDTH;

    pub(super) fn is_available() -> bool {
        is_x86_feature_detected!("aes")
            && is_x86_feature_detected!("vaes")
            && is_x86_feature_detected!("avx512f")
    }

    /// FIPS 197, 5.2, for keys of eight words: two round keys a step.
    #[target_feature(enable = "aes")]
    pub(super) fn round_keys(key: &[u8; 32]) -> Zeroizing<[[u64; 2]; KEYS]> {
        let mut keys = Zeroizing::new([[0; 2]; KEYS]);
        #[expect(unsafe_code, reason = "a key is two registers long")]
        let (mut even, mut odd) = unsafe {
            (_mm_loadu_si128(key.as_ptr().cast()), _mm_loadu_si128(key.as_ptr().add(16).cast()))
        };
        keys[0] = words(even);
        keys[1] = words(odd);
        for step in 1..=7 {
            // The constants are bytes 1, 2, 4 to 64; the instruction has them in its encoding.
            let mixed = match step {
                1 => _mm_aeskeygenassist_si128::<0x01>(odd),
                2 => _mm_aeskeygenassist_si128::<0x02>(odd),
                3 => _mm_aeskeygenassist_si128::<0x04>(odd),
                4 => _mm_aeskeygenassist_si128::<0x08>(odd),
                5 => _mm_aeskeygenassist_si128::<0x10>(odd),
                6 => _mm_aeskeygenassist_si128::<0x20>(odd),
                _ => _mm_aeskeygenassist_si128::<0x40>(odd),
            };
            even = _mm_xor_si128(prefixes(even), _mm_shuffle_epi32::<0xff>(mixed));
            keys[2 * step] = words(even);
            if step < 7 {
                let mixed = _mm_aeskeygenassist_si128::<0>(even);
                odd = _mm_xor_si128(prefixes(odd), _mm_shuffle_epi32::<0xaa>(mixed));
                keys[2 * step + 1] = words(odd);
            }
        }
        keys
    }

    /// Each word, xor all words before it.
    #[target_feature(enable = "sse2")]
    fn prefixes(words: __m128i) -> __m128i {
        let words = _mm_xor_si128(words, _mm_slli_si128::<4>(words));
        _mm_xor_si128(words, _mm_slli_si128::<8>(words))
    }

    #[target_feature(enable = "sse2")]
    fn words(register: __m128i) -> [u64; 2] {
        let high = _mm_unpackhi_epi64(register, register);
        [_mm_cvtsi128_si64(register), _mm_cvtsi128_si64(high)].map(i64::cast_unsigned)
    }

    #[target_feature(enable = "avx512f,vaes")]
    pub(super) fn encrypt(keys: &[[u64; 2]; KEYS], blocks: &mut [[u8; BLOCK]; TOGETHER]) {
        let place = blocks.as_mut_ptr();
        let mut state = [_mm512_setzero_si512(); REGISTERS];
        let [first, middle @ .., last] = keys;
        let first = of_four(*first);
        for (at, state) in state.iter_mut().enumerate() {
            #[expect(unsafe_code, reason = "four blocks for each register")]
            let four = unsafe { _mm512_loadu_si512(place.add(WIDTH * at).cast()) };
            *state = _mm512_xor_si512(four, first);
        }
        for key in middle {
            let key = of_four(*key);
            for state in &mut state {
                *state = _mm512_aesenc_epi128(*state, key);
            }
        }
        let last = of_four(*last);
        for (at, state) in state.iter().enumerate() {
            let four = _mm512_aesenclast_epi128(*state, last);
            #[expect(unsafe_code, reason = "four blocks for each register")]
            unsafe {
                _mm512_storeu_si512(place.add(WIDTH * at).cast(), four);
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn of_four([low, high]: [u64; 2]) -> __m512i {
        let key = _mm_set_epi64x(high.cast_signed(), low.cast_signed());
        _mm512_broadcast_i32x4(key)
    }
}

#[cfg(test)]
mod tests {
    use handfast_model::{Random, SeededRandom};

    use super::*;

    /// FIPS 197, C.3.
    #[test]
    fn is_aes_256() {
        let key = std::array::from_fn(|at| at as u8);
        let plain: [u8; BLOCK] = std::array::from_fn(|at| 0x11 * at as u8);
        let expected = 0x8ea2_b7ca_5167_45bf_eafc_4990_4b49_6089_u128.to_be_bytes();
        for cipher in [Cipher::new(&key), Cipher::of_library(&key)] {
            let mut blocks = [plain; TOGETHER];
            cipher.encrypt(&mut blocks);
            assert_eq!(blocks, [expected; TOGETHER]);
        }
    }

    #[test]
    fn wide_instructions_encrypt_like_the_library() {
        let random = SeededRandom::new(1);
        for _ in 0..200 {
            let (mut key, mut blocks) = ([0; 32], [[0; BLOCK]; TOGETHER]);
            random.fill(&mut key);
            random.fill(blocks.as_flattened_mut());
            let mut expected = blocks;
            Cipher::new(&key).encrypt(&mut blocks);
            Cipher::of_library(&key).encrypt(&mut expected);
            assert_eq!(blocks, expected);
        }
    }
}
