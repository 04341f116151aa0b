//! `handfast vault`: the three nodes that match palms which none of them holds, and their front.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration as StdDuration;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand, ValueEnum};
use handfast_model::{SystemClock, SystemRandom};
use handfast_vault::node::{NodeStatus, REQUEST_VERSION};
use handfast_vault::process::{NodeOptions, RunError, RunningNode};
use handfast_vault::setup::{init, local_addresses};
use handfast_vault::transport::Delay;
use handfast_vault::{FrontOptions, NodeClient, VaultError};
use serde_json::{Value, json};

use super::runtime::block_on;
use super::{Answer, print_json};
use crate::own_command::shell_word;

mod device;
mod drill;
mod unlinkability;

/// The first of three ports at which nodes on one machine listen.
const FIRST_PORT: u16 = 7411;
/// Nodes that run answer within this.
const PATIENCE: StdDuration = StdDuration::from_secs(5);
/// A node that is told to stop leaves its folder within this.
const LOCK_PATIENCE: StdDuration = StdDuration::from_secs(10);
const LOCK_AGAIN_EVERY: StdDuration = StdDuration::from_millis(100);

/// Arguments of `handfast vault`.
#[derive(Debug, Args)]
pub struct VaultCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make keys and certificates for three nodes and a front
    Init(Init),
    /// Run one node
    Node(Node),
    /// Connect to the nodes as their front, and say who comes and goes
    Front(Front),
    /// Say where each node stands
    Status(Status),
    /// Give every stored palm new shares
    Refresh(Refresh),
    /// Give a node the rows that it lost, from the other two
    Rebuild(Rebuild),
    /// Let a pedestal capture palms, give it a new key, or take it out of use
    Device(device::Device),
    /// Steal one node, then two, and measure what that tells about palms
    Drill(drill::Drill),
}

/// Arguments of `handfast vault init`.
#[derive(Debug, Args)]
struct Init {
    /// Where to make the folders a, b, c and front; each goes to whoever runs that part
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Where nodes A, B and C listen [default: three ports of this machine from 7411]
    #[arg(long, value_name = "A,B,C", value_delimiter = ',')]
    addresses: Vec<String>,
}

/// Arguments of `handfast vault node`.
#[derive(Debug, Args)]
struct Node {
    /// The node's folder, for example DIR/a
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Listen here instead of at the deployment's address
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Take part in searches and enrolments only where all three nodes have checked that no vector that
    /// was dealt is longer than a palm's; one strict node is enough for all three to check
    #[arg(long)]
    strict: bool,
    /// Stop when standard input is closed, as whoever started this does when it ends
    #[arg(long)]
    until_stdin_closes: bool,
}

/// Arguments of `handfast vault front`.
#[derive(Debug, Args)]
struct Front {
    /// The front's folder, for example DIR/front
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// Arguments of `handfast vault status`.
#[derive(Debug, Args)]
struct Status {
    /// The front's folder, for example DIR/front
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of `handfast vault refresh`.
#[derive(Debug, Args)]
struct Refresh {
    /// The front's folder, for example DIR/front
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// Arguments of `handfast vault rebuild`.
#[derive(Debug, Args)]
struct Rebuild {
    /// The front's folder, for example DIR/front
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The node that lost rows
    #[arg(long)]
    node: NodeLetter,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum NodeLetter {
    A,
    B,
    C,
}

impl VaultCommand {
    /// Runs the command.
    pub fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        match self.what {
            What::Init(init) => init.run(out),
            What::Node(node) => block_on(node.run(out)),
            What::Front(front) => block_on(front.run(out)),
            What::Status(status) => block_on(status.run(out)),
            What::Refresh(refresh) => block_on(refresh.run(out)),
            What::Rebuild(rebuild) => block_on(rebuild.run(out)),
            What::Device(device) => block_on(device.run(out)),
            What::Drill(drill) => drill.run(out),
        }
    }
}

impl Init {
    fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        let addresses = match self.addresses.len() {
            0 => local_addresses(FIRST_PORT),
            3 => {
                for (at, address) in self.addresses.iter().enumerate() {
                    check_address(address)?;
                    if self.addresses[..at].contains(address) {
                        bail!("two nodes cannot listen at `{address}`; give each one of its own");
                    }
                }
                self.addresses.try_into().unwrap_or_else(|_| local_addresses(FIRST_PORT))
            }
            found => bail!(
                "three addresses are needed, {found} were given; for example --addresses \
                 a.example:7411,b.example:7411,c.example:7411"
            ),
        };
        if self.dir.exists() && !self.dir.is_dir() {
            bail!("{} is a file; name a folder, or one that is to be made", self.dir.display());
        }
        let deployment = init(&self.dir, addresses, &SystemClock, &SystemRandom)?;
        writeln!(out, "Deployment {} is in {}:", deployment.id(), self.dir.display())?;
        for word in ["a", "b", "c"] {
            let folder = self.dir.join(word);
            writeln!(out, "  node {word}: handfast vault node {}", shell_word(folder.as_os_str()))?;
        }
        let front = self.dir.join("front");
        writeln!(out, "  front:  handfast serve --vault-front {}", shell_word(front.as_os_str()))?;
        writeln!(
            out,
            "Give each folder to the organisation that runs that part, and keep none of them here: \
             whoever holds two nodes' folders holds every palm."
        )?;
        Ok(Answer::Positive)
    }
}

fn check_address(address: &str) -> anyhow::Result<()> {
    let port = address.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    let port = port.and_then(|(_, port)| port.parse::<u16>().ok()).filter(|port| *port > 0);
    port.map(drop)
        .with_context(|| format!("`{address}` is no HOST:PORT; for example node-a.example:7411"))
}

impl Node {
    async fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        let node = self.start().await?;
        let (role, address) = (node.role(), node.address());
        writeln!(out, "Node {role} of the vault listens at {address}")?;
        out.flush()?;
        let closes = self.until_stdin_closes;
        node.run_until(async move {
            if closes {
                tokio::select! { () = crate::serve::told_to_stop() => {}, () = stdin_closes() => {} }
            } else {
                crate::serve::told_to_stop().await;
            }
        })
        .await;
        Ok(Answer::Positive)
    }

    /// Starts the node; one whose predecessor is still leaving waits for it, where somebody started
    /// both.
    async fn start(&self) -> anyhow::Result<RunningNode> {
        let deadline = tokio::time::Instant::now() + LOCK_PATIENCE;
        loop {
            let options = NodeOptions {
                dir: self.dir.clone(),
                listen: self.listen.clone(),
                delay: Delay::default(),
                strict: self.strict,
                clock: Arc::new(SystemClock),
                random: Arc::new(SystemRandom),
            };
            match RunningNode::start(options).await {
                Err(RunError::File(VaultError::AlreadyOpen { .. }))
                    if self.until_stdin_closes && tokio::time::Instant::now() < deadline =>
                {
                    tokio::time::sleep(LOCK_AGAIN_EVERY).await;
                }
                started => return Ok(started?),
            }
        }
    }
}

async fn stdin_closes() {
    let (closed, is_closed) = tokio::sync::oneshot::channel::<()>();
    // A thread of its own: one of the runtime's that waits for input would keep it from ending.
    std::thread::spawn(move || {
        use std::io::Read as _;
        let mut bytes = [0; 64];
        while matches!(std::io::stdin().read(&mut bytes), Ok(1..)) {}
        drop(closed);
    });
    drop(is_closed.await);
}

fn client(dir: &Path) -> anyhow::Result<NodeClient> {
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
    let options = FrontOptions { delay: Delay::default(), clock, random };
    Ok(NodeClient::connect(dir, options)?)
}

impl Front {
    async fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        let client = client(&self.dir)?;
        let stop = crate::serve::told_to_stop();
        tokio::pin!(stop);
        let mut said = [None; 3];
        let mut every = tokio::time::interval(LOCK_AGAIN_EVERY);
        loop {
            tokio::select! { () = &mut stop => return Ok(Answer::Positive), _ = every.tick() => {} }
            for (state, said) in client.states().iter().zip(&mut said) {
                if *said == Some(state.up) {
                    continue;
                }
                let first = said.is_none();
                *said = Some(state.up);
                if state.up {
                    writeln!(out, "node {} is there", state.node)?;
                } else if !first {
                    writeln!(out, "node {} is gone: palms wait, codes work", state.node)?;
                }
                out.flush()?;
            }
        }
    }
}

impl Status {
    async fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        let client = client(&self.dir)?;
        // Whoever is away is named below.
        drop(client.ready(PATIENCE).await);
        let statuses = client.statuses().await;
        let all = statuses.iter().all(|status| {
            status.as_ref().is_ok_and(|status| status.lacking == 0 && status.store_works)
        });
        if self.json {
            let mut nodes = serde_json::Map::new();
            for (letter, status) in ["a", "b", "c"].into_iter().zip(&statuses) {
                nodes.insert(letter.to_owned(), as_json(status));
            }
            print_json(out, &json!({ "ok": all, "protocol": REQUEST_VERSION, "nodes": nodes }))?;
        } else {
            for (letter, status) in ["A", "B", "C"].into_iter().zip(&statuses) {
                writeln!(out, "node {letter}: {}", sentence(status))?;
            }
        }
        Ok(if all { Answer::Positive } else { Answer::Negative })
    }
}

fn as_json(status: &Result<NodeStatus, VaultError>) -> Value {
    match status {
        Ok(status) => json!({
            "up": true,
            "operations": status.head.number,
            "epoch": status.epoch,
            "undecided": status.undecided,
            "palms": status.slots,
            "lacking": status.lacking,
            "galleries": status.galleries,
            "searching": status.searching,
            "row_bytes": status.row_bytes,
            "peers_up": status.peers_up,
            "store_works": status.store_works,
            "strict": status.strict,
            "refusals": status.refusals.iter()
                .map(|(reason, count)| (reason.word().to_owned(), json!(count)))
                .collect::<serde_json::Map<_, _>>(),
        }),
        Err(error) => json!({ "up": false, "reason": error.to_string() }),
    }
}

fn sentence(status: &Result<NodeStatus, VaultError>) -> String {
    let status = match status {
        Ok(status) => status,
        Err(error) => return error.to_string(),
    };
    let mut text = format!(
        "up, {} palms, {} galleries, operation {}, shares of epoch {}",
        status.slots, status.galleries, status.head.number, status.epoch
    );
    if status.strict {
        text += ", strict";
    }
    if status.lacking > 0 {
        text += &format!("; LACKS {} rows: run `handfast vault rebuild` for it", status.lacking);
    }
    if !status.store_works {
        text += "; CANNOT WRITE to its disk";
    }
    if status.peers_up != [true, true] {
        text += "; not connected to every other node";
    }
    let refused: u64 = status.refusals.iter().map(|(_, count)| count).sum();
    if refused > 0 {
        text += &format!("; refused {refused} times (--json says why)");
    }
    text
}

impl Refresh {
    async fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        let client = client(&self.dir)?;
        client.ready(PATIENCE).await?;
        client.refresh().await?;
        writeln!(
            out,
            "Every stored palm has new shares; copies of older ones fit nothing any more."
        )?;
        Ok(Answer::Positive)
    }
}

impl Rebuild {
    async fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        let client = client(&self.dir)?;
        client.ready(PATIENCE).await?;
        let node = match self.node {
            NodeLetter::A => handfast_vault::Role::A,
            NodeLetter::B => handfast_vault::Role::B,
            NodeLetter::C => handfast_vault::Role::C,
        };
        let rows = client.rebuild(node).await?;
        writeln!(out, "Node {node} got {rows} rows back from the other two.")?;
        Ok(Answer::Positive)
    }
}
