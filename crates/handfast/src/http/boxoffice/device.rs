//! What a device is and where it stands.

use axum::Json;
use axum::extract::State;
use handfast_model::ShopId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::access::DeviceCaller;
use crate::http::problem::Problem;
use crate::hub::SharedHub;

/// A device.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeviceView {
    name: String,
    /// `pedestal`, `scanner` or `register`.
    #[schema(value_type = String, examples("scanner"))]
    kind: &'static str,
    /// What a pedestal is set up for.
    #[schema(value_type = Option<String>, examples("entry_lane"))]
    mode: Option<&'static str>,
    venue_name: String,
    gate_name: Option<String>,
    lane_name: Option<String>,
    shop_name: Option<String>,
    /// Where a pedestal's frames come from: `browser`, or `kiosk` where it looks through this
    /// machine's own camera and the page only draws: the first pedestal that asks, where one is
    /// configured.
    #[schema(value_type = String, examples("browser"))]
    camera: &'static str,
}

/// The device of this API key.
#[utoipa::path(get, path = "/api/v1/device", tag = "device",
    responses((status = 200, body = DeviceView), (status = "4XX", body = Problem)))]
pub(crate) async fn this(
    State(hub): State<SharedHub>,
    caller: DeviceCaller,
) -> Result<Json<DeviceView>, Problem> {
    let is_kiosk = hub.camera.is_some()
        && caller.pedestal_mode().is_some()
        && hub.stations.take_camera(caller.id, hub.clock.now());
    let device = caller.device;
    let shop = device.shop_reference.as_deref().and_then(|id| id.parse::<ShopId>().ok());
    let shop_name = match shop {
        Some(id) => Some(hub.till.shop(id).await?.name),
        None => None,
    };
    Ok(Json(DeviceView {
        name: device.name,
        kind: device.kind.as_str(),
        mode: device.mode.map(|mode| mode.as_str()),
        venue_name: device.venue_name,
        gate_name: device.gate_name,
        lane_name: device.lane_name,
        shop_name,
        camera: if is_kiosk { "kiosk" } else { "browser" },
    }))
}
