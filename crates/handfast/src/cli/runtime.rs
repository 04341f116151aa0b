//! The asynchronous runtime and the log, for the commands that serve.

use std::future::Future;
use std::io::IsTerminal as _;
use std::time::Duration;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

/// What still runs beside a command that is done (a name that is being looked up) ends within this.
const STRAGGLERS_WITHIN: Duration = Duration::from_secs(1);

/// Runs a future to its end on all cores, with the log going to stderr (`HANDFAST_LOG` chooses how
/// much: `warn` without it, `info`, `debug`).
pub fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let filter = EnvFilter::try_from_env("HANDFAST_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    // A second log in the same process (as in tests) is no reason to stop.
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Colours are for people: a journal would keep their escapes.
    drop(log.with_ansi(std::io::stderr().is_terminal()).try_init());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("the runtime could not be started")?;
    let done = runtime.block_on(future);
    // A name service or a witness that does not answer keeps nobody from reading how it ended.
    runtime.shutdown_timeout(STRAGGLERS_WITHIN);
    done
}
