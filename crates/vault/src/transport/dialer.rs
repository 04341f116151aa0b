//! Connecting to a member, again and again: a node that comes back is found within two seconds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration as StdDuration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::connection::{Events, attend};
use super::{Endpoint, GREETING_WITHIN, TransportError};
use crate::deployment::Member;

/// The first pause after a failure; each further one is twice as long.
const PAUSE_MIN: StdDuration = StdDuration::from_millis(50);
/// The longest pause.
const PAUSE_MAX: StdDuration = StdDuration::from_secs(2);

/// A connection that ends sooner was none: two copies of one node would take it from each other without
/// pause.
const HELD_MIN: StdDuration = StdDuration::from_secs(1);
/// From which pause on a member that does not answer is spoken of: by then it was asked for the better
/// part of a second.
const PAUSE_TOLD: StdDuration = StdDuration::from_millis(500);

/// Numbers connections, whoever made them.
static CONNECTIONS: AtomicU64 = AtomicU64::new(1);

pub(super) fn next_connection() -> u64 {
    CONNECTIONS.fetch_add(1, Ordering::Relaxed)
}

/// Keeps a connection with `to` for ever. `failed` hears why there is none, once for each reason.
pub(crate) async fn keep_connected(
    endpoint: Endpoint,
    to: Member,
    events: Events,
    mut failed: impl FnMut(&TransportError),
) {
    let mut pause = PAUSE_MIN;
    let mut told = String::new();
    while !events.is_closed() {
        let error = match endpoint.dial(to).await {
            Ok(stream) => {
                let since = Instant::now();
                let error = attend(&endpoint, stream, to, next_connection(), &events).await;
                let held = since.elapsed() >= HELD_MIN;
                if held && matches!(error, TransportError::Ended { .. }) {
                    // There was one: the next attempt is worth making at once.
                    pause = PAUSE_MIN;
                    told.clear();
                }
                error
            }
            Err(error) => error,
        };
        let text = error.to_string();
        // Members that start together look for each other before all of them listen.
        let may_be_starting =
            matches!(error, TransportError::NoAnswer { .. }) && pause < PAUSE_TOLD;
        if text != told && !may_be_starting {
            failed(&error);
            told = text;
        }
        sleep(pause).await;
        pause = (2 * pause).min(PAUSE_MAX);
    }
}

impl Endpoint {
    /// Connects to a node, once.
    pub(crate) async fn dial(&self, to: Member) -> Result<TlsStream<TcpStream>, TransportError> {
        let address = self.deployment.member(to).address.clone().unwrap_or_default();
        let no_answer = |reason: String| TransportError::NoAnswer {
            member: to,
            address: address.clone(),
            reason,
        };
        let config = self.client_config(to)?;
        let connect = async {
            let tcp = TcpStream::connect(&address).await;
            let tcp = tcp.map_err(|error| no_answer(error.to_string()))?;
            // Steps of a search are short and waited for.
            tcp.set_nodelay(true).map_err(|error| no_answer(error.to_string()))?;
            let tls = TlsConnector::from(config).connect(self.name_of(to), tcp).await;
            tls.map_err(|error| TransportError::Refused {
                with: to.to_string(),
                reason: super::tls::reason_of(&error),
            })
        };
        let too_slow = |_| no_answer("it took too long".to_owned());
        timeout(GREETING_WITHIN, connect).await.map_err(too_slow)?
    }
}
