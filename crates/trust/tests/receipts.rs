//! Leaves, openings and receipts over a real log and both database engines.
#![expect(clippy::unwrap_used, reason = "a step that fails fails its test")]

use std::path::Path;
use std::sync::Arc;

use handfast_model::{Clock, Duration, LinkId, ManualClock, Random, SeededRandom, Timestamp};
use handfast_store::Store;
use handfast_store::test_on_both_engines;
use handfast_tlog::{
    AuditTags, Cosigner, CosignerGroup, DeletionCause, Folder, KeyKind, LogError, Purpose, Receipt,
    Rule, SecretKey, Statement, TrustPolicy, Verification, Witness, verify_folder,
};
use handfast_trust::{COSIGNED_WITHIN, ReceiptState, Record, Trust, TrustConfig, TrustError};

const START: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

struct World {
    dir: tempfile::TempDir,
    clock: Arc<ManualClock>,
    random: Arc<SeededRandom>,
    store: Store,
}

impl World {
    fn new(store: Store) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(START));
        Self { dir, clock, random: Arc::new(SeededRandom::new(5)), store }
    }

    async fn open_with(&self, cosigners: Vec<CosignerGroup>) -> Trust {
        let config = TrustConfig {
            log_dir: self.log_dir(),
            keys_dir: self.dir.path().join("keys"),
            deletions: self.dir.path().join("deletions"),
            origin: "example.com/log".to_owned(),
            cosigners,
        };
        let (clock, random): (Arc<dyn Clock>, Arc<dyn Random>) =
            (self.clock.clone(), self.random.clone());
        Trust::open(config, self.store.clone(), clock, random).await.unwrap()
    }

    fn log_dir(&self) -> std::path::PathBuf {
        self.dir.path().join("log")
    }

    async fn open(&self) -> Trust {
        self.open_with(Vec::new()).await
    }

    fn link(&self) -> LinkId {
        LinkId::new(&*self.clock, &*self.random)
    }

    fn policy(trust: &Trust) -> TrustPolicy {
        TrustPolicy::new(trust.verifier_key().clone(), Vec::new()).unwrap()
    }
}

fn searched(trust: &Trust) -> Statement {
    Statement::Identify {
        purpose: Purpose::Entry,
        place: trust.label(&"evt_1"),
        searched: 900,
        tags: AuditTags::default(),
    }
}

fn use_at(at: Timestamp) -> Record {
    Record::Use { purpose: "entry", place: "North gate".to_owned(), at, tags: None }
}

fn deletion() -> (Statement, Record) {
    let statement = Statement::Delete { cause: DeletionCause::Person, palms: 2 };
    let record = Record::Deletion {
        receipt_id: "receipt-1".to_owned(),
        palms: 2,
        deleted_at: START,
        statement: "Both palms were destroyed.".to_owned(),
    };
    (statement, record)
}

test_on_both_engines! {
    async fn a_use_gives_a_receipt_that_opens_its_leaf_and_no_other(store: Store) {
        let world = World::new(store);
        let (trust, mine, theirs) = (world.open().await, world.link(), world.link());
        let first = trust.promise(searched(&trust), &use_at(START)).await.unwrap();
        let position = first.position();
        trust.keep(mine, first).await.unwrap();
        world.clock.advance(Duration::from_secs(5));
        let second = trust.promise(searched(&trust), &use_at(world.clock.now())).await.unwrap();
        trust.keep(theirs, second).await.unwrap();

        assert_eq!(trust.receipts(mine).await.unwrap()[0].state, ReceiptState::Promised);
        let early = trust.receipt(mine, position).await;
        assert!(matches!(early, Err(TrustError::Log(LogError::NotYet { .. }))), "{early:?}");
        trust.publish().await.unwrap();
        let lines = trust.receipts(mine).await.unwrap();
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].state, ReceiptState::Proven);
        assert!(lines[0].record.contains("North gate"));

        let text = trust.receipt(mine, position).await.unwrap().to_string();
        let receipt = Receipt::parse(text.as_bytes()).unwrap();
        receipt.verify(&World::policy(&trust), world.clock.now()).unwrap();
        assert_eq!(receipt.opening().private_fields(), use_at(START).to_json().as_bytes());
        let foreign = trust.receipt(theirs, position).await;
        assert!(matches!(foreign, Err(TrustError::NoSuchReceipt { .. })), "{foreign:?}");
    }

    async fn a_rule_leaves_a_leaf_whenever_it_is_another_one(store: Store) {
        let world = World::new(store);
        let trust = world.open().await;
        let (bar, gate) = (trust.label(&"bar"), trust.label(&"gate"));
        assert!(trust.note_rule(Rule::EntryThreshold, gate, 900).await.unwrap());
        assert!(!trust.note_rule(Rule::EntryThreshold, gate, 900).await.unwrap());
        assert!(trust.note_rule(Rule::EntryThreshold, bar, 900).await.unwrap());
        drop(trust);
        let trust = world.open().await;
        assert!(!trust.note_rule(Rule::EntryThreshold, gate, 900).await.unwrap(), "it is kept");
        assert!(trust.note_rule(Rule::EntryThreshold, gate, -5).await.unwrap());
        assert!(!trust.note_epoch(0).await.unwrap(), "nothing was renewed yet");
        assert!(trust.note_epoch(1).await.unwrap());
        assert!(!trust.note_epoch(1).await.unwrap());
        trust.publish().await.unwrap();
        let read = trust.read_from(0, Vec::new(), |all, leaf| all.push(leaf.statement().clone()));
        let change = |place, old, new| {
            Statement::PolicyChange { rule: Rule::EntryThreshold, place, old, new }
        };
        let expected = [
            change(gate, 0, 900),
            change(bar, 0, 900),
            change(gate, 900, -5),
            Statement::Refresh { epoch: 1 },
        ];
        assert_eq!(read.await.unwrap().1, expected);
    }

    async fn a_decided_deletion_is_known_after_a_start_without_any_leaf(store: Store) {
        let world = World::new(store);
        let (decided, logged) = (world.link(), world.link());
        let trust = world.open().await;
        let cause = trust.decide_deletion(decided, DeletionCause::Staff).await.unwrap();
        assert_eq!(cause, DeletionCause::Staff);
        let (statement, record) = deletion();
        trust.decide_deletion(logged, DeletionCause::Person).await.unwrap();
        trust.record(logged, statement, &record).await.unwrap();
        trust.publish().await.unwrap();
        drop(trust);
        let trust = world.open().await;
        let mut links = trust.deletions().links;
        links.sort();
        let mut expected = vec![decided, logged];
        expected.sort();
        assert_eq!(links, expected);
        assert!(trust.deletions().unknown.is_empty());
        assert!(trust.tells_of_deletion(logged).await.unwrap());
        assert!(!trust.tells_of_deletion(decided).await.unwrap());
        let again = trust.decide_deletion(decided, DeletionCause::Dormant).await.unwrap();
        assert_eq!(again, DeletionCause::Staff, "the first cause holds");
    }

    async fn what_is_owed_is_carried_once_however_often_it_is_settled(store: Store) {
        let world = World::new(store);
        let link = world.link();
        let (statement, record) = deletion();
        {
            let trust = world.open().await;
            trust.record(link, statement, &record).await.unwrap();
            trust.publish().await.unwrap();
            assert_eq!(trust.status().signed, 1);
        }
        // As if the process had died between the log's promise and noting the place.
        forget_the_place(&world.store).await;
        for _ in 0..2 {
            let trust = world.open().await;
            trust.settle().await.unwrap();
            let lines = trust.receipts(link).await.unwrap();
            assert_eq!((lines.len(), lines[0].position), (1, Some(0)));
            assert_eq!(trust.status().promised, 1, "the leaf was not logged twice");
        }
        // And as if it had died before the log took the leaf.
        let trust = world.open().await;
        let before = trust.status().promised;
        insert_owed_copy(&world.store, link).await;
        trust.settle().await.unwrap();
        assert_eq!(trust.status().promised, before + 1);
    }

    async fn what_is_owed_is_logged_once_while_it_is_being_logged(store: Store) {
        let world = World::new(store);
        let trust = world.open().await;
        let records = (0..40).map(|_| async {
            let (statement, record) = deletion();
            trust.record(world.link(), statement, &record).await.unwrap();
        });
        let settling = async {
            for _ in 0..40 {
                trust.settle().await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        tokio::join!(futures_util::future::join_all(records), settling);
        assert_eq!(trust.status().promised, 40);
    }

    async fn a_full_disk_withholds_uses_and_owes_deletions(store: Store) {
        let world = World::new(store);
        let (trust, link) = (world.open().await, world.link());
        let journal = world.log_dir().join("journal");
        break_dir(&journal);
        let refused = trust.promise(searched(&trust), &use_at(START)).await;
        assert!(matches!(refused, Err(TrustError::Log(_))), "{refused:?}");
        let (statement, record) = deletion();
        trust.record(link, statement, &record).await.unwrap();
        assert_eq!(trust.receipts(link).await.unwrap()[0].position, None);
        mend_dir(&journal);
        drop(trust);
        let trust = world.open().await;
        assert_eq!(trust.receipts(link).await.unwrap()[0].position, Some(0));
    }

    async fn no_id_and_no_record_is_in_the_public_files(store: Store) {
        let world = World::new(store);
        let (trust, link) = (world.open().await, world.link());
        let promised = trust.promise(searched(&trust), &use_at(START)).await.unwrap();
        trust.keep(link, promised).await.unwrap();
        trust.publish().await.unwrap();
        let files = all_bytes(&world.log_dir());
        let holds = |needle: &[u8]| files.windows(needle.len()).any(|window| window == needle);
        assert!(!holds(link.to_string().as_bytes()));
        assert!(!holds(b"North gate"));
        assert!(!holds(b"evt_1"));
        assert!(holds(b"example.com/log"), "the search finds what is there");
        let policy = World::policy(&trust);
        let what =
            Verification { policy: &policy, now: world.clock.now(), during: None, previous: None };
        let report =
            verify_folder(&Folder::read_only(&world.log_dir()), &what, &mut |_, _| {}).unwrap();
        assert!(report.is_sound() && report.size == 1);
    }

    async fn without_cosignatures_nothing_is_promised_after_a_minute(store: Store) {
        let world = World::new(store);
        let key = SecretKey::generate("witness.example", KeyKind::Cosignature, &*world.random);
        let witness = Cosigner::new(key.unwrap()).unwrap();
        let group = CosignerGroup {
            name: "witnesses".to_owned(),
            members: vec![witness.public().clone()],
            needed: 1,
        };
        let trust = world.open_with(vec![group]).await;
        let log_key = trust.verifier_key().clone();
        let memory = Arc::new(Folder::exclusive(&world.dir.path().join("witness")).unwrap());
        let witness = Witness::open(memory, witness, vec![log_key], world.clock.clone()).unwrap();
        let search = async || trust.promise(searched(&trust), &use_at(START)).await.map(drop);
        search().await.unwrap();
        search().await.unwrap();
        world.clock.advance(COSIGNED_WITHIN);
        let refused = search().await;
        assert!(matches!(refused, Err(TrustError::NotCosigned { .. })), "{refused:?}");
        trust.publish().await.unwrap();
        let request = trust.log().request_to_witness(0).unwrap();
        trust.log().add_cosignatures(&witness.add_checkpoint(&request).unwrap()).unwrap();
        search().await.unwrap();
    }

    async fn a_link_is_forgotten_whole_once_its_last_leaf_is_old(store: Store) {
        let world = World::new(store);
        let (trust, gone, living) = (world.open().await, world.link(), world.link());
        // Its palm is there, and nobody used it since: three years are allowed in Illinois.
        let asleep = world.link();
        for link in [gone, living, asleep] {
            let promised = trust.promise(searched(&trust), &use_at(START)).await.unwrap();
            trust.keep(link, promised).await.unwrap();
        }
        world.clock.advance(Duration::from_days(1));
        let day = world.clock.now();
        let promised = trust.promise(searched(&trust), &use_at(day)).await.unwrap();
        trust.keep(living, promised).await.unwrap();
        let there = [living, asleep].into();
        assert_eq!(trust.forget_all(START, &there).await.unwrap(), 0);
        assert_eq!(trust.forget_all(day, &there).await.unwrap(), 1);
        assert!(trust.receipts(gone).await.unwrap().is_empty());
        assert_eq!(trust.receipts(asleep).await.unwrap().len(), 1, "or it gets a second leaf");
        assert_eq!(trust.receipts(living).await.unwrap().len(), 2, "a living link keeps all");
    }
}

async fn forget_the_place(store: &Store) {
    store
        .transaction("test.forget_the_place", |tx| {
            Box::pin(async move {
                let sql = "UPDATE openings SET position = NULL";
                tx.execute(sql, handfast_store::params![]).await.map(drop)
            })
        })
        .await
        .unwrap();
}

/// Another owed row with the same leaf but another commitment, as a crash before the append leaves.
async fn insert_owed_copy(store: &Store, link: LinkId) {
    let blind = vec![9_u8; handfast_tlog::Opening::BLIND_LEN];
    let opening = handfast_tlog::Opening::from_parts([9; 32], b"{}").unwrap();
    let commitment = opening.commitment().as_bytes().to_vec();
    store
        .transaction("test.insert_owed", |tx| {
            let (blind, commitment) = (blind.clone(), commitment.clone());
            Box::pin(async move {
                let sql = "INSERT INTO openings (commitment, link_id, position, looked_from, at, \
                           draft, blind, private_fields) \
                           SELECT $1, $2, NULL, 0, at, draft, $3, $4 FROM openings LIMIT 1";
                let row = handfast_store::params![commitment, link, blind, b"{}".to_vec()];
                tx.execute(sql, row).await.map(drop)
            })
        })
        .await
        .unwrap();
}

/// A file where the folder should be: nothing can be written below it.
fn break_dir(dir: &Path) {
    let _ = std::fs::remove_dir_all(dir);
    std::fs::write(dir, b"in the way").unwrap();
}

fn mend_dir(dir: &Path) {
    std::fs::remove_file(dir).unwrap();
}

fn all_bytes(dir: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        bytes.extend(if path.is_dir() { all_bytes(&path) } else { std::fs::read(path).unwrap() });
    }
    bytes
}
