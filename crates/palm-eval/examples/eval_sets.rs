//! Measures sets without building the whole binary:
//! `cargo run --release -p handfast-palm-eval --example eval_sets -- [--json | --markdown] [--three] [--light] DIR...`
//! Folders whose names end in `-roi` hold crops, others whole hands. `--three` fuses three samples a
//! reference and takes the best of three a probe; `--light` makes probes of fewer vectors.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool prints")]

use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Instant;

use handfast_palm::Effort;
use handfast_palm_eval::{
    Grouping, Input, MARKDOWN_HEAD, MARKDOWN_NOTE, Options, SampleSet, Stopwatch, evaluate,
};

/// As many as an enrolment takes.
const THREE: NonZeroUsize = NonZeroUsize::new(3).unwrap();

struct SystemStopwatch(Instant);

impl Stopwatch for SystemStopwatch {
    fn nanos(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (flags, dirs): (Vec<_>, Vec<_>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with("--"));
    let has = |flag: &str| flags.iter().any(|f| f == flag);
    #[expect(clippy::disallowed_methods, reason = "a measuring tool reads the clock at its edge")]
    let stopwatch = SystemStopwatch(Instant::now());
    if has("--markdown") {
        print!("{MARKDOWN_HEAD}");
    }
    for dir in dirs {
        let set = SampleSet::read(Path::new(&dir), None)?;
        let options = Options {
            input: Input::by_name(&set),
            effort: if has("--light") { Effort::Light } else { Effort::Full },
            threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            seed: 1,
            stopwatch: &stopwatch,
            progress: &|_| {},
        };
        let grouping = if has("--three") { Grouping::of_each(THREE) } else { Grouping::SINGLE };
        let report = evaluate(&set, grouping, &options)?;
        if has("--json") {
            println!("{}", serde_json::to_string_pretty(&report)?);
        } else if has("--markdown") {
            print!("{}", report.markdown_row());
        } else {
            println!("{}", report.text());
        }
        eprintln!("[{:.1} s]", stopwatch.0.elapsed().as_secs_f64());
    }
    if has("--markdown") {
        print!("\n{MARKDOWN_NOTE}");
    }
    Ok(())
}
