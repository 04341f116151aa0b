//! What supervisors do: look a ticket up, let somebody pass, take a use back with a second person,
//! hold a ticket back. Each is recorded with who and why.

use axum::Json;
use axum::extract::State;
use handfast_boxoffice::{
    AdmissionTerms, ForcedPassage, FoundTicket, PassedBy, Passing, RefusedAttempt, StaffAction,
    TicketHistory, TicketState,
};
use handfast_model::{AdmissionId, DeviceId, EventId, OrderId, TicketId};
use handfast_tlog::AccessReason;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::admissions::VerdictView;
use super::tickets::EventView;
use crate::http::access::StaffCaller;
use crate::http::json::Time;
use crate::http::problem::{Body, PathOf, Problem, QueryOf};
use crate::hub::SharedHub;

/// Actions that are listed.
const ACTIONS_SHOWN: u32 = 100;

/// What to look for.
#[derive(Deserialize)]
pub(crate) struct Wanted {
    text: String,
}

/// A ticket with its holder.
#[derive(Serialize, ToSchema)]
pub(crate) struct FoundView {
    #[schema(value_type = String)]
    ticket_id: TicketId,
    #[schema(value_type = String)]
    order_id: OrderId,
    reference: Option<String>,
    name: String,
    email: String,
    product: String,
    /// `valid`, `unpaid`, `unapproved`, `cancelled`, `revoked` or `blocked`.
    #[schema(value_type = String, examples("valid"))]
    state: &'static str,
    party_size: u32,
    entered: u32,
}

impl From<FoundTicket> for FoundView {
    fn from(found: FoundTicket) -> Self {
        Self {
            ticket_id: found.ticket_id,
            order_id: found.order_id,
            reference: found.reference,
            name: found.name,
            email: found.email.as_str().to_owned(),
            product: found.product,
            state: found.standing.as_str(),
            party_size: found.party_size,
            entered: found.entered,
        }
    }
}

/// Tickets by their holder's name or mail address, or their order: at least three letters.
#[utoipa::path(get, path = "/api/v1/console/events/{event_id}/tickets", tag = "console",
    params(("event_id" = String, Path), ("text" = String, Query)),
    responses((status = 200, body = Vec<FoundView>), (status = "4XX", body = Problem)))]
pub(crate) async fn search(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf(id): PathOf<EventId>,
    QueryOf(wanted): QueryOf<Wanted>,
) -> Result<Json<Vec<FoundView>>, Problem> {
    let found = hub.boxoffice.search_tickets(staff.user, id, &wanted.text).await?;
    hub.note_staff_access(&staff, AccessReason::Support, found.len()).await?;
    Ok(Json(found.into_iter().map(FoundView::from).collect()))
}

/// Everything that happened on a ticket.
#[derive(Serialize, ToSchema)]
pub(crate) struct HistoryView {
    event: EventView,
    product: String,
    passages: Vec<PassageView>,
    refused: Vec<RefusedView>,
}

/// A passage.
#[derive(Serialize, ToSchema)]
pub(crate) struct PassageView {
    #[schema(value_type = String)]
    admission_id: AdmissionId,
    at: Time,
    /// `entry` or `exit`.
    #[schema(value_type = String, examples("entry"))]
    passing: &'static str,
    people: u32,
    /// `palm`, `code` or `staff`.
    #[schema(value_type = String, examples("code"))]
    method: &'static str,
    gate_name: Option<String>,
    lane_name: Option<String>,
    device_name: String,
    /// Whether the device decided alone.
    offline: bool,
    #[schema(value_type = Option<String>)]
    note: Option<&'static str>,
    annulled_at: Option<Time>,
    /// Who wants it taken back, until a second agrees.
    correction_by: Option<String>,
}

/// A refused attempt.
#[derive(Serialize, ToSchema)]
pub(crate) struct RefusedView {
    at: Time,
    #[schema(value_type = String, examples("already_redeemed"))]
    outcome: &'static str,
    #[schema(value_type = Option<String>)]
    reason: Option<&'static str>,
    device_name: String,
}

impl From<PassedBy> for PassageView {
    fn from(passed: PassedBy) -> Self {
        Self {
            admission_id: passed.admission_id,
            at: passed.at.into(),
            passing: passed.passing.as_str(),
            people: passed.people,
            method: passed.method.as_str(),
            gate_name: passed.gate_name,
            lane_name: passed.lane_name,
            device_name: passed.device_name,
            offline: passed.offline,
            note: passed.note.map(|note| note.as_str()),
            annulled_at: passed.annulled_at.map(Time),
            correction_by: passed.correction_by,
        }
    }
}

impl From<RefusedAttempt> for RefusedView {
    fn from(refused: RefusedAttempt) -> Self {
        Self {
            at: refused.at.into(),
            outcome: refused.outcome.as_str(),
            reason: refused.reason.map(|reason| reason.as_str()),
            device_name: refused.device_name,
        }
    }
}

impl From<TicketHistory> for HistoryView {
    fn from(history: TicketHistory) -> Self {
        Self {
            event: history.event.into(),
            product: history.product,
            passages: history.passages.into_iter().map(PassageView::from).collect(),
            refused: history.refused.into_iter().map(RefusedView::from).collect(),
        }
    }
}

/// Every use of a ticket, for a dispute ("it says used, I was not here").
#[utoipa::path(get, path = "/api/v1/console/tickets/{ticket_id}", tag = "console",
    params(("ticket_id" = String, Path)),
    responses((status = 200, body = HistoryView), (status = "4XX", body = Problem)))]
pub(crate) async fn history(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf(id): PathOf<TicketId>,
) -> Result<Json<HistoryView>, Problem> {
    let history = hub.boxoffice.ticket_history(staff.company, id).await?;
    hub.note_staff_access(&staff, AccessReason::Support, 1).await?;
    Ok(Json(history.into()))
}

/// A supervisor's decision.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Forced {
    /// At which device the person stands.
    #[schema(value_type = String)]
    device_id: DeviceId,
    nonce: String,
    reason: String,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    passing: Option<Passing>,
    #[serde(default)]
    people: Option<u8>,
}

/// Let people pass on a ticket whatever the rule says.
#[utoipa::path(post, path = "/api/v1/console/tickets/{ticket_id}/force", request_body = Forced, tag = "console",
    params(("ticket_id" = String, Path)),
    responses((status = 200, body = VerdictView), (status = "4XX", body = Problem)))]
pub(crate) async fn force(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf(id): PathOf<TicketId>,
    Body(forced): Body<Forced>,
) -> Result<Json<VerdictView>, Problem> {
    let passage = ForcedPassage {
        staff_user_id: staff.user,
        device_id: forced.device_id,
        ticket_id: id,
        nonce: &forced.nonce,
        reason: &forced.reason,
    };
    let terms = AdmissionTerms {
        passing: forced.passing,
        people: forced.people,
        ..AdmissionTerms::default()
    };
    Ok(Json(hub.boxoffice.force(&passage, terms).await?.into()))
}

/// Why.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Why {
    reason: String,
}

/// Whether a correction is done.
#[derive(Serialize, ToSchema)]
pub(crate) struct CorrectionView {
    /// `false`: noted, and done once somebody else asks for the same.
    done: bool,
}

/// Take a use back: done once two staff users asked for it.
#[utoipa::path(post, path = "/api/v1/console/admissions/{admission_id}/correct", request_body = Why, tag = "console",
    params(("admission_id" = String, Path)),
    responses((status = 200, body = CorrectionView), (status = "4XX", body = Problem)))]
pub(crate) async fn correct(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf(id): PathOf<AdmissionId>,
    Body(why): Body<Why>,
) -> Result<Json<CorrectionView>, Problem> {
    let done = hub.boxoffice.correct(staff.user, id, &why.reason).await?;
    Ok(Json(CorrectionView { done }))
}

/// What a ticket shall be worth.
#[derive(Deserialize, ToSchema)]
pub(crate) struct TicketChange {
    /// `valid`, `cancelled`, `revoked` or `blocked`.
    #[schema(value_type = String, examples("blocked"))]
    state: TicketState,
    reason: String,
}

/// Cancel, revoke, block or release a ticket.
#[utoipa::path(patch, path = "/api/v1/console/tickets/{ticket_id}", request_body = TicketChange, tag = "console",
    params(("ticket_id" = String, Path)),
    responses((status = 200, body = HistoryView), (status = "4XX", body = Problem)))]
pub(crate) async fn set_state(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf(id): PathOf<TicketId>,
    Body(change): Body<TicketChange>,
) -> Result<Json<HistoryView>, Problem> {
    let TicketChange { state, reason } = change;
    hub.boxoffice.set_ticket_as_staff(staff.user, id, state, &reason).await?;
    let history = hub.boxoffice.ticket_history(staff.company, id).await?;
    // A palm that was armed for the ticket alone is disarmed, or armed again.
    tokio::spawn(async move {
        if let Err(error) = hub.carry_armings().await {
            tracing::error!(%error, "armings could not all be carried; tried again soon");
        }
    });
    Ok(Json(history.into()))
}

/// A staff action.
#[derive(Serialize, ToSchema)]
pub(crate) struct ActionView {
    number: i64,
    at: Time,
    #[schema(value_type = String, examples("force"))]
    action: &'static str,
    name: String,
    second_name: Option<String>,
    #[schema(value_type = Option<String>)]
    ticket_id: Option<TicketId>,
    reason: String,
}

impl From<StaffAction> for ActionView {
    fn from(action: StaffAction) -> Self {
        Self {
            number: action.number,
            at: action.at.into(),
            action: action.action.as_str(),
            name: action.name,
            second_name: action.second_name,
            ticket_id: action.ticket_id,
            reason: action.reason,
        }
    }
}

/// The newest staff actions.
#[utoipa::path(get, path = "/api/v1/console/actions", tag = "console",
    responses((status = 200, body = Vec<ActionView>), (status = "4XX", body = Problem)))]
pub(crate) async fn actions(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
) -> Result<Json<Vec<ActionView>>, Problem> {
    let actions = hub.boxoffice.staff_actions(staff.company, ACTIONS_SHOWN).await?;
    Ok(Json(actions.into_iter().map(ActionView::from).collect()))
}
