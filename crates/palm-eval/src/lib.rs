//! Folders of samples -> error rates.
//!
//! ```text
//! <set>/<palm>/<sample>.png --read--> SampleSet --encode--> templates --score--> Scores --> Report
//! ```
//!
//! Every genuine and every impostor pair is compared, session 1 against session 2 where a set has
//! two; failures to acquire count as misses; confidence intervals are drawn over palms. Terms are
//! those of ISO/IEC 19795-1. The crate reads files but no clock and no randomness of its own: a
//! stopwatch and a seed are handed in, so the same set gives the same report (but for the times).
//!
//! Nothing of a picture or a template is kept or reported: names of files, scores and counts only.

mod acquisition;
mod anchors;
mod attack;
mod bootstrap;
mod calibration;
mod captures;
mod card;
mod cost;
mod error;
mod evaluation;
mod fairness;
mod genuine;
mod histogram;
mod manifest;
mod page;
mod rates;
mod report;
mod score;
mod search;
mod set;
mod timing;
mod way;

pub use acquisition::Failure;
pub use anchors::{Aim, Anchor, Figure, aims, anchors};
pub use attack::{
    AttackRate, AttackReport, GenuineRates, NOT_MEASURED, PACES, PresentedCues, SpeciesRates, fit,
    model_source,
};
pub use bootstrap::{CONFIDENCE, REPLICATES};
pub use calibration::{
    AtRate, CALIBRATION_VERSION, Calibration, Ground, SetCalibration, TailTrial, Wanted,
};
pub use captures::Grouping;
pub use card::card_targets;
pub use cost::{RecognitionCost, StepCost};
pub use error::EvalError;
pub use evaluation::{EncodedSet, Evaluation, Input, Options, Progress, Step, evaluate};
pub use fairness::{Fairness, Group, RateOfGroup, TraitRates};
pub use genuine::{GenuinePair, RejectCurve, RejectPoint, error_against_reject};
pub use histogram::Histogram;
pub use manifest::{MANIFEST_FILE, MANIFEST_VERSION, Manifest, PalmTraits, sha256};
pub use page::Page;
pub use rates::{EXPECTED_FALSE_MATCHES_MIN, FMRS, OperatingPoint};
pub use report::{Intervals, MARKDOWN_HEAD, MARKDOWN_NOTE, Rates, Report};
pub use score::{GenuineScore, ImpostorScore, PAIRS_MAX, PalmCounts, Scores};
pub use search::{FPIRS, GALLERIES, SearchRate};
pub use set::{PALMS_MAX, Pairing, PalmFolder, SampleFile, SampleSet, Session, SetPair};
pub use timing::{StageTimings, Stopwatch, Timing};
pub use way::Way;
