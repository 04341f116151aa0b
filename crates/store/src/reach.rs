//! Reaching a PostgreSQL server, and what to do where it does not let us in.

use std::fmt;
use std::io::ErrorKind;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{Connection as _, PgConnection};
use tokio::time::Instant;

/// How long a server may take to let us in when a service starts: one that is being started beside us
/// does so within this, and a person who mistyped its address waits no longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// How long a server that is not ready is left alone.
const AGAIN_EVERY: Duration = Duration::from_millis(100);

/// What keeps us out of a database. Its text says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The name of its host leads nowhere.
    UnknownHost,
    /// Nothing listens at its port.
    NobodyListens,
    /// Nothing listens at its unix socket.
    NoSocket,
    /// Nothing answered in time.
    Silence,
    /// It does not take the password.
    Password,
    /// It does not take the user, from here, or into this database.
    User,
    /// As [`Obstacle::User`], where TLS was turned off: some servers take nobody without it.
    UserWithoutTls,
    /// It has no such database.
    NoDatabase,
    /// It has no TLS, and the address wants it.
    NoTls,
    /// TLS could not be begun: a certificate is not believed, is missing or cannot be read.
    Certificate,
    /// All its connections are taken.
    Full,
    /// It is starting or stopping.
    NotReady,
    /// What answers speaks another protocol.
    NoPostgres,
    /// The file is no SQLite database.
    NoSqlite,
    /// Something else, which the cause tells.
    Other,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownHost => {
                "no host is known by that name; correct it in the address, or see to the name service"
            }
            Self::NobodyListens => {
                "nothing listens there; start the server, or correct host and port in the address"
            }
            Self::NoSocket => {
                "no server listens at a socket there; start it, or correct `host=` in the address"
            }
            Self::Silence => {
                return write!(
                    f,
                    "nothing answered within {} s; see that the server runs, that host and port are \
                     right, and that no firewall is in between",
                    PATIENCE.as_secs()
                );
            }
            Self::Password => {
                "the server does not take the password; correct it (in an address \
                 every special character of it is written as %XX), or name it in PGPASSWORD"
            }
            Self::User => {
                "the server does not let this user in; create the user, correct it in the address, or \
                 allow it in the server's pg_hba.conf"
            }
            Self::UserWithoutTls => {
                "the server does not let this user in, or not without TLS; create the user, allow it in \
                 the server's pg_hba.conf, or say sslmode=require in the address"
            }
            Self::NoDatabase => {
                "the server has no database of that name; create it (`createdb NAME`), or correct the \
                 name in the address"
            }
            Self::NoTls => {
                "the server has no TLS, and the address asks for it; turn it on there, or say \
                 sslmode=prefer in the address to do without where there is none"
            }
            Self::Certificate => {
                "TLS could not be begun; name the server by the name in its certificate, and the \
                 authority that signed it with sslrootcert=FILE, or say sslmode=require in the address \
                 to believe any"
            }
            Self::Full => {
                "all connections of the server are taken; raise its max_connections, or end others"
            }
            Self::NotReady => "the server is starting or stopping; try again when it runs",
            Self::NoPostgres => {
                "what answers there is no PostgreSQL server; correct the port in the address"
            }
            Self::NoSqlite => {
                "the file is no SQLite database, or is damaged; name another, or bring a backup back"
            }
            Self::Other => "check that it exists, runs and lets us in",
        })
    }
}

/// Why a server was not reached.
pub(crate) struct Unreached {
    pub(crate) obstacle: Obstacle,
    pub(crate) source: sqlx::Error,
}

impl Unreached {
    fn of(options: &PgConnectOptions, source: sqlx::Error) -> Self {
        Self { obstacle: obstacle(options, &source), source }
    }

    fn silence() -> Self {
        let source = sqlx::Error::Io(ErrorKind::TimedOut.into());
        Self { obstacle: Obstacle::Silence, source }
    }
}

/// Opens one connection and closes it, within `patience`: a pool would go on trying for much longer,
/// and would not say what it met.
pub(crate) async fn reach(options: &PgConnectOptions, patience: Duration) -> Result<(), Unreached> {
    let deadline = Instant::now() + patience;
    let mut met = None;
    loop {
        let unreached = match tokio::time::timeout_at(deadline, enter(options)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(unreached)) => unreached,
            // The last attempt may have had no time: what was met before tells more than silence.
            Err(_) => return Err(met.unwrap_or_else(Unreached::silence)),
        };
        if !passes(unreached.obstacle) || Instant::now() + AGAIN_EVERY > deadline {
            return Err(unreached);
        }
        met = Some(unreached);
        tokio::time::sleep(AGAIN_EVERY).await;
    }
}

async fn enter(options: &PgConnectOptions) -> Result<(), Unreached> {
    if options.get_socket().is_none() {
        // Asked for here: in the error of a connection a name that is not known has no kind of its own.
        tokio::net::lookup_host((options.get_host(), options.get_port()))
            .await
            .map(drop)
            .map_err(|error| Unreached { obstacle: Obstacle::UnknownHost, source: error.into() })?;
    }
    let connection = PgConnection::connect_with(options).await;
    let connection = connection.map_err(|source| Unreached::of(options, source))?;
    // It let us in: how it says farewell is nothing to us.
    drop(connection.close().await);
    Ok(())
}

/// Whether waiting may help: services and their server are often started together.
const fn passes(obstacle: Obstacle) -> bool {
    use Obstacle as O;
    matches!(obstacle, O::NobodyListens | O::NoSocket | O::Full | O::NotReady)
}

fn obstacle(options: &PgConnectOptions, error: &sqlx::Error) -> Obstacle {
    use PgSslMode as Mode;
    let by_socket = options.get_socket().is_some();
    match error {
        sqlx::Error::Database(error) => match error.code().as_deref() {
            Some("28P01") => Obstacle::Password,
            Some("28000") if !matches!(options.get_ssl_mode(), Mode::Disable | Mode::Allow) => {
                Obstacle::User
            }
            Some("28000") => Obstacle::UserWithoutTls,
            Some("42501") => Obstacle::User,
            Some("3D000") => Obstacle::NoDatabase,
            Some("53300") => Obstacle::Full,
            Some("57P03") => Obstacle::NotReady,
            _ => Obstacle::Other,
        },
        // The one sentence of the driver for a server that declines.
        sqlx::Error::Tls(cause) if cause.to_string() == "server does not support TLS" => {
            Obstacle::NoTls
        }
        sqlx::Error::Tls(_) => Obstacle::Certificate,
        // It asks for a client's certificate and key together.
        sqlx::Error::Configuration(_) => Obstacle::Certificate,
        sqlx::Error::Protocol(_) => Obstacle::NoPostgres,
        sqlx::Error::Io(error) => match error.kind() {
            ErrorKind::ConnectionRefused | ErrorKind::NotFound if by_socket => Obstacle::NoSocket,
            ErrorKind::ConnectionRefused => Obstacle::NobodyListens,
            // Of its own certificate files, or of what the server showed.
            ErrorKind::NotFound | ErrorKind::InvalidData => Obstacle::Certificate,
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset => Obstacle::NoPostgres,
            ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
                Obstacle::Silence
            }
            _ => Obstacle::Other,
        },
        _ => Obstacle::Other,
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Enough for this machine to answer itself several times.
    const SHORTLY: Duration = Duration::from_millis(500);
    /// What whoever asks for TLS is told: no.
    const NO_TLS: &[u8] = b"N";

    /// What becomes of somebody who knocks where each connection's messages are answered one after the
    /// other and it is then closed, or held open where the answers end with nothing. The last of
    /// `connections` is all others' too.
    async fn met(query: &str, connections: &[&'static [&'static [u8]]]) -> Obstacle {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = connections.to_vec();
        let server = tokio::spawn(async move {
            let mut held = Vec::new();
            for number in 0.. {
                let (mut stream, _) = listener.accept().await.unwrap();
                let answers = connections.get(number).or(connections.last());
                for answer in answers.copied().unwrap_or_default() {
                    let mut asked = [0; 512];
                    let _ = stream.read(&mut asked).await;
                    if answer.is_empty() {
                        held.push(stream);
                        break;
                    }
                    let _ = stream.write_all(answer).await;
                }
            }
        });
        let obstacle = met_at(address, query).await;
        server.abort();
        obstacle
    }

    async fn met_at(address: SocketAddr, query: &str) -> Obstacle {
        let options = format!("postgres://u:pw@{address}/hub?{query}").parse().unwrap();
        let Err(unreached) = reach(&options, SHORTLY).await else { panic!("nobody is let in") };
        unreached.obstacle
    }

    macro_rules! refusal {
        ($code:literal) => {{
            // An ErrorResponse: its length counts itself, 'SFATAL', 'VFATAL', 'C' and the code, 'Mno'.
            const TEXT: &[u8] =
                concat!("E\0\0\0\x1eSFATAL\0VFATAL\0C", $code, "\0Mno\0\0").as_bytes();
            const _: () = assert!(TEXT.len() == 0x1e + 1);
            TEXT
        }};
    }

    #[tokio::test]
    async fn what_a_server_says_is_what_the_person_reads() {
        for (answers, obstacle) in [
            (&[NO_TLS, refusal!("28P01")], Obstacle::Password),
            (&[NO_TLS, refusal!("28000")], Obstacle::User),
            (&[NO_TLS, refusal!("42501")], Obstacle::User),
            (&[NO_TLS, refusal!("3D000")], Obstacle::NoDatabase),
            (&[NO_TLS, refusal!("53300")], Obstacle::Full),
            (&[NO_TLS, refusal!("57P03")], Obstacle::NotReady),
            (&[NO_TLS, refusal!("XX000")], Obstacle::Other),
        ] {
            assert_eq!(met("", &[answers]).await, obstacle);
        }
        let refused = met("sslmode=disable", &[&[refusal!("28000")]]).await;
        assert_eq!(refused, Obstacle::UserWithoutTls);
    }

    #[tokio::test]
    async fn a_server_without_tls_and_one_that_is_none_are_told_apart() {
        assert_eq!(met("sslmode=require", &[&[NO_TLS]]).await, Obstacle::NoTls);
        assert_eq!(met("sslmode=verify-full", &[&[NO_TLS]]).await, Obstacle::NoTls);
        assert_eq!(met("", &[&[b"HTTP/1.1 400 Bad Request\r\n\r\n"]]).await, Obstacle::NoPostgres);
        assert_eq!(met("", &[&[]]).await, Obstacle::NoPostgres);
        let none = "sslmode=verify-full&sslrootcert=/none/root.pem";
        assert_eq!(met(none, &[&[b"S"]]).await, Obstacle::Certificate);
    }

    #[tokio::test]
    async fn silence_nobody_and_no_host_are_told_in_time() {
        assert_eq!(met("", &[&[b""]]).await, Obstacle::Silence);
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        assert_eq!(met_at(nobody, "").await, Obstacle::NobodyListens);
        let folder = tempfile::tempdir().unwrap();
        let socket = format!("host={}", folder.path().display());
        assert_eq!(met_at(nobody, &socket).await, Obstacle::NoSocket);
        // Longer than a label may be: no name server is asked.
        let nowhere = format!("host={}.invalid", "x".repeat(64));
        assert_eq!(met_at(nobody, &nowhere).await, Obstacle::UnknownHost);
    }

    #[tokio::test]
    async fn a_server_that_is_being_started_is_waited_for() {
        let connections: [&'static [&'static [u8]]; 2] =
            [&[NO_TLS, refusal!("57P03")], &[NO_TLS, refusal!("28P01")]];
        assert_eq!(met("", &connections).await, Obstacle::Password);
        let connections: [&'static [&'static [u8]]; 2] = [&[NO_TLS, refusal!("57P03")], &[b""]];
        assert_eq!(met("", &connections).await, Obstacle::NotReady);
    }
}
