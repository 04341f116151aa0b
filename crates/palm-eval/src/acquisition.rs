//! From files to templates: every sample of a set is decoded, acquired and encoded.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use handfast_palm::{
    ENCODED_BYTES_MAX, Picture, Probe, Sample, Side, decode, find, probe_with, quality,
};
use rayon::prelude::*;

use crate::evaluation::{Input, Options, Progress, Step};
use crate::set::{Pairing, SampleFile, SampleSet, Session};
use crate::timing::{Laps, StageTimings};

/// Samples that are timed, one at a time before the threads start: spread over the set, enough for
/// a steady 95th percentile.
const TIMED_SAMPLES_MAX: usize = 100;

/// A sample that gave no template.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Failure {
    /// The palm's folder.
    pub palm: String,
    /// The sample's file.
    pub sample: String,
    /// Why, and what would have helped.
    pub reason: String,
}

/// The samples of one palm, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    /// Samples that there are.
    pub samples: u64,
    /// Those that gave no template.
    pub failures: u64,
}

impl std::ops::Add for Attempts {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { samples: self.samples + other.samples, failures: self.failures + other.failures }
    }
}

/// What came of one sample.
pub struct Outcome {
    /// The palm's number.
    pub palm: u16,
    /// The sample's number in its set.
    pub sample: u32,
    /// The visit it was taken on.
    pub session: Session,
    /// What was acquired; none where that failed.
    pub taken: Option<Taken>,
}

/// A sample that was acquired.
pub struct Taken {
    /// The palm, cut out.
    pub sample: Sample,
    /// The value of its quality.
    pub quality: f32,
    /// The probe; none where the sample is a reference alone.
    pub probe: Option<Probe>,
}

/// A whole set, every sample encoded once.
pub struct Encodings {
    /// What came of each sample, by palm and sample.
    pub outcomes: Vec<Outcome>,
    /// Attempts, by palm.
    pub attempts: Vec<Attempts>,
    /// What failed, by palm and sample.
    pub failures: Vec<Failure>,
    /// Samples that were taken for the other hand than most of their palm's.
    pub side_disagreements: usize,
    /// What the stages took, but for the comparison.
    pub timings: StageTimings,
}

/// One sample's way to its templates.
struct Job<'a> {
    palm: u16,
    sample: u32,
    file: &'a SampleFile,
    crop_side: Side,
}

#[derive(Default)]
struct StageLaps {
    decode: Laps,
    hand: Laps,
    roi: Laps,
    quality: Laps,
    template: Laps,
}

impl Encodings {
    /// Encodes every sample of `set`, on the rayon pool that this is called in.
    #[must_use]
    pub fn of(set: &SampleSet, options: &Options<'_>) -> Self {
        let jobs = jobs(set);
        let done = AtomicUsize::new(0);
        let mut laps = StageLaps::default();
        let mut results: Vec<Option<Result<Taken, String>>> = Vec::new();
        results.resize_with(jobs.len(), || None);
        let encode = |job: &Job<'_>, laps: &mut StageLaps| {
            let result = job.encode(set.pairing, options, laps);
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            (options.progress)(Progress { step: Step::Encoding, done, total: jobs.len() });
            Some(result)
        };
        let stride = jobs.len().div_ceil(TIMED_SAMPLES_MAX).max(1);
        for (job, result) in jobs.iter().zip(&mut results).step_by(stride) {
            *result = encode(job, &mut laps);
        }
        jobs.par_iter()
            .zip(&mut results)
            .filter(|(_, result)| result.is_none())
            .for_each(|(job, result)| *result = encode(job, &mut StageLaps::default()));
        let results = results.into_iter().flatten();
        let mut encodings = collect(set, jobs.iter().zip(results));
        encodings.timings = StageTimings {
            decode: laps.decode.timing(),
            hand: laps.hand.timing(),
            roi: laps.roi.timing(),
            quality: laps.quality.timing(),
            template: laps.template.timing(),
            compare: None,
        };
        encodings
    }
}

impl Job<'_> {
    fn encode(
        &self,
        pairing: Pairing,
        options: &Options<'_>,
        laps: &mut StageLaps,
    ) -> Result<Taken, String> {
        let watch = options.stopwatch;
        let bytes = read_picture_file(&self.file.path)?;
        let picture = laps.decode.time(watch, || decode(&bytes)).map_err(|e| e.to_string())?;
        let sample = self.sample(&picture, options, laps)?;
        let quality = laps.quality.time(watch, || quality(&sample)).value();
        let is = |session| self.file.session == session;
        let within = pairing == Pairing::WithinSession;
        let encode = || probe_with(&sample, options.effort);
        let probe = (within || is(Session::Second)).then(|| laps.template.time(watch, encode));
        Ok(Taken { sample, quality, probe })
    }

    fn sample(
        &self,
        picture: &Picture,
        options: &Options<'_>,
        laps: &mut StageLaps,
    ) -> Result<Sample, String> {
        let watch = options.stopwatch;
        match options.input {
            Input::Crops => {
                let cut = || Sample::from_roi_picture(picture, self.crop_side);
                Ok(laps.roi.time(watch, cut))
            }
            Input::Hands => {
                let found = laps
                    .hand
                    .time(watch, || find(picture))
                    .map_err(|refused| refused.to_string())?;
                let capture = laps.roi.time(watch, || found.cut(picture));
                capture.map(|capture| capture.sample).map_err(|refused| refused.to_string())
            }
        }
    }
}

/// Reads a picture's file, its length checked before.
///
/// # Errors
/// Says why the file could not be read, or that it is too long.
fn read_picture_file(path: &Path) -> Result<Vec<u8>, String> {
    let unreadable = |e| format!("the file cannot be read ({e}): check that it may be read");
    let length = fs::metadata(path).map_err(unreadable)?.len();
    if length > ENCODED_BYTES_MAX as u64 {
        return Err(format!(
            "the file is {length} bytes long; at most {ENCODED_BYTES_MAX} are read: save it smaller"
        ));
    }
    fs::read(path).map_err(unreadable)
}

fn jobs(set: &SampleSet) -> Vec<Job<'_>> {
    let mut jobs = Vec::with_capacity(set.samples());
    for (palm, folder) in (0..).zip(&set.palms) {
        for file in &folder.samples {
            let sample = u32::try_from(jobs.len()).unwrap_or(u32::MAX);
            jobs.push(Job { palm, sample, file, crop_side: folder.crop_side() });
        }
    }
    jobs
}

fn collect<'a>(
    set: &SampleSet,
    results: impl Iterator<Item = (&'a Job<'a>, Result<Taken, String>)>,
) -> Encodings {
    let mut attempts = vec![Attempts::default(); set.palms.len()];
    let mut left_hands = vec![0; set.palms.len()];
    let (mut outcomes, mut failures) = (Vec::new(), Vec::new());
    for (job, result) in results {
        let palm = usize::from(job.palm);
        attempts[palm].samples += 1;
        let taken = match result {
            Ok(taken) => {
                left_hands[palm] += u64::from(taken.sample.side() == Side::Left);
                Some(taken)
            }
            Err(reason) => {
                attempts[palm].failures += 1;
                let (palm, sample) = (set.palms[palm].name.clone(), job.file.name.clone());
                failures.push(Failure { palm, sample, reason });
                None
            }
        };
        let (palm, sample, session) = (job.palm, job.sample, job.file.session);
        outcomes.push(Outcome { palm, sample, session, taken });
    }
    let minorities = attempts.iter().zip(left_hands).map(|(attempts, left)| {
        let right = attempts.samples - attempts.failures - left;
        usize::try_from(left.min(right)).unwrap_or(usize::MAX)
    });
    let side_disagreements = minorities.sum();
    let timings = StageTimings::default();
    Encodings { outcomes, attempts, failures, side_disagreements, timings }
}
