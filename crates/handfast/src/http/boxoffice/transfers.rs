//! Handing a ticket on by a link in a mail.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use handfast_boxoffice::{EmailAddress, Language};
use handfast_model::TicketId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::tickets::EventView;
use crate::http::access::FanCaller;
use crate::http::problem::{Body, PathOf, Problem};
use crate::hub::SharedHub;

/// To whom.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Recipient {
    email: String,
}

/// Offer one of my tickets to whoever has this mail address.
#[utoipa::path(post, path = "/api/v1/me/tickets/{ticket_id}/offer", request_body = Recipient, tag = "sales",
    params(("ticket_id" = String, Path)),
    responses((status = 202, description = "A mail is on its way"),
              (status = "4XX", body = Problem)))]
pub(crate) async fn offer(
    State(hub): State<SharedHub>,
    fan: FanCaller,
    PathOf(id): PathOf<TicketId>,
    Body(to): Body<Recipient>,
) -> Result<StatusCode, Problem> {
    let email: EmailAddress = to.email.parse()?;
    hub.boxoffice.offer_ticket(fan.account, id, &email).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Take an offer back.
#[utoipa::path(delete, path = "/api/v1/me/tickets/{ticket_id}/offer", tag = "sales",
    params(("ticket_id" = String, Path)),
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(crate) async fn withdraw(
    State(hub): State<SharedHub>,
    fan: FanCaller,
    PathOf(id): PathOf<TicketId>,
) -> Result<StatusCode, Problem> {
    hub.boxoffice.withdraw_offer(fan.account, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a link offers.
#[derive(Serialize, ToSchema)]
pub(crate) struct OfferView {
    event: EventView,
    product: String,
    /// Who hands it on.
    from: String,
}

/// What a link from a mail offers.
#[utoipa::path(get, path = "/api/v1/ticket-offers/{key}", tag = "sales",
    params(("key" = String, Path)),
    responses((status = 200, body = OfferView), (status = "4XX", body = Problem)))]
pub(crate) async fn one(
    State(hub): State<SharedHub>,
    PathOf(key): PathOf<String>,
) -> Result<Json<OfferView>, Problem> {
    let offer = hub.boxoffice.ticket_offer(&key).await?;
    let (product, from) = (offer.product, offer.from);
    Ok(Json(OfferView { event: offer.event.into(), product, from }))
}

/// Who takes it.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Taker {
    name: String,
    #[schema(value_type = String, examples("en"))]
    language: Language,
}

/// Take the ticket over: from now on its old code opens nothing.
#[utoipa::path(post, path = "/api/v1/ticket-offers/{key}", request_body = Taker, tag = "sales",
    params(("key" = String, Path)),
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(crate) async fn take(
    State(hub): State<SharedHub>,
    PathOf(key): PathOf<String>,
    Body(taker): Body<Taker>,
) -> Result<StatusCode, Problem> {
    hub.boxoffice.take_ticket(&key, &taker.name, taker.language).await?;
    hub.arm_for_orders().await;
    Ok(StatusCode::NO_CONTENT)
}
