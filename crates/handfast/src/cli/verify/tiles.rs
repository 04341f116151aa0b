//! A log's files, in a folder or behind an address.

use std::io;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use handfast_tlog::{Folder, NOTE_BYTES_MAX, TileSource};

/// Longer than any file of a log: a bundle of 256 leaves of at most 64 KiB.
const FILE_BYTES_MAX: u64 = 256 * 65_537;
/// A log that does not answer within this does not answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Opens what the user named: a folder, or an address of a service or of a log.
pub(super) fn open(source: &str) -> anyhow::Result<Box<dyn TileSource>> {
    if source.starts_with("http://") || source.starts_with("https://") {
        return Ok(Box::new(Remote::new(source)));
    }
    if !Path::new(source).is_dir() {
        bail!("{source} is neither a folder nor an address (http://...)");
    }
    Ok(Box::new(Folder::read_only(Path::new(source))))
}

/// The key that a service shows: as good as the connection it came by.
pub(super) fn shown_key(source: &dyn TileSource) -> anyhow::Result<String> {
    let key = source.read("key").context(
        "the log cannot be read; does its service run, and is this its address or folder",
    )?;
    let key = key.context("the log does not show its key; give it with --key")?;
    if key.len() > NOTE_BYTES_MAX {
        bail!("what the log shows as its key is no key; give it with --key");
    }
    Ok(String::from_utf8_lossy(&key).into_owned())
}

struct Remote {
    base: String,
    agent: ureq::Agent,
}

impl Remote {
    fn new(address: &str) -> Self {
        let address = address.trim_end_matches('/');
        // Both the service's address and its log's are understood.
        let base = match address.split_once("://").is_some_and(|(_, rest)| rest.contains('/')) {
            true => address.to_owned(),
            false => format!("{address}/log"),
        };
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .build()
            .into();
        Self { base, agent }
    }
}

impl TileSource for Remote {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let url = format!("{}/{path}", self.base);
        let failed = |error: ureq::Error| io::Error::other(format!("{url}: {error}"));
        let mut answer = self.agent.get(&url).call().map_err(failed)?;
        match answer.status().as_u16() {
            200 => {
                let body = answer.body_mut().with_config().limit(FILE_BYTES_MAX);
                body.read_to_vec().map(Some).map_err(failed)
            }
            404 | 410 => Ok(None),
            status => Err(io::Error::other(format!("{url} answered with status {status}"))),
        }
    }
}
