//! `handfast liveness`: how well living hands are told from artefacts.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueEnum};
use handfast_palm::{CueModel, Side, decode};
use handfast_palm_eval::{AttackReport, PresentedCues, SampleSet, Way, fit, model_source};
use handfast_palm_synth::{Attack, Held, Identity, Species};

use super::{Answer, print_json};

/// What is wanted of the worst species, and of living hands (ISO/IEC 30107-3).
const APCER_MAX: f64 = 0.07;
const BPCER_MAX: f64 = 0.03;
/// Visits of each drawn person, against one artefact of each species: people differ more from each other
/// than from visit to visit, so that many people say more than many visits.
const VISITS: u64 = 3;
/// The first drawn person that weights are fitted to, and the first that is judged: nobody is both.
const FITTED_FROM: u64 = 50_000;
const JUDGED_FROM: u64 = 60_000;
/// Beyond this, people would be both.
const PEOPLE_MAX: u64 = 10_000;

/// Arguments of `handfast liveness`.
#[derive(Debug, Args)]
pub struct LivenessCommand {
    /// Folders of real hands, whole pictures: each counts as one presentation of one frame
    #[arg(value_name = "DIR")]
    dirs: Vec<PathBuf>,
    /// People to draw, each with three visits and one artefact of every species, each way
    #[arg(
        long,
        value_name = "N",
        default_value = "20",
        value_parser = RangedU64ValueParser::<u64>::new().range(2..=PEOPLE_MAX)
    )]
    people: u64,
    /// Only frames that come this way; all three if not given
    #[arg(long, value_name = "WAY")]
    way: Option<WayName>,
    /// Fit weights to the drawn presentations, print them as source, and judge by them
    #[arg(long)]
    fit: bool,
    /// Print JSON
    #[arg(long, conflicts_with = "fit")]
    json: bool,
}

/// The ways by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum WayName {
    /// The kiosk's own camera, 1280x720
    Kiosk,
    /// 640x480, as taken
    Small,
    /// 640x480 compressed by a page
    Page,
}

impl WayName {
    fn way(self) -> Way {
        match self {
            Self::Kiosk => Way::Kiosk,
            Self::Small => Way::Small,
            Self::Page => Way::Page,
        }
    }
}

impl LivenessCommand {
    /// Draws hands and artefacts, looks at them and at the folders, and prints the rates.
    pub fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        let mut sets = Vec::new();
        for dir in &self.dirs {
            sets.push(SampleSet::read(dir, None)?);
        }
        let others: Vec<_> = sets.iter().map(|set| (set.name.clone(), real(set))).collect();
        let fitted = self.drawn("drawing people to fit to", FITTED_FROM);
        let judged = self.drawn("drawing people to judge", JUDGED_FROM);
        let model = if self.fit { fit(fitted.iter()) } else { CueModel::SHIPPED };
        if self.fit {
            writeln!(out, "{}", model_source(&model))?;
        }
        let report = AttackReport::of(&model, &fitted, &judged, &others);
        if self.json {
            print_json(out, &report)?;
        } else {
            write!(out, "{}", report.text())?;
        }
        let holds = |rate: Option<handfast_palm_eval::AttackRate>, most: f64| {
            rate.is_none_or(|it| it.rate <= most)
        };
        let attacks = report
            .species
            .iter()
            .all(|it| holds(it.apcer, APCER_MAX) && holds(it.apcer_unseen, APCER_MAX));
        let living = report.genuine.iter().all(|it| holds(it.bpcer, BPCER_MAX));
        Ok(if attacks && living { Answer::Positive } else { Answer::Negative })
    }

    fn drawn(&self, what: &str, first: u64) -> Vec<PresentedCues> {
        let ways = self.way.map_or_else(|| Way::ALL.to_vec(), |way| vec![way.way()]);
        let mut all = Vec::new();
        for person in 0..self.people {
            if person % 5 == 0 {
                // Progress is a courtesy: where stderr is gone, the work goes on.
                let _ = writeln!(std::io::stderr(), "{what}: {person} of {}", self.people);
            }
            all.extend(ways.iter().flat_map(|way| presentations(first + person, *way)));
        }
        all
    }
}

/// A drawn person's visits, and an artefact of every species made of that hand, each at every pace that
/// captures have.
fn presentations(seed: u64, way: Way) -> Vec<PresentedCues> {
    let side = if seed.is_multiple_of(2) { Side::Left } else { Side::Right };
    let hand = Identity::from_seed(seed).hand(side);
    let (width, height) = way.size();
    let visits = (0..VISITS).flat_map(|visit| {
        let held = Held::new(hand.clone(), seed * 10 + visit);
        PresentedCues::at_paces(None, |k| way.take(held.frame(k, width, height)))
    });
    let attacks = Species::ALL.into_iter().flat_map(|species| {
        let attack = Attack::new(species, &hand, seed);
        let frame = |k| way.take(attack.frame(k, width, height));
        PresentedCues::at_paces(Some(species.name()), frame)
    });
    visits.chain(attacks).collect()
}

/// Every picture of a set as one presentation; what cannot be read is none.
fn real(set: &SampleSet) -> Vec<PresentedCues> {
    let files = set.palms.iter().flat_map(|palm| &palm.samples);
    let pictures = files.filter_map(|file| decode(&fs::read(&file.path).ok()?).ok());
    pictures.map(|picture| PresentedCues::of(None, std::iter::once(picture))).collect()
}
