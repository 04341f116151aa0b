//! Palm engine: picture -> hand -> ROI -> template; comparison.
//!
//! ```text
//! bytes --decode--> Picture --acquire--> Capture { side, sample } --reference / probe--> vectors --score--> i32
//! ```
//!
//! Deterministic: the same picture gives the same bytes, on every machine and in every run. The
//! crate knows no file, clock, randomness, network or thread. Nothing is learned from any palm:
//! every number in it comes from geometry, a published method or a synthetic picture.
//!
//! Whatever holds a likeness of a palm ([`Picture`], [`Sample`], [`Reference`], [`Probe`]) prints
//! nothing of it in `Debug` and zeroes its memory when dropped.

mod acquire;
mod creases;
mod field;
mod hand;
mod liveness;
mod maths;
mod picture;
mod poses;
mod quality;
mod roi;
mod sample;
mod score;
mod template;
mod threshold;

pub use acquire::{Capture, Found, Placement, Refusal, Refused, Side, acquire, find};
pub use liveness::{
    CUES, Cue, CueModel, CueWeights, Cues, Glimpse, LIVENESS_VERSION, Liveness, cues, glimpse,
    liveness,
};
pub use picture::{
    ENCODED_BYTES_MAX, PIXELS_MAX, Picture, PictureError, SIDE_PX_MAX, SIDE_PX_MIN, decode,
};
pub use poses::Effort;
pub use quality::{Quality, quality};
pub use sample::{CORE_PX, Sample};
pub use score::{score, score_many, score_rows};
pub use template::{
    FORMAT_VERSION, LENGTH, PROBE_VECTORS, Probe, Reference, SAMPLES_MAX, StoredReference,
    TemplateError, probe, probe_with, reference,
};
pub use threshold::{Threshold, ThresholdGround, threshold, threshold_at_fmr, threshold_with};
