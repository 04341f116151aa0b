//! What happens to a link afterwards: confirmed or undone by the mail's link, changed, moved.

use handfast_model::{AccountId, ConsentId, LinkId, Timestamp};
use handfast_store::{StoreError, Tx, params};

use crate::link::LinkFacts;
use crate::link_creation::{STANDING_CONSENT_MAX, check_ticket};
use crate::mail_key::{self, KeyHolder, KeyPurpose};
use crate::mail_text::{self, LinkNames};
use crate::scanned_code::ScannedCode;
use crate::ticket::TicketFacts;
use crate::{
    BoxOffice, BoxOfficeError, Consent, DueDeletion, LinkRefusal, LinkState, Result, Scope,
    account, code_entry, consent, link, link_deletion, ticket, venue,
};

handfast_store::text_enum! {
    /// What a holder can say about a link.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum Decision {
        /// It was my palm.
        Confirm = "confirm",
        /// It was somebody's who came along: it enters with that ticket alone.
        Companion = "companion",
        /// I want it gone.
        Undo = "undo",
    }
}

/// What the page behind a mail's link asks about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkQuestion {
    /// The link.
    pub link_id: LinkId,
    /// The ticket's event.
    pub event_name: String,
    /// The ticket's product.
    pub product: String,
    /// Where the link was made.
    pub venue_name: String,
    /// When.
    pub created_at: Timestamp,
    /// Where it stands.
    pub state: LinkState,
}

impl BoxOffice {
    /// What a mail's link asks about; looking does not use the key up.
    ///
    /// # Errors
    /// [`BoxOfficeError::MailKey`].
    pub async fn link_question(&self, key: &str) -> Result<LinkQuestion> {
        let now = self.now();
        self.store
            .read("link.question", |tx| {
                Box::pin(async move {
                    let (_, link) = asked_about(tx, key, now).await?;
                    let ticket_id = link.ticket_id.unwrap_or(link.made_with);
                    let ticket = ticket::facts(tx, ticket_id).await?;
                    Ok(LinkQuestion {
                        link_id: link.id,
                        event_name: ticket.event_name,
                        product: ticket.product,
                        venue_name: venue::find(tx, link.venue_id).await?.name,
                        created_at: link.created_at,
                        state: link.state,
                    })
                })
            })
            .await
    }

    /// Confirms or undoes a link by its mail's key. Confirming leaves the key good for undoing
    /// until it is too old; undoing uses it up. Returns what the vault has to delete, if anything.
    /// Reconcile armings afterwards.
    ///
    /// Where the key's account is not the link's own (a palm of another account was moved to its
    /// ticket), undoing frees the ticket and leaves the palm to its owner.
    ///
    /// # Errors
    /// [`BoxOfficeError::MailKey`]; [`BoxOfficeError::LinkEnded`].
    pub async fn decide_link(&self, key: &str, decision: Decision) -> Result<Option<DueDeletion>> {
        let now = self.now();
        self.store
            .transaction("link.decide", |tx| {
                Box::pin(async move {
                    let (holder, link) = asked_about(tx, key, now).await?;
                    if !link.state.is_living() {
                        return Err(BoxOfficeError::LinkEnded);
                    }
                    let own = holder.account_id == Some(link.account_id);
                    match (decision, own) {
                        (Decision::Confirm, true) => {
                            let companion = is_another_person(tx, &link).await?;
                            confirm(tx, &link, companion, now).await.map(|()| None)
                        }
                        (Decision::Companion, true) => {
                            confirm(tx, &link, true, now).await.map(|()| None)
                        }
                        (Decision::Confirm | Decision::Companion, false) => Ok(None),
                        (Decision::Undo, own) => {
                            mail_key::use_up(tx, key, KeyPurpose::LinkDecision, now).await?;
                            if own {
                                let undone = LinkState::Undone;
                                return link_deletion::end(tx, &link, undone, now).await.map(Some);
                            }
                            release(tx, &link, &holder).await.map(|()| None)
                        }
                    }
                })
            })
            .await
    }

    /// Confirms a link as its signed-in holder. Reconcile armings afterwards.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for somebody else's link; [`BoxOfficeError::LinkEnded`].
    pub async fn confirm_link(&self, account_id: AccountId, id: LinkId) -> Result<()> {
        let now = self.now();
        self.store
            .transaction("link.confirm", |tx| {
                Box::pin(async move {
                    let link = link::find_own(tx, account_id, id).await?;
                    let companion = is_another_person(tx, &link).await?;
                    confirm(tx, &link, companion, now).await
                })
            })
            .await
    }

    /// Changes for which events a link may enter: a new consent on the same words, the old one
    /// withdrawn. Reconcile armings afterwards.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for somebody else's link; [`BoxOfficeError::LinkEnded`];
    /// [`BoxOfficeError::Scope`] for "this event" on a link made inside, or without a ticket.
    pub async fn change_link_scope(
        &self,
        account_id: AccountId,
        id: LinkId,
        scope: Scope,
    ) -> Result<()> {
        let now = self.now();
        self.store
            .transaction("link.change_scope", |tx| {
                Box::pin(async move {
                    let link = link::find_own(tx, account_id, id).await?;
                    let until = match (scope, link.ticket_id) {
                        (Scope::Event, Some(ticket_id)) if !link.future_only => {
                            ticket::facts(tx, ticket_id).await?.ends_at
                        }
                        (Scope::Event, _) => return Err(BoxOfficeError::Scope),
                        (Scope::Venue | Scope::Company, _) => now + STANDING_CONSENT_MAX,
                    };
                    self.renew(tx, &link, scope, until).await
                })
            })
            .await
    }

    /// Whether [`Self::move_link`] may be done, for whoever has to do something before it.
    ///
    /// # Errors
    /// As [`Self::move_link`].
    pub async fn check_move(&self, account_id: AccountId, id: LinkId, code: &str) -> Result<()> {
        let now = self.now();
        self.store
            .read("link.check_move", |tx| {
                Box::pin(async move { movable(tx, account_id, id, code, now).await.map(drop) })
            })
            .await
    }

    /// Moves a link to the ticket with this code, whoever bought it: its code proves the ticket,
    /// the session proves the palm's owner. The ticket's holder is told where that is somebody
    /// else. Reconcile armings afterwards.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for somebody else's link; [`BoxOfficeError::LinkEnded`];
    /// [`BoxOfficeError::Code`]; [`BoxOfficeError::Link`] where the ticket cannot be linked.
    pub async fn move_link(&self, account_id: AccountId, id: LinkId, code: &str) -> Result<()> {
        let now = self.now();
        let moved = self.store.transaction("link.move", |tx| {
            Box::pin(async move {
                let (link, ticket) = movable(tx, account_id, id, code, now).await?;
                let sql = "UPDATE links SET ticket_id = $2 WHERE id = $1";
                tx.execute(sql, params![link.id, ticket.id]).await?;
                if link.scope == Scope::Event {
                    self.renew(tx, &link, Scope::Event, ticket.ends_at).await?;
                }
                if ticket.account_id != link.account_id {
                    self.tell_of_move(tx, &link, &ticket).await?;
                }
                Ok(())
            })
        });
        moved.await.map_err(|error| match error {
            BoxOfficeError::Store(StoreError::Duplicate { .. }) => {
                LinkRefusal::AlreadyLinked.into()
            }
            other => other,
        })
    }

    /// Replaces a link's consent by one with another scope and end.
    async fn renew(
        &self,
        tx: &mut Tx<'_>,
        link: &LinkFacts,
        scope: Scope,
        until: Timestamp,
    ) -> Result<()> {
        let now = self.now();
        let old = consent::of_link(tx, link.id).await?;
        let renewed = Consent {
            id: ConsentId::new(&*self.clock, &*self.random),
            scope: Some(scope),
            until: Some(until),
            given_at: now,
            withdrawn_at: None,
            ..old
        };
        consent::withdraw_of_link(tx, link.id, now).await?;
        consent::insert(tx, link.account_id, Some(link.id), &renewed).await?;
        let sql = "UPDATE links SET scope = $2, until = $3 WHERE id = $1";
        tx.execute(sql, params![link.id, scope, until]).await?;
        Ok(())
    }

    async fn tell_of_move(
        &self,
        tx: &mut Tx<'_>,
        link: &LinkFacts,
        ticket: &TicketFacts,
    ) -> Result<()> {
        let holder = account::find(tx, ticket.account_id).await?;
        let mail_link = self.issue_decision_key(tx, holder.id, link.id).await?;
        let venue = venue::find(tx, ticket.venue_id).await?;
        let names =
            LinkNames { event: &ticket.event_name, venue: &venue.name, product: &ticket.product };
        let text = mail_text::link_moved(holder.language, &names, &mail_link);
        self.queue_mail(tx, &holder.email, &text, &mail_link).await
    }
}

/// Whose key it is, and the link it is about.
async fn asked_about(tx: &mut Tx<'_>, key: &str, now: Timestamp) -> Result<(KeyHolder, LinkFacts)> {
    let holder = mail_key::find(tx, key, KeyPurpose::LinkDecision, now).await?;
    let link_id = holder.link_id.ok_or(BoxOfficeError::MailKey)?;
    Ok((holder, link::find(tx, link_id).await?))
}

async fn confirm(tx: &mut Tx<'_>, link: &LinkFacts, companion: bool, now: Timestamp) -> Result<()> {
    let sql = "UPDATE links SET state = 'confirmed', confirmed_at = $2, companion = $3
               WHERE id = $1 AND state = 'pending'";
    tx.execute(sql, params![link.id, now, companion]).await?;
    Ok(())
}

/// Whether a link's palm cannot be the holder's own: nobody has two left hands, and the vault knows
/// no palm twice, so the palm of a side that the account has confirmed already is a companion's,
/// whatever was clicked.
async fn is_another_person(tx: &mut Tx<'_>, link: &LinkFacts) -> Result<bool> {
    let sql = "SELECT COUNT(*) FROM links k
               JOIN link_palms p ON p.link_id = k.id
               JOIN link_palms q ON q.link_id = $1 AND q.side = p.side
               WHERE k.account_id = $2 AND k.id <> $1 AND k.state = 'confirmed'
                 AND NOT k.companion";
    let (same_side,): (i64,) = tx.fetch_one(sql, params![link.id, link.account_id]).await?;
    Ok(same_side > 0)
}

/// Takes a ticket from a link of another account, if the link still holds one of this holder's.
async fn release(tx: &mut Tx<'_>, link: &LinkFacts, holder: &KeyHolder) -> Result<()> {
    let sql = "UPDATE links SET ticket_id = NULL
               WHERE id = $1 AND ticket_id IN (SELECT t.id FROM tickets t WHERE t.account_id = $2)";
    tx.execute(sql, params![link.id, holder.account_id]).await?;
    Ok(())
}

/// The caller's link, and the ticket that it may be moved to.
async fn movable(
    tx: &mut Tx<'_>,
    account_id: AccountId,
    id: LinkId,
    code: &str,
    now: Timestamp,
) -> Result<(LinkFacts, TicketFacts)> {
    let link = link::find_own(tx, account_id, id).await?;
    let code = ScannedCode::read(code);
    if let ScannedCode::Unreadable(error) = &code {
        return Err((*error).into());
    }
    let ticket = code_entry::genuine(tx, &code, link.company_id, now).await?;
    let ticket = ticket.filter(|ticket| ticket.company_id == link.company_id);
    let ticket = ticket.ok_or(LinkRefusal::UnknownCode)?;
    check_target(tx, &link, &ticket, now).await?;
    Ok((link, ticket))
}

async fn check_target(
    tx: &mut Tx<'_>,
    link: &LinkFacts,
    ticket: &TicketFacts,
    now: Timestamp,
) -> Result<()> {
    check_ticket(ticket, now)?;
    if ticket.redeemed() {
        return Err(LinkRefusal::AlreadyRedeemed.into());
    }
    match link::holding(tx, ticket.id).await? {
        Some(holder) if holder != link.id => Err(LinkRefusal::AlreadyLinked.into()),
        _ => Ok(()),
    }
}
