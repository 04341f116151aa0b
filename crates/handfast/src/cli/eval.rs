//! `handfast eval`: error rates over folders of palms.

pub(super) mod progress;
mod report_file;

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use anyhow::ensure;
use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueEnum};
use handfast_palm::{Effort, FORMAT_VERSION, LENGTH, SAMPLES_MAX, threshold_with};
use handfast_palm_eval::{
    EncodedSet, Grouping, Input, MARKDOWN_HEAD, MARKDOWN_NOTE, Options, Page, Pairing, Report,
    SampleSet, SetPair, card_targets,
};

use super::stopwatch::SystemStopwatch;
use super::{Answer, print_json};
use progress::ProgressLine;
use report_file::ReportFile;

/// Frames of an enrolment and of a hover, as the page compares them with single samples.
const FRAMES: NonZeroUsize = NonZeroUsize::new(3).unwrap();
/// The gallery and the FPIR of an entrance: error rates by group are taken at its threshold.
const ENTRANCE_GALLERY: usize = 10_000;
const ENTRANCE_FPIR: f64 = 1e-3;

/// Arguments of `handfast eval`.
#[derive(Debug, Args)]
pub struct Eval {
    /// Folders of samples: <DIR>/<palm>/<sample>.png, .jpg or .bmp
    ///
    /// Samples whose names begin with s1_ are references, those with s2_ probes, and every one is
    /// compared with every other. Without two sessions, all samples are paired.
    #[arg(required = true, value_name = "DIR")]
    dirs: Vec<PathBuf>,
    /// Add the scores of the same palms in another light: a folder with the same names in it
    #[arg(long, value_name = "DIR", conflicts_with = "two_palms")]
    with: Option<PathBuf>,
    /// Present two palms of each person, their scores added: folders ..._l and ..._r, or neighbours
    #[arg(long)]
    two_palms: bool,
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
    /// Print the performance card: a Markdown table of every way of presenting, with what it was
    /// measured by
    #[arg(long, conflicts_with_all = ["json", "markdown"])]
    card: bool,
    /// Also write a page with curves, histograms and failures: an .html file, or a folder for one
    #[arg(long, value_name = "PATH")]
    report: Option<PathBuf>,
    /// Answer no where the intervals of two groups of a synthetic set (by skin tone, hand size,
    /// wrinkling) do not overlap
    #[arg(long, conflicts_with_all = ["with", "two_palms", "markdown"])]
    fairness: bool,
    /// Take only the first N palms of each folder
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(2..))]
    limit_palms: Option<usize>,
    /// Fuse N samples of session 1 into each reference, as an enrolment does
    #[arg(long, value_name = "N", default_value = "1", value_parser = group_size())]
    enrolled: usize,
    /// Let the best of N samples of session 2 count as one probe, as a hover does
    #[arg(long, value_name = "N", default_value = "1", value_parser = group_size())]
    frames: usize,
    /// How many vectors a probe has: full, or light for galleries to a million
    #[arg(long, value_name = "EFFORT", default_value = "full")]
    effort: EffortName,
    /// Seed of the draws that the confidence intervals come from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads to work on; all cores if not given
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

/// How many samples may go together: as many as the engine fuses.
pub(super) fn group_size() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=SAMPLES_MAX as u64)
}

/// The efforts by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum EffortName {
    /// For galleries to about ten thousand palms, and for verifying one
    Full,
    /// For galleries to a million
    Light,
}

impl EffortName {
    /// The engine's effort.
    pub(super) fn effort(self) -> Effort {
        match self {
            Self::Full => Effort::Full,
            Self::Light => Effort::Light,
        }
    }
}

/// One folder, or two that are presented together.
enum Task {
    One(SampleSet),
    Pair(SetPair),
}

impl Task {
    fn set(&self) -> &SampleSet {
        match self {
            Self::One(set) => set,
            Self::Pair(pair) => &pair.first,
        }
    }

    fn encode<'a>(&'a self, options: &'a Options<'a>) -> anyhow::Result<EncodedSet<'a>> {
        Ok(match self {
            Self::One(set) => EncodedSet::new(set, options)?,
            Self::Pair(pair) => EncodedSet::of_pair(pair, options)?,
        })
    }
}

impl Eval {
    /// Evaluates every folder and prints the reports.
    pub fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        // Whatever can be wrong with the arguments is told before the long work begins.
        let tasks = self.tasks()?;
        let file = self.report.as_deref().map(ReportFile::at).transpose()?;
        let mut page = Page::default();
        let mut reports = Vec::new();
        for task in &tasks {
            let report = self.evaluate(task, file.is_some() || self.card, &mut page)?;
            if !self.json && !self.markdown && !self.card {
                writeln!(out, "{}", report.text())?;
            }
            reports.push(report);
        }
        self.print(out, &reports)?;
        if self.card {
            print_card(out, &page, self.effort.effort())?;
        }
        if let Some(file) = file {
            let path = file.write(&page.html())?;
            // Beside JSON or a table only what was asked for is printed.
            let told = format!("wrote {}\n", path.display());
            if self.json || self.markdown || self.card {
                let _ = write!(std::io::stderr(), "{told}");
            } else {
                write!(out, "{told}")?;
            }
        }
        let compared = reports.iter().all(|report| report.failures.len() < report.samples);
        let is_gap = |report: &Report| report.fairness.iter().any(|it| !it.gaps.is_empty());
        let is_fair = !self.fairness || !reports.iter().any(is_gap);
        Ok(if compared && is_fair { Answer::Positive } else { Answer::Negative })
    }

    fn tasks(&self) -> anyhow::Result<Vec<Task>> {
        let read = |dir: &Path| SampleSet::read(dir, self.limit_palms);
        let mut tasks = Vec::new();
        if let Some(with) = &self.with {
            let [dir] = self.dirs.as_slice() else {
                anyhow::bail!(
                    "--with goes with one folder; name the other light's folder after it"
                );
            };
            return Ok(vec![Task::Pair(SetPair::of_lights(read(dir)?, read(with)?)?)]);
        }
        for dir in &self.dirs {
            let set = read(dir)?;
            ensure!(
                !self.fairness || set.manifest.is_some(),
                "{} does not say what its palms look like; draw a set with `handfast synth set`",
                dir.display()
            );
            tasks.push(match self.two_palms {
                true => Task::Pair(SetPair::of_persons(&set)?),
                false => Task::One(set),
            });
        }
        Ok(tasks)
    }

    fn evaluate(&self, task: &Task, with_page: bool, page: &mut Page) -> anyhow::Result<Report> {
        let stopwatch = SystemStopwatch::start();
        let set = task.set();
        let line = ProgressLine::new(set.name.clone());
        let options = Options {
            input: self.input(set),
            effort: self.effort.effort(),
            threads: self.threads.or(available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN),
            seed: self.seed,
            stopwatch: &stopwatch,
            progress: &|progress| line.show(progress),
        };
        let encoded = task.encode(&options)?;
        let mut evaluation = encoded.evaluate(self.grouping())?;
        if let Task::One(set) = task {
            let effort = self.effort.effort();
            let entrance = threshold_with(effort, ENTRANCE_GALLERY, ENTRANCE_FPIR).get();
            evaluation.report.fairness = evaluation.fairness(set, entrance, self.seed);
        }
        if with_page {
            page.add(set, &evaluation);
            self.add_variants(task, &encoded, page, &options)?;
        }
        line.clear();
        Ok(evaluation.report)
    }

    /// The other ways of presenting that the set allows: three frames, two palms, both.
    fn add_variants(
        &self,
        task: &Task,
        encoded: &EncodedSet<'_>,
        page: &mut Page,
        options: &Options<'_>,
    ) -> anyhow::Result<()> {
        let set = task.set();
        let frames = set.pairing == Pairing::AcrossSessions && self.grouping().is_single();
        if frames {
            page.add_variant(encoded.evaluate(Grouping::of_each(FRAMES))?.report);
        }
        let Task::One(set) = task else { return Ok(()) };
        let Ok(pair) = SetPair::of_persons(set) else { return Ok(()) };
        let encoded = EncodedSet::of_pair(&pair, options)?;
        page.add_variant(encoded.evaluate(self.grouping())?.report);
        if frames {
            page.add_variant(encoded.evaluate(Grouping::of_each(FRAMES))?.report);
        }
        Ok(())
    }

    fn print(&self, out: &mut dyn Write, reports: &[Report]) -> anyhow::Result<()> {
        if self.markdown {
            print_markdown(out, reports)?;
        }
        match reports {
            [report] if self.json => print_json(out, report),
            reports if self.json => print_json(out, &reports),
            _ => Ok(()),
        }
    }

    fn grouping(&self) -> Grouping {
        let count = |it| NonZeroUsize::new(it).unwrap_or(NonZeroUsize::MIN);
        Grouping { enrolled: count(self.enrolled), frames: count(self.frames) }
    }

    fn input(&self, set: &SampleSet) -> Input {
        match (self.roi, self.hands) {
            (true, _) => Input::Crops,
            (false, true) => Input::Hands,
            (false, false) => Input::by_name(set),
        }
    }
}

/// The engine's card: what it is, and every rate that the sets show.
fn print_card(out: &mut dyn Write, page: &Page, effort: Effort) -> anyhow::Result<()> {
    writeln!(out, "# Performance card\n")?;
    let vectors = effort.vectors();
    writeln!(
        out,
        "Printed by `handfast eval --card DIR...`. Template version {FORMAT_VERSION}: {LENGTH} numbers a \
         vector, {vectors} vectors a probe; matching one row costs {vectors} inner products. Nothing \
         was learned from a real palm. Ready-made crops for sets named `-roi`, whole pictures for the \
         others. Two palms and two lights: scores added.\n"
    )?;
    write!(out, "{MARKDOWN_HEAD}")?;
    for report in page.reports() {
        write!(out, "{}", report.markdown_row())?;
    }
    writeln!(out)?;
    writeln!(out, "{MARKDOWN_NOTE}")?;
    let reports: Vec<&Report> = page.reports().collect();
    write!(out, "{}", card_targets(&reports))?;
    Ok(())
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
