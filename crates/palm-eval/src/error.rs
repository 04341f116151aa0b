//! What can stop an evaluation.

use std::path::PathBuf;

use crate::score::PAIRS_MAX;

/// Why a set could not be evaluated; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// The path leads nowhere.
    #[error("{0} does not exist; give the folder that holds one folder a palm")]
    Missing(PathBuf),
    /// The path leads to a file.
    #[error(
        "{0} is a file; give the folder that holds one folder a palm, or use `handfast encode` for \
         one picture"
    )]
    NotAFolder(PathBuf),
    /// A folder could not be listed.
    #[error("{path} cannot be listed; check that it may be read")]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// No picture where samples are looked for.
    #[error(
        "{0} holds no samples; they are looked for as <palm>/<sample>.png or .jpg below it, one \
         folder a palm"
    )]
    NoSamples(PathBuf),
    /// One palm has no impostors.
    #[error(
        "{0} holds one palm only; error rates need at least two, each in a folder of its own (raise \
         --limit-palms if it is set)"
    )]
    OnePalm(PathBuf),
    /// Groups of samples need two sessions, or a group would be compared with its own visit.
    #[error(
        "{0} has samples of one session only; several samples a reference or a probe need names that \
         begin with s1_ and s2_"
    )]
    OneSession(String),
    /// More palms than can be numbered.
    #[error("{got} palms are more than the {limit} that can be evaluated; use --limit-palms")]
    TooManyPalms {
        /// How many there are.
        got: usize,
        /// How many there may be.
        limit: usize,
    },
    /// More pairs than memory should hold.
    #[error(
        "{got} pairs are more than the {PAIRS_MAX} that are held in memory; use --limit-palms to take \
         fewer palms"
    )]
    TooManyPairs {
        /// How many there are.
        got: u64,
    },
    /// The threads for the work could not be started.
    #[error("the worker threads could not be started; close other programs and try again")]
    Threads(#[from] rayon::ThreadPoolBuildError),
}
