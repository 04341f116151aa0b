//! Looking for tickets by name, mail address or order, and what happened on one: for the right role.

use handfast_model::{AdmissionId, CompanyId, EventId, OrderId, StaffUserId, TicketId, Timestamp};
use handfast_store::{FromRow, Row, StoreError, Tx, from_row, params};

use crate::presence::Passing;
use crate::staff_action::{Action, NewAction};
use crate::{
    BoxOffice, BoxOfficeError, EmailAddress, Event, Method, Note, Outcome, Reason, Result,
    Standing, Thing, event, staff_action, ticket,
};

/// Fewer letters would list half the evening.
pub const SEARCH_LEN_MIN: usize = 3;
/// More than anybody reads at a gate.
const FOUND_MAX: u32 = 50;

/// A ticket with its holder, as staff see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundTicket {
    /// The ticket.
    pub ticket_id: TicketId,
    /// Its order.
    pub order_id: OrderId,
    /// What another system calls the order.
    pub reference: Option<String>,
    /// The holder's name.
    pub name: String,
    /// The holder's mail address.
    pub email: EmailAddress,
    /// The product.
    pub product: String,
    /// What it is worth.
    pub standing: Standing,
    /// How many people enter on it.
    pub party_size: u32,
    /// How many did.
    pub entered: u32,
}

impl FromRow for FoundTicket {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            ticket_id: row.get("id")?,
            order_id: row.get("order_id")?,
            reference: row.get("reference")?,
            name: row.get("name")?,
            email: row.get("email")?,
            product: row.get("product")?,
            standing: Standing::of(row.get("state")?, row.get("order_state")?),
            party_size: row.get("party_size")?,
            entered: row.get("entered")?,
        })
    }
}

/// Everything that happened on a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketHistory {
    /// The ticket's event.
    pub event: Event,
    /// The product.
    pub product: String,
    /// Who passed, oldest first, annulled passages included.
    pub passages: Vec<PassedBy>,
    /// What was refused, oldest first.
    pub refused: Vec<RefusedAttempt>,
}

/// A passage on a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedBy {
    /// The attempt.
    pub admission_id: AdmissionId,
    /// When.
    pub at: Timestamp,
    /// Which way.
    pub passing: Passing,
    /// How many people.
    pub people: u32,
    /// How.
    pub method: Method,
    /// At which gate.
    pub gate_name: Option<String>,
    /// At which lane.
    pub lane_name: Option<String>,
    /// By which device.
    pub device_name: String,
    /// Whether that device decided alone.
    pub offline: bool,
    /// What is worth knowing about it.
    pub note: Option<Note>,
    /// When it was taken back.
    pub annulled_at: Option<Timestamp>,
    /// Who wants it taken back, until a second agrees.
    pub correction_by: Option<String>,
}

from_row!(PassedBy {
    admission_id,
    at,
    passing,
    people,
    method,
    gate_name,
    lane_name,
    device_name,
    offline,
    note,
    annulled_at,
    correction_by,
});

/// An attempt that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedAttempt {
    /// When.
    pub at: Timestamp,
    /// The answer.
    pub outcome: Outcome,
    /// Why.
    pub reason: Option<Reason>,
    /// By which device.
    pub device_name: String,
}

from_row!(RefusedAttempt { at, outcome, reason, device_name });

impl BoxOffice {
    /// Tickets of an event whose holder's name or mail address, or whose order, holds these
    /// letters. That somebody looked is recorded, not what they looked for.
    ///
    /// # Errors
    /// [`BoxOfficeError::SearchText`] for fewer than [`SEARCH_LEN_MIN`] letters;
    /// [`BoxOfficeError::Unknown`] for another company's event.
    pub async fn search_tickets(
        &self,
        staff_user_id: StaffUserId,
        event_id: EventId,
        text: &str,
    ) -> Result<Vec<FoundTicket>> {
        let text = text.trim().to_lowercase();
        if text.chars().count() < SEARCH_LEN_MIN {
            return Err(BoxOfficeError::SearchText { min: SEARCH_LEN_MIN });
        }
        let pattern = &like(&text);
        let now = self.now();
        self.store
            .transaction("ticket_search.search", |tx| {
                Box::pin(async move {
                    let company_id = staff_action::company_of(tx, staff_user_id).await?;
                    event::find_own(tx, company_id, event_id).await?;
                    let action = NewAction {
                        event_id: Some(event_id),
                        ..NewAction::by(staff_user_id, Action::Search, "searched tickets")
                    };
                    staff_action::record(tx, company_id, &action, now).await?;
                    Ok(tx.fetch_all(SEARCH, params![event_id, pattern, FOUND_MAX]).await?)
                })
            })
            .await
    }

    /// What happened on a ticket: every use with time, gate, lane and device, for a dispute.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for another company's ticket.
    pub async fn ticket_history(
        &self,
        company_id: CompanyId,
        id: TicketId,
    ) -> Result<TicketHistory> {
        self.store
            .read("ticket_search.history", |tx| {
                Box::pin(async move {
                    let facts = ticket::facts(tx, id).await?;
                    if facts.company_id != company_id {
                        return Err(BoxOfficeError::Unknown(Thing::Ticket));
                    }
                    Ok(TicketHistory {
                        event: event::find(tx, facts.event_id).await?,
                        product: facts.product,
                        passages: tx.fetch_all(PASSAGES, params![id]).await?,
                        refused: refused(tx, id).await?,
                    })
                })
            })
            .await
    }
}

const SEARCH: &str = "SELECT t.id, t.order_id, o.reference, a.name, a.email, t.product, t.state,
           o.state AS order_state, t.party_size,
           (SELECT COALESCE(CAST(SUM(p.people) AS BIGINT), 0) FROM passages p
            WHERE p.ticket_id = t.id AND p.passing = 'entry' AND p.annulled_at IS NULL) AS entered
    FROM tickets t
    JOIN orders o ON o.id = t.order_id
    JOIN accounts a ON a.id = t.account_id
    WHERE t.event_id = $1 AND (LOWER(a.name) LIKE $2 ESCAPE '\\' OR a.email LIKE $2 ESCAPE '\\'
          OR LOWER(o.id) LIKE $2 ESCAPE '\\' OR LOWER(COALESCE(o.reference, '')) LIKE $2 ESCAPE '\\')
    ORDER BY a.name, t.id LIMIT $3";

const PASSAGES: &str = "SELECT p.admission_id, p.at, p.passing, p.people, p.method,
           g.name AS gate_name, l.name AS lane_name, d.name AS device_name, a.offline, a.note,
           p.annulled_at, u.name AS correction_by
    FROM passages p
    JOIN admissions a ON a.id = p.admission_id
    JOIN devices d ON d.id = a.device_id
    LEFT JOIN gates g ON g.id = a.gate_id
    LEFT JOIN lanes l ON l.id = a.lane_id
    LEFT JOIN corrections c ON c.admission_id = a.id
    LEFT JOIN staff_users u ON u.id = c.staff_user_id
    WHERE p.ticket_id = $1 ORDER BY p.at, p.admission_id";

async fn refused(tx: &mut Tx<'_>, id: TicketId) -> Result<Vec<RefusedAttempt>> {
    let sql = "SELECT a.at, a.outcome, a.reason, d.name AS device_name FROM admissions a
               JOIN devices d ON d.id = a.device_id
               WHERE a.ticket_id = $1 AND a.outcome <> 'ok' ORDER BY a.at, a.id";
    Ok(tx.fetch_all(sql, params![id]).await?)
}

/// A text as a pattern that holds it anywhere.
fn like(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}
