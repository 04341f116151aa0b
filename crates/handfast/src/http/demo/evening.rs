//! The demo's evening: its stations and people.

use axum::Json;
use axum::extract::State;
use handfast_model::SecretText;
use serde::Serialize;
use utoipa::ToSchema;

use crate::demo::{Demo, DemoFan, DemoStaff, DemoStation};
use crate::http::json::to_owner;
use crate::http::problem::{PathOf, Problem};
use crate::hub::{Hub, SharedHub};

impl Hub {
    fn demo_or_problem(&self) -> Result<&Demo, Problem> {
        self.demo.as_ref().ok_or_else(|| Problem::not_found("This is no demo."))
    }
}

/// The demo's evening.
#[derive(Serialize, ToSchema)]
pub(crate) struct EveningView {
    stations: Vec<StationView>,
    fans: Vec<FanView>,
    staff: Vec<StaffView>,
    /// Whether the demo's events are over.
    over: bool,
}

/// A device that a visitor may open.
#[derive(Serialize, ToSchema)]
pub(crate) struct StationView {
    station_id: String,
    name: String,
    #[schema(value_type = String, examples("pedestal"))]
    kind: &'static str,
    #[schema(value_type = Option<String>, examples("entry_lane"))]
    mode: Option<&'static str>,
    /// The page that plays it.
    path: &'static str,
}

impl From<&DemoStation> for StationView {
    fn from(station: &DemoStation) -> Self {
        Self {
            station_id: station.station_id.clone(),
            name: station.name.clone(),
            kind: station.kind.as_str(),
            mode: station.mode.map(|mode| mode.as_str()),
            path: station.path(),
        }
    }
}

/// Somebody to play.
#[derive(Serialize, ToSchema)]
pub(crate) struct FanView {
    /// Names the simulated hands of this fan; 0 is a stranger's.
    index: u64,
    name: String,
    email: String,
    tickets: Vec<FanTicketView>,
}

/// A ticket of somebody to play.
#[derive(Serialize, ToSchema)]
pub(crate) struct FanTicketView {
    event_name: String,
    code: String,
}

impl From<&DemoFan> for FanView {
    fn from(fan: &DemoFan) -> Self {
        let tickets = fan.tickets.iter().map(|ticket| FanTicketView {
            event_name: ticket.event_name.clone(),
            code: ticket.code.clone(),
        });
        Self {
            index: fan.index,
            name: fan.name.clone(),
            email: fan.email.clone(),
            tickets: tickets.collect(),
        }
    }
}

/// Somebody who works here.
#[derive(Serialize, ToSchema)]
pub(crate) struct StaffView {
    name: String,
    email: String,
    #[schema(value_type = String, examples("operator"))]
    role: &'static str,
}

impl From<&DemoStaff> for StaffView {
    fn from(staff: &DemoStaff) -> Self {
        Self { name: staff.name.clone(), email: staff.email.clone(), role: staff.role.as_str() }
    }
}

/// Who and what there is to play with.
#[utoipa::path(get, path = "/api/v1/demo", tag = "demo",
    responses((status = 200, body = EveningView), (status = "4XX", body = Problem)))]
pub(crate) async fn evening(State(hub): State<SharedHub>) -> Result<Json<EveningView>, Problem> {
    let demo = hub.demo_or_problem()?;
    Ok(Json(EveningView {
        stations: demo.stations.iter().map(StationView::from).collect(),
        fans: demo.fans.iter().map(FanView::from).collect(),
        staff: demo.staff.iter().map(StaffView::from).collect(),
        over: demo.is_over(hub.clock.now()),
    }))
}

/// The API key of a station.
#[derive(Serialize, ToSchema)]
pub(crate) struct StationKey {
    #[serde(serialize_with = "to_owner")]
    #[schema(value_type = String)]
    api_key: SecretText,
}

/// Open a station without provisioning it.
#[utoipa::path(post, path = "/api/v1/demo/stations/{station_id}/key", tag = "demo",
    params(("station_id" = String, Path)),
    responses((status = 200, body = StationKey), (status = "4XX", body = Problem)))]
pub(crate) async fn station_key(
    State(hub): State<SharedHub>,
    PathOf(id): PathOf<String>,
) -> Result<Json<StationKey>, Problem> {
    let stations = &hub.demo_or_problem()?.stations;
    let station = stations.iter().find(|station| station.station_id == id);
    let station = station.ok_or_else(|| Problem::not_found("There is no such station."))?;
    Ok(Json(StationKey { api_key: station.api_key.clone() }))
}
