//! The whole way from a set to its report.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use handfast_model::SeededRandom;
use handfast_palm::{LENGTH, Probe, Reference, score, score_rows};

use crate::EvalError;
use crate::acquisition::{Acquired, Attempts};
use crate::bootstrap::{CONFIDENCE, Draws, REPLICATES};
use crate::rates::{FMRS, Weighted, trials_suffice};
use crate::report::{Intervals, Rates, Report};
use crate::score::{PAIRS_MAX, Scores, score_all, search_maxima};
use crate::search::{GALLERIES, search_rates};
use crate::set::{Pairing, SampleSet, Session};
use crate::timing::Stopwatch;

/// What the pictures show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// Whole hands: the engine finds the palm.
    Hands,
    /// Ready-made crops of the palm.
    Crops,
}

impl Input {
    /// What the name of a set says: crops where it ends in `-roi`.
    #[must_use]
    pub fn by_name(set: &SampleSet) -> Self {
        if set.name.ends_with("-roi") { Self::Crops } else { Self::Hands }
    }
}

/// What part of the work is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Pictures become templates.
    Encoding,
    /// Templates are compared.
    Scoring,
    /// Intervals are drawn.
    Resampling,
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The step.
    pub step: Step,
    /// Units done.
    pub done: usize,
    /// Units in all.
    pub total: usize,
}

/// How to evaluate.
pub struct Options<'a> {
    /// What the pictures show.
    pub input: Input,
    /// Threads for encoding and scoring.
    pub threads: NonZeroUsize,
    /// Samples that are fused into one reference; more than one needs a set with two sessions.
    pub enrolled_samples: NonZeroUsize,
    /// Frames of one probe, the best of which counts; more than one needs a set with two sessions.
    pub probe_samples: NonZeroUsize,
    /// Seed of the bootstrap.
    pub seed: u64,
    /// What times the stages.
    pub stopwatch: &'a dyn Stopwatch,
    /// Hears how far the work is, from any thread.
    pub progress: &'a (dyn Fn(Progress) + Sync),
}

/// Evaluates a set: encodes its samples, scores every pair, and computes the report.
///
/// # Errors
/// Where the set has more pairs than [`PAIRS_MAX`], or one session for groups of samples, or the
/// threads cannot be started.
pub fn evaluate(set: &SampleSet, options: &Options<'_>) -> Result<Report, EvalError> {
    let pairs = pairs(set);
    if pairs > PAIRS_MAX {
        return Err(EvalError::TooManyPairs { got: pairs });
    }
    let single = options.enrolled_samples.max(options.probe_samples) == NonZeroUsize::MIN;
    if set.pairing == Pairing::WithinSession && !single {
        return Err(EvalError::OneSession(set.name.clone()));
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads.get()).build()?;
    // The pool's threads take part; this one only waits, so that the timed pass runs alone.
    Ok(pool.install(|| {
        let acquired = Acquired::from_set(set, options);
        let probes = acquired.probes.len();
        let scored =
            |done| (options.progress)(Progress { step: Step::Scoring, done, total: probes });
        let gallery = acquired.gallery();
        let scores = score_all(
            set.pairing,
            set.palms.len(),
            &acquired.references,
            &acquired.probes,
            |frames: &Vec<Probe>| best_scores(&gallery, frames),
            scored,
        );
        report(set, options, acquired, &scores)
    }))
}

/// The scores of one capture with every reference: of each, the best of its frames.
fn best_scores(gallery: &[i8], frames: &[Probe]) -> Vec<i32> {
    let mut best = vec![i32::MIN; gallery.len() / LENGTH];
    for frame in frames {
        for (best, score) in best.iter_mut().zip(score_rows(gallery, frame)) {
            *best = score.max(*best);
        }
    }
    best
}

/// The score of one capture with one reference: the best of its frames.
#[expect(clippy::ptr_arg, reason = "a probe's template is its frames, as they are kept")]
fn best_score(reference: &Reference, frames: &Vec<Probe>) -> i32 {
    frames.iter().map(|frame| score(reference, frame)).max().unwrap_or(i32::MIN)
}

fn report(set: &SampleSet, options: &Options<'_>, acquired: Acquired, scores: &Scores) -> Report {
    let searches = GALLERIES.map(|enrolled| {
        let maxima = search_maxima(enrolled, &acquired.references, &acquired.probes, best_score);
        (enrolled, search_rates(scores, enrolled, maxima))
    });
    (options.progress)(Progress { step: Step::Resampling, done: 0, total: 1 });
    let ci = intervals(options.seed, scores, &acquired.attempts);
    (options.progress)(Progress { step: Step::Resampling, done: 1, total: 1 });
    let ones = vec![1; set.palms.len()];
    let weighted = Weighted::new(scores, &ones);
    Report {
        set: set.name.clone(),
        input: options.input,
        pairing: set.pairing,
        palms: set.palms.len(),
        samples: set.samples(),
        left_out: set.left_out,
        enrolled_samples: options.enrolled_samples,
        probe_samples: options.probe_samples,
        template_version: handfast_palm::FORMAT_VERSION,
        rates: rates(scores, &weighted),
        fta: fta(&acquired.attempts, &ones),
        of_comparisons: rates(scores, &Weighted::new(scores, &ones).of_comparisons()),
        threshold_at_fmr: by_fmr(scores, |fmr| weighted.at_fmr(fmr).map(|point| point.threshold)),
        n_genuine: scores.genuine_pairs(),
        n_impostor: scores.impostor.len() as u64,
        fpir_fnir: BTreeMap::from(searches),
        ci,
        ms: acquired.timings,
        side_disagreements: acquired.side_disagreements,
        det: weighted.det(),
        failures: acquired.failures,
    }
}

fn rates(scores: &Scores, weighted: &Weighted<'_>) -> Rates {
    Rates { eer: weighted.eer(), tar_at_fmr: by_fmr(scores, |fmr| tar_at(weighted, fmr)) }
}

fn intervals(seed: u64, scores: &Scores, attempts: &[Attempts]) -> Intervals {
    let draws = Draws::new(scores.palms.len(), &SeededRandom::new(seed));
    let [eer, fta] =
        draws.intervals(|weights| [Weighted::new(scores, weights).eer(), fta(attempts, weights)]);
    let tars: [Option<(f64, f64)>; FMRS.len()] = draws.intervals(|weights| {
        let weighted = Weighted::new(scores, weights);
        FMRS.map(|(_, fmr)| measurable(scores, fmr).then(|| tar_at(&weighted, fmr)).flatten())
    });
    let tar_at_fmr = FMRS.iter().map(|(name, _)| *name).zip(tars).collect();
    Intervals { confidence: CONFIDENCE, replicates: REPLICATES, seed, eer, tar_at_fmr, fta }
}

fn tar_at(weighted: &Weighted<'_>, fmr: f64) -> Option<f64> {
    weighted.at_fmr(fmr).and_then(|point| weighted.tar(point.threshold))
}

fn measurable(scores: &Scores, fmr: f64) -> bool {
    trials_suffice(fmr, scores.impostor.len() as u64)
}

/// A value for each named FMR, none where the pairs are too few for it.
fn by_fmr<T>(
    scores: &Scores,
    value: impl Fn(f64) -> Option<T>,
) -> BTreeMap<&'static str, Option<T>> {
    FMRS.iter()
        .map(|&(name, fmr)| (name, measurable(scores, fmr).then(|| value(fmr)).flatten()))
        .collect()
}

/// The rate of samples that gave no template, palms weighted.
fn fta(attempts: &[Attempts], weights: &[u32]) -> Option<f64> {
    let (mut samples, mut failures) = (0, 0);
    for (attempts, &weight) in attempts.iter().zip(weights) {
        samples += attempts.samples * u64::from(weight);
        failures += attempts.failures * u64::from(weight);
    }
    (samples > 0).then(|| failures as f64 / samples as f64)
}

/// How many pairs a set has.
fn pairs(set: &SampleSet) -> u64 {
    let samples = set.samples() as u64;
    match set.pairing {
        Pairing::WithinSession => samples * samples.saturating_sub(1) / 2,
        Pairing::AcrossSessions => {
            let all = set.palms.iter().flat_map(|palm| &palm.samples);
            let first = all.filter(|sample| sample.session == Session::First).count() as u64;
            first * (samples - first)
        }
    }
}
