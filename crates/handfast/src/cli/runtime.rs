//! The asynchronous runtime and the log, for the commands that serve.

use std::future::Future;
use std::io::IsTerminal as _;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

/// Runs a future to its end on all cores, with the log going to stderr (`HANDFAST_LOG` chooses how
/// much: `warn` without it, `info`, `debug`).
pub fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let filter = EnvFilter::try_from_env("HANDFAST_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    // A second log in the same process (as in tests) is no reason to stop.
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Colours are for people: a journal would keep their escapes.
    drop(log.with_ansi(std::io::stderr().is_terminal()).try_init());
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime could not be started")?
        .block_on(future)
}
