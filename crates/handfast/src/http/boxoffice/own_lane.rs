//! A lane's own program: it asks the service while that answers, and decides from its copy when it
//! does not. Everything else that its scan page asks for goes on to the service.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration as StdDuration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use handfast_boxoffice::{AdmissionRequest, LaneCopy, LaneOffice, Presented};
use handfast_model::SecretText;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use super::admissions::{Scan, VerdictView};
use crate::http::json::Time;
use crate::http::pages;
use crate::http::problem::Problem;

/// How long a scan waits for the service before the lane decides alone: a person at the gate does
/// not notice it.
const DECIDE_WITHIN: StdDuration = StdDuration::from_millis(700);
/// How long a copy may take: all tickets of a large evening.
const COPY_WITHIN: StdDuration = StdDuration::from_secs(10);
/// How often changes are fetched and the queue is handed over.
const SYNC_EVERY: StdDuration = StdDuration::from_secs(1);
/// As the service itself allows.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// The copy of the largest evening.
const COPY_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A lane between its scan page and the service.
pub(crate) struct OwnLane {
    server: String,
    key: SecretText,
    office: LaneOffice,
    connected: AtomicBool,
    /// What the service last said of the device.
    device: Mutex<Option<Value>>,
}

/// An answer of the service.
struct Answered {
    status: StatusCode,
    body: Value,
}

impl OwnLane {
    pub(crate) fn new(server: &str, key: SecretText, office: LaneOffice) -> Self {
        let server = server.trim_end_matches('/').to_owned();
        let (connected, device) = (AtomicBool::new(false), Mutex::new(None));
        Self { server, key, office, connected, device }
    }

    /// Whether it has nothing to decide from.
    pub(crate) async fn never_copied(&self) -> anyhow::Result<bool> {
        Ok(self.office.copied_until().await?.is_none())
    }

    /// Hands over what waits and takes in what is new; says whether the service answered.
    pub(crate) async fn sync(&self) -> bool {
        let synced = self.try_sync().await;
        if let Err(error) = &synced {
            tracing::debug!(%error, "the service does not answer");
        }
        self.connected.store(synced.is_ok(), Ordering::Relaxed);
        synced.is_ok()
    }

    async fn try_sync(&self) -> anyhow::Result<()> {
        while let Some(queue) = self.office.queue().await? {
            let body = serde_json::to_value(&queue)?;
            let merged = self.ask(Method::POST, "/api/v1/lane/queue", Some(body), COPY_WITHIN);
            anyhow::ensure!(merged.await?.status.is_success(), "the queue was not taken");
            self.office.acknowledge(&queue).await?;
            if queue.left == 0 {
                break;
            }
        }
        let since = self.office.copied_until().await?;
        let since = since.map_or_else(String::new, |at| format!("?since={}", at.as_micros()));
        let path = format!("/api/v1/lane/copy{since}");
        let copy = self.ask(Method::GET, &path, None, COPY_WITHIN).await?;
        anyhow::ensure!(copy.status.is_success(), "no copy was given");
        let copy: LaneCopy = serde_json::from_value(copy.body)?;
        self.office.apply(&copy).await?;
        Ok(())
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        within: StdDuration,
    ) -> anyhow::Result<Answered> {
        let url = format!("{}{path}", self.server);
        let key = format!("Bearer {}", self.key.expose());
        let asked = tokio::task::spawn_blocking(move || {
            let config = ureq::Agent::config_builder().http_status_as_error(false);
            let agent: ureq::Agent = config.timeout_global(Some(within)).build().into();
            let mut answer = match (method, body) {
                (Method::POST, body) => agent
                    .post(&url)
                    .header("authorization", &key)
                    .send_json(body.unwrap_or(Value::Null)),
                (_, _) => agent.get(&url).header("authorization", &key).call(),
            }?;
            let status = StatusCode::from_u16(answer.status().as_u16())?;
            let text = answer.body_mut().with_config().limit(COPY_BYTES_MAX).read_to_string()?;
            let body = serde_json::from_str(&text).context("the answer is no JSON")?;
            anyhow::Ok(Answered { status, body })
        });
        asked.await?
    }

    /// The service's verdict, or the lane's own.
    async fn redeem(&self, body: Value) -> Result<Response, Problem> {
        if self.connected.load(Ordering::Relaxed) {
            let asked =
                self.ask(Method::POST, "/api/v1/admissions", Some(body.clone()), DECIDE_WITHIN);
            match asked.await {
                Ok(Answered { status, body }) if status.as_u16() < 500 => {
                    return Ok((status, axum::Json(body)).into_response());
                }
                _ => self.connected.store(false, Ordering::Relaxed),
            }
        }
        let scan: Scan = serde_json::from_value(body)
            .map_err(|error| Problem::malformed(format!("{error}. See docs/openapi.json.")))?;
        let device_id = self.office.device_id().await?;
        let device_id = device_id.ok_or_else(|| {
            Problem::unavailable("This lane has no copy yet. Start it once with a connection.")
        })?;
        let presented = Presented::Code(&scan.code);
        let request = AdmissionRequest { device_id, nonce: &scan.nonce, presented };
        let verdict = self.office.admit(&request, scan.terms()).await?;
        let mut view = VerdictView::from(verdict);
        view.offline_since = self.office.offline_since().await?.map(Time);
        Ok(axum::Json(view).into_response())
    }

    /// Takes back at the service, or what the lane let in alone.
    async fn annul(&self, body: Value) -> Result<Response, Problem> {
        let asked =
            self.ask(Method::POST, "/api/v1/admissions/annul", Some(body.clone()), DECIDE_WITHIN);
        if let Ok(Answered { status, body }) = asked.await
            && status.is_success()
        {
            return Ok((status, axum::Json(body)).into_response());
        }
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let device_id = self.office.device_id().await?;
        let device_id =
            device_id.ok_or_else(|| Problem::unavailable("This lane has no copy yet."))?;
        self.office.annul(device_id, &text("nonce"), &text("reason")).await?;
        Ok(axum::Json(serde_json::json!({})).into_response())
    }

    /// What the service says of the device; what it said last while it does not answer.
    async fn device(&self) -> Result<Response, Problem> {
        let asked = self.ask(Method::GET, "/api/v1/device", None, DECIDE_WITHIN).await;
        let mut kept = self.device.lock().await;
        if let Ok(Answered { status, body }) = asked {
            if status.is_success() {
                *kept = Some(body.clone());
            }
            return Ok((status, axum::Json(body)).into_response());
        }
        match kept.as_ref() {
            Some(body) => Ok(axum::Json(body.clone()).into_response()),
            None => Err(Problem::unavailable("The service does not answer, and never did yet.")),
        }
    }

    async fn answer(&self, request: Request) -> Result<Response, Problem> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        if !path.starts_with("/api/") {
            return Ok(pages::serve(request).await);
        }
        let authorization = request.headers().get(header::AUTHORIZATION);
        let key = authorization.and_then(|value| value.to_str().ok()).unwrap_or_default();
        if key.strip_prefix("Bearer ") != Some(self.key.expose()) {
            return Err(Problem::unauthenticated("This lane has another API key."));
        }
        match (method, path.as_str()) {
            (Method::GET, "/api/v1/device") => self.device().await,
            (Method::POST, "/api/v1/admissions") => self.redeem(json_of(request).await?).await,
            (Method::POST, "/api/v1/admissions/annul") => self.annul(json_of(request).await?).await,
            _ => Err(Problem::not_found("A lane answers its scan page alone.")),
        }
    }
}

async fn json_of(request: Request) -> Result<Value, Problem> {
    let bytes = axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX).await;
    let bytes = bytes.map_err(|_| Problem::too_large("Send a smaller body."))?;
    serde_json::from_slice(&bytes).map_err(|_| Problem::malformed("Send JSON."))
}

/// Answers the scan page, and keeps copy and queue up to date, until the process is stopped.
pub(crate) async fn run(lane: Arc<OwnLane>, listener: TcpListener) -> anyhow::Result<()> {
    let syncing = lane.clone();
    tokio::spawn(async move {
        let mut every = tokio::time::interval(SYNC_EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            syncing.sync().await;
        }
    });
    let answer = move |request: Request| {
        let lane = lane.clone();
        async move { lane.answer(request).await.unwrap_or_else(IntoResponse::into_response) }
    };
    // One handler for a handful of paths, behind the lane's own key: no route of the service.
    axum::serve(listener, Router::new().fallback(answer)).await.context("the lane stopped")
}
