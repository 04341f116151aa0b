//! The venue's devices: provisioned by a code shown once, re-keyed, revoked.

use axum::Json;
use axum::extract::State;
use handfast_boxoffice::{Device, DeviceKind, DeviceMode, NewDevice};
use handfast_model::{DeviceId, EventId, LaneId, SecretText};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::access::{DeviceCaller, StaffCaller};
use crate::http::json::{Time, to_owner};
use crate::http::problem::{Body, PathOf, Problem};
use crate::hub::SharedHub;
use crate::qr;

/// A device of the venue.
#[derive(Serialize, ToSchema)]
pub(crate) struct VenueDeviceView {
    #[schema(value_type = String)]
    device_id: DeviceId,
    name: String,
    #[schema(value_type = String, examples("scanner"))]
    kind: &'static str,
    gate_name: Option<String>,
    lane_name: Option<String>,
    revoked: bool,
    last_seen_at: Option<Time>,
}

impl From<Device> for VenueDeviceView {
    fn from(device: Device) -> Self {
        Self {
            device_id: device.id,
            name: device.name,
            kind: device.kind.as_str(),
            gate_name: device.gate_name,
            lane_name: device.lane_name,
            revoked: device.revoked_at.is_some(),
            last_seen_at: device.last_seen_at.map(Time),
        }
    }
}

/// The devices of an event's venue.
#[utoipa::path(get, path = "/api/v1/console/events/{event_id}/devices", tag = "console",
    params(("event_id" = String, Path)),
    responses((status = 200, body = Vec<VenueDeviceView>), (status = "4XX", body = Problem)))]
pub(crate) async fn of_venue(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf(id): PathOf<EventId>,
) -> Result<Json<Vec<VenueDeviceView>>, Problem> {
    // Asking for the lists tells whether the event is this company's.
    hub.boxoffice.check_in_lists(staff.company, id).await?;
    let event = hub.boxoffice.event(id).await?;
    let devices = hub.boxoffice.devices(event.venue_id).await?;
    Ok(Json(devices.into_iter().map(VenueDeviceView::from).collect()))
}

/// A device to be set up at an event's venue.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewDeviceBody {
    name: String,
    /// `pedestal` or `scanner`.
    #[schema(value_type = String, examples("scanner"))]
    kind: DeviceKind,
    #[serde(default)]
    #[schema(value_type = Option<String>, examples("entry_lane"))]
    mode: Option<DeviceMode>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    lane_id: Option<LaneId>,
}

/// A code that provisions a device: once, within half an hour.
#[derive(Serialize, ToSchema)]
pub(crate) struct InvitationView {
    #[schema(value_type = String)]
    device_id: DeviceId,
    #[serde(serialize_with = "to_owner")]
    #[schema(value_type = String)]
    code: SecretText,
    /// The code as a picture, for the device's camera.
    qr_svg: String,
}

fn invitation(device_id: DeviceId, code: SecretText) -> Result<Json<InvitationView>, Problem> {
    let qr_svg = qr::svg(code.expose()).map_err(|error| Problem::from_failure(&error))?;
    Ok(Json(InvitationView { device_id, code, qr_svg }))
}

/// Set a device up; its key is made when the code is used.
#[utoipa::path(post, path = "/api/v1/console/events/{event_id}/devices", request_body = NewDeviceBody, tag = "console",
    params(("event_id" = String, Path)),
    responses((status = 200, body = InvitationView), (status = "4XX", body = Problem)))]
pub(crate) async fn invite(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf(id): PathOf<EventId>,
    Body(new): Body<NewDeviceBody>,
) -> Result<Json<InvitationView>, Problem> {
    if new.kind == DeviceKind::Register {
        return Err(Problem::malformed("Registers belong to a shop and are set up there."));
    }
    let event = hub.boxoffice.event(id).await?;
    let new = NewDevice {
        venue_id: event.venue_id,
        name: &new.name,
        kind: new.kind,
        mode: new.mode,
        lane_id: new.lane_id,
        shop_reference: None,
        paired_with: None,
    };
    let (device_id, code) = hub.boxoffice.invite_device(staff.user, &new).await?;
    invitation(device_id, code)
}

/// A new code for a device that is there.
#[utoipa::path(post, path = "/api/v1/console/devices/{device_id}/invitation", tag = "console",
    params(("device_id" = String, Path)),
    responses((status = 200, body = InvitationView), (status = "4XX", body = Problem)))]
pub(crate) async fn invite_again(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf(id): PathOf<DeviceId>,
) -> Result<Json<InvitationView>, Problem> {
    let code = hub.boxoffice.invite_again(staff.user, id).await?;
    invitation(id, code)
}

/// Revoke a device for good.
#[utoipa::path(delete, path = "/api/v1/console/devices/{device_id}", tag = "console",
    params(("device_id" = String, Path)),
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(crate) async fn revoke(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf(id): PathOf<DeviceId>,
) -> Result<axum::http::StatusCode, Problem> {
    hub.boxoffice.revoke_as_staff(staff.user, id).await?;
    // A pedestal asks what applies, and hears that nothing does.
    hub.stations.changed();
    Ok(axum::http::StatusCode::NO_CONTENT)
}

/// A provisioning code.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Provisioning {
    #[schema(value_type = String)]
    code: SecretText,
}

/// A device's key, shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProvisionedView {
    #[schema(value_type = String)]
    device_id: DeviceId,
    name: String,
    #[serde(serialize_with = "to_owner")]
    #[schema(value_type = String)]
    api_key: SecretText,
}

/// Use a provisioning code up.
#[utoipa::path(post, path = "/api/v1/device/provision", request_body = Provisioning, tag = "device",
    responses((status = 200, body = ProvisionedView), (status = "4XX", body = Problem)))]
pub(crate) async fn provision(
    State(hub): State<SharedHub>,
    Body(code): Body<Provisioning>,
) -> Result<Json<ProvisionedView>, Problem> {
    let (device, api_key) = hub.boxoffice.provision(code.code.expose()).await?;
    Ok(Json(ProvisionedView { device_id: device.id, name: device.name, api_key }))
}

/// Roll this device's key: the present one stops working at once.
#[utoipa::path(post, path = "/api/v1/device/roll", tag = "device",
    responses((status = 200, body = ProvisionedView), (status = "4XX", body = Problem)))]
pub(crate) async fn roll(
    State(hub): State<SharedHub>,
    caller: DeviceCaller,
) -> Result<Json<ProvisionedView>, Problem> {
    let api_key = hub.boxoffice.roll_api_key(caller.id).await?;
    Ok(Json(ProvisionedView { device_id: caller.id, name: caller.device.name, api_key }))
}
