//! Palm links: a palm tied to a ticket, and after its holder confirmed, to an account.
//!
//! ```text
//!            confirm                    delete, or the holder undoes after all
//!  pending ─────────▶ confirmed ──────────────────────────▶ deleted / undone
//!     │ └──────────────── delete ────────────────────────▶ deleted
//!     ├────────────────── undo by mail ──────────────────▶ undone
//!     └─ (both) ───────── the consent's end ─────────────▶ expired
//! ```
//! *pending* enters with its own ticket only, *confirmed* with the account's other tickets too,
//! unless it is a companion's: the palm of somebody who came along on one of them. The
//! three ends are final: the palm is due for deletion in the vault, and once that is acknowledged
//! nothing of its tokens is left here.

use handfast_model::{
    AccountId, CompanyId, EventId, LinkId, PairwiseToken, TicketId, Timestamp, VenueId,
};
use handfast_store::{FromRow, Row, StoreError, Tx, from_row, params};

use crate::ticket::{TicketFacts, gather, ticket_facts_where};
use crate::{BoxOffice, BoxOfficeError, Consent, PalmHandle, Result, Thing, consent};

handfast_store::text_enum! {
    /// Which hand.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum Side {
        /// The left hand.
        Left = "left",
        /// The right hand.
        Right = "right",
    }
}

handfast_store::text_enum! {
    /// Where a link stands.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum LinkState {
        /// Made by showing a ticket's code: enters with that ticket only.
        Pending = "pending",
        /// Confirmed by the account's holder: enters with the account's other tickets too.
        Confirmed = "confirmed",
        /// The account's holder said it was not theirs.
        Undone = "undone",
        /// Its person deleted it.
        Deleted = "deleted",
        /// Its consent came to its end.
        Expired = "expired",
    }
}

handfast_store::text_enum! {
    /// For which events somebody consented to enter by palm.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum Scope {
        /// The ticket's event only.
        Event = "event",
        /// Every event at the venue where the link was made.
        Venue = "venue",
        /// Every event of the company.
        Company = "company",
    }
}

impl LinkState {
    /// Whether the link may enter.
    #[must_use]
    pub fn is_living(self) -> bool {
        matches!(self, Self::Pending | Self::Confirmed)
    }
}

/// A link as its account sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its id.
    pub id: LinkId,
    /// The company it is with.
    pub company_id: CompanyId,
    /// Where it was made.
    pub venue_id: VenueId,
    /// Where it stands.
    pub state: LinkState,
    /// Which palms it holds.
    pub palms: Vec<PalmHandle>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether it is a companion's: for its own ticket alone.
    pub companion: bool,
    /// What it was made with.
    pub via_ticket: ViaTicket,
    /// What was consented to.
    pub consent: Consent,
    /// Which events its palms are armed for, soonest first.
    pub armed: Vec<ArmedAt>,
}

impl Link {
    /// Until when this link's palms may pay at the shops of a venue of its company, as far as the
    /// link goes (its person's payment consent is apart); `None` where they may not: not confirmed
    /// by the holder, or outside its scope.
    #[must_use]
    pub fn covers_shops_until(&self, venue_id: VenueId) -> Option<Timestamp> {
        let in_scope = match self.consent.scope? {
            Scope::Event | Scope::Venue => self.venue_id == venue_id,
            Scope::Company => true,
        };
        let own = self.state == LinkState::Confirmed && !self.companion;
        (own && in_scope).then_some(self.consent.until).flatten()
    }
}

/// The ticket that a link was made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViaTicket {
    /// The event's name.
    pub event_name: String,
    /// The product.
    pub product: String,
}

from_row!(ViaTicket { event_name, product });

/// An event that a link's palms are armed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArmedAt {
    /// The event.
    pub event_id: EventId,
    /// Its name.
    pub name: String,
    /// Until when.
    pub until: Timestamp,
}

from_row!(ArmedAt { event_id, name, until });

/// A link with all that deciding about it needs.
#[derive(Clone, Debug)]
pub(crate) struct LinkFacts {
    pub id: LinkId,
    pub company_id: CompanyId,
    pub venue_id: VenueId,
    pub account_id: AccountId,
    pub made_with: TicketId,
    pub ticket_id: Option<TicketId>,
    /// The event of `ticket_id`.
    pub own_event_id: Option<EventId>,
    pub state: LinkState,
    pub companion: bool,
    pub scope: Scope,
    pub future_only: bool,
    pub active_from: Timestamp,
    pub until: Timestamp,
    pub created_at: Timestamp,
}

impl FromRow for LinkFacts {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("link_id")?,
            company_id: row.get("link_company_id")?,
            venue_id: row.get("link_venue_id")?,
            account_id: row.get("link_account_id")?,
            made_with: row.get("link_made_with")?,
            ticket_id: row.get("link_ticket_id")?,
            own_event_id: row.get("link_own_event_id")?,
            state: row.get("link_state")?,
            companion: row.get("link_companion")?,
            scope: row.get("link_scope")?,
            future_only: row.get("link_future_only")?,
            active_from: row.get("link_active_from")?,
            until: row.get("link_until")?,
            created_at: row.get("link_created_at")?,
        })
    }
}

/// The columns of [`LinkFacts`], where `k` is the link and `kt` its present ticket.
macro_rules! link_columns {
    () => {
        "k.id AS link_id, k.company_id AS link_company_id, k.venue_id AS link_venue_id,
         k.account_id AS link_account_id, k.made_with AS link_made_with,
         k.ticket_id AS link_ticket_id, kt.event_id AS link_own_event_id, k.state AS link_state,
         k.companion AS link_companion,
         k.scope AS link_scope, k.future_only AS link_future_only,
         k.active_from AS link_active_from, k.until AS link_until, k.created_at AS link_created_at"
    };
}
pub(crate) use link_columns;

impl LinkFacts {
    /// Whether this link may enter with `ticket` as far as consent goes: the one rule that arming
    /// and admission share. Whether the ticket itself is good is judged apart.
    ///
    /// That no *other* living link holds the ticket is the queries' part.
    pub fn covers(&self, ticket: &TicketFacts, now: Timestamp) -> bool {
        let own = self.ticket_id == Some(ticket.id);
        let shares = self.state == LinkState::Confirmed && !self.companion;
        let of_account = shares && ticket.account_id == self.account_id;
        let in_scope = match self.scope {
            Scope::Event => self.own_event_id == Some(ticket.event_id),
            Scope::Venue => self.venue_id == ticket.venue_id,
            Scope::Company => true,
        };
        // Made inside: the event it was made at, and any that began before that one's end, are
        // not entered by it.
        let not_yet =
            self.future_only && (ticket.starts_at < self.active_from || now < self.active_from);
        self.state.is_living()
            && ticket.company_id == self.company_id
            && (own || of_account)
            && in_scope
            && !not_yet
            && ticket.starts_at < self.until
            && now < self.until
    }
}

struct ListedLink {
    facts: LinkFacts,
    via_ticket: ViaTicket,
}

impl FromRow for ListedLink {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { facts: LinkFacts::from_row(row)?, via_ticket: ViaTicket::from_row(row)? })
    }
}

impl BoxOffice {
    /// An account's living links, newest first.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn links(&self, account_id: AccountId) -> Result<Vec<Link>> {
        self.store
            .read("link.of_account", |tx| {
                Box::pin(async move {
                    let sql = concat!(
                        "SELECT ",
                        link_columns!(),
                        ", e.name AS event_name, t.product
                         FROM links k
                         LEFT JOIN tickets kt ON kt.id = k.ticket_id
                         JOIN tickets t ON t.id = k.made_with
                         JOIN events e ON e.id = t.event_id
                         WHERE k.account_id = $1 AND k.state IN ('pending', 'confirmed')
                         ORDER BY k.id DESC"
                    );
                    let listed: Vec<ListedLink> = tx.fetch_all(sql, params![account_id]).await?;
                    let mut links = Vec::with_capacity(listed.len());
                    for link in listed {
                        links.push(complete(tx, link).await?);
                    }
                    Ok(links)
                })
            })
            .await
    }

    /// Whether a company has a link with any of these palms, those due for deletion included.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn knows_palm(&self, company_id: CompanyId, palms: &[PairwiseToken]) -> Result<bool> {
        self.store
            .read("link.knows_palm", |tx| {
                Box::pin(async move {
                    let sql = "SELECT COUNT(*) FROM link_palms
                               WHERE company_id = $1 AND company_token = $2";
                    for palm in palms {
                        let (count,): (i64,) = tx.fetch_one(sql, params![company_id, palm]).await?;
                        if count > 0 {
                            return Ok(true);
                        }
                    }
                    Ok(false)
                })
            })
            .await
    }

    /// Every palm that the vault should know for a company, those due for deletion included: what
    /// else it has under this company was enrolled without a link, and is to be deleted.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn known_palms(&self, company_id: CompanyId) -> Result<Vec<PairwiseToken>> {
        self.store
            .read("link.known_palms", |tx| {
                Box::pin(async move {
                    let sql = "SELECT company_token FROM link_palms WHERE company_id = $1";
                    let tokens: Vec<(PairwiseToken,)> =
                        tx.fetch_all(sql, params![company_id]).await?;
                    Ok(tokens.into_iter().map(|(token,)| token).collect())
                })
            })
            .await
    }
}

async fn complete(tx: &mut Tx<'_>, listed: ListedLink) -> Result<Link> {
    let ListedLink { facts, via_ticket } = listed;
    let sql = "SELECT DISTINCT a.event_id, e.name, a.until, e.starts_at
               FROM armings a JOIN events e ON e.id = a.event_id
               WHERE a.link_id = $1 ORDER BY e.starts_at, a.event_id";
    let armed = tx.fetch_all(sql, params![facts.id]).await?;
    Ok(Link {
        id: facts.id,
        company_id: facts.company_id,
        venue_id: facts.venue_id,
        state: facts.state,
        companion: facts.companion,
        palms: palms(tx, facts.id).await?,
        created_at: facts.created_at,
        via_ticket,
        consent: consent::of_link(tx, facts.id).await?,
        armed,
    })
}

/// The palms of a link, the left one first.
pub(crate) async fn palms(tx: &mut Tx<'_>, id: LinkId) -> Result<Vec<PalmHandle>> {
    let sql = "SELECT side, company_token FROM link_palms WHERE link_id = $1 ORDER BY side";
    Ok(tx.fetch_all(sql, params![id]).await?)
}

/// The link called `id`, living or not.
pub(crate) async fn find(tx: &mut Tx<'_>, id: LinkId) -> Result<LinkFacts> {
    let sql = concat!(
        "SELECT ",
        link_columns!(),
        " FROM links k LEFT JOIN tickets kt ON kt.id = k.ticket_id WHERE k.id = $1"
    );
    let link = tx.fetch_optional(sql, params![id]).await?;
    link.ok_or(BoxOfficeError::Unknown(Thing::Link))
}

/// The living link called `id`, if it is this account's.
pub(crate) async fn find_own(
    tx: &mut Tx<'_>,
    account_id: AccountId,
    id: LinkId,
) -> Result<LinkFacts> {
    let link = find(tx, id).await?;
    if link.account_id != account_id {
        return Err(BoxOfficeError::Unknown(Thing::Link));
    }
    if link.state.is_living() { Ok(link) } else { Err(BoxOfficeError::LinkEnded) }
}

/// The living link that a venue knows by `token`.
pub(crate) async fn find_by_venue_token(
    tx: &mut Tx<'_>,
    venue_id: VenueId,
    token: &PairwiseToken,
) -> Result<Option<LinkFacts>> {
    let sql = concat!(
        "SELECT ",
        link_columns!(),
        " FROM venue_tokens v
          JOIN links k ON k.id = v.link_id
          LEFT JOIN tickets kt ON kt.id = k.ticket_id
          WHERE v.venue_id = $1 AND v.token = $2 AND k.state IN ('pending', 'confirmed')"
    );
    Ok(tx.fetch_optional(sql, params![venue_id, token]).await?)
}

/// The tickets that a link may enter with at a venue's open events, its own first: not those that
/// another palm is linked to, nor those that its consent does not cover.
pub(crate) async fn tickets_at_door(
    tx: &mut Tx<'_>,
    link: &LinkFacts,
    venue_id: VenueId,
    now: Timestamp,
) -> Result<Vec<TicketFacts>> {
    let sql = ticket_facts_where!(
        "e.venue_id = $1 AND e.doors_at <= $2 AND e.ends_at > $2
         AND t.id IN (
             SELECT w.id FROM tickets w WHERE w.id = $3
             UNION
             SELECT w.id FROM tickets w WHERE w.account_id = $4 AND NOT EXISTS (
                 SELECT 1 FROM links x WHERE x.ticket_id = w.id AND x.id <> $5
                 AND x.state IN ('pending', 'confirmed'))
         )
         ORDER BY CASE WHEN t.id = $3 THEN 0 ELSE 1 END, t.id"
    );
    // A pending link has no account's tickets to gather, however many there are.
    let shares = link.state == LinkState::Confirmed && !link.companion;
    let account_id = shares.then_some(link.account_id);
    let params = params![venue_id, now, link.ticket_id, account_id, link.id];
    let tickets = gather(tx.fetch_all(sql, params).await?);
    Ok(tickets.into_iter().filter(|ticket| link.covers(ticket, now)).collect())
}

/// The living link that holds a ticket.
pub(crate) async fn holding(tx: &mut Tx<'_>, ticket_id: TicketId) -> Result<Option<LinkId>> {
    let sql = "SELECT id FROM links WHERE ticket_id = $1 AND state IN ('pending', 'confirmed')";
    let link: Option<(LinkId,)> = tx.fetch_optional(sql, params![ticket_id]).await?;
    Ok(link.map(|(id,)| id))
}
