//! The mail outbox: written in the transaction that made the mail necessary, sent by the binary.

use handfast_model::{MailId, Timestamp};
use handfast_store::{Tx, from_row, params};

use crate::mail_text::MailText;
use crate::{BoxOffice, BoxOfficeError, EmailAddress, Result, Thing};

/// A mail in the outbox.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// Its id.
    pub id: MailId,
    /// To whom.
    pub recipient: EmailAddress,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub body: String,
    /// The link in the text, with its key; gone once the mail was sent.
    pub link: Option<String>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was sent.
    pub sent_at: Option<Timestamp>,
}

from_row!(Mail { id, recipient, subject, body, link, created_at, sent_at });

impl std::fmt::Debug for Mail {
    /// Without recipient, text and link: the link's key signs in.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mail").field("id", &self.id).finish_non_exhaustive()
    }
}

impl BoxOffice {
    /// Mails that are to be sent, oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn unsent_mails(&self, limit: u32) -> Result<Vec<Mail>> {
        self.store
            .read("mail.unsent", |tx| {
                Box::pin(async move {
                    let sql = "SELECT id, recipient, subject, body, link, created_at, sent_at
                               FROM mails WHERE sent_at IS NULL ORDER BY id LIMIT $1";
                    Ok(tx.fetch_all(sql, params![limit]).await?)
                })
            })
            .await
    }

    /// The newest mails, newest first, at most `limit`: for the demo's mailbox, which sends nothing.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn newest_mails(&self, limit: u32) -> Result<Vec<Mail>> {
        self.store
            .read("mail.newest", |tx| {
                Box::pin(async move {
                    let sql = "SELECT id, recipient, subject, body, link, created_at, sent_at
                               FROM mails ORDER BY created_at DESC, id DESC LIMIT $1";
                    Ok(tx.fetch_all(sql, params![limit]).await?)
                })
            })
            .await
    }

    /// Remembers that a mail was sent, and forgets its text and link: whoever reads the database
    /// later finds no key in it.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for an unknown mail or one sent before.
    pub async fn mail_sent(&self, id: MailId) -> Result<()> {
        let now = self.now();
        self.store
            .transaction("mail.sent", |tx| {
                Box::pin(async move {
                    let sql = "UPDATE mails SET sent_at = $2, body = '', link = NULL
                               WHERE id = $1 AND sent_at IS NULL";
                    match tx.execute(sql, params![id, now]).await? {
                        0 => Err(BoxOfficeError::Unknown(Thing::Mail)),
                        _ => Ok(()),
                    }
                })
            })
            .await
    }

    /// The address of `path` for a mail.
    pub(crate) fn address_of(&self, path: &str, key: &str) -> String {
        format!("{}{path}{key}", self.public_address)
    }

    /// Puts a mail into the outbox.
    pub(crate) async fn queue_mail(
        &self,
        tx: &mut Tx<'_>,
        recipient: &EmailAddress,
        text: &MailText,
        link: &str,
    ) -> Result<()> {
        let id = MailId::new(&*self.clock, &*self.random);
        tx.execute(
            "INSERT INTO mails (id, recipient, subject, body, link, created_at)
             VALUES ($1, $2, $3, $4, $5, $6)",
            params![id, recipient, text.subject, text.body, link, self.now()],
        )
        .await?;
        Ok(())
    }
}
