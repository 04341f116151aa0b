//! Payment receipts: public to whoever has the key, naming no person.

use axum::Json;
use axum::extract::State;
use handfast_model::Money;
use handfast_till::ReceiptKey;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::json::{Amount, Time};
use crate::http::problem::{PathOf, Problem};
use crate::hub::SharedHub;

/// The page of a receipt, as a path on this server.
pub(crate) fn page_of(key: &ReceiptKey) -> String {
    format!("/receipt/{}", key.expose())
}

/// A payment receipt.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReceiptView {
    shop_name: String,
    /// The charge's number at the counter.
    number: i64,
    description: String,
    #[schema(value_type = Amount)]
    amount: Money,
    /// Of it, paid with credit.
    #[schema(value_type = Option<Amount>)]
    credit_used: Option<Money>,
    /// Of it, paid through the gateway.
    #[schema(value_type = Amount)]
    charged: Money,
    at: Time,
    #[schema(value_type = String, examples("captured"))]
    state: &'static str,
    refunded_at: Option<Time>,
    /// What went back.
    #[schema(value_type = Amount)]
    refunded: Money,
    /// Of the amount, tip.
    #[schema(value_type = Amount)]
    tip: Money,
    /// Paid in cash beside the amount.
    #[schema(value_type = Amount)]
    cash: Money,
    /// Tax in the sale, where lines are known.
    #[schema(value_type = Amount)]
    tax: Money,
    #[schema(value_type = Amount)]
    discount: Money,
    discount_name: Option<String>,
    lines: Vec<LineView>,
}

/// One line of a sale.
#[derive(Serialize, ToSchema)]
pub(crate) struct LineView {
    name: String,
    quantity: i64,
    #[schema(value_type = Amount)]
    total: Money,
    /// In parts in a million.
    tax_ppm: i64,
}

/// The receipt that a key opens.
#[utoipa::path(get, path = "/api/v1/receipts/{key}", tag = "receipts", params(("key" = String, Path)),
    responses((status = 200, body = ReceiptView), (status = "4XX", body = Problem)))]
pub(crate) async fn one(
    State(hub): State<SharedHub>,
    PathOf(key): PathOf<String>,
) -> Result<Json<ReceiptView>, Problem> {
    let receipt = hub.till.receipt(&ReceiptKey::from_text(&key)).await?;
    Ok(Json(ReceiptView {
        shop_name: receipt.shop_name,
        number: receipt.number,
        description: receipt.description,
        amount: receipt.amount,
        credit_used: receipt.credit_used,
        charged: receipt.charged,
        at: receipt.at.into(),
        state: receipt.status.as_str(),
        refunded_at: receipt.refunded_at.map(Time),
        refunded: receipt.refunded,
        tip: receipt.tip,
        cash: receipt.cash,
        tax: receipt.tax,
        discount: receipt.discount,
        discount_name: receipt.discount_name,
        lines: receipt
            .lines
            .into_iter()
            .map(|line| LineView {
                total: Money::new(line.total_minor(), receipt.amount.currency),
                name: line.name,
                quantity: line.quantity,
                tax_ppm: line.tax_ppm,
            })
            .collect(),
    }))
}
