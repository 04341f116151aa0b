//! What every test needs: keys, a clock, drafts.

use std::sync::Arc;

use handfast_model::{Duration, ManualClock, SeededRandom, Timestamp};
use handfast_tlog::{
    AtOpen, Commitment, Cosigner, CosignerGroup, DeletionCause, Disk, Draft, Folder, KeyKind, Leaf,
    Log, LogConfig, SecretKey, Statement, TrustPolicy, Verification,
};

pub const ORIGIN: &str = "log.example.com/handfast";
pub const START: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

pub fn log_key() -> SecretKey {
    SecretKey::generate(ORIGIN, KeyKind::Note, &SeededRandom::new(1)).unwrap()
}

pub fn cosigner(name: &str, seed: u64) -> Cosigner {
    let key = SecretKey::generate(name, KeyKind::Cosignature, &SeededRandom::new(seed)).unwrap();
    Cosigner::new(key).unwrap()
}

pub fn config(at_open: AtOpen) -> LogConfig {
    LogConfig { key: log_key(), cosigners: vec![], at_open }
}

pub fn policy() -> TrustPolicy {
    TrustPolicy::new(log_key().public().clone(), vec![]).unwrap()
}

pub fn group(name: &str, members: &[&Cosigner], needed: usize) -> CosignerGroup {
    let members = members.iter().map(|member| member.public().clone()).collect();
    CosignerGroup { name: name.to_owned(), members, needed }
}

pub fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(START))
}

/// A draft that differs from every other number's.
pub fn draft(number: u64) -> Draft {
    let mut commitment = [0; 32];
    commitment[..8].copy_from_slice(&number.to_be_bytes());
    let statement = Statement::Delete { cause: DeletionCause::Person, palms: number as u32 };
    Draft { statement, commitment: Commitment::from_bytes(commitment) }
}

pub fn drafts(from: u64, to: u64) -> Vec<Draft> {
    (from..to).map(draft).collect()
}

/// A log of `size` leaves, published in uneven steps, a second between them.
pub fn grown(disk: Arc<dyn Disk>, size: u64) -> Log {
    let clock = clock();
    let log = Log::open(disk, config(AtOpen::CheckEverything), clock.clone()).unwrap();
    let mut next = log.status().promised;
    for step in [1, 2, 100, 200, 700, 5_000].into_iter().cycle() {
        if next == size {
            return log;
        }
        let end = (next + step).min(size);
        log.append_all(drafts(next, end)).unwrap();
        log.publish().unwrap();
        clock.advance(Duration::from_secs(1));
        next = end;
    }
    unreachable!("the steps repeat")
}

pub fn folder(size: u64) -> (tempfile::TempDir, Log) {
    let dir = tempfile::tempdir().unwrap();
    let log = grown(Arc::new(Folder::exclusive(dir.path()).unwrap()), size);
    (dir, log)
}

/// Verifies everything.
pub fn all(policy: &TrustPolicy) -> Verification<'_> {
    let now = START + Duration::from_days(1);
    Verification { policy, now, during: None, previous: None }
}

pub fn ignore(_: u64, _: &Leaf) {}
