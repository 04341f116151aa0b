//! What an operator asks of the nodes: where they stand, new shares for all, a lost node's rows.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration as StdDuration;

use handfast_model::Random;
use handfast_mpc::Role;
use tokio::time::{Instant, sleep};

use super::devices::Devices;
use super::nodes::Nodes;
use super::{FrontOptions, NodeState, of_identity};
use crate::VaultError;
use crate::identity::FrontSecrets;
use crate::node::{Change, NodeStatus, OperationName, Reason, Reply, Request};

/// Nodes that all run are connected within this: their longest pause between attempts, and more.
const CONNECTED_WITHIN: StdDuration = StdDuration::from_secs(8);
const CONNECTED_AGAIN_EVERY: StdDuration = StdDuration::from_millis(20);

/// A connection to three nodes with the front's keys, beside a front that may be at work.
pub struct NodeClient {
    pub(super) nodes: Nodes,
    pub(super) random: Arc<dyn Random>,
    pub(super) devices: Devices,
}

impl NodeClient {
    /// Connects as the front in `dir`, in the background.
    ///
    /// # Errors
    /// When the folder's files are missing or damaged.
    pub fn connect(dir: &Path, options: FrontOptions) -> Result<Self, VaultError> {
        let FrontOptions { delay, clock, random } = options;
        let (secrets, deployment) = FrontSecrets::load(dir).map_err(of_identity)?;
        let nodes = Nodes::connect(dir, Arc::new(deployment), clock, delay)?;
        Ok(Self { nodes, random, devices: Devices::new(dir, secrets) })
    }

    /// Waits until all three nodes answer.
    ///
    /// # Errors
    /// Which one does not, when `patience` is over.
    pub async fn ready(&self, patience: StdDuration) -> Result<(), VaultError> {
        self.nodes.wait(patience).await
    }

    /// Who is connected.
    #[must_use]
    pub fn states(&self) -> [NodeState; 3] {
        self.nodes.states()
    }

    /// Where each node says that it stands.
    pub async fn statuses(&self) -> [Result<NodeStatus, VaultError>; 3] {
        self.nodes.statuses().await
    }

    /// Gives every stored palm new shares at all three nodes: what was stolen of one node before
    /// fits nothing that is stolen of another one later.
    ///
    /// # Errors
    /// When a node is away, or refuses.
    pub async fn refresh(&self) -> Result<(), VaultError> {
        let name = OperationName::draw(&*self.random);
        self.nodes.operate(name, &Change::Refresh, None).await.map(drop)
    }

    /// Has a node ask the other two for the rows that it lacks; how many it got back. Neither of
    /// them learns anything by it.
    ///
    /// # Errors
    /// When a node is away, or refuses.
    pub async fn rebuild(&self, node: Role) -> Result<u64, VaultError> {
        match self.nodes.ask(node, &Request::Rebuild).await? {
            Reply::Rebuilt { rows } => Ok(rows),
            Reply::Refused(refusal) => Err(VaultError::Refused { node, refusal }),
            _ => Err(VaultError::NodeAnswer { node }),
        }
    }
}

impl Nodes {
    /// Nodes that start, or come back, are connected with the front first and with each other a
    /// moment later.
    pub(super) async fn wait_for_each_other(&self) -> Result<(), VaultError> {
        let deadline = Instant::now() + CONNECTED_WITHIN;
        loop {
            let mut apart = None;
            for status in self.statuses().await {
                let status = status?;
                if status.peers_up != [true, true] {
                    apart = Some(status.role);
                }
            }
            match apart {
                None => return Ok(()),
                Some(node) if Instant::now() > deadline => {
                    let refusal = Reason::Unreachable.into();
                    return Err(VaultError::Refused { node, refusal });
                }
                Some(_) => sleep(CONNECTED_AGAIN_EVERY).await,
            }
        }
    }

    pub(super) async fn statuses(&self) -> [Result<NodeStatus, VaultError>; 3] {
        let [a, b, c] = self.ask_each(&Request::Status).await;
        let of = |node: Role, reply: Result<Reply, VaultError>| match reply? {
            Reply::Status(status) => Ok(status),
            Reply::Refused(refusal) => Err(VaultError::Refused { node, refusal }),
            _ => Err(VaultError::NodeAnswer { node }),
        };
        [of(Role::A, a), of(Role::B, b), of(Role::C, c)]
    }
}
