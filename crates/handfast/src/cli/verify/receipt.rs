//! `handfast verify receipt`.

use std::io::{Read as _, Write};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use handfast_model::{Clock as _, SystemClock};
use handfast_tlog::{NOTE_BYTES_MAX, ProofError, Proven, Receipt};
use serde_json::{Value, json};

use super::nodes::{Computed, NodeKeys};
use super::{Answer, Believed, key_of};
use crate::cli::print_json;
use crate::http::json::rfc3339;

/// Arguments of `handfast verify receipt`.
#[derive(Debug, Args)]
pub struct VerifyReceipt {
    /// The receipt; `-` reads it from standard input
    file: PathBuf,
    #[command(flatten)]
    believed: Believed,
    /// The keys of the vault's nodes, as the service shows them at /log/nodes: a search's tag must
    /// then be the one that all three signed
    #[arg(long, value_name = "FILE")]
    nodes: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl VerifyReceipt {
    pub(super) fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        let Some(key) = &self.believed.key else {
            bail!("give the log's public key with --key: a receipt alone proves nothing");
        };
        let policy = self.believed.policy(key_of(key)?)?;
        let nodes = self.nodes.as_deref().map(NodeKeys::read).transpose()?;
        let receipt = self.read()?;
        let shown = receipt.verify(&policy, SystemClock.now());
        let computed =
            Computed::of(receipt.leaf().statement(), &record_of(&receipt), nodes.as_ref());
        if self.json {
            print_json(out, &as_json(&receipt, &shown, computed))?;
        } else {
            print(out, &receipt, &shown, computed)?;
        }
        let holds = shown.is_ok() && computed.is_sound();
        Ok(if holds { Answer::Positive } else { Answer::Negative })
    }

    fn read(&self) -> anyhow::Result<Receipt> {
        let limit = NOTE_BYTES_MAX as u64 + 1;
        let mut bytes = Vec::new();
        let read = match self.file.as_os_str() == "-" {
            true => std::io::stdin().take(limit).read_to_end(&mut bytes),
            false => std::fs::File::open(&self.file)
                .and_then(|file| file.take(limit).read_to_end(&mut bytes)),
        };
        read.with_context(|| format!("{} cannot be read", self.file.display()))?;
        Receipt::parse(&bytes).with_context(|| format!("{} is no receipt", self.file.display()))
    }
}

fn record_of(receipt: &Receipt) -> Value {
    let record = receipt.opening().private_fields();
    serde_json::from_slice(record)
        .unwrap_or_else(|_| json!({ "bytes": String::from_utf8_lossy(record) }))
}

fn print(
    out: &mut dyn Write,
    receipt: &Receipt,
    shown: &Result<Proven, ProofError>,
    computed: Computed,
) -> anyhow::Result<()> {
    match shown {
        Ok(proven) => {
            writeln!(out, "The log holds this as leaf {} of {}.", proven.index, proven.size)?;
            for cosigned in &proven.cosigned {
                writeln!(out, "Cosigned by {} at {}.", cosigned.name, rfc3339(cosigned.at))?;
            }
        }
        Err(error) => writeln!(out, "This receipt does not hold: {error}.")?,
    }
    if let Some(sentence) = computed.sentence() {
        writeln!(out, "{sentence}")?;
    }
    let leaf = receipt.leaf();
    writeln!(out, "At         {}", rfc3339(leaf.at()))?;
    writeln!(out, "In public  {:?}", leaf.statement())?;
    writeln!(out, "To you     {}", serde_json::to_string_pretty(&record_of(receipt))?)?;
    Ok(())
}

fn as_json(receipt: &Receipt, shown: &Result<Proven, ProofError>, computed: Computed) -> Value {
    let leaf = receipt.leaf();
    json!({
        "holds": shown.is_ok() && computed.is_sound(),
        "computed": computed.word(),
        "problem": shown.as_ref().err().map(ToString::to_string),
        "position": receipt.proof().index(),
        "size": shown.as_ref().ok().map(|proven| proven.size),
        "cosigned": shown.as_ref().map_or_else(
            |_| Vec::new(),
            |proven| proven.cosigned.iter().map(|by| by.name.clone()).collect(),
        ),
        "at": rfc3339(leaf.at()),
        "kind": format!("{:?}", leaf.statement().kind()),
        "statement": format!("{:?}", leaf.statement()),
        "record": record_of(receipt),
    })
}
