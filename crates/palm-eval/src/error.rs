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
        "{0} holds no samples; they are looked for as <palm>/<sample>.png, .jpg or .bmp below \
         it, one folder a palm"
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
    /// Two sets without a palm in both.
    #[error(
        "{first} and {second} have no two palms in common; fused sets need the same names of folders \
         and samples"
    )]
    NothingInCommon {
        /// The first set.
        first: String,
        /// The second.
        second: String,
    },
    /// Two sets that are paired in different ways.
    #[error(
        "{first} and {second} differ in their sessions; name the samples of both s1_... and s2_..., or \
         of neither"
    )]
    OtherSessions {
        /// The first set.
        first: String,
        /// The second.
        second: String,
    },
    /// Two palms a person need two persons.
    #[error(
        "{0} holds fewer than two persons with two palms; name their folders ..._l and ..._r, or give \
         at least four palms"
    )]
    OnePerson(String),
    /// The description of a synthetic set is broken.
    #[error("{path} cannot be used: {reason}; draw the set again with `handfast synth set`")]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
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
