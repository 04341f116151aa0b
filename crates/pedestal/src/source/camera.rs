//! A camera of this machine, through Video4Linux2: how a kiosk runs.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use handfast_model::{Clock, Duration};
use handfast_palm::Picture;
use rustix::event::Timespec;
use rustix::io::Errno;

use super::v4l2::{
    Agreed, CAP_STREAMING, CAP_VIDEO_CAPTURE, Device, PIXELS_MJPEG, PIXELS_YUYV, Stream,
};
use super::{FRAME_SIDE_PX_MAX, FrameSource, SourceError, TimedPicture, mjpeg, yuyv};

/// The size that is asked for: a palm is then some 240 pixels wide, so that its finest creases are seen
/// and liveness sees more of a screen's pixels and a printer's dots than at 640 x 480
/// (docs/recognition/liveness.md).
const WIDTH_PX: u32 = 1_280;
const HEIGHT_PX: u32 = 720;
/// The pace that is asked for.
const FRAMES_PER_SECOND: u32 = 15;
/// Buffers between the camera and us: one is filled while another is read, and one to spare.
const BUFFERS: u32 = 3;
/// Uncompressed first: compression smooths away the finest creases.
const FORMATS: [u32; 2] = [PIXELS_YUYV, PIXELS_MJPEG];

/// A streaming camera.
pub struct Camera {
    path: PathBuf,
    stream: Stream,
    format: Agreed,
    clock: Arc<dyn Clock>,
}

impl Camera {
    /// Opens the camera at `path`, such as `/dev/video0`, and starts it.
    ///
    /// # Errors
    /// [`SourceError::NoDevice`], [`SourceError::NotAllowed`], [`SourceError::Busy`],
    /// [`SourceError::NotACamera`], [`SourceError::NoUsableFormat`], [`SourceError::Device`].
    pub fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, SourceError> {
        let fault = |doing| move |errno| explain(path, doing, errno);
        let device = Device::open(path).map_err(fault("open"))?;
        let able = device.capabilities().map_err(|_| not_a_camera(path))?;
        if able & CAP_VIDEO_CAPTURE == 0 || able & CAP_STREAMING == 0 {
            return Err(not_a_camera(path));
        }
        let format = agree(&device, path)?;
        // Most cameras have a pace of their own when they refuse this one.
        let _ = device.ask_pace(FRAMES_PER_SECOND);
        let stream = device.start(BUFFERS).map_err(fault("start streaming"))?;
        Ok(Self { path: path.to_owned(), stream, format, clock })
    }

    fn picture(&self, bytes: &[u8]) -> Result<Picture, SourceError> {
        let Agreed { pixels, width, height, stride } = self.format;
        if pixels == PIXELS_YUYV {
            Ok(yuyv::to_picture(bytes, width, height, stride)?)
        } else {
            mjpeg::to_picture(bytes)
        }
    }
}

impl FrameSource for Camera {
    fn next(&mut self, wait_max: Duration) -> Result<Option<TimedPicture>, SourceError> {
        let fault = |errno| explain(&self.path, "give a picture", errno);
        if !self.stream.wait(timespec(wait_max)).map_err(fault)? {
            return Ok(None);
        }
        let mut newest = None;
        // At most one picture a buffer can be waiting; only the newest is of now.
        for _ in 0..BUFFERS {
            match self.stream.take().map_err(fault)? {
                Some(bytes) => newest = Some(bytes),
                None => break,
            }
        }
        let taken_at = self.clock.now();
        newest
            .map(|bytes| Ok(TimedPicture { picture: self.picture(&bytes)?, taken_at }))
            .transpose()
    }

    fn forget(&mut self) -> Result<(), SourceError> {
        for _ in 0..BUFFERS {
            let taken = self.stream.take();
            if taken.map_err(|errno| explain(&self.path, "give a picture", errno))?.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn pace(&self) -> Option<Duration> {
        None
    }
}

/// Settles on the first format that the device really has.
fn agree(device: &Device, path: &Path) -> Result<Agreed, SourceError> {
    for wanted in FORMATS {
        match device.agree(wanted, WIDTH_PX, HEIGHT_PX) {
            Ok(agreed) if agreed.pixels == wanted && is_usable(agreed) => return Ok(agreed),
            Ok(_) | Err(Errno::INVAL) => {}
            Err(errno) => return Err(explain(path, "agree on a format", errno)),
        }
    }
    Err(SourceError::NoUsableFormat { path: path.to_owned() })
}

fn is_usable(agreed: Agreed) -> bool {
    agreed.width.max(agreed.height) <= FRAME_SIDE_PX_MAX
}

fn not_a_camera(path: &Path) -> SourceError {
    SourceError::NotACamera { path: path.to_owned() }
}

fn explain(path: &Path, doing: &'static str, errno: Errno) -> SourceError {
    let path = path.to_owned();
    match errno {
        Errno::NOENT | Errno::NODEV | Errno::NXIO => SourceError::NoDevice { path },
        Errno::ACCESS | Errno::PERM => SourceError::NotAllowed { path },
        Errno::BUSY => SourceError::Busy { path },
        Errno::NOTTY | Errno::ISDIR => SourceError::NotACamera { path },
        _ => SourceError::Device { path, doing, source: io::Error::from(errno) },
    }
}

fn timespec(span: Duration) -> Timespec {
    let micros = span.as_micros().max(0);
    Timespec { tv_sec: micros / 1_000_000, tv_nsec: micros % 1_000_000 * 1_000 }
}

#[cfg(test)]
mod tests {
    use handfast_model::{ManualClock, Timestamp};

    use super::*;

    fn open(path: &str) -> SourceError {
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(0)));
        match Camera::open(Path::new(path), clock) {
            Ok(_) => panic!("{path} is no camera"),
            Err(error) => error,
        }
    }

    #[test]
    fn a_missing_camera_is_named() {
        let error = open("/dev/no-such-camera");
        assert!(matches!(error, SourceError::NoDevice { .. }));
        assert!(error.to_string().contains("/dev/no-such-camera"), "{error}");
    }

    #[test]
    fn what_is_no_camera_is_told_so() {
        for path in ["/dev/null", "/dev", "/proc/self/comm"] {
            assert!(matches!(open(path), SourceError::NotACamera { .. }), "{path}");
        }
    }

    #[test]
    fn what_the_system_says_becomes_what_to_do() {
        let path = Path::new("/dev/video0");
        let says = |errno| explain(path, "open", errno);
        assert!(matches!(says(Errno::BUSY), SourceError::Busy { .. }));
        assert!(matches!(says(Errno::ACCESS), SourceError::NotAllowed { .. }));
        assert!(matches!(says(Errno::NODEV), SourceError::NoDevice { .. }));
        let other = says(Errno::IO);
        assert!(matches!(other, SourceError::Device { doing: "open", .. }));
    }

    #[test]
    fn a_wait_is_told_in_seconds_and_nanoseconds() {
        let span = timespec(Duration::from_millis(2_345));
        assert_eq!((span.tv_sec, span.tv_nsec), (2, 345_000_000));
        assert_eq!(timespec(Duration::from_secs(-1)).tv_sec, 0);
    }
}
