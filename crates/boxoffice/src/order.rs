//! Orders.

use handfast_model::{AccountId, CompanyId, EventId, OrderId, TicketId};
use handfast_store::{Tx, from_row, params};

use crate::company::check_name;
use crate::{BoxOffice, BoxOfficeError, Result, Thing, Ticket, TicketCode, account, event, ticket};

/// The most tickets of one order: above it a transaction would hold others up at a busy moment.
const TICKETS_MAX: usize = 200;

handfast_store::text_enum! {
    /// Whether an order is paid.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum OrderState {
        /// Not paid yet.
        Pending = "pending",
        /// Paid.
        Paid = "paid",
        /// Cancelled, refunded or never paid.
        Cancelled = "cancelled",
        /// Staff must approve it first.
        Unapproved = "unapproved",
    }
}

/// An order of tickets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its id.
    pub id: OrderId,
    /// The company that sold it.
    pub company_id: CompanyId,
    /// Who ordered.
    pub account_id: AccountId,
    /// Whether it is paid.
    pub state: OrderState,
}

from_row!(Order { id, company_id, account_id, state });

/// An order to be placed.
#[derive(Clone, Debug)]
pub struct NewOrder<'a> {
    /// The company that sells it.
    pub company_id: CompanyId,
    /// Who orders.
    pub account_id: AccountId,
    /// Whether it is paid already.
    pub state: OrderState,
    /// The tickets, at least one.
    pub tickets: &'a [NewTicket<'a>],
}

/// A ticket to be ordered.
#[derive(Clone, Copy, Debug)]
pub struct NewTicket<'a> {
    /// For which event of the company.
    pub event_id: EventId,
    /// Which product, as printed on the ticket.
    pub product: &'a str,
    /// Whose account it belongs to; the orderer's where `None`.
    pub account_id: Option<AccountId>,
}

impl BoxOffice {
    /// Places an order: all its tickets with a fresh code each, or nothing. Reconcile armings
    /// afterwards, for standing consent may arm a palm for them.
    ///
    /// # Errors
    /// [`BoxOfficeError::OrderSize`]; [`BoxOfficeError::Text`];
    /// [`BoxOfficeError::Unknown`] for an unknown account or event; [`BoxOfficeError::Mismatch`]
    /// for another company's event.
    pub async fn place_order(&self, new: &NewOrder<'_>) -> Result<(Order, Vec<Ticket>)> {
        if new.tickets.is_empty() || new.tickets.len() > TICKETS_MAX {
            return Err(BoxOfficeError::OrderSize { max: TICKETS_MAX });
        }
        let id = OrderId::new(&*self.clock, &*self.random);
        let (company_id, account_id) = (new.company_id, new.account_id);
        let order = &Order { id, company_id, account_id, state: new.state };
        let tickets: Result<Vec<Ticket>> =
            new.tickets.iter().map(|ticket| self.new_ticket(order, ticket)).collect();
        let tickets = &tickets?;
        let now = self.now();
        self.store
            .transaction("order.place", |tx| {
                Box::pin(async move {
                    account::find(tx, order.account_id).await?;
                    tx.execute(
                        "INSERT INTO orders (id, company_id, account_id, state, created_at,
                                             changed_at)
                         VALUES ($1, $2, $3, $4, $5, $5)",
                        params![order.id, order.company_id, order.account_id, order.state, now],
                    )
                    .await?;
                    for ticket in tickets {
                        check_seller(tx, order, ticket.event_id).await?;
                        ticket::insert(tx, ticket, now).await?;
                    }
                    Ok::<_, BoxOfficeError>(())
                })
            })
            .await?;
        Ok((order.clone(), tickets.clone()))
    }

    /// Marks an order paid, pending or cancelled. Reconcile armings afterwards.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for an unknown order or another company's.
    pub async fn set_order_state(
        &self,
        company_id: CompanyId,
        id: OrderId,
        state: OrderState,
    ) -> Result<()> {
        let now = self.now();
        self.store
            .transaction("order.set_state", |tx| {
                Box::pin(async move {
                    let sql = "UPDATE orders SET state = $3, changed_at = $4
                               WHERE id = $1 AND company_id = $2";
                    match tx.execute(sql, params![id, company_id, state, now]).await? {
                        0 => Err(BoxOfficeError::Unknown(Thing::Order)),
                        _ => Ok(()),
                    }
                })
            })
            .await
    }

    /// An order and its tickets.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`].
    pub async fn order(&self, id: OrderId) -> Result<(Order, Vec<Ticket>)> {
        self.store
            .read("order.one", |tx| {
                Box::pin(async move {
                    let sql = "SELECT id, company_id, account_id, state FROM orders WHERE id = $1";
                    let order = tx.fetch_optional(sql, params![id]).await?;
                    let order = order.ok_or(BoxOfficeError::Unknown(Thing::Order))?;
                    Ok((order, ticket::of_order(tx, id).await?))
                })
            })
            .await
    }

    fn new_ticket(&self, order: &Order, new: &NewTicket<'_>) -> Result<Ticket> {
        Ok(Ticket {
            id: TicketId::new(&*self.clock, &*self.random),
            order_id: order.id,
            event_id: new.event_id,
            account_id: new.account_id.unwrap_or(order.account_id),
            product: check_name("a product's name", new.product)?,
            code: TicketCode::new(&*self.random),
            state: crate::TicketState::Valid,
            party_size: 1,
            valid_from: None,
            valid_until: None,
            addon_to: None,
        })
    }
}

/// A nonce that makes a repetition the same order.
pub(crate) fn check_reference(nonce: &str) -> Result<()> {
    crate::attempt::check_nonce(nonce)
}

async fn check_seller(tx: &mut Tx<'_>, order: &Order, event_id: EventId) -> Result<()> {
    let event = event::find(tx, event_id).await?;
    if event.company_id == order.company_id { Ok(()) } else { Err(BoxOfficeError::Mismatch) }
}
