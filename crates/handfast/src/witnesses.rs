//! Asking outside witnesses to cosign the log's checkpoints.

use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use handfast_till::TlsRoots;
use handfast_tlog::{CosignerGroup, Log, NOTE_BYTES_MAX, VerifierKey};

/// A witness that does not answer within this is asked again at the next checkpoint.
const TIMEOUT: Duration = Duration::from_secs(5);
/// A witness says once what it has seen last; then the request that continues it must do.
const TRIES: usize = 2;

/// Where a witness answers and by which key it is known: `URL=KEY` on the command line.
#[derive(Clone, Debug)]
pub(crate) struct WitnessAddress {
    url: String,
    key: VerifierKey,
}

impl FromStr for WitnessAddress {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (url, key) = text
            .split_once('=')
            .context("a witness is given as URL=KEY, its key as it prints it at its start")?;
        if !url.starts_with("http://") && !url.starts_with("https://") {
            bail!("{url:?} is no address of a witness; it begins with http:// or https://");
        }
        let key = VerifierKey::parse(key).context("the part after = is no public key")?;
        Ok(Self { url: url.trim_end_matches('/').to_owned(), key })
    }
}

/// The group that verifiers have to believe in, where there are witnesses.
pub(crate) fn group(
    witnesses: &[WitnessAddress],
    needed: Option<usize>,
) -> anyhow::Result<Vec<CosignerGroup>> {
    let needed = needed.unwrap_or(witnesses.len());
    if witnesses.is_empty() {
        return Ok(Vec::new());
    }
    if needed == 0 || needed > witnesses.len() {
        bail!("{needed} of {} witnesses cannot be needed", witnesses.len());
    }
    let members = witnesses.iter().map(|witness| witness.key.clone()).collect();
    Ok(vec![CosignerGroup { name: "witnesses".to_owned(), members, needed }])
}

/// The witnesses of a log, and what each has seen last.
pub(crate) struct Witnesses {
    agent: ureq::Agent,
    known: Vec<(WitnessAddress, Mutex<u64>)>,
}

impl Witnesses {
    /// `roots`: whose certificates are believed, as everywhere outward.
    pub(crate) fn new(addresses: Vec<WitnessAddress>, roots: &TlsRoots) -> Self {
        let known = addresses.into_iter().map(|address| (address, Mutex::new(0))).collect();
        Self { agent: roots.agent(TIMEOUT), known }
    }

    /// Asks every witness that has not seen the newest checkpoint, all at once. Blocks; one that
    /// fails is named in the log and asked again next time.
    pub(crate) fn ask(&self, log: &Log) {
        let size = log.checkpoint().checkpoint().size;
        std::thread::scope(|scope| {
            for (witness, seen) in &self.known {
                scope.spawn(move || {
                    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    if size == 0 || *seen == size {
                        return;
                    }
                    if let Err(error) = self.ask_one(witness, &mut seen, log) {
                        let name = witness.key.name();
                        let error = format!("{error:#}");
                        tracing::warn!(witness = name, error, "a witness did not cosign");
                    }
                });
            }
        });
    }

    fn ask_one(&self, witness: &WitnessAddress, seen: &mut u64, log: &Log) -> anyhow::Result<()> {
        for _ in 0..TRIES {
            let request = log.request_to_witness(*seen)?;
            let url = format!("{}/add-checkpoint", witness.url);
            let mut answer = self.agent.post(&url).send(request.to_string())?;
            let limit = NOTE_BYTES_MAX as u64;
            let body = answer.body_mut().with_config().limit(limit).read_to_string()?;
            match answer.status().as_u16() {
                200 => {
                    log.add_cosignatures(&body)?;
                    *seen = request.checkpoint.checkpoint().size;
                    return Ok(());
                }
                409 => {
                    let has_seen = body.trim().parse();
                    *seen = has_seen.map_err(|_| anyhow::anyhow!("it says: {}", body.trim()))?;
                }
                status => bail!("it answered with status {status}: {}", body.trim()),
            }
        }
        bail!("it names another size each time")
    }
}
