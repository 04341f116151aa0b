//! Three vault nodes as processes of this binary, on this machine: for the demo, and for trying
//! things out. Whoever holds the machine holds all three: no split trust.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context as _;
use handfast_model::{Clock, Random};
use handfast_vault::Role;
use handfast_vault::deployment::DEPLOYMENT_FILE;
use handfast_vault::setup::{init, local_addresses, move_nodes};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

use crate::own_command::own_command;

/// The nodes' folders, in their order.
const WORDS: [&str; 3] = ["a", "b", "c"];
/// How each of them is started, before its folder.
const NODE: [&str; 3] = ["vault", "node", "--strict"];
/// Ports below those that operating systems give out by themselves.
const PORTS: std::ops::Range<u16> = 20_000..30_000;
/// So many draws find three free ports on any machine that has some.
const DRAWS_MAX: usize = 100;

/// Three nodes that run as long as this value lives, unless somebody kills one.
pub(crate) struct LocalNodes {
    dir: PathBuf,
    children: Mutex<[Child; 3]>,
}

/// A node's process.
pub(crate) struct LocalNode {
    pub(crate) process: Option<u32>,
    /// What starts the same node in a shell.
    pub(crate) restart: String,
}

impl LocalNodes {
    /// Makes a deployment in `dir` where there is none, and starts its nodes at free ports.
    pub(crate) fn start(
        dir: &Path,
        clock: &dyn Clock,
        random: &dyn Random,
    ) -> anyhow::Result<Self> {
        if !dir.join(DEPLOYMENT_FILE).exists() {
            // That file is written last: without it nothing was ever stored here.
            for word in WORDS.iter().chain(&["front"]) {
                match std::fs::remove_dir_all(dir.join(word)) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(error).context("an unfinished deployment cannot be removed");
                    }
                    _ => {}
                }
            }
            init(dir, local_addresses(PORTS.start), clock, random)
                .context("the vault's nodes cannot be set up")?;
        }
        move_nodes(dir, free_addresses(random)?).context("the vault's nodes cannot be moved")?;
        let [a, b, c] = WORDS.map(|word| spawn(&dir.join(word)));
        let children = Mutex::new([a?, b?, c?]);
        Ok(Self { dir: dir.to_owned(), children })
    }

    /// The front's folder.
    pub(crate) fn front(&self) -> PathBuf {
        self.dir.join("front")
    }

    /// The nodes' processes, as far as they live, and how to bring one back.
    pub(crate) async fn processes(&self) -> [LocalNode; 3] {
        let mut children = self.children.lock().await;
        let mut words = WORDS.into_iter();
        children.each_mut().map(|child| {
            let folder = self.dir.join(words.next().unwrap_or_default());
            let lives = matches!(child.try_wait(), Ok(None));
            LocalNode {
                process: if lives { child.id() } else { None },
                restart: own_command(&NODE, &folder),
            }
        })
    }
}

impl LocalNodes {
    /// Ends a node as a power cut would. One that has ended already stays so.
    pub(crate) async fn stop(&self, role: Role) -> std::io::Result<()> {
        self.children.lock().await[role.index()].kill().await
    }

    /// Starts a node that has ended, on what it has on its disk. One that runs goes on.
    pub(crate) async fn start_again(&self, role: Role) -> anyhow::Result<()> {
        let child = &mut self.children.lock().await[role.index()];
        if child.try_wait().context("a node's process cannot be looked at")?.is_some() {
            *child = spawn(&self.dir.join(WORDS[role.index()]))?;
        }
        Ok(())
    }
}

fn spawn(dir: &Path) -> anyhow::Result<Child> {
    let own = std::env::current_exe().context("this program's own file is unknown")?;
    Command::new(own)
        .args(NODE)
        .arg("--until-stdin-closes")
        .arg(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("a node of the vault cannot be started")
}

/// Three addresses that nobody listens at. Somebody might take one in the next moment; the node
/// says so then.
fn free_addresses(random: &dyn Random) -> anyhow::Result<[String; 3]> {
    let mut held = Vec::new();
    for _ in 0..DRAWS_MAX {
        let mut bytes = [0; 2];
        random.fill(&mut bytes);
        let port = PORTS.start + u16::from_le_bytes(bytes) % (PORTS.end - PORTS.start);
        if let Ok(listener) = std::net::TcpListener::bind(("127.0.0.1", port)) {
            held.push((listener, format!("127.0.0.1:{port}")));
        }
        if held.len() == WORDS.len() {
            let addresses: Vec<String> = held.into_iter().map(|(_, address)| address).collect();
            return Ok(addresses.try_into().expect("three were found"));
        }
    }
    anyhow::bail!("no three free ports from {} to {}", PORTS.start, PORTS.end)
}
