//! From a wanted error to a threshold, with the reasons: what was measured on how many pairs, where
//! the pairs ended, and how it went on from there.

use std::fmt::Write as _;

use serde::Serialize;

use crate::evaluation::Evaluation;
use crate::rates::{Weighted, trials_suffice};
use crate::score::{ImpostorScore, PalmCounts, Scores};
use crate::search::{Tail, per_comparison};

/// Version of the calibration table's format.
pub const CALIBRATION_VERSION: u32 = 1;
/// The rates that a table gives thresholds for: from a look to beyond any set's pairs.
const DECADES: [f64; 7] = [1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8];
/// Groups of palms that are left out in turn to see how firm a threshold is.
const JACKKNIFE_GROUPS: u16 = 20;
/// The tail is tried on one pair of palms in so many: it must foretell what all of them show.
const TRIED_ON: u16 = 8;

/// The error that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// The rate of single comparisons of strangers that match.
    Fmr(f64),
    /// The rate of strangers' searches that find somebody among so many palms.
    Fpir {
        /// The rate.
        rate: f64,
        /// Palms in the gallery.
        gallery: usize,
    },
}

impl Wanted {
    /// The false match rate of one comparison that this asks for.
    #[must_use]
    pub fn fmr(self) -> f64 {
        match self {
            Self::Fmr(fmr) => fmr,
            Self::Fpir { rate, gallery } => per_comparison(rate, gallery.max(1)),
        }
    }
}

/// How a threshold was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ground {
    /// At least ten false matches were expected among the pairs: it was counted.
    Counted,
    /// The pairs end before that rate: it lies on a tail fitted to the best impostor scores.
    Tail,
}

/// A threshold at a rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AtRate {
    /// The false match rate.
    pub fmr: f64,
    /// The least score that matches.
    pub threshold: i32,
    /// How it was come by.
    pub ground: Ground,
    /// Its standard error, from leaving groups of palms out in turn.
    pub error: f64,
    /// The rate of genuine pairs that do not match at it.
    pub fnmr: Option<f64>,
}

/// What the tail foretold from a part of the pairs, and what all of them showed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TailTrial {
    /// The rate it was tried at: the last that all pairs can show.
    pub fmr: f64,
    /// The threshold foretold from an eighth of the pairs.
    pub foretold: i32,
    /// The threshold counted in all.
    pub counted: i32,
}

/// What one set says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SetCalibration {
    /// The set.
    pub set: String,
    /// Whether its palms are drawn.
    pub synthetic: bool,
    /// Palms and impostor pairs in it.
    pub palms: usize,
    /// Impostor pairs compared.
    pub impostor_pairs: usize,
    /// The threshold at the wanted rate; none where even a tail cannot be fitted.
    pub wanted: Option<AtRate>,
    /// Thresholds at round rates.
    pub decades: Vec<AtRate>,
    /// How the tail did where it could be tried.
    pub trial: Option<TailTrial>,
}

/// A threshold with its reasons.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Calibration {
    /// [`CALIBRATION_VERSION`].
    pub version: u32,
    /// The engine's template version: thresholds are of no use to another.
    pub template_version: u8,
    /// What was wanted.
    pub wanted: Wanted,
    /// The false match rate of one comparison that it asks for.
    pub fmr: f64,
    /// The threshold: the highest of the sets'.
    pub threshold: Option<i32>,
    /// The set that asked for it.
    pub decided_by: Option<String>,
    /// Whether drawn palms' impostors score as high as real ones'; none without both.
    pub synthetic_as_hard: Option<bool>,
    /// What each set says.
    pub sets: Vec<SetCalibration>,
}

impl SetCalibration {
    /// What an evaluated set says of a wanted error.
    #[must_use]
    pub fn of(evaluation: &Evaluation, synthetic: bool, wanted: Wanted) -> Self {
        let scores = &evaluation.scores;
        let decades = DECADES.iter().filter_map(|&fmr| at_rate(scores, fmr)).collect();
        Self {
            set: evaluation.report.title(),
            synthetic,
            palms: evaluation.report.palms,
            impostor_pairs: scores.impostor.len(),
            wanted: at_rate(scores, wanted.fmr()),
            decades,
            trial: trial(scores),
        }
    }
}

impl Calibration {
    /// Puts the sets' thresholds together. Real palms decide; drawn ones only where there are no
    /// others.
    #[must_use]
    pub fn of(wanted: Wanted, sets: Vec<SetCalibration>) -> Self {
        let has_real = sets.iter().any(|it| !it.synthetic);
        let deciding = sets.iter().filter(|it| !(has_real && it.synthetic));
        let highest = deciding
            .filter_map(|it| Some((it.wanted?.threshold, it.set.clone())))
            .max_by_key(|(threshold, _)| *threshold);
        let (threshold, decided_by) = highest.unzip();
        Self {
            version: CALIBRATION_VERSION,
            template_version: handfast_palm::FORMAT_VERSION,
            wanted,
            fmr: wanted.fmr(),
            threshold,
            decided_by,
            synthetic_as_hard: synthetic_as_hard(&sets),
            sets,
        }
    }

    /// The calibration for people to read.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        match (self.threshold, &self.decided_by) {
            (Some(threshold), Some(set)) => {
                writeln!(out, "threshold {threshold}, by {set}: the highest that a set asks for")?;
            }
            _ => writeln!(out, "no threshold: no set has enough impostor pairs for a tail")?,
        }
        match self.wanted {
            Wanted::Fmr(_) => {}
            Wanted::Fpir { rate, gallery } => writeln!(
                out,
                "  a search of {gallery} palms that finds a stranger once in {:.0} asks each comparison \
                 for an FMR of {:.2e}: 1 - (1 - FMR)^{gallery} = {rate}, the comparisons taken as \
                 independent",
                1.0 / rate,
                self.fmr
            )?,
        }
        for set in &self.sets {
            set.write(out, self.fmr)?;
        }
        match self.synthetic_as_hard {
            Some(true) => writeln!(
                out,
                "  drawn palms' impostors score no lower than real ones' at any rate that both count: \
                 they may fill a gallery"
            ),
            Some(false) => writeln!(
                out,
                "  drawn palms' impostors score lower than real ones' at some rate that both count: a \
                 gallery filled with them would look easier than it is"
            ),
            None => Ok(()),
        }
    }
}

impl SetCalibration {
    fn write(&self, out: &mut String, fmr: f64) -> std::fmt::Result {
        let drawn = if self.synthetic { ", drawn" } else { "" };
        let (palms, pairs) = (self.palms, self.impostor_pairs);
        writeln!(out, "  {} ({palms} palms, {pairs} impostor pairs{drawn})", self.set)?;
        match self.wanted {
            None => writeln!(out, "    too few impostor pairs even for a tail")?,
            Some(it) => {
                let how = match it.ground {
                    Ground::Counted => "counted".to_owned(),
                    Ground::Tail => format!(
                        "extrapolated: at this rate {:.1} false matches are expected among the pairs, ten \
                         are wanted; a generalised Pareto tail through the best impostor scores goes on",
                        fmr * pairs as f64
                    ),
                };
                writeln!(
                    out,
                    "    {} +- {:.0}, {how}; misses {} there",
                    it.threshold,
                    it.error,
                    it.fnmr.map_or("–".to_owned(), |it| format!("{:.2} %", it * 100.0))
                )?;
            }
        }
        if let Some(TailTrial { fmr, foretold, counted }) = self.trial {
            writeln!(
                out,
                "    the tail on trial: from an eighth of the pairs it foretells {foretold} at {fmr:.1e}, all \
                 pairs count {counted}"
            )?;
        }
        for it in &self.decades {
            let sign = if it.ground == Ground::Tail { " (tail)" } else { "" };
            writeln!(out, "    FMR {:.0e}: {} +- {:.0}{sign}", it.fmr, it.threshold, it.error)?;
        }
        Ok(())
    }
}

/// Whether at every round rate that both count the hardest drawn set asks for at least as high a
/// threshold as the hardest real one, within two standard errors.
fn synthetic_as_hard(sets: &[SetCalibration]) -> Option<bool> {
    let hardest = |synthetic: bool, fmr: f64| {
        let of = sets.iter().filter(|it| it.synthetic == synthetic);
        let rates = of.filter_map(|it| it.decades.iter().find(|at| at.fmr == fmr));
        rates.filter(|at| at.ground == Ground::Counted).max_by_key(|at| at.threshold).copied()
    };
    let mut compared = None;
    for fmr in DECADES {
        let (Some(real), Some(drawn)) = (hardest(false, fmr), hardest(true, fmr)) else { continue };
        let slack = 2.0 * (real.error * real.error + drawn.error * drawn.error).sqrt();
        let as_hard = f64::from(drawn.threshold) + slack >= f64::from(real.threshold);
        compared = Some(compared.unwrap_or(true) && as_hard);
    }
    compared
}

fn at_rate(scores: &Scores, fmr: f64) -> Option<AtRate> {
    let (threshold, ground) = threshold_at(scores, fmr)?;
    let mut left_out: Vec<f64> = Vec::new();
    for group in 0..JACKKNIFE_GROUPS {
        let rest = without(scores, |palm| palm % JACKKNIFE_GROUPS == group);
        left_out.extend(threshold_by(&rest, fmr, ground).map(f64::from));
    }
    let count = left_out.len() as f64;
    let mean = left_out.iter().sum::<f64>() / count;
    let square: f64 = left_out.iter().map(|it| (it - mean) * (it - mean)).sum();
    let error = if left_out.len() > 1 { ((count - 1.0) / count * square).sqrt() } else { 0.0 };
    let weights = vec![1; scores.palms.len()];
    let fnmr = Weighted::new(scores, &weights).fnmr(threshold);
    Some(AtRate { fmr, threshold, ground, error, fnmr })
}

fn threshold_at(scores: &Scores, fmr: f64) -> Option<(i32, Ground)> {
    let counted = trials_suffice(fmr, scores.impostor.len() as u64);
    let ground = if counted { Ground::Counted } else { Ground::Tail };
    threshold_by(scores, fmr, ground).map(|threshold| (threshold, ground))
}

fn threshold_by(scores: &Scores, fmr: f64, ground: Ground) -> Option<i32> {
    match ground {
        Ground::Counted => {
            // The lowest threshold that no more than the rate reaches.
            let allowed = (fmr * scores.impostor.len() as f64) as usize;
            scores.impostor.get(allowed).map(|it| it.score.saturating_add(1))
        }
        Ground::Tail => Tail::fit(scores).map(|tail| tail.threshold(fmr)),
    }
}

/// The impostor scores without some palms.
fn without(scores: &Scores, is_out: impl Fn(u16) -> bool) -> Scores {
    keep(scores, |it| !is_out(it.reference) && !is_out(it.probe))
}

fn keep(scores: &Scores, kept: impl Fn(&ImpostorScore) -> bool) -> Scores {
    Scores {
        pairing: scores.pairing,
        palms: vec![PalmCounts::default(); scores.palms.len()],
        genuine: Vec::new(),
        impostor: scores.impostor.iter().filter(|it| kept(it)).copied().collect(),
    }
}

/// Tries the tail on a part of the pairs, at the last rate that all of them can show.
fn trial(scores: &Scores) -> Option<TailTrial> {
    let fmr = *DECADES.iter().rfind(|&&fmr| trials_suffice(fmr, scores.impostor.len() as u64))?;
    let part = keep(scores, |it| it.reference.wrapping_add(it.probe) % TRIED_ON == 0);
    if trials_suffice(fmr, part.impostor.len() as u64) {
        return None;
    }
    let foretold = Tail::fit(&part)?.threshold(fmr);
    let counted = threshold_by(scores, fmr, Ground::Counted)?;
    Some(TailTrial { fmr, foretold, counted })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::set::Pairing;

    /// Impostor scores of forty palms, nearly normal around a mean.
    fn scores(mean: i32, seed: u64) -> Scores {
        let mut state = seed;
        let mut number = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as i32 % 200
        };
        let mut impostor = Vec::new();
        for pair in 0..160_000_u32 {
            let (reference, probe) = ((pair % 40) as u16, (pair / 40 % 39) as u16);
            let probe = if probe >= reference { probe + 1 } else { probe };
            let score = mean + (0..12).map(|_| number()).sum::<i32>();
            impostor.push(ImpostorScore { score, reference, probe });
        }
        impostor.sort_by(|a, b| b.cmp(a));
        let palms = vec![PalmCounts::default(); 40];
        Scores { pairing: Pairing::AcrossSessions, palms, genuine: Vec::new(), impostor }
    }

    fn set(name: &str, synthetic: bool, scores: &Scores, wanted: Wanted) -> SetCalibration {
        SetCalibration {
            set: name.into(),
            synthetic,
            palms: 40,
            impostor_pairs: scores.impostor.len(),
            wanted: at_rate(scores, wanted.fmr()),
            decades: DECADES.iter().filter_map(|&fmr| at_rate(scores, fmr)).collect(),
            trial: trial(scores),
        }
    }

    #[test]
    fn what_is_counted_and_what_is_not_is_said() {
        let wanted = Wanted::Fpir { rate: 1e-3, gallery: 10_000 };
        let real = set("real", false, &scores(0, 1), wanted);
        let grounds: Vec<Ground> = real.decades.iter().map(|it| it.ground).collect();
        use Ground::{Counted, Tail};
        assert_eq!(grounds, [Counted, Counted, Counted, Tail, Tail, Tail, Tail]);
        assert!(real.decades.windows(2).all(|w| w[0].threshold < w[1].threshold));
        let TailTrial { foretold, counted, fmr } = real.trial.unwrap();
        assert!(fmr == 1e-4 && (foretold - counted).abs() < 60, "{foretold} against {counted}");
        let text = Calibration::of(wanted, vec![real]).text();
        assert!(text.contains("extrapolated") && text.contains("1.00e-7"), "{text}");
    }

    #[test]
    fn the_hardest_real_set_decides_and_drawn_ones_are_judged() {
        let wanted = Wanted::Fmr(1e-3);
        let sets = |drawn_mean| {
            vec![
                set("easy", false, &scores(0, 1), wanted),
                set("hard", false, &scores(150, 2), wanted),
                set("drawn", true, &scores(drawn_mean, 3), wanted),
            ]
        };
        let harder = Calibration::of(wanted, sets(300));
        assert_eq!(harder.decided_by.as_deref(), Some("hard"));
        assert_eq!(harder.synthetic_as_hard, Some(true));
        let easier = Calibration::of(wanted, sets(0));
        assert_eq!((easier.threshold, easier.synthetic_as_hard), (harder.threshold, Some(false)));
        let only_drawn = Calibration::of(wanted, sets(0).split_off(2));
        assert_eq!(
            (only_drawn.decided_by.as_deref(), only_drawn.synthetic_as_hard),
            (Some("drawn"), None)
        );
    }
}
