//! Where a store is and how it is opened.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{PgPool, SqlitePool};

use crate::reach::{self, Unreached};
use crate::{Obstacle, StoreError};

/// How long SQLite waits for a lock that another process holds before it reports "busy". Longer
/// than any transaction of ours. Each attempt of a transaction waits anew: all of them together give
/// up after some seconds, which is a person's patience at a gate.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_millis(250);
/// Connections that read beside SQLite's single writer: more than the cores of a small machine
/// gain nothing.
const SQLITE_READERS: u32 = 4;
/// Connections to PostgreSQL from one service: the hub's five of two processes stay below its default
/// limit of 100, of which three are kept for superusers.
const POSTGRES_CONNECTIONS: u32 = 9;
/// How long a caller waits for a free connection: a burst at the doors drains in less.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);
/// After how long PostgreSQL ends a transaction in which nothing is asked: nothing of ours waits for
/// anything outside while one runs, so its process has stopped, and others wait for its locks.
const IDLE_IN_TRANSACTION_MAX: (&str, &str) = ("idle_in_transaction_session_timeout", "30s");
/// Prepared statements kept on a connection: more than all services of the hub have together.
const STATEMENT_CACHE: usize = 512;

/// Where a store is and how it is opened. `Debug` prints no password.
#[derive(Clone)]
pub struct StoreOptions {
    target: Target,
    secure_delete: bool,
}

impl fmt::Debug for StoreOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreOptions({}, secure_delete: {})", self.describe(), self.secure_delete)
    }
}

#[derive(Clone)]
enum Target {
    SqliteFile(PathBuf),
    SqliteMemory,
    Postgres(Box<PgConnectOptions>),
}

/// The opened pools of one engine.
#[derive(Clone, Debug)]
pub(crate) enum Pools {
    /// One connection writes; the others read the last committed state beside it. In memory both
    /// are the same single connection, for each would otherwise see a database of its own.
    Sqlite {
        writer: SqlitePool,
        readers: SqlitePool,
    },
    Postgres(PgPool),
}

impl FromStr for StoreOptions {
    type Err = StoreError;

    /// Reads `sqlite:PATH`, `sqlite::memory:` or `postgres://USER[:PASSWORD]@HOST[:PORT]/DATABASE`
    /// (a directory of unix sockets as `?host=DIR`).
    fn from_str(address: &str) -> Result<Self, StoreError> {
        let unreadable = || StoreError::Address { address: without_password(address) };
        let target = if address == "sqlite::memory:" {
            Target::SqliteMemory
        } else if let Some(path) = address.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() || path.starts_with(':') {
                return Err(unreadable());
            }
            Target::SqliteFile(path.into())
        } else if address.starts_with("postgres://") || address.starts_with("postgresql://") {
            Target::Postgres(Box::new(postgres(address)?))
        } else {
            return Err(unreadable());
        };
        Ok(Self { target, secure_delete: false })
    }
}

impl StoreOptions {
    /// An SQLite database in the file `path`, made where it is missing, readable by its owner only.
    #[must_use]
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self { target: Target::SqliteFile(path.into()), secure_delete: false }
    }

    /// Overwrites deleted rows with zeros in the file (SQLite's `secure_delete`), for rows whose
    /// deletion must be final. Call [`crate::Store::truncate_wal`] after such a deletion, for the
    /// write-ahead log still holds the old pages until then. No effect on PostgreSQL.
    #[must_use]
    pub fn secure_delete(mut self) -> Self {
        self.secure_delete = true;
        self
    }

    /// What is opened, for messages: never a password.
    pub(crate) fn describe(&self) -> String {
        match &self.target {
            Target::SqliteFile(path) => format!("sqlite:{}", path.display()),
            Target::SqliteMemory => "sqlite::memory:".to_owned(),
            Target::Postgres(options) => {
                let database = options.get_database().unwrap_or(options.get_username());
                match (options.get_socket(), options.get_host()) {
                    (Some(socket), _) => format!("{database} in {}", socket.display()),
                    (None, host) if host.contains(':') => {
                        format!("postgres://[{host}]:{}/{database}", options.get_port())
                    }
                    (None, host) => format!("postgres://{host}:{}/{database}", options.get_port()),
                }
            }
        }
    }

    pub(crate) async fn open(&self) -> Result<Pools, StoreError> {
        match &self.target {
            Target::SqliteFile(path) => {
                create_private_file(path)?;
                self.open_sqlite_file(path).await.map_err(without_sqlite)
            }
            Target::SqliteMemory => self.open_sqlite_memory().await.map_err(without_sqlite),
            Target::Postgres(options) => open_postgres(options).await,
        }
        .map_err(|Unreached { obstacle, source }| StoreError::Connect {
            target: self.describe(),
            obstacle,
            source,
        })
    }

    fn sqlite_options(&self) -> SqliteConnectOptions {
        let options = SqliteConnectOptions::new()
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .statement_cache_capacity(STATEMENT_CACHE)
            // FULL: a committed admission survives a power cut, not only a crash of the program.
            .synchronous(SqliteSynchronous::Full);
        if self.secure_delete { options.pragma("secure_delete", "ON") } else { options }
    }

    async fn open_sqlite_file(&self, path: &Path) -> Result<Pools, sqlx::Error> {
        let options = self.sqlite_options().filename(path).journal_mode(SqliteJournalMode::Wal);
        // The writer goes first: it turns the file to WAL, which readers cannot.
        let writer = sqlite_pool(1).connect_with(options.clone()).await?;
        let reading = options.pragma("query_only", "ON");
        let readers = sqlite_pool(SQLITE_READERS).connect_with(reading).await?;
        Ok(Pools::Sqlite { writer, readers })
    }

    async fn open_sqlite_memory(&self) -> Result<Pools, sqlx::Error> {
        let options = self.sqlite_options().in_memory(true);
        let writer = sqlite_pool(1).connect_with(options).await?;
        Ok(Pools::Sqlite { readers: writer.clone(), writer })
    }
}

async fn open_postgres(options: &PgConnectOptions) -> Result<Pools, Unreached> {
    reach::reach(options, reach::PATIENCE).await?;
    let options = options
        .clone()
        .statement_cache_capacity(STATEMENT_CACHE)
        .options([IDLE_IN_TRANSACTION_MAX]);
    let pool = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_lazy_with(options);
    Ok(Pools::Postgres(pool))
}

/// Reads what begins as an address of PostgreSQL does.
fn postgres(address: &str) -> Result<PgConnectOptions, StoreError> {
    let options: PgConnectOptions = address.parse().map_err(|source| {
        StoreError::PostgresAddress { address: without_password(address), source }
    })?;
    // The brackets of an IPv6 address are the URL's; who looks the host up takes none.
    let bare = options.get_host().strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    Ok(by_socket(match bare.map(str::to_owned) {
        Some(host) => options.host(&host),
        None => options,
    }))
}

/// A host that is a folder is one of unix sockets: the driver takes such a one from PGHOST, or from
/// where servers keep theirs, without calling it a socket.
fn by_socket(options: PgConnectOptions) -> PgConnectOptions {
    if options.get_socket().is_some() || !options.get_host().starts_with('/') {
        return options;
    }
    let folder = options.get_host().to_owned();
    options.socket(folder)
}

/// SQLite's code for a file of another kind.
const NOT_A_DATABASE: &str = "26";

/// What is in the way of a SQLite file that could not be opened.
pub(crate) fn without_sqlite(source: sqlx::Error) -> Unreached {
    let code = source.as_database_error().and_then(|error| error.code());
    let is_none = code.as_deref() == Some(NOT_A_DATABASE);
    Unreached { obstacle: if is_none { Obstacle::NoSqlite } else { Obstacle::Other }, source }
}

fn sqlite_pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // Connections to a local file do not go stale; an in-memory one must never be closed.
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

/// SQLite gives its write-ahead log the permissions of the database file, so making that file
/// private first makes all of them private.
fn create_private_file(path: &Path) -> Result<(), StoreError> {
    let refused = |source| StoreError::File { path: path.display().to_string(), source };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(refused)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(refused)
}

/// `postgres://user:secret@host/db?password=secret` as `postgres://user@host/db`; of what is written
/// otherwise nothing that may be a secret.
fn without_password(address: &str) -> String {
    let may_hide = |text: &str| text.contains(['@', '=', '?']);
    let (scheme, rest) = match address.split_once("://") {
        Some((scheme, rest)) if !may_hide(scheme) => (scheme, rest),
        _ if may_hide(address) => return "...".to_owned(),
        _ => return address.to_owned(),
    };
    let (user, host) = match rest.rsplit_once('@') {
        // What follows an `@` within the query is no host.
        Some((user, _)) if user.contains('?') => return format!("{scheme}://..."),
        Some((user, host)) => (user.split(':').next().map(|user| format!("{user}@")), host),
        None => (None, rest),
    };
    let host = host.split('?').next().unwrap_or_default();
    format!("{scheme}://{}{host}", user.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_by_kind() {
        let described = |address: &str| address.parse::<StoreOptions>().unwrap().describe();
        assert_eq!(described("sqlite::memory:"), "sqlite::memory:");
        assert_eq!(described("sqlite:data/hub.db"), "sqlite:data/hub.db");
        assert_eq!(described("sqlite:///tmp/hub.db"), "sqlite:/tmp/hub.db");
        assert_eq!(described("postgres://u:pw@db:5433/hub"), "postgres://db:5433/hub");
        assert_eq!(described("postgres://u:pw@[::1]:5433"), "postgres://[::1]:5433/u");
        assert_eq!(described("postgres:///hub?host=/run/pg&password=pw"), "hub in /run/pg");
    }

    #[test]
    fn a_host_that_is_a_folder_is_one_of_sockets() {
        let options: PgConnectOptions = "postgres://h/hub".parse().unwrap();
        let named = by_socket(options.clone());
        assert_eq!((named.get_socket(), named.get_host()), (None, "h"));
        let folder = by_socket(options.host("/run/pg"));
        assert_eq!(folder.get_socket().map(PathBuf::as_path), Some(Path::new("/run/pg")));
    }

    #[test]
    fn debug_shows_no_password() {
        let options: StoreOptions = "postgres://u:pw@db:5433/hub".parse().unwrap();
        assert_eq!(
            format!("{options:?}"),
            "StoreOptions(postgres://db:5433/hub, secure_delete: false)"
        );
    }

    #[test]
    fn other_addresses_are_refused_without_showing_a_password() {
        for address in [
            "",
            "hub.db",
            "sqlite:",
            "mysql://u:pw@h/d",
            "u:pw@h/d",
            "postgres:/u:pw@h/d",
            "mysql://h/d?password=pw",
            "host=db user=hub password=pw",
            "postgres:/h/d?password=pw",
            "u:pw@h/d?password=pw",
            "u:pw@h/d?x=://",
        ] {
            let error = address.parse::<StoreOptions>().unwrap_err().to_string();
            assert!(error.contains("sqlite:PATH") && !error.contains("pw"), "{error}");
        }
        for (address, shown) in [
            ("postgres://u:pw@h:port/d", "postgres://u@h:port/d"),
            ("postgres://u:p#w@h/d", "postgres://u@h/d"),
            ("postgres://u:pw@h/d?sslmode=always", "postgres://u@h/d"),
            ("postgres://h/d?password=p@w&sslmode=always", "postgres://..."),
        ] {
            let error = address.parse::<StoreOptions>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{shown}` cannot be read")), "{error}");
            assert!(error.contains("sslmode=") && !error.contains("pw"), "{error}");
        }
    }
}
