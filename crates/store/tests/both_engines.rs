//! What both engines must do alike: values, transactions, conflicts, migrations.

#![expect(clippy::unwrap_used, reason = "a step that fails fails its test")]

use std::sync::atomic::{AtomicU32, Ordering};

use handfast_model::{Duration, ManualClock, PairwiseToken, SeededRandom, TicketId, Timestamp};
use handfast_store::testing::TestStore;
use handfast_store::{
    Migration, Migrations, Store, StoreError, StoreOptions, Tx, params, test_on_both_engines,
    text_enum,
};
use tokio::sync::Mutex;

text_enum! {
    enum Colour {
        Red = "red",
        Blue = "blue",
    }
}

const FIRST: Migration = Migration {
    version: 1,
    name: "first tables",
    sql: "CREATE TABLE things (id TEXT PRIMARY KEY, amount BIGINT, token BYTEA, used BOOLEAN, colour TEXT);
          CREATE TABLE counts (name TEXT PRIMARY KEY, value BIGINT NOT NULL);",
};
const SECOND: Migration =
    Migration { version: 2, name: "owners", sql: "ALTER TABLE things ADD COLUMN owner TEXT" };
const ONE: Migrations = Migrations { service: "test", steps: &[FIRST] };
const BOTH: Migrations = Migrations { service: "test", steps: &[FIRST, SECOND] };

type Thing = (TicketId, Option<Timestamp>, Option<PairwiseToken>, Option<bool>, Option<Colour>);

fn ticket(seed: u64) -> TicketId {
    let clock = ManualClock::at(Timestamp::from_micros(1_790_000_000_000_000));
    TicketId::new(&clock, &SeededRandom::new(seed))
}

async fn insert(store: &Store, thing: &Thing) -> Result<(), StoreError> {
    store
        .transaction("test.insert", |tx| {
            Box::pin(async move {
                let (id, at, token, used, colour) = thing;
                tx.execute(
                    "INSERT INTO things (id, amount, token, used, colour) VALUES ($1, $2, $3, $4, $5)",
                    params![id, at, token, used, colour],
                )
                .await
                .map(drop)
            })
        })
        .await
}

async fn all_things(store: &Store) -> Vec<Thing> {
    let things: Result<_, StoreError> = store
        .read("test.all", |tx| {
            Box::pin(async move {
                tx.fetch_all(
                    "SELECT id, amount, token, used, colour FROM things ORDER BY id",
                    params![],
                )
                .await
            })
        })
        .await;
    things.unwrap()
}

async fn count_up(store: &Store) -> Result<i64, StoreError> {
    store
        .transaction("test.count", |tx| {
            Box::pin(async move {
                let sql = "SELECT value FROM counts WHERE name = $1";
                let (value,): (i64,) = tx.fetch_one(sql, params!["a"]).await?;
                let sql = "UPDATE counts SET value = $1 WHERE name = $2";
                tx.execute(sql, params![value + 1, "a"]).await?;
                Ok(value + 1)
            })
        })
        .await
}

async fn start_counting(store: &Store) {
    store.migrate(&ONE).await.unwrap();
    let started: Result<u64, StoreError> = store
        .transaction("test.start", |tx| {
            Box::pin(async move {
                tx.execute("INSERT INTO counts (name, value) VALUES ($1, 0)", params!["a"]).await
            })
        })
        .await;
    started.unwrap();
}

test_on_both_engines! {
    async fn values_and_nulls_come_back_as_they_went(store: Store) {
        store.migrate(&ONE).await.unwrap();
        let full = (
            ticket(1),
            Some(Timestamp::MAX),
            Some(PairwiseToken::from_bytes([0xf7; 16])),
            Some(true),
            Some(Colour::Blue),
        );
        let empty = (ticket(2), None, None, None, None);
        let negative = (ticket(3), Some(Timestamp::from_micros(i64::MIN)), None, Some(false), Some(Colour::Red));
        let mut things = [full, empty, negative];
        things.sort_by_key(|thing| thing.0);
        for thing in &things {
            insert(&store, thing).await.unwrap();
        }
        assert_eq!(all_things(&store).await, things);
    }

    async fn expressions_give_integers_and_booleans(store: Store) {
        let row: Result<(i64, i64, bool, Option<String>), StoreError> = store
            .read("test.expressions", |tx| Box::pin(async move {
                tx.fetch_one(
                    "SELECT CASE WHEN $1 > 3 THEN 1 ELSE 0 END, COUNT(*), EXISTS (SELECT 1), CAST($2 AS TEXT)",
                    params![5_i64, None::<&str>],
                ).await
            }))
            .await;
        assert_eq!(row.unwrap(), (1, 1, true, None));
    }

    async fn a_null_compares_and_coalesces(store: Store) {
        store.migrate(&ONE).await.unwrap();
        insert(&store, &(ticket(1), None, None, None, None)).await.unwrap();
        let found: Result<Vec<(TicketId, i64)>, StoreError> = store
            .read("test.null", |tx| Box::pin(async move {
                tx.fetch_all(
                    "SELECT id, COALESCE(amount, $1) FROM things WHERE $2 IS NULL OR amount = $2",
                    params![7_i64, None::<i64>],
                ).await
            }))
            .await;
        assert_eq!(found.unwrap(), [(ticket(1), 7)]);
    }

    async fn a_duplicate_is_told_from_other_errors(store: Store) {
        store.migrate(&ONE).await.unwrap();
        let thing = (ticket(1), None, None, None, None);
        insert(&store, &thing).await.unwrap();
        let error = insert(&store, &thing).await.unwrap_err();
        assert!(matches!(error, StoreError::Duplicate { transaction: "test.insert", .. }), "{error:?}");
        assert_eq!(store.counters()["test.insert"].failures, 1);
    }

    async fn an_error_leaves_no_trace(store: Store) {
        store.migrate(&ONE).await.unwrap();
        let result: Result<(), StoreError> = store
            .transaction("test.abandon", |tx| Box::pin(async move {
                tx.execute("INSERT INTO things (id) VALUES ($1)", params![ticket(1)]).await?;
                Err(StoreError::Missing { transaction: "test.abandon" })
            }))
            .await;
        assert!(result.is_err());
        assert_eq!(all_things(&store).await, []);
    }

    async fn a_read_cannot_write(store: Store) {
        store.migrate(&ONE).await.unwrap();
        let result: Result<u64, StoreError> = store
            .read("test.read", |tx| Box::pin(async move {
                tx.execute("INSERT INTO things (id) VALUES ($1)", params![ticket(1)]).await
            }))
            .await;
        assert!(matches!(result, Err(StoreError::Database { .. })), "{result:?}");
    }

    async fn contenders_all_get_through_one_after_the_other(store: Store) {
        const CONTENDERS: i64 = 24;
        start_counting(&store).await;
        let tasks: Vec<_> = (0..CONTENDERS)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { count_up(&store).await.unwrap() })
            })
            .collect();
        let mut seen = Vec::new();
        for task in tasks {
            seen.push(task.await.unwrap());
        }
        seen.sort_unstable();
        assert_eq!(seen, (1..=CONTENDERS).collect::<Vec<_>>());
        let count = store.counters()["test.count"];
        assert_eq!(count.commits, CONTENDERS as u64);
        assert_eq!(count.attempts, count.commits + count.retries);
        assert_eq!(count.failures, 0);
    }

    async fn a_locked_row_is_waited_for(store: Store) {
        const CONTENDERS: i64 = 24;
        start_counting(&store).await;
        let tasks: Vec<_> = (0..CONTENDERS)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { count_up_locked(&store).await.unwrap() })
            })
            .collect();
        let mut seen = Vec::new();
        for task in tasks {
            seen.push(task.await.unwrap());
        }
        seen.sort_unstable();
        assert_eq!(seen, (1..=CONTENDERS).collect::<Vec<_>>());
        assert_eq!(store.counters()["test.count_locked"].retries, 0, "nobody fails, everybody waits");
    }

    async fn whoever_was_slower_finds_the_row_of_the_quicker(store: Store) {
        start_counting(&store).await;
        let tasks: Vec<_> = (0..12)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { make_once(&store).await })
            })
            .collect();
        let mut made = 0;
        for task in tasks {
            made += i64::from(task.await.unwrap().unwrap());
        }
        assert_eq!(made, 1);
    }

    async fn strangers_who_look_at_everything_all_get_through(store: Store) {
        const CONTENDERS: i64 = 48;
        start_counting(&store).await;
        let tasks: Vec<_> = (0..CONTENDERS)
            .map(|number| {
                let store = store.clone();
                tokio::spawn(async move { add_after_looking(&store, number).await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        assert_eq!(store.counters()["test.look"].commits, CONTENDERS as u64);
    }

    async fn a_name_is_held_by_one(store: Store) {
        start_counting(&store).await;
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { add_under_a_name(&store).await.unwrap() })
            })
            .collect();
        let mut added = 0;
        for task in tasks {
            added += task.await.unwrap();
        }
        assert_eq!(added, 1, "whoever waited for the name sees what its holder did");
    }

    async fn migrations_are_applied_once_and_in_steps(store: Store) {
        store.migrate(&ONE).await.unwrap();
        insert(&store, &(ticket(1), None, None, None, None)).await.unwrap();
        store.migrate(&BOTH).await.unwrap();
        store.migrate(&BOTH).await.unwrap();
        assert_eq!(all_things(&store).await.len(), 1);
    }

    async fn a_newer_database_is_refused(store: Store) {
        store.migrate(&BOTH).await.unwrap();
        let error = store.migrate(&ONE).await.unwrap_err();
        assert!(matches!(error, StoreError::NewerSchema { found: 2, known: 1, .. }), "{error:?}");
    }

    async fn a_changed_migration_is_refused_and_nothing_is_applied(store: Store) {
        store.migrate(&ONE).await.unwrap();
        let changed = Migration { sql: "CREATE TABLE other (id TEXT)", ..FIRST };
        let list: &'static [Migration] = Box::leak(Box::new([changed, SECOND]));
        let error = store.migrate(&Migrations { service: "test", steps: list }).await.unwrap_err();
        assert!(matches!(error, StoreError::ChangedMigration { version: 1, .. }), "{error:?}");
        // Step 2 was not applied: it still can be.
        store.migrate(&BOTH).await.unwrap();
    }

    async fn services_keep_their_versions_apart(store: Store) {
        store.migrate(&BOTH).await.unwrap();
        let other = Migration { version: 1, name: "others", sql: "CREATE TABLE others (id TEXT)" };
        let list: &'static [Migration] = Box::leak(Box::new([other]));
        store.migrate(&Migrations { service: "other", steps: list }).await.unwrap();
        store.migrate(&BOTH).await.unwrap();
    }

    async fn a_list_with_a_gap_is_refused(store: Store) {
        let error = store.migrate(&Migrations { service: "test", steps: &[SECOND] }).await.unwrap_err();
        assert!(matches!(error, StoreError::MigrationOrder { service: "test" }));
    }

    async fn a_swallowed_conflict_still_runs_again(store: Store) {
        start_counting(&store).await;
        let runs = AtomicU32::new(0);
        let (store, runs) = (&store, &runs);
        let result: Result<(), StoreError> = store
            .transaction("test.swallow", |tx| Box::pin(async move {
                let sql = "SELECT value FROM counts WHERE name = $1";
                let (value,): (i64,) = tx.fetch_one(sql, params!["a"]).await?;
                // On PostgreSQL another transaction overtakes the first run; on SQLite it would
                // wait for this one, so there is no conflict to swallow.
                let overtake = runs.fetch_add(1, Ordering::SeqCst) == 0 && store.is_postgres();
                if overtake {
                    count_up(store).await?;
                }
                let sql = "UPDATE counts SET value = $1 WHERE name = $2";
                drop(tx.execute(sql, params![value + 10, "a"]).await);
                Ok(())
            }))
            .await;
        result.unwrap();
        let expected = if store.is_postgres() { (12, 2) } else { (11, 1) };
        assert_eq!((count_up(store).await.unwrap(), runs.load(Ordering::SeqCst)), expected);
    }

    async fn a_writer_that_is_given_up_while_it_waits_holds_nobody_up(store: Store) {
        start_counting(&store).await;
        if !store.is_postgres() {
            return;
        }
        let store = &store;
        // Who watches keeps a connection: were another one taken for each look, it would be the
        // one that was given up, which ends what it holds.
        let watched: Result<(), StoreError> = store
            .read("test.watch", |watch| Box::pin(async move {
                let watch = &Mutex::new(watch);
                let alone: Result<(), StoreError> = store
                    .transaction("test.alone", |tx| Box::pin(async move {
                        tx.execute("LOCK TABLE schema_versions IN EXCLUSIVE MODE", params![]).await?;
                        tokio::select! {
                            counted = count_up(store) => panic!("beside one alone: {counted:?}"),
                            () = until_locks(watch, Locks::WaitedFor, 1) => Ok(()),
                        }
                    }))
                    .await;
                alone?;
                until_locks(watch, Locks::All, 0).await;
                Ok(())
            }))
            .await;
        watched.unwrap();
        assert_eq!(count_up(store).await.unwrap(), 1);
    }

    async fn two_programs_migrate_one_database_at_once(store: Store) {
        let (left, right) = tokio::join!(store.migrate(&BOTH), store.migrate(&BOTH));
        left.unwrap();
        right.unwrap();
    }
}

#[derive(Clone, Copy)]
enum Locks {
    WaitedFor,
    All,
}

/// Waits until that many locks of the writers' table are held or waited for.
async fn until_locks(watch: &Mutex<&mut Tx<'_>>, which: Locks, wanted: i64) {
    let sql = match which {
        Locks::WaitedFor => {
            "SELECT COUNT(*) FROM pg_locks WHERE relation = 'schema_versions'::regclass \
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
             AND NOT granted"
        }
        Locks::All => {
            "SELECT COUNT(*) FROM pg_locks WHERE relation = 'schema_versions'::regclass \
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        }
    };
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let (found,): (i64,) = watch.lock().await.fetch_one(sql, params![]).await.unwrap();
        if found == wanted {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{found} locks, {wanted} wanted");
        tokio::task::yield_now().await;
    }
}

/// Counts up in Rust what it read: right only where nobody else could read it meanwhile.
async fn count_up_locked(store: &Store) -> Result<i64, StoreError> {
    store
        .row_locked("test.count_locked", |tx| {
            Box::pin(async move {
                let sql = "SELECT c.value FROM counts c WHERE c.name = $1";
                let found: Vec<(i64,)> = tx.fetch_locked(sql, "c", params!["a"]).await?;
                let value = found[0].0 + 1;
                let sql = "UPDATE counts SET value = $1 WHERE name = $2";
                tx.execute(sql, params![value, "a"]).await?;
                Ok(value)
            })
        })
        .await
}

/// Makes a row where there is none; whether it did.
async fn make_once(store: &Store) -> Result<bool, StoreError> {
    store
        .row_locked("test.make", |tx| {
            Box::pin(async move {
                let sql = "SELECT value FROM counts WHERE name = $1";
                if tx.fetch_optional::<(i64,)>(sql, params!["b"]).await?.is_some() {
                    return Ok(false);
                }
                let sql = "INSERT INTO counts (name, value) VALUES ($1, 0)";
                tx.execute(sql, params!["b"]).await.map(|_| true)
            })
        })
        .await
}

/// Reads the whole table and adds a row of its own: to a serializable database all who do so at once
/// are in each other's way.
async fn add_after_looking(store: &Store, number: i64) -> Result<(), StoreError> {
    let name = format!("row {number}");
    let name = name.as_str();
    store
        .transaction("test.look", |tx| {
            Box::pin(async move {
                let sql = "SELECT CAST(SUM(value) AS BIGINT) FROM counts";
                let (sum,): (i64,) = tx.fetch_one(sql, params![]).await?;
                let sql = "INSERT INTO counts (name, value) VALUES ($1, $2)";
                tx.execute(sql, params![name, sum % 7]).await.map(drop)
            })
        })
        .await
}

/// Adds a row under a number of its own where there is none but the first; how many it added.
async fn add_under_a_name(store: &Store) -> Result<i64, StoreError> {
    store
        .row_locked("test.name", |tx| {
            Box::pin(async move {
                tx.lock_name("the second row").await?;
                let sql = "SELECT CAST(COUNT(*) AS BIGINT) FROM counts";
                let (rows,): (i64,) = tx.fetch_one(sql, params![]).await?;
                if rows > 1 {
                    return Ok(0);
                }
                let sql = "INSERT INTO counts (name, value) VALUES ('second', 0)";
                tx.execute(sql, params![]).await?;
                Ok(1)
            })
        })
        .await
}

/// The bytes of every file of a database.
fn bytes_on_disk(folder: &std::path::Path) -> Vec<u8> {
    let files = std::fs::read_dir(folder).unwrap();
    files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
}

#[tokio::test]
async fn a_securely_deleted_row_is_in_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let options = StoreOptions::sqlite(folder.path().join("keys.db")).secure_delete();
    let store = Store::open(&options).await.unwrap();
    store.migrate(&ONE).await.unwrap();
    let canary = *b"canary-0123456789-canary-9876543";
    let done: Result<(), StoreError> = store
        .transaction("test.store", |tx| {
            Box::pin(async move {
                let sql = "INSERT INTO things (id, token) VALUES ($1, $2)";
                tx.execute(sql, params![ticket(1), canary]).await.map(drop)
            })
        })
        .await;
    done.unwrap();
    let found = |bytes: &[u8]| bytes.windows(canary.len()).any(|window| window == canary);
    assert!(found(&bytes_on_disk(folder.path())));
    let done: Result<(), StoreError> = store
        .transaction("test.delete", |tx| {
            Box::pin(async move { tx.execute("DELETE FROM things", params![]).await.map(drop) })
        })
        .await;
    done.unwrap();
    store.truncate_wal().await.unwrap();
    assert!(!found(&bytes_on_disk(folder.path())));
}

#[cfg(unix)]
#[tokio::test]
async fn the_database_files_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let home = TestStore::sqlite().await;
    start_counting(&home.store).await;
    let path = std::path::PathBuf::from(home.address.strip_prefix("sqlite:").unwrap());
    for file in std::fs::read_dir(path.parent().unwrap()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?} is open to others", file.path());
    }
}

#[tokio::test]
async fn a_second_sqlite_program_waits_for_the_first() {
    let home = TestStore::sqlite().await;
    start_counting(&home.store).await;
    let other = Store::connect(&home.address).await.unwrap();
    let mut tasks = Vec::new();
    for number in 0..20 {
        let store = if number % 2 == 0 { home.store.clone() } else { other.clone() };
        tasks.push(tokio::spawn(async move { count_up(&store).await.unwrap() }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(count_up(&other).await.unwrap(), 21);
}

#[tokio::test]
async fn in_memory_works_and_a_restart_keeps_a_file() {
    let memory = Store::connect("sqlite::memory:").await.unwrap();
    start_counting(&memory).await;
    assert_eq!(count_up(&memory).await.unwrap(), 1);

    let home = TestStore::sqlite().await;
    start_counting(&home.store).await;
    count_up(&home.store).await.unwrap();
    home.store.close().await;
    let again = Store::connect(&home.address).await.unwrap();
    assert_eq!(count_up(&again).await.unwrap(), 2);
}

#[test]
fn spans_and_words_are_parameters_too() {
    assert_eq!(params![Duration::from_secs(1)], params![1_000_000_i64]);
    assert_eq!(params![Colour::Red, None::<Colour>], params!["red", None::<String>]);
    assert_eq!(format!("{:?}", params!["secret"]), "[Text(hidden)]");
}
