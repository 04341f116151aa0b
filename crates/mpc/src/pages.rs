//! Large pages for what is read from one end to the other: with small ones a processor spends as long
//! on finding pages as on reading them.

/// Memory below this is not worth asking for.
#[cfg(target_os = "linux")]
const LEAST: usize = 4 << 20;

/// Asks the system to put what is still to be written to a vector into large pages. It may decline, which
/// changes nothing but speed.
#[cfg(target_os = "linux")]
pub(crate) fn prefer_large<T>(vector: &mut Vec<T>) {
    let page = rustix::param::page_size();
    let room = vector.spare_capacity_mut();
    let (start, length) = (room.as_mut_ptr(), std::mem::size_of_val(room));
    let skipped = start.align_offset(page).saturating_mul(size_of::<T>());
    let Some(length) = length.checked_sub(skipped).map(|length| length / page * page) else {
        return;
    };
    if length < LEAST {
        return;
    }
    let start = start.wrapping_byte_add(skipped).cast();
    #[expect(unsafe_code, reason = "whole pages of a vector's own memory; no contents change")]
    let declined = unsafe { rustix::mm::madvise(start, length, rustix::mm::Advice::LinuxHugepage) };
    // A kernel without large pages says so, and is as good as one that has none left.
    let _ = declined;
}

/// Elsewhere there is nothing to ask.
#[cfg(not(target_os = "linux"))]
pub(crate) fn prefer_large<T>(_vector: &mut Vec<T>) {}
