//! A picture file, or a folder of them, played over and over.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use handfast_model::{Clock, Duration};
use handfast_palm::{ENCODED_BYTES_MAX, Picture, PictureError, decode};
use zeroize::Zeroizing;

use super::{FrameSource, SourceError, TimedPicture};

/// Most pictures of a folder: ten minutes at the pace below. A larger one is a mistake.
pub const FOLDER_FILES_MAX: usize = 9_000;
/// A camera's pace.
const PACE: Duration = Duration::from_millis(66);

/// Plays pictures in the order of their names, from the first again after the last.
pub struct PictureFiles {
    files: Vec<PathBuf>,
    next: usize,
    clock: Arc<dyn Clock>,
}

impl PictureFiles {
    /// Plays the picture at `path`, or the pictures of the folder at `path`.
    ///
    /// # Errors
    /// [`SourceError::Unreadable`], [`SourceError::FolderSize`].
    pub fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, SourceError> {
        let unreadable = |source| SourceError::Unreadable { path: path.to_owned(), source };
        let files = if fs::metadata(path).map_err(unreadable)?.is_dir() {
            pictures_in(path).map_err(unreadable)?
        } else {
            vec![path.to_owned()]
        };
        if files.is_empty() || files.len() > FOLDER_FILES_MAX {
            return Err(SourceError::FolderSize { path: path.to_owned(), found: files.len() });
        }
        Ok(Self { files, next: 0, clock })
    }
}

impl FrameSource for PictureFiles {
    fn next(&mut self, _wait_max: Duration) -> Result<Option<TimedPicture>, SourceError> {
        let path = &self.files[self.next];
        self.next = (self.next + 1) % self.files.len();
        let picture = read(path)?;
        Ok(Some(TimedPicture { picture, taken_at: self.clock.now() }))
    }

    /// Nothing waits here: files are read when they are asked for.
    fn forget(&mut self) -> Result<(), SourceError> {
        Ok(())
    }

    fn pace(&self) -> Option<Duration> {
        Some(PACE)
    }
}

fn pictures_in(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default();
        if ["bmp", "jpg", "jpeg", "png"].iter().any(|known| ending.eq_ignore_ascii_case(known)) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<Picture, SourceError> {
    let unreadable = |source| SourceError::Unreadable { path: path.to_owned(), source };
    let bad = |source| SourceError::BadFile { path: path.to_owned(), source };
    let length = fs::metadata(path).map_err(unreadable)?.len();
    if length > ENCODED_BYTES_MAX as u64 {
        let found = usize::try_from(length).unwrap_or(usize::MAX);
        return Err(bad(PictureError::TooManyBytes { found }));
    }
    let bytes = Zeroizing::new(fs::read(path).map_err(unreadable)?);
    decode(&bytes).map_err(bad)
}

#[cfg(test)]
mod tests {
    use handfast_model::{ManualClock, Timestamp};
    use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

    use super::*;

    fn clock() -> Arc<dyn Clock> {
        Arc::new(ManualClock::at(Timestamp::from_micros(5)))
    }

    fn write_png(path: &Path, width: u32) {
        let file = fs::File::create(path).expect("a file");
        PngEncoder::new(file)
            .write_image(&vec![9; (width * 40) as usize], width, 40, ExtendedColorType::L8)
            .expect("encodes");
    }

    fn widths(source: &mut PictureFiles, count: usize) -> Vec<u32> {
        let mut next = || source.next(Duration::ZERO).expect("reads").expect("a picture");
        (0..count).map(|_| next().picture.width()).collect()
    }

    #[test]
    fn a_folder_is_played_by_name_and_again() {
        let folder = tempfile::tempdir().expect("a folder");
        write_png(&folder.path().join("b.PNG"), 60);
        write_png(&folder.path().join("a.png"), 50);
        fs::write(folder.path().join("notes.txt"), "no picture").expect("writes");
        let mut source = PictureFiles::open(folder.path(), clock()).expect("opens");
        assert_eq!(widths(&mut source, 5), [50, 60, 50, 60, 50]);
        assert_eq!(source.pace(), Some(PACE));
    }

    #[test]
    fn a_single_file_is_played_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("hand.png");
        write_png(&path, 50);
        let mut source = PictureFiles::open(&path, clock()).expect("opens");
        assert_eq!(widths(&mut source, 2), [50, 50]);
    }

    #[test]
    fn what_cannot_be_played_says_why() {
        let folder = tempfile::tempdir().expect("a folder");
        let empty = PictureFiles::open(folder.path(), clock());
        assert!(matches!(empty, Err(SourceError::FolderSize { found: 0, .. })));
        let missing = PictureFiles::open(&folder.path().join("nowhere"), clock());
        assert!(matches!(missing, Err(SourceError::Unreadable { .. })));
        let path = folder.path().join("text.png");
        fs::write(&path, "no picture").expect("writes");
        let mut source = PictureFiles::open(&path, clock()).expect("opens");
        let error = source.next(Duration::ZERO).expect_err("no picture");
        assert!(error.to_string().contains("text.png"), "{error}");
    }
}
