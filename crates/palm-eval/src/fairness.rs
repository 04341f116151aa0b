//! Error rates by what people look like: a defect where 95 % intervals do not overlap.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use handfast_model::SeededRandom;
use serde::Serialize;

use crate::acquisition::Attempts;
use crate::bootstrap::Draws;
use crate::manifest::{Manifest, PalmTraits};
use crate::rates::Weighted;
use crate::score::Scores;
use crate::set::SampleSet;

/// The square of the normal deviate of a 95 % interval.
const DEVIATE_SQUARED: f64 = 3.841_459;
/// Groups of each trait: thirds of its range.
const GROUPS: usize = 3;
/// Palms below which nothing is said of a group.
const GROUP_PALMS_MIN: usize = 10;

/// A rate with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RateOfGroup {
    /// The rate.
    pub rate: f64,
    /// Its interval: drawn over palms, and never narrower than the number of palms allows.
    pub interval: (f64, f64),
}

/// One group of people.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// Who they are.
    pub name: &'static str,
    /// Their palms.
    pub palms: usize,
    /// Failures to acquire.
    pub fta: Option<RateOfGroup>,
    /// Genuine pairs that do not match, failures to acquire among them.
    pub fnmr: Option<RateOfGroup>,
    /// Impostor pairs within the group that match.
    pub fmr: Option<RateOfGroup>,
}

/// The groups of one trait.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TraitRates {
    /// The trait.
    pub name: &'static str,
    /// Its groups, from the low end to the high end.
    pub groups: Vec<Group>,
}

/// Error rates by trait at one threshold.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fairness {
    /// The threshold that the rates are taken at.
    pub threshold: i32,
    /// The traits.
    pub traits: Vec<TraitRates>,
    /// Where two groups' intervals do not overlap: a defect each.
    pub gaps: Vec<String>,
}

type TraitOf = fn(&PalmTraits) -> f32;
const TRAITS: [(&str, TraitOf, [&str; GROUPS]); 3] = [
    ("skin tone", |t| t.skin_tone, ["light", "medium", "dark"]),
    ("hand size", |t| t.hand_size, ["small", "medium", "large"]),
    ("wrinkling", |t| t.wrinkling, ["smooth", "medium", "wrinkled"]),
];

impl Fairness {
    /// The rates by trait of a synthetic set; none where the set says nothing of its palms.
    #[must_use]
    pub fn of(
        set: &SampleSet,
        manifest: &Manifest,
        scores: &Scores,
        attempts: &[Attempts],
        threshold: i32,
        seed: u64,
    ) -> Self {
        let measure = Measure { scores, attempts, threshold, seed };
        let of_trait = |(name, of, names): (&'static str, TraitOf, [&'static str; GROUPS])| {
            let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
            for (palm, folder) in set.palms.iter().enumerate() {
                if let Some(traits) = manifest.palms.get(&folder.name) {
                    let third = (of(traits).clamp(0.0, 1.0) * GROUPS as f32) as usize;
                    members.entry(third.min(GROUPS - 1)).or_default().push(palm);
                }
            }
            let groups = members.into_iter().map(|(i, palms)| measure.group(names[i], &palms));
            TraitRates { name, groups: groups.collect() }
        };
        let traits: Vec<TraitRates> = TRAITS.into_iter().map(of_trait).collect();
        let gaps = traits.iter().flat_map(gaps).collect();
        Self { threshold, traits, gaps }
    }
}

impl Fairness {
    /// The rates for people to read.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("  by what people look like, at threshold {}\n", self.threshold);
        let words = |rate: Option<RateOfGroup>| {
            rate.map_or_else(
                || "–".to_owned(),
                |RateOfGroup { rate, interval: (low, high) }| {
                    let [rate, low, high] = [rate, low, high].map(|it| it * 100.0);
                    format!("{rate:.2} % [{low:.2} to {high:.2}]")
                },
            )
        };
        for of in &self.traits {
            for Group { name, palms, fta, fnmr, fmr } in &of.groups {
                let [fta, fnmr, fmr] = [*fta, *fnmr, *fmr].map(words);
                let _ = writeln!(
                    text,
                    "    {:<10} {name:<9} {palms:>4} palms  FTA {fta}  FNMR {fnmr}  FMR {fmr}",
                    of.name
                );
            }
        }
        match self.gaps.as_slice() {
            [] => text.push_str("    all 95 % intervals overlap\n"),
            gaps => gaps.iter().for_each(|gap| {
                let _ = writeln!(text, "    DEFECT {gap}");
            }),
        }
        text
    }
}

struct Measure<'a> {
    scores: &'a Scores,
    attempts: &'a [Attempts],
    threshold: i32,
    seed: u64,
}

impl Measure<'_> {
    fn group(&self, name: &'static str, palms: &[usize]) -> Group {
        let rates = |weights: &[u32]| {
            let weighted = Weighted::new(self.scores, weights);
            let fta = fta(self.attempts, weights);
            [fta, weighted.fnmr(self.threshold), weighted.fmr(self.threshold)]
        };
        let spread = |drawn: &[u32]| {
            let mut weights = vec![0; self.scores.palms.len()];
            for (&palm, &weight) in palms.iter().zip(drawn) {
                weights[palm] = weight;
            }
            weights
        };
        let draws = Draws::new(palms.len(), &SeededRandom::new(self.seed));
        let intervals = draws.intervals(|drawn| rates(&spread(drawn)));
        let found = rates(&spread(&vec![1; palms.len()]));
        let with_interval = |i: usize| {
            let (rate, (low, high)) = (found[i]?, intervals[i]?);
            let (least, most) = wilson(rate, palms.len());
            // Where no palm erred, drawing palms again shows no spread at all.
            let interval = if rate == 0.0 || rate == 1.0 { (least, most) } else { (low, high) };
            Some(RateOfGroup { rate, interval })
        };
        let [fta, fnmr, fmr] = [with_interval(0), with_interval(1), with_interval(2)];
        Group { name, palms: palms.len(), fta, fnmr, fmr }
    }
}

/// Wilson's 95 % interval of a rate seen in so many palms.
pub fn wilson(rate: f64, palms: usize) -> (f64, f64) {
    let n = palms as f64;
    let centre = (rate + DEVIATE_SQUARED / (2.0 * n)) / (1.0 + DEVIATE_SQUARED / n);
    let spread = rate * (1.0 - rate) / n + DEVIATE_SQUARED / (4.0 * n * n);
    let half = DEVIATE_SQUARED.sqrt() * spread.sqrt() / (1.0 + DEVIATE_SQUARED / n);
    ((centre - half).max(0.0), (centre + half).min(1.0))
}

fn fta(attempts: &[Attempts], weights: &[u32]) -> Option<f64> {
    let (mut samples, mut failures) = (0, 0);
    for (attempts, &weight) in attempts.iter().zip(weights) {
        samples += attempts.samples * u64::from(weight);
        failures += attempts.failures * u64::from(weight);
    }
    (samples > 0).then(|| failures as f64 / samples as f64)
}

/// Every two groups whose intervals do not overlap, in words.
fn gaps(of: &TraitRates) -> Vec<String> {
    type RateOf = fn(&Group) -> Option<RateOfGroup>;
    let rates: [(&str, RateOf); 3] = [("FTA", |g| g.fta), ("FNMR", |g| g.fnmr), ("FMR", |g| g.fmr)];
    let mut gaps = Vec::new();
    for (i, a) in of.groups.iter().enumerate() {
        for b in &of.groups[i + 1..] {
            if a.palms.min(b.palms) < GROUP_PALMS_MIN {
                continue;
            }
            for (name, rate) in rates {
                let (Some(x), Some(y)) = (rate(a), rate(b)) else { continue };
                let apart = x.interval.1 < y.interval.0 || y.interval.1 < x.interval.0;
                if apart {
                    gaps.push(format!(
                        "{} by {}: {} {:.2} % against {} {:.2} %, intervals apart",
                        name,
                        of.name,
                        a.name,
                        x.rate * 100.0,
                        b.name,
                        y.rate * 100.0
                    ));
                }
            }
        }
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::{GenuineScore, ImpostorScore, PalmCounts};
    use crate::set::{Pairing, PalmFolder};

    /// Thirty palms of rising darkness; those from `bad_from` on miss every second pair.
    fn fairness(bad_from: usize) -> Fairness {
        let palms: Vec<PalmFolder> =
            (0..30).map(|i| PalmFolder { name: format!("p{i}"), samples: Vec::new() }).collect();
        let traits = |i: usize| PalmTraits {
            skin_tone: i as f32 / 30.0,
            hand_size: (i % 3) as f32 / 2.0,
            wrinkling: 0.5,
        };
        let manifest = Manifest {
            version: 1,
            generator: String::new(),
            palms: (0..30).map(|i| (format!("p{i}"), traits(i))).collect(),
            pictures: BTreeMap::new(),
        };
        let mut genuine = Vec::new();
        for palm in 0..30_u16 {
            for pair in 0..4 {
                let missed = usize::from(palm) >= bad_from && pair % 2 == 0;
                genuine.push(GenuineScore { score: if missed { 10 } else { 90 }, palm });
            }
        }
        genuine.sort_by(|a, b| b.cmp(a));
        let impostor = vec![ImpostorScore { score: 5, reference: 0, probe: 1 }; 4];
        let counts = PalmCounts { references: 2, probes: 2, missed: 0 };
        let scores =
            Scores { pairing: Pairing::AcrossSessions, palms: vec![counts; 30], genuine, impostor };
        let set = SampleSet {
            name: "drawn".into(),
            palms,
            pairing: Pairing::AcrossSessions,
            left_out: 0,
            manifest: None,
        };
        let attempts = vec![Attempts { samples: 4, failures: 0 }; 30];
        Fairness::of(&set, &manifest, &scores, &attempts, 50, 1)
    }

    #[test]
    fn a_group_that_is_missed_more_is_named() {
        let unfair = fairness(20);
        assert_eq!(unfair.traits[0].groups.len(), 3);
        assert_eq!(unfair.traits[0].groups[2].fnmr.unwrap().rate, 0.5);
        assert_eq!(unfair.gaps.len(), 2, "dark against light and medium: {:?}", unfair.gaps);
        assert!(unfair.gaps.iter().all(|gap| gap.starts_with("FNMR by skin tone")));
    }

    #[test]
    fn equal_groups_have_no_gap_and_zero_errors_still_an_interval() {
        let fair = fairness(30);
        assert!(fair.gaps.is_empty(), "{:?}", fair.gaps);
        let light = fair.traits[0].groups[0].fnmr.unwrap();
        assert_eq!(light.rate, 0.0);
        assert!(light.interval.1 > 0.2, "ten palms show no more than that: {light:?}");
    }

    #[test]
    fn wilson_by_hand() {
        let (low, high) = wilson(0.0, 96);
        assert!(low == 0.0 && (high - 3.841_459 / 99.841_459).abs() < 1e-9);
        let (low, high) = wilson(0.5, 96);
        assert!((low - 0.4019).abs() < 1e-3 && (high - 0.5981).abs() < 1e-3);
    }
}
