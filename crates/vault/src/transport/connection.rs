//! One connection: who it is with, what comes, and what waits to go.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, BufWriter, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::delay::Delay;
use super::framing::{PATIENCE, read_message, write_heartbeat, write_message};
use super::{
    Endpoint, GREETING_WITHIN, HEARTBEAT_EVERY, OUTBOX_BYTES_MAX, TRANSPORT_VERSION, TransportError,
};
use crate::deployment::Member;

/// What happens on the connections of a member.
#[derive(Debug)]
pub(crate) enum Event {
    /// A member is connected.
    Up { from: Member, connection: u64, outbox: Outbox },
    /// It sent a message.
    Message { from: Member, connection: u64, bytes: Vec<u8> },
    /// The connection ended; nothing comes from it any more.
    Down { from: Member, connection: u64, error: TransportError },
    /// Time has passed; not of the transport's making.
    Tick,
    /// Nothing more is to be done; not of the transport's making.
    Stop,
}

/// Where events go: a bounded channel, whose taker sets the pace of reading.
pub(crate) type Events = mpsc::Sender<Event>;

/// Bytes of messages that this process sent, headers included: benches read it.
static BYTES_SENT: AtomicU64 = AtomicU64::new(0);

/// Bytes of messages that this process sent to other members since it started.
#[must_use]
pub fn bytes_sent() -> u64 {
    BYTES_SENT.load(Ordering::Relaxed)
}

const GREETING: [u8; 4] = *b"HFVW";
const GREETING_BYTES: usize = 4 + 2 + 16 + 1;
/// Bytes that are gathered before they are encrypted: a few TLS records.
const WRITE_BUFFER: usize = 64 * 1024;

/// What waits to be sent on one connection. Clones are the same outbox; the connection ends when
/// the last one is dropped, or its limit is exceeded.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    messages: mpsc::UnboundedSender<Outgoing>,
    waiting: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Outgoing {
    bytes: Vec<u8>,
    /// When it was given to be sent: a simulated distance counts from here.
    at: Instant,
}

/// The connection ended, or more waits than may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotSent;

impl Outbox {
    /// Sends a message; never waits.
    pub(crate) fn send(&self, bytes: Vec<u8>) -> Result<(), NotSent> {
        let length = bytes.len();
        let waiting = self.waiting.fetch_add(length, Ordering::Relaxed) + length;
        if waiting > OUTBOX_BYTES_MAX {
            return Err(NotSent);
        }
        let outgoing = Outgoing { bytes, at: Instant::now() };
        self.messages.send(outgoing).map_err(|_| NotSent)
    }

    /// Whether the connection has ended, or its limit was exceeded.
    #[cfg(test)]
    pub(crate) fn is_closed(&self) -> bool {
        self.messages.is_closed() || self.waiting.load(Ordering::Relaxed) > OUTBOX_BYTES_MAX
    }
}

/// Greets the other side, then reads and writes until the connection ends: [`Event::Up`] comes
/// first, [`Event::Down`] last.
pub(super) async fn attend<S>(
    endpoint: &Endpoint,
    stream: S,
    from: Member,
    connection: u64,
    events: &Events,
) -> TransportError
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (reader, writer) = tokio::io::split(stream);
    let mut reader = reader;
    let mut writer = BufWriter::with_capacity(WRITE_BUFFER, writer);
    if let Err(error) = greet(endpoint, &mut reader, &mut writer, from).await {
        return error;
    }
    let (messages, outgoing) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let outbox = Outbox { messages, waiting: waiting.clone() };
    let up = Event::Up { from, connection, outbox };
    let ended = |reason: String| TransportError::Ended { with: from, reason };
    if events.send(up).await.is_err() {
        return ended("this side is stopping".to_owned());
    }
    // On a task of its own, so that neither waits for the other.
    let writing = tokio::spawn(write_all(writer, outgoing, waiting, endpoint.delay.clone()));
    let stop = writing.abort_handle();
    let reading = read_all(reader, from, connection, events);
    let reason = tokio::select! {
        read = reading => match read {
            Ok(()) => "the other side hung up".to_owned(),
            Err(error) => super::tls::reason_of(&error),
        },
        written = writing => match written {
            Ok(Ok(())) => "this side ended it".to_owned(),
            Ok(Err(error)) => super::tls::reason_of(&error),
            Err(_) => "the program is stopping".to_owned(),
        },
    };
    stop.abort();
    let error = ended(reason);
    // Where nobody takes events any more, nobody misses this one.
    drop(events.send(Event::Down { from, connection, error: error.clone() }).await);
    error
}

async fn read_all<S: AsyncRead>(
    mut reader: ReadHalf<S>,
    from: Member,
    connection: u64,
    events: &Events,
) -> io::Result<()> {
    while let Some(bytes) = read_message(&mut reader, PATIENCE).await? {
        let message = Event::Message { from, connection, bytes };
        if events.send(message).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

async fn write_all<S: AsyncWrite>(
    mut writer: BufWriter<WriteHalf<S>>,
    mut outgoing: mpsc::UnboundedReceiver<Outgoing>,
    waiting: Arc<AtomicUsize>,
    delay: Delay,
) -> io::Result<()> {
    loop {
        let next = match outgoing.try_recv() {
            Ok(next) => Some(next),
            Err(mpsc::error::TryRecvError::Disconnected) => None,
            Err(mpsc::error::TryRecvError::Empty) => {
                writer.flush().await?;
                match timeout(HEARTBEAT_EVERY, outgoing.recv()).await {
                    Ok(next) => next,
                    Err(_) => {
                        write_heartbeat(&mut writer).await?;
                        continue;
                    }
                }
            }
        };
        let Some(Outgoing { bytes, at }) = next else {
            return writer.shutdown().await;
        };
        let delay = delay.get();
        if !delay.is_zero() && Instant::now() < at + delay {
            writer.flush().await?;
            sleep_until(at + delay).await;
        }
        write_message(&mut writer, &bytes).await?;
        BYTES_SENT.fetch_add(bytes.len() as u64 + 4, Ordering::Relaxed);
        if waiting.fetch_sub(bytes.len(), Ordering::Relaxed) > OUTBOX_BYTES_MAX {
            return Err(io::Error::other("the other side does not read what is sent to it"));
        }
    }
}

/// Both sides say which protocol and deployment they mean; who they are, their certificates said.
async fn greet<S: AsyncRead + AsyncWrite>(
    endpoint: &Endpoint,
    reader: &mut ReadHalf<S>,
    writer: &mut BufWriter<WriteHalf<S>>,
    with: Member,
) -> Result<(), TransportError> {
    let failed = |error: io::Error| TransportError::Refused {
        with: with.to_string(),
        reason: super::tls::reason_of(&error),
    };
    let exchange = async {
        let mut greeting = Vec::with_capacity(GREETING_BYTES);
        greeting.extend_from_slice(&GREETING);
        greeting.extend_from_slice(&TRANSPORT_VERSION.to_le_bytes());
        greeting.extend_from_slice(&endpoint.deployment.id().to_bytes());
        greeting.push(endpoint.own.index() as u8);
        write_message(writer, &greeting).await.map_err(failed)?;
        writer.flush().await.map_err(failed)?;
        read_message(reader, PATIENCE).await.map_err(failed)
    };
    let silent = |_| TransportError::Silent { with: with.to_string() };
    let greeting = timeout(GREETING_WITHIN, exchange).await.map_err(silent)??;
    let refused = |reason: &str| {
        Err(TransportError::Refused { with: with.to_string(), reason: reason.to_owned() })
    };
    let Some(greeting) = greeting else { return refused("it hung up before greeting") };
    let Some([g0, g1, g2, g3, v0, v1, rest @ ..]) = greeting.first_chunk::<GREETING_BYTES>() else {
        return refused("its greeting is none");
    };
    if [*g0, *g1, *g2, *g3] != GREETING {
        return refused("its greeting is none");
    }
    let found = u16::from_le_bytes([*v0, *v1]);
    if found != TRANSPORT_VERSION {
        return Err(TransportError::Version { with: with.to_string(), found });
    }
    let (deployment, member) = rest.split_at(16);
    if deployment != endpoint.deployment.id().to_bytes() {
        return refused("it belongs to another deployment");
    }
    if usize::from(member[0]) != with.index() {
        return refused("it says that it is somebody else than its certificate");
    }
    Ok(())
}
