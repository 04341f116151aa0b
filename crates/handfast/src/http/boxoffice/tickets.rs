//! A fan's own tickets, with their codes.

use axum::Json;
use axum::extract::State;
use handfast_boxoffice::{Entry, Event};
use handfast_model::{EventId, OrderId, TicketId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::access::FanCaller;
use crate::http::json::Time;
use crate::http::problem::Problem;
use crate::hub::SharedHub;
use crate::qr;

/// An event, as tickets and the console show it.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventView {
    #[schema(value_type = String)]
    event_id: EventId,
    name: String,
    venue_name: String,
    doors_at: Time,
    starts_at: Time,
    ends_at: Time,
    /// `allowed` or `forbidden`.
    #[schema(value_type = String, examples("allowed"))]
    biometrics: &'static str,
}

impl From<Event> for EventView {
    fn from(event: Event) -> Self {
        Self {
            event_id: event.id,
            name: event.name,
            venue_name: event.venue_name,
            doors_at: event.doors_at.into(),
            starts_at: event.starts_at.into(),
            ends_at: event.ends_at.into(),
            biometrics: event.biometrics.as_str(),
        }
    }
}

/// An entry that happened.
#[derive(Serialize, ToSchema)]
pub(crate) struct EntryView {
    at: Time,
    gate_name: Option<String>,
    lane_name: Option<String>,
    /// `palm` or `code`.
    #[schema(value_type = String, examples("palm"))]
    method: &'static str,
}

impl From<Entry> for EntryView {
    fn from(entry: Entry) -> Self {
        Self {
            at: entry.at.into(),
            gate_name: entry.gate_name,
            lane_name: entry.lane_name,
            method: entry.method.as_str(),
        }
    }
}

/// One of my tickets.
#[derive(Serialize, ToSchema)]
pub(crate) struct TicketView {
    #[schema(value_type = String)]
    ticket_id: TicketId,
    /// Its order, where that is mine too: one that was handed to me has somebody else's.
    #[schema(value_type = Option<String>)]
    order_id: Option<OrderId>,
    /// What the code says; whoever shows it enters.
    code: String,
    /// The code as a picture.
    qr_svg: String,
    product: String,
    /// `valid`, `unpaid`, `cancelled`, `revoked` or `blocked`.
    #[schema(value_type = String, examples("valid"))]
    state: &'static str,
    event: EventView,
    /// The entry, once it happened.
    entered: Option<EntryView>,
}

/// My tickets, soonest event first.
#[utoipa::path(get, path = "/api/v1/me/tickets", tag = "portal",
    responses((status = 200, body = Vec<TicketView>), (status = "4XX", body = Problem)))]
pub(crate) async fn mine(
    State(hub): State<SharedHub>,
    fan: FanCaller,
) -> Result<Json<Vec<TicketView>>, Problem> {
    let tickets = hub.boxoffice.account_tickets(fan.account).await?;
    let views = tickets.into_iter().map(|ticket| {
        let code = ticket.code.as_str().to_owned();
        let qr_svg = qr::svg(&code).map_err(|error| Problem::from_failure(&error))?;
        Ok(TicketView {
            ticket_id: ticket.id,
            order_id: ticket.order_id,
            code,
            qr_svg,
            product: ticket.product,
            state: ticket.standing.as_str(),
            event: ticket.event.into(),
            entered: ticket.entered.map(EntryView::from),
        })
    });
    views.collect::<Result<Vec<_>, Problem>>().map(Json)
}
