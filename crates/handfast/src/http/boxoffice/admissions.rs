//! The agent's scan: one code, one verdict. A refusal is an answer, not an error.

use axum::Json;
use axum::extract::State;
use handfast_boxoffice::{
    AdmissionRequest, AdmissionTerms, Passing, Presented, Question, Step, Verdict,
};
use handfast_model::{AdmissionId, QuestionId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::tickets::EntryView;
use crate::http::access::DeviceCaller;
use crate::http::json::Time;
use crate::http::problem::{Body, Problem};
use crate::hub::SharedHub;

/// A code that was scanned or typed.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Scan {
    pub(super) code: String,
    /// Fresh for each scan, the same for its repetition: a double tap is decided once.
    pub(super) nonce: String,
    /// `entry` or `exit`; the lane's own way without.
    #[serde(default)]
    #[schema(value_type = Option<String>, examples("entry"))]
    passing: Option<Passing>,
    /// How many people pass on a ticket for several.
    #[serde(default)]
    people: Option<u8>,
    /// Answers to the event's questions.
    #[serde(default)]
    answers: Vec<AnswerBody>,
    /// Whether the verdict explains itself, step by step.
    #[serde(default)]
    explain: bool,
}

/// An answer to a question.
#[derive(Deserialize, ToSchema)]
pub(crate) struct AnswerBody {
    #[schema(value_type = String)]
    question_id: QuestionId,
    /// `yes` to be confirmed, one of the choices, or a line of text.
    answer: String,
}

/// The verdict.
#[derive(Serialize, ToSchema)]
pub(crate) struct VerdictView {
    #[schema(value_type = String)]
    admission_id: AdmissionId,
    /// `ok`, `already_redeemed`, `unpaid`, `unapproved`, `cancelled`, `product`, `rules`,
    /// `invalid_time`, `revoked`, `blocked`, `invalid`, `ambiguous`, `incomplete` or `annulled` (the
    /// words of pretix's check-in).
    #[schema(value_type = String, examples("ok"))]
    outcome: &'static str,
    /// Finer than the outcome, where it is a refusal.
    #[schema(value_type = Option<String>, examples("unknown_code"))]
    reason: Option<&'static str>,
    /// `entry` or `exit`.
    #[schema(value_type = String, examples("entry"))]
    passing: &'static str,
    /// How many people pass.
    people: u8,
    /// How many could pass on this ticket for several.
    available: u8,
    /// `inside_already`, `nobody_inside` or `forced`: worth knowing of a passage that was allowed.
    #[schema(value_type = Option<String>)]
    note: Option<&'static str>,
    product: Option<String>,
    event_name: Option<String>,
    /// The entry there was before, where the ticket was redeemed.
    previous: Option<EntryView>,
    /// What has to be answered first.
    questions: Vec<QuestionView>,
    /// Every check that was made, where that was asked for.
    steps: Vec<StepView>,
    /// Whether this is the answer to an earlier request with the same nonce.
    repeated: bool,
    /// Since when the lane that answered decides alone; absent from the service itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) offline_since: Option<Time>,
}

/// A question to be asked.
#[derive(Serialize, ToSchema)]
pub(crate) struct QuestionView {
    #[schema(value_type = String)]
    question_id: QuestionId,
    text: String,
    /// `confirm`, `choice` or `text`.
    #[schema(value_type = String, examples("confirm"))]
    kind: &'static str,
    choices: Vec<String>,
}

/// A check that was made.
#[derive(Serialize, ToSchema)]
pub(crate) struct StepView {
    #[schema(value_type = String, examples("paid"))]
    check: &'static str,
    passed: bool,
    detail: String,
}

impl From<Question> for QuestionView {
    fn from(question: Question) -> Self {
        Self {
            question_id: question.id,
            text: question.text,
            kind: question.kind.as_str(),
            choices: question.choices,
        }
    }
}

impl From<Step> for StepView {
    fn from(step: Step) -> Self {
        Self { check: step.check.as_str(), passed: step.passed, detail: step.detail }
    }
}

impl From<Verdict> for VerdictView {
    fn from(verdict: Verdict) -> Self {
        Self {
            admission_id: verdict.admission_id,
            outcome: verdict.outcome.as_str(),
            reason: verdict.reason.map(|reason| reason.as_str()),
            passing: verdict.passing.as_str(),
            people: verdict.people,
            available: verdict.available,
            note: verdict.note.map(|note| note.as_str()),
            product: verdict.product,
            event_name: verdict.event_name,
            previous: verdict.previous.map(EntryView::from),
            questions: verdict.questions.into_iter().map(QuestionView::from).collect(),
            steps: verdict.steps.into_iter().map(StepView::from).collect(),
            repeated: verdict.repeated,
            offline_since: None,
        }
    }
}

/// Redeem a ticket by its code, at this device's lane.
#[utoipa::path(post, path = "/api/v1/admissions", request_body = Scan, tag = "device",
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
    Ok(Json(hub.boxoffice.admit_on(&request, scan.terms()).await?.into()))
}

impl Scan {
    /// What is said beside the code.
    pub(super) fn terms(&self) -> AdmissionTerms {
        let answers = self.answers.iter().map(|given| (given.question_id, given.answer.clone()));
        AdmissionTerms {
            passing: self.passing,
            people: self.people,
            answers: answers.collect(),
            explain: self.explain,
        }
    }
}

/// What is to be taken back.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Annulment {
    /// The scan's nonce.
    nonce: String,
    /// Why: the turnstile did not turn, the wrong person was scanned.
    reason: String,
}

/// What was taken back.
#[derive(Serialize, ToSchema)]
pub(crate) struct AnnulledView {
    #[schema(value_type = String)]
    admission_id: AdmissionId,
}

/// Take back what this device let pass, within 15 minutes.
#[utoipa::path(post, path = "/api/v1/admissions/annul", request_body = Annulment, tag = "device",
    responses((status = 200, body = AnnulledView), (status = "4XX", body = Problem)))]
pub(crate) async fn annul(
    State(hub): State<SharedHub>,
    device: DeviceCaller,
    Body(annulment): Body<Annulment>,
) -> Result<Json<AnnulledView>, Problem> {
    let Annulment { nonce, reason } = annulment;
    let admission_id = hub.boxoffice.annul(device.id, &nonce, &reason).await?;
    Ok(Json(AnnulledView { admission_id }))
}
