//! `handfast witness`: remembers the biggest tree it has seen of each log, and cosigns only what
//! continues it (C2SP tlog-witness). Run it somewhere else than the log.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use clap::Args;
use handfast_model::{SystemClock, SystemRandom};
use handfast_tlog::{
    AddCheckpoint, Cosigner, Folder, KeyKind, NOTE_BYTES_MAX, VerifierKey, Witness, WitnessRefusal,
};
use handfast_trust::signing_key;

use super::Answer;
use super::runtime::block_on;
use super::serve::say_ready;
use crate::serve;

/// The media type of a conflict's body, the size seen last (C2SP tlog-witness).
const SIZE_MEDIA_TYPE: &str = "text/x.tlog.size";

/// Arguments of `handfast witness`.
#[derive(Debug, Args)]
pub struct WitnessCommand {
    /// The folder of what was seen and of the witness's key; made where there is none
    #[arg(long, default_value = "witness", value_name = "DIR")]
    data: PathBuf,
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1:8081", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// What the witness is called, where its key is new: an address without scheme
    #[arg(long, default_value = "witness.example", value_name = "NAME")]
    name: String,
    /// The public key of a log to be witnessed, as its operator publishes it
    #[arg(long = "log", value_name = "KEY", required = true)]
    logs: Vec<String>,
    /// Print one line of JSON with the address once it answers
    #[arg(long)]
    json: bool,
}

impl WitnessCommand {
    /// Witnesses until told to stop.
    pub fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        let witness = Arc::new(self.open()?);
        block_on(async {
            let listener = serve::listen(self.listen).await?;
            let address = listener.local_addr()?;
            say_ready(out, address, self.json)?;
            if !self.json {
                writeln!(out, "Its key, for logs and verifiers: {}", witness.public())?;
                out.flush()?;
            }
            let service = Router::new().fallback(answer).with_state(witness);
            axum::serve(listener, service)
                .with_graceful_shutdown(serve::told_to_stop())
                .await
                .context("the witness stopped")?;
            Ok(Answer::Positive)
        })
    }

    fn open(&self) -> anyhow::Result<Witness> {
        let logs = self.logs.iter().map(|text| {
            VerifierKey::parse(text.trim()).with_context(|| {
                format!("{text:?} is no log's public key; a service shows its own at /log/key")
            })
        });
        let logs: Vec<VerifierKey> = logs.collect::<anyhow::Result<_>>()?;
        let disk = Folder::exclusive(&self.data)
            .with_context(|| format!("{} cannot be used", self.data.display()))?;
        let key_path = self.data.join("witness.key");
        let key = signing_key(&key_path, &self.name, KeyKind::Cosignature, &SystemRandom)?;
        let cosigner = Cosigner::new(key).context("the witness's key cannot cosign")?;
        Witness::open(Arc::new(disk), cosigner, logs, Arc::new(SystemClock))
            .context("what the witness has seen cannot be read")
    }
}

/// Two requests and nothing else: cosign, and show the public key.
async fn answer(State(witness): State<Arc<Witness>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match (parts.method, parts.uri.path()) {
        (Method::POST, "/add-checkpoint") => add_checkpoint(witness, body).await,
        (Method::GET, "/key") => format!("{}\n", witness.public()).into_response(),
        _ => {
            let what = "A witness has POST /add-checkpoint and GET /key.\n";
            (StatusCode::NOT_FOUND, what).into_response()
        }
    }
}

async fn add_checkpoint(witness: Arc<Witness>, body: Body) -> Response {
    let Ok(body) = to_bytes(body, NOTE_BYTES_MAX).await else {
        return (StatusCode::PAYLOAD_TOO_LARGE, "The request is too long.\n").into_response();
    };
    let cosigned = tokio::task::spawn_blocking(move || {
        let request = AddCheckpoint::parse(&body)?;
        witness.add_checkpoint(&request)
    });
    match cosigned.await {
        Ok(Ok(line)) => line.into_response(),
        Ok(Err(refusal)) => refused(&refusal),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

fn refused(refusal: &WitnessRefusal) -> Response {
    tracing::warn!(%refusal, "a checkpoint was not cosigned");
    let status = StatusCode::from_u16(refusal.http_status()).unwrap_or(StatusCode::BAD_REQUEST);
    match refusal {
        WitnessRefusal::OtherSize { seen } => {
            (status, [(header::CONTENT_TYPE, SIZE_MEDIA_TYPE)], format!("{seen}\n")).into_response()
        }
        refusal => (status, format!("{refusal}\n")).into_response(),
    }
}
