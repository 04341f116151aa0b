//! `handfast redeem`: an agent's scan from the command line, through the running service.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use handfast_boxoffice::DeviceKind;
use handfast_model::{Random, SecretText, SystemRandom};
use serde_json::{Value, json};

use super::{Answer, print_json, server_url};
use crate::demo::{Demo, begin_anew};

/// How long the server may take: somebody stands at the gate.
const PATIENCE: Duration = Duration::from_secs(10);

/// Arguments of `handfast redeem`.
#[derive(Debug, Args)]
pub struct Redeem {
    /// The ticket's code, as its QR says it; `-` reads it from standard input
    code: String,
    /// Where the service answers
    #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL", value_parser = server_url::parse)]
    server: String,
    /// A scanner's API key [default: the demo's scanner, from the data folder]
    #[arg(long, value_name = "KEY", env = "HANDFAST_API_KEY", hide_env_values = true)]
    api_key: Option<SecretText>,
    /// The data folder of a demo, where its scanner's API key is
    #[arg(long, default_value = "data", value_name = "DIR")]
    data: PathBuf,
    /// The scan's nonce: the same for a repetition, whose verdict is the first one's [default: fresh]
    #[arg(long)]
    nonce: Option<String>,
    /// Let people out instead of in
    #[arg(long)]
    exit: bool,
    /// How many people pass on a ticket for several
    #[arg(long, value_name = "NUMBER")]
    people: Option<u8>,
    /// Say what was checked, step by step
    #[arg(long)]
    explain: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Redeem {
    /// Redeems and prints the verdict.
    pub fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        let key = self.key()?;
        let nonce = self.nonce.clone().unwrap_or_else(fresh_nonce);
        let mut scan = json!({ "code": self.code()?, "nonce": nonce, "explain": self.explain });
        if self.exit {
            scan["passing"] = json!("exit");
        }
        if let Some(people) = self.people {
            scan["people"] = json!(people);
        }
        let verdict = self.ask(&key, &scan)?;
        let outcome = verdict["outcome"].as_str().context("the server's answer has no outcome")?;
        if self.json {
            print_json(out, &verdict)?;
        } else {
            writeln!(out, "{}", sentence(outcome, &verdict))?;
            explain(out, &verdict)?;
        }
        Ok(if outcome == "ok" { Answer::Positive } else { Answer::Negative })
    }

    fn code(&self) -> anyhow::Result<String> {
        if self.code != "-" {
            return Ok(self.code.clone());
        }
        let mut code = String::new();
        std::io::stdin().read_to_string(&mut code).context("standard input cannot be read")?;
        Ok(code.trim().to_owned())
    }

    fn key(&self) -> anyhow::Result<SecretText> {
        if let Some(key) = &self.api_key {
            return Ok(key.clone());
        }
        let demo = Demo::load(&self.data)?.with_context(|| {
            format!(
                "no demo is in {}; give a scanner's API key with HANDFAST_API_KEY",
                self.data.display()
            )
        })?;
        let scanner = demo.stations.into_iter().find(|station| station.kind == DeviceKind::Scanner);
        Ok(scanner
            .with_context(|| {
                format!("the demo has no scanner; start over with `{}`", begin_anew(&self.data))
            })?
            .api_key)
    }

    fn ask(&self, key: &SecretText, scan: &Value) -> anyhow::Result<Value> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        let url = format!("{}/api/v1/admissions", self.server);
        let authorization = SecretText::new(format!("Bearer {}", key.expose()));
        let answer =
            agent.post(&url).header("authorization", authorization.expose()).send_json(scan);
        let mut answer = answer.with_context(|| {
            format!(
                "{} does not answer; is `handfast serve` or `handfast demo` running?",
                self.server
            )
        })?;
        let body: Result<Value, _> = answer.body_mut().read_json();
        let body = body.with_context(|| {
            format!("{} answers, but not as Handfast does; look at --server", self.server)
        })?;
        if !answer.status().is_success() {
            bail!("{}", body["detail"].as_str().unwrap_or("the server refused without saying why"));
        }
        Ok(body)
    }
}

/// Each check, and whether it went well; a repeated verdict is the first one's, whose checks are gone.
fn explain(out: &mut dyn Write, verdict: &Value) -> anyhow::Result<()> {
    for step in verdict["steps"].as_array().into_iter().flatten() {
        let mark = if step["passed"] == true { "yes" } else { "NO " };
        let check = step["check"].as_str().unwrap_or_default().replace('_', " ");
        writeln!(out, "  {mark} {check}: {}", step["detail"].as_str().unwrap_or_default())?;
    }
    Ok(())
}

fn fresh_nonce() -> String {
    let mut bytes = [0_u8; 16];
    SystemRandom.fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sentence(outcome: &str, verdict: &Value) -> String {
    let product = verdict["product"].as_str().unwrap_or("ticket");
    let event = verdict["event_name"].as_str().unwrap_or("this event");
    match outcome {
        "ok" if verdict["passing"] == "exit" => {
            format!("ok: leave, {} people ({product}, {event})", verdict["people"])
        }
        "ok" => format!("ok: enter ({product}, {event})"),
        "incomplete" if verdict["reason"] == "choose_people" => format!(
            "incomplete: how many people enter? up to {}; say it with --people",
            verdict["available"]
        ),
        "already_redeemed" => format!(
            "already redeemed: entered {} at {} by {}",
            verdict["previous"]["at"].as_str().unwrap_or("before"),
            verdict["previous"]["lane_name"].as_str().unwrap_or("another lane"),
            verdict["previous"]["method"].as_str().unwrap_or("code"),
        ),
        other => match verdict["reason"].as_str() {
            Some(reason) => format!("{other}: {}", reason.replace('_', " ")),
            None => other.replace('_', " "),
        },
    }
}
