//! A small mail server for tests: real sockets, the commands of RFC 5321 that a client sends,
//! STARTTLS (RFC 3207) and AUTH PLAIN (RFC 4954), and a will of its own.

use std::sync::{Arc, Mutex};

use handfast_model::SecretText;
use handfast_till::TlsRoots;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::test_https::localhost;
use super::{MailServer, Smtp};

/// What it does to the next mail, once.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Says {
    /// `451` to the recipient.
    NotNow,
    /// `550` to the recipient.
    Never,
    /// The connection ends at the recipient.
    HangsUp,
    /// The connection ends after the text, which it keeps, without a word.
    TakesItAndHangsUp,
}

/// A mail that it took.
#[derive(Clone, Debug, Default)]
pub(crate) struct Received {
    pub(crate) recipient: String,
    pub(crate) text: String,
    pub(crate) encrypted: bool,
    pub(crate) user: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Plain,
    StartTls,
    Tls,
}

#[derive(Default)]
struct State {
    will: Mutex<Vec<Says>>,
    received: Mutex<Vec<Received>>,
}

impl State {
    /// What to say to a recipient; what comes after the text stays for then.
    fn next_unless_taken(&self) -> Option<Says> {
        let mut will = self.will.lock().unwrap();
        match will.last() {
            None | Some(Says::TakesItAndHangsUp) => None,
            Some(_) => will.pop(),
        }
    }
}

/// The server.
pub(crate) struct TestServer {
    state: Arc<State>,
    mode: Mode,
    port: u16,
    roots: TlsRoots,
}

impl TestServer {
    pub(crate) async fn plain() -> Self {
        Self::open(Mode::Plain).await
    }

    pub(crate) async fn starttls() -> Self {
        Self::open(Mode::StartTls).await
    }

    pub(crate) async fn tls() -> Self {
        Self::open(Mode::Tls).await
    }

    async fn open(mode: Mode) -> Self {
        let (acceptor, roots) = localhost();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State::default());
        let kept = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, state) = (acceptor.clone(), kept.clone());
                tokio::spawn(async move { drop(serve(stream, mode, acceptor, state).await) });
            }
        });
        Self { state, mode, port, roots }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The way to it, believing its certificate.
    pub(crate) fn smtp(&self) -> Smtp {
        self.smtp_at(self.port)
    }

    /// The way to another port, believing this server's certificate.
    pub(crate) fn smtp_at(&self, port: u16) -> Smtp {
        let url = match self.mode {
            Mode::Plain => format!("smtp://127.0.0.1:{port}"),
            Mode::StartTls => format!("smtp://post:open%20sesame@localhost:{port}?tls=required"),
            Mode::Tls => format!("smtps://post:open%20sesame@localhost:{port}"),
        };
        let from = "Handfast <post@tickets.example>".to_owned();
        Smtp::new(&MailServer { url: SecretText::new(url), from }, &self.roots).unwrap()
    }

    pub(crate) fn will_say(&self, says: Says) {
        self.state.will.lock().unwrap().push(says);
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.state.received.lock().unwrap().clone()
    }
}

/// Where a conversation stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Plain,
    /// STARTTLS is offered.
    BeforeTls,
    /// The client speaks first.
    AfterStartTls,
    Tls,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

async fn serve(
    stream: TcpStream,
    mode: Mode,
    acceptor: TlsAcceptor,
    state: Arc<State>,
) -> std::io::Result<()> {
    if mode == Mode::Tls {
        let stream = acceptor.accept(stream).await?;
        return talk(Box::new(stream), Phase::Tls, &state).await.map(drop);
    }
    let phase = if mode == Mode::StartTls { Phase::BeforeTls } else { Phase::Plain };
    if let Some(stream) = talk(Box::new(stream), phase, &state).await? {
        let stream = acceptor.accept(stream).await?;
        talk(Box::new(stream), Phase::AfterStartTls, &state).await?;
    }
    Ok(())
}

/// One conversation; the stream comes back where the client wants TLS.
async fn talk(
    stream: Box<dyn Stream>,
    phase: Phase,
    state: &State,
) -> std::io::Result<Option<Box<dyn Stream>>> {
    let mut lines = BufReader::new(stream);
    let encrypted = matches!(phase, Phase::AfterStartTls | Phase::Tls);
    let mut mail = Received { encrypted, ..Received::default() };
    if phase != Phase::AfterStartTls {
        say(&mut lines, "220 test").await?;
    }
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let upper = line.trim_end().to_uppercase();
        let word = upper.split([' ', ':']).next().unwrap_or_default();
        match word {
            "EHLO" if phase == Phase::BeforeTls => {
                say(&mut lines, "250-test\r\n250 STARTTLS").await?
            }
            "EHLO" if encrypted => say(&mut lines, "250-test\r\n250 AUTH PLAIN").await?,
            "EHLO" | "MAIL" | "RSET" | "NOOP" => say(&mut lines, "250 fine").await?,
            "STARTTLS" => {
                say(&mut lines, "220 go on").await?;
                return Ok(Some(lines.into_inner()));
            }
            "AUTH" => {
                // `\0post\0open sesame` in base 64.
                let right = line.trim_end().ends_with("AHBvc3QAb3BlbiBzZXNhbWU=");
                mail.user = if right { "post".to_owned() } else { String::new() };
                say(&mut lines, if right { "235 welcome" } else { "535 no" }).await?;
            }
            "RCPT" => match state.next_unless_taken() {
                Some(Says::NotNow) => say(&mut lines, "451 later").await?,
                Some(Says::Never) => say(&mut lines, "550 nobody").await?,
                Some(Says::HangsUp) => return Ok(None),
                Some(Says::TakesItAndHangsUp) | None => {
                    let address = line.split(['<', '>']).nth(1).unwrap_or_default();
                    mail.recipient = address.to_owned();
                    say(&mut lines, "250 fine").await?;
                }
            },
            "DATA" => {
                say(&mut lines, "354 go on").await?;
                mail.text = text_of(&mut lines).await?;
                state.received.lock().unwrap().push(mail.clone());
                if state.will.lock().unwrap().pop().is_some() {
                    return Ok(None);
                }
                say(&mut lines, "250 taken").await?;
            }
            "QUIT" => {
                say(&mut lines, "221 bye").await?;
                return Ok(None);
            }
            _ => say(&mut lines, "502 what").await?,
        }
    }
}

async fn say(lines: &mut BufReader<Box<dyn Stream>>, text: &str) -> std::io::Result<()> {
    lines.get_mut().write_all(format!("{text}\r\n").as_bytes()).await?;
    lines.get_mut().flush().await
}

/// Until the lone dot, dots that were doubled for the way single again.
async fn text_of(lines: &mut BufReader<Box<dyn Stream>>) -> std::io::Result<String> {
    let mut text = String::new();
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).await? == 0 || line == ".\r\n" {
            return Ok(text);
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}
