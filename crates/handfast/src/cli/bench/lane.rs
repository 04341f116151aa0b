//! `handfast bench lane`: a lane's copy of an evening. A service and a lane run as processes of their
//! own; this one stops the time until the lane has every ticket, redeems some at another lane, and
//! looks when each entry has arrived in the lane's file. At the end the system is asked how much memory
//! the lane ever took.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration as StdDuration;

use anyhow::{Context as _, ensure};
use clap::Args;
use handfast_palm_eval::Stopwatch as _;
use handfast_store::Store;
use serde::Serialize;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::redeem::{Scanner, Service, Venue};
use super::{count, rank};
use crate::cli::runtime::block_on;
use crate::cli::stopwatch::SystemStopwatch;
use crate::cli::{Answer, print_json};

/// How often the lane's file is looked into: far below what is measured.
const LOOK_EVERY: StdDuration = StdDuration::from_millis(5);
/// Above any copy or change: then something is broken, not slow.
const ARRIVES_WITHIN: StdDuration = StdDuration::from_secs(60);
/// A service sends changes again for ten seconds (a transaction may commit after a later one): an
/// evening's tickets were sold long before its lanes are opened, and are no change any more.
const SOLD_BEFORE: StdDuration = StdDuration::from_secs(11);
/// A lane asks for changes once a second: changes are spread over that second.
const SPREAD: StdDuration = StdDuration::from_secs(1);

/// Arguments of `handfast bench lane`.
#[derive(Debug, Args)]
pub struct Lane {
    /// Tickets of the evening
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=500_000))]
    tickets: u32,
    /// Entries at another lane whose arrival is measured
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    changes: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    /// Tickets in the lane's file after its first copy.
    tickets: usize,
    /// From the lane's start to its first full copy.
    first_copy_s: f64,
    /// From an entry's answer elsewhere until it is in the lane's file.
    change_p50_s: f64,
    change_max_s: f64,
    /// The most memory that the lane ever had; nothing where the system does not tell.
    lane_peak_mib: Option<f64>,
}

impl Lane {
    pub(super) fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        let report = block_on(self.measure())?;
        if self.json {
            print_json(out, &report)?;
        } else {
            let Report { tickets, first_copy_s, change_p50_s, change_max_s, .. } = &report;
            writeln!(out, "a lane and its service, processes of their own\n")?;
            writeln!(out, "first copy of {tickets} tickets   {first_copy_s:.2} s")?;
            writeln!(
                out,
                "an entry elsewhere arrives    p50 {change_p50_s:.2} s, at most {change_max_s:.2} s"
            )?;
            match report.lane_peak_mib {
                Some(peak) => writeln!(out, "the lane's memory at most     {peak:.1} MiB")?,
                None => writeln!(out, "the lane's memory             this system does not tell")?,
            }
        }
        Ok(Answer::Positive)
    }

    async fn measure(&self) -> anyhow::Result<Report> {
        let folder = tempfile::tempdir().context("no temporary folder could be made")?;
        let data = folder.path().join("data");
        std::fs::create_dir(&data)?;
        let database = format!("sqlite:{}", data.join("boxoffice.db").display());
        let wanted = self.tickets as usize;
        let venue = Venue::fill(&database, wanted.max(self.changes as usize)).await?;
        let service = Service::start(&data, None).await?;
        let [own, other, ..] = venue.api_keys.as_slice() else {
            anyhow::bail!("the bench's venue has too few lanes")
        };
        tokio::time::sleep(SOLD_BEFORE).await;
        let file = folder.path().join("lane.db");
        let watch = SystemStopwatch::start();
        let lane = LaneProcess::start(service.address, own, &file).await?;
        let first_copy_s = watch.nanos() as f64 / 1e9;
        let copy = Store::connect(&format!("sqlite:{}", file.display())).await?;
        let tickets = count(&copy, "SELECT COUNT(*) FROM tickets").await?;
        ensure!(tickets == venue.codes.len(), "the lane has {tickets} tickets only");
        let mut seconds = Vec::new();
        let mut scanner = Scanner::open(service.address, other, 0).await?;
        for (number, code) in venue.codes.iter().take(self.changes as usize).enumerate() {
            // Right after one arrived the lane asks again in a second: the next comes anywhen in it.
            tokio::time::sleep(SPREAD * u32::try_from(number)? / self.changes).await;
            scanner.redeem(code).await?;
            seconds.push(arrival(&copy, number + 1).await?);
        }
        seconds.sort_by(f64::total_cmp);
        let lane_peak_mib = lane.peak_mib();
        copy.close().await;
        Ok(Report {
            tickets,
            first_copy_s,
            change_p50_s: rank(&seconds, 50),
            change_max_s: rank(&seconds, 100),
            lane_peak_mib,
        })
    }
}

/// The lane, as another process, killed at the end.
struct LaneProcess {
    child: Child,
}

impl LaneProcess {
    /// Starts it and waits for the line that it prints once it has its copy.
    async fn start(service: SocketAddr, api_key: &str, file: &Path) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("this program's own file is not found")?;
        let mut command = Command::new(program);
        command.arg("lane").arg("--server").arg(format!("http://{service}"));
        command.arg("--file").arg(file).args(["--listen", "127.0.0.1:0", "--json"]);
        command.env("HANDFAST_API_KEY", api_key).env("HANDFAST_LOG", "error");
        let child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn();
        let mut child = child.context("the lane cannot be started")?;
        let told = child.stdout.take().context("the lane's output cannot be read")?;
        let mut line = String::new();
        let mut told = BufReader::new(told);
        tokio::time::timeout(ARRIVES_WITHIN, told.read_line(&mut line))
            .await
            .context("the lane got no copy")??;
        let ready: Result<Value, _> = serde_json::from_str(&line);
        ready.context("the lane ended before it had a copy; its message is above")?;
        Ok(Self { child })
    }

    /// As Linux tells it: the high-water mark of what was resident.
    fn peak_mib(&self) -> Option<f64> {
        let status = PathBuf::from(format!("/proc/{}/status", self.child.id()?));
        let status = std::fs::read_to_string(status).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kib / 1_024.0)
    }
}

/// Waits until so many entries are in the lane's file: after how many seconds.
async fn arrival(copy: &Store, entries: usize) -> anyhow::Result<f64> {
    let watch = SystemStopwatch::start();
    while u128::from(watch.nanos()) < ARRIVES_WITHIN.as_nanos() {
        if count(copy, "SELECT COUNT(*) FROM passages").await? >= entries {
            return Ok(watch.nanos() as f64 / 1e9);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    anyhow::bail!("an entry did not arrive within {} s", ARRIVES_WITHIN.as_secs())
}
