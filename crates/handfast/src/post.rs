//! Outgoing mail: one outbox for the whole house. What the till owes is written here once, what the
//! box office has to say is fetched from its own outbox, and all of it leaves by SMTP where a mail
//! server is configured. Without one it stays here, which is all that the demo's mailbox shows.
//!
//! A mail is claimed before it is sent, so that processes side by side do not send it at once. A
//! death between the server's "taken" and our note of it sends it again, under the same Message-ID:
//! whoever receives it twice can know.

use std::sync::Arc;
use std::time::Duration as StdDuration;

use handfast_boxoffice::BoxOfficeError;
use handfast_model::{Clock, Duration, Timestamp};
use handfast_store::{Migration, Migrations, Store, StoreError, Tx, from_row, params};
use handfast_till::OwedMail;

use crate::hub::{Hub, SharedHub};

mod payment_text;
mod smtp;
#[cfg(test)]
pub(crate) mod test_https;
#[cfg(test)]
mod test_server;

pub(crate) use smtp::{MailServer, Smtp};

/// How often mails are collected and sent: people wait for a sign-in mail with the page open.
const POST_EVERY: StdDuration = StdDuration::from_secs(1);
/// Pauses after an attempt that failed: greylisting lets one through after minutes, a server that is
/// down for a night is back in the morning; after a day and a half a mail is old news.
const SCHEDULE: [Duration; 8] = [
    Duration::from_secs(10),
    Duration::from_minutes(1),
    Duration::from_minutes(5),
    Duration::from_minutes(15),
    Duration::from_hours(1),
    Duration::from_hours(3),
    Duration::from_hours(8),
    Duration::from_hours(24),
];
/// How long a server may take for one mail altogether: some three of its answers, each in the
/// patience that [`smtp`] has.
const SENDING_MAX: StdDuration = StdDuration::from_secs(60);
/// How long a mail is this process's alone: longer than sending it can take.
const CLAIM: Duration = Duration::from_secs(90);
/// How many mails one round sends, so that a round ends.
const ROUND_MAX: usize = 50;
/// How long it is kept that a mail was sent or refused (nothing of its text is): for the question
/// "did it leave?".
const KEPT: Duration = Duration::from_days(30);
/// Every so many rounds, what is old is forgotten.
const FORGET_ROUNDS: u64 = 3_600;

const MIGRATIONS: Migrations = Migrations {
    service: "post",
    steps: &[Migration { version: 1, name: "the outbox", sql: OUTBOX }],
};

const OUTBOX: &str = "
CREATE TABLE post_mails (
    mail_id TEXT NOT NULL PRIMARY KEY,
    recipient TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    link TEXT,
    created_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    next_at BIGINT,
    sent_at BIGINT,
    refused_at BIGINT,
    reason TEXT
);
CREATE INDEX post_mails_due ON post_mails (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX post_mails_newest ON post_mails (created_at);
";

/// A mail to be sent. Its `Debug` prints nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Mail {
    /// What it is about, by id: the same mail is put in once.
    pub(crate) mail_id: String,
    pub(crate) recipient: String,
    pub(crate) subject: String,
    pub(crate) body: String,
    pub(crate) link: Option<String>,
    pub(crate) created_at: Timestamp,
}

from_row!(Mail { mail_id, recipient, subject, body, link, created_at });

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mail(hidden)")
    }
}

/// What one round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) sent: usize,
    /// Tried again later.
    pub(crate) later: usize,
    /// The server will never take it.
    pub(crate) refused: usize,
}

/// What the server said to one mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Taken,
    /// Not now; the next mail may fare better.
    Later(String),
    /// Nobody answers, or not to us: the next mail fares no better.
    NoServer(String),
    /// Never.
    Refused(String),
}

/// The outbox.
pub(crate) struct Post {
    store: Store,
    clock: Arc<dyn Clock>,
    smtp: Option<Smtp>,
}

impl Post {
    /// Opens the outbox; without `smtp` nothing leaves it.
    pub(crate) async fn open(
        store: Store,
        clock: Arc<dyn Clock>,
        smtp: Option<Smtp>,
    ) -> Result<Self, StoreError> {
        store.migrate(&MIGRATIONS).await?;
        Ok(Self { store, clock, smtp })
    }

    /// Whether mails leave.
    pub(crate) fn sends(&self) -> bool {
        self.smtp.is_some()
    }

    /// Puts a mail in, once by its id.
    pub(crate) async fn put(&self, mail: &Mail) -> Result<(), StoreError> {
        let now = self.clock.now();
        self.store
            .transaction("post.put", |tx| {
                Box::pin(async move {
                    tx.execute(
                        "INSERT INTO post_mails (mail_id, recipient, subject, body, link, \
                         created_at, attempts, next_at) VALUES ($1, $2, $3, $4, $5, $6, 0, $7) \
                         ON CONFLICT (mail_id) DO NOTHING",
                        params![
                            mail.mail_id,
                            mail.recipient,
                            mail.subject,
                            mail.body,
                            mail.link,
                            mail.created_at,
                            now,
                        ],
                    )
                    .await?;
                    Ok(())
                })
            })
            .await
    }

    /// The newest mails that did not leave, newest first: for the demo's mailbox.
    pub(crate) async fn newest(&self, limit: u32) -> Result<Vec<Mail>, StoreError> {
        self.store
            .read("post.newest", |tx| {
                Box::pin(async move {
                    let sql = "SELECT mail_id, recipient, subject, body, link, created_at \
                               FROM post_mails WHERE next_at IS NOT NULL \
                               ORDER BY created_at DESC, mail_id DESC LIMIT $1";
                    tx.fetch_all(sql, params![limit]).await
                })
            })
            .await
    }

    /// Sends what is due.
    pub(crate) async fn send_due(&self) -> Result<Sent, StoreError> {
        let mut done = Sent::default();
        let Some(smtp) = &self.smtp else { return Ok(done) };
        for _ in 0..ROUND_MAX {
            let Some((mail, pause)) = self.claim().await? else { break };
            let sending = smtp.send(&mail, self.clock.now());
            let verdict = tokio::time::timeout(SENDING_MAX, sending).await;
            match verdict.unwrap_or_else(|_| Verdict::NoServer("timeout".to_owned())) {
                Verdict::Taken => {
                    done.sent += 1;
                    self.end(&mail.mail_id, None).await?;
                }
                Verdict::Refused(reason) => {
                    done.refused += 1;
                    tracing::warn!(reason, "the mail server refuses a mail");
                    self.end(&mail.mail_id, Some(&reason)).await?;
                }
                verdict @ (Verdict::Later(_) | Verdict::NoServer(_)) => {
                    let stop = matches!(verdict, Verdict::NoServer(_));
                    let (Verdict::Later(reason) | Verdict::NoServer(reason)) = verdict else {
                        continue;
                    };
                    done.later += 1;
                    tracing::warn!(reason, "a mail could not be sent");
                    match pause {
                        Some(pause) => self.put_off(&mail.mail_id, pause).await?,
                        None => self.end(&mail.mail_id, Some(&reason)).await?,
                    }
                    if stop {
                        break;
                    }
                }
            }
        }
        Ok(done)
    }

    /// Forgets what was sent or refused long ago.
    pub(crate) async fn forget_old(&self) -> Result<(), StoreError> {
        let before = self.clock.now() - KEPT;
        self.store
            .transaction("post.forget", |tx| {
                Box::pin(async move {
                    tx.execute(
                        "DELETE FROM post_mails WHERE sent_at < $1 OR refused_at < $1",
                        params![before],
                    )
                    .await?;
                    Ok(())
                })
            })
            .await
    }

    /// The next mail that is due, claimed for [`CLAIM`]; and the pause before its next attempt, if
    /// this is not its last.
    async fn claim(&self) -> Result<Option<(Mail, Option<Duration>)>, StoreError> {
        let now = self.clock.now();
        self.store.transaction("post.claim", |tx| Box::pin(claim(tx, now))).await
    }

    async fn put_off(&self, id: &str, pause: Duration) -> Result<(), StoreError> {
        let next_at = self.clock.now() + pause;
        self.store
            .transaction("post.put_off", |tx| {
                Box::pin(async move {
                    let sql = "UPDATE post_mails SET next_at = $1 WHERE mail_id = $2";
                    tx.execute(sql, params![next_at, id]).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Nothing more is done about a mail: its text, its link and its recipient are forgotten.
    async fn end(&self, id: &str, refused: Option<&str>) -> Result<(), StoreError> {
        let now = self.clock.now();
        let (sent_at, refused_at) = match refused {
            None => (Some(now), None),
            Some(_) => (None, Some(now)),
        };
        self.store
            .transaction("post.end", |tx| {
                Box::pin(async move {
                    tx.execute(
                        "UPDATE post_mails SET next_at = NULL, sent_at = $1, refused_at = $2, \
                         reason = $3, recipient = '', subject = '', body = '', link = NULL \
                         WHERE mail_id = $4",
                        params![sent_at, refused_at, refused, id],
                    )
                    .await?;
                    Ok(())
                })
            })
            .await
    }
}

async fn claim(
    tx: &mut Tx<'_>,
    now: Timestamp,
) -> Result<Option<(Mail, Option<Duration>)>, StoreError> {
    let due: Option<(String, i64)> = tx
        .fetch_optional(
            "SELECT mail_id, attempts FROM post_mails WHERE next_at <= $1 \
             ORDER BY next_at, mail_id LIMIT 1",
            params![now],
        )
        .await?;
    let Some((id, attempts)) = due else { return Ok(None) };
    let pause = usize::try_from(attempts).ok().and_then(|attempt| SCHEDULE.get(attempt)).copied();
    tx.execute(
        "UPDATE post_mails SET attempts = attempts + 1, next_at = $1 WHERE mail_id = $2",
        params![now + CLAIM, id],
    )
    .await?;
    let sql = "SELECT mail_id, recipient, subject, body, link, created_at FROM post_mails \
               WHERE mail_id = $1";
    Ok(Some((tx.fetch_one(sql, params![id]).await?, pause)))
}

/// Collects and sends mails, until the process ends.
pub(crate) async fn look_after(hub: SharedHub) {
    let mut every = tokio::time::interval(POST_EVERY);
    for round in 0_u64.. {
        every.tick().await;
        // What fails in one of them holds up no other.
        let mut looked_after = vec![
            hub.collect_payment_mails().await,
            hub.collect_mails().await,
            hub.post.send_due().await.map(drop).map_err(Into::into),
        ];
        if round % FORGET_ROUNDS == 0 {
            looked_after.push(hub.post.forget_old().await.map_err(Into::into));
        }
        for error in looked_after.into_iter().filter_map(Result::err) {
            tracing::error!(%error, "the outgoing mail could not be looked after; tried again soon");
        }
    }
}

impl Hub {
    /// From what the till owes into the house's outbox.
    async fn collect_payment_mails(&self) -> anyhow::Result<()> {
        for owed in self.till.mails_owed().await? {
            self.write_payment_mail(&owed).await?;
        }
        Ok(())
    }

    async fn write_payment_mail(&self, owed: &OwedMail) -> anyhow::Result<()> {
        let account = match self.boxoffice.account(owed.account).await {
            Ok(account) => account,
            // Younger than the copy that the box office was restored from: nobody to write to.
            Err(BoxOfficeError::Unknown(_)) => {
                tracing::warn!("a payment's mail is dropped: the box office knows no such account");
                return Ok(self.till.mail_handed_over(owed).await?);
            }
            Err(error) => return Err(error.into()),
        };
        let text = payment_text::of(account.language, owed, &self.public_url);
        let mail = Mail {
            mail_id: payment_text::id_of(owed),
            recipient: account.email.as_str().to_owned(),
            subject: text.subject,
            body: text.body,
            link: Some(text.link),
            created_at: owed.at,
        };
        self.post.put(&mail).await?;
        self.till.mail_handed_over(owed).await?;
        Ok(())
    }

    /// From the box office's outbox into the house's.
    async fn collect_mails(&self) -> anyhow::Result<()> {
        const AT_ONCE: u32 = 50;
        if !self.post.sends() {
            // They stay where they are written: nothing could be done with them here.
            return Ok(());
        }
        for mail in self.boxoffice.unsent_mails(AT_ONCE).await? {
            let id = mail.id;
            let mail = Mail {
                mail_id: id.to_string(),
                recipient: mail.recipient.as_str().to_owned(),
                subject: mail.subject,
                body: mail.body,
                link: mail.link,
                created_at: mail.created_at,
            };
            self.post.put(&mail).await?;
            self.boxoffice.mail_sent(id).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use handfast_model::ManualClock;

    use super::test_server::{Says, TestServer};
    use super::*;

    fn mail(id: &str) -> Mail {
        Mail {
            mail_id: id.to_owned(),
            recipient: format!("{id}@example.org"),
            subject: "Größe 12,50 €".to_owned(),
            body: "Hola\n\nhttps://handfast.example/receipt/abc\n.\nend\n".to_owned(),
            link: Some("https://handfast.example/receipt/abc".to_owned()),
            created_at: Timestamp::from_micros(1_790_000_000_000_000),
        }
    }

    async fn post_to(server: &TestServer) -> (Post, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_790_000_000_000_000)));
        let store = Store::connect("sqlite::memory:").await.unwrap();
        let post = Post::open(store, clock.clone(), Some(server.smtp())).await.unwrap();
        (post, clock)
    }

    #[tokio::test]
    async fn mails_leave_once_and_nothing_of_them_stays() {
        let server = TestServer::plain().await;
        let (post, clock) = post_to(&server).await;
        for id in ["ann", "bob", "ann"] {
            post.put(&mail(id)).await.unwrap();
        }
        assert_eq!(post.newest(9).await.unwrap().len(), 2);
        assert_eq!(post.send_due().await.unwrap(), Sent { sent: 2, ..Sent::default() });
        clock.advance(Duration::from_days(2));
        assert_eq!(post.send_due().await.unwrap(), Sent::default());
        post.put(&mail("ann")).await.unwrap();
        assert_eq!(post.send_due().await.unwrap(), Sent::default(), "also when it is put in again");
        assert!(post.newest(9).await.unwrap().is_empty());
        let got = server.received();
        assert_eq!(got.len(), 2);
        assert_eq!(got[0].recipient, "ann@example.org");
        assert!(got[0].text.contains("Message-ID: <ann@tickets.example>"), "{}", got[0].text);
        assert!(got[0].text.contains("https://handfast.example/receipt/abc"));
        assert!(got[0].text.contains("\r\n.\r\nend"), "a lone dot ends no mail");
        post.forget_old().await.unwrap();
        clock.advance(KEPT);
        post.forget_old().await.unwrap();
        post.put(&mail("ann")).await.unwrap();
        assert_eq!(post.newest(9).await.unwrap().len(), 1, "forgotten altogether");
    }

    #[tokio::test]
    async fn what_is_not_taken_now_is_sent_again_until_it_is() {
        let server = TestServer::plain().await;
        let (post, clock) = post_to(&server).await;
        post.put(&mail("ann")).await.unwrap();
        for said in [Says::NotNow, Says::HangsUp] {
            server.will_say(said);
            assert_eq!(post.send_due().await.unwrap(), Sent { later: 1, ..Sent::default() });
            assert_eq!(post.send_due().await.unwrap(), Sent::default(), "not before its time");
            clock.advance(Duration::from_minutes(1));
        }
        // It takes the mail and is gone before it says so: sent again, and known by its id.
        server.will_say(Says::TakesItAndHangsUp);
        assert_eq!(post.send_due().await.unwrap().later, 1);
        clock.advance(Duration::from_minutes(5));
        assert_eq!(post.send_due().await.unwrap().sent, 1);
        let got = server.received();
        assert_eq!(got.len(), 2);
        let id = |text: &str| text.lines().find(|l| l.starts_with("Message-ID")).map(str::to_owned);
        assert_eq!(id(&got[0].text), id(&got[1].text));
    }

    #[tokio::test]
    async fn a_mail_that_one_process_is_sending_is_not_sent_by_another() {
        let server = TestServer::plain().await;
        let (post, clock) = post_to(&server).await;
        let beside =
            Post { store: post.store.clone(), clock: clock.clone(), smtp: Some(server.smtp()) };
        post.put(&mail("ann")).await.unwrap();
        assert!(post.claim().await.unwrap().is_some());
        clock.advance(Duration::from_secs(SENDING_MAX.as_secs().cast_signed()));
        assert_eq!(beside.send_due().await.unwrap(), Sent::default());
        // The process died over it: another sends it when the claim is over.
        clock.advance(Duration::from_secs(30));
        assert_eq!(beside.send_due().await.unwrap().sent, 1);
    }

    #[tokio::test]
    async fn what_is_refused_does_not_hold_up_the_others() {
        let server = TestServer::plain().await;
        let (post, clock) = post_to(&server).await;
        for id in ["a-nobody", "bob"] {
            post.put(&mail(id)).await.unwrap();
        }
        server.will_say(Says::Never);
        let done = post.send_due().await.unwrap();
        assert_eq!(done, Sent { sent: 1, refused: 1, later: 0 });
        clock.advance(Duration::from_days(2));
        assert_eq!(post.send_due().await.unwrap(), Sent::default());
    }

    #[tokio::test]
    async fn a_mail_is_given_up_after_the_whole_schedule() {
        let server = TestServer::plain().await;
        let (post, clock) = post_to(&server).await;
        post.put(&mail("ann")).await.unwrap();
        for _ in 0..=SCHEDULE.len() {
            server.will_say(Says::NotNow);
            assert_eq!(post.send_due().await.unwrap().later, 1);
            clock.advance(Duration::from_hours(24));
        }
        assert_eq!(post.send_due().await.unwrap(), Sent::default());
        assert!(post.newest(9).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn mails_go_through_tls_or_not_at_all() {
        let server = TestServer::starttls().await;
        let (post, clock) = post_to(&server).await;
        post.put(&mail("ann")).await.unwrap();
        assert_eq!(post.send_due().await.unwrap().sent, 1);
        assert!(server.received()[0].encrypted);
        assert_eq!(server.received()[0].user, "post", "signed in");
        // Somebody else's certificate: the mail waits.
        let impostor = TestServer::starttls().await;
        let store = Store::connect("sqlite::memory:").await.unwrap();
        let post = Post::open(store, clock, Some(server.smtp_at(impostor.port()))).await.unwrap();
        post.put(&mail("bob")).await.unwrap();
        assert_eq!(post.send_due().await.unwrap(), Sent { later: 1, ..Sent::default() });
        assert!(impostor.received().is_empty());
        let server = TestServer::tls().await;
        let (post, _) = post_to(&server).await;
        post.put(&mail("cid")).await.unwrap();
        assert_eq!(post.send_due().await.unwrap().sent, 1);
    }
}
