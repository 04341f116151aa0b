//! `handfast bench`: how long things take, on this machine, with their parts.

use std::io::Write;

use clap::{Args, Subcommand};

use super::Answer;

mod hover;

/// Arguments of `handfast bench`.
#[derive(Debug, Args)]
pub struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A hover in the entry lane, from a still hand to the verdict
    Hover(hover::Hover),
}

impl Bench {
    /// Runs the bench and prints its figures.
    pub fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        match self.what {
            What::Hover(hover) => hover.run(out),
        }
    }
}
