//! `handfast openapi` and `handfast routes`: what the service offers, for docs/.

use std::io::Write;

use clap::Args;

use super::Answer;
use crate::http;

/// Arguments of `handfast openapi`.
#[derive(Debug, Args)]
pub struct OpenApiCommand {}

impl OpenApiCommand {
    /// Prints the OpenAPI document.
    pub fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        writeln!(out, "{}", http::openapi().to_pretty_json()?)?;
        Ok(Answer::Positive)
    }
}

/// Arguments of `handfast routes`.
#[derive(Debug, Args)]
pub struct Routes {}

impl Routes {
    /// Prints the authorisation table of every route, as Markdown.
    pub fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        write!(out, "{}", http::rules_as_markdown())?;
        Ok(Answer::Positive)
    }
}
