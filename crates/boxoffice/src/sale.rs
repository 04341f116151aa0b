//! Selling: tickets are held while they are paid, and become the buyer's when the money is there.

use handfast_model::{
    AccountId, CompanyId, Currency, Duration, EventId, Money, OrderId, StaffUserId, TicketId,
    Timestamp,
};
use handfast_store::{FromRow, Row, StoreError, Tx, from_row, params};

use crate::order::check_reference;
use crate::product;
use crate::staff_action::{Action, NewAction};
use crate::{
    BoxOffice, BoxOfficeError, OrderState, Result, Thing, Ticket, TicketCode, TicketState, account,
    event, sales_desk, staff_action, ticket,
};

/// How long an order keeps its tickets from others: to link a payment method and to pay.
pub const HOLD: Duration = Duration::from_minutes(15);
/// The most tickets of one order: a bus load; more is sold at the window.
pub const SALE_TICKETS_MAX: u32 = 40;
/// The most that one order may cost, in minor units: what the till takes in one charge
/// (`handfast` checks that the till's limit is no lower).
pub const ORDER_MINOR_MAX: i64 = 100_000_000;
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
    /// What it is for: the event of its tickets, of which an order that was sold here has one.
    pub event_id: EventId,
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
    /// Of it, what was handed out at the window; the rest went back through the till.
    pub refunded_hand_minor: i64,
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
            event_id: row.get("event_id")?,
            state,
            hold_until: row.get("hold_until")?,
            amount: currency.map(|currency| Money::new(minor, currency)),
            tender: row.get("tender")?,
            refunded_minor: row.get("refunded_minor")?,
            refunded_hand_minor: row.get("refunded_hand_minor")?,
            refund_owed_minor: row.get("refund_owed_minor")?,
            paying: state == OrderState::Pending && nonce.is_some(),
        })
    }
}

const ORDERS: &str = "SELECT o.id, o.company_id, o.account_id, o.state, o.hold_until,
    o.amount_minor, o.currency, o.tender, o.payment_nonce,
    (SELECT MIN(t.event_id) FROM tickets t WHERE t.order_id = o.id) AS event_id,
    (SELECT COALESCE(CAST(SUM(r.hand_minor + CASE WHEN r.paid_at IS NULL THEN 0 ELSE r.minor END)
                          AS BIGINT), 0) FROM ticket_refunds r
     WHERE r.order_id = o.id) AS refunded_minor,
    (SELECT COALESCE(CAST(SUM(r.hand_minor) AS BIGINT), 0) FROM ticket_refunds r
     WHERE r.order_id = o.id) AS refunded_hand_minor,
    (SELECT COALESCE(CAST(SUM(r.minor) AS BIGINT), 0) FROM ticket_refunds r
     WHERE r.order_id = o.id AND r.paid_at IS NULL) AS refund_owed_minor
    FROM orders o WHERE o.id = $1";

/// What an order is made of, before it is written.
struct Making {
    /// What was asked for, in one way of writing it.
    asked: String,
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
    /// [`BoxOfficeError::Holds`]; [`BoxOfficeError::Unknown`] for what is not on sale;
    /// [`BoxOfficeError::OrderTooDear`]; [`BoxOfficeError::SalesCurrency`];
    /// [`BoxOfficeError::NonceReused`] where the nonce came with another request.
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
                    let asked = asked_of(account_id, sale, None);
                    if let Some(order) = same {
                        return as_before(order, &asked);
                    }
                    check_holds(tx, account_id, now).await?;
                    let making =
                        Making { asked, ..self.make(tx, account_id, sale, true, now).await? };
                    if making.amount.minor > 0 {
                        let currency = making.amount.currency;
                        sales_desk::check_currency(tx, event.company_id, currency).await?;
                    }
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
                    let asked = asked_of(account_id, sale, Some(tender));
                    if let Some(order) = by_reference(tx, company_id, reference).await? {
                        return as_before(order, &asked);
                    }
                    let made = self.make(tx, account_id, sale, false, now).await?;
                    let mut making = Making { asked, ..made };
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
            let so_far = amount.unwrap_or(Money::new(0, product.price.currency));
            if so_far.currency != product.price.currency {
                return Err(BoxOfficeError::Mismatch);
            }
            let minor = so_far.minor + product.price.minor * i64::from(line.quantity);
            if minor > ORDER_MINOR_MAX {
                return Err(BoxOfficeError::OrderTooDear { max: ORDER_MINOR_MAX });
            }
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
        let (asked, company_id) = (String::new(), event.company_id);
        Ok(Making { asked, order_id, company_id, account_id, tickets, amount })
    }

    /// An order and those of its tickets that are still its buyer's, as they see it: a ticket that
    /// was handed on is its taker's alone, and so is its code.
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
                    let mut tickets = ticket::of_order(tx, id).await?;
                    tickets.retain(|ticket| ticket.account_id == account_id);
                    Ok((order, tickets))
                })
            })
            .await
    }

    /// An order and its tickets, as the window sees it; some may be other accounts' by now.
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
                             hold_until, amount_minor, currency, origin, tender, asked)
         VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8, $9, $10, $11, $12)",
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
            terms.tender,
            making.asked
        ],
    )
    .await?;
    for (ticket, price) in &making.tickets {
        ticket::insert(tx, ticket, now).await?;
        set_price(tx, ticket.id, Price { minor: *price, till_minor: 0 }).await?;
    }
    Ok(())
}

/// What a ticket costs, and how much of it went through the till.
#[derive(Clone, Copy)]
pub(crate) struct Price {
    pub minor: i64,
    pub till_minor: i64,
}

from_row!(Price { minor, till_minor });

pub(crate) async fn set_price(tx: &mut Tx<'_>, id: TicketId, price: Price) -> Result<()> {
    let sql = "UPDATE tickets SET price_minor = $2, till_minor = $3 WHERE id = $1";
    tx.execute(sql, params![id, price.minor, price.till_minor]).await?;
    Ok(())
}

pub(crate) async fn find(tx: &mut Tx<'_>, id: OrderId) -> Result<SoldOrder> {
    let order = tx.fetch_optional(ORDERS, params![id]).await?;
    order.ok_or(BoxOfficeError::Unknown(Thing::Order))
}

/// The order that came with this nonce before, and what was asked for then (unknown of orders from
/// before that was written down).
async fn by_reference(
    tx: &mut Tx<'_>,
    company_id: CompanyId,
    reference: &str,
) -> Result<Option<(SoldOrder, Option<String>)>> {
    let sql = "SELECT id, asked FROM orders WHERE company_id = $1 AND reference = $2";
    let found: Option<(OrderId, Option<String>)> =
        tx.fetch_optional(sql, params![company_id, reference]).await?;
    match found {
        Some((id, asked)) => Ok(Some((find(tx, id).await?, asked))),
        None => Ok(None),
    }
}

/// A repetition is the same order; another request under its nonce is refused.
fn as_before((order, before): (SoldOrder, Option<String>), asked: &str) -> Result<SoldOrder> {
    if before.is_none_or(|before| before == asked) {
        Ok(order)
    } else {
        Err(BoxOfficeError::NonceReused)
    }
}

/// A request in one way of writing it, whatever the order of its lines.
fn asked_of(account_id: AccountId, sale: &Sale<'_>, tender: Option<Tender>) -> String {
    let line = |line: &SaleLine| format!("{} x {}", line.quantity, line.product);
    let mut lines: Vec<String> = sale.lines.iter().map(line).collect();
    lines.sort_unstable();
    let how = tender.map_or("online", Tender::as_str);
    format!("{account_id} {} {how} {}", sale.event_id, lines.join(", "))
}

pub(crate) async fn check_room(
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
