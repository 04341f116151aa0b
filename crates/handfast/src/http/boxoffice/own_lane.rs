//! A lane's own program: it asks the service while that answers, and decides from its copy when it
//! does not. Its page shows verdicts, since when it is alone, and how much waits.

mod service;
mod turnstile;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration as StdDuration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use handfast_boxoffice::{AdmissionRequest, LaneOffice, Presented};
use handfast_model::{SecretText, Timestamp};
use serde::Serialize;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use self::service::{Answered, Service};
pub(crate) use self::service::{LaneKeys, provision, roll};
pub(crate) use self::turnstile::{Turnstile, WithoutLane};
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
/// Verdicts that a steward's mirror shows.
const MIRRORED: usize = 8;
const NO_COPY: &str = "This lane has no copy yet. Start it once with a connection.";
const REVOKED: &str = "This lane was revoked at the console. It lets nobody in any more and hands \
                       over what it decided before. Provision it again, or use another lane.";

/// A lane between its scan page and the service.
pub(crate) struct OwnLane {
    service: Service,
    page_key: SecretText,
    office: LaneOffice,
    turnstile: Option<Turnstile>,
    connected: AtomicBool,
    turnstile_answers: AtomicBool,
    heard: Mutex<Heard>,
}

/// What was heard last.
#[derive(Default)]
struct Heard {
    /// What the service said of the device.
    device: Option<Value>,
    /// Since when it does not answer.
    silent_since: Option<Timestamp>,
    /// The newest verdicts, the newest first.
    verdicts: VecDeque<Mirrored>,
}

/// A verdict as a steward's mirror shows it: nobody's name, no code.
#[derive(Clone, Serialize)]
struct Mirrored {
    at: Time,
    outcome: Value,
    reason: Value,
    product: Value,
    people: Value,
    alone: bool,
}

/// How the lane is.
#[derive(Serialize)]
struct Status {
    connected: bool,
    /// Since when the service does not answer.
    offline_since: Option<Time>,
    /// Until when its copy was made.
    copied_until: Option<Time>,
    tickets: u64,
    /// Attempts that the service has not got yet.
    waiting: u64,
    revoked: bool,
    /// Whether the turnstile answers; null without one.
    turnstile: Option<bool>,
    verdicts: Vec<Mirrored>,
}

impl OwnLane {
    pub(crate) fn new(
        server: &str,
        keys: &LaneKeys,
        office: LaneOffice,
        turnstile: Option<Turnstile>,
    ) -> Self {
        Self {
            service: Service::new(server, keys.api_key().clone()),
            page_key: keys.page_key().clone(),
            office,
            turnstile,
            connected: AtomicBool::new(false),
            turnstile_answers: AtomicBool::new(false),
            heard: Mutex::default(),
        }
    }

    /// Whether it has nothing to decide from.
    pub(crate) async fn never_copied(&self) -> anyhow::Result<bool> {
        Ok(self.office.copied_until().await?.is_none())
    }

    /// Hands over what waits and takes in what is new.
    pub(crate) async fn sync(&self) -> anyhow::Result<()> {
        let synced = self.try_sync().await;
        if let Err(error) = &synced {
            tracing::debug!(%error, "the service does not answer");
        }
        self.note_contact(synced.is_ok()).await;
        synced
    }

    async fn note_contact(&self, answered: bool) {
        self.connected.store(answered, Ordering::Relaxed);
        let mut heard = self.heard.lock().await;
        heard.silent_since = match answered {
            true => None,
            false => heard.silent_since.or_else(|| Some(self.office.now())),
        };
    }

    async fn try_sync(&self) -> anyhow::Result<()> {
        while let Some(queue) = self.office.queue().await? {
            let body = serde_json::to_value(&queue)?;
            let merged =
                self.service.ask(Method::POST, "/api/v1/lane/queue", Some(body), COPY_WITHIN);
            anyhow::ensure!(merged.await?.status.is_success(), "the queue was not taken");
            self.office.acknowledge(&queue).await?;
            if queue.left == 0 {
                break;
            }
        }
        let since = self.office.copied_until().await?;
        match self.service.copy(since, COPY_WITHIN).await? {
            Ok(copy) => Ok(self.office.apply(&copy).await?),
            Err(StatusCode::UNAUTHORIZED) => {
                self.office.set_revoked().await?;
                anyhow::bail!(
                    "the service does not know this lane's key; set the lane up again at the \
                     console and give its code with --code"
                )
            }
            Err(status) => anyhow::bail!("the service gives no copy: it answers {status}"),
        }
    }

    /// The service's verdict, or the lane's own.
    async fn redeem(&self, body: Value) -> Result<Response, Problem> {
        if self.connected.load(Ordering::Relaxed) {
            let path = "/api/v1/admissions";
            let asked = self.service.ask(Method::POST, path, Some(body.clone()), DECIDE_WITHIN);
            match asked.await {
                Ok(Answered { status: StatusCode::UNAUTHORIZED, .. }) => {
                    self.office.set_revoked().await?;
                }
                Ok(Answered { status, body }) if status.is_success() => {
                    return Ok(self.shown(body).await);
                }
                Ok(Answered { status, body }) if status.is_client_error() => {
                    return Ok((status, axum::Json(body)).into_response());
                }
                _ => self.note_contact(false).await,
            }
        }
        self.decide(body).await
    }

    /// The lane's own verdict.
    async fn decide(&self, body: Value) -> Result<Response, Problem> {
        let scan: Scan = serde_json::from_value(body)
            .map_err(|error| Problem::malformed(format!("{error}. See docs/openapi.json.")))?;
        if self.office.revoked_at().await?.is_some() {
            return Err(Problem::forbidden(REVOKED));
        }
        let device_id = self.office.device_id().await?;
        let device_id = device_id.ok_or_else(|| Problem::unavailable(NO_COPY))?;
        let presented = Presented::Code(&scan.code);
        let request = AdmissionRequest { device_id, nonce: &scan.nonce, presented };
        let verdict = self.office.admit(&request, scan.terms()).await?;
        let mut view = VerdictView::from(verdict);
        view.offline_since = self.office.offline_since().await?.map(Time);
        let view = serde_json::to_value(&view).map_err(|error| Problem::from_failure(&error))?;
        Ok(self.shown(view).await)
    }

    /// Turns the turnstile, shows the verdict on the steward's mirror, and answers it.
    async fn shown(&self, mut view: Value) -> Response {
        if let (Some(turnstile), true) = (&self.turnstile, view["outcome"] == "ok") {
            let open = turnstile.turn(&view).await;
            self.turnstile_answers.store(open, Ordering::Relaxed);
            view["turnstile"] = (if open { "open" } else { "silent" }).into();
        }
        let mirrored = Mirrored {
            at: Time(self.office.now()),
            outcome: view["outcome"].clone(),
            reason: view["reason"].clone(),
            product: view["product"].clone(),
            people: view["people"].clone(),
            alone: view.get("offline_since").is_some(),
        };
        let mut heard = self.heard.lock().await;
        heard.verdicts.push_front(mirrored);
        heard.verdicts.truncate(MIRRORED);
        axum::Json(view).into_response()
    }

    /// Takes back at the service, or what the lane let in alone.
    async fn annul(&self, body: Value) -> Result<Response, Problem> {
        let path = "/api/v1/admissions/annul";
        let asked = self.service.ask(Method::POST, path, Some(body.clone()), DECIDE_WITHIN);
        if let Ok(Answered { status, body }) = asked.await
            && status.is_success()
        {
            return Ok((status, axum::Json(body)).into_response());
        }
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let device_id = self.office.device_id().await?;
        let device_id = device_id.ok_or_else(|| Problem::unavailable(NO_COPY))?;
        self.office.annul(device_id, &text("nonce"), &text("reason")).await?;
        Ok(axum::Json(serde_json::json!({})).into_response())
    }

    /// What the service says of the device; what it said last, or what the copy says, while it does
    /// not answer.
    async fn device(&self) -> Result<Response, Problem> {
        if self.connected.load(Ordering::Relaxed) {
            let asked = self.service.ask(Method::GET, "/api/v1/device", None, DECIDE_WITHIN).await;
            if let Ok(Answered { status, body }) = asked
                && status.is_success()
            {
                self.heard.lock().await.device = Some(body.clone());
                return Ok(axum::Json(body).into_response());
            }
        }
        if let Some(body) = &self.heard.lock().await.device {
            return Ok(axum::Json(body.clone()).into_response());
        }
        let device = self.office.device().await?;
        let device = device.ok_or_else(|| Problem::unavailable(NO_COPY))?;
        let body = serde_json::json!({
            "name": device.name, "kind": device.kind.as_str(), "mode": null,
            "venue_name": device.venue_name, "gate_name": device.gate_name,
            "lane_name": device.lane_name, "shop_name": null, "camera": "browser",
        });
        Ok(axum::Json(body).into_response())
    }

    async fn status(&self) -> Result<Response, Problem> {
        let turnstile = self.turnstile.as_ref();
        let answers = self.turnstile_answers.load(Ordering::Relaxed);
        let (copied_until, revoked_at) =
            (self.office.copied_until().await?, self.office.revoked_at().await?);
        let (tickets, waiting) = (self.office.ticket_count().await?, self.office.waiting().await?);
        let heard = self.heard.lock().await;
        let status = Status {
            connected: self.connected.load(Ordering::Relaxed),
            offline_since: heard.silent_since.map(Time),
            copied_until: copied_until.map(Time),
            tickets,
            waiting,
            revoked: revoked_at.is_some(),
            turnstile: turnstile.map(|_| answers),
            verdicts: heard.verdicts.iter().cloned().collect(),
        };
        Ok(axum::Json(status).into_response())
    }

    async fn answer(&self, request: Request) -> Result<Response, Problem> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        if !path.starts_with("/api/") {
            return Ok(pages::serve(request).await);
        }
        let authorization = request.headers().get(header::AUTHORIZATION);
        let key = authorization.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let key = key.strip_prefix("Bearer ").unwrap_or_default();
        let key = SecretText::new(key.to_owned());
        if key != self.page_key && !self.service.knows(&key) {
            return Err(Problem::unauthenticated("This lane has another key."));
        }
        match (method, path.as_str()) {
            (Method::GET, "/api/v1/device") => self.device().await,
            (Method::GET, "/api/v1/lane/status") => self.status().await,
            (Method::POST, "/api/v1/admissions") => self.redeem(json_of(request).await?).await,
            (Method::POST, "/api/v1/admissions/annul") => self.annul(json_of(request).await?).await,
            _ => Err(Problem::not_found("A lane answers its scan page alone.")),
        }
    }

    /// Tells the turnstile that the lane is there.
    async fn beat(&self) {
        let Some(turnstile) = &self.turnstile else { return };
        let name = match self.office.device().await {
            Ok(Some(device)) => device.name,
            _ => String::new(),
        };
        self.turnstile_answers.store(turnstile.beat(&name).await, Ordering::Relaxed);
    }
}

async fn json_of(request: Request) -> Result<Value, Problem> {
    let bytes = axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX).await;
    let bytes = bytes.map_err(|_| Problem::too_large("Send a smaller body."))?;
    serde_json::from_slice(&bytes).map_err(|_| Problem::malformed("Send JSON."))
}

/// Answers the scan page, and keeps copy and queue up to date, until the process is stopped.
pub(crate) async fn run(lane: Arc<OwnLane>, listener: TcpListener) -> anyhow::Result<()> {
    tokio::spawn(regularly(lane.clone(), |lane| async move {
        // Where it failed it was noted, and the lane decides alone.
        drop(lane.sync().await);
    }));
    // Apart from the former: a slow service does not make the turnstile believe that the lane died.
    tokio::spawn(regularly(lane.clone(), |lane| async move { lane.beat().await }));
    let answer = move |request: Request| {
        let lane = lane.clone();
        async move { lane.answer(request).await.unwrap_or_else(IntoResponse::into_response) }
    };
    // One handler for a handful of paths, behind the lane's own key: no route of the service.
    let served = axum::serve(listener, Router::new().fallback(answer))
        .with_graceful_shutdown(crate::serve::told_to_stop());
    served.await.context("the lane stopped")
}

async fn regularly<F: Future<Output = ()>>(lane: Arc<OwnLane>, work: impl Fn(Arc<OwnLane>) -> F) {
    let mut every = tokio::time::interval(SYNC_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        work(lane.clone()).await;
    }
}
