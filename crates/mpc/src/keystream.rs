//! Pseudorandom bytes: AES-256 in counter mode under a key that is used for one stream alone.

use aes::Aes256;
use aes::cipher::{Block, BlockCipherEncrypt, KeyInit};
use zeroize::Zeroizing;

const BLOCK: usize = 16;
/// Blocks encrypted together: enough to fill the pipelines of every AES unit there is.
const CHUNK_BLOCKS: usize = 32;
/// Bytes that a call takes at a time. A call that needs fewer leaves the rest unused, so that every
/// call begins at a chunk: two holders of a key who make the same calls see the same bytes.
const CHUNK: usize = CHUNK_BLOCKS * BLOCK;

/// A stream of pseudorandom bytes that only runs forward: it cannot be copied or set back, so no
/// part of it is given out twice.
pub(crate) struct Keystream {
    cipher: Aes256,
    /// The next block's counter, encrypted as 128 bits with the most significant byte first.
    counter: u64,
}

impl Keystream {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self { cipher: Aes256::new(key.into()), counter: 0 }
    }

    fn next_chunk(&mut self) -> [Block<Aes256>; CHUNK_BLOCKS] {
        let mut blocks = [Block::<Aes256>::default(); CHUNK_BLOCKS];
        for block in &mut blocks {
            block[8..].copy_from_slice(&self.counter.to_be_bytes());
            self.counter += 1;
        }
        self.cipher.encrypt_blocks(&mut blocks);
        blocks
    }

    /// Adds the next bytes, as little-endian words, to `words` without carry.
    pub(crate) fn xor_words(&mut self, words: &mut [u64]) {
        for part in words.chunks_mut(CHUNK / 8) {
            let chunk = self.next_chunk();
            for (pair, block) in part.chunks_mut(BLOCK / 8).zip(&chunk) {
                for (word, bytes) in pair.iter_mut().zip(block.as_chunks::<8>().0) {
                    *word ^= u64::from_le_bytes(*bytes);
                }
            }
        }
    }

    /// Combines the next bytes, as little-endian numbers of 16 bits, with `numbers`.
    pub(crate) fn combine_numbers(
        &mut self,
        numbers: &mut [u16],
        combine: impl Fn(u16, u16) -> u16,
    ) {
        for part in numbers.chunks_mut(CHUNK / 2) {
            let chunk = self.next_chunk();
            for (pair, block) in part.chunks_mut(BLOCK / 2).zip(&chunk) {
                for (number, bytes) in pair.iter_mut().zip(block.as_chunks::<2>().0) {
                    *number = combine(*number, u16::from_le_bytes(*bytes));
                }
            }
        }
    }

    /// The next `count` numbers of 16 bits.
    pub(crate) fn numbers(&mut self, count: usize) -> Zeroizing<Vec<u16>> {
        let mut numbers = Zeroizing::new(vec![0; count]);
        self.combine_numbers(&mut numbers, |_, new| new);
        numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: [u64; 4] = [
        0xf290_00b6_2a49_9fd0,
        0xa9f3_9a6a_dd2e_7780,
        0xf05d_76ae_4ab9_9fe5,
        0xa6f6_9b31_48c2_363d,
    ];

    /// `head -c 32 /dev/zero | openssl enc -aes-256-ctr -K 00..1f -iv 0` says the same.
    #[test]
    fn is_plain_aes_256_in_counter_mode() {
        let key: [u8; 32] = std::array::from_fn(|at| at as u8);
        let mut words = [0; 4];
        Keystream::new(&key).xor_words(&mut words);
        assert_eq!(words.map(u64::swap_bytes), GOLDEN);
        let numbers = Keystream::new(&key).numbers(16);
        let as_numbers: Vec<u16> = words
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect::<Vec<_>>()
            .chunks(2)
            .map(|two| u16::from_le_bytes([two[0], two[1]]))
            .collect();
        assert_eq!(*numbers, as_numbers);
    }

    #[test]
    fn never_repeats_a_counter() {
        let mut stream = Keystream::new(&[7; 32]);
        let mut seen = std::collections::HashSet::new();
        for length in [1, 63, 64, 65, 500] {
            let mut words = vec![0; length];
            stream.xor_words(&mut words);
            assert!(words.iter().all(|&word| seen.insert(word)));
        }
    }
}
