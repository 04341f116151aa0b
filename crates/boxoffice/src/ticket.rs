//! Tickets.

use handfast_model::{AccountId, CompanyId, EventId, OrderId, TicketId, Timestamp, VenueId};
use handfast_store::{FromRow, Row, StoreError, Tx, from_row, params};

use crate::{
    Biometrics, BoxOffice, BoxOfficeError, Entry, Event, OrderState, Result, Thing, TicketCode,
};

handfast_store::text_enum! {
    /// What was done to a ticket itself; whether its order is paid is the order's.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum TicketState {
        /// Nothing: it is good.
        Valid = "valid",
        /// It was given back or its event called off.
        Cancelled = "cancelled",
        /// Its code was replaced or withdrawn.
        Revoked = "revoked",
        /// It is held back until staff release it.
        Blocked = "blocked",
    }
}

handfast_store::text_enum! {
    /// What a ticket is worth with its order considered.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum Standing {
        /// Good.
        Valid = "valid",
        /// Its order is not paid yet.
        Unpaid = "unpaid",
        /// It or its order is cancelled.
        Cancelled = "cancelled",
        /// Withdrawn.
        Revoked = "revoked",
        /// Held back.
        Blocked = "blocked",
    }
}

impl Standing {
    /// What is final goes first: nobody is asked to pay for a cancelled ticket.
    pub(crate) fn of(ticket: TicketState, order: OrderState) -> Self {
        match (ticket, order) {
            (TicketState::Revoked, _) => Self::Revoked,
            (TicketState::Cancelled, _) | (_, OrderState::Cancelled) => Self::Cancelled,
            (TicketState::Blocked, _) => Self::Blocked,
            (TicketState::Valid, OrderState::Pending) => Self::Unpaid,
            (TicketState::Valid, OrderState::Paid) => Self::Valid,
        }
    }

    /// Whether the ticket still gives a right to enter, at once or after payment or release.
    pub(crate) fn may_become_good(self) -> bool {
        matches!(self, Self::Valid | Self::Unpaid | Self::Blocked)
    }
}

/// A ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Its id.
    pub id: TicketId,
    /// Its order.
    pub order_id: OrderId,
    /// Its event.
    pub event_id: EventId,
    /// Whose account it belongs to.
    pub account_id: AccountId,
    /// The product, as printed.
    pub product: String,
    /// Its code.
    pub code: TicketCode,
    /// What was done to it.
    pub state: TicketState,
}

from_row!(Ticket { id, order_id, event_id, account_id, product, code, state });

/// A ticket as its account sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountTicket {
    /// Its id.
    pub id: TicketId,
    /// Its code.
    pub code: TicketCode,
    /// The product, as printed.
    pub product: String,
    /// What it is worth.
    pub standing: Standing,
    /// Its event.
    pub event: Event,
    /// Its entry, where it was redeemed.
    pub entered: Option<Entry>,
}

/// A ticket with all that deciding about it needs.
#[derive(Clone, Debug)]
pub(crate) struct TicketFacts {
    pub id: TicketId,
    pub account_id: AccountId,
    pub product: String,
    pub standing: Standing,
    pub event_id: EventId,
    pub event_name: String,
    pub company_id: CompanyId,
    pub venue_id: VenueId,
    pub doors_at: Timestamp,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    pub biometrics: Biometrics,
    pub redeemed: bool,
}

impl FromRow for TicketFacts {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            account_id: row.get("account_id")?,
            product: row.get("product")?,
            standing: Standing::of(row.get("state")?, row.get("order_state")?),
            event_id: row.get("event_id")?,
            event_name: row.get("event_name")?,
            company_id: row.get("company_id")?,
            venue_id: row.get("venue_id")?,
            doors_at: row.get("doors_at")?,
            starts_at: row.get("starts_at")?,
            ends_at: row.get("ends_at")?,
            biometrics: row.get("biometrics")?,
            redeemed: row.get("redeemed")?,
        })
    }
}

/// What every query of [`TicketFacts`] begins with; the condition may name `t`, `o` and `e`.
macro_rules! ticket_facts_where {
    ($condition:literal) => {
        concat!(
            "SELECT t.id, t.account_id, t.product, t.state, o.state AS order_state, t.event_id,
                    e.name AS event_name, e.company_id, e.venue_id, e.doors_at, e.starts_at,
                    e.ends_at, e.biometrics,
                    EXISTS (SELECT 1 FROM entries n WHERE n.ticket_id = t.id) AS redeemed
             FROM tickets t
             JOIN orders o ON o.id = t.order_id
             JOIN events e ON e.id = t.event_id
             WHERE ",
            $condition
        )
    };
}
pub(crate) use ticket_facts_where;

impl BoxOffice {
    /// An account's tickets, soonest event first.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn account_tickets(&self, account_id: AccountId) -> Result<Vec<AccountTicket>> {
        self.store
            .read("ticket.of_account", |tx| {
                Box::pin(async move {
                    let sql = "SELECT t.id, t.code, t.product, t.state, o.state AS order_state,
                                      e.id AS event_id, e.company_id, e.venue_id,
                                      v.name AS venue_name, e.name AS event_name, e.doors_at,
                                      e.starts_at, e.ends_at, e.biometrics, n.at, n.method,
                                      g.name AS gate_name, l.name AS lane_name
                               FROM tickets t
                               JOIN orders o ON o.id = t.order_id
                               JOIN events e ON e.id = t.event_id
                               JOIN venues v ON v.id = e.venue_id
                               LEFT JOIN entries n ON n.ticket_id = t.id AND n.number = 1
                               LEFT JOIN admissions a ON a.id = n.admission_id
                               LEFT JOIN gates g ON g.id = a.gate_id
                               LEFT JOIN lanes l ON l.id = a.lane_id
                               WHERE t.account_id = $1
                               ORDER BY e.starts_at, t.id";
                    Ok(tx.fetch_all(sql, params![account_id]).await?)
                })
            })
            .await
    }

    /// The ticket that a code names.
    ///
    /// # Errors
    /// [`BoxOfficeError::Code`] for a text that is no code; [`BoxOfficeError::Unknown`].
    pub async fn ticket_by_code(&self, code: &str) -> Result<Ticket> {
        let code: &TicketCode = &code.parse()?;
        self.store
            .read("ticket.by_code", |tx| {
                Box::pin(async move {
                    let sql = "SELECT id, order_id, event_id, account_id, product, code, state
                               FROM tickets WHERE code = $1";
                    let ticket = tx.fetch_optional(sql, params![code]).await?;
                    ticket.ok_or(BoxOfficeError::Unknown(Thing::Ticket))
                })
            })
            .await
    }

    /// Cancels, revokes, blocks a ticket, or makes it valid again. Reconcile armings afterwards.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for an unknown ticket or another company's.
    pub async fn set_ticket_state(
        &self,
        company_id: CompanyId,
        id: TicketId,
        state: TicketState,
    ) -> Result<()> {
        self.store
            .transaction("ticket.set_state", |tx| {
                Box::pin(async move {
                    let sql = "UPDATE tickets SET state = $3 WHERE id = $1 AND event_id IN
                               (SELECT e.id FROM events e WHERE e.company_id = $2)";
                    match tx.execute(sql, params![id, company_id, state]).await? {
                        0 => Err(BoxOfficeError::Unknown(Thing::Ticket)),
                        _ => Ok(()),
                    }
                })
            })
            .await
    }
}

impl FromRow for AccountTicket {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let event = Event {
            id: row.get("event_id")?,
            company_id: row.get("company_id")?,
            venue_id: row.get("venue_id")?,
            venue_name: row.get("venue_name")?,
            name: row.get("event_name")?,
            doors_at: row.get("doors_at")?,
            starts_at: row.get("starts_at")?,
            ends_at: row.get("ends_at")?,
            biometrics: row.get("biometrics")?,
        };
        let entered: Option<Timestamp> = row.get_optional("at")?;
        Ok(Self {
            id: row.get("id")?,
            code: row.get("code")?,
            product: row.get("product")?,
            standing: Standing::of(row.get("state")?, row.get("order_state")?),
            event,
            entered: entered.map(|_| Entry::from_row(row)).transpose()?,
        })
    }
}

/// Stores a new ticket.
pub(crate) async fn insert(tx: &mut Tx<'_>, ticket: &Ticket) -> Result<()> {
    tx.execute(
        "INSERT INTO tickets (id, order_id, event_id, account_id, product, code, state)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        params![
            ticket.id,
            ticket.order_id,
            ticket.event_id,
            ticket.account_id,
            ticket.product,
            ticket.code,
            ticket.state
        ],
    )
    .await?;
    Ok(())
}

/// An order's tickets, oldest first.
pub(crate) async fn of_order(tx: &mut Tx<'_>, id: OrderId) -> Result<Vec<Ticket>> {
    let sql = "SELECT id, order_id, event_id, account_id, product, code, state
               FROM tickets WHERE order_id = $1 ORDER BY id";
    Ok(tx.fetch_all(sql, params![id]).await?)
}

/// What is known of the ticket that a code names.
pub(crate) async fn facts_by_code(
    tx: &mut Tx<'_>,
    code: &TicketCode,
) -> Result<Option<TicketFacts>> {
    Ok(tx.fetch_optional(ticket_facts_where!("t.code = $1"), params![code]).await?)
}

/// What is known of a ticket.
pub(crate) async fn facts(tx: &mut Tx<'_>, id: TicketId) -> Result<TicketFacts> {
    let facts = tx.fetch_optional(ticket_facts_where!("t.id = $1"), params![id]).await?;
    facts.ok_or(BoxOfficeError::Unknown(Thing::Ticket))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_final_outweighs_what_is_not() {
        assert_eq!(Standing::of(TicketState::Valid, OrderState::Paid), Standing::Valid);
        assert_eq!(Standing::of(TicketState::Valid, OrderState::Pending), Standing::Unpaid);
        assert_eq!(Standing::of(TicketState::Blocked, OrderState::Pending), Standing::Blocked);
        assert_eq!(Standing::of(TicketState::Blocked, OrderState::Cancelled), Standing::Cancelled);
        assert_eq!(Standing::of(TicketState::Revoked, OrderState::Cancelled), Standing::Revoked);
    }
}
