//! The node as a state machine.

use std::sync::Arc;

use handfast_model::{Random, Timestamp};
use handfast_mpc::Role;
use thiserror::Error;

use super::seals::{NodeKeys, Seals};
use super::store::{NodeStore, NodeStoreError};

/// What happens to a node.
#[derive(Debug)]
pub enum Input<'a> {
    /// A frame came from a peer; `from` is who the connection belongs to.
    Peer {
        /// The peer.
        from: Role,
        /// The frame.
        bytes: &'a [u8],
    },
    /// A connection to a peer was made: what was sent on an older one may be lost.
    PeerUp(Role),
    /// The connection to a peer is gone.
    PeerDown(Role),
    /// A request came from a front.
    Request {
        /// Its connection.
        connection: u64,
        /// Names the request on its connection; the reply carries it back.
        request: u64,
        /// The request.
        bytes: &'a [u8],
    },
    /// A front's connection is gone: nobody waits for its replies.
    FrontDown(u64),
    /// Time has passed.
    Tick,
    /// Goes on with what takes long.
    Work,
}

/// What a node wants done.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send this to a peer, in order.
    ToPeer {
        /// To whom.
        to: Role,
        /// The frame.
        bytes: Vec<u8>,
    },
    /// Answer a request.
    Reply {
        /// The request's connection.
        connection: u64,
        /// The request.
        request: u64,
        /// The reply.
        bytes: Vec<u8>,
    },
    /// There is more to do: call again with [`Input::Work`] when nothing else waits.
    Work,
}

/// Why a node did not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NodeError {
    /// Its disk failed or is damaged.
    #[error(transparent)]
    Store(#[from] NodeStoreError),
}

/// One of the three nodes.
pub struct Node {
    keys: NodeKeys,
    seals: Box<dyn Seals>,
    store: Box<dyn NodeStore>,
    random: Arc<dyn Random>,
}

impl Node {
    /// Starts a node with what its store holds: the whole list is followed, and all rows are read.
    ///
    /// # Errors
    /// When the store fails, or what it holds does not fit together.
    pub fn open(
        keys: NodeKeys,
        seals: Box<dyn Seals>,
        store: Box<dyn NodeStore>,
        random: Arc<dyn Random>,
    ) -> Result<Self, NodeError> {
        Ok(Self { keys, seals, store, random })
    }

    /// Takes an input and says what is to be done. `now` is this machine's clock.
    pub fn handle(&mut self, input: Input<'_>, now: Timestamp) -> Vec<Effect> {
        let _ = (input, now, &self.keys, &self.seals, &self.store, &self.random);
        Vec::new()
    }
}
