//! How many tickets a second each redeems, one after the other on the same machine: pretix over its
//! REST API from several threads, ours by `handfast bench redeem` of the built binary.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::pretix::Pretix;
use crate::table;

/// Scanners at pretix at a time: more than it has workers, so that none of them idles.
const THREADS: usize = 8;
/// Tickets: enough for some seconds of it.
const TICKETS: usize = 120;
/// Its SQLite refuses some where its threads meet; they are asked again, as a scanner would.
const TRIES_MAX: usize = 50;
const OURS_SECONDS: &str = "5";
/// What the peer runs on, where `scripts/pretix-postgres.sh` started it; else as `peers/pretix/run.sh`
/// does.
const PEER_RUNS_ON: &str = "HANDFAST_PRETIX_RUNS_ON";
/// An empty PostgreSQL database for ours, where that script started a server.
const DATABASE: &str = "HANDFAST_RATE_DATABASE";
/// The reach that is wanted.
const TIMES_WANTED: f64 = 20.0;

#[test]
#[ignore = "measures: needs a pretix, a release build and a quiet machine"]
fn ours_redeems_many_times_as_many_as_pretix() {
    let Some(pretix) = Pretix::connect() else {
        println!("skipped: no pretix answers; start peers/pretix/run.sh");
        return;
    };
    let binary = std::env::var("HANDFAST_BIN").map_or_else(
        |_| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/release/handfast")),
        PathBuf::from,
    );
    if !binary.exists() {
        println!("skipped: {} is not built", binary.display());
        return;
    }
    let theirs = rate_of(&pretix);
    let runs_on = std::env::var(PEER_RUNS_ON)
        .unwrap_or_else(|_| "SQLite, one worker with four threads".to_owned());
    let mut rows = format!(
        "| system | redeemed a second | p99 at 200 a second | times as many |\n|---|---|---|---|\n\
         | pretix 2026.8.0, {runs_on} | {theirs:.1} | does not reach it | |\n"
    );
    let postgres = std::env::var(DATABASE).ok();
    let mut all_times = Vec::new();
    for database in std::iter::once(None).chain(postgres.as_deref().map(Some)) {
        let ours = ours(&binary, database);
        let rate = ours["rate_per_s"].as_f64().unwrap();
        let (name, p99) = (ours["database"].as_str().unwrap(), ours["p99_ms"].as_f64().unwrap());
        let times = rate / theirs;
        writeln!(rows, "| Handfast, {name} | {rate:.0} | {p99:.1} ms | {times:.0} |").unwrap();
        all_times.push(times);
    }
    println!("{rows}");
    assert!(all_times.iter().all(|times| *times >= TIMES_WANTED), "{all_times:?} times as many");
    if std::env::var_os("HANDFAST_WRITE_DOCS").is_some() {
        table::write_rate(&rows);
    }
}

fn ours(binary: &Path, database: Option<&str>) -> Value {
    let mut bench = Command::new(binary);
    bench.args(["bench", "redeem", "--json", "--seconds", OURS_SECONDS]);
    if let Some(database) = database {
        bench.args(["--danger-database", database]);
    }
    let output = bench.output().unwrap();
    let ours: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(ours["durable"], true);
    ours
}

fn rate_of(pretix: &Pretix) -> f64 {
    let secrets = pretix.secrets(TICKETS);
    let list = pretix.plain_list();
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let began = uptime();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(secret) = secrets.get(number) else { break };
                    let nonce = format!("rate-{list}-{number}");
                    if (0..TRIES_MAX).any(|_| pretix.redeem(list, secret, &nonce)) {
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let took = uptime() - began;
    assert_eq!(done.into_inner(), TICKETS, "pretix refused some");
    TICKETS as f64 / took.as_secs_f64()
}

/// The machine's uptime, to a hundredth of a second: precise enough for seconds of work.
fn uptime() -> Duration {
    let text = std::fs::read_to_string("/proc/uptime").unwrap();
    let seconds = text.split(' ').next().unwrap().parse::<f64>().unwrap();
    Duration::from_secs_f64(seconds)
}
