//! How a search grows with the gallery: `cargo run --release -p handfast-mpc --example scale [FILE.svg]`
//! prints the table of `docs/scale.md` and draws its plot. One node's processor time, as in the
//! `cost` example; reading memory once is the limit.
#![expect(clippy::print_stdout, reason = "it prints a table")]

mod bed;
mod measure;

use std::fmt::Write;

use bed::Bed;
use handfast_model::SeededRandom;
use handfast_mpc::Path;
use measure::{Memory, median, ratio};

const ROWS: [usize; 7] = [1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000];
/// Length, probe vectors, and how the plot draws the node's time and the limit.
const LENGTHS: [(usize, usize, [&str; 2]); 2] = [
    (512, 1, ["stroke=\"#0b6e4f\"", "stroke=\"#0b6e4f\" stroke-dasharray=\"5 4\""]),
    (256, 9, ["stroke=\"#8b2f97\"", "stroke=\"#8b2f97\" stroke-dasharray=\"5 4\""]),
];
/// What the plot's axes span: rows, milliseconds.
const X: [f64; 2] = [1e3, 1e6];
const Y: [f64; 2] = [1e-2, 1e3];
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 400.0;
/// Around the plot: room for numbers.
const MARGIN: f64 = 56.0;

/// One point of the plot.
struct Point {
    rows: usize,
    read_ms: f64,
    dot_ms: f64,
    whole_ms: f64,
    /// The whole beside reading, in the same runs.
    whole_of_read: f64,
    row_bytes: f64,
    sent_per_row: f64,
    rounds: usize,
}

/// A line of the plot.
struct Series {
    name: String,
    style: &'static str,
    /// Rows and milliseconds.
    points: Vec<(f64, f64)>,
}

fn measure(rows: usize, dimension: usize, vectors: usize) -> Point {
    let bed = Bed::new(rows, dimension, vectors);
    let memory = Memory::of(rows * bed.rows[0].bytes_per_row());
    let random = SeededRandom::new(1);
    let mut cost = bed.search(Path::best(), 1, &random);
    let (mut reads, mut dots, mut wholes) = (vec![], vec![], vec![]);
    for turn in 0..(20_000_000 / (rows * vectors)).clamp(5, 51) {
        reads.push(memory.read(turn));
        cost = bed.search(Path::best(), 1, &random);
        dots.push(cost.dot());
        wholes.push(cost.slowest());
    }
    Point {
        rows,
        read_ms: median(&reads),
        dot_ms: median(&dots),
        whole_ms: median(&wholes),
        whole_of_read: ratio(&wholes, &reads),
        row_bytes: bed.row_bytes,
        sent_per_row: cost.sent.iter().sum::<usize>() as f64 / 3.0 / rows as f64,
        rounds: cost.rounds,
    }
}

fn place(value: f64, [low, high]: [f64; 2]) -> f64 {
    (value / low).log10() / (high / low).log10()
}

fn x(rows: f64) -> f64 {
    MARGIN + place(rows, X) * (WIDTH - 2.0 * MARGIN)
}

fn y(ms: f64) -> f64 {
    HEIGHT - MARGIN - place(ms, Y) * (HEIGHT - 2.0 * MARGIN)
}

/// Both axes are logarithmic: what grows in proportion is a straight line.
fn plot(series: &[Series]) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" font-family=\"sans-serif\" font-size=\"12\"><title>Milliseconds of one node's search by rows of its gallery</title><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    let mut add = |text: String| svg.write_str(&text).expect("a string takes text");
    for (at, label) in [(1e3, "1,000"), (1e4, "10,000"), (1e5, "100,000"), (1e6, "1,000,000")] {
        let (x, bottom) = (x(at), HEIGHT - MARGIN);
        add(format!(
            "<path d=\"M{x:.1} {MARGIN}V{bottom}\" stroke=\"#ddd\"/><text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>\n",
            bottom + 18.0
        ));
    }
    for at in [1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3] {
        let (y, right) = (y(at), WIDTH - MARGIN);
        add(format!(
            "<path d=\"M{MARGIN} {y:.1}H{right}\" stroke=\"#ddd\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{at} ms</text>\n",
            MARGIN - 6.0,
            y + 4.0
        ));
    }
    add(format!(
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">rows</text>\n",
        WIDTH / 2.0,
        HEIGHT - 14.0
    ));
    for (at, Series { name, style, points }) in series.iter().enumerate() {
        let line: Vec<String> =
            points.iter().map(|&(rows, ms)| format!("{:.1},{:.1}", x(rows), y(ms))).collect();
        let key = MARGIN + 16.0 + 16.0 * at as f64;
        add(format!(
            "<polyline points=\"{}\" fill=\"none\" stroke-width=\"2\" {style}/>\n",
            line.join(" ")
        ));
        add(format!(
            "<path d=\"M{:.1} {key:.1}h28\" stroke-width=\"2\" {style}/><text x=\"{:.1}\" y=\"{:.1}\">{name}</text>\n",
            MARGIN + 12.0,
            MARGIN + 46.0,
            key + 4.0
        ));
    }
    add("</svg>\n".to_owned());
    svg
}

fn main() {
    let (mut series, mut memory) = (Vec::new(), Vec::new());
    println!(
        "| length | rows | read once, ms | inner products, ms | whole node, ms | whole / read | ns a row | bytes sent a row | rounds |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for (dimension, vectors, [solid, dashed]) in LENGTHS {
        let measured: Vec<Point> =
            ROWS.into_iter().map(|rows| measure(rows, dimension, vectors)).collect();
        for point in &measured {
            println!(
                "| {dimension} x {vectors} | {} | {:.2} | {:.2} | {:.2} | {:.2} | {:.0} | {:.1} | {} |",
                point.rows,
                point.read_ms,
                point.dot_ms,
                point.whole_ms,
                point.whole_of_read,
                point.whole_ms * 1e6 / point.rows as f64,
                point.sent_per_row,
                point.rounds,
            );
        }
        // Of few rows it is too little to be told from what else the process takes.
        memory.extend(measured.last().map(|point| (dimension, vectors, point.row_bytes)));
        let line = |ms: fn(&Point) -> f64| -> Vec<(f64, f64)> {
            measured.iter().map(|point| (point.rows as f64, ms(point))).collect()
        };
        let name = format!(
            "{dimension} long, {vectors} probe vector{}",
            if vectors == 1 { "" } else { "s" }
        );
        let points = line(|point| point.whole_ms);
        series.push(Series { name: format!("{name}: whole node"), style: solid, points });
        let points = line(|point| point.read_ms);
        series.push(Series { name: format!("{name}: reading once"), style: dashed, points });
    }
    for (dimension, vectors, bytes) in memory {
        println!("\n{dimension} x {vectors}: {bytes:.0} bytes of memory a row and node");
    }
    if let Some(file) = std::env::args().nth(1) {
        std::fs::write(&file, plot(&series)).expect("a place to write the plot to");
        println!("\nwrote {file}");
    }
}
