//! Looks for card numbers in what a program left behind:
//!
//! `cargo run -p handfast-till --example card_numbers -- FILE...` (or on standard input)
//!
//! Exit code 1 and the places where one was found. Never the number itself.
#![expect(clippy::print_stdout, reason = "a tool for the command line")]

use std::io::Read;
use std::process::ExitCode;

use handfast_till::CardNumberFinder;

const CHUNK: usize = 64 * 1024;

fn search(mut source: impl Read) -> std::io::Result<Vec<u64>> {
    let mut finder = CardNumberFinder::default();
    let mut chunk = vec![0; CHUNK];
    loop {
        match source.read(&mut chunk)? {
            0 => return Ok(finder.finish()),
            length => finder.feed(&chunk[..length]),
        }
    }
}

fn main() -> std::io::Result<ExitCode> {
    let files: Vec<String> = std::env::args().skip(1).collect();
    let mut found = 0;
    let mut tell = |name: &str, places: Vec<u64>| {
        for place in &places {
            println!("{name}: what reads as a card number ends at byte {place}");
        }
        found += places.len();
    };
    if files.is_empty() {
        tell("standard input", search(std::io::stdin().lock())?);
    }
    for file in &files {
        tell(file, search(std::fs::File::open(file)?)?);
    }
    Ok(if found == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
