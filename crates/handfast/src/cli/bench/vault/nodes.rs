//! Three nodes in this process, each with its own thread, disk and connections.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration as StdDuration;

use anyhow::Context as _;
use handfast_model::{SystemClock, SystemRandom};
use handfast_vault::process::{NodeOptions, RunningNode};
use handfast_vault::setup::{init, local_addresses};
use handfast_vault::transport::Delay;
use handfast_vault::{FrontOptions, SplitVault};

use crate::cli::stopwatch::SystemStopwatch;

const PATIENCE: StdDuration = StdDuration::from_secs(120);
const WORDS: [&str; 3] = ["a", "b", "c"];

/// A deployment of three nodes that run, and store rows of nobody.
pub(in crate::cli::bench) struct ThreeNodes {
    dir: PathBuf,
    /// Nothing until it is set, so that preparing takes no longer than it must.
    pub(in crate::cli::bench) delay: Delay,
    strict: bool,
    running: Vec<RunningNode>,
}

impl ThreeNodes {
    /// A new deployment in `dir`.
    pub(in crate::cli::bench) async fn set_up(dir: &Path, strict: bool) -> anyhow::Result<Self> {
        let [a, b, c] = [0; 3].map(|_| std::net::TcpListener::bind("127.0.0.1:0"));
        let held = [a?, b?, c?];
        let mut addresses = local_addresses(0);
        for (address, listener) in addresses.iter_mut().zip(&held) {
            *address = listener.local_addr()?.to_string();
        }
        init(dir, addresses, &SystemClock, &SystemRandom)?;
        drop(held);
        let (dir, delay, running) = (dir.to_owned(), Delay::default(), Vec::new());
        let mut nodes = Self { dir, delay, strict, running };
        nodes.start().await?;
        Ok(nodes)
    }

    /// The front's folder.
    pub(in crate::cli::bench) fn front(&self) -> PathBuf {
        self.dir.join("front")
    }

    /// All three at once, as they start on machines of their own.
    async fn start(&mut self) -> anyhow::Result<()> {
        let [a, b, c] = WORDS.map(|word| self.start_one(word));
        let (a, b, c) = tokio::try_join!(a, b, c)?;
        self.running = vec![a, b, c];
        Ok(())
    }

    async fn start_one(&self, word: &str) -> anyhow::Result<RunningNode> {
        let options = NodeOptions {
            dir: self.dir.join(word),
            listen: None,
            delay: self.delay.clone(),
            strict: self.strict,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        };
        RunningNode::danger_start_unchecked(options).await.context("a node did not start")
    }

    /// Ends what was begun and closes the disks.
    pub(in crate::cli::bench) async fn stop(&mut self) {
        RunningNode::stop_together(std::mem::take(&mut self.running)).await;
    }
}

/// Nodes, and their front.
pub(super) struct Bed {
    nodes: ThreeNodes,
    pub(super) vault: SplitVault,
}

/// How long nodes take from their start until they serve.
pub(super) struct Starts {
    /// One, while the others are down.
    pub(super) one_ms: f64,
    /// All at once, until a front may search.
    pub(super) three_ms: f64,
}

impl Bed {
    /// A new deployment in `dir`.
    pub(super) async fn set_up(dir: &Path, strict: bool) -> anyhow::Result<Self> {
        let nodes = ThreeNodes::set_up(dir, strict).await?;
        let vault = front(&nodes).await?;
        Ok(Self { nodes, vault })
    }

    /// Makes every round trip between two members so much longer from now on.
    pub(super) fn set_round_trip(&self, rtt: StdDuration) {
        self.nodes.delay.set(rtt / 2);
    }

    /// Stops the front and all nodes.
    pub(super) async fn stop(mut self) {
        self.vault.close().await;
        self.nodes.stop().await;
    }

    /// Stops everything and starts it again; files that were read lately may be in memory.
    pub(super) async fn start_again(self) -> anyhow::Result<(Self, Starts)> {
        let Self { mut nodes, vault } = self;
        vault.close().await;
        nodes.stop().await;
        let watch = SystemStopwatch::start();
        let now = || handfast_palm_eval::Stopwatch::nanos(&watch) as f64 / 1e6;
        let begun = now();
        let one = nodes.start_one(WORDS[0]).await?;
        let one_ms = now() - begun;
        one.stop().await;
        let begun = now();
        nodes.start().await?;
        let vault = front(&nodes).await?;
        let three_ms = now() - begun;
        Ok((Self { nodes, vault }, Starts { one_ms, three_ms }))
    }
}

async fn front(nodes: &ThreeNodes) -> anyhow::Result<SplitVault> {
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
    let options = FrontOptions { delay: nodes.delay.clone(), clock, random };
    let vault = SplitVault::open(&nodes.front(), options).await?;
    vault.ready(PATIENCE).await?;
    Ok(vault)
}
