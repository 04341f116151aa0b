//! The company's shops for its operators: who is told of their charges, and the books against the
//! gateway's report.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use handfast_model::{Duration, SecretText, ShopId};
use handfast_till::{Mismatch, Shop, WebhookSecret, read_report};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::access::StaffCaller;
use crate::http::json::{Time, to_owner};
use crate::http::problem::{Body, PathOf, Problem, sentence};
use crate::hub::{Hub, SharedHub};

/// How far back the books can be compared at once: a month and its edges.
const RECONCILE_DAYS_MAX: i64 = 35;

/// A shop.
#[derive(Serialize, ToSchema)]
pub(crate) struct ShopView {
    #[schema(value_type = String)]
    shop_id: ShopId,
    name: String,
    currency: &'static str,
    webhooks: Vec<EndpointView>,
}

/// An address that is told of a shop's charges.
#[derive(Serialize, ToSchema)]
pub(crate) struct EndpointView {
    endpoint_id: String,
    url: String,
}

async fn shops_of(hub: &Hub, staff: &StaffCaller) -> Result<Vec<Shop>, Problem> {
    let mut shops = Vec::new();
    for venue in hub.boxoffice.venues(staff.company).await? {
        shops.extend(hub.till.shops_of_venue(venue.id).await?);
    }
    Ok(shops)
}

pub(super) async fn own_shop(hub: &Hub, staff: &StaffCaller, id: ShopId) -> Result<Shop, Problem> {
    let shops = shops_of(hub, staff).await?;
    let own = shops.into_iter().find(|shop| shop.id == id);
    own.ok_or_else(|| {
        Problem::not_found("Your company has no such shop. Copy the id as it was given.")
    })
}

/// The company's shops.
#[utoipa::path(get, path = "/api/v1/console/shops", tag = "console",
    responses((status = 200, body = Vec<ShopView>), (status = "4XX", body = Problem)))]
pub(crate) async fn all(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
) -> Result<Json<Vec<ShopView>>, Problem> {
    let mut views = Vec::new();
    for shop in shops_of(&hub, &staff).await? {
        let endpoints = hub.till.webhook_endpoints(shop.id).await?;
        views.push(ShopView {
            shop_id: shop.id,
            name: shop.name,
            currency: shop.currency.code(),
            webhooks: endpoints
                .into_iter()
                .map(|endpoint| EndpointView { endpoint_id: endpoint.id, url: endpoint.url })
                .collect(),
        });
    }
    Ok(Json(views))
}

/// Where a shop's system listens.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewEndpoint {
    /// https, or http on this machine alone.
    url: String,
}

/// The new address with its secret, which is shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewEndpointView {
    endpoint_id: String,
    /// `whsec_...` for the Standard Webhooks signature.
    #[serde(serialize_with = "to_owner")]
    #[schema(value_type = String)]
    secret: SecretText,
}

impl NewEndpointView {
    pub(super) fn of(endpoint_id: String, secret: &WebhookSecret) -> Self {
        Self { endpoint_id, secret: SecretText::new(secret.expose().to_owned()) }
    }
}

/// Tell an address of a shop's charges, as Standard Webhooks.
#[utoipa::path(post, path = "/api/v1/console/shops/{shop_id}/webhooks", request_body = NewEndpoint, tag = "console",
    params(("shop_id" = String, Path)),
    responses((status = 200, body = NewEndpointView), (status = "4XX", body = Problem)))]
pub(crate) async fn add_webhook(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf(id): PathOf<ShopId>,
    Body(new): Body<NewEndpoint>,
) -> Result<Json<NewEndpointView>, Problem> {
    let shop = own_shop(&hub, &staff, id).await?;
    let (endpoint, secret) = hub.till.add_webhook_endpoint(shop.id, &new.url).await?;
    Ok(Json(NewEndpointView::of(endpoint.id, &secret)))
}

/// Tell an address no more.
#[utoipa::path(delete, path = "/api/v1/console/shops/{shop_id}/webhooks/{endpoint_id}", tag = "console",
    params(("shop_id" = String, Path), ("endpoint_id" = String, Path)),
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(crate) async fn remove_webhook(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    PathOf((id, endpoint)): PathOf<(ShopId, String)>,
) -> Result<StatusCode, Problem> {
    let shop = own_shop(&hub, &staff, id).await?;
    hub.till.remove_webhook_endpoint(shop.id, &endpoint).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The largest report that is taken as a file: a payment is a line of some 60 bytes, so that this is
/// the half million of a month at a large venue, and a hundredth of the memory of a small machine.
pub(crate) const REPORT_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How far back.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Span {
    /// Days, 1 to 35.
    days: i64,
    /// The gateway's report as CSV (reference, currency, captured, refunded, held; minor units); the
    /// gateway is asked without.
    #[serde(default)]
    report: Option<String>,
}

/// The books against the gateway's report.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReconciliationView {
    from: Time,
    until: Time,
    charges: usize,
    payments: usize,
    /// Charges without an end yet: these cannot be compared.
    open: usize,
    mismatches: Vec<MismatchView>,
}

/// One thing that is not the same on both sides.
#[derive(Serialize, ToSchema)]
pub(crate) struct MismatchView {
    /// `missing_at_gateway`, `unknown_here`, `captured_differs`, `refunded_differs`, `still_held`.
    kind: &'static str,
    /// The charge, or the gateway's reference where there is none.
    subject: String,
    ours_minor: Option<i64>,
    theirs_minor: Option<i64>,
}

impl From<Mismatch> for MismatchView {
    fn from(mismatch: Mismatch) -> Self {
        let kind = mismatch.name();
        let (subject, ours_minor, theirs_minor) = match mismatch {
            Mismatch::MissingAtGateway { charge } => (charge.to_string(), None, None),
            Mismatch::UnknownHere { reference } => (reference, None, None),
            Mismatch::Captured { charge, ours, theirs }
            | Mismatch::Refunded { charge, ours, theirs } => {
                (charge.to_string(), Some(ours), Some(theirs))
            }
            Mismatch::StillHeld { charge, minor } => (charge.to_string(), Some(0), Some(minor)),
        };
        Self { kind, subject, ours_minor, theirs_minor }
    }
}

/// Compare the books with the gateway's report, every difference by name.
#[utoipa::path(post, path = "/api/v1/console/reconciliations", request_body = Span, tag = "console",
    responses((status = 200, body = ReconciliationView), (status = "4XX", body = Problem)))]
pub(crate) async fn reconcile(
    State(hub): State<SharedHub>,
    staff: StaffCaller,
    Body(span): Body<Span>,
) -> Result<Json<ReconciliationView>, Problem> {
    if !(1..=RECONCILE_DAYS_MAX).contains(&span.days) {
        return Err(Problem::malformed("Compare 1 to 35 days at once."));
    }
    let until = hub.clock.now();
    let from = until - Duration::from_days(span.days);
    // One gateway account may serve several companies: each sees its own shops' charges.
    let shops: Vec<ShopId> = shops_of(&hub, &staff).await?.iter().map(|shop| shop.id).collect();
    let report = match &span.report {
        Some(text) => read_report(text).map_err(|error| Problem::malformed(sentence(&error)))?,
        None => hub.till.gateway_report(from, until).await?,
    };
    let found = hub.till.reconcile_with(&report, Some(&shops), from, until).await?;
    Ok(Json(ReconciliationView {
        from: from.into(),
        until: until.into(),
        charges: found.charges,
        payments: found.payments,
        open: found.open,
        mismatches: found.mismatches.into_iter().map(Into::into).collect(),
    }))
}
