//! A register's charges: ask for an amount, watch it, cancel it, give it back.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use handfast_model::{ChargeId, Money};
use handfast_till::{
    Charge, ChargeLine, ChargeRequest, ChargeStatus, Description, LateTip, Nonce, RefundOrder,
    TillError,
};
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
    /// The page on which a phone pays it, while it waits: what the pedestal's code says.
    pay_url: Option<String>,
    /// The page of the receipt, once paid.
    receipt_url: Option<String>,
    /// Why it was declined or voided.
    reason: Option<String>,
    /// What the register asked for, tip included, cash not: `amount` is less by a discount.
    #[schema(value_type = Amount)]
    asked: Money,
    #[schema(value_type = Amount)]
    tip: Money,
    /// Paid in cash beside it.
    #[schema(value_type = Amount)]
    cash: Money,
    #[schema(value_type = Amount)]
    tax: Money,
    #[schema(value_type = Amount)]
    discount: Money,
    discount_name: Option<String>,
    #[schema(value_type = Amount)]
    refunded: Money,
    /// What is in dispute, or was lost in one.
    #[schema(value_type = Amount)]
    disputed: Money,
    /// The money is only held until the register captures it.
    held: bool,
    hold_until: Option<Time>,
    /// `none`, `wanted`, `pin` or `phone`.
    #[schema(value_type = String, examples("none"))]
    second_factor: &'static str,
    /// The age in years that the buyer was known to have.
    age: Option<i64>,
    /// The charge that this one is the late tip of.
    #[schema(value_type = Option<String>)]
    tip_of: Option<ChargeId>,
}

impl ChargeView {
    pub(super) fn of(charge: &Charge, hub: &Hub) -> Self {
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
            pay_url: charge
                .pay_key()
                .filter(|_| state == ChargeStatus::Requested)
                .map(|key| format!("/portal#/pay/{}", key.expose())),
            receipt_url: charge.receipt().map(super::receipts::page_of),
            reason: charge.reason.clone(),
            asked: charge.asked,
            tip: charge.tip,
            cash: charge.cash,
            tax: charge.tax,
            discount: charge.discount,
            discount_name: charge.discount_name.clone(),
            refunded: charge.refunded,
            disputed: charge.disputed,
            held: charge.held,
            hold_until: charge.hold_until.map(Time),
            second_factor: charge.factor.as_str(),
            age: charge.age_asked,
            tip_of: charge.tip_of,
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
    /// What is sold; must add up to `amount` (with tax on top where the shop's prices have none).
    #[serde(default)]
    lines: Vec<NewLine>,
    /// On top of `amount`, in minor units.
    #[serde(default)]
    tip_minor: i64,
    /// Of amount and tip, paid in cash, in minor units.
    #[serde(default)]
    cash_minor: i64,
    /// Only hold the money; capture it later, in whole or in part.
    #[serde(default)]
    hold: bool,
    /// An age in years that the buyer must be known to have.
    #[serde(default)]
    age: Option<u8>,
}

/// One line of a sale.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewLine {
    name: String,
    quantity: i64,
    /// The price of one, in minor units.
    unit_minor: i64,
    /// The tax rate in parts in a million (19 percent is 190000).
    #[serde(default)]
    tax_ppm: i64,
}

/// Ask for an amount: the paired pedestal shows it and waits for a hand.
#[utoipa::path(post, path = "/api/v1/charges", request_body = NewCharge, tag = "register",
    responses((status = 200, body = ChargeView), (status = "4XX", body = Problem)))]
pub(crate) async fn create(
    State(hub): State<SharedHub>,
    device: DeviceCaller,
    Body(new): Body<NewCharge>,
) -> Result<Json<ChargeView>, Problem> {
    let description = Description::parse(&new.description).map_err(TillError::from)?;
    let nonce = Nonce::parse(&new.nonce).map_err(TillError::from)?;
    let line =
        |line: &NewLine| ChargeLine::new(&line.name, line.quantity, line.unit_minor, line.tax_ppm);
    let request = ChargeRequest {
        lines: new.lines.iter().map(line).collect::<Result<_, _>>()?,
        tip_minor: new.tip_minor,
        cash_minor: new.cash_minor,
        hold: new.hold,
        age: new.age,
        ..ChargeRequest::new(device.id, new.amount, description, nonce)
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

/// Take back a charge that is not captured yet. A repeat is harmless.
#[utoipa::path(post, path = "/api/v1/charges/{charge_id}/cancel", tag = "register", params(("charge_id" = String, Path)),
    responses((status = 200, body = ChargeView), (status = "4XX", body = Problem)))]
pub(crate) async fn cancel(
    State(hub): State<SharedHub>,
    device: DeviceCaller,
    PathOf(id): PathOf<ChargeId>,
) -> Result<Json<ChargeView>, Problem> {
    // On a task of its own: a register that hangs up does not leave it half done.
    let till = hub.till.clone();
    let cancelled = tokio::spawn(async move { till.cancel_charge(device.id, id).await });
    let charge = cancelled.await.map_err(|error| Problem::from_failure(&error))??;
    hub.stations.changed();
    Ok(Json(ChargeView::of(&charge, &hub)))
}

/// What makes a refund's repeat the same refund.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewRefund {
    /// 8 to 64 letters, digits, `-`, `_`.
    nonce: String,
    /// How much, in minor units; all that is left where it is not said.
    #[serde(default)]
    minor: Option<i64>,
}

/// Give a charge or a part of it back, to where it came from. A repeat is harmless.
#[utoipa::path(post, path = "/api/v1/charges/{charge_id}/refund", request_body = NewRefund, tag = "register", params(("charge_id" = String, Path)),
    responses((status = 200, body = ChargeView), (status = "4XX", body = Problem)))]
pub(crate) async fn refund(
    State(hub): State<SharedHub>,
    device: DeviceCaller,
    PathOf(id): PathOf<ChargeId>,
    Body(new): Body<NewRefund>,
) -> Result<Json<ChargeView>, Problem> {
    let nonce = Nonce::parse(&new.nonce).map_err(TillError::from)?;
    let order = RefundOrder { minor: new.minor, ..RefundOrder::all(device.id, id, nonce) };
    // On a task of its own: a register that hangs up does not leave it half done.
    let till = hub.till.clone();
    let refunded = tokio::spawn(async move { till.refund_charge(&order).await });
    refunded.await.map_err(|error| Problem::from_failure(&error))??;
    let charge = hub.till.charge(device.id, id).await?;
    Ok(Json(ChargeView::of(&charge, &hub)))
}

/// How much of a hold is captured.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Capture {
    /// In minor units; all that is held where it is not said.
    #[serde(default)]
    minor: Option<i64>,
}

/// Capture a hold, in whole or in part; the rest is let go. A repeat is harmless.
#[utoipa::path(post, path = "/api/v1/charges/{charge_id}/capture", request_body = Capture, tag = "register", params(("charge_id" = String, Path)),
    responses((status = 200, body = ChargeView), (status = "4XX", body = Problem)))]
pub(crate) async fn capture(
    State(hub): State<SharedHub>,
    device: DeviceCaller,
    PathOf(id): PathOf<ChargeId>,
    Body(capture): Body<Capture>,
) -> Result<Json<ChargeView>, Problem> {
    let till = hub.till.clone();
    let captured =
        tokio::spawn(async move { till.capture_charge(device.id, id, capture.minor).await });
    let charge = captured.await.map_err(|error| Problem::from_failure(&error))??;
    Ok(Json(ChargeView::of(&charge, &hub)))
}

/// A tip that is added after the person left.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewTip {
    /// In minor units; at most half of the charge.
    minor: i64,
    /// 8 to 64 letters, digits, `-`, `_`.
    nonce: String,
}

/// Add a late tip to a paid charge: a charge of its own, within 24 hours. A repeat is harmless.
#[utoipa::path(post, path = "/api/v1/charges/{charge_id}/tip", request_body = NewTip, tag = "register", params(("charge_id" = String, Path)),
    responses((status = 200, body = ChargeView), (status = "4XX", body = Problem)))]
pub(crate) async fn tip(
    State(hub): State<SharedHub>,
    device: DeviceCaller,
    PathOf(id): PathOf<ChargeId>,
    Body(new): Body<NewTip>,
) -> Result<Json<ChargeView>, Problem> {
    let nonce = Nonce::parse(&new.nonce).map_err(TillError::from)?;
    let tip = LateTip { register: device.id, charge: id, minor: new.minor, nonce };
    let till = hub.till.clone();
    let tipped = tokio::spawn(async move { till.add_late_tip(&tip).await });
    tipped.await.map_err(|error| Problem::from_failure(&error))??;
    let latest = hub.till.latest_charges(device.id).await?;
    match latest.iter().find(|charge| charge.tip_of == Some(id)) {
        Some(charge) => Ok(Json(ChargeView::of(charge, &hub))),
        None => one(State(hub), device, PathOf(id)).await,
    }
}

/// An age that staff saw proof of.
#[derive(Deserialize, ToSchema)]
pub(crate) struct SeenAge {
    /// At least so many years.
    years: u8,
}

/// Record that staff looked at the papers of whoever paid this charge: from now on their palm
/// answers the question, with yes and nothing else.
#[utoipa::path(post, path = "/api/v1/charges/{charge_id}/age", request_body = SeenAge, tag = "register", params(("charge_id" = String, Path)),
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(crate) async fn see_age(
    State(hub): State<SharedHub>,
    device: DeviceCaller,
    PathOf(id): PathOf<ChargeId>,
    Body(seen): Body<SeenAge>,
) -> Result<StatusCode, Problem> {
    hub.till.verify_age(device.id, id, seen.years).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What the till can show when a charge is disputed. Never a template, never a name.
#[derive(Serialize, ToSchema)]
pub(crate) struct EvidenceView {
    charge: ChargeView,
    #[schema(value_type = String)]
    register_id: handfast_model::DeviceId,
    #[schema(value_type = Option<String>)]
    pedestal_id: Option<handfast_model::DeviceId>,
    stored_credential: Option<&'static str>,
    network_transaction_id: Option<String>,
    steps: Vec<StepView>,
    wallet_since: Option<Time>,
    /// Payments of the same wallet before this one that nobody disputed.
    earlier_payments: i64,
    disputes: Vec<DisputeView>,
}

/// One state that a charge went through.
#[derive(Serialize, ToSchema)]
pub(crate) struct StepView {
    state: &'static str,
    at: Time,
}

/// A dispute of a charge.
#[derive(Serialize, ToSchema)]
pub(crate) struct DisputeView {
    /// `open`, `won` or `lost`.
    state: &'static str,
    amount_minor: i64,
    reason: String,
    respond_by: Option<Time>,
}

/// The evidence for one charge.
#[utoipa::path(get, path = "/api/v1/charges/{charge_id}/evidence", tag = "register", params(("charge_id" = String, Path)),
    responses((status = 200, body = EvidenceView), (status = "4XX", body = Problem)))]
pub(crate) async fn evidence(
    State(hub): State<SharedHub>,
    device: DeviceCaller,
    PathOf(id): PathOf<ChargeId>,
) -> Result<Json<EvidenceView>, Problem> {
    let evidence = hub.till.evidence(device.id, id).await?;
    let disputes = hub.till.disputes(id).await?;
    let step = |(state, at): (handfast_till::ChargeState, _)| StepView {
        state: state.as_str(),
        at: Time(at),
    };
    Ok(Json(EvidenceView {
        charge: ChargeView::of(&evidence.charge, &hub),
        register_id: evidence.charge.register,
        pedestal_id: evidence.charge.pedestal,
        stored_credential: evidence.charge.stored_credential.map(|flag| flag.as_str()),
        network_transaction_id: evidence.charge.network_transaction_id.clone(),
        steps: evidence.steps.into_iter().map(step).collect(),
        wallet_since: evidence.wallet_since.map(Time),
        earlier_payments: evidence.earlier_payments,
        disputes: disputes
            .into_iter()
            .map(|dispute| DisputeView {
                state: dispute.stage.as_str(),
                amount_minor: dispute.amount_minor,
                reason: dispute.reason,
                respond_by: dispute.respond_by.map(Time),
            })
            .collect(),
    }))
}
