//! How long a start takes where much has happened: run it by hand.
//!
//! `cargo nextest run -p handfast-trust --run-ignored only --no-capture start`
#![expect(clippy::unwrap_used, reason = "a step that fails fails its test")]

use std::path::Path;
use std::sync::Arc;

use futures_util::future::join_all;
use handfast_model::{Clock as _, LinkId, SystemClock, SystemRandom};
use handfast_store::Store;
use handfast_tlog::{AuditTags, DeletionCause, Purpose, Statement};
use handfast_trust::{Record, Trust, TrustConfig};

const USES: usize = 90_000;
const DELETIONS: usize = 10_000;
/// What is asked for at once shares the syncs of the log.
const AT_ONCE: usize = 500;

async fn open(dir: &Path) -> Trust {
    let config = TrustConfig {
        log_dir: dir.join("log"),
        keys_dir: dir.join("keys"),
        deletions: dir.join("deletions"),
        origin: "example.com/log".to_owned(),
        cosigners: Vec::new(),
    };
    let url = format!("sqlite:{}", dir.join("trust.db").display());
    let store = Store::connect(&url).await.unwrap();
    Trust::open(config, store, Arc::new(SystemClock), Arc::new(SystemRandom)).await.unwrap()
}

fn link() -> LinkId {
    LinkId::new(&SystemClock, &SystemRandom)
}

async fn one_use(trust: &Trust) {
    let statement = Statement::Identify {
        purpose: Purpose::Entry,
        place: trust.label(&"evt_1"),
        searched: 900,
        tags: AuditTags::default(),
    };
    let at = SystemClock.now();
    let record = Record::Use { purpose: "entry", place: "North gate".to_owned(), at, tags: None };
    let promised = trust.promise(statement, &record).await.unwrap();
    trust.keep(link(), promised).await.unwrap();
}

async fn one_deletion(trust: &Trust) {
    let link = link();
    trust.decide_deletion(link, DeletionCause::Person).await.unwrap();
    let statement = Statement::Delete { cause: DeletionCause::Person, palms: 2 };
    let record = Record::Deletion {
        receipt_id: "receipt".to_owned(),
        palms: 2,
        deleted_at: SystemClock.now(),
        statement: "Both palms were destroyed.".to_owned(),
    };
    trust.record(link, statement, &record).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes and prints how long a start takes"]
async fn a_start_after_a_hundred_thousand_leaves() {
    let dir = tempfile::tempdir().unwrap();
    let trust = open(dir.path()).await;
    for _ in 0..USES / AT_ONCE {
        join_all((0..AT_ONCE).map(|_| one_use(&trust))).await;
    }
    for _ in 0..DELETIONS / AT_ONCE {
        join_all((0..AT_ONCE).map(|_| one_deletion(&trust))).await;
    }
    trust.publish().await.unwrap();
    drop(trust);
    let start = SystemClock.now();
    let trust = open(dir.path()).await;
    let opened = SystemClock.now();
    let replay = trust.deletions();
    let read = SystemClock.now();
    assert_eq!((replay.links.len(), replay.unknown.len()), (DELETIONS, 0));
    println!(
        "{USES} uses and {DELETIONS} deletions: opened, everything checked, in {:.0} ms; the list of \
         deletions read in {:.1} ms",
        (opened - start).as_millis_f64(),
        (read - opened).as_millis_f64(),
    );
}
