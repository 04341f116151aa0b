//! A lane that decides alone when this service does not answer: its copy, and its queue.

use axum::Json;
use axum::extract::State;
use handfast_boxoffice::{LaneCopy, LaneQueue};
use handfast_model::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::access::DeviceCaller;
use crate::http::problem::{Body, Problem, QueryOf};
use crate::hub::SharedHub;

/// Since when.
#[derive(Deserialize)]
pub(crate) struct Since {
    /// The `as_of` of the last copy, in microseconds; everything without.
    since: Option<Timestamp>,
}

/// What a lane decides from: all of tonight's tickets without their holders, or what changed.
#[utoipa::path(get, path = "/api/v1/lane/copy", tag = "device",
    params(("since" = Option<i64>, Query, description = "`as_of` of the last copy")),
    responses((status = 200, body = Object, description = "version 1, see docs/ticketing.md"),
              (status = "4XX", body = Problem)))]
pub(crate) async fn copy(
    State(hub): State<SharedHub>,
    device: DeviceCaller,
    QueryOf(since): QueryOf<Since>,
) -> Result<Json<LaneCopy>, Problem> {
    Ok(Json(hub.boxoffice.lane_copy(device.id, since.since).await?))
}

/// What became of a queue.
#[derive(Serialize, ToSchema)]
pub(crate) struct MergedView {
    /// Attempts that were new here; the others had arrived before.
    merged: u64,
}

/// Hand over what the lane decided alone, at most 25 attempts; sending it again changes nothing.
#[utoipa::path(post, path = "/api/v1/lane/queue", tag = "device", request_body = Object,
    responses((status = 200, body = MergedView), (status = "4XX", body = Problem)))]
pub(crate) async fn queue(
    State(hub): State<SharedHub>,
    device: DeviceCaller,
    Body(queue): Body<LaneQueue>,
) -> Result<Json<MergedView>, Problem> {
    Ok(Json(MergedView { merged: hub.boxoffice.merge_lane(device.id, &queue).await? }))
}
