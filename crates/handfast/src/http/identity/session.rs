//! Sessions: from the key in a mail to a cookie.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use handfast_boxoffice::Who;
use handfast_model::SecretText;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::access::{SESSION_COOKIE, SessionCaller};
use crate::http::problem::{Body, Problem};
use crate::hub::SharedHub;

/// Who is signed in.
#[derive(Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum WhoView {
    Fan {
        name: String,
    },
    Staff {
        name: String,
        #[schema(value_type = String, examples("operator"))]
        role: &'static str,
        company_name: String,
    },
}

impl From<Who> for WhoView {
    fn from(who: Who) -> Self {
        match who {
            Who::Fan { name, .. } => Self::Fan { name },
            Who::Staff { name, role, company_name, .. } => {
                Self::Staff { name, role: role.as_str(), company_name }
            }
        }
    }
}

/// The key of a sign-in mail.
#[derive(Deserialize, ToSchema)]
pub(crate) struct SignInKey {
    #[schema(value_type = String)]
    key: SecretText,
}

/// Sign in with the key of a mail; the key works once.
#[utoipa::path(post, path = "/api/v1/session", request_body = SignInKey, tag = "identity",
    responses((status = 200, body = WhoView, description = "Sets the session's cookie"),
              (status = "4XX", body = Problem)))]
pub(crate) async fn open(
    State(hub): State<SharedHub>,
    Body(SignInKey { key }): Body<SignInKey>,
) -> Result<(HeaderMap, Json<WhoView>), Problem> {
    let session = hub.boxoffice.open_session(key.expose()).await?;
    let lasts_s = (session.expires_at - hub.clock.now()).as_micros() / 1_000_000;
    let cookie = set_cookie(session.key.expose(), lasts_s, hub.https)?;
    Ok((cookie, Json(session.who.into())))
}

/// Who is signed in.
#[utoipa::path(get, path = "/api/v1/session", tag = "identity",
    responses((status = 200, body = WhoView), (status = "4XX", body = Problem)))]
pub(crate) async fn current(caller: SessionCaller) -> Json<WhoView> {
    Json(caller.who.into())
}

/// Sign out.
#[utoipa::path(delete, path = "/api/v1/session", tag = "identity",
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(crate) async fn close(
    State(hub): State<SharedHub>,
    caller: SessionCaller,
) -> Result<(StatusCode, HeaderMap), Problem> {
    hub.boxoffice.end_session(caller.key.expose()).await?;
    Ok((StatusCode::NO_CONTENT, set_cookie("", 0, hub.https)?))
}

fn set_cookie(key: &str, lasts_s: i64, https: bool) -> Result<HeaderMap, Problem> {
    // Plain http is for loopback alone, where browsers would drop a `Secure` cookie.
    let secure = if https { "; Secure" } else { "" };
    let cookie = format!(
        "{SESSION_COOKIE}={key}; Path=/; Max-Age={lasts_s}; HttpOnly; SameSite=Strict{secure}"
    );
    let mut value = HeaderValue::from_str(&cookie)
        .map_err(|_| Problem::internal("The session's key cannot be a cookie."))?;
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([(header::SET_COOKIE, value)]))
}
