//! An event's figures: who is inside, what was admitted twice, the end of the night, the printed
//! list for a night without computers.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use handfast_boxoffice::{DoubleEntry, DoubleUse, Occupancy, ProductSettlement, table_pdf};
use handfast_model::{AreaId, EventId, TicketId};
use handfast_tlog::AccessReason;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::access::StaffCaller;
use crate::http::json::{Time, rfc3339};
use crate::http::problem::{PathOf, Problem};
use crate::hub::SharedHub;

/// People inside.
#[derive(Serialize, ToSchema)]
pub(crate) struct OccupancyView {
    venue: u64,
    areas: Vec<AreaView>,
}

/// People inside an area.
#[derive(Serialize, ToSchema)]
pub(crate) struct AreaView {
    #[schema(value_type = String)]
    area_id: AreaId,
    name: String,
    people: u64,
}

impl From<Occupancy> for OccupancyView {
    fn from(occupancy: Occupancy) -> Self {
        let areas = occupancy.areas.into_iter().map(|area| AreaView {
            area_id: area.area_id,
            name: area.name,
            people: area.people,
        });
        Self { venue: occupancy.venue, areas: areas.collect() }
    }
}

/// How many people are inside, in all and by area.
#[utoipa::path(get, path = "/api/v1/console/events/{event_id}/occupancy", tag = "console",
    params(("event_id" = String, Path)),
    responses((status = 200, body = OccupancyView), (status = "4XX", body = Problem)))]
pub(crate) async fn occupancy(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf(id): PathOf<EventId>,
) -> Result<Json<OccupancyView>, Problem> {
    Ok(Json(hub.boxoffice.occupancy(staff.company, id).await?.into()))
}

/// A ticket that was let in beyond its right.
#[derive(Serialize, ToSchema)]
pub(crate) struct DoubleView {
    #[schema(value_type = String)]
    ticket_id: TicketId,
    product: String,
    people_too_many: u32,
    first: DoubleUseView,
    second: DoubleUseView,
}

/// One of its uses.
#[derive(Serialize, ToSchema)]
pub(crate) struct DoubleUseView {
    at: Time,
    gate_name: Option<String>,
    lane_name: Option<String>,
    device_name: String,
    offline: bool,
}

impl From<DoubleUse> for DoubleUseView {
    fn from(of: DoubleUse) -> Self {
        Self {
            at: of.at.into(),
            gate_name: of.gate_name,
            lane_name: of.lane_name,
            device_name: of.device_name,
            offline: of.offline,
        }
    }
}

impl From<DoubleEntry> for DoubleView {
    fn from(double: DoubleEntry) -> Self {
        Self {
            ticket_id: double.ticket_id,
            product: double.product,
            people_too_many: double.people_too_many,
            first: double.first.into(),
            second: double.second.into(),
        }
    }
}

/// Every entry beyond a ticket's right: what lanes let in twice while they could not ask.
#[utoipa::path(get, path = "/api/v1/console/events/{event_id}/doubles", tag = "console",
    params(("event_id" = String, Path)),
    responses((status = 200, body = Vec<DoubleView>), (status = "4XX", body = Problem)))]
pub(crate) async fn doubles(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf(id): PathOf<EventId>,
) -> Result<Json<Vec<DoubleView>>, Problem> {
    let doubles = hub.boxoffice.double_entries(staff.company, id).await?;
    Ok(Json(doubles.into_iter().map(DoubleView::from).collect()))
}

/// One product's end-of-night figures, in people.
#[derive(Serialize, ToSchema)]
pub(crate) struct SettlementView {
    product: String,
    sold: u64,
    entered: u64,
    /// Beyond a ticket's right: by force, or during a partition.
    beyond: u64,
    no_show: u64,
    cancelled: u64,
}

impl From<ProductSettlement> for SettlementView {
    fn from(row: ProductSettlement) -> Self {
        let ProductSettlement { product, sold, entered, beyond, no_show, cancelled } = row;
        Self { product, sold, entered, beyond, no_show, cancelled }
    }
}

/// What was sold and who entered, by product.
#[utoipa::path(get, path = "/api/v1/console/events/{event_id}/settlement", tag = "console",
    params(("event_id" = String, Path)),
    responses((status = 200, body = Vec<SettlementView>), (status = "4XX", body = Problem)))]
pub(crate) async fn settlement(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf(id): PathOf<EventId>,
) -> Result<Json<Vec<SettlementView>>, Problem> {
    let settlement = hub.boxoffice.settlement(staff.company, id).await?;
    Ok(Json(settlement.products.into_iter().map(SettlementView::from).collect()))
}

/// The same as a file for a spreadsheet.
#[utoipa::path(get, path = "/api/v1/console/events/{event_id}/settlement.csv", tag = "console",
    params(("event_id" = String, Path)),
    responses((status = 200, body = String, content_type = "text/csv"),
              (status = "4XX", body = Problem)))]
pub(crate) async fn settlement_csv(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf(id): PathOf<EventId>,
) -> Result<Response, Problem> {
    let settlement = hub.boxoffice.settlement(staff.company, id).await?;
    Ok(file("text/csv; charset=utf-8", "settlement.csv", settlement.to_csv()?))
}

/// The same to be printed.
#[utoipa::path(get, path = "/api/v1/console/events/{event_id}/settlement.pdf", tag = "console",
    params(("event_id" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/pdf"),
              (status = "4XX", body = Problem)))]
pub(crate) async fn settlement_pdf(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf(id): PathOf<EventId>,
) -> Result<Response, Problem> {
    let settlement = hub.boxoffice.settlement(staff.company, id).await?;
    let rows: Vec<Vec<String>> = settlement
        .products
        .iter()
        .map(|row| {
            let numbers = [row.sold, row.entered, row.beyond, row.no_show, row.cancelled];
            let numbers = numbers.into_iter().map(|number| number.to_string());
            std::iter::once(row.product.clone()).chain(numbers).collect()
        })
        .collect();
    let title = format!("{}, {}", settlement.event.name, rfc3339(hub.clock.now()));
    let header = ["Product", "Sold", "Entered", "Beyond", "No-show", "Cancelled"];
    let pdf = table_pdf(&title, &header, &[185.0, 60.0, 60.0, 60.0, 60.0, 60.0], &rows);
    Ok(file("application/pdf", "settlement.pdf", pdf))
}

/// Every good ticket by its holder's name, to be printed before the doors.
#[utoipa::path(get, path = "/api/v1/console/events/{event_id}/fallback.pdf", tag = "console",
    params(("event_id" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/pdf"),
              (status = "4XX", body = Problem)))]
pub(crate) async fn fallback_pdf(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf(id): PathOf<EventId>,
) -> Result<Response, Problem> {
    let lines = hub.boxoffice.fallback_list(staff.company, id).await?;
    hub.note_staff_access(&staff, AccessReason::Incident, lines.len()).await?;
    let event = hub.boxoffice.event(id).await?;
    let rows: Vec<Vec<String>> = lines
        .into_iter()
        .map(|line| {
            let entered = if line.entered > 0 { line.entered.to_string() } else { String::new() };
            vec![line.name, line.product, line.people.to_string(), line.code_end, entered]
        })
        .collect();
    let title = format!("{}, {}", event.name, rfc3339(hub.clock.now()));
    let header = ["Name", "Product", "People", "Code ends", "Entered"];
    let pdf = table_pdf(&title, &header, &[190.0, 130.0, 50.0, 70.0, 45.0], &rows);
    Ok(file("application/pdf", "fallback.pdf", pdf))
}

fn file(media_type: &'static str, name: &'static str, content: Vec<u8>) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    (
        [(header::CONTENT_TYPE, media_type.to_owned()), (header::CONTENT_DISPOSITION, disposition)],
        content,
    )
        .into_response()
}
