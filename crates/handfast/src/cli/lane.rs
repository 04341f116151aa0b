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

use super::Answer;
use super::runtime::block_on;
use super::serve::say_ready;
use crate::http::boxoffice::own_lane::{self, OwnLane};
use crate::serve::listen;

/// Arguments of `handfast lane`.
#[derive(Debug, Args)]
pub struct Lane {
    /// Where the service answers
    #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL")]
    server: String,
    /// The scanner's API key
    #[arg(long, value_name = "KEY", env = "HANDFAST_API_KEY", hide_env_values = true)]
    api_key: String,
    /// The lane's own file; made where there is none, and kept over restarts
    #[arg(long, default_value = "lane.db", value_name = "FILE")]
    file: PathBuf,
    /// The address that the scan page is opened at
    #[arg(long, default_value = "127.0.0.1:8090", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
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
            let store = Store::connect(&format!("sqlite:{}", self.file.display()))
                .await
                .with_context(|| format!("{} cannot be opened", self.file.display()))?;
            let office = LaneOffice::open(store, Arc::new(SystemClock), Arc::new(SystemRandom));
            let office = office.await.context("the lane's file cannot be used")?;
            let lane = OwnLane::new(&self.server, SecretText::new(self.api_key.clone()), office);
            let copied = lane.sync().await;
            if !copied && lane.never_copied().await? {
                anyhow::bail!(
                    "{} does not answer or does not know this API key, and this lane has no copy \
                     yet; start it once with a connection",
                    self.server
                );
            }
            say_ready(out, address, self.json)?;
            own_lane::run(Arc::new(lane), listener).await?;
            Ok(Answer::Positive)
        })
    }
}
