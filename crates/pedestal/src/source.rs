//! Where frames come from: the browser's camera, a file or folder, a camera of this machine.

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod camera;
mod folder;
mod mjpeg;
mod pushed;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
#[expect(unsafe_code, reason = "the kernel's video interface is ioctl and mmap; nowhere else")]
mod v4l2;
mod yuyv;

use std::io;
use std::io::Cursor;
use std::path::PathBuf;

use handfast_model::{Duration, Timestamp};
use handfast_palm::{Picture, PictureError, decode};
use image::ImageReader;
use thiserror::Error;

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub use camera::Camera;
pub use folder::{FOLDER_FILES_MAX, PictureFiles};
pub use pushed::{FramePusher, PushedFrames, pushed_frames};

/// Longest encoded frame that a browser may send: 640 x 480 as a JPEG has 30 to 120 KB.
pub const FRAME_BYTES_MAX: usize = 512 * 1024;
/// Longest side of a frame: more than twice what pages send, and little enough that no frame holds
/// up the next (a few bytes of JPEG can claim to be a huge picture).
pub const FRAME_SIDE_PX_MAX: u32 = 1_920;

/// A picture and when it was taken.
#[derive(Debug)]
pub struct TimedPicture {
    /// The picture; zeroed when dropped.
    pub picture: Picture,
    /// When it was taken, or came in.
    pub taken_at: Timestamp,
}

/// Gives pictures, one after the other.
pub trait FrameSource: Send {
    /// The next picture, waiting for it at most `wait_max`; `None` where none came. Pictures that
    /// came while nobody asked are left out: only the newest counts.
    ///
    /// # Errors
    /// A frame that is no picture ([`SourceError::is_of_one_frame`]): the next may be better.
    /// Anything else: the source is gone, and has to be opened anew.
    fn next(&mut self, wait_max: Duration) -> Result<Option<TimedPicture>, SourceError>;

    /// Takes what came meanwhile and zeroes it unseen, without waiting. A source that holds frames
    /// must be emptied while none are wanted: whoever stands there next is somebody else.
    ///
    /// # Errors
    /// As [`FrameSource::next`], where the source is gone.
    fn forget(&mut self) -> Result<(), SourceError>;

    /// How long to leave between two pictures, for a source that has no pace of its own.
    fn pace(&self) -> Option<Duration>;
}

/// Why a source gives no picture.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SourceError {
    /// More encoded bytes than [`FRAME_BYTES_MAX`].
    #[error(
        "a frame of {found} bytes came in; at most {FRAME_BYTES_MAX} are taken: send it smaller"
    )]
    TooManyBytes {
        /// Bytes that came.
        found: usize,
    },
    /// Larger than [`FRAME_SIDE_PX_MAX`] on a side.
    #[error(
        "a frame of {width} x {height} pixels came in; at most {FRAME_SIDE_PX_MAX} on a side are taken: scale it down"
    )]
    FrameTooLarge {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The bytes are no picture.
    #[error("a frame cannot be read")]
    Picture(#[from] PictureError),
    /// A file or folder cannot be read.
    #[error("cannot read {}: check that it exists and may be read", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is no picture.
    #[error("{} is no picture that can be shown to a pedestal", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: PictureError,
    },
    /// A folder without pictures, or with too many.
    #[error(
        "{} holds {found} pictures; 1 to {FOLDER_FILES_MAX} are played (names ending in .png, .jpg, .jpeg)",
        path.display()
    )]
    FolderSize {
        /// The folder.
        path: PathBuf,
        /// Pictures found.
        found: usize,
    },
    /// Nobody sends frames any more.
    #[error("the sender of frames is gone; start a new session")]
    Gone,
    /// There is no such device.
    #[error("there is no camera at {}: plug it in, or name another device", path.display())]
    NoDevice {
        /// The device.
        path: PathBuf,
    },
    /// The device may not be opened.
    #[error(
        "the camera at {} may not be opened by this user: add the user to the group that owns it (often `video`)",
        path.display()
    )]
    NotAllowed {
        /// The device.
        path: PathBuf,
    },
    /// Another program has the device.
    #[error("the camera at {} is used by another program: close that one", path.display())]
    Busy {
        /// The device.
        path: PathBuf,
    },
    /// The device is no camera that streams.
    #[error(
        "{} is no camera that streams pictures: name a capture device such as /dev/video0",
        path.display()
    )]
    NotACamera {
        /// The device.
        path: PathBuf,
    },
    /// The device has no format that is understood.
    #[error("the camera at {} offers neither YUYV nor MJPEG pictures: use another", path.display())]
    NoUsableFormat {
        /// The device.
        path: PathBuf,
    },
    /// The device failed.
    #[error("the camera at {} failed to {doing}: unplug it and plug it in again", path.display())]
    Device {
        /// The device.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl SourceError {
    /// Whether it speaks of one frame alone; otherwise it speaks of the source.
    #[must_use]
    pub const fn is_of_one_frame(&self) -> bool {
        match self {
            Self::TooManyBytes { .. }
            | Self::FrameTooLarge { .. }
            | Self::Picture(_)
            | Self::BadFile { .. } => true,
            Self::Unreadable { .. }
            | Self::FolderSize { .. }
            | Self::Gone
            | Self::NoDevice { .. }
            | Self::NotAllowed { .. }
            | Self::Busy { .. }
            | Self::NotACamera { .. }
            | Self::NoUsableFormat { .. }
            | Self::Device { .. } => false,
        }
    }
}

/// Decodes one frame within the limits of frames, which are checked before anything is decoded.
/// The caller owns `bytes` and zeroes them.
///
/// # Errors
/// [`SourceError::TooManyBytes`], [`SourceError::FrameTooLarge`], [`SourceError::Picture`].
pub fn decode_frame(bytes: &[u8]) -> Result<Picture, SourceError> {
    if bytes.len() > FRAME_BYTES_MAX {
        return Err(SourceError::TooManyBytes { found: bytes.len() });
    }
    let header = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let size = header.ok().and_then(|reader| reader.into_dimensions().ok());
    match size {
        Some((width, height)) if width.max(height) > FRAME_SIDE_PX_MAX => {
            Err(SourceError::FrameTooLarge { width, height })
        }
        // Where the header cannot be read, the decoder says what is wrong with it.
        _ => Ok(decode(bytes)?),
    }
}

#[cfg(test)]
mod tests {
    use image::{
        ExtendedColorType, ImageEncoder, codecs::jpeg::JpegEncoder, codecs::png::PngEncoder,
    };

    use super::*;

    fn jpeg(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let pixels = vec![90; (width * height) as usize];
        JpegEncoder::new(&mut bytes)
            .write_image(&pixels, width, height, ExtendedColorType::L8)
            .expect("encodes");
        bytes
    }

    #[test]
    fn a_frame_is_decoded_and_its_size_may_change_from_one_to_the_next() {
        for (width, height) in [(640, 480), (480, 640), (1_280, 720)] {
            let picture = decode_frame(&jpeg(width, height)).expect("a picture");
            assert_eq!((picture.width(), picture.height()), (width, height));
        }
    }

    #[test]
    fn a_few_bytes_that_claim_a_huge_picture_are_refused_by_their_claim() {
        let mut bytes = Vec::new();
        PngEncoder::new(&mut bytes)
            .write_image(&vec![0; 4_000 * 100], 4_000, 100, ExtendedColorType::L8)
            .expect("encodes");
        assert!(bytes.len() < 4_000);
        let error = decode_frame(&bytes).expect_err("too large");
        assert!(matches!(error, SourceError::FrameTooLarge { width: 4_000, height: 100 }));
    }

    #[test]
    fn what_is_no_frame_is_refused_with_a_reason() {
        let long = vec![0xff; FRAME_BYTES_MAX + 1];
        assert!(matches!(decode_frame(&long), Err(SourceError::TooManyBytes { .. })));
        for junk in [&b""[..], b"hello", &jpeg(64, 64)[..80], b"\x89PNG\r\n\x1a\n"] {
            assert!(matches!(decode_frame(junk), Err(SourceError::Picture(_))));
        }
    }
}
