//! Writes a video for a fake camera:
//! `cargo run -p handfast-palm-synth --example story -- FILE.y4m SEED SECONDS [CODE]`.
//!
//! Where a code is given it is shown for two seconds first.

use std::fs::File;
use std::io::BufWriter;

use handfast_palm::Side;
use handfast_palm_synth::{Identity, QrModules, Story};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, seed, seconds, code @ ..] = arguments.as_slice() else {
        return Err(
            "name a file, a seed and the seconds a hand stays; then, if you like, a code".into()
        );
    };
    let seed: u64 = seed.parse()?;
    let mut story = Story::new().empty(1_000);
    if let [text, ..] = code {
        let code =
            fast_qr::QRBuilder::new(text.as_str()).build().map_err(|error| error.to_string())?;
        let rows = (0..code.size).flat_map(|row| (0..code.size).map(move |column| (row, column)));
        let modules = QrModules::new(
            code.size,
            rows.map(|(row, column)| code[row][column].value()).collect(),
        )?;
        story = story.ticket(modules, seed, 2_000).empty(1_000);
    }
    let hand = Identity::from_seed(seed).hand(Side::Right);
    story
        .hand(hand, seed, seconds.parse::<u64>()? * 1_000)
        .write_y4m(BufWriter::new(File::create(file)?))?;
    Ok(())
}
