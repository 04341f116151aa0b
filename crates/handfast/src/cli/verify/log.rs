//! `handfast verify log`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use handfast_model::{Clock as _, SystemClock};
use handfast_tlog::{
    CHECKPOINT, COSIGNED_CHECKPOINT, Report, SignedCheckpoint, TileSource, TrustPolicy,
    Verification, read_checkpoint, verify_checkpoint,
};
use serde_json::json;

use super::tiles;
use super::{Answer, Believed, key_of};
use crate::cli::print_json;

/// Arguments of `handfast verify log`.
#[derive(Debug, Args)]
pub struct VerifyLog {
    /// The address of a service or log (http://...), or a folder with a log's files
    source: String,
    #[command(flatten)]
    believed: Believed,
    /// The checkpoint seen last is kept in this file: the log must continue it
    #[arg(long, value_name = "FILE")]
    seen: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl VerifyLog {
    pub(super) fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        let source = tiles::open(&self.source)?;
        let (policy, key_is_shown) = self.policy(&*source)?;
        let previous = self.seen.as_deref().map(seen_before).transpose()?.flatten();
        let path = if policy.needs_cosigners() { COSIGNED_CHECKPOINT } else { CHECKPOINT };
        let checkpoint = read_checkpoint(&*source, path)?;
        let what = Verification {
            policy: &policy,
            now: SystemClock.now(),
            during: None,
            previous: previous.as_ref(),
        };
        let report = verify_checkpoint(&*source, &checkpoint, &what, &mut |_, _| {});
        if report.is_sound()
            && let Some(file) = &self.seen
        {
            remember(file, &checkpoint)?;
        }
        if self.json {
            print_json(out, &as_json(&report))?;
        } else {
            print(out, &report, previous.as_ref(), key_is_shown)?;
        }
        Ok(if report.is_sound() { Answer::Positive } else { Answer::Negative })
    }

    /// Whom to believe, and whether the log's key came from the log itself.
    fn policy(&self, source: &dyn TileSource) -> anyhow::Result<(TrustPolicy, bool)> {
        let (key, is_shown) = match &self.believed.key {
            Some(key) => (key_of(key)?, false),
            None => (key_of(tiles::shown_key(source)?.trim())?, true),
        };
        Ok((self.believed.policy(key)?, is_shown))
    }
}

fn seen_before(file: &Path) -> anyhow::Result<Option<SignedCheckpoint>> {
    match std::fs::read(file) {
        Ok(bytes) => SignedCheckpoint::parse(&bytes)
            .map(Some)
            .with_context(|| format!("{} is no checkpoint", file.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", file.display())),
    }
}

/// Whole or not at all: half a checkpoint would refuse the next verification.
fn remember(file: &Path, checkpoint: &SignedCheckpoint) -> anyhow::Result<()> {
    let mut unfinished = file.as_os_str().to_owned();
    unfinished.push(".unfinished");
    if file.is_dir() {
        bail!("{} is a folder; name a file for the checkpoint seen last", file.display());
    }
    std::fs::write(&unfinished, checkpoint.to_string())
        .and_then(|()| std::fs::rename(&unfinished, file))
        .with_context(|| format!("{} cannot be written", file.display()))
}

fn print(
    out: &mut dyn Write,
    report: &Report,
    previous: Option<&SignedCheckpoint>,
    key_is_shown: bool,
) -> anyhow::Result<()> {
    writeln!(out, "log        {}", report.origin)?;
    writeln!(out, "leaves     {}  (root {})", report.size, report.root)?;
    for (kind, number) in &report.kinds {
        writeln!(out, "  {:<20} {number}", format!("{kind:?}"))?;
    }
    for cosigned in &report.cosigned {
        writeln!(out, "cosigned   {}", cosigned.name)?;
    }
    if let Some(previous) = previous {
        writeln!(out, "seen last  {} leaves", previous.checkpoint().size)?;
    }
    for problem in &report.problems {
        writeln!(out, "problem    {problem}")?;
    }
    match report.is_sound() {
        true => writeln!(out, "Everything is as it was signed.")?,
        false => writeln!(out, "This log is not what was signed.")?,
    }
    if key_is_shown {
        writeln!(
            out,
            "The key came from the log itself: compare it with one that reached you another way, \
             and give that with --key."
        )?;
    }
    if report.cosigned.is_empty() {
        writeln!(
            out,
            "No witness was asked for: a log that shows others another tree would not be noticed."
        )?;
    }
    Ok(())
}

fn as_json(report: &Report) -> serde_json::Value {
    let kinds = report.kinds.iter().map(|(kind, number)| (format!("{kind:?}"), json!(number)));
    json!({
        "sound": report.is_sound(),
        "origin": report.origin,
        "leaves": report.size,
        "root": report.root.to_string(),
        "kinds": serde_json::Map::from_iter(kinds),
        "cosigned": report.cosigned.iter().map(|by| &by.name).collect::<Vec<_>>(),
        "problems": report.problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}
