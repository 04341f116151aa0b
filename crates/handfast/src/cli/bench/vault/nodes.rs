//! Three nodes in this process, each with its own thread, disk and connections.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration as StdDuration;

use anyhow::Context as _;
use handfast_model::{SystemClock, SystemRandom};
use handfast_vault::process::{NodeOptions, RunningNode};
use handfast_vault::setup::{init, local_addresses};
use handfast_vault::{FrontOptions, SplitVault};

use crate::cli::stopwatch::SystemStopwatch;

const PATIENCE: StdDuration = StdDuration::from_secs(120);

/// A deployment of three nodes that run, and its front.
pub(super) struct Bed {
    dir: PathBuf,
    delay: StdDuration,
    nodes: Vec<RunningNode>,
    pub(super) vault: SplitVault,
}

/// How long nodes take from their start until they serve.
pub(super) struct Starts {
    /// The slowest of three, each started while the others are down.
    pub(super) one_ms: f64,
    /// One after the other, until a front may search.
    pub(super) three_ms: f64,
}

impl Bed {
    /// A new deployment in `dir`, every message arriving `delay` late.
    pub(super) async fn set_up(dir: &Path, delay: StdDuration) -> anyhow::Result<Self> {
        let [a, b, c] = [0; 3].map(|_| std::net::TcpListener::bind("127.0.0.1:0"));
        let held = [a?, b?, c?];
        let mut addresses = local_addresses(0);
        for (address, listener) in addresses.iter_mut().zip(&held) {
            *address = listener.local_addr()?.to_string();
        }
        init(dir, addresses, &SystemClock, &SystemRandom)?;
        drop(held);
        let mut nodes = Vec::new();
        for word in ["a", "b", "c"] {
            nodes.push(start(dir, word, delay).await?);
        }
        let vault = front(dir, delay).await?;
        Ok(Self { dir: dir.to_owned(), delay, nodes, vault })
    }

    /// Stops the front and all nodes.
    pub(super) async fn stop(self) {
        self.vault.close().await;
        for node in self.nodes {
            node.stop().await;
        }
    }

    /// Stops everything and starts it again; files that were read lately may be in memory.
    pub(super) async fn start_again(self) -> anyhow::Result<(Self, Starts)> {
        let (dir, delay) = (self.dir.clone(), self.delay);
        self.stop().await;
        let watch = SystemStopwatch::start();
        let now = || handfast_palm_eval::Stopwatch::nanos(&watch) as f64 / 1e6;
        let (begun, mut one_ms) = (now(), 0_f64);
        let mut nodes = Vec::new();
        for word in ["a", "b", "c"] {
            let before = now();
            nodes.push(start(&dir, word, delay).await?);
            one_ms = one_ms.max(now() - before);
        }
        let vault = front(&dir, delay).await?;
        let three_ms = now() - begun;
        Ok((Self { dir, delay, nodes, vault }, Starts { one_ms, three_ms }))
    }
}

async fn start(dir: &Path, word: &str, delay: StdDuration) -> anyhow::Result<RunningNode> {
    let options = NodeOptions {
        dir: dir.join(word),
        listen: None,
        delay,
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
    };
    RunningNode::start(options).await.context("a node did not start")
}

async fn front(dir: &Path, delay: StdDuration) -> anyhow::Result<SplitVault> {
    let options =
        FrontOptions { delay, clock: Arc::new(SystemClock), random: Arc::new(SystemRandom) };
    let vault = SplitVault::open(&dir.join("front"), options).await?;
    vault.ready(PATIENCE).await?;
    Ok(vault)
}
