//! The whole way from a set to its report.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use handfast_model::SeededRandom;
use handfast_palm::Effort;

use crate::EvalError;
use crate::acquisition::{Attempts, Encodings};
use crate::bootstrap::{CONFIDENCE, Draws, REPLICATES};
use crate::captures::{Captures, Grouping, PartProbes, fused_score, fused_scores};
use crate::fairness::Fairness;
use crate::genuine::{GenuinePair, RejectCurve, error_against_reject, genuine_pairs};
use crate::rates::{FMRS, Weighted, trials_suffice};
use crate::report::{Intervals, Rates, Report};
use crate::score::{PAIRS_MAX, Scores, score_all, search_maxima};
use crate::search::{GALLERIES, search_rates};
use crate::set::{Pairing, SampleSet, Session, SetPair};
use crate::timing::{StageTimings, Stopwatch};

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

/// How to encode a set.
pub struct Options<'a> {
    /// What the pictures show.
    pub input: Input,
    /// How many vectors a probe has.
    pub effort: Effort,
    /// Threads for encoding and scoring.
    pub threads: NonZeroUsize,
    /// Seed of the bootstrap.
    pub seed: u64,
    /// What times the stages.
    pub stopwatch: &'a dyn Stopwatch,
    /// Hears how far the work is, from any thread.
    pub progress: &'a (dyn Fn(Progress) + Sync),
}

/// A set, or the two parts of a pair of sets, encoded once to be evaluated in several ways.
pub struct EncodedSet<'a> {
    set: &'a SampleSet,
    second: Option<SecondPart<'a>>,
    encodings: Encodings,
    options: &'a Options<'a>,
    pool: rayon::ThreadPool,
}

struct SecondPart<'a> {
    set: &'a SampleSet,
    how: &'static str,
    encodings: Encodings,
}

/// What an evaluation came to: the report, and the scores it was drawn from.
pub struct Evaluation {
    /// What was found.
    pub report: Report,
    /// All scores.
    pub scores: Scores,
    /// The pairs within palms, one by one; empty where samples are grouped.
    pub genuine: Vec<GenuinePair>,
    /// Attempts at single samples, by palm.
    attempts: Vec<Attempts>,
}

impl Evaluation {
    /// Error rates by what people look like, at `threshold`; none where the set says nothing of its
    /// palms.
    #[must_use]
    pub fn fairness(&self, set: &SampleSet, threshold: i32, seed: u64) -> Option<Fairness> {
        let manifest = set.manifest.as_ref()?;
        Some(Fairness::of(set, manifest, &self.scores, &self.attempts, threshold, seed))
    }
}

/// Evaluates a set: encodes its samples, scores every pair, and computes the report.
///
/// # Errors
/// Where the set has more pairs than [`PAIRS_MAX`], or one session for groups of samples, or the
/// threads cannot be started.
pub fn evaluate(
    set: &SampleSet,
    grouping: Grouping,
    options: &Options<'_>,
) -> Result<Report, EvalError> {
    check_grouping(set, grouping)?;
    Ok(EncodedSet::new(set, options)?.evaluate(grouping)?.report)
}

impl<'a> EncodedSet<'a> {
    /// Encodes the samples of a set.
    ///
    /// # Errors
    /// Where the set has more pairs than [`PAIRS_MAX`] or the threads cannot be started.
    pub fn new(set: &'a SampleSet, options: &'a Options<'a>) -> Result<Self, EvalError> {
        let pairs = pairs(set);
        if pairs > PAIRS_MAX {
            return Err(EvalError::TooManyPairs { got: pairs });
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads.get()).build()?;
        // The pool's threads take part; this one only waits, so that the timed pass runs alone.
        let encodings = pool.install(|| Encodings::of(set, options));
        Ok(Self { set, second: None, encodings, options, pool })
    }

    /// Encodes both parts of a pair of sets; their scores are added.
    ///
    /// # Errors
    /// As [`EncodedSet::new`], and where the parts are not paired in the same way.
    pub fn of_pair(pair: &'a SetPair, options: &'a Options<'a>) -> Result<Self, EvalError> {
        let SetPair { first, second, how } = pair;
        if first.pairing != second.pairing {
            let (first, second) = (first.name.clone(), second.name.clone());
            return Err(EvalError::OtherSessions { first, second });
        }
        let encoded = Self::new(first, options)?;
        let encodings = encoded.pool.install(|| Encodings::of(second, options));
        Ok(Self { second: Some(SecondPart { set: second, how, encodings }), ..encoded })
    }

    /// Scores every pair of captures and computes the report.
    ///
    /// # Errors
    /// Where samples are grouped and the set has one session.
    pub fn evaluate(&self, grouping: Grouping) -> Result<Evaluation, EvalError> {
        check_grouping(self.set, grouping)?;
        Ok(self.pool.install(|| {
            let captures = self.captures(grouping);
            let probes = captures.probes.len();
            let scored = |done| {
                (self.options.progress)(Progress { step: Step::Scoring, done, total: probes })
            };
            let galleries = captures.galleries();
            let scores = score_all(
                self.set.pairing,
                self.set.palms.len(),
                &captures.references,
                &captures.probes,
                |probe: &PartProbes<'_>| fused_scores(&galleries, probe),
                scored,
            );
            let mut report = self.report(grouping, &captures, &scores);
            let genuine = if grouping.is_single() && self.second.is_none() {
                genuine_pairs(self.set, &self.encodings, &captures)
            } else {
                Vec::new()
            };
            report.reject = reject_curve(&report, &genuine);
            Evaluation { report, scores, genuine, attempts: captures.attempts }
        }))
    }

    /// The set that was encoded; of a pair, the first.
    #[must_use]
    pub fn set(&self) -> &SampleSet {
        self.set
    }

    fn captures(&self, grouping: Grouping) -> Captures<'_> {
        let captures = Captures::of(&self.encodings, self.set.pairing, grouping);
        match &self.second {
            None => captures,
            Some(second) => {
                let others = Captures::of(&second.encodings, second.set.pairing, grouping);
                captures.joined(others)
            }
        }
    }

    fn report(&self, grouping: Grouping, captures: &Captures<'_>, scores: &Scores) -> Report {
        let searches = GALLERIES.map(|enrolled| {
            let (references, probes) = (&captures.references, &captures.probes);
            let maxima = search_maxima(enrolled, references, probes, fused_score);
            (enrolled, search_rates(scores, enrolled, maxima))
        });
        let progress =
            |done| (self.options.progress)(Progress { step: Step::Resampling, done, total: 1 });
        progress(0);
        let ci = intervals(self.options.seed, scores, &captures.attempts);
        progress(1);
        let ones = vec![1; self.set.palms.len()];
        let weighted = Weighted::new(scores, &ones);
        let second = self.second.as_ref();
        let also = |count: fn(&SecondPart<'_>) -> usize| second.map_or(0, count);
        let mut failures = self.encodings.failures.clone();
        failures.extend(second.iter().flat_map(|it| it.encodings.failures.iter().cloned()));
        let ms = StageTimings {
            compare: captures.time_comparisons(self.options.stopwatch),
            ..self.encodings.timings
        };
        Report {
            set: self.name(),
            fused: second.map(|second| second.how),
            input: self.options.input,
            pairing: self.set.pairing,
            palms: self.set.palms.len(),
            samples: self.set.samples() + also(|it| it.set.samples()),
            left_out: self.set.left_out,
            enrolled_samples: grouping.enrolled,
            probe_samples: grouping.frames,
            template_version: handfast_palm::FORMAT_VERSION,
            probe_vectors: self.options.effort.vectors(),
            rates: rates(scores, &weighted),
            fta: fta(&captures.attempts, &ones),
            of_comparisons: rates(scores, &Weighted::new(scores, &ones).of_comparisons()),
            threshold_at_fmr: by_fmr(scores, |fmr| weighted.at_fmr(fmr).map(|it| it.threshold)),
            n_genuine: scores.genuine_pairs(),
            n_impostor: scores.impostor.len() as u64,
            fpir_fnir: BTreeMap::from(searches),
            ci,
            ms,
            side_disagreements: self.encodings.side_disagreements
                + also(|it| it.encodings.side_disagreements),
            fairness: None,
            reject: None,
            det: weighted.det(),
            failures,
        }
    }

    fn name(&self) -> String {
        match &self.second {
            Some(second) if second.set.name != self.set.name => {
                format!("{} + {}", self.set.name, second.set.name)
            }
            Some(_) => format!("{}, two palms", self.set.name),
            None => self.set.name.clone(),
        }
    }
}

fn check_grouping(set: &SampleSet, grouping: Grouping) -> Result<(), EvalError> {
    if set.pairing == Pairing::WithinSession && !grouping.is_single() {
        return Err(EvalError::OneSession(set.name.clone()));
    }
    Ok(())
}

/// The curve at the strictest FMR up to 1e-4 that the pairs show; a stricter one has too few misses
/// to see them fall.
fn reject_curve(report: &Report, genuine: &[GenuinePair]) -> Option<RejectCurve> {
    let named = ["1e-4", "1e-3", "1e-2"].into_iter().zip([1e-4, 1e-3, 1e-2]);
    let (fmr, threshold) = named
        .filter_map(|(name, fmr)| Some((fmr, report.threshold_at_fmr.get(name).copied()??)))
        .next()?;
    let points = error_against_reject(genuine, threshold);
    (!points.is_empty()).then_some(RejectCurve { fmr, points })
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
