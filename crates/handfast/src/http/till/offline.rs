//! The offline floor of a shop, and what it cost.

use axum::Json;
use axum::extract::State;
use handfast_model::{Money, ShopId};
use handfast_till::{OfflineFloor, OfflineSums};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::shops::own_shop;
use crate::http::access::StaffCaller;
use crate::http::json::Amount;
use crate::http::problem::{Body, PathOf, Problem};
use crate::hub::SharedHub;

/// Charges of one kind, and their sum.
#[derive(Serialize, ToSchema)]
pub(crate) struct CountedView {
    charges: i64,
    #[schema(value_type = Amount)]
    amount: Money,
}

/// The floor and what it did.
#[derive(Serialize, ToSchema)]
pub(crate) struct OfflineView {
    /// The most of one charge; none where the floor is off.
    #[schema(value_type = Option<Amount>)]
    charge_max: Option<Money>,
    /// The most of all charges that wait for their money.
    #[schema(value_type = Option<Amount>)]
    sum_max: Option<Money>,
    /// Goods that went and wait for their money.
    open: CountedView,
    /// Paid after all.
    paid: CountedView,
    /// Never paid: the shop's loss.
    lost: CountedView,
}

impl From<OfflineSums> for OfflineView {
    fn from(sums: OfflineSums) -> Self {
        let money = |minor| Money::new(minor, sums.currency);
        let counted = |(charges, minor)| CountedView { charges, amount: money(minor) };
        Self {
            charge_max: sums.floor.map(|floor| money(floor.charge_max)),
            sum_max: sums.floor.map(|floor| money(floor.sum_max)),
            open: counted(sums.open),
            paid: counted(sums.paid),
            lost: counted(sums.lost),
        }
    }
}

/// Up to where the shop takes the risk; both or neither.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewFloor {
    /// In minor units of the shop's currency.
    charge_max_minor: Option<i64>,
    /// In minor units of the shop's currency.
    sum_max_minor: Option<i64>,
}

/// The offline floor of a shop.
#[utoipa::path(get, path = "/api/v1/console/shops/{shop_id}/offline-floor", tag = "console",
    params(("shop_id" = String, Path)),
    responses((status = 200, body = OfflineView), (status = "4XX", body = Problem)))]
pub(crate) async fn one(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf(id): PathOf<ShopId>,
) -> Result<Json<OfflineView>, Problem> {
    let shop = own_shop(&hub, &staff, id).await?;
    Ok(Json(hub.till.offline_sums(shop.id).await?.into()))
}

/// Set it, or turn it off.
#[utoipa::path(put, path = "/api/v1/console/shops/{shop_id}/offline-floor", request_body = NewFloor, tag = "console",
    params(("shop_id" = String, Path)),
    responses((status = 200, body = OfflineView), (status = "4XX", body = Problem)))]
pub(crate) async fn set(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf(id): PathOf<ShopId>,
    Body(new): Body<NewFloor>,
) -> Result<Json<OfflineView>, Problem> {
    let shop = own_shop(&hub, &staff, id).await?;
    let floor = match (new.charge_max_minor, new.sum_max_minor) {
        (Some(charge_max), Some(sum_max)) => Some(OfflineFloor { charge_max, sum_max }),
        (None, None) => None,
        _ => {
            return Err(Problem::malformed(
                "Give the most of one charge and the most in sum, or neither to turn it off.",
            ));
        }
    };
    hub.till.set_offline_floor(shop.id, floor).await?;
    Ok(Json(hub.till.offline_sums(shop.id).await?.into()))
}
