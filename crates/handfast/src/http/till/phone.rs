//! Paying by phone what a pedestal shows: the QR code on its screen leads here. The phone is signed
//! in, so it is a second factor, and the way for whoever gives no palm.

use axum::Json;
use axum::extract::State;
use handfast_model::Money;
use handfast_till::{Charge, PayKey, PayOutcome};
use serde::Serialize;
use utoipa::ToSchema;

use super::receipts::page_of;
use crate::http::access::FanCaller;
use crate::http::json::{Amount, Time};
use crate::http::problem::{PathOf, Problem};
use crate::hub::{Hub, SharedHub};

/// A charge as the phone shows it before and after it is paid.
#[derive(Serialize, ToSchema)]
pub(crate) struct PhoneChargeView {
    shop_name: String,
    /// The same as the pedestal and the register show.
    number: i64,
    #[schema(value_type = Amount)]
    amount: Money,
    description: String,
    #[schema(value_type = String, examples("requested"))]
    state: &'static str,
    expires_at: Time,
    /// Only once it is paid, and only by whoever paid it.
    receipt_url: Option<String>,
    /// Why it was not paid: the pedestal's words for it.
    reason: Option<&'static str>,
}

impl PhoneChargeView {
    fn of(charge: &Charge, hub: &Hub) -> Self {
        Self {
            shop_name: charge.shop_name.clone(),
            number: charge.number,
            amount: charge.amount,
            description: charge.description.clone(),
            state: charge.status(hub.clock.now()).as_str(),
            expires_at: charge.expires_at.into(),
            receipt_url: None,
            reason: None,
        }
    }
}

/// What the code on the pedestal's screen stands for.
#[utoipa::path(get, path = "/api/v1/me/charges/{key}", tag = "portal", params(("key" = String, Path)),
    responses((status = 200, body = PhoneChargeView), (status = "4XX", body = Problem)))]
pub(crate) async fn one(
    State(hub): State<SharedHub>,
    _fan: FanCaller,
    PathOf(key): PathOf<String>,
) -> Result<Json<PhoneChargeView>, Problem> {
    let charge = hub.till.charge_to_pay(&PayKey::from_text(&key)).await?;
    Ok(Json(PhoneChargeView::of(&charge, &hub)))
}

/// Pay it from my wallet. A repeat pays nothing again.
#[utoipa::path(post, path = "/api/v1/me/charges/{key}/pay", tag = "portal", params(("key" = String, Path)),
    responses((status = 200, body = PhoneChargeView), (status = "4XX", body = Problem)))]
pub(crate) async fn pay(
    State(hub): State<SharedHub>,
    fan: FanCaller,
    PathOf(key): PathOf<String>,
) -> Result<Json<PhoneChargeView>, Problem> {
    let key = PayKey::from_text(&key);
    // On a task of its own: a phone that loses its connection does not leave it half done.
    let (till, own_key) = (hub.till.clone(), key.clone());
    let paid = tokio::spawn(async move { till.pay_by_phone(fan.account, &own_key).await });
    let outcome = paid.await.map_err(|error| Problem::from_failure(&error))??;
    hub.stations.changed();
    let (charge, reason) = match outcome {
        PayOutcome::Paid(charge)
        | PayOutcome::Held(charge)
        | PayOutcome::AcceptedOffline(charge) => (charge, None),
        PayOutcome::Declined(charge) => (charge, Some("payment_declined")),
        PayOutcome::Unknown(charge) | PayOutcome::InProgress(charge) => {
            (charge, Some("payment_unknown"))
        }
        PayOutcome::SecondFactor(wanted) => (wanted.charge, None),
        PayOutcome::TurnedAway(why) => {
            (hub.till.charge_to_pay(&key).await?, Some(super::reason_of(why)))
        }
    };
    let receipt_url = charge.receipt().map(page_of);
    Ok(Json(PhoneChargeView { receipt_url, reason, ..PhoneChargeView::of(&charge, &hub) }))
}
