//! What an evaluation found: as JSON, as text for people, as a row of a Markdown table.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::num::NonZeroUsize;

use serde::Serialize;

use crate::acquisition::Failure;
use crate::evaluation::Input;
use crate::fairness::Fairness;
use crate::genuine::RejectCurve;
use crate::rates::{EXPECTED_FALSE_MATCHES_MIN, FMRS, OperatingPoint};
use crate::search::SearchRate;
use crate::set::Pairing;
use crate::timing::{StageTimings, Timing};

/// Error rates of pairs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rates {
    /// Equal error rate; none without genuine and impostor pairs.
    pub eer: Option<f64>,
    /// TAR at each named FMR; none where fewer than 10 false matches are expected in all pairs.
    pub tar_at_fmr: BTreeMap<&'static str, Option<f64>>,
}

/// Confidence intervals, by bootstrap over palms.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Intervals {
    /// The probability covered.
    pub confidence: f64,
    /// How often the palms were drawn.
    pub replicates: usize,
    /// The seed they were drawn by.
    pub seed: u64,
    /// Of the EER.
    pub eer: Option<(f64, f64)>,
    /// Of TAR at each named FMR.
    pub tar_at_fmr: BTreeMap<&'static str, Option<(f64, f64)>>,
    /// Of the FTA rate.
    pub fta: Option<(f64, f64)>,
}

/// What an evaluation found. Rates are fractions of one, times milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The set's folder.
    pub set: String,
    /// Where two parts were presented together and their scores added: how they belong together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fused: Option<&'static str>,
    /// What its pictures show.
    pub input: Input,
    /// How its samples were paired.
    pub pairing: Pairing,
    /// Palms in it.
    pub palms: usize,
    /// Samples that took part.
    pub samples: usize,
    /// Samples of an unknown session, in no pair.
    pub left_out: usize,
    /// Samples fused into each reference.
    pub enrolled_samples: NonZeroUsize,
    /// Frames of each probe, the best of which counts.
    pub probe_samples: NonZeroUsize,
    /// The engine's template version.
    pub template_version: u8,
    /// Vectors of a probe: what its comparison costs.
    pub probe_vectors: usize,
    /// EER and TAR; failures to acquire count as misses.
    #[serde(flatten)]
    pub rates: Rates,
    /// The rate of samples that gave no template.
    pub fta: Option<f64>,
    /// EER and TAR of the comparisons that took place, failures to acquire left out.
    pub of_comparisons: Rates,
    /// The threshold at each named FMR.
    pub threshold_at_fmr: BTreeMap<&'static str, Option<i32>>,
    /// Genuine pairs, those of failed samples included: they count as misses.
    pub n_genuine: u64,
    /// Impostor pairs compared.
    pub n_impostor: u64,
    /// Rates of searches, by the number of palms enrolled.
    pub fpir_fnir: BTreeMap<usize, Vec<SearchRate>>,
    /// Intervals of the rates.
    pub ci: Intervals,
    /// Times of the stages.
    pub ms: StageTimings,
    /// Samples taken for the other hand than most of their palm's.
    pub side_disagreements: usize,
    /// Error rates by what people look like, of synthetic sets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fairness: Option<Fairness>,
    /// How misses fall as the pairs of lowest quality are rejected; of single samples alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reject: Option<RejectCurve>,
    /// The DET curve.
    pub det: Vec<OperatingPoint>,
    /// Samples that gave no template.
    pub failures: Vec<Failure>,
}

/// The head of the Markdown table that [`Report::markdown_row`] fills.
pub const MARKDOWN_HEAD: &str = "\
| set | palms | samples | FTA % | EER % (95 % interval) | EER % without FTA | TAR % at FMR 1e-2 | 1e-3 | 1e-4 (95 % interval) | 1e-5 | FNIR % at FPIR 1e-3, 1,000 enrolled | 10,000 enrolled | ms a sample | µs a comparison |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
";

/// What the Markdown table's signs mean, in a paragraph to stand below it.
pub const MARKDOWN_NOTE: &str = "\
Single sample against single sample where a set's name says no more, session 1 against session 2 where a set has two; failures to \
acquire (FTA) count as misses, but for the one column that says otherwise. An empty rate (–) has fewer than 10 expected false matches in all \
pairs. \\* follows from single comparisons, \\*\\* also from a tail fitted to the impostor scores. \
Intervals are drawn over palms. Milliseconds are medians from file to template on one core.
";

impl Report {
    /// The set as one row of a Markdown table under [`MARKDOWN_HEAD`].
    #[must_use]
    pub fn markdown_row(&self) -> String {
        let tar = |name| percent(self.rates.tar_at_fmr.get(name).copied().flatten());
        let sample_ms = self.sample_ms();
        let interval = |interval: Option<(f64, f64)>| match interval {
            Some((low, high)) => format!(" ({}–{})", percent(Some(low)), percent(Some(high))),
            None => String::new(),
        };
        let mut row = format!("| {} ", self.title());
        let _ = write!(row, "| {} | {} ", self.palms, self.samples);
        let tar_ci = self.ci.tar_at_fmr.get("1e-4").copied().flatten();
        let cells = [
            percent(self.fta),
            percent(self.rates.eer) + &interval(self.ci.eer),
            percent(self.of_comparisons.eer),
            tar("1e-2"),
            tar("1e-3"),
            tar("1e-4") + &interval(tar_ci),
            tar("1e-5"),
            self.markdown_fnir(1_000),
            self.markdown_fnir(10_000),
            format!("{sample_ms:.1}"),
            self.ms.compare.map_or_else(none, |t| format!("{:.2}", t.median * 1e3)),
        ];
        for cell in cells {
            let _ = write!(row, "| {cell} ");
        }
        row + "|\n"
    }

    /// Milliseconds from a file to its template, the stages' medians added.
    #[must_use]
    pub fn sample_ms(&self) -> f64 {
        let stages = [self.ms.decode, self.ms.hand, self.ms.roi, self.ms.template];
        stages.iter().flatten().map(|timing| timing.median).sum()
    }

    /// The set, and how it is presented where that is not one sample of one palm.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{}{}", self.set, self.groups_words())
    }

    /// How it is presented, in a table's first cell.
    pub(crate) fn presented_words(&self) -> String {
        let parts = self.fused.unwrap_or("one palm");
        match (self.enrolled_samples.get(), self.probe_samples.get()) {
            (1, 1) => format!("{parts}, one sample each"),
            (enrolled, frames) => format!("{parts}, {enrolled} enrolled, best of {frames}"),
        }
    }

    /// How the samples were paired.
    pub(crate) fn protocol_words(&self) -> String {
        let input = match self.input {
            Input::Hands => "whole hands",
            Input::Crops => "ready-made crops",
        };
        let pairing = match self.pairing {
            Pairing::AcrossSessions => "session 1 against session 2, every pair",
            Pairing::WithinSession => "one session, every pair",
        };
        format!("{input}, {pairing}")
    }

    /// How many samples make a reference and a probe, where it is not one each.
    fn groups_words(&self) -> String {
        let light = if self.probe_vectors == handfast_palm::PROBE_VECTORS {
            String::new()
        } else {
            format!(", {} probe vectors", self.probe_vectors)
        };
        match (self.enrolled_samples.get(), self.probe_samples.get()) {
            (1, 1) => light,
            (enrolled, frames) => format!(", {enrolled} enrolled, best of {frames}{light}"),
        }
    }

    fn markdown_fnir(&self, enrolled: usize) -> String {
        let rates = self.fpir_fnir.get(&enrolled);
        let strictest = rates.and_then(|r| r.iter().min_by(|a, b| a.fpir.total_cmp(&b.fpir)));
        strictest.map_or_else(none, |rate| percent(rate.fnir) + mark(rate))
    }

    /// The report for people to read.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        self.write_text(&mut text).unwrap_or_default();
        text
    }

    fn write_text(&self, out: &mut String) -> std::fmt::Result {
        let input = match self.input {
            Input::Hands => "whole hands",
            Input::Crops => "crops",
        };
        let pairing = match self.pairing {
            Pairing::AcrossSessions => "session 1 against session 2",
            Pairing::WithinSession => "one session, all pairs",
        };
        writeln!(out, "{}: {} palms, {} samples, {input}", self.set, self.palms, self.samples)?;
        if !self.groups_words().is_empty() {
            writeln!(out, "  samples a palm: {}", self.groups_words().trim_start_matches(", "))?;
        }
        if let Some(how) = self.fused {
            writeln!(out, "  fused     {how}: their scores added")?;
        }
        if self.left_out > 0 {
            writeln!(out, "  {} samples of unknown session left out", self.left_out)?;
        }
        writeln!(
            out,
            "  pairs     {} genuine, {} impostor ({pairing})",
            self.n_genuine, self.n_impostor
        )?;
        writeln!(out, "  FTA       {}", with_interval(self.fta, self.ci.fta))?;
        writeln!(out, "  EER       {}", with_interval(self.rates.eer, self.ci.eer))?;
        if !self.failures.is_empty() {
            let eer = percent(self.of_comparisons.eer);
            writeln!(out, "            {eer} % of the comparisons that took place")?;
        }
        self.write_tar(out)?;
        self.write_quality(out)?;
        self.write_searches(out)?;
        self.write_timings(out)?;
        self.write_failures(out)?;
        self.fairness.iter().try_for_each(|fairness| write!(out, "{}", fairness.text()))
    }

    fn write_tar(&self, out: &mut String) -> std::fmt::Result {
        for (name, _) in FMRS {
            let tar = self.rates.tar_at_fmr.get(name).copied().flatten();
            let interval = self.ci.tar_at_fmr.get(name).copied().flatten();
            match self.threshold_at_fmr.get(name).copied().flatten() {
                Some(threshold) => {
                    let tar = with_interval(tar, interval);
                    writeln!(out, "  TAR@{name}  {tar}  threshold {threshold}")?;
                }
                None => writeln!(
                    out,
                    "  TAR@{name}  –  too few impostor pairs (fewer than {EXPECTED_FALSE_MATCHES_MIN} \
                     false matches expected)"
                )?,
            }
        }
        Ok(())
    }

    fn write_quality(&self, out: &mut String) -> std::fmt::Result {
        let Some(curve) = &self.reject else { return Ok(()) };
        let at = |rejected| percent(curve.fnmr_at(rejected));
        writeln!(
            out,
            "  quality   FNMR {} % at FMR {:.0e}; without the 4, 10, 20 % of lowest quality {}, {}, {} %",
            at(0.0),
            curve.fmr,
            at(0.04),
            at(0.1),
            at(0.2)
        )
    }

    fn write_searches(&self, out: &mut String) -> std::fmt::Result {
        for (enrolled, rates) in &self.fpir_fnir {
            for rate in rates {
                let Some(threshold) = rate.threshold else {
                    writeln!(out, "  search of {enrolled:>6}: too few impostor pairs")?;
                    break;
                };
                let how = match (rate.extrapolated, rate.beyond_pairs) {
                    (_, true) => " (extrapolated from a fitted tail)",
                    (true, false) => " (extrapolated from single comparisons)",
                    (false, false) => "",
                };
                let (fnir, fpir) = (percent(rate.fnir), rate.fpir * 100.0);
                writeln!(
                    out,
                    "  search of {enrolled:>6}: FNIR {fnir} % at FPIR {fpir} %, threshold \
                     {threshold}{how}"
                )?;
            }
        }
        Ok(())
    }

    fn write_timings(&self, out: &mut String) -> std::fmt::Result {
        let stages = [
            ("decode", self.ms.decode),
            ("hand", self.ms.hand),
            ("roi", self.ms.roi),
            ("quality", self.ms.quality),
            ("template", self.ms.template),
            ("compare", self.ms.compare),
        ];
        for (name, timing) in stages {
            if let Some(Timing { median, p95, .. }) = timing {
                writeln!(out, "  {name:<9} {median:.4} ms median, {p95:.4} ms p95")?;
            }
        }
        Ok(())
    }

    fn write_failures(&self, out: &mut String) -> std::fmt::Result {
        if self.side_disagreements > 0 {
            let count = self.side_disagreements;
            writeln!(out, "  {count} samples taken for the other hand than most of their palm's")?;
        }
        if self.failures.is_empty() {
            return Ok(());
        }
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for failure in &self.failures {
            *reasons.entry(&failure.reason).or_default() += 1;
        }
        writeln!(out, "  {} failures to acquire:", self.failures.len())?;
        for (reason, count) in reasons {
            writeln!(out, "    {count} x {reason}")?;
        }
        for Failure { palm, sample, reason } in &self.failures {
            writeln!(out, "    {palm}/{sample}: {reason}")?;
        }
        Ok(())
    }
}

/// How a searched rate was come by, as a sign.
fn mark(rate: &SearchRate) -> &'static str {
    match (rate.fnir, rate.extrapolated, rate.beyond_pairs) {
        (None, _, _) | (_, false, false) => "",
        (_, true, false) => "\\*",
        (_, _, true) => "\\*\\*",
    }
}

fn none() -> String {
    "–".to_owned()
}

pub(crate) fn percent(rate: Option<f64>) -> String {
    rate.map_or_else(none, |rate| format!("{:.2}", rate * 100.0))
}

fn with_interval(rate: Option<f64>, interval: Option<(f64, f64)>) -> String {
    let rate = percent(rate);
    match interval {
        Some((low, high)) => {
            format!("{rate} %  [{} to {}]", percent(Some(low)), percent(Some(high)))
        }
        None => format!("{rate} %"),
    }
}
