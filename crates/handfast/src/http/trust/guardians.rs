//! Guardians: a parent or guardian consents that somebody younger links a palm with a ticket, in the
//! portal or at the window.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use handfast_boxoffice::{
    AgeLaw, Biometrics, GUARDIAN_VERSION, GuardianConsent, Language, guardian_text,
};
use handfast_model::{EventId, TicketId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::http::access::{FanCaller, StaffCaller};
use crate::http::json::{Time, language_of};
use crate::http::problem::{Body, PathOf, Problem, QueryOf};
use crate::hub::{Hub, SharedHub};

/// The words that a guardian reads.
#[derive(Serialize, ToSchema)]
pub(crate) struct GuardianTextView {
    version: &'static str,
    #[schema(value_type = String, examples("en"))]
    language: &'static str,
    paragraphs: Vec<&'static str>,
    /// The youngest age, in years, at which palms are linked: at the event that was asked about, or
    /// by law.
    minimum_age: u32,
    /// The age from which nobody else has to consent.
    own_consent_from: u32,
    /// Whether a guardian's consent lets anybody link a palm there: not where the minimum age is that
    /// of consenting alone, nor at an event without palms.
    counts: bool,
}

/// Where it is for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Where {
    /// The event of the ticket.
    #[param(value_type = Option<String>)]
    event_id: Option<EventId>,
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

impl Hub {
    /// The ages of the law here.
    fn age_law(&self) -> AgeLaw {
        AgeLaw {
            minimum: self.retention.minimum_age(None),
            own_consent_from: self.retention.own_consent_from_age(),
        }
    }
}

/// The words on which a guardian consents, and whether it helps at an event.
#[utoipa::path(get, path = "/api/v1/guardian-consent/{language}", tag = "portal",
    params(("language" = String, Path), Where),
    responses((status = 200, body = GuardianTextView), (status = "4XX", body = Problem)))]
pub(crate) async fn text(
    State(hub): State<SharedHub>,
    PathOf(language): PathOf<String>,
    QueryOf(Where { event_id }): QueryOf<Where>,
) -> Result<Json<GuardianTextView>, Problem> {
    let text = guardian_text(language_of(&language)?);
    let (law, mut palms_are_used, mut of_venue) = (hub.age_law(), true, None);
    if let Some(id) = event_id {
        let event = hub.boxoffice.event(id).await?;
        palms_are_used = event.biometrics == Biometrics::Allowed;
        of_venue = hub.boxoffice.minimum_age(event.venue_id).await?;
    }
    Ok(Json(GuardianTextView {
        version: text.version,
        language: text.language.as_str(),
        paragraphs: text.paragraphs.to_vec(),
        minimum_age: hub.retention.minimum_age(of_venue),
        own_consent_from: law.own_consent_from,
        counts: palms_are_used && law.guardians_count(of_venue),
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
    let law = hub.age_law();
    Ok(Json(hub.boxoffice.give_guardian_consent(fan.account, ticket, language, law).await?.into()))
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
    let law = hub.age_law();
    let given = hub.boxoffice.give_guardian_consent_at_window(staff.user, ticket, language, law);
    Ok(Json(given.await?.into()))
}
