//! `handfast bench vault`: a search on three nodes, on this machine, beside the same in clear.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration as StdDuration;

use anyhow::{Context as _, bail};
use clap::Args;
use handfast_vault::node::Reason;
use handfast_vault::transport::bytes_sent;
use handfast_vault::{BenchGallery, SplitVault, VaultError};
use serde::Serialize;
use tokio::task::JoinSet;

use self::local::Local;
use self::nodes::{Bed, Starts};
use crate::cli::runtime::block_on;
use crate::cli::stopwatch::SystemStopwatch;
use crate::cli::{Answer, print_json};

mod growth;
mod local;
pub(super) mod nodes;

/// Rounds of the sign, as `crates/mpc` documents them; the OR adds one for each doubling.
const SIGN_ROUNDS: u32 = 5;

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
    /// Also so many searches at once, and what they take together
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    searches_at_once: usize,
    /// Enrol and delete so many rows, idle and beside back-to-back searches
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    changes: usize,
    /// Stop the nodes when the gallery is full, and measure how long they take to serve again
    #[arg(long)]
    restart: bool,
    /// Instead: galleries from 1,000 rows to --rows, as a table, drawn into this file
    #[arg(long, value_name = "FILE.svg", conflicts_with_all = ["restart", "changes", "json", "searches_at_once"])]
    growth: Option<PathBuf>,
    /// Check in every search that what was dealt is short, as strict nodes do
    #[arg(long)]
    strict: bool,
    /// Instead: the same search in clear alone, without nodes
    #[arg(long, conflicts_with_all = ["restart", "changes", "growth", "strict", "rtt", "searches", "searches_at_once"])]
    plain: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The search in clear, and reading as many bytes.
#[derive(Serialize)]
struct PlainReport {
    rows: usize,
    length: usize,
    probes: usize,
    /// 16-bit numbers, one thread and two.
    plain_ms: f64,
    plain_two_threads_ms: f64,
    /// With 8-bit numbers.
    plain_int8_ms: f64,
    plain_int8_two_threads_ms: f64,
    /// Reading the 16-bit numbers once, one thread.
    read_limit_ms: f64,
}

#[derive(Serialize)]
struct Report {
    rows: usize,
    length: usize,
    probes: usize,
    rtt_ms: u64,
    strict: bool,
    searches: usize,
    p50_ms: f64,
    p95_ms: f64,
    /// Of the whole process, nodes and front, divided by three.
    cpu_ms_per_node: f64,
    dot_ms_per_node: f64,
    /// Reading as many bytes as one node's rows have, in the same turns.
    read_limit_ms: f64,
    /// The same search in clear, 16-bit numbers, one thread.
    plain_ms: f64,
    plain_two_threads_ms: f64,
    /// With 8-bit numbers.
    plain_int8_ms: f64,
    plain_int8_two_threads_ms: f64,
    bytes_per_row: f64,
    /// Of the three nodes together, by row, probe and answer included.
    bytes_sent_per_row: f64,
    rounds: u32,
    /// Filling the gallery, by row.
    fill_us_per_row: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    together: Option<Together>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Changes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<Start>,
}

/// Enrolments (without their duplicate check, which is a search) and deletions, 95 of 100 within.
#[derive(Serialize)]
struct Changes {
    enrol_p95_ms: f64,
    delete_p95_ms: f64,
    /// While searches run one after the other.
    enrol_searching_p95_ms: f64,
    delete_searching_p95_ms: f64,
}

/// Several searches asked for at once, until the last one is answered.
#[derive(Serialize)]
struct Together {
    searches: usize,
    p50_ms: f64,
    p95_ms: f64,
    /// Against one search.
    times_one: f64,
    /// A node's inner products in one pass, and against those of one.
    dot_ms: f64,
    dot_times_one: f64,
}

#[derive(Serialize)]
struct Start {
    one_ms: f64,
    three_ms: f64,
}

/// The searches, measured.
struct Searches {
    times: Vec<f64>,
    cpu_ms: f64,
    sent: f64,
}

impl Vault {
    pub(super) fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        let numbers = [self.rows, self.length, self.probes, self.searches, self.searches_at_once];
        if numbers.contains(&0) {
            bail!("rows, length, probes and searches are numbers from 1");
        }
        let folder = tempfile::tempdir().context("no temporary folder could be made")?;
        if let Some(file) = &self.growth {
            return block_on(growth::run(&self, folder.path(), file, out));
        }
        let together = self.searches_at_once;
        if self.plain {
            return self.in_clear(out);
        }
        let local = Local::measure(self.rows, self.length, self.probes, together)?;
        let report = block_on(self.measure(folder.path(), local))?;
        if self.json {
            print_json(out, &report)?;
        } else {
            print(out, &report)?;
        }
        Ok(Answer::Positive)
    }

    /// What the same search takes in clear, where nobody shares anything.
    fn in_clear(&self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        let local = Local::measure(self.rows, self.length, self.probes, 1)?;
        let report = PlainReport {
            rows: self.rows,
            length: self.length,
            probes: self.probes,
            plain_ms: local.plain_ms[0],
            plain_two_threads_ms: local.plain_ms[1],
            plain_int8_ms: local.plain_int8_ms[0],
            plain_int8_two_threads_ms: local.plain_int8_ms[1],
            read_limit_ms: local.read_ms,
        };
        if self.json {
            print_json(out, &report)?;
            return Ok(Answer::Positive);
        }
        let (rows, length, probes) = (self.rows, self.length, self.probes);
        writeln!(out, "{rows} rows of {length} numbers, {probes} probe vectors, in clear")?;
        for (what, value) in [
            ("16 bits, one thread, ms", report.plain_ms),
            ("16 bits, two threads, ms", report.plain_two_threads_ms),
            ("8 bits, one thread, ms", report.plain_int8_ms),
            ("8 bits, two threads, ms", report.plain_int8_two_threads_ms),
            ("reading the 16-bit rows once, ms", report.read_limit_ms),
        ] {
            writeln!(out, "  {what:<36} {value:>10.2}")?;
        }
        Ok(Answer::Positive)
    }

    async fn measure(&self, dir: &Path, local: Local) -> anyhow::Result<Report> {
        let mut bed = Bed::set_up(dir, self.strict).await?;
        let watch = SystemStopwatch::start();
        let gallery = bed.vault.danger_bench_gallery(self.rows, self.length, self.probes).await?;
        let fill_us_per_row = passed(&watch) * 1e3 / self.rows as f64;
        let bytes_per_row = bed.vault.row_bytes().await?;
        let mut start = None;
        if self.restart {
            let (again, Starts { one_ms, three_ms }) = bed.start_again().await?;
            (bed, start) = (again, Some(Start { one_ms, three_ms }));
        }
        bed.set_round_trip(StdDuration::from_millis(self.rtt));
        let searched = self.search(&bed.vault, gallery).await?;
        let together = match self.searches_at_once {
            1 => None,
            count => {
                let times = self.search_together(&bed.vault, gallery, count).await?;
                let p50_ms = at(&times, 0.5);
                Some(Together {
                    searches: count,
                    p50_ms,
                    p95_ms: at(&times, 0.95),
                    times_one: p50_ms / at(&searched.times, 0.5),
                    dot_ms: local.dot_together_ms,
                    dot_times_one: local.dot_together_ms / local.dot_ms,
                })
            }
        };
        let Searches { times, cpu_ms, sent } = searched;
        let changes = match self.changes {
            0 => None,
            count => Some(self.change(&bed.vault, gallery, count).await?),
        };
        bed.stop().await;
        let layers = self.probes.next_power_of_two().trailing_zeros();
        Ok(Report {
            rows: self.rows,
            length: self.length,
            probes: self.probes,
            rtt_ms: self.rtt,
            strict: self.strict,
            searches: self.searches,
            p50_ms: at(&times, 0.5),
            p95_ms: at(&times, 0.95),
            cpu_ms_per_node: cpu_ms / 3.0,
            dot_ms_per_node: local.dot_ms,
            read_limit_ms: local.read_ms,
            plain_ms: local.plain_ms[0],
            plain_two_threads_ms: local.plain_ms[1],
            plain_int8_ms: local.plain_int8_ms[0],
            plain_int8_two_threads_ms: local.plain_int8_ms[1],
            bytes_per_row,
            bytes_sent_per_row: sent / self.rows as f64,
            rounds: SIGN_ROUNDS + layers,
            fill_us_per_row,
            together,
            changes,
            start,
        })
    }

    async fn search(&self, vault: &SplitVault, gallery: BenchGallery) -> anyhow::Result<Searches> {
        // The first search reads what was never read.
        vault.danger_bench_search(gallery, self.probes).await?;
        let mut times = Vec::with_capacity(self.searches);
        let (cpu, sent) = (cpu_ms()?, bytes_sent());
        for _ in 0..self.searches {
            let watch = SystemStopwatch::start();
            if vault.danger_bench_search(gallery, self.probes).await? {
                bail!("a random probe found somebody: the gallery is not what it should be");
            }
            times.push(passed(&watch));
        }
        let searches = self.searches as f64;
        let cpu_ms = (cpu_ms()? - cpu) / searches;
        let sent = (bytes_sent() - sent) as f64 / searches;
        Ok(Searches { times, cpu_ms, sent })
    }

    /// Milliseconds until the last of several searches is answered.
    async fn search_together(
        &self,
        vault: &SplitVault,
        gallery: BenchGallery,
        count: usize,
    ) -> anyhow::Result<Vec<f64>> {
        let mut times = Vec::with_capacity(self.searches);
        for _ in 0..self.searches {
            let (watch, mut asked) = (SystemStopwatch::start(), JoinSet::new());
            for _ in 0..count {
                let (vault, vectors) = (vault.clone(), self.probes);
                asked.spawn(async move { vault.danger_bench_search(gallery, vectors).await });
            }
            while let Some(answered) = asked.join_next().await {
                answered??;
            }
            times.push(passed(&watch));
        }
        Ok(times)
    }

    async fn change(
        &self,
        vault: &SplitVault,
        gallery: BenchGallery,
        count: usize,
    ) -> anyhow::Result<Changes> {
        let (enrol, delete) = enrol_and_delete(vault, gallery, count).await?;
        let ended = AtomicBool::new(false);
        let searching = async {
            while !ended.load(Ordering::Relaxed) {
                match vault.danger_bench_search(gallery, self.probes).await {
                    // Rows were overwritten in all its attempts: a lane would ask again.
                    Err(VaultError::Refused { refusal, .. }) if refusal.reason == Reason::Stale => {
                    }
                    searched => {
                        searched?;
                    }
                }
            }
            Ok::<_, anyhow::Error>(())
        };
        let changing = async {
            let changed = enrol_and_delete(vault, gallery, count).await;
            ended.store(true, Ordering::Relaxed);
            changed
        };
        let (searched, changed) = tokio::join!(searching, changing);
        searched?;
        let (enrol_searching, delete_searching) = changed?;
        Ok(Changes {
            enrol_p95_ms: at(&enrol, 0.95),
            delete_p95_ms: at(&delete, 0.95),
            enrol_searching_p95_ms: at(&enrol_searching, 0.95),
            delete_searching_p95_ms: at(&delete_searching, 0.95),
        })
    }
}

/// Milliseconds of each enrolment, and of each deletion of what was enrolled.
async fn enrol_and_delete(
    vault: &SplitVault,
    gallery: BenchGallery,
    count: usize,
) -> anyhow::Result<(Vec<f64>, Vec<f64>)> {
    let (mut enrol, mut delete, mut slots) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..count {
        let watch = SystemStopwatch::start();
        slots.push(vault.danger_bench_enrol(gallery).await?);
        enrol.push(passed(&watch));
    }
    for slot in slots {
        let watch = SystemStopwatch::start();
        vault.danger_bench_delete(slot).await?;
        delete.push(passed(&watch));
    }
    Ok((enrol, delete))
}

fn passed(watch: &SystemStopwatch) -> f64 {
    handfast_palm_eval::Stopwatch::nanos(watch) as f64 / 1e6
}

/// The time that this share of the times does not exceed.
fn at(times: &[f64], share: f64) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times[((times.len() - 1) as f64 * share).round() as usize]
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
    let mut lines = vec![
        ("search, median, ms", report.p50_ms),
        ("search, 95 of 100 within, ms", report.p95_ms),
        ("processor time a node, ms", report.cpu_ms_per_node),
        ("inner products a node, ms", report.dot_ms_per_node),
        ("reading the rows once, ms", report.read_limit_ms),
        ("in clear, 16 bits, one thread, ms", report.plain_ms),
        ("in clear, 16 bits, two threads, ms", report.plain_two_threads_ms),
        ("in clear, 8 bits, one thread, ms", report.plain_int8_ms),
        ("in clear, 8 bits, two threads, ms", report.plain_int8_two_threads_ms),
        ("bytes of memory a row and node", report.bytes_per_row),
        ("bytes sent a row, three nodes", report.bytes_sent_per_row),
        ("filling the gallery, us a row", report.fill_us_per_row),
    ];
    if let Some(together) = &report.together {
        lines.extend([
            ("searches at once", together.searches as f64),
            ("all of them, median, ms", together.p50_ms),
            ("all of them, 95 of 100 within, ms", together.p95_ms),
            ("against one search, times", together.times_one),
            ("their inner products a node, ms", together.dot_ms),
            ("against those of one, times", together.dot_times_one),
        ]);
    }
    if let Some(changes) = &report.changes {
        lines.extend([
            ("enrol, 95 of 100 within, ms", changes.enrol_p95_ms),
            ("delete, 95 of 100 within, ms", changes.delete_p95_ms),
            ("enrol beside searches, ms", changes.enrol_searching_p95_ms),
            ("delete beside searches, ms", changes.delete_searching_p95_ms),
        ]);
    }
    if let Some(start) = &report.start {
        lines.extend([
            ("a node's start, ms", start.one_ms),
            ("three nodes' start, ms", start.three_ms),
        ]);
    }
    for (what, value) in lines {
        writeln!(out, "  {what:<36} {value:>10.2}")?;
    }
    writeln!(out, "  {:<36} {:>10}", "rounds", report.rounds)?;
    Ok(())
}
