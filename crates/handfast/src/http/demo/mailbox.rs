//! Everybody's mail, in the demo alone: nothing leaves the machine.

use axum::Json;
use axum::extract::State;
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
    mail_id: String,
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
    let mut views: Vec<MailView> = mails
        .into_iter()
        .map(|mail| MailView {
            mail_id: mail.id.to_string(),
            to: mail.recipient.to_string(),
            subject: mail.subject,
            body: mail.body,
            link: mail.link,
            at: mail.created_at.into(),
        })
        .collect();
    let about_money = hub.post.newest(MAILS_MAX).await;
    let about_money = about_money.map_err(|error| Problem::from_failure(&error))?;
    views.extend(about_money.into_iter().map(|mail| MailView {
        mail_id: mail.mail_id,
        to: mail.recipient,
        subject: mail.subject,
        body: mail.body,
        link: mail.link,
        at: mail.created_at.into(),
    }));
    views.sort_by_key(|mail| std::cmp::Reverse(mail.at.0));
    views.truncate(MAILS_MAX as usize);
    Ok(Json(views))
}
