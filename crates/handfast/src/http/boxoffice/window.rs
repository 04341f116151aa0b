//! The box office's window: sell, give, print again, exchange, give back.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use handfast_boxoffice::{
    Action, BoxOfficeError, CodeKind, EmailAddress, Language, Role, Sale, SaleLine, Tender,
};
use handfast_model::{AccountId, EventId, Money, OrderId, TicketId};
use handfast_tlog::AccessReason;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::orders::{LineBody, OrderView, printed};
use super::tickets::EventView;
use crate::http::access::StaffCaller;
use crate::http::json::Amount;
use crate::http::problem::{Body, PathOf, Problem, QueryOf};
use crate::hub::{Hub, SharedHub};

/// Where walk-ups who leave no mail address get none (RFC 2606: this domain never exists).
const NO_MAIL: &str = "walk-up.invalid";

/// A product at the window.
#[derive(Serialize, ToSchema)]
pub(crate) struct WindowProductView {
    name: String,
    #[schema(value_type = Amount)]
    price: Money,
    /// For how many tickets exist, sold or held.
    taken: u32,
    capacity: Option<u32>,
    left: Option<u32>,
    on_sale: bool,
    /// Which codes its tickets get: `static`, `signed` or `rotating`.
    #[schema(value_type = String, examples("static"))]
    codes: &'static str,
}

/// An event at the window.
#[derive(Serialize, ToSchema)]
pub(crate) struct WindowEventView {
    #[serde(flatten)]
    event: EventView,
    products: Vec<WindowProductView>,
}

/// The company's events that are not over, with every product.
#[utoipa::path(get, path = "/api/v1/window/events", tag = "window",
    responses((status = 200, body = Vec<WindowEventView>), (status = "4XX", body = Problem)))]
pub(crate) async fn events(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
) -> Result<Json<Vec<WindowEventView>>, Problem> {
    let mut views = Vec::new();
    for (event, products) in hub.boxoffice.company_sales(staff.company).await? {
        let products = products.into_iter().map(|sales| WindowProductView {
            left: sales.left(),
            taken: sales.taken,
            name: sales.product.name,
            price: sales.product.price,
            capacity: sales.product.capacity,
            on_sale: sales.product.on_sale,
            codes: sales.product.codes.unwrap_or(CodeKind::Static).as_str(),
        });
        views.push(WindowEventView { products: products.collect(), event: event.into() });
    }
    Ok(Json(views))
}

/// A sale at the window.
#[derive(Deserialize, ToSchema)]
pub(crate) struct WindowSale {
    #[schema(value_type = String)]
    event_id: EventId,
    lines: Vec<LineBody>,
    /// The same for a repetition, which is the same order.
    nonce: String,
    /// Whose tickets they are.
    name: String,
    /// Their mail address, where they have one: the tickets are then theirs on the portal too.
    #[serde(default)]
    email: Option<String>,
    #[schema(value_type = String, examples("en"))]
    language: Language,
    /// `cash`, `terminal`, or `free` for complimentary tickets.
    #[schema(value_type = String, examples("cash"))]
    tender: Tender,
}

/// Sell tickets, paid at once; complimentary ones are given by supervisors and operators.
#[utoipa::path(post, path = "/api/v1/window/orders", request_body = WindowSale, tag = "window",
    responses((status = 200, body = OrderView), (status = "4XX", body = Problem)))]
pub(crate) async fn sell(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    Body(new): Body<WindowSale>,
) -> Result<Json<OrderView>, Problem> {
    match new.tender {
        Tender::Till => {
            return Err(Problem::malformed("At the window it is cash, terminal or free."));
        }
        Tender::Free if staff.role == Role::Clerk => {
            return Err(Problem::forbidden("A supervisor gives complimentary tickets."));
        }
        Tender::Free | Tender::Cash | Tender::Terminal => {}
    }
    let account = holder(&hub, &new).await?;
    let lines: Vec<SaleLine> = new.lines.into_iter().map(SaleLine::from).collect();
    let sale = Sale { event_id: new.event_id, lines: &lines, nonce: &new.nonce };
    let order = hub.boxoffice.sell_at_window(staff.user, account, &sale, new.tender).await?;
    hub.arm_for_orders().await;
    Ok(Json(
        OrderView::of(&hub, hub.boxoffice.company_order(staff.company, order.id).await?).await?,
    ))
}

async fn holder(hub: &Hub, new: &WindowSale) -> Result<AccountId, Problem> {
    let given = new.email.as_deref().map(str::trim).filter(|email| !email.is_empty());
    let email: EmailAddress = match given {
        Some(email) => email.parse()?,
        None => format!("{}@{NO_MAIL}", new.nonce).parse()?,
    };
    match hub.boxoffice.create_account(&email, &new.name, new.language).await {
        Ok(account) => Ok(account.id),
        Err(BoxOfficeError::EmailTaken) => {
            let known = hub.boxoffice.account_by_email(&email).await?;
            Ok(known.ok_or_else(|| Problem::conflict("Try again."))?.id)
        }
        Err(error) => Err(error.into()),
    }
}

/// An order of the company.
#[utoipa::path(get, path = "/api/v1/window/orders/{order_id}", tag = "window",
    params(("order_id" = String, Path)),
    responses((status = 200, body = OrderView), (status = "4XX", body = Problem)))]
pub(crate) async fn one(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf(id): PathOf<OrderId>,
) -> Result<Json<OrderView>, Problem> {
    Ok(Json(OrderView::of(&hub, hub.boxoffice.company_order(staff.company, id).await?).await?))
}

/// How an order was paid by hand.
#[derive(Deserialize, ToSchema)]
pub(crate) struct PaidByHand {
    /// `cash` or `terminal`.
    #[schema(value_type = String, examples("cash"))]
    tender: Tender,
}

/// Take down that an order which waits for its payment was paid at the window.
#[utoipa::path(post, path = "/api/v1/window/orders/{order_id}/paid", request_body = PaidByHand, tag = "window",
    params(("order_id" = String, Path)),
    responses((status = 200, body = OrderView), (status = "4XX", body = Problem)))]
pub(crate) async fn paid(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf(id): PathOf<OrderId>,
    Body(by): Body<PaidByHand>,
) -> Result<Json<OrderView>, Problem> {
    hub.boxoffice.pay_by_hand(staff.user, id, by.tender).await?;
    hub.arm_for_orders().await;
    Ok(Json(OrderView::of(&hub, hub.boxoffice.company_order(staff.company, id).await?).await?))
}

/// Which tickets of an order.
#[derive(Deserialize, IntoParams)]
pub(crate) struct WhichTicket {
    /// This one, whoever holds it by now; without, those that are still the buyer's.
    #[param(value_type = Option<String>)]
    ticket_id: Option<TicketId>,
}

/// An order's tickets, printed again. A ticket that was handed on has another code, which is its
/// taker's: it is printed only where it is asked for by itself.
#[utoipa::path(get, path = "/api/v1/window/orders/{order_id}/tickets.pdf", tag = "window",
    params(("order_id" = String, Path), WhichTicket),
    responses((status = 200, body = Vec<u8>, content_type = "application/pdf"),
              (status = "4XX", body = Problem)))]
pub(crate) async fn print(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf(id): PathOf<OrderId>,
    QueryOf(which): QueryOf<WhichTicket>,
) -> Result<Response, Problem> {
    let (order, mut tickets) = hub.boxoffice.company_order(staff.company, id).await?;
    tickets.retain(|ticket| match which.ticket_id {
        Some(wanted) => ticket.id == wanted,
        None => ticket.account_id == order.account_id,
    });
    hub.note_staff_access(&staff, AccessReason::Support, 1).await?;
    let event = tickets.first().map(|ticket| ticket.event_id);
    let what = match which.ticket_id {
        Some(ticket) => format!("ticket {ticket}"),
        None => format!("tickets of order {id}"),
    };
    hub.boxoffice.note_action(staff.user, Action::Print, event, &what).await?;
    printed(&hub, &order, tickets).await
}

/// What is given back, and why.
#[derive(Deserialize, ToSchema)]
pub(crate) struct RefundBody {
    #[schema(value_type = Vec<String>)]
    ticket_ids: Vec<TicketId>,
    reason: String,
}

/// Take tickets back: they open nothing from now on. What was paid through the till goes back the
/// same way; the rest is handed out at the window.
#[utoipa::path(post, path = "/api/v1/window/orders/{order_id}/refund", request_body = RefundBody, tag = "window",
    params(("order_id" = String, Path)),
    responses((status = 200, body = OrderView), (status = "4XX", body = Problem)))]
pub(crate) async fn refund(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf(id): PathOf<OrderId>,
    Body(refund): Body<RefundBody>,
) -> Result<Json<OrderView>, Problem> {
    hub.boxoffice.refund_tickets(staff.user, id, &refund.ticket_ids, &refund.reason).await?;
    // Where the gateway does not answer it stays owed.
    hub.give_back(Some(id)).await?;
    hub.arm_for_orders().await;
    Ok(Json(OrderView::of(&hub, hub.boxoffice.company_order(staff.company, id).await?).await?))
}

/// Which product instead, and why.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ExchangeBody {
    product: String,
    reason: String,
}

/// What came of an exchange.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExchangedView {
    order: OrderView,
    /// What the new ticket costs more, to be taken at the window; less where negative, and given
    /// back.
    #[schema(value_type = Amount)]
    difference: Money,
}

/// Exchange a ticket for another product of its event.
#[utoipa::path(post, path = "/api/v1/window/tickets/{ticket_id}/exchange", request_body = ExchangeBody, tag = "window",
    params(("ticket_id" = String, Path)),
    responses((status = 200, body = ExchangedView), (status = "4XX", body = Problem)))]
pub(crate) async fn exchange(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf(id): PathOf<TicketId>,
    Body(exchange): Body<ExchangeBody>,
) -> Result<Json<ExchangedView>, Problem> {
    let ExchangeBody { product, reason } = exchange;
    let exchanged = hub.boxoffice.exchange_ticket(staff.user, id, &product, &reason).await?;
    let (ticket, difference) = exchanged;
    hub.give_back(Some(ticket.order_id)).await?;
    hub.arm_for_orders().await;
    let order = hub.boxoffice.company_order(staff.company, ticket.order_id).await?;
    Ok(Json(ExchangedView { order: OrderView::of(&hub, order).await?, difference }))
}
