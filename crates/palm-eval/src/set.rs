//! A set: a folder that holds one folder a palm, which holds that palm's samples as pictures.

use std::fs;
use std::path::{Path, PathBuf};

use handfast_palm::Side;

use crate::EvalError;

/// Files of these kinds are samples; everything else in a palm's folder is left alone.
const PICTURE_EXTENSIONS: [&str; 3] = ["jpg", "jpeg", "png"];

/// Palms are numbered with 16 bits beside every score, which keeps a score at 8 bytes.
pub const PALMS_MAX: usize = u16::MAX as usize;

/// When a sample was taken, as its file name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// `s1_`: the first visit.
    First,
    /// `s2_`: a later visit, weeks apart.
    Second,
    /// `sx_`: the database does not say.
    Unknown,
    /// No prefix: the whole set was taken in one visit.
    Only,
}

impl Session {
    /// Reads the session off a file name.
    #[must_use]
    pub fn of(file_name: &str) -> Self {
        match file_name.get(..3) {
            Some("s1_") => Self::First,
            Some("s2_") => Self::Second,
            Some("sx_") => Self::Unknown,
            _ => Self::Only,
        }
    }
}

/// One picture of one palm.
#[derive(Clone, Debug)]
pub struct SampleFile {
    /// The file's name inside its palm's folder.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// The visit it was taken on.
    pub session: Session,
}

/// One folder: the samples of one physical palm.
#[derive(Clone, Debug)]
pub struct PalmFolder {
    /// The folder's name.
    pub name: String,
    /// Its samples, by name.
    pub samples: Vec<SampleFile>,
}

impl PalmFolder {
    /// Which hand a crop shows: `..._l` is a left one, which the engine mirrors. Everything else is
    /// taken as a right one; that is the same for all samples of a palm, so it costs no match.
    #[must_use]
    pub fn crop_side(&self) -> Side {
        if self.name.ends_with("_l") { Side::Left } else { Side::Right }
    }
}

/// How the samples of a set are paired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pairing {
    /// Session 1 as references against session 2 as probes, every pair.
    AcrossSessions,
    /// No two known sessions: every pair of different samples once, the earlier name as reference.
    WithinSession,
}

/// A folder of palms, read but not yet opened.
#[derive(Clone, Debug)]
pub struct SampleSet {
    /// The folder's name.
    pub name: String,
    /// The palms, by name; at least two, at most [`PALMS_MAX`].
    pub palms: Vec<PalmFolder>,
    /// How its samples are paired.
    pub pairing: Pairing,
    /// Samples of an unknown session in a set that is paired across sessions: in no pair.
    pub left_out: usize,
}

impl SampleSet {
    /// Lists the samples below `dir`, the first `palms_max` palms by name where a limit is given.
    ///
    /// # Errors
    /// Where `dir` is no readable folder, holds no sample, or fewer than two palms or more than
    /// [`PALMS_MAX`].
    pub fn read(dir: &Path, palms_max: Option<usize>) -> Result<Self, EvalError> {
        if !dir.exists() {
            return Err(EvalError::Missing(dir.to_owned()));
        }
        if !dir.is_dir() {
            return Err(EvalError::NotAFolder(dir.to_owned()));
        }
        let mut palms = read_palms(dir)?;
        if palms.is_empty() {
            return Err(EvalError::NoSamples(dir.to_owned()));
        }
        palms.truncate(palms_max.unwrap_or(usize::MAX));
        if palms.len() < 2 {
            return Err(EvalError::OnePalm(dir.to_owned()));
        }
        if palms.len() > PALMS_MAX {
            return Err(EvalError::TooManyPalms { got: palms.len(), limit: PALMS_MAX });
        }
        let (pairing, left_out) = pair(&mut palms);
        // `.` and `..` have no name of their own.
        let name = name_of(&dir.canonicalize().unwrap_or_else(|_| dir.to_owned()));
        Ok(Self { name, palms, pairing, left_out })
    }

    /// How many samples take part.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.palms.iter().map(|palm| palm.samples.len()).sum()
    }
}

/// Decides the pairing, and takes out what cannot be paired by it.
fn pair(palms: &mut [PalmFolder]) -> (Pairing, usize) {
    let has = |session| palms.iter().flat_map(|p| &p.samples).any(|s| s.session == session);
    if !(has(Session::First) && has(Session::Second)) {
        return (Pairing::WithinSession, 0);
    }
    let mut left_out = 0;
    for palm in palms {
        let before = palm.samples.len();
        palm.samples.retain(|s| matches!(s.session, Session::First | Session::Second));
        left_out += before - palm.samples.len();
    }
    (Pairing::AcrossSessions, left_out)
}

fn read_palms(dir: &Path) -> Result<Vec<PalmFolder>, EvalError> {
    let mut palms = Vec::new();
    for path in entries(dir)? {
        let name = name_of(&path);
        if !path.is_dir() || name.starts_with('.') {
            continue;
        }
        let samples: Vec<_> = entries(&path)?.into_iter().filter_map(sample_file).collect();
        if !samples.is_empty() {
            palms.push(PalmFolder { name, samples });
        }
    }
    Ok(palms)
}

fn sample_file(path: PathBuf) -> Option<SampleFile> {
    let name = name_of(&path);
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    let is_sample = !name.starts_with('.')
        && PICTURE_EXTENSIONS.contains(&extension.as_str())
        && path.is_file();
    is_sample.then(|| SampleFile { session: Session::of(&name), name, path })
}

/// What lies in `dir`, sorted by name: the order of the file system would change the numbering.
fn entries(dir: &Path) -> Result<Vec<PathBuf>, EvalError> {
    let unreadable = |source| EvalError::Unreadable { path: dir.to_owned(), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        paths.push(entry.map_err(unreadable)?.path());
    }
    paths.sort();
    Ok(paths)
}

/// The last part of a path, as it stands there: a link keeps the name it was given.
fn name_of(path: &Path) -> String {
    let whole = || path.display().to_string();
    path.file_name().map_or_else(whole, |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"").unwrap();
        }
        dir
    }

    #[test]
    fn two_sessions_are_paired_and_unknown_ones_left_out() {
        let dir = folder(&["b/s2_1.png", "a/s1_1.PNG", "a/sx_1.jpg", "a/notes.txt", "a/.x.png"]);
        let set = SampleSet::read(dir.path(), None).unwrap();
        assert_eq!(set.pairing, Pairing::AcrossSessions);
        assert_eq!((set.left_out, set.samples()), (1, 2));
        assert_eq!(set.palms[0].samples[0].session, Session::First);
    }

    #[cfg(unix)]
    #[test]
    fn a_linked_sample_keeps_the_name_of_the_link() {
        let dir = folder(&["a/s1_1.png", "b/s1_1.png", "elsewhere.png"]);
        let link = dir.path().join("b/s2_1.png");
        std::os::unix::fs::symlink(dir.path().join("elsewhere.png"), link).unwrap();
        let set = SampleSet::read(dir.path(), None).unwrap();
        assert_eq!(set.palms[1].samples[1].session, Session::Second);
    }

    #[test]
    fn without_two_sessions_all_samples_stay() {
        let dir = folder(&["a/1.png", "a/sx_2.png", "b/s1_1.jpeg", "c/3.png"]);
        let set = SampleSet::read(dir.path(), Some(2)).unwrap();
        assert_eq!(set.pairing, Pairing::WithinSession);
        assert_eq!((set.palms.len(), set.samples(), set.left_out), (2, 3, 0));
    }

    #[test]
    fn wrong_folders_say_what_is_wrong() {
        let dir = folder(&["a/1.png", "file.png"]);
        let read = |path: &str| SampleSet::read(&dir.path().join(path), None).unwrap_err();
        assert!(matches!(read("nowhere"), EvalError::Missing(_)));
        assert!(matches!(read("file.png"), EvalError::NotAFolder(_)));
        assert!(matches!(read("a"), EvalError::NoSamples(_)));
        assert!(matches!(read(""), EvalError::OnePalm(_)));
    }

    #[test]
    fn a_name_with_a_wide_letter_has_no_session() {
        assert_eq!(Session::of("é1_a.png"), Session::Only);
        assert_eq!(Session::of("s1"), Session::Only);
    }
}
