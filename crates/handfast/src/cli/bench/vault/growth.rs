//! How a search on three nodes grows with its gallery: a table, and a picture with logarithmic axes,
//! in which what grows in proportion is a straight line.

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;
use std::time::Duration as StdDuration;

use anyhow::Context as _;

use super::nodes::Bed;
use super::{Searches, Vault, at};
use crate::cli::Answer;

/// The smallest gallery, and those after it as steps within a decade.
const ROWS_MIN: usize = 1_000;
const STEPS: [usize; 2] = [1, 3];

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 420.0;
const MARGIN: f64 = 64.0;

/// One gallery.
struct Point {
    rows: usize,
    p50_ms: f64,
    p95_ms: f64,
    cpu_ms_per_node: f64,
}

/// A line's name, how it is drawn, and what of a point it shows.
type Line = (&'static str, &'static str, fn(&Point) -> f64);

/// Measures galleries from [`ROWS_MIN`] rows to `--rows` on the same nodes, prints them and draws
/// them into `file`.
pub(super) async fn run(
    vault: &Vault,
    dir: &Path,
    file: &Path,
    out: &mut dyn Write,
) -> anyhow::Result<Answer> {
    let unwritable = || format!("the picture cannot be written to {}", file.display());
    // Told before minutes are spent.
    std::fs::write(file, "").with_context(unwritable)?;
    let bed = Bed::set_up(dir, vault.strict).await?;
    let mut points = Vec::new();
    writeln!(
        out,
        "{} numbers, {} probe vectors, {} ms between members, {} searches each\n\n\
         | rows | p50 ms | p95 ms | processor time a node, ms | us a row, p50 |\n|---|---|---|---|---|",
        vault.length, vault.probes, vault.rtt, vault.searches
    )?;
    for rows in sizes(vault.rows) {
        let gallery = bed.vault.danger_bench_gallery(rows, vault.length, vault.probes).await?;
        bed.set_round_trip(StdDuration::from_millis(vault.rtt));
        let Searches { times, cpu_ms, .. } = vault.search(&bed.vault, gallery).await?;
        let (p50_ms, p95_ms) = (at(&times, 0.5), at(&times, 0.95));
        let point = Point { rows, p50_ms, p95_ms, cpu_ms_per_node: cpu_ms / 3.0 };
        writeln!(
            out,
            "| {rows} | {p50_ms:.1} | {p95_ms:.1} | {:.1} | {:.2} |",
            point.cpu_ms_per_node,
            p50_ms * 1e3 / rows as f64
        )?;
        out.flush()?;
        points.push(point);
        bed.set_round_trip(StdDuration::ZERO);
    }
    bed.stop().await;
    std::fs::write(file, drawn(vault, &points)).with_context(unwritable)?;
    writeln!(out, "\nThe picture is in {}", file.display())?;
    Ok(Answer::Positive)
}

/// 1,000, 3,000, 10,000 and so on, up to and with `rows_max`.
fn sizes(rows_max: usize) -> Vec<usize> {
    let decades = std::iter::successors(Some(ROWS_MIN), |decade| decade.checked_mul(10));
    let mut sizes: Vec<usize> = decades
        .flat_map(|decade| STEPS.map(|step| decade.saturating_mul(step)))
        .take_while(|rows| *rows < rows_max)
        .collect();
    sizes.push(rows_max);
    sizes
}

/// The powers of ten around values.
fn decades(values: impl Iterator<Item = f64> + Clone) -> (i32, i32) {
    let low = values.clone().fold(f64::INFINITY, f64::min).max(1e-3);
    let high = values.fold(0.0, f64::max).max(low);
    let (low, high) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    (low, high.max(low + 1))
}

/// Where a value stands between two powers of ten, from 0 to 1.
fn place(value: f64, (low, high): (i32, i32)) -> f64 {
    (value.log10() - f64::from(low)) / f64::from(high - low)
}

fn drawn(vault: &Vault, points: &[Point]) -> String {
    let across = decades(points.iter().map(|point| point.rows as f64));
    let up = decades(points.iter().flat_map(|point| [point.p50_ms, point.p95_ms]));
    let x = |rows: f64| MARGIN + place(rows, across) * (WIDTH - 2.0 * MARGIN);
    let y = |ms: f64| HEIGHT - MARGIN - place(ms, up) * (HEIGHT - 2.0 * MARGIN);
    let title = format!(
        "Milliseconds of a search on three nodes by rows of its gallery: {} numbers, {} probe vectors",
        vault.length, vault.probes
    );
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"{title}\" font-family=\"sans-serif\" font-size=\"12\">\n<title>{title}</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    let mut add = |text: std::fmt::Arguments<'_>| svg.write_fmt(text).expect("a string takes text");
    for power in across.0..=across.1 {
        let (at, bottom) = (x(10_f64.powi(power)), HEIGHT - MARGIN);
        add(format_args!("<path d=\"M{at:.1} {MARGIN}V{bottom}\" stroke=\"#ddd\"/>\n"));
        let (rows, below) = (10_f64.powi(power), bottom + 18.0);
        add(format_args!(
            "<text x=\"{at:.1}\" y=\"{below:.1}\" text-anchor=\"middle\">{rows} rows</text>\n"
        ));
    }
    for power in up.0..=up.1 {
        let (at, right) = (y(10_f64.powi(power)), WIDTH - MARGIN);
        add(format_args!("<path d=\"M{MARGIN} {at:.1}H{right}\" stroke=\"#ddd\"/>\n"));
        let (ms, left, line) = (10_f64.powi(power), MARGIN - 6.0, at + 4.0);
        add(format_args!(
            "<text x=\"{left}\" y=\"{line:.1}\" text-anchor=\"end\">{ms} ms</text>\n"
        ));
    }
    let lines: [Line; 2] = [
        ("median", "stroke=\"#1f6f5c\"", |point| point.p50_ms),
        ("95 of 100 within", "stroke=\"#7a2e1d\" stroke-dasharray=\"5 4\"", |point| point.p95_ms),
    ];
    for (at, (name, style, ms)) in lines.into_iter().enumerate() {
        let line =
            points.iter().map(|point| format!("{:.1},{:.1}", x(point.rows as f64), y(ms(point))));
        let line = line.collect::<Vec<_>>().join(" ");
        add(format_args!(
            "<polyline points=\"{line}\" fill=\"none\" stroke-width=\"2\" {style}/>\n"
        ));
        let (key, left, text) = (MARGIN + 16.0 * (at + 1) as f64, MARGIN + 12.0, MARGIN + 46.0);
        add(format_args!("<path d=\"M{left} {key}h28\" stroke-width=\"2\" {style}/>\n"));
        add(format_args!("<text x=\"{text}\" y=\"{}\">{name}</text>\n", key + 4.0));
    }
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn galleries_grow_by_thirds_of_a_decade() {
        assert_eq!(sizes(10_000), [1_000, 3_000, 10_000]);
        assert_eq!(sizes(50_000), [1_000, 3_000, 10_000, 30_000, 50_000]);
        assert_eq!(sizes(700), [700]);
    }

    #[test]
    fn axes_span_whole_decades() {
        assert_eq!(decades([3.0, 250.0].into_iter()), (0, 3));
        assert_eq!(decades([10.0].into_iter()), (1, 2));
        assert!((place(10.0, (0, 2)) - 0.5).abs() < 1e-9);
    }
}
