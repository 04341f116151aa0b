//! A lane's turnstile, reached over HTTP.
//!
//! Each second it is told `PUT {"lane": ..., "without_lane": "release" | "lock", "after_seconds": 5}`:
//! what it does by itself where the lane falls silent, be it that the lane, the network or the power is
//! gone. Each passage is `POST {"turn": ID, "passing": "entry" | "exit", "people": N}`; it turns once an
//! id, so that a repetition after a lost answer turns nothing twice. A lane that starts again, after a
//! power loss too, turns nothing by itself.

use std::time::Duration as StdDuration;

use serde_json::{Value, json};

use super::service::agent;

/// How long a passage waits for the turnstile; then the steward opens by hand.
const TURN_WITHIN: StdDuration = StdDuration::from_millis(300);
/// After how long without a word from the lane the turnstile acts by itself.
const SILENT_AFTER_SECONDS: u32 = 5;

/// What a turnstile does without its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum WithoutLane {
    /// Lets everybody pass freely: an escape route, a steward takes over.
    Release,
    /// Lets nobody in; out it always turns.
    Lock,
}

impl WithoutLane {
    fn as_str(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Lock => "lock",
        }
    }
}

/// A turnstile.
#[derive(Clone, Debug)]
pub(crate) struct Turnstile {
    url: String,
    without_lane: WithoutLane,
}

impl Turnstile {
    pub(crate) fn new(url: &str, without_lane: WithoutLane) -> Self {
        Self { url: url.to_owned(), without_lane }
    }

    /// Lets the people of a verdict pass; whether the turnstile answered.
    pub(super) async fn turn(&self, verdict: &Value) -> bool {
        let body = json!({
            "turn": verdict["admission_id"],
            "passing": verdict["passing"],
            "people": verdict["people"],
        });
        self.told(true, body).await
    }

    /// Says that the lane is there; whether the turnstile answered.
    pub(super) async fn beat(&self, lane: &str) -> bool {
        let body = json!({
            "lane": lane,
            "without_lane": self.without_lane.as_str(),
            "after_seconds": SILENT_AFTER_SECONDS,
        });
        self.told(false, body).await
    }

    async fn told(&self, turn: bool, body: Value) -> bool {
        let url = self.url.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let agent = agent(TURN_WITHIN);
            let sent = match turn {
                true => agent.post(&url).send_json(body),
                false => agent.put(&url).send_json(body),
            };
            sent.is_ok_and(|answer| answer.status().is_success())
        });
        asked.await.unwrap_or(false)
    }
}
