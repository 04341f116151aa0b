//! Handing a ticket on: its holder names a mail address, and whoever opens the link there takes it.
//! From then on it has another code and another account.

use handfast_model::{AccountId, Duration, LinkId, TicketId};
use handfast_store::{Tx, from_row, params};

use crate::mail_key::{self, KeyPurpose};
use crate::ticket::TicketFacts;
use crate::{
    BoxOffice, BoxOfficeError, EmailAddress, Event, Language, Result, Standing, Thing, TicketCode,
    account, event, mail_text, secret_key, ticket,
};

/// How long the link works: people read their mail after the weekend.
const OFFER_LIFETIME: Duration = Duration::from_days(7);

/// Offers by one account, and to one address, within [`OFFERS_WITHIN`]: a family's evening fits, and
/// nobody's mailbox is filled through us.
pub const OFFERS_MAX: i64 = 10;
/// The time of [`OFFERS_MAX`].
const OFFERS_WITHIN: Duration = Duration::from_days(1);

/// A ticket that somebody wants to hand on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketOffer {
    /// Its event.
    pub event: Event,
    /// Its product.
    pub product: String,
    /// Who hands it on.
    pub from: String,
    /// To whom.
    pub recipient: EmailAddress,
}

struct Key {
    ticket_id: TicketId,
    account_id: AccountId,
    recipient: EmailAddress,
}

from_row!(Key { ticket_id, account_id, recipient });

impl BoxOffice {
    /// Offers a ticket to whoever has this mail address; an earlier offer of it ends.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for another account's ticket; [`BoxOfficeError::TicketUsed`],
    /// [`BoxOfficeError::TicketLinked`], [`BoxOfficeError::SaleOver`] or
    /// [`BoxOfficeError::NotTransferable`] where it cannot be handed on; [`BoxOfficeError::Offers`].
    pub async fn offer_ticket(
        &self,
        account_id: AccountId,
        id: TicketId,
        recipient: &EmailAddress,
    ) -> Result<()> {
        let (key, hash) = &secret_key::fresh(&*self.random, "");
        let now = self.now();
        self.store
            .transaction("transfer.offer", |tx| {
                Box::pin(async move {
                    let own = account::find(tx, account_id).await?;
                    let facts = self.transferable(tx, account_id, id).await?;
                    if own.email == *recipient {
                        return Err(BoxOfficeError::NotTransferable);
                    }
                    check_offers(tx, account_id, recipient, now).await?;
                    end_offers(tx, id, now).await?;
                    tx.execute(
                        "INSERT INTO mail_keys (key_hash, purpose, account_id, ticket_id, recipient,
                                                created_at, expires_at)
                         VALUES ($1, $2, $3, $4, $5, $6, $7)",
                        params![
                            hash,
                            KeyPurpose::Transfer,
                            account_id,
                            id,
                            recipient,
                            now,
                            now + OFFER_LIFETIME
                        ],
                    )
                    .await?;
                    let known = account::find_by_email(tx, recipient).await?;
                    let language = known.map_or(own.language, |account| account.language);
                    let event = event::find(tx, facts.event_id).await?;
                    let link = self.address_of("/order#/take/", key.expose());
                    let text = mail_text::ticket_offered(
                        language,
                        (&own.name, &facts.product, &event.name),
                        &link,
                    );
                    self.queue_mail(tx, recipient, &text, &link).await
                })
            })
            .await
    }

    /// Takes an offer back: its link works no more.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for another account's ticket.
    pub async fn withdraw_offer(&self, account_id: AccountId, id: TicketId) -> Result<()> {
        let now = self.now();
        self.store
            .transaction("transfer.withdraw", |tx| {
                Box::pin(async move {
                    if ticket::facts(tx, id).await?.account_id != account_id {
                        return Err(BoxOfficeError::Unknown(Thing::Ticket));
                    }
                    end_offers(tx, id, now).await
                })
            })
            .await
    }

    /// What a link from a mail offers.
    ///
    /// # Errors
    /// [`BoxOfficeError::MailKey`].
    pub async fn ticket_offer(&self, mail_key: &str) -> Result<TicketOffer> {
        let now = self.now();
        self.store
            .read("transfer.one", |tx| {
                Box::pin(async move {
                    let key = find_key(tx, mail_key, now).await?;
                    let facts = self.transferable(tx, key.account_id, key.ticket_id).await?;
                    Ok(TicketOffer {
                        event: event::find(tx, facts.event_id).await?,
                        product: facts.product,
                        from: account::find(tx, key.account_id).await?.name,
                        recipient: key.recipient,
                    })
                })
            })
            .await
    }

    /// Takes the ticket over: it belongs to the account of the mail's address (made where there is
    /// none, with this name) and has another code. Reconcile armings afterwards.
    ///
    /// # Errors
    /// [`BoxOfficeError::MailKey`]; as [`BoxOffice::offer_ticket`] where it cannot be handed on any
    /// more; [`BoxOfficeError::Text`] for a name that is none.
    pub async fn take_ticket(
        &self,
        mail_key: &str,
        name: &str,
        language: Language,
    ) -> Result<AccountId> {
        let name = &crate::company::check_name("a name", name)?;
        let code = &TicketCode::new(&*self.random);
        let fresh = AccountId::new(&*self.clock, &*self.random);
        let now = self.now();
        self.store
            .transaction("transfer.take", |tx| {
                Box::pin(async move {
                    let key = find_key(tx, mail_key, now).await?;
                    let facts = self.transferable(tx, key.account_id, key.ticket_id).await?;
                    mail_key::use_up(tx, mail_key, KeyPurpose::Transfer, now).await?;
                    let known = account::find_by_email(tx, &key.recipient).await?;
                    let taker = match known {
                        Some(account) => account.id,
                        None => {
                            account::insert(tx, fresh, &key.recipient, name, language, now).await?;
                            fresh
                        }
                    };
                    let sql = "UPDATE tickets SET account_id = $2, code = $3, code_serial = $4,
                                      totp_secret = NULL, changed_at = $5
                               WHERE id = $1";
                    let serial = facts.code_serial.wrapping_add(1);
                    tx.execute(sql, params![key.ticket_id, taker, code, serial, now]).await?;
                    let giver = account::find(tx, key.account_id).await?;
                    let event = event::find(tx, facts.event_id).await?;
                    let link = self.address_of("/portal#/tickets", "");
                    let text = mail_text::ticket_taken(
                        giver.language,
                        (name, &facts.product, &event.name),
                    );
                    self.queue_mail(tx, &giver.email, &text, &link).await?;
                    Ok(taker)
                })
            })
            .await
    }

    /// A ticket that its holder may hand on.
    async fn transferable(
        &self,
        tx: &mut Tx<'_>,
        account_id: AccountId,
        id: TicketId,
    ) -> Result<TicketFacts> {
        let facts = ticket::facts(tx, id).await?;
        if facts.account_id != account_id {
            return Err(BoxOfficeError::Unknown(Thing::Ticket));
        }
        if facts.redeemed() {
            return Err(BoxOfficeError::TicketUsed);
        }
        if facts.ends_at <= self.now() {
            return Err(BoxOfficeError::SaleOver);
        }
        if facts.standing != Standing::Valid {
            return Err(BoxOfficeError::NotTransferable);
        }
        // The palm stays its owner's; they end or move the link themselves first.
        let sql = "SELECT id FROM links
                   WHERE ticket_id = $1 AND state IN ('pending', 'confirmed')";
        let linked: Option<(LinkId,)> = tx.fetch_optional(sql, params![id]).await?;
        if linked.is_some() { Err(BoxOfficeError::TicketLinked) } else { Ok(facts) }
    }
}

async fn find_key(tx: &mut Tx<'_>, key: &str, now: handfast_model::Timestamp) -> Result<Key> {
    let hash = secret_key::hash(key).ok_or(BoxOfficeError::MailKey)?;
    let sql = "SELECT ticket_id, account_id, recipient FROM mail_keys
               WHERE key_hash = $1 AND purpose = $2 AND expires_at > $3 AND used_at IS NULL";
    let found = tx.fetch_optional(sql, params![hash, KeyPurpose::Transfer, now]).await?;
    found.ok_or(BoxOfficeError::MailKey)
}

async fn check_offers(
    tx: &mut Tx<'_>,
    account_id: AccountId,
    recipient: &EmailAddress,
    now: handfast_model::Timestamp,
) -> Result<()> {
    let (purpose, since) = (KeyPurpose::Transfer, now - OFFERS_WITHIN);
    let sql = "SELECT (SELECT COUNT(*) FROM mail_keys
                       WHERE account_id = $1 AND created_at > $4 AND purpose = $3),
                      (SELECT COUNT(*) FROM mail_keys
                       WHERE recipient = $2 AND created_at > $4 AND purpose = $3)";
    let (by, to): (i64, i64) =
        tx.fetch_one(sql, params![account_id, recipient, purpose, since]).await?;
    if by.max(to) < OFFERS_MAX { Ok(()) } else { Err(BoxOfficeError::Offers { max: OFFERS_MAX }) }
}

async fn end_offers(tx: &mut Tx<'_>, id: TicketId, now: handfast_model::Timestamp) -> Result<()> {
    let sql = "UPDATE mail_keys SET used_at = $3
               WHERE ticket_id = $1 AND purpose = $2 AND used_at IS NULL";
    tx.execute(sql, params![id, KeyPurpose::Transfer, now]).await?;
    Ok(())
}
