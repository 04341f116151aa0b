//! What recognition must not fall below on real palms. They are no part of this repository: the
//! tests look for them in `$HANDFAST_PALMS` or in `../shared/palms` beside it, and say so where
//! they are not there. Names of files are printed, never a picture.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test stops where it cannot go on, and says what it skips"
)]

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use handfast_palm_eval::{Grouping, Input, Options, Report, SampleSet, Stopwatch, evaluate};

/// No test looks at times.
struct Stopped;

impl Stopwatch for Stopped {
    fn nanos(&self) -> u64 {
        0
    }
}

/// The report of a set; none where it is not there.
fn report(set: &str, input: Input) -> Option<Report> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/palms");
    let palms = std::env::var_os("HANDFAST_PALMS").map_or(beside, PathBuf::from);
    let dir = palms.join(set);
    if !dir.is_dir() {
        eprintln!("skipped: {} is not there; set HANDFAST_PALMS", dir.display());
        return None;
    }
    let options = Options {
        input,
        effort: handfast_palm::Effort::Full,
        threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        seed: 1,
        stopwatch: &Stopped,
        progress: &|_| {},
    };
    let set = SampleSet::read(&dir, None).unwrap();
    Some(evaluate(&set, Grouping::SINGLE, &options).unwrap())
}

#[track_caller]
fn assert_tar(report: &Report, fmr: &str, floor: f64) {
    let tar = report.rates.tar_at_fmr[fmr].unwrap();
    assert!(tar >= floor, "TAR@{fmr} is {tar}, at least {floor} is wanted\n{}", report.text());
}

#[test]
fn tongji_crops_are_matched_across_sessions() {
    let Some(report) = report("tongji-roi", Input::Crops) else { return };
    assert_tar(&report, "1e-4", 0.994);
    assert_eq!(report.n_genuine, 120 * 10 * 10);
    assert_eq!(report.n_impostor, 120 * 119 * 10 * 10);
}

#[test]
fn near_infrared_crops_are_matched_across_sessions() {
    let Some(report) = report("polyu-nir-roi", Input::Crops) else { return };
    assert_tar(&report, "1e-4", 0.999);
}

#[test]
fn green_crops_are_matched_across_sessions() {
    let Some(report) = report("polyu-green-roi", Input::Crops) else { return };
    assert_tar(&report, "1e-4", 0.995);
}

#[test]
fn noisy_crops_are_matched_across_sessions() {
    let Some(report) = report("casia-white-roi", Input::Crops) else { return };
    assert_tar(&report, "1e-3", 0.93);
}

#[test]
fn whole_hands_are_found_and_matched() {
    let Some(report) = report("coep-hand", Input::Hands) else { return };
    let (fta, eer) = (report.fta.unwrap(), report.rates.eer.unwrap());
    assert!(fta <= 0.01 && eer <= 0.01, "FTA {fta}, EER {eer}\n{}", report.text());
}

#[test]
fn near_infrared_hands_are_found_and_matched() {
    let Some(report) = report("polyu-nir-palm", Input::Hands) else { return };
    let (fta, eer) = (report.fta.unwrap(), report.rates.eer.unwrap());
    assert!(fta <= 0.01 && eer <= 0.003, "FTA {fta}, EER {eer}\n{}", report.text());
}
