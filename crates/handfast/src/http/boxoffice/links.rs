//! A fan's palm links: see, confirm, change, move, delete.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use handfast_boxoffice::{Link, Scope};
use handfast_model::{ConsentId, LinkId};
use handfast_tlog::DeletionCause;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::access::FanCaller;
use crate::http::json::Time;
use crate::http::problem::{Body, PathOf, Problem};
use crate::hub::{Hub, SharedHub};
use crate::linking::LinkingError;

impl From<LinkingError> for Problem {
    fn from(error: LinkingError) -> Self {
        match error {
            LinkingError::BoxOffice(error) => error.into(),
            LinkingError::Till(error) => error.into(),
            LinkingError::Trust(error) => error.into(),
            error @ LinkingError::DeletionsUnknown { .. } => Self::from_failure(&error),
            LinkingError::Vault(error) => {
                Self::from_failure(&error);
                Self::unavailable(
                    "The vault did not answer; what was decided is kept and carried out as soon as it does. Nothing needs to be repeated.",
                )
            }
        }
    }
}

/// A palm link.
#[derive(Serialize, ToSchema)]
pub(crate) struct LinkView {
    #[schema(value_type = String)]
    link_id: LinkId,
    /// `pending` until its holder confirms, then `confirmed`.
    #[schema(value_type = String, examples("confirmed"))]
    state: &'static str,
    /// Which hands.
    #[schema(value_type = Vec<String>, examples(json!(["left", "right"])))]
    sides: Vec<&'static str>,
    created_at: Time,
    via_ticket: ViaTicketView,
    consent: ConsentView,
    /// Where the palms are searched, and until when.
    armed: Vec<ArmedView>,
}

/// The ticket that a link was made with.
#[derive(Serialize, ToSchema)]
pub(crate) struct ViaTicketView {
    event_name: String,
    product: String,
}

/// What was consented to.
#[derive(Serialize, ToSchema)]
pub(crate) struct ConsentView {
    #[schema(value_type = String)]
    consent_id: ConsentId,
    text_version: String,
    #[schema(value_type = String, examples("en"))]
    language: &'static str,
    given_at: Time,
    /// `event`, `venue` or `company`.
    #[schema(value_type = Option<String>, examples("venue"))]
    scope: Option<&'static str>,
    until: Option<Time>,
    #[schema(value_type = Vec<String>)]
    purposes: Vec<&'static str>,
}

/// Somewhere a palm is searched.
#[derive(Serialize, ToSchema)]
pub(crate) struct ArmedView {
    /// `event` or `shop`.
    kind: &'static str,
    name: String,
    until: Time,
}

impl LinkView {
    fn of(link: Link, shops: &[String]) -> Self {
        let until = link.consent.until;
        let events = link.armed.into_iter().map(|armed| ArmedView {
            kind: "event",
            name: armed.name,
            until: armed.until.into(),
        });
        let shops = shops.iter().map(|name| ArmedView {
            kind: "shop",
            name: name.clone(),
            until: until.unwrap_or(handfast_model::Timestamp::MAX).into(),
        });
        Self {
            link_id: link.id,
            state: link.state.as_str(),
            sides: link.palms.iter().map(|palm| palm.side.as_str()).collect(),
            created_at: link.created_at.into(),
            via_ticket: ViaTicketView {
                event_name: link.via_ticket.event_name,
                product: link.via_ticket.product,
            },
            consent: ConsentView {
                consent_id: link.consent.id,
                text_version: link.consent.text_version,
                language: link.consent.language.as_str(),
                given_at: link.consent.given_at.into(),
                scope: link.consent.scope.map(Scope::as_str),
                until: until.map(Time),
                purposes: link.consent.purposes.iter().map(|purpose| purpose.as_str()).collect(),
            },
            armed: events.chain(shops).collect(),
        }
    }
}

/// My palm links.
#[utoipa::path(get, path = "/api/v1/me/links", tag = "portal",
    responses((status = 200, body = Vec<LinkView>), (status = "4XX", body = Problem)))]
pub(crate) async fn mine(
    State(hub): State<SharedHub>,
    fan: FanCaller,
) -> Result<Json<Vec<LinkView>>, Problem> {
    let mut views = Vec::new();
    for link in hub.boxoffice.links(fan.account).await? {
        let shops = hub.till.shops_of_link(link.id).await?;
        let shops: Vec<String> = shops.into_iter().map(|shop| shop.name).collect();
        views.push(LinkView::of(link, &shops));
    }
    Ok(Json(views))
}

/// "This is my palm": it opens my other tickets and my wallet from now on.
#[utoipa::path(post, path = "/api/v1/me/links/{link_id}/confirm", tag = "portal",
    params(("link_id" = String, Path)),
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(crate) async fn confirm(
    State(hub): State<SharedHub>,
    fan: FanCaller,
    PathOf(id): PathOf<LinkId>,
) -> Result<StatusCode, Problem> {
    hub.boxoffice.confirm_link(fan.account, id).await?;
    hub.carry_armings_of(fan.account).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How far a consent shall reach.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ScopeChange {
    /// `event`, `venue` or `company`.
    #[schema(value_type = String, examples("venue"))]
    scope: Scope,
}

/// Change how far my consent reaches.
#[utoipa::path(patch, path = "/api/v1/me/links/{link_id}", request_body = ScopeChange, tag = "portal",
    params(("link_id" = String, Path)),
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(crate) async fn change_scope(
    State(hub): State<SharedHub>,
    fan: FanCaller,
    PathOf(id): PathOf<LinkId>,
    Body(change): Body<ScopeChange>,
) -> Result<StatusCode, Problem> {
    hub.boxoffice.change_link_scope(fan.account, id, change.scope).await?;
    hub.log_consent_change(fan.account, id).await?;
    hub.carry_armings_of(fan.account).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Another ticket, by its code.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Move {
    code: String,
}

/// Move a link to another ticket, perhaps of another account, whose holder is asked by mail.
#[utoipa::path(post, path = "/api/v1/me/links/{link_id}/move", request_body = Move, tag = "portal",
    params(("link_id" = String, Path)),
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(crate) async fn move_to(
    State(hub): State<SharedHub>,
    fan: FanCaller,
    PathOf(id): PathOf<LinkId>,
    Body(to): Body<Move>,
) -> Result<StatusCode, Problem> {
    // Before anything changes: nobody's link but the caller's own, and a ticket that will take it.
    hub.boxoffice.check_move(fan.account, id, &to.code).await?;
    // The old account's wallet must not pay for the palm any more, whatever happens next.
    hub.till.forget_link(id).await?;
    hub.boxoffice.move_link(fan.account, id, &to.code).await?;
    hub.carry_armings_of(fan.account).await?;
    hub.carry_armings().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// That palms were destroyed.
#[derive(Serialize, ToSchema)]
pub(crate) struct Deleted {
    receipt: DeletionReceiptView,
}

/// A deletion receipt.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeletionReceiptView {
    receipt_id: String,
    deleted_at: Time,
    palms: u32,
    /// What was destroyed.
    statement: &'static str,
}

/// Unlink and delete now: what was stored of the palm is destroyed when this answers.
#[utoipa::path(delete, path = "/api/v1/me/links/{link_id}", tag = "portal",
    params(("link_id" = String, Path)),
    responses((status = 200, body = Deleted), (status = "4XX", body = Problem)))]
pub(crate) async fn delete(
    State(hub): State<SharedHub>,
    fan: FanCaller,
    PathOf(id): PathOf<LinkId>,
) -> Result<Json<Deleted>, Problem> {
    let due = hub.boxoffice.end_link(fan.account, id).await?;
    let receipt = destroy(&hub, &due).await?;
    Ok(Json(Deleted { receipt }))
}

async fn destroy(
    hub: &Hub,
    due: &handfast_boxoffice::DueDeletion,
) -> Result<DeletionReceiptView, Problem> {
    let receipt = hub.carry_deletion(due, DeletionCause::Person).await?.ok_or_else(|| {
        Problem::conflict("This palm was destroyed before; its link is gone from your page.")
    })?;
    Ok(DeletionReceiptView {
        receipt_id: receipt.receipt.to_string(),
        deleted_at: receipt.deleted_at.into(),
        palms: receipt.palms,
        statement: receipt.statement(),
    })
}
