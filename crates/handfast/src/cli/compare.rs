//! `handfast compare`: do two pictures show the same palm?

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use handfast_palm::{
    Probe, Reference, Refused, Sample, TemplateError, probe, reference, score, threshold,
};
use serde::Serialize;

use super::picture_file::{Shows, SideName, acquire_from, read, refusal_name};
use super::stopwatch::SystemStopwatch;
use super::{Answer, print_json};

/// The false match rate that one comparison is allowed: what NIST SP 800-63B-4 asks of a biometric.
const FMR: f64 = 1e-4;
/// One palm is compared with one.
const GALLERY: usize = 1;

/// Arguments of `handfast compare`.
#[derive(Debug, Args)]
pub struct Compare {
    /// A picture of one open hand, or a template file that `handfast encode --out` wrote
    a: PathBuf,
    /// Another one
    b: PathBuf,
    /// The pictures are ready-made crops of palms, not whole hands
    #[arg(long)]
    roi: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What a named file turned out to hold.
enum Held {
    Sample(Sample),
    Reference(Reference),
    Probe(Probe),
}

/// The answer as JSON.
#[derive(Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Outcome<'a> {
    Match(Scored),
    NoMatch(Scored),
    Refused { file: &'a Path, reason: &'static str, detail: String },
}

/// A comparison's numbers.
#[derive(Clone, Copy, Debug, Serialize)]
struct Scored {
    score: i32,
    threshold: i32,
    fmr: f64,
    /// Which hand each file shows, where it is a picture of a whole hand.
    sides: Option<(SideName, SideName)>,
}

impl Compare {
    /// Compares the two and prints the verdict.
    pub fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        let a = match self.load(&self.a)? {
            Ok(held) => held,
            Err(refused) => return self.print_refused(out, &self.a, refused),
        };
        let b = match self.load(&self.b)? {
            Ok(held) => held,
            Err(refused) => return self.print_refused(out, &self.b, refused),
        };
        let sides = match (&a, &b) {
            (Held::Sample(a), Held::Sample(b)) if !self.roi => {
                Some((SideName::of(a.side()), SideName::of(b.side())))
            }
            _ => None,
        };
        let (reference, probe) = self.roles(a, b)?;
        let threshold = threshold(GALLERY, FMR);
        let score = score(&reference, &probe);
        // Left and right hands lie in separate galleries and are never compared.
        let one_side = sides.is_none_or(|(a, b)| a == b);
        let is_match = one_side && threshold.accepts(score);
        let scored = Scored { score, threshold: threshold.get(), fmr: FMR, sides };
        self.print_verdict(out, scored, is_match)?;
        Ok(if is_match { Answer::Positive } else { Answer::Negative })
    }

    /// Reads a template file, or acquires the palm in a picture.
    fn load(&self, path: &Path) -> anyhow::Result<Result<Held, Refused>> {
        let bytes = read(path)?;
        let is_other = |e: &TemplateError| matches!(e, TemplateError::WrongKind { .. });
        match Reference::from_bytes(&bytes) {
            Ok(reference) => return Ok(Ok(Held::Reference(reference))),
            Err(error) if !is_other(&error) => {
                return Err(error).context(path.display().to_string());
            }
            Err(_) => {}
        }
        match Probe::from_bytes(&bytes) {
            Ok(probe) => return Ok(Ok(Held::Probe(probe))),
            Err(error) if !is_other(&error) => {
                return Err(error).context(path.display().to_string());
            }
            Err(_) => {}
        }
        let shows = if self.roi { Shows::Crop(handfast_palm::Side::Right) } else { Shows::Hand };
        let acquired = acquire_from(path, &bytes, shows, &SystemStopwatch::start())?;
        Ok(acquired.map(|acquired| Held::Sample(acquired.sample)))
    }

    /// Which of the two is the reference, and which the probe.
    fn roles(&self, a: Held, b: Held) -> anyhow::Result<(Reference, Probe)> {
        let single = |sample: &Sample| reference(std::slice::from_ref(sample));
        Ok(match (a, b) {
            (Held::Sample(a), Held::Sample(b)) => (single(&a)?, probe(&b)),
            (Held::Reference(stored), Held::Sample(sample))
            | (Held::Sample(sample), Held::Reference(stored)) => (stored, probe(&sample)),
            (Held::Probe(probe), Held::Sample(sample))
            | (Held::Sample(sample), Held::Probe(probe)) => (single(&sample)?, probe),
            (Held::Reference(stored), Held::Probe(probe))
            | (Held::Probe(probe), Held::Reference(stored)) => (stored, probe),
            (Held::Reference(_), Held::Reference(_)) => bail!(self.same_kind("reference", "probe")),
            (Held::Probe(_), Held::Probe(_)) => bail!(self.same_kind("probe", "reference")),
        })
    }

    fn same_kind(&self, kind: &str, other: &str) -> String {
        format!(
            "{} and {} are both {kind}s; a {kind} is compared with a {other}: name a picture for one \
             of them, or write one with `handfast encode --kind {other} --out FILE`",
            self.a.display(),
            self.b.display()
        )
    }

    fn print_verdict(
        &self,
        out: &mut dyn Write,
        scored: Scored,
        is_match: bool,
    ) -> anyhow::Result<()> {
        if self.json {
            let outcome = if is_match { Outcome::Match } else { Outcome::NoMatch };
            return print_json(out, &outcome(scored));
        }
        let verdict = match scored.sides {
            _ if is_match => "match: both show the same palm".to_owned(),
            Some((a, b)) if a != b => {
                format!(
                    "no match: the first shows a {} hand, the second a {} one",
                    a.word(),
                    b.word()
                )
            }
            _ => "no match: not the same palm, or not seen well enough to tell".to_owned(),
        };
        writeln!(out, "{verdict}")?;
        writeln!(
            out,
            "  score      {}, a match from {} (about one false match in {:.0} comparisons)",
            scored.score,
            scored.threshold,
            1.0 / scored.fmr
        )?;
        Ok(())
    }

    fn print_refused(
        &self,
        out: &mut dyn Write,
        file: &Path,
        refused: Refused,
    ) -> anyhow::Result<Answer> {
        let detail = refused.refusal.to_string();
        if self.json {
            let reason = refusal_name(refused.refusal);
            print_json(out, &Outcome::Refused { file, reason, detail })?;
        } else {
            writeln!(out, "refused: {}: {detail}", file.display())?;
        }
        Ok(Answer::Negative)
    }
}
