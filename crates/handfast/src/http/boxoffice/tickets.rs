//! A fan's own tickets, with their codes.

use axum::Json;
use axum::extract::State;
use handfast_boxoffice::{
    CodeKind, Entry, Event, ROTATING_DIGITS, ROTATING_PERIOD_SECONDS, RotatingCode,
};
use handfast_model::{EventId, OrderId, SecretText, TicketId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::access::FanCaller;
use crate::http::json::{Time, to_owner};
use crate::http::problem::{PathOf, Problem};
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
    /// Which code opens the gate: `static`, `signed` or `rotating`.
    #[schema(value_type = String, examples("static"))]
    codes: &'static str,
    /// What the code says; whoever shows it enters. A rotating one is shown by the phone itself
    /// (`POST /api/v1/me/tickets/{ticket_id}/rotating-code`).
    code: Option<String>,
    /// The code as a picture.
    qr_svg: Option<String>,
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
    let mut views = Vec::new();
    for ticket in hub.boxoffice.account_tickets(fan.account).await? {
        let code = match ticket.code_kind {
            CodeKind::Rotating => None,
            CodeKind::Static => Some(ticket.code.as_str().to_owned()),
            CodeKind::Signed => hub.boxoffice.printable_code(ticket.id).await?,
        };
        let qr_svg = code.as_deref().map(qr::svg).transpose();
        let qr_svg = qr_svg.map_err(|error| Problem::from_failure(&error))?;
        views.push(TicketView {
            ticket_id: ticket.id,
            order_id: ticket.order_id,
            codes: ticket.code_kind.as_str(),
            code,
            qr_svg,
            product: ticket.product,
            state: ticket.standing.as_str(),
            event: ticket.event.into(),
            entered: ticket.entered.map(EntryView::from),
        });
    }
    Ok(Json(views))
}

/// What a phone needs to show a ticket's rotating code by itself: RFC 6238 with HMAC-SHA-1.
#[derive(Serialize, ToSchema)]
pub(crate) struct RotatingView {
    /// What every code of the ticket begins with; the digits follow.
    beginning: String,
    /// The secret, in base 16.
    #[serde(serialize_with = "to_owner")]
    #[schema(value_type = String)]
    secret: SecretText,
    period_seconds: i64,
    digits: u8,
    /// What the time is here: a phone's clock may be wrong.
    now: Time,
}

/// The secret of my ticket's rotating code, for this phone to keep. From then on the code is shown
/// without a network.
#[utoipa::path(post, path = "/api/v1/me/tickets/{ticket_id}/rotating-code", tag = "portal",
    params(("ticket_id" = String, Path)),
    responses((status = 200, body = RotatingView), (status = "4XX", body = Problem)))]
pub(crate) async fn rotating_code(
    State(hub): State<SharedHub>,
    fan: FanCaller,
    PathOf(id): PathOf<TicketId>,
) -> Result<Json<RotatingView>, Problem> {
    let issue = hub.boxoffice.own_rotating_code(fan.account, id).await?;
    Ok(Json(RotatingView {
        beginning: RotatingCode::beginning(id),
        secret: SecretText::new(issue.secret.to_string()),
        period_seconds: ROTATING_PERIOD_SECONDS,
        digits: ROTATING_DIGITS,
        now: hub.clock.now().into(),
    }))
}
