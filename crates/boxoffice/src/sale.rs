//! Selling: tickets are held while they are paid, and become the buyer's when the money is there.

use handfast_model::{
    AccountId, CompanyId, Currency, Duration, EventId, Money, OrderId, StaffUserId, TicketId,
    Timestamp,
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

const ORDERS: &str = "SELECT o.id, o.company_id, o.account_id, o.state, o.hold_until,
    o.amount_minor, o.currency, o.tender, o.payment_nonce,
    (SELECT COALESCE(CAST(SUM(r.minor) AS BIGINT), 0) FROM ticket_refunds r
     WHERE r.order_id = o.id AND r.paid_at IS NOT NULL) AS refunded_minor,
    (SELECT COALESCE(CAST(SUM(r.minor) AS BIGINT), 0) FROM ticket_refunds r
     WHERE r.order_id = o.id AND r.paid_at IS NULL) AS refund_owed_minor
    FROM orders o WHERE o.id = $1";

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

pub(crate) async fn set_price(tx: &mut Tx<'_>, id: TicketId, minor: i64) -> Result<()> {
    tx.execute("UPDATE tickets SET price_minor = $2 WHERE id = $1", params![id, minor]).await?;
    Ok(())
}

pub(crate) async fn find(tx: &mut Tx<'_>, id: OrderId) -> Result<SoldOrder> {
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
