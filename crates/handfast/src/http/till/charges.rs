//! A register's charges: ask for an amount, watch it, cancel it, give it back.

use axum::Json;
use axum::extract::State;
use handfast_model::{ChargeId, Money};
use handfast_till::{Charge, ChargeRequest, Description, Nonce, RefundOrder, TillError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::access::DeviceCaller;
use crate::http::json::{Amount, Time};
use crate::http::problem::{Body, PathOf, Problem};
use crate::hub::{Hub, SharedHub};

/// A charge as a register sees it.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChargeView {
    #[schema(value_type = String)]
    charge_id: ChargeId,
    /// Short, the same as the pedestal shows.
    number: i64,
    #[schema(value_type = String, examples("requested"))]
    state: &'static str,
    #[schema(value_type = Amount)]
    amount: Money,
    description: String,
    #[schema(value_type = Option<Amount>)]
    credit_used: Option<Money>,
    created_at: Time,
    /// Until when a hand may answer it.
    expires_at: Time,
    /// The page of the receipt, once paid.
    receipt_url: Option<String>,
    /// Why it was declined or voided.
    reason: Option<String>,
}

impl ChargeView {
    fn of(charge: &Charge, hub: &Hub) -> Self {
        let state = charge.status(hub.clock.now());
        Self {
            charge_id: charge.id,
            number: charge.number,
            state: state.as_str(),
            amount: charge.amount,
            description: charge.description.clone(),
            credit_used: charge.credit_used(),
            created_at: charge.created_at.into(),
            expires_at: charge.expires_at.into(),
            receipt_url: charge.receipt().map(super::receipts::page_of),
            reason: charge.reason.clone(),
        }
    }
}

/// What a register asks for.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewCharge {
    #[schema(value_type = Amount)]
    amount: Money,
    /// One line for people; may be empty.
    #[serde(default)]
    description: String,
    /// Makes a repeat the same charge: 8 to 64 letters, digits, `-`, `_`.
    nonce: String,
}

/// Ask for an amount: the paired pedestal shows it and waits for a hand.
#[utoipa::path(post, path = "/api/v1/charges", tag = "register",
    responses((status = 200, body = ChargeView), (status = "4XX", body = Problem)))]
pub(crate) async fn create(
    State(hub): State<SharedHub>,
    device: DeviceCaller,
    Body(new): Body<NewCharge>,
) -> Result<Json<ChargeView>, Problem> {
    let request = ChargeRequest {
        register: device.id,
        amount: new.amount,
        description: Description::parse(&new.description).map_err(TillError::from)?,
        nonce: Nonce::parse(&new.nonce).map_err(TillError::from)?,
    };
    let charge = hub.till.request_charge(&request).await?;
    hub.stations.changed();
    Ok(Json(ChargeView::of(&charge, &hub)))
}

/// The register's latest charges, newest first.
#[utoipa::path(get, path = "/api/v1/charges", tag = "register",
    responses((status = 200, body = Vec<ChargeView>), (status = "4XX", body = Problem)))]
pub(crate) async fn latest(
    State(hub): State<SharedHub>,
    device: DeviceCaller,
) -> Result<Json<Vec<ChargeView>>, Problem> {
    let charges = hub.till.latest_charges(device.id).await?;
    Ok(Json(charges.iter().map(|charge| ChargeView::of(charge, &hub)).collect()))
}

/// One charge of the register's shop.
#[utoipa::path(get, path = "/api/v1/charges/{charge_id}", tag = "register", params(("charge_id" = String, Path)),
    responses((status = 200, body = ChargeView), (status = "4XX", body = Problem)))]
pub(crate) async fn one(
    State(hub): State<SharedHub>,
    device: DeviceCaller,
    PathOf(id): PathOf<ChargeId>,
) -> Result<Json<ChargeView>, Problem> {
    let charge = hub.till.charge(device.id, id).await?;
    Ok(Json(ChargeView::of(&charge, &hub)))
}

/// Take back a charge that no hand has answered. A repeat is harmless.
#[utoipa::path(post, path = "/api/v1/charges/{charge_id}/cancel", tag = "register", params(("charge_id" = String, Path)),
    responses((status = 200, body = ChargeView), (status = "4XX", body = Problem)))]
pub(crate) async fn cancel(
    State(hub): State<SharedHub>,
    device: DeviceCaller,
    PathOf(id): PathOf<ChargeId>,
) -> Result<Json<ChargeView>, Problem> {
    let charge = hub.till.cancel_charge(device.id, id).await?;
    hub.stations.changed();
    Ok(Json(ChargeView::of(&charge, &hub)))
}

/// What makes a refund's repeat the same refund.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewRefund {
    /// 8 to 64 letters, digits, `-`, `_`.
    nonce: String,
}

/// Give the whole charge back, to where it came from. A repeat is harmless.
#[utoipa::path(post, path = "/api/v1/charges/{charge_id}/refund", tag = "register", params(("charge_id" = String, Path)),
    responses((status = 200, body = ChargeView), (status = "4XX", body = Problem)))]
pub(crate) async fn refund(
    State(hub): State<SharedHub>,
    device: DeviceCaller,
    PathOf(id): PathOf<ChargeId>,
    Body(new): Body<NewRefund>,
) -> Result<Json<ChargeView>, Problem> {
    let nonce = Nonce::parse(&new.nonce).map_err(TillError::from)?;
    let order = RefundOrder { register: device.id, charge: id, nonce };
    // On a task of its own: a register that hangs up does not leave it half done.
    let till = hub.till.clone();
    let refunded = tokio::spawn(async move { till.refund_charge(&order).await });
    refunded.await.map_err(|error| Problem::from_failure(&error))??;
    let charge = hub.till.charge(device.id, id).await?;
    Ok(Json(ChargeView::of(&charge, &hub)))
}
