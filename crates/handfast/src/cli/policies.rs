//! `handfast policies`: how long palms are kept, from the data that the server follows.

use std::io::Write;

use clap::Args;
use handfast_trust::{jurisdictions, retention_table};

use super::Answer;

/// Arguments of `handfast policies`.
#[derive(Debug, Args)]
pub struct Policies;

impl Policies {
    /// Prints the retention table.
    pub fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        out.write_all(retention_table(&jurisdictions()?).as_bytes())?;
        Ok(Answer::Positive)
    }
}
