//! `handfast bench vault`: a search on three nodes, on this machine, beside the same in clear.

use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration as StdDuration;

use anyhow::{Context as _, bail};
use clap::Args;
use handfast_model::{Random as _, SystemClock, SystemRandom};
use handfast_mpc::{Dealt, ProbeWeights, Role, Rows, Shape, local_products};
use handfast_vault::process::{NodeOptions, RunningNode};
use handfast_vault::setup::{init, local_addresses};
use handfast_vault::transport::bytes_sent;
use handfast_vault::{FrontOptions, SplitVault};
use serde::Serialize;

use crate::cli::runtime::block_on;
use crate::cli::stopwatch::SystemStopwatch;
use crate::cli::{Answer, print_json};

/// Rows whose shares are dealt at once while the local parts are timed.
const ROWS_AT_ONCE: usize = 1_024;
/// The parts that one node computes by itself are timed so often; the median counts.
const LOCAL_RUNS: usize = 7;
const PATIENCE: StdDuration = StdDuration::from_secs(30);

/// Arguments of `handfast bench vault`.
#[derive(Debug, Args)]
pub(super) struct Vault {
    /// Rows of the gallery
    #[arg(long, default_value_t = 10_000)]
    rows: usize,
    /// Numbers in a row
    #[arg(long, default_value_t = 512)]
    length: usize,
    /// Vectors of a probe
    #[arg(long, default_value_t = 1)]
    probes: usize,
    /// Simulated round trip between any two members, in milliseconds
    #[arg(long, default_value_t = 0, value_name = "MS")]
    rtt: u64,
    /// Searches, one after the other
    #[arg(long, default_value_t = 20)]
    searches: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    rows: usize,
    length: usize,
    probes: usize,
    rtt_ms: u64,
    searches: usize,
    p50_ms: f64,
    p95_ms: f64,
    /// Of the whole process, nodes and front, divided by three.
    cpu_ms_per_node: f64,
    dot_ms_per_node: f64,
    /// Reading one node's rows once, at the bandwidth of this run.
    read_limit_ms: f64,
    /// The same comparisons in clear, 16-bit numbers, one thread.
    plain_ms: f64,
    bytes_per_row: f64,
    /// Of the three nodes together, by row, probe and answer included.
    bytes_sent_per_row: f64,
    rounds: u32,
}

impl Vault {
    pub(super) fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        if self.rows == 0 || self.length == 0 || self.probes == 0 || self.searches == 0 {
            bail!("rows, length, probes and searches are numbers from 1");
        }
        let folder = tempfile::tempdir().context("no temporary folder could be made")?;
        let local = self.local()?;
        let report = block_on(self.measure(folder.path(), local))?;
        if self.json {
            print_json(out, &report)?;
        } else {
            print(out, &report)?;
        }
        Ok(Answer::Positive)
    }

    async fn measure(&self, dir: &Path, local: Local) -> anyhow::Result<Report> {
        let delay = StdDuration::from_millis(self.rtt) / 2;
        let nodes = start_nodes(dir, delay).await?;
        let options =
            FrontOptions { delay, clock: Arc::new(SystemClock), random: Arc::new(SystemRandom) };
        let vault = SplitVault::open(&dir.join("front"), options).await?;
        vault.ready(PATIENCE).await?;
        let gallery = vault.danger_bench_gallery(self.rows, self.length, self.probes).await?;
        let bytes_per_row = vault.row_bytes().await?;
        // The first search reads what was never read.
        vault.danger_bench_search(gallery, self.probes).await?;
        let mut times = Vec::with_capacity(self.searches);
        let (cpu, sent) = (cpu_ms()?, bytes_sent());
        let watch = SystemStopwatch::start();
        for _ in 0..self.searches {
            let before = handfast_palm_eval::Stopwatch::nanos(&watch);
            if vault.danger_bench_search(gallery, self.probes).await? {
                bail!("a random probe found somebody: the gallery is not what it should be");
            }
            let after = handfast_palm_eval::Stopwatch::nanos(&watch);
            times.push((after - before) as f64 / 1e6);
        }
        let searches = self.searches as f64;
        let cpu = (cpu_ms()? - cpu) / searches;
        let sent = (bytes_sent() - sent) as f64 / searches;
        vault.close().await;
        for node in nodes {
            node.stop().await;
        }
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
        let layers = self.probes.max(1).next_power_of_two().trailing_zeros();
        Ok(Report {
            rows: self.rows,
            length: self.length,
            probes: self.probes,
            rtt_ms: self.rtt,
            searches: self.searches,
            p50_ms: at(0.5),
            p95_ms: at(0.95),
            cpu_ms_per_node: cpu / 3.0,
            dot_ms_per_node: local.dot_ms,
            read_limit_ms: local.read_ms,
            plain_ms: local.plain_ms,
            bytes_per_row,
            bytes_sent_per_row: sent / self.rows as f64,
            rounds: SIGN_ROUNDS + layers,
        })
    }

    /// What one node computes by itself, and the same work in clear.
    fn local(&self) -> anyhow::Result<Local> {
        let (rows, mut plain) = self.rows_of_a_node()?;
        let probe = random_numbers(self.probes * self.length);
        let dealt = Dealt::deal(&probe, self.length, &SystemRandom)?;
        let weights = ProbeWeights::new(&dealt.sets[0]);
        let shape = Shape::new(self.rows, 1, self.probes)?;
        let dot = || local_products(shape, &[&rows], &weights).map(|products| products.len());
        let dot_ms = median(|| black_box(dot()).is_ok());
        let bytes: Vec<u64> = vec![1; self.rows * self.length.div_ceil(4)];
        let read_ms = median(|| {
            // Without somebody who wants the sum, nothing is read.
            black_box(black_box(&bytes).iter().copied().fold(0, u64::wrapping_add)) > 0
        });
        let mut sums = vec![0_i32; self.rows];
        let plain_ms = median(|| {
            for vector in probe.chunks(self.length) {
                for (sum, row) in sums.iter_mut().zip(plain.chunks_exact(self.length)) {
                    let products = row.iter().zip(vector);
                    *sum = products.fold(0_i32, |sum, (a, b)| {
                        sum.wrapping_add(i32::from(*a).wrapping_mul(i32::from(*b)))
                    });
                }
                black_box(&mut sums);
            }
            true
        });
        plain.clear();
        Ok(Local { dot_ms, read_ms, plain_ms })
    }

    fn rows_of_a_node(&self) -> anyhow::Result<(Rows, Vec<i16>)> {
        let mut rows = Rows::new(Role::A, self.length, self.rows);
        let mut plain = Vec::with_capacity(self.rows * self.length);
        let mut left = self.rows;
        while left > 0 {
            let part = left.min(ROWS_AT_ONCE);
            let numbers = random_numbers(part * self.length);
            rows.push(&Dealt::deal(&numbers, self.length, &SystemRandom)?.sets[0])?;
            plain.extend_from_slice(&numbers);
            left -= part;
        }
        Ok((rows, plain))
    }
}

/// Rounds of the sign, as `crates/mpc` documents them; the OR adds one for each doubling.
const SIGN_ROUNDS: u32 = 5;

struct Local {
    dot_ms: f64,
    read_ms: f64,
    plain_ms: f64,
}

fn random_numbers(count: usize) -> Vec<i16> {
    let mut bytes = vec![0; count];
    SystemRandom.fill(&mut bytes);
    bytes.into_iter().map(|byte| i16::from(byte % 5) - 2).collect()
}

fn median(mut work: impl FnMut() -> bool) -> f64 {
    let mut times: Vec<f64> =
        (0..LOCAL_RUNS).map(|_| SystemStopwatch::start().time(&mut work).1).collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Nodes in this process, each with its own thread, disk and connections.
async fn start_nodes(dir: &Path, delay: StdDuration) -> anyhow::Result<Vec<RunningNode>> {
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
        let options = NodeOptions {
            dir: dir.join(word),
            listen: None,
            delay,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        };
        nodes.push(RunningNode::start(options).await?);
    }
    Ok(nodes)
}

/// Processor time of this process so far, in Linux's ticks of ten milliseconds.
fn cpu_ms() -> anyhow::Result<f64> {
    let stat =
        std::fs::read_to_string("/proc/self/stat").context("/proc/self/stat is not there")?;
    let fields = stat.rsplit(") ").next().unwrap_or_default();
    let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? * 10.0)
}

fn print(out: &mut dyn Write, report: &Report) -> anyhow::Result<()> {
    writeln!(
        out,
        "{} rows of {} numbers, {} probe vectors, {} ms between members, three nodes in one process",
        report.rows, report.length, report.probes, report.rtt_ms
    )?;
    for (what, value) in [
        ("search, median, ms", report.p50_ms),
        ("search, 95 of 100 within, ms", report.p95_ms),
        ("processor time a node, ms", report.cpu_ms_per_node),
        ("inner products a node, ms", report.dot_ms_per_node),
        ("reading the rows once, ms", report.read_limit_ms),
        ("the same in clear, one thread, ms", report.plain_ms),
        ("bytes of memory a row and node", report.bytes_per_row),
        ("bytes sent a row, three nodes", report.bytes_sent_per_row),
    ] {
        writeln!(out, "  {what:<36} {value:>10.2}")?;
    }
    writeln!(out, "  {:<36} {:>10}", "rounds", report.rounds)?;
    Ok(())
}
