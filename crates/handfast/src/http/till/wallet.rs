//! A fan's wallet: payment methods by reference, credit, palm pay, payments.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use handfast_boxoffice::{PAYMENT_VERSION, payment_consent_text};
use handfast_model::{ChargeId, Currency, Money, PaymentMethodId, SecretText};
use handfast_till::{Label, Limits, Pin, SetupId, TillError, Wallet};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::receipts::page_of;
use crate::http::access::FanCaller;
use crate::http::json::{Amount, Time, language_of};
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
    /// Nothing can be paid from it for now.
    frozen: bool,
    has_pin: bool,
    /// The PIN is asked for at every payment by palm.
    pin_always: bool,
    /// Wrong PINs since the last right one; at five the wallet freezes.
    pin_misses: i64,
    limits: LimitsView,
    loyalty: Vec<LoyaltyView>,
    /// What a shop saw proof of, where one did.
    age: Option<AgeView>,
}

/// What a palm alone may pay.
#[derive(Serialize, ToSchema)]
pub(crate) struct LimitsView {
    #[schema(value_type = Amount)]
    charge: Money,
    #[schema(value_type = Amount)]
    day: Money,
    #[schema(value_type = Amount)]
    week: Money,
}

/// A loyalty number.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct LoyaltyView {
    program: String,
    number: String,
}

/// A known age.
#[derive(Serialize, ToSchema)]
pub(crate) struct AgeView {
    /// At least so many years.
    years: i64,
    verified_by: String,
    until: Time,
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
    async fn of(wallet: Wallet, hub: &Hub) -> Result<Self, Problem> {
        let credit = wallet.spendable_credit(hub.clock.now());
        let balance_credit = credit.unwrap_or(Money::new(0, NO_CREDIT_CURRENCY));
        let currency = balance_credit.currency;
        let limits = hub.till.limits(wallet.account, currency).await?;
        let money = |minor| Money::new(minor, currency);
        Ok(Self {
            balance_credit,
            frozen: wallet.frozen,
            has_pin: wallet.has_pin,
            pin_always: wallet.pin_always,
            pin_misses: wallet.pin_misses,
            limits: LimitsView {
                charge: money(limits.charge_minor),
                day: money(limits.day_minor),
                week: money(limits.week_minor),
            },
            loyalty: wallet
                .loyalty
                .into_iter()
                .map(|kept| LoyaltyView { program: kept.program, number: kept.number })
                .collect(),
            age: wallet.age.map(|known| AgeView {
                years: known.years,
                verified_by: known.verified_by,
                until: known.until.into(),
            }),
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
        })
    }

    /// The wallet as it stands now.
    async fn now(fan: &FanCaller, hub: &Hub) -> Result<Json<Self>, Problem> {
        let wallet = hub.till.wallet(fan.account).await?;
        let wallet = wallet.ok_or(TillError::NotFound(handfast_till::Thing::Wallet))?;
        Ok(Json(Self::of(wallet, hub).await?))
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
    Ok(Json(match wallet {
        Some(wallet) => Some(WalletView::of(wallet, &hub).await?),
        None => None,
    }))
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
    Ok(Json(WalletView::of(done.wallet, &hub).await?))
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
    /// `en`, `es` or `de`: the language in which the consent's text was read.
    #[serde(default)]
    language: Option<String>,
    /// The version of the text that was read; refused where it is not the present one.
    #[serde(default)]
    text_version: Option<String>,
}

/// What is agreed to when a palm may pay, word for word.
#[derive(Serialize, ToSchema)]
pub(crate) struct PaymentConsentView {
    version: &'static str,
    language: &'static str,
    title: &'static str,
    paragraphs: Vec<&'static str>,
    /// What the palm is used for.
    purposes: Vec<&'static str>,
}

/// The text of the payment consent.
#[utoipa::path(get, path = "/api/v1/payment-consent/{language}", tag = "portal",
    params(("language" = String, Path)),
    responses((status = 200, body = PaymentConsentView), (status = "4XX", body = Problem)))]
pub(crate) async fn consent(
    PathOf(language): PathOf<String>,
) -> Result<Json<PaymentConsentView>, Problem> {
    let text = payment_consent_text(language_of(&language)?);
    Ok(Json(PaymentConsentView {
        version: text.version,
        language: text.language.as_str(),
        title: text.title,
        paragraphs: text.paragraphs.to_vec(),
        purposes: text.purposes.iter().map(|purpose| purpose.text).collect(),
    }))
}

/// Let my palm pay, or no more: given and withdrawn as easily. Turning it on is the consent for
/// the purpose *payment*.
#[utoipa::path(put, path = "/api/v1/me/wallet/palm-pay", request_body = PalmPay, tag = "portal",
    responses((status = 200, body = WalletView), (status = "4XX", body = Problem)))]
pub(crate) async fn set_palm_pay(
    State(hub): State<SharedHub>,
    fan: FanCaller,
    Body(PalmPay { on, language, text_version }): Body<PalmPay>,
) -> Result<Json<WalletView>, Problem> {
    let language = language.as_deref().map(language_of).transpose()?;
    if text_version.is_some_and(|version| version != PAYMENT_VERSION) {
        return Err(Problem::conflict("The text has changed. Read the present one and try again."));
    }
    hub.set_palm_pay(fan.account, on, language).await?;
    WalletView::now(&fan, &hub).await
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

/// Choose the payment method that pays.
#[utoipa::path(put, path = "/api/v1/me/wallet/payment-methods/{id}/default", tag = "portal",
    params(("id" = String, Path)),
    responses((status = 200, body = WalletView), (status = "4XX", body = Problem)))]
pub(crate) async fn choose_default(
    State(hub): State<SharedHub>,
    fan: FanCaller,
    PathOf(id): PathOf<PaymentMethodId>,
) -> Result<Json<WalletView>, Problem> {
    hub.till.set_default_payment_method(fan.account, id).await?;
    WalletView::now(&fan, &hub).await
}

/// A new PIN.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewPin {
    /// 4 to 8 digits, not all the same, not in a row.
    #[schema(value_type = String)]
    pin: SecretText,
    /// Ask for it at every payment by palm: for whoever has a twin, or wants it.
    #[serde(default)]
    always: bool,
}

/// Set my PIN; a wallet that wrong PINs had frozen thaws.
#[utoipa::path(put, path = "/api/v1/me/wallet/pin", request_body = NewPin, tag = "portal",
    responses((status = 200, body = WalletView), (status = "4XX", body = Problem)))]
pub(crate) async fn set_pin(
    State(hub): State<SharedHub>,
    fan: FanCaller,
    Body(new): Body<NewPin>,
) -> Result<Json<WalletView>, Problem> {
    hub.till.set_pin(fan.account, &Pin::parse(new.pin.expose())?, new.always).await?;
    hub.carry_shop_armings_of(fan.account).await?;
    WalletView::now(&fan, &hub).await
}

/// Forget my PIN: above a limit my phone is asked instead.
#[utoipa::path(delete, path = "/api/v1/me/wallet/pin", tag = "portal",
    responses((status = 200, body = WalletView), (status = "4XX", body = Problem)))]
pub(crate) async fn clear_pin(
    State(hub): State<SharedHub>,
    fan: FanCaller,
) -> Result<Json<WalletView>, Problem> {
    hub.till.clear_pin(fan.account).await?;
    WalletView::now(&fan, &hub).await
}

/// What my palm alone may pay, in minor units of one currency.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewLimits {
    #[schema(value_type = String)]
    currency: Currency,
    charge_minor: i64,
    day_minor: i64,
    week_minor: i64,
}

/// Set what my palm alone may pay; above it the PIN or the phone is asked for.
#[utoipa::path(put, path = "/api/v1/me/wallet/limits", request_body = NewLimits, tag = "portal",
    responses((status = 200, body = WalletView), (status = "4XX", body = Problem)))]
pub(crate) async fn set_limits(
    State(hub): State<SharedHub>,
    fan: FanCaller,
    Body(new): Body<NewLimits>,
) -> Result<Json<WalletView>, Problem> {
    let NewLimits { currency, charge_minor, day_minor, week_minor } = new;
    let limits = Limits { charge_minor, day_minor, week_minor };
    hub.till.set_limits(fan.account, currency, limits).await?;
    WalletView::now(&fan, &hub).await
}

/// Keep a loyalty number; a program has one in a wallet.
#[utoipa::path(put, path = "/api/v1/me/wallet/loyalty", request_body = LoyaltyView, tag = "portal",
    responses((status = 200, body = WalletView), (status = "4XX", body = Problem)))]
pub(crate) async fn set_loyalty(
    State(hub): State<SharedHub>,
    fan: FanCaller,
    Body(kept): Body<LoyaltyView>,
) -> Result<Json<WalletView>, Problem> {
    let program = Label::parse(&kept.program).map_err(TillError::from)?;
    let number = Label::parse(&kept.number).map_err(TillError::from)?;
    hub.till.set_loyalty(fan.account, &program, &number).await?;
    WalletView::now(&fan, &hub).await
}

/// Forget a loyalty number.
#[utoipa::path(delete, path = "/api/v1/me/wallet/loyalty/{program}", tag = "portal",
    params(("program" = String, Path)),
    responses((status = 200, body = WalletView), (status = "4XX", body = Problem)))]
pub(crate) async fn forget_loyalty(
    State(hub): State<SharedHub>,
    fan: FanCaller,
    PathOf(program): PathOf<String>,
) -> Result<Json<WalletView>, Problem> {
    hub.till.forget_loyalty(fan.account, &program).await?;
    WalletView::now(&fan, &hub).await
}

/// What moved into and out of my credit.
#[utoipa::path(get, path = "/api/v1/me/wallet/statement", tag = "portal",
    params(super::day::WhichPage),
    responses((status = 200, body = super::day::StatementView), (status = "4XX", body = Problem)))]
pub(crate) async fn statement(
    State(hub): State<SharedHub>,
    fan: FanCaller,
    axum::extract::Query(page): axum::extract::Query<super::day::WhichPage>,
) -> Result<Json<super::day::StatementView>, Problem> {
    let statement = hub.till.credit_statement(fan.account, page.before()?).await?;
    Ok(Json(super::day::StatementView::of(statement)))
}
