//! `handfast calibrate`: from a wanted error to a threshold, with the reasons.

use std::fs::OpenOptions;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread::available_parallelism;

use anyhow::{Context as _, ensure};
use clap::Args;
use clap::builder::RangedU64ValueParser;
use handfast_palm_eval::{
    Calibration, EncodedSet, Grouping, Input, Options, SampleSet, SetCalibration, SetPair, Wanted,
};

use super::eval::progress::ProgressLine;
use super::eval::{EffortName, group_size};
use super::stopwatch::SystemStopwatch;
use super::{Answer, print_json};

/// Galleries beyond this are no venue's, and no set's tail reaches so far.
const GALLERY_MAX: u64 = 100_000_000;

/// Arguments of `handfast calibrate`.
#[derive(Debug, Args)]
pub struct Calibrate {
    /// Folders of samples, as `handfast eval` takes them
    #[arg(required = true, value_name = "DIR")]
    dirs: Vec<PathBuf>,
    /// The wanted part of strangers' searches that find somebody, such as 0.001
    #[arg(long, value_name = "RATE", value_parser = rate, conflicts_with = "fmr", required_unless_present = "fmr")]
    fpir: Option<f64>,
    /// Palms in the gallery that is searched
    #[arg(
        long,
        value_name = "N",
        requires = "fpir",
        default_value = "10000",
        value_parser = RangedU64ValueParser::<u64>::new().range(1..=GALLERY_MAX)
    )]
    gallery: u64,
    /// The wanted part of single comparisons of strangers that match, such as 0.0001
    #[arg(long, value_name = "RATE", value_parser = rate)]
    fmr: Option<f64>,
    /// Present two palms of each person, their scores added
    #[arg(long)]
    two_palms: bool,
    /// Fuse N samples of session 1 into each reference, as an enrolment does
    #[arg(long, value_name = "N", default_value = "1", value_parser = group_size())]
    enrolled: usize,
    /// Let the best of N samples of session 2 count as one probe, as a hover does
    #[arg(long, value_name = "N", default_value = "1", value_parser = group_size())]
    frames: usize,
    /// How many vectors a probe has: full, or light for galleries to a million
    #[arg(long, value_name = "EFFORT", default_value = "full")]
    effort: EffortName,
    /// Print the table as JSON
    #[arg(long)]
    json: bool,
    /// Also write the table as JSON to a new file
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

/// A rate on the command line: above 0, at most 1.
fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 =
        text.parse().map_err(|_| format!("`{text}` is no number; write 0.001 or 1e-3"))?;
    if rate > 0.0 && rate <= 1.0 {
        Ok(rate)
    } else {
        Err(format!("{text} is no rate; it lies above 0 and at most at 1, such as 0.001"))
    }
}

impl Calibrate {
    /// Evaluates every folder and prints the threshold that the wanted error asks for.
    pub fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        let wanted = match (self.fpir, self.fmr) {
            (Some(rate), _) => {
                let gallery = usize::try_from(self.gallery).unwrap_or(usize::MAX);
                Wanted::Fpir { rate, gallery }
            }
            (None, Some(fmr)) => Wanted::Fmr(fmr),
            (None, None) => anyhow::bail!("say which error is wanted: --fpir or --fmr"),
        };
        if let Some(file) = &self.save {
            let name = file.display();
            ensure!(!file.exists(), "{name} exists already; name a new file for the table");
        }
        let mut sets = Vec::new();
        for dir in &self.dirs {
            sets.push(SampleSet::read(dir, None)?);
        }
        let calibrated: Result<Vec<_>, _> =
            sets.iter().map(|set| self.calibrate(set, wanted)).collect();
        let calibration = Calibration::of(wanted, calibrated?);
        if self.json {
            print_json(out, &calibration)?;
        } else {
            write!(out, "{}", calibration.text())?;
        }
        if let Some(file) = &self.save {
            save(file, &calibration)?;
        }
        let found = calibration.threshold.is_some();
        Ok(if found { Answer::Positive } else { Answer::Negative })
    }

    fn calibrate(&self, set: &SampleSet, wanted: Wanted) -> anyhow::Result<SetCalibration> {
        let stopwatch = SystemStopwatch::start();
        let line = ProgressLine::new(set.name.clone());
        let options = Options {
            input: Input::by_name(set),
            effort: self.effort.effort(),
            threads: available_parallelism().unwrap_or(NonZeroUsize::MIN),
            seed: 1,
            stopwatch: &stopwatch,
            progress: &|progress| line.show(progress),
        };
        let count = |it| NonZeroUsize::new(it).unwrap_or(NonZeroUsize::MIN);
        let grouping = Grouping { enrolled: count(self.enrolled), frames: count(self.frames) };
        let synthetic = set.manifest.is_some();
        let evaluation = if self.two_palms {
            let pair = SetPair::of_persons(set)?;
            EncodedSet::of_pair(&pair, &options)?.evaluate(grouping)?
        } else {
            EncodedSet::new(set, &options)?.evaluate(grouping)?
        };
        line.clear();
        Ok(SetCalibration::of(&evaluation, synthetic, wanted))
    }
}

fn save(file: &PathBuf, calibration: &Calibration) -> anyhow::Result<()> {
    let name = file.display();
    let mut target = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(file)
        .with_context(|| format!("{name} cannot be made; name a new file"))?;
    print_json(&mut target, calibration)
        .with_context(|| format!("{name} could not be written whole; remove it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read() {
        assert_eq!(rate("1e-3"), Ok(0.001));
        assert_eq!(rate("1"), Ok(1.0));
        for text in ["0", "-1", "2", "nan", "often", ""] {
            assert!(rate(text).is_err(), "{text}");
        }
    }
}
