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
mod bootstrap;
mod error;
mod evaluation;
mod rates;
mod report;
mod score;
mod search;
mod set;
mod timing;

pub use acquisition::Failure;
pub use bootstrap::{CONFIDENCE, REPLICATES};
pub use error::EvalError;
pub use evaluation::{Input, Options, Progress, Step, evaluate};
pub use rates::{EXPECTED_FALSE_MATCHES_MIN, FMRS, OperatingPoint};
pub use report::{Intervals, MARKDOWN_HEAD, MARKDOWN_NOTE, Rates, Report};
pub use score::PAIRS_MAX;
pub use search::{FPIRS, GALLERIES, SearchRate};
pub use set::{PALMS_MAX, Pairing, PalmFolder, SampleFile, SampleSet, Session};
pub use timing::{StageTimings, Stopwatch, Timing};
