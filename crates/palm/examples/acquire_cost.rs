//! What finding and cutting out a palm costs:
//! `cargo run --release -p handfast-palm --example acquire_cost -- PICTURE...`
//!
//! Prints the median of thirty runs a picture on one core: finding (or refusing, which is what guidance
//! waits for), then cutting out with its quality.

#![expect(clippy::print_stdout, reason = "a tool prints")]

use std::time::Instant;

use handfast_palm::{decode, find};

const RUNS: usize = 30;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for path in std::env::args().skip(1) {
        let picture = decode(&std::fs::read(&path)?)?;
        let finding = median_ms(|| find(&picture).is_ok());
        let outcome = find(&picture);
        let cutting = match &outcome {
            Ok(found) => format!("cut {:.2} ms", median_ms(|| found.cut(&picture).is_ok())),
            Err(refused) => format!("refused: {refused}"),
        };
        let (width, height) = (picture.width(), picture.height());
        println!("{path} {width}x{height} find {finding:.2} ms, {cutting}");
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a measuring tool reads the clock at its edge")]
fn median_ms(mut run: impl FnMut() -> bool) -> f64 {
    let mut times: Vec<f64> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            std::hint::black_box(run());
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[RUNS / 2]
}
