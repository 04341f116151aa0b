//! Connections between the members of a deployment: TLS 1.3, both sides certified, certificates
//! pinned; whole messages in order; nobody waits for anybody else's reading.
//!
//! Each connection has a task that reads and one that writes, independent of each other: two members
//! that write at the same time never wait for each other. What is to be sent waits in an [`Outbox`]
//! with a limit in bytes; a member that does not read loses its connection, not the other's memory.
//! What was received waits until somebody takes it, and holds up that connection alone.

mod connection;
mod delay;
mod dialer;
mod framing;
mod listener;
mod tls;

use std::sync::Arc;
use std::time::Duration as StdDuration;

use handfast_model::Clock;
use thiserror::Error;

use crate::deployment::{Deployment, Member};

pub use connection::bytes_sent;
pub(crate) use connection::{Event, Events, Outbox};
pub use delay::Delay;
pub(crate) use dialer::keep_connected;
pub(crate) use listener::{Listening, listen};
pub(crate) use tls::TlsSecrets;

/// Version of the frames and of the greeting.
pub const TRANSPORT_VERSION: u16 = 1;
/// Longest message: the longest of a search's steps, and the shares of many synthetic palms.
pub(crate) const MESSAGE_MAX: usize = 4 << 20;
/// From connecting to being greeted; whoever takes longer holds up nobody.
pub(crate) const GREETING_WITHIN: StdDuration = StdDuration::from_secs(10);
/// Whoever has nothing to say says so this often.
pub(crate) const HEARTBEAT_EVERY: StdDuration = StdDuration::from_secs(3);
/// Most bytes that wait to be sent to one member: a long search's messages twice over.
pub(crate) const OUTBOX_BYTES_MAX: usize = 512 << 20;

/// Why there is no connection.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum TransportError {
    /// Nobody answers there.
    #[error("{member} does not answer at {address}: {reason}; is it running?")]
    NoAnswer {
        /// Who was to answer.
        member: Member,
        /// Where.
        address: String,
        /// What the operating system says.
        reason: String,
    },
    /// The handshake failed.
    #[error("no connection with {with}: {reason}")]
    Refused {
        /// With whom, as far as it is known.
        with: String,
        /// Whose certificate was not accepted, and why.
        reason: String,
    },
    /// The greeting did not come in time.
    #[error("{with} connected and said nothing within {} s", GREETING_WITHIN.as_secs())]
    Silent {
        /// Who.
        with: String,
    },
    /// Another protocol or version.
    #[error(
        "{with} speaks version {found} of the vault's transport, this build {TRANSPORT_VERSION}: \
         update the older side"
    )]
    Version {
        /// Who.
        with: String,
        /// The version that it speaks.
        found: u16,
    },
    /// The connection ended.
    #[error("the connection with {with} ended: {reason}")]
    Ended {
        /// Who.
        with: Member,
        /// Why.
        reason: String,
    },
    /// This member's own files do not work.
    #[error("this member's TLS key or certificate cannot be used: {reason}")]
    OwnKey {
        /// What is wrong.
        reason: String,
    },
}

/// What a member needs to connect and to be connected to.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) own: Member,
    pub(crate) deployment: Arc<Deployment>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tls: TlsSecrets,
    /// Every message arrives this much later than it would: to measure what distance costs.
    pub(crate) delay: Delay,
}

#[cfg(test)]
mod tests;
