//! The transparency report: what happened month by month, counted from the public leaves alone.

use axum::Json;
use axum::extract::State;
use handfast_tlog::{DeletionCause, DemandOutcome, Month, MonthCounts, TransparencyReport};
use serde::Serialize;
use tokio::sync::Mutex;
use utoipa::ToSchema;

use crate::http::problem::Problem;
use crate::hub::SharedHub;

/// Counts so far, so that each leaf is read once.
#[derive(Debug, Default)]
pub(crate) struct CountedSoFar(Mutex<(u64, TransparencyReport)>);

/// The report.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReportView {
    /// Leaves that were counted.
    leaves: u64,
    /// The oldest month first; months without leaves are not there.
    months: Vec<MonthView>,
}

/// One month.
#[derive(Serialize, ToSchema)]
pub(crate) struct MonthView {
    /// Year and month in UTC.
    #[schema(examples("2026-11"))]
    month: String,
    /// Palms enrolled.
    enrolled: u64,
    /// Searches of a gallery.
    searches: u64,
    /// Palms deleted because their person, or staff for them, wanted it.
    deleted_by_person: u64,
    /// Palms deleted by the end of an event or consent, or because nobody used them.
    deleted_by_policy: u64,
    /// Authorities' demands that arrived.
    demands_received: u64,
    /// Demands to which nothing was handed over.
    demands_refused: u64,
    /// Demands to which something was handed over.
    demands_answered: u64,
    /// People whom answered demands were about.
    people_handed_over: u64,
    /// How often staff read personal data.
    staff_reads: u64,
    /// Events at which palms were forbidden.
    forbidden_events: u64,
}

impl MonthView {
    fn of(month: Month, counts: &MonthCounts) -> Self {
        let deleted = |wanted: fn(&DeletionCause) -> bool| {
            counts.deleted.iter().filter(|(cause, _)| wanted(cause)).map(|(_, count)| count).sum()
        };
        let by_person =
            |cause: &DeletionCause| matches!(cause, DeletionCause::Person | DeletionCause::Staff);
        let demands = |outcome| counts.demands.get(&outcome).copied().unwrap_or_default();
        Self {
            month: month.to_string(),
            enrolled: counts.enrolled,
            searches: counts.searches,
            deleted_by_person: deleted(by_person),
            deleted_by_policy: deleted(|cause| {
                !matches!(cause, DeletionCause::Person | DeletionCause::Staff)
            }),
            demands_received: demands(DemandOutcome::Received),
            demands_refused: demands(DemandOutcome::Refused),
            demands_answered: demands(DemandOutcome::Answered),
            people_handed_over: counts.people_handed_over,
            staff_reads: counts.staff_reads,
            forbidden_events: counts.forbidden_events,
        }
    }
}

/// What happened month by month. `handfast verify log` counts the same from the log's files.
#[utoipa::path(get, path = "/api/v1/transparency", tag = "log",
    responses((status = 200, body = ReportView), (status = "5XX", body = Problem)))]
pub(crate) async fn report(State(hub): State<SharedHub>) -> Result<Json<ReportView>, Problem> {
    let mut counted = hub.counted.0.lock().await;
    let (from, report) = counted.clone();
    let (leaves, report) =
        hub.trust.read_from(from, report, TransparencyReport::add).await.map_err(|error| {
            Problem::from_failure(&error);
            Problem::unavailable("The log cannot be read. Try again later.")
        })?;
    let months = report.months().map(|(month, counts)| MonthView::of(month, counts)).collect();
    *counted = (leaves, report);
    Ok(Json(ReportView { leaves, months }))
}
