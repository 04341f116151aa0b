//! Selling: tickets are held while they are paid, and become the buyer's when the money is there.
//!
//! An order's payment is asked of the till under a nonce that is written down first. Whatever is cut
//! off in between, asking again under the same nonce finds out what became of it
//! ([`BoxOffice::unresolved_payments`]): an order is never paid twice and never lost. The same goes
//! for refunds: what is owed is written in the transaction that takes the tickets back, and paid out
//! under a nonce made of what was paid out before.

use handfast_model::{
    AccountId, CompanyId, Currency, DeviceId, Duration, EventId, Money, OrderId, StaffUserId,
    TicketId, Timestamp,
};
use handfast_store::{FromRow, Row, StoreError, Tx, params};

use crate::order::check_reference;
use crate::product;
use crate::staff_action::{Action, NewAction};
use crate::{
    BoxOffice, BoxOfficeError, OrderState, Result, Thing, Ticket, TicketCode, TicketState, account,
    event, staff_action, ticket,
};

/// How long an order keeps its tickets from others: to link a payment method and to pay.
pub const HOLD: Duration = Duration::from_minutes(15);
/// The most tickets of one order: a bus load; more is sold at the window.
pub const SALE_TICKETS_MAX: u32 = 40;
/// Unpaid orders of one person at a time: who holds more keeps others from buying.
pub const HOLDS_MAX: u32 = 3;

handfast_store::text_enum! {
    /// How an order was paid.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum Tender {
        /// From a wallet, through the till.
        Till = "till",
        /// In cash at the window.
        Cash = "cash",
        /// By a card terminal of its own at the window.
        Terminal = "terminal",
        /// Nothing was to be paid.
        Free = "free",
    }
}

handfast_store::text_enum! {
    /// Where an order was sold.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum Origin {
        /// On the order page.
        Online = "online",
        /// At the window.
        Window = "window",
    }
}

/// So many tickets of a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaleLine {
    /// The product's name.
    pub product: String,
    /// How many.
    pub quantity: u32,
}

/// What is to be sold.
#[derive(Clone, Debug)]
pub struct Sale<'a> {
    /// For which event.
    pub event_id: EventId,
    /// What, at least one ticket.
    pub lines: &'a [SaleLine],
    /// Makes a repetition the same order.
    pub nonce: &'a str,
}

/// An order as its buyer and the window see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoldOrder {
    /// Its id.
    pub id: OrderId,
    /// Who sold it.
    pub company_id: CompanyId,
    /// Whose it is.
    pub account_id: AccountId,
    /// Whether it is paid.
    pub state: OrderState,
    /// Until when its tickets are held, where it is not paid.
    pub hold_until: Option<Timestamp>,
    /// What it costs; `None` for an order that was not sold here.
    pub amount: Option<Money>,
    /// How it was paid.
    pub tender: Option<Tender>,
    /// What was given back.
    pub refunded_minor: i64,
    /// What is still to be given back.
    pub refund_owed_minor: i64,
    /// Whether a payment is under way.
    pub paying: bool,
}

impl FromRow for SoldOrder {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let currency: Option<Currency> = row.get("currency")?;
        let minor: i64 = row.get("amount_minor")?;
        let state: OrderState = row.get("state")?;
        let nonce: Option<String> = row.get("payment_nonce")?;
        Ok(Self {
            id: row.get("id")?,
            company_id: row.get("company_id")?,
            account_id: row.get("account_id")?,
            state,
            hold_until: row.get("hold_until")?,
            amount: currency.map(|currency| Money::new(minor, currency)),
            tender: row.get("tender")?,
            refunded_minor: row.get("refunded_minor")?,
            refund_owed_minor: row.get("refund_owed_minor")?,
            paying: state == OrderState::Pending && nonce.is_some(),
        })
    }
}

/// A payment that is to be asked of the till, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderPayment {
    /// The order.
    pub order_id: OrderId,
    /// Whose wallet pays.
    pub account_id: AccountId,
    /// The register it is asked from.
    pub register: DeviceId,
    /// The request's nonce.
    pub nonce: String,
    /// How much.
    pub amount: Money,
}

/// Money that is to be given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwedRefund {
    /// The order.
    pub order_id: OrderId,
    /// The payment it is given back from, where it went through the till.
    pub payment: Option<OrderPayment>,
    /// How much, in minor units.
    pub minor: i64,
    /// The refund's nonce: made of what was given back before, so that a repetition is the same.
    pub nonce: String,
}

const ORDERS: &str = "SELECT id, company_id, account_id, state, hold_until, amount_minor, currency,
    tender, refunded_minor, refund_owed_minor, payment_nonce FROM orders WHERE id = $1";

/// What an order is made of, before it is written.
struct Making {
    order_id: OrderId,
    company_id: CompanyId,
    account_id: AccountId,
    tickets: Vec<(Ticket, i64)>,
    amount: Money,
}

impl BoxOffice {
    /// Holds the tickets of an order until it is paid; one that costs nothing is paid at once. The
    /// same nonce gives the same order.
    ///
    /// # Errors
    /// [`BoxOfficeError::SoldOut`]; [`BoxOfficeError::SaleOver`]; [`BoxOfficeError::OrderSize`];
    /// [`BoxOfficeError::Holds`]; [`BoxOfficeError::Unknown`] for what is not on sale.
    pub async fn order_online(&self, account_id: AccountId, sale: &Sale<'_>) -> Result<SoldOrder> {
        check_sale(sale)?;
        let reference = &format!("web-{}", sale.nonce);
        let now = self.now();
        self.store
            .transaction("sale.order", |tx| {
                Box::pin(async move {
                    account::find(tx, account_id).await?;
                    let event = event::find(tx, sale.event_id).await?;
                    let same = by_reference(tx, event.company_id, reference).await?;
                    if let Some(order) = same {
                        return if order.account_id == account_id {
                            Ok(order)
                        } else {
                            Err(BoxOfficeError::NonceReused)
                        };
                    }
                    check_holds(tx, account_id, now).await?;
                    let making = self.make(tx, account_id, sale, true, now).await?;
                    let terms = match making.amount.minor {
                        0 => OrderTerms::paid(Origin::Online, Tender::Free),
                        _ => OrderTerms::held(now + HOLD),
                    };
                    insert(tx, &making, &terms, reference, now).await?;
                    find(tx, making.order_id).await
                })
            })
            .await
    }

    /// Sells at the window: paid at once, products that are not on sale too.
    ///
    /// # Errors
    /// As [`BoxOffice::order_online`]; [`BoxOfficeError::Unknown`] for another company's event.
    pub async fn sell_at_window(
        &self,
        staff_user_id: StaffUserId,
        account_id: AccountId,
        sale: &Sale<'_>,
        tender: Tender,
    ) -> Result<SoldOrder> {
        check_sale(sale)?;
        let reference = &format!("win-{}", sale.nonce);
        let now = self.now();
        self.store
            .transaction("sale.window", |tx| {
                Box::pin(async move {
                    let company_id = staff_action::company_of(tx, staff_user_id).await?;
                    event::find_own(tx, company_id, sale.event_id).await?;
                    if let Some(order) = by_reference(tx, company_id, reference).await? {
                        return Ok(order);
                    }
                    let mut making = self.make(tx, account_id, sale, false, now).await?;
                    if tender == Tender::Free {
                        making.amount.minor = 0;
                        making.tickets.iter_mut().for_each(|(_, price)| *price = 0);
                    }
                    let terms = OrderTerms::paid(Origin::Window, tender);
                    insert(tx, &making, &terms, reference, now).await?;
                    let said = format!("{tender}: {}", made_of(sale.lines));
                    let action = NewAction {
                        event_id: Some(sale.event_id),
                        ..NewAction::by(staff_user_id, Action::Sell, &said)
                    };
                    staff_action::record(tx, company_id, &action, now).await?;
                    find(tx, making.order_id).await
                })
            })
            .await
    }

    /// The tickets of a sale with their prices, where there is room for them.
    async fn make(
        &self,
        tx: &mut Tx<'_>,
        account_id: AccountId,
        sale: &Sale<'_>,
        online: bool,
        now: Timestamp,
    ) -> Result<Making> {
        let event = event::find(tx, sale.event_id).await?;
        if event.ends_at <= now {
            return Err(BoxOfficeError::SaleOver);
        }
        let order_id = OrderId::new(&*self.clock, &*self.random);
        let mut tickets = Vec::new();
        let mut amount: Option<Money> = None;
        for line in sale.lines {
            let product = product::find(tx, event.id, &line.product).await?;
            if online && !product.on_sale {
                return Err(BoxOfficeError::Unknown(Thing::Product));
            }
            check_room(tx, event.id, &product, line.quantity, now).await?;
            let so_far = amount.map_or(0, |money| money.minor);
            let minor = so_far + product.price.minor * i64::from(line.quantity);
            amount = Some(Money::new(minor, product.price.currency));
            for _ in 0..line.quantity {
                let ticket = Ticket {
                    id: TicketId::new(&*self.clock, &*self.random),
                    order_id,
                    event_id: event.id,
                    account_id,
                    product: product.name.clone(),
                    code: TicketCode::new(&*self.random),
                    state: TicketState::Valid,
                    party_size: 1,
                    valid_from: None,
                    valid_until: None,
                    addon_to: None,
                };
                tickets.push((ticket, product.price.minor));
            }
        }
        let amount = amount.ok_or(BoxOfficeError::OrderSize { max: SALE_TICKETS_MAX as usize })?;
        Ok(Making { order_id, company_id: event.company_id, account_id, tickets, amount })
    }

    /// An order and its tickets, as its buyer sees it.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for another account's order.
    pub async fn own_order(
        &self,
        account_id: AccountId,
        id: OrderId,
    ) -> Result<(SoldOrder, Vec<Ticket>)> {
        self.store
            .read("sale.own", |tx| {
                Box::pin(async move {
                    let order = find(tx, id).await?;
                    if order.account_id != account_id {
                        return Err(BoxOfficeError::Unknown(Thing::Order));
                    }
                    Ok((order, ticket::of_order(tx, id).await?))
                })
            })
            .await
    }

    /// An order and its tickets, as the window sees it.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for another company's order.
    pub async fn company_order(
        &self,
        company_id: CompanyId,
        id: OrderId,
    ) -> Result<(SoldOrder, Vec<Ticket>)> {
        self.store
            .read("sale.company", |tx| {
                Box::pin(async move {
                    let order = find(tx, id).await?;
                    if order.company_id != company_id {
                        return Err(BoxOfficeError::Unknown(Thing::Order));
                    }
                    Ok((order, ticket::of_order(tx, id).await?))
                })
            })
            .await
    }

    /// Writes down that an order is about to be paid through `register`, before the till is asked;
    /// while a payment is under way, that one again.
    ///
    /// # Errors
    /// [`BoxOfficeError::HoldOver`] where the tickets are held no longer or the order is paid;
    /// [`BoxOfficeError::Unknown`] for another account's order.
    pub async fn begin_payment(
        &self,
        account_id: AccountId,
        id: OrderId,
        register: DeviceId,
    ) -> Result<OrderPayment> {
        let now = self.now();
        self.store
            .transaction("sale.begin_payment", |tx| {
                Box::pin(async move {
                    let order = find(tx, id).await?;
                    if order.account_id != account_id {
                        return Err(BoxOfficeError::Unknown(Thing::Order));
                    }
                    if let Some(payment) = payment_of(tx, id).await? {
                        return Ok(payment);
                    }
                    let held = order.hold_until.is_some_and(|until| until > now);
                    if order.state != OrderState::Pending || !held {
                        return Err(BoxOfficeError::HoldOver);
                    }
                    let sql = "UPDATE orders SET register_id = $2,
                                      payment_tries = payment_tries + 1,
                                      payment_nonce = id || '-' || CAST(payment_tries + 1 AS TEXT)
                               WHERE id = $1";
                    tx.execute(sql, params![id, register]).await?;
                    payment_of(tx, id).await?.ok_or(BoxOfficeError::HoldOver)
                })
            })
            .await
    }

    /// Says what became of a payment. Paid: the tickets are the buyer's; reconcile armings
    /// afterwards. Not paid: the order may be paid again while its tickets are held.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn end_payment(&self, payment: &OrderPayment, paid: bool) -> Result<()> {
        let now = self.now();
        let sql = match paid {
            true => {
                "UPDATE orders SET state = 'paid', tender = 'till', hold_until = NULL,
                        changed_at = $3
                 WHERE id = $1 AND payment_nonce = $2 AND state = 'pending'"
            }
            false => {
                "UPDATE orders SET payment_nonce = NULL, changed_at = $3
                 WHERE id = $1 AND payment_nonce = $2 AND state = 'pending'"
            }
        };
        self.store
            .transaction("sale.end_payment", |tx| {
                Box::pin(async move {
                    tx.execute(sql, params![payment.order_id, payment.nonce, now]).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Payments that are not known to have ended: to be asked about.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn unresolved_payments(&self) -> Result<Vec<OrderPayment>> {
        self.store
            .read("sale.unresolved", |tx| {
                Box::pin(async move {
                    let sql = "SELECT id AS order_id, account_id, register_id,
                                      payment_nonce AS nonce, amount_minor, currency
                               FROM orders
                               WHERE state = 'pending' AND payment_nonce IS NOT NULL
                               ORDER BY id";
                    Ok(tx.fetch_all(sql, params![]).await?)
                })
            })
            .await
    }

    /// Cancels orders whose tickets were held and not paid: how many.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn release_holds(&self) -> Result<u64> {
        let now = self.now();
        self.store
            .transaction("sale.release_holds", |tx| {
                Box::pin(async move {
                    let sql = "UPDATE orders SET state = 'cancelled', changed_at = $1
                               WHERE state = 'pending' AND hold_until <= $1
                                 AND payment_nonce IS NULL";
                    Ok(tx.execute(sql, params![now]).await?)
                })
            })
            .await
    }

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
        let reason = &crate::company::check_name("a reason", reason)?;
        let now = self.now();
        self.store
            .transaction("sale.refund", |tx| {
                Box::pin(async move {
                    let company_id = staff_action::company_of(tx, staff_user_id).await?;
                    let order = find(tx, id).await?;
                    if order.company_id != company_id || order.state != OrderState::Paid {
                        return Err(BoxOfficeError::Unknown(Thing::Order));
                    }
                    let mut owed = 0;
                    for ticket in tickets {
                        owed += take_back(tx, id, *ticket, now).await?;
                        let action = NewAction {
                            ticket_id: Some(*ticket),
                            ..NewAction::by(staff_user_id, Action::Refund, reason)
                        };
                        staff_action::record(tx, company_id, &action, now).await?;
                    }
                    let sql = "UPDATE orders SET refund_owed_minor = refund_owed_minor + $2,
                                      changed_at = $3 WHERE id = $1";
                    tx.execute(sql, params![id, owed, now]).await?;
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
        let reason = &crate::company::check_name("a reason", reason)?;
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
                    let sql = "UPDATE orders SET refund_owed_minor = refund_owed_minor + $2,
                                      changed_at = $3 WHERE id = $1";
                    tx.execute(sql, params![order_id, (-more).max(0), now]).await?;
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
                    let sql = "SELECT id AS order_id, account_id, register_id,
                                      payment_nonce AS nonce, amount_minor, currency, tender,
                                      refunded_minor, refund_owed_minor
                               FROM orders WHERE refund_owed_minor > 0 ORDER BY id";
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
        let OwedRefund { order_id, minor, nonce, .. } = refund;
        self.store
            .transaction("sale.refund_paid", |tx| {
                Box::pin(async move {
                    // The nonce names what was given back before: a repetition changes nothing.
                    let sql = "UPDATE orders SET refunded_minor = refunded_minor + $2,
                                      refund_owed_minor = refund_owed_minor - $2
                               WHERE id = $1 AND refund_owed_minor >= $2
                                 AND id || '-back-' || CAST(refunded_minor AS TEXT) = $3";
                    tx.execute(sql, params![order_id, minor, nonce]).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Registers through which a company's orders are paid.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn sales_registers(&self, company_id: CompanyId) -> Result<Vec<DeviceId>> {
        self.store
            .read("sale.registers", |tx| {
                Box::pin(async move {
                    let sql = "SELECT device_id FROM sales_registers WHERE company_id = $1
                               ORDER BY device_id";
                    let found: Vec<(DeviceId,)> = tx.fetch_all(sql, params![company_id]).await?;
                    Ok(found.into_iter().map(|(id,)| id).collect())
                })
            })
            .await
    }

    /// Names a register through which a company's orders are paid.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for another company's device.
    pub async fn add_sales_register(&self, company_id: CompanyId, id: DeviceId) -> Result<()> {
        if self.device(id).await?.company_id != company_id {
            return Err(BoxOfficeError::Unknown(Thing::Device));
        }
        self.store
            .transaction("sale.add_register", |tx| {
                Box::pin(async move {
                    let sql = "INSERT INTO sales_registers (company_id, device_id)
                               VALUES ($1, $2) ON CONFLICT DO NOTHING";
                    tx.execute(sql, params![company_id, id]).await?;
                    Ok(())
                })
            })
            .await
    }
}

struct PaymentRow(OrderPayment);

impl FromRow for PaymentRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        OrderPayment::from_row(row).map(Self)
    }
}

impl FromRow for OrderPayment {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let currency: Currency = row.get("currency")?;
        Ok(Self {
            order_id: row.get("order_id")?,
            account_id: row.get("account_id")?,
            register: row.get("register_id")?,
            nonce: row.get("nonce")?,
            amount: Money::new(row.get("amount_minor")?, currency),
        })
    }
}

impl FromRow for OwedRefund {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let tender: Option<Tender> = row.get("tender")?;
        let payment = match tender {
            Some(Tender::Till) => Some(OrderPayment::from_row(row)?),
            _ => None,
        };
        let (order_id, refunded): (OrderId, i64) =
            (row.get("order_id")?, row.get("refunded_minor")?);
        let nonce = format!("{order_id}-back-{refunded}");
        Ok(Self { order_id, payment, minor: row.get("refund_owed_minor")?, nonce })
    }
}

/// How an order is written.
struct OrderTerms {
    origin: Origin,
    tender: Option<Tender>,
    state: OrderState,
    hold_until: Option<Timestamp>,
}

impl OrderTerms {
    fn paid(origin: Origin, tender: Tender) -> Self {
        Self { origin, tender: Some(tender), state: OrderState::Paid, hold_until: None }
    }

    fn held(until: Timestamp) -> Self {
        let (origin, state) = (Origin::Online, OrderState::Pending);
        Self { origin, tender: None, state, hold_until: Some(until) }
    }
}

async fn insert(
    tx: &mut Tx<'_>,
    making: &Making,
    terms: &OrderTerms,
    reference: &str,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        "INSERT INTO orders (id, company_id, account_id, state, created_at, changed_at, reference,
                             hold_until, amount_minor, currency, origin, tender)
         VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8, $9, $10, $11)",
        params![
            making.order_id,
            making.company_id,
            making.account_id,
            terms.state,
            now,
            reference,
            terms.hold_until,
            making.amount.minor,
            making.amount.currency,
            terms.origin,
            terms.tender
        ],
    )
    .await?;
    for (ticket, price) in &making.tickets {
        ticket::insert(tx, ticket, now).await?;
        set_price(tx, ticket.id, *price).await?;
    }
    Ok(())
}

async fn set_price(tx: &mut Tx<'_>, id: TicketId, minor: i64) -> Result<()> {
    tx.execute("UPDATE tickets SET price_minor = $2 WHERE id = $1", params![id, minor]).await?;
    Ok(())
}

async fn find(tx: &mut Tx<'_>, id: OrderId) -> Result<SoldOrder> {
    let order = tx.fetch_optional(ORDERS, params![id]).await?;
    order.ok_or(BoxOfficeError::Unknown(Thing::Order))
}

async fn by_reference(
    tx: &mut Tx<'_>,
    company_id: CompanyId,
    reference: &str,
) -> Result<Option<SoldOrder>> {
    let sql = "SELECT id FROM orders WHERE company_id = $1 AND reference = $2";
    let found: Option<(OrderId,)> = tx.fetch_optional(sql, params![company_id, reference]).await?;
    match found {
        Some((id,)) => find(tx, id).await.map(Some),
        None => Ok(None),
    }
}

async fn payment_of(tx: &mut Tx<'_>, id: OrderId) -> Result<Option<OrderPayment>> {
    let sql = "SELECT id AS order_id, account_id, register_id, payment_nonce AS nonce,
                      amount_minor, currency
               FROM orders
               WHERE id = $1 AND state = 'pending' AND payment_nonce IS NOT NULL";
    let payment: Option<PaymentRow> = tx.fetch_optional(sql, params![id]).await?;
    Ok(payment.map(|PaymentRow(payment)| payment))
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

async fn check_room(
    tx: &mut Tx<'_>,
    event_id: EventId,
    product: &product::Product,
    quantity: u32,
    now: Timestamp,
) -> Result<()> {
    let Some(capacity) = product.capacity else { return Ok(()) };
    let taken = product::taken(tx, event_id, &product.name, now).await?;
    if taken + quantity > capacity {
        return Err(BoxOfficeError::SoldOut { left: capacity.saturating_sub(taken) });
    }
    Ok(())
}

async fn check_holds(tx: &mut Tx<'_>, account_id: AccountId, now: Timestamp) -> Result<()> {
    let sql = "SELECT COUNT(*) FROM orders
               WHERE account_id = $1 AND state = 'pending' AND hold_until > $2";
    let (holds,): (u32,) = tx.fetch_one(sql, params![account_id, now]).await?;
    if holds < HOLDS_MAX { Ok(()) } else { Err(BoxOfficeError::Holds { max: HOLDS_MAX }) }
}

fn check_sale(sale: &Sale<'_>) -> Result<()> {
    let max = SALE_TICKETS_MAX as usize;
    let total: u64 = sale.lines.iter().map(|line| u64::from(line.quantity)).sum();
    let mut names: Vec<&str> = sale.lines.iter().map(|line| line.product.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    if total == 0 || total > max as u64 || names.len() != sale.lines.len() {
        return Err(BoxOfficeError::OrderSize { max });
    }
    check_reference(sale.nonce)
}

fn made_of(lines: &[SaleLine]) -> String {
    let parts = lines.iter().map(|line| format!("{} x {}", line.quantity, line.product));
    let text = parts.collect::<Vec<_>>().join(", ");
    text.chars().take(100).collect()
}
