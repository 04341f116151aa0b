//! The embedded test gateway's hosted page: instruments by name, never a card number.

use axum::Json;
use axum::extract::State;
use handfast_till::test_gateway::PageError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::problem::{Body, PathOf, Problem, sentence};
use crate::hub::SharedHub;

impl From<PageError> for Problem {
    fn from(error: PageError) -> Self {
        match &error {
            PageError::Refused(_) => Self::conflict(sentence(&error)),
            PageError::UnknownInstrument => Self::malformed(sentence(&error)),
            PageError::Store(_) => Self::from_failure(&error),
        }
    }
}

/// What the page of one setup offers.
#[derive(Serialize, ToSchema)]
pub(crate) struct SetupPageView {
    merchant: String,
    instruments: Vec<InstrumentView>,
}

/// Something to pay with, for trying out.
#[derive(Serialize, ToSchema)]
pub(crate) struct InstrumentView {
    id: &'static str,
    label: &'static str,
    description: &'static str,
}

/// The test gateway's page for one setup.
#[utoipa::path(get, path = "/api/v1/test-gateway/setup/{session}", tag = "test gateway",
    params(("session" = String, Path)),
    responses((status = 200, body = SetupPageView), (status = "4XX", body = Problem)))]
pub(crate) async fn page(
    State(hub): State<SharedHub>,
    PathOf(session): PathOf<String>,
) -> Result<Json<SetupPageView>, Problem> {
    let page = hub.test_gateway.setup_page(&session).await?;
    let instruments = page.instruments.into_iter().map(|instrument| InstrumentView {
        id: instrument.as_str(),
        label: instrument.label(),
        description: instrument.description(),
    });
    Ok(Json(SetupPageView { merchant: page.merchant, instruments: instruments.collect() }))
}

/// What was chosen on the page.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Choice {
    instrument_id: String,
}

/// Where the person goes back to.
#[derive(Serialize, ToSchema)]
pub(crate) struct Return {
    return_url: String,
}

/// Choose an instrument.
#[utoipa::path(post, path = "/api/v1/test-gateway/setup/{session}", request_body = Choice, tag = "test gateway",
    params(("session" = String, Path)),
    responses((status = 200, body = Return), (status = "4XX", body = Problem)))]
pub(crate) async fn choose(
    State(hub): State<SharedHub>,
    PathOf(session): PathOf<String>,
    Body(choice): Body<Choice>,
) -> Result<Json<Return>, Problem> {
    let return_url = hub.test_gateway.choose(&session, &choice.instrument_id).await?;
    Ok(Json(Return { return_url }))
}
