//! The end of a link: nothing enters by it from that moment, and its palms are due for deletion in
//! the vault. Two steps, so that a crash between them loses nothing: what is due stays due until
//! the vault's receipt is acknowledged, and only then the tokens go.

use handfast_model::{AccountId, CompanyId, EventId, LinkId, PairwiseToken, Timestamp, VenueId};
use handfast_store::{Tx, from_row, params};

use crate::link::{LinkFacts, link_columns};
use crate::{
    BoxOffice, BoxOfficeError, LinkState, PalmHandle, Result, Scope, Side, account, consent, link,
    mail_text,
};

/// Why a link ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its person wanted it so.
    ByPerson,
    /// It was for one event, which is over.
    EventOver,
    /// Its consent came to its end.
    ConsentOver,
    /// Nobody used it for as long as the policy allows.
    Dormant,
}

impl Ended {
    /// What the rest of a link tells of its end: nobody else ends one before its time.
    const fn of(state: LinkState, scope: Scope, until: Timestamp, at: Timestamp) -> Self {
        match (state, scope) {
            (LinkState::Expired, _) if at.as_micros() < until.as_micros() => Self::Dormant,
            (LinkState::Expired, Scope::Event) => Self::EventOver,
            (LinkState::Expired, _) => Self::ConsentOver,
            _ => Self::ByPerson,
        }
    }
}

/// Palms that the vault has to delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueDeletion {
    /// The link that ended.
    pub link_id: LinkId,
    /// Why.
    pub ended: Ended,
    /// The company the palms are enrolled with.
    pub company_id: CompanyId,
    /// The palms.
    pub palms: Vec<PalmHandle>,
}

/// A link whose palms are gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedLink {
    /// The link.
    pub link_id: LinkId,
    /// The vault's deletion receipt.
    pub receipt_id: String,
    /// When the receipt arrived.
    pub deleted_at: Timestamp,
}

from_row!(DeletedLink { link_id, receipt_id, deleted_at });

/// A living link, as far as its leaf needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LivingLink {
    /// The link.
    pub id: LinkId,
    /// Whose it is.
    pub account_id: AccountId,
    /// Where it was made.
    pub venue_id: VenueId,
    /// Its palms.
    pub palms: Vec<PalmHandle>,
}

struct LivingPalm {
    id: LinkId,
    account_id: AccountId,
    venue_id: VenueId,
    side: Side,
    company_token: PairwiseToken,
}

from_row!(LivingPalm { id, account_id, venue_id, side, company_token });

struct EndedLink {
    id: LinkId,
    company_id: CompanyId,
    state: LinkState,
    scope: Scope,
    until: Timestamp,
    ended_at: Timestamp,
}

from_row!(EndedLink { id, company_id, state, scope, until, ended_at });

impl BoxOffice {
    /// Ends a link as its signed-in holder. It enters nothing from now on; delete the palms in the
    /// vault and then call [`BoxOffice::acknowledge_deletion`].
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for somebody else's link; [`BoxOfficeError::LinkEnded`].
    pub async fn end_link(&self, account_id: AccountId, id: LinkId) -> Result<DueDeletion> {
        let now = self.now();
        self.store
            .transaction("link.end", |tx| {
                Box::pin(async move {
                    let link = link::find_own(tx, account_id, id).await?;
                    end(tx, &link, LinkState::Deleted, now).await
                })
            })
            .await
    }

    /// Ends every link whose consent came to its end; call it now and then, before reconciling.
    /// Returns how many.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn expire_links(&self) -> Result<usize> {
        let now = self.now();
        self.store
            .transaction("link.expire", |tx| {
                Box::pin(async move {
                    let sql = concat!(
                        "SELECT ",
                        link_columns!(),
                        " FROM links k LEFT JOIN tickets kt ON kt.id = k.ticket_id
                          WHERE k.until <= $1 AND k.state IN ('pending', 'confirmed')"
                    );
                    let over: Vec<LinkFacts> = tx.fetch_all(sql, params![now]).await?;
                    for link in &over {
                        end(tx, link, LinkState::Expired, now).await?;
                    }
                    Ok(over.len())
                })
            })
            .await
    }

    /// Every living link with its palms, to compare with what was logged.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn living_links(&self) -> Result<Vec<LivingLink>> {
        self.store
            .read("link.living", |tx| {
                Box::pin(async move {
                    let sql = "SELECT k.id, k.account_id, k.venue_id, p.side, p.company_token
                               FROM links k JOIN link_palms p ON p.link_id = k.id
                               WHERE k.state IN ('pending', 'confirmed') ORDER BY k.id, p.side";
                    let rows: Vec<LivingPalm> = tx.fetch_all(sql, params![]).await?;
                    let mut links: Vec<LivingLink> = Vec::new();
                    for LivingPalm { id, account_id, venue_id, side, company_token } in rows {
                        let palm = PalmHandle { side, company_token };
                        match links.last_mut().filter(|last| last.id == id) {
                            Some(link) => link.palms.push(palm),
                            None => {
                                let palms = vec![palm];
                                links.push(LivingLink { id, account_id, venue_id, palms });
                            }
                        }
                    }
                    Ok(links)
                })
            })
            .await
    }

    /// Living links that were made before this moment: whichever of them nobody used since is
    /// dormant.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn links_made_before(&self, moment: Timestamp) -> Result<Vec<LinkId>> {
        self.store
            .read("link.made_before", |tx| {
                Box::pin(async move {
                    let sql = "SELECT id FROM links
                               WHERE created_at < $1 AND state IN ('pending', 'confirmed')";
                    let ids: Vec<(LinkId,)> = tx.fetch_all(sql, params![moment]).await?;
                    Ok(ids.into_iter().map(|(id,)| id).collect())
                })
            })
            .await
    }

    /// Ends a link that nobody used for as long as the policy allows; `None` where it ended
    /// otherwise before.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn retire_link(&self, id: LinkId) -> Result<Option<DueDeletion>> {
        self.end_living(id, LinkState::Expired).await
    }

    /// Everything that the vault has to delete: links that ended and whose receipt is missing.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn due_deletions(&self) -> Result<Vec<DueDeletion>> {
        self.store
            .read("link.due_deletions", |tx| {
                Box::pin(async move {
                    let sql = "SELECT k.id, k.company_id, k.state, k.scope, k.until, k.ended_at
                               FROM links k
                               WHERE k.state IN ('undone', 'deleted', 'expired')
                                 AND k.deleted_at IS NULL ORDER BY k.ended_at, k.id";
                    let ended: Vec<EndedLink> = tx.fetch_all(sql, params![]).await?;
                    let mut due = Vec::with_capacity(ended.len());
                    for EndedLink { id, company_id, state, scope, until, ended_at } in ended {
                        let ended = Ended::of(state, scope, until, ended_at);
                        let palms = link::palms(tx, id).await?;
                        due.push(DueDeletion { link_id: id, ended, company_id, palms });
                    }
                    Ok(due)
                })
            })
            .await
    }

    /// Living links of a company that were made with tickets of one of its events.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn links_of_event(
        &self,
        company_id: CompanyId,
        event_id: EventId,
    ) -> Result<Vec<LinkId>> {
        self.store
            .read("link.of_event", |tx| {
                Box::pin(async move {
                    let sql = "SELECT k.id FROM links k JOIN tickets t ON t.id = k.made_with
                               WHERE k.company_id = $1 AND t.event_id = $2
                                 AND k.state IN ('pending', 'confirmed') ORDER BY k.id";
                    let ids: Vec<(LinkId,)> =
                        tx.fetch_all(sql, params![company_id, event_id]).await?;
                    Ok(ids.into_iter().map(|(id,)| id).collect())
                })
            })
            .await
    }

    /// Ends a living link for its person, as staff decided; `None` where it ended before.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn end_link_as_staff(&self, id: LinkId) -> Result<Option<DueDeletion>> {
        self.end_living(id, LinkState::Deleted).await
    }

    async fn end_living(&self, id: LinkId, state: LinkState) -> Result<Option<DueDeletion>> {
        let now = self.now();
        self.store
            .transaction("link.end_living", |tx| {
                Box::pin(async move {
                    let sql = concat!(
                        "SELECT ",
                        link_columns!(),
                        " FROM links k LEFT JOIN tickets kt ON kt.id = k.ticket_id
                          WHERE k.id = $1 AND k.state IN ('pending', 'confirmed')"
                    );
                    let link: Option<LinkFacts> = tx.fetch_optional(sql, params![id]).await?;
                    match link {
                        Some(link) => end(tx, &link, state, now).await.map(Some),
                        None => Ok(None),
                    }
                })
            })
            .await
    }

    /// Remembers the vault's receipt for a link's palms, forgets their tokens, and mails the receipt
    /// to whose palms they were. Repeating it keeps the first receipt, and mails nothing.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for an unknown link or one that is still living.
    pub async fn acknowledge_deletion(&self, id: LinkId, receipt_id: &str) -> Result<DeletedLink> {
        let now = self.now();
        self.store
            .transaction("link.acknowledge_deletion", |tx| {
                Box::pin(async move {
                    let sql = "UPDATE links SET deleted_at = $2, receipt_id = $3
                               WHERE id = $1 AND deleted_at IS NULL
                                 AND state IN ('undone', 'deleted', 'expired')";
                    let is_new = tx.execute(sql, params![id, now, receipt_id]).await? > 0;
                    if is_new {
                        self.tell_deleted(tx, id, receipt_id).await?;
                    }
                    let sql = "SELECT id AS link_id, receipt_id, deleted_at FROM links
                               WHERE id = $1 AND deleted_at IS NOT NULL";
                    let deleted = tx.fetch_optional(sql, params![id]).await?;
                    let deleted = deleted.ok_or(BoxOfficeError::Unknown(crate::Thing::Link))?;
                    tx.execute("DELETE FROM link_palms WHERE link_id = $1", params![id]).await?;
                    Ok(deleted)
                })
            })
            .await
    }

    async fn tell_deleted(&self, tx: &mut Tx<'_>, id: LinkId, receipt_id: &str) -> Result<()> {
        let sql = "SELECT account_id FROM links WHERE id = $1";
        let (account_id,): (AccountId,) = tx.fetch_one(sql, params![id]).await?;
        let holder = account::find(tx, account_id).await?;
        let link = self.address_of("/portal#/uses", "");
        let text = mail_text::palm_deleted(holder.language, receipt_id, &link);
        self.queue_mail(tx, &holder.email, &text, &link).await
    }
}

/// Ends a living link: consent withdrawn, venues' tokens and armings forgotten (the vault disarms
/// by deleting), the company's tokens kept until its receipt.
pub(crate) async fn end(
    tx: &mut Tx<'_>,
    link: &LinkFacts,
    state: LinkState,
    now: Timestamp,
) -> Result<DueDeletion> {
    let sql = "UPDATE links SET state = $2, ended_at = $3 WHERE id = $1";
    tx.execute(sql, params![link.id, state, now]).await?;
    consent::withdraw_of_link(tx, link.id, now).await?;
    tx.execute("DELETE FROM venue_tokens WHERE link_id = $1", params![link.id]).await?;
    tx.execute("DELETE FROM armings WHERE link_id = $1", params![link.id]).await?;
    let palms = link::palms(tx, link.id).await?;
    let ended = Ended::of(state, link.scope, link.until, now);
    Ok(DueDeletion { link_id: link.id, ended, company_id: link.company_id, palms })
}
