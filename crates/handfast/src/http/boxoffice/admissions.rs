//! The agent's scan: one code, one verdict. A refusal is an answer, not an error.

use axum::Json;
use axum::extract::State;
use handfast_boxoffice::{AdmissionRequest, Presented, Verdict};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::tickets::EntryView;
use crate::http::access::DeviceCaller;
use crate::http::problem::{Body, Problem};
use crate::hub::SharedHub;

/// A code that was scanned or typed.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Scan {
    code: String,
    /// Fresh for each scan, the same for its repetition: a double tap is decided once.
    nonce: String,
}

/// The verdict.
#[derive(Serialize, ToSchema)]
pub(crate) struct VerdictView {
    /// `ok`, `already_redeemed`, `unpaid`, `cancelled`, `product`, `rules`, `revoked`, `blocked`,
    /// `invalid`, `ambiguous` or `incomplete` (the words of pretix's check-in).
    #[schema(value_type = String, examples("ok"))]
    outcome: &'static str,
    /// Finer than the outcome, where it is a refusal.
    #[schema(value_type = Option<String>, examples("unknown_code"))]
    reason: Option<&'static str>,
    product: Option<String>,
    event_name: Option<String>,
    /// The entry there was before, where the ticket was redeemed.
    previous: Option<EntryView>,
    /// Whether this is the answer to an earlier request with the same nonce.
    repeated: bool,
}

impl From<Verdict> for VerdictView {
    fn from(verdict: Verdict) -> Self {
        Self {
            outcome: verdict.outcome.as_str(),
            reason: verdict.reason.map(|reason| reason.as_str()),
            product: verdict.product,
            event_name: verdict.event_name,
            previous: verdict.previous.map(EntryView::from),
            repeated: verdict.repeated,
        }
    }
}

/// Redeem a ticket by its code, at this device's lane.
#[utoipa::path(post, path = "/api/v1/admissions", tag = "device",
    responses((status = 200, body = VerdictView), (status = "4XX", body = Problem)))]
pub(crate) async fn redeem(
    State(hub): State<SharedHub>,
    device: DeviceCaller,
    Body(scan): Body<Scan>,
) -> Result<Json<VerdictView>, Problem> {
    let request = AdmissionRequest {
        device_id: device.id,
        nonce: &scan.nonce,
        presented: Presented::Code(&scan.code),
    };
    Ok(Json(hub.boxoffice.admit(&request).await?.into()))
}
