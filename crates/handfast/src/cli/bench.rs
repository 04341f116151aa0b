//! `handfast bench`: how long things take, on this machine, with their parts.

use std::io::Write;

use clap::{Args, Subcommand};
use handfast_store::{Store, StoreError, params};

use super::Answer;

mod charge;
mod hover;
mod lane;
mod log;
mod recognition;
mod redeem;
mod vault;

/// Arguments of `handfast bench`.
#[derive(Debug, Args)]
pub struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Charges paid over HTTP, in a service of its own
    Charge(charge::Charge),
    /// A hover in the entry lane, from a still hand to the verdict
    Hover(hover::Hover),
    /// A lane's copy of an evening's tickets: how soon, how fresh, in how much memory
    Lane(lane::Lane),
    /// The transparency log: appends, promises, proofs, verification
    Log(log::LogBench),
    /// A frame from camera to template on one core, step by step
    Recognition(recognition::Recognition),
    /// Tickets redeemed over HTTP, in a service of its own
    Redeem(redeem::Redeem),
    /// A search on three nodes, beside the same in clear
    Vault(vault::Vault),
}

impl Bench {
    /// Runs the bench and prints its figures.
    pub fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        match self.what {
            What::Charge(charge) => charge.run(out),
            What::Hover(hover) => hover.run(out),
            What::Lane(lane) => lane.run(out),
            What::Log(log) => log.run(out),
            What::Recognition(recognition) => recognition.run(out),
            What::Redeem(redeem) => redeem.run(out),
            What::Vault(vault) => vault.run(out),
        }
    }
}

/// The value that so many percent of sorted ones do not exceed.
fn rank(sorted: &[f64], percent: usize) -> f64 {
    let place = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

/// What a statement that counts says.
async fn count(store: &Store, sql: &'static str) -> anyhow::Result<usize> {
    let counted: Result<(i64,), StoreError> = store
        .read("bench.count", |tx| Box::pin(async move { tx.fetch_one(sql, params![]).await }))
        .await;
    Ok(usize::try_from(counted?.0)?)
}
