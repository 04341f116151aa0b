//! `handfast verify`: checks a transparency log, a receipt or a data folder, without believing the service.

pub(crate) mod data;
mod log;
pub(crate) mod nodes;
mod receipt;
mod tiles;

use std::io::Write;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use handfast_tlog::{CosignerGroup, TrustPolicy, VerifierKey};

use super::Answer;

/// Arguments of `handfast verify`.
#[derive(Debug, Args)]
pub struct Verify {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Check a whole log, at an address or in a folder: signatures, every hash, every leaf
    Log(log::VerifyLog),
    /// Check a receipt (a .tlog-proof file) with no network, and say what it shows
    Receipt(receipt::VerifyReceipt),
    /// Check that a service's databases still say what its log says
    Data(data::VerifyData),
}

impl Verify {
    /// Verifies and prints what was found; the answer is no where something is not as it was signed.
    pub fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        match self.what {
            What::Log(log) => log.run(out),
            What::Receipt(receipt) => receipt.run(out),
            What::Data(data) => data.run(out),
        }
    }
}

/// Whom to believe.
#[derive(Debug, Args)]
struct Believed {
    /// The log's public key, as its operator publishes it; a file's name is taken too
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// A witness's public key; may be given several times
    #[arg(long, value_name = "KEY")]
    witness: Vec<String>,
    /// How many of the witnesses must have cosigned [default: all given]
    #[arg(long, value_name = "NUMBER", requires = "witness")]
    witnesses_needed: Option<usize>,
}

impl Believed {
    fn policy(&self, log: VerifierKey) -> anyhow::Result<TrustPolicy> {
        let members: Vec<VerifierKey> =
            self.witness.iter().map(|text| key_of(text)).collect::<anyhow::Result<_>>()?;
        let needed = self.witnesses_needed.unwrap_or(members.len());
        let groups = match members.is_empty() {
            true => Vec::new(),
            false => vec![CosignerGroup { name: "witnesses".to_owned(), members, needed }],
        };
        TrustPolicy::new(log, groups).context("these keys cannot be believed together")
    }
}

/// A public key from its text, or from the file of that name.
fn key_of(text_or_file: &str) -> anyhow::Result<VerifierKey> {
    let parse = |text: &str| VerifierKey::parse(text.trim());
    match parse(text_or_file) {
        Ok(key) => Ok(key),
        Err(error) => match std::fs::read_to_string(text_or_file) {
            Ok(text) => parse(&text).with_context(|| format!("{text_or_file} holds no public key")),
            Err(_) => bail!(
                "{text_or_file:?} is neither a public key ({error}) nor a file with one; a log's \
                 key looks like name+1a2b3c4d+ARa..., and a service shows its own at /log/key"
            ),
        },
    }
}
