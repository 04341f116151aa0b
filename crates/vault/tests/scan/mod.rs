//! Searching this process's own memory for pieces of a template.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use handfast_palm::{Picture, Sample, Side};

/// Bytes of a template that are looked for together: shorter pieces occur by chance.
const PIECE: usize = 24;

/// The stack of a thread that the standard library or the runtime starts.
const THREAD_STACK: u64 = 2 << 20;

/// A picture without meaning, the same at each call: three wavy gratings over another.
pub fn sample() -> Sample {
    let grey = (0..160_u32 * 160).map(|at| {
        let (x, y) = (f64::from(at % 160), f64::from(at / 160));
        let waves = (x * 0.31 + (y * 0.05).sin() * 3.0).sin()
            + (y * 0.23 + x * 0.11).sin()
            + ((x - y) * 0.17 + (x * 0.07).cos()).cos();
        (128.0 + 30.0 * waves) as u8
    });
    let picture = Picture::from_grey(160, 160, grey.collect()).unwrap();
    Sample::from_roi_picture(&picture, Side::Left)
}

/// Telling pieces of a vector, every byte inverted.
pub fn inverted_pieces(vector: &[i8]) -> Vec<Vec<u8>> {
    // Flat pieces may occur anywhere.
    let telling = |piece: &&[i8]| piece.iter().filter(|value| **value != 0).count() > PIECE / 2;
    vector
        .chunks_exact(PIECE)
        .filter(telling)
        .step_by(3)
        .map(|piece| piece.iter().map(|value| !value.cast_unsigned()).collect())
        .collect()
}

/// How often one of the pieces lies anywhere in this process's writable memory, as stored
/// (8 bits a number) or widened for a search (16 bits).
pub fn occurrences(inverted: &[Vec<u8>]) -> usize {
    let memory = File::open("/proc/self/mem").unwrap();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mut count = 0;
    for line in maps.lines().filter(|line| line.split(' ').nth(1).unwrap().starts_with("rw")) {
        let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let start = u64::from_str_radix(start, 16).unwrap();
        let length = u64::from_str_radix(end, 16).unwrap() - start;
        if length == THREAD_STACK || line.ends_with("[stack]") {
            continue;
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap()];
        if memory.read_exact_at(&mut bytes, start).is_ok() {
            count += inverted.iter().map(|piece| found(&bytes, piece)).sum::<usize>();
        }
        // What was read is a copy of everything: it must not be found in its turn.
        bytes.fill(0);
        std::hint::black_box(&bytes);
    }
    count
}

fn found(bytes: &[u8], inverted: &[u8]) -> usize {
    let first = !inverted[0];
    let mut count = 0;
    for at in (0..bytes.len()).filter(|at| bytes[*at] == first) {
        let narrow = |offset: usize| bytes.get(at + offset).copied();
        let wide = |offset: usize| bytes.get(at + 2 * offset).copied();
        let equals = |read: &dyn Fn(usize) -> Option<u8>| {
            inverted.iter().enumerate().all(|(offset, byte)| read(offset) == Some(!byte))
        };
        count += usize::from(equals(&narrow)) + usize::from(equals(&wide));
    }
    count
}
