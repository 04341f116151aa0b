//! A fan's wallet: payment methods by reference, credit, palm pay, payments.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use handfast_model::{ChargeId, Currency, Money, PaymentMethodId};
use handfast_till::{SetupId, TillError, Wallet};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::receipts::page_of;
use crate::http::access::FanCaller;
use crate::http::json::{Amount, Time};
use crate::http::problem::{Body, PathOf, Problem};
use crate::hub::{Hub, SharedHub};

/// What a wallet without a credit of its own shows its zero in.
const NO_CREDIT_CURRENCY: Currency = Currency::Usd;

/// A fan's wallet.
#[derive(Serialize, ToSchema)]
pub(crate) struct WalletView {
    /// What may be spent of the credit.
    #[schema(value_type = Amount)]
    balance_credit: Money,
    payment_methods: Vec<PaymentMethodView>,
    /// `on` or `off`.
    palm_pay: &'static str,
    /// Shops where a palm of this wallet is known.
    shops: Vec<String>,
}

/// A payment method: what the gateway calls it, never a number.
#[derive(Serialize, ToSchema)]
pub(crate) struct PaymentMethodView {
    #[schema(value_type = String)]
    id: PaymentMethodId,
    label: String,
    default: bool,
}

impl WalletView {
    fn of(wallet: Wallet, hub: &Hub) -> Self {
        let credit = wallet.spendable_credit(hub.clock.now());
        Self {
            balance_credit: credit.unwrap_or(Money::new(0, NO_CREDIT_CURRENCY)),
            palm_pay: if wallet.palm_pay { "on" } else { "off" },
            shops: wallet.shops.into_iter().map(|shop| shop.name).collect(),
            payment_methods: wallet
                .payment_methods
                .into_iter()
                .map(|method| PaymentMethodView {
                    id: method.id,
                    label: method.label,
                    default: method.default,
                })
                .collect(),
        }
    }
}

/// My wallet; `null` before the first payment method.
#[utoipa::path(get, path = "/api/v1/me/wallet", tag = "portal",
    responses((status = 200, body = Option<WalletView>), (status = "4XX", body = Problem)))]
pub(crate) async fn one(
    State(hub): State<SharedHub>,
    fan: FanCaller,
) -> Result<Json<Option<WalletView>>, Problem> {
    let wallet = hub.till.wallet(fan.account).await?;
    Ok(Json(wallet.map(|wallet| WalletView::of(wallet, &hub))))
}

/// Where the gateway's page is.
#[derive(Serialize, ToSchema)]
pub(crate) struct SetupView {
    url: String,
}

/// Begin to link a payment method: the gateway's own page asks for it.
#[utoipa::path(post, path = "/api/v1/me/wallet/setup", tag = "portal",
    responses((status = 200, body = SetupView), (status = "4XX", body = Problem)))]
pub(crate) async fn begin_setup(
    State(hub): State<SharedHub>,
    fan: FanCaller,
) -> Result<Json<SetupView>, Problem> {
    let started = hub.till.begin_setup(fan.account, "/portal#/wallet/").await?;
    Ok(Json(SetupView { url: started.url }))
}

/// Finish it after coming back; the first one brings the credit. A repeat is harmless.
#[utoipa::path(post, path = "/api/v1/me/wallet/setup/{setup}/complete", tag = "portal",
    params(("setup" = String, Path)),
    responses((status = 200, body = WalletView), (status = "4XX", body = Problem)))]
pub(crate) async fn complete_setup(
    State(hub): State<SharedHub>,
    fan: FanCaller,
    PathOf(setup): PathOf<String>,
) -> Result<Json<WalletView>, Problem> {
    let setup = SetupId::from_text(&setup);
    let done = hub.till.complete_setup(fan.account, &setup, None).await?;
    Ok(Json(WalletView::of(done.wallet, &hub)))
}

/// Forget a payment method.
#[utoipa::path(delete, path = "/api/v1/me/wallet/payment-methods/{id}", tag = "portal",
    params(("id" = String, Path)),
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(crate) async fn remove_payment_method(
    State(hub): State<SharedHub>,
    fan: FanCaller,
    PathOf(id): PathOf<PaymentMethodId>,
) -> Result<StatusCode, Problem> {
    hub.till.remove_payment_method(fan.account, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether palms may pay.
#[derive(Deserialize, ToSchema)]
pub(crate) struct PalmPay {
    on: bool,
}

/// Let my palm pay, or no more: given and withdrawn as easily. Turning it on is the consent for
/// the purpose *payment*.
#[utoipa::path(put, path = "/api/v1/me/wallet/palm-pay", tag = "portal",
    responses((status = 200, body = WalletView), (status = "4XX", body = Problem)))]
pub(crate) async fn set_palm_pay(
    State(hub): State<SharedHub>,
    fan: FanCaller,
    Body(PalmPay { on }): Body<PalmPay>,
) -> Result<Json<WalletView>, Problem> {
    hub.set_palm_pay(fan.account, on).await?;
    let wallet = hub.till.wallet(fan.account).await?;
    let wallet = wallet.ok_or(TillError::NotFound(handfast_till::Thing::Wallet))?;
    Ok(Json(WalletView::of(wallet, &hub)))
}

/// One of my payments.
#[derive(Serialize, ToSchema)]
pub(crate) struct PaymentView {
    #[schema(value_type = String)]
    charge_id: ChargeId,
    at: Time,
    shop_name: String,
    #[schema(value_type = Amount)]
    amount: Money,
    #[schema(value_type = Option<Amount>)]
    credit_used: Option<Money>,
    #[schema(value_type = String, examples("captured"))]
    state: &'static str,
    receipt_url: Option<String>,
}

/// My payments, newest first.
#[utoipa::path(get, path = "/api/v1/me/payments", tag = "portal",
    responses((status = 200, body = Vec<PaymentView>), (status = "4XX", body = Problem)))]
pub(crate) async fn payments(
    State(hub): State<SharedHub>,
    fan: FanCaller,
) -> Result<Json<Vec<PaymentView>>, Problem> {
    let now = hub.clock.now();
    let payments = hub.till.payments(fan.account).await?;
    let view = |charge: &handfast_till::Charge| PaymentView {
        charge_id: charge.id,
        at: charge.answered_at.unwrap_or(charge.created_at).into(),
        shop_name: charge.shop_name.clone(),
        amount: charge.amount,
        credit_used: charge.credit_used(),
        state: charge.status(now).as_str(),
        receipt_url: charge.receipt().map(page_of),
    };
    Ok(Json(payments.iter().map(view).collect()))
}
