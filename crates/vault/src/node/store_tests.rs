//! Both stores keep what they were given, and the one on disk destroys what it should.

use std::path::Path;
use std::sync::Arc;

use handfast_model::{Random as _, SeededRandom, Timestamp};
use handfast_mpc::Role;
use zeroize::Zeroizing;

use super::memory_store::MemoryDisk;
use super::{
    Batch, Budget, BudgetUse, Certificate, Certified, Change, GalleryName, Hash, NodeStore,
    NodeStoreError, Operation, OperationName, Renewal, RowBytes, SqliteStore, Undecided, Verdict,
    Vote,
};
use crate::testing::files_with;

fn row(seed: u64) -> RowBytes {
    let mut bytes = Zeroizing::new(vec![0; 128]);
    SeededRandom::new(seed).fill(&mut bytes);
    bytes
}

fn certified(number: u64) -> Certified {
    let name = OperationName([number as u8; 16]);
    let operation = Operation { number, previous: Hash([1; 32]), name, change: Change::Refresh };
    let certificate = Certificate { verdict: Verdict::Prepared, signatures: [[7; 64]; 3] };
    Certified { operation, certificate }
}

fn undecided(seeds: bool) -> Undecided {
    let vote = Vote { node: Role::B, verdict: Verdict::Prepared, signature: [3; 64] };
    let seeds = seeds.then(|| Box::new(Zeroizing::new([[0x5e; 32], [0x5f; 32], [0x60; 32]])));
    Undecided { operation: certified(3).operation, vote: Some(vote), seeds }
}

fn all_rows(store: &mut dyn NodeStore) -> Vec<(u64, Vec<u8>)> {
    let mut rows = Vec::new();
    store.rows(&mut |slot, bytes| rows.push((slot, bytes.to_vec()))).unwrap();
    rows
}

fn all_operations(store: &mut dyn NodeStore, from: u64) -> Vec<Certified> {
    let mut operations = Vec::new();
    let each = &mut |certified| {
        operations.push(certified);
        true
    };
    store.operations(from, each).unwrap();
    operations
}

struct Turn(u8);

impl Renewal for Turn {
    fn restart(&mut self) {
        self.0 = 0;
    }

    fn row(&mut self, _slot: u64, bytes: &[u8]) -> Result<RowBytes, NodeStoreError> {
        self.0 += 1;
        Ok(Zeroizing::new(bytes.iter().map(|byte| byte ^ self.0).collect()))
    }
}

/// What any store does; `reopen` takes it through a restart.
fn keeps_what_it_is_given(
    mut store: Box<dyn NodeStore>,
    reopen: &dyn Fn(Box<dyn NodeStore>) -> Box<dyn NodeStore>,
) {
    let put = (1..=5).map(|slot| (slot, row(slot))).collect();
    let since = Timestamp::from_micros(5);
    let used = BudgetUse { budget: Budget::Slot(GalleryName([1; 16]), 4), since, used: 6 };
    let batch = Batch {
        undecided: Some(Some(undecided(true))),
        append: vec![certified(1), certified(2)],
        put,
        budgets: vec![used, BudgetUse { used: 7, ..used }],
        ..Batch::default()
    };
    store.commit(batch).unwrap();
    let mut store = reopen(store);
    let stored = store.load().unwrap();
    assert_eq!(stored.undecided, Some(undecided(true)));
    assert_eq!(stored.budgets, [BudgetUse { used: 7, ..used }]);
    assert_eq!(all_operations(&mut *store, 1), [certified(1), certified(2)]);
    assert_eq!(all_operations(&mut *store, 2), [certified(2)]);
    assert_eq!(store.slots().unwrap(), [1, 2, 3, 4, 5]);
    assert_eq!(*store.row(3).unwrap().unwrap(), *row(3));
    assert!(store.row(9).unwrap().is_none());
    let decided = || Batch {
        undecided: Some(None),
        append: vec![certified(3)],
        destroy: vec![2],
        ..Batch::default()
    };
    store.commit(decided()).unwrap();
    store.commit(decided()).expect("a batch may be stored again");
    let mut store = reopen(store);
    assert!(store.load().unwrap().undecided.is_none());
    assert_eq!(store.slots().unwrap(), [1, 3, 4, 5]);
    let batch = Batch { append: vec![certified(4)], ..Batch::default() };
    store.renew(batch, &mut Turn(9)).unwrap();
    let expected: Vec<(u64, Vec<u8>)> = [1, 3, 4, 5]
        .into_iter()
        .zip(1..)
        .map(|(slot, turn)| (slot, row(slot).iter().map(|byte| byte ^ turn).collect()))
        .collect();
    assert_eq!(all_rows(&mut *store), expected);
    let mut store = reopen(store);
    assert_eq!(all_rows(&mut *store), expected);
    assert_eq!(all_rows(&mut *store), expected, "a second time, without the keys of opening");
    assert_eq!(all_operations(&mut *store, 1).len(), 4);
}

#[test]
fn in_memory() {
    let disk = MemoryDisk::new();
    let store = Box::new(disk.store());
    keeps_what_it_is_given(store, &|_| Box::new(disk.store()));
}

fn open(dir: &Path) -> SqliteStore {
    SqliteStore::open(dir, Arc::new(SeededRandom::new(1_001))).unwrap()
}

#[test]
fn on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let store = Box::new(open(dir.path()));
    keeps_what_it_is_given(store, &|store| {
        drop(store);
        Box::new(open(dir.path()))
    });
}

#[test]
fn nothing_is_on_disk_in_clear_and_what_is_destroyed_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let undecided = Some(Some(undecided(true)));
    let put = vec![(1, row(1)), (2, row(2))];
    store.commit(Batch { undecided, put, ..Batch::default() }).unwrap();
    assert!(files_with(dir.path(), &row(1)[..32]).is_empty());
    assert!(files_with(dir.path(), &[0x5e; 32]).is_empty(), "a seed");
    let backup = crate::testing::copy_of(dir.path());
    let (undecided, destroy) = (Some(None), vec![1]);
    store.commit(Batch { undecided, destroy, ..Batch::default() }).unwrap();
    drop(store);
    // The old database beside the present keys: neither the row nor the seeds come back.
    std::fs::copy(backup.path().join("node.db"), dir.path().join("node.db")).unwrap();
    let wal = backup.path().join("node.db-wal");
    if wal.exists() {
        std::fs::copy(wal, dir.path().join("node.db-wal")).unwrap();
    }
    let mut store = open(dir.path());
    assert_eq!(store.slots().unwrap(), [2], "a row without its key is removed");
    assert!(store.load().is_err(), "seeds without their key are an error, not zeros");
}

#[test]
fn rows_of_before_a_renewal_open_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    store.commit(Batch { put: vec![(1, row(1))], ..Batch::default() }).unwrap();
    drop(store);
    let backup = crate::testing::copy_of(dir.path());
    let mut store = open(dir.path());
    store.renew(Batch::default(), &mut Turn(0)).unwrap();
    drop(store);
    std::fs::copy(backup.path().join("node.db"), dir.path().join("node.db")).unwrap();
    let opened = SqliteStore::open(dir.path(), Arc::new(SeededRandom::new(2)));
    assert!(opened.is_err(), "its generation's key is destroyed");
}

#[test]
fn keys_that_are_missing_are_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    store.commit(Batch { put: vec![(1, row(1))], ..Batch::default() }).unwrap();
    drop(store);
    for file in ["row.keys", "node.key"] {
        let kept = dir.path().join("kept");
        std::fs::rename(dir.path().join(file), &kept).unwrap();
        assert!(SqliteStore::open(dir.path(), Arc::new(SeededRandom::new(2))).is_err(), "{file}");
        std::fs::rename(&kept, dir.path().join(file)).unwrap();
    }
    assert_eq!(open(dir.path()).slots().unwrap(), [1]);
}
