//! Tickets.

use handfast_model::{
    AccountId, AreaId, CheckInListId, CompanyId, EventId, OrderId, QuestionId, SecretText,
    TicketId, Timestamp, VenueId,
};
use handfast_store::{FromRow, Row, StoreError, Tx, from_row, params};

use sha2::{Digest, Sha256};

use crate::check_in_list::{CheckInList, Reset};
use crate::presence::{Passage, Passing, Presence};
use crate::{
    Biometrics, BoxOffice, BoxOfficeError, CodeKind, Entry, Event, OrderState, Result, Thing,
    TicketCode, base32,
};

/// What a code's hash begins with, in a lane's copy.
pub(crate) const HASHED_CODE_PREFIX: &str = "sha256:";

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
        /// Its order waits for approval.
        Unapproved = "unapproved",
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
            (TicketState::Valid, OrderState::Unapproved) => Self::Unapproved,
            (TicketState::Valid, OrderState::Pending) => Self::Unpaid,
            (TicketState::Valid, OrderState::Paid) => Self::Valid,
        }
    }

    /// Whether the ticket still gives a right to enter, at once or after payment or release.
    pub(crate) fn may_become_good(self) -> bool {
        matches!(self, Self::Valid | Self::Unpaid | Self::Unapproved | Self::Blocked)
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
    /// How many people enter on it.
    pub party_size: u32,
    /// When it is good from, where it has times of its own.
    pub valid_from: Option<Timestamp>,
    /// When it is good until.
    pub valid_until: Option<Timestamp>,
    /// The ticket it belongs to, where it is an add-on.
    pub addon_to: Option<TicketId>,
}

from_row!(Ticket {
    id,
    order_id,
    event_id,
    account_id,
    product,
    code,
    state,
    party_size,
    valid_from,
    valid_until,
    addon_to,
});

/// The secret of a ticket's rotating code. `Debug` hides it.
#[derive(Clone, PartialEq, Eq, zeroize::ZeroizeOnDrop)]
pub(crate) struct TotpSecret(Vec<u8>);

impl TotpSecret {
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TotpSecret(hidden)")
    }
}

/// A ticket as its account sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountTicket {
    /// Its id.
    pub id: TicketId,
    /// Its order, where that is this account's too: one that was handed on has somebody else's.
    pub order_id: Option<OrderId>,
    /// Its code.
    pub code: TicketCode,
    /// Which codes open the gate for it.
    pub code_kind: CodeKind,
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
    /// Its static code; in a lane's copy its hash.
    pub code: SecretText,
    pub account_id: AccountId,
    pub product: String,
    pub standing: Standing,
    /// How many people enter on it.
    pub party_size: u32,
    pub valid_from: Option<Timestamp>,
    pub valid_until: Option<Timestamp>,
    pub code_kind: CodeKind,
    pub code_serial: u16,
    pub totp_secret: Option<TotpSecret>,
    pub event_id: EventId,
    pub event_name: String,
    pub company_id: CompanyId,
    pub venue_id: VenueId,
    pub doors_at: Timestamp,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    pub biometrics: Biometrics,
    /// Its passages, at all lists, annulled ones included.
    pub passages: Vec<Passage>,
    /// The questions it was asked and answered.
    pub answered: Vec<QuestionId>,
}

impl FromRow for TicketFacts {
    /// Without what other tables hold of it: passages, answers.
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            code: SecretText::new(row.get("code")?),
            account_id: row.get("account_id")?,
            product: row.get("product")?,
            standing: Standing::of(row.get("state")?, row.get("order_state")?),
            party_size: row.get("party_size")?,
            valid_from: row.get("valid_from")?,
            valid_until: row.get("valid_until")?,
            code_kind: row.get("code_kind")?,
            code_serial: row.get("code_serial")?,
            totp_secret: row.get::<Option<Vec<u8>>>("totp_secret")?.map(TotpSecret::from_bytes),
            event_id: row.get("event_id")?,
            event_name: row.get("event_name")?,
            company_id: row.get("company_id")?,
            venue_id: row.get("venue_id")?,
            doors_at: row.get("doors_at")?,
            starts_at: row.get("starts_at")?,
            ends_at: row.get("ends_at")?,
            biometrics: row.get("biometrics")?,
            passages: Vec::new(),
            answered: Vec::new(),
        })
    }
}

impl TicketFacts {
    /// Whether anybody ever entered on it, wherever.
    pub fn redeemed(&self) -> bool {
        let entered = |passage: &Passage| passage.passing == Passing::Entry && !passage.annulled;
        self.passages.iter().any(entered)
    }

    /// Who is inside on it by one list, or where `area` is given, in that area.
    pub fn presence_at(
        &self,
        list: &CheckInList,
        area: Option<AreaId>,
        resets: &[Reset],
    ) -> Presence {
        let counted = self.passages.iter().filter(|passage| match area {
            Some(area) => passage.area_id == Some(area),
            None => passage.list_id == list.id,
        });
        let concerned = |reset: &&Reset| {
            reset.event_id == self.event_id
                && reset.ticket_id.is_none_or(|ticket| ticket == self.id)
                && reset.area_id.is_none_or(|reset_area| area.is_none_or(|area| area == reset_area))
        };
        Presence::of(counted, resets.iter().filter(concerned).map(|reset| reset.at).max())
    }

    /// The number that its next passage at a list has.
    pub fn next_number(&self, list_id: CheckInListId) -> i64 {
        let numbers = self.passages.iter().filter(|passage| passage.list_id == list_id);
        numbers.map(|passage| passage.number).max().unwrap_or(0) + 1
    }
}

/// A row of a ticket beside one of its passages.
pub(crate) struct FactsRow {
    facts: TicketFacts,
    passage: Option<Passage>,
}

impl FromRow for FactsRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { facts: TicketFacts::from_row(row)?, passage: Passage::of_row(row)? })
    }
}

/// Puts each ticket's passages together; the order of the tickets stays.
pub(crate) fn gather(rows: Vec<FactsRow>) -> Vec<TicketFacts> {
    let mut tickets: Vec<TicketFacts> = Vec::new();
    for FactsRow { facts, passage } in rows {
        if tickets.last().is_none_or(|last| last.id != facts.id) {
            tickets.push(facts);
        }
        if let (Some(ticket), Some(passage)) = (tickets.last_mut(), passage) {
            ticket.passages.push(passage);
        }
    }
    tickets
}

/// The columns of [`TicketFacts`], where `t`, `o`, `e` are the ticket, its order and its event.
macro_rules! ticket_columns {
    () => {
        "t.id, t.code, t.account_id, t.product, t.state, o.state AS order_state, t.party_size,
         t.valid_from, t.valid_until, t.code_kind, t.code_serial, t.totp_secret,
         t.event_id, e.name AS event_name, e.company_id, e.venue_id, e.doors_at, e.starts_at,
         e.ends_at, e.biometrics"
    };
}
pub(crate) use ticket_columns;

/// What every query of [`FactsRow`] begins with; the condition may name `t`, `o` and `e`, and must
/// keep a ticket's rows together.
macro_rules! ticket_facts_where {
    ($condition:literal) => {
        concat!(
            "SELECT ",
            crate::ticket::ticket_columns!(),
            ", ",
            crate::presence::passage_columns!(),
            " FROM tickets t
              JOIN orders o ON o.id = t.order_id
              JOIN events e ON e.id = t.event_id
              LEFT JOIN passages p ON p.ticket_id = t.id
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
                    let sql = "SELECT t.id, t.code, t.code_kind, t.product, t.state,
                                      o.state AS order_state,
                                      CASE WHEN o.account_id = t.account_id THEN o.id END
                                          AS order_id,
                                      e.id AS event_id, e.company_id, e.venue_id,
                                      v.name AS venue_name, e.name AS event_name, e.doors_at,
                                      e.starts_at, e.ends_at, e.biometrics, n.at, n.method,
                                      g.name AS gate_name, l.name AS lane_name
                               FROM tickets t
                               JOIN orders o ON o.id = t.order_id
                               JOIN events e ON e.id = t.event_id
                               JOIN venues v ON v.id = e.venue_id
                               LEFT JOIN passages n ON n.ticket_id = t.id AND n.passing = 'entry'
                                   AND n.annulled_at IS NULL AND NOT EXISTS (
                                       SELECT 1 FROM passages f WHERE f.ticket_id = t.id
                                       AND f.passing = 'entry' AND f.annulled_at IS NULL
                                       AND (f.at < n.at OR (f.at = n.at AND (f.list_id < n.list_id
                                            OR (f.list_id = n.list_id AND f.number < n.number)))))
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
                    let sql = "SELECT id, order_id, event_id, account_id, product, code, state,
                                      party_size, valid_from, valid_until, addon_to
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
        let now = self.now();
        self.store
            .transaction("ticket.set_state", |tx| {
                Box::pin(async move {
                    let sql = "UPDATE tickets SET state = $3, changed_at = $4
                               WHERE id = $1 AND event_id IN
                               (SELECT e.id FROM events e WHERE e.company_id = $2)";
                    match tx.execute(sql, params![id, company_id, state, now]).await? {
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
            order_id: row.get("order_id")?,
            code: row.get("code")?,
            code_kind: row.get("code_kind")?,
            product: row.get("product")?,
            standing: Standing::of(row.get("state")?, row.get("order_state")?),
            event,
            entered: entered.map(|_| Entry::from_row(row)).transpose()?,
        })
    }
}

/// Stores a new ticket, with the kind of code that its product has now. Another system's code stays as
/// it is. A rotating code's secret is made when its holder first asks for it.
pub(crate) async fn insert(tx: &mut Tx<'_>, ticket: &Ticket, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO tickets (id, order_id, event_id, account_id, product, code, state, party_size,
                              valid_from, valid_until, addon_to, changed_at, code_kind)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,
                 COALESCE((SELECT p.code_kind FROM products p
                           WHERE p.event_id = $3 AND p.name = $5 AND $6 LIKE 'HF1.%'), 'static'))",
        params![
            ticket.id,
            ticket.order_id,
            ticket.event_id,
            ticket.account_id,
            ticket.product,
            ticket.code,
            ticket.state,
            ticket.party_size,
            ticket.valid_from,
            ticket.valid_until,
            ticket.addon_to,
            now
        ],
    )
    .await?;
    Ok(())
}

/// An order's tickets, oldest first.
pub(crate) async fn of_order(tx: &mut Tx<'_>, id: OrderId) -> Result<Vec<Ticket>> {
    let sql = "SELECT id, order_id, event_id, account_id, product, code, state, party_size,
                      valid_from, valid_until, addon_to
               FROM tickets WHERE order_id = $1 ORDER BY id";
    Ok(tx.fetch_all(sql, params![id]).await?)
}

/// What is known of the ticket with this code, which a lane's copy has as its hash.
pub(crate) async fn facts_by_code(tx: &mut Tx<'_>, code: &str) -> Result<Option<TicketFacts>> {
    let sql = ticket_facts_where!("t.code IN ($1, $2)");
    let rows = tx.fetch_all(sql, params![code, hashed_code(code)]).await?;
    Ok(gather(rows).pop())
}

/// What a lane's copy has in place of a code. No code that is scanned or imported begins so.
pub(crate) fn hashed_code(code: &str) -> String {
    let hash: [u8; 32] = Sha256::digest(code.as_bytes()).into();
    format!("{HASHED_CODE_PREFIX}{}", base32::encode(&hash))
}

/// What is known of a ticket.
pub(crate) async fn facts(tx: &mut Tx<'_>, id: TicketId) -> Result<TicketFacts> {
    find_facts(tx, id).await?.ok_or(BoxOfficeError::Unknown(Thing::Ticket))
}

/// What is known of a ticket, if there is one.
pub(crate) async fn find_facts(tx: &mut Tx<'_>, id: TicketId) -> Result<Option<TicketFacts>> {
    let rows = tx.fetch_all(ticket_facts_where!("t.id = $1"), params![id]).await?;
    Ok(gather(rows).pop())
}

/// What is known of a ticket's add-ons.
pub(crate) async fn addons(tx: &mut Tx<'_>, id: TicketId) -> Result<Vec<TicketFacts>> {
    let sql = ticket_facts_where!("t.addon_to = $1 ORDER BY t.id");
    Ok(gather(tx.fetch_all(sql, params![id]).await?))
}

/// Adds which questions a ticket was asked and answered.
pub(crate) async fn add_answered(tx: &mut Tx<'_>, ticket: &mut TicketFacts) -> Result<()> {
    let sql = "SELECT question_id FROM answers WHERE ticket_id = $1";
    let answered: Vec<(QuestionId,)> = tx.fetch_all(sql, params![ticket.id]).await?;
    ticket.answered = answered.into_iter().map(|(id,)| id).collect();
    Ok(())
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
