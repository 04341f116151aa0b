//! How well liveness tells attacks: ISO/IEC 30107-3 figures, each species also as one never seen.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use handfast_palm::{CUES, Cue, CueModel, CueWeights, Cues, Glimpse, Picture, cues, find, glimpse};
use serde::Serialize;

use crate::bootstrap::quantile;
use crate::fairness::wilson;

/// The part of genuine presentations that the limit of a fitted model is set to refuse: half of what
/// is wanted, so that others' presentations stay below it.
const REFUSED_IN_FIT: f64 = 0.01;
/// Steps of the fit and their length: it is convex, and has come to rest well before.
const FIT_STEPS: usize = 4_000;
const FIT_RATE: f32 = 0.05;
/// Keeps a cue that tells the drawn attacks perfectly from taking all the weight.
const FIT_PENALTY: f32 = 0.01;
/// Two numbers a cue: below and above a living hand's.
const INPUTS: usize = 2 * CUES;
/// Which way each cue may weigh: below a living hand's, above it. Physics gives the directions, so
/// that a difference between drawn and real hands cannot pass for suspicion. Grain weighs nothing:
/// cameras differ in it far more than hands and artefacts do (drawn hands have 0.03 to 0.16, real ones
/// 0.09 to 0.28 in white light and up to 2.6 in near infrared). Stiffness weighs nothing: an entry's frames
/// lie too near each other for living fingers to have moved.
const WEIGHS: [(bool, bool); CUES] = [
    (false, true),
    (false, true),
    (false, false),
    (false, true),
    (true, false),
    (false, false),
    (false, true),
    (true, false),
];
/// The least deviation of each cue: nothing around a drawn hand moves with it, which says too little of how
/// often something does around a real one.
const STRAY_MIN: [f32; CUES] = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0];

/// The frames that a capture takes, 150 ms from one to the next: three in 450 and in 600 ms, around the half
/// second of an enrolment. What moves has moved less within the shorter, and less still within the 130 ms or
/// so of an entry, which no pace here measures.
pub const PACES: [[u64; 3]; 2] = [[0, 1, 3], [0, 2, 4]];

/// What was held to the camera.
#[derive(Clone, Debug, PartialEq)]
pub struct PresentedCues {
    /// The artefact's species; none for a living hand.
    pub species: Option<String>,
    /// What its frames say; none where no frame was taken for a hand.
    pub cues: Option<Cues>,
}

impl PresentedCues {
    /// Looks at the frames of one presentation.
    pub fn of(species: Option<&str>, frames: impl Iterator<Item = Picture>) -> Self {
        let glimpses: Vec<Glimpse> = frames
            .filter_map(|frame| find(&frame).ok().map(|found| glimpse(&frame, &found)))
            .collect();
        let cues = (!glimpses.is_empty()).then(|| cues(&glimpses));
        Self { species: species.map(str::to_owned), cues }
    }

    /// Looks at the frames that a capture takes at each of [`PACES`], counted as
    /// `handfast_palm_synth::Held` counts them.
    pub fn at_paces(species: Option<&str>, frame: impl Fn(u64) -> Picture) -> [Self; PACES.len()] {
        let mut seen: BTreeMap<u64, Option<Glimpse>> = BTreeMap::new();
        for &k in PACES.as_flattened() {
            seen.entry(k).or_insert_with(|| {
                let frame = frame(k);
                find(&frame).ok().map(|found| glimpse(&frame, &found))
            });
        }
        PACES.map(|pace| {
            let glimpses: Vec<Glimpse> = pace.iter().filter_map(|k| seen[k].clone()).collect();
            let cues = (!glimpses.is_empty()).then(|| cues(&glimpses));
            Self { species: species.map(str::to_owned), cues }
        })
    }
}

/// A rate with Wilson's 95 % interval over presentations.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AttackRate {
    /// The rate.
    pub rate: f64,
    /// Its interval.
    pub interval: (f64, f64),
    /// The presentations that it is a rate of.
    pub presentations: usize,
}

impl AttackRate {
    fn of(count: usize, presentations: usize) -> Option<Self> {
        (presentations > 0).then(|| {
            let rate = count as f64 / presentations as f64;
            Self { rate, interval: wilson(rate, presentations), presentations }
        })
    }
}

/// What became of one species.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SpeciesRates {
    /// The species.
    pub species: String,
    /// Presentations in no frame of which a hand was found (APNRR counts them).
    pub not_acquired: usize,
    /// Attacks taken for living hands by the weights.
    pub apcer: Option<AttackRate>,
    /// The same by weights fitted to every other species.
    pub apcer_unseen: Option<AttackRate>,
}

/// What became of the genuine presentations of one source.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GenuineRates {
    /// Where they are from.
    pub source: String,
    /// Presentations in no frame of which a hand was found.
    pub not_acquired: usize,
    /// Living hands taken for attacks by the weights.
    pub bpcer: Option<AttackRate>,
    /// By cue, how many of those it was the strongest reason for.
    pub reasons: BTreeMap<&'static str, usize>,
}

/// The figures of presentation attack detection.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AttackReport {
    /// Version of the weights.
    pub version: u8,
    /// Genuine presentations, by source.
    pub genuine: Vec<GenuineRates>,
    /// Genuine presentations refused by the weights that each left-out species was judged with: the
    /// worst of them.
    pub bpcer_unseen: Option<AttackRate>,
    /// Attacks, by species.
    pub species: Vec<SpeciesRates>,
}

impl AttackReport {
    /// Judges presentations. `fitted` and `judged` are different people's: weights are fitted to the
    /// former and tried on the latter. `others` are genuine presentations from other sources, and
    /// `model` the weights that all are judged by.
    #[must_use]
    pub fn of(
        model: &CueModel,
        fitted: &[PresentedCues],
        judged: &[PresentedCues],
        others: &[(String, Vec<PresentedCues>)],
    ) -> Self {
        let genuine_of = |source: &str, all: &[PresentedCues]| {
            let all: Vec<_> = all.iter().filter(|it| it.species.is_none()).collect();
            genuine_rates(model, source, &all)
        };
        let mut genuine = vec![genuine_of("drawn hands", judged)];
        genuine.extend(others.iter().map(|(source, all)| genuine_of(source, all)));
        let mut names: Vec<&str> = judged.iter().filter_map(|it| it.species.as_deref()).collect();
        names.sort_unstable();
        names.dedup();
        let mut bpcer_unseen: Option<AttackRate> = None;
        let species = names.into_iter().map(|name| {
            let seen = fitted.iter().filter(|it| it.species.as_deref() != Some(name));
            let unseen = fit(seen);
            let own: Vec<_> =
                judged.iter().filter(|it| it.species.as_deref() == Some(name)).collect();
            let living: Vec<_> = judged.iter().filter(|it| it.species.is_none()).collect();
            let refused = refused(&unseen, &living);
            if refused.is_some_and(|it| bpcer_unseen.is_none_or(|worst| it.rate > worst.rate)) {
                bpcer_unseen = refused;
            }
            SpeciesRates {
                species: name.to_owned(),
                not_acquired: own.iter().filter(|it| it.cues.is_none()).count(),
                apcer: passed(model, &own),
                apcer_unseen: passed(&unseen, &own),
            }
        });
        let species = species.collect();
        Self { version: handfast_palm::LIVENESS_VERSION, genuine, bpcer_unseen, species }
    }

    /// The species that passes most often under the weights.
    #[must_use]
    pub fn worst(&self) -> Option<&SpeciesRates> {
        let rate = |it: &SpeciesRates| it.apcer.map_or(0.0, |apcer| apcer.rate);
        self.species.iter().max_by(|a, b| rate(a).total_cmp(&rate(b)))
    }

    /// The report for people to read.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "liveness, weights version {}; 95 % intervals", self.version)?;
        writeln!(out, "  living hands refused (BPCER)")?;
        for it in &self.genuine {
            let (rate, lost) = (words(it.bpcer), it.not_acquired);
            writeln!(out, "    {:<24} {rate}, {lost} not acquired", it.source)?;
            for (reason, count) in &it.reasons {
                writeln!(out, "      {count} x {reason}")?;
            }
        }
        writeln!(out, "    {:<24} {}", "with a species left out", words(self.bpcer_unseen))?;
        writeln!(out, "  attacks taken for living hands (APCER)")?;
        for it in &self.species {
            writeln!(
                out,
                "    {:<12} {}; never seen: {}; {} not acquired",
                it.species,
                words(it.apcer),
                words(it.apcer_unseen),
                it.not_acquired
            )?;
        }
        writeln!(out, "{NOT_MEASURED}")
    }
}

/// What no drawing can show.
pub const NOT_MEASURED: &str = "  not measured: re-photographed prints and screens, made replicas, pulse, \
near infrared attacks, a laboratory's test. All attacks here are drawn.";

fn words(rate: Option<AttackRate>) -> String {
    rate.map_or_else(
        || "–".to_owned(),
        |AttackRate { rate, interval: (low, high), presentations }| {
            let [rate, low, high] = [rate, low, high].map(|it| it * 100.0);
            format!("{rate:.1} % [{low:.1} to {high:.1}] of {presentations}")
        },
    )
}

fn genuine_rates(model: &CueModel, source: &str, all: &[&PresentedCues]) -> GenuineRates {
    let mut reasons = BTreeMap::new();
    for cues in all.iter().filter_map(|it| it.cues.as_ref()) {
        if let handfast_palm::Liveness::Suspect { cue, .. } = model.judge(cues) {
            *reasons.entry(cue.name()).or_default() += 1;
        }
    }
    GenuineRates {
        source: source.to_owned(),
        not_acquired: all.iter().filter(|it| it.cues.is_none()).count(),
        bpcer: refused(model, all),
        reasons,
    }
}

fn passed(model: &CueModel, all: &[&PresentedCues]) -> Option<AttackRate> {
    let cues: Vec<&Cues> = all.iter().filter_map(|it| it.cues.as_ref()).collect();
    AttackRate::of(cues.iter().filter(|it| model.excess(it) < 0.0).count(), cues.len())
}

fn refused(model: &CueModel, all: &[&PresentedCues]) -> Option<AttackRate> {
    let cues: Vec<&Cues> = all.iter().filter_map(|it| it.cues.as_ref()).collect();
    AttackRate::of(cues.iter().filter(|it| model.excess(it) >= 0.0).count(), cues.len())
}

/// Weights fitted to presentations: logistic regression with weights of at least 0, every species
/// and the living hands counting alike, and the limit set on the living hands alone.
#[must_use]
pub fn fit<'a>(presented: impl Iterator<Item = &'a PresentedCues>) -> CueModel {
    let mut by_species: BTreeMap<Option<&str>, Vec<&Cues>> = BTreeMap::new();
    for it in presented {
        if let Some(cues) = &it.cues {
            by_species.entry(it.species.as_deref()).or_default().push(cues);
        }
    }
    let living = by_species.get(&None).cloned().unwrap_or_default();
    let mut model = standardised(&living);
    let attacks = by_species.len().saturating_sub(usize::from(!living.is_empty())).max(1);
    let mut rows: Vec<([f32; INPUTS], f32, f32)> = Vec::new();
    for (species, cues) in &by_species {
        let (is_attack, share) = match species {
            Some(_) => (1.0, 0.5 / attacks as f32 / cues.len() as f32),
            None => (0.0, 0.5 / cues.len() as f32),
        };
        rows.extend(cues.iter().map(|cues| (inputs(&model, cues), is_attack, share)));
    }
    let weights = descend(&rows);
    for (i, cue) in model.cues.iter_mut().enumerate() {
        (cue.below, cue.above) = (weights[2 * i], weights[2 * i + 1]);
    }
    let mut sums: Vec<f64> =
        living.iter().map(|cues| f64::from(model.parts(cues).iter().sum::<f32>())).collect();
    sums.sort_by(f64::total_cmp);
    model.limit = quantile(&sums, 1.0 - REFUSED_IN_FIT).unwrap_or(0.0) as f32 + f32::EPSILON;
    model
}

/// Where each cue of the living hands lies, with no weight yet.
fn standardised(living: &[&Cues]) -> CueModel {
    let cues = std::array::from_fn(|i| {
        let values: Vec<f32> = living.iter().filter_map(|cues| cues.0[i]).collect();
        let count = values.len().max(1) as f32;
        let mean = values.iter().sum::<f32>() / count;
        let variance = values.iter().map(|it| (it - mean) * (it - mean)).sum::<f32>() / count;
        let deviation = if variance > 0.0 { variance.sqrt().max(STRAY_MIN[i]) } else { 1.0 };
        CueWeights { mean, deviation, below: 0.0, above: 0.0 }
    });
    CueModel { cues, limit: 0.0 }
}

fn inputs(model: &CueModel, cues: &Cues) -> [f32; INPUTS] {
    let mut inputs = [0.0; INPUTS];
    for (i, (cue, weights)) in cues.0.iter().zip(&model.cues).enumerate() {
        if let Some(value) = cue.filter(|it| it.is_finite()) {
            let off = (value - weights.mean) / weights.deviation;
            let (below, above) = WEIGHS[i];
            let most = Cue::ALL[i].deviations_max();
            inputs[2 * i] = if below { (-off).clamp(0.0, most) } else { 0.0 };
            inputs[2 * i + 1] = if above { off.clamp(0.0, most) } else { 0.0 };
        }
    }
    inputs
}

/// Projected gradient descent of the logistic loss.
fn descend(rows: &[([f32; INPUTS], f32, f32)]) -> [f32; INPUTS] {
    let (mut weights, mut offset) = ([0.0_f32; INPUTS], 0.0_f32);
    for _ in 0..FIT_STEPS {
        let (mut slope, mut offset_slope) = (weights.map(|it| FIT_PENALTY * it), 0.0);
        for (inputs, is_attack, share) in rows {
            let sum: f32 = inputs.iter().zip(&weights).map(|(a, b)| a * b).sum::<f32>() + offset;
            let off = (1.0 / (1.0 + (-sum).exp()) - is_attack) * share;
            offset_slope += off;
            for (slope, input) in slope.iter_mut().zip(inputs) {
                *slope += off * input;
            }
        }
        offset -= FIT_RATE * offset_slope;
        for (weight, slope) in weights.iter_mut().zip(slope) {
            *weight = (*weight - FIT_RATE * slope).max(0.0);
        }
    }
    weights
}

/// A model as it is written into the engine's source.
#[must_use]
pub fn model_source(model: &CueModel) -> String {
    let mut out = String::from("CueModel {\n    cues: [\n");
    for (cue, it) in Cue::ALL.into_iter().zip(&model.cues) {
        let _ = writeln!(
            out,
            "        // {}\n        CueWeights {{ mean: {:?}, deviation: {:?}, below: {:?}, above: {:?} }},",
            cue.name(),
            it.mean,
            it.deviation,
            it.below,
            it.above
        );
    }
    let _ = writeln!(out, "    ],\n    limit: {:?},\n}}", model.limit);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Living hands around 10 in every cue; an attack is higher in one of them.
    fn presented(species: Option<(&str, usize)>, count: usize) -> Vec<PresentedCues> {
        let wobble = |i: usize, k: usize| ((i * 37 + k * 11) % 17) as f32 / 8.0 - 1.0;
        (0..count)
            .map(|i| {
                let mut cues = Cues([None; CUES]);
                for (k, cue) in cues.0.iter_mut().enumerate() {
                    let raised = species.is_some_and(|(_, raised)| raised == k);
                    *cue = Some(10.0 + wobble(i, k) + if raised { 8.0 } else { 0.0 });
                }
                PresentedCues { species: species.map(|it| it.0.to_owned()), cues: Some(cues) }
            })
            .collect()
    }

    #[test]
    fn a_fit_tells_what_it_has_seen_and_no_more() {
        let mut all = presented(None, 200);
        all.extend(presented(Some(("screen", 0)), 40));
        all.extend(presented(Some(("sheet", 5)), 40));
        let model = fit(all.iter());
        let report = AttackReport::of(&CueModel::SHIPPED, &all, &all, &[]);
        let living: Vec<_> = all.iter().filter(|it| it.species.is_none()).collect();
        assert!(refused(&model, &living).unwrap().rate <= 0.02);
        let screens: Vec<_> =
            all.iter().filter(|it| it.species.as_deref() == Some("screen")).collect();
        assert_eq!(passed(&model, &screens).unwrap().rate, 0.0);
        let (told, idle) = (model.cues[0].above, model.cues[1].above);
        assert!(idle < 0.4 * told, "a cue that tells nothing weighs {idle} against {told}");
        let unseen = report.species.iter().find(|it| it.species == "screen").unwrap();
        assert!(unseen.apcer_unseen.unwrap().rate > 0.5, "nothing else gives it away");
    }

    #[test]
    fn what_was_not_acquired_is_in_no_rate() {
        let mut all = presented(None, 30);
        all.push(PresentedCues { species: Some("dummy".into()), cues: None });
        let report = AttackReport::of(&CueModel::SHIPPED, &all, &all, &[]);
        assert_eq!((report.species[0].not_acquired, report.species[0].apcer), (1, None));
        assert!(report.text().contains("not measured: re-photographed prints"));
    }

    #[test]
    fn a_model_is_printed_as_source() {
        let source = model_source(&fit(presented(None, 20).iter()));
        assert!(source.contains("// dye\n") && source.contains("limit: "), "{source}");
    }
}
