//! `handfast eval`: error rates over folders of palms.

use std::io::{IsTerminal, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

use clap::Args;
use clap::builder::RangedU64ValueParser;
use handfast_palm::SAMPLES_MAX;
use handfast_palm_eval::{
    Input, MARKDOWN_HEAD, MARKDOWN_NOTE, Options, Progress, Report, SampleSet, Step, evaluate,
};

use super::stopwatch::SystemStopwatch;
use super::{Answer, print_json};

/// How often a step's progress is said where nothing can be overwritten: at each quarter.
const QUIET_STEP_PERCENT: usize = 25;

/// Arguments of `handfast eval`.
#[derive(Debug, Args)]
pub struct Eval {
    /// Folders of samples: <DIR>/<palm>/<sample>.png or .jpg
    ///
    /// Samples whose names begin with s1_ are references, those with s2_ probes, and every one is
    /// compared with every other. Without two sessions, all samples are paired.
    #[arg(required = true, value_name = "DIR")]
    dirs: Vec<PathBuf>,
    /// The pictures are ready-made crops of palms, as without this in folders named ...-roi
    #[arg(long)]
    roi: bool,
    /// The pictures are whole hands, as without this in all other folders
    #[arg(long, conflicts_with = "roi")]
    hands: bool,
    /// Print JSON: an object for one folder, an array for several
    #[arg(long)]
    json: bool,
    /// Print one Markdown table of all folders
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// Take only the first N palms of each folder
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(2..))]
    limit_palms: Option<usize>,
    /// Fuse N samples of session 1 into each reference, as an enrolment does
    #[arg(long, value_name = "N", default_value = "1", value_parser = group_size())]
    enrolled: usize,
    /// Let the best of N samples of session 2 count as one probe, as a hover does
    #[arg(long, value_name = "N", default_value = "1", value_parser = group_size())]
    frames: usize,
    /// Seed of the draws that the confidence intervals come from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads to work on; all cores if not given
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

/// How many samples may go together: as many as the engine fuses.
fn group_size() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=SAMPLES_MAX as u64)
}

impl Eval {
    /// Evaluates every folder and prints the reports.
    pub fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        // All folders are listed before the long work begins, so that a wrong name is told at once.
        let mut sets = Vec::new();
        for dir in &self.dirs {
            sets.push(SampleSet::read(dir, self.limit_palms)?);
        }
        let mut reports = Vec::new();
        for set in &sets {
            let report = self.evaluate(set)?;
            if !self.json && !self.markdown {
                writeln!(out, "{}", report.text())?;
            }
            reports.push(report);
        }
        if self.markdown {
            print_markdown(out, &reports)?;
        }
        match reports.as_slice() {
            [report] if self.json => print_json(out, report)?,
            reports if self.json => print_json(out, &reports)?,
            _ => {}
        }
        let compared = reports.iter().all(|report| report.failures.len() < report.samples);
        Ok(if compared { Answer::Positive } else { Answer::Negative })
    }

    fn evaluate(&self, set: &SampleSet) -> anyhow::Result<Report> {
        let stopwatch = SystemStopwatch::start();
        let line = ProgressLine::new(set.name.clone());
        let options = Options {
            input: self.input(set),
            threads: self.threads.or(available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN),
            enrolled_samples: NonZeroUsize::new(self.enrolled).unwrap_or(NonZeroUsize::MIN),
            probe_samples: NonZeroUsize::new(self.frames).unwrap_or(NonZeroUsize::MIN),
            seed: self.seed,
            stopwatch: &stopwatch,
            progress: &|progress| line.show(progress),
        };
        let report = evaluate(set, &options);
        line.clear();
        Ok(report?)
    }

    fn input(&self, set: &SampleSet) -> Input {
        match (self.roi, self.hands) {
            (true, _) => Input::Crops,
            (false, true) => Input::Hands,
            (false, false) => Input::by_name(set),
        }
    }
}

fn print_markdown(out: &mut dyn Write, reports: &[Report]) -> anyhow::Result<()> {
    write!(out, "{MARKDOWN_HEAD}")?;
    for report in reports {
        write!(out, "{}", report.markdown_row())?;
    }
    writeln!(out)?;
    write!(out, "{MARKDOWN_NOTE}")?;
    Ok(())
}

/// One line on stderr that says how far the work is; overwritten on a terminal.
struct ProgressLine {
    set: String,
    is_terminal: bool,
    /// The last thing shown, as step * 101 + percent, so that each is shown once.
    shown: AtomicUsize,
}

impl ProgressLine {
    fn new(set: String) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self { set, is_terminal, shown: AtomicUsize::new(0) }
    }

    fn show(&self, progress: Progress) {
        let mut percent = progress.done * 100 / progress.total.max(1);
        if !self.is_terminal {
            percent -= percent % QUIET_STEP_PERCENT;
        }
        let (number, step) = match progress.step {
            Step::Encoding => (0, "encoding samples"),
            Step::Scoring => (1, "comparing every pair"),
            Step::Resampling => (2, "drawing confidence intervals"),
        };
        let place = number * 101 + percent;
        if self.shown.fetch_max(place, Ordering::Relaxed) >= place {
            return;
        }
        let set = &self.set;
        // Progress is a courtesy: where stderr is gone, the work goes on.
        let _ = if self.is_terminal {
            write!(std::io::stderr(), "\r\x1b[K{set}: {step} {percent} %")
        } else {
            writeln!(std::io::stderr(), "{set}: {step} {percent} %")
        };
    }

    fn clear(&self) {
        if self.is_terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
