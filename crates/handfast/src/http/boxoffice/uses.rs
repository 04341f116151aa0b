//! Every use of a fan's palms, tickets and money.

use axum::Json;
use axum::extract::State;
use handfast_boxoffice::Use;
use handfast_model::Money;
use handfast_till::{MoneyUse, MoneyUseKind};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::access::FanCaller;
use crate::http::json::{Amount, Time};
use crate::http::problem::Problem;
use crate::hub::SharedHub;

/// One use.
#[derive(Serialize, ToSchema)]
pub(crate) struct UseView {
    at: Time,
    /// `linked`, `entered`, `paid`, `refunded` or `deleted`.
    #[schema(value_type = String, examples("entered"))]
    kind: &'static str,
    /// Where: venue, gate and lane, or the shop.
    #[serde(rename = "where")]
    place: String,
    /// Why: the event and product, or the purpose.
    why: String,
    /// `palm` or `code`, where somebody was let in.
    #[schema(value_type = Option<String>)]
    method: Option<&'static str>,
    #[schema(value_type = Option<Amount>)]
    amount: Option<Money>,
}

impl From<Use> for UseView {
    fn from(used: Use) -> Self {
        let place = [Some(used.venue_name), used.gate_name, used.lane_name];
        Self {
            at: used.at.into(),
            kind: used.kind.as_str(),
            place: place.into_iter().flatten().collect::<Vec<_>>().join(" · "),
            why: format!("{} · {}", used.event_name, used.product),
            method: used.method.map(|method| method.as_str()),
            amount: None,
        }
    }
}

impl From<MoneyUse> for UseView {
    fn from(used: MoneyUse) -> Self {
        let kind = match used.kind {
            MoneyUseKind::Paid => "paid",
            MoneyUseKind::Refunded => "refunded",
        };
        Self {
            at: used.at.into(),
            kind,
            place: used.shop_name,
            why: String::new(),
            method: None,
            amount: Some(used.amount),
        }
    }
}

/// Every use, newest first.
#[utoipa::path(get, path = "/api/v1/me/uses", tag = "portal",
    responses((status = 200, body = Vec<UseView>), (status = "4XX", body = Problem)))]
pub(crate) async fn mine(
    State(hub): State<SharedHub>,
    fan: FanCaller,
) -> Result<Json<Vec<UseView>>, Problem> {
    let entries = hub.boxoffice.uses(fan.account).await?;
    let money = hub.till.money_uses(fan.account).await?;
    let mut uses: Vec<UseView> = entries
        .into_iter()
        .map(UseView::from)
        .chain(money.into_iter().map(UseView::from))
        .collect();
    uses.sort_by_key(|used| std::cmp::Reverse(used.at.0));
    Ok(Json(uses))
}
