//! The operator's console: events, the switch *no biometrics*, live figures. Counts, never a person.

use axum::Json;
use axum::extract::State;
use handfast_boxoffice::{Biometrics, EventLive, EventOverview, GateWait, Wait};
use handfast_model::{EventId, GateId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::tickets::EventView;
use crate::http::access::StaffCaller;
use crate::http::json::Time;
use crate::http::problem::{Body, PathOf, Problem};
use crate::hub::SharedHub;

/// An event and how far it is.
#[derive(Serialize, ToSchema)]
pub(crate) struct OverviewView {
    #[serde(flatten)]
    event: EventView,
    /// Tickets that give a right to enter.
    sold: u64,
    entered: u64,
    palms_armed: u64,
}

impl From<EventOverview> for OverviewView {
    fn from(overview: EventOverview) -> Self {
        Self {
            event: overview.event.into(),
            sold: overview.sold,
            entered: overview.entered,
            palms_armed: overview.palms_armed,
        }
    }
}

/// The company's events, in the order they start.
#[utoipa::path(get, path = "/api/v1/console/events", tag = "console",
    responses((status = 200, body = Vec<OverviewView>), (status = "4XX", body = Problem)))]
pub(crate) async fn events(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
) -> Result<Json<Vec<OverviewView>>, Problem> {
    let events = hub.boxoffice.console_events(staff.company).await?;
    Ok(Json(events.into_iter().map(OverviewView::from).collect()))
}

/// The artist's or organiser's switch.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Switch {
    /// `allowed` or `forbidden`.
    #[schema(value_type = String, examples("forbidden"))]
    biometrics: Biometrics,
}

/// Forbid or allow biometrics at an event. Forbidden: when this answers, its pedestals look at no
/// palm and no search finds one; its palms are disarmed right after.
#[utoipa::path(patch, path = "/api/v1/console/events/{event_id}", request_body = Switch, tag = "console",
    params(("event_id" = String, Path)),
    responses((status = 200, body = EventView), (status = "4XX", body = Problem)))]
pub(crate) async fn switch(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf(id): PathOf<EventId>,
    Body(switch): Body<Switch>,
) -> Result<Json<EventView>, Problem> {
    let event = hub.boxoffice.set_biometrics(staff.company, id, switch.biometrics).await?;
    // What is switched holds already; without its leaf the caller hears that the log failed.
    hub.note_switch(id, switch.biometrics).await?;
    tracing::info!(biometrics = switch.biometrics.as_str(), "biometrics were switched at an event");
    hub.stations.changed();
    // Thousands of palms take a while, and nobody is recognised meanwhile.
    tokio::spawn(async move {
        if let Err(error) = hub.carry_armings().await {
            tracing::error!(%error, "armings could not all be carried; tried again soon");
        }
    });
    Ok(Json(event.into()))
}

/// An event as it goes.
#[derive(Serialize, ToSchema)]
pub(crate) struct LiveView {
    sold: u64,
    entered: u64,
    entered_by_palm: u64,
    entered_by_code: u64,
    /// Entries by minute, oldest first; minutes without entries are left out.
    minutes: Vec<MinuteView>,
    refusals: Vec<RefusalView>,
    linked_palms: u64,
    capture_failures: Vec<FailureView>,
    devices: Vec<DeviceSightView>,
    gates: Vec<GateView>,
}

/// How long people wait at a gate, as far as its verdicts tell.
#[derive(Serialize, ToSchema)]
#[schema(as = GateWaitView)]
pub(crate) struct GateView {
    #[schema(value_type = String)]
    gate_id: GateId,
    name: String,
    /// `unknown` without a verdict for ten minutes, `hardly` where its devices have pauses, `at_most`
    /// while they work as fast as they can.
    #[schema(value_type = String, examples("at_most"))]
    wait: &'static str,
    /// Nobody who is let in now has waited longer; null unless `at_most`.
    wait_minutes_max: Option<u64>,
    /// People let in within the last ten whole minutes.
    people: u64,
    /// Devices that decided something within the last five whole minutes.
    devices: u64,
}

impl From<GateWait> for GateView {
    fn from(gate: GateWait) -> Self {
        let (wait, wait_minutes_max) = match gate.wait {
            Wait::Unknown => ("unknown", None),
            Wait::Hardly => ("hardly", None),
            Wait::AtMost { minutes } => ("at_most", Some(minutes)),
        };
        let GateWait { gate_id, name, people, devices, .. } = gate;
        Self { gate_id, name, wait, wait_minutes_max, people, devices }
    }
}

/// Entries within one minute.
#[derive(Serialize, ToSchema)]
pub(crate) struct MinuteView {
    minute: Time,
    palm: u64,
    code: u64,
}

/// Refused attempts of one outcome.
#[derive(Serialize, ToSchema)]
pub(crate) struct RefusalView {
    #[schema(value_type = String, examples("already_redeemed"))]
    outcome: &'static str,
    count: u64,
}

/// Captures that came to nothing, of one reason.
#[derive(Serialize, ToSchema)]
pub(crate) struct FailureView {
    reason: String,
    count: u64,
}

/// A device and when it was last seen.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeviceSightView {
    name: String,
    #[schema(value_type = String, examples("pedestal"))]
    kind: &'static str,
    lane_name: Option<String>,
    last_seen_at: Option<Time>,
}

impl From<EventLive> for LiveView {
    fn from(live: EventLive) -> Self {
        let minutes = live.minutes.into_iter().map(|minute| MinuteView {
            minute: minute.minute.into(),
            palm: minute.palm,
            code: minute.code,
        });
        let refusals = live
            .refusals
            .into_iter()
            .map(|refusal| RefusalView { outcome: refusal.outcome.as_str(), count: refusal.count });
        let failures = live
            .capture_failures
            .into_iter()
            .map(|failure| FailureView { reason: failure.reason, count: failure.count });
        let devices = live.devices.into_iter().map(|device| DeviceSightView {
            name: device.name,
            kind: device.kind.as_str(),
            lane_name: device.lane_name,
            last_seen_at: device.last_seen_at.map(Time),
        });
        Self {
            sold: live.sold,
            entered: live.entered,
            entered_by_palm: live.entered_by_palm,
            entered_by_code: live.entered_by_code,
            minutes: minutes.collect(),
            refusals: refusals.collect(),
            linked_palms: live.linked_palms,
            capture_failures: failures.collect(),
            devices: devices.collect(),
            gates: live.gates.into_iter().map(GateView::from).collect(),
        }
    }
}

/// An event's live figures.
#[utoipa::path(get, path = "/api/v1/console/events/{event_id}/live", tag = "console",
    params(("event_id" = String, Path)),
    responses((status = 200, body = LiveView), (status = "4XX", body = Problem)))]
pub(crate) async fn live(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf(id): PathOf<EventId>,
) -> Result<Json<LiveView>, Problem> {
    Ok(Json(hub.boxoffice.console_live(staff.company, id).await?.into()))
}
