//! How fast the log is: appends a second, how long a promise and a proof take, how long it takes to
//! verify.
//!
//! `cargo run --release -p handfast-tlog --example rate -- 1000000 [FOLDER]`: leaves, and where to
//! put them (a temporary folder by default; its disk is what is measured). 10000000 is the longer
//! mode, about 2.5 GB. The last tenth of the leaves is "a month".

#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use handfast_model::{
    Clock, Duration, ManualClock, Random, SystemClock, SystemRandom, TimeWindow, Timestamp,
};
use handfast_tlog::{
    AtOpen, AuditTag, AuditTags, Commitment, Draft, Folder, KeyKind, Label, Leaf, Log, LogConfig,
    Purpose, SecretKey, Statement, Verification, verify_folder,
};

/// Leaves that come at once: a stadium's gates within 50 ms.
const BATCH: usize = 500;
/// Leaves between checkpoints: more than a second's worth.
const PUBLISH_EVERY: usize = 20_000;
/// Threads that wait for promises, as lanes do.
const LANES: usize = 16;
const PROMISES_PER_LANE: usize = 200;
const PROOFS: usize = 2_000;

fn draft(number: u64) -> Draft {
    let mut commitment = [0; 32];
    commitment[..8].copy_from_slice(&number.to_be_bytes());
    let tags =
        AuditTags::new(vec![AuditTag { query: [7; 16], tag: [8; 16] }]).expect("one tag fits");
    let place = Label::from_bytes([1; 16]);
    let statement = Statement::Identify { purpose: Purpose::Entry, place, searched: 10_000, tags };
    Draft { statement, commitment: Commitment::from_bytes(commitment) }
}

fn ms_since(start: Timestamp) -> f64 {
    (SystemClock.now() - start).as_millis_f64()
}

fn p99(mut times_ms: Vec<f64>) -> f64 {
    times_ms.sort_by(f64::total_cmp);
    times_ms[times_ms.len() * 99 / 100]
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let leaves: usize = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let temporary = tempfile::tempdir()?;
    let dir = arguments.next().map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    let key = SecretKey::generate("log.example.com", KeyKind::Note, &SystemRandom)?;
    let config = LogConfig { key, cosigners: vec![], at_open: AtOpen::CheckEdge };
    // The log's own clock goes a second a batch, so that there is a "month" to filter by.
    let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_790_000_000_000_000)));
    let log = Log::open(Arc::new(Folder::exclusive(&dir)?), config.clone(), clock.clone())?;

    fill(&log, &clock, leaves)?;
    promises(&log)?;
    proofs(&log)?;
    let policy = log.policy().clone();
    drop(log);
    let start = SystemClock.now();
    let log = Log::open(Arc::new(Folder::exclusive(&dir)?), config, clock.clone())?;
    println!("opened, edge checked, in {:.0} ms", ms_since(start));
    drop(log);
    let now = clock.now();
    let month = Duration::from_secs((leaves / BATCH / 10) as i64);
    for (name, during) in
        [("a month", Some(TimeWindow { start: now - month, end: now })), ("everything", None)]
    {
        let start = SystemClock.now();
        let what = Verification { policy: &policy, now, during, previous: None };
        let report = verify_folder(&Folder::read_only(&dir), &what, &mut |_: u64, _: &Leaf| ())?;
        assert!(report.is_sound(), "{:?}", report.problems);
        let (count, ms) = (report.leaves, ms_since(start));
        println!("verified {name}: {count} leaves, {} tiles, in {ms:.0} ms", report.tiles);
    }
    Ok(())
}

fn fill(log: &Log, clock: &ManualClock, leaves: usize) -> Result<(), Box<dyn Error>> {
    let start = SystemClock.now();
    for batch in 0..leaves.div_ceil(BATCH) {
        let first = batch * BATCH;
        let last = (first + BATCH).min(leaves);
        log.append_all((first..last).map(|at| draft(at as u64)).collect())?;
        clock.advance(Duration::from_secs(1));
        if last % PUBLISH_EVERY < BATCH {
            log.publish()?;
        }
    }
    log.publish()?;
    let ms = ms_since(start);
    let rate = leaves as f64 / ms * 1_000.0;
    println!("appended and published {leaves} leaves in {ms:.0} ms: {rate:.0} a second");
    Ok(())
}

/// Lanes that each wait for their promise, while checkpoints are published beside them.
fn promises(log: &Log) -> Result<(), Box<dyn Error>> {
    let over = AtomicBool::new(false);
    let start = SystemClock.now();
    let times: Vec<f64> = std::thread::scope(|scope| {
        let publisher = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                log.publish()?;
                std::thread::sleep(std::time::Duration::from_millis(200));
            }
            Ok::<(), handfast_tlog::LogError>(())
        });
        let lane = |lane: usize| {
            let one = move |at: usize| {
                let start = SystemClock.now();
                log.append(draft((lane * PROMISES_PER_LANE + at) as u64)).map(|_| ms_since(start))
            };
            scope.spawn(move || (0..PROMISES_PER_LANE).map(one).collect::<Result<Vec<_>, _>>())
        };
        let lanes: Vec<_> = (0..LANES).map(lane).collect();
        let joined: Result<Vec<Vec<f64>>, _> =
            lanes.into_iter().map(|lane| lane.join().expect("a lane does not panic")).collect();
        over.store(true, Ordering::Relaxed);
        publisher.join().expect("the publisher does not panic")?;
        joined.map(|times| times.concat())
    })?;
    let rate = times.len() as f64 / ms_since(start) * 1_000.0;
    println!("{LANES} lanes: {rate:.0} promises a second, p99 {:.2} ms", p99(times));
    Ok(())
}

fn proofs(log: &Log) -> Result<(), Box<dyn Error>> {
    let size = log.publish()?.checkpoint().size;
    let mut times = Vec::with_capacity(PROOFS);
    for _ in 0..PROOFS {
        let mut bytes = [0; 8];
        SystemRandom.fill(&mut bytes);
        let index = u64::from_be_bytes(bytes) % size;
        let start = SystemClock.now();
        log.prove(index)?;
        times.push(ms_since(start));
    }
    println!("proof in {size} leaves p99 {:.3} ms", p99(times));
    Ok(())
}
