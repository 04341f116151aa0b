//! Everybody's mail, in the demo alone: nothing leaves the machine.

use axum::Json;
use axum::extract::State;
use handfast_model::MailId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::json::Time;
use crate::http::problem::Problem;
use crate::hub::SharedHub;

/// As many as a page shows.
const MAILS_MAX: u32 = 50;

/// A mail.
#[derive(Serialize, ToSchema)]
pub(crate) struct MailView {
    #[schema(value_type = String)]
    mail_id: MailId,
    to: String,
    subject: String,
    body: String,
    link: Option<String>,
    at: Time,
}

/// The newest mails.
#[utoipa::path(get, path = "/api/v1/demo/mailbox", tag = "demo",
    responses((status = 200, body = Vec<MailView>), (status = "4XX", body = Problem)))]
pub(crate) async fn newest(State(hub): State<SharedHub>) -> Result<Json<Vec<MailView>>, Problem> {
    let mails = hub.boxoffice.newest_mails(MAILS_MAX).await?;
    let views = mails.into_iter().map(|mail| MailView {
        mail_id: mail.id,
        to: mail.recipient.to_string(),
        subject: mail.subject,
        body: mail.body,
        link: mail.link,
        at: mail.created_at.into(),
    });
    Ok(Json(views.collect()))
}
