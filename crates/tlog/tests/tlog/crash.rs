//! Goal: whatever instant a crash or an error comes at, what was promised is there at its place
//! afterwards, and every checkpoint that was ever given out is a beginning of every later one.
//!
//! A failure: a promise that is not kept, a fork, a folder that does not open, a tree that does not
//! verify. Not a failure: a leaf that nobody was promised appears, or does not.

use std::io;
use std::sync::Arc;

use handfast_model::{Clock, Duration};
use handfast_tlog::{
    AtOpen, Disk, Folder, Leaf, Log, LogError, Promise, SignedCheckpoint, UNPUBLISHED_MAX,
    WAITING_MAX, check_consistency, verify_checkpoint, verify_folder,
};

use crate::common::{all, clock, config, draft, drafts, ignore, log_key, policy};
use crate::sim_disk::{Fault, SimDisk};

/// What was given out before the crash.
#[derive(Default)]
struct Given {
    promises: Vec<Promise>,
    checkpoints: Vec<SignedCheckpoint>,
    drafted: u64,
}

fn open(disk: &Arc<SimDisk>) -> Result<Log, LogError> {
    let disk: Arc<dyn Disk> = disk.clone();
    Log::open(disk, config(AtOpen::CheckEverything), clock())
}

/// A short life of a log; errors end a step, not the life.
fn live(disk: &Arc<SimDisk>, given: &mut Given, batches: &[u64]) {
    let Ok(log) = open(disk) else { return };
    for (step, &count) in batches.iter().enumerate() {
        let (from, to) = (given.drafted, given.drafted + count);
        given.drafted = to;
        if let Ok(promises) = log.append_all(drafts(from, to)) {
            given.promises.extend(promises);
        }
        if step % 2 == 1 {
            given.checkpoints.extend(log.publish());
        }
    }
}

/// Opens again, publishes, and holds the log to its word.
fn check_kept(disk: &Arc<SimDisk>, given: &mut Given, what: &str) {
    let log = open(disk).unwrap_or_else(|error| panic!("{what}: does not open: {error}"));
    let last = log.append(draft(given.drafted)).unwrap();
    given.drafted += 1;
    given.promises.push(last);
    given.checkpoints.push(log.publish().unwrap());
    let newest = log.checkpoint();
    let mut leaves = Vec::new();
    let mut collect = |_, leaf: &Leaf| leaves.push(leaf.hash());
    let report = verify_folder(disk.as_ref(), &all(&policy()), &mut collect).unwrap();
    assert!(report.is_sound(), "{what}: {:?}", report.problems);
    for promise in &given.promises {
        assert_eq!(leaves[promise.index() as usize], promise.leaf(), "{what}: {}", promise.index());
    }
    // Signatures are slow to check in a debug build: the last of them stand for all.
    for promise in given.promises.iter().rev().take(2) {
        promise.check(log_key().public()).unwrap();
        let proof = log.prove(promise.index()).unwrap();
        proof.verify(promise.leaf(), &policy(), clock().now()).unwrap();
    }
    for old in &given.checkpoints {
        let (old, new) = (old.checkpoint(), newest.checkpoint());
        let proof = log.request_to_witness(old.size).unwrap().proof;
        check_consistency(old.size, old.root, new.size, new.root, &proof)
            .unwrap_or_else(|error| panic!("{what}: forked from {}: {error}", old.size));
    }
    // Readers of an older checkpoint still find its tiles.
    if let Some(old) = given.checkpoints.iter().rev().nth(1) {
        let report = verify_checkpoint(disk.as_ref(), old, &all(&policy()), &mut ignore);
        assert!(report.is_sound(), "{what}: {:?}", report.problems);
    }
}

/// Uneven batches across the width of a tile, so that files of every kind are made.
const BATCHES: [u64; 6] = [3, 250, 2, 1, 40, 5];

fn operations_of_a_life() -> u64 {
    let disk = Arc::new(SimDisk::new(0));
    live(&disk, &mut Given::default(), &BATCHES);
    disk.operations()
}

#[test]
fn a_crash_at_every_operation_loses_nothing_promised_and_forks_nothing() {
    let operations = operations_of_a_life();
    assert!(operations > 60, "the life is too short to mean anything: {operations}");
    for (at, seed) in (0..operations).flat_map(|at| [(at, 1), (at, 2), (at, 3)]) {
        let what = format!("crash at operation {at}, seed {seed}");
        let disk = Arc::new(SimDisk::new(seed * 10_000 + at));
        let mut given = Given::default();
        disk.plan(at, Fault::Crash);
        live(&disk, &mut given, &BATCHES);
        assert!(disk.has_crashed(), "{what}");
        disk.restart();
        // A second crash, while the first is being recovered from.
        if seed == 3 {
            disk.plan(disk.operations() + at % 9, Fault::Crash);
            live(&disk, &mut given, &[2, 9]);
            disk.restart();
        }
        check_kept(&disk, &mut given, &what);
    }
}

#[test]
fn an_error_at_every_operation_leaves_a_log_that_goes_on_or_says_that_it_stopped() {
    let operations = operations_of_a_life();
    for at in 0..operations {
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::Other] {
            let what = format!("{kind} at operation {at}");
            let disk = Arc::new(SimDisk::new(at));
            let mut given = Given::default();
            disk.plan(at, Fault::Error(kind));
            live(&disk, &mut given, &BATCHES);
            check_kept(&disk, &mut given, &what);
            disk.restart();
            check_kept(&disk, &mut given, &format!("{what}, then power off"));
        }
    }
}

#[test]
fn a_full_disk_is_named_and_the_log_goes_on_when_there_is_room() {
    let disk = Arc::new(SimDisk::new(1));
    let log = open(&disk).unwrap();
    log.append(draft(0)).unwrap();
    disk.plan(disk.operations(), Fault::Error(io::ErrorKind::StorageFull));
    let error = log.append(draft(1)).unwrap_err();
    assert!(matches!(error, LogError::DiskFull { .. }), "{error}");
    assert!(error.to_string().contains("make room"), "{error}");
    assert_eq!(log.append(draft(2)).unwrap().index(), 1);
    disk.plan(disk.operations() + 1, Fault::Error(io::ErrorKind::StorageFull));
    assert!(matches!(log.publish(), Err(LogError::DiskFull { .. })));
    assert_eq!(log.publish().unwrap().checkpoint().size, 2);
}

#[test]
fn after_a_failed_sync_the_log_stops_until_it_is_opened_again() {
    let disk = Arc::new(SimDisk::new(1));
    let log = open(&disk).unwrap();
    log.append(draft(0)).unwrap();
    // The batch is written by one operation and synced by the next.
    disk.plan(disk.operations() + 1, Fault::Error(io::ErrorKind::Other));
    assert!(matches!(log.append(draft(1)), Err(LogError::Disk { action: "sync", .. })));
    assert!(matches!(log.append(draft(2)), Err(LogError::Stopped(_))));
    assert!(log.status().stopped.is_some());
    let again = open(&disk).unwrap();
    assert!(again.append(draft(2)).unwrap().index() >= 1);
}

#[test]
fn many_callers_share_batches_and_every_promise_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Folder::exclusive(dir.path()).unwrap());
    let log = Log::open(disk, config(AtOpen::CheckEverything), clock()).unwrap();
    let promises: Vec<Promise> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8_u64)
            .map(|thread| {
                let log = &log;
                let life = move |at| {
                    if at % 20 == 0 {
                        log.publish().unwrap();
                    }
                    log.append(draft(thread * 1_000 + at)).unwrap()
                };
                scope.spawn(move || (0..60).map(life).collect::<Vec<_>>())
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    log.publish().unwrap();
    let mut indexes: Vec<u64> = promises.iter().map(Promise::index).collect();
    indexes.sort_unstable();
    assert_eq!(indexes, (0..480).collect::<Vec<_>>());
    for promise in &promises {
        assert_eq!(log.leaf(promise.index()).unwrap().hash(), promise.leaf());
    }
}

#[test]
fn a_clock_that_is_set_back_does_not_turn_the_log_back() {
    let clock = clock();
    let disk = Arc::new(SimDisk::new(1));
    let log = Log::open(disk.clone(), config(AtOpen::CheckEverything), clock.clone()).unwrap();
    log.append(draft(0)).unwrap();
    clock.advance(Duration::from_hours(-1));
    log.append(draft(1)).unwrap();
    drop(log);
    let log = Log::open(disk.clone(), config(AtOpen::CheckEdge), clock.clone()).unwrap();
    log.append(draft(2)).unwrap();
    log.publish().unwrap();
    let log = Log::open(disk.clone(), config(AtOpen::CheckEdge), clock).unwrap();
    log.append(draft(3)).unwrap();
    log.publish().unwrap();
    let report = verify_folder(disk.as_ref(), &all(&policy()), &mut ignore).unwrap();
    assert!(report.is_sound() && report.leaves == 4, "{:?}", report.problems);
}

#[test]
fn too_much_at_once_is_refused_with_the_limit() {
    let log = open(&Arc::new(SimDisk::new(1))).unwrap();
    let error = log.append_all(drafts(0, WAITING_MAX as u64 + 1)).unwrap_err();
    assert!(matches!(error, LogError::Overloaded { max: WAITING_MAX, .. }), "{error}");
    assert!(log.append_all(vec![]).unwrap().is_empty());
    const { assert!(WAITING_MAX <= UNPUBLISHED_MAX) };
}
