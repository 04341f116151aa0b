//! Guardians: a parent or guardian consents that somebody younger links a palm with a ticket, in the
//! portal or at the window.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use handfast_boxoffice::{GUARDIAN_VERSION, GuardianConsent, Language, guardian_text};
use handfast_model::TicketId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::access::{FanCaller, StaffCaller};
use crate::http::json::Time;
use crate::http::problem::{Body, PathOf, Problem};
use crate::hub::SharedHub;

/// The words that a guardian reads.
#[derive(Serialize, ToSchema)]
pub(crate) struct GuardianTextView {
    version: &'static str,
    #[schema(value_type = String, examples("en"))]
    language: &'static str,
    paragraphs: Vec<&'static str>,
    /// The youngest age, in years, at which palms are linked; a venue may have a higher one.
    minimum_age: u32,
    /// The age from which nobody else has to consent.
    own_consent_from: u32,
}

/// A guardian's consent.
#[derive(Serialize, ToSchema)]
pub(crate) struct GuardianConsentView {
    #[schema(value_type = String)]
    ticket_id: TicketId,
    given_at: Time,
    text_version: String,
    /// `holder` in the portal, `staff` at the window.
    #[schema(value_type = String, examples("holder"))]
    by: &'static str,
}

impl From<GuardianConsent> for GuardianConsentView {
    fn from(given: GuardianConsent) -> Self {
        let by = given.evidence().by.as_str();
        let GuardianConsent { ticket_id, given_at, text_version, .. } = given;
        Self { ticket_id, given_at: given_at.into(), text_version, by }
    }
}

/// What a guardian agreed to.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Agreed {
    /// The version of the words that were read.
    text_version: String,
    #[schema(value_type = String, examples("en"))]
    language: String,
}

impl Agreed {
    /// In which language the present words were read.
    fn language(&self) -> Result<Language, Problem> {
        if self.text_version != GUARDIAN_VERSION {
            return Err(Problem::conflict(
                "The text has changed. Read the present one and try again.",
            ));
        }
        language_of(&self.language)
    }
}

fn language_of(word: &str) -> Result<Language, Problem> {
    word.parse().map_err(|_| Problem::malformed("Name the language as en, es or de."))
}

/// The words on which a guardian consents.
#[utoipa::path(get, path = "/api/v1/guardian-consent/{language}", tag = "portal",
    params(("language" = String, Path)),
    responses((status = 200, body = GuardianTextView), (status = "4XX", body = Problem)))]
pub(crate) async fn text(
    State(hub): State<SharedHub>,
    PathOf(language): PathOf<String>,
) -> Result<Json<GuardianTextView>, Problem> {
    let text = guardian_text(language_of(&language)?);
    Ok(Json(GuardianTextView {
        version: text.version,
        language: text.language.as_str(),
        paragraphs: text.paragraphs.to_vec(),
        minimum_age: hub.retention.minimum_age(None),
        own_consent_from: hub.retention.own_consent_from_age(),
    }))
}

/// My tickets with which somebody younger may link a palm.
#[utoipa::path(get, path = "/api/v1/me/guardian-consents", tag = "portal",
    responses((status = 200, body = Vec<GuardianConsentView>), (status = "4XX", body = Problem)))]
pub(crate) async fn mine(
    State(hub): State<SharedHub>,
    fan: FanCaller,
) -> Result<Json<Vec<GuardianConsentView>>, Problem> {
    let given = hub.boxoffice.guardian_consents(fan.account).await?;
    Ok(Json(given.into_iter().map(GuardianConsentView::from).collect()))
}

/// Consent, as a parent or guardian, that whoever has this ticket of mine links a palm with it.
#[utoipa::path(put, path = "/api/v1/me/tickets/{ticket_id}/guardian-consent", request_body = Agreed,
    params(("ticket_id" = String, Path)), tag = "portal",
    responses((status = 200, body = GuardianConsentView), (status = "4XX", body = Problem)))]
pub(crate) async fn give(
    State(hub): State<SharedHub>,
    fan: FanCaller,
    PathOf(ticket): PathOf<TicketId>,
    Body(agreed): Body<Agreed>,
) -> Result<Json<GuardianConsentView>, Problem> {
    let language = agreed.language()?;
    Ok(Json(hub.boxoffice.give_guardian_consent(fan.account, ticket, language).await?.into()))
}

/// Take it back. A palm that was linked by it is deleted like any other.
#[utoipa::path(delete, path = "/api/v1/me/tickets/{ticket_id}/guardian-consent",
    params(("ticket_id" = String, Path)), tag = "portal",
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(crate) async fn withdraw(
    State(hub): State<SharedHub>,
    fan: FanCaller,
    PathOf(ticket): PathOf<TicketId>,
) -> Result<StatusCode, Problem> {
    hub.boxoffice.withdraw_guardian_consent(fan.account, ticket).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// At the window: a parent or guardian is there and consents.
#[utoipa::path(put, path = "/api/v1/window/tickets/{ticket_id}/guardian-consent",
    request_body = Agreed, params(("ticket_id" = String, Path)), tag = "window",
    responses((status = 200, body = GuardianConsentView), (status = "4XX", body = Problem)))]
pub(crate) async fn give_at_window(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf(ticket): PathOf<TicketId>,
    Body(agreed): Body<Agreed>,
) -> Result<Json<GuardianConsentView>, Problem> {
    let language = agreed.language()?;
    let given = hub.boxoffice.give_guardian_consent_at_window(staff.user, ticket, language).await?;
    Ok(Json(given.into()))
}
