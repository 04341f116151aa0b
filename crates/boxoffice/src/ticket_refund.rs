//! Giving tickets back and exchanging them.
//!
//! What is owed is written in the transaction that takes the ticket, a row a ticket, and paid out
//! under a nonce made of the ticket: however often that is tried, it is paid out once.

use handfast_model::{CompanyId, Money, OrderId, StaffUserId, TicketId, Timestamp};
use handfast_store::{FromRow, Row, StoreError, Tx, params};

use crate::company::check_name;
use crate::sale::{Price, check_room, find, set_price};
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
    /// How much of it, in minor units.
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
    /// Takes tickets of an order back, as staff; what the till took for them is owed from then on
    /// ([`BoxOffice::owed_refunds`]), the rest is handed out at the window now. Reconcile armings
    /// afterwards.
    ///
    /// # Errors
    /// [`BoxOfficeError::NotPaid`]; [`BoxOfficeError::TicketUsed`] where somebody entered on one of them;
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
                    check_paid(&order, company_id)?;
                    for ticket in tickets {
                        let Price { minor, till_minor } = take_back(tx, id, *ticket, now).await?;
                        let back = Back { till: till_minor, hand: minor - till_minor };
                        give_back(tx, id, *ticket, back, now).await?;
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
                    let order = find(tx, order_id).await?;
                    check_paid(&order, company_id)?;
                    let wanted = product::find(tx, old.event_id, product).await?;
                    if order.amount.is_some_and(|paid| paid.currency != wanted.price.currency) {
                        return Err(BoxOfficeError::Mismatch);
                    }
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
                    // What the till took stays in the new ticket as far as that costs so much.
                    let till_minor = paid.till_minor.min(wanted.price.minor);
                    let price = Price { minor: wanted.price.minor, till_minor };
                    set_price(tx, ticket.id, price).await?;
                    let more = wanted.price.minor - paid.minor;
                    let till = paid.till_minor - till_minor;
                    let back = Back { till, hand: (-more).max(0) - till };
                    give_back(tx, order_id, id, back, now).await?;
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
                                      o.currency, o.tender, o.payment_begun_at
                               FROM ticket_refunds r JOIN orders o ON o.id = r.order_id
                               WHERE r.paid_at IS NULL AND r.refused_at IS NULL
                               ORDER BY r.at, r.ticket_id";
                    Ok(tx.fetch_all(sql, params![]).await?)
                })
            })
            .await
    }

    /// Remembers that the gateway refuses to give it back: it stays owed, and somebody pays it out
    /// another way.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn refund_refused(&self, refund: &OwedRefund) -> Result<()> {
        let (id, now) = (refund.ticket_id, self.now());
        self.store
            .transaction("ticket_refund.refused", |tx| {
                Box::pin(async move {
                    let sql = "UPDATE ticket_refunds SET refused_at = $2
                               WHERE ticket_id = $1 AND paid_at IS NULL";
                    tx.execute(sql, params![id, now]).await?;
                    Ok(())
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

/// What is given back of a ticket: through the till, and by hand.
struct Back {
    till: i64,
    hand: i64,
}

async fn give_back(
    tx: &mut Tx<'_>,
    order_id: OrderId,
    ticket_id: TicketId,
    back: Back,
    now: Timestamp,
) -> Result<()> {
    let Back { till, hand } = back;
    // The window never hands out what the till took.
    assert!(till >= 0 && hand >= 0, "a part that is given back is not negative");
    if till + hand == 0 {
        return Ok(());
    }
    let paid_at = (till == 0).then_some(now);
    tx.execute(
        "INSERT INTO ticket_refunds (ticket_id, order_id, minor, hand_minor, at, paid_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        params![ticket_id, order_id, till, hand, now, paid_at],
    )
    .await?;
    Ok(())
}

fn check_paid(order: &SoldOrder, company_id: CompanyId) -> Result<()> {
    if order.company_id != company_id {
        return Err(BoxOfficeError::Unknown(Thing::Order));
    }
    if order.state == OrderState::Paid { Ok(()) } else { Err(BoxOfficeError::NotPaid) }
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
) -> Result<Price> {
    if ticket::facts(tx, id).await?.redeemed() {
        return Err(BoxOfficeError::TicketUsed);
    }
    let sql = "UPDATE tickets SET state = 'cancelled', changed_at = $3
               WHERE id = $1 AND order_id = $2 AND state IN ('valid', 'blocked')
               RETURNING price_minor AS minor, till_minor";
    let price = tx.fetch_optional(sql, params![id, order_id, now]).await?;
    price.ok_or(BoxOfficeError::Unknown(Thing::Ticket))
}
