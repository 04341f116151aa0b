//! Being connected to.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::connection::{Events, attend};
use super::dialer::next_connection;
use super::{Endpoint, GREETING_WITHIN, TransportError};
use crate::deployment::Member;

/// Most connections at once that have not shown who they are: strangers keep nobody else out for
/// longer than a greeting takes.
const UNKNOWN_MAX: usize = 64;
/// A listener that fails (no more file descriptors) rests before it goes on.
const REST: std::time::Duration = std::time::Duration::from_millis(100);

/// A listener at work; it stops when dropped.
#[derive(Debug)]
pub(crate) struct Listening {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Takes connections of members; whoever else connects is refused, and `refused` hears why.
pub(crate) async fn listen(
    endpoint: Endpoint,
    address: &str,
    events: Events,
    refused: impl Fn(&TransportError) + Send + Sync + 'static,
) -> std::io::Result<Result<Listening, TransportError>> {
    let config = match endpoint.server_config() {
        Ok(config) => config,
        Err(error) => return Ok(Err(error)),
    };
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let acceptor = TlsAcceptor::from(config);
    let refused = Arc::new(refused);
    let unknown = Arc::new(Semaphore::new(UNKNOWN_MAX));
    let task = tokio::spawn(async move {
        loop {
            let permit = unknown.clone().acquire_owned().await;
            let tcp = match listener.accept().await {
                Ok((tcp, _)) => tcp,
                Err(error) => {
                    tracing::warn!(%error, "the vault's listener rests");
                    tokio::time::sleep(REST).await;
                    continue;
                }
            };
            let (endpoint, acceptor) = (endpoint.clone(), acceptor.clone());
            let (events, refused) = (events.clone(), refused.clone());
            tokio::spawn(async move {
                match welcome(&endpoint, &acceptor, tcp).await {
                    Ok((stream, from)) => {
                        drop(permit);
                        let error = attend(&endpoint, stream, from, next_connection(), &events);
                        let error = error.await;
                        if !matches!(error, TransportError::Ended { .. }) {
                            refused(&error);
                        }
                    }
                    Err(error) => refused(&error),
                }
            });
        }
    });
    Ok(Ok(Listening { address, task }))
}

async fn welcome(
    endpoint: &Endpoint,
    acceptor: &TlsAcceptor,
    tcp: TcpStream,
) -> Result<(tokio_rustls::server::TlsStream<TcpStream>, Member), TransportError> {
    let with = tcp.peer_addr().map_or_else(|_| "somebody".to_owned(), |at| at.ip().to_string());
    let refused = |error: std::io::Error| TransportError::Refused {
        with: with.clone(),
        reason: super::tls::reason_of(&error),
    };
    tcp.set_nodelay(true).map_err(refused)?;
    let silent = |_| TransportError::Silent { with: with.clone() };
    let stream = timeout(GREETING_WITHIN, acceptor.accept(tcp)).await.map_err(silent)?;
    let stream = stream.map_err(refused)?;
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let from = certificate.and_then(|found| endpoint.deployment.member_of_certificate(found));
    match from {
        Some(from) => Ok((stream, from)),
        None => Err(TransportError::Refused {
            with,
            reason: "it showed no certificate of a member".to_owned(),
        }),
    }
}
