//! Giving tickets back and exchanging them.
//!
//! What is owed is written in the transaction that takes the ticket, a row a ticket, and paid out
//! under a nonce made of the ticket: however often that is tried, it is paid out once.

use handfast_model::{Money, OrderId, StaffUserId, TicketId, Timestamp};
use handfast_store::{FromRow, Row, StoreError, Tx, params};

use crate::company::check_name;
use crate::sale::{check_room, find, set_price};
use crate::staff_action::{Action, NewAction};
use crate::{
    BoxOffice, BoxOfficeError, OrderPayment, OrderState, Result, SoldOrder, Tender, Thing, Ticket,
    TicketCode, TicketState, product, staff_action, ticket,
};

/// Money that is to be given back for a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwedRefund {
    /// The order.
    pub order_id: OrderId,
    /// The ticket.
    pub ticket_id: TicketId,
    /// The payment it is given back from, where it went through the till.
    pub payment: Option<OrderPayment>,
    /// How much, in minor units.
    pub minor: i64,
}

impl OwedRefund {
    /// Makes a repetition the same refund.
    #[must_use]
    pub fn nonce(&self) -> String {
        format!("back-{}", self.ticket_id)
    }
}

impl BoxOffice {
    /// Takes tickets of an order back, as staff; what they cost is owed from then on
    /// ([`BoxOffice::owed_refunds`]). Reconcile armings afterwards.
    ///
    /// # Errors
    /// [`BoxOfficeError::TicketUsed`] where somebody entered on one of them;
    /// [`BoxOfficeError::Unknown`] for tickets that are not this order's or not good any more.
    pub async fn refund_tickets(
        &self,
        staff_user_id: StaffUserId,
        id: OrderId,
        tickets: &[TicketId],
        reason: &str,
    ) -> Result<SoldOrder> {
        let reason = &check_name("a reason", reason)?;
        let now = self.now();
        self.store
            .transaction("sale.refund", |tx| {
                Box::pin(async move {
                    let company_id = staff_action::company_of(tx, staff_user_id).await?;
                    let order = find(tx, id).await?;
                    if order.company_id != company_id || order.state != OrderState::Paid {
                        return Err(BoxOfficeError::Unknown(Thing::Order));
                    }
                    for ticket in tickets {
                        let minor = take_back(tx, id, *ticket, now).await?;
                        owe(tx, id, *ticket, minor, now).await?;
                        let action = NewAction {
                            ticket_id: Some(*ticket),
                            ..NewAction::by(staff_user_id, Action::Refund, reason)
                        };
                        staff_action::record(tx, company_id, &action, now).await?;
                    }
                    find(tx, id).await
                })
            })
            .await
    }

    /// Exchanges a ticket for another product of its event: the old one is worth nothing from then
    /// on. Returns the new one and what it costs more (or less, where negative: that much is owed).
    /// What it costs more is taken at the window, by `tender`.
    ///
    /// # Errors
    /// As [`BoxOffice::refund_tickets`] and [`BoxOffice::order_online`].
    pub async fn exchange_ticket(
        &self,
        staff_user_id: StaffUserId,
        id: TicketId,
        product: &str,
        reason: &str,
    ) -> Result<(Ticket, Money)> {
        let reason = &check_name("a reason", reason)?;
        let now = self.now();
        self.store
            .transaction("sale.exchange", |tx| {
                Box::pin(async move {
                    let company_id = staff_action::company_of(tx, staff_user_id).await?;
                    let old = ticket::facts(tx, id).await?;
                    let order_id = order_of(tx, id).await?;
                    if old.company_id != company_id {
                        return Err(BoxOfficeError::Unknown(Thing::Ticket));
                    }
                    let wanted = product::find(tx, old.event_id, product).await?;
                    check_room(tx, old.event_id, &wanted, old.party_size, now).await?;
                    let paid = take_back(tx, order_id, id, now).await?;
                    let ticket = Ticket {
                        id: TicketId::new(&*self.clock, &*self.random),
                        order_id,
                        event_id: old.event_id,
                        account_id: old.account_id,
                        product: wanted.name.clone(),
                        code: TicketCode::new(&*self.random),
                        state: TicketState::Valid,
                        party_size: old.party_size,
                        valid_from: old.valid_from,
                        valid_until: old.valid_until,
                        addon_to: None,
                    };
                    ticket::insert(tx, &ticket, now).await?;
                    set_price(tx, ticket.id, wanted.price.minor).await?;
                    let more = wanted.price.minor - paid;
                    owe(tx, order_id, id, -more, now).await?;
                    let action = NewAction {
                        ticket_id: Some(id),
                        event_id: Some(old.event_id),
                        ..NewAction::by(staff_user_id, Action::Exchange, reason)
                    };
                    staff_action::record(tx, company_id, &action, now).await?;
                    Ok((ticket, Money::new(more, wanted.price.currency)))
                })
            })
            .await
    }

    /// What is to be given back.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn owed_refunds(&self) -> Result<Vec<OwedRefund>> {
        self.store
            .read("sale.owed", |tx| {
                Box::pin(async move {
                    let sql = "SELECT r.ticket_id, r.order_id, r.minor, o.account_id,
                                      o.register_id, o.payment_nonce AS nonce, o.amount_minor,
                                      o.currency, o.tender
                               FROM ticket_refunds r JOIN orders o ON o.id = r.order_id
                               WHERE r.paid_at IS NULL ORDER BY r.at, r.ticket_id";
                    Ok(tx.fetch_all(sql, params![]).await?)
                })
            })
            .await
    }

    /// Remembers that it was given back.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn refund_paid(&self, refund: &OwedRefund) -> Result<()> {
        let (id, now) = (refund.ticket_id, self.now());
        self.store
            .transaction("ticket_refund.paid", |tx| {
                Box::pin(async move {
                    let sql = "UPDATE ticket_refunds SET paid_at = $2
                               WHERE ticket_id = $1 AND paid_at IS NULL";
                    tx.execute(sql, params![id, now]).await?;
                    Ok(())
                })
            })
            .await
    }
}

impl FromRow for OwedRefund {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let tender: Option<Tender> = row.get("tender")?;
        let payment = match tender {
            Some(Tender::Till) => Some(OrderPayment::from_row(row)?),
            _ => None,
        };
        let (order_id, ticket_id) = (row.get("order_id")?, row.get("ticket_id")?);
        Ok(Self { order_id, ticket_id, payment, minor: row.get("minor")? })
    }
}

async fn owe(
    tx: &mut Tx<'_>,
    order_id: OrderId,
    ticket_id: TicketId,
    minor: i64,
    now: Timestamp,
) -> Result<()> {
    if minor <= 0 {
        return Ok(());
    }
    let sql = "INSERT INTO ticket_refunds (ticket_id, order_id, minor, at) VALUES ($1, $2, $3, $4)";
    tx.execute(sql, params![ticket_id, order_id, minor, now]).await?;
    Ok(())
}

async fn order_of(tx: &mut Tx<'_>, id: TicketId) -> Result<OrderId> {
    let sql = "SELECT order_id FROM tickets WHERE id = $1";
    let found: Option<(OrderId,)> = tx.fetch_optional(sql, params![id]).await?;
    found.map(|(id,)| id).ok_or(BoxOfficeError::Unknown(Thing::Ticket))
}

/// Cancels a ticket that nobody entered on: what it cost.
async fn take_back(
    tx: &mut Tx<'_>,
    order_id: OrderId,
    id: TicketId,
    now: Timestamp,
) -> Result<i64> {
    if ticket::facts(tx, id).await?.redeemed() {
        return Err(BoxOfficeError::TicketUsed);
    }
    let sql = "UPDATE tickets SET state = 'cancelled', changed_at = $3
               WHERE id = $1 AND order_id = $2 AND state IN ('valid', 'blocked')
               RETURNING price_minor";
    let price: Option<(i64,)> = tx.fetch_optional(sql, params![id, order_id, now]).await?;
    price.map(|(minor,)| minor).ok_or(BoxOfficeError::Unknown(Thing::Ticket))
}
