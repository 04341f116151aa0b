//! What the payment gateway tells by itself.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};

use crate::http::problem::Problem;
use crate::hub::SharedHub;

/// Stripe's name of the header; the embedded gateway signs in the same way.
const SIGNATURE: &str = "stripe-signature";

/// A webhook of the payment gateway. The signature in the header `Stripe-Signature` is the proof;
/// the same event may come any number of times.
#[utoipa::path(post, path = "/api/v1/gateway/webhooks", tag = "gateway",
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(crate) async fn receive(
    State(hub): State<SharedHub>,
    headers: HeaderMap,
    body: String,
) -> Result<StatusCode, Problem> {
    let signature = headers.get(SIGNATURE).and_then(|value| value.to_str().ok()).unwrap_or("");
    hub.till.receive_notice(signature, body.as_bytes()).await?;
    hub.stations.changed();
    Ok(StatusCode::NO_CONTENT)
}
