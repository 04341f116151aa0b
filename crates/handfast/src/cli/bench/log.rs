//! `handfast bench log`: how quickly the transparency log takes leaves, promises, proves and is
//! verified, on a folder of this machine. The log is filled to its size first; promises are then
//! asked for by many lanes at once while checkpoints are published, as in an evening.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration as StdDuration;

use anyhow::{Context as _, ensure};
use clap::Args;
use handfast_model::{
    Clock, Duration, ManualClock, Random as _, SystemRandom, TimeWindow, Timestamp,
};
use handfast_palm_eval::Stopwatch as _;
use handfast_tlog::{
    AtOpen, AuditTag, AuditTags, Commitment, Draft, Folder, KeyKind, Label, Leaf, Log, LogConfig,
    LogError, Purpose, SecretKey, Statement, TrustPolicy, Verification, verify_folder,
};
use serde::Serialize;

use super::rank;
use crate::cli::folder::bytes_below;
use crate::cli::stopwatch::SystemStopwatch;
use crate::cli::{Answer, print_json};

/// Leaves that are logged together: what the gates of a stadium ask for within some 50 ms.
const BATCH: usize = 500;
/// Leaves between checkpoints: a second's worth at twice the rate that is wanted.
const PUBLISH_EVERY: usize = 10_000;
/// Leaves that are logged together, and published, until the log has its size: that is not measured.
const FILL: usize = 20_000;
/// Leaves whose appending is measured, the last ones; half of a log that is not much larger.
const MEASURED: usize = 200_000;
/// Threads that wait for promises, as lanes do.
const LANES: usize = 16;
/// Promises that each lane waits for: enough for a 99th percentile.
const PROMISES_PER_LANE: usize = 200;
/// How often checkpoints are published beside them, as the service does.
const PUBLISHED_EVERY: StdDuration = StdDuration::from_secs(1);
/// How often the publisher looks whether it is over.
const LOOKS_EVERY: StdDuration = StdDuration::from_millis(20);
const PROOFS: usize = 2_000;
/// Leaves that one reads to check the last month of a log of ten months.
const MONTHS: usize = 10;
/// When the log of the bench begins.
const BEGINS: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);
/// What the reach of the issue asks: appends a second, promises and proofs in milliseconds at the
/// 99th percentile, a month verified in seconds.
const WANTED: (f64, f64, f64, f64) = (5_000.0, 20.0, 5.0, 10.0);

/// Arguments of `handfast bench log`.
#[derive(Debug, Args)]
pub struct LogBench {
    /// Leaves in the log; 10000000 take some minutes and 3 GB of disk
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(10_000..=100_000_000))]
    leaves: u64,
    /// The folder in which the log's folder is made and removed: its disk is what is measured
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Figures {
    leaves: u64,
    /// Durable, promised and published, in batches of 500, at the log's full size.
    appends_per_s: f64,
    /// From asking to the signed promise, one leaf a call, sixteen lanes at once.
    promise_p50_ms: f64,
    promise_p99_ms: f64,
    /// What the sixteen lanes got together.
    promises_per_s: f64,
    proof_p50_ms: f64,
    proof_p99_ms: f64,
    /// The last tenth of the leaves, from the tiles, on one core.
    verify_month_s: f64,
    verify_all_s: f64,
    /// Opening as the service does at its start: every tile and leaf is checked.
    open_s: f64,
    log_mib: f64,
    /// The most memory that the process had; none where the machine does not say.
    peak_mib: Option<f64>,
}

impl LogBench {
    /// Fills a log, measures and prints.
    pub(super) fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        let folder = match &self.dir {
            Some(dir) => tempfile::tempdir_in(dir),
            None => tempfile::tempdir(),
        };
        let folder = folder.context("no folder could be made for the log; name another --dir")?;
        let leaves = usize::try_from(self.leaves).context("more leaves than memory can count")?;
        let figures = measure(folder.path(), leaves)?;
        if self.json {
            print_json(out, &figures)?;
        } else {
            figures.print(out)?;
        }
        Ok(Answer::Positive)
    }
}

impl Figures {
    fn print(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let (appends, promise, proof, month) = WANTED;
        writeln!(out, "{} leaves, {:.0} MiB on disk\n", self.leaves, self.log_mib)?;
        writeln!(out, "appended     {:.0} a second ({appends:.0} wanted)", self.appends_per_s)?;
        writeln!(
            out,
            "a promise    p50 {:.2} ms, p99 {:.2} ms ({promise:.0} wanted); {LANES} lanes, {:.0} a second",
            self.promise_p50_ms, self.promise_p99_ms, self.promises_per_s
        )?;
        writeln!(
            out,
            "a proof      p50 {:.3} ms, p99 {:.3} ms ({proof:.0} wanted)",
            self.proof_p50_ms, self.proof_p99_ms
        )?;
        writeln!(
            out,
            "verified     a month in {:.1} s ({month:.0} wanted), everything in {:.1} s",
            self.verify_month_s, self.verify_all_s
        )?;
        writeln!(out, "opened       in {:.1} s, everything checked", self.open_s)?;
        if let Some(peak_mib) = self.peak_mib {
            writeln!(out, "memory       {peak_mib:.0} MiB at most")?;
        }
        Ok(())
    }
}

fn measure(dir: &Path, leaves: usize) -> anyhow::Result<Figures> {
    let key = SecretKey::generate("bench.example/log", KeyKind::Note, &SystemRandom)
        .context("the bench's own name")?;
    let config = LogConfig { key, cosigners: Vec::new(), at_open: AtOpen::CheckEverything };
    // The log's own clock goes a second a batch, so that there are months to choose from.
    let clock = Arc::new(ManualClock::at(BEGINS));
    let watch = SystemStopwatch::start();
    let open = || -> anyhow::Result<Log> {
        let disk = Arc::new(Folder::exclusive(dir).context("the log's folder")?);
        Ok(Log::open(disk, config.clone(), clock.clone())?)
    };
    let log = open()?;
    let measured = MEASURED.min(leaves / 2);
    fill(&log, &clock, leaves - measured)?;
    note("appending");
    let (appended, append_ms) = watch.time(|| append(&log, &clock, measured));
    appended?;
    note("asking for promises");
    let promises = promises(&log, &watch)?;
    let proofs = proofs(&log, &watch)?;
    let policy = log.policy().clone();
    drop(log);
    note("opening and verifying");
    let (opened, open_ms) = watch.time(open);
    let size = opened?.status().promised;
    let month = Duration::from_secs(i64::try_from(leaves / BATCH / MONTHS)?);
    let window = TimeWindow { start: clock.now() - month, end: clock.now() };
    let (month_s, in_month) = verify(dir, &policy, &watch, Some(window), clock.now())?;
    ensure!(in_month > 0, "a month of the bench has no leaves");
    let (all_s, all) = verify(dir, &policy, &watch, None, clock.now())?;
    ensure!(all == size, "{all} leaves were verified, {size} were promised");
    Ok(Figures {
        leaves: size,
        appends_per_s: measured as f64 / append_ms * 1e3,
        promise_p50_ms: rank(&promises.millis, 50),
        promise_p99_ms: rank(&promises.millis, 99),
        promises_per_s: promises.millis.len() as f64 / promises.seconds,
        proof_p50_ms: rank(&proofs, 50),
        proof_p99_ms: rank(&proofs, 99),
        verify_month_s: month_s,
        verify_all_s: all_s,
        open_s: open_ms / 1e3,
        log_mib: bytes_below(dir)? as f64 / f64::from(1 << 20),
        peak_mib: super::recognition::peak_mib(),
    })
}

/// Progress is a courtesy: where stderr is gone, the work goes on.
fn note(what: &str) {
    let _ = writeln!(std::io::stderr(), "{what}");
}

/// A search of a gallery, as most leaves are.
fn draft(number: usize) -> Draft {
    let mut commitment = [0; 32];
    commitment[..8].copy_from_slice(&(number as u64).to_be_bytes());
    let tags = AuditTags::new(vec![AuditTag { query: [7; 16], tag: [8; 16] }]).unwrap_or_default();
    let place = Label::from_bytes([1; 16]);
    let statement = Statement::Identify { purpose: Purpose::Entry, place, searched: 10_000, tags };
    Draft { statement, commitment: Commitment::from_bytes(commitment) }
}

/// Brings the log to its size, as quickly as it goes.
fn fill(log: &Log, clock: &ManualClock, leaves: usize) -> Result<(), LogError> {
    let mut tenth = 0;
    for first in (0..leaves).step_by(FILL) {
        if first * 10 / leaves >= tenth {
            note(&format!("{first} of {leaves} leaves"));
            tenth += 1;
        }
        let last = (first + FILL).min(leaves);
        log.append_all((first..last).map(draft).collect())?;
        log.publish()?;
        clock.advance(Duration::from_secs(((last - first) / BATCH) as i64));
    }
    Ok(())
}

/// Appends leaves as they come in an evening, published every second.
fn append(log: &Log, clock: &ManualClock, leaves: usize) -> Result<(), LogError> {
    let mut unpublished = 0;
    for first in (0..leaves).step_by(BATCH) {
        let last = (first + BATCH).min(leaves);
        log.append_all((first..last).map(draft).collect())?;
        clock.advance(Duration::from_secs(1));
        unpublished += last - first;
        if unpublished >= PUBLISH_EVERY {
            log.publish()?;
            unpublished = 0;
        }
    }
    log.publish().map(drop)
}

struct Promises {
    /// Sorted.
    millis: Vec<f64>,
    seconds: f64,
}

/// Lanes that each wait for their promise, while checkpoints are published beside them.
fn promises(log: &Log, watch: &SystemStopwatch) -> anyhow::Result<Promises> {
    let (over, next) = (AtomicBool::new(false), AtomicUsize::new(0));
    let lane = || -> Result<Vec<f64>, LogError> {
        (0..PROMISES_PER_LANE)
            .map(|_| {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let (promise, ms) = watch.time(|| log.append(draft(number)));
                promise.map(|_| ms)
            })
            .collect()
    };
    let publish = || -> Result<(), LogError> {
        let mut due = 0;
        while !over.load(Ordering::Relaxed) {
            if watch.nanos() >= due {
                log.publish()?;
                due = watch.nanos() + PUBLISHED_EVERY.as_nanos() as u64;
            }
            std::thread::sleep(LOOKS_EVERY);
        }
        Ok(())
    };
    let begun = watch.nanos();
    let joined = std::thread::scope(|scope| {
        let publisher = scope.spawn(publish);
        let lanes: Vec<_> = (0..LANES).map(|_| scope.spawn(lane)).collect();
        let joined: Vec<_> = lanes.into_iter().map(|lane| lane.join()).collect();
        let seconds = (watch.nanos() - begun) as f64 / 1e9;
        over.store(true, Ordering::Relaxed);
        (joined, publisher.join(), seconds)
    });
    let (lanes, publisher, seconds) = joined;
    let panicked = |_| anyhow::anyhow!("a thread of the bench panicked");
    publisher.map_err(panicked)??;
    let mut millis = Vec::new();
    for lane in lanes {
        millis.extend(lane.map_err(panicked)??);
    }
    millis.sort_by(f64::total_cmp);
    Ok(Promises { millis, seconds })
}

/// Proofs of leaves anywhere in the log, in sorted milliseconds.
fn proofs(log: &Log, watch: &SystemStopwatch) -> anyhow::Result<Vec<f64>> {
    let size = log.publish()?.checkpoint().size;
    let mut millis = Vec::with_capacity(PROOFS);
    for _ in 0..PROOFS {
        let mut bytes = [0; 8];
        SystemRandom.fill(&mut bytes);
        let (proof, ms) = watch.time(|| log.prove(u64::from_be_bytes(bytes) % size));
        proof?;
        millis.push(ms);
    }
    millis.sort_by(f64::total_cmp);
    Ok(millis)
}

/// Seconds, and how many leaves were within the time.
fn verify(
    dir: &Path,
    policy: &TrustPolicy,
    watch: &SystemStopwatch,
    during: Option<TimeWindow>,
    now: Timestamp,
) -> anyhow::Result<(f64, u64)> {
    let what = Verification { policy, now, during, previous: None };
    let folder = Folder::read_only(dir);
    let (report, ms) = watch.time(|| verify_folder(&folder, &what, &mut |_, _: &Leaf| {}));
    let report = report?;
    ensure!(report.is_sound(), "the bench's log is not sound: {:?}", report.problems);
    Ok((ms / 1e3, report.leaves))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_log_is_filled_proved_and_verified() {
        let dir = tempfile::tempdir().unwrap();
        let figures = measure(dir.path(), 10_000).unwrap();
        assert_eq!(figures.leaves, 10_000 + (LANES * PROMISES_PER_LANE) as u64);
        assert!(figures.promise_p50_ms <= figures.promise_p99_ms);
        assert!(figures.appends_per_s > 0.0 && figures.log_mib > 1.0);
    }
}
