//! The kernel's video capture interface (Video4Linux2), as far as a camera needs it: the shapes of
//! `linux/videodev2.h` on 64-bit machines, its calls, and mapped buffers. Everything unsafe of this
//! crate is here; what this file gives out is safe to use.

use std::ffi::c_void;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::ptr::NonNull;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::{Errno, Result};
use rustix::ioctl::{Getter, Opcode, Setter, Updater, ioctl, opcode};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use zeroize::{Zeroize, Zeroizing};

/// The device captures pictures in one plane.
pub(super) const CAP_VIDEO_CAPTURE: u32 = 0x0000_0001;
/// The device streams through buffers.
pub(super) const CAP_STREAMING: u32 = 0x0400_0000;
/// `device_caps` tells what this device node can do.
const CAP_DEVICE_CAPS: u32 = 0x8000_0000;
/// Two pixels in four bytes.
pub(super) const PIXELS_YUYV: u32 = u32::from_le_bytes(*b"YUYV");
/// Motion JPEG.
pub(super) const PIXELS_MJPEG: u32 = u32::from_le_bytes(*b"MJPG");

const TYPE_CAPTURE: u32 = 1;
const MEMORY_MMAP: u32 = 1;
const FIELD_NONE: u32 = 1;
const BUFFER_IS_BAD: u32 = 0x40;

#[repr(C)]
struct Capability {
    driver: [u8; 16],
    card: [u8; 32],
    bus_info: [u8; 32],
    version: u32,
    capabilities: u32,
    device_caps: u32,
    reserved: [u32; 3],
}

/// `v4l2_format` with the `v4l2_pix_format` arm of its union.
#[repr(C, align(8))]
struct Format {
    kind: u32,
    // The union is aligned to the pointers in another of its arms.
    padding: u32,
    width: u32,
    height: u32,
    pixels: u32,
    field: u32,
    stride: u32,
    size: u32,
    rest: [u32; 44],
}

#[repr(C)]
struct RequestBuffers {
    count: u32,
    kind: u32,
    memory: u32,
    capabilities: u32,
    flags_and_reserved: u32,
}

/// `v4l2_buffer`; times and time codes are not looked at.
#[repr(C, align(8))]
struct Buffer {
    index: u32,
    kind: u32,
    bytes_used: u32,
    flags: u32,
    field: u32,
    padding: u32,
    timestamp: [i64; 2],
    time_code: [u32; 4],
    sequence: u32,
    memory: u32,
    offset: u32,
    offset_padding: u32,
    length: u32,
    reserved: u32,
    request: u32,
    tail_padding: u32,
}

/// `v4l2_streamparm` with the `v4l2_captureparm` arm of its union.
#[repr(C)]
struct StreamParameters {
    kind: u32,
    capability: u32,
    capture_mode: u32,
    seconds: u32,
    frames: u32,
    rest: [u32; 46],
}

// The kernel finds the size of what it is handed in the number of the call.
const _: () = {
    assert!(size_of::<Capability>() == 104);
    assert!(size_of::<Format>() == 208);
    assert!(std::mem::offset_of!(Format, width) == 8);
    assert!(size_of::<RequestBuffers>() == 20);
    assert!(size_of::<Buffer>() == 88);
    assert!(std::mem::offset_of!(Buffer, timestamp) == 24);
    assert!(std::mem::offset_of!(Buffer, offset) == 64);
    assert!(std::mem::offset_of!(Buffer, length) == 72);
    assert!(size_of::<StreamParameters>() == 204);
};

const QUERY_CAPABILITY: Opcode = opcode::read::<Capability>(b'V', 0);
const SET_FORMAT: Opcode = opcode::read_write::<Format>(b'V', 5);
const REQUEST_BUFFERS: Opcode = opcode::read_write::<RequestBuffers>(b'V', 8);
const QUERY_BUFFER: Opcode = opcode::read_write::<Buffer>(b'V', 9);
const QUEUE_BUFFER: Opcode = opcode::read_write::<Buffer>(b'V', 15);
const DEQUEUE_BUFFER: Opcode = opcode::read_write::<Buffer>(b'V', 17);
const STREAM_ON: Opcode = opcode::write::<u32>(b'V', 18);
const STREAM_OFF: Opcode = opcode::write::<u32>(b'V', 19);
const SET_PARAMETERS: Opcode = opcode::read_write::<StreamParameters>(b'V', 22);

/// The format that a device agreed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Agreed {
    pub(super) pixels: u32,
    pub(super) width: u32,
    pub(super) height: u32,
    /// Bytes from one row to the next.
    pub(super) stride: u32,
}

/// An open device.
pub(super) struct Device(OwnedFd);

impl Device {
    /// Opens the device, so that nothing waits in it.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        rustix::fs::open(path, flags, Mode::empty()).map(Self)
    }

    /// What this device node can do.
    pub(super) fn capabilities(&self) -> Result<u32> {
        // SAFETY: the kernel fills one `v4l2_capability`, whose size is asserted above.
        let told = unsafe { ioctl(&self.0, Getter::<QUERY_CAPABILITY, Capability>::new()) }?;
        let is_exact = told.capabilities & CAP_DEVICE_CAPS != 0;
        Ok(if is_exact { told.device_caps } else { told.capabilities })
    }

    /// Asks for a format; the device answers with the nearest that it has.
    pub(super) fn agree(&self, pixels: u32, width: u32, height: u32) -> Result<Agreed> {
        let mut format = Format {
            kind: TYPE_CAPTURE,
            padding: 0,
            width,
            height,
            pixels,
            field: FIELD_NONE,
            stride: 0,
            size: 0,
            rest: [0; 44],
        };
        self.update::<SET_FORMAT, _>(&mut format)?;
        let Format { pixels, width, height, stride, .. } = format;
        Ok(Agreed { pixels, width, height, stride })
    }

    /// Asks for a pace; devices that have only one ignore it.
    pub(super) fn ask_pace(&self, frames_per_second: u32) -> Result<()> {
        let mut parameters = StreamParameters {
            kind: TYPE_CAPTURE,
            capability: 0,
            capture_mode: 0,
            seconds: 1,
            frames: frames_per_second,
            rest: [0; 46],
        };
        self.update::<SET_PARAMETERS, _>(&mut parameters)
    }

    /// Maps at most `count` buffers, hands them to the device and starts it.
    pub(super) fn start(self, count: u32) -> Result<Stream> {
        let mut request = RequestBuffers {
            count,
            kind: TYPE_CAPTURE,
            memory: MEMORY_MMAP,
            capabilities: 0,
            flags_and_reserved: 0,
        };
        self.update::<REQUEST_BUFFERS, _>(&mut request)?;
        let buffers =
            (0..request.count).map(|index| self.map(index)).collect::<Result<Vec<_>>>()?;
        let stream = Stream { buffers, device: self };
        for index in 0..request.count {
            stream.device.queue(index)?;
        }
        // SAFETY: the call reads one number.
        unsafe { ioctl(&stream.device.0, Setter::<STREAM_ON, u32>::new(TYPE_CAPTURE)) }?;
        Ok(stream)
    }

    fn map(&self, index: u32) -> Result<Mapping> {
        let mut buffer = Buffer::numbered(index);
        self.update::<QUERY_BUFFER, _>(&mut buffer)?;
        Mapping::new(self.0.as_fd(), buffer.length as usize, u64::from(buffer.offset))
    }

    fn queue(&self, index: u32) -> Result<()> {
        self.update::<QUEUE_BUFFER, _>(&mut Buffer::numbered(index))
    }

    fn update<const CALL: Opcode, T>(&self, value: &mut T) -> Result<()> {
        // SAFETY: `CALL` was made of the size of `T` by every caller, and the kernel reads and
        // writes no more than that; `T` is plain numbers, for which all bits are values.
        unsafe { ioctl(&self.0, Updater::<CALL, T>::new(value)) }
    }
}

impl Buffer {
    const fn numbered(index: u32) -> Self {
        Self {
            index,
            kind: TYPE_CAPTURE,
            bytes_used: 0,
            flags: 0,
            field: 0,
            padding: 0,
            timestamp: [0; 2],
            time_code: [0; 4],
            sequence: 0,
            memory: MEMORY_MMAP,
            offset: 0,
            offset_padding: 0,
            length: 0,
            reserved: 0,
            request: 0,
            tail_padding: 0,
        }
    }
}

/// A device that streams. Dropping it stops the device and zeroes its buffers.
pub(super) struct Stream {
    // Unmapped before the device is closed.
    buffers: Vec<Mapping>,
    device: Device,
}

impl Stream {
    /// Waits at most so long for a picture; says whether one is there.
    pub(super) fn wait(&self, wait_max: Timespec) -> Result<bool> {
        let mut fds = [PollFd::new(&self.device.0, PollFlags::IN)];
        match poll(&mut fds, Some(&wait_max)) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The next picture's bytes, if one is there and whole. Its buffer is zeroed and goes back.
    pub(super) fn take(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let mut buffer = Buffer::numbered(0);
        match self.device.update::<DEQUEUE_BUFFER, _>(&mut buffer) {
            Err(Errno::AGAIN) => return Ok(None),
            told => told?,
        }
        let Some(mapping) = self.buffers.get_mut(buffer.index as usize) else {
            return Err(Errno::IO);
        };
        let bytes = mapping.take(buffer.bytes_used as usize);
        self.device.queue(buffer.index)?;
        let is_whole = buffer.flags & BUFFER_IS_BAD == 0;
        Ok(Some(bytes).filter(|bytes| is_whole && !bytes.is_empty()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // SAFETY: the call reads one number. Where it fails the device is gone, and so is the
        // stream.
        let _ = unsafe { ioctl(&self.device.0, Setter::<STREAM_OFF, u32>::new(TYPE_CAPTURE)) };
        // What the camera wrote and nobody took.
        for buffer in &mut self.buffers {
            buffer.bytes().zeroize();
        }
    }
}

/// A buffer of the device in our memory.
struct Mapping {
    at: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping is plain memory that this value alone points to; nothing of it is bound to
// the thread that made it.
unsafe impl Send for Mapping {}

impl Mapping {
    fn new(device: BorrowedFd<'_>, len: usize, offset: u64) -> Result<Self> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at a place of the kernel's choice overlaps nothing.
        let at =
            unsafe { mmap(std::ptr::null_mut(), len, access, MapFlags::SHARED, device, offset) }?;
        let at = NonNull::new(at.cast()).ok_or(Errno::NOMEM)?;
        Ok(Self { at, len })
    }

    /// Copies the picture out and leaves zeros.
    fn take(&mut self, used: usize) -> Zeroizing<Vec<u8>> {
        let bytes = self.bytes();
        let used = used.min(bytes.len());
        let picture = Zeroizing::new(bytes[..used].to_vec());
        bytes[..used].zeroize();
        picture
    }

    /// The mapped bytes. Only asked for while the device does not write to them: between dequeuing
    /// the buffer and queueing it again, or after the stream's end.
    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: `at` points to `len` mapped bytes until `self` is dropped, and `&mut self` is
        // the only way to them.
        unsafe { std::slice::from_raw_parts_mut(self.at.as_ptr(), self.len) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped in `new` with this length, and nothing points to it any more. A mapping
        // that cannot be given back stays until the process ends.
        let _ = unsafe { munmap(self.at.as_ptr().cast::<c_void>(), self.len) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calls_have_the_numbers_of_the_kernels_header() {
        let calls = [
            (QUERY_CAPABILITY, 0x8068_5600),
            (SET_FORMAT, 0xc0d0_5605),
            (REQUEST_BUFFERS, 0xc014_5608),
            (QUERY_BUFFER, 0xc058_5609),
            (QUEUE_BUFFER, 0xc058_560f),
            (DEQUEUE_BUFFER, 0xc058_5611),
            (STREAM_ON, 0x4004_5612),
            (STREAM_OFF, 0x4004_5613),
            (SET_PARAMETERS, 0xc0cc_5616),
        ];
        for (ours, theirs) in calls {
            assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn a_taken_buffer_is_zeroed() {
        let file = tempfile::tempfile().expect("a file");
        file.set_len(8_192).expect("grows");
        let mut mapping = Mapping::new(file.as_fd(), 8_192, 0).expect("maps");
        std::os::unix::fs::FileExt::write_all_at(&file, &[7; 5_000], 0).expect("writes");
        assert_eq!(*mapping.take(5_000), vec![7; 5_000]);
        assert_eq!(*mapping.take(9_999_999), vec![0; 8_192], "no more than is mapped");
    }
}
