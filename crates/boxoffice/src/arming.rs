//! Which palms should be armed for which events, against which are: the difference is what the
//! binary carries to the vault. Level-triggered: whatever changed (an order, a consent, the switch
//! *no biometrics*, the clock) and however often it is asked, the difference is right.

use std::collections::HashMap;

use handfast_model::{AccountId, CompanyId, EventId, LinkId, PairwiseToken, Timestamp, VenueId};
use handfast_store::{FromRow, Row, StoreError, Tx, from_row, params};

use crate::link::{LinkFacts, link_columns};
use crate::ticket::{TicketFacts, ticket_columns};
use crate::{BoxOffice, PalmHandle, Result, Side, link};

/// One palm in one event's gallery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arming {
    /// The link.
    pub link_id: LinkId,
    /// Which hand.
    pub side: Side,
    /// The company the palm is enrolled with.
    pub company_id: CompanyId,
    /// What the company knows it by.
    pub company_token: PairwiseToken,
    /// Where the event is: the relying party of its gallery.
    pub venue_id: VenueId,
    /// The event.
    pub event_id: EventId,
    /// When it is to be disarmed at the latest.
    pub until: Timestamp,
}

from_row!(Arming { link_id, side, company_id, company_token, venue_id, event_id, until });

/// What the vault has to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArmingChanges {
    /// To be armed, or armed until another time.
    pub arm: Vec<Arming>,
    /// To be disarmed.
    pub disarm: Vec<Arming>,
}

/// A link beside one of the tickets it might enter with, and one of its palms.
struct Candidate {
    link: LinkFacts,
    ticket: TicketFacts,
    palm: PalmHandle,
}

impl FromRow for Candidate {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            link: LinkFacts::from_row(row)?,
            ticket: TicketFacts::from_row(row)?,
            palm: PalmHandle::from_row(row)?,
        })
    }
}

type Place = (LinkId, Side, EventId);

impl BoxOffice {
    /// Every palm that should be armed now, in the order of events.
    ///
    /// # Errors
    /// [`crate::BoxOfficeError::Store`].
    pub async fn desired_armings(&self) -> Result<Vec<Arming>> {
        let now = self.now();
        self.store.read("arming.desired", |tx| Box::pin(desired(tx, None, now))).await
    }

    /// What has to be armed and disarmed so that the vault has what it should. After each is done,
    /// call [`BoxOffice::acknowledge_armed`] or [`BoxOffice::acknowledge_disarmed`].
    ///
    /// # Errors
    /// [`crate::BoxOfficeError::Store`].
    pub async fn arming_changes(&self) -> Result<ArmingChanges> {
        let now = self.now();
        self.store.read("arming.changes", |tx| Box::pin(changes(tx, None, now))).await
    }

    /// As [`BoxOffice::arming_changes`], for one account's links only: quick, for use right after a
    /// link was made, confirmed or changed, or an order placed.
    ///
    /// # Errors
    /// [`crate::BoxOfficeError::Store`].
    pub async fn arming_changes_of(&self, account_id: AccountId) -> Result<ArmingChanges> {
        let now = self.now();
        self.store
            .read("arming.changes_of", |tx| Box::pin(changes(tx, Some(account_id), now)))
            .await
    }

    /// Remembers that the vault armed a palm, and the token that the event's venue has for it.
    /// Returns whether the link is still living; where it is not, its deletion disarms everything.
    ///
    /// # Errors
    /// [`crate::BoxOfficeError::Store`].
    pub async fn acknowledge_armed(
        &self,
        arming: &Arming,
        venue_token: &PairwiseToken,
    ) -> Result<bool> {
        self.store
            .transaction("arming.acknowledge_armed", |tx| {
                Box::pin(async move {
                    let link = link::find(tx, arming.link_id).await?;
                    if !link.state.is_living() {
                        return Ok(false);
                    }
                    tx.execute(
                        "INSERT INTO armings (link_id, side, event_id, until)
                         VALUES ($1, $2, $3, $4)
                         ON CONFLICT (link_id, side, event_id) DO UPDATE SET until = $4",
                        params![arming.link_id, arming.side, arming.event_id, arming.until],
                    )
                    .await?;
                    tx.execute(
                        "INSERT INTO venue_tokens (venue_id, token, link_id, side)
                         VALUES ($1, $2, $3, $4)
                         ON CONFLICT (link_id, side, venue_id) DO UPDATE SET token = $2",
                        params![arming.venue_id, venue_token, arming.link_id, arming.side],
                    )
                    .await?;
                    Ok(true)
                })
            })
            .await
    }

    /// Remembers that the vault disarmed a palm; the venue's token goes with its last arming there.
    ///
    /// # Errors
    /// [`crate::BoxOfficeError::Store`].
    pub async fn acknowledge_disarmed(&self, arming: &Arming) -> Result<()> {
        self.store
            .transaction("arming.acknowledge_disarmed", |tx| {
                Box::pin(async move {
                    tx.execute(
                        "DELETE FROM armings WHERE link_id = $1 AND side = $2 AND event_id = $3",
                        params![arming.link_id, arming.side, arming.event_id],
                    )
                    .await?;
                    tx.execute(
                        "DELETE FROM venue_tokens
                         WHERE link_id = $1 AND side = $2 AND venue_id = $3 AND NOT EXISTS (
                             SELECT 1 FROM armings a JOIN events e ON e.id = a.event_id
                             WHERE a.link_id = $1 AND a.side = $2 AND e.venue_id = $3)",
                        params![arming.link_id, arming.side, arming.venue_id],
                    )
                    .await?;
                    Ok(())
                })
            })
            .await
    }
}

async fn changes(
    tx: &mut Tx<'_>,
    account_id: Option<AccountId>,
    now: Timestamp,
) -> Result<ArmingChanges> {
    let wanted = desired(tx, account_id, now).await?;
    let present = acknowledged(tx, account_id).await?;
    let mut leftover: HashMap<Place, Arming> =
        present.into_iter().map(|arming| (place(&arming), arming)).collect();
    let mut arm = Vec::new();
    for arming in wanted {
        let there = leftover.remove(&place(&arming));
        if there.is_none_or(|there| there.until != arming.until) {
            arm.push(arming);
        }
    }
    let mut disarm: Vec<Arming> = leftover.into_values().collect();
    disarm.sort_by_key(place);
    Ok(ArmingChanges { arm, disarm })
}

fn place(arming: &Arming) -> Place {
    (arming.link_id, arming.side, arming.event_id)
}

/// Every palm that should be armed. The query gathers each living link's tickets (its own; once
/// confirmed, those of its account that no other living link holds); [`LinkFacts::covers`] decides.
async fn desired(
    tx: &mut Tx<'_>,
    account_id: Option<AccountId>,
    now: Timestamp,
) -> Result<Vec<Arming>> {
    let sql = concat!(
        "WITH usable AS (
             SELECT k.id AS usable_link, k.ticket_id AS usable_ticket FROM links k
             WHERE k.state IN ('pending', 'confirmed') AND k.ticket_id IS NOT NULL
               AND ($2 IS NULL OR k.account_id = $2)
             UNION
             SELECT k.id, w.id FROM links k JOIN tickets w ON w.account_id = k.account_id
             WHERE k.state = 'confirmed' AND ($2 IS NULL OR k.account_id = $2)
               AND NOT EXISTS (SELECT 1 FROM links x WHERE x.ticket_id = w.id AND x.id <> k.id
                               AND x.state IN ('pending', 'confirmed'))
         )
         SELECT ",
        link_columns!(),
        ", ",
        ticket_columns!(),
        ", p.side, p.company_token
         FROM usable u
         JOIN links k ON k.id = u.usable_link
         LEFT JOIN tickets kt ON kt.id = k.ticket_id
         JOIN link_palms p ON p.link_id = k.id
         JOIN tickets t ON t.id = u.usable_ticket
         JOIN orders o ON o.id = t.order_id
         JOIN events e ON e.id = t.event_id
         WHERE e.ends_at > $1 AND e.biometrics = 'allowed'
         ORDER BY e.starts_at, e.id, k.id, p.side"
    );
    let candidates: Vec<Candidate> = tx.fetch_all(sql, params![now, account_id]).await?;
    let mut armings: Vec<Arming> = candidates
        .iter()
        .filter(|candidate| candidate.ticket.standing.may_become_good())
        .filter(|candidate| candidate.link.covers(&candidate.ticket, now))
        .map(Candidate::arming)
        .collect();
    // Several tickets of one event arm a palm once; the order above puts them side by side.
    armings.dedup();
    Ok(armings)
}

impl Candidate {
    fn arming(&self) -> Arming {
        Arming {
            link_id: self.link.id,
            side: self.palm.side,
            company_id: self.link.company_id,
            company_token: self.palm.company_token,
            venue_id: self.ticket.venue_id,
            event_id: self.ticket.event_id,
            until: self.ticket.ends_at.min(self.link.until),
        }
    }
}

async fn acknowledged(tx: &mut Tx<'_>, account_id: Option<AccountId>) -> Result<Vec<Arming>> {
    let sql = "SELECT a.link_id, a.side, k.company_id, p.company_token, e.venue_id, a.event_id,
                      a.until
               FROM armings a
               JOIN links k ON k.id = a.link_id
               JOIN link_palms p ON p.link_id = a.link_id AND p.side = a.side
               JOIN events e ON e.id = a.event_id
               WHERE $1 IS NULL OR k.account_id = $1";
    Ok(tx.fetch_all(sql, params![account_id]).await?)
}
