//! Ordering: what is on sale, an order whose tickets are held, and its payment from the wallet.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use handfast_boxoffice::{
    BoxOfficeError, EmailAddress, Event, Language, OrderState, PrintedTicket, ProductSales, Realm,
    Sale, SaleLine, SoldOrder, Ticket, TicketState, tickets_pdf,
};
use handfast_model::{EventId, Money, OrderId, TicketId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::tickets::EventView;
use crate::http::access::FanCaller;
use crate::http::json::{Amount, Time};
use crate::http::problem::{Body, PathOf, Problem};
use crate::http::till::reason_of;
use crate::hub::{Hub, SharedHub};
use crate::local_time::local_time;
use crate::sales::{Paid, SalesError};

/// Above it the page says "plenty": nobody counts a venue's empty seats from outside.
const LEFT_SHOWN_MAX: u32 = 20;

impl From<SalesError> for Problem {
    fn from(error: SalesError) -> Self {
        match error {
            SalesError::BoxOffice(error) => error.into(),
            SalesError::Till(error) => error.into(),
            SalesError::Text(_) | SalesError::Shop(_) | SalesError::NoPayment => {
                Self::from_failure(&error)
            }
        }
    }
}

/// A product on sale.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProductView {
    name: String,
    #[schema(value_type = Amount)]
    price: Money,
    /// How many are left, where it is few.
    left: Option<u32>,
}

impl From<ProductSales> for ProductView {
    fn from(sales: ProductSales) -> Self {
        let left = sales.left().filter(|left| *left <= LEFT_SHOWN_MAX);
        Self { left, name: sales.product.name, price: sales.product.price }
    }
}

/// An event on sale.
#[derive(Serialize, ToSchema)]
pub(crate) struct SaleEventView {
    #[serde(flatten)]
    event: EventView,
    products: Vec<ProductView>,
}

/// What is on sale, the soonest event first.
#[utoipa::path(get, path = "/api/v1/sales/events", tag = "sales",
    responses((status = 200, body = Vec<SaleEventView>), (status = "4XX", body = Problem)))]
pub(crate) async fn on_sale(
    State(hub): State<SharedHub>,
) -> Result<Json<Vec<SaleEventView>>, Problem> {
    let view = |(event, products): (Event, Vec<ProductSales>)| {
        let products = products.into_iter().filter(|sales| sales.product.on_sale);
        SaleEventView { event: event.into(), products: products.map(ProductView::from).collect() }
    };
    Ok(Json(hub.boxoffice.sales().await?.into_iter().map(view).collect()))
}

/// Somebody who orders for the first time.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Join {
    email: String,
    name: String,
    #[schema(value_type = String, examples("en"))]
    language: Language,
}

/// Open an account where there is none, and send a mail with a sign-in link. The answer is the same
/// whether or not the address is known.
#[utoipa::path(post, path = "/api/v1/sales/join", request_body = Join, tag = "sales",
    responses((status = 202, description = "A mail is on its way"),
              (status = "4XX", body = Problem)))]
pub(crate) async fn join(
    State(hub): State<SharedHub>,
    Body(join): Body<Join>,
) -> Result<StatusCode, Problem> {
    let email: EmailAddress = join.email.parse()?;
    match hub.boxoffice.create_account(&email, &join.name, join.language).await {
        Ok(_) | Err(BoxOfficeError::EmailTaken) => {}
        Err(error) => return Err(error.into()),
    }
    hub.boxoffice.request_sign_in(&email, Realm::Fan).await?;
    Ok(StatusCode::ACCEPTED)
}

/// So many tickets of a product.
#[derive(Clone, Deserialize, ToSchema)]
pub(crate) struct LineBody {
    product: String,
    quantity: u32,
}

impl From<LineBody> for SaleLine {
    fn from(line: LineBody) -> Self {
        Self { product: line.product, quantity: line.quantity }
    }
}

/// An order to be placed.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewOrderBody {
    #[schema(value_type = String)]
    event_id: EventId,
    lines: Vec<LineBody>,
    /// The same for a repetition, which is the same order.
    nonce: String,
}

/// An order.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrderView {
    #[schema(value_type = String)]
    order_id: OrderId,
    /// What its tickets are for, the soonest event first.
    events: Vec<EventView>,
    /// `pending`, `paid`, `unapproved` or `cancelled`.
    #[schema(value_type = String, examples("paid"))]
    state: &'static str,
    /// Until when its tickets are held, where it is not paid.
    hold_until: Option<Time>,
    #[schema(value_type = Option<Amount>)]
    amount: Option<Money>,
    /// `till`, `cash`, `terminal` or `free`, once it is paid.
    #[schema(value_type = Option<String>, examples("till"))]
    tender: Option<&'static str>,
    /// Whether a payment is under way whose end is not known.
    paying: bool,
    /// What was given back, in minor units.
    refunded_minor: i64,
    /// Of it, what was handed out at the window, in minor units.
    refunded_hand_minor: i64,
    /// What is still to be given back, in minor units.
    refund_owed_minor: i64,
    tickets: Vec<OrderTicketView>,
    /// Why it was not paid: `payment_declined`, `payment_unknown`, `no_wallet`, `wallet_frozen`.
    #[schema(value_type = Option<String>)]
    reason: Option<&'static str>,
}

/// A ticket of an order.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrderTicketView {
    #[schema(value_type = String)]
    ticket_id: TicketId,
    /// Which of the order's events it is for.
    #[schema(value_type = String)]
    event_id: EventId,
    product: String,
    /// `valid`, `cancelled`, `revoked` or `blocked`.
    #[schema(value_type = String, examples("valid"))]
    state: &'static str,
}

impl OrderView {
    pub(super) async fn of(
        hub: &Hub,
        (order, tickets): (SoldOrder, Vec<Ticket>),
    ) -> Result<Self, Problem> {
        let wanted: BTreeSet<EventId> = tickets.iter().map(|ticket| ticket.event_id).collect();
        let mut events = Vec::with_capacity(wanted.len());
        for event in wanted {
            events.push(hub.boxoffice.event(event).await?);
        }
        events.sort_by_key(|event| (event.starts_at, event.id));
        let tickets = tickets.into_iter().map(|ticket| OrderTicketView {
            ticket_id: ticket.id,
            event_id: ticket.event_id,
            product: ticket.product,
            state: ticket.state.as_str(),
        });
        Ok(Self {
            order_id: order.id,
            events: events.into_iter().map(EventView::from).collect(),
            state: order.state.as_str(),
            hold_until: order.hold_until.map(Time),
            amount: order.amount,
            tender: order.tender.map(|tender| tender.as_str()),
            paying: order.paying,
            refunded_minor: order.refunded_minor,
            refunded_hand_minor: order.refunded_hand_minor,
            refund_owed_minor: order.refund_owed_minor,
            tickets: tickets.collect(),
            reason: None,
        })
    }
}

/// Order tickets: they are held for 15 minutes, until they are paid.
#[utoipa::path(post, path = "/api/v1/me/orders", request_body = NewOrderBody, tag = "sales",
    responses((status = 200, body = OrderView), (status = "4XX", body = Problem)))]
pub(crate) async fn place(
    State(hub): State<SharedHub>,
    fan: FanCaller,
    Body(new): Body<NewOrderBody>,
) -> Result<Json<OrderView>, Problem> {
    let lines: Vec<SaleLine> = new.lines.into_iter().map(SaleLine::from).collect();
    let sale = Sale { event_id: new.event_id, lines: &lines, nonce: &new.nonce };
    let order = hub.boxoffice.order_online(fan.account, &sale).await?;
    if order.state == OrderState::Paid {
        hub.arm_for_orders().await;
    }
    Ok(Json(OrderView::of(&hub, hub.boxoffice.own_order(fan.account, order.id).await?).await?))
}

/// One of my orders.
#[utoipa::path(get, path = "/api/v1/me/orders/{order_id}", tag = "sales",
    params(("order_id" = String, Path)),
    responses((status = 200, body = OrderView), (status = "4XX", body = Problem)))]
pub(crate) async fn one(
    State(hub): State<SharedHub>,
    fan: FanCaller,
    PathOf(id): PathOf<OrderId>,
) -> Result<Json<OrderView>, Problem> {
    Ok(Json(OrderView::of(&hub, hub.boxoffice.own_order(fan.account, id).await?).await?))
}

/// Pay an order from my wallet. A repetition pays nothing again.
#[utoipa::path(post, path = "/api/v1/me/orders/{order_id}/pay", tag = "sales",
    params(("order_id" = String, Path)),
    responses((status = 200, body = OrderView), (status = "4XX", body = Problem)))]
pub(crate) async fn pay(
    State(hub): State<SharedHub>,
    fan: FanCaller,
    PathOf(id): PathOf<OrderId>,
) -> Result<Json<OrderView>, Problem> {
    let (order, _) = hub.boxoffice.own_order(fan.account, id).await?;
    let mut reason = None;
    if order.state != OrderState::Paid {
        // On a task of its own: a page that is closed does not leave it half done.
        let payer = hub.clone();
        let paid = tokio::spawn(async move { payer.pay_order(fan.account, &order).await });
        reason = match paid.await.map_err(|error| Problem::from_failure(&error))?? {
            Paid::Yes => None,
            Paid::Unknown => Some("payment_unknown"),
            Paid::Declined => Some("payment_declined"),
            Paid::TurnedAway(why) => Some(reason_of(why)),
        };
    }
    let view = OrderView::of(&hub, hub.boxoffice.own_order(fan.account, id).await?).await?;
    Ok(Json(OrderView { reason, ..view }))
}

/// My order's tickets to be printed.
#[utoipa::path(get, path = "/api/v1/me/orders/{order_id}/tickets.pdf", tag = "sales",
    params(("order_id" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/pdf"),
              (status = "4XX", body = Problem)))]
pub(crate) async fn print(
    State(hub): State<SharedHub>,
    fan: FanCaller,
    PathOf(id): PathOf<OrderId>,
) -> Result<Response, Problem> {
    let (order, tickets) = hub.boxoffice.own_order(fan.account, id).await?;
    printed(&hub, &order, tickets).await
}

/// The good tickets of a paid order, a page each.
pub(super) async fn printed(
    hub: &Hub,
    order: &SoldOrder,
    tickets: Vec<Ticket>,
) -> Result<Response, Problem> {
    if order.state != OrderState::Paid {
        return Err(Problem::conflict("This order is not paid; its tickets open nothing yet."));
    }
    let language = hub.boxoffice.account(order.account_id).await?.language;
    let mut good = tickets;
    good.retain(|ticket| ticket.state == TicketState::Valid);
    let mut pages = Vec::new();
    for ticket in good {
        let event = hub.boxoffice.event(ticket.event_id).await?;
        let offset = hub.boxoffice.venue_offset(event.venue_id).await?;
        // Without one the page says where its code is.
        let code = hub.boxoffice.printable_code(ticket.id).await?;
        pages.push(PrintedTicket {
            when: local_time(event.starts_at, offset),
            event: event.name,
            venue: event.venue_name,
            product: ticket.product,
            hint: hint(language, code.is_some()).to_owned(),
            code,
        });
    }
    if pages.is_empty() {
        return Err(Problem::conflict("No ticket of this order is good any more."));
    }
    let pdf = tickets_pdf(&pages)?;
    let disposition = "attachment; filename=\"tickets.pdf\"";
    let headers =
        [(header::CONTENT_TYPE, "application/pdf"), (header::CONTENT_DISPOSITION, disposition)];
    Ok((headers, pdf).into_response())
}

fn hint(language: Language, has_code: bool) -> &'static str {
    match (language, has_code) {
        (Language::English, true) => "Whoever shows this code first enters. Keep it to yourself.",
        (Language::Spanish, true) => "Entra quien muestre primero este código. No lo compartas.",
        (Language::German, true) => {
            "Wer diesen Code zuerst zeigt, kommt hinein. Zeigen Sie ihn niemandem."
        }
        (Language::English, false) => {
            "This ticket's code changes every few seconds: show it on your phone, under My tickets."
        }
        (Language::Spanish, false) => {
            "El código de esta entrada cambia cada pocos segundos: muéstralo en tu teléfono."
        }
        (Language::German, false) => {
            "Der Code dieses Tickets wechselt alle paar Sekunden: Zeigen Sie ihn auf dem Telefon."
        }
    }
}

#[cfg(test)]
mod tests {
    use handfast_boxoffice::{Biometrics, NewEvent, NewOrder, NewTicket};
    use handfast_model::{Duration, Timestamp};

    use super::*;
    use crate::serve::Settings;

    #[tokio::test]
    async fn an_order_over_several_events_shows_each_with_its_tickets() {
        let dir = tempfile::tempdir().unwrap();
        let hub = Settings::of_test(dir.path()).open(None).await.unwrap();
        let office = &hub.boxoffice;
        let company = office.create_company("Foothills").await.unwrap();
        let venue = office.create_venue(company.id, "Red Rocks").await.unwrap();
        let email = "ada@example.org".parse().unwrap();
        let ada = office.create_account(&email, "Ada", Language::English).await.unwrap();
        let mut tickets = Vec::new();
        // Made in another order than they take place in.
        for (name, day) in [("Night Two", 2), ("Night Three", 3), ("Night One", 1)] {
            let starts_at =
                Timestamp::from_micros(1_790_000_000_000_000) + Duration::from_days(day);
            let event = NewEvent {
                venue_id: venue.id,
                name,
                doors_at: starts_at,
                starts_at,
                ends_at: starts_at + Duration::from_minutes(90),
                biometrics: Biometrics::Forbidden,
            };
            let event_id = office.create_event(&event).await.unwrap().id;
            tickets.push(NewTicket { event_id, product: name, account_id: None });
        }
        tickets.push(tickets[0]);
        let (company_id, account_id, state) = (company.id, ada.id, OrderState::Paid);
        let order = NewOrder { company_id, account_id, state, tickets: &tickets };
        let order = office.place_order(&order).await.unwrap().0;
        let shown = office.company_order(company.id, order.id).await.unwrap();
        let view = serde_json::to_value(OrderView::of(&hub, shown).await.unwrap()).unwrap();
        let events = view["events"].as_array().unwrap();
        let names: Vec<_> = events.iter().map(|event| event["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["Night One", "Night Two", "Night Three"]);
        let tickets = view["tickets"].as_array().unwrap();
        assert_eq!(tickets.len(), 4);
        for ticket in tickets {
            let event = events.iter().find(|event| event["event_id"] == ticket["event_id"]);
            assert_eq!(
                event.unwrap()["name"],
                ticket["product"],
                "each ticket names its own event"
            );
        }
    }
}
