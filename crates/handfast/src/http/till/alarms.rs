//! "This was not me", from the mail about a payment: no sign-in, for whoever reads it is in a hurry.

use axum::Json;
use axum::extract::State;
use handfast_model::Money;
use handfast_till::{Alarm, AlarmKey};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::json::{Amount, Time};
use crate::http::problem::{PathOf, Problem};
use crate::hub::SharedHub;

/// The payment that a mail was about.
#[derive(Serialize, ToSchema)]
pub(crate) struct AlarmView {
    shop_name: String,
    #[schema(value_type = Amount)]
    amount: Money,
    at: Time,
    /// When its reader said that it was not them; the wallet is frozen since.
    raised_at: Option<Time>,
}

impl From<Alarm> for AlarmView {
    fn from(alarm: Alarm) -> Self {
        Self {
            shop_name: alarm.shop_name,
            amount: alarm.amount,
            at: alarm.at.into(),
            raised_at: alarm.raised_at.map(Time),
        }
    }
}

/// The payment that a mail was about.
#[utoipa::path(get, path = "/api/v1/payment-alarms/{key}", tag = "receipts",
    params(("key" = String, Path)),
    responses((status = 200, body = AlarmView), (status = "4XX", body = Problem)))]
pub(crate) async fn one(
    State(hub): State<SharedHub>,
    PathOf(key): PathOf<String>,
) -> Result<Json<AlarmView>, Problem> {
    Ok(Json(hub.till.alarm(&AlarmKey::from_text(&key)).await?.into()))
}

/// Say that it was not me: the wallet is frozen, and no palm pays with it.
#[utoipa::path(post, path = "/api/v1/payment-alarms/{key}", tag = "receipts",
    params(("key" = String, Path)),
    responses((status = 200, body = AlarmView), (status = "4XX", body = Problem)))]
pub(crate) async fn raise(
    State(hub): State<SharedHub>,
    PathOf(key): PathOf<String>,
) -> Result<Json<AlarmView>, Problem> {
    let key = AlarmKey::from_text(&key);
    let before = hub.till.alarm(&key).await?;
    let alarm = hub.till.raise_alarm(&key).await?;
    if before.raised_at.is_none()
        && let Err(error) = hub.carry_shop_armings_of(alarm.account).await
    {
        // The till refuses the frozen wallet already; the vault forgets the palm a little later.
        tracing::warn!(%error, "the palms of a frozen wallet are disarmed later");
    }
    Ok(Json(alarm.into()))
}
