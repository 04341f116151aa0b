//! What was sent to a shop's system and how it went; sending again; another secret.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use handfast_model::{ChargeId, ShopId};
use handfast_till::Delivery;
use serde::Serialize;
use utoipa::ToSchema;

use super::shops::{NewEndpointView, own_shop};
use crate::http::access::StaffCaller;
use crate::http::json::Time;
use crate::http::problem::{PathOf, Problem};
use crate::hub::SharedHub;

/// One message to one address.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeliveryView {
    /// `webhook-id`.
    message_id: String,
    /// `charge.captured` and so on.
    kind: &'static str,
    #[schema(value_type = String)]
    charge_id: ChargeId,
    /// The charge's number at the counter.
    number: i64,
    at: Time,
    /// `waiting`, `delivered` or `given_up`.
    state: &'static str,
    attempts: i64,
    /// The address's last answer, as an HTTP status; none where it did not answer.
    last_status: Option<i64>,
    next_at: Option<Time>,
    delivered_at: Option<Time>,
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            state: delivery.state().as_str(),
            kind: delivery.kind.as_str(),
            charge_id: delivery.charge,
            number: delivery.number,
            at: delivery.at.into(),
            attempts: delivery.attempts,
            last_status: delivery.last_status,
            next_at: delivery.next_at.map(Time),
            delivered_at: delivery.delivered_at.map(Time),
            message_id: delivery.message,
        }
    }
}

/// The latest messages to an address, newest first.
#[utoipa::path(get, path = "/api/v1/console/shops/{shop_id}/webhooks/{endpoint_id}/deliveries",
    tag = "console", params(("shop_id" = String, Path), ("endpoint_id" = String, Path)),
    responses((status = 200, body = Vec<DeliveryView>), (status = "4XX", body = Problem)))]
pub(crate) async fn all(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf((id, endpoint)): PathOf<(ShopId, String)>,
) -> Result<Json<Vec<DeliveryView>>, Problem> {
    let shop = own_shop(&hub, &staff, id).await?;
    let deliveries = hub.till.webhook_deliveries(shop.id, &endpoint).await?;
    Ok(Json(deliveries.into_iter().map(Into::into).collect()))
}

/// Send a message again, now.
#[utoipa::path(post, path = "/api/v1/console/shops/{shop_id}/deliveries/{message_id}/retry",
    tag = "console", params(("shop_id" = String, Path), ("message_id" = String, Path)),
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(crate) async fn again(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf((id, message)): PathOf<(ShopId, String)>,
) -> Result<StatusCode, Problem> {
    let shop = own_shop(&hub, &staff, id).await?;
    hub.till.send_webhook_again(shop.id, &message).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give an address another secret; for a day messages carry the signatures of both.
#[utoipa::path(post, path = "/api/v1/console/shops/{shop_id}/webhooks/{endpoint_id}/secret",
    tag = "console", params(("shop_id" = String, Path), ("endpoint_id" = String, Path)),
    responses((status = 200, body = NewEndpointView), (status = "4XX", body = Problem)))]
pub(crate) async fn roll_secret(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf((id, endpoint)): PathOf<(ShopId, String)>,
) -> Result<Json<NewEndpointView>, Problem> {
    let shop = own_shop(&hub, &staff, id).await?;
    let secret = hub.till.roll_webhook_secret(shop.id, &endpoint).await?;
    Ok(Json(NewEndpointView::of(endpoint, &secret)))
}
