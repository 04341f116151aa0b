//! How the examples measure: processor time, medians, and reading memory once as the limit.

use std::hint::black_box;

use rustix::time::{ClockId, clock_gettime};

/// Milliseconds of processor time that `work` takes on this thread, and what it gives.
pub fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
    };
    let before = now();
    let result = work();
    (now() - before, result)
}

/// The middle one.
pub fn median(times: &[f64]) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The median of what one takes beside the other in the same run.
pub fn ratio(times: &[f64], others: &[f64]) -> f64 {
    median(&times.iter().zip(others).map(|(time, other)| time / other).collect::<Vec<_>>())
}

/// What is read to see what reading costs, in large pages as rows are. As many buffers take turns as
/// nodes do, so that caches hold no more of the one than of the other; of what no cache holds, one
/// is enough.
pub struct Memory(Vec<Vec<u64>>);

impl Memory {
    /// Buffers of that many bytes.
    pub fn of(bytes: usize) -> Self {
        let buffers = if bytes > 1 << 28 { 1 } else { 3 };
        let buffer = |word| {
            let mut words = Vec::with_capacity(bytes / 8);
            prefer_large(&mut words);
            words.resize(bytes / 8, word);
            words
        };
        Self((1..=buffers).map(buffer).collect())
    }

    /// Milliseconds to read all of a buffer once.
    pub fn read(&self, turn: usize) -> f64 {
        let words = black_box(&self.0[turn % self.0.len()]);
        let sum = || {
            words.as_chunks::<32>().0.iter().fold([0u64; 32], |mut sums, chunk| {
                sums.iter_mut().zip(chunk).for_each(|(sum, word)| *sum = sum.wrapping_add(*word));
                sums
            })
        };
        timed(|| black_box(sum())).0
    }
}

fn prefer_large(words: &mut Vec<u64>) {
    let page = rustix::param::page_size();
    let room = words.spare_capacity_mut();
    let start = room.as_mut_ptr();
    let skipped = start.align_offset(page);
    let length = (room.len().saturating_sub(skipped)) * 8 / page * page;
    let start = start.wrapping_add(skipped).cast();
    #[expect(unsafe_code, reason = "whole pages of a vector's own memory; no contents change")]
    let declined = unsafe { rustix::mm::madvise(start, length, rustix::mm::Advice::LinuxHugepage) };
    let _ = declined;
}
