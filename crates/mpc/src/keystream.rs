//! Pseudorandom bytes: AES-256 in counter mode under a key that is used for one stream alone.

use zeroize::Zeroizing;

use crate::cipher::{BLOCK, Cipher, TOGETHER};

const CHUNK: usize = TOGETHER * BLOCK;

/// A stream of pseudorandom bytes that only runs forward: it cannot be copied or set back, so no
/// part of it is given out twice.
pub(crate) struct Keystream {
    cipher: Cipher,
    /// The next chunk's first counter, encrypted as 128 bits with the most significant byte first.
    counter: u64,
    /// The last chunk, of which bytes from `used` on are still to be given out.
    chunk: Zeroizing<[[u8; BLOCK]; TOGETHER]>,
    used: usize,
    #[cfg(test)]
    key: [u8; 32],
}

impl Keystream {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        let chunk = Zeroizing::new([[0; BLOCK]; TOGETHER]);
        Self {
            cipher: Cipher::new(key),
            counter: 0,
            chunk,
            used: CHUNK,
            #[cfg(test)]
            key: *key,
        }
    }

    fn next_chunk(&mut self) {
        #[cfg(test)]
        crate::testing::note_counter(&self.key, self.counter);
        // A chunk's first counter is a multiple of its length: the sum is an OR, without carries.
        for (at, block) in (0u64..).zip(self.chunk.iter_mut()) {
            *block = u128::from(self.counter | at).to_be_bytes();
        }
        self.cipher.encrypt(&mut self.chunk);
        self.counter += TOGETHER as u64;
        self.used = 0;
    }

    /// Gives the next bytes to `take`, piece by piece; `wanted` is a multiple of `unit`, a power of
    /// two up to a block, and so is every piece.
    fn pieces(&mut self, unit: usize, wanted: usize, mut take: impl FnMut(usize, &[u8])) {
        self.used = self.used.next_multiple_of(unit);
        let mut given = 0;
        while given < wanted {
            if self.used == CHUNK {
                self.next_chunk();
            }
            let length = (wanted - given).min(CHUNK - self.used);
            take(given / unit, &self.chunk.as_flattened()[self.used..][..length]);
            self.used += length;
            given += length;
        }
    }

    /// Adds the next bytes, as little-endian words, to `words` without carry.
    pub(crate) fn xor_words(&mut self, words: &mut [u64]) {
        self.pieces(8, 8 * words.len(), |at, bytes| {
            for (word, eight) in words[at..].iter_mut().zip(bytes.as_chunks::<8>().0) {
                *word ^= u64::from_le_bytes(*eight);
            }
        });
    }

    /// Combines the next bytes, as little-endian numbers of 16 bits, with `numbers`.
    pub(crate) fn combine_numbers(
        &mut self,
        numbers: &mut [u16],
        combine: impl Fn(u16, u16) -> u16,
    ) {
        self.pieces(2, 2 * numbers.len(), |at, bytes| {
            for (number, two) in numbers[at..].iter_mut().zip(bytes.as_chunks::<2>().0) {
                *number = combine(*number, u16::from_le_bytes(*two));
            }
        });
    }

    /// The next `count` numbers of 16 bits.
    pub(crate) fn numbers(&mut self, count: usize) -> Zeroizing<Vec<u16>> {
        let mut numbers = Zeroizing::new(Vec::with_capacity(count));
        self.pieces(2, 2 * count, |_, bytes| {
            numbers.extend(bytes.as_chunks::<2>().0.iter().map(|two| u16::from_le_bytes(*two)));
        });
        numbers
    }

    /// The next `count` words.
    pub(crate) fn words(&mut self, count: usize) -> Vec<u64> {
        let mut words = Vec::with_capacity(count);
        self.pieces(8, 8 * count, |_, bytes| {
            words.extend(bytes.as_chunks::<8>().0.iter().map(|eight| u64::from_le_bytes(*eight)));
        });
        words
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
