//! `handfast lane`: a lane's own program. It stands between the agent's scan page and the service,
//! keeps a copy, and decides by it when the service does not answer.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use handfast_boxoffice::LaneOffice;
use handfast_model::{SecretText, SystemClock, SystemRandom};
use handfast_store::Store;

use super::runtime::block_on;
use super::{Answer, server_url};
use crate::http::boxoffice::own_lane::{self, LaneKeys, OwnLane, Turnstile, WithoutLane};
use crate::serve::listen;

/// Arguments of `handfast lane`.
#[derive(Debug, Args)]
pub struct Lane {
    /// Where the service answers
    #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL", value_parser = server_url::parse)]
    server: String,
    /// The provisioning code that the console shows; used once, the key is kept beside the file
    #[arg(long, value_name = "CODE", conflicts_with = "api_key")]
    code: Option<SecretText>,
    /// The scanner's API key [default: the one the lane was provisioned with]
    #[arg(long, value_name = "KEY", env = "HANDFAST_API_KEY", hide_env_values = true)]
    api_key: Option<SecretText>,
    /// Give the lane a new key first; the old one stops working at once
    #[arg(long)]
    roll: bool,
    /// The lane's own file; made where there is none, and kept over restarts
    #[arg(long, default_value = "lane.db", value_name = "FILE")]
    file: PathBuf,
    /// The address that the scan page is opened at
    #[arg(long, default_value = "127.0.0.1:8090", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// A turnstile to be told by HTTP (see docs/ticketing.md)
    #[arg(long, value_name = "URL")]
    turnstile: Option<String>,
    /// What the turnstile does where it hears nothing of the lane: power loss, a cable cut
    #[arg(long, value_enum, default_value_t = WithoutLane::Release, requires = "turnstile")]
    on_power_loss: WithoutLane,
    /// Print one line of JSON with the address once it answers
    #[arg(long)]
    json: bool,
}

impl Lane {
    /// Runs until told to stop.
    pub fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        block_on(async {
            let listener = listen(self.listen).await?;
            let address = listener.local_addr()?;
            let keys = self.keys()?;
            let store = Store::connect(&format!("sqlite:{}", self.file.display()))
                .await
                .with_context(|| format!("{} cannot be opened", self.file.display()))?;
            let office = LaneOffice::open(store, Arc::new(SystemClock), Arc::new(SystemRandom));
            let office = office.await.context("the lane's file cannot be used")?;
            let turnstile = self.turnstile.as_deref();
            let turnstile = turnstile.map(|url| Turnstile::new(url, self.on_power_loss));
            let lane = OwnLane::new(&self.server, &keys, office, turnstile);
            if let Err(error) = lane.sync().await
                && lane.never_copied().await?
            {
                return Err(error.context(
                    "this lane has no copy yet to decide from; start it once with a connection",
                ));
            }
            self.say_ready(out, address, &keys)?;
            own_lane::run(Arc::new(lane), listener).await?;
            Ok(Answer::Positive)
        })
    }

    /// The lane's keys: given, provisioned now, or kept from before.
    fn keys(&self) -> anyhow::Result<LaneKeys> {
        let file = self.file.with_extension("key");
        let kept = LaneKeys::load(&file)?;
        if let Some(code) = &self.code {
            let key = own_lane::provision(&self.server, code.expose().trim())?;
            let keys = LaneKeys::of(&key, &SystemRandom);
            keys.save(&file)?;
            return Ok(keys);
        }
        let given = self.api_key.as_ref().map(|key| LaneKeys::of(key, &SystemRandom));
        let keys = given.or(kept).with_context(|| {
            format!(
                "no key is kept in {}; set the lane up at the console and give its code with --code",
                file.display()
            )
        })?;
        if !self.roll {
            return Ok(keys);
        }
        let key = own_lane::roll(&self.server, keys.api_key())?;
        let keys = LaneKeys::of(&key, &SystemRandom);
        keys.save(&file)?;
        Ok(keys)
    }

    /// The page's address carries the page's key: it opens this lane's page and nothing else.
    fn say_ready(
        &self,
        out: &mut dyn Write,
        address: SocketAddr,
        keys: &LaneKeys,
    ) -> anyhow::Result<()> {
        let url = format!("http://{address}");
        let page = format!("{url}/scan#/key/{}", keys.page_key().expose());
        if self.json {
            writeln!(out, "{}", serde_json::json!({ "url": url, "page": page }))?;
        } else {
            writeln!(out, "This lane answers at {page}")?;
        }
        Ok(out.flush()?)
    }
}
