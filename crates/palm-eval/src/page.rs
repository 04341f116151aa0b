//! The report as a page: one HTML file that needs nothing else.

mod chart;
mod pictures;
mod section;

use std::fmt::Write as _;

use crate::anchors::{Anchor, anchors};
use crate::bootstrap::REPLICATES;
use crate::evaluation::Evaluation;
use crate::genuine::GenuinePair;
use crate::histogram::Histogram;
use crate::report::Report;
use crate::set::SampleSet;
use chart::{Axis, Chart, Mark, Series, escape};
use pictures::Pictures;

/// Pairs within palms that are named, worst first.
const WORST_PAIRS: usize = 12;
/// Colours that a chart has: further sets are not drawn in the overview.
const COLOURS: usize = 7;
/// The colour of published figures.
const ANCHOR_COLOUR: usize = 7;
/// The lowest FMR and FNMR that are drawn.
const DECADE_MIN: i32 = -6;
const FNMR_DECADE_MIN: i32 = -4;

/// A page in the making: add sets, then print it.
#[derive(Default)]
pub struct Page {
    sections: Vec<Section>,
}

/// What the page says of one set.
struct Section {
    /// Single sample against single sample first, then the other ways of presenting.
    reports: Vec<Report>,
    histogram: Option<Histogram>,
    worst: Vec<GenuinePair>,
    pictures: Pictures,
    anchors: Vec<Anchor>,
}

impl Page {
    /// Adds a set by its plain evaluation: one palm, as many samples as were asked for.
    pub fn add(&mut self, set: &SampleSet, evaluation: &Evaluation) {
        let report = &evaluation.report;
        let worst: Vec<GenuinePair> =
            evaluation.genuine.iter().take(WORST_PAIRS).cloned().collect();
        self.sections.push(Section {
            histogram: Histogram::of(&evaluation.scores),
            pictures: Pictures::of(set, &report.failures, &worst),
            worst,
            anchors: anchors(&report.set),
            reports: vec![report.clone()],
        });
    }

    /// Adds another way of presenting the set that was added last: more frames, two palms.
    pub fn add_variant(&mut self, report: Report) {
        if let Some(section) = self.sections.last_mut() {
            section.reports.push(report);
        }
    }

    /// Every report on the page, set by set.
    pub fn reports(&self) -> impl Iterator<Item = &Report> {
        self.sections.iter().flat_map(|section| &section.reports)
    }

    /// The page.
    #[must_use]
    pub fn html(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let style = include_str!("page/style.css");
        write!(
            out,
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <title>Handfast: how well palms are told apart</title><style>{style}</style></head><body><main>\n\
             <h1>How well palms are told apart</h1>\n"
        )?;
        self.write_preface(out)?;
        if self.sections.len() > 1 {
            self.write_overview(out)?;
        }
        for (number, section) in self.sections.iter().enumerate() {
            section.write(out, number)?;
        }
        writeln!(out, "</main></body></html>")
    }

    fn write_preface(&self, out: &mut String) -> std::fmt::Result {
        let seed = self.sections.first().map_or(0, |it| it.reports[0].ci.seed);
        writeln!(
            out,
            "<p class=\"soft\">Template version {version}. Rates follow ISO/IEC 19795-1: failures to \
             acquire (FTA) count as misses; intervals are 95 %, from {REPLICATES} draws over palms \
             (seed {seed}); an interval without width means that no error was seen at all, and a curve on \
             the floor of its chart likewise. A rate with fewer than ten expected false matches is not \
             printed.</p>\n\
             <details><summary>The words on this page</summary><p><b>FMR</b>: the part of comparisons \
             of two different palms that match. <b>FNMR</b>: the part of comparisons of one palm that \
             do not; <b>TAR</b> is the rest of it. <b>EER</b>: where both are equal. <b>FPIR</b>: the \
             part of strangers' searches that find somebody; <b>FNIR</b>: the part of enrolled \
             people's searches that do not find them.</p></details>",
            version = handfast_palm::FORMAT_VERSION,
        )
    }

    fn write_overview(&self, out: &mut String) -> std::fmt::Result {
        let series = self.sections.iter().take(COLOURS).enumerate();
        let series = series.map(|(i, section)| det_series(&section.reports[0], i)).collect();
        writeln!(out, "<section><h2>All sets</h2><div class=\"charts\">")?;
        write!(out, "{}", det_chart("All sets", series).html())?;
        writeln!(out, "</div><nav aria-label=\"Sets\"><ul>")?;
        for (number, section) in self.sections.iter().enumerate() {
            let name = escape(&section.reports[0].set);
            writeln!(out, "<li><a href=\"#set-{number}\">{name}</a></li>")?;
        }
        writeln!(out, "</ul></nav></section>")
    }
}

fn det_series(report: &Report, colour: usize) -> Series {
    let floor = 10_f64.powi(FNMR_DECADE_MIN);
    let points = report.det.iter().map(|point| (point.fmr, point.fnmr.max(floor)));
    // Where no false match is left the curve has no place on this axis.
    let points = points.filter(|(fmr, _)| *fmr > 0.0).collect();
    Series { name: report.title(), colour, mark: Mark::Line, points }
}

fn det_chart(what: &str, series: Vec<Series>) -> Chart {
    Chart {
        description: format!(
            "DET curve of {what}: the rate of missed comparisons against the rate of false matches, \
             both logarithmic; lower and further left is better"
        ),
        x: Axis::decades("false match rate (FMR)", DECADE_MIN, -1),
        y: Axis::decades("false non-match rate (FNMR)", FNMR_DECADE_MIN, 0),
        series,
    }
}
