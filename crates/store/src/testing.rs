//! Fresh databases for tests: SQLite always, PostgreSQL where a server is named.

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{ConnectOptions as _, Connection as _};

use crate::Store;

/// The environment variable that holds the address of a PostgreSQL server whose user may create
/// databases, for example `postgres://postgres@127.0.0.1:54329/postgres`.
pub const POSTGRES_VARIABLE: &str = "HANDFAST_TEST_POSTGRES";

/// The engines that tests run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// SQLite in a file of its own.
    Sqlite,
    /// A database of its own on the server that [`POSTGRES_VARIABLE`] names.
    Postgres,
}

/// A store on an empty database that nobody else uses, and its address (for a second connection).
pub struct TestStore {
    /// The store.
    pub store: Store,
    /// Where it is.
    pub address: String,
    home: Home,
}

enum Home {
    Folder(#[expect(dead_code, reason = "removed from disk when dropped")] tempfile::TempDir),
    Postgres { server: String, database: String },
}

/// All engines' stores, for a test that walks through them itself.
pub struct TestStores;

impl TestStores {
    /// An empty store on SQLite, and one on PostgreSQL where a server is named.
    pub async fn all() -> Vec<TestStore> {
        let mut stores = vec![TestStore::sqlite().await];
        stores.extend(TestStore::postgres().await);
        stores
    }
}

impl TestStore {
    /// An empty SQLite database in a folder that goes with the returned value.
    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let address = format!("sqlite:{}", folder.path().join("test.db").display());
        let store = Store::connect(&address).await.expect("a new SQLite database opens");
        Self { store, address, home: Home::Folder(folder) }
    }

    /// An empty PostgreSQL database, or `None` (and a printed line) where no server is named.
    pub async fn postgres() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let Ok(server) = std::env::var(POSTGRES_VARIABLE) else {
            print_skip();
            return None;
        };
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let database = format!("handfast_test_{}_{number}", std::process::id());
        // Dropped first: an earlier process of the same number may have died before it could.
        let drop = format!("DROP DATABASE IF EXISTS {database}");
        administer(&server, drop).await;
        let create = format!("CREATE DATABASE {database} TEMPLATE template0 ENCODING 'UTF8'");
        administer(&server, create).await;
        let address = in_database(&server, &database);
        let store = Store::connect(&address).await.expect("the new PostgreSQL database opens");
        Some(Self { store, address, home: Home::Postgres { server, database } })
    }

    /// Closes the store and removes its database.
    pub async fn remove(self) {
        self.store.close().await;
        if let Home::Postgres { server, database } = self.home {
            administer(&server, format!("DROP DATABASE {database} WITH (FORCE)")).await;
        }
    }
}

/// Runs `test` on a fresh store of `engine`, on a runtime of several threads so that tasks really
/// run beside each other. The database of a test that panics is left for a look at it.
pub fn run<F: Future<Output = ()>>(engine: Engine, test: impl FnOnce(Store) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .expect("a runtime starts");
    runtime.block_on(async {
        let home = match engine {
            Engine::Sqlite => Some(TestStore::sqlite().await),
            Engine::Postgres => TestStore::postgres().await,
        };
        let Some(home) = home else { return };
        test(home.store.clone()).await;
        home.remove().await;
    });
}

/// Makes a test of `async fn name(store: Store)` for each engine: `name::sqlite`,
/// `name::postgres`.
///
/// ```
/// handfast_store::test_on_both_engines! {
///     async fn starts_empty(store: Store) {
///         assert!(store.counters().is_empty());
///     }
/// }
/// ```
#[macro_export]
macro_rules! test_on_both_engines {
    ($($(#[$meta:meta])* async fn $name:ident($store:ident: Store) $body:block)*) => {$(
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports, clippy::allow_attributes, reason = "not every test uses them")]
            use super::*;

            async fn body($store: $crate::Store) $body

            #[test]
            fn sqlite() {
                $crate::testing::run($crate::testing::Engine::Sqlite, body);
            }

            #[test]
            fn postgres() {
                $crate::testing::run($crate::testing::Engine::Postgres, body);
            }
        }
    )*};
}

#[expect(
    clippy::print_stderr,
    reason = "whoever reads the test's output must see what was skipped"
)]
fn print_skip() {
    eprintln!("skipped on PostgreSQL: {POSTGRES_VARIABLE} names no server");
}

async fn administer(server: &str, statement: String) {
    let options: sqlx::postgres::PgConnectOptions =
        server.parse().expect("an address of a PostgreSQL server");
    let mut connection = options.connect().await.expect("the PostgreSQL server answers");
    // The statement is made here, of our own process id and a counter.
    let safe = sqlx::AssertSqlSafe(statement);
    sqlx::raw_sql(safe).execute(&mut connection).await.expect("the administrator may do this");
    connection.close().await.expect("the connection closes");
}

/// `server`'s address with another database: everything between the last `/` and a `?`.
fn in_database(server: &str, database: &str) -> String {
    let (path, query) = server.split_once('?').map_or((server, None), |(p, q)| (p, Some(q)));
    let scheme_end = path.find("://").map_or(0, |at| at + 3);
    let base = path[scheme_end..].find('/').map_or(path, |at| &path[..scheme_end + at]);
    let query = query.map_or_else(String::new, |query| format!("?{query}"));
    format!("{base}/{database}{query}")
}

#[cfg(test)]
mod tests {
    use super::in_database;

    #[test]
    fn the_database_is_replaced_in_an_address() {
        for (server, wanted) in [
            ("postgres://p@h:5/postgres", "postgres://p@h:5/x"),
            ("postgres://p@h", "postgres://p@h/x"),
            ("postgres:///postgres?host=/run/a", "postgres:///x?host=/run/a"),
        ] {
            assert_eq!(in_database(server, "x"), wanted);
        }
    }
}
