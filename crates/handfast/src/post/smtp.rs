//! The way to a mail server: TLS from the start or by STARTTLS; in clear on this machine alone.

use std::time::{Duration as StdDuration, SystemTime};

use anyhow::{Context as _, ensure};
use handfast_model::{SecretText, Timestamp};
use handfast_till::TlsRoots;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};

use super::{Mail, Verdict};

/// How long a server may take for one mail: RFC 5321 allows minutes, people do not.
const TIMEOUT: StdDuration = StdDuration::from_secs(20);
/// What ends a mail for good (RFC 5321, 4.2.3): its address or its content is not taken. Anything
/// else, also a wrong password, is put right some day.
const FOR_GOOD: [&str; 7] = ["501", "550", "551", "552", "553", "555", "556"];

/// Where mails are handed over, as the operator says it.
#[derive(Clone, Debug)]
pub(crate) struct MailServer {
    /// `smtps://USER:PASSWORD@HOST`, `smtp://USER:PASSWORD@HOST?tls=required`, or
    /// `smtp://127.0.0.1:PORT`.
    pub(crate) url: SecretText,
    /// Who they are from: `Name <address>`.
    pub(crate) from: String,
}

/// A mail server that can be asked.
pub(crate) struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Smtp {
    /// Reads what the operator said; nothing is asked yet.
    pub(crate) fn new(server: &MailServer, roots: &TlsRoots) -> anyhow::Result<Self> {
        let url = server.url.expose();
        let (scheme, rest) = url.split_once("://").context(WANTED)?;
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let host = match host.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        let starttls = scheme == "smtp" && url.ends_with("?tls=required");
        let plain = scheme == "smtp" && !url.contains('?');
        ensure!(!host.is_empty() && (scheme == "smtps" || starttls || plain), WANTED);
        let local = ["127.0.0.1", "localhost", "::1"].contains(&host);
        // A sign-in link in clear would be anybody's on the way.
        ensure!(!plain || local, "mails would leave in clear: {WANTED}");
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url);
        let mut builder = builder.map_err(|_| anyhow::anyhow!(WANTED))?.timeout(Some(TIMEOUT));
        if let (Some(pem), false) = (roots.pem(), plain) {
            let mut tls =
                TlsParameters::builder(host.to_owned()).certificate_store(CertificateStore::None);
            for block in blocks_of(pem) {
                let root = Certificate::from_pem(block.as_bytes());
                tls = tls.add_root_certificate(root.context("a root is no certificate")?);
            }
            let tls = tls.build().context("the roots cannot be used")?;
            builder = builder.tls(if starttls { Tls::Required(tls) } else { Tls::Wrapper(tls) });
        }
        let from = server.from.parse();
        let from = from.context("--mail-from is no address; write \"Name <name@example.org>\"")?;
        Ok(Self { transport: builder.build(), from })
    }

    /// Hands one mail over.
    pub(super) async fn send(&self, mail: &Mail, now: Timestamp) -> Verdict {
        let message = match self.message(mail, now) {
            Ok(message) => message,
            Err(error) => return Verdict::Refused(error.to_string()),
        };
        let Err(error) = self.transport.send(message).await else { return Verdict::Taken };
        // The code alone: a server's sentence may repeat the address.
        match error.status().map(|code| code.to_string()) {
            Some(code) if FOR_GOOD.contains(&code.as_str()) => Verdict::Refused(code),
            Some(code) if code == "421" || code == "535" || code == "530" => {
                Verdict::NoServer(code)
            }
            Some(code) => Verdict::Later(code),
            None if error.is_timeout() => Verdict::NoServer("timeout".to_owned()),
            None if error.is_tls() => Verdict::NoServer("tls".to_owned()),
            None => Verdict::NoServer("connection".to_owned()),
        }
    }

    fn message(&self, mail: &Mail, now: Timestamp) -> anyhow::Result<Message> {
        let to: Mailbox = mail.recipient.parse().context("no mail address")?;
        let since = StdDuration::from_micros(now.as_micros().try_into().unwrap_or(0));
        let id = format!("<{}@{}>", mail.mail_id, self.from.email.domain());
        Ok(Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(mail.subject.clone())
            .date(SystemTime::UNIX_EPOCH + since)
            .message_id(Some(id))
            // RFC 3834: no out-of-office answers to a machine.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .header(ContentType::TEXT_PLAIN)
            .body(mail.body.clone())?)
    }
}

const WANTED: &str = "--mail-server wants smtps://USER:PASSWORD@HOST, \
                      smtp://USER:PASSWORD@HOST?tls=required, or smtp://127.0.0.1:PORT for one on \
                      this machine";

/// The certificates of a PEM file, one by one.
fn blocks_of(pem: &[u8]) -> Vec<String> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    let text = String::from_utf8_lossy(pem);
    text.split(BEGIN).skip(1).map(|rest| format!("{BEGIN}{rest}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str, from: &str) -> anyhow::Result<Smtp> {
        let server = MailServer { url: SecretText::new(url.to_owned()), from: from.to_owned() };
        Smtp::new(&server, &TlsRoots::default())
    }

    #[tokio::test]
    async fn mails_in_clear_stay_on_this_machine() {
        let from = "Handfast <post@tickets.example>";
        for good in [
            "smtps://post:secret@mail.example",
            "smtps://mail.example:465",
            "smtp://post:secret@mail.example:587?tls=required",
            "smtp://127.0.0.1:2525",
            "smtp://localhost:25",
        ] {
            assert!(read(good, from).is_ok(), "{good}");
        }
        for bad in [
            "",
            "mail.example",
            "smtp://mail.example",
            "smtp://127.0.0.1@mail.example",
            "smtp://post:secret@mail.example:587?tls=opportunistic",
            "https://mail.example",
            "smtps://",
        ] {
            assert!(read(bad, from).is_err(), "{bad}");
        }
        assert!(read("smtps://mail.example", "nobody").is_err());
        let failed = read("smtp://post:secret@mail.example", from).err().unwrap();
        assert!(!format!("{failed:#}").contains("secret"));
    }
}
