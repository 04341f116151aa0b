//! A set: a folder that holds one folder a palm, which holds that palm's samples as pictures.

use std::fs;
use std::path::{Path, PathBuf};

use handfast_palm::Side;

use crate::EvalError;
use crate::manifest::Manifest;

/// Files of these kinds are samples; everything else in a palm's folder is left alone.
const PICTURE_EXTENSIONS: [&str; 4] = ["bmp", "jpg", "jpeg", "png"];

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

impl SampleFile {
    /// The name without its extension: two lights may be kept in two kinds of file.
    fn stem(&self) -> String {
        self.name.rsplit_once('.').map_or(&*self.name, |(stem, _)| stem).to_owned()
    }
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
    /// What a synthetic set says of itself.
    pub manifest: Option<Manifest>,
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
        let manifest = Manifest::read(dir)?;
        Ok(Self { name, palms, pairing, left_out, manifest })
    }

    /// How many samples take part.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.palms.iter().map(|palm| palm.samples.len()).sum()
    }
}

/// Two sets whose palms and samples stand at the same places: the parts of one presentation.
#[derive(Clone, Debug)]
pub struct SetPair {
    /// The first part.
    pub first: SampleSet,
    /// The second part.
    pub second: SampleSet,
    /// How the parts belong together, for the report.
    pub how: &'static str,
}

impl SetPair {
    /// Two pictures of each palm, taken in two lights: the palms and samples whose names are in both
    /// sets.
    ///
    /// # Errors
    /// Where fewer than two palms have a sample of one name in both.
    pub fn of_lights(first: SampleSet, second: SampleSet) -> Result<Self, EvalError> {
        let names = |set: &SampleSet| {
            let all = set.palms.iter();
            let names = all.flat_map(|p| p.samples.iter().map(|s| (p.name.clone(), s.stem())));
            names.collect::<std::collections::BTreeSet<(String, String)>>()
        };
        let (in_first, in_second) = (names(&first), names(&second));
        let common = |mut set: SampleSet| {
            for palm in &mut set.palms {
                palm.samples.retain(|sample| {
                    let name = (palm.name.clone(), sample.stem());
                    in_first.contains(&name) && in_second.contains(&name)
                });
            }
            set.palms.retain(|palm| !palm.samples.is_empty());
            set
        };
        let names = (first.name.clone(), second.name.clone());
        let (first, second) = (common(first), common(second));
        if first.palms.len() < 2 {
            return Err(EvalError::NothingInCommon { first: names.0, second: names.1 });
        }
        Ok(Self { first, second, how: "two pictures of one palm, in two lights" })
    }

    /// Two palms of each person: `..._l` and `..._r` of one name where every palm has such a name,
    /// otherwise neighbours in the order of names, who may be strangers to each other; that changes
    /// nothing for an impostor.
    ///
    /// # Errors
    /// Where fewer than two persons come about.
    pub fn of_persons(set: &SampleSet) -> Result<Self, EvalError> {
        let person = |palm: &PalmFolder| {
            let name = palm.name.strip_suffix("_l").or(palm.name.strip_suffix("_r"));
            name.map(str::to_owned)
        };
        let sided = set.palms.iter().all(|palm| person(palm).is_some());
        let (mut first, mut second) = (Vec::new(), Vec::new());
        let mut palms = set.palms.iter().peekable();
        while let Some(palm) = palms.next() {
            let other = palms.next_if(|other| !sided || person(other) == person(palm));
            let Some(other) = other else { continue };
            let (one, two) = alike(palm, other);
            if !one.samples.is_empty() {
                first.push(one);
                second.push(two);
            }
        }
        if first.len() < 2 {
            return Err(EvalError::OnePerson(set.name.clone()));
        }
        let part = |palms| SampleSet { palms, ..set.clone() };
        let how = if sided {
            "the left and the right palm of one person"
        } else {
            "two palms, taken together in the order of their names"
        };
        Ok(Self { first: part(first), second: part(second), how })
    }
}

/// Two palms with as many samples of each session as both have.
fn alike(one: &PalmFolder, two: &PalmFolder) -> (PalmFolder, PalmFolder) {
    let (mut first, mut second) = (one.clone(), two.clone());
    first.samples.clear();
    second.samples.clear();
    for session in [Session::First, Session::Second, Session::Unknown, Session::Only] {
        let of = |palm: &PalmFolder| {
            let samples = palm.samples.iter().filter(|s| s.session == session);
            samples.cloned().collect::<Vec<_>>()
        };
        for (a, b) in of(one).into_iter().zip(of(two)) {
            first.samples.push(a);
            second.samples.push(b);
        }
    }
    (first, second)
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
    fn two_lights_keep_what_both_have() {
        let white = folder(&["a/s1_1.png", "a/s2_1.png", "b/s1_1.png", "b/s1_2.png", "c/s2_1.png"]);
        let dark = folder(&["a/s1_1.jpg", "b/s1_2.jpg", "b/s2_9.jpg", "d/s1_1.jpg"]);
        let read = |dir: &tempfile::TempDir| SampleSet::read(dir.path(), None).unwrap();
        let pair = SetPair::of_lights(read(&white), read(&dark)).unwrap();
        let names = |set: &SampleSet| {
            let palms = set.palms.iter();
            palms.flat_map(|p| p.samples.iter().map(|s| s.stem())).collect::<Vec<_>>()
        };
        assert_eq!(names(&pair.first), ["s1_1", "s1_2"]);
        assert_eq!(names(&pair.first), names(&pair.second));
        let strangers = folder(&["x/s1_1.png", "y/s2_1.png"]);
        let error = SetPair::of_lights(read(&white), read(&strangers)).unwrap_err();
        assert!(matches!(error, EvalError::NothingInCommon { .. }), "{error}");
    }

    #[test]
    fn persons_have_two_palms_with_equally_many_samples() {
        let dir = folder(&[
            "1_l/s1_1.png",
            "1_l/s2_1.png",
            "1_r/s1_1.png",
            "1_r/s1_2.png",
            "1_r/s2_1.png",
            "2_l/s1_1.png",
            "3_l/s1_1.png",
            "3_r/s1_1.png",
        ]);
        let set = SampleSet::read(dir.path(), None).unwrap();
        let pair = SetPair::of_persons(&set).unwrap();
        let palms = |set: &SampleSet| {
            set.palms.iter().map(|p| (p.name.clone(), p.samples.len())).collect::<Vec<_>>()
        };
        assert_eq!(palms(&pair.first), [("1_l".to_owned(), 2), ("3_l".to_owned(), 1)]);
        assert_eq!(palms(&pair.second), [("1_r".to_owned(), 2), ("3_r".to_owned(), 1)]);
        let lonely = folder(&["1_l/s1_1.png", "2_l/s1_1.png"]);
        let set = SampleSet::read(lonely.path(), None).unwrap();
        assert!(matches!(SetPair::of_persons(&set), Err(EvalError::OnePerson(_))));
    }

    #[test]
    fn a_name_with_a_wide_letter_has_no_session() {
        assert_eq!(Session::of("é1_a.png"), Session::Only);
        assert_eq!(Session::of("s1"), Session::Only);
    }
}
