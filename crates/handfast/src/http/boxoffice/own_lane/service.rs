//! What a lane asks the service, and how it gets its key.

use std::fs::OpenOptions;
use std::io::{BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration as StdDuration;

use anyhow::{Context as _, bail, ensure};
use axum::http::{Method, StatusCode};
use handfast_boxoffice::LaneCopy;
use handfast_model::{Random, SecretText, Timestamp};
use handfast_till::TlsRoots;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::http::json::to_owner;

/// The copy of the largest evening.
const COPY_BYTES_MAX: u64 = 256 * 1024 * 1024;
const NOT_OURS: &str = "answers, but not as Handfast does; look at --server";
/// How long being provisioned may take: somebody stands before it and waits.
const PROVISION_WITHIN: StdDuration = StdDuration::from_secs(10);

/// The keys of a lane, kept beside its file and readable by its owner alone.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct LaneKeys {
    /// By which the service knows the device.
    #[serde(serialize_with = "to_owner")]
    api_key: SecretText,
    /// By which the lane knows its scan page: nothing that works anywhere else is in a browser.
    #[serde(serialize_with = "to_owner")]
    page_key: SecretText,
}

impl LaneKeys {
    /// Keys of a lane whose API key was given by hand.
    pub(crate) fn of(api_key: &SecretText, random: &dyn Random) -> Self {
        let mut bytes = Zeroizing::new([0_u8; 16]);
        random.fill(&mut *bytes);
        Self { api_key: api_key.clone(), page_key: SecretText::new(hex::encode(*bytes)) }
    }

    /// The keys that a lane was provisioned with before, if any.
    pub(crate) fn load(file: &Path) -> anyhow::Result<Option<Self>> {
        match std::fs::read(file) {
            Ok(text) => {
                let text = Zeroizing::new(text);
                let keys = serde_json::from_slice(&text);
                let unreadable = || {
                    format!(
                        "{} holds no lane's keys; remove it, and set the lane up at the console again",
                        file.display()
                    )
                };
                Ok(Some(keys.with_context(unreadable)?))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", file.display())),
        }
    }

    /// Keeps them: written whole and made durable before the old ones are gone.
    pub(crate) fn save(&self, file: &Path) -> anyhow::Result<()> {
        let fresh = file.with_extension("key.new");
        let written = || format!("{} cannot be written", fresh.display());
        let mut open = OpenOptions::new();
        let open = open.write(true).create(true).truncate(true).mode(0o600).open(&fresh);
        let mut open = open.with_context(written)?;
        let text = Zeroizing::new(serde_json::to_vec(self)?);
        open.write_all(&text).with_context(written)?;
        open.sync_all().with_context(written)?;
        std::fs::rename(&fresh, file).with_context(written)
    }

    pub(crate) const fn api_key(&self) -> &SecretText {
        &self.api_key
    }

    pub(crate) const fn page_key(&self) -> &SecretText {
        &self.page_key
    }
}

/// An answer of the service.
pub(super) struct Answered {
    pub status: StatusCode,
    pub body: Value,
}

/// The service, as a device knows it.
pub(super) struct Service {
    address: String,
    key: SecretText,
}

impl Service {
    pub fn new(address: &str, key: SecretText) -> Self {
        Self { address: address.trim_end_matches('/').to_owned(), key }
    }

    pub fn knows(&self, key: &SecretText) -> bool {
        *key == self.key
    }

    fn authorization(&self) -> SecretText {
        bearer(&self.key)
    }

    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        within: StdDuration,
    ) -> anyhow::Result<Answered> {
        let url = format!("{}{path}", self.address);
        let key = self.authorization();
        let asked = tokio::task::spawn_blocking(move || {
            let agent = agent(within);
            let mut answer = match (method, body) {
                (Method::POST, body) => agent
                    .post(&url)
                    .header("authorization", key.expose())
                    .send_json(body.unwrap_or(Value::Null)),
                (_, _) => agent.get(&url).header("authorization", key.expose()).call(),
            }?;
            let status = StatusCode::from_u16(answer.status().as_u16())?;
            let body = answer.body_mut().read_json().context("the answer is no JSON")?;
            anyhow::Ok(Answered { status, body })
        });
        asked.await?
    }

    /// What changed since then, all of it where nothing is said; the status where there is none. Read
    /// as it comes: an evening's tickets as a text, or as a tree of JSON, would be most of what memory a
    /// lane takes.
    pub async fn copy(
        &self,
        since: Option<Timestamp>,
        within: StdDuration,
    ) -> anyhow::Result<Result<LaneCopy, StatusCode>> {
        let since = since.map_or_else(String::new, |at| format!("?since={}", at.as_micros()));
        let url = format!("{}/api/v1/lane/copy{since}", self.address);
        let key = self.authorization();
        let address = self.address.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let answer = agent(within).get(&url).header("authorization", key.expose()).call();
            let mut answer = answer.with_context(|| format!("{address} does not answer"))?;
            let status = StatusCode::from_u16(answer.status().as_u16())?;
            if !status.is_success() {
                return Ok(Err(status));
            }
            let body = answer.body_mut().with_config().limit(COPY_BYTES_MAX).reader();
            let copy = serde_json::from_reader(BufReader::new(body));
            let copy = copy.with_context(|| format!("{address} {NOT_OURS}"))?;
            anyhow::Ok(Ok(copy))
        });
        asked.await?
    }
}

fn bearer(key: &SecretText) -> SecretText {
    SecretText::new(format!("Bearer {}", key.expose()))
}

pub(super) fn agent(within: StdDuration) -> ureq::Agent {
    TlsRoots::default().agent(within)
}

/// Uses a provisioning code up: the device's API key.
pub(crate) fn provision(server: &str, code: &str) -> anyhow::Result<SecretText> {
    let url = format!("{server}/api/v1/device/provision");
    let answer = agent(PROVISION_WITHIN).post(&url).send_json(json!({ "code": code }));
    let mut answer = answer.with_context(|| format!("{server} does not answer"))?;
    let body: Result<Value, _> = answer.body_mut().read_json();
    let body = body.with_context(|| format!("{server} {NOT_OURS}"))?;
    if !answer.status().is_success() {
        bail!("{}", body["detail"].as_str().unwrap_or("the code was refused"));
    }
    let key = body["api_key"].as_str().unwrap_or_default();
    ensure!(!key.is_empty(), "the service gave no key; make a new code at the console");
    Ok(SecretText::new(key.to_owned()))
}

/// Rolls the device's key: the old one stops working at once.
pub(crate) fn roll(server: &str, key: &SecretText) -> anyhow::Result<SecretText> {
    let url = format!("{server}/api/v1/device/roll");
    let authorization = bearer(key);
    let answer = agent(PROVISION_WITHIN).post(&url).header("authorization", authorization.expose());
    let mut answer = answer.send_empty().with_context(|| format!("{server} does not answer"))?;
    let body: Result<Value, _> = answer.body_mut().read_json();
    let body = body.with_context(|| format!("{server} {NOT_OURS}"))?;
    let key = body["api_key"].as_str().unwrap_or_default();
    ensure!(
        answer.status().is_success() && !key.is_empty(),
        "the key was not rolled: {}",
        body["detail"].as_str().unwrap_or("the service gave no key")
    );
    Ok(SecretText::new(key.to_owned()))
}
