//! Asking for a mail with a sign-in link.

use axum::extract::State;
use axum::http::StatusCode;
use handfast_boxoffice::{EmailAddress, Realm};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::http::problem::{Body, Problem};
use crate::hub::SharedHub;

/// Who asks to sign in.
#[derive(Deserialize, ToSchema)]
pub(crate) struct SignIn {
    email: String,
    /// `fan` or `staff`.
    #[schema(value_type = String, examples("fan"))]
    realm: Realm,
}

/// Send a mail with a sign-in link. The answer is the same whether or not the address is known.
#[utoipa::path(post, path = "/api/v1/sign-in", request_body = SignIn, tag = "identity",
    responses((status = 202, description = "If the address is known, a mail is on its way"),
              (status = "4XX", body = Problem)))]
pub(crate) async fn request(
    State(hub): State<SharedHub>,
    Body(sign_in): Body<SignIn>,
) -> Result<StatusCode, Problem> {
    let email: EmailAddress = sign_in.email.parse().map_err(|_| {
        Problem::malformed("This is no mail address. Write it as name@example.org.")
    })?;
    hub.boxoffice.request_sign_in(&email, sign_in.realm).await?;
    Ok(StatusCode::ACCEPTED)
}
