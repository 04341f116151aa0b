//! Confirming or undoing a link from the mail that told of it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use handfast_boxoffice::Decision;
use handfast_tlog::DeletionCause;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::json::Time;
use crate::http::problem::{Body, PathOf, Problem};
use crate::hub::SharedHub;

/// What the mail asks about.
#[derive(Serialize, ToSchema)]
pub(crate) struct Question {
    event_name: String,
    product: String,
    venue_name: String,
    created_at: Time,
    #[schema(value_type = String, examples("pending"))]
    state: &'static str,
}

/// The link that a mail's key is about.
#[utoipa::path(get, path = "/api/v1/link-decisions/{key}", tag = "portal",
    params(("key" = String, Path)),
    responses((status = 200, body = Question), (status = "4XX", body = Problem)))]
pub(crate) async fn question(
    State(hub): State<SharedHub>,
    PathOf(key): PathOf<String>,
) -> Result<Json<Question>, Problem> {
    let question = hub.boxoffice.link_question(&key).await?;
    Ok(Json(Question {
        event_name: question.event_name,
        product: question.product,
        venue_name: question.venue_name,
        created_at: question.created_at.into(),
        state: question.state.as_str(),
    }))
}

/// The holder's answer.
#[derive(Deserialize, ToSchema)]
pub(crate) struct DecisionBody {
    /// `confirm`, `companion` (somebody who came along: that ticket alone) or `undo`.
    #[schema(value_type = String, examples("confirm"))]
    decision: Decision,
}

/// Confirm the link, or undo it: then its palm is destroyed.
#[utoipa::path(post, path = "/api/v1/link-decisions/{key}", request_body = DecisionBody, tag = "portal",
    params(("key" = String, Path)),
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(crate) async fn decide(
    State(hub): State<SharedHub>,
    PathOf(key): PathOf<String>,
    Body(body): Body<DecisionBody>,
) -> Result<StatusCode, Problem> {
    match hub.boxoffice.decide_link(&key, body.decision).await? {
        Some(due) => {
            hub.carry_deletion(&due, DeletionCause::Person).await?;
        }
        None => hub.carry_armings().await?,
    }
    Ok(StatusCode::NO_CONTENT)
}
