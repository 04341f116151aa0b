//! `handfast serve`: run the service on a data folder.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use handfast_boxoffice::Custody;
use handfast_model::SecretText;

use super::runtime::block_on;
use super::{Answer, server_url};
use crate::post::MailServer;
use crate::serve::{self, Outward, Settings, VaultChoice};
use crate::witnesses::WitnessAddress;

/// Where the service keeps its things and how it is reached; shared by `serve` and `demo`.
#[derive(Clone, Debug, Args)]
pub struct Place {
    /// The data folder; made where there is none
    #[arg(long, default_value = "data", value_name = "DIR")]
    pub data: PathBuf,
    /// The address to listen on; anything but loopback lets other machines in
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// A PostgreSQL database for the hub instead of SQLite files (postgres://USER@HOST/NAME)
    #[arg(long, value_name = "URL", env = "HANDFAST_DATABASE", hide_env_values = true)]
    pub database: Option<SecretText>,
    /// A camera of this machine (/dev/video0), a picture or a folder of pictures, for a pedestal
    /// whose page only draws
    #[arg(long, value_name = "PATH")]
    pub camera: Option<PathBuf>,
    /// Where people reach the pages; mails point there [default: http://ADDRESS:PORT]
    #[arg(long, value_name = "URL", value_parser = server_url::parse)]
    pub public_url: Option<String>,
    /// Match palms on three organisations' nodes, as the front in this folder (see `handfast vault init`)
    #[arg(long, value_name = "DIR", conflicts_with = "vault")]
    pub vault_front: Option<PathBuf>,
    /// What matches palms where no front is named
    #[arg(long, value_enum, default_value_t = VaultKind::Split, overrides_with = "vault")]
    pub vault: VaultKind,
    /// A witness that cosigns the transparency log, as URL=KEY; may be given several times
    #[arg(long, value_name = "URL=KEY")]
    pub(crate) witness: Vec<WitnessAddress>,
    /// How many of the witnesses have to cosign [default: all given]
    #[arg(long, value_name = "NUMBER", requires = "witness")]
    pub witnesses_needed: Option<usize>,
    /// A jurisdiction whose law applies, as `handfast policies` lists them; may be given several
    /// times [default: all of them, the strictest term holds]
    #[arg(long, value_name = "ID")]
    pub jurisdiction: Vec<String>,
    /// Months after which an unused palm goes, where that is sooner than the law asks
    #[arg(long, value_name = "NUMBER")]
    pub dormant_months: Option<u32>,
    /// The mail server that mails leave through, as smtps://USER:PASSWORD@HOST or
    /// smtp://USER:PASSWORD@HOST?tls=required; better in the environment than on the command line
    #[arg(
        long,
        value_name = "URL",
        env = "HANDFAST_MAIL_SERVER",
        hide_env_values = true,
        requires = "mail_from"
    )]
    pub mail_server: Option<SecretText>,
    /// Who mails are from, as "Name <name@example.org>"
    #[arg(long, value_name = "ADDRESS", env = "HANDFAST_MAIL_FROM")]
    pub mail_from: Option<String>,
    /// A PEM file of certificate authorities to believe instead of the public ones, for the mail
    /// server, webhooks and the payment gateway
    #[arg(long, value_name = "FILE", env = "HANDFAST_TLS_ROOTS")]
    pub tls_roots: Option<PathBuf>,
}

/// What matches palms where no front is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum VaultKind {
    /// Three nodes, none of which holds a palm, on this machine: no split trust
    Split,
    /// This process, in clear: for tests and benches
    Plain,
}

impl Place {
    /// The settings, once it is known which port was given.
    pub(crate) fn settings(&self, listening: SocketAddr) -> Settings {
        let public_url = self.public_url.clone();
        Settings {
            data: self.data.clone(),
            database: self.database.clone(),
            camera: self.camera.clone(),
            witnesses: self.witness.clone(),
            witnesses_needed: self.witnesses_needed,
            jurisdictions: self.jurisdiction.clone(),
            dormant_months: self.dormant_months,
            outward: Outward {
                mail: self
                    .mail_server
                    .clone()
                    .zip(self.mail_from.clone())
                    .map(|(url, from)| MailServer { url, from }),
                roots: self.tls_roots.clone(),
            },
            vault: match (&self.vault_front, self.vault) {
                (Some(dir), _) => VaultChoice::Front(dir.clone()),
                (None, VaultKind::Split) => VaultChoice::LocalNodes,
                (None, VaultKind::Plain) => VaultChoice::Plain,
            },
            public_url: public_url.unwrap_or_else(|| format!("http://{listening}")),
        }
    }
}

/// Arguments of `handfast serve`.
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    place: Place,
    /// Print one line of JSON with the address once it answers
    #[arg(long)]
    json: bool,
}

impl Serve {
    /// Serves until told to stop.
    pub fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        block_on(async {
            let listener = serve::listen(self.place.listen).await?;
            let address = listener.local_addr()?;
            let hub = Arc::new(self.place.settings(address).open(None).await?);
            serve::recover(&hub).await?;
            say_ready(out, address, self.json)?;
            if !address.ip().is_loopback() && !hub.https {
                tracing::warn!(
                    "other machines reach this service without TLS: put a proxy that ends TLS in \
                     front, and name it with --public-url https://..."
                );
            }
            match hub.custody() {
                Custody::OneMachine => tracing::warn!(
                    "this process matches palms in clear, which is for tests and benches: whoever \
                     controls it reads every palm; start without --vault plain to serve people"
                ),
                Custody::NodesHere => tracing::warn!(
                    "all three nodes of the vault run on one machine: no split trust; `handfast vault \
                     init` makes folders for three organisations, and --vault-front connects to them"
                ),
                Custody::NodesApart => {}
            }
            if !hub.post.sends() {
                tracing::warn!(
                    "no mail server is configured (--mail-server): mails wait in the outbox"
                );
            }
            serve::run(hub, listener).await?;
            Ok(Answer::Positive)
        })
    }
}

/// One line once the service answers.
pub(super) fn say_ready(
    out: &mut dyn Write,
    address: SocketAddr,
    json: bool,
) -> anyhow::Result<()> {
    if json {
        writeln!(out, "{}", serde_json::json!({ "url": format!("http://{address}") }))?;
    } else {
        writeln!(out, "Handfast answers at http://{address}")?;
    }
    Ok(out.flush()?)
}
