//! Setting up: venues with areas, gates and lanes; events with products and check-in lists.

use axum::Json;
use axum::extract::State;
use handfast_boxoffice::{
    Action, Biometrics, CheckInList, CodeKind, Direction, ListTerms, NewEvent, Passing, Product,
};
use handfast_model::{
    AreaId, CheckInListId, Currency, DeviceId, EventId, GateId, LaneId, Money, Timestamp, VenueId,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;

use super::admissions::StepView;
use super::tickets::EventView;
use crate::http::access::StaffCaller;
use crate::http::json::Amount;
use crate::http::problem::{Body, PathOf, Problem};
use crate::hub::{Hub, SharedHub};

/// A venue with what stands there.
#[derive(Serialize, ToSchema)]
pub(crate) struct PlaceView {
    #[schema(value_type = String)]
    venue_id: VenueId,
    name: String,
    utc_offset_minutes: i32,
    areas: Vec<AreaName>,
    gates: Vec<GateView>,
}

/// An area.
#[derive(Serialize, ToSchema)]
pub(crate) struct AreaName {
    #[schema(value_type = String)]
    area_id: AreaId,
    name: String,
}

/// A gate with its lanes.
#[derive(Serialize, ToSchema)]
pub(crate) struct GateView {
    #[schema(value_type = String)]
    gate_id: GateId,
    name: String,
    #[schema(value_type = Option<String>)]
    area_id: Option<AreaId>,
    lanes: Vec<LaneView>,
}

/// A lane.
#[derive(Serialize, ToSchema)]
pub(crate) struct LaneView {
    #[schema(value_type = String)]
    lane_id: LaneId,
    name: String,
    #[schema(value_type = String, examples("left"))]
    direction: &'static str,
}

/// The company's venues.
#[utoipa::path(get, path = "/api/v1/console/venues", tag = "setup",
    responses((status = 200, body = Vec<PlaceView>), (status = "4XX", body = Problem)))]
pub(crate) async fn venues(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
) -> Result<Json<Vec<PlaceView>>, Problem> {
    let mut views = Vec::new();
    for venue in hub.boxoffice.venues(staff.company).await? {
        views.push(place(&hub, venue.id, venue.name).await?);
    }
    Ok(Json(views))
}

async fn place(hub: &Hub, venue_id: VenueId, name: String) -> Result<PlaceView, Problem> {
    let lanes = hub.boxoffice.lanes(venue_id).await?;
    let areas = hub.boxoffice.areas(venue_id).await?;
    let gates = hub.boxoffice.gates(venue_id).await?.into_iter().map(|gate| GateView {
        lanes: lanes
            .iter()
            .filter(|lane| lane.gate_id == gate.id)
            .map(|lane| LaneView {
                lane_id: lane.id,
                name: lane.name.clone(),
                direction: lane.direction.as_str(),
            })
            .collect(),
        gate_id: gate.id,
        name: gate.name,
        area_id: gate.area_id,
    });
    Ok(PlaceView {
        venue_id,
        name,
        utc_offset_minutes: hub.boxoffice.venue_offset(venue_id).await?,
        areas: areas
            .into_iter()
            .map(|area| AreaName { area_id: area.id, name: area.name })
            .collect(),
        gates: gates.collect(),
    })
}

/// A venue to be added.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewVenueBody {
    name: String,
    /// How far its clocks are ahead of UTC.
    utc_offset_minutes: i32,
}

/// Add a venue.
#[utoipa::path(post, path = "/api/v1/console/venues", request_body = NewVenueBody, tag = "setup",
    responses((status = 200, body = PlaceView), (status = "4XX", body = Problem)))]
pub(crate) async fn add_venue(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    Body(new): Body<NewVenueBody>,
) -> Result<Json<PlaceView>, Problem> {
    let venue = hub.boxoffice.create_venue(staff.company, &new.name).await?;
    hub.boxoffice.set_venue_offset(venue.id, new.utc_offset_minutes).await?;
    note(&hub, &staff, None, "a venue").await?;
    Ok(Json(place(&hub, venue.id, venue.name).await?))
}

/// A name.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Named {
    name: String,
}

/// Add an area to a venue.
#[utoipa::path(post, path = "/api/v1/console/venues/{venue_id}/areas", request_body = Named, tag = "setup",
    params(("venue_id" = String, Path)),
    responses((status = 200, body = PlaceView), (status = "4XX", body = Problem)))]
pub(crate) async fn add_area(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf(id): PathOf<VenueId>,
    Body(new): Body<Named>,
) -> Result<Json<PlaceView>, Problem> {
    let name = own_venue(&hub, &staff, id).await?;
    hub.boxoffice.create_area(id, &new.name).await?;
    note(&hub, &staff, None, "an area").await?;
    Ok(Json(place(&hub, id, name).await?))
}

/// A gate to be added.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewGateBody {
    name: String,
    /// The area it leads into.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    area_id: Option<AreaId>,
}

/// Add a gate to a venue.
#[utoipa::path(post, path = "/api/v1/console/venues/{venue_id}/gates", request_body = NewGateBody, tag = "setup",
    params(("venue_id" = String, Path)),
    responses((status = 200, body = PlaceView), (status = "4XX", body = Problem)))]
pub(crate) async fn add_gate(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf(id): PathOf<VenueId>,
    Body(new): Body<NewGateBody>,
) -> Result<Json<PlaceView>, Problem> {
    let name = own_venue(&hub, &staff, id).await?;
    hub.boxoffice.create_gate(id, new.area_id, &new.name).await?;
    note(&hub, &staff, None, "a gate").await?;
    Ok(Json(place(&hub, id, name).await?))
}

/// A lane to be added.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewLaneBody {
    name: String,
    /// Where people go on from it: `straight`, `left` or `right`.
    #[schema(value_type = String, examples("left"))]
    direction: Direction,
    /// `entry`, or `exit` for a way out.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    passing: Option<Passing>,
    /// The products it lets in; all where empty.
    #[serde(default)]
    products: Vec<String>,
}

/// Add a lane to a gate.
#[utoipa::path(post, path = "/api/v1/console/venues/{venue_id}/gates/{gate_id}/lanes", request_body = NewLaneBody, tag = "setup",
    params(("venue_id" = String, Path), ("gate_id" = String, Path)),
    responses((status = 200, body = PlaceView), (status = "4XX", body = Problem)))]
pub(crate) async fn add_lane(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf((venue, gate)): PathOf<(VenueId, GateId)>,
    Body(new): Body<NewLaneBody>,
) -> Result<Json<PlaceView>, Problem> {
    let name = own_venue(&hub, &staff, venue).await?;
    let gates = hub.boxoffice.gates(venue).await?;
    if !gates.iter().any(|one| one.id == gate) {
        return Err(Problem::not_found("There is no such gate at this venue."));
    }
    let products: Vec<&str> = new.products.iter().map(String::as_str).collect();
    let lane = hub.boxoffice.create_lane(gate, &new.name, new.direction, &products).await?;
    if let Some(passing) = new.passing {
        hub.boxoffice.set_lane_passing(lane.id, passing).await?;
    }
    note(&hub, &staff, None, "a lane").await?;
    Ok(Json(place(&hub, venue, name).await?))
}

/// An event to be added.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewEventBody {
    #[schema(value_type = String)]
    venue_id: VenueId,
    name: String,
    /// RFC 3339, with the offset that is meant.
    doors_at: String,
    starts_at: String,
    ends_at: String,
    /// `allowed` or `forbidden`.
    #[schema(value_type = String, examples("allowed"))]
    biometrics: Biometrics,
}

/// Add an event.
#[utoipa::path(post, path = "/api/v1/console/events", request_body = NewEventBody, tag = "setup",
    responses((status = 200, body = EventView), (status = "4XX", body = Problem)))]
pub(crate) async fn add_event(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    Body(new): Body<NewEventBody>,
) -> Result<Json<EventView>, Problem> {
    own_venue(&hub, &staff, new.venue_id).await?;
    let event = NewEvent {
        venue_id: new.venue_id,
        name: &new.name,
        doors_at: time_of(&new.doors_at)?,
        starts_at: time_of(&new.starts_at)?,
        ends_at: time_of(&new.ends_at)?,
        biometrics: new.biometrics,
    };
    let event = hub.boxoffice.create_event(&event).await?;
    note(&hub, &staff, Some(event.id), "an event").await?;
    Ok(Json(event.into()))
}

/// A product to be sold, or changed.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ProductBody {
    name: String,
    #[schema(value_type = Amount)]
    price: Money,
    /// Without end where it is not said.
    #[serde(default)]
    capacity: Option<u32>,
    /// Whether fans may order it; at the window it is sold in any case.
    on_sale: bool,
    /// Which codes its tickets get from now on: `static`, `signed` or `rotating`. Where it is not said,
    /// as before; `static` at first.
    #[serde(default)]
    #[schema(value_type = Option<String>, examples("rotating"))]
    codes: Option<CodeKind>,
}

/// Add a product to an event, or change it. The first that fans order for money
/// opens the company's online shop.
#[utoipa::path(put, path = "/api/v1/console/events/{event_id}/products", request_body = ProductBody, tag = "setup",
    params(("event_id" = String, Path)),
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(crate) async fn set_product(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf(id): PathOf<EventId>,
    Body(body): Body<ProductBody>,
) -> Result<axum::http::StatusCode, Problem> {
    let ProductBody { name, price, capacity, on_sale, codes } = body;
    let product = Product { name, price, capacity, on_sale, codes };
    hub.boxoffice.set_product(staff.company, id, &product).await?;
    if on_sale && price.minor > 0 {
        open_shop(&hub, &staff, id, price.currency).await?;
    }
    note(&hub, &staff, Some(id), "a product").await?;
    Ok(axum::http::StatusCode::NO_CONTENT)
}

async fn open_shop(
    hub: &Hub,
    staff: &StaffCaller,
    id: EventId,
    currency: Currency,
) -> Result<(), Problem> {
    let company = hub.boxoffice.company(staff.company).await?;
    let venue = hub.boxoffice.event(id).await?.venue_id;
    Ok(hub.open_sales(&company, venue, currency).await?)
}

/// A check-in list.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListView {
    #[schema(value_type = String)]
    list_id: CheckInListId,
    /// As in docs/ticketing.md.
    #[schema(value_type = Object)]
    terms: ListTerms,
}

impl From<CheckInList> for ListView {
    fn from(list: CheckInList) -> Self {
        Self { list_id: list.id, terms: list.terms }
    }
}

/// An event's check-in lists.
#[utoipa::path(get, path = "/api/v1/console/events/{event_id}/lists", tag = "setup",
    params(("event_id" = String, Path)),
    responses((status = 200, body = Vec<ListView>), (status = "4XX", body = Problem)))]
pub(crate) async fn lists(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf(id): PathOf<EventId>,
) -> Result<Json<Vec<ListView>>, Problem> {
    let lists = hub.boxoffice.check_in_lists(staff.company, id).await?;
    Ok(Json(lists.into_iter().map(ListView::from).collect()))
}

/// Add a check-in list.
#[utoipa::path(post, path = "/api/v1/console/events/{event_id}/lists", tag = "setup",
    request_body = Object, params(("event_id" = String, Path)),
    responses((status = 200, body = ListView), (status = "4XX", body = Problem)))]
pub(crate) async fn add_list(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf(id): PathOf<EventId>,
    Body(terms): Body<ListTerms>,
) -> Result<Json<ListView>, Problem> {
    let list = hub.boxoffice.create_check_in_list(staff.company, id, &terms).await?;
    hub.boxoffice.note_action(staff.user, Action::SetList, Some(id), "added").await?;
    Ok(Json(list.into()))
}

/// Change a check-in list; what entered before stays entered.
#[utoipa::path(put, path = "/api/v1/console/lists/{list_id}", tag = "setup",
    request_body = Object, params(("list_id" = String, Path)),
    responses((status = 200, body = ListView), (status = "4XX", body = Problem)))]
pub(crate) async fn set_list(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf(id): PathOf<CheckInListId>,
    Body(terms): Body<ListTerms>,
) -> Result<Json<ListView>, Problem> {
    let list = hub.boxoffice.set_check_in_list(staff.company, id, &terms).await?;
    let event = Some(list.event_id);
    hub.boxoffice.note_action(staff.user, Action::SetList, event, "changed").await?;
    Ok(Json(list.into()))
}

/// The name of a venue that is the company's.
async fn own_venue(hub: &Hub, staff: &StaffCaller, id: VenueId) -> Result<String, Problem> {
    let venue = hub.boxoffice.venue(id).await?;
    if venue.company_id == staff.company {
        Ok(venue.name)
    } else {
        Err(Problem::not_found("There is no such venue here. Check the id."))
    }
}

async fn note(
    hub: &Hub,
    staff: &StaffCaller,
    event: Option<EventId>,
    what: &str,
) -> Result<(), Problem> {
    Ok(hub.boxoffice.note_action(staff.user, Action::SetUp, event, what).await?)
}

/// A ticket to be tried at a device, at a moment.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ToExplain {
    /// The ticket's code.
    code: String,
    /// Where it would be shown.
    #[schema(value_type = String)]
    device_id: DeviceId,
    /// RFC 3339; now where it is not said.
    #[serde(default)]
    at: Option<String>,
}

/// What a ticket would be answered.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExplanationView {
    #[schema(value_type = String, examples("rules"))]
    outcome: &'static str,
    #[schema(value_type = Option<String>)]
    reason: Option<&'static str>,
    /// Every check that was made, in order.
    steps: Vec<StepView>,
}

/// What a ticket would be answered at a device, step by step. Nothing is recorded, nobody enters.
#[utoipa::path(post, path = "/api/v1/console/explain", request_body = ToExplain, tag = "setup",
    responses((status = 200, body = ExplanationView), (status = "4XX", body = Problem)))]
pub(crate) async fn explain(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    Body(asked): Body<ToExplain>,
) -> Result<Json<ExplanationView>, Problem> {
    let at = asked.at.as_deref().map_or_else(|| Ok(hub.clock.now()), time_of)?;
    let said = hub.boxoffice.explain(staff.company, asked.device_id, &asked.code, at).await?;
    Ok(Json(ExplanationView {
        outcome: said.outcome.as_str(),
        reason: said.reason.map(|reason| reason.as_str()),
        steps: said.steps.into_iter().map(StepView::from).collect(),
    }))
}

fn time_of(text: &str) -> Result<Timestamp, Problem> {
    let at = OffsetDateTime::parse(text, &Rfc3339);
    let micros = at.ok().and_then(|at| i64::try_from(at.unix_timestamp_nanos() / 1_000).ok());
    micros.map(Timestamp::from_micros).ok_or_else(|| {
        Problem::malformed(format!("{text:?} is no time; write 2026-11-22T19:30:00-07:00."))
    })
}
