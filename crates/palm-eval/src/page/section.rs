//! What the page says of one set.

use std::fmt::{Result, Write as _};

use super::chart::{Axis, Chart, Mark, Series, escape};
use super::pictures::SHOWN_FAILURES;
use super::{ANCHOR_COLOUR, COLOURS, Section, det_chart, det_series};
use crate::fairness::{Fairness, Group, RateOfGroup};
use crate::histogram::Histogram;
use crate::rates::FMRS;
use crate::report::percent;
use crate::search::SearchRate;

/// The smallest part of the scores that a histogram's bar shows.
const HISTOGRAM_DECADE_MIN: i32 = -6;
/// Failures that are listed by name; the rest is counted.
const LISTED_FAILURES: usize = 200;

impl Section {
    pub(super) fn write(&self, out: &mut String, number: usize) -> Result {
        let report = &self.reports[0];
        writeln!(out, "<section id=\"set-{number}\"><h2>{}</h2>", escape(&report.title()))?;
        writeln!(
            out,
            "<p class=\"soft\">{} palms, {} samples; {}. {} genuine and {} impostor pairs.</p>",
            report.palms,
            report.samples,
            report.protocol_words(),
            report.n_genuine,
            report.n_impostor
        )?;
        self.write_tiles(out)?;
        writeln!(out, "<div class=\"charts\">")?;
        write!(out, "{}", self.det().html())?;
        if let Some(histogram) = &self.histogram {
            write!(out, "{}", histogram_chart(histogram, &report.title()).html())?;
        }
        if let Some(chart) = self.reject_chart() {
            write!(out, "{}", chart.html())?;
        }
        writeln!(out, "</div>")?;
        self.write_anchors(out)?;
        self.write_rates(out)?;
        self.write_searches(out)?;
        if let Some(fairness) = &self.reports[0].fairness {
            write_fairness(out, fairness)?;
        }
        self.write_failures(out)?;
        self.write_worst(out)?;
        writeln!(out, "</section>")
    }

    fn write_tiles(&self, out: &mut String) -> Result {
        let report = &self.reports[0];
        writeln!(out, "<dl class=\"tiles\">")?;
        tile(out, "Equal error rate", report.rates.eer, report.ci.eer)?;
        for (name, _) in FMRS {
            let tar = report.rates.tar_at_fmr.get(name).copied().flatten();
            let interval = report.ci.tar_at_fmr.get(name).copied().flatten();
            if tar.is_some() {
                tile(out, &format!("TAR at FMR {name}"), tar, interval)?;
            }
        }
        tile(out, "Failure to acquire", report.fta, report.ci.fta)?;
        let ms = report.sample_ms();
        writeln!(out, "<div><dt>File to template</dt><dd>{ms:.1} ms</dd></div></dl>")
    }

    /// The DET curves of every way of presenting, and the published points.
    fn det(&self) -> Chart {
        let reports = self.reports.iter().take(COLOURS).enumerate();
        let mut series: Vec<Series> = reports.map(|(i, report)| det_series(report, i)).collect();
        for anchor in &self.anchors {
            series.push(Series {
                name: anchor.name.to_owned(),
                colour: ANCHOR_COLOUR,
                mark: Mark::Rings,
                points: anchor.points.iter().map(|&(fmr, tar)| (fmr, 1.0 - tar)).collect(),
            });
        }
        det_chart(&self.reports[0].title(), series)
    }

    fn reject_chart(&self) -> Option<Chart> {
        let curve = self.reports[0].reject.as_ref()?;
        let (fmr, curve) = (curve.fmr, &curve.points);
        let most = curve.iter().map(|point| point.fnmr).fold(0.0, f64::max);
        let words = |value: f64| format!("{:.0} %", value * 100.0);
        Some(Chart {
            description: format!(
                "Error against reject: how the misses at an FMR of {fmr} fall as the pairs of lowest \
                 quality are rejected"
            ),
            x: Axis::linear("pairs rejected for their quality", 0.0, 0.5, words),
            y: Axis::linear("FNMR of the others", 0.0, most * 1.1, |value| {
                format!("{:.1} %", value * 100.0)
            }),
            series: vec![Series {
                name: format!("FNMR at FMR {fmr:.0e}, by quality"),
                colour: 2,
                mark: Mark::Line,
                points: curve.iter().map(|point| (point.rejected, point.fnmr)).collect(),
            }],
        })
    }

    fn write_anchors(&self, out: &mut String) -> Result {
        writeln!(out, "<details><summary>What the published points are</summary>")?;
        for anchor in &self.anchors {
            writeln!(out, "<p><b>{}</b>: {}</p>", escape(anchor.name), escape(anchor.protocol))?;
        }
        writeln!(out, "</details>")
    }

    fn write_rates(&self, out: &mut String) -> Result {
        writeln!(
            out,
            "<h3>Comparisons</h3>{TABLE}<table><thead><tr><th>presented</th><th>FTA %</th><th>EER %</th>"
        )?;
        for (name, _) in FMRS {
            writeln!(out, "<th>TAR % at FMR {name}</th>")?;
        }
        writeln!(out, "</tr></thead><tbody>")?;
        for report in &self.reports {
            write!(out, "<tr><td>{}</td>", escape(&report.presented_words()))?;
            write!(out, "<td>{}</td>", cell(report.fta, report.ci.fta))?;
            write!(out, "<td>{}</td>", cell(report.rates.eer, report.ci.eer))?;
            for (name, _) in FMRS {
                let tar = report.rates.tar_at_fmr.get(name).copied().flatten();
                let interval = report.ci.tar_at_fmr.get(name).copied().flatten();
                write!(out, "<td>{}</td>", cell(tar, interval))?;
            }
            writeln!(out, "</tr>")?;
        }
        writeln!(out, "</tbody></table></div>")
    }

    fn write_searches(&self, out: &mut String) -> Result {
        writeln!(
            out,
            "<h3>Searches: the part of enrolled people who are not found (FNIR)</h3>{TABLE}<table><thead><tr><th>presented</th>"
        )?;
        for (enrolled, rates) in &self.reports[0].fpir_fnir {
            for rate in rates {
                write!(out, "<th>{enrolled} enrolled, FPIR {} %</th>", rate.fpir * 100.0)?;
            }
        }
        writeln!(out, "</tr></thead><tbody>")?;
        for report in &self.reports {
            write!(out, "<tr><td>{}</td>", escape(&report.presented_words()))?;
            for rate in report.fpir_fnir.values().flatten() {
                write!(out, "<td>{}</td>", search_cell(rate))?;
            }
            writeln!(out, "</tr>")?;
        }
        writeln!(
            out,
            "</tbody></table></div><p class=\"soft\">Counted: strangers' searches were run. From single \
             comparisons: FPIR = 1 − (1 − FMR)<sup>N</sup>, for want of palms. From a tail: even that FMR \
             is rarer than the pairs can show, so the threshold lies on a tail fitted to the best impostor \
             scores.</p>"
        )
    }

    fn write_failures(&self, out: &mut String) -> Result {
        let report = &self.reports[0];
        if report.failures.is_empty() {
            return writeln!(out, "<h3>Failures to acquire</h3><p>None.</p>");
        }
        let count = report.failures.len();
        writeln!(out, "<h3>Failures to acquire: {count}</h3>")?;
        let pictured = report.failures.iter().take(SHOWN_FAILURES).filter_map(|failure| {
            Some((failure, self.pictures.get(&failure.palm, &failure.sample)?))
        });
        let mut list = String::new();
        for (failure, address) in pictured {
            let (palm, sample) = (escape(&failure.palm), escape(&failure.sample));
            let reason = escape(&failure.reason);
            writeln!(
                list,
                "<li><img src=\"{address}\" alt=\"\"><p>{palm}/{sample}: {reason}</p></li>"
            )?;
        }
        if !list.is_empty() {
            writeln!(out, "<ul class=\"pictures\">{list}</ul>")?;
        }
        writeln!(
            out,
            "<details><summary>All by name</summary>{TABLE}<table class=\"left\"><thead><tr><th>sample</th><th>why</th></tr></thead><tbody>"
        )?;
        for failure in report.failures.iter().take(LISTED_FAILURES) {
            let (palm, sample) = (escape(&failure.palm), escape(&failure.sample));
            writeln!(out, "<tr><td>{palm}/{sample}</td><td>{}</td></tr>", escape(&failure.reason))?;
        }
        if count > LISTED_FAILURES {
            writeln!(out, "<tr><td>and {} more</td><td></td></tr>", count - LISTED_FAILURES)?;
        }
        writeln!(out, "</tbody></table></div></details>")
    }

    fn write_worst(&self, out: &mut String) -> Result {
        if self.worst.is_empty() {
            return Ok(());
        }
        writeln!(out, "<h3>Pairs of one palm with the lowest scores</h3>")?;
        let mut pictured = String::new();
        for pair in &self.worst {
            let of = |file: &str| self.pictures.get(&pair.palm, file);
            if let (Some(one), Some(two)) = (of(&pair.reference), of(&pair.probe)) {
                writeln!(
                    pictured,
                    "<li><div class=\"pair\"><img src=\"{one}\" alt=\"\"><img src=\"{two}\" alt=\"\"></div><p>{}: {} and {}, score {}</p></li>",
                    escape(&pair.palm),
                    escape(&pair.reference),
                    escape(&pair.probe),
                    pair.score
                )?;
            }
        }
        if !pictured.is_empty() {
            return writeln!(out, "<ul class=\"pictures\">{pictured}</ul>");
        }
        writeln!(
            out,
            "<details><summary>By name (no picture of a real palm is shown)</summary>{TABLE}<table class=\"left\"><thead><tr><th>palm</th><th>reference</th><th>probe</th><th>score</th></tr></thead><tbody>"
        )?;
        for pair in &self.worst {
            writeln!(
                out,
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                escape(&pair.palm),
                escape(&pair.reference),
                escape(&pair.probe),
                pair.score
            )?;
        }
        writeln!(out, "</tbody></table></div></details>")
    }
}

fn tile(out: &mut String, name: &str, rate: Option<f64>, interval: Option<(f64, f64)>) -> Result {
    let value = rate.map_or_else(|| "–".to_owned(), |_| format!("{} %", percent(rate)));
    let interval = interval.filter(|_| rate.is_some()).map_or(String::new(), |(low, high)| {
        format!("<small>{} to {}</small>", percent(Some(low)), percent(Some(high)))
    });
    writeln!(out, "<div><dt>{name}</dt><dd>{value}{interval}</dd></div>")
}

/// A table may be wider than a phone: it scrolls by itself, by keyboard too.
const TABLE: &str = "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"table\">";

fn cell(rate: Option<f64>, interval: Option<(f64, f64)>) -> String {
    let interval = interval.filter(|_| rate.is_some()).map_or(String::new(), |(low, high)| {
        format!("<small>{} to {}</small>", percent(Some(low)), percent(Some(high)))
    });
    percent(rate) + &interval
}

fn search_cell(rate: &SearchRate) -> String {
    let how = match (rate.fnir, rate.extrapolated, rate.beyond_pairs) {
        (None, _, _) => "too few pairs",
        (_, false, _) => "counted",
        (_, true, false) => "from single comparisons",
        (_, true, true) => "from a tail",
    };
    let fnir = rate.fnir.map_or_else(|| "–".to_owned(), |fnir| format!("{:.2} %", fnir * 100.0));
    format!("{fnir}<small>{how}</small>")
}

/// Both kinds of score as parts of their kind, on a logarithmic axis: what matters are the tails.
fn histogram_chart(histogram: &Histogram, title: &str) -> Chart {
    let bars = |counts: &[u64]| {
        let total = counts.iter().sum::<u64>().max(1) as f64;
        let place = |i: usize| f64::from(histogram.from) + i as f64 * f64::from(histogram.width);
        let mut points: Vec<(f64, f64)> =
            counts.iter().enumerate().map(|(i, &n)| (place(i), n as f64 / total)).collect();
        points.push((place(counts.len()), 0.0));
        points
    };
    let series = |name: &str, colour, counts: &[u64]| Series {
        name: format!("{name} ({} scores)", counts.iter().sum::<u64>()),
        colour,
        mark: Mark::Bars,
        points: bars(counts),
    };
    let last = histogram.from + histogram.width * histogram.genuine.len() as i32;
    Chart {
        description: format!(
            "Histogram of the scores of {title}: impostor scores on the left, genuine ones on the right; \
             the less they overlap the better"
        ),
        x: Axis::linear("comparison score", f64::from(histogram.from), f64::from(last), |value| {
            format!("{value:.0}")
        }),
        y: Axis::decades("part of the scores in a bar", HISTOGRAM_DECADE_MIN, 0),
        series: vec![
            series("impostor", 1, &histogram.impostor),
            series("genuine", 0, &histogram.genuine),
        ],
    }
}

fn write_fairness(out: &mut String, fairness: &Fairness) -> Result {
    writeln!(out, "<h3>By what people look like, at threshold {}</h3>", fairness.threshold)?;
    if fairness.gaps.is_empty() {
        writeln!(out, "<p>All 95 % intervals overlap.</p>")?;
    } else {
        writeln!(
            out,
            "<div class=\"warn\" role=\"note\"><b>Defects: intervals that do not overlap</b><ul>"
        )?;
        for gap in &fairness.gaps {
            writeln!(out, "<li>{}</li>", escape(gap))?;
        }
        writeln!(out, "</ul></div>")?;
    }
    writeln!(
        out,
        "{TABLE}<table><thead><tr><th>trait</th><th>palms</th><th>FTA %</th><th>FNMR %</th><th>FMR %</th></tr></thead><tbody>"
    )?;
    for of in &fairness.traits {
        for Group { name, palms, fta, fnmr, fmr } in &of.groups {
            let rate = |rate: &Option<RateOfGroup>| {
                cell(rate.map(|it| it.rate), rate.map(|it| it.interval))
            };
            writeln!(
                out,
                "<tr><td>{}: {name}</td><td>{palms}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                of.name,
                rate(fta),
                rate(fnmr),
                rate(fmr)
            )?;
        }
    }
    writeln!(out, "</tbody></table></div>")
}
