//! `handfast demo`: an evening to live on this machine.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Args;
use handfast_boxoffice::Custody;

use super::Answer;
use super::runtime::block_on;
use super::serve::{Place, say_ready};
use crate::demo::{Demo, begin_anew, seed};
use crate::hub::Hub;
use crate::serve::{self, VaultChoice};

/// A file that says "this folder is a demo's": nothing else is ever removed by `--fresh`.
const MARKER: &str = "handfast-demo";

/// Arguments of `handfast demo`.
#[derive(Debug, Args)]
pub struct DemoCommand {
    #[command(flatten)]
    place: Place,
    /// Start over: remove the data folder of an earlier demo
    #[arg(long)]
    fresh: bool,
    /// Let other machines in: everybody who reaches a demo may open its stations and read its mail
    #[arg(long)]
    danger_open_demo: bool,
    /// Print one line of JSON with the address once it answers
    #[arg(long)]
    json: bool,
}

impl DemoCommand {
    /// Seeds the demo where needed, and serves it until told to stop.
    pub fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        if !self.place.listen.ip().is_loopback() && !self.danger_open_demo {
            bail!(
                "a demo has no locks: whoever reaches it may open every station and read all mail; \
                 listen on loopback, or say --danger-open-demo on a network you trust"
            );
        }
        block_on(async {
            let listener = serve::listen(self.place.listen).await?;
            let address = listener.local_addr()?;
            prepare(&self.place.data, self.place.database.is_some(), self.fresh)?;
            let settings = self.place.settings(address);
            let loaded = Demo::load(&self.place.data)?;
            if settings.vault == VaultChoice::LocalNodes && !self.json {
                writeln!(out, "  starting: three vault nodes on this machine")?;
            }
            let mut hub = settings.open(loaded).await?;
            if hub.demo.is_none() {
                hub.demo = Some(self.seed(&hub, out).await?);
            }
            serve::recover(&hub).await?;
            let over = hub.demo.as_ref().is_some_and(|demo| demo.is_over(hub.clock.now()));
            if self.json {
                say_ready(out, address, true)?;
            } else {
                welcome(out, address, over.then(|| self.anew()), &hub).await?;
            }
            serve::run(Arc::new(hub), listener).await?;
            Ok(Answer::Positive)
        })
    }

    /// How to begin anew.
    fn anew(&self) -> String {
        match self.place.database {
            None => format!("start over with `{}`", begin_anew(&self.place.data)),
            Some(_) => {
                "start over with another empty folder after --data and an empty database after --database"
                    .to_owned()
            }
        }
    }

    async fn seed(&self, hub: &Hub, out: &mut dyn Write) -> anyhow::Result<Demo> {
        if !hub.boxoffice.companies().await?.is_empty() {
            let elsewhere = match self.place.database {
                None => ", or name an empty folder with --data",
                Some(_) => "",
            };
            bail!(
                "{} holds a demo that was begun and not finished, or is no demo; {}{elsewhere}",
                self.place.data.display(),
                self.anew()
            );
        }
        let quiet = self.json;
        let demo = seed::seed(hub, |done| {
            if !quiet {
                // Progress that cannot be shown stops nothing.
                drop(writeln!(out, "  seeding: {done}"));
            }
        })
        .await
        .context("the demo could not be seeded")?;
        demo.save(&self.place.data)?;
        Ok(demo)
    }
}

/// Makes the folder a demo's, or refuses one that is not.
fn prepare(data: &Path, on_postgres: bool, fresh: bool) -> anyhow::Result<()> {
    let marker = data.join(MARKER);
    let is_demo = marker.exists();
    let is_empty = std::fs::read_dir(data).map_or(true, |mut entries| entries.next().is_none());
    if !is_demo && !is_empty {
        bail!("{} is not empty and no demo's; name another folder with --data", data.display());
    }
    if fresh && is_demo {
        if on_postgres {
            bail!(
                "--fresh does not empty a PostgreSQL database; create a new one and name it with --database"
            );
        }
        std::fs::remove_dir_all(data)
            .with_context(|| format!("{} cannot be removed", data.display()))?;
    }
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data).with_context(|| {
        format!("{} cannot be made; name another folder with --data", data.display())
    })?;
    std::fs::write(&marker, "The folder of `handfast demo`; `--fresh` removes it.\n")?;
    Ok(())
}

async fn welcome(
    out: &mut dyn Write,
    address: SocketAddr,
    over: Option<String>,
    hub: &Hub,
) -> anyhow::Result<()> {
    let base = format!("http://{}", here(address));
    writeln!(out, "\n  Handfast is open: the evening begins at {base}/\n")?;
    for (path, what) in [
        ("/", "all stations: booth, palm lanes, agent scan, register"),
        ("/portal", "the fans' own pages"),
        ("/console", "the operator's pages"),
        ("/mailbox", "everybody's mail (nothing leaves this machine)"),
    ] {
        writeln!(out, "    {base}{path:<10} {what}")?;
    }
    say_vault(out, hub).await?;
    if let Some(anew) = over {
        writeln!(out, "  This demo's evening is over; {anew}.")?;
    }
    if std::env::var_os("SSH_CONNECTION").is_some() {
        let (port, target) = (address.port(), here(address));
        writeln!(
            out,
            "  You are on a remote shell: on your own machine run\n    ssh -L {port}:{target} THIS-MACHINE\n  and open http://127.0.0.1:{port}/ there (a browser's camera needs localhost or https)."
        )?;
    } else if std::env::var_os("DISPLAY").is_none() && std::env::var_os("WAYLAND_DISPLAY").is_none()
    {
        writeln!(out, "  No desktop was found here: open {base}/ in a browser on this machine.")?;
    }
    writeln!(out, "  Ctrl-C ends it; what happened stays in the data folder.\n")?;
    Ok(out.flush()?)
}

/// Where this machine itself finds what listens there.
fn here(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

/// What matches palms here, and how to see a node fail.
async fn say_vault(out: &mut dyn Write, hub: &Hub) -> anyhow::Result<()> {
    let Some(nodes) = &hub.nodes else {
        let who = match hub.custody() {
            Custody::OneMachine => "One vault machine matches in clear here: no split trust.",
            Custody::NodesHere => "Three nodes on one machine match palms: no split trust.",
            Custody::NodesApart => "Three nodes elsewhere match palms, none of them holds one.",
        };
        writeln!(out, "\n  {who}")?;
        return Ok(());
    };
    writeln!(
        out,
        "\n  Three vault nodes match palms, none of them holds one; all three run on this machine:\n  \
         no split trust. Stop one, here or on the first page, and palm lanes ask for codes until it is back:"
    )?;
    for (letter, node) in ["A", "B", "C"].into_iter().zip(nodes.processes().await) {
        match node.process {
            Some(id) => writeln!(out, "    node {letter}: kill {id}; back: {}", node.restart)?,
            None => writeln!(out, "    node {letter}: not running; back: {}", node.restart)?,
        }
    }
    Ok(())
}
