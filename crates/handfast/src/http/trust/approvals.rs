//! Four eyes: one of the operators asks for what touches many people, another decides.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use handfast_boxoffice::{Approval, TicketExport, WideAct};
use handfast_model::{CompanyId, Timestamp};
use handfast_tlog::{AccessReason, Step};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::access::StaffCaller;
use crate::http::json::Time;
use crate::http::problem::{Body, PathOf, Problem};
use crate::hub::{Hub, SharedHub};

/// Whoever approves sees it done where it is done within this; after it they read `approved`.
const CARRIED_WITHIN: Duration = Duration::from_secs(1);

/// A request for something that touches many people.
#[derive(Serialize, ToSchema)]
pub(crate) struct ApprovalView {
    number: i64,
    /// `end_palms_of_event`, `switch_all_events`, `set_minimum_age`, `disclose` or `export_orders`,
    /// with what belongs to it.
    #[schema(value_type = Object)]
    act: WideAct,
    reason: String,
    asked_by: String,
    /// Whether it was the caller: then somebody else approves it.
    mine: bool,
    asked_at: Time,
    /// Until when it can be decided or, once approved, carried out.
    expires_at: Time,
    /// `waiting`, `approved` (it is being carried out, or is for whoever asked to carry out),
    /// `refused`, `done`, or `expired`.
    #[schema(value_type = String, examples("waiting"))]
    state: &'static str,
    decided_by: Option<String>,
    decided_at: Option<Time>,
}

impl ApprovalView {
    fn of(approval: Approval, staff: &StaffCaller, now: Timestamp) -> Self {
        use handfast_boxoffice::ApprovalState as State;
        let open = matches!(approval.state, State::Waiting | State::Approved)
            && !(approval.state == State::Approved && approval.act.is_immediate());
        let state =
            if open && approval.expires_at <= now { "expired" } else { approval.state.as_str() };
        Self {
            number: approval.number,
            act: approval.act,
            reason: approval.reason,
            asked_by: approval.asked_by_name,
            mine: approval.asked_by == staff.user,
            asked_at: approval.asked_at.into(),
            expires_at: approval.expires_at.into(),
            state,
            decided_by: approval.decided_by_name,
            decided_at: approval.decided_at.map(Time),
        }
    }
}

/// A new request.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewApproval {
    /// What is asked for, for example `{"act": "end_palms_of_event", "event_id": "evt_..."}`.
    #[schema(value_type = Object)]
    act: WideAct,
    /// Why.
    reason: String,
}

/// What was decided.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Deciding {
    /// `true` approves it, `false` refuses it (or takes one's own back).
    approve: bool,
}

/// The company's requests, the newest first.
#[utoipa::path(get, path = "/api/v1/console/approvals", tag = "console",
    responses((status = 200, body = Vec<ApprovalView>), (status = "4XX", body = Problem)))]
pub(crate) async fn all(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
) -> Result<Json<Vec<ApprovalView>>, Problem> {
    let now = hub.clock.now();
    let approvals = hub.boxoffice.approvals(staff.company).await?;
    Ok(Json(approvals.into_iter().map(|one| ApprovalView::of(one, &staff, now)).collect()))
}

/// Ask for something that touches many people. Somebody else approves it within a day.
#[utoipa::path(post, path = "/api/v1/console/approvals", request_body = NewApproval, tag = "console",
    responses((status = 201, body = ApprovalView), (status = "4XX", body = Problem)))]
pub(crate) async fn ask(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    Body(NewApproval { act, reason }): Body<NewApproval>,
) -> Result<(StatusCode, Json<ApprovalView>), Problem> {
    check(&hub, &staff, &act).await?;
    hub.boxoffice.may_ask(staff.user, &reason).await?;
    let people = hub.people_of(staff.company, &act).await?;
    hub.note_four_eyes(Step::Asked, &act, people).await?;
    let asked = hub.boxoffice.ask_approval(staff.user, &act, &reason).await?;
    Ok((StatusCode::CREATED, Json(ApprovalView::of(asked, &staff, hub.clock.now()))))
}

/// What is asked for is about things of the caller's company.
async fn check(hub: &Hub, staff: &StaffCaller, act: &WideAct) -> Result<(), Problem> {
    match act {
        WideAct::EndPalmsOfEvent { event_id } | WideAct::ExportOrders { event_id } => {
            let events = hub.boxoffice.events(staff.company).await?;
            if !events.iter().any(|event| event.id == *event_id) {
                return Err(Problem::not_found("There is no such event here; check the id."));
            }
        }
        WideAct::SetMinimumAge { venue_id, years } => {
            let venues = hub.boxoffice.venues(staff.company).await?;
            if !venues.iter().any(|venue| venue.id == *venue_id) {
                return Err(Problem::not_found("There is no such venue here; check the id."));
            }
            let law = hub.retention.minimum_age(None);
            if !(law..=handfast_boxoffice::AGE_YEARS_MAX).contains(years) {
                let max = handfast_boxoffice::AGE_YEARS_MAX;
                return Err(Problem::malformed(format!(
                    "A venue's minimum age is {law} (the law's here) to {max} years."
                )));
            }
        }
        WideAct::Disclose { people } if *people < 2 => {
            return Err(Problem::malformed(
                "What there is about one person is disclosed without an approval.",
            ));
        }
        WideAct::SwitchAllEvents { .. } | WideAct::Disclose { .. } => {}
    }
    Ok(())
}

/// Approve or refuse what somebody else asked for. What is carried out by itself is begun at once;
/// where that takes longer the answer says `approved`, and `done` comes later.
#[utoipa::path(post, path = "/api/v1/console/approvals/{number}", request_body = Deciding,
    params(("number" = i64, Path)), tag = "console",
    responses((status = 200, body = ApprovalView), (status = "4XX", body = Problem)))]
pub(crate) async fn decide(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf(number): PathOf<i64>,
    Body(Deciding { approve }): Body<Deciding>,
) -> Result<Json<ApprovalView>, Problem> {
    let asked = hub.boxoffice.approval(staff.company, number).await?;
    let people = hub.people_of(staff.company, &asked.act).await?;
    hub.boxoffice.may_decide(staff.user, number, approve).await?;
    let step = if approve { Step::Approved } else { Step::Refused };
    hub.note_four_eyes(step, &asked.act, people).await?;
    hub.boxoffice.decide_approval(staff.user, number, approve).await?;
    if approve {
        carry(&hub, staff.company, number).await;
    }
    let decided = hub.boxoffice.approval(staff.company, number).await?;
    Ok(Json(ApprovalView::of(decided, &staff, hub.clock.now())))
}

/// Begins to carry out what was approved, and waits for it a moment. Thousands of palms take longer;
/// what is cut short, the next round carries on.
async fn carry(hub: &SharedHub, company: CompanyId, number: i64) {
    let hub = hub.clone();
    let carrying = tokio::spawn(async move {
        if let Err(error) = hub.carry_approved_act(company, number).await {
            let error = anyhow::Error::from(error);
            tracing::error!(
                "what was approved is not carried out yet; tried again soon: {error:#}"
            );
        }
    });
    drop(tokio::time::timeout(CARRIED_WITHIN, carrying).await);
}

/// All tickets of an event with their holders, as CSV: once, for whoever asked, after the approval.
#[utoipa::path(post, path = "/api/v1/console/approvals/{number}/orders.csv",
    params(("number" = i64, Path)), tag = "console",
    responses((status = 200, body = String, content_type = "text/csv"),
              (status = "4XX", body = Problem)))]
pub(crate) async fn orders_csv(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf(number): PathOf<i64>,
) -> Result<Response, Problem> {
    let asked = hub.boxoffice.approval(staff.company, number).await?;
    let WideAct::ExportOrders { event_id } = asked.act else {
        return Err(Problem::conflict("This request is for something else than an export."));
    };
    if asked.asked_by != staff.user {
        return Err(Problem::forbidden("Whoever asked for the export takes it."));
    }
    // Read first: what cannot be read uses no approval up. Of two who ask at once one goes on, and
    // nothing is logged for the other.
    let TicketExport { tickets, csv } =
        hub.boxoffice.export_tickets(staff.company, event_id).await?;
    hub.boxoffice.use_approval(staff.company, number, &asked.act).await?;
    hub.note_staff_access(&staff, AccessReason::Audit, tickets).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"orders.csv\""),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, csv).into_response())
}
