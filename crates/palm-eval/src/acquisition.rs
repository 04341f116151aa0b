//! From files to templates: every sample of a set is decoded, acquired and encoded.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use handfast_palm::{
    ENCODED_BYTES_MAX, LENGTH, Picture, Probe, Reference, Sample, Side, decode, find, probe,
    reference, score_rows,
};
use rayon::prelude::*;

use crate::evaluation::{Input, Options, Progress, Step};
use crate::score::Encoded;
use crate::set::{Pairing, SampleFile, SampleSet, Session};
use crate::timing::{Laps, StageTimings};

/// Samples that are timed, one at a time before the threads start: spread over the set, enough for
/// a steady 95th percentile.
const TIMED_SAMPLES_MAX: usize = 100;
/// Probes whose comparisons are timed ...
const TIMED_PROBES_MAX: usize = 50;
/// ... each with so many references at once, since one comparison is too short for a watch.
const TIMED_REFERENCES_MAX: usize = 200;

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

/// A whole set, encoded.
pub struct Acquired {
    /// References, by palm.
    pub references: Vec<Encoded<Reference>>,
    /// Probes, by palm: of each, the frames of one capture.
    pub probes: Vec<Encoded<Vec<Probe>>>,
    /// Attempts, by palm.
    pub attempts: Vec<Attempts>,
    /// What failed, by palm and sample.
    pub failures: Vec<Failure>,
    /// Samples that were taken for the other hand than most of their palm's.
    pub side_disagreements: usize,
    /// What the stages took.
    pub timings: StageTimings,
}

/// One sample's way to its templates.
struct Job<'a> {
    palm: u16,
    sample: u32,
    file: &'a SampleFile,
    crop_side: Side,
}

/// What came of a job.
struct Taken {
    sample: Sample,
    probe: Option<Probe>,
}

#[derive(Default)]
struct StageLaps {
    decode: Laps,
    hand: Laps,
    roi: Laps,
    template: Laps,
}

impl Acquired {
    /// Encodes every sample of `set`, on the rayon pool that this is called in.
    #[must_use]
    pub fn from_set(set: &SampleSet, options: &Options<'_>) -> Self {
        let jobs = jobs(set);
        let done = AtomicUsize::new(0);
        let mut laps = StageLaps::default();
        let mut outcomes: Vec<Option<Result<Taken, String>>> = Vec::new();
        outcomes.resize_with(jobs.len(), || None);
        let encode = |job: &Job<'_>, laps: &mut StageLaps| {
            let outcome = job.encode(set.pairing, options, laps);
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            (options.progress)(Progress { step: Step::Encoding, done, total: jobs.len() });
            Some(outcome)
        };
        let stride = jobs.len().div_ceil(TIMED_SAMPLES_MAX).max(1);
        for (job, outcome) in jobs.iter().zip(&mut outcomes).step_by(stride) {
            *outcome = encode(job, &mut laps);
        }
        jobs.par_iter()
            .zip(&mut outcomes)
            .filter(|(_, outcome)| outcome.is_none())
            .for_each(|(job, outcome)| *outcome = encode(job, &mut StageLaps::default()));
        let outcomes = outcomes.into_iter().flatten();
        let mut acquired = collect(set, options, jobs.iter().zip(outcomes));
        acquired.timings = StageTimings {
            decode: laps.decode.timing(),
            hand: laps.hand.timing(),
            roi: laps.roi.timing(),
            template: laps.template.timing(),
            compare: acquired.time_comparisons(options).timing(),
        };
        acquired
    }

    /// The references that were acquired, one after the other, as searches want them.
    #[must_use]
    pub fn gallery(&self) -> Vec<i8> {
        let templates = self.references.iter().filter_map(|r| r.template.as_ref());
        templates.flat_map(|template| template.vector()).copied().collect()
    }

    fn time_comparisons(&self, options: &Options<'_>) -> Laps {
        let mut gallery = self.gallery();
        gallery.truncate(TIMED_REFERENCES_MAX * LENGTH);
        let mut laps = Laps::default();
        if gallery.is_empty() {
            return laps;
        }
        let probes = self.probes.iter().filter_map(|p| p.template.as_ref()).flatten();
        for probe in probes.take(TIMED_PROBES_MAX) {
            let scores = laps.time_each(options.stopwatch, gallery.len() / LENGTH, || {
                score_rows(&gallery, probe)
            });
            std::hint::black_box(scores);
        }
        laps
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
        let is = |session| self.file.session == session;
        let within = pairing == Pairing::WithinSession;
        let probe =
            (within || is(Session::Second)).then(|| laps.template.time(watch, || probe(&sample)));
        Ok(Taken { sample, probe })
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
                Ok(laps.roi.time(watch, || Sample::from_roi_picture(picture, self.crop_side)))
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
    options: &Options<'_>,
    outcomes: impl Iterator<Item = (&'a Job<'a>, Result<Taken, String>)>,
) -> Acquired {
    let mut acquired = Acquired {
        references: Vec::new(),
        probes: Vec::new(),
        attempts: vec![Attempts::default(); set.palms.len()],
        failures: Vec::new(),
        side_disagreements: 0,
        timings: StageTimings::default(),
    };
    let mut left_hands = vec![0; set.palms.len()];
    let (mut samples, mut probes) = (Vec::new(), Vec::new());
    for (job, outcome) in outcomes {
        let attempts = &mut acquired.attempts[usize::from(job.palm)];
        attempts.samples += 1;
        let (taken, probe) = match outcome {
            Ok(Taken { sample, probe }) => {
                left_hands[usize::from(job.palm)] += u64::from(sample.side() == Side::Left);
                (Some(sample), probe)
            }
            Err(reason) => {
                attempts.failures += 1;
                let palm = set.palms[usize::from(job.palm)].name.clone();
                acquired.failures.push(Failure { palm, sample: job.file.name.clone(), reason });
                (None, None)
            }
        };
        let (palm, sample) = (job.palm, job.sample);
        let (is_reference, is_probe) = match set.pairing {
            Pairing::WithinSession => (true, true),
            Pairing::AcrossSessions => {
                (job.file.session == Session::First, job.file.session == Session::Second)
            }
        };
        if is_reference {
            samples.push(Encoded { palm, sample, template: taken });
        }
        if is_probe {
            probes.push(Encoded { palm, sample, template: probe });
        }
    }
    let minorities = acquired.attempts.iter().zip(left_hands).map(|(attempts, left)| {
        let right = attempts.samples - attempts.failures - left;
        usize::try_from(left.min(right)).unwrap_or(usize::MAX)
    });
    acquired.side_disagreements = minorities.sum();
    acquired.references = group(samples, options.enrolled_samples)
        .into_par_iter()
        .map(|Encoded { palm, sample, template }| {
            // Samples of both hands cannot be fused; what cannot be enrolled is missed.
            let template = template.and_then(|samples| reference(&samples).ok());
            Encoded { palm, sample, template }
        })
        .collect();
    acquired.probes = group(probes, options.probe_samples);
    acquired
}

/// Puts each palm's samples into groups of `size`, in their order; of a group, those that were
/// acquired. What is left over makes a group only where the palm has no other.
fn group<T>(samples: Vec<Encoded<T>>, size: NonZeroUsize) -> Vec<Encoded<Vec<T>>> {
    let mut groups: Vec<Encoded<Vec<T>>> = Vec::new();
    // Attempts in the last group, acquired or not.
    let mut filled = 0;
    let drop_partial = |groups: &mut Vec<Encoded<Vec<T>>>, filled: usize| {
        let is_other =
            groups.len() >= 2 && groups[groups.len() - 2].palm == groups[groups.len() - 1].palm;
        if filled < size.get() && is_other {
            groups.pop();
        }
    };
    for Encoded { palm, sample, template } in samples {
        let goes_on = groups.last().is_some_and(|group| group.palm == palm);
        if !goes_on || filled == size.get() {
            if !goes_on {
                drop_partial(&mut groups, filled);
            }
            groups.push(Encoded { palm, sample, template: None });
            filled = 0;
        }
        filled += 1;
        if let (Some(group), Some(template)) = (groups.last_mut(), template) {
            group.template.get_or_insert_default().push(template);
        }
    }
    drop_partial(&mut groups, filled);
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_grouped_by_palm() {
        let numbers = |size, samples: &[(u16, Option<u8>)]| {
            let numbered = samples.iter().zip(0..);
            let samples =
                numbered.map(|(&(palm, template), sample)| Encoded { palm, sample, template });
            let groups = group(samples.collect(), NonZeroUsize::new(size).unwrap());
            groups.into_iter().map(|g| (g.palm, g.sample, g.template)).collect::<Vec<_>>()
        };
        let samples = [(0, Some(1)), (0, None), (0, Some(3)), (1, Some(4)), (2, None), (2, None)];
        assert_eq!(
            numbers(2, &samples),
            [(0, 0, Some(vec![1])), (1, 3, Some(vec![4])), (2, 4, None)],
            "palm 0 has a sample left over, palm 1 has no full group, palm 2 nothing"
        );
        assert_eq!(numbers(1, &samples[..2]), [(0, 0, Some(vec![1])), (0, 1, None)]);
        assert_eq!(numbers(3, &[]), []);
    }
}
