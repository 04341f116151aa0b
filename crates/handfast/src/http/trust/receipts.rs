//! Every leaf about a fan's palms, each with a receipt that anybody can check with no network.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use handfast_model::LinkId;
use handfast_tlog::Statement;
use handfast_trust::{ReceiptLine, ReceiptState};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::http::access::FanCaller;
use crate::http::json::Time;
use crate::http::problem::{PathOf, Problem};
use crate::hub::{Hub, SharedHub};

/// One leaf about a palm.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReceiptLineView {
    /// The palm link that it is about.
    #[schema(value_type = String)]
    link_id: LinkId,
    /// Its place in the log; none while it is owed.
    position: Option<u64>,
    at: Time,
    /// `enrol`, `arm`, `disarm`, `identify` or `delete`.
    #[schema(value_type = String, examples("identify"))]
    kind: &'static str,
    /// How many palms it was compared with, for `identify`.
    searched: Option<u32>,
    /// What opens the leaf: a consent record (JSON-LD), a use, a deletion.
    #[schema(value_type = Object)]
    record: Box<RawValue>,
    /// `promised`, then `proven` once a receipt can be had.
    #[schema(value_type = String, examples("proven"))]
    state: &'static str,
}

impl ReceiptLineView {
    fn of(link_id: LinkId, line: ReceiptLine) -> Result<Self, Problem> {
        let searched = match line.statement {
            Statement::Identify { searched, .. } => Some(searched),
            _ => None,
        };
        let record = RawValue::from_string(line.record);
        Ok(Self {
            link_id,
            position: line.position,
            at: line.at.into(),
            kind: kind_of(&line.statement),
            searched,
            record: record.map_err(|error| Problem::from_failure(&error))?,
            state: match line.state {
                ReceiptState::Promised => "promised",
                ReceiptState::Proven => "proven",
            },
        })
    }
}

const fn kind_of(statement: &Statement) -> &'static str {
    match statement {
        Statement::Enrol { .. } => "enrol",
        Statement::Arm { .. } => "arm",
        Statement::Disarm { .. } => "disarm",
        Statement::Identify { .. } => "identify",
        Statement::Delete { .. } => "delete",
        _ => "other",
    }
}

/// Everything the log holds about my palms, deleted ones included, newest first.
#[utoipa::path(get, path = "/api/v1/me/receipts", tag = "portal",
    responses((status = 200, body = Vec<ReceiptLineView>), (status = "4XX", body = Problem)))]
pub(crate) async fn mine(
    State(hub): State<SharedHub>,
    fan: FanCaller,
) -> Result<Json<Vec<ReceiptLineView>>, Problem> {
    let mut views = Vec::new();
    for link in hub.boxoffice.links_ever(fan.account).await? {
        for line in hub.trust.receipts(link).await? {
            views.push(ReceiptLineView::of(link, line)?);
        }
    }
    views.sort_by_key(|view| std::cmp::Reverse((view.at.0, view.position)));
    Ok(Json(views))
}

/// One receipt: a `.tlog-proof` file, checked by `handfast verify receipt`.
#[utoipa::path(get, path = "/api/v1/me/receipts/{link_id}/{position}", tag = "portal",
    params(("link_id" = String, Path), ("position" = u64, Path)),
    responses((status = 200, body = String, content_type = "text/plain"), (status = "4XX", body = Problem)))]
pub(crate) async fn one(
    State(hub): State<SharedHub>,
    fan: FanCaller,
    PathOf((link, position)): PathOf<(LinkId, u64)>,
) -> Result<Response, Problem> {
    own(&hub, &fan, link).await?;
    let receipt = hub.trust.receipt(link, position).await?.to_string();
    let name = format!("attachment; filename=\"handfast-{position}.tlog-proof\"");
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, name),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, receipt).into_response())
}

async fn own(hub: &Hub, fan: &FanCaller, link: LinkId) -> Result<(), Problem> {
    match hub.boxoffice.links_ever(fan.account).await?.contains(&link) {
        true => Ok(()),
        false => Err(Problem::not_found("There is no such palm link of yours.")),
    }
}
