//! Requests to Stripe's wire format: forms out, JSON in, on threads of their own.

use std::fmt::Display;
use std::time::Duration as StdDuration;

use handfast_model::SecretText;
use serde_json::Value;

use crate::gateway::GatewayError;
use crate::outward::TlsRoots;

/// Longer than Stripe's slow answers, shorter than [`crate::IN_FLIGHT_MAX`].
const TIMEOUT: StdDuration = StdDuration::from_secs(10);
/// An answer is a page of a list at most.
const ANSWER_BYTES_MAX: u64 = 4 * 1024 * 1024;
const API_VERSION: &str = "2024-06-20";

const _: () = assert!((TIMEOUT.as_micros() as i64) < crate::IN_FLIGHT_MAX.as_micros());

/// The fields of a request.
#[derive(Default)]
pub(super) struct Form(Vec<(&'static str, String)>);

impl Form {
    pub(super) fn add(&mut self, field: &'static str, value: impl Display) {
        self.0.push((field, value.to_string()));
    }
}

/// An answer: the status, and the body where it is JSON (`null` otherwise).
pub(super) struct Reply {
    pub status: u16,
    pub body: Value,
}

/// The way to one gateway.
pub(super) struct Wire {
    agent: ureq::Agent,
    address: String,
    authorization: SecretText,
}

impl Wire {
    pub(super) fn new(address: &str, key: SecretText, roots: &TlsRoots) -> Self {
        let agent = roots.agent(TIMEOUT);
        let authorization = SecretText::new(format!("Bearer {}", key.expose()));
        Self { agent, address: address.trim_end_matches('/').to_owned(), authorization }
    }

    pub(super) async fn get(&self, path: &str) -> Result<Reply, GatewayError> {
        let request = self
            .agent
            .get(format!("{}{path}", self.address))
            .header("Authorization", self.authorization.expose())
            .header("Stripe-Version", API_VERSION);
        ask(move || request.call()).await
    }

    pub(super) async fn post(
        &self,
        path: &str,
        form: Form,
        key: Option<String>,
    ) -> Result<Reply, GatewayError> {
        let mut request = self
            .agent
            .post(format!("{}{path}", self.address))
            .header("Authorization", self.authorization.expose())
            .header("Stripe-Version", API_VERSION);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        ask(move || request.send_form(form.0)).await
    }
}

/// Whatever goes wrong on the way may have been carried out.
async fn ask(
    call: impl FnOnce() -> Result<ureq::http::Response<ureq::Body>, ureq::Error> + Send + 'static,
) -> Result<Reply, GatewayError> {
    let work = move || {
        let mut response = call().map_err(|error| {
            tracing::warn!(kind = kind_of(&error), "the gateway could not be asked");
            GatewayError::NoAnswer
        })?;
        let status = response.status().as_u16();
        let read = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        let bytes = read.map_err(|_| GatewayError::NoAnswer)?;
        Ok(Reply { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) })
    };
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(GatewayError::NoAnswer))
}

/// The kind alone: a message may repeat an address with ids in it.
const fn kind_of(error: &ureq::Error) -> &'static str {
    match error {
        ureq::Error::Timeout(_) => "timeout",
        ureq::Error::HostNotFound => "host not found",
        ureq::Error::ConnectionFailed => "connection failed",
        ureq::Error::Io(_) => "io",
        _ => "other",
    }
}

/// A text somewhere inside a JSON value.
pub(super) fn text<'v>(value: &'v Value, path: &[&str]) -> Option<&'v str> {
    path.iter().try_fold(value, |at, key| at.get(key))?.as_str()
}
